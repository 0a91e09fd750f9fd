# SPDX-License-Identifier: Apache-2.0
"""One key is one order, through restarts and kills of the server (C-18, RELIABILITY #77): the same
request again gets the answer that the first life gave, another one is refused, and one that was
begun and has no answer is never carried out again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest
from fastapi import APIRouter

from api.stand_in import DAY_S, Desk
from face_desk import face_desk
from hean.api.kept_answers import FILE, Answer, KeptAnswers
from hean.api.permissions import Role
from hean.errors import EnvironmentFault

pytestmark = pytest.mark.control("C-18")
BODY = {"qty": "1"}


def order(desk: Desk, token: str, key: str = "a", body: dict | None = None, path: str = "/orders"):
    headers = {"Authorization": token, "Idempotency-Key": key}
    return desk.client.post(path, json=body or BODY, headers=headers)


@pytest.mark.parametrize("path", ["/orders", "/backtest", "/smoke-test/run"])
def test_another_life_of_the_server_gives_the_answer_of_the_first(tmp_path: Path, path: str):
    first = Desk(tmp_path)
    token = first.as_role(Role.ADMIN)["Authorization"]
    told = order(first, token, path=path)
    second = Desk(tmp_path)
    again = order(second, token, path=path)
    assert (again.status_code, again.content) == (told.status_code, told.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert second.engine.reached == []
    other = order(second, token, path=path, body={"qty": "2"})
    assert (other.status_code, other.json()["code"]) == (409, "IdempotencyKeyReused")
    assert order(second, token, "b", path=path).status_code == 200
    assert len(second.engine.reached) == 1
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_was_begun_and_has_no_answer_is_not_done_again(tmp_path: Path):
    desk = Desk(tmp_path)
    token = desk.as_role(Role.TRADER)
    request = b'POST\n/orders\n\n{"qty":"1"}'
    (known,) = desk.api.access.tokens.all()
    KeptAnswers(tmp_path, desk.clock.now).begin(known.id, b"a", hashlib.sha256(request).digest())
    headers = token | {"Idempotency-Key": "a", "Content-Type": "application/json"}
    for _ in range(2):
        answer = desk.client.post("/orders", content=b'{"qty":"1"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "OutcomeUnknown")
        assert answer.json()["field"] == "/header/Idempotency-Key"
    assert desk.engine.reached == []


def test_an_order_that_cannot_be_written_down_is_not_made(tmp_path: Path, monkeypatch):
    desk = Desk(tmp_path)
    token = desk.as_role(Role.TRADER)["Authorization"]

    def full(*_: object) -> None:
        raise EnvironmentFault(f"{tmp_path}: no space left on device.")

    with monkeypatch.context() as patched:
        patched.setattr(KeptAnswers, "begin", full)
        answer = order(desk, token)
    assert answer.status_code == 503 and str(tmp_path) not in answer.text
    assert desk.engine.reached == []
    assert order(desk, token).status_code == 200  # nothing was begun: it may be tried again


def test_a_damaged_file_makes_no_order(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"x" * 5_000)
    desk = Desk(tmp_path)
    answer = order(desk, desk.as_role(Role.TRADER)["Authorization"])
    assert answer.status_code == 503 and "x" * 10 not in answer.text
    assert desk.engine.reached == []


def test_a_day_later_a_key_is_a_new_one_and_several_processes_share_the_file(tmp_path: Path):
    now = [10**18]
    here, there = (KeptAnswers(tmp_path, lambda: now[0]) for _ in range(2))
    assert here.begin("t", b"k", b"d") is None
    found = there.begin("t", b"k", b"d")
    assert found is not None and found.answer is None
    here.finish("t", b"k", Answer(202, ((b"a", b"b"),), b"body"))
    found = there.begin("t", b"k", b"d")
    assert found is not None and found.answer == Answer(202, ((b"a", b"b"),), b"body")
    assert there.begin("other", b"k", b"d") is None
    now[0] += 2 * DAY_S * 10**9
    assert there.begin("t", b"k", b"d") is None


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from hean.api.idempotency import Idempotency
from hean.api.kept_answers import KeptAnswers

async def main():
    made = Path(sys.argv[1]) / "made"
    keys = Idempotency(lambda: 0.0, lasting=KeptAnswers(Path(sys.argv[1]), lambda: 10**18))
    async def run():
        with made.open("a") as file:
            file.write("order\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    await keys.once("t", b"k", b"r", run, is_lasting=True)

asyncio.run(main())
"""


async def test_a_server_that_is_killed_in_the_middle_made_one_order(tmp_path: Path):
    codes = []
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(tmp_path), stderr=asyncio.subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        )  # fmt: skip
        _, told = await process.communicate()
        codes.append(process.returncode)
    assert codes[0] == -signal.SIGKILL and codes[1:] == [1, 1]
    assert b"nobody knows what came of it" in told
    assert (tmp_path / "made").read_text() == "order\n"


async def test_two_at_once_and_one_after_a_restart_are_one_order(tmp_path: Path):
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01", "price": "50000"}
    key = {"Idempotency-Key": "the-same"}
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        both = await asyncio.gather(*(desk.ask("POST", "/orders", asked, **key) for _ in range(8)))
        assert {status for status, _ in both} == {202}
        ids = {order["client_order_id"] for _, order in both}
        first = desk.face
        await first.stop()
        desk.face = desk.another()
        await desk.face.start()
        try:
            status, again = await desk.ask("POST", "/orders", asked, **key)
            assert status == 202 and {again["client_order_id"]} == ids
            status, problem = await desk.ask("POST", "/orders", {**asked, "qty": "0.02"}, **key)
            assert (status, problem["code"]) == (409, "IdempotencyKeyReused")
            assert len((await desk.ask("GET", "/orders"))[1]) == 1
        finally:
            await desk.face.stop()
            desk.face = first


def test_cancels_are_not_kept(tmp_path: Path):
    """They do nothing twice by their nature, and a full disk must not stand in their way."""
    router = APIRouter()

    @router.post("/orders/cancel-all")
    async def cancel_all() -> int:
        return 0

    desk = Desk(tmp_path, routers=[router])
    token = desk.as_role(Role.OPERATOR)["Authorization"]
    headers = {"Authorization": token, "Idempotency-Key": "c"}
    assert desk.client.post("/orders/cancel-all", headers=headers).status_code == 200
    assert not (tmp_path / FILE).exists()
