# SPDX-License-Identifier: Apache-2.0
"""Fills of two runs are matched one to one, and what differs in a pair is named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.types import Liquidity, Side
from hean.parity.trades import PAIR_NS, Pair, Trade, match

S_NS = 1_000_000_000


def trade(second: float, side: str = "BUY", **more: object) -> Trade:
    values: dict[str, object] = {
        "ts_ns": int(second * S_NS),
        "symbol": "BTCUSDT",
        "side": Side(side),
        "price": Decimal(100),
        "qty": Decimal(1),
        "fee": Decimal("0.05"),
        "liquidity": Liquidity.TAKER,
        "order_id": f"h0-x-{second}",
    }
    return Trade(**{**values, **more})  # type: ignore[arg-type]


def shape(pairs: list[Pair]) -> list[tuple[float | None, float | None]]:
    """Seconds of both sides."""
    return [
        (
            pair.recorded.ts_ns / S_NS if pair.recorded else None,
            pair.backtest.ts_ns / S_NS if pair.backtest else None,
        )
        for pair in pairs
    ]


def test_the_same_trades_make_pairs_without_a_difference() -> None:
    trades = [trade(1), trade(2, "SELL"), trade(2, "SELL"), trade(3)]
    pairs = match(trades, list(trades))
    assert len(pairs) == 4
    assert not any(pair.differs for pair in pairs)


def test_a_trade_that_is_missing_does_not_move_the_others() -> None:
    recorded = [trade(n, "BUY" if n % 2 else "SELL") for n in range(1, 41)]
    backtest = [one for one in recorded if not 10 <= one.ts_ns / S_NS < 14]
    pairs = match(recorded, backtest)
    assert sum(bool(pair.differs) for pair in pairs) == 4
    assert {pair.differs for pair in pairs if pair.differs} == {("only recorded",)}


def test_what_is_near_in_time_is_paired_in_order_and_the_rest_stays_alone() -> None:
    far = PAIR_NS / S_NS + 1
    recorded = [trade(1), trade(2), trade(2.5, "SELL"), trade(100)]
    backtest = [trade(1.1), trade(2.1), trade(100 + far), trade(100 - far)]
    found = shape(match(recorded, sorted(backtest, key=lambda one: one.ts_ns)))
    assert found == [
        (1.0, 1.1),
        (2.0, 2.1),
        (2.5, None),
        (None, 100 - far),
        (100.0, None),
        (None, 100 + far),
    ]


def test_nothing_matches_nothing() -> None:
    assert match([], []) == []
    assert shape(match([], [trade(1)])) == [(None, 1.0)]
    assert shape(match([trade(1)], [])) == [(1.0, None)]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"fee": Decimal(2)}, ("fee",)),
        ({"ts_ns": 5, "price": Decimal(101)}, ("time", "price")),
        ({"liquidity": Liquidity.MAKER}, ("liquidity",)),
        ({"order_id": "other"}, ()),
        ({"qty": Decimal("1.0")}, ()),
    ],
)
def test_what_differs_is_named(change: dict[str, object], names: tuple[str, ...]) -> None:
    assert Pair(trade(1), trade(1, **change)).differs == names


def test_other_symbols_and_sides_never_pair() -> None:
    pairs = match([trade(1), trade(1, "SELL")], [trade(1, symbol="ETHUSDT")])
    assert shape(pairs) == [(1.0, None), (1.0, None), (None, 1.0)]
