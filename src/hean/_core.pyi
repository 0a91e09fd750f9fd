# SPDX-License-Identifier: Apache-2.0
"""The Rust core as Python sees it. One block per file of `crates/py/src`."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from hean.core.types import (
    AmendApproved,
    EventType,
    OrderAmended,
    OrderApproved,
    OrderFilled,
    OrderRequest,
    Payload,
)

Levels: TypeAlias = Sequence[tuple[int, int]] | npt.NDArray[np.int64]
_Column: TypeAlias = NDArray[np.float64]

# --- instrument.rs

class Instrument:
    """Trading rules of one symbol. Prices and quantities become exact counts here."""

    def __init__(
        self,
        symbol: str,
        kind: str,
        tick_size: str,
        lot_size: str,
        *,
        quantity_min: str | None = None,
        quantity_max: str | None = None,
        notional_min: str | None = None,
        tiers: list[tuple[str, str, str, str]] = ...,
    ) -> None: ...
    @property
    def symbol(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def tick_size(self) -> float: ...
    @property
    def lot_size(self) -> float: ...
    @property
    def lots_min(self) -> int: ...
    @property
    def lots_max(self) -> int: ...
    @property
    def notional_min(self) -> float: ...
    def price_ticks(self, price: Decimal | int | str) -> int: ...
    def quantity_lots(self, quantity: Decimal | int | str) -> int: ...
    def quantise_price(self, price: float, rounding_name: str) -> int: ...
    def quantise_quantity(self, quantity: float) -> int: ...
    def price_decimal(self, ticks: int) -> Decimal: ...
    def quantity_decimal(self, lots: int) -> Decimal: ...

# --- convert.rs

class Amount:
    """Exact money that stays in Rust on its way from one part of the core to another."""

    @property
    def decimal(self) -> Decimal: ...
    def __float__(self) -> float: ...

# --- book.rs

class Book:
    """Price levels of one symbol as its venue publishes them, in ticks and lots.

    Levels are (price, lots) pairs or an int64 array of shape (n, 2). A message that leaves the
    book crossed raises `BookCrossed` and empties it; an invalid level raises `DataInvalid` and
    changes nothing.
    """

    def __init__(self) -> None: ...
    def apply_snapshot(self, bids: Levels, asks: Levels) -> None: ...
    def apply_delta(self, bids: Levels, asks: Levels) -> None: ...
    def update(self, buy: bool, price_ticks: int, lots: int) -> None: ...
    def apply_batch(
        self,
        buy: npt.NDArray[np.bool_],
        price_ticks: npt.NDArray[np.int64],
        lots: npt.NDArray[np.int64],
        ends: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Set many levels in order. *ends*: rows that end a message, after which crossing is
        judged; without it all rows are one message. Releases the GIL."""

    def clear(self) -> None: ...
    def best_bid(self) -> tuple[int, int] | None: ...
    def best_ask(self) -> tuple[int, int] | None: ...
    def depth(self, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]: ...
    def imbalance(self, levels: int) -> float | None: ...
    def micro_price(self) -> float | None: ...
    def walk_cost(self, buy: bool, lots: int) -> tuple[int, float, int] | None: ...

class MatchingBook:
    """Price-time matching of everybody's orders in one symbol, in ticks and lots.

    A refused order still gets an id; `facts()` of the call says `("rejected", id, code)`.
    """

    def __init__(self, *, prevents_self_match: bool = False) -> None: ...
    def limit(
        self,
        buy: bool,
        price_ticks: int,
        lots: int,
        tif: str = "GTC",
        *,
        owner: int = 0,
        reducible: int | None = None,
    ) -> int: ...
    def market(
        self,
        buy: bool,
        lots: int,
        tif: str = "GTC",
        *,
        owner: int = 0,
        reducible: int | None = None,
    ) -> int: ...
    def stop(
        self,
        buy: bool,
        trigger_ticks: int,
        lots: int,
        *,
        price_ticks: int | None = None,
        rising: bool | None = None,
        tif: str = "GTC",
        owner: int = 0,
        reducible: int | None = None,
    ) -> int: ...
    def cancel(self, order_id: int) -> bool: ...
    def amend(
        self,
        order_id: int,
        *,
        price_ticks: int | None = None,
        lots: int | None = None,
        trigger_ticks: int | None = None,
    ) -> bool: ...
    def batch(
        self,
        kind: npt.NDArray[np.int8],
        buy: npt.NDArray[np.int8],
        px: npt.NDArray[np.int64],
        qty: npt.NDArray[np.int64],
    ) -> int: ...
    def facts(self) -> list[tuple[str | int, ...]]: ...
    def fills(self) -> list[tuple[int, int, int, int]]: ...
    def best_bid(self) -> int | None: ...
    def best_ask(self) -> int | None: ...
    def depth(
        self, levels: int
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]: ...
    @property
    def open_count(self) -> int: ...
    @property
    def trades(self) -> int: ...
    @property
    def last_price(self) -> int | None: ...

# --- order.rs

