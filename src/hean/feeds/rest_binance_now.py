# SPDX-License-Identifier: Apache-2.0
"""What Binance says of a market as it is now: tickers, quotes, mark price, open interest. One
symbol is answered by an object and many by a list; here both are lists. Prices are in the quote
asset, quantities and volumes in the base asset, rates are fractions and times milliseconds UTC;
where a field is otherwise its class says so. It asks nothing: `BinanceRest.get` takes a reader, and
refuses before it what the venue refused.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec

from hean.feeds.rest import Milliseconds, Stated


class Span(Stated, frozen=True):
    """Trades of a span of time, both ends inclusive: `ticker/24hr`, the last 24 hours; spot also
    `ticker`, a window of any length, and `ticker/tradingDay`. *price_change_percent*: 1 is 1 %;
    *quote_volume*: quote asset; *first_id*, *last_id*: of its trades. *prev_close_price* and the
    best bid and ask: only spot's `ticker/24hr`.
    """

    symbol: str
    price_change: Decimal
    price_change_percent: Decimal
    weighted_avg_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    last_price: Decimal
    volume: Decimal
    quote_volume: Decimal
    open_time: Milliseconds
    close_time: Milliseconds
    first_id: int
    last_id: int
    count: int
    last_qty: Decimal | None = None
    prev_close_price: Decimal | None = None
    bid_price: Decimal | None = None
    bid_qty: Decimal | None = None
    ask_price: Decimal | None = None
    ask_qty: Decimal | None = None


class Quote(Stated, frozen=True):
    """Best bid and ask of `ticker/bookTicker`. *time*, *last_update_id*: USD-M."""

    symbol: str
    bid_price: Decimal
    bid_qty: Decimal
    ask_price: Decimal
    ask_qty: Decimal
    time: Milliseconds | None = None
    last_update_id: int | None = None


class LastPrice(Stated, frozen=True):
    """The last trade's price, of `ticker/price`. *time*: USD-M."""

    symbol: str
    price: Decimal
    time: Milliseconds | None = None


class AveragePrice(Stated, frozen=True):
    """The volume-weighted price of the last minutes, which spot's price bands are measured from.
    *mins*: how many; *close_time*: of its last trade, absent before 2023.
    """

    mins: int
    price: Decimal
    close_time: Milliseconds | None = None


class MarkPrice(Stated, frozen=True):
    """`premiumIndex` of a contract. *last_funding_rate*: as the next settlement stands now."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    last_funding_rate: Decimal
    interest_rate: Decimal
    next_funding_time: Milliseconds
    time: Milliseconds
    estimated_settle_price: Decimal | None = None


class OpenInterest(Stated, frozen=True):
    """Contracts that are open now, in the base asset."""

    symbol: str
    open_interest: Decimal
    time: Milliseconds


class OpenInterestThen(Stated, frozen=True):
    """A point of `openInterestHist`. *sum_open_interest_value*: quote asset."""

    symbol: str
    sum_open_interest: Decimal
    sum_open_interest_value: Decimal
    timestamp: Milliseconds


class PriceRange(Stated, frozen=True):
    """How far from the reference price spot lets an order trade, as multipliers of it."""

    rule_type: str
    bid_limit_mult_up: Decimal
    bid_limit_mult_down: Decimal
    ask_limit_mult_up: Decimal
    ask_limit_mult_down: Decimal


class SymbolRules(Stated, frozen=True):
    """The rules of one symbol."""

    symbol: str
    rules: list[PriceRange]


class ExecutionRules(Stated, frozen=True):
    """`executionRules` of spot."""

    symbol_rules: list[SymbolRules]


Row = TypeVar("Row", bound=Stated)


def rows_of(kind: type[Row]) -> Callable[[bytes], list[Row]]:
    """A function from the bytes of an answer to its rows, one or many."""
    # Not strict: `openInterestHist` has its times as texts.
    decoder = msgspec.json.Decoder(kind | list[kind], strict=False)  # type: ignore[valid-type]

    def read(body: bytes) -> list[Row]:
        found: Row | list[Row] = decoder.decode(body)
        return found if isinstance(found, list) else [found]

    return read


read_spans = rows_of(Span)
read_quotes = rows_of(Quote)
read_last_prices = rows_of(LastPrice)
read_average_price = rows_of(AveragePrice)
read_mark_prices = rows_of(MarkPrice)
read_open_interest = rows_of(OpenInterest)
read_open_interest_then = rows_of(OpenInterestThen)
read_execution_rules = rows_of(ExecutionRules)
