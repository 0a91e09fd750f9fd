# SPDX-License-Identifier: Apache-2.0
"""`control.py`: the twin's back door: what is really there, and every way to make it go wrong. JSON
over HTTP on loopback, without a login, so it refuses whatever a browser sends on a page's behalf. A
wrong word is answered with what, where, got, expected and the nearest right word.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hean.errors import EnvironmentFault, HeanError
from hean.twin.control_state import state_of
from hean.twin.faults.dials import DIALS, HOW
from hean.twin.faults.hand_actions import ACTIONS, HandActions
from hean.twin.faults.settings import (
    REQUIRED,
    Param,
    Problem,
    nearest_of,
    read_fields,
    read_setting,
    shown,
)
from hean.twin.faults.streams import cut
from hean.twin.orders import Refused
from hean.twin.server import quiet_logger

if TYPE_CHECKING:
    from hean.twin.build import Twin

BODY_BYTES_MAX = 1 << 20
LEDGER_LIMIT, LEDGER_LIMIT_MAX = 1_000, 100_000
WHICH = ("all", "public", "private", "trade")
CALM = (Param("dial", "choice", choices=tuple(DIALS)),)
PRICE = (
    Param("symbol", "text", REQUIRED),
    Param("market", "choice", choices=("linear", "spot")),
    Param("price", "decimal"),
    Param("move_fraction", "decimal"),
)
CUT = (
    Param("which", "choice", "all", choices=WHICH),
    Param("session", "count", high=1e9),
    HOW,
    Param("code", "count", 1001, 1000, 4999),
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Invalid(Exception):
    """A request that the control port refuses.

    Reaction: it is answered with the problems; nothing has changed.
    """

    def __init__(self, problems: list[Problem], status: int = 400) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems
        self.status = status


class Control:
    """The control port of a twin. `port` is known after `start`."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.port = 0
        self.hands = HandActions(twin.venue)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. *Raises*: `EnvironmentFault` if the port is taken."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_answered])
        app.router.add_get("/state", self._state)
        app.router.add_get("/ledger", self._ledger)
        for path, act in (
            ("/fault", self._fault),
            ("/calm", self._calm),
            ("/price", self._price),
            ("/cut", self._cut),
            ("/manual", self._manual),
        ):
            app.router.add_post(path, _with_body(act))
        self._runner = web.AppRunner(app, access_log=None, logger=quiet_logger())
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.stop()
            raise EnvironmentFault(
                f"port {port} on {host} cannot be used ({error.strerror}); choose another with "
                "--control-port, or 0 for any free one."
            ) from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _state(self, request: web.Request) -> web.Response:
        _refuse_unknown(request.query, ())
        return web.json_response(state_of(self.twin))

    async def _ledger(self, request: web.Request) -> web.Response:
        _refuse_unknown(request.query, ("since", "limit"))
        since = _whole(request.query, "since", 0, 2**63)
        limit = _whole(request.query, "limit", LEDGER_LIMIT, LEDGER_LIMIT_MAX)
        records = self.twin.ledger.since(since, limit)
        return web.json_response({"seq": self.twin.ledger.seq, "records": records}, dumps=_dumps)

    def _fault(self, body: dict[str, Any]) -> dict[str, Any]:
        setting, problems = read_setting(body, DIALS, "fault")
        if setting is None:
            raise Invalid(problems)
        number = self.twin.faults.set(setting)
        return {"id": number, "dial": setting.dial.name, "row": setting.dial.row}

    def _calm(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"calmed": self.twin.faults.calm(_read(body, CALM, "calm")["dial"])}

    def _price(self, body: dict[str, Any]) -> dict[str, Any]:
        given = _read(body, PRICE, "price")
        price, fraction = given["price"], given["move_fraction"]
        if (price is None) == (fraction is None):
            got = "neither" if price is None else "both"
            raise Invalid([Problem("one of two", "price", got, "price or move_fraction")])
        hand = self.hands.hand
        kinds = ("linear", "spot") if given["market"] is None else (given["market"],)
        first = hand.market(given["symbol"], given["market"])
        for kind in kinds:
            market = self.twin.venue.markets.get((kind, first.symbol))
            if market is not None:
                hand.move(market, price=price, fraction=fraction)
        return {"symbol": first.symbol, "markets": list(kinds)}

    def _cut(self, body: dict[str, Any]) -> dict[str, Any]:
        given = _read(body, CUT, "cut")
        number, which = given["session"], given["which"]
        ended = []
        for session in self.twin.faults.sessions_of(which):
            if number in (None, session.number):
                cut(session, given["how"], given["code"])
                ended.append(session.number)
        if number is not None and not ended:
            numbers = ", ".join(str(each.number) for each in self.twin.faults.sessions()) or "none"
            raise Invalid([Problem("unknown session", "cut.session", str(number), numbers)], 404)
        return {"sessions": ended}

    def _manual(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("action")
        if not isinstance(name, str) or name not in ACTIONS:
            near = nearest_of(name, ACTIONS) if isinstance(name, str) else None
            expected = "one of " + ", ".join(ACTIONS)
            got = "nothing" if name is None else shown(name)
            raise Invalid([Problem("unknown action", "manual.action", got, expected, near)])
        rest = {key: value for key, value in body.items() if key != "action"}
        return self.hands.do(name, _read(rest, ACTIONS[name], "manual"))


def _read(body: Mapping[str, Any], params: tuple[Param, ...], where: str) -> dict[str, Any]:
    found, problems = read_fields(body, params, where)
    if problems:
        raise Invalid(problems)
    return found


def _refuse_unknown(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    for name in query:
        if name not in known:
            expected = "one of " + ", ".join(known) if known else "no parameter"
            near = nearest_of(name, known)
            raise Invalid([Problem("unknown parameter", "query", shown(name), expected, near)])


def _whole(query: Mapping[str, str], name: str, usual: int, highest: int) -> int:
    text = query.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= highest):
        expected = f"a whole number from 0 to {highest}"
        raise Invalid([Problem("bad value", f"query.{name}", shown(text), expected)])
    return int(text)


def _with_body(act: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        data = await request.read()
        try:
            body = json.loads(data) if data else {}
        except (ValueError, RecursionError) as error:
            raise Invalid([Problem("no JSON", "body", shown(str(error)), "an object")]) from None
        if not isinstance(body, dict):
            raise Invalid([Problem("no object", "body", shown(body), "an object")])
        return web.json_response(act(body))

    return handle


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every refusal into JSON."""
    if "Origin" in request.headers:
        problem = Problem("not for browsers", "header Origin", "one", "none")
        return _told([problem], 403)
    try:
        return await handler(request)
    except Invalid as invalid:
        return _told(invalid.problems, invalid.status)
    except Refused as refused:
        allowed = "" if refused.allowed is None else f"; allowed {refused.allowed:f}"
        problem = Problem("refused by the exchange", request.path, str(refused) + allowed, "")
        return _told([problem], 409)
    except HeanError as error:
        return _told([Problem("cannot be done", request.path, error.message, "")], 409)
    except web.HTTPException as error:
        paths = ("/state", "/ledger", "/fault", "/calm", "/price", "/cut", "/manual")
        near = nearest_of(request.path, paths)
        problem = Problem(error.reason, request.path, request.method, ", ".join(paths), near)
        return _told([problem], error.status)


def _told(problems: list[Problem], status: int) -> web.Response:
    documents = [problem.document() for problem in problems]
    return web.json_response({"error": documents[0], "problems": documents}, status=status)


def _dumps(value: Any) -> str:
    return json.dumps(value, default=str)
