# SPDX-License-Identifier: Apache-2.0
"""Bybit V5, public REST. Lists come newest first and are paged backwards, from the end of the asked
window to its start, because an answer that stops early then leaves a hole at the old end, where
there may be nothing anyway. Of trades the venue keeps only the most recent (linear 1000, spot 60);
there is no way to page to older ones. Fields HEAN does not use are not decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import Struct, field

from hean.data.schema import Kind
from hean.errors import FrameInvalid, UnknownSymbol, VenueError
from hean.feeds.rest import (
    MS_NS,
    HistoryQuery,
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
from hean.venues.outcomes import Silence, bybit_silence

CANDLES_MAX = 1000
FUNDINGS_MAX = 200
TRADES_MAX: Final = {"spot": 60, "linear": 1000}
INSTRUMENTS_MAX = 1000
TRADES_PER_SEQ = 1000  # trades of one match share a `seq`; a page holds no more than this many
INTERVALS: Final = {
    "1m": "1",
    "3m": "3",
    "5m": "5",
    "15m": "15",
    "30m": "30",
    "1h": "60",
    "2h": "120",
    "4h": "240",
    "6h": "360",
    "12h": "720",
    "1d": "D",
}
SIDES: Final = {"Buy": 0, "Sell": 1}
BUSY: Final = frozenset({10000, 10016, 10018})  # timeout, server error, too many requests of an IP
SYMBOL_UNKNOWN: Final = frozenset({170121, 110074})

Result = TypeVar("Result")


class Envelope(Struct, Generic[Result], rename="camel"):
    """What every answer is wrapped in."""

    ret_code: int
    result: Result
    time: int = 0
    ret_msg: str = ""


class Outcome(Struct, rename="camel"):
    """The part of an answer that says whether there is a result."""

    ret_code: int
    ret_msg: str = ""


class ServerTime(Struct, rename="camel"):
    """`timeNano` as text."""

    time_nano: str


class CandleRow(Struct, array_like=True):
    """The first columns of a candle; `time` is its open time. Mark, index and premium candles stop
    at the close.
    """

    time: str
    open: str
    high: str
    low: str
    close: str
    volume: str = "0"


class CandleList(Struct):
    """Candles, newest first."""

    symbol: str
    rows: list[CandleRow] = field(name="list")


class FundingRow(Struct, rename="camel"):
    """One settlement."""

    symbol: str
    funding_rate: str
    funding_rate_timestamp: str


class FundingList(Struct):
    """Settlements, newest first."""

    rows: list[FundingRow] = field(name="list")


class TradeRow(Struct, rename="camel"):
    """One public trade; `side` is the taker's. Spot ids are numbers, contracts' are UUIDs."""

    exec_id: str
    symbol: str
    price: str
    size: str
    side: str
    time: str
    seq: str = ""


class TradeList(Struct):
    """Trades, newest first."""

    rows: list[TradeRow] = field(name="list")


class Depth(Struct):
    """A book: bids fall, asks rise."""

    s: str
    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]
    ts: int
    u: int


class LeverageFilter(Struct, rename="camel"):
    """Bounds of leverage."""

    max_leverage: str


class PriceFilter(Struct, rename="camel"):
    """Price grid; spot states the tick alone."""

    tick_size: str
    min_price: str = ""
    max_price: str = ""


class LotFilter(Struct, rename="camel"):
    """Quantity grid: contracts have `qtyStep`, spot has `basePrecision`."""

    min_order_qty: str
    max_order_qty: str = ""
    qty_step: str = ""
    base_precision: str = ""
    min_notional_value: str = ""
    min_order_amt: str = ""
    max_limit_order_qty: str = ""
    max_mkt_order_qty: str = ""
    max_market_order_qty: str = ""


class InstrumentRow(Struct, rename="camel"):
    """One symbol of `instruments-info`. *fundingInterval* in minutes."""

    symbol: str
    status: str
    base_coin: str
    quote_coin: str
    price_filter: PriceFilter
    lot_size_filter: LotFilter
    contract_type: str = ""
    launch_time: str = ""
    funding_interval: int = 0
    leverage_filter: LeverageFilter | None = None


class InstrumentList(Struct, rename="camel"):
    """A page of instruments; an empty cursor ends."""

    rows: list[InstrumentRow] = field(name="list")
    next_page_cursor: str = ""


class RiskRow(Struct, rename="camel"):
    """One tier: positions up to `riskLimitValue`."""

    symbol: str
    risk_limit_value: str
    maintenance_margin: str
    initial_margin: str
    max_leverage: str
    mm_deduction: str = field(name="mmDeduction", default="")


class RiskList(Struct):
    """Tiers."""

    rows: list[RiskRow] = field(name="list")


def reader(kind: type[Result]) -> Callable[[bytes], Result]:
    """A function from the bytes of an answer to its `result`."""
    decoder = msgspec.json.Decoder(Envelope[kind])  # type: ignore[valid-type]

    def read(body: bytes) -> Result:
        return decoder.decode(body).result

    return read


read_time = reader(ServerTime)
read_candles = reader(CandleList)
read_fundings = reader(FundingList)
read_trades = reader(TradeList)
read_depth = reader(Depth)
read_instruments = reader(InstrumentList)
read_risk = reader(RiskList)
_read_outcome = msgspec.json.Decoder(Outcome)


class BybitRest(PublicRest):
    """Bybit's public market data of one market."""

    venue = "bybit"
    timeframes = INTERVALS
    is_newest_first = True

    def judge(self, answer: Answer) -> Pause | None:
        """By status, then by `retCode`."""
        if answer.status == 403:
            return Pause("403 access too frequent", self._silence(answer, None))
        if answer.status == 429 or answer.status >= 500:
            return Pause(f"status {answer.status}", self._silence(answer, None))
        if answer.status != 200:
            raise VenueError(f"bybit: status {answer.status}")
        try:
            outcome = _read_outcome.decode(answer.body)
        except msgspec.DecodeError as error:
            return Pause(f"answer not understood: {error}")
        code, message = outcome.ret_code, outcome.ret_msg[:200]
        if code == 0:
            return None
        if code == 10006:
            return Pause(f"10006 {message}", self._silence(answer, code))
        if code in BUSY:
            return Pause(f"{code} {message}")
        if code in SYMBOL_UNKNOWN or "symbol" in message.lower():
            raise UnknownSymbol(f"bybit {self.market}: {code} {message}")
        raise VenueError(f"bybit: {code} {message}")

    def free_ns(self, answer: Answer) -> int:
        """Public questions carry no budget; 600 in five seconds are out of reach one by one."""
        return 0

    def _silence(self, answer: Answer, code: int | None) -> Silence | None:
        return bybit_silence(answer.status, code, answer.headers, self._now() // MS_NS)

    async def server_time_ns(self) -> int:
        """The venue's clock."""
        return milliseconds((await self.get("/v5/market/time", {}, read_time)).time_nano, 1)

    def question(self, query: HistoryQuery, first_ms: int, last_ms: int) -> Question:
        """The ends bear other names for candles than for settlements."""
        asked = self._of(query.symbol)
        if query.kind is Kind.FUNDING:
            asked |= {"startTime": first_ms, "endTime": last_ms, "limit": FUNDINGS_MAX}
            return Question("/v5/market/funding/history", asked, _funding_page)
        interval = INTERVALS[str(query.timeframe)]
        asked |= {"interval": interval, "start": first_ms, "end": last_ms, "limit": CANDLES_MAX}
        return Question("/v5/market/kline", asked, _candle_page)

    async def trades(self, query: HistoryQuery, cursor: str | None) -> Page:
        """The most recent ones: there is one page."""
        limit = TRADES_MAX[self.market]
        asked = {**self._of(query.symbol), "limit": limit}

        def decode(body: bytes) -> Rows:
            found = read_trades(body).rows
            same_symbol([row.symbol for row in found], query.symbol)
            rows = trade_rows(found, is_full=len(found) >= limit)
            return checked(rows, Kind.TRADES, first_ns=0, last_ns=2**63 - 1)

        rows = await self.get("/v5/market/recent-trade", asked, decode)
        kept = (rows["ts"] >= query.start_ns) & (rows["ts"] < query.end_ns)
        return Page({name: values[kept] for name, values in rows.items()}, None)

    async def depth(self, symbol: str, levels: int = 200) -> Depth:
        """The book as of now."""
        asked = {**self._of(symbol), "limit": levels}
        return await self.get("/v5/market/orderbook", asked, read_depth)

    async def instruments(self) -> list[InstrumentRow]:
        """Every symbol of the market, page by page."""
        found: list[InstrumentRow] = []
        cursor: str | None = None
        while cursor != "":
            asked = {"category": self.market, "limit": INSTRUMENTS_MAX, "cursor": cursor}
            page = await self.get("/v5/market/instruments-info", asked, read_instruments)
            found += page.rows
            if cursor == page.next_page_cursor or not page.rows:
                break
            cursor = page.next_page_cursor
        return found

    async def symbols(self) -> list[str]:
        """Every symbol the market lists now."""
        return [row.symbol for row in await self.instruments()]

    async def funding_interval_s(self, symbol: str) -> int:
        """Seconds between settlements of a perpetual."""
        asked = self._of(symbol)
        found = await self.get("/v5/market/instruments-info", asked, read_instruments)
        for row in found.rows:
            if row.symbol == symbol and row.funding_interval:
                return row.funding_interval * 60
        raise UnknownSymbol(f"bybit {self.market}: no funding interval of {symbol}")

    async def risk_tiers(self, symbol: str) -> list[RiskRow]:
        """The risk limits of a contract."""
        return (await self.get("/v5/market/risk-limit", self._of(symbol), read_risk)).rows

    def _of(self, symbol: str) -> dict[str, object]:
        return {"category": self.market, "symbol": symbol}


def candle_rows(found: list[CandleRow]) -> Rows:
    """Columns of candles, oldest first."""
    found = found[::-1]
    return candle_columns(times([row.time for row in found]), found)


def funding_rows(found: list[FundingRow]) -> Rows:
    """Columns of settlements, oldest first."""
    found = found[::-1]
    return {
        "ts": times([row.funding_rate_timestamp for row in found]),
        "rate": column([row.funding_rate for row in found], "fundingRate"),
    }


def trade_rows(found: list[TradeRow], *, is_full: bool) -> Rows:
    """Columns of trades, oldest first. A contract's ids are texts, so HEAN counts the trades of one
    match: `seq` * 1000 + place. The oldest match of a full page may be cut off and is left out.
    """
    found = found[::-1]
    if is_full and found and not found[0].exec_id.isdigit():
        found = [row for row in found if row.seq != found[0].seq]
    found.sort(key=lambda row: milliseconds(row.time))
    sides = [SIDES.get(row.side, -1) for row in found]
    if -1 in sides:
        raise FrameInvalid(f"side {found[sides.index(-1)].side[:20]!a}, expected Buy or Sell")
    return {
        "ts": times([row.time for row in found]),
        "price": column([row.price for row in found], "price"),
        "qty": column([row.size for row in found], "size"),
        "side": np.array(sides, dtype=np.uint8),
        "id": np.array(_trade_ids(found), dtype=np.int64),
    }


def _trade_ids(found: list[TradeRow]) -> list[int]:
    ids: list[int] = []
    places: dict[int, int] = {}
    for row in found:
        if row.exec_id.isdigit() and len(row.exec_id) < 19 + 1:
            ids.append(int(row.exec_id))
            continue
        seq = milliseconds(row.seq, 1)
        places[seq] = place = places.get(seq, -1) + 1
        ids.append(seq * TRADES_PER_SEQ + place)
    if any(number >= 2**63 for number in ids):
        raise FrameInvalid("a trade id above 2^63")
    return ids


def times(texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Texts of milliseconds to nanoseconds."""
    return np.array([milliseconds(text) for text in texts], dtype=np.int64)


def milliseconds(text: str, unit_ns: int = MS_NS) -> int:
    """A text of digits as nanoseconds. *Raises*: `FrameInvalid`."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise FrameInvalid(f"time {text[:40]!a} is no number")
    number = int(text) * unit_ns
    if number >= 2**63:
        raise FrameInvalid(f"time {text[:40]!a} is out of range")
    return number


def _candle_page(body: bytes, symbol: str) -> Rows:
    found = read_candles(body)
    same_symbol([found.symbol], symbol)
    return candle_rows(found.rows)


def _funding_page(body: bytes, symbol: str) -> Rows:
    found = read_fundings(body).rows
    same_symbol([row.symbol for row in found], symbol)
    return funding_rows(found)