class OrderEngine:
    """The one door for orders: hard limits, reservations, single-use tickets, order states.

    Sizes and prices are `Decimal`, int or text and must lie on the grid; times are int ns UTC.
    Calls ending in `_raw` take counts (lots, ticks, numbers of `instrument_index` and
    `strategy_index`) and are the fast path. A refusal raises a `RiskRefusal` and leaves nothing.
    Facts return the status of CONTRACT 4; a fact that contradicts its order raises
    `IllegalTransition` and changes nothing but `illegal_facts`.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        limits: Mapping[str, object] | None = None,
        *,
        unlimited: bool = False,
    ) -> None: ...
    def copy(self) -> OrderEngine:
        """All of it once more, for who asks what would be."""

    def set_limits(self, limits: Mapping[str, object]) -> None: ...
    def instrument_index(self, symbol: str) -> int: ...
    def strategy_index(self, name: str) -> int: ...
    def approve(
        self,
        order_id: str,
        symbol: str,
        *,
        side: str,
        type: str,
        size: Decimal | int | str,
        now_ns: int,
        price: Decimal | int | str | None = None,
        trigger_price: Decimal | int | str | None = None,
        reduce_only: bool = False,
        time_in_force: str = "GTC",
        strategy_id: str = "",
        parent: str | None = None,
        is_sliced: bool = False,
    ) -> int: ...
    def approve_raw(
        self,
        order_id: str,
        instrument: int,
        is_buy: bool,
        lots: int,
        price_ticks: int | None,
        now_ns: int,
        order_type: int = 0,
        time_in_force: int = 0,
        reduce_only: bool = False,
        strategy: int = 0,
        trigger_ticks: int | None = None,
        /,
    ) -> int: ...
    def approve_order(
        self,
        request: OrderRequest | OrderApproved,
        order_id: str,
        now_ns: int,
        reference: float | None = None,
        equity: Amount | Decimal | int | str | None = None,
        /,
    ) -> int:
        """Judge a request and reserve the worst case; returns a ticket. Raises `RiskRefusal`.
        *reference*, *equity*: as of `set_mark` and `set_equity`, taken over first."""

    def report_order(
        self,
        request: OrderRequest | OrderApproved,
        order_id: str,
        now_ns: int,
        reference: float | None = None,
        equity: Amount | Decimal | int | str | None = None,
        /,
    ) -> list[tuple[str, str, str, bool]]:
        """Rule, observed, allowed, whether it says no, of every rule that concerns the request;
        `approve_order` at this moment would say the same. Nothing is reserved or kept. Raises for
        a request that makes no sense."""

    def redeem_order(self, approved: OrderApproved, ticket: int, now_ns: int, /) -> None:
        """Use a ticket; raises `TicketInvalid` if the fields are not those that were approved."""

    def count_fill(self, fill: OrderFilled, ts_ns: int, /) -> bool:
        """Count an execution once; says whether it was new. Raises `OrderError`."""

    def redeem(self, order_id: str, ticket: int, now_ns: int, /) -> None: ...
    def amend_approve(
        self,
        order_id: str,
        *,
        size: Decimal | int | str,
        now_ns: int,
        price: Decimal | int | str | None = None,
    ) -> int: ...
    def redeem_amend(self, approved: AmendApproved, ticket: int, now_ns: int, /) -> None:
        """Use a ticket; raises `TicketInvalid` if the terms are not those that were approved."""

    def readmit_amend(self, approved: AmendApproved) -> None:
        """Record new terms that an earlier process approved, without asking limits."""

    def on_amended(self, amended: OrderAmended, ts_ns: int, /) -> None:
        """The venue says what the terms of an order are, whoever asked for them."""

    def on_amend_rejected(self, order_id: str) -> None: ...
    def on_placed(self, order_id: str, ts_ns: int, exchange_order_id: str | None = None) -> str: ...
    def on_filled(
        self,
        order_id: str,
        exec_id: str,
        *,
        price: Decimal | int | str,
        qty: Decimal | int | str,
        ts_ns: int,
    ) -> str: ...
    def on_filled_raw(
        self, order_id: str, exec_number: int, price_ticks: int, lots: int, ts_ns: int, /
    ) -> str: ...
    def on_cancelled(self, order_id: str, ts_ns: int, reason: str = "") -> str: ...
    def on_expired(self, order_id: str, ts_ns: int, reason: str = "") -> str: ...
    def on_rejected(self, order_id: str, ts_ns: int, reason: str = "") -> str: ...
    def on_unknown(self, order_id: str, ts_ns: int) -> str: ...
    def on_quarantined(self, order_id: str, ts_ns: int) -> str: ...
    def on_absent(self, order_id: str, ts_ns: int) -> str: ...
    def cancel_requested(self, order_id: str) -> None: ...
    def on_cancel_rejected(self, order_id: str) -> None: ...
    def expire_tickets(self, now_ns: int) -> None: ...
    def get(self, order_id: str) -> dict[str, Any]: ...
    def status(self, order_id: str) -> str: ...
    def open_orders(self) -> list[dict[str, Any]]: ...
    def position(self, symbol: str) -> Decimal: ...
    def exposure(self, symbol: str) -> dict[str, Decimal]: ...
    def set_position(self, symbol: str, qty: Decimal | int | str) -> None: ...
    def set_mark(self, symbol: str, price: float | Decimal, now_ns: int, /) -> None: ...
    def set_mark_raw(self, instrument: int, ticks: int, now_ns: int, /) -> None: ...
    def set_equity(self, equity: Amount | Decimal | int | str) -> None: ...
    def set_loss(self, daily_fraction: float, drawdown_fraction: float) -> None: ...
    def halt(self, level: str) -> str: ...
    def release_halt(self) -> None: ...
    @property
    def halt_level(self) -> str: ...
    @property
    def illegal_facts(self) -> int: ...
    def canonical_bytes(self) -> bytes: ...
    def durable_bytes(self) -> bytes: ...
    def add_instrument(self, instrument: Instrument) -> None: ...
    def readmit(self, approved: OrderApproved, now_ns: int) -> int: ...

# --- desk.rs

class Desk:
    """One instrument of the venue twin: the recorded market with many accounts' orders in it.

    Executions are (key, is buy, price ticks, lots, lots left, is maker), a taker's before its
    maker's. Levels are text as the venue prints it; in changes, quantity zero removes.
    """

    def __init__(
        self, instrument: Instrument, *, price_decimals: int, quantity_decimals: int
    ) -> None: ...
    def depth(
        self, is_snapshot: bool, bids: list[tuple[int, int]], asks: list[tuple[int, int]]
    ) -> list[tuple[int, bool, int, int, int, bool]]: ...
    def trade(
        self, price_ticks: int, lots: int, is_buy: bool
    ) -> list[tuple[int, bool, int, int, int, bool]]: ...
    def enter(
        self,
        key: int,
        owner: int,
        is_buy: bool,
        lots: int,
        limit: int | None,
        life: str = "GTC",
        self_match: str = "allow",
    ) -> tuple[str, int, list[tuple[int, bool, int, int, int, bool]], list[int]]:
        """(outcome, lots left, executions, keys that self-matching ended). Outcomes: filled,
        resting, unfilled, would_trade, not_fillable, self_matched. Raises `ParameterInvalid`.
        """

    def cancel(self, key: int) -> int | None: ...
    def shrink(self, key: int, lots: int) -> bool: ...
    def open(self, key: int) -> int | None: ...
    def best(self, is_buy: bool) -> tuple[int, int] | None: ...
    def levels(self, depth: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]: ...
    def add_reader(self, depth: int) -> int: ...
    def changes(self, reader: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]: ...
    @property
    def last(self) -> int | None: ...
    def count(self, price: float, quantity: float) -> tuple[int, int]:
        """Nearest tick, and lots rounded down. Raises `NumberNotFinite`, `NumberOutOfRange`."""

# --- ledger.rs

class Ledger:
    """Exact account of linear perpetuals and spot in one quote currency.

    `equity == deposits + realized + unrealized - fees - liquidation_fees + funding_total` holds
    to 1e-12 after every call. A call that raises changes nothing. Exact numbers are `Decimal`,
    int or text; a float raises `TypeError`, except as a mark, where it goes to the nearest tick.
    """

    def __init__(
        self,
        cash: Decimal | int | str,
        instruments: list[Instrument],
        *,
        leverage: Decimal | int | str | None = None,
        allow_spot_borrowing: bool = False,
    ) -> None: ...
    @property
    def equity(self) -> Decimal: ...
    @property
    def equity_amount(self) -> Amount: ...
    @property
    def cash(self) -> Decimal: ...
    @property
    def deposits(self) -> Decimal: ...
    @property
    def realized(self) -> Decimal: ...
    @property
    def unrealized(self) -> Decimal: ...
    @property
    def fees(self) -> Decimal: ...
    @property
    def funding_total(self) -> Decimal: ...
    @property
    def liquidation_fees(self) -> Decimal: ...
    @property
    def used_margin(self) -> Decimal: ...
    @property
    def available(self) -> Decimal: ...
    @property
    def peak_equity(self) -> Decimal: ...
    @property
    def max_drawdown(self) -> Decimal: ...
    @property
    def max_drawdown_fraction(self) -> float: ...
    @property
    def equity_f64(self) -> float: ...
    @property
    def cash_f64(self) -> float: ...
    @property
    def realized_f64(self) -> float: ...
    @property
    def unrealized_f64(self) -> float: ...
    @property
    def fees_f64(self) -> float: ...
    @property
    def funding_total_f64(self) -> float: ...
    def set_leverage(self, symbol: str, leverage: Decimal | int | str) -> None: ...
    def fill(
        self,
        symbol: str,
        side: str,
        price: Decimal | int | str,
        qty: Decimal | int | str,
        fee: Decimal | int | str,
    ) -> tuple[Decimal, Decimal, Decimal, bool]:
        """Book a fill; `fee` in quote. Returns (realized, fee, position, was_flip)."""

    def book(self, fill: OrderFilled) -> None:
        """`fill` for a payload; raises and changes nothing, as `fill` does."""

    def is_held(self, symbol: str) -> bool: ...
    def mark(self, symbol: str, price: Decimal | str | float) -> None: ...
    def funding(
        self, symbol: str, rate: Decimal | str | float, mark: Decimal | str | float
    ) -> Decimal:
        """Settle funding; returns the cash received, negative for a long at a positive rate."""

    def receive_funding(self, symbol: str, amount: Decimal | int | str) -> None:
        """Book funding received, negative if paid, as an amount."""

    def transfer(self, amount: Decimal | int | str) -> None: ...
    def observe_equity(self) -> float: ...
    def position(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal | None]:
        """(quantity, average price, unrealized, realized, isolated liquidation price)."""

    def margin(self, symbol: str) -> tuple[Decimal, Decimal, Decimal | None]:
        """(initial margin, maintenance margin, bankruptcy price), by entry value."""

    def liquidation_due(self) -> bool: ...
    def liquidate(
        self, symbol: str, at: str, *, fee_rate: Decimal | int | str
    ) -> tuple[Decimal, Decimal, Decimal, bool]:
        """Close a perpetual at its `mark` or `bankruptcy` price; returns as `fill`."""

    def check(self) -> None: ...
    def canonical_bytes(self) -> bytes: ...
    def add_instrument(
        self, instrument: Instrument, *, leverage: Decimal | int | str | None = None
    ) -> None: ...
    def durable_bytes(self) -> bytes: ...

def state_hash(parts: list[bytes]) -> str: ...

# --- filter.rs, filter_level.rs, filter_rls.rs (see hean.filters)

_Pair: TypeAlias = tuple[float, float] | list[float]
_Square: TypeAlias = tuple[_Pair, _Pair] | list[list[float]]

class _Filter:
    """What every filter has; a name for readers and type checkers, not a class at run time."""

    @property
    def n_seen(self) -> int: ...
    def ready(self) -> bool: ...
    def snapshot(self) -> bytes: ...
    def restore(self, snapshot: bytes) -> None: ...

class KalmanHedge(_Filter):
    def __init__(
        self,
        q_beta: float,
        q_alpha: float,
        observation: float,
        *,
        start: str = "least_squares",
        window: int = 500,
        state: _Pair = ...,
        covariance: _Square = ...,
        first_noise: bool = False,
        scale: float = 1.0,
        centred: bool = True,
        gate: float | None = 15.1,
        adaptation: float = 0.0,
    ) -> None: ...
    def update(self, y: float, x: float, dt: float = 1.0) -> float: ...
    def batch(
        self, y: _Column, x: _Column, dt: _Column | None = None, *, out: _Column | None = None
    ) -> _Column: ...
    @property
    def value(self) -> float: ...
    @property
    def innovation(self) -> float: ...
    @property
    def innovation_variance(self) -> float: ...
    @property
    def beta(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    @property
    def beta_before(self) -> float: ...
    @property
    def covariance(self) -> list[list[float]]: ...
    @property
    def anchor(self) -> float: ...
    def move_anchor(self, anchor: float) -> None: ...
    @property
    def observation(self) -> float: ...
    @property
    def log_likelihood(self) -> float: ...
    @property
    def is_change(self) -> bool: ...
    @property
    def mean_nis(self) -> float: ...
    @property
    def is_healthy(self) -> bool: ...
    @property
    def n_missing(self) -> int: ...
    @property
    def n_rejected(self) -> int: ...
    @property
    def n_changes(self) -> int: ...
    @property
    def n_mended(self) -> int: ...
    @property
    def warmup(self) -> int: ...

def pair_positions(
    beta: float, amount: float, *, price_y: float, price_x: float, model: str = "log"
) -> tuple[float, float]: ...

class _Level(_Filter):
    def update(self, y: float) -> float: ...
    def batch(self, y: _Column, *, out: _Column | None = None) -> _Column: ...
    def smooth(self, y: _Column) -> _Column: ...
    def forecast(self, steps: int) -> _Column: ...
    @property
    def value(self) -> float: ...
    @property
    def variance(self) -> float: ...
    @property
    def innovation(self) -> float: ...
    @property
    def innovation_variance(self) -> float: ...
    @property
    def log_likelihood(self) -> float: ...
    @property
    def n_missing(self) -> int: ...

class LocalLevel(_Level):
    def __init__(
        self,
        irregular: float,
        level: float,
        *,
        mean: float = 0.0,
        variance: float | None = None,
        steady_tolerance: float = 0.0,
    ) -> None: ...
    @property
    def steady_variance(self) -> float: ...

class LocalTrend(_Level):
    def __init__(
        self,
        irregular: float,
        level: float,
        trend: float,
        *,
        mean: _Pair = ...,
        covariance: _Square | None = None,
        steady_tolerance: float = 0.0,
    ) -> None: ...
    @property
    def trend(self) -> float: ...
    @property
    def covariance(self) -> list[list[float]]: ...
    @property
    def steady_covariance(self) -> list[list[float]]: ...

class _Regression(_Filter):
    def update(self, y: float, x: _Column | Sequence[float]) -> float: ...
    def batch(self, y: _Column, x: _Column, *, out: _Column | None = None) -> _Column: ...
    @property
    def coefficients(self) -> _Column: ...

class RLS(_Regression):
    def __init__(
        self,
        regressors: int,
        *,
        forgetting: float = 0.99,
        initial_variance: float = 1e6,
        variance_max: float = 1e8,
    ) -> None: ...
    @property
    def covariance(self) -> _Column: ...

class QrRLS(_Regression):
    def __init__(self, regressors: int, *, forgetting: float = 1.0) -> None: ...
    @property
    def residual_deviation(self) -> float: ...
    @property
    def r_squared(self) -> float: ...

def least_squares(
    y: _Column, x: _Column, *, constant: bool = True
) -> tuple[_Column, float, float]: ...

# --- indicator.rs (see hean.indicators)

class _Indicator:
    """What every indicator has; a name for readers and type checkers, not a class at run time."""

    @property
    def value(self) -> float: ...
    @property
    def n_seen(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def settled(self) -> int: ...
    def ready(self) -> bool: ...
    def snapshot(self) -> bytes: ...
    def restore(self, snapshot: bytes) -> None: ...

class _OfValue(_Indicator):
    def update(self, value: float) -> float: ...
    def batch(self, value: _Column, *, out: _Column | None = None) -> _Column: ...

class _OfBar(_Indicator):
    def update(self, high: float, low: float, close: float) -> float: ...
    def batch(
        self, high: _Column, low: _Column, close: _Column, *, out: _Column | None = None
    ) -> _Column: ...

class _OfHighLow(_Indicator):
    def update(self, high: float, low: float) -> float: ...
    def batch(self, high: _Column, low: _Column, *, out: _Column | None = None) -> _Column: ...

class _OfVolumeBar(_Indicator):
    def update(self, high: float, low: float, close: float, volume: float) -> float: ...
    def batch(
        self,
        high: _Column,
        low: _Column,
        close: _Column,
        volume: _Column,
        *,
        out: _Column | None = None,
    ) -> _Column: ...

class SMA(_OfValue):
    def __init__(self, period: int) -> None: ...

class EMA(_OfValue):
    def __init__(self, period: int) -> None: ...

class EWM(_OfValue):
    def __init__(self, period: int) -> None: ...

class WMA(_OfValue):
    def __init__(self, period: int) -> None: ...

class DEMA(_OfValue):
    def __init__(self, period: int) -> None: ...

class TEMA(_OfValue):
    def __init__(self, period: int) -> None: ...

class RollingMin(_OfValue):
    def __init__(self, period: int) -> None: ...

class RollingMax(_OfValue):
    def __init__(self, period: int) -> None: ...

class ZScore(_OfValue):
    def __init__(self, period: int) -> None: ...

class LinregSlope(_OfValue):
    def __init__(self, period: int) -> None: ...

class KAMA(_OfValue):
    def __init__(self, period: int = 10) -> None: ...

class TRIX(_OfValue):
    def __init__(self, period: int = 15) -> None: ...

class RSI(_OfValue):
    def __init__(self, period: int = 14) -> None: ...

class Momentum(_OfValue):
    def __init__(self, period: int = 10) -> None: ...

class ROC(_OfValue):
    def __init__(self, period: int = 10) -> None: ...

class RollingStd(_OfValue):
    def __init__(self, period: int, ddof: int = 0) -> None: ...

class MACD(_OfValue):
    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None: ...
    @property
    def line(self) -> float: ...
    @property
    def signal(self) -> float: ...
    @property
    def histogram(self) -> float: ...

class Bollinger(_OfValue):
    def __init__(self, period: int = 20, width: float = 2.0) -> None: ...
    @property
    def upper(self) -> float: ...
    @property
    def middle(self) -> float: ...
    @property
    def lower(self) -> float: ...

class Moments(_OfValue):
    def __init__(self) -> None: ...
    @property
    def mean(self) -> float: ...
    @property
    def deviation(self) -> float: ...
    @property
    def autocorrelation(self) -> float: ...

class EwmaVariance(_OfValue):
    def __init__(self, decay: float = 0.94, *, initial: float | None = None) -> None: ...

class GarchVariance(_OfValue):
    def __init__(self, parameters: GarchParameters, start: float) -> None: ...
    @property
    def next_variance(self) -> float: ...

class RealizedVariance(_OfValue):
    def __init__(self, period: int) -> None: ...
    @property
    def realized(self) -> float: ...
    @property
    def bipower(self) -> float: ...
    @property
    def jumps(self) -> float: ...

class TimedEwmaVariance(_Indicator):
    def __init__(self, tau_s: float = 1800.0) -> None: ...
    def update(self, value: float, elapsed_s: float) -> float: ...
    def batch(
        self, value: _Column, elapsed_s: _Column, *, out: _Column | None = None
    ) -> _Column: ...

class IntradayProfile(_Indicator):
    def __init__(
        self, slot_minutes: int = 1, *, weeks: int = 4, funding_minutes: Sequence[int] = ()
    ) -> None: ...
    def update(self, minute: float, value: float) -> float: ...
    def batch(self, minute: _Column, value: _Column, *, out: _Column | None = None) -> _Column: ...
    @property
    def factor(self) -> float: ...
    def factors(self, first_minute: int, bar_minutes: int, bars: int) -> _Column: ...

class TrueRange(_OfBar):
    def __init__(self) -> None: ...

class ATR(_OfBar):
    def __init__(self, period: int = 14) -> None: ...

class NATR(_OfBar):
    def __init__(self, period: int = 14) -> None: ...

class WilliamsR(_OfBar):
    def __init__(self, period: int = 14) -> None: ...

class CCI(_OfBar):
    def __init__(self, period: int = 20) -> None: ...

class UltimateOscillator(_OfBar):
    def __init__(self, short: int = 7, middle: int = 14, long: int = 28) -> None: ...

class Stochastic(_OfBar):
    def __init__(self, period: int = 14, k_smooth: int = 3, d_smooth: int = 3) -> None: ...
    @property
    def k(self) -> float: ...
    @property
    def d(self) -> float: ...

class ADX(_OfBar):
    def __init__(self, period: int = 14) -> None: ...
    @property
    def adx(self) -> float: ...
    @property
    def plus_di(self) -> float: ...
    @property
    def minus_di(self) -> float: ...

class Aroon(_OfHighLow):
    def __init__(self, period: int = 25) -> None: ...
    @property
    def up(self) -> float: ...
    @property
    def down(self) -> float: ...

class ParabolicSAR(_OfHighLow):
    def __init__(self, step: float = 0.02, step_max: float = 0.2) -> None: ...

class AccumulationDistribution(_OfVolumeBar):
    def __init__(self) -> None: ...

class MFI(_OfVolumeBar):
    def __init__(self, period: int = 14) -> None: ...

class OBV(_Indicator):
    def __init__(self) -> None: ...
    def update(self, close: float, volume: float) -> float: ...
    def batch(self, close: _Column, volume: _Column, *, out: _Column | None = None) -> _Column: ...

class VWAP(_Indicator):
    def __init__(self, period: int | None = None) -> None: ...
    def update(self, price: float, volume: float) -> float: ...
    def batch(self, price: _Column, volume: _Column, *, out: _Column | None = None) -> _Column: ...
    def restart(self) -> None: ...

class RangeVolatility(_Indicator):
    def __init__(self, estimator: str, period: int, *, bars_per_year: float) -> None: ...
    def update(self, open: float, high: float, low: float, close: float) -> float: ...
    def batch(
        self,
        open: _Column,
        high: _Column,
        low: _Column,
        close: _Column,
        *,
        out: _Column | None = None,
    ) -> _Column: ...

class Five(_Indicator):
    def __init__(self) -> None: ...
    def update(self, value: float) -> None: ...
    def batch(self, value: _Column, *, out: _Column | None = None) -> _Column: ...
    @property
    def sma(self) -> float: ...
    @property
    def ema(self) -> float: ...
    @property
    def rsi(self) -> float: ...
    @property
    def macd(self) -> float: ...
    @property
    def signal(self) -> float: ...
    @property
    def histogram(self) -> float: ...
    @property
    def upper(self) -> float: ...
    @property
    def lower(self) -> float: ...

def five(closes: _Column, out: _Column | None = None) -> _Column: ...

# --- filter_garch.rs (see hean.filters)

class GarchParameters:
    def __init__(
        self,
        *,
        omega: float,
        alpha: float,
        beta: float,
        mu: float = 0.0,
        gamma: float = 0.0,
        nu: float = ...,
    ) -> None: ...
    @property
    def mu(self) -> float: ...
    @property
    def omega(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    @property
    def gamma(self) -> float: ...
    @property
    def beta(self) -> float: ...
    @property
    def nu(self) -> float: ...
    @property
    def persistence(self) -> float: ...
    @property
    def unconditional_variance(self) -> float: ...
    @property
    def half_life(self) -> float: ...
    def forecast(self, next_variance: float, steps: int) -> _Column: ...
    def horizon_variance(self, next_variance: float, steps: float) -> float: ...

class GarchFit:
    @property
    def parameters(self) -> GarchParameters: ...
    @property
    def log_likelihood(self) -> float: ...
    @property
    def is_converged(self) -> bool: ...
    @property
    def start_variance(self) -> float: ...
    @property
    def observations(self) -> int: ...
    @property
    def evaluations(self) -> int: ...

class GarchModel:
    def __init__(
        self,
        *,
        mean: str = "zero",
        asymmetric: bool = False,
        innovations: str = "normal",
        presample: str | float | None = None,
        persistence_max: float | None = 0.9995,
        variance_targeting: bool = False,
    ) -> None: ...
    def fit(self, returns: _Column, start: GarchParameters | None = None) -> GarchFit: ...
    def refit(
        self,
        returns: _Column,
        start: GarchParameters | None = None,
        *,
        realized: _Column | None = None,
    ) -> GarchRefit: ...
    def log_likelihood(self, returns: _Column, parameters: GarchParameters) -> float: ...
    def start_variance(self, returns: _Column, parameters: GarchParameters) -> float: ...
    def variances(self, returns: _Column, parameters: GarchParameters) -> _Column: ...
    def standard_errors(
        self, returns: _Column, parameters: GarchParameters
    ) -> dict[str, dict[str, float]]: ...

class GarchRefit:
    def advance(self, evaluations: int) -> bool: ...
    @property
    def fit(self) -> GarchFit: ...
    @property
    def reason(self) -> str | None: ...

def garch_backcast(returns: _Column, *, mean: str = "zero") -> float: ...

# --- sign.rs

class RequestSigner:
    """HMAC-SHA256 under a secret that cannot be read back."""

    def __init__(self, secret: str) -> None: ...
    def sign(self, text: bytes) -> str:
        """The lower-case hexadecimal signature."""

    def binance_frame(
        self,
        api_key: str,
        request_id: str,
        method: str,
        fields: Sequence[tuple[str, str]],
        timestamp_ms: int,
        /,
    ) -> bytes:
        """A signed request of Binance's WebSocket API; *fields* in any order, none to escape."""

    def binance_order(
        self, market: str, api_key: str, request_id: str, approved: Any, timestamp_ms: int, /
    ) -> bytes | None:
        """`OrderApproved` as a signed frame of that API; `None` if it goes by REST only."""

