# SPDX-License-Identifier: Apache-2.0
"""Evolution in short form: an edge that is there is found and promoted, one that is not is not;
more cost means less trading; and a run that was stopped, or judged by more workers, ends the same.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hean.backtest.judging import Ground
from hean.backtest.material import material_of
from hean.backtest.run import Backtest, BacktestSettings
from hean.errors import DataInvalid, InputError, LookAhead, ParameterInvalid
from hean.evaluate import evolving
from hean.evaluate.evolve import Evolved, evolve
from hean.evaluate.evolving import parts_of
from hean.evaluate.report_evolution import render
from hean.feeds.history import load_history
from hean.genome.features import load_all
from hean.genome.text import read
from hean.symbiont.evolution import Generation, lineage
from judged_market import write_planted
from planted_market import CHEAP, EDGE, market, plan_of


def texts(found: Evolved) -> list[str]:
    """Genomes of the champions, in order."""
    return [each.genome for each in found.champions]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_edge_that_is_there_is_found_and_promoted(tmp_path: Path, seed: int) -> None:
    found = evolve(plan_of(tmp_path, seed, generations=12), market(tmp_path, seed, **EDGE))
    promoted = [each for each in found.champions if each.promoted]
    assert promoted, found.document["verdict"]
    assert all(each.held_back is not None and each.held_back.growth > 0 for each in promoted)
    assert "passed every gate" in found.document["verdict"]


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_nothing_is_promoted_on_a_shuffled_market(tmp_path: Path, seed: int) -> None:
    found = evolve(plan_of(tmp_path, seed), market(tmp_path, seed, is_shuffled=True))
    assert found.document["promoted"] == 0, texts(found)
    assert all(each.held_back is None for each in found.champions)
    assert "romoted" in found.document["verdict"]


def test_doubled_costs_lower_the_turnover_of_the_front(tmp_path: Path) -> None:
    history = market(tmp_path, 5)
    dear = msgspec.structs.replace(CHEAP, fee_factor=2.0)
    turnovers = []
    for assumed in (CHEAP, dear):
        per_seed = []
        for seed in (1, 2, 3):
            plan = plan_of(tmp_path, seed, assumed=assumed)
            found = evolve(plan, history)
            per_seed.append(found.state.told[-1].turnover)
        turnovers.append(float(np.median(per_seed)))
    assert turnovers[1] < turnovers[0]


def stop_after(number: int) -> Callable[[Generation], None]:
    """Ends a run as Ctrl-C would."""

    def stop(told: Generation) -> None:
        if told.number + 1 == number:
            raise KeyboardInterrupt

    return stop


def test_stopped_and_resumed_or_with_more_workers_it_ends_the_same(tmp_path: Path) -> None:
    history = market(tmp_path, 6)
    whole = evolve(plan_of(tmp_path / "a", 3), history)
    kept = tmp_path / "run.checkpoint"
    plan = plan_of(tmp_path / "b", 3, workers=2)
    with pytest.raises(KeyboardInterrupt):
        evolve(plan, history, checkpoint=kept, on_generation=stop_after(4))
    resumed = evolve(plan, history, checkpoint=kept)
    assert whole.document == resumed.document
    assert texts(whole)
    assert msgspec.json.encode(whole.state) == msgspec.json.encode(resumed.state)
    other = evolve(plan_of(tmp_path / "c", 4), history)
    assert texts(other) != texts(whole)


def test_the_held_back_part_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run of the same checkpoint repeats what was said and plays nothing of it again."""
    history, kept = market(tmp_path, 1, **EDGE), tmp_path / "run.checkpoint"
    plan = plan_of(tmp_path, 1, generations=12)
    held = parts_of(history, plan).held_back
    looks: list[evolving.Part] = []
    plain = evolving.Arena.__init__

    def looked(arena: evolving.Arena, *given: object, **more: object) -> None:
        looks.extend(it.part for it in given if isinstance(it, evolving.Cut) and it.part == held)
        plain(arena, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(evolving.Arena, "__init__", looked)
    first = evolve(plan, history, checkpoint=kept)
    again = evolve(plan, history, checkpoint=kept)
    assert first.document == again.document
    assert first.document["promoted"] and len(looks) == 1
    longer = msgspec.structs.replace(plan, generations=14)
    later = evolve(longer, history, checkpoint=kept)
    known = {each.genome for each in first.champions if each.held_back is not None}
    assert {it.genome for it in later.champions if it.held_back is not None} <= known
    assert len(looks) == 1


def test_a_champion_trades_in_a_backtest_as_it_was_judged(tmp_path: Path) -> None:
    """The text of a champion, its lineage back to a birth, and the report."""
    history, plan = market(tmp_path, 1), plan_of(tmp_path, 1)
    found = evolve(plan, history)
    champion = found.champions[0]
    ancestors = lineage(found.state, champion.genome)
    assert ancestors[0].genome == champion.genome
    assert any(birth.how == "born" and not birth.parents for birth in ancestors)
    settings = msgspec.structs.replace(plan.base, given={"genome": champion.genome})
    arena = evolving.arena_of(plan, history, found.parts.bred)
    (verdict,) = arena.judge(evolving.genomes_of([champion.genome], plan))
    cut = load_history(
        list(tmp_path.glob("*.parquet")), ["BTCUSDT"], end_ns=found.parts.bred.end_ns
    )
    summary, _ = Backtest(settings, cut).run()
    assert summary["final_equity"] == format(verdict.equity, "f")
    page = render(found)
    for words in ("Family of the first champion", "What was traded off", "held back"):
        assert words in page


def test_what_cannot_be_evolved_is_refused(tmp_path: Path) -> None:
    history = market(tmp_path, 1, days=20)
    with pytest.raises(DataInvalid, match="20 whole days"):
        evolve(plan_of(tmp_path), history)
    history = market(tmp_path, 1)
    kept = tmp_path / "run.checkpoint"
    evolve(plan_of(tmp_path, generations=1), history, checkpoint=kept)
    with pytest.raises(InputError, match="other seed"):
        evolve(plan_of(tmp_path, 9), history, checkpoint=kept)
    kept.write_text("{}")
    with pytest.raises(InputError, match="no checkpoint"):
        evolve(plan_of(tmp_path), history, checkpoint=kept)


FEATURES = '''
import numpy as np

def stretch(bars):
    """Where the close stands between the extremes of the last 30 bars."""
    close = bars["close"]
    found = np.full(close.size, np.nan)
    if close.size >= 30:
        part = np.lib.stride_tricks.sliding_window_view(close, 30)
        found[29:] = (close[29:] - part.min(axis=1)) / np.maximum(np.ptp(part, axis=1), 0.1)
    return found

def tomorrow(bars):
    """The next bar's return."""
    close = bars["close"]
    return np.append(close[1:] / close[:-1] - 1, 0.0)

def scaled(bars):
    """By the mean of the whole record."""
    return bars["close"] / bars["close"].mean()

def filled(bars):
    """A warm-up that is filled backwards."""
    close = bars["close"]
    found = np.convolve(close, np.ones(20) / 20)[: close.size]
    found[:19] = found[19] if close.size > 19 else 0.0
    return found
'''


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "features.py"
    path.write_text(FEATURES)
    return path


@pytest.mark.parametrize("name", ["tomorrow", "scaled", "filled"])
def test_a_feature_that_looks_ahead_is_refused(tmp_path: Path, features: Path, name: str) -> None:
    """T1 and T2 before anything is bred: no trial is judged, none is logged."""
    plan = plan_of(tmp_path, features=load_all([f"{features}:{name}"]))
    with pytest.raises(LookAhead, match=f"feature {name} looks ahead: at bar"):
        evolve(plan, market(tmp_path, 1))
    assert not plan.log.exists()


def test_a_feature_of_the_user_is_bred_and_traded(tmp_path: Path, features: Path) -> None:
    """The same feature in the judge and in the engine: same fills, same equity."""
    spec = f"{features}:stretch"
    found = evolve(plan_of(tmp_path, features=load_all([spec])), market(tmp_path, 1))
    assert any("stretch" in text for text in found.state.trials)
    text = "long when stretch < 0.05; exit when zscore(21, stretch) > 1; stop 2 atr; hold 60 bars"
    path = write_planted(tmp_path, 1, days=4)
    history = load_history([path], ["BTCUSDT"])
    base = BacktestSettings("genome", ("BTCUSDT",), {"genome": text, "features": spec})
    ground = Ground(material_of(base, history, features=load_all([spec])))
    (verdict,) = ground.judge([read(text, ["stretch"])])
    summary, _ = Backtest(base, history).run()
    assert (verdict.orders, verdict.equity) == (summary["orders"], Decimal(summary["final_equity"]))
    assert verdict.orders > 60
    with pytest.raises(ParameterInvalid, match="nearest"):
        read(text)
