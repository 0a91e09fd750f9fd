# SPDX-License-Identifier: Apache-2.0
"""`tiers.py`: three speeds of one backtest. Venue, order engine, ledger and sizing are the same
objects in all of them; they differ in who looks at each market fact.

    event    the strategy's Python handler
    wake     Rust; Python is called when something the strategy waits for happens
    native   Rust alone, trading the strategy's `program()`

A strategy whose handler decides by conditions that hold, its position and its orders under way
makes the same orders in all three.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from hean._core import NativeRun
from hean.backtest.recorder import RunRecorder
from hean.backtest.result import FillRow
from hean.core.types import EventType, Liquidity, Side
from hean.errors import ParameterInvalid
from hean.program import Program
from hean.risk.sizing import SizingMethod
from hean.strategies.base import Strategy
from hean.system import TradingSystem
from hean.venues.sim import SimulatedVenue

SLICE = 100_000  # instants between two looks at progress and signals: some tens of milliseconds


class Tier(StrEnum):
    """Who looks at each market fact."""

    EVENT = "event"
    WAKE = "wake"
    NATIVE = "native"


def watch(system: TradingSystem, venue: SimulatedVenue, tier: Tier, *, has_bars: bool) -> None:
    """Let the venue evaluate each strategy's conditions; refuse a tier that cannot be kept.

    *Raises*: `ParameterInvalid` saying which tier to take.
    """
    if tier is not Tier.EVENT and len(system.strategies) > 1:
        raise ParameterInvalid("several strategies hear every fact; run tier event.")
    for strategy in system.strategies:
        strategy.hears_all = tier is Tier.EVENT
        _watch(system, strategy, venue, tier, has_bars=has_bars)


def _watch(
    system: TradingSystem, strategy: Strategy, venue: SimulatedVenue, tier: Tier, *, has_bars: bool
) -> None:
    wakes = strategy.wakes()
    if tier is Tier.EVENT and not wakes:
        return
    if strategy.feed() is EventType.CANDLE and not has_bars:
        raise ParameterInvalid(
            f"{strategy.name} computes conditions on bars, but the data has ticks only. "
            "Give candles, or a strategy that handles ticks."
        )
    if tier is not Tier.EVENT and system.judging:
        names = ", ".join(system.judging)
        raise ParameterInvalid(f"every fact is judged (by: {names}); run tier event.")
    if tier is not Tier.EVENT and system.sizing.method is SizingMethod.VOLATILITY_TARGET:
        raise ParameterInvalid(
            f"sizing {system.sizing.method} needs a forecast at every bar; run tier event."
        )
    if tier is not Tier.EVENT and strategy.slices:
        raise ParameterInvalid(f"{strategy.name} slices orders by every tick; run tier event.")
    if tier is Tier.WAKE and not wakes:
        raise ParameterInvalid(f"{strategy.name} names no wakes(); run tier event.")
    if tier is Tier.NATIVE:
        _program(system)
    venue.watch(strategy.symbols, wakes, feed=strategy.feed(), is_gate=tier is Tier.WAKE)


def _program(system: TradingSystem) -> Program:
    program = system.strategy.program()
    if program is None:
        raise ParameterInvalid(f"{system.strategy.name} has no program(); run tier event.")
    return program


def run_native(
    system: TradingSystem,
    venue: SimulatedVenue,
    *,
    step_ns: int,
    on_progress: Callable[[int, int], None],
) -> NativeRun:
    """Play the whole market in Rust. *step_ns*: between samples of equity."""
    strategy, clock, program = system.strategy, system.bus.clock, _program(system)
    venue.subscribe(system.bus.wanted())
    run = NativeRun(
        venue.core,
        system.engine,
        symbols=strategy.symbols,
        feed=strategy.feed(),
        conditions=[list(each.words) for each in program.conditions],
        size=program.size,
        sizing=(system.sizing.method, system.sizing.numbers),
        strategy_id=strategy.name,
        last_id=system.ids.last_id(strategy.name),
        sample_step_ns=step_ns,
        start_ns=clock.now_ns,
    )
    played = 0
    while run.advance(venue.core, system.engine, system.portfolio.ledger, SLICE):
        played += SLICE
        on_progress(played, run.now_ns)
    system.ids.last = run.last_seq
    clock.now_ns = run.now_ns
    return run


def hand_over(
    run: NativeRun, venue: SimulatedVenue, recorder: RunRecorder, *, strategy_id: str
) -> None:
    """Give what a native run measured to the recorder."""
    fills = [
        FillRow(
            ts_ns,
            order_id,
            symbol,
            Side.BUY if is_buy else Side.SELL,
            price,
            qty,
            fee,
            Liquidity.MAKER if is_maker else Liquidity.TAKER,
            strategy_id if is_own else "",
            reference,
        )
        for ts_ns, order_id, symbol, is_buy, price, qty, fee, is_maker, is_own, reference in (
            run.fills(venue.core)
        )
    ]
    orders, rejected, _ = run.counts
    recorder.take_over(run.samples(), fills, orders=orders, rejected=rejected)
