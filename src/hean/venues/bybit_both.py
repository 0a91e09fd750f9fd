# SPDX-License-Identifier: Apache-2.0
"""`bybit_both.py`: both markets of one Bybit account in one codec. They share key, host and sockets
and differ in a word of each request, so it gives a request to the codec of its market and joins
what is asked of the account. `BTCUSDT@spot` and `BTCUSDT@perp` are our names, `BTCUSDT` with a
category the venue's: here alone one becomes the other. A list is complete when both are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from hean.core.listing import MARK, listing_of
from hean.core.types import Balance, OrderApproved, Position
from hean.errors import UnknownSymbol
from hean.venues.bybit import BybitCodec, private_steps
from hean.venues.codec import SignedRequest
from hean.venues.endpoints import Endpoints, Market
from hean.venues.reports import (
    Ask,
    Call,
    Execution,
    KeyFacts,
    Listing,
    OrderReport,
    Reply,
    Settlement,
    Tracked,
)
from hean.venues.signing import Signer

_WORDS: dict[Market, str] = {"spot": "spot", "linear": "perp"}
_MARKETS: dict[str, Market] = {word: market for market, word in _WORDS.items()}
_ROWS = ("orders", "executions", "positions")  # of a parsed frame, each with its market

Row = TypeVar("Row", OrderReport, Execution, Settlement)
Ours = TypeVar("Ours", OrderApproved, Tracked)


def place_of(name: str) -> tuple[Market, str]:
    """Market and symbol by which the venue knows it. *Raises*: `UnknownSymbol`."""
    listing = listing_of(name)
    if listing.market is None or listing.venue is not None:
        raise UnknownSymbol(
            f"{name}: both markets are traded; name one, as in {listing.pair}{MARK}spot or "
            f"{listing.pair}{MARK}perp."
        )
    return _MARKETS[listing.market], listing.pair


def name_of(market: Market, symbol: str) -> str:
    """Our name of a symbol of the venue."""
    return f"{symbol}{MARK}{_WORDS[market]}"


def _theirs(order: Ours) -> Ours:
    return msgspec.structs.replace(order, symbol=place_of(order.symbol)[1])


class BybitBothCodec:
    """Spot and linear perpetuals. *endpoints*: of both."""

    ping: bytes | None = BybitCodec.ping

    def __init__(self, endpoints: Endpoints, signer: Signer) -> None:
        self.name = "bybit"
        self.endpoints = endpoints
        self.key_rest = endpoints.rest
        self.key_label = signer.label
        self._signer = signer
        self._linear, self._spot = (
            BybitCodec(endpoints.alone(market), signer) for market in ("linear", "spot")
        )
        self._parts: dict[Market, BybitCodec] = {"linear": self._linear, "spot": self._spot}

    # ------------------------------------------------------------ one order

    def submit_kind(self, symbol: str) -> str:
        """Each market counts its own."""
        return self._part(symbol).submit_kind(symbol)

    def has_positions(self, symbol: str) -> bool:
        """Perpetuals do."""
        return place_of(symbol)[0] == "linear"

    def submit_frame(self, approved: OrderApproved, request_id: str, now_ms: int) -> bytes | None:
        """A new order for the order socket."""
        part = self._part(approved.symbol)
        return part.submit_frame(_theirs(approved), request_id, now_ms)

    def cancel_frame(self, order: Tracked, request_id: str, now_ms: int) -> bytes | None:
        """A cancellation for the order socket."""
        return self._part(order.symbol).cancel_frame(_theirs(order), request_id, now_ms)

    def amend_frame(
        self, order: Tracked, price: Decimal, size: Decimal, request_id: str, now_ms: int
    ) -> bytes | None:
        """New terms for the order socket."""
        part = self._part(order.symbol)
        return part.amend_frame(_theirs(order), price, size, request_id, now_ms)

    def submit_call(self, approved: OrderApproved) -> Call:
        """A new order by REST."""
        return self._part(approved.symbol).submit_call(_theirs(approved))

    def cancel_call(self, order: Tracked) -> Call:
        """A cancellation by REST."""
        return self._part(order.symbol).cancel_call(_theirs(order))

    def amend_call(self, order: Tracked, price: Decimal, size: Decimal) -> Call:
        """New terms by REST."""
        return self._part(order.symbol).amend_call(_theirs(order), price, size)

    def amend_refusal(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        """As in its market."""
        return self._part(order.symbol).amend_refusal(order, price, size)

    def cancel_listed(self, report: OrderReport) -> Call:
        """A cancellation by the venue's id."""
        market, symbol = place_of(report.symbol)
        return self._parts[market].cancel_listed(replace(report, symbol=symbol))

    def cancel_all(self, symbols: Sequence[str]) -> tuple[Call, ...]:
        """Everything in both markets."""
        return (*self._linear.cancel_all(()), *self._spot.cancel_all(()))

    # ------------------------------------------------------------ sockets and answers

    def order_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """One login for both."""
        return self._linear.order_steps(now_ms)

    def private_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """One stream tells both."""
        return private_steps(self._signer, now_ms, ("linear", "spot"))

    def parse(self, frame: bytes) -> dict[str, Any] | None:
        """A frame of either socket, by our names. What is of neither market keeps the venue's."""
        parsed = self._linear.parse(frame)
        for rows in _ROWS if parsed is not None else ():
            for row in (parsed or {}).get(rows, ()):
                if row["market"] in _WORDS:
                    row["symbol"] = name_of(row["market"], row["symbol"])
        return parsed

    def reply(self, parsed: dict[str, Any], now_ms: int) -> Reply:
        """The meaning of an answer on the order socket. It does not say whose limits its figures
        are, so they are left to our own count.
        """
        return replace(self._linear.reply(parsed, now_ms), used=())

    def sign(self, call: Call, now_ms: int) -> SignedRequest:
        """The same in both."""
        return self._linear.sign(call, now_ms)

    def read(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply:
        """The same in both."""
        return self._linear.read(call, status, headers, body, now_ms)

    # ------------------------------------------------------------ the account

    async def private_url(self, ask: Ask) -> str:
        """The fixed address."""
        return ""

    async def keep_private(self, ask: Ask) -> None:
        """Nothing runs out."""

    async def server_time_ns(self, ask: Ask) -> int:
        """The venue's clock."""
        return await self._linear.server_time_ns(ask)

    async def account_id(self, ask: Ask) -> str:
        """The user the key belongs to."""
        return await self._linear.account_id(ask)

    async def key_facts(self, ask: Ask) -> KeyFacts:
        """Only a key that may trade both may trade."""
        linear, spot = await self._linear.key_facts(ask), await self._spot.key_facts(ask)
        return replace(linear, may_trade=bool(linear.may_trade and spot.may_trade))

    async def prepare(self, ask: Ask, symbols: Sequence[str], leverage: int | None) -> None:
        """One-way mode and leverage of the perpetuals."""
        await self._linear.prepare(ask, self._pairs(symbols, "linear"), leverage)

    async def modes(self, ask: Ask, symbols: Sequence[str]) -> str:
        """Of the perpetuals."""
        return await self._linear.modes(ask, self._pairs(symbols, "linear"))

    async def closes_ns(self, ask: Ask) -> int:
        """The venue closes as a whole."""
        return await self._linear.closes_ns(ask)

    async def order(self, ask: Ask, order: Tracked) -> OrderReport | None:
        """In its market."""
        market, _ = place_of(order.symbol)
        found = await self._parts[market].order(ask, _theirs(order))
        return None if found is None else replace(found, symbol=order.symbol)

    async def client_id_of(self, ask: Ask, execution: Execution) -> str | None:
        """Executions tell it."""
        return execution.client_order_id

    async def open_orders(self, ask: Ask) -> Listing[OrderReport]:
        """All of both."""
        return _joined(
            {market: await part.open_orders(ask) for market, part in self._parts.items()}
        )

    async def executions(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Execution]:
        """What was executed since then in both."""
        return _joined(
            {
                market: await part.executions(ask, since_ns, self._pairs(symbols, market))
                for market, part in self._parts.items()
            }
        )

    async def settlements(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Settlement]:
        """Of the perpetuals."""
        pairs = self._pairs(symbols, "linear")
        return _joined({"linear": await self._linear.settlements(ask, since_ns, pairs)})

    async def priced(self, ask: Ask, settlement: Settlement) -> Settlement:
        """It is complete as it was told."""
        return settlement

    async def positions(self, ask: Ask) -> Listing[Position]:
        """Of the perpetuals."""
        found = await self._linear.positions(ask)
        rows = (
            msgspec.structs.replace(row, symbol=name_of("linear", row.symbol)) for row in found.rows
        )
        return Listing(tuple(rows), found.is_complete)

    async def balances(self, ask: Ask) -> Listing[Balance]:
        """All coins of the unified account, which both markets share."""
        return await self._linear.balances(ask)

    async def arm(self, ask: Ask, seconds: int, symbols: Sequence[str]) -> bool:
        """Cancel on disconnect, in both."""
        for part in self._parts.values():
            await part.arm(ask, seconds, symbols)
        return False

    def _part(self, name: str) -> BybitCodec:
        return self._parts[place_of(name)[0]]

    def _pairs(self, names: Sequence[str], market: Market) -> tuple[str, ...]:
        """The venue's symbols of those of our names that are in a market."""
        places = map(place_of, names)
        return tuple(symbol for where, symbol in places if where == market)


def _joined(listings: Mapping[Market, Listing[Row]]) -> Listing[Row]:
    """One list by our names. An execution's id is kept apart by its symbol's."""
    rows = tuple(_named(row, market) for market, each in listings.items() for row in each.rows)
    return Listing(rows, all(each.is_complete for each in listings.values()))


def _named(row: Row, market: Market) -> Row:
    name = name_of(market, row.symbol)
    if isinstance(row, OrderReport):
        return replace(row, symbol=name)
    exec_id = row.exec_id.replace(row.symbol, name, 1)
    return replace(row, symbol=name, exec_id=exec_id)
