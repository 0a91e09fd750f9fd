# SPDX-License-Identifier: Apache-2.0
"""`metrics.py`: what a model achieved on rows it never saw, beside what knowing nothing but the
training's share of wins achieves. Skill that cannot be told from luck is called that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hean.errors import DataInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.int64]]

BINS = 10
SIGNIFICANT = 2.0  # standard errors


def auc(scores: Array, outcomes: Array) -> float:
    """Chance that a win scores above a loss, ties count half; nan without both."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    values, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    ranks[order] = np.repeat(first + (counts + 1) / 2.0, counts)
    wins = float(np.sum(outcomes))
    losses = len(outcomes) - wins
    if not wins or not losses or not len(values):
        return math.nan
    return float((np.sum(ranks[outcomes > 0]) - wins * (wins + 1) / 2) / (wins * losses))


def losses(probabilities: Array, outcomes: Array) -> Array:
    """Log loss of each row, in nats."""
    return -np.log(np.where(outcomes > 0, probabilities, 1.0 - probabilities))


def reliability(probabilities: Array, outcomes: Array) -> list[dict[str, float]]:
    """Rows by tenths of their probability: what was said, what came, how often."""
    table = []
    for part in np.array_split(np.argsort(probabilities, kind="stable"), BINS):
        if len(part):
            said, came = float(np.mean(probabilities[part])), float(np.mean(outcomes[part]))
            table.append({"predicted": said, "observed": came, "rows": float(len(part))})
    return table


def apart(bar: Indices, end: Indices) -> Indices:
    """Rows whose outcomes do not overlap: the first, and then always the next after its end."""
    chosen: list[int] = []
    free = -1
    for at, (start, last) in enumerate(zip(bar.tolist(), end.tolist(), strict=True)):
        if start >= free:
            chosen.append(at)
            free = last
    return np.asarray(chosen, dtype=np.int64)


def evaluate(
    scores: tuple[Array, Array], outcomes: Array, net: Array, distinct: Indices, base: float
) -> dict[str, Any]:
    """All figures of one slice. *scores*: uncalibrated and calibrated probability; *base*: share of
    wins that the training knew; *distinct*: rows that do not overlap, for standard errors.
    """
    plain, calibrated = scores
    if not len(outcomes) or not 0 < base < 1:
        raise DataInvalid(f"{len(outcomes)} rows at a base rate of {base:g}; nothing to measure.")
    known = losses(np.full(len(outcomes), base), outcomes)
    own = losses(calibrated, outcomes)
    gain = (known - own)[distinct]
    error = float(np.std(gain, ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else math.nan
    brier = float(np.mean((calibrated - outcomes) ** 2))
    brier_base = float(np.mean((base - outcomes) ** 2))
    best = np.argsort(calibrated, kind="stable")[-max(len(calibrated) // BINS, 1) :]
    t_gain = float(np.mean(gain)) / error if error and error > 0 else 0.0
    return {
        "rows": len(outcomes),
        "rows_apart": len(distinct),
        "win_rate": float(np.mean(outcomes)),
        "win_rate_training": base,
        "auc": _finite(auc(calibrated, outcomes)),
        "log_loss": float(np.mean(own)),
        "log_loss_uncalibrated": float(np.mean(losses(plain, outcomes))),
        "log_loss_base": float(np.mean(known)),
        "log_loss_gain_t": t_gain,
        "brier": brier,
        "brier_base": brier_base,
        "brier_skill": 1.0 - brier / brier_base,
        "net_mean": float(np.mean(net)),
        "net_mean_best_tenth": float(np.mean(net[best])),
        "win_rate_best_tenth": float(np.mean(outcomes[best])),
        "reliability": reliability(calibrated, outcomes),
    }


def verdict(found: dict[str, Any]) -> str:
    """One sentence for a person, bad news included."""
    t, best = found["log_loss_gain_t"], found["net_mean_best_tenth"]
    if t < SIGNIFICANT:
        skill = f"no skill that could not be luck (t {t:.1f} against the base rate)"
    else:
        skill = f"better than the base rate out of sample (t {t:.1f})"
    earns = "earned" if best > 0 else "lost"
    return f"{skill}; its best tenth {earns} {abs(best) * 1e4:.1f} bp a trade after costs"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
