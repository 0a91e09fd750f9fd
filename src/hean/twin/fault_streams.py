# SPDX-License-Identifier: Apache-2.0
"""`fault_streams.py`: what goes wrong with WebSockets: lines that die or fall silent, frames that
are lost, doubled, late, out of order, or poisoned. A frame is changed as bytes on its way out, so
what the exchange believes stays true and the ledger can prove it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hean.twin.fault_act import Act, FaultSession, Frame, FrameFault, kinds_of
from hean.twin.fault_poison import outlier, poisoned
from hean.twin.fault_voices import http_trouble, reply_of
from hean.twin.wire import Reply

NS = 1_000_000_000
REPLAYED_MAX = 1_000  # frames kept for a replay


class Cut(Act):
    """Lines die, and nobody comes in for a while."""

    _since_s = 0.0

    def begin(self) -> None:
        self._since_s = self.faults.now_s()
        sessions = self.sessions()
        for session in sessions:
            cut(session, self["how"], self["code"])
        self.acted(sessions=[session.number for session in sessions])

    def tick(self, now_s: float) -> None:
        if now_s - self._since_s >= self["refuses_s"]:
            self.setting.until_s = now_s  # it has done what it does

    def connect(self, path: str) -> Reply | None:
        is_over = self.faults.now_s() - self._since_s >= self["refuses_s"]
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
        if "topic" in self.setting.match:
            return super().fits_frame(frame)
        if not self.fits_session(frame.session):
            return False
        is_pong = frame.family == "reply" and b"pong" in frame.data
        return not (is_pong and self["pongs"])

    def frame(self, frame: Frame) -> FrameFault | None:
        return FrameFault()

    def answers_ping(self, session: FaultSession) -> bool:
        return self["pongs"] or not self.fits_session(session)


class FrameLost(Act):
    """A frame is lost."""

    def frame(self, frame: Frame) -> FrameFault | None:
        return FrameFault()


class FrameReorder(Act):
    """A frame comes after its successor."""

    lasts_when_spent = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._held: dict[tuple[int, str], bytes] = {}

    def takes(self, frame: Frame) -> bool:
        return (frame.session.number, frame.topic) in self._held or super().takes(frame)

    def frame(self, frame: Frame) -> FrameFault | None:
        key = (frame.session.number, frame.topic)
        held = self._held.pop(key, None)
        if held is None:
            self._held[key] = frame.data
            return FrameFault()
        return FrameFault([(0.0, frame.data), (0.0, held)])

    def end(self) -> None:
        for session in self.faults.sessions():
            for key in [key for key in self._held if key[0] == session.number]:
                session.put(self._held.pop(key))


class BookReset(Act):
    """Every book of a market begins again: in mid-stream, or as after a restart of the venue."""

    def begin(self) -> None:
        symbol, kind = self.setting.match.get("symbol"), self.setting.match.get("market")
        server = self.faults.server
        for market in self.venue.markets.values():
            is_meant = symbol is None or market.symbol == symbol.upper()
            if is_meant and kind in (None, market.listing.market) and server is not None:
                server.dialect.reset_books(market, is_restart=self["is_restart"])
                self.acted(symbol=market.symbol, market=market.listing.market)


class FrameDuplicate(Act):
    """A frame comes more than once: a repeat, or a storm."""

    def frame(self, frame: Frame) -> FrameFault | None:
        return FrameFault([(0.0, frame.data)] * self["times"])


class FrameReplay(Act):
    """A new private session is told the last frames of the one before again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._last: dict[str, deque[bytes]] = {}
        self._known: set[int] = set()

    def begin(self) -> None:
        self._known = {session.number for session in self.faults.sessions()}

    def fits_frame(self, frame: Frame) -> bool:
        # Every frame passes; it is only remembered.
        if frame.is_private and super().fits_frame(frame):
            kept = self._last.setdefault(
                frame.session.account, deque(maxlen=min(self["last"], REPLAYED_MAX))
            )
            kept.append(frame.data)
        return False

    def frame(self, frame: Frame) -> FrameFault | None:
        return None

    def tick(self, now_s: float) -> None:
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
        for session in self.faults.sessions():
            self._release(session)


class Poison(Act):
    """A frame is spoiled, or a spoiled copy is added to it."""

    def frame(self, frame: Frame) -> FrameFault | None:
        data = poisoned(frame.data, self["form"])
        if data is None:
            return None
        kept = [(0.0, frame.data)] if self["adds"] else []
        return FrameFault([*kept, (0.0, data)])


class OutlierPrice(Act):
    """Prices in a frame are absurd."""

    def frame(self, frame: Frame) -> FrameFault | None:
        data = outlier(frame.data, factor=self["factor"], price=self["price"])
        return None if data is None else FrameFault([(0.0, data)])


class ConnectionRefused(Act):
    """No new WebSocket is let in."""

    def connect(self, path: str) -> Reply | None:
        return reply_of(self.exchange, http_trouble(self["status"]), 0)


class ConnectionLimit(Act):
    """Only so many new WebSockets in so much time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._times: deque[float] = deque()

    def connect(self, path: str) -> Reply | None:
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
        now_ns = self.venue.now()
        for session in self.sessions():
            is_due = now_ns - session.opened_ns >= self["life_s"] * NS
            if is_due and not self.setting.is_spent:
                cut(session, self["how"], self["code"])
                self.acted(session=session.number)
