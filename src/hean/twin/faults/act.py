# SPDX-License-Identifier: Apache-2.0
"""`act.py`: the form of everything a dial does. An `Act` lives as long as its dial is set and
overrides the places where it takes part: a request, a frame, a connection, the exchange itself. The
first act that fits a request or a frame has it; acts are never combined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from hean.twin.account import Account
from hean.twin.faults.asked import Asked
from hean.twin.faults.settings import Setting
from hean.twin.faults.voices import Trouble
from hean.twin.orders import NewOrder, Order
from hean.twin.wire import Dialect, Reply

if TYPE_CHECKING:
    from hean.twin.faults.board import Faults

REPLY = "reply"
"""Topic of frames that answer a request."""


class FaultSession(Protocol):
    """What a dial may know of a session and do to it."""

    path: str
    query: str
    number: int
    opened_ns: int
    account: str

    def put(self, frame: bytes | str) -> None:
        """Send a frame past all dials."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with a code."""
        ...

    def abort(self) -> None:
        """Cut without a word."""
        ...


class FaultServer(Protocol):
    """What a dial may know of the address."""

    @property
    def dialect(self) -> Dialect:
        """The wire."""
        ...

    @property
    def sessions(self) -> Mapping[int, FaultSession]:
        """The open sessions by number."""
        ...

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        ...


@dataclass(slots=True)
class RequestFault:
    """What happens to one request.

    *wait_s*: held before anything is done. *is_processed*: the exchange gets it. *trouble*: the
    answer instead of the true one; *mangle*: what becomes of the answer's bytes. *answer_after_s*:
    the answer is held. *ending*: answer, hang (none comes, the line dies after *hold_s*) or reset;
    *cut_at*: so many bytes of the answer's body leave before the line dies. *lag_ns*: how far back
    the exchange's clock stands for this request. *is_muted*: its private frames are lost. *text*:
    what the dialect gets instead of a message.
    """

    wait_s: float = 0.0
    is_processed: bool = True
    trouble: Trouble | None = None
    mangle: Callable[[bytes], bytes] | None = None
    answer_after_s: float = 0.0
    ending: str = "answer"
    hold_s: float = 0.0
    cut_at: int | None = None
    lag_ns: int = 0
    is_muted: bool = False
    text: str | None = None
    act: Act | None = None
    asked: Asked | None = None
    session: FaultSession | None = None
    orders: list[Order] = field(default_factory=list)
    """Orders that came into being with it."""