def binance_order_query(market: str, approved: Any, /) -> str | None:
    """`OrderApproved` as the query of a REST request, not yet signed; `None` for what goes to
    another book of the venue."""

# --- sim.rs

class SimVenue:
    """A simulated exchange that plays recorded markets. Columns are borrowed: contiguous and
    read-only arrays; `ts` in units of `ts_scale` ns. `refill` continues a played-out stream. See
    `crates/core/src/sim`.
    """

    offered: int
    """Market facts offered so far."""
    now_ns: int
    equity: Decimal
    """As the exchange counts it."""
    open_orders: int
    """Own orders resting at the venue."""

    def __init__(
        self,
        cash: str,
        *,
        entry_latency: tuple[str, list[float]],
        response_latency: tuple[str, list[float]],
        queue_model: str,
        half_spread: float,
        impact: float,
        needs_trade_through: bool,
        participation: float,
        seed: int,
    ) -> None: ...
    def add_instrument(
        self,
        instrument: Instrument,
        maker_fee: str,
        taker_fee: str,
        liquidation_fee: str,
        leverage: str,
    ) -> int: ...
    def add_candles(
        self,
        symbol: str,
        timeframe: str,
        timeframe_ns: int,
        ts: npt.NDArray[np.int64],
        ts_scale: int,
        columns: list[npt.NDArray[np.float64]],
    ) -> int: ...
    def add_trades(
        self,
        symbol: str,
        ts: npt.NDArray[np.int64],
        ts_scale: int,
        price: npt.NDArray[np.float64],
        qty: npt.NDArray[np.float64],
        side: npt.NDArray[np.uint8],
        refill: int | None = None,
    ) -> int: ...
    def add_quotes(
        self,
        symbol: str,
        ts: npt.NDArray[np.int64],
        ts_scale: int,
        columns: list[npt.NDArray[np.float64]],
        refill: int | None = None,
    ) -> int: ...
    def add_depth(
        self,
        symbol: str,
        ts: npt.NDArray[np.int64],
        ts_scale: int,
        side: npt.NDArray[np.uint8],
        price: npt.NDArray[np.float64],
        qty: npt.NDArray[np.float64],
        flags: npt.NDArray[np.uint8],
        refill: int | None = None,
    ) -> int: ...
    def add_funding(
        self,
        symbol: str,
        ts: npt.NDArray[np.int64],
        ts_scale: int,
        rate: npt.NDArray[np.float64],
        refill: int | None = None,
    ) -> int: ...
    def subscribe(self, wanted: frozenset[EventType]) -> None: ...
    def next(self, horizon_ns: int | None) -> tuple[int, tuple[Payload, ...]] | None: ...
    def submit(self, approved: OrderApproved, now_ns: int) -> None: ...
    def cancel(self, order_id: str, now_ns: int) -> None: ...
    def amend(
        self, order_id: str, price: Decimal | None, size: Decimal | None, now_ns: int
    ) -> None: ...
    def detail(self, symbol: str) -> str:
        """The finest recorded stream: bars, trades, touch or ladder."""

    def last_price(self, symbol: str) -> float | None: ...
    def watch(
        self,
        symbol: str,
        feed: str,
        conditions: list[list[tuple[str, float]]],
        wakes: list[tuple[str, int]],
        is_gate: bool,
    ) -> None: ...
    def wake(self, symbol: str) -> None: ...
    def holds(self, symbol: str, number: int) -> bool: ...
    def window(self, symbol: str, rows: int, column: str) -> npt.NDArray[np.float64]: ...

