# SPDX-License-Identifier: Apache-2.0
"""The five book rules of Bybit streams, against a naive reader that takes them to the letter."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from binance_desk import DeskSession
from bybit_desk import BybitDesk

BOOK = "orderbook.50.BTCUSDT"


class NaiveBook:
    """A client that does what the documentation says, by text."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        self.update_id = 0
        self.seq = 0

    def apply(self, frame: dict[str, Any]) -> None:
        """Take a frame in; asserts what must hold of it."""
        data = frame["data"]
        assert frame["cts"] <= frame["ts"]
        assert data["seq"] >= self.seq
        if frame["type"] == "snapshot":
            self.sides = {side: dict(data[side]) for side in "ba"}
        else:
            assert data["u"] == self.update_id + 1, "u rises by one"
            for side in "ba":
                for price, size in data[side]:
                    if size == "0":
                        del self.sides[side][price]
                    else:
                        self.sides[side][price] = size
        assert all(len(levels) <= self.depth for levels in self.sides.values())
        self.update_id, self.seq = data["u"], data["seq"]

    def rows(self) -> dict[str, list[tuple[Decimal, Decimal]]]:
        """Both sides, best first."""
        return {
            side: sorted(((Decimal(p), Decimal(s)) for p, s in levels.items()), reverse=side == "b")
            for side, levels in self.sides.items()
        }


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


def shake(desk: BybitDesk, draw: random.Random) -> None:
    """Something happens to the book: orders of both accounts, fills, a move of the market."""
    price = f"{60_000 + draw.randrange(-80, 80) / 10:.1f}"
    side = draw.choice(["BUY", "SELL"])
    account = draw.choice([desk.main, desk.second])
    chance = draw.random()
    if chance < 0.1:
        desk.quote(desk.linear, 60_000 + draw.randrange(-50, 50) / 10)
    elif chance < 0.3 and desk.main.open_orders:
        desk.venue.cancel(draw.choice(list(desk.main.open_orders.values())))
    else:
        desk.order(side, f"0.{draw.randrange(1, 99):03d}", price, account=account)


@pytest.mark.parametrize("depth", [50, 200, 500, 1_000])
def test_snapshot_and_deltas_give_the_book_of_rest_at_every_step(
    desk: BybitDesk, depth: int
) -> None:
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, f"orderbook.{depth}.BTCUSDT")
    naive, draw = NaiveBook(depth), random.Random(depth)
    first = session.taken()
    assert [frame["type"] for frame in first] == ["snapshot"]
    naive.apply(first[0])
    deltas = 0
    for _ in range(150):
        shake(desk, draw)
        desk.pass_ms(200)
        for frame in session.taken():
            assert frame["type"] == "delta"
            deltas += 1
            naive.apply(frame)
        rest = desk.market("orderbook", category="linear", symbol="BTCUSDT", limit=depth)
        for side in "ba":
            assert naive.rows()[side] == [(Decimal(p), Decimal(s)) for p, s in rest[side]]
        if depth == 1_000:
            assert rest["u"] == naive.update_id
    assert deltas > 60


def test_a_newcomer_gets_a_snapshot_and_both_go_on_together(desk: BybitDesk) -> None:
    old, new = (desk.connect("/v5/public/linear") for _ in range(2))
    books = [NaiveBook(50), NaiveBook(50)]
    desk.subscribe(old, BOOK)
    desk.order("BUY", "0.1", "60000.0")
    desk.subscribe(new, BOOK)
    desk.order("SELL", "0.2", "60000.1")
    desk.pass_ms(50)
    for book, session in zip(books, (old, new), strict=True):
        frames = session.taken()
        assert frames[0]["type"] == "snapshot"
        for frame in frames:
            book.apply(frame)
    assert books[0].rows() == books[1].rows()
    assert books[0].update_id == books[1].update_id


