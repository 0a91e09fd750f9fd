# SPDX-License-Identifier: Apache-2.0
"""`seating.py`: who decides a symbol, and with how much. Only what was earned on the running market
counts; what an agent was bred on it was chosen by. Pure functions. Source: quant/methods 17.6.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from hean.quant.allocation import thompson
from hean.quant.capital import Belief, believed
from hean.symbiont.population import Agent

YEAR_DAYS = 365.0
NOISE_MIN = 1e-9
PRIOR_SHARPE = 0.5  # deviation of a year's ratio before anything was seen


class Purse(msgspec.Struct, frozen=True):
    """Shares of the account. *agent*: at most, of one; *all*: of all together; *trial*: what is
    given to find out; *aversion*: to risk, 4 is a quarter of Kelly.
    """

    agent: float = 0.05
    all: float = 0.5
    trial: float = 0.05
    aversion: float = 4.0


class Choice(msgspec.Struct, frozen=True):
    """Who gets a seat, its share and why."""

    agent: str
    share: float
    reason: str


def belief(agent: Agent) -> Belief:
    """Of its mean result a day, by all its days in the shadow."""
    noise = max(agent.expected.deviation, NOISE_MIN)
    prior = Belief(0.0, (PRIOR_SHARPE * noise / math.sqrt(YEAR_DAYS)) ** 2)
    return believed([earned for _, earned in agent.days], prior=prior, noise=noise)


def within(found: Sequence[Choice | None], most: float) -> list[Choice | None]:
    """The same choices, one for each seat, with shares such that no agent has more than *most* of
    the account over all its seats.
    """
    seats = Counter(it.agent for it in found if it is not None)
    return [
        it and msgspec.structs.replace(it, share=min(it.share, most / seats[it.agent]))
        for it in found
    ]


def chosen(
    agents: Sequence[Agent], purse: Purse, *, seats: int, seed: int, number: int
) -> Choice | None:
    """One of *agents* for a seat; `None` where there are none. *seats*: how many there are. *seed*,
    *number*: of the draw, as of `thompson`.
    """
    if not agents:
        return None
    agents = sorted(agents, key=lambda agent: agent.id)
    beliefs = [belief(agent) for agent in agents]
    floors = [each.floor(1.0) for each in beliefs]
    best = floors.index(max(floors))
    if floors[best] > 0:
        noise = max(agents[best].expected.deviation, NOISE_MIN)
        most = min(purse.agent, purse.all / seats)
        share = min(beliefs[best].mean / noise**2 / purse.aversion, most)
        reason = f"its mean is believed above {floors[best]:.4%} a day"
        return Choice(agents[best].id, share, reason)
    means = [each.mean for each in beliefs]
    doubts = [math.sqrt(each.variance) for each in beliefs]
    drawn = agents[thompson(means, doubts, seed=seed, round_number=number)]
    share = min(purse.agent, purse.trial / seats)
    return Choice(drawn.id, share, "nobody is believed above zero; drawn to find out")
