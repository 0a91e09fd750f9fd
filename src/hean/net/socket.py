# SPDX-License-Identifier: Apache-2.0
"""`socket.py`: one WebSocket that comes back. Frames go straight from the socket's callback to its
owner, without a task or a queue between. It finds out that a connection is dead (closed, silent,
not answering), says so once, and opens another: after a growing, random pause, and never more often
than the governor of the whole process allows. It knows no venue, keeps no frame and repeats none.

A connection is silent when no data comes; an answer to a ping is no data, because a venue can
answer pings and have forgotten the subscription. Only where data may rightly stay away for hours,
on a private stream, does the answer count as life.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Protocol

from picows import (
    WSError,
    WSHandshakeError,
    WSMsgType,
    ws_connect,
)

from hean.errors import EnvironmentFault, FatalError, HeanError, NotConnected
from hean.net.line import MESSAGE_BYTES_MAX, Heartbeat, Line

__all__ = ["ConnectGovernor", "Connection", "Dial", "Heartbeat", "SocketState"]

CONNECTS_MAX = 20  # RELIABILITY 2.4: per five minutes; venues allow 300 to 500
CONNECTS_WINDOW_S = 300.0
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 30.0
DOUBLINGS_MAX = 6  # from the one to the other
STEADY_S = 10.0  # a connection that lived shorter does not reset the pause
CONNECT_S = 10.0  # name, TCP, TLS and handshake of one attempt
ANSWER_S = 10.0  # longest wait for the answer to a ping
GRACE_FRACTION = 0.5  # silence is asked about, then given this much longer: 20 s, then 30 s
LOOKS = 4  # looks at the silence in one silence_s
LOOK_MAX_S = 1.0
LIFE_FRACTIONS = (0.90, 0.97)  # of the venue's cut; by chance, so that not all change at once
CLOSE_S = 1.0  # how long a closing handshake may take
REFUSED_S = {429: 60.0, 418: 120.0, 403: 600.0}  # silence after these answers to a handshake

_TEXT: Final = WSMsgType.TEXT
_QUIET = logging.getLogger("hean.net.socket")  # picows' own words: the owner is told instead
_QUIET.setLevel(logging.CRITICAL + 1)


class SocketState(Enum):
    """What a connection is doing."""

    STOPPED = "stopped"
    WAITING = "waiting"
    CONNECTING = "connecting"
    OPEN = "open"


class Dial(Protocol):
    """How a WebSocket is opened."""

    async def __call__(self, line: Line, url: str) -> None:
        """Open one, and tell *line* what picows tells a listener, from its opening to its end.

        *Raises*: `OSError`, `picows.WSError`, `ValueError` when none opened.
        """
        ...


async def picows_dial(line: Line, url: str) -> None:
    """A real socket."""
    await ws_connect(
        lambda *_: line,
        url,
        websocket_handshake_timeout=CONNECT_S / 2,
        logger_name=_QUIET,
        max_frame_size=MESSAGE_BYTES_MAX,
        max_redirects=0,
    )


class ConnectGovernor:
    """At most *count* connects in any *window_s*, over all connections that share it."""

    def __init__(self, count: int = CONNECTS_MAX, window_s: float = CONNECTS_WINDOW_S) -> None:
        self.connects = 0
        """Connects so far."""
        self._window_s = window_s
        self._times: deque[float] = deque([float("-inf")] * count, maxlen=count)

    def delay_s(self, at_s: float) -> float:
        """How long after *at_s* (monotonic) the next connect may begin; 0 is at once."""
        return max(0.0, self._times[0] + self._window_s - at_s)

    def take(self, at_s: float) -> None:
        """Count a connect that begins at *at_s*. *Raises*: `NotConnected` when none is left."""
        delay_s = self.delay_s(at_s)
        if delay_s > 0:
            raise NotConnected(
                f"{self._times.maxlen} connects within {self._window_s:g} s are used up; the next "
                f"in {delay_s:.1f} s."
            )
        self._times.append(at_s)
        self.connects += 1


class Connection:
    """A WebSocket that is reopened until `stop`.

    *name*: for messages. *url*: asked before each connect, because it may hold a key that ages; it
    never appears in a message. *on_frame*: one whole text message. *on_open*: a new socket is open,
    before its first frame; also called on a planned change. *on_down*: the socket is gone, and why.
    *silence_s*: without data for so long *on_silence* is called and a ping is sent; half as long
    again, and the connection is dropped. *now*: UTC nanoseconds. *life_s*: the venue's cut; a
    successor is opened before it, and the old socket is heard until the new one speaks. *dial*: how
    a socket is opened.
    """

    def __init__(
        self,
        name: str,
        url: Callable[[], str] | Callable[[], Awaitable[str]],
        *,
        on_frame: Callable[[bytes], None],
        on_open: Callable[[Connection], None],
        on_down: Callable[[str], None],
        heartbeat: Heartbeat,
        silence_s: float,
        now: Callable[[], int],
        rng: random.Random,
        governor: ConnectGovernor,
        life_s: float | None = None,
        on_silence: Callable[[], None] | None = None,
        connect_timeout_s: float = 15.0,
        dial: Dial = picows_dial,
    ) -> None:
        self.name = name
        self.state = SocketState.STOPPED
        self.opened_ns = 0
        """When the present socket opened, 0 before the first."""
        self.frames = 0
        """Data frames so far."""
        self.opens = 0
        """Sockets opened so far."""
        self.drops = 0
        """Sockets lost so far."""
        self.last_reason = ""
        """Why the last socket was lost, or the last attempt failed."""
        self.on_frame = on_frame
        self._url = url
        self._on_open = on_open
        self._on_down = on_down
        self._on_silence = on_silence
        self.heartbeat = heartbeat
        self._silence_s = silence_s
        self._now = now
        self._rng = rng
        self._governor = governor
        self._life_s = life_s
        self._timeout_s = connect_timeout_s
        self._dial = dial
        self._line: Line | None = None
        self._first: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._refused_s = 0.0

    # ------------------------------------------------------------ for the owner

    @property
    def is_open(self) -> bool:
        """Whether a frame can be sent now."""
        return self._line is not None and self._line.is_usable

    async def start(self) -> None:
        """Open, and return when the first socket is open.

        *Raises*: `EnvironmentFault` when none opened in time; nothing is left running then.
        """
        loop = asyncio.get_running_loop()
        self._first = loop.create_future()
        self._task = loop.create_task(self._run(), name=f"socket {self.name}")
        await asyncio.wait(
            [self._first, self._task],
            timeout=self._timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._task.done():
            self._task.result()
        if not self._first.done():
            await self.stop()
            raise EnvironmentFault(
                f"{self.name}: no connection within {self._timeout_s:g} s "
                f"({self.last_reason or 'no answer'}); check network, address and the venue's "
                "status, then start again."
            )

    async def stop(self) -> None:
        """Close and stay closed; `on_down` is not called. Safe to call twice."""
        task, self._task = self._task, None
        line, self._line = self._line, None
        self.state = SocketState.STOPPED
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if line is not None:
            line.drop("stopped")
            await asyncio.wait([line.gone], timeout=CLOSE_S)

    def send(self, frame: bytes) -> None:
        """Send one text message. *Raises*: `NotConnected`; nothing was sent then."""
        line = self._line
        if line is None or not line.is_usable:
            raise NotConnected(f"{self.name} is {self.state.value}; nothing was sent.")
        line.transport.send(_TEXT, frame)

    def confirm(self) -> None:
        """The owner knows from elsewhere that there was nothing to be heard: no silence."""
        self.frames += 1

    def restart(self, reason: str) -> None:
        """Drop the present socket and open another."""
        if self._line is not None:
            self._line.drop(reason)

    def pause(self) -> None:
        """Read no more until `resume`: the venue's frames wait in its own buffers."""
        if self.is_open and self._line is not None:
            self._line.transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.is_open and self._line is not None:
            self._line.transport.underlying_transport.resume_reading()

    # ------------------------------------------------------------ told by lines

    def opened(self, line: Line) -> None:
        """A handshake is done; no frame has come yet."""
        before, self._line = self._line, line
        line.before = before if before is not None and before.is_usable else None
        self.state = SocketState.OPEN
        self.opened_ns = self._now()
        self.opens += 1
        self._on_open(self)

    def lost(self, line: Line, reason: str) -> None:
        """A socket is gone; of interest only if it is the present one."""
        if line is not self._line:
            return
        self._line = None
        self.state = SocketState.WAITING
        self.drops += 1
        self.last_reason = reason
        self._on_down(reason)

    # ------------------------------------------------------------ the life

    async def _run(self) -> None:
        """Connect, watch, pause, again; ends only by `stop` and by a `FatalError`."""
        loop = asyncio.get_running_loop()
        while True:
            self.state = SocketState.WAITING
            await asyncio.sleep(self._pause_s())
            while (delay_s := self._governor.delay_s(loop.time())) > 0:
                await asyncio.sleep(delay_s)
            self.state = SocketState.CONNECTING
            line = await self._connect()
            if line is None:
                self._failures += 1
                continue
            if self._first is not None and not self._first.done():
                self._first.set_result(None)
            began_s = loop.time()
            await self._watch(line)
            self._failures = 0 if loop.time() - began_s >= STEADY_S else self._failures + 1

    def _pause_s(self) -> float:
        """Full jitter below a limit that doubles; longer where the venue refused us."""
        if not self._failures and not self.opens:
            return 0.0
        doublings = min(max(self._failures - 1, 0), DOUBLINGS_MAX)
        limit_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2**doublings)
        return max(self._rng.uniform(0.0, limit_s), self._refused_s)

    async def _connect(self) -> Line | None:
        """One attempt. *Returns*: `None` when it failed; `last_reason` says why."""
        self._refused_s = 0.0
        line = Line(self)
        try:
            async with asyncio.timeout(CONNECT_S):
                address = self._url()
                url = await address if inspect.isawaitable(address) else address
                # Not before: while the address is asked for, others may connect.
                self._governor.take(asyncio.get_running_loop().time())
                await self._dial(line, url)
            return line
        except FatalError:
            raise
        except (OSError, WSError, HeanError, ValueError) as error:
            self.last_reason = _why(error)
            if isinstance(error, WSHandshakeError) and error.response is not None:
                self._refused_s = REFUSED_S.get(int(error.response.status), 0.0)
            return None
        finally:
            if not line.is_opened:
                line.drop("given up before it was open")

    async def _watch(self, line: Line) -> None:
        """Until the connection has no line: pings, silence, the planned change."""
        loop = asyncio.get_running_loop()
        look_s = min(self._silence_s / LOOKS, self.heartbeat.every_s / LOOKS, LOOK_MAX_S)
        silence = _Silence(self._silence_s, 2 * look_s)
        beat_s = loop.time()
        change_s = self._change_s(beat_s)
        while not line.gone.done():
            await asyncio.wait([line.gone], timeout=look_s)
            at_s = loop.time()
            if at_s >= change_s and not line.gone.done():
                successor = None if self._governor.delay_s(at_s) > 0 else await self._connect()
                line, at_s = successor or line, loop.time()
                change_s = self._change_s(at_s) if successor else at_s + BACKOFF_MAX_S
            quiet = silence.look(self.frames, at_s)
            if quiet == _Quiet.OVER:
                line.drop(f"no data for {self._silence_s * (1 + GRACE_FRACTION):g} s")
            elif quiet == _Quiet.ASK and self._on_silence is not None:
                self._on_silence()
            if quiet == _Quiet.ASK or at_s - beat_s >= self.heartbeat.every_s:
                beat_s = at_s
                line.beat(at_s)
            if line.asked_s and at_s - line.asked_s >= ANSWER_S + look_s:
                line.drop(f"a ping was not answered within {ANSWER_S:g} s")

    def _change_s(self, at_s: float) -> float:
        """When a line of that moment gets a successor: well before the venue's cut."""
        if self._life_s is None:
            return math.inf
        return at_s + self._life_s * self._rng.uniform(*LIFE_FRACTIONS)


