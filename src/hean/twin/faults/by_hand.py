# SPDX-License-Identifier: Apache-2.0
"""`by_hand.py`: somebody acts on an account or a market of the twin without a client: an operator
on the venue's web page, the venue itself, the rest of the world. Everything goes through the
exchange, so streams, balances and ledger tell it as they would.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hean.errors import ParameterInvalid, UnknownSymbol
from hean.twin.account import Account
from hean.twin.market import TwinMarket
from hean.twin.orders import (
    ZERO,
    BalanceEvent,
    BookChange,
    NewOrder,
    Order,
    Refused,
    SettingEvent,
    Status,
    Why,
)
from hean.twin.venue import TwinVenue

FRACTION_MAX = Decimal(10)  # a price ten times as high is a slip of the keyboard
PRICE_FRACTION_MIN = Decimal("0.1")
LEVELS_MAX = 100_000  # more than any recorded book has


class ByHand:
    """What a hand can do. *Raises*: `UnknownSymbol`, `ParameterInvalid`, `Refused`."""

    def __init__(self, venue: TwinVenue) -> None:
        self.venue = venue

    def account(self, name: str) -> Account:
        """An account by its name."""
        for account in self.venue.accounts:
            if account.name == name:
                return account
        known = ", ".join(account.name for account in self.venue.accounts)
        raise ParameterInvalid(f"no account {name!r}; there are {known}.")

    def market(self, symbol: str, market: str | None = None) -> TwinMarket:
        """A listed symbol; without *market* the perpetual, else spot."""
        kinds = ("linear", "spot") if market is None else (market,)
        for kind in kinds:
            found = self.venue.markets.get((kind, symbol.upper()))
            if found is not None:
                return found
        known = ", ".join(sorted({name for _, name in self.venue.markets}))
        raise UnknownSymbol(f"{symbol!r} is not listed; there are {known}.")

    def place(
        self,
        account: Account,
        market: TwinMarket,
        side: str,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        client_id: str = "",
        reduce_only: bool = False,
        position_side: str = "BOTH",
    ) -> Order:
        """Place an order as a person would."""
        new = NewOrder(
            market.symbol,
            side,
            quantity,
            price,
            client_id=client_id,
            reduce_only=reduce_only,
            position_side=position_side,
        )
        return self.venue.place(account, new, market=market.listing.market)

    def order(self, account: Account, order_id: str, client_id: str) -> Order:
        """An order by either id."""
        order = account.orders.get(order_id)
        if order is None and client_id:
            named = (account.client_ids(kind).get(client_id) for kind in ("linear", "spot"))
            order = next((each for each in named if each is not None), None)
        if order is None:
            raise Refused(Why.ORDER_NOT_FOUND)
        return order

    def close(self, account: Account, market: TwinMarket) -> list[Order]:
        """Close every position of a symbol at the market."""
        orders = []
        for position in list(account.positions.values()):
            if position.market is market and position.size:
                side = "SELL" if position.size > 0 else "BUY"
                size = abs(position.size)
                orders.append(
                    self.place(
                        account,
                        market,
                        side,
                        size,
                        reduce_only=position.side == "BOTH",
                        position_side=position.side,
                    )
                )
        return orders

    def transfer(self, account: Account, coin: str, amount: Decimal, market: str) -> None:
        """Bring coins to a wallet, or take away (negative) what no order holds."""
        wallet = account.wallet(market)
        held = ZERO if account.wallet_name(market) == "linear" else account.locked.get(coin, ZERO)
        there = wallet.get(coin, ZERO) - held
        if amount < 0 and there + amount < 0:
            raise ParameterInvalid(f"{coin} {amount:f}: the wallet has {there:f} to take.")
        wallet[coin] = wallet.get(coin, ZERO) + amount
        name, now_ns = account.wallet_name(market), self.venue.now()
        self.venue.ledger.add(
            "transfer", now_ns, account=account.name, coin=coin, amount=f"{amount:f}"
        )
        self.venue.emit(BalanceEvent(account, name, (coin,), "TRANSFER", now_ns, amount))

    def leverage(self, account: Account, market: TwinMarket, leverage: Decimal) -> None:
        """Set the leverage of a symbol."""
        if not 1 <= leverage <= market.listing.leverage_max:
            raise Refused(Why.LEVERAGE_TOO_HIGH, allowed=market.listing.leverage_max)
        account.leverage[market.symbol] = leverage
        self._setting(account, market.symbol, "leverage")

    def position_mode(self, account: Account, market: TwinMarket, *, is_hedged: bool) -> None:
        """One-way or hedge mode of a symbol; only a flat one may change."""
        held = [p for p in account.positions.values() if p.market is market and p.size]
        if held:
            raise Refused(Why.HAS_POSITION)
        account.hedged[market.symbol] = is_hedged
        self._setting(account, market.symbol, "position_mode")

    def margin_mode(self, account: Account, market: TwinMarket, mode: str) -> None:
        """Cross or isolated."""
        account.margin_mode[market.symbol] = mode
        self._setting(account, market.symbol, "margin_mode")

    def _setting(self, account: Account, symbol: str, what: str) -> None:
        self.venue.emit(SettingEvent(account, symbol, what, self.venue.now()))

    def force(self, account: Account, market: TwinMarket, kind: str) -> int:
        """Liquidate or auto-deleverage what an account holds of a symbol. *Returns*: positions."""
        held = [p for p in account.positions.values() if p.market is market and p.size]
        if kind == "liquidation":
            mine = [o for o in account.open_orders.values() if o.market is market]
            self.venue.cancel_all(mine, Why.LIQUIDATION)
        for position in held:
            self.venue.books.close_by_force(account, position, kind)
        return len(held)

    def fill(self, order: Order, quantity: Decimal) -> None:
        """Somebody trades with a resting order, at its price, up to *quantity*. The trade is not
        printed, so no other price moves.
        """
        market = order.market
        quantity = min(quantity // market.listing.lot * market.listing.lot, order.left)
        if order.status is Status.UNTRIGGERED or order.price is None or quantity <= 0:
            return
        left = market.lots(order.left - quantity)
        if left:
            market.desk.shrink(order.number, left)
        else:
            market.desk.cancel(order.number)
        trade = self.venue.last_trade = self.venue.last_trade + 1
        self.venue.books.fill(order, order.price, quantity, left=left, is_maker=True, trade=trade)
        self.venue.emit(BookChange(market, self.venue.now()))

    def lose(self, order: Order) -> None:
        """An order that was acknowledged is nowhere to be found, and nobody is told."""
        account = order.account
        order.market.desk.cancel(order.number)
        self.venue.release(order)
        order.status = Status.CANCELLED
        account.orders.pop(order.order_id, None)
        account.forget_client_id(order)
        self.venue.ledger.order("lost", order, self.venue.now())
        self.venue.emit(BookChange(order.market, self.venue.now()))

    def move(
        self, market: TwinMarket, *, price: Decimal | None = None, fraction: Decimal | None = None
    ) -> Decimal:
        """Shift a market from now on: its middle to *price*, or by a *fraction* of it. *Returns*:
        the new middle.
        """
        bid, ask = market.best("BUY"), market.best("SELL")
        middle = (bid + ask) / 2 if bid and ask else market.last
        if not middle:
            raise ParameterInvalid(f"{market.symbol} has no price yet.")
        wanted = middle * (1 + (fraction or ZERO)) if price is None else price
        if not middle * PRICE_FRACTION_MIN <= wanted <= middle * FRACTION_MAX:
            low, high = middle * PRICE_FRACTION_MIN, middle * FRACTION_MAX
            raise ParameterInvalid(
                f"{market.symbol} to {wanted:f}; allowed: {low:f} to {high:f} at once."
            )
        self._shift(market, market.ticks(wanted) - market.ticks(middle))
        return wanted

    def _shift(self, market: TwinMarket, ticks: int) -> None:
        """Show the market's own levels again, moved; somebody trades there."""
        own: Counter[tuple[bool, int]] = Counter()
        for order in self.venue.orders.values():
            if order.market is market and order.price is not None:
                own[order.side == "BUY", market.ticks(order.price)] += market.lots(order.left)
        before = market.shift_ticks
        sides = []
        for is_buy, levels in zip((True, False), market.desk.levels(LEVELS_MAX), strict=True):
            side = []
            for price_text, quantity_text in levels:
                at = market.ticks(Decimal(price_text))
                lots = market.lots(Decimal(quantity_text)) - own[is_buy, at]
                if lots > 0:
                    side.append((at - before, lots))
            sides.append(side)
        market.shift_ticks += ticks
        self.venue.market_depth(market, sides[0], sides[1], is_snapshot=True)
        moved = market.price(ticks)
        market.mark, market.index = market.mark + moved, market.index + moved
        touch = market.best("BUY" if ticks < 0 else "SELL")
        if touch is not None:
            self.venue.print(market, touch, market.listing.lot, is_buy=ticks > 0)
        self.venue.books.wake(market)
