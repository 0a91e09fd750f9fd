# SPDX-License-Identifier: Apache-2.0
"""What an order would mean, before it is asked for: the governor's own verdict, and nothing left
behind.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine_desk import engine_desk
from hean.core.types import OrderType, Side, TimeInForce
from hean.engine.preview import taken
from hean.errors import UnknownSymbol

QTY = Decimal("0.01")
BTC = "BTCUSDT"


def test_taking_from_a_book_stops_at_the_limit() -> None:
    asks = [(100.0, 1.0), (100.5, 2.0), (101.0, 3.0)]
    found = taken(asks, Decimal(2), limit=None, is_buy=True)
    assert (found.qty, found.cost, found.is_deep) == (2, Decimal("200.5"), True)
    found = taken(asks, Decimal(10), limit=Decimal("100.5"), is_buy=True)
    assert (found.qty, found.cost, found.is_deep) == (3, Decimal("301.0"), False)
    bids = [(99.0, 1.0), (98.0, 1.0)]
    assert taken(bids, Decimal(2), limit=Decimal(99), is_buy=False).qty == 1
    assert taken([], Decimal(2), limit=None, is_buy=True).qty == 0


async def test_a_preview_says_what_the_governor_then_says(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        await desk.start()
        facade = desk.facade
        await desk.until(lambda: facade.ladder(BTC).asks)
        system = facade._parts()[0]
        price = Decimal(str(facade.quotes()[0].bid)) * Decimal("0.97")
        price = price.quantize(Decimal("0.1"))
        wishes: list[dict[str, Any]] = [
            {"type": OrderType.MARKET, "qty": QTY},
            {"type": OrderType.LIMIT, "qty": QTY, "price": price},
            {"type": OrderType.MARKET, "qty": Decimal(100)},  # leverage
            {"type": OrderType.LIMIT, "qty": QTY, "price": price + Decimal("0.01")},  # the grid
            {"type": OrderType.MARKET, "qty": QTY, "reduce_only": True},  # of nothing
        ]
        for wish in wishes:
            facade.portfolio()  # values the account, as a preview does
            before, seq = system.engine.canonical_bytes(), facade.digest().seq
            preview = facade.preview(BTC, Side.BUY, **wish)
            assert (system.engine.canonical_bytes(), facade.digest().seq) == (before, seq)
            order = await facade.place(BTC, Side.BUY, **wish)
            is_refused = order.status == "REJECTED"
            assert (preview.verdict == "REJECTED") is is_refused, (wish, preview.reason)
            assert bool(preview.reason) is is_refused
        await desk.stop()


async def test_price_fee_and_worst_case_are_of_the_book_that_is_shown(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        await desk.start()
        facade = desk.facade
        await desk.until(lambda: facade.ladder(BTC).asks)
        quote = facade.quotes()[0]
        ask = Decimal(str(facade.ladder(BTC).asks[0][0]))
        market = facade.preview(BTC, Side.BUY, OrderType.MARKET, Decimal("0.001"))
        assert (market.price, market.is_deep_enough) == (ask, True)
        assert market.value == ask * Decimal("0.001")
        assert market.value is not None and market.fee is not None
        assert market.fee / market.value == Decimal("0.00055")
        assert market.slippage_bps is not None and market.slippage_bps > 0
        assert market.adverse_loss == market.value / 10 + market.fee
        assert market.leverage_after == pytest.approx(float(market.value) / 10_000)
        huge = facade.preview(BTC, Side.BUY, OrderType.MARKET, Decimal(100_000))
        assert not huge.is_deep_enough
        low = Decimal(str(quote.bid)) - 100
        resting = facade.preview(BTC, Side.BUY, OrderType.LIMIT, QTY, price=low)
        assert (resting.price, resting.slippage_bps) == (low, None)
        assert resting.fee == low * QTY * Decimal("0.0002")
        crossing = facade.preview(BTC, Side.BUY, OrderType.LIMIT, QTY, price=ask + 50)
        assert crossing.price is not None and crossing.price < ask + 50
        post = facade.preview(
            BTC, Side.BUY, OrderType.LIMIT, QTY, price=ask, time_in_force=TimeInForce.POST_ONLY
        )
        assert post.price == ask
        with pytest.raises(UnknownSymbol):
            facade.preview("NOPE", Side.BUY, OrderType.MARKET, QTY)
        await desk.stop()
