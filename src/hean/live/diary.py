# SPDX-License-Identifier: Apache-2.0
"""`diary.py`: what a watchdog has to say, on the standard error output and in a small file that is
still there when the terminal is gone. The same sentence is said once a minute at most. That nobody
listens or the disk is full stops nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

FILE_BYTES_MAX = 10_000_000  # years of alarms; after that only the terminal is told
AGAIN_NS = 60_000_000_000
SENTENCES_MAX = 100  # remembered as said
LENGTH_MAX = 1_000
PRIVATE = 0o600
_S_NS = 1_000_000_000


class Diary:
    """*now*: UTC nanoseconds."""

    def __init__(self, path: Path, now: Callable[[], int]) -> None:
        self.path = path
        self._now = now
        self._said_ns: dict[str, int] = {}

    def say(self, text: str) -> None:
        """A sentence, with its time."""
        now_ns = self._now()
        if now_ns - self._said_ns.get(text, -AGAIN_NS) < AGAIN_NS:
            return
        if len(self._said_ns) >= SENTENCES_MAX:
            self._said_ns.clear()
        self._said_ns[text] = now_ns
        time = datetime.fromtimestamp(now_ns // _S_NS, UTC)
        line = f"{time:%Y-%m-%dT%H:%M:%SZ} {text[:LENGTH_MAX]}\n"
        with suppress(OSError):
            self._write(line.encode())
        with suppress(OSError, ValueError):
            sys.stderr.write(f"watchdog: {line}")
            sys.stderr.flush()

    def _write(self, line: bytes) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        try:
            if os.fstat(file).st_size < FILE_BYTES_MAX:
                os.write(file, line)
        finally:
            os.close(file)
