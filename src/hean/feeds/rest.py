# SPDX-License-Identifier: Apache-2.0
"""`rest.py`: asking a venue for public market data, politely. Every question goes out alone and is
repeated a bounded number of times: when the venue asks for silence HEAN is silent as long as it
says, when it fails or answers nonsense HEAN waits a little longer each time. What an answer means
is decided by the venue's own file; a page of history is believed only if it lies in the window that
was asked for. It holds no key, sends no order and keeps nothing; a silence that the venue wants is
shared with everybody who asks it from this address.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hean.core.timeframe import timeframe_ns
from hean.data.schema import COLUMNS, Kind, Rule
from hean.errors import (
    EnvironmentFault,
    FrameInvalid,
    Halted,
    NotSent,
    OutcomeUnknown,
    ParameterInvalid,
    VenueError,
)
from hean.net.budget import Budget
from hean.net.http import Answer, HttpClient
from hean.venues.outcomes import Silence

ATTEMPTS_MAX = 5  # a venue that fails five times in half a minute is down, not unlucky
BACKOFF_S = 1.0  # doubled each time, with chance, so that clients do not return in step
PAUSE_S_MAX = 90.0  # longer than a minute's budget: better to end and be started again
UNREACHED = "Check network and address, then run it again."
MS_NS = 1_000_000

Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=2**63 // MS_NS)]
Market = Literal["spot", "linear"]
Rows = dict[str, NDArray[Any]]
Decoded = TypeVar("Decoded")


class Stated(msgspec.Struct, frozen=True, rename="camel"):
    """A row of an answer, its numbers exact and finite: a text may say `NaN`."""

    def __post_init__(self) -> None:
        """*Raises*: `ValueError`, which the decoder turns into its own error with the place."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not value.is_finite():
                raise ValueError(f"{name} {value} is no number")


@dataclass(frozen=True, slots=True)
class Pause:
    """Why an answer cannot be used now, and what silence the venue wants (`None`: unsaid)."""

    why: str
    silence: Silence | None = None


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


@dataclass(frozen=True, slots=True)
class Question:
    """How one page of a window is asked for; *decode*: its bytes and the symbol to columns."""

    path: str
    asked: Mapping[str, object]
    decode: Callable[[bytes, str], Rows]


