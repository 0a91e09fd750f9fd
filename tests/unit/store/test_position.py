# SPDX-License-Identifier: Apache-2.0
"""What a strategy holds is counted as the ledger of the core counts."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from hean._core import Instrument, Ledger
from hean.store.position import Holding


@pytest.mark.parametrize("seed", range(20))
def test_a_position_is_counted_as_the_ledger_does(seed: int):
    """Random fills of one symbol against the exact ledger of the core."""
    draw = random.Random(seed)
    rules = Instrument("BTCUSDT", "linear", "0.1", "0.001")
    ledger = Ledger(Decimal(1_000_000), [rules])
    position, realized = Holding(), Decimal(0)
    for _ in range(60):
        side = draw.choice(["BUY", "SELL"])
        qty = Decimal(draw.randrange(1, 500)) / 1_000
        price = Decimal(draw.randrange(9_000, 11_000)) / 10
        ledger.fill("BTCUSDT", side, price, qty, 0)
        realized += position.trade(qty if side == "BUY" else -qty, price)
    qty, average, _, ledger_realized, _ = ledger.position("BTCUSDT")
    assert position.qty == qty
    assert float(realized) == pytest.approx(float(ledger_realized), abs=1e-6)
    if qty:
        assert float(position.average) == pytest.approx(float(average), abs=1e-6)
