# SPDX-License-Identifier: Apache-2.0
"""`streams.py`: what goes wrong with WebSockets: lines that die or fall silent, frames that are
lost, doubled, late, out of order, or poisoned. A frame is changed as bytes on its way out, so what
the exchange believes stays true and the ledger can prove it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from hean.twin.faults.act import (
    Act,
    FaultSession,
    Frame,
    FrameFault,
    RequestFault,
    family_of,
    fits_topic,
    kinds_of,
)
from hean.twin.faults.asked import Asked
from hean.twin.faults.poison import outlier, poisoned
from hean.twin.faults.voices import Trouble, http_trouble, reply_of
from hean.twin.wire import Reply

NS = 1_000_000_000
REPLAYED_MAX = 1_000  # frames kept for a replay
ACKNOWLEDGED = Trouble(0, "")
"""No trouble: the answer of success, from the dial instead of the dialect."""


class Cut(Act):
    """Lines die, and nobody comes in for a while."""

    def begin(self) -> None:
        """Cut."""
        self.setting.until_s = self.faults.now_s() + self["refuses_s"]
        sessions = self.sessions()
        for session in sessions:
            cut(session, self["how"], self["code"])
        self.acted(sessions=[session.number for session in sessions])

    def connect(self, path: str) -> Reply | None:
        """Nobody comes in yet."""
        is_over = self.faults.now_s() >= self.setting.until_s
        return None if is_over else reply_of(self.exchange, http_trouble(503), 0)


def cut(session: FaultSession, how: str, code: int) -> None:
    """End a session with a code, or without a word."""
    if how == "close":
        session.close(code, "")
    else:
        session.abort()


class Stall(Act):
    """The line stands, nothing comes. Answers to pings may still come."""

    def fits_frame(self, frame: Frame) -> bool:
        """Everything but pongs, if they are answered."""
        if "topic" in self.setting.match:
            return super().fits_frame(frame)
        if not self.fits_session(frame.session):
            return False
        is_pong = frame.family == "reply" and b"pong" in frame.data
        return not (is_pong and self["pongs"])

    def frame(self, frame: Frame) -> FrameFault | None:
        """Gone."""
        return FrameFault()

    def answers_ping(self, session: FaultSession) -> bool:
        """As the dial says."""
        return self["pongs"] or not self.fits_session(session)


class FrameLost(Act):
    """A frame is lost."""

    def frame(self, frame: Frame) -> FrameFault | None:
        """Gone."""
        return FrameFault()


class FrameReorder(Act):
    """A frame comes after its successor."""

    lasts_when_spent = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._held: dict[tuple[int, str], bytes] = {}

    def takes(self, frame: Frame) -> bool:
        """The successor of a held frame always has its turn."""
        return (frame.session.number, frame.topic) in self._held or super().takes(frame)

    def frame(self, frame: Frame) -> FrameFault | None:
        """Hold it, or send it before the one held."""
        key = (frame.session.number, frame.topic)
        held = self._held.pop(key, None)
        if held is None:
            self._held[key] = frame.data
            return FrameFault()
        return FrameFault([(0.0, frame.data), (0.0, held)])

    def end(self) -> None:
        """Nothing stays held."""
        for session in self.faults.sessions():
            for key in [key for key in self._held if key[0] == session.number]:
                session.put(self._held.pop(key))


class BookReset(Act):
    """Every book of a market begins again, in mid-stream."""

    is_restart = False

    def begin(self) -> None:
        """Have the dialect begin again."""
        symbol, kind = self.setting.match.get("symbol"), self.setting.match.get("market")
        server = self.faults.server
        for market in self.venue.markets.values():
            is_meant = symbol is None or market.symbol == symbol.upper()
            if is_meant and kind in (None, market.listing.market) and server is not None:
                server.dialect.reset_books(market, is_restart=self.is_restart)
                self.acted(symbol=market.symbol, market=market.listing.market)


class BookRestart(BookReset):
    """The same as after a restart of the venue."""

    is_restart = True


class FrameDuplicate(Act):
    """A frame comes more than once: a repeat, or a storm."""

    def frame(self, frame: Frame) -> FrameFault | None:
        """The same, several times."""
        return FrameFault([(0.0, frame.data)] * self["times"])


class FrameReplay(Act):
    """A new private session is told the last frames of the one before again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._last: dict[str, deque[bytes]] = {}
        self._known: set[int] = set()

    def begin(self) -> None:
        """Sessions that are open hear nothing again."""
        self._known = {session.number for session in self.faults.sessions()}

    def fits_frame(self, frame: Frame) -> bool:
        """Every frame passes; it is only remembered."""
        if frame.is_private and super().fits_frame(frame):
            kept = self._last.setdefault(
                frame.session.account, deque(maxlen=min(self["last"], REPLAYED_MAX))
            )
            kept.append(frame.data)
        return False

    def frame(self, frame: Frame) -> FrameFault | None:
        """Nothing."""
        return None

    def tick(self, now_s: float) -> None:
        """Tell the new ones."""
        now_ns = self.venue.now()
        for session in self.faults.sessions():
            is_old = now_ns - session.opened_ns >= self["delay_s"] * NS
            is_private = "private" in kinds_of(session.path)
            if session.number in self._known or not (session.account and is_private and is_old):
                continue
            self._known.add(session.number)
            frames = list(self._last.get(session.account, ()))
            if not frames or self.setting.is_spent:
                continue
            for data in frames:
                session.put(data)
            self.acted(session=session.number, frames=len(frames))


