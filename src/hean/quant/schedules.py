# SPDX-License-Identifier: Apache-2.0
"""`schedules.py`: when to trade how much of a large order. A schedule is a rising series of
cumulative shares; `cumulative_lots` alone turns shares into lots, by rounding the cumulative target
down, so that the slices always sum to the order. Nothing here knows a clock or sends anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean.errors import ParameterInvalid

Array = npt.NDArray[np.float64]

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; weeks begin on Monday
PSEUDO_MINUTES = 200.0  # how many minutes of history today's volume has to outweigh
GRAIN = 1e-6  # of a lot: what a sum of shares may lack by rounding


def cumulative_lots(lots: int, shares: Sequence[float] | Array) -> list[int]:
    """Slices of an order of *lots* along cumulative *shares* (rising, the last one 1).

    The cumulative target is rounded down and the difference taken, so no slice carries a residue
    of its own. *Returns*: as many slices as shares, each >= 0, summing to *lots* exactly.
    *Raises*: `ParameterInvalid` for shares that fall, leave 0..1 or do not end at 1.
    """
    if lots < 0:
        raise ParameterInvalid(f"{lots} lots cannot be sliced; the side says the direction.")
    slices, sent, before = [], 0, 0.0
    for share in shares:
        if not before - GRAIN <= share <= 1 + GRAIN:
            raise ParameterInvalid(f"cumulative share {share:g} after {before:g}; rising to 1.")
        target = max(min(math.floor(lots * share + GRAIN), lots), sent)
        slices.append(target - sent)
        sent, before = target, float(share)
    if abs(before - 1) > GRAIN:
        raise ParameterInvalid(f"the last cumulative share is {before:g}; it must be 1.")
    slices[-1] += lots - sent
    return slices


def twap_lots(lots: int, slices: int) -> list[int]:
    """*lots* in equal slices: `floor(lots k / slices)` cumulated, in integers."""
    if slices < 1 or lots < 0:
        raise ParameterInvalid(f"{lots} lots in {slices} slices; at least 0 in 1.")
    return [lots * (k + 1) // slices - lots * k // slices for k in range(slices)]


def volume_shares(volumes: Sequence[float] | Array) -> Array:
    """Cumulative share of the whole after each entry; of no volume at all, equal shares."""
    array = np.asarray(volumes, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all() or (array < 0).any():
        raise ParameterInvalid("volumes are a series of finite numbers >= 0.")
    total = float(array.sum())
    if not total:
        return np.arange(1, len(array) + 1) / len(array)
    return np.cumsum(array) / total


# ---------------------------------------------------------------- the volume curve


def minute_of_week(ts_ns: Any) -> Any:
    """Minute of the week, 0 on Monday 00:00 UTC, of times in ns."""
    return (np.asarray(ts_ns) // MINUTE_NS + EPOCH_WEEKDAY * DAY_MINUTES) % WEEK_MINUTES


def volume_curve(ts_ns: npt.NDArray[np.int64], volumes: Array, *, days: int = 20) -> Array:
    """Mean share of a day's volume by minute of the week, over the last *days* whole days.

    *ts_ns*: opening times of one-minute bars, rising. A minute that no such day has takes the mean
    of its minute of the day. *Returns*: (10080,), the minutes of each day sum to 1.
    *Raises*: `ParameterInvalid` if no whole day is there.
    """
    day = np.asarray(ts_ns) // (DAY_MINUTES * MINUTE_NS)
    volumes = np.asarray(volumes, dtype=np.float64)
    found, counts = np.unique(day, return_counts=True)
    whole = found[counts >= DAY_MINUTES * 9 // 10][-days:]  # a day may miss some bars, not an hour
    if not len(whole):
        raise ParameterInvalid("a volume curve needs at least one whole day of one-minute bars.")
    sums, seen = np.zeros(WEEK_MINUTES), np.zeros(WEEK_MINUTES)
    for number in whole:
        rows = np.flatnonzero(day == number)
        total = float(volumes[rows].sum())
        if total > 0:
            np.add.at(sums, minute_of_week(ts_ns[rows]), volumes[rows] / total)
            np.add.at(seen, minute_of_week(ts_ns[rows]), 1.0)
    if not seen.any():
        raise ParameterInvalid("no volume traded on any whole day.")
    of_day = sums.reshape(7, DAY_MINUTES).sum(0) / np.maximum(
        seen.reshape(7, DAY_MINUTES).sum(0), 1.0
    )
    curve = np.where(seen > 0, sums / np.maximum(seen, 1.0), np.tile(of_day, 7))
    by_day = curve.reshape(7, DAY_MINUTES)
    return np.asarray((by_day / by_day.sum(1, keepdims=True)).ravel())


def curve_weights(curve: Array, start_ns: int, *, duration_ns: int, parts: int) -> Array:
    """What a curve expects of each of *parts* equal stretches of time, as shares summing to 1."""
    if parts < 1 or duration_ns <= 0:
        raise ParameterInvalid("a stretch of time has a duration and at least one part.")
    edges = start_ns / MINUTE_NS + np.arange(parts + 1) * (duration_ns / MINUTE_NS / parts)
    # The integral of the curve at any moment: whole minutes and a part of one.
    first = math.floor(edges[0])
    minutes = np.arange(first, math.ceil(edges[-1]) + 1)
    each = curve[minute_of_week(minutes * MINUTE_NS)]
    integral = np.interp(edges, np.append(minutes, minutes[-1] + 1), np.append(0, np.cumsum(each)))
    weights = np.diff(integral)
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(parts, 1 / parts)


def blended_share(
    prior: float,
    seen: float,
    *,
    expected: float,
    minutes: float,
    pseudo_minutes: float = PSEUDO_MINUTES,
) -> float:
    """Share of the whole that should be done by now, in the light of what has traded.

    *prior*: the curve's share by now; *seen*: volume since the start; *expected*: of the whole
    stretch of *minutes*, by history. The level of the day has a Gamma prior worth *pseudo_minutes*
    (the Dirichlet weights scaled by it): level = (pseudo + minutes seen by volume) / (pseudo +
    minutes passed); what is to come is expected x level. *Returns*: 0 to 1.
    """
    if expected <= 0 or prior >= 1:
        return min(prior, 1.0)
    level = (pseudo_minutes + seen / expected * minutes) / (pseudo_minutes + prior * minutes)
    total = seen + expected * level * (1 - prior)
    return min(seen / total, 1.0) if total > 0 else prior


# ---------------------------------------------------------------- by volume, behind a display


def pov_lots(participation: float, others_lots: float, sent_lots: int) -> int:
    """What is due at *participation* of the market: `p/(1-p) V_others - sent`, down to a lot.

    *others_lots*: traded by others so far, own fills excluded, or one's own trading would call for
    more of it. *Raises*: `ParameterInvalid` unless 0 < p < 1.
    """
    if not 0 < participation < 1:
        raise ParameterInvalid(f"participation {participation:g}; between 0 and 1, both excluded.")
    return max(0, math.floor(participation / (1 - participation) * others_lots + GRAIN) - sent_lots)


def iceberg_lots(display: int, left: int, chance: float, *, spread: float = 0.2) -> int:
    """How much to show next: *display* moved by up to *spread* of itself, at most what is left.

    *chance*: uniform in 0..1. At least one lot while anything is left.
    """
    shown = round(display * (1 + spread * (2 * chance - 1)))
    return min(max(shown, 1), left)


# ---------------------------------------------------------------- Almgren and Chriss


class Trajectory(msgspec.Struct, frozen=True):
    """A schedule that trades cost against risk.

    *holdings*: (N+1,) left after each step, the first is the whole; *trades*: (N,) its decreases;
    *kappa*: 1/time; *half_life*: 1/kappa, infinite for 0; *expected_cost*, *std*: money.
    """

    kappa: float
    kappa_tilde_sq: float
    holdings: Array
    trades: Array
    expected_cost: float
    variance: float
    std: float
    half_life: float


def almgren_chriss(
    quantity: float,
    duration: float,
    steps: int,
    *,
    sigma: float,
    eta: float,
    risk_aversion: float,
    gamma: float = 0.0,
    epsilon: float = 0.0,
) -> Trajectory:
    """Optimal liquidation under linear impact.

    *sigma*: price deviation per square root of time; *eta*: temporary impact, price per quantity
    and time; *gamma*: permanent impact, price per quantity; *epsilon*: half the spread plus fees;
    *risk_aversion*: lambda, 0 gives equal slices, below 0 waits. *Source*: Almgren, Chriss 2000,
    eq. 15-20, with exponentials instead of hyperbolic sines, which overflow. *Raises*:
    `ParameterInvalid`, also for a lambda so far below 0 that no schedule is best.
    """
    if steps < 1 or duration <= 0 or sigma < 0 or not math.isfinite(quantity * risk_aversion):
        raise ParameterInvalid("a schedule needs steps, a duration, sigma >= 0 and finite numbers.")
    tau = duration / steps
    eta_tilde = eta - gamma * tau / 2
    if eta_tilde <= 0:
        raise ParameterInvalid(f"eta {eta:g} is not above gamma tau/2 = {gamma * tau / 2:g}.")
    kappa_tilde_sq = risk_aversion * sigma**2 / eta_tilde
    kappa, shares = _shares_left(kappa_tilde_sq, tau, steps)
    holdings = quantity * shares
    trades = -np.diff(holdings)
    cost = gamma * quantity**2 / 2 + epsilon * float(np.abs(trades).sum())
    cost += eta_tilde / tau * float((trades**2).sum())
    variance = sigma**2 * tau * float((holdings[1:] ** 2).sum())
    return Trajectory(
        kappa,
        kappa_tilde_sq,
        holdings,
        trades,
        cost,
        variance,
        math.sqrt(variance),
        1 / kappa if kappa else math.inf,
    )


def _shares_left(kappa_tilde_sq: float, tau: float, steps: int) -> tuple[float, Array]:
    """kappa, and sinh(kappa (T-t)) / sinh(kappa T) at each step. cosh x = 1 + 2 sinh^2(x/2), so
    kappa follows without the cancellation of acosh near 1.
    """
    half = math.sqrt(abs(kappa_tilde_sq)) * tau / 2
    if kappa_tilde_sq >= 0:
        kappa = 2 * math.asinh(half) / tau
        return kappa, shares_left(kappa * tau * steps, steps)
    if half >= 1:
        raise ParameterInvalid("risk aversion too far below 0: 1 + kappa~^2 tau^2/2 <= -1.")
    kappa = 2 * math.asin(half) / tau
    whole = kappa * tau * steps
    if whole >= math.pi:
        raise ParameterInvalid(f"risk aversion too far below 0: kappa T = {whole:.3g} >= pi.")
    left = whole * (1 - np.arange(steps + 1) / steps)
    return kappa, np.asarray(np.sin(left) / math.sin(whole))


def shares_left(urgency: float, steps: int) -> Array:
    """Share left after each of *steps* equal steps: `sinh(u (1 - t/T)) / sinh(u)`, u = kappa T.

    *urgency*: >= 0; 0 is a straight line. *Returns*: (steps + 1,), from 1 down to 0.
    """
    if urgency < 0 or not math.isfinite(urgency) or steps < 1:
        raise ParameterInvalid(f"urgency {urgency:g} in {steps} steps; finite and >= 0, in 1 step.")
    passed = np.arange(steps + 1) / steps
    if urgency < 1e-8:  # the next term of the series is urgency^2/6
        return np.asarray(1 - passed)
    left = np.exp(-urgency * passed) * np.expm1(-2 * urgency * (1 - passed))
    return np.asarray(left / math.expm1(-2 * urgency))


def efficient_frontier(
    quantity: float,
    duration: float,
    steps: int,
    *,
    risk_aversions: Sequence[float],
    **market: float,
) -> list[Trajectory]:
    """One trajectory for each risk aversion: expected cost against deviation. *market*: sigma, eta,
    gamma and epsilon as in `almgren_chriss`.
    """
    return [
        almgren_chriss(quantity, duration, steps, risk_aversion=risk, **market)
        for risk in risk_aversions
    ]
