# SPDX-License-Identifier: Apache-2.0
"""`evolving.py`: evolution on recorded bars, honestly. The record is cut in three by whole days,
with days left out between them: the first part is bred on, in folds; the second, which no genome
was chosen by, judges the champions; the last is opened once, for those that have passed, and what
it said is kept for ever in the run's checkpoint. Every genome ever judged counts as a trial.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean import __version__
from hean.backtest.judging import Ground, Verdict
from hean.backtest.material import Material, bars_of, material_of
from hean.backtest.result import Times, Values
from hean.backtest.run import BacktestSettings
from hean.core.timeframe import DAY_NS
from hean.data.fingerprint import iso_utc
from hean.errors import DataInvalid, ParameterInvalid
from hean.evaluate import trial_log
from hean.feeds.history import History
from hean.genome.features import Feature, prove
from hean.genome.text import read
from hean.genome.tree import Genome, size_of
from hean.quant import performance
from hean.symbiont.evolution import Settings
from hean.symbiont.select import Score

SAMPLE_NS = 3_600 * 10**9
FOLD_DAYS_MIN = 5
PART_DAYS_MIN = 10


class Plan(msgspec.Struct, frozen=True):
    """What to evolve on. *base*: account, costs and latency, as of a backtest. *folds*: of the part
    that is bred on. *embargo* [days]: between parts and folds. *holdout*: share of the days that is
    held back, and as much again for judging champions. *log*: folder of the trial log.
    *features*: of the user's.
    """

    base: BacktestSettings
    log: Path
    population: int = 50
    generations: int = 20
    workers: int = 1
    folds: int = 4
    embargo: int = 2
    holdout: float = 0.2
    trips_min: int = 100
    features: tuple[Feature, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """Days that belong together: first and last moment of play, and the first day that counts."""

    start_ns: int
    counts_ns: int
    end_ns: int

    @property
    def days(self) -> int:
        """How many count."""
        return (self.end_ns - self.counts_ns) // DAY_NS


class Parts(msgspec.Struct, frozen=True):
    """The record cut in three; the days before a part counts let its indicators warm up."""

    bred: Part
    judged: Part
    held_back: Part


def parts_of(history: History, plan: Plan) -> Parts:
    """*Raises*: `DataInvalid` for too few days."""
    first, last = -(-history.start_ns // DAY_NS), history.end_ns // DAY_NS
    days, gap = last - first, plan.embargo
    held = int(days * plan.holdout)
    cuts = (first, last - 2 * held - gap, last - held, last)
    lengths = (cuts[1] - first, held - gap, held - gap)
    if min(lengths) < PART_DAYS_MIN or lengths[0] // plan.folds < FOLD_DAYS_MIN + gap:
        raise DataInvalid(
            f"{days} whole days make parts of {lengths[0]}, {lengths[1]} and {lengths[2]} days; "
            f"needed: {PART_DAYS_MIN} in each, and {plan.folds} folds of "
            f"{FOLD_DAYS_MIN + gap} in the first. Give more data, fewer --folds or less --embargo."
        )

    def part(start: int, counts: int, end: int) -> Part:
        return Part(start * DAY_NS, counts * DAY_NS, end * DAY_NS)

    return Parts(
        part(cuts[0], cuts[0], cuts[1]),
        part(cuts[1], cuts[1] + gap, cuts[2] - gap),
        part(cuts[2] - gap, cuts[2], cuts[3]),
    )


class Cut(msgspec.Struct, frozen=True):
    """What scores of a ground go by: its part of the record, and the folds of that part."""

    part: Part
    folds: int
    embargo: int


class Arena:
    """One part of the record as ground for genomes. *threads*: that judge; they change the time
    only."""

    def __init__(self, material: Material, cut: Cut, *, threads: int = 1) -> None:
        self.material, self.cut, self.part, self.threads = material, cut, cut.part, threads
        self.ground = Ground(material)
        times = np.concatenate([[self.part.start_ns], self.ground.sampled])
        # Where the last bars are missing, the end is the last sample.
        self._is_cut = bool(times[-1] < self.part.end_ns)
        if self._is_cut:
            times = np.append(times, self.part.end_ns)
        self._days = np.flatnonzero(times % DAY_NS == 0)
        self._counted = times[self._days[1:]] > self.part.counts_ns
        self.day_ns: Times = times[self._days[1:]][self._counted] - DAY_NS
        self.market = self._market()

    def judge(self, genomes: Sequence[Genome]) -> list[Verdict]:
        """What each would have earned."""
        return self.ground.judge(genomes, threads=self.threads)

    def scores(self, genomes: Sequence[Genome]) -> list[Score]:
        """What breeding goes by, of each; a score depends on its genome alone."""
        verdicts = self.judge(genomes)
        return [self.score(one, it) for one, it in zip(genomes, verdicts, strict=True)]

    def returns(self, verdict: Verdict) -> Values:
        """Net returns of the days that count, as 32-bit floats have them."""
        ends = [float(verdict.equity)] if self._is_cut else []
        equity = np.concatenate([[self.ground.cash], verdict.samples, ends])[self._days]
        before = np.maximum(equity[:-1], 1e-9)
        daily = (equity[1:] / before - 1)[self._counted]
        return np.asarray(daily.astype("<f4").astype(np.float64))

    def score(self, genome: Genome, verdict: Verdict) -> Score:
        """What breeding goes by."""
        daily = self.returns(verdict)
        folds = tuple(_sharpe(daily[rows]) for rows in self.folds(daily.size))
        over_folds = float(np.median(folds)) - float(np.std(folds)) / len(folds) ** 0.5
        sides = [over_folds, *([self._weakest(verdict)] if len(self.ground.symbols) > 1 else [])]
        days = max(daily.size, 1)
        return Score(
            robust=float(np.mean(sides)),
            growth=float(np.log1p(np.maximum(daily, -0.999)).mean()) if daily.size else 0.0,
            drawdown=verdict.drawdown,
            turnover=float(verdict.value.sum()) / self.ground.cash / days,
            trips=int(verdict.result.size),
            is_ruined=verdict.ruined_ns is not None,
            size=size_of(genome),
            sharpe=_sharpe(daily),
            folds=folds,
            behaviour=self._behaviour(verdict, daily),
            returns=base64.b64encode(daily.astype("<f4").tobytes()).decode(),
        )

    def folds(self, days: int) -> list[Values]:
        """Rows of each fold: neighbours, with the embargo left out between them."""
        edges = np.linspace(0, days, self.cut.folds + 1).astype(int)
        gaps = [0, *([self.cut.embargo] * (self.cut.folds - 1))]
        pairs = zip(pairwise(edges), gaps, strict=True)
        return [np.arange(begin + gap, end) for (begin, end), gap in pairs]

    def _weakest(self, verdict: Verdict) -> float:
        """Sharpe per day of the round trips of the weaker symbol; 0 for one that is not traded."""
        found = []
        for number in range(len(self.ground.symbols)):
            results = verdict.result[verdict.symbol == number]
            spread = float(results.std()) if results.size > 1 else 0.0
            mean = float(results.mean()) if results.size else 0.0
            found.append(mean / spread * (results.size / self.part.days) ** 0.5 if spread else 0.0)
        return min(found)

    def _behaviour(self, verdict: Verdict, daily: Values) -> tuple[float, ...]:
        count = verdict.result.size
        if not count:
            return 0.0, 0.0, 0.5, 0.5
        held = float((verdict.over.astype(np.int64) - verdict.decided).mean())
        together = 0.0
        if daily.std() > 0 and self.market.std() > 0:
            together = float(np.corrcoef(daily, self.market)[0, 1])
        return (
            min(float(np.log1p(count / self.part.days)) / 6, 1.0),
            min(float(np.log1p(held)) / 8, 1.0),
            float((verdict.direction > 0).mean()),
            0.5 + together / 2,
        )

    def _market(self) -> Values:
        """Daily returns of holding all symbols in equal parts."""
        ends = np.concatenate([self.day_ns[:1], self.day_ns + DAY_NS])
        total = np.zeros(self.day_ns.size)
        for rows_ns, closes in zip(self.ground.rows_ns, self.ground.closes, strict=True):
            places = np.clip(np.searchsorted(rows_ns, ends, side="right") - 1, 0, None)
            total += np.diff(closes[places]) / closes[places][:-1]
        return total / len(self.ground.symbols)


def arena_of(plan: Plan, history: History, part: Part, *, costs: float = 1.0) -> Arena:
    """The arena of a part. *costs*: of trading, in times of the plan's."""
    base = plan.base
    if costs != 1.0:
        given = base.assumptions
        dearer = msgspec.structs.replace(
            given,
            fee_factor=given.fee_factor * costs,
            half_spread=given.half_spread * costs,
            impact=given.impact * costs,
        )
        base = msgspec.structs.replace(base, assumptions=dearer)
    cut = dataclasses.replace(history, start_ns=part.start_ns, end_ns=part.end_ns)
    material = material_of(base, cut, step_ns=SAMPLE_NS, features=plan.features)
    return Arena(material, Cut(part, plan.folds, plan.embargo), threads=plan.workers)


