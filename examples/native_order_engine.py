# SPDX-License-Identifier: Apache-2.0
"""The native order engine alone: no venue, no bus, no key. A market that offers a little, a resting
order that changes its mind, and the profit of what was held.

    python examples/native_order_engine.py
"""

from __future__ import annotations

import hean_meta_cpp as hmc


def main() -> None:
    """Trade a little and print what became of it."""
    engine = hmc.OrderEngine(maker_fee="0.0002", taker_fee="0.00055")
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 0.5, 60_000.0)
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 0.3, 60_010.0)

    bought = engine.place_market_order("BTCUSDT", hmc.Side.BUY, 0.8)
    print(f"bought {bought.filled_qty} at {bought.avg_price} in {bought.latency_us:.1f} us")

    resting = engine.place_limit_order("BTCUSDT", hmc.Side.SELL, 0.8, 60_500.0)
    resting = engine.modify_order(resting.order_id, price=60_200.0)
    print(f"{resting.order_id} is {resting.status}")

    engine.add_liquidity("BTCUSDT", hmc.Side.BUY, 1.0, 60_200.0)
    print(f"{resting.order_id} is {engine.get_order(resting.order_id).status}")

    held = engine.get_position("BTCUSDT")
    print(f"position {held.qty}, realised {held.realized_pnl}, fees {held.fees}")


if __name__ == "__main__":
    main()
