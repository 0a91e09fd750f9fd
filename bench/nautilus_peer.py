# SPDX-License-Identifier: Apache-2.0
"""NautilusTrader, set up once for every bench: one simulated venue, one perpetual, no logging."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity

SYMBOL = InstrumentId(Symbol("BTCUSDT-PERP"), Venue("SIM"))


def instrument() -> CryptoPerpetual:
    """BTCUSDT: tick 0.1, lot 0.001, taker fee 0.055 %."""
    return CryptoPerpetual(
        instrument_id=SYMBOL,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        size_precision=3,
        price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_str("0.001"),
        ts_event=0,
        ts_init=0,
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.03"),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.00055"),
    )


def engine_with_venue(cash: int) -> BacktestEngine:
    """An engine ready for data and a strategy; its risk engine is on."""
    config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config)
    engine.add_venue(
        SYMBOL.venue,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(cash, USDT)],
        base_currency=USDT,
    )
    engine.add_instrument(instrument())
    return engine


def quotes(ts: Any, bid: Any, ask: Any, *, size: float) -> list[QuoteTick]:
    """Columns as the engine's own quotes."""
    sizes, stamps = np.full(len(ts), size), ts.astype(np.uint64)
    return QuoteTick.from_raw_arrays_to_list(SYMBOL, 1, 3, bid, ask, sizes, sizes, stamps, stamps)
