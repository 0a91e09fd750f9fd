# SPDX-License-Identifier: Apache-2.0
"""Names of what is traded: alone, with a market, with a venue; everything else is refused."""

from __future__ import annotations

import pytest

from hean.core.listing import Listing, listing_of, pair_of
from hean.errors import UnknownSymbol


@pytest.mark.parametrize(
    ("symbol", "listing"),
    [
        ("BTCUSDT", Listing("BTCUSDT")),
        ("BTCUSDT@spot", Listing("BTCUSDT", "spot")),
        ("1000PEPEUSDT@perp", Listing("1000PEPEUSDT", "perp")),
        ("BTCUSDT@bybit.perp", Listing("BTCUSDT", "perp", "bybit")),
    ],
)
def test_a_name_has_a_pair_and_what_it_states(symbol, listing):
    assert listing_of(symbol) == listing
    assert pair_of(symbol) == listing.pair


@pytest.mark.parametrize(
    "symbol", ["", "btcusdt", "BTCUSDT@", "BTCUSDT@mark", "BTCUSDT@Spot", "@spot", "A@b.c.spot"]
)
def test_what_is_no_name_is_refused(symbol):
    with pytest.raises(UnknownSymbol, match="BTCUSDT@spot"):
        listing_of(symbol)


@pytest.mark.parametrize(
    ("symbol", "fits"),
    [
        ("BTCUSDT", True),
        ("BTCUSDT@perp", True),
        ("BTCUSDT@bybit.perp", True),
        ("BTCUSDT@spot", False),
        ("BTCUSDT@binance.perp", False),
        ("ETHUSDT", False),
    ],
)
def test_a_name_covers_data_of_its_market(symbol, fits):
    assert listing_of(symbol).covers("BTCUSDT", "perp", "bybit") is fits