# --- program.rs

PROGRAM_WORDS: list[str]

_TrackRecord: TypeAlias = tuple[float, float, float, float]
_Kelly: TypeAlias = tuple[_TrackRecord | None, float, float]
_Sizing: TypeAlias = tuple[float, float, float, float, _Kelly]

def kelly_share(sharpe: float, years: float, strategies: float, share_max: float) -> float: ...
def position_value(
    method: str,
    numbers: _Sizing,
    *,
    equity: float,
    strength: float,
    sigma_daily: float,
) -> float: ...
def sized_quantity(
    instrument: Instrument,
    method: str,
    numbers: _Sizing,
    *,
    equity: Amount | Decimal,
    reference: float,
    strength: float,
    sigma_daily: float,
) -> Decimal: ...

class Conditions:
    """Compiled conditions; raises `ParameterInvalid` naming condition, word and what is wrong."""

    def __init__(self, conditions: list[list[tuple[str, float]]]) -> None: ...
    def step(self, open: float, high: float, low: float, close: float, volume: float) -> None: ...
    def holds(self, number: int) -> bool: ...

class NativeRun:
    """Rules traded in Rust on a venue, an engine and a ledger; `advance` releases the GIL."""

    counts: tuple[int, int, int]
    """Orders approved, orders refused, facts that did not fit."""
    last_seq: int
    now_ns: int

    def __init__(
        self,
        venue: SimVenue,
        engine: OrderEngine,
        *,
        symbols: tuple[str, ...],
        feed: str,
        conditions: list[list[tuple[str, float]]],
        size: Decimal | None,
        sizing: tuple[str, _Sizing],
        strategy_id: str,
        last_id: str,
        sample_step_ns: int,
        start_ns: int,
    ) -> None: ...
    def advance(
        self, venue: SimVenue, engine: OrderEngine, ledger: Ledger, instants: int
    ) -> bool: ...
    def samples(self) -> list[tuple[int, float, float]]:
        """(ts_ns, equity, signed value held)."""

    def fills(
        self, venue: SimVenue
    ) -> list[tuple[int, str, str, bool, Decimal, Decimal, Decimal, bool, bool, float]]:
        """(ts_ns, order id, symbol, is buy, price, qty, fee, is maker, is own, reference)."""

