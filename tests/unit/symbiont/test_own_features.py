# SPDX-License-Identifier: Apache-2.0
"""Patterns as features of genomes: none knows the future, each needs no more bars than it says,
and what is bred on them trades in the engine as it was judged.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hean.backtest.assumptions import Assumptions
from hean.backtest.judging import Ground
from hean.backtest.material import bars_of, material_of
from hean.backtest.run import Backtest, BacktestSettings
from hean.errors import LookAhead, ParameterInvalid
from hean.evaluate.evolve import evolve
from hean.evaluate.evolving import Plan
from hean.genome.features import Feature, load, load_all, prove
from hean.genome.own_features import FLAGS, OWN
from hean.genome.text import read
from hean.genome.tree import REGIMES
from judged_market import SYMBOLS, market

SPECS = [f"hean:{name}" for name in OWN]


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_pattern_knows_the_future(tmp_path: Path, name: str) -> None:
    """As a feature of the user's it passes the same proof; as our own it also needs no other bars
    than those that it says, and one that says too few is refused.
    """
    history = market(tmp_path, 3, 1_500)
    bars = bars_of(history.markets["BTCUSDT"], (history.start_ns, history.end_ns))
    prove(Feature(name, OWN[name].column), bars)
    own = load(f"hean:{name}")
    prove(own, bars)
    column = own.column(bars)
    if name in FLAGS:
        assert {0.0, 1.0} <= set(column[1:].tolist())
    else:
        assert np.isfinite(column[100:]).mean() > 0.9 and np.nanstd(column) > 0
    if OWN[name].memory > 1:
        few = OWN[name]._replace(memory=OWN[name].memory // 2)
        with pytest.raises(LookAhead, match=f"{name} looks beyond its {few.memory} bars"):
            prove(Feature(name, few.column, own=few), bars)


def test_an_unknown_pattern_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterInvalid, match="nearest hammer"):
        load("hean:hamer")


PATTERNED = (
    "long when hammer > 0.5 and motif_next > 0 or engulfing_up of ETHUSDT > 0.5; "
    "short when zscore(30, motif_distance) > 1.5 and shooting_star > 0.5; "
    "exit when inside_bar > 0.5 and motif_next < 0; stop 2 atr; hold 45 bars"
)


def test_patterns_trade_as_they_were_judged(tmp_path: Path) -> None:
    """Bar by bar from a bounded past, and as a column: equal orders and equity."""
    history = market(tmp_path, 4, 1_200)
    base = BacktestSettings("genome", SYMBOLS, {"genome": PATTERNED, "features": ",".join(SPECS)})
    features = load_all(SPECS)
    ground = Ground(material_of(base, history, features=features))
    (verdict,) = ground.judge([read(PATTERNED, list(OWN))])
    summary, _ = Backtest(base, history).run()
    assert (verdict.orders, verdict.equity) == (summary["orders"], Decimal(summary["final_equity"]))
    assert verdict.orders > 60


@pytest.mark.promise(208)
def test_agents_evolve_on_several_symbols_regimes_and_patterns_to_signals(tmp_path: Path) -> None:
    """A population on two symbols, with islands for regimes and patterns to read; what it breeds
    becomes signals of the engine.
    """
    history = market(tmp_path, 5, 40 * 1_440)
    cheap = Assumptions(taker_fee=Decimal("0.0001"), half_spread=0.0, impact=0.0)
    base = BacktestSettings("genome", SYMBOLS, {}, assumptions=cheap, seed=8)
    specs = [f"hean:{name}" for name in ("hammer", "engulfing_up", "inside_bar", "motif_next")]
    features = load_all(specs)
    parts = {"folds": 2, "embargo": 1, "holdout": 0.3}
    plan = Plan(base, tmp_path / "log", 32, 3, trips_min=20, features=features, **parts)
    found = evolve(plan, history)
    texts = list(found.state.trials)
    assert {birth.how for birth in found.state.births} >= {"born", "crossed", "mutated"}
    assert set(found.state.islands) == {"all", *REGIMES}
    assert any(" of ETHUSDT" in text for text in texts)
    assert any(name in text for text in texts for name in FLAGS)
    assert any("motif" in text for text in texts)
    names = [feature.name for feature in features]
    champion = next(
        text
        for text in sorted(texts, key=lambda each: -found.state.trials[each].robust)
        if any(name in text for name in names) and found.state.trials[text].trips > 20
    )
    given = {"genome": champion, "features": ",".join(specs)}
    short = market(tmp_path, 5, 6_000)
    summary, _ = Backtest(BacktestSettings("genome", SYMBOLS, given), short).run()
    assert summary["orders"] > 0, champion
