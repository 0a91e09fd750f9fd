# SPDX-License-Identifier: Apache-2.0
"""The Rust core as Python sees it. One block per file of `crates/py/src`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

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

# --- book.rs

Levels: TypeAlias = Sequence[tuple[int, int]] | npt.NDArray[np.int64]

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