class PublicRest(ABC):
    """Public REST questions to one market of one venue.

    *now*: nanoseconds UTC; *rng*: for waiting times; *sleep*: how to wait; *budget*: shared by all
    who use this address, where anybody else does; *scale*: for a venue that allows so many times
    the documented figures.
    """

    venue: ClassVar[str]
    timeframes: ClassVar[Iterable[str]]
    """Bar lengths it has candles of."""
    is_newest_first: ClassVar[bool]
    """Whether a window that does not fit into one page keeps its newest rows."""

    def __init__(
        self,
        client: HttpClient,
        market: Market,
        *,
        now: Callable[[], int],
        rng: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        budget: Budget | None = None,
        scale: int = 1,
    ) -> None:
        self.market = market
        self.scale = scale
        self._client = client
        self._now = now
        self._rng = rng
        self._sleep = sleep
        self._budget = budget or Budget((), {})
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
    def question(self, query: HistoryQuery, first_ms: int, last_ms: int) -> Question:
        """Candles or settlements from *first_ms* to *last_ms*, both inclusive."""

    @abstractmethod
    async def trades(self, query: HistoryQuery, cursor: str | None) -> Page:
        """One page of trades; each venue pages them in its own way."""

    async def page(self, query: HistoryQuery, cursor: str | None) -> Page:
        """One page of history; *cursor*: `None` for the first."""
        match query.kind:
            case Kind.TRADES:
                return await self.trades(query, cursor)
            case Kind.CANDLES:
                step_ms = self._step_ms(query.timeframe)
            case Kind.FUNDING:
                step_ms = 1
            case _:
                raise ParameterInvalid(f"{self.venue}: no history of {query.kind}")
        first_ms, last_ms = -(-query.start_ns // MS_NS), (query.end_ns - 1) // MS_NS
        if cursor is not None and self.is_newest_first:
            last_ms = int(cursor)
        elif cursor is not None:
            first_ms = int(cursor)
        question = self.question(query, first_ms, last_ms)

        def decode(body: bytes) -> Rows:
            window = {"first_ns": first_ms * MS_NS, "last_ns": last_ms * MS_NS}
            return checked(question.decode(body, query.symbol), query.kind, **window)

        rows = await self.get(question.path, question.asked, decode)
        if not rows["ts"].size:
            return Page(rows, None)
        oldest_ms, newest_ms = int(rows["ts"][0]) // MS_NS, int(rows["ts"][-1]) // MS_NS
        if self.is_newest_first:
            is_joined = newest_ms == last_ms // step_ms * step_ms
            next_ms = oldest_ms - step_ms
        else:
            is_joined = oldest_ms == -(-first_ms // step_ms) * step_ms
            next_ms = newest_ms + step_ms
        cursor = str(next_ms) if first_ms <= next_ms <= last_ms else None
        return Page(rows, cursor, is_joined or query.kind is Kind.FUNDING)  # of no fixed interval

    def _step_ms(self, timeframe: str | None) -> int:
        if timeframe is None or timeframe not in self.timeframes:
            known = ", ".join(self.timeframes)
            raise ParameterInvalid(f"{self.venue}: no candles of {timeframe}; known: {known}")
        return timeframe_ns(timeframe) // MS_NS

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
                answer = await self._client.request(
                    "GET", path, query=text, objection=self._why_silent
                )
            except Halted as error:
                pause = Pause(error.message, Silence(self._silent_s(), is_ban=True))
                failed = VenueError(f"{self.venue} {path}: {error.message}")
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
                self._respect(found.silence)
                failed = VenueError(f"{self.venue} {path}: {pause.why}")
            await self._back_off(path, pause, attempt)
        raise failed or VenueError(f"{self.venue} {path}")

    async def _back_off(self, path: str, pause: Pause, attempt: int) -> None:
        if pause.silence is None:
            if attempt + 1 < ATTEMPTS_MAX:
                await self._sleep(BACKOFF_S * 2**attempt * (0.5 + self._rng.random()))
        elif pause.silence.seconds > PAUSE_S_MAX:
            raise VenueError(
                f"{self.venue} {path}: {pause.why}; it wants no question for "
                f"{pause.silence.seconds:.0f} s, at most {PAUSE_S_MAX:.0f} s are waited. "
                "Ask again later."
            )
        else:
            await self._sleep(pause.silence.seconds)

    def _silent_s(self) -> float:
        """How long the venue still wants to hear nothing from this address."""
        return self._budget.silent_ns(_ticks_ns(), is_signed=False) / 1e9

    def _why_silent(self) -> str:
        return "the venue wants silence" if self._silent_s() else ""

    def _respect(self, silence: Silence | None) -> None:
        """Let nobody else at this address ask either."""
        if silence is not None and silence.is_ban:
            self._budget.hold(_ticks_ns() + int(silence.seconds * 1e9), is_ban=True)

    async def _wait_until(self, moment_ns: int) -> None:
        wait_s = (moment_ns - self._now()) / 1e9
        if wait_s > 0:
            await self._sleep(min(wait_s, PAUSE_S_MAX))


def _ticks_ns() -> int:
    """The steady time of this machine, by which budgets count."""
    return int(asyncio.get_running_loop().time() * 1e9)


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


def candle_columns(times: NDArray[np.int64], found: Sequence[object]) -> Rows:
    """Columns of candles from rows whose fields bear the names of the columns."""
    rows: Rows = {"ts": times}
    for name in COLUMNS[Kind.CANDLES]:
        rows[name] = column([getattr(row, name) for row in found], name)
    return rows


def same_symbol(found: Iterable[str], asked: str) -> None:
    """Every row must be of the symbol that was asked for. *Raises*: `FrameInvalid`."""
    for name in found:
        if name != asked:
            raise FrameInvalid(f"symbol {name[:40]!a}, asked for {asked}")


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
