# SPDX-License-Identifier: Apache-2.0
"""`exchange.py`: what goes wrong at the exchange itself, or is done there without the client:
changed rules, forgotten orders, maintenance, forced closes, a hand on the account, storms of
trades. What these dials do is true: it is in the books, and streams tell it as ever. Turning one
back undoes what can be undone: rules, bans, hidden orders, money taken away.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.errors import ParameterInvalid
from hean.twin.account import Account
from hean.twin.checks import reducible
from hean.twin.faults.act import Act, RequestFault
from hean.twin.faults.asked import Asked
from hean.twin.faults.by_hand import ByHand
from hean.twin.faults.quirks import Maintenance as Announced
from hean.twin.faults.voices import http_trouble, reply_of, trouble_of
from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, NewOrder, Order, Refused, Status, Why
from hean.twin.wire import Reply

NS = 1_000_000_000
LISTED = ("tick", "lot", "quantity_min", "notional_min", "status")
STORM_TICK_MAX = 20_000  # trades in one moment; a storm larger than that is spread over the next
BEYOND = Decimal("0.002")  # how far past a stop the price goes, as a fraction


class ByHandAct(Act):
    """Something done once, when the dial is set, to an account and a symbol."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.hand = ByHand(self.venue)

    def account(self) -> Account:
        """Whose account."""
        return self.hand.account(self.setting.match.get("account", "main"))

    def market(self) -> TwinMarket:
        """Which symbol; without one the first perpetual."""
        symbol = self.setting.match.get("symbol") or next(iter(self.venue.markets))[1]
        return self.hand.market(symbol, self.setting.match.get("market"))

    def begin(self) -> None:
        """Do it once."""
        facts = self.act()
        self.acted(**facts)

    def act(self) -> dict[str, Any]:
        """Do it. *Returns*: what the ledger shall say."""
        return {}


class Amnesia(Act):
    """Existing orders cannot be found, cancelled or amended; they live, and come back."""

    lasts_when_spent = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._hidden: list[Order] = []

    def begin(self) -> None:
        """Forget what is there."""
        self._hide()

    def tick(self, now_s: float) -> None:
        """Forget what has come since."""
        self._hide()

    def _hide(self) -> None:
        for account in self.venue.accounts:
            for order in list(account.open_orders.values()):
                if self._is_victim(order):
                    account.open_orders.pop(order.number, None)
                    account.orders.pop(order.order_id, None)
                    account.forget_client_id(order)
                    self._hidden.append(order)
                    self.acted(order_id=order.order_id, client_order_id=order.client_id)

    def _is_victim(self, order: Order) -> bool:
        asked = Asked(
            "rest",
            "",
            market=order.market.listing.market,
            symbol=order.market.symbol,
            side=order.side,
            account=order.account.name,
            client_ids=(order.client_id,),
        )
        return not self.setting.is_spent and asked.fits(self.setting.match)

    def end(self) -> None:
        """Remember."""
        for order in self._hidden:
            account = order.account
            account.orders[order.order_id] = order
            account.client_ids(order.market.listing.market).setdefault(order.client_id, order)
            if order.is_open:
                account.open_orders[order.number] = order


