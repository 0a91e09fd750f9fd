# SPDX-License-Identifier: Apache-2.0
"""`hean_meta_cpp`: the import name that META promised, and nothing else. The engine behind it is
Rust (docs/adr/0001): one account's orders, matching books and ledger in this process. Calls from
many threads are safe, because each borrows the engine exclusively. Quantities and prices go in as
floats and come out as exact `Decimal`s.

    import hean_meta_cpp as hmc

    engine = hmc.OrderEngine()
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 1.0, 60_000.0)
    result = engine.place_market_order("BTCUSDT", hmc.Side.BUY, 0.1)
    print(result.status, result.avg_price, f"{result.latency_us} us")
"""

from hean._core import Exchange as OrderEngine
from hean._core import ExchangePosition as Position
from hean._core import OrderResult
from hean.core.types import OrderType, Side, TimeInForce

__all__ = ["OrderEngine", "OrderResult", "OrderType", "Position", "Side", "TimeInForce"]
