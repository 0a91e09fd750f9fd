# SPDX-License-Identifier: Apache-2.0
"""`account.py`: one account of the twin: wallets, positions, margin, settings. Exact decimals, one
function for each thing money can do, and no wire. Cross margin over the quote coin: what is free
is wallet plus open profit minus what positions and orders bind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, Order

SIDES = {"one_way": ("BOTH",), "hedge": ("LONG", "SHORT")}
ORDERS_KEPT = 20_000  # ended orders an account can still look up: 60 MB of them
SPENT_IDS_KEPT = 200_000
COST_STEP = Decimal("1e-12")  # finer than any amount a venue shows
PERMISSIONS = frozenset({"read", "trade"})


@dataclass(slots=True)
class Position:
    """Holdings of one symbol on one side. *size*: signed, positive long. *cost*: what it was bought
    or sold for; kept instead of the average price, so that no rounding ever makes or loses money.

    *realized*: profit since it was opened, fees and funding in it; *realized_total*: for ever.
    """

    market: TwinMarket
    side: str
    size: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    realized_total: Decimal = ZERO
    created_ns: int = 0
    updated_ns: int = 0
    updates: int = 0
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    trailing_stop: Decimal | None = None

    @property
    def entry(self) -> Decimal:
        """Average price."""
        return self.cost / abs(self.size) if self.size else ZERO

    @property
    def mark_value(self) -> Decimal:
        """Value at the mark price, never negative."""
        return abs(self.size) * self.market.mark

    @property
    def unrealized(self) -> Decimal:
        """Profit at the mark price."""
        if not self.size:
            return ZERO
        value = self.mark_value
        return value - self.cost if self.size > 0 else self.cost - value

    @property
    def maintenance(self) -> Decimal:
        """Maintenance margin at the mark price."""
        if not self.size:
            return ZERO
        _, (_, _, rate, deduction) = self.market.listing.tier(self.mark_value)
        return self.mark_value * rate - deduction

    def apply(self, signed: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Trade *signed* quantity at *price*. *Returns*: profit realised, quantity closed."""
        closed = ZERO
        profit = ZERO
        if self.size and (self.size > 0) != (signed > 0):
            closed = min(abs(self.size), abs(signed))
            direction = 1 if self.size > 0 else -1
            share = self.cost
            if closed < abs(self.size):
                share = (self.cost * closed / abs(self.size)).quantize(COST_STEP)
            profit = (closed * price - share) * direction
            self.cost -= share
            self.size -= closed * direction
            signed += closed * direction
        if signed:
            self.cost += abs(signed) * price
            self.size += signed
        return profit, closed


@dataclass(slots=True, frozen=True)
class Key:
    """An API key. The secret is for checking signatures; it is never printed."""

    key: str
    secret: str = field(repr=False)
    account: Account = field(repr=False)
    permissions: frozenset[str] = PERMISSIONS


