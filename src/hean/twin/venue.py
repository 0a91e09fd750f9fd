# SPDX-License-Identifier: Apache-2.0
"""`venue.py`: the exchange of the twin, without a wire. One writer: every call runs to its end and
tells what happened to the listeners, in order; a dialect turns that into frames. Market facts come
in through `market_*`, requests through `place`, `amend`, `cancel`, time through `step`. It knows no
key, no URL and no error code.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Any

from hean.twin import checks
from hean.twin.account import Account
from hean.twin.faults.quirks import Quirks
from hean.twin.fills import Books
from hean.twin.ledger import TwinLedger
from hean.twin.market import TwinMarket
from hean.twin.orders import (
    ZERO,
    BalanceEvent,
    BookChange,
    Event,
    NewOrder,
    Order,
    OrderEvent,
    PositionEvent,
    Refused,
    Status,
    TradePrint,
    Why,
)

# Where an order that cannot do what it asks is refused before it exists.
REFUSES: dict[tuple[str, str], frozenset[str]] = {
    ("binance", "spot"): frozenset({"would_trade"}),
    ("binance", "linear"): frozenset({"would_trade", "not_fillable"}),
}
# Where an order holds its money back while it waits for its trigger.
LOCKS_WAITING = frozenset({("binance", "spot")})
ENDINGS = {
    "unfilled": Why.NO_LIQUIDITY,
    "not_fillable": Why.NOT_FILLABLE,
    "would_trade": Why.WOULD_TAKE,
    "self_matched": Why.SELF_MATCH,
}


class TwinVenue:
    """An exchange with its markets and accounts.

    *now*: ns UTC of the exchange's clock. *rng*: for ids. *refuses_reused_ids*: a client id is
    unique for ever (Bybit) and not only among open orders (Binance).
    """

    def __init__(
        self, exchange: str, *, now: Callable[[], int], rng: random.Random, ledger: TwinLedger
    ) -> None:
        self.exchange = exchange
        self.now = now
        self.rng = rng
        self.ledger = ledger
        self.quirks = Quirks()
        self.refuses_reused_ids = exchange == "bybit"
        self.markets: dict[tuple[str, str], TwinMarket] = {}
        self.accounts: list[Account] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.orders: dict[int, Order] = {}
        """Orders at a desk, by key."""
        self.conditional: dict[tuple[str, str], dict[int, Order]] = {}
        self.deadlines: dict[Any, tuple[int, Callable[[], object]]] = {}
        """When to do what; an order that is a key takes its deadline along when it ends."""
        self.books = Books(self)
        self._last_key = 0
        self._last_number = 0
        self.last_trade = 5_000_000

    # --- what there is

    def market(self, market: str, symbol: str) -> TwinMarket:
        """A listed symbol. *Raises*: `Refused` (UNKNOWN_SYMBOL)."""
        found = self.markets.get((market, symbol))
        if found is None:
            raise Refused(Why.UNKNOWN_SYMBOL, text=symbol)
        return found

    def steady(self) -> int:
        """Nanoseconds that pass evenly, whatever the clock says that answers. In them limits are
        counted: all machines of an exchange share the counters, and none sets them by its clock.
        """
        return self.now() - self.quirks.clock_off_ns

    def markets_of(self, market: str) -> list[TwinMarket]:
        """All symbols of `spot` or `linear`."""
        return [each for (kind, _), each in self.markets.items() if kind == market]

    def open_orders(self, account: Account) -> list[Order]:
        """Oldest first; those too that a fault hides from whoever asks for them: they live."""
        waiting = (order for each in self.conditional.values() for order in each.values())
        mine = [order for order in chain(self.orders.values(), waiting) if order.account is account]
        return sorted(mine, key=lambda order: order.number)

    def emit(self, event: Event) -> None:
        """Tell the listeners."""
        for listener in self.listeners:
            listener(event)

    # --- orders in

    def place(self, account: Account, new: NewOrder, *, market: str) -> Order:
        """Take an order: check, register, match. *Returns*: the order as it stands afterwards.

        *Raises*: `Refused`; nothing has changed then.
        """
        where = self.market(market, new.symbol)
        if account.is_banned:
            raise Refused(Why.NOT_TRADING)
        self.quirks.before_place(account, new)
        self.check_client_id(account, market, new.client_id)
        checks.check_terms(account, where, new)
        quantity = self.quantity_of(account, where, new)
        if new.trigger is not None:
            return self._wait(account, where, new, quantity)
        locked = checks.check_money(account, where, new, quantity)
        order = self._order(account, where, new, quantity)
        self._enter(order, is_new=True, locks=locked)
        return order

    def quantity_of(self, account: Account, market: TwinMarket, new: NewOrder) -> Decimal:
        """Base quantity of a request: given, reducible, or bought with an amount of money."""
        if new.quote_quantity is not None:
            return checks.swept_quantity(market, new.side, new.quote_quantity)
        quantity = new.quantity or ZERO
        if (new.reduce_only or new.close_all) and new.trigger is None:
            there = checks.reducible(account, market, new.side, new.position_side)
            return there if new.close_all else min(quantity, there)
        return quantity

    def amend(
        self,
        order: Order,
        *,
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        trigger_price: Decimal | None = None,
        keeps_place: bool = True,
    ) -> None:
        """Change an open order; `None` stays. A smaller quantity keeps its place in the queue if
        the venue lets it, all else goes to the end and may trade.

        *Raises*: `Refused`; the order stays as it was.
        """
        self.quirks.before_amend(order)
        if not order.is_open:
            raise Refused(Why.ORDER_CLOSED)
        market, now_ns = order.market, self.now()
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        old_trigger = None if order.trigger is None else order.trigger.price
        new_trigger = old_trigger if trigger_price is None else trigger_price
        if (new_price, new_quantity, new_trigger) == (order.price, order.quantity, old_trigger):
            raise Refused(Why.AMEND_UNCHANGED)
        if new_quantity <= order.filled:
            raise Refused(Why.AMEND_BELOW_FILLED, allowed=order.filled)
        if new_price is not None and price is not None:
            checks.check_price(market, new_price, side=order.side)
        checks.check_quantity(market, new_quantity, is_market=new_price is None)
        if not order.reduce_only:
            checks.check_value(market, new_quantity, new_price)
        elif order.status is not Status.UNTRIGGERED:
            checks.check_fits(order, new_quantity - order.filled)
        if order.status is Status.UNTRIGGERED:
            if order.trigger is not None and new_trigger is not None:
                checks.check_price(market, new_trigger, side=None)
                order.trigger.price = new_trigger
            if order.locked:
                self._relock(order, new_price, new_quantity)
            order.price, order.quantity = new_price, new_quantity
            self.note("amended", order, now_ns)
            return
        stays = keeps_place and new_price == order.price and new_quantity < order.quantity
        self._amend_working(order, new_price, new_quantity, stays=stays)

    def cancel(self, order: Order, why: Why = Why.REQUESTED, *, cancel_id: str = "") -> None:
        """End an open order. *Raises*: `Refused` (ORDER_CLOSED)."""
        if why is Why.REQUESTED:
            self.quirks.before_cancel(order)
        if not order.is_open:
            raise Refused(Why.ORDER_CLOSED)
        order.cancel_id = cancel_id
        order.market.desk.cancel(order.number)
        self.finish(order, Status.CANCELLED, why)
        self.emit(BookChange(order.market, self.now()))

    def cancel_all(
        self, orders: Iterable[Order], why: Why = Why.REQUESTED, *, cancel_id: str = ""
    ) -> list[Order]:
        """End many. *Returns*: those that were open."""
        found = [order for order in orders if order.is_open]
        for order in found:
            is_spared = why is Why.REQUESTED and self.quirks.spares(order)
            if order.is_open and not is_spared:
                self.cancel(order, why, cancel_id=cancel_id)
        return found

    # --- market facts in

    def market_depth(
        self,
        market: TwinMarket,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        *,
        is_snapshot: bool,
        is_event: bool = False,
    ) -> None:
        """The market's book changed; levels in ticks and lots, absolute, zero removes."""
        rows = market.desk.depth(is_snapshot, market.shifted(bids), market.shifted(asks))
        now_ns = self.now()
        if rows:
            self.books.book(market, rows, prints=True)
        self.emit(BookChange(market, now_ns, is_event))

    def market_trade(
        self, market: TwinMarket, ticks: int, lots: int, *, is_buy: bool, at_ns: int | None = None
    ) -> None:
        """Somebody traded; orders of accounts that it reaches are filled from it, each by a trade
        of its own, as everywhere: an id of a trade never stands for two orders that rested.
        *at_ns*: when, if it was due before now.
        """
        ticks = max(1, ticks + market.shift_ticks)
        rows = market.desk.trade(ticks, lots, is_buy)
        price, pieces = market.price(ticks), [row[3] for row in rows] or [lots]
        pieces[0] += max(0, lots - sum(pieces))
        for piece, row in zip_longest(pieces, rows):
            quantity = market.quantity(piece)
            print_ = self.print(market, price, quantity, is_buy=is_buy, at_ns=at_ns)
            if row is not None:
                self.books.book(market, [row], prints=False, trade_number=print_.number)
        if rows:
            self.emit(BookChange(market, self.now()))
        self.books.wake(market)

    def print(
        self,
        market: TwinMarket,
        price: Decimal,
        quantity: Decimal,
        *,
        is_buy: bool,
        at_ns: int | None = None,
    ) -> TradePrint:
        """Publish a trade."""
        self.last_trade += 1
        listing = market.listing
        before_ns = market.trades[-1].ts_ns if market.trades else 0
        print_ = TradePrint(
            market,
            self.last_trade,
            max(self.now() if at_ns is None else at_ns, before_ns),
            listing.price_text(price),
            listing.quantity_text(quantity),
            is_buy,
        )
        market.printed(print_)
        self.emit(print_)
        return print_

    # --- the ends of orders

    def finish(self, order: Order, status: Status, why: Why | None) -> None:
        """Close an order and let go of what it held."""
        order.status, order.why = status, why
        self.release(order)
        kind = {Status.EXPIRED: "expired", Status.REJECTED: "rejected"}.get(status, "cancelled")
        self.note(kind, order, self.now(), why)

    def release(self, order: Order) -> None:
        """Forget an order that has ended as an open one."""
        account = order.account
        account.open_orders.pop(order.number, None)
        self.orders.pop(order.number, None)
        self.conditional.get(order.market.key, {}).pop(order.number, None)
        self.deadlines.pop(order, None)
        if order.locked:
            self.lock(order, -order.locked)

    def lock(self, order: Order, amount: Decimal) -> None:
        """Hold spot money or coins back for an order, or give them free (negative)."""
        listing = order.market.listing
        coin = listing.quote if order.side == "BUY" else listing.base
        order.locked += amount
        locked = order.account.locked
        locked[coin] = locked.get(coin, ZERO) + amount

    def note(self, kind: str, order: Order, now_ns: int, why: Why | None = None) -> None:
        """Ledger and listeners learn of a change of an order."""
        order.updates += 1
        order.updated_ns = now_ns
        self.ledger.order(kind, order, now_ns, why)
        self.emit(OrderEvent(order, kind, now_ns))
        listing = order.market.listing
        if listing.market == "linear":
            position = order.account.position(order.market, order.position_side)
            self.emit(PositionEvent(order.account, position, now_ns))
        elif kind != "triggered":
            name = order.account.wallet_name("spot")
            coin = listing.quote if order.side == "BUY" else listing.base
            self.emit(BalanceEvent(order.account, name, (coin,), "ORDER", now_ns))

    def trigger(self, order: Order) -> None:
        """A conditional order fires: it enters the book as what it stands for."""
        self.conditional.get(order.market.key, {}).pop(order.number, None)
        account, market = order.account, order.market
        order.was_triggered = True
        order.status = Status.NEW
        self.note("triggered", order, self.now())
        if order.close_all or order.reduce_only:
            there = checks.reducible(account, market, order.side, order.position_side)
            if not there:
                self.finish(order, Status.CANCELLED, Why.POSITION_CLOSED)
                return
            order.quantity = there if order.close_all else min(order.quantity, there)
        if order.locked:
            self.lock(order, -order.locked)
        new = NewOrder(
            market.symbol,
            order.side,
            order.quantity,
            order.price,
            reduce_only=order.reduce_only or order.close_all,
            position_side=order.position_side,
        )
        try:
            locked = checks.check_money(account, market, new, order.quantity)
        except Refused as refusal:
            self.finish(order, Status.REJECTED, refusal.why)
            return
        self._enter(order, is_new=False, locks=locked)

    def step(self) -> None:
        """Let time do its work: deadlines, trailing stops, funding, liquidation."""
        now_ns = self.now()
        for key, (due_ns, act) in list(self.deadlines.items()):
            if due_ns <= now_ns:
                self.deadlines.pop(key, None)
                act()
        for market in self.markets.values():
            self.books.wake(market)
            if market.listing.market == "linear" and market.next_funding_ns <= now_ns:
                self.books.settle(market)
        for account in self.accounts:
            self.books.check_solvency(account)

    # --- inside

    def check_client_id(self, account: Account, market: str, client_id: str) -> None:
        """*Raises*: `Refused` (DUPLICATE_CLIENT_ID)."""
        if not client_id:
            return
        before = account.client_ids(market).get(client_id)
        is_taken = before is not None and (self.refuses_reused_ids or before.is_open)
        if is_taken or (self.refuses_reused_ids and client_id in account.spent_ids):
            raise Refused(Why.DUPLICATE_CLIENT_ID, text=client_id)

    def rename(self, order: Order, client_id: str) -> None:
        """Give an order another client id. *Raises*: `Refused` (DUPLICATE_CLIENT_ID)."""
        self.check_client_id(order.account, order.market.listing.market, client_id)
        order.account.forget_client_id(order)
        order.client_id = client_id
        order.account.client_ids(order.market.listing.market)[client_id] = order

    def _order(
        self, account: Account, market: TwinMarket, new: NewOrder, quantity: Decimal
    ) -> Order:
        self._last_number += 1
        now_ns = self.now()
        return Order(
            number=self._last_number,
            order_id=self._order_id(market),
            client_id=new.client_id,
            account=account,
            market=market,
            side=new.side,
            price=new.price,
            quantity=quantity,
            life=new.life,
            reduce_only=new.reduce_only or (checks.closes(new) and market.key[0] == "linear"),
            close_all=new.close_all,
            position_side=new.position_side,
            trigger=new.trigger,
            self_match=new.self_match,
            created_ns=now_ns,
            updated_ns=now_ns,
            quote_quantity=new.quote_quantity,
            extra=new.extra,
        )

    def _order_id(self, market: TwinMarket) -> str:
        if self.exchange == "bybit" and market.listing.market == "linear":
            return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        base = 1_900_000_000_000_000_000 if self.exchange == "bybit" else 28_000_000_000
        return str(base + self._last_number)

    def _wait(
        self, account: Account, market: TwinMarket, new: NewOrder, quantity: Decimal
    ) -> Order:
        is_locking = (self.exchange, market.key[0]) in LOCKS_WAITING
        locked = checks.check_money(account, market, new, quantity) if is_locking else ZERO
        order = self._order(account, market, new, quantity)
        order.status = Status.UNTRIGGERED
        order.account.remember(order)
        if locked:
            self.lock(order, locked)
        self.conditional.setdefault(market.key, {})[order.number] = order
        self.note("new", order, self.now())
        return order

    def _enter(self, order: Order, *, is_new: bool, locks: Decimal = ZERO) -> None:
        """Bring an order to its desk and book what comes of it. *locks*: what it holds back."""
        market = order.market
        limit = order.price if order.price is not None else checks.market_bound(market, order.side)
        life = "IOC" if order.price is None else order.life
        word, _, rows, ended = market.desk.enter(
            order.number,
            order.account.number,
            order.side == "BUY",
            market.lots(order.left),
            None if limit is None else market.ticks(limit),
            life,
            order.self_match,
        )
        if is_new:
            if word in REFUSES.get((self.exchange, market.listing.market), ()):
                raise Refused(ENDINGS[word])
            order.account.remember(order)
        if locks:
            self.lock(order, locks)
        self.orders[order.number] = order
        if is_new:
            self.note("new", order, self.now())
        self.books.book(market, rows, prints=True)
        for number in ended:
            met = self.orders.get(number)  # a fill may have ended it meanwhile
            if met is not None:
                self.finish(met, Status.EXPIRED, Why.SELF_MATCH)
        if word in ENDINGS and order.is_open:
            is_spent = order.quote_quantity is not None and order.filled
            if not is_spent:
                self.finish(order, Status.EXPIRED, ENDINGS[word])
        self.emit(BookChange(market, self.now()))
        self.books.wake(market)

    def _amend_working(
        self, order: Order, price: Decimal | None, quantity: Decimal, *, stays: bool
    ) -> None:
        market, now_ns = order.market, self.now()
        if stays:
            market.desk.shrink(order.number, market.lots(quantity - order.filled))
            self._relock(order, price, quantity)
            order.quantity = quantity
            self.note("amended", order, now_ns)
            self.emit(BookChange(market, now_ns))
            return
        self._relock(order, price, quantity)
        market.desk.cancel(order.number)
        order.price, order.quantity = price, quantity
        self.note("amended", order, now_ns)
        self._enter(order, is_new=False)

    def _relock(self, order: Order, price: Decimal | None, quantity: Decimal) -> None:
        """Hold what the new terms need. *Raises*: `Refused` (INSUFFICIENT); nothing has changed."""
        listing = order.market.listing
        left = quantity - order.filled
        worth = price or order.market.last
        if listing.market == "spot":
            need = left * worth if order.side == "BUY" else left
            coin = listing.quote if order.side == "BUY" else listing.base
            if need - order.locked > order.account.free("spot", coin):
                raise Refused(Why.INSUFFICIENT)
            self.lock(order, need - order.locked)
            return
        more = (left * worth - order.left * (order.price or worth)) / order.account.leverage_of(
            order.market.symbol
        )
        if not order.reduce_only and more > max(ZERO, order.account.available()):
            raise Refused(Why.INSUFFICIENT)
