# SPDX-License-Identifier: Apache-2.0
"""`worlds.py`: the same market, later, dearer, twice, and in another unit. What an edge is made of
shows in how it fades: a real one fades slowly with delay and steadily with costs.
"""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import numpy as np

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import FillRow
from hean.backtest.run import BacktestSettings
from hean.core.types import Liquidity
from hean.data.fingerprint import iso_utc
from hean.data.reader import Columns
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.null_market import gross
from hean.evaluate.deception.plays import Play
from hean.evaluate.deception.staging import scaled
from hean.evaluate.stress import World, harder

DELAYS = (1, 2, 5)  # bars
EDGE_MIN = 3.0  # standard errors of the mean trade: below, there is no edge to lose
LOST_MAX = 0.8  # of it, at one bar of delay
FACTORS = (0.0, 1.0, 2.0)
UNIT = 8.0  # a power of two: prices keep every digit
SAME_MIN = 0.95  # of decisions; stops fall on other ticks in another unit
SLACK = 5.0  # half spreads that a fill may lie outside of its bar


def delay(bench: Bench) -> Finding:
    """Orders arrive 1, 2 and 5 bars late."""
    name, asks = "delay", "does its edge fade slowly when orders come later?"
    base = bench.base
    if base.record is None or len(base.record.trades) < 2:
        return Finding(name, asks, Verdict.SKIPPED, "it made fewer than two round trips")
    results = [float(trade.pnl + trade.fees) for trade in base.record.trades]
    spread = float(np.std(results, ddof=1))
    score = float(np.mean(results)) / (spread / math.sqrt(len(results))) if spread else 0.0
    found = [gross(bench.play(bench.whole, _later(bench, bars))) for bars in DELAYS]
    said = ", ".join(
        f"{bars} bars {result:+.2%}" for bars, result in zip(DELAYS, found, strict=True)
    )
    said = f"before costs {gross(base):+.2%} in time, late by {said}"
    if score < EDGE_MIN:
        reason = f"no clear edge that delay could take away: {said}"
        return Finding(name, asks, Verdict.PASSES, reason)
    if found[0] < (1 - LOST_MAX) * gross(base):
        reason = f"suspect: its edge is gone when it acts one bar later; {said}"
        return Finding(name, asks, Verdict.FAILS, reason)
    return Finding(name, asks, Verdict.PASSES, said)


def _later(bench: Bench, bars: int) -> BacktestSettings:
    late = LatencyModel("constant", (float(bars * bench.step_ns),))
    assumptions = msgspec.structs.replace(bench.settings.assumptions, entry=late)
    return msgspec.structs.replace(bench.settings, assumptions=assumptions)


def fills(bench: Bench) -> Finding:
    """Every fill comes after its decision, at a price that traded."""
    name, asks = "fills", "does every fill come after its decision, at a price of that time?"
    base = bench.base
    if base.record is None or not base.record.fills:
        return Finding(name, asks, Verdict.SKIPPED, "nothing was filled")
    given = bench.settings.assumptions
    least_ns = given.entry.values_ns[0] if given.entry.kind == "constant" else 0.0
    candles = {
        symbol: min(files, key=lambda c: c.step_ns or 0)
        for symbol, files in bench.stage.bars.items()
        if files
    }
    for fill in base.record.fills:
        decided_ns = base.approved.get(fill.order_id)
        if decided_ns is not None and fill.ts_ns < decided_ns + least_ns:
            reason = (
                f"the order of {iso_utc(decided_ns)} was filled at {iso_utc(fill.ts_ns)}, before "
                "it could be there"
            )
            return Finding(name, asks, Verdict.FAILS, reason)
        if fill.symbol in candles and not _traded(fill, candles[fill.symbol], given):
            reason = f"filled at {fill.price:f} at {iso_utc(fill.ts_ns)}, where nothing traded"
            return Finding(name, asks, Verdict.FAILS, reason)
    reason = f"{len(base.record.fills):,} fills, each later than its decision and within its bar"
    return Finding(name, asks, Verdict.PASSES, reason)


def _traded(fill: FillRow, candles: Columns, given: Assumptions) -> bool:
    """Whether the bar of the fill reached its price, for takers with what crossing costs."""
    step_ns = candles.step_ns or 1
    place = int(np.searchsorted(candles.ts, fill.ts_ns, side="right")) - 1
    if place < 0 or fill.ts_ns >= int(candles.ts[place]) + 2 * step_ns:
        return True  # in a hole of the data there is nothing to compare with
    # An order that arrives at the very end of a bar may fill at its close.
    rows = slice(max(place - 1, 0), place + 1)
    low = float(candles.values["low"][rows].min())
    high = float(candles.values["high"][rows].max())
    if fill.liquidity is Liquidity.MAKER:
        return low <= float(fill.price) <= high
    share = float(fill.qty) / max(float(candles.values["volume"][rows].min()), 1e-12)
    reach = (high - low) * (given.impact * math.sqrt(share)) + high * SLACK * given.half_spread
    return low - reach <= float(fill.price) <= high + reach


