# SPDX-License-Identifier: Apache-2.0
"""A storm of valid requests, market moves, hands and time over both accounts of a twin. After each
of them the books must balance to the last digit: coins, positions, locks, desks, what is public.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from binance_desk import BinanceDesk
from bybit_desk import BybitDesk
from hean.errors import HeanError
from hean.twin.account import Account
from hean.twin.faults.by_hand import ByHand
from hean.twin.orders import (
    BalanceEvent,
    Event,
    Execution,
    ExecutionEvent,
    Order,
    Refused,
    Status,
)
from twin_desk import StillExchange
from usdm_desk import UsdmDesk

STEPS = 500
KEYS = ("DeskKey1", "DeskKey2")
SYMBOL = {"symbol": "BTCUSDT"}
Desk = BybitDesk | BinanceDesk


class Audit:
    """Books of its own, in exact fractions, from executions and transfers alone."""

    def __init__(self, desk: StillExchange) -> None:
        self.desk = desk
        self.coins: dict[tuple[int, str, str], Fraction] = defaultdict(Fraction)
        self.sizes: dict[tuple[int, str], Fraction] = defaultdict(Fraction)
        self.paid: dict[tuple[int, str], Fraction] = defaultdict(Fraction)
        for account in desk.venue.accounts:
            for wallet, coins in account.wallets.items():
                for coin, amount in coins.items():
                    self.coins[account.number, wallet, coin] = Fraction(amount)
        desk.venue.listeners.append(self.hear)

    def hear(self, event: Event) -> None:
        if isinstance(event, BalanceEvent) and event.reason in ("TRANSFER", "INSURANCE"):
            key = (event.account.number, event.wallet, event.coins[0])
            self.coins[key] += Fraction(event.change)
        elif isinstance(event, ExecutionEvent):
            self._book(event.execution)

    def _book(self, fill: Execution) -> None:
        listing, number = fill.market.listing, fill.account.number
        wallet = fill.account.wallet_name(listing.market)
        self.coins[number, wallet, fill.fee_coin] -= Fraction(fill.fee)
        if fill.kind == "funding":
            return
        quantity = Fraction(fill.quantity) * (1 if fill.side == "BUY" else -1)
        if listing.market == "spot":
            self.coins[number, wallet, listing.base] += quantity
            self.coins[number, wallet, listing.quote] -= quantity * Fraction(fill.price)
            return
        key = (number, fill.position_side)
        assert fill.order is not None
        if fill.order.reduce_only:
            assert self.sizes[key] * quantity < 0, "a reducing order opened"
            assert abs(quantity) <= abs(self.sizes[key]), "a reducing order turned a position"
        self.sizes[key] += quantity
        self.paid[key] += quantity * Fraction(fill.price)

    def check(self) -> None:
        for account in self.desk.venue.accounts:
            self._check_money(account)
            self._check_orders(account)
        for market in self.desk.venue.markets.values():
            bid, ask = market.best("BUY"), market.best("SELL")
            assert bid is None or ask is None or bid < ask, "the public book is crossed"

    def _check_money(self, account: Account) -> None:
        """Deposits, less fees and funding, plus what was earned: wallet by wallet."""
        earned = Fraction(0)
        for side in ("BOTH", "LONG", "SHORT"):
            position = account.positions.get(("BTCUSDT", side))
            if position is None:
                continue
            key = (account.number, side)
            assert Fraction(position.size) == self.sizes[key]
            cost = Fraction(position.cost)
            assert cost > 0 if position.size else cost == 0
            earned += (cost if position.size > 0 else -cost) - self.paid[key]
        for wallet, coins in account.wallets.items():
            for coin, amount in coins.items():
                is_margin = coin == "USDT" and wallet != "spot"
                more = earned if is_margin else Fraction(0)
                assert Fraction(amount) == self.coins[account.number, wallet, coin] + more

    def _check_orders(self, account: Account) -> None:
        venue, locked = self.desk.venue, defaultdict[str, Decimal](Decimal)
        for order in account.open_orders.values():
            assert order.is_open
            listing = order.market.listing
            coin = listing.quote if order.side == "BUY" else listing.base
            locked[coin] += order.locked
            lots = order.market.desk.open(order.number)
            if order.status is Status.UNTRIGGERED:
                assert lots is None
                assert order.number in venue.conditional[order.market.key]
                continue
            assert lots == order.market.lots(order.left)
            assert order.number in venue.orders
            if listing.market == "spot":
                price = order.price if order.side == "BUY" else Decimal(1)
                assert order.locked == order.left * (price or 0)
        for coin, amount in account.locked.items():
            assert amount == locked[coin] >= 0
            if "unified" not in account.wallets:
                assert amount <= account.wallet("spot").get(coin, 0)
        for order in account.orders.values():
            assert order.is_open == (order.number in account.open_orders)
            assert sum((f.quantity for f in order.fills), Decimal(0)) == order.filled
            assert order.filled <= order.quantity


class Storm:
    """Draws what happens next. Requests are valid in form; whether they may be is the venue's."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.rng = random.Random(seed)
        self.middle = Decimal(60_000)
        self.hand = ByHand(desk.venue)

    def price(self) -> str:
        return str(self.middle + Decimal(self.rng.randint(-60, 60)))

    def size(self) -> str:
        return str(Decimal(self.rng.randint(1, 900)) / 1000)

    def who(self) -> tuple[str, Account]:
        number = self.rng.randrange(2)
        return KEYS[number], self.desk.venue.accounts[number]

    def one_of(self, account: Account, market: str) -> Order | None:
        mine = [o for o in account.open_orders.values() if o.market.listing.market == market]
        return self.rng.choice(mine) if mine else None

    def world(self) -> None:
        """The market moves, others trade, time passes."""
        rng, venue = self.rng, self.desk.venue
        kind = rng.random()
        if kind < 0.4:
            self.middle += rng.randint(-30, 30)
            if rng.random() < 0.08:
                moved = self.middle * Decimal(rng.choice(["0.85", "1.15"])) // 1
                self.middle = max(moved, Decimal(30_000))
            for market in venue.markets.values():
                self.desk.quote(market, float(self.middle), coins=rng.choice([1, 10]))
        elif kind < 0.9:
            market = rng.choice(list(venue.markets.values()))
            ticks = market.ticks(self.middle) + rng.randint(-300, 300)
            venue.market_trade(market, ticks, rng.randint(1, 5000), is_buy=rng.random() < 0.5)
        else:
            self.desk.now_ns += rng.choice([10, 28_800_000]) * 1_000_000
            venue.step()

    def by_hand(self) -> None:
        """Somebody acts without a client."""
        rng, (_, account) = self.rng, self.who()
        order = self.one_of(account, rng.choice(["linear", "spot"]))
        try:
            match rng.randrange(5):
                case 0 if order is not None:
                    self.hand.fill(order, Decimal(self.size()))
                case 1:
                    coin, amount = rng.choice([("USDT", 20_000), ("BTC", 1)])
                    self.hand.transfer(account, coin, rng.choice([-1, 1]) * Decimal(amount), "spot")
                case 2:
                    kind = rng.choice(["liquidation", "adl"])
                    self.hand.force(account, self.desk.linear, kind)
                case 3 if order is not None:
                    self.hand.lose(order)
                case _:
                    self.hand.close(account, self.desk.linear)
        except (Refused, HeanError):
            return