# --- wire.rs

SNAPSHOT_BEGIN: int
EVENT_END: int

def parse_bybit(frame: bytes) -> dict[str, Any] | None:
    """One message of a Bybit socket, public, private or trade; None when HEAN has no use for it.

    Each dict has `kind`, `symbol` (or None) and `ts_ns` (or None); names and meanings are the same
    for both venues. A name in `_text` is an exact decimal text or None where the venue sends
    nothing (for prices also where it sends 0); ids are text, empty when there is none.

    `trades`, `klines`, `book_ticker`, `depth_delta`, `depth_snapshot`, `ticker`, `mark_price`: the
    market, as `WireFeed` reads it.

    `order`: `orders`, and in `executions` what the same message executed (Binance; else empty).
        An order: market (`spot`, `linear`, None for others or when the frame is silent), symbol,
        client_order_id, exchange_order_id, child_order_id (of a triggered conditional order, or
        None), side (`BUY`, `SELL`), type, time_in_force (HEAN's words), status (a word of HEAN's
        order states: WORKING, PARTIAL, FILLED, CANCELLED, EXPIRED, REJECTED), venue_status,
        venue_type, venue_event (Binance `x` or None), price_text, trigger_price_text,
        quantity_text, filled_text, filled_value_text, average_text, reduce_only (or None),
        position_side (`BOTH`, `LONG`, `SHORT`, None on spot), reason (empty when none), ts_ns,
        created_ns (or None), sequence (Binance spot's `I`, else None), unknown.
    `execution`: `executions`. An execution: market, symbol, client_order_id, exchange_order_id,
        exec_id, side, cause (`TRADE`, `FUNDING`, `LIQUIDATION`, `DELEVERAGING`, `SETTLEMENT`),
        venue_cause, price_text, quantity_text, fee_text (positive when paid), fee_asset (or None),
        fee_rate_text (of `FUNDING` the settled rate; None where not said),
        is_maker (or None), is_early (no fee yet; the full one follows with the same exec_id),
        realized_pnl_text, position_side, ts_ns, sequence (Bybit `seq`), unknown.
    `position`, `balance`, `account`, `margin_call`: `balances`, `positions`, `totals` (or None),
        reason (Binance's occasion such as `FUNDING_FEE`, else empty).
        A position: market, symbol, position_side, quantity_text (signed), entry_price_text,
        mark_price_text, unrealized_pnl_text, realized_pnl_text, leverage_text,
        liquidation_price_text, take_profit_text, stop_loss_text, is_isolated, venue_status,
        is_reduce_only (None where not said), ts_ns, sequence, unknown.
        A balance: asset, total_text, available_text, locked_text, equity_text, change_text; a
        deposit or transfer of Binance spot has change_text alone.
        totals (Bybit, US dollars): equity_text, wallet_text, margin_text, available_text,
        initial_margin_text, maintenance_margin_text.
    `setting`: leverage (int or None), is_multi_asset (bool or None).
    `order_list`: list_id, client_list_id, list_status, order_status, reason, `orders` of symbol,
        client_order_id, exchange_order_id.
    `trigger_rejected`: exchange_order_id, reason. `stream_end`: reason (the event's name).
    `reply`: is_ok, id (of the request, as text, or None), operation (Bybit's `op`), code (or None),
        message, status (Binance's, as in HTTP, or None), exchange_order_id, client_order_id (of the
        result, or None), result_json (text of Bybit's `data` or Binance's `result`), extra_json
        (`retExtInfo`), `limits` of name, window_s (0: not said), limit, used, reset_ns (or None).

    A word of the venue that HEAN does not know leaves its field None and stands in `unknown` as
    `field=word`; a known word without equivalent (a trailing stop as type) only leaves None.
    *Raises*: `FrameInvalid`.
    """

