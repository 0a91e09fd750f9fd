# SPDX-License-Identifier: Apache-2.0
"""What a record says of the trading, against the same thing counted by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from hean.core.types import OrderFilled, Side
from hean.engine.track import TrackRecord


def fill(side: Side, qty: str, price: str, fee: str = "0", symbol: str = "BTCUSDT") -> OrderFilled:
    return OrderFilled("h1-test-1", Decimal(price), Decimal(qty), symbol, side, fee=Decimal(fee))


@pytest.mark.promise(97)
def test_a_round_trip_is_won_if_it_made_money_after_fees() -> None:
    record = TrackRecord()
    assert record.win_ratio is None
    for each in (
        fill(Side.BUY, "1", "100"),
        fill(Side.BUY, "1", "110", symbol="ETHUSDT"),  # another symbol, still open
        fill(Side.SELL, "0.5", "101"),
        fill(Side.SELL, "0.5", "101", "0.9"),  # won 1, paid 0.9
        fill(Side.SELL, "2", "100"),
        fill(Side.BUY, "2", "99.9", "0.3"),  # won 0.2, paid 0.3
    ):
        record.fill(each)
    assert (record.trips, record.won) == (2, 1)
    record.fill(fill(Side.BUY, "1", "100"))
    record.fill(fill(Side.SELL, "3", "90", "3"))  # ends one that lost, and begins another
    assert (record.trips, record.won) == (3, 1)
    record.fill(fill(Side.BUY, "2", "88.9"))  # won 2.2, paid two thirds of the fee
    assert record.win_ratio == 2 / 4


@pytest.mark.promise(98)
def test_the_sharpe_ratio_is_of_the_days() -> None:
    record = TrackRecord()
    assert record.sharpe is None
    for day, equity in ((0, 100.0), (0, 110.0), (1, 111.0), (1, 99.0), (2, 101.0)):
        record.equity(day, equity)
    steps = [0.10, -0.10, 101 / 99 - 1]
    mean = sum(steps) / 3
    spread = math.sqrt(sum((each - mean) ** 2 for each in steps) / 2)
    assert record.sharpe == pytest.approx(mean / spread * math.sqrt(365))


def test_what_a_day_began_with_may_be_told() -> None:
    record = TrackRecord()
    record.opened(0, 100.0)
    record.opened(1, 110.0)
    record.equity(1, 99.0)
    assert record.sharpe == pytest.approx(0.0, abs=1e-12)
