# SPDX-License-Identifier: Apache-2.0
"""`sessions.py`: paper trading and its backtest. The recorded market arrives once more as a session
on a live feed: frame by frame, each with its own delay, and played in pieces as a live loop plays
it. The session is recorded with these delays; its backtest must decide the same, at the same
moments, and fill the same. What differs is listed with where it differs.

A market of bars has no ticks; there the four prices of each bar arrive as trades, which the session
makes bars of again. Where no book is recorded, what traded is offered a tick to either side of it:
on a live feed nobody trades without a book.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import msgspec

from hean.backtest.assumptions import Assumptions
from hean.backtest.run import BacktestSettings, MarketData
from hean.core.timeframe import DAY_NS
from hean.core.types import Book, EventType, Funding, Payload, Tick
from hean.data.fingerprint import iso_utc
from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.errors import ParameterInvalid
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.plays import Outcome, Play, Player, Witness, backtest
from hean.feeds.arriving import FUNDING_NS, Terms
from hean.feeds.history import History, Market
from hean.feeds.recording import RecordedMarket, Recording
from hean.paper import PaperSession
from hean.paper_journal import start_recording
from hean.parity.trades import Pair, match, of_recorder
from hean.quant.bootstrap import generator
from hean.strategies.base import Strategy

FRAMES = 30_000  # a few seconds of playing
DELAY_NS = (2_000_000, 80_000_000)  # of a frame's arrival, near and far from a venue
TOGETHER = 4  # frames at most that a busy loop plays at once
SECOND_NS = 1_000_000_000
AHEAD_NS = 60_000_000_000  # how long before a settlement its rate is told
SESSION = 401  # stream of the generator
OFFERED = 10  # of a trade's size, on either side of it
SHOWN = 3  # differences in words

Frame = tuple[int, tuple[Payload, ...]]
"""Moment of the market, and facts."""


def paper(bench: Bench, seed: int) -> Finding:
    """A session and the backtest of its recording."""
    name, asks = "paper", "does it trade on paper as in the backtest?"
    if not bench.base.decisions:
        return Finding(name, asks, Verdict.SKIPPED, "it decided nothing")
    frames, terms, settings = _material(bench)
    path = bench.fresh() / "session.jsonl.gz"
    path.parent.mkdir()
    ran = bench.play(bench.whole, settings, player=_Session(terms, frames, path, seed))
    if ran.failure.startswith(ParameterInvalid.__name__):  # HEAN will not even begin
        words = ran.failure.partition(": ")[2].rstrip(".")
        return Finding(name, asks, Verdict.NOTE, f"it cannot be traded on paper: {words}")
    if ran.failure:
        return Finding(name, asks, Verdict.FAILS, f"fails on paper: {ran.failure}")
    again = bench.play(bench.whole, settings, player=_repeated(path))
    if again.failure:
        reason = f"fails in the backtest of its session: {again.failure}"
        return Finding(name, asks, Verdict.FAILS, reason)
    if not ran.decisions and not again.decisions:
        reason = f"it decided nothing in a session of {len(frames):,} frames"
        return Finding(name, asks, Verdict.SKIPPED, reason)
    return _compared(name, asks, ran, again)


def _material(bench: Bench) -> tuple[list[Frame], list[Terms], BacktestSettings]:
    """Frames, what their venue lists, and the settings with the bars that are made of them."""
    market, settings = bench.whole.load(), bench.settings
    if not isinstance(market, History):  # it is a session already
        session = Recording(bench.whole.recording.files[0])
        frames = ((at_ns, facts) for _, at_ns, facts in session)
        return list(islice(frames, FRAMES)), session.opening.terms, settings
    timeframes = [each.timeframe for each in market.markets.values() if each.timeframe]
    if timeframes:
        settings = msgspec.structs.replace(settings, bar=timeframes[0])
    terms = [terms_of(each) for each in market.markets.values()]
    return list(islice(frames_of(market), FRAMES)), terms, settings


def _compared(name: str, asks: str, ran: Play, again: Play) -> Finding:
    """Decisions first: other fills follow from them."""
    assert ran.record is not None and again.record is not None
    if ran.decisions != again.decisions:
        pairs = zip(ran.decisions, again.decisions, strict=False)
        same = next(
            (n for n, (one, two) in enumerate(pairs) if one != two),
            min(len(ran.decisions), len(again.decisions)),
        )
        rest = (*ran.decisions[same : same + 1], *again.decisions[same : same + 1])
        reason = (
            f"decides something else on paper from {iso_utc(min(each[0] for each in rest))} on: "
            f"{len(ran.decisions):,} decisions there, {len(again.decisions):,} in the backtest of "
            "the same session"
        )
        return Finding(name, asks, Verdict.FAILS, reason)
    fills = match(
        [of_recorder(fill) for fill in ran.record.fills],
        [of_recorder(fill) for fill in again.record.fills],
    )
    other = [pair for pair in fills if pair.differs]
    if other:
        reason = (
            f"{len(other):,} of {len(fills):,} fills on paper are others than in the backtest of "
            f"the same session: {'; '.join(map(_told, other[:SHOWN]))}"
        )
        return Finding(name, asks, Verdict.FAILS, reason)
    reason = (
        f"{len(ran.decisions):,} decisions and {len(fills):,} fills of a session, the same in its "
        "backtest"
    )
    return Finding(name, asks, Verdict.PASSES, reason)


def _told(pair: Pair) -> str:
    one, two = pair.recorded, pair.backtest
    if one is None or two is None:
        return f"{iso_utc(pair.ts_ns)} {pair.differs[0]}"
    values = {"time": ("ts_ns", iso_utc)}
    parts = []
    for what in pair.differs:
        field, words = values.get(what, (what, str))
        parts.append(f"{what} {words(getattr(one, field))} / {words(getattr(two, field))}")
    return f"{iso_utc(pair.ts_ns)} {', '.join(parts)}"


class _Session:
    """Plays frames as a session on a live feed and records it. *terms*: of all symbols."""

    def __init__(self, terms: list[Terms], frames: list[Frame], path: Path, seed: int) -> None:
        self._terms, self._frames, self._path, self._seed = terms, frames, path, seed

    def __call__(
        self, settings: BacktestSettings, market: MarketData, strategy: Strategy, witness: Witness
    ) -> Outcome:
        """A player; the market is in the frames."""
        session = PaperSession(
            settings,
            self._terms,
            start_ns=self._frames[0][0] - 1,
            origin="the recording",
            strategy=strategy,
        )
        session.run.system.add(witness)
        session.run.recorder.step_ns = DAY_NS  # nobody looks at the curve
        recorder = start_recording(self._path, session, self._terms)
        try:
            recorder.close(self._arrive(session))
        finally:
            recorder.close(None)
        return *session.finish(), None

    def _arrive(self, session: PaperSession) -> int:
        """One frame after another. *Returns*: up to when was played."""
        draw = generator(self._seed, SESSION)
        at_ns, waiting = session.market.start_ns, 0
        for ts_ns, facts in self._frames:
            at_ns = max(at_ns + 1, ts_ns + int(draw.integers(*DELAY_NS)))
            session.take(at_ns, facts)
            waiting += 1
            if waiting >= draw.integers(1, TOGETHER + 1):
                session.play(at_ns + 1)
                waiting = 0
        session.play(at_ns + DELAY_NS[1])
        return at_ns + DELAY_NS[1]


def _repeated(path: Path) -> Player:
    """Plays the recording of a session as a backtest."""

    def player(
        settings: BacktestSettings, market: MarketData, strategy: Strategy, witness: Witness
    ) -> Outcome:
        recorded = RecordedMarket(Recording(path), settings.symbols)
        return backtest(settings, recorded, strategy, witness)

    return player


# ---------------------------------------------------------------- frames of a recorded market


def terms_of(market: Market) -> Terms:
    """What a venue would list."""
    rules, instrument = market.rules, market.rules.instrument
    intervals = [c.step_ns for c in market.columns if c.kind is Kind.FUNDING and c.step_ns]
    return Terms(
        market.symbol,
        instrument.kind,
        rules.tick,
        rules.lot,
        f"{instrument.quantity_decimal(instrument.lots_min):f}",
        "",
        f"{Decimal(repr(instrument.notional_min)):f}",
        (),
        f"{rules.fees.maker:f}",
        f"{rules.fees.taker:f}",
        (intervals[0] if intervals else FUNDING_NS) // SECOND_NS,
    )


def frames_of(market: History) -> Iterator[Frame]:
    """The facts of a recorded market in order of time, a frame each: trades, books and quotes as
    the simulated venue publishes them; where there are bars alone, the prices of each bar."""
    streams: list[Iterator[Frame]] = [_published(market)]
    for each in market.markets.values():
        bars = [columns for columns in each.columns if columns.kind is Kind.CANDLES]
        is_bars = not each.captures and all(c.kind is not Kind.TRADES for c in each.columns)
        if bars and is_bars:
            finest = min(bars, key=lambda columns: columns.step_ns or 0)
            streams.append(_prices(each, finest, market))
        for columns in each.columns:
            if columns.kind is Kind.FUNDING:
                streams.append(_rates(each.symbol, columns, market))
    return heapq.merge(*streams, key=lambda frame: frame[0])


def _published(market: History) -> Iterator[Frame]:
    core = Assumptions().venue(Decimal(1), seed=0)
    for each in market.markets.values():
        core.add_instrument(each.rules.instrument, "0", "0", "0", "1")
    market.feed(core)
    core.subscribe(frozenset({EventType.TICK, EventType.BOOK}))
    while (instant := core.next(None)) is not None:
        facts: list[Payload] = []
        for fact in instant[1]:
            if isinstance(fact, Tick) and not market.markets[fact.symbol].captures:
                facts.append(_book(market.markets[fact.symbol], fact))
            facts.append(fact)
        if facts:
            yield instant[0], tuple(facts)


def _prices(each: Market, bars: Columns, market: History) -> Iterator[Frame]:
    """Open, the nearer extreme, the other one and close of each bar, at equal distances."""
    step_ns, values = bars.step_ns or SECOND_NS, bars.values
    columns = [values[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    for ts, open_, high, low, close, volume in zip(bars.ts.tolist(), *columns, strict=True):
        if not volume or not market.start_ns <= ts <= market.end_ns - step_ns:
            continue
        extremes = (low, high) if close >= open_ else (high, low)
        for number, price in enumerate((open_, *extremes, close)):
            at_ns = ts + number * (step_ns // 4)
            trade = Tick(each.symbol, price, volume / 4, at_ns)
            yield at_ns, (_book(each, trade), trade)


def _book(market: Market, trade: Tick) -> Book:
    """Around a trade."""
    of = market.rules.instrument
    ticks, offered = round(trade.price / of.tick_size), trade.volume * OFFERED
    bid, ask = float(of.price_decimal(max(ticks - 1, 1))), float(of.price_decimal(ticks + 1))
    return Book(market.symbol, ((bid, offered),), ((ask, offered),), True, trade.timestamp)


def _rates(symbol: str, columns: Columns, market: History) -> Iterator[Frame]:
    """Each rate shortly before it is settled."""
    rows = zip(columns.ts.tolist(), columns.values["rate"].tolist(), strict=True)
    for ts, rate in rows:
        if market.start_ns < ts - AHEAD_NS <= market.end_ns:
            yield ts - AHEAD_NS, (Funding(symbol, rate, ts),)
