# SPDX-License-Identifier: Apache-2.0
"""`immune.py`: what becomes of an agent that is not what it was. Each has a `Case`; `judged` says
what findings make of it. The immune system only ever refuses: an agent's size is multiplied by 1,
a half or 0, never raised, and what may be risked at all is decided elsewhere.

    HEALTHY --suspicion--> WATCH (half) --confirmed--> QUARANTINE (0) --proven--> REHAB (half)
       ^---30 days quiet-----'   '---30 days quiet--->HEALTHY<---30 days quiet-------'
    evidence: straight to QUARANTINE; in REHAB, or 90 days of QUARANTINE without proof: RETIRED (0)

* **Evidence** is what a chart of its own limit says (loss, cost, column) or what was forbidden
  (toxin). **Suspicion** is a break in the days, or a difference of two samples: it is confirmed by
  another monitor, or by itself 20 days later, on data that it had not seen before. Trading *less*
  than promised is harmless, and a calm market does it to half of a population at a time: it halves
  the size, and confirms nothing.
* **Many tests.** All comparisons of samples of one round, of all agents, are read together
  (`drifted`): at most 5 % of what is found is chance. A round is a week (`is_round`), however often
  agents are looked at: a round a day, of few agents, would be wrong seven times as often.
* **Healthy agents in quarantine**: by design at most one in 1,500 days of an agent, which with
  fifty agents is twelve a year. Columns that behave as never in validation come on top
  (`columns`): rightly, for nobody knows what the agent makes of them.
* **The population** needs agents that differ: one whose last 30 days go with the incumbent's is the
  same again and gets no new capital (`is_self`). What has failed, and what would have failed with
  it, is not reborn for 90 days (`Memory`).

Everything here is a pure function of plain data; times are nanoseconds UTC and are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid
from hean.quant.checks import Array, series
from hean.quant.multiple_testing import benjamini_hochberg
from hean.symbiont.vitals import Comparison, Finding, Monitor

DAY_NS = 86_400 * 10**9
EVIDENCE = frozenset({Monitor.LOSS, Monitor.COST, Monitor.COLUMN, Monitor.TOXIN})
HARMLESS = frozenset({Monitor.IDLE})
CONFIRM_DAYS, QUIET_DAYS, PROOF_DAYS = 20, 30, 90
FALSE_FINDS = 0.05
ROUND_NS = 7 * DAY_NS
SELF_DAYS, SELF_CORRELATION = 30, 0.8
KIN_CORRELATION, KIN_DAYS_MIN = 0.9, 10
REBIRTH_DAYS, FAILURES_MAX = 90, 1_000


class Health(StrEnum):
    """How far an agent is trusted."""

    HEALTHY = "HEALTHY"
    WATCH = "WATCH"  # under suspicion
    QUARANTINE = "QUARANTINE"  # goes on without money, until it is proven again
    REHAB = "REHAB"  # proven again, not yet trusted
    RETIRED = "RETIRED"  # for good


SCALE = {
    Health.HEALTHY: 1.0,
    Health.WATCH: 0.5,
    Health.QUARANTINE: 0.0,
    Health.REHAB: 0.5,
    Health.RETIRED: 0.0,
}
"""What an agent's size is multiplied by."""


class Case(msgspec.Struct, frozen=True):
    """An agent's health: since when, why, and when something was last found. *suspect*: the monitor
    that began a watch.
    """

    health: Health
    since_ns: int
    reason: str
    found_ns: int
    suspect: Monitor | None = None

    @property
    def scale(self) -> float:
        """1, 0.5 or 0."""
        return SCALE[self.health]


def admitted(now_ns: int) -> Case:
    """The case of an agent that has just been let in."""
    return Case(Health.HEALTHY, now_ns, "let in", now_ns)


def judged(
    case: Case, findings: Sequence[Finding], now_ns: int, *, is_proven: bool = False
) -> Case:
    """The case after these findings, and without any after the time that has passed. A changed
    `health` is to be told with its `reason`, and the agent's watch begun anew. *is_proven*: what
    promotion from shadow asks for is there again, from days since the quarantine began.
    """
    age, quiet = (now_ns - case.since_ns) // DAY_NS, (now_ns - case.found_ns) // DAY_NS
    if case.health is Health.RETIRED:
        return case
    if case.health is Health.QUARANTINE:
        if is_proven and not findings:
            return _moved(case, Health.REHAB, now_ns, "proven again as for its promotion")
        if age >= PROOF_DAYS:
            return _moved(case, Health.RETIRED, now_ns, f"{age} days in quarantine without proof")
        return case
    if findings:
        return _accused(case, findings, now_ns)
    if case.health is not Health.HEALTHY and quiet >= QUIET_DAYS:
        return _moved(case, Health.HEALTHY, now_ns, f"{quiet} days without a finding")
    return case


