# SPDX-License-Identifier: Apache-2.0
"""An evolution over HTTP: a real worker that breeds on a small made market, on a real port."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.test_jobs import DATA, PATIENCE_S, ended, until_running, workers
from face_desk import FaceDesk, recorded_desk
from hean.api.permissions import Role
from hean.evaluate.trial_log import NAME
from hean.genome.text import read, write
from hean.jobs.store import FOLDER
from judged_market import write_planted
from small_market import write_candles

ASKED: dict[str, Any] = {
    "symbols": ["BTCUSDT"], "data": [DATA], "population": 24, "folds": 3, "min_trades": 40,
    "fees": {"maker": "0", "taker": "0.0001"}, "slippage": {"half_spread": "0", "impact": "0"},
}  # fmt: skip


async def begun(desk: FaceDesk, **more: Any) -> str:
    """The name of a new evolution."""
    status, answer = await desk.ask("POST", "/evolve", ASKED | more, role=Role.OPERATOR)
    assert status == 202, answer
    return str(answer["job_id"])


async def test_an_evolution_from_its_request_to_champions_and_a_page(tmp_path: Path) -> None:
    source = write_planted(tmp_path, 1, days=150, pull=0.5)
    async with recorded_desk(tmp_path, source=source) as desk, desk.socket() as socket:
        await socket.send_json({"action": "auth", "token": desk.tokens[Role.VIEWER]})
        await socket.send_json({"action": "subscribe", "topic": "jobs"})
        job_id = await begun(desk, generations=12, seed=1, title="bred")
        parts: list[float] = []
        async with asyncio.timeout(PATIENCE_S):
            while not parts or parts[-1] < 100:
                frame = await socket.receive_json()
                if frame.get("topic") == "jobs":
                    parts += [it["progress_percent"] for it in frame["data"]]
        assert parts == sorted(parts) and len(set(parts)) > 6, "each generation is told"
        job = await ended(desk, job_id)
        assert (job["state"], job["title"], job["kind"]) == ("DONE", "bred", "evolve"), job
        _, report = await desk.ask("GET", f"/jobs/{job_id}/report", role=Role.VIEWER)
        result = report["result"]
        assert str(tmp_path) not in str(report)
        best = result["champions"][0]
        assert write(read(best["genome"])) == best["genome"] == best["lineage"][0]["genome"]
        assert best["judged"]["sharpe"] is not None and best["deflated_sharpe"] is not None
        assert result["promoted"] >= 1, result["verdict"]
        shown = {name: job["figures"][name] for name in ("verdict", "promoted", "generations")}
        assert shown == {name: result[name] for name in shown}
        assert job["figures"]["champions"] == len(result["champions"])
        log = (tmp_path / "data" / NAME).read_text().splitlines()
        assert len(log) == result["trials"]["run"] == job["figures"]["trials"]
        left = {path.name for path in (tmp_path / "data" / FOLDER / job_id).iterdir()}
        assert left == {"job.json", "result.json", "report.html"}
        await check_page(desk, job_id, best["genome"])


async def check_page(desk: FaceDesk, job_id: str, genome: str) -> None:
    """The report is opened as that of a backtest: by a ticket, once, in a sandbox."""
    _, ticket = await desk.ask("POST", "/ws-ticket", role=Role.VIEWER)
    url = f"{desk.face.server.url}/jobs/{job_id}/report?format=html&ticket={ticket['ticket']}"
    async with desk.http.get(url) as answer:
        text = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert genome.replace("<", "&lt;").replace(">", "&gt;") in text
    assert "sandbox allow-scripts" in policy
    assert (await desk.http.get(url)).status == 401


async def test_nothing_promoted_is_a_result_and_too_few_days_are_a_reason(tmp_path: Path) -> None:
    source = write_planted(tmp_path, 2, is_shuffled=True)
    async with recorded_desk(tmp_path, source=source) as desk:
        job = await ended(desk, await begun(desk, generations=2))
        assert (job["state"], job["figures"]["promoted"]) == ("DONE", 0), job
        assert job["title"] == "evolution on BTCUSDT"
        assert job["figures"]["verdict"].startswith("Nothing is promoted")
        job = await ended(desk, await begun(desk, generations=2, end="2023-11-20"))
        assert (job["state"], job["code"]) == ("FAILED", "DataInvalid"), job
        assert "whole days" in job["reason"] and str(tmp_path) not in job["reason"]


REFUSED = [
    ({"population": 7}, "/body/population", ""),
    ({"population": 501}, "/body/population", ""),
    ({"generations": 201}, "/body/generations", ""),
    ({"generations": 0}, "/body/generations", ""),
    ({"population": 500, "generations": 41}, "/body/generations", "40 generations are allowed"),
    ({"holdout": 0.5}, "/body/holdout", ""),
    ({"folds": 1}, "/body/folds", ""),
    ({"embargo_days": 0}, "/body/embargo_days", ""),
    ({"min_trades": 4}, "/body/min_trades", ""),
    ({"seed": -1}, "/body/seed", ""),
    ({"strategy": "impulse"}, "/body/strategy", "not permitted"),
    ({"feature": ["x.py:f"]}, "/body/feature", "not permitted"),
    ({"workers": 99}, "/body/workers", "not permitted"),
    ({"data": ["/etc/passwd"]}, "/body/data/0", "no such data set"),
    ({"symbols": ["ETHUSDT"]}, "/body/symbols/0", "no prices of it"),
    ({"start": "2023-12-01", "end": "2023-11-01"}, "/body", "exchange them"),
]


async def test_what_would_not_end_or_cannot_be_played_is_refused_by_name(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        for wrong, field, words in REFUSED:
            status, answer = await desk.ask("POST", "/evolve", ASKED | wrong)
            assert (status, answer.get("field")) == (422, field), (wrong, answer)
            assert words in str(answer), (wrong, answer)
        assert (await desk.ask("POST", "/evolve", ASKED, role=Role.VIEWER))[0] == 403
        assert (await desk.ask("GET", "/jobs"))[1] == []


@pytest.mark.control("C-18")
async def test_one_key_begins_one_evolution_and_cancelling_leaves_nothing(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path, source=write_candles(tmp_path, 3, 60_000)) as desk:
        asked = ASKED | {"population": 100, "generations": 200}
        first, again = [
            await desk.ask("POST", "/evolve", asked, **{"Idempotency-Key": "one"}) for _ in "ab"
        ]
        assert first == again and first[0] == 202
        job_id = first[1]["job_id"]
        assert len((await desk.ask("GET", "/jobs"))[1]) == 1
        await until_running(desk, job_id)
        ours = workers()
        status, job = await desk.ask("DELETE", f"/jobs/{job_id}", role=Role.ADMIN)
        assert (status, job["state"]) == (200, "CANCELLED")
        assert not ours & workers()