def settings_of(plan: Plan, history: History) -> Settings:
    """What the run depends on, as the checkpoint keeps it."""
    parts = parts_of(history, plan)
    told = [
        __version__,
        [print_["sha256"] for print_ in history.fingerprints],
        repr(plan.base.account),
        repr(plan.base.assumptions),
        msgspec.to_builtins(parts),
        [plan.folds, plan.embargo],
        [[feature.name, feature.digest] for feature in plan.features],
    ]
    ground = hashlib.sha256(msgspec.json.encode(told)).hexdigest()
    if plan.population < 8:
        raise ParameterInvalid(f"--population {plan.population}; allowed: at least 8, nearest 8.")
    names = tuple(feature.name for feature in plan.features)
    return Settings(
        plan.base.seed, plan.population, plan.generations, tuple(history.markets), plan.trips_min,
        ground, names,
    )  # fmt: skip


def daily_of(score: Score) -> Values:
    """The daily returns that a score keeps."""
    return np.frombuffer(base64.b64decode(score.returns), dtype="<f4").astype(np.float64)


def logged(plan: Plan, settings: Settings, part: Part, trials: dict[str, Score]) -> int:
    """Keep every trial in the log. *Returns*: how many have looked at these symbols, ever."""
    code = trial_log.code_hash("genome")
    lines = [
        trial_log.Trial(
            hashlib.sha256(f"{code} {settings.ground} {text}".encode()).hexdigest(),
            "genome",
            code,
            settings.ground,
            list(settings.symbols),
            {"genome": text},
            settings.seed,
            score.sharpe,
            part.counts_ns // DAY_NS,
            score.returns,
            trial_log.FIRST,
        )
        for text, score in trials.items()
    ]
    found = trial_log.append(plan.log, lines)
    return len(trial_log.about(found.trials, settings.symbols))


def said(part: Part) -> dict[str, Any]:
    """A part for the document."""
    return {"start": iso_utc(part.counts_ns), "end": iso_utc(part.end_ns), "days": part.days}


def genomes_of(texts: Sequence[str], plan: Plan) -> list[Genome]:
    """Genomes by their texts."""
    names = [feature.name for feature in plan.features]
    return [read(text, names) for text in texts]


def prove_features(plan: Plan, history: History) -> None:
    """Refuse a feature that looks ahead, on any symbol. *Raises*: `LookAhead`."""
    for market in history.markets.values():
        bars = bars_of(market, (history.start_ns, history.end_ns))
        for feature in plan.features:
            prove(feature, bars, seed=plan.base.seed)


def _sharpe(returns: Values) -> float:
    """Per day; 0 without spread."""
    return performance.sharpe(returns, periods=1.0) or 0.0