@dataclass(slots=True, eq=False)
class Account:
    """One account. *wallets*: by name (`unified`; or `spot` and `linear`), coins to amounts.

    *number*: its owner number at the desks. *fee_paid*, *funding_paid*: totals in quote.
    """

    number: int
    name: str
    wallets: dict[str, dict[str, Decimal]]
    locked: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    leverage: dict[str, Decimal] = field(default_factory=dict)
    hedged: dict[str, bool] = field(default_factory=dict)
    margin_mode: dict[str, str] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    """By order id: the open ones and the newest ORDERS_KEPT that have ended."""
    by_client_id: dict[str, dict[str, Order]] = field(default_factory=dict)
    """The newest order of each client id, by wallet: where markets are apart, so are their ids."""
    spent_ids: dict[str, None] = field(default_factory=dict)
    """Client ids of forgotten orders, oldest first, where one may never be used twice."""
    is_banned: bool = False
    keys_withdraw: bool = False
    keys_bound: bool = False

    def wallet(self, market: str) -> dict[str, Decimal]:
        """The wallet a market trades from."""
        return self.wallets.get(market) or self.wallets["unified"]

    def wallet_name(self, market: str) -> str:
        """Its name."""
        return market if market in self.wallets else "unified"

    def client_ids(self, market: str) -> dict[str, Order]:
        """The newest order of each client id of a market, `spot` or `linear`."""
        return self.by_client_id.setdefault(self.wallet_name(market), {})

    def remember(self, order: Order) -> None:
        """Keep an order for look-ups. The oldest that has ended is forgotten for it."""
        self.orders[order.order_id] = order
        self.open_orders[order.number] = order
        if order.client_id:
            self.client_ids(order.market.listing.market)[order.client_id] = order
        if len(self.orders) - len(self.open_orders) <= ORDERS_KEPT:
            return
        oldest = next(each for each in self.orders.values() if not each.is_open)
        del self.orders[oldest.order_id]
        self.forget_client_id(oldest)
        if oldest.client_id:
            self.spent_ids[oldest.client_id] = None
        if len(self.spent_ids) > SPENT_IDS_KEPT:
            del self.spent_ids[next(iter(self.spent_ids))]

    def forget_client_id(self, order: Order) -> None:
        """The order's client id names nothing any more, unless a later order has it."""
        names = self.client_ids(order.market.listing.market)
        if names.get(order.client_id) is order:
            del names[order.client_id]

    def position(self, market: TwinMarket, side: str) -> Position:
        """The position of a symbol and side, flat if there is none yet."""
        key = (market.symbol, side)
        if key not in self.positions:
            self.positions[key] = Position(market, side)
        return self.positions[key]

    def position_sides(self, symbol: str) -> tuple[str, ...]:
        """`BOTH`, or `LONG` and `SHORT` in hedge mode."""
        return SIDES["hedge" if self.hedged.get(symbol) else "one_way"]

    def leverage_of(self, symbol: str) -> Decimal:
        """Chosen leverage; venues start at 10 or 20."""
        return self.leverage.get(symbol, Decimal(10))

    @property
    def unrealized(self) -> Decimal:
        """Open profit of all positions at mark prices, in quote."""
        return sum((position.unrealized for position in self.positions.values()), ZERO)

    @property
    def maintenance(self) -> Decimal:
        """Maintenance margin of all positions."""
        return sum((position.maintenance for position in self.positions.values()), ZERO)

    def position_margin(self, position: Position) -> Decimal:
        """Initial margin a position binds."""
        return position.mark_value / self.leverage_of(position.market.symbol)

    def order_margin(self, symbol: str | None = None) -> Decimal:
        """Initial margin that resting orders bind: per symbol and side of the position, what would
        open beyond the opposite holding.
        """
        sums: dict[tuple[str, str, str], Decimal] = {}
        for order in self.open_orders.values():
            listing = order.market.listing
            if listing.market != "linear" or order.reduce_only or order.status == "UNTRIGGERED":
                continue
            if symbol is not None and listing.symbol != symbol:
                continue
            price = order.price or order.market.mark
            key = (listing.symbol, order.position_side, order.side)
            sums[key] = sums.get(key, ZERO) + order.left * price / self.leverage_of(listing.symbol)
        total = ZERO
        for (name, side, direction), amount in sums.items():
            position = self.positions.get((name, side))
            free = ZERO
            if position is not None and position.size:
                opposite = (position.size > 0) != (direction == "BUY")
                free = self.position_margin(position) if opposite else ZERO
            total += max(ZERO, amount - free)
        return total

    def equity(self, coin: str = "USDT") -> Decimal:
        """Wallet and open profit of the futures side, in quote."""
        return self.wallet("linear").get(coin, ZERO) + self.unrealized

    def available(self, coin: str = "USDT") -> Decimal:
        """Quote money that a new contract order may bind; may be negative."""
        bound = sum((self.position_margin(each) for each in self.positions.values()), ZERO)
        spot_locked = self.locked.get(coin, ZERO) if "unified" in self.wallets else ZERO
        return self.equity(coin) - bound - self.order_margin() - spot_locked

    def free(self, market: str, coin: str) -> Decimal:
        """Coins a spot order may use."""
        amount = self.wallet(market).get(coin, ZERO) - self.locked.get(coin, ZERO)
        if "unified" in self.wallets and coin == "USDT":
            return min(amount, self.available(coin))
        return amount
