# SPDX-License-Identifier: Apache-2.0
"""`generated.py`: a seeded market for demos, the venue twin and tests, in columns.

It has the habits of a real perpetual market (volatility regimes and clusters, fat tails, jumps,
bursts of trades, sides that repeat, a spread and a depth that follow volatility, funding) and no
recorded row. Quotes are written first; an aggressor then takes a part of what the last quote
shows, and the next quote shows what is left. So every trade is at the touch and never larger than
it. The market is made in chunks of a minute, each in bounded memory. Same seed, same bytes on the
same build of numpy, whichever symbols are asked for together. Do not use it to judge a
strategy's profit: apart from slow trends, and sides that know their second's move as informed
flow does, there is nothing in it to be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hean.errors import ParameterInvalid
from hean.feeds.latent import (
    EVENTS,
    MINUTE_NS,
    SECONDS,
    STEPS_PER_SECOND,
    Floats,
    MarketPath,
    SymbolMinute,
    SymbolPath,
    stream,
)

Times = NDArray[np.int64]
Counts = NDArray[np.int64]

CHUNK_NS = MINUTE_NS
"""Length of a chunk."""

# Slots of 2 µs. Quotes come at even and trades at odd microseconds: they never share an instant,
# so "the quote of that moment" has one meaning whatever the order of the streams.
SLOT_NS = 2_000
SLOTS_PER_SECOND = 500_000
BURST_MEAN, BURST_MAX = 3.0, 24  # fills of one aggressor, all at one time
TRADES_ON_VOLATILITY, QUOTES_ON_VOLATILITY = 1.2, 0.8  # exponents of activity
STEADY = 0.3  # part of the activity that comes in any weather
AGITATION_MAX = 15.0  # bounds the rows of a chunk
MOVE_PROBABILITY = 0.35  # of a quote change, to be of price and not of quantity only
SIDE_RENEWAL = 0.35  # chance that an aggressor does not follow the one before
SURPRISE = 1.5  # a move of more sigmas than this in a second agitates beyond its volatility
SIDE_ON_PRICE = 0.8  # how far buying and rising go together within a second
TAKEN_MEDIAN, TAKEN_SD, TAKEN_MAX = 0.02, 1.9, 0.9  # part of the touch an aggressor takes
TAKEN_ON_VOLATILITY = 1.0
DEPTH_SD, DEPTH_STEP_SD, DEPTH_ON_VOLATILITY = 1.0, 0.4, -0.6
SPREAD_ON_VOLATILITY, SPREAD_MAX = 1.2, 40.0  # even a jump leaves a spread of some bp
SEED_MAX = 2**64 - 1


def _is_step(text: str) -> bool:
    try:
        step = Decimal(text)
    except InvalidOperation:
        return False
    return step.is_finite() and step > 0


@dataclass(frozen=True, slots=True)
class SymbolModel:
    """How one symbol behaves. *tick*, *lot*: decimal text. *price*: where it opens. *sigma*:
    deviation of one-minute returns in normal times. *market_weight*: correlation with the common
    factor, 0 to 1. *trades_per_s*, *quotes_per_s*: in normal times. *depth*: median quantity at
    the touch. *spread*: scale of the spread beyond one tick, in ticks.

    *Raises*: `ParameterInvalid`.
    """

    symbol: str
    price: float
    tick: str
    lot: str
    sigma: float
    market_weight: float = 0.87
    trades_per_s: float = 8.0
    quotes_per_s: float = 15.0
    depth: float = 1.0
    spread: float = 0.22

    def __post_init__(self) -> None:
        for name, allowed, is_valid in (
            ("symbol", "not empty", bool(self.symbol)),
            ("tick", "a positive decimal", _is_step(self.tick)),
            ("lot", "a positive decimal", _is_step(self.lot)),
            ("sigma", "above 0, at most 0.01", 0 < self.sigma <= 0.01),
            ("market_weight", "0 to 1", 0 <= self.market_weight <= 1),
            ("trades_per_s", "0 to 1000", 0 <= self.trades_per_s <= 1000),
            ("spread", "0 to 100", 0 <= self.spread <= 100),
        ):
            self._check(name, allowed, is_valid=is_valid)
        least = self.trades_per_s
        quotes = f"trades_per_s ({least}) to 1000: each aggressor changes the quote"
        self._check("quotes_per_s", quotes, is_valid=least <= self.quotes_per_s <= 1000)
        ticks, lots = self.price / float(self.tick), self.depth / float(self.lot)
        self._check("price", "1,000 to 1e12 ticks", is_valid=1e3 <= ticks <= 1e12)
        self._check("depth", "100 to 1e9 lots", is_valid=100 <= lots <= 1e9)

    def _check(self, name: str, allowed: str, *, is_valid: bool) -> None:
        if not is_valid:
            value = getattr(self, name)
            raise ParameterInvalid(f"generated {self.symbol}: {name} {value!r}, allowed {allowed}")


DEFAULT = (
    SymbolModel("BTCUSDT", 60_000.0, "0.1", "0.001", 5.5e-4, depth=2.5),
    SymbolModel("ETHUSDT", 3_000.0, "0.01", "0.001", 7.0e-4, depth=25.0, trades_per_s=7.0),
)
"""What there is unless more is asked for."""
KNOWN = (
    *DEFAULT,
    SymbolModel(
        "SOLUSDT", 150.0, "0.01", "0.1", 8e-4, depth=300.0, trades_per_s=2.0, quotes_per_s=4.0
    ),
    SymbolModel(
        "XRPUSDT",
        2.0,
        "0.0001",
        "0.1",
        1e-3,
        0.6,
        trades_per_s=2.0,
        quotes_per_s=4.0,
        depth=20_000.0,
    ),
    SymbolModel(
        "BNBUSDT", 600.0, "0.1", "0.01", 6e-4, depth=60.0, trades_per_s=2.0, quotes_per_s=4.0
    ),
)
"""Every market that can be asked for by its symbol; the later ones are quieter."""


@dataclass(frozen=True, slots=True)
class MarketChunk:
    """Columns of one symbol; frozen, contiguous, times in ns UTC that never run backwards.

    *trade_side*: the aggressor, 0 bought, 1 sold. *premium*: perpetual over index as a fraction,
    a row a minute. *funding_rate*: the mean premium since the last settlement, at 00, 08, 16 UTC.
    """

    trade_ts: Times
    trade_price: Floats
    trade_qty: Floats
    trade_side: NDArray[np.uint8]
    quote_ts: Times
    bid: Floats
    bid_qty: Floats
    ask: Floats
    ask_qty: Floats
    premium_ts: Times
    premium: Floats
    funding_ts: Times
    funding_rate: Floats

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)


class GeneratedMarket:
    """The market of a seed from *start_ns* on, without end.

    *Raises*: `ParameterInvalid` for a seed beyond 64 bits, a start before 1970, no symbol or one
    that comes twice.
    """

    def __init__(
        self, *, seed: int, symbols: Sequence[SymbolModel] = DEFAULT, start_ns: int
    ) -> None:
        names = [model.symbol for model in symbols]
        if not 0 <= seed <= SEED_MAX:
            raise ParameterInvalid(f"generated market: seed {seed}, allowed 0 to {SEED_MAX}")
        if start_ns < 0:
            raise ParameterInvalid(f"generated market: start {start_ns} ns, allowed from 0 on")
        if not names or len(set(names)) < len(names):
            raise ParameterInvalid(f"generated market: symbols {names}, allowed one of each")
        self.seed = seed
        self.symbols = tuple(symbols)
        self.start_ns = start_ns
        self._next = 0
        self._walk = self._minutes()

    def chunk(self, index: int) -> dict[str, MarketChunk]:
        """Minute *index* by symbol. *Cost*: about 0.4 ms a symbol in order. A leap ahead
        pays 0.1 ms for each minute left out; a step back pays that from the start on."""
        if index < 0:
            raise ParameterInvalid(f"generated market: chunk {index}, allowed from 0 on")
        if index < self._next:
            self._next, self._walk = 0, self._minutes()
        minutes = next(self._walk)
        while self._next < index:
            self._next += 1
            minutes = next(self._walk)
        self._next += 1
        return self._chunks(index, minutes)

    def columns(self, duration_s: float) -> dict[str, MarketChunk]:
        """The first *duration_s* seconds at once: the chunks joined, without what is later."""
        if not duration_s > 0:
            raise ParameterInvalid(f"generated market: {duration_s} s, allowed above 0")
        end_ns = self.start_ns + round(duration_s * 1e9)
        count = -(-(end_ns - self.start_ns) // CHUNK_NS)
        parts: dict[str, list[MarketChunk]] = {model.symbol: [] for model in self.symbols}
        for index, minutes in zip(range(count), self._minutes(), strict=False):
            for symbol, part in self._chunks(index, minutes).items():
                parts[symbol].append(part)
        return {symbol: _joined(chunks, end_ns) for symbol, chunks in parts.items()}

    def _minutes(self) -> Iterator[list[SymbolMinute]]:
        """The hidden state of all symbols, minute by minute from the start."""
        market = MarketPath(self.seed, self.start_ns)
        paths = [
            SymbolPath(
                self.seed,
                self.start_ns,
                name=model.symbol,
                price=model.price,
                sigma=model.sigma,
                market_weight=model.market_weight,
            )
            for model in self.symbols
        ]
        index = 0
        while True:
            shared = market.minute(index)
            yield [path.minute(index, shared) for path in paths]
            index += 1

    def _chunks(self, index: int, minutes: list[SymbolMinute]) -> dict[str, MarketChunk]:
        begin_ns = self.start_ns + index * CHUNK_NS
        return {
            model.symbol: _observed(
                model, minute, begin_ns, stream(self.seed, model.symbol, index, purpose=EVENTS)
            )
            for model, minute in zip(self.symbols, minutes, strict=True)
        }


@dataclass(slots=True)
class _Aggressors:
    """Orders that take: slot, side (0 buys, 1 sells), part of the touch taken, number of fills."""

    slot: Times
    side: Counts
    taken: Floats
    fills: Counts


@dataclass(slots=True)
class _Quotes:
    """Quotes in ticks and lots; rows of *lots* are bid and ask. *echo*: the row that follows each
    aggressor."""

    slot: Times
    bid: Counts
    ask: Counts
    lots: Counts
    echo: Counts


def _observed(
    model: SymbolModel, minute: SymbolMinute, begin_ns: int, draw: np.random.Generator
) -> MarketChunk:
    """What the venue shows of a hidden minute."""
    minute = minute._replace(volatility=_agitation(minute))
    aggressors = _aggressors(model, minute, draw)
    quotes = _quotes(model, minute, aggressors, draw=draw)
    taken = 1 - aggressors.side  # a buyer takes the ask, row 1
    shown = quotes.lots[taken, quotes.echo - 1]
    size = np.maximum(shown - quotes.lots[taken, quotes.echo], aggressors.fills)
    touch = np.where(aggressors.side == 0, quotes.ask[quotes.echo], quotes.bid[quotes.echo])
    fills = aggressors.fills
    settled = [] if minute.funding is None else [minute.funding]
    return MarketChunk(
        trade_ts=begin_ns + SLOT_NS * np.repeat(aggressors.slot, fills) + SLOT_NS // 2,
        trade_price=_on_grid(np.repeat(touch, fills), model.tick),
        trade_qty=_on_grid(_split(size, fills, draw), model.lot),
        trade_side=np.repeat(aggressors.side, fills).astype(np.uint8),
        quote_ts=begin_ns + SLOT_NS * quotes.slot,
        bid=_on_grid(quotes.bid, model.tick),
        bid_qty=_on_grid(quotes.lots[0], model.lot),
        ask=_on_grid(quotes.ask, model.tick),
        ask_qty=_on_grid(quotes.lots[1], model.lot),
        premium_ts=np.array([begin_ns], dtype=np.int64),
        premium=np.array([minute.premium]),
        funding_ts=np.array([begin_ns + offset for offset, _ in settled], dtype=np.int64),
        funding_rate=np.array([rate for _, rate in settled], dtype=np.float64),
    )


def _agitation(minute: SymbolMinute) -> Floats:
    """What traders feel by the second: the volatility, or the move if that is the greater."""
    felt = minute.volatility * np.maximum(np.abs(minute.surprise) / SURPRISE, 1.0)
    return np.minimum(felt, AGITATION_MAX)


def _aggressors(model: SymbolModel, minute: SymbolMinute, draw: np.random.Generator) -> _Aggressors:
    """Who takes, when and how much."""
    rate = model.trades_per_s / BURST_MEAN
    slot = _arrivals(rate, minute.volatility**TRADES_ON_VOLATILITY, draw)
    count = len(slot)
    second = slot // SLOTS_PER_SECOND
    keenness = minute.pressure + SIDE_ON_PRICE * minute.surprise
    buys = 0.5 + 0.5 * np.tanh(keenness)[second]
    opinion = (draw.random(count) >= buys).astype(np.int64)
    is_own = draw.random(count) < SIDE_RENEWAL
    leader = np.maximum.accumulate(np.where(is_own, np.arange(count), 0))
    taken = TAKEN_MEDIAN * np.exp(TAKEN_SD * draw.standard_normal(count))
    taken *= (minute.volatility**TAKEN_ON_VOLATILITY)[second]
    fills = np.minimum(draw.geometric(1 / BURST_MEAN, count), BURST_MAX)
    return _Aggressors(slot, opinion[leader], np.minimum(taken, TAKEN_MAX), fills)


def _arrivals(rate: float, activity: Floats, draw: np.random.Generator) -> Times:
    """Sorted slots of a Poisson process; *rate* by the second in normal times, *activity* by
    the second, 1 in normal times."""
    counts = draw.poisson(rate * (STEADY + (1 - STEADY) * activity))
    first = np.repeat(np.arange(SECONDS) * SLOTS_PER_SECOND, counts)
    # Never the last slot: the quote that follows an aggressor belongs to the same second.
    slots: Times = first + draw.integers(0, SLOTS_PER_SECOND - 1, len(first))
    slots.sort()
    return slots


def _quotes(
    model: SymbolModel,
    minute: SymbolMinute,
    aggressors: _Aggressors,
    *,
    draw: np.random.Generator,
) -> _Quotes:
    """Quote changes: one that opens the minute, one after each aggressor, the makers' own."""
    rate = model.quotes_per_s - model.trades_per_s / BURST_MEAN
    makers = _arrivals(rate, minute.volatility**QUOTES_ON_VOLATILITY, draw)
    slot = np.concatenate(([0], aggressors.slot + 1, makers))
    order = np.argsort(slot, kind="stable")  # at a tie the echo directly follows its aggressor
    slot = slot[order]
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    echo = place[1 : 1 + len(aggressors.slot)]
    is_move = draw.random(len(slot)) < MOVE_PROBABILITY
    is_move[echo] = False
    is_move[0] = True
    moves = np.flatnonzero(is_move)
    since = np.cumsum(is_move) - 1
    volatility = minute.volatility[slot[moves] // SLOTS_PER_SECOND]

    stretch = model.spread * volatility**SPREAD_ON_VOLATILITY
    wide = np.minimum(draw.standard_exponential(len(moves)) ** 2, SPREAD_MAX)
    spread = 1 + (stretch * wide).astype(np.int64)
    step = slot[moves] // (SLOTS_PER_SECOND // STEPS_PER_SECOND)
    middle = minute.prices[step] / float(model.tick)
    bid = np.maximum(np.rint(middle - spread / 2).astype(np.int64), 1)

    level = DEPTH_SD * draw.standard_normal((2, len(moves)))
    level += np.log(model.depth / float(model.lot) * volatility**DEPTH_ON_VOLATILITY)
    change = np.zeros((2, len(slot)))
    which = draw.integers(0, 2, len(slot))
    change[which, np.arange(len(slot))] = DEPTH_STEP_SD * draw.standard_normal(len(slot))
    change[:, echo] = 0.0
    change[1 - aggressors.side, echo] = np.log1p(-aggressors.taken)
    walk = np.cumsum(change, axis=1)
    depth = np.exp((level - walk[:, moves])[:, since] + walk)
    lots = np.maximum(np.rint(depth), BURST_MAX).astype(np.int64)
    return _Quotes(slot, bid[since], (bid + spread)[since], lots, echo)


def _split(size: Counts, fills: Counts, draw: np.random.Generator) -> Counts:
    """Each aggressor's lots over its fills, at least one each, summing to *size* exactly."""
    last = np.cumsum(fills) - 1
    part = np.cumsum(draw.standard_exponential(int(fills.sum())))
    start = np.concatenate(([0.0], part[last][:-1]))[: len(size)]
    whole = part[last] - start
    within = (part - np.repeat(start, fills)) / np.repeat(whole, fills)
    upper = np.floor(np.repeat(size - fills, fills) * within).astype(np.int64)
    upper[last] = size - fills
    lower = np.concatenate(([0], upper[:-1]))[: len(upper)]
    lower[last - fills + 1] = 0
    lots: Counts = 1 + upper - lower
    return lots


def _on_grid(counts: Counts, step: str) -> Floats:
    """The float nearest to each multiple of a decimal step: what parsing its text would give."""
    numerator, denominator = Decimal(step).as_integer_ratio()
    return (counts * numerator) / denominator


def _joined(chunks: list[MarketChunk], end_ns: int) -> MarketChunk:
    """One chunk of many, rows before *end_ns*."""
    columns: dict[str, Any] = {
        field.name: np.concatenate([getattr(chunk, field.name) for chunk in chunks])
        for field in fields(MarketChunk)
    }
    rows = {name: np.searchsorted(ts, end_ns) for name, ts in columns.items() if "_ts" in name}
    for name, column in columns.items():
        columns[name] = column[: rows[_times_of(name)]]
    return MarketChunk(**columns)


def _times_of(column: str) -> str:
    """The time column that a column goes with."""
    for kind in ("trade", "premium", "funding"):
        if column.startswith(kind):
            return f"{kind}_ts"
    return "quote_ts"
