# SPDX-License-Identifier: Apache-2.0
"""`universe.py`: whoever trades many markets must not know which of them will still be there. One
goes away early, and nothing before may change; and those that lost must have been traded, or the
list of markets was made by looking at who was left. *Source*: Brown, Goetzmann, Ibbotson and Ross,
Survivorship Bias in Performance Studies, 1992.
"""

from __future__ import annotations

import msgspec

from hean.data.fingerprint import iso_utc
from hean.data.schema import Kind
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.futures import compare, moments
from hean.evaluate.deception.null_market import gross

FALL = -0.5  # of the price: who lost as much would have been taken off the list
MANY = 3  # markets: two legs of one position are no universe
GONE_MAX = 6  # markets that are taken away, each in a world of its own
MOMENTS = 2  # at which it goes away, after decisions
BARS = 3  # how much sooner than the others a market must end to have gone away


def universe(bench: Bench) -> Finding:
    """Markets that go away, and markets that lost."""
    name, asks = "universe", "does it know which markets will last?"
    symbols = bench.settings.symbols
    if len(symbols) < 2:
        return Finding(name, asks, Verdict.SKIPPED, "one market is no choice among many")
    if not bench.base.decisions:
        return Finding(name, asks, Verdict.SKIPPED, "it decided nothing")
    if bench.stage.captures:
        reason = f"{bench.stage.captures[0].name} holds frames, which end together"
        return Finding(name, asks, Verdict.SKIPPED, reason)
    gone = symbols[:GONE_MAX]
    for symbol in gone:
        fault = _taken_away(bench, symbol)
        if fault:
            return Finding(name, asks, Verdict.FAILS, fault)
    said = f"nothing it does before {_words(gone)} goes away is another"
    if len(symbols) < MANY:
        return Finding(name, asks, Verdict.PASSES, said)
    return _survivors(bench, said)


def _taken_away(bench: Bench, symbol: str) -> str:
    """Its data end, all others go on."""
    for end_ns in moments(bench, MOMENTS):
        play = bench.play(bench.stage.ended(bench.fresh(), symbol, end_ns))
        difference = compare(bench.base, play, end_ns)
        if difference is None:
            continue
        if difference.failure:
            return f"fails when {symbol} goes away at {iso_utc(end_ns)}: {difference.failure}"
        looks_up = f"; {bench.looks_up}" if bench.looks_up else ""
        return (
            f"knows that {symbol} goes away at {iso_utc(end_ns)}: only then is the decision of "
            f"{iso_utc(difference.at_ns)} another{looks_up}"
        )
    return ""


def _survivors(bench: Bench, said: str) -> Finding:
    """Whoever chose among those that were left gains nothing by their being left."""
    name, asks = "universe", "does it know which markets will last?"
    losers = _losers(bench)
    if not losers:
        reason = (
            f"{said}; but no market of the {len(bench.settings.symbols)} ends early or loses half: "
            "if they were chosen because they are still there, this result is the survivors'"
        )
        return Finding(name, asks, Verdict.NOTE, reason)
    symbols = bench.settings.symbols
    decided = {fact.symbol for _, fact in bench.base.decisions}
    kept = tuple(symbol for symbol in symbols if symbol not in losers)
    if not decided & set(losers) and decided >= set(kept) and kept:
        reason = (
            f"was chosen among survivors: it trades every market but {_words(losers)}, which ended "
            "early or lost half; without them the result is the same"
        )
        return Finding(name, asks, Verdict.FAILS, reason)
    if not kept:
        return Finding(name, asks, Verdict.PASSES, said)
    settings = msgspec.structs.replace(bench.settings, symbols=kept)
    play = bench.play(bench.stage.only(bench.fresh(), kept), settings)
    if play.failure:  # it takes as many markets as it was given
        return Finding(name, asks, Verdict.PASSES, said)
    reason = (
        f"{said}; before costs {gross(bench.base):+.2%}, without the losers {_words(losers)} "
        f"{gross(play):+.2%}"
    )
    return Finding(name, asks, Verdict.PASSES, reason)


def _losers(bench: Bench) -> tuple[str, ...]:
    """Markets that end before the recording does, or whose price lost half in the part played."""
    found = []
    files = {
        symbol: [
            columns
            for columns in bench.stage.of(symbol)
            if columns.kind in (Kind.CANDLES, Kind.TRADES) and columns.rows
        ]
        for symbol in bench.settings.symbols
    }
    ends = {symbol: max(int(c.ts[-1]) for c in each) for symbol, each in files.items()}
    for symbol, each in files.items():
        columns = min(each, key=lambda c: c.step_ns or 0)
        prices = columns.values["close" if columns.kind is Kind.CANDLES else "price"]
        part = prices[: max(int((columns.ts <= bench.stage.end_ns).sum()), 1)]
        is_gone = max(ends.values()) - ends[symbol] > BARS * bench.step_ns
        if is_gone or float(part.min() / part[0]) - 1 <= FALL:
            found.append(symbol)
    return tuple(found)


def _words(symbols: tuple[str, ...]) -> str:
    if len(symbols) > MANY:
        return f"{', '.join(symbols[:MANY])} and {len(symbols) - MANY} more"
    return " or ".join((", ".join(symbols[:-1]), symbols[-1])) if symbols[1:] else symbols[0]
