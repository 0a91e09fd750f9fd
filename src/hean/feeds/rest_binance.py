# SPDX-License-Identifier: Apache-2.0
"""Binance spot and USD-M, public REST. Lists come oldest first and are paged forwards. Trades are
the aggregated ones: the venue gives them to anybody and by id, so a page can follow the last one
without a hole; the first id of a window is searched hour by hour, because a window of a time may
not be longer. The request weight an address has used stands on every answer, and HEAN stops asking
before it is gone: others may share the address. Fields HEAN does not use are not decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct, field
from numpy.typing import NDArray

from hean.data.schema import Kind
from hean.errors import FrameInvalid, ParameterInvalid, UnknownSymbol, VenueError
from hean.feeds.rest import (
    MS_NS,
    HistoryQuery,
    Market,
    Milliseconds,
    Page,
    Pause,
    PublicRest,
    Question,
    Rows,
    candle_columns,
    checked,
    column,
    same_symbol,
)
from hean.net.http import Answer
from hean.venues.outcomes import binance_silence

ROWS_MAX = 1000  # USD-M allows 1500 candles, for twice the weight
PREFIX: Final[dict[Market, str]] = {"spot": "/api/v3", "linear": "/fapi/v1"}
MINUTE_WEIGHT: Final[dict[Market, int]] = {"spot": 6000, "linear": 2400}
WEIGHT_SHARE = 0.75  # of a minute's weight; the rest is for orders and other programs
MINUTE_NS = 60_000_000_000
WINDOW_MS = 3_600_000  # the longest window of aggTrades by time, exclusive
INTERVALS: Final = (
    *("1s", "1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "6h", "8h", "12h", "1d"),
)
BUSY: Final = frozenset({-1003, -1008, -1015})
FUNDING_HOURS = 8  # of a symbol that fundingInfo does not list

Id = Annotated[int, Meta(ge=0, lt=2**63 - 1)]

Result = TypeVar("Result")


class Refusal(Struct):
    """The body of an answer that is no success."""

    code: int
    msg: str = ""


class ServerTime(Struct, rename="camel"):
    """Milliseconds."""

    server_time: Milliseconds


class CandleRow(Struct, array_like=True):
    """The first columns of a candle; `time` is its open time."""

    time: Milliseconds
    open: str
    high: str
    low: str
    close: str
    volume: str


class AggTrade(Struct):
    """Trades of one taker order at one price. `m`: the buyer was the maker."""

    a: Id
    p: str
    q: str
    f: int
    l: int
    T: Milliseconds
    m: bool


class TradeRow(Struct, rename="camel"):
    """One trade of `trades` and `historicalTrades`."""

    id: Id
    price: str
    qty: str
    time: Milliseconds
    is_buyer_maker: bool


class FundingRow(Struct, rename="camel"):
    """One settlement."""

    symbol: str
    funding_rate: str
    funding_time: Milliseconds


class FundingInfo(Struct, rename="camel"):
    """A symbol with another interval than eight hours, or with other bounds."""

    symbol: str
    funding_interval_hours: int


class Depth(Struct, rename="camel"):
    """A book: bids fall, asks rise. `E`, `T`: USD-M only."""

    last_update_id: int
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    E: int | None = field(name="E", default=None)
    T: int | None = field(name="T", default=None)


class Filter(Struct, rename="camel"):
    """One filter of a symbol; which fields it has depends on `filterType`."""

    filter_type: str
    tick_size: str = ""
    min_price: str = ""
    max_price: str = ""
    min_qty: str = ""
    max_qty: str = ""
    step_size: str = ""
    min_notional: str = ""
    notional: str = ""


class SymbolRow(Struct, rename="camel"):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: list[Filter]
    contract_type: str = ""
    onboard_date: int = 0


class RateLimit(Struct, rename="camel"):
    """One of the venue's budgets."""

    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 0
    limit: int = 0


