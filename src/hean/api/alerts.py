# SPDX-License-Identifier: Apache-2.0
"""`alerts.py`: what people were called for, of this session and of earlier ones, and what became of
it. Read from the disk, in a thread: a disk that is slow holds no engine up.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from hean.api.models import Answered
from hean.api.problems import Refused
from hean.config import Settings
from hean.config_alerts import DESTINATIONS
from hean.engine.documents import Moment
from hean.observe.alert_store import Kept, kept_alerts

Limit = Annotated[int, Query(ge=1, le=1_000, description="How many, the newest first.")]
Missed = Annotated[
    Literal["true", "false"], Query(description="Those alone that did not reach every destination.")
]


class Delivery(Answered):
    """What became of an alert at a destination. *state*: pending, delivered, undelivered; *reason*:
    of the last failure.
    """

    to: str
    state: str
    tries: int
    reason: str


class Alert(Answered):
    """Something a person was called for. *who*: which engine; *times*: it came within minutes."""

    id: int
    ts: Moment
    severity: str
    rule: str
    text: str
    times: int
    who: str
    deliveries: list[Delivery]


class Destination(Answered):
    """Where alerts go. *least*: the least severity that goes there; its address is not shown."""

    name: str
    least: str


class Alerts(Answered):
    """*undelivered*: how many failed somewhere and were given up, or wait for another try."""

    alerts: list[Alert]
    undelivered: int
    destinations: list[Destination]


def alerts_router(folder: Path, settings: Settings) -> APIRouter:
    """`GET /alerts`. *folder*: the data directory."""
    router = APIRouter(tags=["alerts"])
    known = settings.alerts
    destinations = [
        Destination(name=name, least=getattr(known, f"{name}_from"))
        for name in DESTINATIONS
        if getattr(known, name) is not None
    ]

    @router.get("/alerts")
    def alerts(limit: Limit = 100, missed: Missed = "false") -> Alerts:
        """The newest alerts, and what became of each."""
        try:
            found, undelivered = kept_alerts(folder, limit, is_missed=missed == "true")
        except (sqlite3.Error, OSError):
            raise Refused(503, "AlertsUnreadable", "The alerts cannot be read now.") from None
        return Alerts(
            alerts=[_shown(each) for each in found],
            undelivered=undelivered,
            destinations=destinations,
        )

    return router


def _shown(kept: Kept) -> Alert:
    deliveries = [
        Delivery(to=each.way, state=each.state, tries=each.tries, reason=each.reason)
        for each in kept.deliveries
    ]
    return Alert(
        id=kept.id,
        ts=kept.ts_ns,
        severity=str(kept.severity),
        rule=kept.rule,
        text=kept.text,
        times=kept.times,
        who=kept.who,
        deliveries=deliveries,
    )