class Maintenance(Act):
    """The venue is closed for a while, announced or not; a restart may forget what was recent."""

    _begin_s = 0.0
    _has_begun = False

    def begin(self) -> None:
        """Announce it, or close at once."""
        ahead_s = self["announced_s"]
        self._begin_s = self.faults.now_s() + ahead_s
        self.setting.until_s = self._begin_s + self["lasts_s"]
        if ahead_s:
            now_ns = self.venue.now()
            begin_ns = now_ns + int(ahead_s * NS)
            end_ns = begin_ns + int(self["lasts_s"] * NS)
            notice = Announced(self.setting.number, "System maintenance", begin_ns, end_ns)
            self.venue.quirks.maintenances = (*self.venue.quirks.maintenances, notice)
            self._shout(now_ns // 1_000_000)
        self.tick(self.faults.now_s())

    def _shout(self, now_ms: int) -> None:
        """Binance tells its streams; Bybit is asked (system/status)."""
        if self.exchange == "binance":
            for session in self.faults.sessions():
                session.put(f'{{"e":"serverShutdown","E":{now_ms}}}'.encode())

    def tick(self, now_s: float) -> None:
        """Close when it is time."""
        if self._has_begun or now_s < self._begin_s:
            return
        self._has_begun = True
        for session in self.faults.sessions():
            session.abort()
        self.acted(lasts_s=self["lasts_s"])

    def fits(self, asked: Asked) -> bool:
        """Everything but the question when it ends."""
        return self._has_begun and asked.op != "status" and super().fits(asked)

    def request(self, asked: Asked) -> RequestFault | None:
        """Closed."""
        trouble = trouble_of(self.exchange, "maintenance")
        return RequestFault(is_processed=False, trouble=trouble)

    def connect(self, path: str) -> Reply | None:
        """Closed."""
        if not self._has_begun:
            return None
        return reply_of(self.exchange, http_trouble(503), 0)

    def end(self) -> None:
        """Open again, perhaps with gaps in memory."""
        if self._has_begun and self["clears_recent"]:
            self.venue.quirks.recent_since_ns = self.venue.now()


class FilterChange(ByHandAct):
    """The rules of a symbol change; turning back restores those, and no others: another dial may
    have changed them meanwhile.
    """

    def act(self) -> dict[str, Any]:
        """Change the listing."""
        market = self.market()
        listing = market.listing
        changes = {name: self[name] for name in LISTED if self[name] is not None}
        self._before = {name: getattr(listing, name) for name in changes}
        for name in ("tick", "lot"):
            step = getattr(listing, name)
            if name in changes and (changes[name] <= 0 or changes[name] % step):
                raise ParameterInvalid(f"{name} {changes[name]:f}: not a multiple of {step:f}.")
        for name, value in changes.items():
            setattr(listing, name, value)
        if self["leverage_max"] is not None and listing.tiers:
            self._before["tiers"] = listing.tiers
            rate = 1 / Decimal(self["leverage_max"])
            listing.tiers = [(cap, max(i, rate), m, d) for cap, i, m, d in listing.tiers]
        self._listing = listing
        return {"symbol": market.symbol, **{name: str(value) for name, value in changes.items()}}

    def end(self) -> None:
        """Restore it."""
        for name, value in self._before.items():
            setattr(self._listing, name, value)


class BalanceShort(ByHandAct):
    """Money is gone; it comes back when the dial is turned back."""

    _taken = ZERO

    def act(self) -> dict[str, Any]:
        """Take the money."""
        account, coin, kind = self.account(), self["coin"], self._kind()
        there = account.wallet(kind).get(coin, ZERO)
        self._taken = max(ZERO, there - self["left"])
        self.hand.transfer(account, coin, -self._taken, kind)
        return {"account": account.name, "coin": coin, "taken": f"{self._taken:f}"}

    def end(self) -> None:
        """Give it back."""
        self.hand.transfer(self.account(), self["coin"], self._taken, self._kind())

    def _kind(self) -> str:
        return self.setting.match.get("market", "linear")


class ModeByHand(ByHandAct):
    """Position or margin mode is changed on the venue's page."""

    def act(self) -> dict[str, Any]:
        """Change the mode."""
        account, market = self.account(), self.market()
        symbol, mode = market.symbol, self["mode"]
        if mode in ("hedge", "one_way"):
            self.hand.position_mode(account, market, is_hedged=mode == "hedge")
        else:
            self.hand.margin_mode(account, market, mode)
        return {"account": account.name, "symbol": symbol, "mode": mode}


class OrderByHand(ByHandAct):
    """An order that no client of ours has sent."""

    def act(self) -> dict[str, Any]:
        """Place it."""
        account, market = self.account(), self.market()
        price, side = self["price"], self["side"]
        if self["type"] == "limit" and price is None:
            away = Decimal("0.97") if side == "BUY" else Decimal("1.03")
            price = market.price(market.ticks(market.last * away))
        quantity = self["qty"] or self._least(market)
        client_id = self.client_id()
        order = self.hand.place(account, market, side, quantity, price=price, client_id=client_id)
        return {"order_id": order.order_id, "client_order_id": client_id, "symbol": market.symbol}

    def client_id(self) -> str:
        """The id it bears."""
        return str(self["client_id"] or "")

    def _least(self, market: TwinMarket) -> Decimal:
        need = market.lots(market.listing.notional_min * 2 / market.last) + 1
        return max(market.listing.quantity_min, market.quantity(need))


class ForeignOrder(OrderByHand):
    """An order with an id such as ours, that we never made."""

    def client_id(self) -> str:
        """One with our prefix."""
        return f"{self['prefix']}{self.setting.rng.getrandbits(40):010x}"


class TransferByHand(ByHandAct):
    """Coins come or go."""

    def act(self) -> dict[str, Any]:
        """Move them."""
        account, coin, amount = self.account(), self["coin"], self["amount"]
        self.hand.transfer(account, coin, amount, self.setting.match.get("market", "linear"))
        return {"account": account.name, "coin": coin, "amount": f"{amount:f}"}


class Forced(ByHandAct):
    """The venue closes what an account holds of a symbol."""

    kind = "liquidation"

    def act(self) -> dict[str, Any]:
        """Close by force."""
        account, market = self.account(), self.market()
        closed = self.hand.force(account, market, self.kind)
        if not closed:
            raise ParameterInvalid(f"account {account.name} holds no {market.symbol}.")
        return {"account": account.name, "symbol": market.symbol, "positions": closed}


class Deleveraged(Forced):
    """Auto-deleveraging instead of a liquidation."""

    kind = "adl"


class TradingBan(ByHandAct):
    """An account may not trade."""

    def act(self) -> dict[str, Any]:
        """Ban."""
        account = self.account()
        account.is_banned = True
        return {"account": account.name}

    def end(self) -> None:
        """Lift the ban."""
        self.account().is_banned = False


class ReduceOnly(Act):
    """Only orders that reduce are taken."""

    is_standing = True

    def before_place(self, account: Account, new: NewOrder) -> None:
        """Refuse what does not reduce."""
        wanted = self.setting.match
        if wanted.get("account") not in (None, account.name) or new.reduce_only or new.close_all:
            return
        if wanted.get("symbol", new.symbol).upper() == new.symbol:
            self.acted(account=account.name, symbol=new.symbol, client_order_id=new.client_id)
            raise Refused(Why.NOT_TRADING)


class StopWhileAway(ByHandAct):
    """The private lines die, and while nobody listens the price passes a stop."""

    def act(self) -> dict[str, Any]:
        """Cut, then move the price past the oldest stop."""
        account = self.account()
        stops = [
            order
            for order in account.open_orders.values()
            if order.status is Status.UNTRIGGERED
            and order.trigger is not None
            and self.setting.match.get("symbol", order.market.symbol).upper() == order.market.symbol
        ]
        if not stops:
            raise ParameterInvalid(f"account {account.name} has no waiting stop.")
        self.setting.until_s = self.faults.now_s() + self["away_s"]
        for session in self.sessions():
            session.abort()
        stop = stops[0]
        assert stop.trigger is not None
        beyond = 1 + BEYOND if stop.trigger.rising else 1 - BEYOND
        price = stop.trigger.price * beyond
        self.hand.move(stop.market, price=price)
        return {"order_id": stop.order_id, "symbol": stop.market.symbol, "price": f"{price:f}"}

    def connect(self, path: str) -> Reply | None:
        """Nobody comes in yet."""
        return reply_of(self.exchange, http_trouble(503), 0)


class Storm(ByHandAct):
    """Something is done so many times a second. `act` does it once; nothing to do is no act."""

    _last_s = 0.0
    _owed = 0.0

    def begin(self) -> None:
        """From now on."""
        self._last_s = self.faults.now_s()

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        self._owed = min(self._owed + (now_s - self._last_s) * self["per_s"], STORM_TICK_MAX)
        self._last_s = now_s
        while self._owed >= 1 and not self.setting.is_spent:
            self._owed -= 1
            facts = self.act()
            if facts:
                self.acted(**facts)


class TradeStorm(Storm):
    """The market trades at the touch; every stream tells it."""

    def begin(self) -> None:
        """From now on."""
        self._market = self.market()
        super().begin()

    def act(self) -> dict[str, Any]:
        """Trade the smallest piece, on either side."""
        market = self._market
        is_buy = self.setting.rng.random() < 0.5
        level = market.desk.best(not is_buy)
        if level is None:
            return {}
        self.venue.market_trade(market, level[0], 1, is_buy=is_buy)
        return {"symbol": market.symbol}


class FillStorm(Storm):
    """Resting orders are filled in the smallest pieces."""

    def begin(self) -> None:
        """From now on."""
        self._orders = self.account().open_orders
        super().begin()

    def act(self) -> dict[str, Any]:
        """Fill the oldest order that rests; without one nothing stays due."""
        order = next((each for each in self._orders.values() if self._fits(each)), None)
        if order is None:
            self._owed = 0.0
            return {}
        self.hand.fill(order, order.market.listing.lot)
        return {"order_id": order.order_id, "client_order_id": order.client_id}

    def _fits(self, order: Order) -> bool:
        symbol = self.setting.match.get("symbol", order.market.symbol).upper()
        is_resting = order.status is not Status.UNTRIGGERED and order.price is not None
        return is_resting and symbol == order.market.symbol and self._reduces(order)

    def _reduces(self, order: Order) -> bool:
        """A reduction that was forgotten while its position went has nothing to fill."""
        side, where = order.side, order.position_side  # coins are no position to look at
        return not order.reduce_only or bool(reducible(order.account, order.market, side, where))
