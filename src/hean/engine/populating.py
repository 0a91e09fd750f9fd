# SPDX-License-Identifier: Apache-2.0
"""`populating.py`: a population of agents, for whoever looks at it or decides about it. What the
colony knows becomes documents; what a person decides becomes a command that the colony obeys, or is
refused before it is said.
"""

from __future__ import annotations

from typing import Any

from hean.core.types import Command
from hean.engine.documents import Document, Moment, Money
from hean.engine.facade import EngineFacade
from hean.engine.port import Seen
from hean.errors import UnknownField
from hean.strategies.symbiont import Symbiont
from hean.symbiont.colony import STAGE, Colony
from hean.symbiont.population import Agent, Stage

DAYS_SHOWN = 90
EVENTS_SHOWN = 200


class ShadowDay(Document):
    """A whole UTC day, and the net return in the shadow."""

    day: Moment
    result: float


class GateSeen(Document):
    """What stands between an agent and its next stage."""

    name: str
    found: float | None
    needed: str
    passed: bool


class AgentSeen(Document):
    """An agent. *expected_mean*, *expected_deviation*: of a day's return, as its judge saw it;
    *days*: the latest; *trips*, *traded*, *matched*, *profit*: since it is in its stage, in the
    shadow, with a seat, with a seat and as the shadow did, and of these; *share*: of capital.
    """

    id: str
    genome: str
    stage: str
    health: str
    since: Moment | None
    parents: list[str]
    born: str
    generation: int
    symbols: list[str]
    share: float
    expected_mean: float
    expected_deviation: float
    days: list[ShadowDay]
    today: float
    trips: int
    traded: int
    matched: int
    profit: Money
    gates: list[GateSeen]


class HappeningSeen(Document):
    """A birth, promotion, demotion, quarantine, seat or death."""

    ts: Moment
    agent: str
    what: str
    before: str
    after: str
    reason: str
    actor: str


class PopulationSeen(Document):
    """All agents, the most trusted first, and what has happened, the newest first. *broken*: what
    is wrong with the bars that all of them read, in words; nobody gets a seat meanwhile.
    """

    symbols: list[str]
    broken: list[str]
    agents: list[AgentSeen]
    events: list[HappeningSeen]


class Populating:
    """The population of *facade*'s engine, if one trades there."""

    def __init__(self, facade: EngineFacade) -> None:
        self._facade = facade
        self._colony: Colony | None = None
        facade.on_ready.append(self._begin)

    def _begin(self, system: Seen) -> None:
        found = [it for it in system.strategies if isinstance(it, Symbiont)]
        self._colony = found[0].colony if found else None

    def document(self) -> PopulationSeen:
        """As it is now; without agents where none trades."""
        colony = self._colony
        if colony is None:
            return PopulationSeen(symbols=[], broken=[], agents=[], events=[])
        population = colony.population
        agents = sorted(map(self._agent, population.agents), key=_rank)
        events = population.events[-EVENTS_SHOWN:]
        return PopulationSeen(
            symbols=list(population.symbols),
            broken=[found.words for found in population.feed.broken()],
            agents=agents,
            events=[
                HappeningSeen(
                    ts=it.ts_ns, agent=it.agent, what=it.what, before=it.before, after=it.after,
                    reason=it.reason, actor=it.actor,
                )
                for it in reversed(events)
            ],
        )  # fmt: skip

    def names(self) -> list[str]:
        """Ids of all agents."""
        return [] if self._colony is None else [it.id for it in self._colony.population.agents]

    def agent(self, name: str) -> AgentSeen:
        """One. *Raises*: `UnknownField`."""
        return self._agent(self._known(name))

    async def move(self, name: str, to: str, reason: str, actor: str) -> AgentSeen:
        """Move an agent to another stage. *Raises*: `UnknownField`, `ParameterInvalid` for a move
        that nothing speaks for.
        """
        agent = self._known(name)
        assert self._colony is not None
        self._colony.refuse_leap(agent, Stage(to), actor)
        await self._facade.say(Command(STAGE, {"agent": name, "to": to, "reason": reason}, actor))
        return self.agent(name)

    def _known(self, name: str) -> Agent:
        if name not in self.names():
            raise UnknownField(f"no agent {name[:64]!r} here.")
        assert self._colony is not None
        return self._colony.population.by_id()[name]

    def _agent(self, agent: Agent) -> AgentSeen:
        assert self._colony is not None
        seats = self._colony.population.seats.items()
        mine = [(symbol, seat.share) for symbol, seat in seats if seat.agent == agent.id]
        given: dict[str, Any] = {
            name: getattr(agent, name)
            for name in (
                "id",
                "genome",
                "generation",
                "today",
                "trips",
                "traded",
                "matched",
                "profit",
            )
        }
        return AgentSeen(
            **given,
            stage=agent.stage.value,
            health=agent.health.value,
            since=agent.since_ns or None,
            parents=list(agent.parents),
            born=agent.how,
            symbols=[symbol for symbol, _ in mine],
            share=sum(share for _, share in mine),
            expected_mean=agent.expected.mean,
            expected_deviation=agent.expected.deviation,
            days=[
                ShadowDay(day=day * 86_400_000_000_000, result=result)
                for day, result in agent.days[-DAYS_SHOWN:]
            ],
            gates=[
                GateSeen(name=it.name, found=it.found, needed=it.needed, passed=it.passed)
                for it in self._colony.checks(agent)
            ],
        )


def _rank(agent: AgentSeen) -> tuple[float, int, str]:
    """Those with a seat first, then by how far they have come; the dead last."""
    stages = [stage.value for stage in Stage if stage is not Stage.RETIRED]
    far = stages.index(agent.stage) if agent.stage in stages else -1
    return -agent.share, -far, agent.id
