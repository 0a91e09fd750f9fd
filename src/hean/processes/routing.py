# SPDX-License-Identifier: Apache-2.0
"""`routing.py`: who gets how much. From what is known of every process at work to whole lots of
capital to move: those on trial share a small budget, which one of them gets by a draw; those beyond
get the shares that are best for what is believed of them. Pure; it moves nothing. Where not all can
hold, locked capital comes before the reserve and the caps, and these before the minima. Source:
quant/methods 10.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hean.quant.allocation import thompson
from hean.quant.capital import Belief, routed, whole_lots
from hean.quant.checks import Array


class Terms(NamedTuple):
    """Terms of the account. *reserve*: share that nobody gets; *exploration*: share of all on
    trial; *venue_max*, *factor_max*: share of all on one; *aversion*: to risk; *doubt*: deviations
    of a belief that are not counted on; *horizon*: epochs over which a move has to pay.
    """

    reserve: float
    exploration: float
    venue_max: float
    factor_max: float
    aversion: float
    doubt: float
    horizon: float


class Claim(NamedTuple):
    """What one process may have. *held*, *locked*, *least*, *most*: shares of equity, *locked* must
    stay; *lot*: share that one lot is; *cost*: of moving one unit; *belief*: of its return an
    epoch.
    """

    is_on_trial: bool
    belief: Belief
    held: float
    locked: float
    least: float
    most: float
    lot: float
    cost: float
    venues: frozenset[str]
    factors: frozenset[str]


class Caps(NamedTuple):
    """`rows x <= limits` for shares `x` of the claims, in their order."""

    rows: Array
    limits: Array


def moves(
    claims: Sequence[Claim],
    covariance: npt.ArrayLike,
    terms: Terms,
    *,
    elsewhere: float,
    draw: tuple[int, int],
) -> list[int]:
    """Lots of capital to give to each, negative to call back. *covariance*: of returns an epoch;
    *elsewhere*: share of equity that is neither held by them nor free; *draw*: seed and number of
    the epoch.
    """
    held, lots = (np.array([getattr(it, word) for it in claims]) for word in ("held", "lot"))
    caps = caps_of(claims, terms, elsewhere=elsewhere)
    lower = _minima(claims, caps)
    wished = lower.copy()
    tried = [place for place, it in enumerate(claims) if it.is_on_trial]
    if tried:
        beliefs = [claims[place].belief for place in tried]
        means, deviations = [it.mean for it in beliefs], [it.variance**0.5 for it in beliefs]
        winner = tried[thompson(means, deviations, seed=draw[0], round_number=draw[1])]
        room = (caps.limits - caps.rows @ lower)[caps.rows[:, winner] > 0.0]
        wished[winner] += max(float(room.min()), 0.0)
    earners = [place for place, it in enumerate(claims) if not it.is_on_trial]
    if earners:
        kept = wished.copy()
        kept[earners] = 0.0
        wished[earners] = routed(
            [claims[place].belief.floor(terms.doubt) for place in earners],
            np.asarray(covariance)[np.ix_(earners, earners)],
            held=held[earners],
            costs=[claims[place].cost / terms.horizon for place in earners],
            lower=lower[earners],
            rows=caps.rows[:, earners],
            limits=caps.limits - caps.rows @ kept,
            aversion=terms.aversion,
        )
    return whole_lots(wished, lots, held=held, rows=caps.rows, limits=caps.limits, lower=lower)


def caps_of(claims: Sequence[Claim], terms: Terms, *, elsewhere: float) -> Caps:
    """Every cap as a row: all together, all on trial, each venue, each factor, each claim."""
    on_trial = np.array([it.is_on_trial for it in claims], dtype=np.float64)
    rows = [np.ones(len(claims)), on_trial]
    limits = [1.0 - terms.reserve - max(elsewhere, 0.0), terms.exploration]
    for word, most in (("venues", terms.venue_max), ("factors", terms.factor_max)):
        members = [getattr(it, word) for it in claims]
        for name in sorted(frozenset().union(*members)):
            rows.append(np.array([float(name in those) for those in members]))
            limits.append(most)
    each = [min(it.most, terms.exploration) if it.is_on_trial else it.most for it in claims]
    table = np.vstack([*rows, np.eye(len(claims))])
    # What is locked stays, whatever the limits were.
    kept = table @ np.array([it.locked for it in claims])
    return Caps(table, np.maximum([*limits, *each], kept))


def _minima(claims: Sequence[Claim], caps: Caps) -> Array:
    """The least of each, cut in proportion where the caps have no room for all."""
    locked = np.array([it.locked for it in claims])
    least = np.array([0.0 if it.is_on_trial else it.least for it in claims])
    lower = np.maximum(least, locked)
    for row, limit in zip(caps.rows, caps.limits, strict=True):
        spare = float(row @ (lower - locked))
        room = max(limit - float(row @ locked), 0.0)
        if spare > room:
            lower = np.where(row > 0.0, locked + (lower - locked) * (room / spare), lower)
    return np.asarray(lower)
