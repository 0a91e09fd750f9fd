# SPDX-License-Identifier: Apache-2.0
"""In which market live trading is, by the symbols and the exchange that were chosen."""

from __future__ import annotations

import pytest

from hean.config import live_endpoints_of, live_market, load
from hean.errors import ParameterInvalid

LOCAL_PUBLIC = "ws://127.0.0.1:6/v5/public/linear"


def test_live_trading_is_in_one_market_or_in_both_of_one_account():
    """Two markets are named by every symbol, and are the venue's whose key it is."""
    assert live_market(load({"symbols": ("BTCUSDT",), "market": "spot"}, {})) == "spot"
    pair = ("BTCUSDT@spot", "BTCUSDT@perp")
    both = load({"symbols": pair, "exchange": "bybit"}, {"BYBIT_WS_PUBLIC_URL": LOCAL_PUBLIC,
                "BYBIT_REST_URL": "http://127.0.0.1:5"})  # fmt: skip
    assert live_market(both) == "spot+linear"
    place = live_endpoints_of(both)
    assert place.alone("spot").public == "ws://127.0.0.1:6/v5/public/spot"
    assert place.alone("linear").public == LOCAL_PUBLIC


@pytest.mark.parametrize(
    ("exchange", "symbols"),
    [
        ("binance", ("BTCUSDT@spot", "BTCUSDT@perp")),
        ("bybit", ("BTCUSDT@spot", "BTCUSDT")),
        ("bybit", ("BTCUSDT@perp",)),
        ("bybit", ("BTCUSDT@spot", "BTCUSDT@binance.perp")),
    ],
)
def test_other_markets_are_none_to_trade_live_in(exchange: str, symbols: tuple[str, ...]):
    with pytest.raises(ParameterInvalid, match="one market"):
        live_market(load({"symbols": symbols, "exchange": exchange}, {}))
