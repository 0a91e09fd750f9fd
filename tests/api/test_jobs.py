# SPDX-License-Identifier: Apache-2.0
"""Long work over HTTP: real workers on a small market, on a real port."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from face_desk import FaceDesk, face_desk, recorded_desk
from hean.api.permissions import Role
from hean.jobs.store import FOLDER
from small_market import IMPULSE

DATA = "binance/perp/BTCUSDT/candles_5m"
ASKED = {"strategy": "impulse", "symbols": ["BTCUSDT"], "data": [DATA], "params": IMPULSE}
PATIENCE_S = 240.0


async def ended(desk: FaceDesk, job_id: str) -> dict[str, Any]:
    """The job once nothing more becomes of it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status, job = await desk.ask("GET", f"/jobs/{job_id}")
            assert status == 200
            if job["state"] not in ("QUEUED", "RUNNING"):
                return job
            await asyncio.sleep(0.05)


async def begun(desk: FaceDesk, path: str = "/backtest", **asked: Any) -> str:
    """The name of a new job."""
    status, answer = await desk.ask("POST", path, ASKED | asked, role=Role.OPERATOR)
    assert status == 202, answer
    return str(answer["job_id"])


async def until_running(desk: FaceDesk, job_id: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await desk.ask("GET", f"/jobs/{job_id}"))[1]["state"] != "RUNNING":
            await asyncio.sleep(0.02)


def workers() -> set[int]:
    """Processes that play jobs for this one, which may have other children."""
    children: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            children |= set(map(int, (task / "children").read_text().split()))
    return {pid for pid in children if b"hean.cli_worker" in _words(pid)}


