# SPDX-License-Identifier: Apache-2.0
"""`dialect.py`: where Bybit's wire comes together: which path is answered by which function, at
what rate, with which permission; which socket is which. Checks come in the venue's order: address,
key, time, signature, permission, rate, parameters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hean.twin.account import Key
from hean.twin.bybit import account, queries, trade
from hean.twin.bybit.auth import Gate
from hean.twin.bybit.books import Books
from hean.twin.bybit.call import Answer, Call, Floor
from hean.twin.bybit.desk import OrderDesk
from hean.twin.bybit.errors import Denied, denied, wrong
from hean.twin.bybit.limits import Budget, Limits
from hean.twin.bybit.market import MarketCalls, maintenances
from hean.twin.bybit.private import PrivateStreams
from hean.twin.bybit.public import PublicStreams
from hean.twin.bybit.records import Records
from hean.twin.bybit.sockets import Client, encode
from hean.twin.bybit.stops import Stops
from hean.twin.bybit.tickers import Tickers
from hean.twin.bybit.words import MS_NS
from hean.twin.faults.quirks import Quirks
from hean.twin.market import TwinMarket
from hean.twin.orders import Event, ExecutionEvent, Refused
from hean.twin.venue import TwinVenue
from hean.twin.wire import MALFORMED, Reply, Request, Session, decoded

SECOND_NS = 1_000_000_000
SOCKETS = {
    "/v5/public/linear": "linear",
    "/v5/public/spot": "spot",
    "/v5/public/inverse": "inverse",
    "/v5/public/option": "option",
    "/v5/public/misc/status": "status",
    "/v5/private": "private",
    "/v5/trade": "trade",
}
IDLE_S = 600  # silence after which a connection is closed
IDLE_CHOICE_S = (30, 600)  # what `max_active_time` may ask for
LIFE_NS = 24 * 3_600 * SECOND_NS
GOING_AWAY, TOO_LONG = 1001, 1000
ASSET_LISTS = {
    "/v5/asset/transfer/query-account-coins-balance": "balance",
    "/v5/asset/transfer/query-inter-transfer-list": "list",
    "/v5/asset/deposit/query-record": "rows",
    "/v5/asset/withdraw/query-record": "rows",
}
"""Wallet history that a twin has none of, with the name of its empty list."""

decode = msgspec.json.Decoder().decode


@dataclass(slots=True, frozen=True)
class Route:
    """A REST call. *rates*: requests a second for contracts and for spot; none needs no key."""

    act: Callable[[Call], Answer]
    rates: tuple[int, int] | None = None
    trades: bool = False
    is_batch: bool = False


def _orders() -> dict[str, Route]:
    """Calls about orders."""
    return {
        "create": Route(trade.create, (10, 20), True),
        "amend": Route(trade.amend, (10, 10), True),
        "cancel": Route(trade.cancel, (10, 20), True),
        "cancel-all": Route(trade.cancel_all, (10, 20), True),
        "create-batch": Route(trade.create_batch, (10, 20), True, True),
        "amend-batch": Route(trade.amend_batch, (10, 20), True, True),
        "cancel-batch": Route(trade.cancel_batch, (10, 20), True, True),
        "pre-check": Route(trade.pre_check, (10, 20), True),
        "disconnected-cancel-all": Route(trade.disconnect_window, (5, 5), True),
    }


def bybit_routes(market: MarketCalls) -> dict[tuple[str, str], Route]:
    """Every call there is."""
    settings = {
        "position/set-leverage": account.set_leverage,
        "position/switch-mode": account.switch_mode,
        "position/switch-isolated": account.switch_isolated,
        "position/trading-stop": account.trading_stop,
        "position/set-auto-add-margin": account.set_auto_margin,
        "position/add-margin": account.add_margin,
        "position/set-risk-limit": account.set_risk_limit,
    }
    reads = {
        "order/realtime": (queries.realtime, 50),
        "order/history": (queries.history, 50),
        "execution/list": (queries.executions, 50),
        "position/list": (account.positions, 50),
        "position/closed-pnl": (queries.closed_profit, 50),
        "account/wallet-balance": (account.wallet, 50),
        "account/info": (account.info, 50),
        "account/transaction-log": (queries.transaction_log, 25),
        "account/fee-rate": (account.fee_rate, 5),
        "account/query-dcp-info": (account.disconnect_info, 5),
        "user/query-api": (account.api_key, 10),
        "asset/coin/query-info": (market.coins, 5),
    }
    open_reads = {
        "market/time": market.time,
        "market/instruments-info": market.instruments,
        "market/kline": market.klines,
        "market/mark-price-kline": market.mark_klines,
        "market/index-price-kline": market.index_klines,
        "market/premium-index-price-kline": market.premium_klines,
        "market/orderbook": market.orderbook,
        "market/tickers": market.tickers,
        "market/funding/history": market.funding_history,
        "market/recent-trade": market.trades,
        "market/risk-limit": market.risk_limit,
        "market/open-interest": market.open_interest,
        "market/price-limit": market.price_limit,
        "market/account-ratio": market.account_ratio,
        "market/insurance": market.insurance,
        "system/status": market.status,
    }
    return {
        **{("POST", f"/v5/order/{name}"): route for name, route in _orders().items()},
        **{("POST", f"/v5/{name}"): Route(act, (10, 10), True) for name, act in settings.items()},
        ("POST", "/v5/account/set-margin-mode"): Route(account.set_margin_mode, (5, 5), True),
        **{("GET", f"/v5/{name}"): Route(act, (n, n)) for name, (act, n) in reads.items()},
        **{("GET", f"/v5/{name}"): Route(act) for name, act in open_reads.items()},
        **{("GET", path): Route(_empty(name), (5, 5)) for path, name in ASSET_LISTS.items()},
    }


def _empty(name: str) -> Callable[[Call], Answer]:
    return lambda call: Answer({name: [], "nextPageCursor": ""}, "success")


class BybitDialect:
    """Bybit V5 over an exchange. *keys*: by name. *limits_scale*: multiplies every rate limit."""

    def __init__(
        self,
        venue: TwinVenue,
        keys: Mapping[str, Key],
        *,
        quirks: Quirks | None = None,
        limits_scale: float = 1.0,
    ) -> None:
        self.venue = venue
        self.quirks = quirks or Quirks()
        self._limits = Limits(venue.now, venue.steady, limits_scale)
        self._gate = Gate(keys, venue.now)
        self._later: deque[Callable[[], None]] = deque()
        self._stops = Stops(venue, self._later)
        self._floor = Floor(venue, Records(), self._stops, self.quirks)
        tickers, books = Tickers(), Books(venue.now)
        self._books = books
        self._routes = bybit_routes(MarketCalls(tickers, books))
        self._public = PublicStreams(venue, books, tickers)
        self._private = PrivateStreams(self._floor, self._gate)
        self._desk = OrderDesk(self._floor, self._gate, self._limits, self._bucket)
        self._clients: dict[int, Client] = {}
        self._told_status: list[dict[str, Any]] = []
        self._look_ns = 0
        venue.listeners.append(self.on_event)

    # --- REST

    def rest(self, request: Request) -> Reply:
        """Answer a REST request."""
        headers: dict[str, str] = {}
        category = ""
        try:
            self._limits.check_address(request.remote)
            route = self._route(request)
            key, budget = None, None
            if route.rates is not None:
                key = self._gate.check(request, trades=route.trades)
            params = _params(request)
            category = str(params.get("category", ""))
            if key is not None:
                budget = self._spend(key, request.path, params, route)
                headers = budget.headers()
                if not budget.units:
                    raise Denied(*trade.RATE)
            answer = route.act(Call(self._floor, params, key, budget))
        except Refused as refused:
            return self._refuse(denied(refused, category), headers)
        except Denied as refusal:
            return self._refuse(refusal, headers)
        finally:
            self._finish()
        return self._reply(0, answer.message, answer.result, answer.extra, headers=headers)

    def _route(self, request: Request) -> Route:
        route = self._routes.get((request.method, request.path))
        if route is None:
            raise Denied(10017, "Route not found.", status=404)
        if request.method == "GET" and request.body:
            raise Denied(10001, "a GET request has no body", status=403)
        return route

    def _spend(self, key: Key, path: str, params: Mapping[str, Any], route: Route) -> Budget:
        legs = params.get("request")
        units = len(legs) if route.is_batch and isinstance(legs, list) and legs else 1
        bucket, rate = self._bucket(path, str(params.get("category", "")))
        return self._limits.take(key.account.number, bucket, rate, units)

    def _bucket(self, path: str, category: str) -> tuple[str, int]:
        """Which bucket a call spends from, and its size."""
        route = self._routes.get(("POST", path)) or self._routes.get(("GET", path))
        contracts, spot = (route.rates if route is not None else None) or (10, 10)
        return (f"{path} spot", spot) if category == "spot" else (path, contracts)

    def _refuse(self, refusal: Denied, headers: dict[str, str]) -> Reply:
        return self._reply(
            refusal.code,
            refusal.message,
            refusal.result,
            {},
            headers=headers,
            status=refusal.status,
        )

    def _reply(
        self,
        code: int,
        message: str,
        result: dict[str, Any],
        extra: dict[str, Any],
        *,
        headers: dict[str, str],
        status: int = 200,
    ) -> Reply:
        body = {
            "retCode": code,
            "retMsg": message,
            "result": result,
            "retExtInfo": extra,
            "time": self.venue.now() // MS_NS,
        }
        return Reply(encode(body), status, headers)

    # --- WebSockets

    def accepts(self, path: str) -> bool:
        """Whether a WebSocket may be opened at this path."""
        return path in SOCKETS

    def opened(self, session: Session) -> None:
        """A client connected."""
        connection = f"twin{session.number:012x}"
        kind = SOCKETS[session.path]
        client = Client(session, kind, connection, _idle_s(session) * SECOND_NS)
        session.state = self._clients[session.number] = client

    def received(self, session: Session, text: str) -> None:
        """A client sent a text frame."""
        client: Client = session.state
        request = decoded(text)
        if not isinstance(request, dict):
            client.failed("", {}, "error:invalid json")
            return
        match client.kind:
            case "private":
                self._private.received(client, request)
            case "trade":
                self._desk.received(client, request)
            case _:
                self._public.received(client, request)
        self._finish()

    def closed(self, session: Session) -> None:
        """A client is gone, however that happened."""
        client = self._clients.pop(session.number, None)
        if client is None:
            return
        if client.kind == "private":
            self._private.closed(client)
        elif client.kind != "trade":
            self._public.closed(client)

    def on_event(self, event: Event) -> None:
        """The exchange did something."""
        if isinstance(event, ExecutionEvent):
            self._floor.records.note(event.execution)
        self._stops.on_event(event)
        self._private.on_event(event)
        self._public.on_event(event)

    def tick(self, now_ns: int) -> None:
        """Streams with a rhythm; once a second silent and old connections are closed."""
        self._finish()
        self._public.tick(now_ns)
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + SECOND_NS
        for client in list(self._clients.values()):
            session = client.session
            if now_ns - session.heard_ns > client.idle_ns:
                session.close(TOO_LONG, "no traffic")
            elif now_ns - session.opened_ns > LIFE_NS:
                session.close(GOING_AWAY, "24 hours")
        self._tell_status(now_ns)

    def reset_books(self, market: TwinMarket, *, is_restart: bool) -> None:
        """A fault dial: every book of a market sends a snapshot next."""
        self._books.reset(market, is_restart=is_restart)

    def _finish(self) -> None:
        """Do what had to wait for the exchange."""
        while self._later:
            self._later.popleft()()

    def _tell_status(self, now_ns: int) -> None:
        rows = maintenances(Call(self._floor, {}))
        if rows != self._told_status:
            self._told_status = rows
            frame = {"topic": "system.status", "ts": now_ns // MS_NS, "data": rows}
            self._public.announce(frame)


def _params(request: Request) -> Mapping[str, Any]:
    """Query or body as names and values. *Raises*: `Denied` for a body that is no JSON object."""
    if request.method == "GET":
        return dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        body = decode(request.body or b"{}")
    except MALFORMED:
        raise Denied(10001, "request parameter error: invalid json", status=400) from None
    if not isinstance(body, dict):
        raise wrong("request parameter error: a JSON object is expected")
    return body


def _idle_s(session: Session) -> int:
    """Seconds of silence a connection may keep: `max_active_time=30s` to `600s`, or minutes."""
    asked = dict(parse_qsl(session.query)).get("max_active_time", "")
    digits, unit = asked[:-1], asked[-1:]
    if not digits.isascii() or not digits.isdigit() or unit not in {"s", "m"} or len(digits) > 4:
        return IDLE_S
    seconds = int(digits) * (60 if unit == "m" else 1)
    return min(max(seconds, IDLE_CHOICE_S[0]), IDLE_CHOICE_S[1])
