# SPDX-License-Identifier: Apache-2.0
"""Bybit's books under a storm: whoever subscribed, and whenever, has the exchange's book after
every beat and never misses a number, also when others come, REST asks, or a dial begins it again.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from binance_desk import DeskSession
from bybit_desk import BybitDesk

DEPTHS = (50, 200, 1_000)
STEPS = 250


class Reader:
    """A client that keeps books from frames alone."""

    def __init__(self, desk: BybitDesk) -> None:
        self.session: DeskSession = desk.connect("/v5/public/linear")
        self.books: dict[str, list[Any]] = {}
        desk.subscribe(self.session, *(f"orderbook.{depth}.BTCUSDT" for depth in DEPTHS))

    def read(self) -> None:
        for frame in self.session.taken():
            if "topic" not in frame:
                continue
            data = frame["data"]
            if frame["type"] == "snapshot":
                self.books[frame["topic"]] = [dict(data["b"]), dict(data["a"]), data["u"]]
                continue
            book = self.books[frame["topic"]]
            assert data["u"] == book[2] + 1, "a number is missing"
            book[2] = data["u"]
            for side, name in enumerate("ba"):
                for price, size in data[name]:
                    book[side].pop(price, None) if size == "0" else book[side].update({price: size})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_reader_has_the_exchanges_book_after_every_beat(seed: int) -> None:
    desk, rng = BybitDesk(), random.Random(seed)
    readers, middle = [Reader(desk)], 60_000
    for _ in range(STEPS):
        match rng.randrange(8):
            case 0 | 1:
                middle += rng.randint(-40, 40)
                desk.quote(desk.linear, float(middle), coins=rng.choice([1, 10]))
            case 2 | 3:
                ticks = desk.linear.ticks(Decimal(middle + rng.randint(-20, 20)))
                desk.venue.market_trade(desk.linear, ticks, rng.randint(1, 900), is_buy=True)
            case 4:
                desk.create(rng.choice(["Buy", "Sell"]), "0.02", str(middle + rng.randint(-9, 9)))
            case 5:
                desk.tell("order/cancel-all", category="linear", symbol="BTCUSDT")
            case 6:
                desk.market("orderbook", category="linear", symbol="BTCUSDT", limit=1_000)
            case _ if len(readers) < 6:
                readers.append(Reader(desk))
            case _:
                desk.dialect.reset_books(desk.linear, is_restart=rng.random() < 0.5)
        if rng.random() < 0.3:
            desk.pass_ms(200)
            for reader in readers:
                reader.read()
                for depth in DEPTHS:
                    book = reader.books[f"orderbook.{depth}.BTCUSDT"]
                    bids, asks = desk.linear.desk.levels(depth)
                    assert (book[0], book[1]) == (dict(bids), dict(asks))
