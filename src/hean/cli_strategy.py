# SPDX-License-Identifier: Apache-2.0
"""The strategy as a guest of the command line. It is built before any data is read; when it
raises, or does not return, the error names strategy, handler, line and event. Refused
orders are counted by reason, to be shown at the end.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.cli_common import write_whole
from hean.core.bus import EventBus
from hean.core.handling import Handling, frames_of, handling_in
from hean.core.journal import WriterLock
from hean.core.parameters import resolve
from hean.core.types import Event, EventType
from hean.data.fingerprint import iso_utc
from hean.errors import EnvironmentFault, HeanError, ParameterInvalid, StateError, from_core
from hean.strategies import StrategyInvalid, load_strategy
from hean.strategies.base import Strategy
from hean.strategies.symbiont import Symbiont
from hean.symbiont.population import written
from hean.watchdog import Overdue, Watchdog

REASON_LENGTH_MAX = 160


class StrategyFailed(StateError):
    """A strategy raised or did not return. Reaction: stop the run, write no result."""

    code = 6105


def build_strategy(
    spec: str, symbols: tuple[str, ...], given: Mapping[str, object], *, watchdog: Watchdog
) -> Strategy:
    """The strategy of a name or `path.py:Class`, with its parameters.

    *Raises*: `ParameterInvalid`, `StrategyInvalid`; `StrategyFailed` if importing or constructing
    it does not return.
    """
    _check_spec(spec)
    file = spec.rpartition(":")[0]
    try:
        with watchdog.during(f"importing and constructing {spec}"):
            kind = load_strategy(spec)
            resolve(kind.parameters, given)
            strategy = kind(symbols, dict(given))
    except HeanError:
        raise
    except Overdue:
        raise StrategyFailed(
            f"{spec}: importing or constructing it takes longer than {watchdog.limit_s:g} s; "
            "raise --handler-timeout if it must."
        ) from None
    except (Exception, SystemExit) as error:  # reason: user code may raise anything
        raise StrategyInvalid(f"{spec}: {_line(error, file)}{_sentence(error)}") from error
    if not hasattr(strategy, "settings"):
        raise StrategyInvalid(f"{spec}: __init__ must call super().__init__(symbols, given).")
    return strategy


def keep_population(strategy: Strategy, path: Path) -> None:
    """Have a population written to *path* whenever it changes; no other strategy has one."""
    if isinstance(strategy, Symbiont):
        population = strategy.population
        strategy.colony.on_change.append(lambda: write_whole(path, written(population).decode()))


@contextmanager
def population_lock(path: Path) -> Iterator[None]:
    """One process at a time writes the population of *path*, whatever account it trades for.

    *Raises*: `SecondWriter`, `EnvironmentFault`.
    """
    beside = path.with_name(f"{path.name}.lock")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(beside, str(os.getpid()))
    except OSError as error:
        raise EnvironmentFault(f"{beside}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def _check_spec(spec: str) -> None:
    """Tell a path without a class from an unknown name."""
    if spec.endswith(".py") and ":" not in spec:
        raise ParameterInvalid(f"--strategy {spec}: name the class as well, as {spec}:Class.")


@contextmanager
def blamed(strategy: Strategy, watchdog: Watchdog, *, spec: str) -> Iterator[None]:
    """Turn what the strategy does wrong inside into `StrategyFailed`."""
    file = spec.rpartition(":")[0]
    try:
        yield
    except Overdue as error:
        stuck = watchdog.stuck
        where = _place(stuck) if stuck else "the run"
        raise StrategyFailed(
            f"strategy {strategy.name}: {_line(error, file)}{where} has kept simulated time "
            f"standing still for {watchdog.limit_s:g} s; it does not return, or emits without "
            "end. Raise --handler-timeout if it is only slow."
        ) from error
    except (Exception, SystemExit) as error:
        handling = handling_in(frames_of(error.__traceback__))
        if handling is None or handling.owner is not strategy:
            raise
        raise StrategyFailed(
            f"strategy {strategy.name} failed: {_line(error, file)}{_place(handling)}: "
            f"{_sentence(error)}"
        ) from error


@dataclass(frozen=True, slots=True)
class WatchedPlay:
    """Plays one of many backtests, in this process or another: the strategy is built anew, watched
    and blamed, and what it prints goes to stderr. *limit_s*: longest time for one event.
    """

    limit_s: float

    def __call__(
        self, settings: BacktestSettings, market: MarketData
    ) -> tuple[dict[str, Any], RunRecord]:
        """Summary and record of the run. *Raises*: `StrategyFailed` and what a run raises."""
        spec = settings.strategy
        with redirect_stdout(sys.stderr), Watchdog(self.limit_s) as watchdog:
            strategy = build_strategy(spec, settings.symbols, settings.given, watchdog=watchdog)
            run = Backtest(settings, market, strategy=strategy)
            with blamed(strategy, watchdog, spec=spec):
                return run.run()


def _place(handling: Handling) -> str:
    event = handling.event
    symbol = getattr(event.data, "symbol", "")
    what = f"{event.event_type.value} {symbol}".strip()
    return f"{handling.name}, event {event.seq} ({what}) at {iso_utc(event.ts_ns)}"


def _sentence(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    if isinstance(error, HeanError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _line(error: BaseException, file: str) -> str:
    """`file.py:12: ` for the last line of the user's file in the traceback."""
    if not file:
        return ""
    wanted = Path(file).resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve() == wanted:
            return f"{wanted.name}:{frame.lineno}: "
    return ""


class Refusals:
    """Counts refused orders by who refused and why."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], list[Any]] = {}

    def watch(self, bus: EventBus) -> Callable[[], None]:
        """Start counting. *Returns*: ends it."""
        return bus.subscribe(EventType.ORDER_REJECTED, self._count)

    def _count(self, event: Event) -> None:
        refused = event.data
        entry = self._seen.get((refused.source, refused.code))
        if entry is None:
            first = f"{iso_utc(event.ts_ns)}: {refused.reason}"
            self._seen[refused.source, refused.code] = [1, first]
        else:
            entry[0] += 1

    def document(self) -> list[dict[str, Any]]:
        """For JSON, most frequent first."""
        ranked = sorted(self._seen.items(), key=lambda item: (-item[1][0], item[0]))
        return [
            {
                "source": source,
                "code": code,
                "error": type(from_core(code, "")).__name__,
                "count": count,
                "first": first,
            }
            for (source, code), (count, first) in ranked
        ]

    def warnings(self) -> list[str]:
        """One line for each reason."""
        return [
            f"warning: {row['count']:,} orders refused by {row['source']}, {row['error']} "
            f"{row['code']}; first at {row['first'][:REASON_LENGTH_MAX]}"
            for row in self.document()
        ]
