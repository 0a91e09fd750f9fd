# SPDX-License-Identifier: Apache-2.0
"""`rest.py`: asking a venue for public market data, politely. Every question goes out alone and is
repeated a bounded number of times: when the venue asks for silence HEAN is silent as long as it
says, when it fails or answers nonsense HEAN waits a little longer each time. What an answer means
is decided by the venue's own file; a page of history is believed only if it lies in the window that
was asked for. It holds no key, sends no order and keeps nothing.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hean.data.schema import COLUMNS, Kind, Rule
from hean.errors import EnvironmentFault, FrameInvalid, NotSent, OutcomeUnknown, VenueError
from hean.net.http import Answer, HttpClient

ATTEMPTS_MAX = 5  # a venue that fails five times in half a minute is down, not unlucky
BACKOFF_S = 1.0  # doubled each time, with chance, so that clients do not return in step
PAUSE_S_MAX = 90.0  # longer than a minute's budget: better to end and be started again
UNREACHED = "Check network and address, then run it again."
MS_NS = 1_000_000

Market = Literal["spot", "linear"]
Rows = dict[str, NDArray[Any]]
Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Pause:
    """Why an answer cannot be used now, and how long the venue wants to be left alone (`None`: it
    did not say)."""

    why: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What history is asked for: *start_ns* inclusive, *end_ns* exclusive, nanoseconds UTC.
    *timeframe*: of candles only.
    """

    kind: Kind
    symbol: str
    start_ns: int
    end_ns: int
    timeframe: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer as columns of HEAN, `ts` in nanoseconds and rising. *cursor*: where the next page
    begins, in words only the venue's file understands; `None` after the last. *is_joined*: whether
    it begins right where it was asked to; otherwise there is a hole, or the answer is not to be
    trusted.
    """

    rows: Rows
    cursor: str | None
    is_joined: bool = True

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.rows["ts"].size)

    @property
    def is_doubtful(self) -> bool:
        """Whether it should be said twice before it is believed: a hole, or the end of it all."""
        return not self.is_joined or (self.cursor is None and not self.count)


class PublicRest(ABC):
    """Public REST questions to one market of one venue.

    *now*: nanoseconds UTC; *rng*: for waiting times; *sleep*: how to wait.
    """

    venue: ClassVar[str]

    def __init__(
        self,
        client: HttpClient,
        market: Market,
        *,
        now: Callable[[], int],
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.market = market
        self._client = client
        self._now = now
        self._rng = rng
        self._sleep = sleep
        self._free_ns = 0

    @abstractmethod
    def judge(self, answer: Answer) -> Pause | None:
        """`None` for an answer that can be read; raises for a definite refusal."""

    @abstractmethod
    def free_ns(self, answer: Answer) -> int:
        """The moment before which nothing more should be asked, by what the answer's headers say
        of the budget; 0 if there is plenty.
        """

    @abstractmethod
    async def server_time_ns(self) -> int:
        """The venue's clock."""

    @abstractmethod
    async def symbols(self) -> list[str]:
        """Every symbol the market lists now."""

    @abstractmethod
    async def funding_interval_s(self, symbol: str) -> int:
        """Seconds between settlements of a perpetual."""

    @abstractmethod
    async def page(self, query: HistoryQuery, cursor: str | None) -> Page:
        """One page of history; *cursor*: `None` for the first."""

    async def get(
        self, path: str, query: Mapping[str, object], decode: Callable[[bytes], Decoded]
    ) -> Decoded:
        """Ask, repeat within bounds, decode.

        *Raises*: `EnvironmentFault` if the host cannot be reached; `VenueError` if it refuses,
        asks for a longer silence than `PAUSE_S_MAX`, or answers nonsense to the last attempt.
        """
        text = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
        failed: Exception | None = None
        pause = Pause("")
        for attempt in range(ATTEMPTS_MAX):
            await self._wait_until(self._free_ns)
            try:
                answer = await self._client.request("GET", path, query=text)
            except (NotSent, OutcomeUnknown) as error:
                pause = Pause(error.message)
                failed = EnvironmentFault(f"{self.venue}: {error.message} {UNREACHED}")
            else:
                self._free_ns = self.free_ns(answer)
                found = self.judge(answer)
                if found is None:
                    try:
                        return decode(answer.body)
                    except (msgspec.DecodeError, FrameInvalid) as error:
                        found = Pause(f"answer not understood: {error}")
                pause = found
                failed = VenueError(f"{self.venue} {path}: {pause.why}")
            await self._back_off(path, pause, attempt)
        raise failed or VenueError(f"{self.venue} {path}")

    async def _back_off(self, path: str, pause: Pause, attempt: int) -> None:
        if pause.seconds is None:
            if attempt + 1 < ATTEMPTS_MAX:
                await self._sleep(BACKOFF_S * 2**attempt * (0.5 + self._rng.random()))
        elif pause.seconds > PAUSE_S_MAX:
            raise VenueError(
                f"{self.venue} {path}: {pause.why}; it wants no question for "
                f"{pause.seconds:.0f} s, at most {PAUSE_S_MAX:.0f} s are waited. Ask again later."
            )
        else:
            await self._sleep(pause.seconds)

    async def _wait_until(self, moment_ns: int) -> None:
        wait_s = (moment_ns - self._now()) / 1e9
        if wait_s > 0:
            await self._sleep(min(wait_s, PAUSE_S_MAX))


def retry_after_s(answer: Answer) -> float | None:
    """Seconds of `Retry-After`; `None` if absent or no number."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def column(texts: list[str], name: str) -> NDArray[np.float64]:
    """Decimal texts as floats, each finite. *Raises*: `FrameInvalid`, naming the first bad one."""
    try:
        values = np.array([float(text) for text in texts], dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.size != len(texts) or not np.isfinite(values).all():
        bad = next(text for text in texts if not _is_number(text))
        raise FrameInvalid(f"{name} {bad[:40]!a} is no number")
    return values


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def checked(rows: Rows, kind: Kind, *, first_ns: int, last_ns: int) -> Rows:
    """A page whose rows rise in time, lie in the window that was asked for, and hold numbers a
    market can have. *Raises*: `FrameInvalid`.
    """
    ts = rows["ts"]
    if ts.size and (np.diff(ts) < 0).any():
        raise FrameInvalid(f"a page of {kind} not sorted by time")
    if ts.size and (ts[0] < first_ns or ts[-1] > last_ns):
        raise FrameInvalid(
            f"a page of {kind} from {ts[0] // MS_NS} to {ts[-1] // MS_NS} ms, "
            f"asked for {first_ns // MS_NS} to {last_ns // MS_NS}"
        )
    if kind is not Kind.TRADES and ts.size and (np.diff(ts) == 0).any():
        raise FrameInvalid(f"a page of {kind} repeats a time")
    for name, rule in COLUMNS[kind].items():
        if rule is not None and not _within(rows[name], rule):
            raise FrameInvalid(f"{name} of {kind} outside {rule.expected}")
    return rows


def _within(values: NDArray[Any], rule: Rule) -> bool:
    low = values > rule.low if rule.open_low else values >= rule.low
    return bool((low & (values <= rule.high)).all())