def bybit_request(storm: Storm) -> None:
    rng, desk = storm.rng, storm.desk
    assert isinstance(desk, BybitDesk)
    key, account = storm.who()
    category = rng.choice(["linear", "linear", "spot"])
    leg = rng.choice([1, 2]) if account.hedged.get("BTCUSDT") else 0
    where = {"category": category, **SYMBOL}
    order, kind = storm.one_of(account, category), rng.random()
    if kind < 0.55 or order is None:
        asked: dict[str, Any] = {"side": rng.choice(["Buy", "Sell"]), "qty": storm.size(), **where}
        asked["orderType"] = rng.choice(["Market", "Limit", "Limit"])
        asked["timeInForce"] = rng.choice(["GTC", "GTC", "IOC", "FOK", "PostOnly"])
        asked |= {"price": storm.price(), "positionIdx": leg, "marketUnit": "baseCoin"}
        asked["smpType"] = rng.choice(["None", "CancelMaker", "CancelTaker", "CancelBoth"])
        asked["reduceOnly"] = rng.random() < 0.4
        if rng.random() < 0.2:
            asked |= {"triggerPrice": storm.price(), "triggerDirection": rng.choice([1, 2])}
        elif rng.random() < 0.2:
            away = 400 if asked["side"] == "Buy" else -400
            asked |= {"takeProfit": str(storm.middle + away), "stopLoss": str(storm.middle - away)}
        desk.tell("order/create", key, **asked)
    elif kind < 0.75:
        changed = {"qty": storm.size(), "price": storm.price()}
        desk.tell("order/amend", key, orderId=order.order_id, **where, **changed)
    elif kind < 0.85:
        desk.tell("order/cancel", key, orderId=order.order_id, **where)
    elif kind < 0.9:
        desk.tell("position/switch-mode", key, mode=rng.choice([0, 3]), **where)
    elif kind < 0.95:
        lever = str(rng.randint(1, 60))
        desk.tell("position/set-leverage", key, buyLeverage=lever, sellLeverage=lever, **where)
    else:
        exits = {"takeProfit": storm.price(), "stopLoss": storm.price(), "trailingStop": "50"}
        desk.tell("position/trading-stop", key, positionIdx=leg, **where, **exits)


