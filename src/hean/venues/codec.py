# SPDX-License-Identifier: Apache-2.0
"""`codec.py`: what the gateway needs to know of a venue: how orders are written, how answers are
read, which questions there are. A codec holds no connection and waits for nothing but the answers
to its own questions; everything that happens in time is the gateway's. What is the same for all
venues is here too: the socket frames that Rust has parsed, as reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from hean.core.types import Balance, OrderApproved, Position, Side
from hean.errors import FieldInvalid, FrameInvalid, KeyRefused
from hean.venues.endpoints import Endpoints
from hean.venues.outcomes import Outcome
from hean.venues.reports import (
    ZERO,
    Ask,
    Call,
    Execution,
    KeyFacts,
    Listing,
    OrderReport,
    Reply,
    Settlement,
    Status,
    Tracked,
    execution_name,
)

UNSAID = "0"  # what is meant where nothing is said
NO_NUMBER = Decimal("NaN")
TEXT_MAX = 40  # of what is no number, in a message
PAGES_MAX = 40  # of one list: 2,000 orders, 4,000 executions; more is told as incomplete

_STATUS = {
    "WORKING": Status.OPEN,
    "PARTIAL": Status.OPEN,
    "FILLED": Status.FILLED,
    "CANCELLED": Status.CANCELLED,
    "EXPIRED": Status.EXPIRED,
    "REJECTED": Status.REJECTED,
}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A REST request as it goes out, byte for byte."""

    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What one frame of a private stream says. *is_settled*: funding was, and the frame does not
    say of what; *ends*: why the stream is about to stop.
    """

    orders: Sequence[OrderReport] = ()
    executions: Sequence[Execution] = ()
    positions: Sequence[Position] = ()
    balances: Sequence[Balance] = ()
    settlements: Sequence[Settlement] = ()
    is_settled: bool = False
    ends: str = ""


class Codec(Protocol):
    """One market of one venue. Times in ms are the venue's."""

    name: str
    """Venue and market, for messages: `bybit.linear`."""
    endpoints: Endpoints
    key_label: str
    key_rest: str
    """The REST address that tells what the key may do; empty where none does."""
    ping: bytes | None
    """The frame that keeps a socket open; `None` where the protocol's own ping does."""

    def submit_kind(self, symbol: str) -> str:
        """What a new order is called in the rate budget."""
        ...

    def has_positions(self, symbol: str) -> bool:
        """Whether orders in it make positions; else they move coins."""
        ...

    def submit_frame(self, approved: OrderApproved, request_id: str, now_ms: int) -> bytes | None:
        """A new order for the order socket; `None` if it goes by REST only."""
        ...

    def cancel_frame(self, order: Tracked, request_id: str, now_ms: int) -> bytes | None:
        """A cancellation for the order socket; `None` if it goes by REST only."""
        ...

    def amend_frame(
        self, order: Tracked, price: Decimal, size: Decimal, request_id: str, now_ms: int
    ) -> bytes | None:
        """New terms for the order socket; `None` if they go by REST only."""
        ...

    def submit_call(self, approved: OrderApproved) -> Call:
        """A new order by REST."""
        ...

    def cancel_call(self, order: Tracked) -> Call:
        """A cancellation by REST."""
        ...

    def amend_call(self, order: Tracked, price: Decimal, size: Decimal) -> Call:
        """New terms by REST."""
        ...

    def cancel_listed(self, report: OrderReport) -> Call:
        """A cancellation of a listed open order, whoever made it, by the venue's own id."""
        ...

    def cancel_all(self, symbols: Sequence[str]) -> tuple[Call, ...]:
        """The venue's own cancellation of everything in these symbols, or in more."""
        ...

    def amend_refusal(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        """Why this venue cannot change the order so; empty if it can."""
        ...

    def order_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """Frames that log in on the order socket, each sent after the answer to the one before."""
        ...

    def private_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """Frames that log in on the private stream and subscribe."""
        ...

    def parse(self, frame: bytes) -> dict[str, Any] | None:
        """A frame of either socket. *Raises*: `FrameInvalid`."""
        ...

    def reply(self, parsed: dict[str, Any], now_ms: int) -> Reply:
        """The meaning of a parsed answer on a socket."""
        ...

    def sign(self, call: Call, now_ms: int) -> SignedRequest:
        """The request to send."""
        ...

    def read(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply:
        """The meaning of a REST answer."""
        ...

    async def private_url(self, ask: Ask) -> str:
        """Where the private stream is."""
        ...

    async def keep_private(self, ask: Ask) -> None:
        """Keep what `private_url` opened from running out."""
        ...

    async def server_time_ns(self, ask: Ask) -> int:
        """The venue's clock."""
        ...

    async def account_id(self, ask: Ask) -> str:
        """Whose key this is; empty if the venue does not say."""
        ...

    async def key_facts(self, ask: Ask) -> KeyFacts:
        """What the key may do. *ask*: at `key_rest`."""
        ...

    async def prepare(self, ask: Ask, symbols: Sequence[str], leverage: int | None) -> None:
        """One-way mode and leverage; nothing where there are no positions."""
        ...

    async def modes(self, ask: Ask, symbols: Sequence[str]) -> str:
        """Position and margin modes in words; empty where there are none."""
        ...

    async def closes_ns(self, ask: Ask) -> int:
        """When an announced maintenance begins or began; 0 when none is near, or none is told."""
        ...

    async def order(self, ask: Ask, order: Tracked) -> OrderReport | None:
        """One order by its client id; `None` if the venue says that it has none."""
        ...

    async def client_id_of(self, ask: Ask, execution: Execution) -> str | None:
        """The client id of the order that traded; empty if it has none, `None` if the venue denies
        that there is such an order.
        """
        ...

    async def open_orders(self, ask: Ask) -> Listing[OrderReport]:
        """All open orders."""
        ...

    async def executions(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Execution]:
        """What was executed since then."""
        ...

    async def settlements(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Settlement]:
        """Funding that was settled since then; none where there are no positions."""
        ...

    async def priced(self, ask: Ask, settlement: Settlement) -> Settlement:
        """The same with rate and mark price, where the venue tells them elsewhere and by now."""
        ...

    async def positions(self, ask: Ask) -> Listing[Position]:
        """All open positions."""
        ...

    async def balances(self, ask: Ask) -> Listing[Balance]:
        """All assets that are not zero."""
        ...

    async def arm(self, ask: Ask, seconds: int, symbols: Sequence[str]) -> bool:
        """Have the venue cancel everything when HEAN is silent for so long; 0 disarms.

        *Returns*: whether it must be called again and again to stay armed.
        """
        ...


def status_of(word: str, words: Mapping[str, Status]) -> Status:
    """A venue's word for a status; one that nobody knows is `STRANGE`."""
    return words.get(word, Status.STRANGE)


def number(text: str | None, what: str) -> Decimal:
    """A number of the venue. *Raises*: `FieldInvalid`, naming *what*; an absent one is none: a
    position that was not told is not flat.
    """
    try:
        found = Decimal(text or "absent")
    except InvalidOperation:
        found = NO_NUMBER
    if not found.is_finite():
        raise FieldInvalid(f"a {what} of {(text or '')[:TEXT_MAX]!a}, which is no number")
    return found


def amount(text: str | None, what: str) -> Decimal:
    """The same where nothing can be below zero: an order of less than nothing is not another order
    than ours.
    """
    found = number(text, what)
    if found < ZERO:
        raise _impossible(text, what)
    return found


def traded(text: str | None, what: str) -> Decimal:
    """The same of a trade: one in which nothing traded is none."""
    found = number(text, what)
    if found <= ZERO:
        raise _impossible(text, what)
    return found


def _impossible(text: str | None, what: str) -> FieldInvalid:
    return FieldInvalid(f"a {what} of {(text or '')[:TEXT_MAX]!a}, an amount that cannot be")


def is_key_refused(reply: Reply) -> bool:
    """Whether the venue does not accept the key."""
    return reply.verdict.outcome is Outcome.NO and reply.verdict.error is KeyRefused


def told(parsed: Mapping[str, Any]) -> Told:
    """A parsed private frame, as reports. A frame about anything else says nothing here.

    *Raises*: `FrameInvalid` for an amount that is no number, or that cannot be.
    """
    try:
        return _told(parsed)
    except FieldInvalid as error:
        raise FrameInvalid(f"a frame of kind {parsed['kind']} with {error.message}") from None


def _told(parsed: Mapping[str, Any]) -> Told:
    match parsed["kind"]:
        case "order" | "execution":
            return Told(
                [order_report(row) for row in parsed.get("orders", ())],
                [
                    execution
                    for row in parsed.get("executions", ())
                    if (execution := _execution(row)) is not None
                ],
                settlements=[
                    _settlement(row)
                    for row in parsed.get("executions", ())
                    if row["cause"] == "FUNDING"
                ],
            )
        case "position" | "balance" | "account":
            return Told(
                positions=[_position(row) for row in parsed["positions"]],
                balances=[
                    Balance(row["asset"], number(row["total_text"], "balance"), _available(row))
                    for row in parsed["balances"]
                    if row["total_text"] is not None
                ],
                is_settled=parsed["reason"] == "FUNDING_FEE",
            )
        case "stream_end":
            return Told(ends=parsed["reason"] or "the venue ends the stream")
    return Told()


def order_report(row: Mapping[str, Any]) -> OrderReport:
    """One parsed order."""
    status = _STATUS.get(row["status"] or "", Status.STRANGE)
    strange = row["unknown"]
    return OrderReport(
        row["symbol"],
        row["client_order_id"],
        row["exchange_order_id"],
        status if not strange else Status.STRANGE,
        amount(row["quantity_text"] or UNSAID, "quantity"),
        amount(row["filled_text"] or UNSAID, "filled quantity"),
        ", ".join(strange) if strange else row["venue_status"],
        row["reason"],
        row["child_order_id"] or "",
        row["ts_ns"],
        Side(row["side"]) if row["side"] else None,
        price=amount(row["price_text"] or UNSAID, "price") or None,
    )


def _execution(row: Mapping[str, Any]) -> Execution | None:
    """One parsed execution; `None` for an early one, which comes again with its fee, and for what
    moved money without a trade."""
    if row["is_early"] or row["side"] is None or row["cause"] in ("FUNDING", "SETTLEMENT"):
        return None
    side = Side(row["side"])
    return Execution(
        row["symbol"],
        row["client_order_id"],
        row["exchange_order_id"],
        execution_name(row["symbol"], row["exec_id"], side),
        side,
        traded(row["price_text"], "price"),
        traded(row["quantity_text"], "quantity"),
        number(row["fee_text"] or UNSAID, "fee"),
        row["fee_asset"] or "",
        bool(row["is_maker"]),
        row["ts_ns"],
    )


def _settlement(row: Mapping[str, Any]) -> Settlement:
    """One parsed execution that is a funding payment: its fee is what was paid, its price the mark
    price by which it was.
    """
    rate = row["fee_rate_text"]
    return Settlement(
        row["symbol"],
        f"{row['symbol']}-{row['exec_id']}",
        -number(row["fee_text"], "funding payment"),
        row["fee_asset"] or "",
        row["ts_ns"],
        number(rate, "funding rate") if rate else None,
        traded(row["price_text"], "price"),
    )


def _position(row: Mapping[str, Any]) -> Position:
    return Position(
        row["symbol"],
        number(row["quantity_text"], "position"),
        amount(row["entry_price_text"] or UNSAID, "price"),
        amount(row["mark_price_text"] or UNSAID, "price") or None,
        number(row["unrealized_pnl_text"] or UNSAID, "profit"),
        number(row["realized_pnl_text"] or UNSAID, "profit"),
        float(row["leverage_text"]) if row["leverage_text"] else None,
        number(row["liquidation_price_text"] or UNSAID, "price") or None,
    )


def _available(row: Mapping[str, Any]) -> Decimal:
    """Free for orders; where the venue does not say it for a coin, all that spot orders leave."""
    locked = amount(row["locked_text"] or UNSAID, "balance")
    if row["available_text"] is not None:
        return amount(row["available_text"], "balance")
    return number(row["total_text"], "balance") - locked
