# SPDX-License-Identifier: Apache-2.0
"""What the spot streams carry: books without gaps that meet the REST book, candles that close,
the touch only when it moves, recorded books event by event.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from binance_desk import BinanceDesk, DeskSession


@pytest.fixture
def desk() -> BinanceDesk:
    return BinanceDesk()


class Book:
    """A book kept by Binance's recipe."""

    def __init__(self, snapshot: Any) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self.joined = False

    def apply(self, event: Any) -> None:
        if event["u"] <= self.last_id:
            return
        if not self.joined:
            assert event["U"] <= self.last_id + 1 <= event["u"]
            self.joined = True
        else:
            assert event["U"] == self.last_id + 1
        self.last_id = event["u"]
        for name, side in self.sides.items():
            for price, quantity in event[name]:
                if float(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def equals(self, snapshot: Any) -> bool:
        return self.sides == {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}


def snapshot(desk: BinanceDesk) -> Any:
    return desk.get("/api/v3/depth", symbol="BTCUSDT", limit=5_000)


@pytest.mark.parametrize("speed", ["", "@100ms"])
def test_a_book_from_snapshot_and_differences_is_the_book(desk: BinanceDesk, speed: str) -> None:
    """Quotes move and own orders come and go at random; the snapshot is taken somewhere between."""
    draw = random.Random(3)
    session = desk.connect(f"/ws/btcusdt@depth{speed}")
    book: Book | None = None
    for step in range(400):
        act = draw.random()
        if act < 0.3:
            desk.quote(desk.spot, 60_000.0 + draw.randrange(-500, 500) / 100)
        elif act < 0.6:
            desk.buy("0.001", f"{59_000 + draw.randrange(900)}.00", key="DeskKey2")
        elif desk.second.open_orders:
            desk.signed("DELETE", "/api/v3/openOrders", key="DeskKey2", symbol="BTCUSDT")
        desk.pass_ms(draw.randrange(80))
        if step == 133:
            book = Book(snapshot(desk))
        if book is not None:
            for event in session.taken():
                book.apply(event)
    assert book is not None and book.joined
    desk.pass_ms(1_000)
    for event in session.taken():
        book.apply(event)
    assert book.equals(snapshot(desk))


def test_a_quiet_book_says_nothing(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@depth@100ms")
    desk.pass_ms(1_000)
    assert session.frames == []


def test_ids_that_are_made_to_jump_break_the_chain(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@depth@100ms")
    desk.quote(desk.spot, 60_001.0)
    desk.pass_ms(100)
    desk.dialect.reset_books(desk.spot, is_restart=False)
    desk.quote(desk.spot, 60_002.0)
    desk.pass_ms(100)
    first, second = session.taken()
    assert second["U"] > first["u"] + 1


def test_a_listener_who_comes_later_gets_no_old_changes(desk: BinanceDesk) -> None:
    first = desk.connect("/ws/btcusdt@depth@100ms")
    desk.dialect.closed(first)
    desk.quote(desk.spot, 60_500.0)
    later = desk.connect("/ws/btcusdt@depth@100ms")
    desk.pass_ms(200)
    assert later.frames == []


def test_a_recorded_book_is_shown_event_by_event(desk: BinanceDesk) -> None:
    """No matter how close together they are; a quiet recording falls back on its rhythm."""
    desk.spot.is_recorded = True
    session = desk.connect("/ws/btcusdt@depth@100ms")
    for number in range(3):
        lots = 1_000 + number
        desk.venue.market_depth(
            desk.spot, [(5_999_999, lots)], [], is_snapshot=False, is_event=True
        )
        desk.pass_ms(5)
    assert [frame["b"] for frame in session.taken()] == [
        [["59999.99000000", f"0.0100{number}000"]] for number in range(3)
    ]
    desk.buy("0.001", "59000.50")
    desk.pass_ms(300)
    assert session.frames == [], "between recorded events nothing is shown"
    desk.pass_ms(1_000)
    assert session.frames[0]["b"] == [["59000.50000000", "0.00100000"]]


def test_the_touch_is_told_when_it_moves_and_only_then(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@bookTicker")
    desk.quote(desk.spot, 60_001.0)
    desk.buy("0.001", "59000")
    assert len(session.frames) == 1
    assert (session.frames[0]["b"], session.frames[0]["a"]) == (
        "60000.99000000",
        "60001.01000000",
    )
    assert "e" not in session.frames[0]


def test_partial_books_have_their_depth(desk: BinanceDesk) -> None:
    session = desk.connect("/stream", "streams=btcusdt@depth5@100ms/btcusdt@depth20")
    desk.pass_ms(1_000)
    sizes = {f["stream"]: len(f["data"]["bids"]) for f in session.taken()}
    assert sizes == {"btcusdt@depth5@100ms": 5, "btcusdt@depth20": 10}


def test_a_candle_closes_once_and_the_next_one_begins(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@kline_1m")
    desk.venue.market_trade(desk.spot, 6_000_100, 200, is_buy=True)
    desk.pass_ms(2_000)
    running = session.taken()[-1]["k"]
    assert (running["c"], running["v"], running["x"]) == ("60001.00000000", "0.00200000", False)
    for _ in range(600):
        desk.pass_ms(100)
    frames = [frame["k"] for frame in session.taken()]
    closed = [k for k in frames if k["x"]]
    assert [k["t"] for k in closed] == [running["t"]]
    assert (closed[0]["v"], closed[0]["T"]) == ("0.00200000", running["t"] + 59_999)
    after = frames[frames.index(closed[0]) + 1]
    assert (after["t"], after["v"]) == (running["t"] + 60_000, "0.00000000")


def test_candles_of_a_second_are_made_of_trades(desk: BinanceDesk) -> None:
    for ticks in (6_000_100, 6_000_300, 6_000_200):
        desk.venue.market_trade(desk.spot, ticks, 100, is_buy=False)
    desk.now_ns += 2_000 * 1_000_000
    rows = desk.get("/api/v3/klines", symbol="BTCUSDT", interval="1s", limit=3)
    assert [row[0] for row in rows] == [rows[0][0] + 1_000 * n for n in range(3)]
    prices = ["60001.00000000", "60003.00000000", "60001.00000000", "60002.00000000"]
    assert rows[0][1:5] == prices and rows[0][8] == 3
    assert rows[1][1:6] == ["60002.00000000"] * 4 + ["0.00000000"]


def test_microseconds_when_they_are_asked_for(desk: BinanceDesk) -> None:
    names = "btcusdt@trade/btcusdt@kline_1m"
    plain = desk.connect("/stream", f"streams={names}")
    micro = desk.connect("/stream", f"streams={names}&timeUnit=MICROSECOND")
    desk.venue.market_trade(desk.spot, 6_000_100, 100, is_buy=True)
    desk.pass_ms(2_000)
    for ours, theirs in zip(_last(plain), _last(micro), strict=True):
        assert theirs["E"] == ours["E"] * 1_000
        if ours["e"] == "trade":
            assert (theirs["t"], theirs["T"]) == (ours["t"], ours["T"] * 1_000)
        else:
            assert theirs["k"]["t"] == ours["k"]["t"] * 1_000


def _last(session: DeskSession) -> list[Any]:
    newest = {frame["data"]["e"]: frame["data"] for frame in session.taken()}
    return [newest["trade"], newest["kline"]]


@pytest.mark.parametrize(
    "name", ["BTCUSDT@trade", "btcusdt@depth7", "btcusdt@kline_7m", "btcusdt", "!x@arr", "@", ""]
)
def test_names_that_are_no_stream_stay_silent(desk: BinanceDesk, name: str) -> None:
    session = desk.connect("/ws")
    desk.say(session, {"method": "SUBSCRIBE", "params": [name], "id": 1})
    desk.venue.market_trade(desk.spot, 6_000_100, 100, is_buy=True)
    desk.quote(desk.spot, 60_001.0)
    desk.pass_ms(2_000)
    assert session.frames == []