def parse_binance(frame: bytes) -> dict[str, Any] | None:
    """One message of a Binance socket or a REST depth answer; see `parse_bybit`.

    `executionReport` and its siblings are read bare, in a combined stream, and in the `event` of
    the WebSocket API. *Raises*: `FrameInvalid`.
    """

class CaptureBuilder:
    """A recorded file, fed in chunks, to columns."""

    def __init__(self, *, symbol: str | None = None, market: str | None = None) -> None: ...
    def feed(self, chunk: bytes) -> None: ...
    def end_file(self) -> None: ...
    def finish(self) -> dict[str, Any]: ...

# --- feed.rs

class WireFeed:
    """The market data of one connection: bytes of a frame in, payloads out.

    *venue*: `bybit` or `binance`; *market*: `spot` or `linear`. It keeps the books in step and
    joins Bybit's ticker deltas. Frames of other symbols or kinds are counted and give `()`.
    """

    def __init__(self, venue: str, market: str, instruments: Sequence[Instrument]) -> None: ...
    def push(self, frame: bytes, /) -> tuple[Payload, ...]:
        """Take one message.

        `Tick` a trade, `Tick` with volume 0 and the mid as price when the quote changes, `Book` for
        each applied snapshot and delta, `Candle` when one closes, `Funding` when rate or time
        changed. *Raises*: `FrameInvalid`; the frame is counted and changed nothing.
        """

    def snapshot(self, symbol: str, frame: bytes, /) -> tuple[Payload, ...]:
        """Take Binance's REST depth answer: a `Book` for it and for each delta that waited.

        `()` when it is older than what waited; then `resync` names the symbol again. *Raises*:
        `FrameInvalid`, `UnknownSymbol`.
        """

    def resync(self) -> tuple[str, ...]:
        """Symbols whose book waits for a snapshot, each once per break.

        Binance: fetch it by REST and pass it to `snapshot`. Bybit: subscribe again.
        """

    def lost(self) -> None:
        """The connection is lost: drop all books, buffers and quotes."""

    def book(self, symbol: str) -> Book:
        """A copy of the book, in ticks and lots; empty while there is none."""

    def book_id(self, symbol: str) -> int | None:
        """The venue's update id the book stands at; None while there is no book."""

    def touch(self, symbol: str) -> tuple[float, float, float, float] | None:
        """(bid, its quantity, ask, its quantity), or None while they are not both known."""

    def marks(self, symbol: str) -> tuple[float | None, float | None, float | None, int | None]:
        """(mark price, index price, funding rate, next funding in ns) as last heard."""

    def counters(self) -> dict[str, int]:
        """What was counted so far.

        frames, bad (refused), ignored (no market fact), unknown_symbols, gaps, stale (book updates
        older than the book or before its snapshot), crossed, overflows (too much waited), repeated
        (trades and candles told before), suspects (prices more than a tenth away from last trade,
        best bid to ask and mark, held back until another source agrees; a book with such best
        prices is dropped and named by `resync`).
        """