def test_a_removed_level_has_the_size_zero_and_the_text_of_its_price(desk: BybitDesk) -> None:
    order = desk.order("BUY", "0.1", "60000.0")
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, BOOK)
    text = session.taken()[0]["data"]["b"][0]
    assert text == ["60000.00", "0.100"]
    desk.venue.cancel(order)
    desk.pass_ms(20)
    assert session.taken()[0]["data"]["b"] == [["60000.00", "0"]]


def test_depth_one_is_snapshots_repeated_after_three_silent_seconds(desk: BybitDesk) -> None:
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, "orderbook.1.BTCUSDT")
    first = session.taken()[0]
    desk.order("BUY", "0.1", "60000.0")
    desk.pass_ms(10)
    second = session.taken()[0]
    assert (first["type"], second["type"]) == ("snapshot", "snapshot")
    assert second["data"]["b"] == [["60000.00", "0.100"]]
    assert second["data"]["u"] == first["data"]["u"] + 1
    desk.pass_ms(2_990)
    assert session.taken() == []
    desk.pass_ms(20)
    repeated = session.taken()
    assert [frame["data"] for frame in repeated] == [second["data"]]


def test_a_change_below_the_depth_is_not_told(desk: BybitDesk) -> None:
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, "orderbook.1.BTCUSDT")
    session.taken()
    desk.order("BUY", "0.1", "59990.0")
    desk.pass_ms(100)
    assert session.taken() == []


@pytest.mark.parametrize(("depth", "beat_ms"), [(1, 10), (50, 20), (200, 100), (1_000, 200)])
def test_every_depth_has_its_beat(desk: BybitDesk, depth: int, beat_ms: int) -> None:
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, f"orderbook.{depth}.BTCUSDT")
    desk.pass_ms(400)
    session.taken()
    for number in range(40):
        desk.order("BUY", "0.001", f"{60_000.0:.1f}")
        desk.pass_ms(10)
        assert number >= 0
    assert len(session.taken()) == 400 // beat_ms


@pytest.mark.parametrize(("is_restart", "first"), [(True, 1), (False, None)])
def test_a_reset_begins_with_a_snapshot_and_counts_on(
    desk: BybitDesk, is_restart: bool, first: int | None
) -> None:
    session = desk.connect("/v5/public/linear")
    desk.subscribe(session, BOOK)
    before = session.taken()[0]["data"]["u"]
    desk.dialect.reset_books(desk.linear, is_restart=is_restart)
    desk.order("BUY", "0.1", "60000.0")
    desk.pass_ms(20)
    snapshot, delta = session.taken()
    assert snapshot["type"] == "snapshot"
    assert snapshot["data"]["u"] == (first or before + 1)
    assert delta["data"]["u"] == snapshot["data"]["u"] + 1


def test_a_recorded_event_is_shown_at_once(desk: BybitDesk) -> None:
    session = desk.connect("/v5/public/linear")
    for topic in (BOOK, "orderbook.500.BTCUSDT"):
        desk.subscribe(session, topic)
    session.taken()
    for lots in (5, 6, 7):
        bids = [(599_999, lots)]
        desk.venue.market_depth(desk.linear, bids, [], is_snapshot=False, is_event=True)
    frames = [f for f in session.taken() if f["topic"] == BOOK]
    assert [frame["data"]["b"] for frame in frames] == [
        [["59999.90", "0.005"]],
        [["59999.90", "0.006"]],
        [["59999.90", "0.007"]],
    ]


def test_after_the_last_listener_left_the_next_one_starts_clean(desk: BybitDesk) -> None:
    first = desk.connect("/v5/public/linear")
    desk.subscribe(first, BOOK)
    desk.dialect.closed(first)
    desk.order("BUY", "0.1", "60000.0")
    second: DeskSession = desk.connect("/v5/public/linear")
    desk.subscribe(second, BOOK)
    frame = second.taken()[0]
    assert (frame["type"], frame["data"]["b"][0]) == ("snapshot", ["60000.00", "0.100"])