def spot_request(storm: Storm) -> None:
    rng, desk = storm.rng, storm.desk
    assert isinstance(desk, BinanceDesk)
    key, account = storm.who()
    order, kind = storm.one_of(account, "spot"), rng.random()
    asked: dict[str, Any] = {"side": rng.choice(["BUY", "SELL"]), "quantity": storm.size()}
    asked["type"] = rng.choice(["LIMIT", "LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS_LIMIT"])
    asked["selfTradePreventionMode"] = rng.choice(["NONE", "EXPIRE_TAKER", "EXPIRE_BOTH"])
    if asked["type"] != "MARKET":
        asked["price"] = storm.price()
    if asked["type"] in ("LIMIT", "STOP_LOSS_LIMIT"):
        asked["timeInForce"] = rng.choice(["GTC", "GTC", "IOC", "FOK"])
    if asked["type"] == "STOP_LOSS_LIMIT":
        asked |= rng.choice([{"stopPrice": storm.price()}, {"trailingDelta": 50}])
    if kind < 0.6 or order is None:
        desk.signed("POST", "/api/v3/order", key, **SYMBOL, **asked)
    elif kind < 0.75:
        path = "/api/v3/order/amend/keepPriority"
        desk.signed("PUT", path, key, orderId=order.order_id, newQty=storm.size(), **SYMBOL)
    elif kind < 0.9:
        desk.signed("DELETE", "/api/v3/order", key, orderId=order.order_id, **SYMBOL)
    else:
        asked |= {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": order.order_id}
        desk.signed("POST", "/api/v3/order/cancelReplace", key, **SYMBOL, **asked)


def usdm_request(storm: Storm) -> None:
    rng, desk = storm.rng, storm.desk
    assert isinstance(desk, BinanceDesk)
    key, account = storm.who()
    order, kind = storm.one_of(account, "linear"), rng.random()
    asked: dict[str, Any] = {**SYMBOL, "side": rng.choice(["BUY", "SELL"])}
    asked["quantity"] = storm.size()
    asked["selfTradePreventionMode"] = rng.choice(["NONE", "EXPIRE_TAKER", "EXPIRE_BOTH"])
    if account.hedged.get("BTCUSDT"):
        asked["positionSide"] = rng.choice(["LONG", "SHORT"])
    elif rng.random() < 0.4:
        asked["reduceOnly"] = "true"
    if kind < 0.5 or order is None:
        if rng.random() < 0.7:
            asked |= {"type": "LIMIT", "price": storm.price()}
            asked["timeInForce"] = rng.choice(["GTC", "GTC", "IOC", "FOK", "GTX"])
        desk.signed("POST", "/fapi/v1/order", key, **{"type": "MARKET", **asked})
    elif kind < 0.6:
        asked |= {"algoType": "CONDITIONAL", "triggerPrice": storm.price()}
        asked["type"] = rng.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        desk.signed("POST", "/fapi/v1/algoOrder", key, **asked)
    elif kind < 0.8:
        changed = {"quantity": storm.size(), "price": storm.price(), "side": order.side}
        desk.signed("PUT", "/fapi/v1/order", key, orderId=order.order_id, **SYMBOL, **changed)
    elif kind < 0.9:
        desk.signed("DELETE", "/fapi/v1/order", key, orderId=order.order_id, **SYMBOL)
    elif kind < 0.95:
        dual = rng.choice(["true", "false"])
        desk.signed("POST", "/fapi/v1/positionSide/dual", key, dualSidePosition=dual)
    else:
        desk.signed("POST", "/fapi/v1/leverage", key, leverage=rng.randint(1, 60), **SYMBOL)


REQUESTS: dict[str, tuple[Callable[[], Desk], Callable[[Storm], None]]] = {
    "bybit": (BybitDesk, bybit_request),
    "binance_spot": (lambda: BinanceDesk(limits_scale=10_000), spot_request),
    "binance_usdm": (lambda: UsdmDesk(limits_scale=10_000), usdm_request),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("venue", REQUESTS)
def test_the_books_balance_after_every_step_of_a_storm(venue: str, seed: int) -> None:
    make, request = REQUESTS[venue]
    desk = make()
    audit, storm = Audit(desk), Storm(desk, seed)
    for _ in range(STEPS):
        desk.now_ns += 20_000_000
        draw = storm.rng.random()
        if draw < 0.35:
            storm.world()
        elif draw < 0.4:
            storm.by_hand()
        else:
            request(storm)
        audit.check()
    assert desk.ledger.counts["trade"] > STEPS / 10, "a storm in which nobody trades shows nothing"
