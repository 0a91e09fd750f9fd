# SPDX-License-Identifier: Apache-2.0
"""`routing.py`: where to trade, as arithmetic: an order split over several books by what each lot
costs in the end, and whether to wait at the touch or to cross. Prices are in ticks of one common
grid and sizes in lots; who keeps the books and sends the orders is not here.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import msgspec

from hean.errors import ParameterInvalid

BOOK_AGE_MAX_NS = 500_000_000  # an older book is another market


class VenueBook(msgspec.Struct, frozen=True):
    """One venue's side of the book.

    *levels*: (ticks, lots), best first; *fee*: fraction of the value, paid by takers; *minimum*:
    smallest value of an order, in ticks x lots; *age_ns*: of the book; *penalty*: what else a lot
    costs there, as a fraction of its price (delay, refusals).
    """

    name: str
    levels: tuple[tuple[int, int], ...]
    fee: float = 0.0
    minimum: int = 0
    age_ns: int = 0
    penalty: float = 0.0


class Routed(msgspec.Struct, frozen=True):
    """*lots*: by venue, only where there is something; *cost*: value with fees, in ticks x lots,
    signed like a price paid; *unrouted*: lots no book had, or no order could be made of.
    """

    lots: dict[str, int]
    cost: float
    unrouted: int


def route(side: str, lots: int, books: Sequence[VenueBook], *, limit: int | None = None) -> Routed:
    """Cheapest split of *lots*: greedy over all levels by price with fees, which is exact while no
    venue's smallest order binds, because levels only get worse.

    A venue whose part is below its minimum is left out and its part goes to the others, smallest
    shortfall first; a book older than half a second is not there. *limit*: worst price in ticks.
    """
    if side not in ("BUY", "SELL") or lots < 0:
        raise ParameterInvalid(f"{side} {lots} lots cannot be routed.")
    sign = 1 if side == "BUY" else -1
    left = [book for book in books if book.age_ns <= BOOK_AGE_MAX_NS]
    while True:
        taken, values, cost, rest = _fill(sign, lots, left, limit)
        small = [book for book in left if 0 < values.get(book.name, 0) < book.minimum]
        if not small:
            return Routed({name: part for name, part in taken.items() if part}, cost, rest)
        left.remove(min(small, key=lambda book: values[book.name] / book.minimum))


def _fill(
    sign: int, lots: int, books: Sequence[VenueBook], limit: int | None
) -> tuple[dict[str, int], dict[str, int], float, int]:
    """Greedy over the merged levels: lots and value by venue, cost with fees, lots left."""
    heap = [(_all_in(sign, book, 0), at, 0) for at, book in enumerate(books) if book.levels]
    heapq.heapify(heap)
    taken: dict[str, int] = {}
    values: dict[str, int] = {}
    cost = 0.0
    while heap and lots:
        price, at, depth = heapq.heappop(heap)
        book = books[at]
        ticks, there = book.levels[depth]
        if limit is not None and sign * ticks > sign * limit:
            continue  # deeper levels of this book are worse still
        part = min(there, lots)
        lots -= part
        taken[book.name] = taken.get(book.name, 0) + part
        values[book.name] = values.get(book.name, 0) + part * ticks
        cost += price * part
        if depth + 1 < len(book.levels):
            heapq.heappush(heap, (_all_in(sign, book, depth + 1), at, depth + 1))
    return taken, values, cost, lots


def _all_in(sign: int, book: VenueBook, depth: int) -> float:
    """What a lot of this level costs; what a sell brings counts negative."""
    return book.levels[depth][0] * (sign + book.fee + book.penalty)


def is_maker_better(
    fill_chance: float,
    half_spread: float,
    *,
    maker_fee: float,
    taker_fee: float,
    adverse: float,
    drift: float = 0.0,
) -> bool:
    """Whether resting at the touch for a while beats crossing now.

    All costs as fractions of the price: *adverse*: mean move against a fill, given the fill;
    *drift*: mean move away, given none; *maker_fee* below 0 is a rebate. *fill_chance*: 0 to 1.
    """
    if not 0 <= fill_chance <= 1:
        raise ParameterInvalid(f"fill chance {fill_chance:g}; 0 to 1.")
    cross = -(taker_fee + half_spread)
    rest = fill_chance * (half_spread - maker_fee - adverse)
    return rest + (1 - fill_chance) * (cross - drift) > cross
