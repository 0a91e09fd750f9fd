# SPDX-License-Identifier: Apache-2.0
"""`gates.py`: what an agent has to show before it is trusted further. Each gate is a number found
and a number needed; all of them pass, or the agent stays. Pure functions. Source: methods 17.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from hean.core.timeframe import DAY_NS
from hean.errors import ParameterInvalid
from hean.symbiont.immune import SELF_DAYS, Health, is_self
from hean.symbiont.population import LADDER, SIGNED, Agent, Stage
from hean.symbiont.vitals import Expected

BAND = 1.96  # deviations on both sides: better than expected is not as expected either
DAYS_MIN = 2  # fewer have no spread


class Terms(msgspec.Struct, frozen=True):
    """How much has to be seen. Days are UTC days; trips are round trips."""

    shadow_days: int = 14
    shadow_trips: int = 30
    paper_days: int = 30
    paper_trips: int = 200
    live_days: int = 14
    live_trips: int = 50
    parity: float = 0.95


class Check(msgspec.Struct, frozen=True):
    """One gate."""

    name: str
    found: float | None
    needed: str
    passed: bool


def returns_of(agent: Agent) -> list[float]:
    """Of its whole days in the shadow since it came to its stage."""
    return [earned for day, earned in agent.days if day * DAY_NS >= agent.since_ns]


def checks(agent: Agent, terms: Terms, *, is_alike: bool) -> list[Check]:
    """What stands between an agent and the next stage; empty where there is none. *is_alike*:
    whether it earns on the days when one with a seat does.
    """
    match agent.stage:
        case Stage.SHADOW:
            return [*_shadow(agent, terms), *_fit(agent), _alike(is_alike)]
        case Stage.PAPER:
            return [*_traded(agent, terms.paper_days, terms.paper_trips, terms), *_fit(agent)]
        case Stage.LIVE_MIN:
            return [*_traded(agent, terms.live_days, terms.live_trips, terms), *_fit(agent)]
    return []


def released(agent: Agent, terms: Terms) -> bool:
    """Whether one in quarantine has shown since what leads out of the shadow."""
    return all(check.passed for check in _shadow(agent, terms))


def next_stage(stage: Stage) -> Stage | None:
    """Where evidence leads from here."""
    if stage not in LADDER[:-1]:
        return None
    return LADDER[LADDER.index(stage) + 1]


def refuse_leap(agent: Agent, to: Stage, actor: str, found: Sequence[Check]) -> None:
    """*Raises*: `ParameterInvalid` for a move that nothing speaks for. *found*: `checks` of the
    agent; *actor*: who asks.
    """
    is_down = to is Stage.RETIRED or (
        to in LADDER and agent.stage in LADDER and LADDER.index(to) < LADDER.index(agent.stage)
    )
    if is_down and agent.stage is not Stage.RETIRED:
        return
    if to is not next_stage(agent.stage):
        raise ParameterInvalid(f"agent {agent.id}: {agent.stage} to {to} is no move.")
    missing = [it for it in found if not it.passed]
    if missing:
        lines = "; ".join(f"{it.name} {_said(it.found)}, needed {it.needed}" for it in missing)
        raise ParameterInvalid(f"agent {agent.id} is not promoted to {to}: {lines}.")
    if to in SIGNED and actor.startswith("auto:"):
        raise ParameterInvalid(f"agent {agent.id}: only a person promotes to {to}.")


def _said(found: float | None) -> str:
    return "unknown" if found is None else f"{found:.4g}"


def off_band(expected: Expected, returns: Sequence[float]) -> float | None:
    """How many deviations the mean of *returns* is from the one expected, counting the doubt of
    both; `None` while it cannot be said.
    """
    if len(returns) < DAYS_MIN or not expected.deviation > 0 or expected.days < DAYS_MIN:
        return None
    doubt = expected.deviation * math.sqrt(1 / len(returns) + 1 / expected.days)
    return (float(np.mean(returns)) - expected.mean) / doubt


def are_alike(one: Agent, other: Agent) -> bool:
    """Whether the one earns on the days of the other; no, before enough of them are common."""
    theirs = dict(other.days)
    common = [(earned, theirs[day]) for day, earned in one.days if day in theirs]
    if len(common) < SELF_DAYS:
        return False
    return is_self([mine for mine, _ in common], [their for _, their in common])


def _shadow(agent: Agent, terms: Terms) -> list[Check]:
    returns = returns_of(agent)
    off, mean = off_band(agent.expected, returns), float(np.mean(returns)) if returns else None
    return [
        _least("days in the shadow", len(returns), terms.shadow_days),
        _least("trades in the shadow", agent.trips, terms.shadow_trips),
        Check("result in the predicted band", off, f"within {BAND}", off is not None
              and abs(off) <= BAND),
        Check("mean result a day", mean, "> 0", mean is not None and mean > 0),
    ]  # fmt: skip


def _traded(agent: Agent, days: int, trips: int, terms: Terms) -> list[Check]:
    returns = returns_of(agent)
    off = off_band(agent.expected, returns)
    parity = agent.matched / agent.traded if agent.traded else None
    return [
        _least("days", len(returns), days),
        _least("trades with a seat", agent.traded, trips),
        Check("trades that the shadow did too", parity, f">= {terms.parity}",
              parity is not None and parity >= terms.parity),
        Check("profit of its trades", float(agent.profit), "> 0", agent.profit > 0),
        Check("result in the predicted band", off, f"within {BAND}", off is not None
              and abs(off) <= BAND),
    ]  # fmt: skip


def _fit(agent: Agent) -> list[Check]:
    is_fit = agent.health in (Health.HEALTHY, Health.REHAB)
    return [Check("health", float(is_fit), "HEALTHY or REHAB", is_fit)]


def _alike(is_alike: bool) -> Check:
    return Check("earns apart from who has a seat", float(not is_alike), "yes", not is_alike)


def _least(name: str, found: int, needed: int) -> Check:
    return Check(name, float(found), f">= {needed}", found >= needed)
