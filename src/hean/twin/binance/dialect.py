# SPDX-License-Identifier: Apache-2.0
"""`dialect.py`: Binance's wire over the exchange: finds the route of a request, counts its weight,
checks who asks, calls the handler, encodes. Spot and USD-M futures differ in their tables only. It
knows no order type and no stream; those are the handlers' and publishers'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hean.twin.account import Key
from hean.twin.binance import (
    spot_account,
    spot_market,
    spot_streams,
    spot_trade,
    spot_user,
    spot_wsapi,
    usdm_account,
    usdm_market,
    usdm_streams,
    usdm_trade,
    usdm_user,
    usdm_wsapi,
)
from hean.twin.binance.auth import check_clock, check_signature, known_key, signed_text
from hean.twin.binance.call import Call, Route, Security, parse_parameters
from hean.twin.binance.errors import BinanceError, translated
from hean.twin.binance.limits import Limits
from hean.twin.binance.sockets import StreamSockets
from hean.twin.binance.streams import Hub, Publisher, door_of, keep_alive
from hean.twin.binance.wsapi import PATHS, WebSocketApi
from hean.twin.faults.quirks import Quirks
from hean.twin.market import TwinMarket
from hean.twin.orders import (
    BookChange,
    Event,
    ForcedPrint,
    Refused,
    TradePrint,
)
from hean.twin.venue import TwinVenue
from hean.twin.wire import Reply, Request, Session

LOST_IDS = 1_000
KEEP_ALIVE_NS = 1_000_000_000  # sockets are looked at once a second
ROUTES = {
    **spot_market.ROUTES,
    **spot_trade.ROUTES,
    **spot_account.ROUTES,
    **usdm_market.ROUTES,
    **usdm_trade.ROUTES,
    **usdm_account.ROUTES,
}
REFUSALS = {"spot": spot_trade.REFUSALS, "linear": usdm_trade.REFUSALS}
_ENCODER = msgspec.json.Encoder()


class BinanceDialect:
    """Binance. *keys*: by their public part. *limits_scale*: widens every rate limit."""

    def __init__(
        self,
        venue: TwinVenue,
        keys: Mapping[str, Key],
        *,
        quirks: Quirks | None = None,
        limits_scale: float = 1.0,
    ) -> None:
        self.venue = venue
        self.keys = keys
        self.quirks = quirks or venue.quirks
        self.limits = Limits(venue.now, venue.steady, limits_scale)
        self.hubs = {"spot": Hub(), "linear": Hub()}
        self.spot_streams = spot_streams.STREAMS(venue, self.hubs["spot"])
        self.publishers: dict[str, Publisher] = {
            "spot": self.spot_streams,
            "linear": usdm_streams.STREAMS(venue, self.hubs["linear"]),
        }
        self.spot_users = spot_user.USERS(self)
        self.usdm_users = usdm_user.USERS(self)
        self.sockets = StreamSockets(
            self.hubs, self.publishers, self.usdm_users, scale=limits_scale
        )
        self.api = WebSocketApi(self, {"spot": spot_wsapi.METHODS, "linear": usdm_wsapi.METHODS})
        self._sessions: dict[int, Session] = {}
        self._looked_ns = 0
        venue.listeners.append(self.on_event)

    # --- REST

    def rest(self, request: Request) -> Reply:
        """Answer a REST request."""
        family = "linear" if request.path.startswith(("/fapi/", "/futures/")) else "spot"
        call = Call(self, family, {}, self.venue.now())
        headers: dict[str, str] = {}
        try:
            body: Any = self._rest(request, call)
            status = 200
        except BinanceError as error:
            body, status = error.body, error.status
            if error.retry_after_s is not None:
                headers["Retry-After"] = str(error.retry_after_s)
        headers.update(self.limits.weight_headers(family, request.remote))
        if call.orders:
            headers.update(self.limits.order_headers(family, call.account.name))
        return Reply(_ENCODER.encode(body), status, headers)

    def _rest(self, request: Request, call: Call) -> Any:
        route = ROUTES.get((request.method, request.path))
        if route is None:
            msg = f"Path {request.path}, Method {request.method} is invalid"
            raise BinanceError(-5000, msg, 404)
        call.params = parse_parameters(request.query, request.body)
        return self.perform(
            route,
            call,
            address=request.remote,
            key_text=request.headers.get("X-MBX-APIKEY"),
            signed=lambda: signed_text(request.query, request.body),
        )

    def perform(
        self,
        route: Route,
        call: Call,
        *,
        address: str,
        key_text: str | None,
        signed: Callable[[], bytes],
    ) -> Any:
        """Run a request's handler once it may. *signed*: makes the text that was signed.

        *Raises*: `BinanceError`.
        """
        weight = route.weight if isinstance(route.weight, int) else route.weight(call)
        self.limits.charge(call.family, address, weight)
        if route.security is not Security.NONE:
            call.key = known_key(self.keys, key_text, route.security)
            if route.security is not Security.KEY:
                check_clock(call.params, call.now_ns)
                check_signature(call.key, signed(), call.params.get("signature"))
            if call.session is not None:
                call.session.account = call.key.account.name
        if route.names is not None:
            _check_names(call.params, route.names)
        try:
            answer = route.handler(call)
        except Refused as refused:
            raise translated(refused, REFUSALS[call.family]) from None
        if route.is_refunded:
            self.limits.give_back(call.family, address, weight)
        return answer

    # --- sockets

    def accepts(self, path: str) -> bool:
        """Whether a WebSocket may be opened at this path."""
        return path in PATHS or door_of(path, "") is not None

    def opened(self, session: Session) -> None:
        """A client connected."""
        self._sessions[session.number] = session
        if session.path in PATHS:
            self.api.opened(session)
            return
        door = door_of(session.path, session.query)
        assert door is not None
        self.sockets.opened(session, door)

    def received(self, session: Session, text: str) -> None:
        """A client sent a text frame."""
        if session.path in PATHS:
            self.api.received(session, text, self.venue.now())
        else:
            self.sockets.received(session, text, self.venue.now())

    def closed(self, session: Session) -> None:
        """A client is gone."""
        self._sessions.pop(session.number, None)
        if session.path in PATHS:
            self.spot_users.closed(session)
        else:
            self.sockets.closed(session)

    # --- what happens

    def on_event(self, event: Event) -> None:
        """The exchange did something."""
        if isinstance(event, BookChange | TradePrint | ForcedPrint):
            market = event.market
            if isinstance(event, BookChange):
                market.update_id += 1
            self.publishers[market.listing.market].on_event(event)
            return
        self.spot_users.on_event(event)
        self.usdm_users.on_event(event)

    def reset_books(self, market: TwinMarket, *, is_restart: bool) -> None:
        """A fault dial: book ids jump, so that the next event does not follow the last."""
        market.update_id += LOST_IDS
        self.publishers[market.listing.market].lose(market)

    def tick(self, now_ns: int) -> None:
        """Streams with a rhythm; once a second, pings and cuts."""
        for publisher in self.publishers.values():
            publisher.tick(now_ns)
        self.usdm_users.tick(now_ns)
        if now_ns - self._looked_ns < KEEP_ALIVE_NS:
            return
        self._looked_ns = now_ns
        for session in list(self._sessions.values()):
            keep_alive(session, session.state.family, now_ns)


def _check_names(params: Mapping[str, str], names: frozenset[str]) -> None:
    unread = [name for name in params if name not in names]
    if not unread:
        return
    if not names:
        raise BinanceError(
            -1101, f"Too many parameters; expected '0' and received '{len(params)}'."
        )
    raise BinanceError(
        -1104,
        "Not all sent parameters were read; read "
        f"'{len(params) - len(unread)}' parameter(s) but was sent '{len(params)}'.",
    )
