# SPDX-License-Identifier: Apache-2.0
"""What must not happen by the way: looking changes nothing (C-03), no listener is reachable from
elsewhere (C-08), and who guesses learns nothing of what there is (C-39).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from api.stand_in import DAY_S, Desk, bearer
from api.test_commands import PATIENCE_S, started
from face_desk import recorded_desk
from hean.api.page import built_page
from hean.api.permissions import ROWS, SOCKET, Role
from hean.core.types import EventType

LISTENS = "0A"  # the state, in the kernel's table
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
CAUSED = (
    EventType.COMMAND, EventType.ORDER_REQUEST, EventType.CANCEL_REQUEST, EventType.AMEND_REQUEST,
    EventType.ORDER_APPROVED, EventType.KILLSWITCH_TRIGGERED, EventType.KILLSWITCH_RELEASED,
)  # fmt: skip


def kept(folder: Path) -> dict[str, bytes]:
    """The files of a data directory, but the last use of a token."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("tokens.json", ".tokens.lock")
    }


@pytest.mark.control("C-03")
async def test_looking_changes_nothing(tmp_path: Path) -> None:
    """Everything that can be read, of what is there and of what is not, by an admin."""
    async with recorded_desk(tmp_path) as desk:
        await desk.engine.start()
        asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01"}
        _, order = await desk.ask("POST", "/orders", asked | {"price": "50000"})
        names = {
            "client_order_id": order["client_order_id"], "symbol": "BTCUSDT", "job_id": "x1",
            "component": "orchestrator", "strategy_id": "x1", "agent_id": "x1",
        }  # fmt: skip
        facade, order_id = desk.engine.facade, order["client_order_id"]
        await desk.engine.until(lambda: facade.order(order_id).status == "WORKING")
        facts = desk.engine.facts()
        files = kept(tmp_path / "data")
        levels = (await desk.ask("GET", "/killswitch"))[1]
        limits = (await desk.ask("GET", "/risk"))[1]["limits"]
        for row in ROWS:
            if row.method == SOCKET:
                continue
            path = re.sub(r"{(\w+)}", lambda found: names[found[1]], row.path)
            for method in ("GET", "HEAD", "OPTIONS"):
                desk.asked += 1
                async with desk.http.request(
                    method, desk.face.server.url + path, params={"show": "ema"},
                    headers={"Authorization": f"Bearer {desk.tokens[Role.ADMIN]}"},
                ) as answer:  # fmt: skip
                    is_read = (method, row.method) == ("GET", "GET")
                    assert answer.status < 500 or path == "/health/ready"
                    assert is_read or answer.status >= 400, (method, path)
        assert (await desk.ask("GET", "/killswitch"))[1] == levels
        assert (await desk.ask("GET", "/risk"))[1]["limits"] == limits
        status, again = await desk.ask("GET", f"/orders/{names['client_order_id']}")
        assert (status, again["status"]) == (200, "WORKING")
        await desk.engine.until(lambda: facts)  # it is listened to
        assert not [fact for fact in facts if fact.event_type in CAUSED]
        assert kept(tmp_path / "data") == files


def listeners(pid: int) -> set[str]:
    """Addresses on which a process and its children listen, as the kernel has them."""
    found: set[str] = set()
    with suppress(OSError):
        inodes = {path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                words = line.split()
                is_ours = f"socket:[{words[9]}]" in inodes
                if is_ours and (words[3] == LISTENS or table.startswith("udp")):
                    found.add(words[1].split(":")[0])
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= listeners(int(child))
    return found


@pytest.mark.control("C-08")
@pytest.mark.parametrize("words", [["serve"], ["demo", "--no-browser"]], ids=lambda words: words[0])
def test_every_listener_is_on_loopback(tmp_path: Path, words: list[str]) -> None:
    with started(*words, folder=tmp_path / "data") as (process, _):
        found = listeners(process.pid)
        assert found and found <= LOOPBACK


@pytest.mark.control("C-08")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_another_address_is_refused_without_tls_and_a_word(tmp_path: Path, host: str) -> None:
    command = [sys.executable, "-m", "hean", "serve", "--port", "0", "--host", host]
    told = subprocess.run(
        [*command, "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert told.returncode == 2 and "not loopback" in told.stderr


@pytest.mark.control("C-08")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_a_process_of_a_fleet_is_refused_the_same_way(tmp_path: Path, host: str) -> None:
    """By every word that is missing; what it needs then is in tests/unit/fleet/test_door.py."""
    table = Path(__file__).resolve().parents[2] / "deploy/hft.toml"
    command = [sys.executable, "-m", "hean", "run", "--deploy", str(table), "--host", host]
    command += ["--process", "ingestion", "--symbols", "ETHUSDT,BTCUSDT", "--port", "0"]
    pair = ["--certificate", str(tmp_path / "c"), "--key-file", str(tmp_path / "k")]
    for rest in ([], ["--public"], pair, [*pair, "--public"]):
        told = subprocess.run(
            [*command, *rest], capture_output=True, text=True, check=False, timeout=PATIENCE_S,
            env=os.environ | {"KAFKA_SERVERS": "127.0.0.1:9"}, cwd=tmp_path,
        )  # fmt: skip
        assert told.returncode == 2 and "not loopback" in told.stderr, told.stderr


@pytest.mark.control("C-39")
@pytest.mark.parametrize(("words", "is_there"), [([], False), (["--link"], True)])
def test_a_link_that_logs_in_is_in_no_log_unless_somebody_asks(
    tmp_path: Path, words: list[str], is_there: bool
) -> None:
    if built_page() is None:
        pytest.skip("the page was not built: ./hean setup")
    folder = tmp_path / "data"
    with started("serve", *words, folder=folder):
        log = folder / "words.txt"
        until_s = time.monotonic() + PATIENCE_S
        while "page" not in log.read_text():
            assert time.monotonic() < until_s, log.read_text()
            time.sleep(0.05)
    assert ("#pair=" in log.read_text()) is is_there
    assert is_there or "hean token create" in log.read_text()


@pytest.mark.control("C-39")
def test_who_guesses_is_told_the_same_whatever_there_is(desk: Desk) -> None:
    tokens = desk.api.access.tokens
    revoked, row = tokens.create(Role.ADMIN, "ann")
    tokens.revoke(row.id)
    expired, _ = tokens.create(Role.ADMIN, days=1)
    desk.clock.pass_s(2 * DAY_S)
    unknown = f"hean_admin_{'A' * 43}"
    seen = set()
    for text in (revoked, expired, unknown, "ann", "admin", "x" * 40):
        answer = desk.client.get("/settings", headers=bearer(text))
        problem = answer.json()
        assert answer.status_code == 401 and text not in answer.text
        seen.add(answer.text.replace(problem["request_id"], ""))
        desk.clock.pass_s(61)
    assert len(seen) == 1
    codes = [desk.client.post("/pair", json={"code": code}) for code in ("x", "A" * 32)]
    assert len({each.text.replace(each.json()["request_id"], "") for each in codes}) == 1
