# SPDX-License-Identifier: Apache-2.0
"""`documents.py`: the answers of a running engine, in the fields of CONTRACT 4. They are the schema
of the API as well. Money and quantities are decimal text, times ISO-8601 in UTC, ratios numbers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from hean.data.fingerprint import iso_utc

_TEXT = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["0.125"]}
_MOMENT = {"type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00Z"]}
Money = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema(_TEXT),
]
"""An exact number, as text outside."""
Moment = Annotated[
    int, PlainSerializer(iso_utc, return_type=str), WithJsonSchema(_MOMENT, mode="serialization")
]
"""UTC nanoseconds, ISO-8601 outside."""


class Document(BaseModel):
    """Base of all answers: made by us, so extra fields are a mistake of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Order(Document):
    """One order. *status*: INTENT SENT WORKING PARTIAL FILLED CANCELLED EXPIRED REJECTED UNKNOWN
    QUARANTINE ABSENT; *reason*: of its end, in words.
    """

    client_order_id: str
    exchange_order_id: str | None
    symbol: str
    side: str
    type: str
    time_in_force: str
    reduce_only: bool
    qty: Money
    price: Money | None
    trigger_price: Money | None
    filled_qty: Money
    avg_price: Money | None
    status: str
    strategy_id: str
    parent_id: str | None
    reason: str
    created_at: Moment
    updated_at: Moment


class Fill(Document):
    """One execution."""

    exec_id: str
    client_order_id: str
    symbol: str
    side: str
    price: Money
    qty: Money
    fee: Money
    fee_asset: str
    liquidity: str
    strategy_id: str
    ts: Moment


class Position(Document):
    """What is held of a symbol; *qty* is signed."""

    symbol: str
    qty: Money
    avg_price: Money
    mark_price: Money | None
    unrealized_pnl: Money
    realized_pnl: Money
    leverage: Money
    liquidation_price: Money | None


class Portfolio(Document):
    """The account at the last prices, quote currency. *pnl_today*: since midnight UTC, or since the
    session began if that was later.
    """

    equity: Money
    cash: Money
    deposits: Money
    pnl_total: Money
    pnl_today: Money
    realized_pnl: Money
    unrealized_pnl: Money
    fees: Money
    funding: Money
    used_margin: Money
    available: Money
    peak_equity: Money
    max_drawdown_fraction: float
    exposure: Money
    leverage: float
    positions: int
    open_orders: int
    mode: str
    ts: Moment


class EquityPoint(Document):
    """Equity as of a moment, quote currency."""

    ts: Moment
    equity: Money


class Strategy(Document):
    """A strategy with its parameters and what it earned. *orders*, *fills*, *refused*: since the
    session began.
    """

    id: str
    symbols: list[str]
    enabled: bool
    disabled_by: str | None
    params: dict[str, Any]
    pnl: Money
    orders: int
    fills: int
    refused: int


class Limit(Document):
    """A hard limit: *value* is `None` where it is off; *used*: what counts against it now, where
    that is one number.
    """

    name: str
    value: str | None
    used: str | None = None


class Risk(Document):
    """Limits against use, exposure, and what stops trading."""

    level: str
    limits: list[Limit]
    gross_exposure: Money
    leverage: float
    drawdown_fraction: float
    refusals: int
    unknown_orders: list[str]
    stale: dict[str, str]


class KillSwitch(Document):
    """The latch."""

    latched: bool
    level: str
    reason: str
    actor: str
    since: Moment | None


class Live(Document):
    """Which factor of live trading is missing; never the right phrase."""

    mode: str
    live_trading: bool
    missing: list[str]


class Status(Document):
    """The engine. *state*: STOPPED STARTING RUNNING HALTED STOPPING FAILED."""

    state: str
    mode: str
    origin: str
    symbols: list[str]
    strategies: list[str]
    started_at: Moment | None
    uptime_seconds: float
    events: int
    error: str | None


class Digest(Document):
    """A number and a hash that two engines of the same past share."""

    seq: int
    state_hash: str


class Refusal(Document):
    """What stands against something that was asked, in words."""

    missing: list[str] = Field(min_length=1)


class Told(Document):
    """Something worth knowing: an error, a change of health, a decision."""

    seq: int
    ts: Moment
    level: str
    component: str
    text: str


class Decision(Document):
    """An order as the governor judged it, or a strategy's wish. *verdict*: APPROVED, REJECTED."""

    seq: int
    ts: Moment
    client_order_id: str
    symbol: str
    strategy_id: str
    verdict: str
    reason: str


class Why(Document):
    """The causes of an order and what came of it, the oldest first."""

    order: Order
    decisions: list[Decision]
    fills: list[Fill]


class Opinion(Document):
    """What a model thinks; *kind* is its event type, *says* its fields."""

    seq: int
    ts: Moment
    kind: str
    says: dict[str, Any]


class Quote(Document):
    """The market of a symbol in a line. Prices are opinions here and therefore plain numbers."""

    symbol: str
    price: float | None
    bid: float | None
    ask: float | None
    spread_bps: float | None
    funding_rate: float | None
    next_funding: Moment | None
    ts: Moment | None


class Ladder(Document):
    """Levels of a book as (price, quantity), the best first."""

    symbol: str
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Trade(Document):
    """A trade of the market. *side*: who crossed."""

    ts: Moment
    price: float
    qty: float
    side: str


class Bar(Document):
    """Trades of five seconds or of a minute. *ts*: its beginning."""

    ts: Moment
    open: float
    high: float
    low: float
    close: float
    volume: float
