# SPDX-License-Identifier: Apache-2.0
"""`books.py`: order books as streams. A book is told as one snapshot and then as differences
without a gap in `u`; all listeners of a depth share one reader of the desk, so a newcomer first
makes the others catch up and then sees exactly what they have. Depth 1 knows snapshots only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin.bybit.sockets import Stream, encode
from hean.twin.bybit.words import MS_NS
from hean.twin.market import TwinMarket
from hean.twin.wire import Session

RHYTHM_NS = {1: 10, 50: 20, 200: 100, 500: 100, 1_000: 200}
REPEAT_NS = 3_000 * MS_NS  # a touch that has not changed is told again
FULL_DEPTH = 1_000
Levels = list[tuple[str, str]]


class Book(Stream):
    """One depth of one symbol."""

    def __init__(self, market: TwinMarket, depth: int) -> None:
        super().__init__(f"orderbook.{depth}.{market.symbol}")
        self.market = market
        self.depth = depth
        self.update_id = market.update_id
        self.changed_ns = 0
        self.is_dirty = True
        self._reader = market.desk.add_reader(depth)
        self._rhythm_ns = RHYTHM_NS[depth] * MS_NS
        self._due_ns = 0
        self._told_ns = 0
        market.desk.changes(self._reader)

    def changed(self, now_ns: int, *, is_event: bool) -> None:
        """The book moved; a recorded event is shown at once, all else on the beat."""
        self.changed_ns = now_ns
        self.is_dirty = True
        if is_event and self.sessions:
            self.publish(now_ns)

    def publish(self, now_ns: int) -> None:
        """Tell what changed since the last frame."""
        self.is_dirty = False
        bids, asks = self.market.desk.changes(self._reader)
        if not bids and not asks:
            return
        self.update_id += 1
        self._told_ns = now_ns
        if self.depth == 1:
            self.send(self._frame("snapshot", *self.market.desk.levels(1), now_ns))
        else:
            self.send(self._frame("delta", _removed(bids), _removed(asks), now_ns))

    def join(self, session: Session, now_ns: int) -> None:
        """A snapshot first, at the point the others have reached."""
        self.publish(now_ns)
        if not self.sessions:
            self._told_ns = now_ns
        frame = self._frame("snapshot", *self.market.desk.levels(self.depth), now_ns)
        session.push(encode(frame), topic=self.topic)
        super().join(session, now_ns)

    def tick(self, now_ns: int) -> None:
        """Publish on the beat; repeat a silent touch."""
        if self.is_dirty and now_ns >= self._due_ns:
            self._due_ns = now_ns + self._rhythm_ns
            self.publish(now_ns)
        if self.depth == 1 and now_ns - self._told_ns >= REPEAT_NS:
            self._told_ns = now_ns
            self.send(self._frame("snapshot", *self.market.desk.levels(1), now_ns))

    def reset(self, now_ns: int, *, is_restart: bool) -> None:
        """Begin again with a snapshot; after a restart of the service `u` counts from 1."""
        self.publish(now_ns)
        self.update_id = 1 if is_restart else self.update_id + 1
        self.send(self._frame("snapshot", *self.market.desk.levels(self.depth), now_ns))

    def state(self, limit: int, now_ns: int) -> dict[str, Any]:
        """The book as it stands, for an answer; listeners are brought to the same point."""
        self.publish(now_ns)
        bids, asks = self.market.desk.levels(limit)
        return {
            "s": self.market.symbol,
            "b": bids,
            "a": asks,
            "ts": now_ns // MS_NS,
            "u": self.update_id,
            "seq": self.market.sequence,
            "cts": min(self.changed_ns or now_ns, now_ns) // MS_NS,
        }

    def _frame(self, kind: str, bids: Levels, asks: Levels, now_ns: int) -> dict[str, Any]:
        data = {
            "s": self.market.symbol,
            "b": bids,
            "a": asks,
            "u": self.update_id,
            "seq": self.market.sequence,
        }
        return {
            "topic": self.topic,
            "type": kind,
            "ts": now_ns // MS_NS,
            "data": data,
            "cts": min(self.changed_ns or now_ns, now_ns) // MS_NS,
        }


def _removed(levels: Levels) -> Levels:
    """A level that is gone has the size "0", whatever decimals a quantity has."""
    return [(price, size if size.strip("0.") else "0") for price, size in levels]


class Books:
    """The books of all symbols, made when they are first asked for."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._books: dict[tuple[str, str], dict[int, Book]] = {}

    def get(self, market: TwinMarket, depth: int) -> Book:
        """The book of a depth."""
        depths = self._books.setdefault(market.key, {})
        found = depths.get(depth)
        if found is None:
            found = depths[depth] = Book(market, depth)
        return found

    def answer(self, market: TwinMarket, limit: int) -> dict[str, Any]:
        """As `market/orderbook` shows it: its `u` is that of the 1000-level stream."""
        return self.get(market, FULL_DEPTH).state(limit, self._now())

    def reset(self, market: TwinMarket, *, is_restart: bool) -> None:
        """Every depth of a symbol begins again."""
        for book in self._books.get(market.key, {}).values():
            book.reset(self._now(), is_restart=is_restart)

    def changed(self, market: TwinMarket, ts_ns: int, *, is_event: bool) -> None:
        """A symbol's book moved."""
        market.sequence += 1
        for book in self._books.get(market.key, {}).values():
            book.changed(ts_ns, is_event=is_event)
