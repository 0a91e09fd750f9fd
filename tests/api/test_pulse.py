# SPDX-License-Identifier: Apache-2.0
"""A loop that is stuck (C-40): a process whose event loop really does not turn says 503 at
`/health/live`, and a stop of trading that is asked for meanwhile is carried out when it turns.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from api.stand_in import BASE, Desk
from hean.api.pulse import LATE_S, REMEMBER_S, Pulse

pytestmark = pytest.mark.control("C-40")
PATIENCE_S = 120.0
STUCK = """
import asyncio, sys
from pathlib import Path
from api.stand_in import Desk
from hean.api.permissions import Role
from hean.api.pulse import Pulse
from hean.api.server import ApiServer
from hean.net.bind import Bind

async def main():
    folder, pulse = Path(sys.argv[1]), Pulse(late_s=0.5)
    desk = Desk(folder / "data", is_late=lambda: pulse.is_late)
    token = desk.as_role(Role.OPERATOR)["Authorization"]
    server = ApiServer(desk.api, Bind(port=0), pulse)
    await server.start()
    print(server.port, token, flush=True)
    while not (folder / "stick").exists():
        await asyncio.sleep(0.02)
    print("stuck", flush=True)
    while not (folder / "turn").exists():
        pass
    while not (folder / "end").exists():
        await asyncio.sleep(0.02)
    await server.stop()

asyncio.run(main())
"""


async def test_a_loop_that_is_stuck_says_so_and_loses_no_stop(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUCK, str(tmp_path), stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        port, _, token = (await process.stdout.readline()).decode().strip().partition(" ")

        def ask(method: str, path: str) -> tuple[int, str]:
            line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE_S)
            try:
                line.request(method, path, headers={"Authorization": token})
                answer = line.getresponse()
                return answer.status, answer.read().decode()
            finally:
                line.close()

        async def live(status: int) -> str:
            """What it says once that is the status: a machine that stalls is a stall, too."""
            async with asyncio.timeout(PATIENCE_S):
                while (said := await asyncio.to_thread(ask, "GET", "/health/live"))[0] != status:
                    await asyncio.sleep(0.1)
            return said[1]

        assert await live(200) == '{"status":"up"}'
        (tmp_path / "stick").touch()
        assert await process.stdout.readline() == b"stuck\n"
        await live(503)
        status, told = await asyncio.to_thread(ask, "GET", "/api/health/live")
        assert (status, json.loads(told)["code"]) == (503, "LoopStuck")
        stop = asyncio.create_task(asyncio.to_thread(ask, "POST", "/killswitch/trigger"))
        status, _ = await asyncio.to_thread(ask, "GET", "/health/live")
        assert status == 503 and not stop.done()  # it waits, and is not refused
        (tmp_path / "turn").touch()
        assert (await stop)[0] == 200
        (tmp_path / "end").touch()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_stall_is_remembered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr("hean.api.pulse.time", clock)
    pulse = Pulse()
    desk = Desk(tmp_path, is_late=lambda: pulse.is_late)
    client = TestClient(desk.api, base_url=BASE)

    async def beat() -> None:
        pulse._beat(asyncio.get_running_loop())

    half = REMEMBER_S / 2
    for seconds, status in (
        (LATE_S, 200),
        (LATE_S + 1, 503),
        (half, 503),
        (half - 1, 503),
        (1, 200),
    ):
        now_s += seconds
        asyncio.run(beat())
        answer = client.get("/health/live")
        assert answer.status_code == status, now_s
        assert answer.json()["detail" if status == 503 else "status"] in ("down", "up")
