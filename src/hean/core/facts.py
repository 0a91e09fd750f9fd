# SPDX-License-Identifier: Apache-2.0
"""`facts.py`: what markets, models, the account and the machine say. Orders are in `orders.py`.

Market and model numbers are opinions and therefore floats; balances and profit are `Decimal`.
Fields are only ever added, at the end, with a default: old journals stay readable, and the Rust
core builds these classes by position.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from hean.core.listing import pair_of
from hean.core.vocabulary import Delivery, EventType, Payload

ZERO = Decimal(0)


class Tick(Payload, frozen=True, gc=False):
    """One trade or quote change. *timestamp*: the exchange's time in ns."""

    event_type: ClassVar = EventType.TICK
    delivery: ClassVar = Delivery.IN_ORDER
    key: ClassVar = "symbol"

    symbol: str
    price: float
    volume: float
    timestamp: int
    bid: float | None = None
    ask: float | None = None


class Book(Payload, frozen=True, gc=False):
    """Price levels, best first, as (price, quantity): the whole book or what changed."""

    event_type: ClassVar = EventType.BOOK
    delivery: ClassVar = Delivery.ALL_OR_RESYNC
    key: ClassVar = "symbol"

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    is_snapshot: bool
    timestamp: int = 0


class Candle(Payload, frozen=True, gc=False):
    """A closed candle. *timestamp*: its opening time in ns; the event's `ts_ns` is the close."""

    event_type: ClassVar = EventType.CANDLE
    delivery: ClassVar = Delivery.IN_ORDER
    key: ClassVar = "symbol"

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    timeframe: str
    timestamp: int


class Funding(Payload, frozen=True, gc=False):
    """A funding rate: settled where there is a mark price or *settled_ns*, the venue's time of it;
    else as it stands now. *rate*: fraction of notional, paid by longs when positive.

    A payment of an account with money bears its name: *exec_id*, the venue's id of it, unique;
    *amount*: received, negative when paid, to the last digit the venue tells; *asset*: the coin.
    Where the venue keeps the rate to itself there is no mark price, and it teaches nothing. On
    paper the payment follows from rate, mark price and position.
    """

    event_type: ClassVar = EventType.FUNDING
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "symbol"

    symbol: str
    rate: float
    next_ts: int = 0
    mark_price: float | None = None
    exec_id: str = ""
    amount: Decimal | None = None
    asset: str = ""
    settled_ns: int = 0

    @property
    def is_forecast(self) -> bool:
        """Whether nothing was settled."""
        return self.mark_price is None and not (self.settled_ns or self.exec_id)

    @property
    def has_rate(self) -> bool:
        """Whether it tells a rate that was settled."""
        return not self.is_forecast and (self.mark_price is not None or not self.exec_id)

    @property
    def is_in_quote(self) -> bool:
        """Whether the payment is money of the ledger."""
        return not self.asset or pair_of(self.symbol).endswith(self.asset)


class FeaturesReady(Payload, frozen=True):
    """The inputs of a model, by name. *timestamp*: stamp in ns of the fact they were computed on,
    from which a deadline counts; *fingerprint*: tells how each was computed, empty for features
    that nobody can check.
    """

    event_type: ClassVar = EventType.FEATURES_READY
    delivery: ClassVar = Delivery.IN_ORDER
    key: ClassVar = "symbol"

    symbol: str
    features: dict[str, Any]
    timestamp: int = 0
    fingerprint: str = ""


class MlPrediction(Payload, frozen=True):
    """What a model answered, in whatever shape the model answers."""

    event_type: ClassVar = EventType.ML_PREDICTION
    delivery: ClassVar = Delivery.IN_ORDER
    key: ClassVar = "symbol"

    prediction: Any
    symbol: str = ""
    confidence: float | None = None
    extra: dict[str, Any] | None = None


class HedgeRatio(Payload, frozen=True, gc=False):
    """State of a pair, named `Y/X`. *beta*: hedge ratio that *spread*, what y is above its
    expectation, was measured with; *spread_z*: the same in standard deviations. *variance*: that
    the spread was expected to have; *alpha*: intercept; *ready*: whether the model has forgotten
    its start; *healthy*: whether its spreads have been as wide as it expected.
    """

    event_type: ClassVar = EventType.HEDGE_RATIO
    delivery: ClassVar = Delivery.NEWEST_PER_KEY
    key: ClassVar = "pair"

    pair: str
    beta: float
    spread: float
    spread_z: float
    variance: float = 0.0
    alpha: float = 0.0
    ready: bool = True
    healthy: bool = True


class VolForecast(Payload, frozen=True, gc=False):
    """Expected volatility. *sigma*: standard deviation of the log return over *horizon_s*."""

    event_type: ClassVar = EventType.VOL_FORECAST
    delivery: ClassVar = Delivery.NEWEST_PER_KEY
    key: ClassVar = "symbol"

    symbol: str
    sigma: float
    horizon_s: float


