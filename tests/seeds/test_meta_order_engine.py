# SPDX-License-Identifier: Apache-2.0
"""META's native order engine under its promised name: the printed sample, then every verb.

`meta_order_engine.txt` is the document's code block, byte for byte.
"""

from __future__ import annotations

import os
import runpy
import threading
from decimal import Decimal
from pathlib import Path

import pytest

import hean_meta_cpp as hmc
from hean._core import Instrument
from hean.errors import (
    NumberNotFinite,
    OrderNotOpen,
    OrderSizeInvalid,
    OrderUnknown,
    ParameterInvalid,
    PriceNotOnTick,
)

HERE = Path(__file__).parent
SAMPLE = (HERE / "meta_order_engine.txt").read_text(encoding="utf-8")


def with_offers() -> hmc.OrderEngine:
    """An engine whose market offers 1 at 60,000 and 1 at 60,010, and bids 1 at 59,990."""
    engine = hmc.OrderEngine(taker_fee="0.0005", maker_fee="0.0002")
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 1.0, 60_000.0)
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 1.0, 60_010.0)
    engine.add_liquidity("BTCUSDT", hmc.Side.BUY, 1.0, 59_990.0)
    return engine


def test_the_sample_is_the_one_of_the_document() -> None:
    shared = Path(os.environ.get("HEAN_SHARED", HERE.parents[1].parent / "shared"))
    document = shared / "seeds" / "2-hean-meta-modernization.md"
    if not document.exists():
        pytest.skip(f"needs the source documents in {shared}")
    assert SAMPLE in document.read_text(encoding="utf-8")


@pytest.mark.promise(30)
def test_the_sample_runs_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(compile(SAMPLE, "meta_order_engine", "exec"), names)  # noqa: S102
    said = capsys.readouterr().out
    assert said.startswith("Order placed in ") and said.endswith("μs\n")
    assert float(said.removeprefix("Order placed in ").removesuffix("μs\n")) > 0


@pytest.mark.promise(31)
def test_a_market_order_without_a_market_ends_with_a_reason() -> None:
    result = hmc.OrderEngine().place_market_order("BTCUSDT", hmc.Side.BUY, 0.1)
    assert (result.status, result.reason) == ("CANCELLED", "nobody to trade with")
    assert (result.filled_qty, result.avg_price, result.fills) == (0, None, [])


@pytest.mark.promise(31)
def test_a_float_quantity_is_rounded_down_to_the_lot_and_the_rest_is_said() -> None:
    result = with_offers().place_market_order("BTCUSDT", hmc.Side.BUY, 0.1007)
    assert (result.qty, result.filled_qty) == (Decimal("0.1"), Decimal("0.1"))
    assert result.residue == pytest.approx(0.0007)
    assert with_offers().place_market_order("BTCUSDT", hmc.Side.BUY, 0.3).residue == 0


@pytest.mark.promise(32)
def test_a_market_order_walks_the_book_at_exact_prices() -> None:
    result = with_offers().place_market_order("BTCUSDT", hmc.Side.BUY, 1.5)
    assert result.status == "FILLED"
    assert result.fills == [(Decimal(60_000), Decimal(1)), (Decimal(60_010), Decimal("0.5"))]
    assert result.avg_price == Decimal("60003.333333333333")


@pytest.mark.promise(32)
def test_a_limit_order_rests_changes_and_is_taken_back() -> None:
    engine = with_offers()
    placed = engine.place_limit_order("BTCUSDT", hmc.Side.BUY, 0.5, 59_000.0)
    assert (placed.status, placed.qty) == ("WORKING", Decimal("0.5"))
    changed = engine.modify_order(placed.order_id, qty=1.2, price=60_000.0)
    assert (changed.status, changed.filled_qty, changed.qty) == ("PARTIAL", 1, Decimal("1.2"))
    assert engine.get_order(placed.order_id).status == "PARTIAL"
    assert engine.cancel_order(placed.order_id).status == "CANCELLED"
    with pytest.raises(OrderNotOpen):
        engine.cancel_order(placed.order_id)
    with pytest.raises(OrderUnknown):
        engine.get_order("h0-exch-zz")


@pytest.mark.promise(32)
def test_a_position_knows_its_profit_before_and_after_the_close() -> None:
    engine = with_offers()
    engine.place_market_order("BTCUSDT", hmc.Side.BUY, 0.5)
    engine.place_market_order("BTCUSDT", hmc.Side.SELL, 0.2)
    held = engine.get_position("BTCUSDT")
    assert (held.qty, held.avg_price) == (Decimal("0.3"), 60_000)
    assert (held.mark_price, held.unrealized_pnl) == (59_990, -3)
    assert held.realized_pnl == -2
    assert held.fees == Decimal("0.0005") * (30_000 + 11_998)
    assert engine.equity == -5 - held.fees


@pytest.mark.promise(33)
def test_calls_from_many_threads_queue_up_and_none_is_lost() -> None:
    engine = hmc.OrderEngine()
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 1_000.0, 60_000.0)

    def buy() -> None:
        for _ in range(500):
            engine.place_market_order("BTCUSDT", hmc.Side.BUY, 0.001)

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.get_position("BTCUSDT").qty == 4


def test_what_makes_no_sense_raises_and_what_risk_refuses_is_a_result() -> None:
    engine = hmc.OrderEngine(limits={"order_value_max": "1000"})
    engine.add_liquidity("BTCUSDT", hmc.Side.SELL, 1.0, 60_000.0)
    for quantity, error in [(float("nan"), NumberNotFinite), (0.0, ParameterInvalid)]:
        with pytest.raises(error):
            engine.place_market_order("BTCUSDT", hmc.Side.BUY, quantity)
    with pytest.raises(PriceNotOnTick):
        engine.place_limit_order("BTCUSDT", hmc.Side.BUY, 0.01, 59_000.001)
    with pytest.raises(ParameterInvalid):
        engine.place_market_order("BTCUSDT", "HOLD", 0.01)
    refused = engine.place_market_order("BTCUSDT", hmc.Side.BUY, 0.1)
    assert (refused.status, refused.order_id) == ("REJECTED", "")
    assert "R02" in refused.reason
    engine = hmc.OrderEngine()
    engine.add_instrument(Instrument("X", "linear", "0.1", "1", quantity_min="5"))
    with pytest.raises(OrderSizeInvalid):
        engine.place_limit_order("X", hmc.Side.BUY, 1.0, 10.0)


def test_whole_numbers_and_the_callback_after_the_booking() -> None:
    engine = hmc.OrderEngine()
    at = engine.add_instrument(Instrument("BTCUSDT", "linear", "0.1", "0.001"))
    heard: list[tuple[int, int, int, str]] = []

    def on_fill(order: int, price_ticks: int, lots: int) -> None:
        heard.append((order, price_ticks, lots, engine.status(order)))

    engine.on_fill = on_fill
    resting = engine.place(at, True, 7, 600_000)
    engine.supply(at, False, 3, 599_999)
    assert heard == [(resting, 600_000, 3, "PARTIAL")]
    assert engine.fills() == [(resting, 600_000, 3, True)]
    engine.amend(resting, lots=5)
    engine.cancel(resting)
    assert (engine.status(resting), engine.open_orders) == ("CANCELLED", 0)
    assert engine.get_order(engine.order_id(resting)).filled_qty == Decimal("0.003")


def test_the_example_ends_flat_with_its_profit(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(
        str(HERE.parents[1] / "examples" / "native_order_engine.py"), run_name="__main__"
    )
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("position 0, realised 157, fees ")