def _words(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.mark.promise(65)
async def test_a_backtest_from_the_form_to_its_report(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        _, declared = await desk.ask("GET", "/strategies/declared", role=Role.VIEWER)
        impulse = next(each for each in declared if each["name"] == "impulse")
        assert {
            "name": "hold",
            "type": "int",
            "default": 96,
            "low": 1.0,
            "high": 100_000.0,
        }.items() <= (
            next(each for each in impulse["parameters"] if each["name"] == "hold").items()
        )
        _, sets = await desk.ask("GET", "/data", role=Role.VIEWER)
        assert [(each["id"], each["rows"], each["is_made"]) for each in sets] == [
            (DATA, 600, False)
        ]
        job = await ended(desk, await begun(desk, title="a first try"))
        assert (job["state"], job["progress_percent"]) == ("DONE", 100.0), job
        assert (job["title"], job["started_by"], job["code"]) == ("a first try", "operator", None)
        assert job["figures"]["trades"] > 0
        _, report = await desk.ask("GET", f"/jobs/{job['job_id']}/report", role=Role.VIEWER)
        assert report["result"]["params"] | IMPULSE == report["result"]["params"]
        assert report["result"]["net_pnl"] == job["figures"]["net_pnl"]
        curve = report["curve"]
        assert len(curve["ts"]) == len(curve["equity"]) == len(curve["exposure"]) > 100
        assert curve["equity"][-1] == pytest.approx(float(report["result"]["final_equity"]), abs=1)
        left = {path.name for path in (tmp_path / "data" / FOLDER / job["job_id"]).iterdir()}
        assert left == {"job.json", "result.json", "report.html", "curve.json"}


async def test_an_evaluation_judges_and_counts_its_trials(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path, bars=3_000) as desk:
        params = {name: value for name, value in IMPULSE.items() if name != "threshold"}
        job_id = await begun(
            desk, "/evaluate", params=params, grid={"threshold": [0.6, 0.9]}, folds=3,
            embargo_days=0,
        )  # fmt: skip
        job = await ended(desk, job_id)
        assert job["state"] == "DONE", job
        assert job["figures"]["survives"] is False
        assert job["figures"]["trials"] == 2
        assert job["figures"]["verdict"]
        _, report = await desk.ask("GET", f"/jobs/{job_id}/report")
        assert len(report["result"]["gates"]) > 5
        assert report["curve"] is None
        assert (tmp_path / "data" / "trials.log").is_file()


async def test_the_report_is_a_page_that_a_ticket_opens_once(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        job_id = await begun(desk)
        status, refused = await desk.ask("GET", f"/jobs/{job_id}/report")
        assert (status, refused["code"]) == (409, "JobNotDone")
        assert (await ended(desk, job_id))["has_page"] is True
        url = f"{desk.face.server.url}/jobs/{job_id}/report?format=html"
        assert (await desk.http.get(url)).status == 401
        _, ticket = await desk.ask("POST", "/ws-ticket", role=Role.VIEWER)
        url += f"&ticket={ticket['ticket']}"
        async with desk.http.get(url) as answer:
            text = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
        assert answer.status == 200
        assert text.startswith("<!DOCTYPE html>")
        assert str(tmp_path) not in text
        assert "script-src 'sha256-" in policy
        assert "sandbox allow-scripts" in policy
        assert (await desk.http.get(url)).status == 401


REFUSED = [
    ({"strategy": "impuls"}, "/body/strategy", "nearest impulse"),
    ({"strategy": "x.py:Evil"}, "/body/strategy", "pattern"),
    ({"strategy": "../../x"}, "/body/strategy", "pattern"),
    ({"params": {"treshold": 2}}, "/body/params/treshold", "nearest threshold"),
    ({"params": {"threshold": 50}}, "/body/params/threshold", "nearest 20"),
    ({"params": {"hold": 1.5}}, "/body/params/hold", "a whole number"),
    ({"params": {"hold": [1]}}, "/body/params/hold", ""),
    ({"params": {"hold=1 --report": 1}}, "/body/params/hold=1 --report/[key]", ""),
    ({"data": ["binance/perp/BTCUSDT/candles_1m"]}, "/body/data/0", f"nearest {DATA}"),
    ({"data": ["/etc/passwd"]}, "/body/data/0", "no such data set"),
    ({"data": ["../../../etc/passwd"]}, "/body/data/0", "no such data set"),
    ({"data": []}, "/body/data", "at least 1"),
    ({"data": [DATA, DATA]}, "/body", "the same one twice"),
    ({"symbols": ["ETHUSDT"]}, "/body/symbols/0", "no prices of it"),
    ({"symbols": ["BTCUSDT@spot"]}, "/body/symbols/0", "no prices of it"),
    ({"symbols": ["=CMD()"]}, "/body/symbols/0", "pattern"),
    ({"start": "2025-02-31"}, "/body/start", "ISO 8601"),
    ({"start": "2023-12-01", "end": "2023-11-01"}, "/body", "exchange them"),
    ({"cash": 10_000}, "/body/cash", "decimal in text"),
    ({"cash": "0"}, "/body/cash", "above zero"),
    ({"leverage": "126"}, "/body/leverage", "125"),
    ({"fees": {"maker": "0.5", "taker": "0"}}, "/body/fees/maker", "0.1"),
    ({"latency_ms": -1}, "/body/latency_ms", ""),
    ({"bar": "1 m"}, "/body/bar", "pattern"),
    ({"seed": 2**63}, "/body/seed", ""),
    ({"report": "/etc/x.html"}, "/body/report", "not permitted"),
]


async def test_what_cannot_be_played_is_refused_by_name_and_nothing_begins(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        for wrong, field, words in REFUSED:
            status, answer = await desk.ask("POST", "/backtest", ASKED | wrong)
            found = (status, answer.get("field"))
            assert found == (422, field), (wrong, answer)
            assert words in str(answer), (wrong, answer)
            assert str(tmp_path) not in str(answer)
        for grid in ({"treshold": [1]}, {"threshold": [1, 50]}, {"hold": [5]}):
            status, answer = await desk.ask("POST", "/evaluate", ASKED | {"grid": grid})
            assert (status, answer["field"]) == (422, f"/body/grid/{next(iter(grid))}")
        many = {name: list(range(1, 100)) for name in ("pause", "atr")}
        asked = ASKED | {"params": {}, "grid": many}
        status, answer = await desk.ask("POST", "/evaluate", asked)
        assert answer["field"] in ("/body/grid", "/body/grid/atr")
        assert (await desk.ask("GET", "/jobs"))[1] == []


async def test_no_parameter_has_a_file_of_this_machine_run(tmp_path: Path) -> None:
    code, mark = tmp_path / "code.py", tmp_path / "was_run"
    code.write_text(f"open({str(mark)!r}, 'w')\ndef f(bars):\n    return bars['close']\n")
    asked = ASKED | {"strategy": "genome", "params": {}}
    async with recorded_desk(tmp_path) as desk:
        for path, given in (
            ("/backtest", "params"),
            ("/evaluate", "params"),
            ("/evaluate", "grid"),
        ):
            spec = f"{code}:f"
            wish = asked | {given: {"features": [spec] if given == "grid" else spec}}
            status, answer = await desk.ask("POST", path, wish)
            assert (status, answer["field"]) == (422, f"/body/{given}/features"), answer
            assert "for the command line" in answer["detail"]
        assert (await desk.ask("GET", "/jobs"))[1] == []
        _, declared = await desk.ask("GET", "/strategies/declared")
        genome = next(each for each in declared if each["name"] == "genome")
        assert [each["name"] for each in genome["parameters"]] == ["genome"]
    assert not mark.exists()


@pytest.mark.control("C-19")
async def test_a_job_is_ended_by_who_began_it_or_by_an_admin(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path, bars=200_000, at_once=1) as desk:
        first, second = await begun(desk), await begun(desk)
        status, answer = await desk.ask("POST", "/backtest", ASKED, role=Role.OPERATOR)
        assert (status, answer["code"]) == (429, "TooManyJobs")  # C-15: two of one token
        await until_running(desk, first)
        ours = workers()
        assert (await desk.ask("DELETE", f"/jobs/{first}", role=Role.TRADER))[0] == 403
        assert (await desk.ask("DELETE", f"/jobs/{first}", role=Role.VIEWER))[0] == 403
        status, answer = await desk.ask("DELETE", f"/jobs/{first}?forget=true", role=Role.OPERATOR)
        assert (status, answer["code"]) == (409, "JobNotEnded")
        status, job = await desk.ask("DELETE", f"/jobs/{first}", role=Role.OPERATOR)
        assert (status, job["state"]) == (200, "CANCELLED")
        assert (await desk.ask("DELETE", f"/jobs/{second}", role=Role.ADMIN))[1]["state"] == (
            "CANCELLED"
        )
        assert not ours & workers()
        assert (await desk.ask("DELETE", f"/jobs/{first}"))[1]["state"] == "CANCELLED"
        status, job = await desk.ask("DELETE", f"/jobs/{first}?forget=true")
        assert (status, job["state"]) == (200, "FORGOTTEN")
        for path in (f"/jobs/{first}", f"/jobs/{first}/report", "/jobs/..%2f..%2fx"):
            assert (await desk.ask("GET", path))[0] in (404, 422), path


@pytest.mark.control("C-18")
async def test_one_key_begins_one_job_and_the_stream_tells_of_it(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk, desk.socket() as socket:
        await socket.send_json({"action": "auth", "token": desk.tokens[Role.VIEWER]})
        await socket.send_json({"action": "subscribe", "topic": "jobs"})
        asked = [
            await desk.ask("POST", "/backtest", ASKED, **{"Idempotency-Key": "one"})
            for _ in range(2)
        ]
        assert asked[0] == asked[1]
        job_id = asked[0][1]["job_id"]
        states: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while "DONE" not in states:
                frame = await socket.receive_json()
                if frame.get("topic") == "jobs":
                    states += [job["state"] for job in frame["data"] if job["job_id"] == job_id]
        assert list(dict.fromkeys(states))[-2:] == ["RUNNING", "DONE"]
        assert len((await desk.ask("GET", "/jobs"))[1]) == 1


@pytest.mark.promise(64)
async def test_a_smoke_test_goes_through_the_door_and_leaves_nothing(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        asked = {"symbol": "BTCUSDT"}
        status, refused = await desk.ask("POST", "/smoke-test/run", asked)
        assert (status, refused["code"]) == (409, "StateError")
        await desk.engine.start()
        assert (await desk.ask("POST", "/smoke-test/run", asked, role=Role.OPERATOR))[0] == 403
        status, refused = await desk.ask("POST", "/smoke-test/run", {"symbol": "XRPUSDT"})
        assert (status, refused["code"]) == (422, "UnknownSymbol")
        status, begun = await desk.ask("POST", "/smoke-test/run", asked, role=Role.TRADER)
        assert status == 202, begun
        job = await ended(desk, begun["job_id"])
        _, report = await desk.ask("GET", f"/jobs/{job['job_id']}/report")
        assert (job["state"], job["figures"]["passed"]) == ("DONE", True), report
        assert [step["passed"] for step in report["result"]["steps"]] == [True] * 6
        _, orders = await desk.ask("GET", "/orders")
        assert [order["status"] for order in orders] == ["FILLED", "FILLED", "CANCELLED"]
        assert {order["strategy_id"] for order in orders} == {"manual"}
        assert (await desk.ask("GET", "/positions"))[1] == []
        status, refused = await desk.ask("GET", f"/jobs/{job['job_id']}/report?format=html")
        assert (status, refused["code"]) == (404, "NoPage")
        await desk.engine.facade.kill("HALT_NEW", "a test", "operator:x")
        status, refused = await desk.ask("POST", "/smoke-test/run", asked)
        assert (status, "HALTED" in refused["detail"]) == (409, True)


@pytest.mark.parametrize("ends_by", ["cancel", "kill switch"])
async def test_a_smoke_test_that_is_cut_short_sells_what_it_bought(
    tmp_path: Path, ends_by: str
) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        facade = desk.engine.facade
        _, begun = await desk.ask("POST", "/smoke-test/run", {"symbol": "BTCUSDT"})
        async with asyncio.timeout(PATIENCE_S):
            while not facade.positions():
                await asyncio.sleep(0.001)
        if ends_by == "cancel":
            _, job = await desk.ask("DELETE", f"/jobs/{begun['job_id']}")
            assert job["state"] == "CANCELLED"
        else:
            await facade.kill("HALT_NEW", "a test", "operator:x")  # at once: nothing is sold yet
            assert (await ended(desk, begun["job_id"]))["state"] == "DONE"
        assert facade.positions() == []
        assert {order.status for order in facade.orders()} <= {"FILLED", "CANCELLED", "REJECTED"}