# --- exchange.rs, hmc.rs

class OrderResult:
    """How an order stands after a call."""

    @property
    def order_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def qty(self) -> Decimal: ...
    @property
    def filled_qty(self) -> Decimal: ...
    @property
    def avg_price(self) -> Decimal | None: ...
    @property
    def fills(self) -> list[tuple[Decimal, Decimal]]:
        """(price, quantity) of each fill, first to last."""

    @property
    def residue(self) -> float:
        """What the given float quantity had beyond the lot."""

    @property
    def latency_us(self) -> float:
        """Time spent in the core by this call."""

class ExchangePosition:
    """A position with its profit."""

    @property
    def symbol(self) -> str: ...
    @property
    def qty(self) -> Decimal: ...
    @property
    def avg_price(self) -> Decimal | None: ...
    @property
    def mark_price(self) -> Decimal | None: ...
    @property
    def realized_pnl(self) -> Decimal: ...
    @property
    def unrealized_pnl(self) -> Decimal: ...
    @property
    def fees(self) -> Decimal: ...

class Exchange:
    """Order engine, matching books and ledger of one account, in this process.

    Safe to call from many threads: each call borrows the exchange exclusively. An order that the
    limits refuse is a result with status REJECTED; an order that makes no sense raises.
    """

    on_fill: Callable[[int, int, int], object] | None
    """Called as `on_fill(order, price_ticks, lots)` once a fill is booked."""

    def __init__(
        self,
        *,
        cash: str = "0",
        maker_fee: str = "0",
        taker_fee: str = "0",
        limits: Mapping[str, object] | None = None,
    ) -> None: ...
    def add_instrument(self, instrument: Instrument) -> int: ...
    def place_market_order(self, symbol: str, side: str, qty: float) -> OrderResult: ...
    def place_limit_order(
        self, symbol: str, side: str, qty: float, price: float, *, time_in_force: str = "GTC"
    ) -> OrderResult: ...
    def cancel_order(self, order_id: str) -> OrderResult: ...
    def modify_order(
        self, order_id: str, *, qty: float | None = None, price: float | None = None
    ) -> OrderResult:
        """*qty*: new total, fills included."""

    def get_order(self, order_id: str) -> OrderResult: ...
    def get_position(self, symbol: str) -> ExchangePosition: ...
    def add_liquidity(self, symbol: str, side: str, qty: float, price: float) -> int:
        """The other side of trades: an offer of the market, which is no order of the account."""

    def place(
        self,
        instrument: int,
        is_buy: bool,
        lots: int,
        price_ticks: int | None = None,
        tif: int = 0,
        now_ns: int | None = None,
    ) -> int: ...
    def cancel(self, order: int, now_ns: int | None = None) -> None: ...
    def amend(
        self,
        order: int,
        price_ticks: int | None = None,
        lots: int | None = None,
        now_ns: int | None = None,
    ) -> None: ...
    def supply(self, instrument: int, is_buy: bool, lots: int, price_ticks: int) -> int: ...
    def withdraw(self, instrument: int, offer: int) -> bool: ...
    def fills(self) -> list[tuple[int, int, int, bool]]: ...
    def status(self, order: int) -> str: ...
    def order_id(self, order: int) -> str: ...
    @property
    def open_orders(self) -> int: ...
    @property
    def cash(self) -> Decimal: ...
    @property
    def equity(self) -> Decimal: ...

# --- rng.rs

def philox(key: Sequence[int], counter: Sequence[int], /) -> list[int]:
    """Four numbers of 64 bits under *key* (run seed, stream) at *counter* (4 parts, low first)."""

def splitmix64(seed: int, count: int, /) -> list[int]: ...
def xoshiro256starstar(state: Sequence[int], count: int, /) -> list[int]:
    """*Raises*: `ValueError` for a state of zeros."""

# --- filter_change.rs

class _Bocpd(_OfValue):
    """Outputs: short_probability, map_run_length, predicted, log_evidence, hypotheses, dropped."""

    @property
    def short_probability(self) -> float: ...
    @property
    def map_run_length(self) -> float: ...
    @property
    def predicted(self) -> float: ...
    @property
    def log_evidence(self) -> float: ...
    @property
    def hypotheses(self) -> float: ...
    @property
    def dropped(self) -> float: ...
    @property
    def predictive_mean(self) -> float: ...
    def probability_below(self, run_length: int) -> float: ...
    def run_length_posterior(self) -> _Column: ...

class BOCPD(_Bocpd):
    """Mean and variance of a segment unknown: Normal-inverse-Gamma prior."""

    def __init__(
        self,
        hazard_lambda: float = 250.0,
        *,
        mean: float = 0.0,
        kappa: float = 1.0,
        alpha: float = 1.0,
        beta: float = 1.0,
        window: int = 15,
        run_length_max: int = 500,
        prune: float = 1e-6,
    ) -> None: ...

class BOCPDKnownVariance(_Bocpd):
    """Mean of a segment unknown, with *variance*; *noise*: variance of a value around it."""

    def __init__(
        self,
        hazard_lambda: float = 250.0,
        *,
        mean: float = 0.0,
        variance: float = 1.0,
        noise: float = 1.0,
        window: int = 15,
        run_length_max: int = 500,
        prune: float = 1e-6,
    ) -> None: ...

class CUSUM(_OfValue):
    """Outputs: upper, lower, upper_rows, lower_rows, alarm (1 above, -1 below, 0 none)."""

    def __init__(self, target: float = 0.0, *, slack: float = 0.5, limit: float = 5.0) -> None: ...
    @property
    def upper(self) -> float: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper_rows(self) -> float: ...
    @property
    def lower_rows(self) -> float: ...
    @property
    def alarm(self) -> float: ...

class EwmaChart(_OfValue):
    """Outputs: smoothed value, alarm (1 above, -1 below, 0 none)."""

    def __init__(
        self,
        weight: float = 0.2,
        *,
        target: float = 0.0,
        deviation: float = 1.0,
        width: float = 3.0,
    ) -> None: ...
    @property
    def alarm(self) -> float: ...
    @property
    def limits(self) -> tuple[float, float]: ...

# --- filter_hmm.rs

