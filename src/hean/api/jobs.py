# SPDX-License-Identifier: Apache-2.0
"""`jobs.py`: the routes of long work: what can be played, starting it, watching it, its results and
its end. Reading is for everybody; a job is ended by whoever started it, or by an admin.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from hean.api.access import Who
from hean.api.document import refusals
from hean.api.evolve_request import EvolveAsked, evolve_words
from hean.api.gate import Asker
from hean.api.headers import CSP
from hean.api.job_requests import (
    BacktestAsked,
    EvaluateAsked,
    Found,
    PlayedAsked,
    backtest_words,
    document_of,
    evaluate_words,
)
from hean.api.limits import retry_after
from hean.api.models import Answered, Asked, Word
from hean.api.permissions import Role
from hean.api.problems import Refused, about
from hean.backtest.report import policy
from hean.engine import EngineFacade
from hean.engine.documents import Document
from hean.errors import EnvironmentFault, HeanError, StateError
from hean.jobs import smoke
from hean.jobs.datasets import DataSet, DataSets
from hean.jobs.declared import DeclaredStrategy, strategies
from hean.jobs.record import Job, Record, State
from hean.jobs.runner import Jobs
from hean.jobs.store import CURVE, RESULT

SANDBOX = "sandbox allow-scripts allow-modals; frame-ancestors 'none'"
"""A report is no part of the page: it may not see what the page keeps."""


class JobBegun(Answered):
    """A job that waits or runs."""

    job_id: str
    state: str


class Curve(Document):
    """Equity at no more than a thousand moments, with lows and highs kept. *exposure*: position
    value over equity.
    """

    ts: list[str]
    equity: list[float]
    exposure: list[float]


class Report(Document):
    """What a job has found. *result*: the JSON of its command, as `hean` writes it."""

    job: Job
    result: dict[str, Any]
    curve: Curve | None


NOT_DONE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}},
    **refusals(409),
}
Forget = Annotated[bool, Query(description="Remove it with its results, once it has ended.")]
Format = Annotated[Literal["json", "html"], Query(alias="format", description="html: a page.")]


def playable_router(data_dir: Path) -> APIRouter:
    """What a job can play."""
    router = APIRouter(tags=["jobs"])
    sets = DataSets(data_dir)

    @router.get("/strategies/declared")
    async def strategies_declared() -> list[DeclaredStrategy]:
        """Strategies that a job can play, with the settings each declares."""
        return strategies()

    @router.get("/data")
    async def data() -> list[DataSet]:
        """Recorded markets that a job can play."""
        return [described for _, (described, _) in sorted((await _found(sets)).items())]

    return router


def jobs_router(jobs: Jobs, data_dir: Path) -> APIRouter:
    """Jobs, from their beginning to their end."""
    router = APIRouter(tags=["jobs"])
    sets = DataSets(data_dir)

    @router.post("/backtest", status_code=202)
    async def backtest(asked: BacktestAsked, who: Asker) -> JobBegun:
        """Play a strategy against recorded data, as `hean backtest` does."""
        words = backtest_words(asked, await _found(sets))
        return _begin(jobs, "backtest", asked, words, who)

    @router.post("/evaluate", status_code=202)
    async def evaluate(asked: EvaluateAsked, who: Asker) -> JobBegun:
        """Judge a strategy on what it was not chosen by, as `hean evaluate` does."""
        words = evaluate_words(asked, await _found(sets), data_dir)
        return _begin(jobs, "evaluate", asked, words, who)

    @router.post("/evolve", status_code=202)
    async def evolve(asked: EvolveAsked, who: Asker) -> JobBegun:
        """Breed trading rules and say what can be believed of the best, as `hean evolve` does."""
        words = evolve_words(asked, await _found(sets), data_dir)
        return _begin(jobs, "evolve", asked, words, who)

    @router.get("/jobs")
    async def jobs_list() -> list[Job]:
        """All jobs, the newest first."""
        return jobs.list()

    @router.get("/jobs/{job_id}")
    async def job(job_id: Word) -> Job:
        """One job."""
        found = jobs.told(job_id)
        return found if found is not None else _unknown(job_id)

    @router.get("/jobs/{job_id}/report", response_model=Report, responses=NOT_DONE)
    async def job_report(job_id: Word, form: Format = "json") -> Any:
        """What it has found: JSON, or the report of the command line as a page."""
        record = jobs.find(job_id) or _unknown(job_id)
        if record.state is not State.DONE:
            raise Refused(
                409, "JobNotDone", f"This job is {record.state}: it has no report.", field="/path"
            )
        if form == "html":
            return await asyncio.to_thread(_page, jobs, job_id)
        return await asyncio.to_thread(_report, jobs, job_id)

    @router.delete("/jobs/{job_id}")
    async def job_end(job_id: Word, who: Asker, forget: Forget = False) -> Job:
        """End a job; one that has ended stays as it is. With `forget` one that has ended is
        removed, and one that has not is refused.
        """
        record = jobs.find(job_id) or _unknown(job_id)
        _check_owner(record, who)
        try:
            return jobs.forget(job_id) if forget else await jobs.cancel(job_id)
        except StateError as error:
            raise Refused(409, "JobNotEnded", error.message, field="/path/job_id") from None

    return router


class SmokeAsked(Asked):
    """A smoke test of one symbol."""

    symbol: Annotated[str, Field(min_length=1, max_length=40)]


def smoke_router(jobs: Jobs, facade: EngineFacade) -> APIRouter:
    """The test of the engine that runs here."""
    router = APIRouter(tags=["jobs"])

    @router.post("/smoke-test/run", status_code=202)
    async def smoke_test(asked: SmokeAsked, who: Asker) -> JobBegun:
        """Place and cancel an order, buy and sell the least there is, through the governor as
        anybody. Refused in LIVE.
        """
        with about("/body/symbol"):
            smoke.check(facade, asked.symbol)
        check_room(jobs)
        begun = jobs.converse(
            "smoke-test",
            f"smoke test on {asked.symbol}",
            asked.model_dump(),
            work=smoke.SmokeTest(facade, asked.symbol).run,
            owner=who.token_id,
            by=who.name,
        )
        return JobBegun(job_id=begun.job_id, state=begun.state)

    return router


async def _found(sets: DataSets) -> Found:
    """The data there is. *Raises*: `EnvironmentFault` if the catalog cannot be read."""
    try:
        return await asyncio.to_thread(sets.all)
    except HeanError as error:
        raise EnvironmentFault(f"the catalog cannot be read: {error.message}") from error


async def begin_backtest(jobs: Jobs, asked: BacktestAsked, data_dir: Path) -> Job:
    """A backtest of HEAN's own, as anybody's. *Raises*: `Refused`, `QueueFull`."""
    words = backtest_words(asked, await _found(DataSets(data_dir)))
    return jobs.start("backtest", asked.title, document_of(asked), words=words)


def _begin(jobs: Jobs, kind: str, asked: PlayedAsked, words: list[str], who: Who) -> JobBegun:
    check_room(jobs)
    name = asked.strategy if isinstance(asked, BacktestAsked) else "evolution"
    title = asked.title.strip() or f"{name} on {', '.join(asked.symbols)}"
    begun = jobs.start(
        kind, title, document_of(asked), words=words, owner=who.token_id, by=who.name
    )
    return JobBegun(job_id=begun.job_id, state=begun.state)


def check_room(jobs: Jobs) -> None:
    """*Raises*: `Refused`, 429, if too many wait."""
    if jobs.is_full:
        raise Refused(
            429, "TooManyJobs", f"{jobs.limits.queued_max} jobs wait already; cancel one or wait.",
            headers=retry_after(1),
        )  # fmt: skip


def _check_owner(record: Record, who: Who) -> None:
    if record.owner not in ("", who.token_id) and who.role < Role.ADMIN:
        raise Refused(
            403, "NotYours", f"{record.started_by} started this job; an admin may end it.",
            field="/path/job_id",
        )  # fmt: skip


def _report(jobs: Jobs, job_id: str) -> Report:
    found = jobs.told(job_id)
    result = jobs.document(job_id, RESULT)
    if found is None or result is None:
        raise Refused(404, "NoReport", "Its results are gone.", field="/path/job_id")
    curve = jobs.document(job_id, CURVE)
    return Report(job=found, result=result, curve=None if curve is None else Curve(**curve))


def _page(jobs: Jobs, job_id: str) -> Response:
    body = jobs.page(job_id)
    if body is None:
        raise Refused(404, "NoPage", "This job has no report as a page.", field="/query/format")
    return HTMLResponse(body, headers={CSP.decode(): f"{policy()}; {SANDBOX}"})


def _unknown(job_id: str) -> Any:
    raise Refused(
        404, "JobUnknown", f"No job is called {job_id[:64]!r} here.", field="/path/job_id"
    )