class _Quiet(Enum):
    NO = 0
    ASK = 1
    OVER = 2


class _Silence:
    """Time without a frame, counted in looks: while this process stood still nothing could be
    heard, so a gap between two looks counts no more than *gap_max_s*.
    """

    __slots__ = ("_at_s", "_gap_max_s", "_is_asked", "_limit_s", "_quiet_s", "_seen")

    def __init__(self, limit_s: float, gap_max_s: float) -> None:
        self._limit_s = limit_s
        self._gap_max_s = gap_max_s
        self._seen = -1
        self._quiet_s = self._at_s = 0.0
        self._is_asked = False

    def look(self, frames: int, at_s: float) -> _Quiet:
        """*frames*: data frames so far. *Returns*: what the silence asks for, `ASK` once."""
        gap_s, self._at_s = at_s - self._at_s, at_s
        if frames != self._seen:
            self._seen, self._quiet_s, self._is_asked = frames, 0.0, False
            return _Quiet.NO
        self._quiet_s += min(gap_s, self._gap_max_s)
        if self._quiet_s >= self._limit_s * (1 + GRACE_FRACTION):
            return _Quiet.OVER
        if self._quiet_s >= self._limit_s and not self._is_asked:
            self._is_asked = True
            return _Quiet.ASK
        return _Quiet.NO


def _why(error: Exception) -> str:
    """A failed attempt in words, without the address."""
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return f"the handshake was answered with HTTP {int(error.response.status)}"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S:g} s"
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror or error}"
    if isinstance(error, HeanError):
        return str(error)
    return type(error).__name__
