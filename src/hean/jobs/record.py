# SPDX-License-Identifier: Apache-2.0
"""`record.py`: what is known of one job, as it lies on the disk and as people are told. A job that
has ended never changes again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hean.engine.documents import Document, Moment


class State(StrEnum):
    """Where a job is. LOST: the server ended before the job did."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"
    FORGOTTEN = "FORGOTTEN"


OPEN = frozenset({State.QUEUED, State.RUNNING})


class Record(msgspec.Struct):
    """One job. *asked*: as the client wrote it; *owner*: token id of who asked; *fraction*: how
    much is done; *figures*: the few numbers that lists and comparisons show.
    """

    job_id: str
    kind: str
    title: str
    asked: dict[str, Any]
    owner: str
    started_by: str
    created_ns: int
    state: State = State.QUEUED
    started_ns: int | None = None
    ended_ns: int | None = None
    fraction: float = 0.0
    code: str | None = None
    reason: str | None = None
    figures: dict[str, Any] | None = None
    memory_mb: int = 0
    has_page: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something may still become of it."""
        return self.state in OPEN


class Job(Document):
    """A job. *state*: QUEUED RUNNING DONE FAILED CANCELLED LOST, or FORGOTTEN on the stream;
    *code*, *reason*: why it did not end well; *figures*: of its result; *memory_mb*: its peak;
    *has_page*: whether its report can be had as HTML.
    """

    job_id: str
    kind: str
    title: str
    state: str
    progress_percent: float
    asked: dict[str, Any]
    started_by: str
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    code: str | None
    reason: str | None
    figures: dict[str, Any] | None
    memory_mb: int
    has_page: bool


def told(record: Record) -> Job:
    """As people see it."""
    return Job(
        job_id=record.job_id,
        kind=record.kind,
        title=record.title,
        state=record.state.value,
        progress_percent=round(100 * record.fraction, 1),
        asked=record.asked,
        started_by=record.started_by,
        created_at=record.created_ns,
        started_at=record.started_ns,
        ended_at=record.ended_ns,
        code=record.code,
        reason=record.reason,
        figures=record.figures,
        memory_mb=record.memory_mb,
        has_page=record.has_page,
    )
