# SPDX-License-Identifier: Apache-2.0
"""`fills.py`: the twin's bookkeeping: executions become positions and balances, triggers wake,
funding is settled, accounts that cannot pay are liquidated. Called by `venue.py` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from hean.twin import checks
from hean.twin.account import Account, Position
from hean.twin.listing import LIQUIDATION_FEE
from hean.twin.market import MINUTE_NS, Settlement, TwinMarket
from hean.twin.orders import (
    ZERO,
    BalanceEvent,
    Execution,
    ExecutionEvent,
    ForcedPrint,
    NewOrder,
    Order,
    OrderEvent,
    PositionEvent,
    Refused,
    Status,
    Why,
)

if TYPE_CHECKING:
    from hean.twin.venue import TwinVenue

Row = tuple[int, bool, int, int, int, bool]
"""An execution of the desk: key, is buy, price ticks, lots, lots left, is maker."""

WAKES_MAX = 1_000  # triggers that may fire in one go; stops that fire stops end somewhere


class Books:
    """Bookkeeping of one exchange."""

    def __init__(self, venue: TwinVenue) -> None:
        self.venue = venue
        self._last_execution = 7_000_000
        self._is_waking = False

    def book(
        self, market: TwinMarket, rows: Sequence[Row], *, prints: bool, trade_number: int = 0
    ) -> None:
        """Book executions in order. *prints*: a taker's row, or a maker's without one, is a trade
        that the public has not seen yet.
        """
        for key, is_buy, ticks, lots, left, is_maker in rows:
            order = self.venue.orders.get(key)
            price, quantity = market.price(ticks), market.quantity(lots)
            is_pair = is_maker and trade_number and self._previous == (ticks, lots, not is_buy)
            if prints and not is_pair:
                taker_buys = is_buy != is_maker
                trade_number = self.venue.print(market, price, quantity, is_buy=taker_buys).number
            self._previous = (ticks, lots, is_buy) if not is_maker else None
            if order is None:
                continue  # a fill before this one ended it; somebody else made this trade
            quantity = self._bounded(order, quantity)
            self.fill(order, price, quantity, left=left, is_maker=is_maker, trade=trade_number)

    _previous: tuple[int, int, bool] | None = None

    @staticmethod
    def _bounded(order: Order, quantity: Decimal) -> Decimal:
        """What a fill may be: several orders that reduce may be reached at once, and each of them
        was bounded by a position that the first of them ends.
        """
        if not order.reduce_only:
            return quantity
        there = checks.reducible(order.account, order.market, order.side, order.position_side)
        if there >= quantity:
            return quantity
        order.quantity = order.filled + there
        return there

    def fill(
        self,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        left: int,
        is_maker: bool,
        trade: int,
    ) -> None:
        """Book one fill of an order and tell it."""
        market, account = order.market, order.account
        listing, now_ns = market.listing, self.venue.now()
        rate = listing.maker_fee if is_maker else listing.taker_fee
        if order.extra.get("forced") == "liquidation":
            rate += LIQUIDATION_FEE
        is_spot = listing.market == "spot"
        profit = closed = ZERO
        fee_coin = listing.base if is_spot and order.side == "BUY" else listing.quote
        fee = (quantity if fee_coin == listing.base else quantity * price) * rate
        if is_spot:
            self._move_coins(order, price, quantity, fee)
        else:
            signed = quantity if order.side == "BUY" else -quantity
            position = account.position(market, order.position_side)
            profit, closed = self._move_position(account, position, signed, price=price, fee=fee)
        order.filled += quantity
        order.value += quantity * price
        order.realized += profit
        order.fees[fee_coin] = order.fees.get(fee_coin, ZERO) + fee
        is_done = order.left <= 0 or (left == 0 and order.quote_quantity is not None)
        order.status = Status.FILLED if is_done else Status.PARTIALLY_FILLED
        self._last_execution += 1
        execution = Execution(
            number=self._last_execution,
            trade_number=trade,
            order=order,
            account=account,
            market=market,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_coin=fee_coin,
            fee_rate=rate,
            is_maker=is_maker,
            ts_ns=now_ns,
            left=order.left,
            realized=profit,
            closed=closed,
            kind=order.extra.get("forced", "trade"),
            position_side=order.position_side,
        )
        order.fills.append(execution)
        if is_done:
            if left:
                market.desk.cancel(order.number)
            self.venue.release(order)
        self._tell(execution, order)

    def _tell(self, execution: Execution, order: Order) -> None:
        """Ledger first, then order, execution, position, balance: as venues send them."""
        venue, account, market = self.venue, order.account, order.market
        order.updates += 1
        order.updated_ns = execution.ts_ns
        venue.ledger.execution(execution)
        venue.emit(OrderEvent(order, "trade", execution.ts_ns, execution))
        venue.emit(ExecutionEvent(execution))
        listing = market.listing
        if listing.market == "linear":
            position = account.position(market, order.position_side)
            venue.emit(PositionEvent(account, position, execution.ts_ns))
            coins: tuple[str, ...] = (listing.quote,)
        else:
            coins = (listing.base, listing.quote)
        name = account.wallet_name(listing.market)
        venue.emit(BalanceEvent(account, name, coins, "ORDER", execution.ts_ns))
        if listing.market == "linear":
            self._trim_reducers(account, market, order.position_side)

    def _move_coins(self, order: Order, price: Decimal, quantity: Decimal, fee: Decimal) -> None:
        wallet, listing = order.account.wallet("spot"), order.market.listing
        base, quote = listing.base, listing.quote
        value = quantity * price
        if order.side == "BUY":
            wallet[base] = wallet.get(base, ZERO) + quantity - fee
            wallet[quote] = wallet.get(quote, ZERO) - value
            if order.locked:
                held = quantity * order.price if order.price is not None else value
                self.venue.lock(order, -min(order.locked, held))
        else:
            wallet[base] = wallet.get(base, ZERO) - quantity
            wallet[quote] = wallet.get(quote, ZERO) + value - fee
            if order.locked:
                self.venue.lock(order, -min(order.locked, quantity))

    def _move_position(
        self, account: Account, position: Position, signed: Decimal, *, price: Decimal, fee: Decimal
    ) -> tuple[Decimal, Decimal]:
        wallet = account.wallet("linear")
        was_flat = not position.size
        profit, closed = position.apply(signed, price)
        quote = position.market.listing.quote
        wallet[quote] = wallet.get(quote, ZERO) + profit - fee
        if was_flat:
            position.created_ns, position.realized = self.venue.now(), ZERO
        position.realized += profit - fee
        position.realized_total += profit - fee
        position.updates += 1
        position.updated_ns = self.venue.now()
        return profit, closed

    def _trim_reducers(self, account: Account, market: TwinMarket, position_side: str) -> None:
        """Resting reduce-only orders never exceed what is left to reduce; stops of a closed
        position go.
        """
        size = account.position(market, position_side).size
        mine = [
            order
            for order in self.venue.open_orders(account)
            if order.market is market and order.position_side == position_side
        ]
        for order in mine:
            if not order.is_open or not (order.reduce_only or order.close_all):
                continue
            there = checks.reducible(account, market, order.side, position_side)
            if order.status is Status.UNTRIGGERED:
                if not size and order.extra.get("of_position"):
                    self.venue.cancel(order, Why.POSITION_CLOSED)
            elif not there:
                self.venue.cancel(order, Why.REDUCE_ONLY)
            elif order.left > there and market.desk.shrink(order.number, market.lots(there)):
                order.quantity = order.filled + there
                self.venue.note("amended", order, self.venue.now())

    def wake(self, market: TwinMarket) -> None:
        """Fire the conditional orders whose price has come, oldest first."""
        waiting = self.venue.conditional.get(market.key)
        if not waiting or self._is_waking:
            return
        self._is_waking = True
        try:
            for _ in range(WAKES_MAX):
                due = next((order for order in waiting.values() if self._is_due(order)), None)
                if due is None:
                    return
                self.venue.trigger(due)
        finally:
            self._is_waking = False

    def _is_due(self, order: Order) -> bool:
        trigger = order.trigger
        if trigger is None:
            return False
        now = checks.watched(order.market, trigger.by)
        if trigger.trailing is not None:
            if trigger.active is not None:
                reached = now >= trigger.active if not trigger.rising else now <= trigger.active
                if not reached:
                    return False
                trigger.active, trigger.price = None, ZERO
            # A falling trigger trails the highest price, a rising one the lowest.
            gap = trigger.trailing * now if trigger.is_fraction else trigger.trailing
            behind = now - gap if not trigger.rising else now + gap
            better = max if not trigger.rising else min
            trigger.price = better(trigger.price, behind) if trigger.price else behind
        return now >= trigger.price if trigger.rising else now <= trigger.price

    def settle(self, market: TwinMarket) -> None:
        """Pay funding: longs pay when the rate is positive. Then the next settlement is set."""
        due_ns = market.next_funding_ns
        market.settlements.append(Settlement(due_ns, market.funding_rate, market.mark))
        market.next_funding_ns = due_ns + market.listing.funding_minutes * MINUTE_NS
        for account in self.venue.accounts:
            for side in ("BOTH", "LONG", "SHORT"):
                position = account.positions.get((market.symbol, side))
                if position is not None and position.size:
                    self._pay_funding(account, position)

    def _pay_funding(self, account: Account, position: Position) -> None:
        market, now_ns = position.market, self.venue.now()
        quote = market.listing.quote
        paid = position.size * market.mark * market.funding_rate
        wallet = account.wallet("linear")
        wallet[quote] = wallet.get(quote, ZERO) - paid
        position.realized -= paid
        position.realized_total -= paid
        self._last_execution += 1
        execution = Execution(
            number=self._last_execution,
            trade_number=self._last_execution,
            order=None,
            account=account,
            market=market,
            side="BUY" if position.size > 0 else "SELL",
            price=market.mark,
            quantity=abs(position.size),
            fee=paid,
            fee_coin=quote,
            fee_rate=market.funding_rate,
            is_maker=False,
            ts_ns=now_ns,
            left=ZERO,
            kind="funding",
            position_side=position.side,
        )
        self.venue.ledger.execution(execution)
        self.venue.emit(ExecutionEvent(execution))
        name = account.wallet_name("linear")
        self.venue.emit(BalanceEvent(account, name, (quote,), "FUNDING", now_ns, -paid))

    def check_solvency(self, account: Account) -> None:
        """Liquidate an account whose margin balance is below its maintenance margin."""
        held = [position for position in account.positions.values() if position.size]
        if not held or account.equity() > account.maintenance:
            return
        linear = [o for o in self.venue.open_orders(account) if o.market.key[0] == "linear"]
        self.venue.cancel_all(linear, Why.LIQUIDATION)
        for position in sorted(held, key=lambda each: -each.mark_value):
            self.close_by_force(account, position, "liquidation")
        if not any(position.size for position in held):
            self._insure(account, held[0].market.listing.quote)

    def _insure(self, account: Account, coin: str) -> None:
        """What a liquidated account still owes, the venue's fund pays."""
        wallet, now_ns = account.wallet("linear"), self.venue.now()
        owed = -wallet.get(coin, ZERO)
        if owed <= 0:
            return
        wallet[coin] = ZERO
        name = account.wallet_name("linear")
        self.venue.ledger.add(
            "insurance", now_ns, account=account.name, coin=coin, amount=f"{owed:f}"
        )
        self.venue.emit(BalanceEvent(account, name, (coin,), "INSURANCE", now_ns, owed))

    def close_by_force(self, account: Account, position: Position, kind: str) -> None:
        """The venue closes a position at the market: a liquidation or an auto-deleveraging."""
        market, size = position.market, abs(position.size)
        side = "SELL" if position.size > 0 else "BUY"
        prefix = "adl_autoclose" if kind == "adl" else f"autoclose-{self.venue.now() // 1_000_000}"
        new = NewOrder(
            market.symbol,
            side,
            size,
            client_id=prefix if kind == "liquidation" else "",
            reduce_only=True,
            position_side=position.side,
            extra={"forced": kind},
        )
        try:
            order = self.venue.place(account, new, market="linear")
        except Refused:
            return  # nobody to trade with; the next step tries again
        if kind == "liquidation" and order.filled:
            price = order.average or market.mark
            self.venue.emit(ForcedPrint(market, side, price, order.filled, self.venue.now()))
