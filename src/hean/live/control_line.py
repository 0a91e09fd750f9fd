# SPDX-License-Identifier: Apache-2.0
"""`control_line.py`: one kept connection to a process's control socket. A process that stands still
finds on waking what was written last, and nothing piles up meanwhile: while a question of a kind is
unanswered no other of its kind is asked. It comes back by itself and judges no answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hean.live.socket import ANSWER_BYTES_MAX, LINE_BYTES_MAX, address_of

RETRY_S = 0.5  # between two attempts to connect


class ControlLine:
    """*on_answer*: told each verb and its answer; `{}` for one that is no JSON object."""

    def __init__(self, path: Path, on_answer: Callable[[str, dict[str, Any]], None]) -> None:
        self.path = path
        self._on_answer = on_answer
        self._writer: asyncio.StreamWriter | None = None
        self._asked: deque[str] = deque()

    @property
    def is_open(self) -> bool:
        """Whether there is a process at the other end; it may stand still."""
        return self._writer is not None

    def ask(self, document: dict[str, Any]) -> None:
        """Write a command, unless one of its verb is still unanswered or nobody is there."""
        verb = str(document["verb"])
        line = msgspec.json.encode(document) + b"\n"
        if self._writer is None or verb in self._asked or len(line) > LINE_BYTES_MAX:
            return
        self._asked.append(verb)
        self._writer.write(line)

    async def keep(self) -> None:
        """Connect, listen, again, until cancelled."""
        while True:
            try:
                await self._converse()
            except (OSError, ValueError):
                pass  # nobody there, gone, or it talks nonsense
            await asyncio.sleep(RETRY_S)

    async def _converse(self) -> None:
        with address_of(self.path) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=ANSWER_BYTES_MAX)
        self._writer = writer
        try:
            while line := await reader.readline():
                if not self._asked:
                    return  # nobody has asked: it is not the process we know
                self._on_answer(self._asked.popleft(), _document(line))
        finally:
            self._writer = None
            self._asked.clear()
            writer.close()


def _document(line: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return found