@dataclass(slots=True)
class FrameFault:
    """What is sent instead of one frame: (seconds later, frame) each. *cut*: then the line dies."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)
    cut: bool = False


@dataclass(slots=True)
class Frame:
    """A frame about to leave. *family*: book, trade, ticker, candle, order, fill, position, wallet,
    reply, or empty.
    """

    session: FaultSession
    topic: str
    data: bytes
    is_private: bool
    family: str
    kinds: frozenset[str]


BYBIT_KINDS = {"/v5/private": frozenset({"private"}), "/v5/trade": frozenset({"trade"})}
PUBLIC = frozenset({"public"})


def kinds_of(path: str) -> frozenset[str]:
    """What a socket at this path carries: public, private, trade."""
    if path in BYBIT_KINDS:
        return BYBIT_KINDS[path]
    if path.startswith("/private"):
        return frozenset({"private"})
    if path.startswith("/ws-api"):
        return frozenset({"private", "trade"})
    if path.startswith("/ws-fapi"):
        return frozenset({"trade"})
    return PUBLIC


BYBIT_FAMILIES = {
    "orderbook": "book",
    "publicTrade": "trade",
    "tickers": "ticker",
    "kline": "candle",
    "order": "order",
    "execution": "fill",
    "position": "position",
    "wallet": "wallet",
}
BINANCE_EVENTS = (
    (b'"executionReport"', "order"),
    (b'"ORDER_TRADE_UPDATE"', "order"),
    (b'"ALGO_UPDATE"', "order"),
    (b'"TRADE_LITE"', "fill"),
    (b'"outboundAccountPosition"', "wallet"),
    (b'"ACCOUNT_UPDATE"', "wallet"),
)


def family_of(topic: str, data: bytes, *, is_private: bool) -> str:
    """What a frame is about, in one word for both venues."""
    if topic == REPLY:
        return REPLY
    if "@" in topic:
        return _stream_family(topic.partition("@")[2])
    family = BYBIT_FAMILIES.get(topic.partition(".")[0], "")
    if family or not is_private:
        return family
    return next((name for mark, name in BINANCE_EVENTS if mark in data), "")


def _stream_family(kind: str) -> str:
    for start, family in (("depth", "book"), ("kline", "candle"), ("bookTicker", "ticker")):
        if kind.startswith(start):
            return family
    if kind in ("trade", "aggTrade"):
        return "trade"
    is_ticker = "icker" in kind or kind.startswith("markPrice")
    return "ticker" if is_ticker else ""


def fits_topic(topic: str, family: str, wanted: str) -> bool:
    """Whether a topic is the wanted family or fits the pattern."""
    return wanted == family or fnmatchcase(topic, wanted)


class Act:
    """What a dial does while it is set."""

    is_standing = False
    """Whether `before_place` is asked for every order, not only within a request it acts on."""
    lasts_when_spent = False
    """Whether it stays set when it has acted as often as it may, because its effect goes on."""

    def __init__(self, faults: Faults, setting: Setting) -> None:
        self.faults = faults
        self.setting = setting
        self.venue = faults.venue
        self.exchange = faults.venue.exchange

    def __getitem__(self, name: str) -> Any:
        """A parameter."""
        return self.setting.params[name]

    # --- while it is set

    def begin(self) -> None:
        """It was set. *Raises*: `ParameterInvalid`, `Refused`; then it is not."""

    def end(self) -> None:
        """It was turned back, or its time is over."""

    def tick(self, now_s: float) -> None:
        """A moment passed."""

    # --- requests and messages

    def fits(self, asked: Asked) -> bool:
        """Whether a request is a victim."""
        return asked.fits(self.setting.match)

    def request(self, asked: Asked) -> RequestFault | None:
        """What happens to a victim."""
        return None

    def processed(self, fault: RequestFault) -> None:
        """The exchange has done what the request asked."""

    # --- frames and connections

    def fits_frame(self, frame: Frame) -> bool:
        """Whether a frame is a victim; answers are only those of dials that name them."""
        match = self.setting.match
        which = match.get("which", "all")
        if which != "all" and which not in frame.kinds:
            return False
        topic = match.get("topic")
        if topic is None:
            if frame.topic == REPLY:
                return False
        elif not fits_topic(frame.topic, frame.family, topic):
            return False
        account = match.get("account")
        if account is not None and frame.session.account != account:
            return False
        symbol = match.get("symbol")
        return symbol is None or (
            symbol.upper() in frame.topic.upper()
            or (frame.is_private and f'"{symbol.upper()}"'.encode() in frame.data)
        )

    def takes(self, frame: Frame) -> bool:
        """Whether this victim's turn has come."""
        return self.setting.takes()

    def frame(self, frame: Frame) -> FrameFault | None:
        """What happens to a victim; `None` lets it pass after all."""
        return None

    def connect(self, path: str) -> Reply | None:
        """A refusal of a new WebSocket."""
        return None

    def answers_ping(self, session: FaultSession) -> bool:
        """Whether protocol pings are answered."""
        return True

    # --- inside the exchange

    def before_place(self, account: Account, new: NewOrder) -> None:
        """An order is about to be checked. *Raises*: `Refused` to forbid it."""

    def before_amend(self, order: Order) -> None:
        """An order is about to be changed. *Raises*: `Refused` to forbid it."""

    def before_cancel(self, order: Order) -> None:
        """An order is about to be cancelled. *Raises*: `Refused` to forbid it."""

    def spares(self, order: Order) -> bool:
        """Whether a cancel-all leaves it, and says it did not."""
        return False

    # --- what acts share

    def fits_session(self, session: FaultSession) -> bool:
        """Whether a session is one of those the dial means."""
        which = self.setting.match.get("which", "all")
        account = self.setting.match.get("account")
        is_kind = which == "all" or which in kinds_of(session.path)
        return is_kind and (account is None or session.account in ("", account))

    def sessions(self) -> list[FaultSession]:
        """The open sessions that the dial means."""
        return [each for each in self.faults.sessions() if self.fits_session(each)]

    def acted(self, **facts: Any) -> None:
        """Count and record an act that nobody asked for."""
        self.setting.acted += 1
        self.faults.note(self, **facts)
