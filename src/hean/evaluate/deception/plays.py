# SPDX-License-Identifier: Apache-2.0
"""`plays.py`: one play of a strategy in a staged market, with everything it decided. The strategy
is loaded anew each time, so that nothing it keeps in its module outlives a play.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.core.module import Module, on
from hean.core.timeframe import DAY_NS
from hean.core.types import Event, EventType
from hean.errors import HeanError
from hean.evaluate.deception.accountant import Audit, Disagreement
from hean.evaluate.deception.staging import Staged
from hean.evaluate.deception.watching import Opened, watched
from hean.strategies import load_strategy
from hean.strategies.base import Strategy

Decision = tuple[int, Any]
"""When, and what: the emitted fact without the names of orders."""

Guard = Callable[[BacktestSettings], AbstractContextManager[object]]
"""Put around a play; the command line's raises where a strategy does not return."""


class Play(msgspec.Struct, frozen=True):
    """What came of a play. *failure*: what the strategy raised, in words; then there is no more.
    *approved*: when each order was decided. *summary*, *record*: as of a backtest. *booked*: events
    that moved money; *disagreement*: where a second set of books first says something else."""

    decisions: list[Decision]
    opened: list[Opened]
    approved: dict[str, int]
    end_ns: int
    failure: str = ""
    summary: dict[str, Any] = {}
    record: RunRecord | None = None
    booked: int = 0
    disagreement: Disagreement | None = None

    def until(self, end_ns: int) -> list[Decision]:
        """Decisions up to a moment."""
        return [each for each in self.decisions if each[0] <= end_ns]


class Witness(Module):
    """Keeps every decision."""

    name = "witness"

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.approved: dict[str, int] = {}

    @on(EventType.ORDER_APPROVED)
    def on_approved(self, event: Event) -> None:
        """Keep when an order was decided."""
        self.approved.setdefault(event.data.order_id, event.ts_ns)

    @on(EventType.SIGNAL, EventType.CANCEL_REQUEST, EventType.AMEND_REQUEST)
    def on_decision(self, event: Event) -> None:
        """Keep it, without numbers that count what others did."""
        names = {"as_of_seq": 0, "order_id": ""}
        kept = {name: value for name, value in names.items() if hasattr(event.data, name)}
        self.decisions.append((event.ts_ns, msgspec.structs.replace(event.data, **kept)))


Outcome = tuple[dict[str, Any], RunRecord, Audit | None]
"""Summary and record as of a backtest, and a second set of books if somebody kept one."""

Player = Callable[[BacktestSettings, MarketData, Strategy, Witness], Outcome]
"""Plays a strategy in a market, with a witness."""


def backtest(
    settings: BacktestSettings, market: MarketData, strategy: Strategy, witness: Witness
) -> Outcome:
    """The usual player."""
    run = Backtest(settings, market, strategy=strategy)
    run.system.add(witness)
    run.recorder.step_ns = DAY_NS  # nobody looks at the curve
    run.source = audit = Audit(run)
    summary, record = run.run()
    audit.compare()
    return summary, record, audit


def played(
    settings: BacktestSettings,
    staged: Staged,
    *,
    guard: Guard = lambda _: nullcontext(),
    around: AbstractContextManager[object] | None = None,
    player: Player = backtest,
) -> Play:
    """Play once. *around*: what else is different there. *Raises*: `DataInvalid`; what *guard*
    raises of a strategy that hangs."""
    market = staged.load()
    source = source_of(settings.strategy)
    witness = Witness()
    before = set(sys.modules)
    failure, record, audit = "", None, None
    summary: dict[str, Any] = {}
    with watched(staged.copies, source) as opened, around or nullcontext(), guard(settings):
        try:
            summary, record, audit = player(settings, market, _built(settings), witness)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # reason: a user's code
            failure = f"{_line(error, source)}{type(error).__name__}: {_words(error)}"
    _forget(before, source)
    return Play(
        witness.decisions,
        opened,
        witness.approved,
        market.end_ns,
        failure,
        summary,
        record,
        audit.events if audit else 0,
        audit.first if audit else None,
    )


def _built(settings: BacktestSettings) -> Strategy:
    return load_strategy(settings.strategy)(settings.symbols, dict(settings.given))


def source_of(spec: str) -> str:
    """The file of a strategy as its frames name it; empty for one of HEAN's own."""
    return str(Path(spec.rpartition(":")[0])) if ":" in spec else ""


def _forget(before: set[str], source: str) -> None:
    """Modules that the user's file has loaded from its own folder are loaded anew next time."""
    if not source:
        return
    folder = Path(source).resolve().parent
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and folder in Path(file).resolve().parents:
            del sys.modules[name]


def _line(error: BaseException, source: str) -> str:
    """`line 12: `, the last of the user's file in the traceback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if source and Path(frame.filename).resolve() == Path(source).resolve():
            return f"line {frame.lineno}: "
    return ""


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, HeanError) else str(error)
