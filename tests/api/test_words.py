# SPDX-License-Identifier: Apache-2.0
"""Words that are not what they look like: line ends that forge a line of a log, escapes that move a
cursor, marks that turn the direction of writing or hide. In every text that a person may send, in
paths and headers, and in names of tokens.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from api.test_jobs import ASKED
from face_desk import FaceDesk, face_desk, recorded_desk
from hean.api.permissions import Role
from hean.api.tokens import Tokens
from hean.core.types import EventType
from hean.errors import ParameterInvalid
from hean.venues.outcomes import binance_verdict, bybit_verdict

MARKS = [
    "\n", "\r\n", "\r", "\x00", "\x07", "\x08", "\x1b[2J", "\x1b]0;title\x07", "\x7f", "\x85",
    "\x9b31m", "\xad", "\u061c", "\u200b", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029",
    "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff", "\ufff9",
]  # fmt: skip
FORGED = "2026-11-29T00:00:00Z ALARM RUN by risk:admin: released"


def marked(mark: str) -> str:
    return f"seen{mark}{FORGED}"


async def test_a_stop_counts_however_its_reason_is_written(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        facts = desk.engine.facts()
        for mark in MARKS:
            status, latched = await desk.ask(
                "POST", "/killswitch/trigger", {"reason": marked(mark), "level": "HALT_NEW"}
            )
            assert status == 200, ascii(mark)
            assert latched["reason"].isprintable()
        status, latched = await desk.ask(
            "POST", "/killswitch/trigger", {"reason": "\n", "level": "LOCKED"}
        )
        assert (status, latched["reason"]) == (200, "no reason given")
        for path in ("/logs", "/events", "/risk", "/killswitch"):
            assert all(text.isprintable() for text in texts((await desk.ask("GET", path))[1])), path
        told = [fact.data for fact in facts if fact.event_type is EventType.KILLSWITCH_TRIGGERED]
        assert [each.level for each in told] == ["HALT_NEW", "LOCKED"]
        assert all(each.reason.isprintable() for each in told)


def texts(document: object) -> list[str]:
    """Every text in a document."""
    match document:
        case str():
            return [document]
        case dict():
            return [each for part in document.values() for each in texts(part)]
        case list():
            return [each for part in document for each in texts(part)]
    return []


OTHERS = {
    "/killswitch/release": ({"phrase": "release paper"}, "reason"),
    "/reconcile/resolve": ({"order_id": "h1", "claim": "ended", "phrase": "x"}, "reason"),
    "/orders": ({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "1"}, "algo"),
}


@pytest.mark.control("C-17")
async def test_every_other_text_is_refused_by_name(tmp_path: Path) -> None:
    async with recorded_desk(tmp_path) as desk:
        await desk.engine.start()
        for mark in MARKS:
            for path, (body, field) in OTHERS.items():
                await refused(desk, "POST", path, body | {field: marked(mark)}, field)
            await refused(desk, "POST", "/backtest", ASKED | {"title": marked(mark)}, "title")
            limits = {"limits": {"open_orders_max": "5"}, "reason": marked(mark)}
            await refused(desk, "PATCH", "/risk/limits", limits, "reason")
        for good in ("Kurs f\u00e4llt", "\u0446\u0435\u043d\u0430", "\u4ef7\u683c \U0001f525"):
            status, _ = await desk.ask("POST", "/backtest", ASKED | {"title": good})
            assert status in (202, 429), good


async def refused(
    desk: FaceDesk, method: str, path: str, body: dict[str, object], field: str
) -> None:
    status, problem = await desk.ask(method, path, body)
    assert (status, problem["field"]) == (422, f"/body/{field}"), (path, ascii(body))
    assert all(text.isprintable() for text in texts(problem))


@pytest.mark.control("C-26")
async def test_no_log_has_a_line_that_somebody_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with face_desk(tmp_path) as desk:
        for mark in MARKS:
            encoded = quote(marked(mark))
            for path in (f"/{encoded}", f"/jobs/{encoded}", f"/orders?status={encoded}"):
                status, problem = await desk.ask("GET", path)
                assert 400 <= status < 500, ascii(path)
                assert all(text.isprintable() for text in texts(problem))
            await desk.ask("POST", "/smoke-test/run", {"symbol": marked(mark)[:40]})
    told = [each for each in caplog.records if each.name.startswith(("hean", "uvicorn"))]
    assert all(each.getMessage().isprintable() for each in told)
    assert FORGED not in "".join(each.getMessage() for each in told)


@pytest.mark.parametrize("mark", MARKS, ids=ascii)
def test_no_token_and_no_venue_has_such_a_word(tmp_path: Path, mark: str) -> None:
    with pytest.raises(ParameterInvalid):
        Tokens(tmp_path).create(Role.VIEWER, f"ann{mark}")
    for verdict in (
        bybit_verdict(10001, marked(mark)),
        binance_verdict(-1111, marked(mark), http_status=400),
    ):
        assert verdict.text.isprintable() and verdict.text.startswith("seen")


def test_the_command_line_names_a_bad_name_and_does_not_print_it(tmp_path: Path) -> None:
    words = ["token", "create", "--role", "viewer", "--name", "a\x1b[2J\u202eb"]
    told = subprocess.run(
        [sys.executable, "-m", "hean", *words, "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 2
    assert "\x1b[2J" not in told.stderr and "\u202e" not in told.stderr
