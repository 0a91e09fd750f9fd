# SPDX-License-Identifier: Apache-2.0
"""Logs are JSON lines, their level in capitals; who trades does not wait for who reads."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from desk import BTC
from hean.cli_live import live_settings
from hean.cli_paper import attend_bus, session_settings
from hean.cli_settings import settings_from
from hean.config import load
from hean.core.bus import EventBus
from hean.core.types import Command, Error, OrderFilled, OrderRejected, Tick
from hean.observe import logs
from hean.observe.logs import LOGGERS, StderrLines, log_events, log_to_stderr

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """What was written, once all of it was; the loggers are as before afterwards."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}

    def mine() -> list[StderrLines]:
        logger = logging.getLogger("hean")
        return [each for each in logger.handlers if isinstance(each, StderrLines)]

    def read() -> list[dict[str, Any]]:
        for each in mine():
            each.close()
        return [
            json.loads(line) for line in capsys.readouterr().err.splitlines() if line[:1] == "{"
        ]

    yield read
    for each in mine():
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(each)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.promise(129)
@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("DEBUG", ["DEBUG", "INFO", "ERROR"]),
        ("INFO", ["INFO", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_the_level_of_the_settings_says_what_is_written(
    level: str, told: list[str], monkeypatch: pytest.MonkeyPatch, written: Read
) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    settings_from({}, None)
    log = logging.getLogger("hean.test")
    log.debug("much")
    log.info("some")
    log.error("job %s", 7)
    rows = written()
    assert [row["level"] for row in rows] == told
    assert (rows[-1]["message"], rows[-1]["logger"]) == ("job 7", "hean.test")
    assert rows[-1]["ts"].endswith("+00:00")


@pytest.mark.promise(155)
def test_an_error_is_one_line_with_its_trace_and_what_was_given_beside(written: Read) -> None:
    log_to_stderr("INFO")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("hean.api").exception("it failed", extra={"request_id": "r1"})
    (row,) = written()
    assert (row["level"], row["request_id"]) == ("ERROR", "r1")
    assert "ValueError: two\nlines" in row["error"]


@pytest.mark.promise(155)
def test_events_are_logged_by_their_weight_and_the_market_never(written: Read) -> None:
    log_to_stderr("INFO")
    bus = EventBus()
    log_events(bus)
    slow = "SLOW: the event loop stood still for 0.7 s in Mine.on_tick"
    bus.drain(
        [
            Tick(BTC, 1.0, 1.0, 1),
            OrderRejected("h1-a-1", "too large", 12),
            OrderFilled("h1-a-2", 1, 2, BTC),  # type: ignore[arg-type]  # any number is written
            Error("live", slow, 3),
            Command("release", {"phrase": "release 4711", "reason": "looked"}, "risk:bob"),
        ]
    )
    rows = written()
    assert rows.pop()["fields"]["arguments"] == {"reason": "looked"}
    assert [(row["level"], row["event"]) for row in rows] == [
        ("WARNING", "ORDER_REJECTED"), ("INFO", "ORDER_FILLED"), ("ERROR", "ERROR"),
    ]  # fmt: skip
    assert rows[0]["fields"]["reason"] == "too large"
    assert slow in rows[2]["message"]


def test_what_the_level_leaves_out_is_not_even_heard(written: Read) -> None:
    log_to_stderr("ERROR")
    bus = EventBus()
    log_events(bus)
    assert {str(kind) for kind in bus.wanted()} == {
        "ERROR", "ORDER_UNKNOWN", "ORDER_QUARANTINED", "KILLSWITCH_TRIGGERED",
    }  # fmt: skip
    assert written() == []


def test_a_reader_who_does_not_read_costs_lines_and_no_time(
    written: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_MAX", 100)
    may_write = threading.Event()
    put = StderrLines._put

    def held(self: StderrLines, line: str) -> None:
        may_write.wait(60)
        put(self, line)

    monkeypatch.setattr(StderrLines, "_put", held)
    handler = log_to_stderr("INFO")
    for number in range(300):
        logging.getLogger("hean.test").info("line %d", number)
    lost = handler.dropped
    assert 199 <= lost <= 200  # one may be on its way
    may_write.set()
    rows = written()
    assert rows[-1]["message"] == f"{lost} lines lost"
    assert len(rows) == 300 - lost + 1


@pytest.mark.promise(119)
@pytest.mark.promise(124)
@pytest.mark.promise(126)
def test_the_settings_of_the_bus_and_of_the_model_reach_those_who_need_them() -> None:
    given = {
        "EVENT_MAX_QUEUE_SIZE": "100000", "EVENT_BATCH_SIZE": "20", "EVENT_WORKER_COUNT": "8",
        "ML_INFERENCE_TIMEOUT": "40", "SYMBOLS": "BTCUSDT",
    }  # fmt: skip
    known = load({}, given)
    live = live_settings(known)
    assert (live.queue_max, live.batch, live.workers) == (100_000, 20, 8)
    assert live.model_timeout_ms == session_settings(known).model_timeout_ms == 40
    bus = EventBus()
    attend_bus(bus, known)
    assert (bus.max_queue, bus.high_water) == (100_000, 80_000)
