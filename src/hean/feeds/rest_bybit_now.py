# SPDX-License-Identifier: Apache-2.0
"""What Bybit says of a market as it is now: tickers, price limits, open interest, and the state of
the venue. An empty text says nothing and is left out; what an answer says once for all its rows is
put into each. Prices are in the quote coin, quantities in the base coin (inverse: in contracts of
1 USD), rates and changes are fractions, times are milliseconds UTC. It asks nothing:
`BybitRest.get` takes a reader, and refuses before it what the venue refused.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import field

from hean.feeds.rest import Milliseconds, Stated
from hean.feeds.rest_bybit import reader


class Ticker(Stated, frozen=True):
    """One symbol of `tickers`; everything of 24 hours is of the last ones. Spot has no mark price,
    no open interest and no funding; contracts have no *usd_index_price*. A side of the book that is
    empty has no price. *turnover_24h*, *open_interest_value*: quote coin (inverse: base coin);
    *funding_rate*: of the next settlement.
    """

    symbol: str
    last_price: Decimal
    prev_price_24h: Decimal = field(name="prevPrice24h")
    price_change_24h: Decimal = field(name="price24hPcnt")
    high_price_24h: Decimal = field(name="highPrice24h")
    low_price_24h: Decimal = field(name="lowPrice24h")
    turnover_24h: Decimal = field(name="turnover24h")
    volume_24h: Decimal = field(name="volume24h")
    bid1_price: Decimal | None = None
    bid1_size: Decimal | None = None
    ask1_price: Decimal | None = None
    ask1_size: Decimal | None = None
    usd_index_price: Decimal | None = None
    index_price: Decimal | None = None
    mark_price: Decimal | None = None
    prev_price_1h: Decimal | None = field(name="prevPrice1h", default=None)
    open_interest: Decimal | None = None
    open_interest_value: Decimal | None = None
    funding_rate: Decimal | None = None
    next_funding_time: Milliseconds | None = None


class OpenInterest(Stated, frozen=True):
    """A point of `open-interest`."""

    symbol: str
    open_interest: Decimal
    timestamp: Milliseconds


class AccountRatio(Stated, frozen=True):
    """Accounts that are long and short, as fractions of those with a position: `account-ratio`."""

    symbol: str
    buy_ratio: Decimal
    sell_ratio: Decimal
    timestamp: Milliseconds


class InsurancePool(Stated, frozen=True):
    """A pool of the insurance fund. *balance*: in its coin; *value*: USD; *symbols*: the contracts
    it stands for, joined by commas, empty for all that have none of their own.
    """

    coin: str
    balance: Decimal
    value: Decimal
    updated_time: Milliseconds
    symbols: str = ""


class PriceLimit(Stated, frozen=True):
    """The highest price of a buy order and the lowest of a sell order."""

    symbol: str
    buy_lmt: Decimal
    sell_lmt: Decimal
    ts: Milliseconds


class Maintenance(Stated, frozen=True):
    """One maintenance of `system/status`. *state*: scheduled, ongoing, completed or canceled;
    *service_types*, *product*, *maintain_type*, *env*: the venue's numbers.
    """

    id: str
    title: str
    state: str
    begin: Milliseconds
    end: Milliseconds
    service_types: list[int]
    product: list[int]
    maintain_type: int
    env: int


Row = TypeVar("Row", bound=Stated)
_read_result = reader(dict[str, Any])


def rows_of(kind: type[Row]) -> Callable[[bytes], list[Row]]:
    """A function from the bytes of an answer to its rows; without a list it is one row."""

    def read(body: bytes) -> list[Row]:
        result = _read_result(body)
        listed = msgspec.convert(result.get("list", [{}]), list[dict[str, Any]])
        stated = [{**result, **row} for row in listed]
        said = [{name: v for name, v in row.items() if v != ""} for row in stated]
        return msgspec.convert(said, list[kind], strict=False)  # type: ignore[valid-type]

    return read


read_tickers = rows_of(Ticker)
read_open_interest = rows_of(OpenInterest)
read_account_ratios = rows_of(AccountRatio)
read_insurance = rows_of(InsurancePool)
read_price_limits = rows_of(PriceLimit)
read_maintenance = rows_of(Maintenance)
