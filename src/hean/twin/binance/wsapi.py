# SPDX-License-Identifier: Apache-2.0
"""`wsapi.py`: requests over a socket. A method is another name for a REST route: the same handler,
weight and signature rule; only the frame around it and the text to sign differ. Parameters are
kept as the text they were sent as, because that is what was signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from hean.twin.account import Account
from hean.twin.binance import errors
from hean.twin.binance.call import PARAMETERS_MAX, Call, Route
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import ms
from hean.twin.wire import MALFORMED, Session, decoded

if TYPE_CHECKING:
    from hean.twin.binance.dialect import BinanceDialect

ID_LENGTH_MAX = 36
PATHS = {"/ws-api/v3": "spot", "/ws-fapi/v1": "linear"}


class _Frame(msgspec.Struct):
    method: str
    id: Any = None
    params: dict[str, msgspec.Raw] = {}


_DECODER = msgspec.json.Decoder(_Frame)


@dataclass(slots=True)
class ApiState:
    """What is kept for one socket of the WebSocket API. *subscriptions*: user streams by id."""

    family: str
    wants_limits: bool = True
    subscriptions: dict[int, Account] = field(default_factory=dict)
    last_subscription: int = -1
    pinged_ns: int = 0


class WebSocketApi:
    """The request sockets of both families."""

    def __init__(self, dialect: BinanceDialect, methods: dict[str, Mapping[str, Route]]) -> None:
        self.dialect = dialect
        self.methods = methods

    def opened(self, session: Session) -> None:
        """A client connected."""
        wants = "returnratelimits=false" not in session.query.lower()
        session.state = ApiState(PATHS[session.path], wants, pinged_ns=session.opened_ns)

    def received(self, session: Session, text: str, now_ns: int) -> None:
        """A client asks."""
        state: ApiState = session.state
        number: Any = None
        call = Call(self.dialect, state.family, {}, now_ns, session=session)
        try:
            frame = _frame(text)
            number = frame.id
            call.params = {name: _text(raw) for name, raw in frame.params.items()}
            answer = {"id": number, "status": 200, "result": self._perform(frame, call)}
        except BinanceError as error:
            number = number if number is not None else _id_of(text)
            answer = {"id": number, "status": error.status, "error": error.body}
            if error.retry_after_s is not None:
                wait_ms = ms(now_ns) + error.retry_after_s * 1_000
                answer["error"]["data"] = {"serverTime": call.now_ms, "retryAfter": wait_ms}
        wants = call.params.get("returnRateLimits")
        if wants == "true" or (wants is None and state.wants_limits):
            answer["rateLimits"] = self._limits(session, call)
        session.reply(msgspec.json.encode(answer))

    def _perform(self, frame: _Frame, call: Call) -> Any:
        assert call.session is not None
        route = self._route(frame.method, call.family)
        if len(call.params) > PARAMETERS_MAX:
            raise BinanceError(-1101, "Too many parameters sent for this endpoint.")
        signed = "&".join(f"{k}={v}" for k, v in sorted(call.params.items()) if k != "signature")
        return self.dialect.perform(
            route,
            call,
            address=call.session.remote,
            key_text=call.params.get("apiKey"),
            signed=signed.encode,
        )

    def _route(self, method: str, family: str) -> Route:
        methods = self.methods[family]
        route = methods.get(method)
        if route is None:
            _, _, bare = method.partition("/")
            route = methods.get(bare) if method.startswith("v") else None
        if route is None:
            raise BinanceError(-1020, "This operation is not supported.")
        return route

    def _limits(self, session: Session, call: Call) -> list[dict[str, Any]]:
        limits, family = self.dialect.limits, call.family
        weight = limits.counted(family, "REQUEST_WEIGHT", session.remote)
        if not call.orders:
            return weight
        return limits.counted(family, "ORDERS", call.account.name) + weight


def _frame(text: str) -> _Frame:
    try:
        frame = _DECODER.decode(text)
    except msgspec.ValidationError:
        raise errors.missing("method") from None
    except MALFORMED:
        raise BinanceError(-1135, "Invalid JSON Request") from None
    number = frame.id
    is_fit = number is None or (isinstance(number, int) and not isinstance(number, bool))
    if not is_fit and not (isinstance(number, str) and len(number) <= ID_LENGTH_MAX):
        frame.id = None
        raise errors.invalid("id")
    return frame


def _text(raw: msgspec.Raw) -> str:
    """A parameter's value as it is signed: text without its quotes, all else as it was sent."""
    value = bytes(raw)
    if value.startswith(b'"'):
        return str(msgspec.json.decode(value, type=str))
    return value.decode()


def _id_of(text: str) -> Any:
    message = decoded(text)
    found = message.get("id") if isinstance(message, dict) else None
    is_text = isinstance(found, str) and len(found) <= ID_LENGTH_MAX
    return found if is_text or (isinstance(found, int) and not isinstance(found, bool)) else None
