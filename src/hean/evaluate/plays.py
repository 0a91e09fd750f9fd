# SPDX-License-Identifier: Apache-2.0
"""`plays.py`: many backtests of one recorded market, in as many processes as asked for. The market
is read once in each process; what comes back of a run is small: days, not ticks. A result depends
on its settings and the data, never on the number of processes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.backtest.report_sections import buy_and_hold
from hean.backtest.result import RunRecord, Values
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.backtest.stats import DAY_NS, daily
from hean.feeds.recording import load_market
from hean.sim.interrupts import never_interrupted

Play = Callable[[BacktestSettings, MarketData], tuple[dict[str, Any], RunRecord]]
"""Plays one backtest; the command line puts a watchdog around `play_plainly`."""


class Recording(msgspec.Struct, frozen=True):
    """Where a market is recorded, and which part of it is played."""

    files: tuple[Path, ...]
    symbols: tuple[str, ...]
    start_ns: int | None = None
    end_ns: int | None = None

    def load(self) -> MarketData:
        """Read it. *Raises*: `DataInvalid`."""
        return load_market(self.files, self.symbols, start_ns=self.start_ns, end_ns=self.end_ns)


class Played(msgspec.Struct, frozen=True):
    """What is kept of a run.

    *first_day*: days since 1970. *returns*: simple, net of all costs, a value a day; 0 once the
    account is ruined. *exposure*: mean signed position value over equity, a value a day. *market*:
    daily returns of holding all symbols in equal parts. *trades*: result of each round trip over
    the equity before it.
    """

    settings: BacktestSettings
    summary: dict[str, Any]
    first_day: int
    returns: Values
    exposure: Values
    market: Values
    trades: Values


def play_plainly(
    settings: BacktestSettings, market: MarketData
) -> tuple[dict[str, Any], RunRecord]:
    """One backtest, nobody watching."""
    return Backtest(settings, market).run()


@contextmanager
def players(
    recording: Recording, play: Play = play_plainly, *, processes: int = 1
) -> Iterator[Callable[..., list[Played]]]:
    """Yields `run(jobs, on_done)`, which plays every job and returns results in their order; it
    raises what the first failing run raised. *processes*: at most so many; with one, it is this.
    """
    if processes <= 1:
        market = recording.load()
        yield lambda jobs, on_done: _told(
            (digest(job, *play(job, market)) for job in jobs), on_done
        )
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        processes, mp_context=spawn, initializer=_begin, initargs=(recording, play)
    )

    def run(jobs: Sequence[BacktestSettings], on_done: Callable[[], None]) -> list[Played]:
        with never_interrupted():  # an interrupt is for the parent, which ends the others
            begun = [pool.submit(_in_worker, job) for job in jobs]
        return _told((each.result() for each in begun), on_done)

    with pool:
        try:
            yield run
        except BaseException:  # reason: an interrupt, or a run that failed
            for worker in multiprocessing.active_children():
                worker.kill()
            raise


def _told(results: Iterable[Played], on_done: Callable[[], None]) -> list[Played]:
    found = []
    for one in results:
        found.append(one)
        on_done()
    return found


_worker: tuple[MarketData, Play] | None = None
"""Market and player of this worker process, read once."""


def _begin(recording: Recording, play: Play) -> None:
    global _worker  # a pool has no other place for what its processes share
    _worker = recording.load(), play


def _in_worker(settings: BacktestSettings) -> Played:
    assert _worker is not None
    market, play = _worker
    return digest(settings, *play(settings, market))


def digest(settings: BacktestSettings, summary: dict[str, Any], record: RunRecord) -> Played:
    """What is kept of a run."""
    cash = float(settings.account.cash)
    days = daily(record.sample_ts, record.equity, initial=cash)
    count = days.day.size
    returns = np.zeros(count)
    returns[: days.returns.size] = days.returns
    held = buy_and_hold(record, cash)
    market = np.zeros(count)
    if held is not None:
        market = daily(record.sample_ts, held, initial=cash).returns
    # A sample of midnight belongs to the day it closes, as in `daily`.
    places = np.clip((record.sample_ts - 1) // DAY_NS - days.day[0], 0, count - 1)
    exposure = np.bincount(places, record.exposure, count) / np.maximum(
        np.bincount(places, minlength=count), 1
    )
    results = np.array([float(trade.pnl) for trade in record.trades])
    before = cash + np.concatenate(([0.0], np.cumsum(results)[:-1])) if results.size else results
    trades = np.divide(results, before, out=np.zeros_like(results), where=before > 0)
    return Played(settings, summary, int(days.day[0]), returns, exposure, market, trades)
