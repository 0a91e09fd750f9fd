# SPDX-License-Identifier: Apache-2.0
"""The worst price at which a watchdog closes; that it closes is in `tests/deadman`."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hean.core.types import Side
from hean.live.closing import worst_price

COLLAR = Decimal("0.03")


@given(
    st.decimals("0.01", "1000000", places=8),
    st.sampled_from([Decimal(text) for text in ("0.00000001", "0.01", "0.10", "0.5")]),
    st.sampled_from(list(Side)),
)
def test_it_is_on_the_grid_and_never_beyond_the_collar(
    first: Decimal, tick: Decimal, side: Side
) -> None:
    price = worst_price(first, side, tick)
    assert price % tick == 0
    if side is Side.SELL:
        assert first * (1 - COLLAR) <= price < first * (1 - COLLAR) + tick
    else:
        assert first * (1 + COLLAR) - tick < price <= first * (1 + COLLAR)
