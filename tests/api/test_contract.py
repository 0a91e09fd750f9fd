# SPDX-License-Identifier: Apache-2.0
"""What others rely on, line by line: every route, topic, field and variable that was promised to
them stands in a table here, and the running app is held against it. Anything may be added; what is
listed may not be renamed or dropped.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from api.test_commands import PATIENCE_S, started
from face_desk import FaceDesk, face_desk, recorded_desk
from free_port import free_port
from hean.api.permissions import Role
from hean.config import load, masked

NUMBER = re.compile(r"-?\d+(\.\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ORDER = (
    "client_order_id exchange_order_id symbol side type qty price filled_qty avg_price status "
    "strategy_id reason created_at updated_at"
)
FILL = "exec_id client_order_id symbol side price qty fee fee_asset liquidity ts"
POSITION = "symbol qty avg_price mark_price unrealized_pnl realized_pnl leverage liquidation_price"
COMPONENT = "state last_check failure_count circuit_breaker error_message"
HEALTH = "status services timestamp orchestrator components mode live_trading dry_run"
JOB = "job_id state progress_percent"
LATCH = "latched level reason since"
STATUSES = "INTENT SENT WORKING PARTIAL FILLED CANCELLED EXPIRED REJECTED UNKNOWN QUARANTINE ABSENT"
TOPICS = (
    "system_status order_decisions ai_catalyst orders positions pnl fills market strategies risk "
    "logs jobs"
)
DECIMAL = (
    "qty price filled_qty avg_price fee mark_price unrealized_pnl realized_pnl "
    "liquidation_price equity cash fees funding"
)
INSTANT = {"created_at", "updated_at", "ts", "since", "timestamp"}
NO_KEY = "IdempotencyKeyMissing"
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.01"}
REST = {**BUY, "type": "LIMIT", "price": "50000"}
REASON = "looked at the feed"


class Asks(NamedTuple):
    """A question, the status of its answer and the fields that answer must have."""

    method: str
    path: str
    fields: str = ""
    body: Any = None
    status: int = 200
    role: Role = Role.ADMIN


STILL = [
    Asks("GET", "/health/live", "status"),
    Asks("GET", "/health", HEALTH),
    Asks("GET", "/health/orchestrator", COMPONENT),
    Asks("GET", "/health/ml_engine", COMPONENT),
    Asks("GET", "/health/execution", COMPONENT),
    Asks("GET", "/health/ready", "code", status=503),
    Asks("GET", "/engine/status", "state mode"),
    Asks("POST", "/engine/stop", "state"),
    Asks("GET", "/killswitch", LATCH),
    Asks("GET", "/live", "missing"),
    Asks("GET", "/settings"),
    Asks("GET", "/metrics"),
    Asks("GET", "/jobs"),
    Asks("POST", "/ws-ticket", "ticket"),
    Asks("GET", "/openapi.json", "paths"),
]
"""What can be asked before an engine was started."""

TRADING = [
    Asks("POST", "/engine/start", "state mode"),
    Asks("GET", "/health/ready"),
    Asks("GET", "/portfolio/summary", "equity cash fees funding unrealized_pnl realized_pnl"),
    Asks("GET", "/positions", POSITION),
    Asks("GET", "/fills", FILL),
    Asks("GET", "/orders?limit=5&status=FILLED", ORDER),
    Asks("GET", "/orders/{filled}", ORDER),
    Asks("GET", "/orders/{filled}/why", "order decisions fills"),
    Asks("DELETE", "/orders/{resting}", ORDER, role=Role.TRADER),
    Asks("POST", "/orders/cancel-all", role=Role.OPERATOR),
    Asks("GET", "/strategies", "id enabled"),
    Asks("POST", "/strategies/{strategy}/disable", "id enabled"),
    Asks("POST", "/strategies/{strategy}/enable", "id enabled"),
    Asks("GET", "/risk", "level limits"),
    Asks("PATCH", "/risk/limits", "limits", {"limits": {"order_value_max": "500"}}),
    Asks("PATCH", "/risk/limits", "code field request_id",
         {"limits": {"order_value_max": "5000"}, "reason": REASON}, 403, Role.TRADER),
    Asks("PATCH", "/risk/limits", "limits",
         {"limits": {"order_value_max": "5000"}, "reason": REASON}, role=Role.RISK),
    Asks("POST", "/live/confirm", "code request_id", {"confirm_phrase": "live paper"}, 409),
    Asks("GET", "/state/digest", "seq state_hash"),
    Asks("GET", "/logs"),
    Asks("GET", "/events"),
    Asks("POST", "/smoke-test/run", "job_id", {"symbol": "BTCUSDT"}, 202),
    Asks("POST", "/killswitch/trigger", LATCH, {"reason": REASON}, role=Role.OPERATOR),
    Asks("POST", "/killswitch/trigger", LATCH, {"reason": REASON, "level": "LOCKED"}),
    Asks("GET", "/killswitch", LATCH),
    Asks("POST", "/killswitch/release", "code request_id",
         {"phrase": "release another", "reason": REASON}, 409, Role.RISK),
]  # fmt: skip


def wrong_form(document: Any) -> list[str]:
    """Fields that are no decimal text, or no moment, though they should be."""
    rows = document if isinstance(document, list) else [document]
    found = []
    for row in rows:
        for name, value in row.items() if isinstance(row, dict) else ():
            form = NUMBER if name in DECIMAL.split() else MOMENT if name in INSTANT else None
            if form is None or value is None:
                continue
            if not (isinstance(value, str) and form.fullmatch(value)):
                found.append(f"{name}: {value!r}")
    return found


async def differs(desk: FaceDesk, asks: Asks, names: dict[str, str]) -> list[str]:
    """How an answer is another one than was promised."""
    path = asks.path.format(**names)
    found = []
    for prefix in ("", "/api"):
        if prefix and asks.method != "GET":
            continue
        status, answer = await answered(desk, asks, prefix + path)
        row = answer[0] if isinstance(answer, list) and answer else answer
        missing = set(asks.fields.split()) - set(row if isinstance(row, dict) else ())
        if status != asks.status or missing or (forms := wrong_form(answer)):
            forms = wrong_form(answer)
            found.append(f"{asks.method} {prefix}{path}: {status}, lacks {missing}, {forms}, {row}")
    return found


async def answered(desk: FaceDesk, asks: Asks, path: str) -> tuple[int, Any]:
    """Status and document; of text the text."""
    if asks.path != "/metrics":
        return await desk.ask(asks.method, path, asks.body, role=asks.role)
    desk.asked += 1
    shown = {"Authorization": f"Bearer {desk.tokens[asks.role]}"}
    async with desk.http.get(f"{desk.face.server.url}{path}", headers=shown) as answer:
        return answer.status, await answer.text()


async def test_every_route_answers_as_promised(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        found = [line for each in STILL for line in await differs(desk, each, {})]
        await desk.engine.start()
        ids = []
        for asked in (BUY, REST):
            status, order = await desk.ask("POST", "/orders", asked, role=Role.TRADER)
            assert status == 202 and set(ORDER.split()) <= set(order), order
            assert order["status"] in STATUSES.split()
            ids.append(order["client_order_id"])
        await desk.engine.until(lambda: desk.engine.filled(ids[0]))
        _, (strategy,) = await desk.ask("GET", "/strategies")
        names = {"filled": ids[0], "resting": ids[1], "strategy": strategy["id"]}
        for each in TRADING:
            found += await differs(desk, each, names)
        assert found == [], "\n".join(found)


async def test_what_an_order_may_say_and_what_it_needs(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        full = {**REST, "reduce_only": False, "time_in_force": "GTC", "algo": None}
        assert (await desk.ask("POST", "/orders", full))[0] == 202
        key = {"Idempotency-Key": "one"}
        first = await desk.ask("POST", "/orders", REST, **key)
        assert await desk.ask("POST", "/orders", REST, **key) == first
        url, shown = f"{desk.face.server.url}/orders", desk.tokens[Role.ADMIN]
        headers = {"Authorization": f"Bearer {shown}"}
        async with desk.http.post(url, json=REST, headers=headers) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (400, NO_KEY)
        assert (await desk.ask("POST", "/orders", {**REST, "qty": 0.01}))[0] == 422


async def test_strangers_hear_of_life_alone(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        for asks in (*STILL, *TRADING):
            path = asks.path.format(filled="x", resting="x", strategy="x")
            async with desk.http.request(
                asks.method, f"{desk.face.server.url}{path}", json=asks.body,
                skip_auto_headers=("Content-Type",) if asks.body is None else (),
            ) as answer:  # fmt: skip
                assert answer.status == (200 if asks.path == "/health/live" else 401), asks
                if answer.status != 200:
                    assert answer.content_type == "application/problem+json"
                    assert {"code", "field", "request_id"} <= set(await answer.json())


async def test_every_topic_begins_with_a_snapshot_and_goes_on_with_numbers(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        async with desk.socket() as socket:
            _, ticket = await desk.ask("POST", "/ws-ticket")
            await socket.send_json({"action": "auth", "ticket": ticket["ticket"]})
            assert (await socket.receive_json())["ok"] is True
            for topic in TOPICS.split():
                await socket.send_json({"action": "subscribe", "topic": topic})
            seen: dict[str, int] = {}
            async with asyncio.timeout(120):
                while len(seen) < len(TOPICS.split()):
                    frame = await socket.receive_json()
                    assert {"topic", "seq", "ts", "data"} <= set(frame), frame
                    assert MOMENT.fullmatch(frame["ts"])
                    assert frame["topic"] in seen or frame["snapshot"], "a snapshot comes first"
                    assert frame["seq"] > seen.get(frame["topic"], -1)
                    seen[frame["topic"]] = frame["seq"]
                while frame["topic"] != "market" or frame["snapshot"]:
                    frame = await socket.receive_json()


async def test_a_job_is_begun_followed_reported_and_ended(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        _, (data, *_) = await desk.ask("GET", "/data")
        asked = {"strategy": "impulse", "symbols": ["BTCUSDT"], "data": [data["id"]]}
        status, begun = await desk.ask("POST", "/backtest", asked, role=Role.OPERATOR)
        assert status == 202 and set(begun) >= {"job_id"}
        path = f"/jobs/{begun['job_id']}"
        async with asyncio.timeout(240):
            while (job := (await desk.ask("GET", path))[1])["state"] not in ("DONE", "FAILED"):
                assert set(JOB.split()) <= set(job) and 0 <= job["progress_percent"] <= 100
                await asyncio.sleep(0.05)
        assert job["state"] == "DONE", job
        assert (await desk.ask("GET", f"{path}/report"))[0] == 200
        assert (await desk.ask("DELETE", path))[0] == 200
        assert [each["job_id"] for each in (await desk.ask("GET", "/jobs"))[1]] == [begun["job_id"]]
        graded = {**asked, "grid": {"threshold": [1.0, 1.5]}}
        status, begun = await desk.ask("POST", "/evaluate", graded)
        assert status == 202, begun
        assert (await desk.ask("DELETE", f"/jobs/{begun['job_id']}"))[0] == 200
        bred = {"symbols": asked["symbols"], "data": asked["data"]}
        status, begun = await desk.ask("POST", "/evolve", bred, role=Role.OPERATOR)
        assert status == 202 and set(begun) >= {"job_id"}
        assert (await desk.ask("DELETE", f"/jobs/{begun['job_id']}"))[0] == 200


ADDRESS = "http://127.0.0.1:9"
VARIABLES = {
    "HEAN_DATA_DIR": "elsewhere", "HEAN_API_PORT": "8123",
    "BYBIT_REST_URL": ADDRESS, "BYBIT_WS_PUBLIC_URL": "ws://127.0.0.1:9",
    "BYBIT_WS_PRIVATE_URL": "ws://127.0.0.1:9", "BYBIT_WS_TRADE_URL": "ws://127.0.0.1:9",
    "BYBIT_API_KEY": "a-key-of-somebody", "BYBIT_API_SECRET": "a-secret-of-somebody",
    "BINANCE_REST_URL": ADDRESS, "BINANCE_WS_URL": "ws://127.0.0.1:9",
    "BINANCE_FUTURES_REST_URL": ADDRESS, "BINANCE_FUTURES_WS_URL": "ws://127.0.0.1:9",
    "BINANCE_API_KEY": "a-key-of-somebody", "BINANCE_API_SECRET": "a-secret-of-somebody",
}  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_heard_and_shown_with_where_it_came_from(name: str) -> None:
    given = VARIABLES[name]
    (row,) = [each for each in masked(load({}, VARIABLES)) if each.variable == name]
    assert row.source == "environment"
    is_secret = name.endswith(("KEY", "SECRET"))
    assert (row.value == "***") is is_secret and (given in str(row.value)) is not is_secret


@pytest.mark.parametrize(
    "name", [each for each in VARIABLES if "_API_" in each and "PORT" not in each]
)
def test_every_secret_may_lie_in_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text(VARIABLES[name])
    (row,) = [e for e in masked(load({}, {f"{name}_FILE": str(path)})) if e.variable == name]
    assert (row.value, VARIABLES[name] in str(row)) == ("***", False)


@pytest.mark.timeout(3 * PATIENCE_S)
def test_the_port_of_the_environment_is_where_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HEAN_API_PORT", str(port))
    with started("serve", folder=tmp_path / "data", port=None) as (_, url):
        assert url.rstrip("/.").endswith(f":{port}")