class StatusReversed(Act):
    """Order frames are held for a moment and then come in reverse."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._held: dict[int, list[bytes]] = {}

    def frame(self, frame: Frame) -> FrameFault | None:
        """Hold it; the first sets the clock."""
        held = self._held.setdefault(frame.session.number, [])
        held.append(frame.data)
        if len(held) == 1 and self.faults.server is not None:
            session = frame.session
            self.faults.server.later(self["hold_s"], lambda: self._release(session))
        return FrameFault()

    def _release(self, session: FaultSession) -> None:
        for data in reversed(self._held.pop(session.number, [])):
            session.put(data)

    def end(self) -> None:
        """Nothing stays held."""
        for session in self.faults.sessions():
            self._release(session)


class Poison(Act):
    """A frame is spoiled, or a spoiled copy is added to it."""

    def frame(self, frame: Frame) -> FrameFault | None:
        """Spoil it; what has nothing to spoil passes."""
        data = poisoned(frame.data, self["form"])
        if data is None:
            return None
        kept = [(0.0, frame.data)] if self["adds"] else []
        return FrameFault([*kept, (0.0, data)])


class OutlierPrice(Act):
    """Prices in a frame are absurd."""

    def frame(self, frame: Frame) -> FrameFault | None:
        """Change its prices; what has none passes."""
        data = outlier(frame.data, factor=self["factor"], price=self["price"])
        return None if data is None else FrameFault([(0.0, data)])


class ConnectionRefused(Act):
    """No new WebSocket is let in."""

    def connect(self, path: str) -> Reply | None:
        """Always."""
        return reply_of(self.exchange, http_trouble(self["status"]), 0)


class ConnectionLimit(Act):
    """Only so many new WebSockets in so much time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._times: deque[float] = deque()

    def connect(self, path: str) -> Reply | None:
        """When the window is full."""
        now_s = self.faults.now_s()
        while self._times and self._times[0] <= now_s - self["window_s"]:
            self._times.popleft()
        self._times.append(now_s)
        if len(self._times) <= self["limit"]:
            return None
        return reply_of(self.exchange, http_trouble(self["status"]), 0)


class LifeCut(Act):
    """Sessions end at a certain age."""

    def tick(self, now_s: float) -> None:
        """Cut those that are old enough."""
        now_ns = self.venue.now()
        for session in self.sessions():
            is_due = now_ns - session.opened_ns >= self["life_s"] * NS
            if is_due and not self.setting.is_spent:
                cut(session, self["how"], self["code"])
                self.acted(session=session.number)


class Subscribing(Act):
    """What a subscription's topics come to. *keeps*: which of them reach the dialect."""

    def fits(self, asked: Asked) -> bool:
        """Subscriptions to a topic that is meant."""
        match = self.setting.match
        which = match.get("which", "all")
        is_kind = which == "all" or which in kinds_of(asked.path)
        rest = {name: value for name, value in match.items() if name not in ("topic", "which")}
        return asked.op == "subscribe" and is_kind and asked.fits(rest) and bool(self.lost(asked))

    def lost(self, asked: Asked) -> list[str]:
        """The topics that are not subscribed."""
        wanted = self.setting.match.get("topic", "*")
        return [topic for topic in topics_of(asked) if topic_fits(topic, wanted)]

    def request(self, asked: Asked) -> RequestFault | None:
        """Hand on the other topics; acknowledge all."""
        gone = set(self.lost(asked))
        kept = [topic for topic in topics_of(asked) if topic not in gone]
        if kept:
            name = "args" if self.exchange == "bybit" else "params"
            text = msgspec.json.encode({**asked.message, name: kept}).decode()
            return RequestFault(text=text)
        return RequestFault(is_processed=False, trouble=ACKNOWLEDGED)


class SubscriptionRefused(Subscribing):
    """The venue says no to the whole request."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Refuse the whole request."""
        gone = ",".join(self.lost(asked))
        text = (
            f"error:handler not found,topic:{gone}"
            if self.exchange == "bybit"
            else ("Invalid request: too many subscriptions")
        )
        return RequestFault(is_processed=False, trouble=Trouble(2, text))


class SubscriptionPartial(Subscribing):
    """Acknowledged as a whole; every second topic never delivers."""

    def lost(self, asked: Asked) -> list[str]:
        """Every second one that is meant."""
        return super().lost(asked)[1::2]


def topics_of(asked: Asked) -> list[str]:
    """What a subscription asks for."""
    given = asked.message.get("args") or asked.message.get("params")
    return [str(each) for each in given] if isinstance(given, list) else []


def topic_fits(topic: str, wanted: str) -> bool:
    """Whether a topic in a subscription is of the wanted family or pattern."""
    return fits_topic(topic, family_of(topic, b"", is_private=False), wanted)
