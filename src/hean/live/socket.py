# SPDX-License-Identifier: Apache-2.0
"""`socket.py`: the door to the commands, a Unix socket of this machine that only its owner may
open. Lines are short, connections few, silence ends them: whoever is at the other end cannot fill
the memory of a trading process, and who only waits keeps nobody out. It understands no command.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from hean.errors import EnvironmentFault

LINE_BYTES_MAX = 8_192  # a reason and a phrase of 500 characters each, in any script
CONNECTIONS_MAX = 16  # watchdog, monitor, API, and people who press more than once
IDLE_S = 60.0  # of a connection that asks nothing
ASK_S = 10.0  # twice what a command may take
PATH_BYTES_MAX = 107  # of the operating system
ANSWER_BYTES_MAX = 1 << 20  # of a status with everything in it
BY_NUMBER = "/proc/self/fd"  # where Linux shows open folders under short names
PRIVATE_MASK = 0o177

GONE = (FileNotFoundError, ConnectionRefusedError)
"""Nobody listens there: no process, or one that ended. One that hangs up without an answer is not
gone: it may serve too many at the moment, and it trades on.
"""
AGAIN_S = 0.1  # until such a one is asked once more, about what may be done twice

Answer = Callable[[bytes, str], Awaitable[bytes]]


class ControlSocket:
    """Serves *answer* at *path*. Only for whoever holds the data directory's lock: a socket that
    lies there belongs to a dead process.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting: dict[asyncio.Task[Any], None] = {}  # who was silent for longest comes first

    async def start(self) -> None:
        """Listen. *Raises*: `EnvironmentFault` when no socket can be made there."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(PRIVATE_MASK)
        try:
            self.path.unlink(missing_ok=True)
            with address_of(self.path) as address:
                listener.bind(address)
        except OSError as error:
            listener.close()
            raise EnvironmentFault(
                f"{self.path}: no control socket can be made there ({error}). Without it nobody "
                "could stop this process."
            ) from None
        finally:
            os.umask(mask)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=LINE_BYTES_MAX
        )

    async def stop(self) -> None:
        """Listen no more and let go of everybody; safe to call twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._has_place():
            writer.close()
            return
        self._tasks.add(task)
        try:
            # `stop`, or one who needs its place, cancels it; a stream's task that ends as cancelled
            # is told as a failure.
            with suppress(OSError, EOFError, ValueError, asyncio.CancelledError):
                await self._converse(task, reader, writer)
        finally:
            self._let_go(task)
            writer.close()

    def _has_place(self) -> bool:
        """Whether there is one for one more: whoever only waits gives way."""
        if len(self._tasks) < CONNECTIONS_MAX:
            return True
        longest = next(iter(self._waiting), None)
        if longest is None:
            return False
        self._let_go(longest)
        longest.cancel()
        return True

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._waiting.pop(task, None)

    async def _converse(
        self,
        task: asyncio.Task[Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        peer = _peer(writer)
        while True:
            self._waiting[task] = None
            async with asyncio.timeout(IDLE_S):
                line = await reader.readline()  # ValueError for a longer one
            del self._waiting[task]
            if not line.endswith(b"\n"):
                return
            writer.write(await self._answer(line, peer))
            async with asyncio.timeout(IDLE_S):
                await writer.drain()


def _peer(writer: asyncio.StreamWriter) -> str:
    """The user at the other end, as the kernel says; where it does not, only we can be there."""
    if not hasattr(socket, "SO_PEERCRED"):
        return f"uid{os.getuid()}"
    sock = writer.get_extra_info("socket")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return f"uid{user}"


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A name for *path* that the operating system takes: a longer one than it takes goes by way of
    its folder, where there is such a way. *Raises*: `OSError` without a folder.
    """
    if len(os.fsencode(path)) <= PATH_BYTES_MAX or not os.path.isdir(BY_NUMBER):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{BY_NUMBER}/{folder}/{path.name}"
    finally:
        os.close(folder)


async def ask_soon(
    path: Path, document: dict[str, Any], *, timeout_s: float = ASK_S
) -> dict[str, Any]:
    """The same for one who does other things meanwhile. *Raises*: as `ask`."""
    async with asyncio.timeout(timeout_s):
        with address_of(path) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(msgspec.json.encode(document) + b"\n")
            answer = await reader.readline()
        finally:
            writer.close()
    return _answer(path, answer)


def ask(path: Path, document: dict[str, Any], *, timeout_s: float = ASK_S) -> dict[str, Any]:
    """Ask the process behind a control socket, and wait for its answer.

    *Raises*: one of `GONE` when there is no process, another `OSError` when it does not answer.
    """
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as line:
        line.settimeout(timeout_s)
        with address_of(path) as address:
            line.connect(address)
        line.sendall(msgspec.json.encode(document) + b"\n")
        with line.makefile("rb") as answers:
            answer = answers.readline()
    return _answer(path, answer)


def _answer(path: Path, answer: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise ConnectionError(f"{path}: the process hung up without an answer") from None
    return found