class ExchangeInfo(Struct, rename="camel"):
    """Symbols and budgets."""

    symbols: list[SymbolRow]
    rate_limits: list[RateLimit] = []


def reader(kind: type[Result]) -> Callable[[bytes], Result]:
    """A function from the bytes of an answer to what it holds; `null` is an empty list."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> Result:
        return decoder.decode(b"[]" if body == b"null" else body)

    return read


read_time = reader(ServerTime)
read_candles = reader(list[CandleRow])
read_agg_trades = reader(list[AggTrade])
read_trades = reader(list[TradeRow])
read_fundings = reader(list[FundingRow])
read_funding_info = reader(list[FundingInfo])
read_depth = reader(Depth)
read_exchange = reader(ExchangeInfo)
_read_refusal = msgspec.json.Decoder(Refusal)


class BinanceRest(PublicRest):
    """Binance's public market data of one market."""

    venue = "binance"
    timeframes = INTERVALS
    is_newest_first = False

    def judge(self, answer: Answer) -> Pause | None:
        """By status, then by `code`."""
        if answer.status == 200:
            return None
        silence = binance_silence(answer.status, None, answer.headers)
        if silence is not None:
            return Pause(f"status {answer.status}", silence)
        if answer.status >= 500:
            return Pause(f"status {answer.status}")
        try:
            refusal = _read_refusal.decode(answer.body)
        except msgspec.DecodeError:
            raise VenueError(f"binance: status {answer.status}") from None
        said = f"{refusal.code} {refusal.msg[:200]}"
        if refusal.code in BUSY:
            return Pause(said, binance_silence(answer.status, refusal.code, answer.headers))
        if refusal.code == -1121:
            raise UnknownSymbol(f"binance {self.market}: {said}")
        raise VenueError(f"binance: {said}")

    def free_ns(self, answer: Answer) -> int:
        """The next minute, once HEAN's share of this one's weight is used."""
        text = answer.headers.get("x-mbx-used-weight-1m", "")
        used = int(text) if text.isascii() and text.isdigit() else 0
        if used < WEIGHT_SHARE * MINUTE_WEIGHT[self.market] * self.scale:
            return 0
        return (self._now() // MINUTE_NS + 1) * MINUTE_NS

    async def server_time_ns(self) -> int:
        """The venue's clock."""
        return (await self._get("time", {}, read_time)).server_time * MS_NS

    def question(self, query: HistoryQuery, first_ms: int, last_ms: int) -> Question:
        """Both kinds by the same names; only candles have an interval."""
        if query.kind is Kind.FUNDING and self.market == "spot":
            raise ParameterInvalid("binance: spot has no funding; give --market linear")
        asked = {
            "symbol": query.symbol,
            "interval": query.timeframe,
            "startTime": first_ms,
            "endTime": last_ms,
            "limit": ROWS_MAX,
        }
        if query.kind is Kind.FUNDING:
            return Question(f"{PREFIX[self.market]}/fundingRate", asked, _funding_page)
        return Question(f"{PREFIX[self.market]}/klines", asked, _candle_page)

    async def trades(self, query: HistoryQuery, cursor: str | None) -> Page:
        """By time to the first trade, from there on by id."""
        if cursor is not None and cursor.startswith("id "):
            return await self._trades_from(query, int(cursor[3:]))
        return await self._trades_in_hour(query, int(cursor or -(-query.start_ns // MS_NS)))

    async def _trades_in_hour(self, query: HistoryQuery, from_ms: int) -> Page:
        """The first trades of an hour; from there on the ids lead."""
        end_ms = -(-query.end_ns // MS_NS)
        last_ms = min(from_ms + WINDOW_MS, end_ms) - 1
        asked = {
            "symbol": query.symbol,
            "startTime": from_ms,
            "endTime": last_ms,
            "limit": ROWS_MAX,
        }
        window = {"first_ns": from_ms * MS_NS, "last_ns": last_ms * MS_NS}
        rows = await self._get(
            "aggTrades", asked, lambda body: checked(_trade_page(body), query.kind, **window)
        )
        if not rows["ts"].size:
            return Page(rows, str(last_ms + 1) if last_ms + 1 < end_ms else None)
        return Page(rows, f"id {int(rows['id'][-1]) + 1}")

    async def _trades_from(self, query: HistoryQuery, first_id: int) -> Page:
        def decode(body: bytes) -> Rows:
            rows = _trade_page(body)
            if rows["id"].size and rows["id"][0] < first_id:
                raise FrameInvalid(f"trades from id {rows['id'][0]}, asked for {first_id}")
            return checked(rows, Kind.TRADES, first_ns=query.start_ns, last_ns=2**63 - 1)

        asked = {"symbol": query.symbol, "fromId": first_id, "limit": ROWS_MAX}
        rows = await self._get("aggTrades", asked, decode)
        kept = rows["ts"] < query.end_ns
        is_last = not rows["ts"].size or not kept.all()
        is_joined = not rows["ts"].size or int(rows["id"][0]) == first_id
        cursor = None if is_last else f"id {int(rows['id'][-1]) + 1}"
        rows = {name: values[kept] for name, values in rows.items()}
        return Page(rows, cursor, is_joined)

    async def depth(self, symbol: str, levels: int = 1000) -> tuple[Depth, bytes]:
        """The book as of now, and the bytes it came as, which a recorder keeps."""
        asked = {"symbol": symbol, "limit": levels}
        return await self._get("depth", asked, lambda body: (read_depth(body), body))

    async def exchange(self) -> ExchangeInfo:
        """Every symbol of the market."""
        return await self._get("exchangeInfo", {}, read_exchange)

    async def symbols(self) -> list[str]:
        """Every symbol the market lists now."""
        return [row.symbol for row in (await self.exchange()).symbols]

    async def funding_interval_s(self, symbol: str) -> int:
        """Seconds between settlements of a perpetual."""
        rows = await self._get("fundingInfo", {}, read_funding_info)
        hours = {row.symbol: row.funding_interval_hours for row in rows}
        return hours.get(symbol, FUNDING_HOURS) * 3600

    async def _get(
        self, path: str, query: dict[str, Any], decode: Callable[[bytes], Result]
    ) -> Result:
        return await self.get(f"{PREFIX[self.market]}/{path}", query, decode)


def candle_rows(found: list[CandleRow]) -> Rows:
    """Columns of candles."""
    return candle_columns(times([row.time for row in found]), found)


def funding_rows(found: list[FundingRow]) -> Rows:
    """Columns of settlements."""
    return {
        "ts": times([row.funding_time for row in found]),
        "rate": column([row.funding_rate for row in found], "fundingRate"),
    }


def trade_rows(found: list[AggTrade]) -> Rows:
    """Columns of trades; ids must follow each other. `side` is the taker's."""
    ids = np.array([row.a for row in found], dtype=np.int64)
    if ids.size and (np.diff(ids) <= 0).any():
        raise FrameInvalid("trade ids do not rise")
    return {
        "ts": times([row.T for row in found]),
        "price": column([row.p for row in found], "price"),
        "qty": column([row.q for row in found], "quantity"),
        "side": np.array([row.m for row in found], dtype=np.uint8),
        "id": ids,
    }


def times(stamps: list[int]) -> NDArray[np.int64]:
    """Milliseconds to nanoseconds."""
    return np.array(stamps, dtype=np.int64) * MS_NS


def _candle_page(body: bytes, _symbol: str) -> Rows:
    return candle_rows(read_candles(body))


def _funding_page(body: bytes, symbol: str) -> Rows:
    found = read_fundings(body)
    same_symbol([row.symbol for row in found], symbol)
    return funding_rows(found)


def _trade_page(body: bytes) -> Rows:
    return trade_rows(read_agg_trades(body))
