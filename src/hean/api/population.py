# SPDX-License-Identifier: Apache-2.0
"""`population.py`: the agents of a population: who they are, what they have shown, and what a
person decides about them. Evidence promotes and a person signs: a promotion that nothing speaks for
is refused, and only a person's leads to real money.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from hean.api.gate import Asker
from hean.api.models import Asked, Word
from hean.api.operations import Reason
from hean.api.problems import Refused, about
from hean.engine.populating import AgentSeen, Populating, PopulationSeen

Why = Annotated[Reason, Field(min_length=1)]
"""What is decided about an agent stands among what has happened, with its reason."""


class PromotionAsked(Asked):
    """The next stage, and why."""

    to: Literal["PAPER", "LIVE_MIN", "LIVE"]
    reason: Why


class RetirementAsked(Asked):
    """Back to the shadow, or for ever, and why."""

    to: Literal["SHADOW", "RETIRED"]
    reason: Why


async def _moved(
    population: Populating, agent_id: str, asked: PromotionAsked | RetirementAsked, who: Asker
) -> AgentSeen:
    if agent_id not in population.names():
        raise Refused(
            404, "AgentUnknown", f"No agent {agent_id!r} here.", field="/path/agent_id"
        )  # fmt: skip
    with about("/body/to"):
        actor = f"{who.role.word}:{who.actor}"
        return await population.move(agent_id, asked.to, asked.reason, actor)


def population_router(population: Populating) -> APIRouter:
    """Its routes."""
    router = APIRouter(tags=["population"])

    @router.get("/population")
    async def population_seen() -> PopulationSeen:
        """All agents and what has happened to them; none where no population trades."""
        return population.document()

    @router.post("/population/{agent_id}/promote")
    async def agent_promote(agent_id: Word, asked: PromotionAsked, who: Asker) -> AgentSeen:
        """Sign what an agent has shown. One gate that does not pass refuses it."""
        return await _moved(population, agent_id, asked, who)

    @router.post("/population/{agent_id}/retire")
    async def agent_retire(agent_id: Word, asked: RetirementAsked, who: Asker) -> AgentSeen:
        """Take an agent's seat away; what it holds is closed at the next bar."""
        return await _moved(population, agent_id, asked, who)

    return router