def _accused(case: Case, findings: Sequence[Finding], now_ns: int) -> Case:
    """Of one that is at work; the gravest finding counts."""
    grave = [each for each in findings if each.monitor not in HARMLESS]
    one = next((each for each in findings if each.monitor in EVIDENCE), (grave or findings)[0])
    words = f"{one.words} ({one.monitor} {one.value:.3g}, limit {one.limit:.3g})"
    is_evidence = one.monitor in EVIDENCE
    is_first = case.health is Health.WATCH and case.suspect in HARMLESS and bool(grave)
    if not is_evidence and (case.health is Health.HEALTHY or is_first):
        return _moved(case, Health.WATCH, now_ns, words, one.monitor)
    if case.health is Health.REHAB and is_evidence:
        return _moved(case, Health.RETIRED, now_ns, f"sick again: {words}")
    if not is_evidence and not _is_confirmed(case, grave, now_ns):
        return msgspec.structs.replace(case, found_ns=now_ns)
    return _moved(case, Health.QUARANTINE, now_ns, words)


def _is_confirmed(case: Case, grave: Sequence[Finding], now_ns: int) -> bool:
    """In REHAB one suspicion is enough."""
    is_late = case.health is Health.REHAB or now_ns - case.since_ns >= CONFIRM_DAYS * DAY_NS
    return any(is_late or each.monitor is not case.suspect for each in grave)


def _moved(
    case: Case, health: Health, now_ns: int, reason: str, suspect: Monitor | None = None
) -> Case:
    return Case(health, now_ns, f"{case.health} to {health}: {reason}", now_ns, suspect)


# ---------------------------------------------------------------- the population


def is_round(before_ns: int, now_ns: int) -> bool:
    """Whether a week has ended since *before_ns*: they do on Thursdays at midnight UTC."""
    return now_ns // ROUND_NS > before_ns // ROUND_NS


def drifted(tests: Mapping[str, Sequence[Comparison]]) -> dict[str, list[Finding]]:
    """What a round of comparisons has found, by agent, read together: Benjamini-Hochberg at 5 %.
    Agents without a finding are not there.
    """
    rows = [(agent, test) for agent, own in sorted(tests.items()) for test in own]
    if not rows:
        return {}
    adjusted = benjamini_hochberg([test.p_value for _, test in rows])
    found: dict[str, list[Finding]] = {}
    for (agent, test), chance in zip(rows, adjusted, strict=True):
        if chance <= FALSE_FINDS and test.is_large:
            finding = Finding(test.monitor, float(chance), FALSE_FINDS, test.words)
            found.setdefault(agent, []).append(finding)
    return found


def is_self(daily: ArrayLike, incumbent: ArrayLike) -> bool:
    """Whether an agent's last 30 days go with the incumbent's so closely that it gets no new
    capital. *daily*, *incumbent*: returns of the same days, shape (days,); the last 30 count.

    *Raises*: `DataInvalid` for fewer days or different ones, `NumberNotFinite`.
    """
    mine = series("daily returns", daily, SELF_DAYS)
    other = series("daily returns of the incumbent", incumbent, SELF_DAYS)
    if len(mine) != len(other):
        raise DataInvalid(f"{len(mine)} days of returns, {len(other)} of the incumbent.")
    return _correlation(mine[-SELF_DAYS:], other[-SELF_DAYS:]) > SELF_CORRELATION


def _correlation(one: Array, other: Array) -> float:
    """0 where either never moves."""
    mine, others = one - one.mean(), other - other.mean()
    size = float(np.sqrt((mine @ mine) * (others @ others)))
    return float(mine @ others) / size if size > 0.0 else 0.0


class Failure(msgspec.Struct, frozen=True):
    """A retired agent. *genome*: its hash. *daily*: returns of its failure window, by day, counted
    from 1970.
    """

    genome: str
    at_ns: int
    daily: dict[int, float]


class Memory(msgspec.Struct):
    """What has failed, oldest first; at most 1,000 failures of the last 90 days."""

    failures: list[Failure] = []

    def keep(self, failure: Failure) -> None:
        """Remember a failure, and forget those whose time is over."""
        known = [*self.failures, failure]
        self.failures = [each for each in known if _counts(each, failure.at_ns)][-FAILURES_MAX:]

    def refusal(self, genome: str, daily: Mapping[int, float], now_ns: int) -> str | None:
        """Why a genome is not born now, or nothing. *daily*: what it would have returned, by day,
        counted from 1970, as far as known; fewer than 10 common days say nothing.
        """
        for failure in self.failures:
            if not _counts(failure, now_ns):
                continue
            left = REBIRTH_DAYS - (now_ns - failure.at_ns) // DAY_NS
            if genome == failure.genome:
                return f"this genome failed; not reborn for {left} days more"
            days = sorted(failure.daily.keys() & daily.keys())
            if len(days) < KIN_DAYS_MIN:
                continue
            kin = _correlation(
                np.array([daily[day] for day in days]),
                np.array([failure.daily[day] for day in days]),
            )
            if kin > KIN_CORRELATION:
                return (
                    f"it would have failed with {failure.genome}: correlation {kin:.2f} over "
                    f"{len(days)} days; not born for {left} days more"
                )
        return None


def _counts(failure: Failure, now_ns: int) -> bool:
    return now_ns - failure.at_ns < REBIRTH_DAYS * DAY_NS
