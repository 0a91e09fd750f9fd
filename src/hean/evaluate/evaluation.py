# SPDX-License-Identifier: Apache-2.0
"""`evaluation.py`: one evaluation from settings to document. All trials of the grid are played once
over the whole period; folds are cut out of their daily net results, so that every judgement uses
the same runs. A strategy that is switched between blocks therefore carries its position over, and
the cost of the switch itself is not charged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.backtest.result import Values
from hean.backtest.run import BacktestSettings
from hean.errors import ParameterInvalid
from hean.evaluate import judgement, stress, trial_log, verdict
from hean.evaluate.chance import Bands, monte_carlo
from hean.evaluate.plays import Play, Played, Recording, play_plainly, players
from hean.evaluate.regimes import by_regime, by_year
from hean.quant import performance
from hean.quant.clusters import cluster, correlations
from hean.quant.overfitting import Overfitting
from hean.quant.performance import DAYS_PER_YEAR

TRIALS_MAX = 1_000  # of one grid; more is a search, and needs another protocol
DRAWS = 5_000
RUN_FIELDS = (
    "strategy", "symbols", "params", "start", "end", "seed", "version", "initial_equity",
    "final_equity", "net_pnl", "buy_and_hold_return", "state_hash", "data", "assumptions",
)  # fmt: skip


class EvaluationSettings(msgspec.Struct, frozen=True):
    """What to evaluate. *base*: as of a backtest. *grid*: values by parameter name. *folds*,
    *embargo* [days]: of walk-forward and cross-validation. *log*: folder of the trial log.
    """

    base: BacktestSettings
    log: Path
    grid: Mapping[str, tuple[str, ...]] = {}
    folds: int = 6
    embargo: int = 5
    processes: int = 1

    @property
    def runs(self) -> int:
        """Backtests that it takes."""
        return len(self.trials()) + len(stress.worlds())

    def trials(self) -> list[BacktestSettings]:
        """Every combination of the grid. *Raises*: `ParameterInvalid` for too many."""
        number = math.prod(len(values) for values in self.grid.values())
        if number > TRIALS_MAX:
            raise ParameterInvalid(f"--grid makes {number:,} trials; allowed: {TRIALS_MAX:,}.")
        return [
            msgspec.structs.replace(
                self.base, given={**self.base.given, **dict(zip(self.grid, values, strict=True))}
            )
            for values in product(*self.grid.values())
        ]


class Evaluation(msgspec.Struct, frozen=True):
    """What came of it. *document*: for JSON. *trials*: the runs; *returns*: days x trials, of the
    days from *first_day* on. *routes*: paths of cross-validation. *stressed*: worlds with their
    runs."""

    document: dict[str, Any]
    trials: list[Played]
    best: int
    first_day: int
    returns: Values
    walked: judgement.Walked
    routes: Values
    stressed: list[tuple[stress.World, Played]]
    bands: Bands | None
    overfitting: Overfitting | None


def evaluate(
    settings: EvaluationSettings,
    recording: Recording,
    *,
    play: Play = play_plainly,
    on_done: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Play, judge, stress. *on_done*: told after each of the `runs`. *Raises*: `ParameterInvalid`,
    `DataInvalid`, and what a strategy raises.
    """
    jobs, worlds = settings.trials(), stress.worlds()
    market = recording.load()
    days = -(-(market.end_ns - market.start_ns) // (86_400 * 10**9))
    judgement.check_days(days, folds=settings.folds, embargo=settings.embargo)
    with players(recording, play, processes=settings.processes) as run:
        trials = run(jobs, on_done)
        log = trial_log.append(settings.log, _lines(settings, trials))
        best, _ = judgement.choose(np.column_stack([trial.returns for trial in trials]))
        harder = [stress.harder(jobs[best], world) for world in worlds]
        stressed = list(zip(worlds, run(harder, on_done), strict=True))
    return _judged(settings, trials, stressed, best=best, log=log)


def _lines(settings: EvaluationSettings, trials: Sequence[Played]) -> list[trial_log.Trial]:
    code = trial_log.code_hash(settings.base.strategy)
    return [
        trial_log.trial_of(trial, code, sharpe=judgement.day_sharpe(trial.returns))
        for trial in trials
    ]


def _judged(
    settings: EvaluationSettings,
    trials: list[Played],
    stressed: list[tuple[stress.World, Played]],
    *,
    best: int,
    log: trial_log.Found,
) -> Evaluation:
    returns = np.column_stack([trial.returns for trial in trials])
    exposure = np.column_stack([trial.exposure for trial in trials])
    chosen, base = trials[best], settings.base
    walked = judgement.walk(returns, folds=settings.folds, embargo=settings.embargo)
    routes = judgement.crossed(returns, folds=settings.folds, embargo=settings.embargo)
    tested = judgement.superiority(returns, exposure, chosen.market, draws=DRAWS, seed=base.seed)
    pbo, why = judgement.overfitting(returns)
    counted = trial_log.about(log.trials, base.symbols)
    series = [(trial.first_day, trial.daily) for trial in counted]
    ideas = int(cluster(correlations(series)).max()) + 1
    luck = [trial.sharpe or 0.0 for trial in counted]
    trusted = judgement.confidence(chosen.returns, ratios=luck, clusters=ideas)
    bands = monte_carlo(chosen.trades, seed=base.seed)
    document = {
        **_run(settings, chosen),
        "trials": {
            "grid": len(trials),
            "distinct": judgement.distinct(returns),
            "counted": len(counted),
            "clusters": ideas,
            "problems": log.problems,
            "table": [_trial(trial) for trial in trials],
        },
        "best": _best(chosen, trusted),
        "deflated_sharpe": trusted.deflated,
        "deflated_sharpe_raw": trusted.deflated_raw,
        "walk_forward": _walked(walked, trials),
        "cpcv": _routes(routes),
        "overfitting": _overfitting(pbo, why, len(trials)),
        "spa": msgspec.to_builtins(tested),
        "stress": _stress(chosen, stressed),
        "capacity": _capacity(chosen, stressed),
        "monte_carlo": None if bands is None else _bands(bands),
        "years": by_year(chosen.first_day, chosen.returns),
        "regimes": by_regime(chosen.returns, chosen.market),
    }
    lines = verdict.gates(document)
    document["gates"] = msgspec.to_builtins(lines)
    document["survives"] = all(line.passed for line in lines)
    document["verdict"] = verdict.sentence(lines)
    return Evaluation(
        _plain(document), trials, best, chosen.first_day, returns, walked, routes, stressed,
        bands, pbo,
    )  # fmt: skip


def _run(settings: EvaluationSettings, chosen: Played) -> dict[str, Any]:
    """What was evaluated: the fields of CONTRACT 3 that make sense here."""
    return {
        **{name: chosen.summary[name] for name in RUN_FIELDS},
        "grid": {name: list(values) for name, values in settings.grid.items()},
        "folds": settings.folds,
        "embargo_days": settings.embargo,
    }


def _trial(trial: Played) -> dict[str, Any]:
    kept = ("params", "net_pnl", "sharpe", "max_drawdown_fraction", "trades", "turnover", "fees")
    return {name: trial.summary[name] for name in kept}


def _best(chosen: Played, trusted: judgement.Confidence) -> dict[str, Any]:
    kept = ("trades", "max_drawdown_fraction", "turnover", "exposure_fraction", "win_rate")
    return {
        "params": chosen.summary["params"],
        "days": trusted.days,
        "sharpe": trusted.ratio,
        "sharpe_lo": trusted.lo_ratio,
        "sharpe_error": trusted.error,
        "sharpe_error_hac": trusted.hac_error,
        "sharpe_of_luck": trusted.luck,
        "probabilistic_sharpe": trusted.probability,
        "min_track_record_days": trusted.needed,
        "conditional_value_at_risk_95": performance.conditional_value_at_risk(chosen.returns),
        "costs": {name: chosen.summary[name] for name in ("fees", "funding", "slippage_cost")},
        **{name: chosen.summary[name] for name in kept},
    }


def _walked(walked: judgement.Walked, trials: Sequence[Played]) -> dict[str, Any]:
    trusted = judgement.confidence(walked.returns)
    root = math.sqrt(DAYS_PER_YEAR)
    return {
        "sharpe": trusted.ratio,
        "probabilistic_sharpe": trusted.probability,
        "return": float(np.prod(1 + walked.returns)) - 1,
        "max_drawdown_fraction": performance.max_drawdown(_equity(walked.returns)),
        "days": walked.returns.size,
        "steps": [
            {
                "learned": list(step.learned),
                "tested": list(step.tested),
                "params": trials[step.chosen].summary["params"],
                "sharpe_before": step.before * root,
                "sharpe_after": None if step.after is None else step.after * root,
            }
            for step in walked.steps
        ],
    }


def _routes(routes: Values) -> dict[str, Any]:
    ratios = [performance.sharpe(route) for route in routes]
    known = [ratio for ratio in ratios if ratio is not None]
    return {
        "paths": len(routes),
        "sharpe": ratios,
        "sharpe_median": float(np.median(known)) if known else None,
        "sharpe_low": min(known, default=None),
        "positive_years": judgement.positive_years(routes),
    }


def _overfitting(found: Overfitting | None, why: str, trials: int) -> dict[str, Any]:
    if found is None:
        return {"trials": trials, "probability": None, "reason": why}
    return {
        "trials": trials,
        "probability": found.probability,
        "loss_probability": found.loss_probability,
        "logit_median": float(np.median(found.logits)),
        "degradation_slope": found.slope,
        "choices": found.logits.size,
    }


def _stress(chosen: Played, stressed: Sequence[tuple[stress.World, Played]]) -> dict[str, Any]:
    """Net result over the account in each world."""
    results = {stress.World(): _result(chosen)}
    results |= {world: _result(run) for world, run in stressed if world.size == 1}
    of = {
        "fees": [(factor, stress.World(fees=factor)) for factor in stress.FEES],
        "slippage": [(factor, stress.World(slippage=factor)) for factor in stress.SLIPPAGES],
        "latency": [(factor, stress.World(latency=factor)) for factor in stress.LATENCIES],
    }
    return {
        **{
            name: [{"factor": factor, "result": results[world]} for factor, world in rows]
            for name, rows in of.items()
        },
        "harsh_result": results[stress.World(*stress.HARSH)],
        "dear_result": results[stress.World(*stress.DEAR)],
    }


def _result(played: Played) -> float:
    initial = float(played.summary["initial_equity"])
    return float(played.summary["net_pnl"]) / initial


def _capacity(chosen: Played, stressed: Sequence[tuple[stress.World, Played]]) -> dict[str, Any]:
    account = float(chosen.summary["initial_equity"])
    sizes = [(account, chosen.summary["sharpe"])]
    sizes += [
        (float(run.summary["initial_equity"]), run.summary["sharpe"])
        for world, run in stressed
        if world.size > 1
    ]
    found = stress.capacity(chosen.summary["sharpe"], sizes)
    return {
        "account": found,
        "over_account": None if found is None else found / account,
        "sizes": [{"account": size, "sharpe": ratio} for size, ratio in sizes],
    }


def _bands(bands: Bands) -> dict[str, Any]:
    names = ("paths", "happened", "drawdown_shuffled", "drawdown", "final", "loss")
    return {name: getattr(bands, name) for name in names}


def _equity(returns: Values) -> Values:
    return np.concatenate(([1.0], np.cumprod(1 + returns)))


def _plain(value: Any) -> Any:
    """JSON knows no infinity: it is written as the word; NumPy numbers become plain ones."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case np.generic():
            return _plain(value.item())
        case float() if math.isinf(value):
            return str(value)
    return value
