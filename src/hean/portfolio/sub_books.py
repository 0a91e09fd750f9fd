# SPDX-License-Identifier: Apache-2.0
"""`sub_books.py`: several strategies on one account, each with books of its own. The venue knows
one position for a symbol, the sum; here every fill, fee and payment is booked a second time, whole,
to the strategy it was for, in the same exact ledger. What is nobody's, such as a liquidation beyond
what strategies hold and the rounding of funding, is in the residual book. So the books add up to
the account to the last 1e-12, which `check` recomputes. It sends nothing. Rules: docs/adr/0017.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

from msgspec.structs import replace

from hean._core import Instrument, Ledger
from hean.core.module import Module, on
from hean.core.types import Event, EventType, Funding, OrderFilled, Side
from hean.errors import LedgerBroken, OrderSizeInvalid, ParameterInvalid, UnknownField
from hean.portfolio.portfolio import book_fill, book_funding

RESIDUAL = ""  # the book of what no strategy did, and of capital that none was given
UNIT = Decimal(1).scaleb(-12)  # the ledger's
ZERO = Decimal(0)


class SubBooks(Module):
    """One virtual book for each of *strategies*, and the residual one, beside the *account*'s.

    *account*: books of the whole account, kept by the portfolio, which hears each fact first. What
    it holds when this begins is the residual book's: its cash, and no position.
    """

    name = "sub_books"
    truth = True

    def __init__(
        self, account: Ledger, instruments: Mapping[str, Instrument], strategies: Iterable[str]
    ) -> None:
        self.account = account
        self.instruments = instruments
        names = tuple(strategies)
        if len({RESIDUAL, *names}) != len(names) + 1:
            raise ParameterInvalid(f"sub-books: names {names}; each strategy needs one of its own.")
        if any(account.is_held(symbol) for symbol in instruments):
            raise ParameterInvalid("sub-books begin with a flat account: nobody knows whose it is.")
        self.books = {name: self._book(ZERO) for name in names}
        self.books[RESIDUAL] = self._book(account.equity)
        self._deposits = account.deposits
        self._funding = account.funding_total

    def _book(self, cash: Decimal) -> Ledger:
        # A strategy may sell coins that another one bought: the account has them.
        return Ledger(cash, list(self.instruments.values()), allow_spot_borrowing=True)

    def _of(self, strategy: str) -> Ledger:
        if strategy not in self.books:
            known = ", ".join(name or "the residual book" for name in self.books)
            raise UnknownField(f"no sub-book {strategy!r}; there are {known}.")
        return self.books[strategy]

    # ------------------------------------------------------------ what happened

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """To whom it belongs: the strategy of the order, and of what the venue did of its own
        accord, those who held what was closed.
        """
        fill: OrderFilled = event.data
        if not fill.is_forced:
            owner = fill.strategy_id if fill.strategy_id in self.books else RESIDUAL
            book_fill(self.books[owner], fill)
            return
        for owner, part in self._forced(fill):
            book_fill(self.books[owner], part)

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Each book settles on its own position, by rate and mark price; the residual one gets what
        roundings leave of what the account received. Between strategies that are against each
        other, one pays the other.
        """
        funding: Funding = replace(event.data, amount=None)
        received = self.account.funding_total - self._funding
        self._funding = self.account.funding_total
        for name, book in self.books.items():
            before = book.funding_total
            if name != RESIDUAL and book_funding(book, funding):
                received -= book.funding_total - before
        if received:
            self.books[RESIDUAL].receive_funding(funding.symbol, received)

    def _forced(self, fill: OrderFilled) -> list[tuple[str, OrderFilled]]:
        """A forced fill by parts: in proportion to the positions it closes, whole lots, the largest
        remainders first, then by name; what closes nobody's is the residual book's.
        """
        rules = self.instruments[fill.symbol]
        sign = 1 if fill.side is Side.BUY else -1
        lots = rules.quantity_lots(fill.filled_qty)
        held = {
            name: -sign * rules.quantity_lots(abs(quantity)) * (1 if quantity > 0 else -1)
            for name in self.books
            if (quantity := self.position(name, fill.symbol))
        }
        open_lots = {name: size for name, size in sorted(held.items()) if size > 0}
        parts = _shares(min(lots, sum(open_lots.values())), open_lots)
        parts[RESIDUAL] = parts.get(RESIDUAL, 0) + lots - sum(parts.values())
        found, fee_left = [], fill.fee
        owners = [name for name, part in parts.items() if part]
        for name in owners:
            is_last = name == owners[-1]
            share = (fill.fee * parts[name] / lots).quantize(UNIT, ROUND_DOWN)
            fee = fee_left if is_last else share
            fee_left -= fee
            quantity = rules.quantity_decimal(parts[name])
            found.append((name, replace(fill, filled_qty=quantity, fee=fee, strategy_id=name)))
        return found

    # ------------------------------------------------------------ between strategies

    def open(self, strategy: str) -> None:
        """Begin an empty book. *Raises*: `ParameterInvalid` if there is one."""
        if strategy in self.books:
            raise ParameterInvalid(f"sub-books: {strategy!r} has a book already.")
        self.books[strategy] = self._book(ZERO)

    def allocate(self, strategy: str, amount: Decimal) -> None:
        """Give capital of the residual book to a strategy, or take it back where it is negative.
        *Raises*: `InsufficientMargin` for more than there is to give.
        """
        source, target = self.books[RESIDUAL], self._of(strategy)
        self._take_transfers()
        giver = source if amount > 0 else target
        giver.transfer(-abs(amount))
        (target if amount > 0 else source).transfer(abs(amount))

    def cross(
        self, symbol: str, *, buyer: str, seller: str, quantity: Decimal, price: Decimal
    ) -> None:
        """Let one strategy sell to another without the venue: no fee, no order, and the account is
        as it was. *price*: between bid and ask, or one would be robbed; the caller knows them.
        *Raises*: `OrderSizeInvalid`, and what the ledger refuses a fill for.
        """
        if buyer == seller:
            raise OrderSizeInvalid(f"{symbol}: {buyer!r} would trade with itself.")
        rules = self.instruments[symbol]
        rules.price_ticks(price)
        rules.quantity_lots(quantity)
        bought, sold = self._of(buyer), self._of(seller)
        bought.fill(symbol, Side.BUY, price, quantity, ZERO)
        sold.fill(symbol, Side.SELL, price, quantity, ZERO)

    # ------------------------------------------------------------ reading

    def position(self, strategy: str, symbol: str) -> Decimal:
        """Signed, in base units."""
        return self._of(strategy).position(symbol)[0]

    def profit(self, strategy: str) -> Decimal:
        """Realised and unrealised, fees and funding inside, at the account's marks as of `mark`."""
        book = self._of(strategy)
        return book.equity - book.deposits

    def mark(self, symbol: str, price: Decimal | str | float) -> None:
        """Value a symbol in all books, the account's included."""
        for book in (self.account, *self.books.values()):
            book.mark(symbol, price)

    def check(self) -> None:
        """Add the books up. *Raises*: `LedgerBroken` naming the first sum that is not the
        account's. Equity is compared at the marks that `mark` has set.
        """
        self._take_transfers()
        books = list(self.books.values())
        for word in ("equity", "deposits", "fees", "funding_total"):
            total, whole = sum(getattr(book, word) for book in books), getattr(self.account, word)
            if total != whole:
                raise LedgerBroken(
                    f"sub-books: {word} adds up to {total}, the account has {whole}."
                )
        for symbol in self.instruments:
            held = sum(book.position(symbol)[0] for book in books)
            whole = self.account.position(symbol)[0]
            if held != whole:
                raise LedgerBroken(
                    f"sub-books: {symbol} adds up to {held}, the account holds {whole}."
                )

    def _take_transfers(self) -> None:
        """Deposits and withdrawals of the account are the residual book's."""
        moved = self.account.deposits - self._deposits
        if moved:
            self.books[RESIDUAL].transfer(moved)
            self._deposits = self.account.deposits


def _shares(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """*total* divided in proportion, whole, the largest remainders first, no part above its
    weight; *total* is at most the sum of the weights.
    """
    whole = sum(weights.values())
    parts = {name: total * weight // whole for name, weight in weights.items()}
    by_rest = sorted(weights, key=lambda name: -(total * weights[name] % whole))
    for name in by_rest[: total - sum(parts.values())]:
        parts[name] += 1
    return parts
