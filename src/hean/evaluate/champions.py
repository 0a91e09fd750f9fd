# SPDX-License-Identifier: Apache-2.0
"""`champions.py`: what can be believed of the best of an evolution. The Sharpe ratio where it was
bred is charged for every genome ever judged; what was chosen is judged again where nothing was
chosen, and dearer; the held-back part is opened for those that pass everything else, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from hean.backtest.judging import Verdict
from hean.backtest.result import Values
from hean.evaluate import judgement
from hean.evaluate.evolving import Arena, Parts, Plan, arena_of, daily_of, genomes_of
from hean.feeds.history import History
from hean.quant import performance
from hean.quant.overfitting import backtest_overfitting
from hean.quant.performance import DAYS_PER_YEAR
from hean.quant.sharpe import deflated_sharpe, expected_maximum_sharpe, probabilistic_sharpe
from hean.symbiont.evolution import State, front

CHAMPIONS_MAX = 5
ALIKE = 0.9  # correlation of daily returns from which two champions are one
CONFIDENCE = 0.95
OVERFITTING_MAX = 0.2
DEARER = 1.5
TRIALS_MAX = 600  # of the tests that compare all trials with each other; more are thinned evenly
CSCV_BLOCKS = 10


class Shown(msgspec.Struct, frozen=True):
    """A champion on one part: net daily returns, and figures of them."""

    returns: list[float]
    sharpe: float | None
    growth: float
    drawdown: float
    trips: int
    probability: float | None


class Gate(msgspec.Struct, frozen=True):
    """A line of the gate."""

    name: str
    found: float | None
    needed: str
    passed: bool


class Champion(msgspec.Struct, frozen=True):
    """*deflated*: probability that its Sharpe ratio is above what luck shows in as many trials."""

    genome: str
    bred: Shown
    judged: Shown
    deflated: float | None
    gates: list[Gate]
    promoted: bool
    held_back: Shown | None = None


class Honest(msgspec.Struct, frozen=True):
    """Of all trials together. *luck*: Sharpe of a year that the best of them shows without skill;
    *overfitting*: probability by CSCV; *walked*: daily returns of always trading what had been best
    until then, from row *walked_from*.
    """

    trials: int
    luck: float
    overfitting: float | None
    walked: list[float]
    walked_from: int
    walked_sharpe: float | None


def honest(state: State, plan: Plan, arena: Arena, counted: int) -> Honest:
    """Figures over all trials. *counted*: trials ever on these symbols."""
    scores = list(state.trials.values())
    step = -(-len(scores) // TRIALS_MAX)
    returns = np.column_stack([daily_of(score) for score in scores[::step]])
    days = len(returns)
    walked = judgement.walk(returns, folds=plan.folds + 1, embargo=plan.embargo)
    pbo = None
    if judgement.distinct(returns) > 1 and days >= 2 * CSCV_BLOCKS:
        pbo = backtest_overfitting(returns, blocks=CSCV_BLOCKS).probability
    luck = expected_maximum_sharpe(1 / max(days - 1, 1), counted) * DAYS_PER_YEAR**0.5
    return Honest(
        counted, luck, pbo, walked.returns.tolist(), walked.start,
        performance.sharpe(walked.returns),
    )  # fmt: skip


def champions(
    state: State, plan: Plan, history: History, parts: Parts, of_all: Honest
) -> list[Champion]:
    """The most robust of the first front, judged where they were not chosen."""
    texts = _different(state)
    if not texts:
        return []
    genomes = genomes_of(texts, plan)
    bred, judged = (arena_of(plan, history, part) for part in (parts.bred, parts.judged))
    dearer = arena_of(plan, history, parts.judged, costs=DEARER)
    seen = [[shown(arena, verdict) for verdict in arena.judge(genomes)]
            for arena in (bred, judged, dearer)]  # fmt: skip
    found = []
    for text, first, second, third in zip(texts, *seen, strict=True):
        deflated = charged(np.array(first.returns), of_all.trials)
        gates = _gates(deflated, of_all.overfitting, second, third, len(texts))
        passed = all(gate.passed for gate in gates)
        found.append(Champion(text, first, second, deflated, gates, passed))
    return found


def _different(state: State) -> list[str]:
    """The most robust of the first front that do not earn on the same days as a better one."""
    found: list[str] = []
    kept: list[Values] = []
    for text in front(state):
        daily = daily_of(state.trials[text])
        if daily.std() > 0 and all(np.corrcoef(daily, one)[0, 1] < ALIKE for one in kept):
            found.append(text)
            kept.append(daily)
        if len(found) == CHAMPIONS_MAX:
            break
    return found


def opened(
    found: Sequence[Champion], plan: Plan, history: History, parts: Parts,
    known: dict[str, Shown], keep: Callable[[dict[str, Shown]], None],
) -> list[Champion]:  # fmt: skip
    """Open the held-back part for those that passed. *known*: what it has said before, which is not
    asked again; *keep*: told what it says before anybody else hears of it. One that loses there is
    not promoted.
    """
    wanted = [each.genome for each in found if each.promoted]
    asked = [text for text in wanted if text not in known]
    if asked and not known:  # the first look is the only one
        arena = arena_of(plan, history, parts.held_back)
        verdicts = arena.judge(genomes_of(asked, plan))
        known = {text: shown(arena, it) for text, it in zip(asked, verdicts, strict=True)}
        keep(known)
    return [_with(each, known.get(each.genome)) for each in found]


def charged(returns: Values, trials: int) -> float | None:
    """Deflated Sharpe: under the hypothesis that no trial has any skill, a trial's ratio varies by
    what the length of the record leaves to chance. The spread among genomes is no measure of that:
    most of them differ by the costs they pay.
    """
    ratio = judgement.day_sharpe(returns)
    skew, kurt = performance.skewness(returns), performance.kurtosis(returns)
    if ratio is None or skew is None or kurt is None:
        return None
    variance = 1 / max(returns.size - 1, 1)
    return deflated_sharpe(
        ratio, returns.size, variance=variance, trials=trials, skew=skew, kurt=kurt
    )


def shown(arena: Arena, verdict: Verdict) -> Shown:
    """A verdict in figures."""
    daily = arena.returns(verdict)
    ratio = judgement.day_sharpe(daily)
    skew, kurt = performance.skewness(daily), performance.kurtosis(daily)
    sure = None
    if ratio is not None and skew is not None and kurt is not None:
        sure = probabilistic_sharpe(ratio, daily.size, skew=skew, kurt=kurt)
    equity = np.concatenate([[1.0], np.cumprod(1 + daily)])
    return Shown(
        daily.tolist(), performance.sharpe(daily), float(equity[-1]) - 1,
        performance.max_drawdown(equity) or 0.0, int(verdict.result.size), sure,
    )  # fmt: skip


def _gates(
    deflated: float | None, pbo: float | None, judged: Shown, dearer: Shown, asked: int
) -> list[Gate]:
    sure = 1 - (1 - CONFIDENCE) / asked  # as many champions are asked at once
    return [
        Gate("deflated Sharpe", deflated, f">= {CONFIDENCE}", (deflated or 0) >= CONFIDENCE),
        Gate("overfitting", pbo, f"<= {OVERFITTING_MAX}", pbo is not None and
             pbo <= OVERFITTING_MAX),
        Gate("probability of skill, judged", judged.probability, f">= {sure:.3f}",
             (judged.probability or 0) >= sure),
        Gate(f"result at {DEARER} x costs, judged", dearer.growth, "> 0", dearer.growth > 0),
    ]  # fmt: skip


def _with(champion: Champion, held_back: Shown | None) -> Champion:
    if not champion.promoted:
        return champion
    growth = None if held_back is None else held_back.growth
    gate = Gate("result, held back", growth, "> 0", (growth or 0) > 0)
    return msgspec.structs.replace(
        champion, held_back=held_back, gates=[*champion.gates, gate], promoted=gate.passed
    )


def document(each: Champion, lineage: list[Any]) -> dict[str, Any]:
    """A champion for JSON; the daily returns stay out."""
    parts = {}
    for name in ("bred", "judged", "held_back"):
        part = getattr(each, name)
        whole = None if part is None else msgspec.to_builtins(part)
        parts[name] = whole and {key: value for key, value in whole.items() if key != "returns"}
    return {
        "genome": each.genome,
        "promoted": each.promoted,
        "deflated_sharpe": each.deflated,
        **parts,
        "gates": msgspec.to_builtins(each.gates),
        "lineage": msgspec.to_builtins(lineage),
    }
