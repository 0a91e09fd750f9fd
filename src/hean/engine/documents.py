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
    """Which factor of live trading is missing; never the right phrase. *is_open*: whether new
    orders may leave; *live_trading*: and with money.
    """

    mode: str
    live_trading: bool
    missing: list[str]
    is_open: bool = False


class Status(Document):
    """The engine. *state*: STOPPED STARTING RUNNING HALTED STOPPING FAILED, or UNKNOWN where there
    is one that says nothing; *mode*: PAPER LIVE TESTNET, NONE without an engine, or UNKNOWN;
    *is_followed*: it is another process, which begins and ends elsewhere.
    """

    state: str
    mode: str
    origin: str
    symbols: list[str]
    strategies: list[str]
    started_at: Moment | None
    uptime_seconds: float
    events: int
    error: str | None
    is_followed: bool = False


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


class Step(Document):
    """A link of a chain: a row of the journal in words. *after_ms*: since the signal."""

    seq: int
    ts: Moment
    after_ms: float | None
    what: str
    says: str


class Rule(Document):
    """What a rule saw in a request, and whether it said no."""

    rule: str
    observed: str
    allowed: str
    is_breach: bool


class Chain(Document):
    """The causal chain of an order, as `hean why` tells it. *cost*: of all fills against the price
    that was seen, quote currency, positive when worse; *notes*: what the journal cannot tell.
    """

    reference: float | None
    cost: Money | None
    steps: list[Step]
    rules: list[Rule]
    notes: list[str]


class Why(Document):
    """The causes of an order and what came of it, the oldest first. *chain*: where there is a
    journal to be read.
    """

    order: Order
    decisions: list[Decision]
    fills: list[Fill]
    chain: Chain | None = None


class Holding(Document):
    """A position, or a coin, as our fills explain it and as the venue last showed it. *difference*:
    the venue's less ours; `None` where one of both is not told.
    """

    name: str
    expected: Money | None
    actual: Money | None
    difference: Money | None


class ListedOrder(Document):
    """An order that the venue and we do not show alike. *open_qty*: at the venue; *status*: ours,
    empty for one that we do not know.
    """

    order_id: str
    symbol: str
    open_qty: Money | None
    status: str


class Reconciled(Document):
    """Our books beside the venue's. *is_clean*: by the engine's last verdict, `None` before the
    first; *compared_at*: when that was; *lag_seconds*: since books last agreed; *differences*: of
    the last reading, each with what explains it; *orders*: in which both differ at this moment, so
    one may only be on its way; *undecided*: orders in quarantine, which need a person.
    """

    is_clean: bool | None
    compared_at: Moment | None
    lag_seconds: float | None
    read_at: Moment | None = None
    is_complete: bool | None = None
    holdings: list[Holding] = []
    orders: list[ListedOrder] = []
    differences: list[str] = []
    undecided: list[Order] = []
    note: str = ""


class Claimed(Document):
    """What a person says became of an order in quarantine. *claim*: never-made, ended."""

    order_id: str
    claim: str
    phrase: str
    reason: str


class Decided(Document):
    """What came of a claim, in words."""

    order_id: str
    done: str


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
    """Trades of some seconds. *ts*: its beginning."""

    ts: Moment
    open: float
    high: float
    low: float
    close: float
    volume: float


class Line(Document):
    """An indicator over bars; `None` where it has no value yet. *name*: as it was asked for, with
    the output's name where there are several; *pane*: `price` beside the candles, else its own.
    """

    name: str
    pane: str
    values: list[float | None]


class Check(Document):
    """What a rule sees in an order and what it allows."""

    rule: str
    observed: str
    allowed: str
    refuses: bool


class Preview(Document):
    """What an order would be judged like and what it would mean now. *verdict*: APPROVED, REJECTED;
    *price*: average, as the book stands; *slippage_bps*: of a market order, against the middle;
    *adverse_loss*: if the price goes that fraction against it, fee included.
    """

    verdict: str
    reason: str
    checks: list[Check]
    price: Money | None
    value: Money | None
    slippage_bps: float | None
    is_deep_enough: bool
    fee: Money | None
    position_after: Money
    leverage_after: float | None
    adverse_fraction: float
    adverse_loss: Money | None


class Indicators(Document):
    """Lines over the bars that begin at *ts*, each as long as that."""

    symbol: str
    seconds: int
    ts: list[Moment]
    lines: list[Line]
