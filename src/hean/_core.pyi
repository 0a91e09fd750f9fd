# SPDX-License-Identifier: Apache-2.0
"""The Rust core as Python sees it. One block per file of `crates/py/src`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

Levels = Sequence[tuple[int, int]] | npt.NDArray[np.int64]

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
    def price_ticks(self, price: Decimal | int | str) -> int: ...
    def quantity_lots(self, quantity: Decimal | int | str) -> int: ...
    def quantise_price(self, price: float, rounding_name: str) -> int: ...
    def quantise_quantity(self, quantity: float) -> int: ...
    def price_decimal(self, ticks: int) -> Decimal: ...
    def quantity_decimal(self, lots: int) -> Decimal: ...

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

    def mark(self, symbol: str, price: Decimal | int | str | float) -> None: ...
    def funding(
        self, symbol: str, rate: Decimal | int | str, mark: Decimal | int | str | float
    ) -> Decimal:
        """Settle funding; returns the cash received, negative for a long at a positive rate."""

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

def state_hash(parts: list[bytes]) -> str: ...
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
# --- wire.rs

SNAPSHOT_BEGIN: int
EVENT_END: int

def parse_binance(frame: bytes) -> dict[str, Any] | None: ...
def parse_bybit(frame: bytes) -> dict[str, Any] | None: ...

class CaptureBuilder:
    """A recorded file, fed in chunks, to columns."""

    def __init__(self, *, symbol: str | None = None, market: str | None = None) -> None: ...
    def feed(self, chunk: bytes) -> None: ...
    def end_file(self) -> None: ...
    def finish(self) -> dict[str, Any]: ...
