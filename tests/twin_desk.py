# SPDX-License-Identifier: Apache-2.0
"""A still exchange for tests: a listed symbol or two, a fixed book, two rich accounts, a clock that
moves when it is told to, and every event in a list.
"""

from __future__ import annotations

import random
from decimal import Decimal

from hean.twin.account import Account
from hean.twin.ledger import TwinLedger
from hean.twin.listing import listing_for
from hean.twin.market import TwinMarket
from hean.twin.orders import Event, NewOrder, Order
from hean.twin.venue import TwinVenue

START_NS = 1_767_225_600_000_000_000


class StillExchange:
    """BTCUSDT linear and spot: bids from 59,999.9 and asks from 60,000.1 on, ten levels a dollar
    apart, ten coins each.
    """

    def __init__(self, exchange: str = "bybit") -> None:
        self.now_ns = START_NS
        self.ledger = TwinLedger()
        self.venue = TwinVenue(
            exchange, now=lambda: self.now_ns, rng=random.Random(1), ledger=self.ledger
        )
        self.events: list[Event] = []
        self.venue.listeners.append(self.events.append)
        for number, kind in enumerate(("linear", "spot")):
            listing = listing_for(exchange, kind, "BTCUSDT")
            self.venue.markets[kind, "BTCUSDT"] = TwinMarket(listing, seed=number)
        self.main, self.second = (self._account(n, exchange) for n in ("main", "second"))
        for market in self.venue.markets.values():
            self.quote(market, 60_000.0)

    def _account(self, name: str, exchange: str) -> Account:
        coins = {"USDT": Decimal(100_000), "BTC": Decimal(2)}
        names = ("unified",) if exchange == "bybit" else ("linear", "spot")
        wallets = {each: dict(coins) for each in names}
        account = Account(len(self.venue.accounts) + 1, name, wallets)
        self.venue.accounts.append(account)
        return account

    @property
    def linear(self) -> TwinMarket:
        """BTCUSDT perpetual."""
        return self.venue.markets["linear", "BTCUSDT"]

    @property
    def spot(self) -> TwinMarket:
        """BTCUSDT spot."""
        return self.venue.markets["spot", "BTCUSDT"]

    def quote(self, market: TwinMarket, middle: float, coins: int = 10) -> None:
        """A new book around *middle*; mark and index go there."""
        tick = float(market.listing.tick)
        centre = round(middle / tick)
        step = round(1.0 / tick)
        lots = market.lots(Decimal(coins))
        if not market.last:
            market.opened(middle, self.now_ns)
        bids = [(centre - 1 - n * step, lots) for n in range(10)]
        asks = [(centre + 1 + n * step, lots) for n in range(10)]
        price = market.price(centre)
        market.last = price
        market.marked(self.now_ns, price, price)
        self.venue.market_depth(market, bids, asks, is_snapshot=True)
        self.venue.books.wake(market)

    def order(
        self,
        side: str,
        quantity: str | None,
        price: str | None = None,
        *,
        market: str = "linear",
        account: Account | None = None,
        **more: object,
    ) -> Order:
        """Place an order of the main account."""
        new = NewOrder(
            "BTCUSDT",
            side,
            None if quantity is None else Decimal(quantity),
            None if price is None else Decimal(price),
            **more,  # type: ignore[arg-type]
        )
        return self.venue.place(account or self.main, new, market=market)

    def size(self, side: str = "BOTH") -> Decimal:
        """Position of the main account."""
        return self.main.position(self.linear, side).size

    def kinds(self) -> list[str]:
        """Names of the events so far, order events with their kind."""
        return [f"{type(e).__name__}:{getattr(e, 'kind', '')}".rstrip(":") for e in self.events]
