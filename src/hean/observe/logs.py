# SPDX-License-Identifier: Apache-2.0
"""`logs.py`: logs for machines: one JSON object a line on standard error, its level in capitals, so
that `grep ERROR` and `grep SLOW` find what they look for. A thread writes them from a queue with a
limit: whoever trades never waits for whoever reads. What does not fit is counted and told.
"""

from __future__ import annotations

import atexit
import json
import logging
import sys
import threading
import traceback
from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from hean.core.bus import EventBus
from hean.core.types import Event, EventType

LINES_MAX = 10_000  # that wait; some seconds of a storm
FIELD_LENGTH_MAX = 2_000
LOGGERS = ("hean", "uvicorn")
EVENTS = logging.getLogger("hean.events")
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

LEVELS = {
    EventType.ERROR: logging.ERROR,
    EventType.ORDER_UNKNOWN: logging.ERROR,
    EventType.ORDER_QUARANTINED: logging.ERROR,
    EventType.KILLSWITCH_TRIGGERED: logging.CRITICAL,
    EventType.KILLSWITCH_RELEASED: logging.WARNING,
    EventType.ORDER_REJECTED: logging.WARNING,
    EventType.AMEND_REJECTED: logging.WARNING,
    EventType.ORDER_REQUEST: logging.INFO,
    EventType.ORDER_PLACED: logging.INFO,
    EventType.ORDER_AMENDED: logging.INFO,
    EventType.ORDER_FILLED: logging.INFO,
    EventType.ORDER_CANCELLED: logging.INFO,
    EventType.ORDER_ABSENT: logging.INFO,
    EventType.COMMAND: logging.INFO,
    EventType.SIGNAL: logging.DEBUG,
    EventType.ORDER_APPROVED: logging.DEBUG,
    EventType.CANCEL_REQUEST: logging.DEBUG,
    EventType.AMEND_REQUEST: logging.DEBUG,
    EventType.POSITION: logging.DEBUG,
    EventType.BALANCE: logging.DEBUG,
    EventType.HEALTH: logging.DEBUG,
}
"""Of events in the logs. Market data is in none: it is recorded, not logged."""


class JsonLines(logging.Formatter):
    """Time (UTC), level, logger, message, and whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        row: dict[str, Any] = {
            "ts": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        row |= {name: it for name, it in vars(record).items() if name not in _OWN}
        if record.exc_info:
            row["error"] = "".join(traceback.format_exception(*record.exc_info))
        row = {
            name: it[:FIELD_LENGTH_MAX] if isinstance(it, str) else it for name, it in row.items()
        }
        return json.dumps(row, default=str, ensure_ascii=True)


class StderrLines(logging.Handler):
    """Writes behind the back of whoever logs. `close` waits for what was said before."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.dropped = 0
        """Lines that did not fit since the last that did."""
        self._stream = sys.stderr
        self._waiting: deque[str] = deque()
        self._news = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._write, name="logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line, or count it."""
        if len(self._waiting) >= LINES_MAX:
            self.dropped += 1
            return
        self._waiting.append(self.format(record))
        self._news.set()

    def close(self) -> None:
        """Write what waits and end; a reader that does not read is not waited for."""
        self._is_over = True
        self._news.set()
        self._thread.join(1.0)
        super().close()

    def _write(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            is_over = self._is_over
            while self._waiting:
                self._put(self._waiting.popleft())
            if self.dropped:
                count, self.dropped = self.dropped, 0
                row = {"level": "WARNING", "logger": "hean.logs", "message": f"{count} lines lost"}
                self._put(json.dumps(row))
            if is_over:
                return

    def _put(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError, AttributeError):
            return  # nobody reads, or standard error is closed


def log_to_stderr(level: str) -> StderrLines:
    """Have everything of at least this level written; once more takes the place of the first."""
    handler = StderrLines()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in [it for it in logger.handlers if isinstance(it, StderrLines)]:
            logger.removeHandler(old)
            atexit.unregister(old.close)
            old.close()
        logger.addHandler(handler)
        logger.setLevel(level)
    atexit.register(handler.close)
    return handler


def log_events(bus: EventBus) -> None:
    """Log what happens on a bus: orders, refusals, stops, errors. What no handler would write is
    not even heard.
    """
    for kind, level in LEVELS.items():
        if EVENTS.isEnabledFor(level):
            bus.subscribe(kind, _log_event)


def _log_event(event: Event) -> None:
    fields = msgspec.to_builtins(event.data, enc_hook=str, str_keys=True)
    if isinstance(typed := fields.get("arguments"), dict):  # a phrase names the account
        fields["arguments"] = {name: it for name, it in typed.items() if name != "phrase"}
    words = fields.get("error") or fields.get("reason") or fields.get("order_id") or ""
    EVENTS.log(
        LEVELS[event.event_type],
        "%s %s",
        event.event_type,
        words,
        extra={"event": str(event.event_type), "seq": event.seq, "fields": fields},
    )