def costs(bench: Bench) -> Finding:
    """What costs more, leaves less; who does nothing, has exactly nothing."""
    name, asks = "costs", "does it keep less when trading costs more?"
    base = bench.base
    if not base.summary.get("fills"):
        is_nothing = Decimal(base.summary.get("net_pnl", "1")) == 0
        verdict = Verdict.PASSES if is_nothing else Verdict.FAILS
        return Finding(name, asks, verdict, "it did nothing and has exactly nothing")

    def nets(worlds: list[World]) -> list[Decimal]:
        plays = [bench.play(bench.whole, harder(bench.settings, each)) for each in worlds]
        return [Decimal(play.summary["net_pnl"]) for play in plays]

    by_fees = nets([World(fees=factor) for factor in FACTORS])
    by_slippage = nets([World(slippage=factor) for factor in FACTORS])
    said = "fees x 0, 1, 2 leave " + ", ".join(f"{net:,.2f}" for net in by_fees)
    said += "; slippage x 0, 1, 2 " + ", ".join(f"{net:,.2f}" for net in by_slippage)
    if sorted(by_fees, reverse=True) != by_fees or by_fees[0] == by_fees[-1]:
        return Finding(name, asks, Verdict.FAILS, f"dearer fees do not leave less: {said}")
    if sorted(by_slippage, reverse=True) != by_slippage:
        reason = f"more slippage does not leave less, as it decides by its fills: {said}"
        return Finding(name, asks, Verdict.NOTE, reason)
    return Finding(name, asks, Verdict.PASSES, said)


def ledger(bench: Bench) -> Finding:
    """The account says after every event what a second one says that heard the venue alone."""
    name, asks = "ledger", "do its books agree with those of a second accountant?"
    base, apart = bench.base, bench.base.disagreement
    if apart is not None:
        reason = (
            f"at {iso_utc(apart.ts_ns)} the ledger has {apart.what} of {apart.ledger:f}; fills, "
            f"settlements and prices of the venue make {apart.accountant:f}"
        )
        return Finding(name, asks, Verdict.FAILS, reason)
    if not base.booked:
        return Finding(name, asks, Verdict.SKIPPED, "no money moved")
    reason = f"equal after {base.booked:,} fills and settlements, to 1e-12 of the quote coin"
    return Finding(name, asks, Verdict.PASSES, reason)


def replay(bench: Bench) -> Finding:
    """The same market twice, the same decisions and the same state."""
    name, asks = "replay", "does it do the same when it is played again?"
    again = bench.play(bench.whole)
    if again.decisions != bench.base.decisions:
        place = next(
            (
                min(one[0], two[0])
                for one, two in zip(again.decisions, bench.base.decisions, strict=False)
                if one != two
            ),
            bench.base.end_ns,
        )
        reason = f"decides something else from {iso_utc(place)} on: chance without a seed, or time"
        return Finding(name, asks, Verdict.FAILS, reason)
    if again.summary.get("state_hash") != bench.base.summary.get("state_hash"):
        return Finding(name, asks, Verdict.FAILS, "ends in another state")
    return Finding(name, asks, Verdict.PASSES, f"{len(again.decisions):,} decisions, same state")


def unit(bench: Bench) -> Finding:
    """Prices in another unit, the same decisions."""
    name, asks = "unit", "does it decide the same when prices are counted in another unit?"
    if bench.stage.captures:
        return Finding(name, asks, Verdict.SKIPPED, "frames cannot be changed")
    if not bench.base.decisions:
        return Finding(name, asks, Verdict.SKIPPED, "it decided nothing")
    other = bench.play(bench.stage.changed(bench.fresh(), scaled(UNIT)))
    if other.failure:
        return Finding(name, asks, Verdict.NOTE, f"not in this unit: {other.failure}")
    ours, theirs = _sides(bench.base), _sides(other)
    share = len(ours & theirs) / len(ours | theirs)
    if share < SAME_MIN:
        reason = (
            f"only {share:.0%} of its decisions are the same at {UNIT:g} times the price: it hangs "
            "on the level of prices, or on a size that this account cannot hold there"
        )
        return Finding(name, asks, Verdict.NOTE, reason)
    return Finding(name, asks, Verdict.PASSES, f"{share:.0%} of decisions are the same")


def _sides(play: Play) -> set[tuple[int, str, str]]:
    return {(ts, fact.symbol, str(getattr(fact, "side", ""))) for ts, fact in play.decisions}