class HMM:
    """Parameters of a hidden Markov model. Observations: shape (n,) or, Gaussian only, (n, 2)."""

    @staticmethod
    def gaussian(
        start: _Column, transition: _Column, means: _Column, covariances: _Column
    ) -> HMM: ...
    @staticmethod
    def poisson(start: _Column, transition: _Column, rates: _Column) -> HMM: ...
    @staticmethod
    def categorical(start: _Column, transition: _Column, table: _Column) -> HMM: ...
    @staticmethod
    def fit(
        observations: _Column,
        kind: str,
        states: int,
        *,
        symbols: int = 0,
        starts: int = 20,
        iterations: int = 500,
        tolerance: float = 1e-6,
        variance_floor: float = 0.01,
        sticky: float = 50.0,
        seed: int = 0,
    ) -> tuple[HMM, float, float, int, bool]:
        """The model, its log likelihood, BIC, steps, and whether it has converged. *kind*:
        diagonal, full, poisson or categorical; states come in ascending order of variance, rate or
        chance of the first symbol. Releases the GIL."""

    @property
    def states(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> _Column: ...
    @property
    def transition(self) -> _Column: ...
    @property
    def means(self) -> _Column: ...
    @property
    def covariances(self) -> _Column: ...
    def reordered(self, order: Sequence[int]) -> HMM: ...
    def log_likelihood(self, observations: _Column) -> float: ...
    def filtered(self, observations: _Column) -> _Column: ...
    def smoothed(self, observations: _Column) -> _Column: ...
    def viterbi(self, observations: _Column) -> tuple[NDArray[np.int64], float]: ...

class RegimeFilter:
    """Forward filter of a model over a live series."""

    def __init__(
        self, model: HMM, *, enter: float = 0.7, leave: float = 0.3, dwell: int = 15
    ) -> None: ...
    def update(self, value: float, second: float | None = None) -> int: ...
    def batch(self, observations: _Column) -> _Column: ...
    @property
    def probabilities(self) -> tuple[float, ...]: ...
    @property
    def most_likely(self) -> int: ...
    @property
    def regime(self) -> int | None: ...
    @property
    def log_likelihood(self) -> float: ...
    @property
    def n_seen(self) -> int: ...
    def ready(self) -> bool: ...
    def snapshot(self) -> bytes: ...
    def restore(self, snapshot: bytes) -> None: ...

def switching_autoregression(
    series: _Column,
    means: Sequence[float],
    coefficients: Sequence[float],
    variances: Sequence[float],
    transition: _Column,
    *,
    smoothed: bool = False,
) -> tuple[float, _Column, _Column | None]:
    """Log likelihood given the first values, one a lag; filtered and smoothed chances of every
    value after them, shape (regimes, n - lags). *transition*: row: from, column: to."""

# --- trees.rs

class TreeModel:
    """Gradient-boosted trees: what LightGBM or XGBoost trained, evaluated without them.

    *trees*: nodes of each tree, the root first, a leaf as `(value,)`, a split as
    `(feature, threshold, left, right, is_missing_left)`. *rule*: when a split goes left, `<=`
    (LightGBM, ONNX) or `<` (XGBoost). *precision*: `double`, or `single` for XGBoost and ONNX.
    *base*: what the sum starts from. *link*: `identity` or `sigmoid`. nan in a row is a missing
    value. *Raises*: `DataInvalid` for a damaged model, naming the line, and for a row of another
    length; `ParameterInvalid` for what is not supported; `NumberNotFinite` for infinity.
    """

    def __init__(
        self,
        trees: Sequence[Sequence[tuple[float] | tuple[int, float, int, int, bool]]],
        features: Sequence[str],
        *,
        rule: str = "<=",
        precision: str = "double",
        base: float = 0.0,
        link: str = "identity",
    ) -> None: ...
    @staticmethod
    def lightgbm(text: str) -> TreeModel: ...
    @staticmethod
    def xgboost(json: str) -> TreeModel: ...
    def to_single(self) -> TreeModel: ...
    def predict(self, row: _Column | Sequence[float]) -> float: ...
    def raw(self, row: _Column | Sequence[float]) -> float: ...
    def predict_many(self, rows: NDArray[np.float64], *, raw: bool = False) -> _Column: ...
    def splits(self) -> list[tuple[int, float]]: ...
    @property
    def features(self) -> list[str]: ...
    @property
    def n_trees(self) -> int: ...
    @property
    def n_nodes(self) -> int: ...
    @property
    def is_probability(self) -> bool: ...

# --- feature.rs

class FeatureKernel:
    """The features of one symbol; `hean.models.features.FeatureSet` is its face."""

    def __init__(self, names: Sequence[str], bar_ns: int) -> None: ...
    def tick(
        self,
        ts_ns: int,
        price: float,
        volume: float,
        bid: float | None = None,
        ask: float | None = None,
    ) -> None: ...
    def book(
        self,
        ts_ns: int,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        is_snapshot: bool,
    ) -> None: ...
    def bar(self, open: float, high: float, low: float, close: float, volume: float) -> None: ...
    def funding(self, rate: float) -> None: ...
    def values(self, ts_ns: int) -> dict[str, float] | None: ...
    def values_into(self, ts_ns: int, row: _Column) -> None: ...
    def specs(self) -> list[tuple[str, int, str, float, float, float, str]]: ...
    @property
    def n_seen(self) -> int: ...
    def snapshot(self) -> bytes: ...
    def restore(self, snapshot: bytes) -> None: ...

# --- symbiont.rs

GENOME_WORDS: list[str]

_GenomeWords: TypeAlias = list[tuple[str, float]] | None
_GenomeRow: TypeAlias = tuple[_GenomeWords, _GenomeWords, _GenomeWords, float, int, float]

class SymbiontGround:
    """A market and the terms on which genomes are judged on it. A symbol: instrument, fees (maker,
    taker), leverage, length of a bar [ns], open times, the five columns (frozen arrays), times and
    rates of funding, extra columns. A genome: postfix words of long, short and exit, stop,
    hold, size.
    """

    def __init__(
        self,
        symbols: list[tuple[Any, ...]],
        *,
        cash: str,
        latency_ns: tuple[int, int],
        slippage: tuple[float, float],
        sizing: tuple[str, _Sizing],
        sample_step_ns: int,
        start_ns: int,
    ) -> None: ...
    def judge(
        self, genomes: list[_GenomeRow], *, threads: int = 1, keeps_deals: bool = False
    ) -> list[tuple[Any, ...]]:
        """For each: orders, rejected, samples of equity, equity, fees, funding received, largest
        drawdown [fraction], when it was ruined [ns] or None, columns of round trips (symbol,
        decided, over, direction, result, value), deals (known [ns], symbol, is buy, price, qty, is
        stop). The GIL is released; threads change nothing but the time.
        """

    def column(self, symbol: int, words: list[tuple[str, float]]) -> npt.NDArray[np.float64]:
        """A number at each row of a symbol, nan where undefined."""

class GenomeWatch:
    """A genome on so many symbols beside a running market: the judge's evaluator, bar by bar."""

    def __init__(self, genome: _GenomeRow, symbols: int, extras: int = 0) -> None: ...
    def bar(
        self,
        symbol: int,
        end_ns: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        extras: list[float] = ...,
    ) -> tuple[bool, bool, bool, float]:
        """Opens long, opens short, closes, average true range of 14 bars."""

    def funding(self, symbol: int, rate: float) -> None: ...
