# SPDX-License-Identifier: Apache-2.0
"""`session.py`: the routes about who asks, and the settings they may see. There are no passwords
and no cookies: a page holds its token itself, and gets one-time tickets for what is opened by
address.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from hean.api.access import Access
from hean.api.gate import Asker, address_of
from hean.api.models import Answered, Asked
from hean.config import Settings, masked


class PairingAsked(Asked):
    """A code from the link that the first start prints."""

    code: Annotated[str, Field(min_length=1, max_length=64)]


class Paired(Answered):
    """A token, told this once."""

    token: str
    role: str
    expires_at: str | None


class Ticket(Answered):
    """Opens one WebSocket, or `/docs?ticket=` once."""

    ticket: str
    expires_in_s: float


class Asking(Answered):
    """Who a token belongs to."""

    name: str
    role: str


class Setting(Answered):
    """One setting; what is not public is masked."""

    value: Any
    source: str
    place: str
    variable: str | None
    unit: str
    meaning: str


class SettingsShown(Answered):
    """All of them by name, and what is odd about them."""

    settings: dict[str, Setting]
    problems: list[str]


def session_router(access: Access) -> APIRouter:
    """Pairing, tickets, and who asks."""
    router = APIRouter(tags=["session"])

    @router.post("/pair")
    async def pair(asked: PairingAsked, request: Request) -> Paired:
        """Exchange the code of the first start for a token; it counts once, for five minutes."""
        text, token = access.pair(asked.code, address_of(request.scope))
        return Paired(token=text, role=token.role, expires_at=_iso(token.expires_ns))

    @router.post("/ws-ticket")
    async def ws_ticket(who: Asker) -> Ticket:
        """A word that stands for you once, within thirty seconds."""
        return Ticket(ticket=access.tickets.issue(who), expires_in_s=access.tickets.life_s)

    @router.get("/whoami")
    async def whoami(who: Asker) -> Asking:
        """The name and the role of this token."""
        return Asking(name=who.name, role=who.role.word)

    return router


def settings_router(settings: Settings) -> APIRouter:
    """`GET /settings`, as `hean settings` shows them."""
    router = APIRouter(tags=["settings"])

    @router.get("/settings")
    async def show_settings() -> SettingsShown:
        """Every setting with where it came from; what is not public is three stars."""
        rows = {
            each.key: Setting(
                value=each.value,
                source=each.source,
                place=each.place,
                variable=each.variable,
                unit=each.unit,
                meaning=each.meaning,
            )
            for each in masked(settings)
        }
        return SettingsShown(settings=rows, problems=list(settings.warnings))

    return router


def _iso(time_ns: int | None) -> str | None:
    if time_ns is None:
        return None
    return datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat().replace("+00:00", "Z")
