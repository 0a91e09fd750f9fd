# SPDX-License-Identifier: Apache-2.0
"""The native judge against the event-driven engine: same orders, same equity, for any genome."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.judging import Ground, Verdict
from hean.backtest.material import material_of
from hean.backtest.run import Backtest, BacktestSettings
from hean.errors import DataInvalid, ParameterInvalid
from hean.feeds.history import History
from hean.genome.text import read, write
from hean.genome.tree import Genome
from hean.risk.sizing import Sizing, SizingMethod
from hean.symbiont.breed import CROSS, INIT, MUTATE, born, chance, crossed, mutated
from hean.system import AccountSettings
from judged_market import market, settings

SYMBOLS = ("BTCUSDT", "ETHUSDT")
BY_HAND = (
    "long when close < lowest(20) * 1.001; stop 0.3 atr; hold 3 bars",
    (
        "long when rsi(5) < 30 and regime = calm; short when rsi(5) > 70; "
        "exit when zscore(20) > 1 or zscore(20) < -1; stop 1.8 atr; hold 30 bars; size 40%"
    ),
    (
        "long when change(3) of BTCUSDT > 0.001 and close > ema(20); "
        "short when funding > 0.0001 and flow(8) < 0; exit when change(1) of ETHUSDT < 0; "
        "stop 0.5 atr; hold 7 bars; only normal or wild"
    ),
    "short when close > open; exit when low < lag(1, low); stop 0.2 atr",
)


def bred(seed: int, count: int) -> list[Genome]:
    """Random genomes, half of them children of others."""
    found = [born(chance(seed, INIT, 0, at), SYMBOLS) for at in range(count)]
    for at in range(0, count, 2):
        child = crossed(found[at], found[at - 1], chance(seed, CROSS, 1, at))
        found[at] = mutated(child, chance(seed, MUTATE, 1, at), SYMBOLS)
    return found


def assert_same(base: BacktestSettings, history: History, verdict: Verdict) -> int:
    """Fills, orders, money and every sample of equity. *Returns*: how many fills agreed."""
    assert verdict.ruined_ns is None
    summary, record = Backtest(base, history).run()
    fills = sorted((it.ts_ns, it.symbol, str(it.side), it.price, it.qty) for it in record.fills)
    deals = [
        (it.known_ns, it.symbol, "BUY" if it.is_buy else "SELL", it.price, it.qty)
        for it in verdict.deals
    ]
    assert sorted(deals) == fills
    assert (verdict.orders, verdict.rejected) == (summary["orders"], summary["orders_rejected"])
    assert verdict.equity == Decimal(summary["final_equity"])
    assert verdict.fees == Decimal(summary["fees"])
    assert verdict.funding == -Decimal(summary["funding"])
    # The last sample of a run is taken after its last bar, the judge's before it.
    count = verdict.samples.size - 1
    assert np.array_equal(np.asarray(record.equity)[1 : 1 + count], verdict.samples[:count])
    assert verdict.drawdown <= summary["max_drawdown_fraction"] + 1e-9
    return len(fills)


@pytest.mark.parametrize(("seed", "bars"), [(1, 3_000), (2, 3_000), (3, 5_000)])
def test_any_genome_makes_the_orders_of_the_event_tier(
    tmp_path: Path, seed: int, bars: int
) -> None:
    """Random genomes on random bars with gaps, jumps and bars without volume, at last more of them
    than the judge takes at once: the backtest of the same text has the same fills, orders, fees,
    funding and equity, to the last unit."""
    history = market(tmp_path, seed, bars)
    genomes = [*map(read, BY_HAND), *bred(seed, 10)]
    ground = Ground(material_of(settings(BY_HAND[0]), history))
    verdicts = ground.judge(genomes, keeps_deals=True)
    agreed = 0
    for genome, verdict in zip(genomes, verdicts, strict=True):
        if verdict.ruined_ns is None:
            agreed += assert_same(settings(write(genome)), history, verdict)
    assert agreed > 1_500


@pytest.mark.parametrize(
    "assumed",
    [
        Assumptions(half_spread=0.0, impact=0.0),
        Assumptions(half_spread=0.0005, impact=2.0, taker_fee=Decimal("0.001")),
        Assumptions(
            entry=LatencyModel("constant", (6e9,)), response=LatencyModel("constant", (7e9,))
        ),
    ],
)
def test_costs_and_latency_are_those_of_the_venue(tmp_path: Path, assumed: Assumptions) -> None:
    account = AccountSettings(cash=Decimal(50_000), sizing=Sizing(fraction=0.9))
    history = market(tmp_path, 5, 1_500)
    for text in BY_HAND:
        base = settings(text, assumptions=assumed, account=account)
        (verdict,) = Ground(material_of(base, history)).judge([read(text)], keeps_deals=True)
        if verdict.ruined_ns is None:
            assert assert_same(base, history, verdict) > 5


def test_positions_that_lost_value_are_left_as_at_the_venue(tmp_path: Path) -> None:
    """An account so small that each entry is worth little more than the least value of an order;
    stops and exits are worth less.
    """
    history = market(tmp_path, 5, 3_000, ("ETHUSDT",))
    text = "long when close < lowest(20) * 1.001; stop 30 atr; hold 200 bars"
    least = history.markets["ETHUSDT"].rules.instrument.notional_min
    account = AccountSettings(cash=Decimal(50), sizing=Sizing(fraction=0.45))
    base = settings(text, ("ETHUSDT",), account=account)
    (verdict,) = Ground(material_of(base, history)).judge([read(text)], keeps_deals=True)
    summary, record = Backtest(base, history).run()
    assert [it.qty for it in record.fills] == [it.qty for it in verdict.deals]
    assert verdict.equity == Decimal(summary["final_equity"])
    left = [float(it.price * it.qty) for it in verdict.deals if not it.is_buy]
    assert min(left) < least
    assert len(left) == verdict.result.size


def test_a_verdict_depends_on_its_genome_alone(tmp_path: Path) -> None:
    """Neither threads nor neighbours in the population change anything."""
    ground = Ground(material_of(settings(BY_HAND[0]), market(tmp_path, 6, 2_000)))
    genomes = bred(6, 9)
    together = ground.judge(genomes, threads=2)
    alone = [ground.judge([genome])[0] for genome in genomes]
    for one, other in zip(together, alone, strict=True):
        assert (one.orders, one.equity, one.funding) == (other.orders, other.equity, other.funding)
        assert np.array_equal(one.samples, other.samples)
        assert np.array_equal(one.result, other.result)


def test_round_trips_add_up_to_the_result(tmp_path: Path) -> None:
    ground = Ground(material_of(settings(BY_HAND[0]), market(tmp_path, 7)))
    (verdict,) = ground.judge([read(BY_HAND[0])])
    gain = float(verdict.equity) - 10_000 - float(verdict.funding)
    assert verdict.result.size > 100
    assert verdict.result.sum() == pytest.approx(gain, abs=1e-4)
    assert (verdict.over >= verdict.decided).all()
    assert (
        verdict.over - verdict.decided
    ).max() <= 4  # an open beyond the stop comes before the exit


def test_what_the_judge_cannot_play_is_refused(tmp_path: Path) -> None:
    history = market(tmp_path, 8, 200)
    slow = LatencyModel("constant", (15e9,))
    drawn = LatencyModel("normal", (5e7, 1e7))
    forecast = AccountSettings(sizing=Sizing(method=SizingMethod.VOLATILITY_TARGET))
    cases = [
        ({"assumptions": Assumptions(entry=slow)}, "third of a bar"),
        ({"assumptions": Assumptions(entry=drawn)}, "constant latency"),
        ({"account": forecast}, "volatility target"),
    ]
    for more, words in cases:
        with pytest.raises(ParameterInvalid, match=words):
            Ground(material_of(settings(BY_HAND[0], **more), history))
    with pytest.raises(DataInvalid, match="recorded bars"):
        material_of(settings(BY_HAND[0]), object())  # type: ignore[arg-type]