class Changepoint(Payload, frozen=True, gc=False):
    """Belief that the market changed. *run_length*: likely observations since the last change;
    *settled*: chance that none has happened for long, `P(r >= 60)`; *streams*: what says that one
    has, names joined by commas.
    """

    event_type: ClassVar = EventType.CHANGEPOINT
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "symbol"

    symbol: str
    probability: float
    run_length: int
    settled: float = 0.0
    streams: str = ""


class Regime(Payload, frozen=True, gc=False):
    """Name of the market's present regime."""

    event_type: ClassVar = EventType.REGIME
    delivery: ClassVar = Delivery.NEWEST_PER_KEY
    key: ClassVar = "symbol"

    symbol: str
    regime: str
    confidence: float


class Position(Payload, frozen=True, gc=False):
    """The venue's word on a position. *qty*: signed, in base units."""

    event_type: ClassVar = EventType.POSITION
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "symbol"

    symbol: str
    qty: Decimal
    avg_price: Decimal
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    leverage: float | None = None
    liquidation_price: Decimal | None = None


class Balance(Payload, frozen=True, gc=False):
    """The venue's word on one asset."""

    event_type: ClassVar = EventType.BALANCE
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "asset"

    asset: str
    total: Decimal
    available: Decimal


class OpenOrder(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An open order as the venue lists it. *size*: whole; both in base units."""

    client_order_id: str
    exchange_order_id: str
    symbol: str
    size: Decimal
    filled: Decimal


class AccountRead(Payload, frozen=True, gc=False):
    """One reading of the whole account, after everything in it was told. *positions*, *balances*:
    symbol or asset and signed quantity; *is_complete*: whether no list had an end missing;
    *began_ns*: when the reading began.
    """

    event_type: ClassVar = EventType.ACCOUNT_READ
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "account"

    began_ns: int
    is_complete: bool
    orders: tuple[OpenOrder, ...] = ()
    positions: tuple[tuple[str, Decimal], ...] = ()
    balances: tuple[tuple[str, Decimal], ...] = ()
    account: str = ""


class PnlUpdate(Payload, frozen=True, gc=False):
    """Profit of the account in quote currency; fees and funding are inside `realized_pnl`."""

    event_type: ClassVar = EventType.PNL_UPDATE
    delivery: ClassVar = Delivery.NEWEST_PER_KEY
    key: ClassVar = "account"

    total_pnl: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    equity: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    drawdown_fraction: float = 0.0
    account: str = ""


class Reconcile(Payload, frozen=True, gc=False):
    """Result of comparing our books with the venue's. *differences*: one sentence each."""

    event_type: ClassVar = EventType.RECONCILE
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "account"

    clean: bool
    differences: tuple[str, ...] = ()
    lag_s: float = 0.0
    account: str = ""


LOCKED = "LOCKED"
"""The level of a stop at which nothing passes but cancels, so no exit either."""


class KillswitchTriggered(Payload, frozen=True, gc=False):
    """Trading is to stop. *level*: how far the stop goes, from HALT_NEW upwards; *actor*: who or
    what asked; *is_final*: nobody may release it while this process lives.
    """

    event_type: ClassVar = EventType.KILLSWITCH_TRIGGERED
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "account"

    reason: str
    timestamp: int
    level: str = "HALT_NEW"
    account: str = ""
    actor: str = ""
    is_final: bool = False


class KillswitchReleased(Payload, frozen=True, gc=False):
    """Trading may go on: *actor*, a person, has looked and says why in *reason*."""

    event_type: ClassVar = EventType.KILLSWITCH_RELEASED
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "account"

    reason: str
    timestamp: int
    actor: str
    account: str = ""


class Command(Payload, frozen=True):
    """A person or program asks for something. *actor*: who, for the audit."""

    event_type: ClassVar = EventType.COMMAND
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = ""

    verb: str
    arguments: dict[str, Any]
    actor: str


class Timer(Payload, frozen=True):
    """A moment somebody asked for with `clock.call_at`."""

    event_type: ClassVar = EventType.TIMER
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = ""

    name: str
    data: Any = None


class Health(Payload, frozen=True):
    """How a component is. *watermark*: a number that grows while it makes progress."""

    event_type: ClassVar = EventType.HEALTH
    delivery: ClassVar = Delivery.NEWEST_PER_KEY
    key: ClassVar = "component"

    component: str
    state: str
    watermark: int = 0
    extra: dict[str, Any] | None = None


class Error(Payload, frozen=True, gc=False):
    """Something failed. *event_seq*: the event being handled, 0 when there was none."""

    event_type: ClassVar = EventType.ERROR
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "component"

    component: str
    error: str
    timestamp: int
    event_seq: int = 0
