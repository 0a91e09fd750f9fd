# SPDX-License-Identifier: Apache-2.0
"""`orders.py`: what happens to orders while a request about them is on its way: races with fills,
batches that half succeed, cancels that do not, stops that vanish. The request itself arrives and is
answered by the dialect; the dial acts beside it, inside the exchange.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.twin.account import Account
from hean.twin.faults.act import Act, RequestFault
from hean.twin.faults.asked import Asked
from hean.twin.faults.by_hand import ByHand
from hean.twin.faults.voices import trouble_of
from hean.twin.orders import NewOrder, Order, Refused, Status, Why

UNKNOWN = {"bybit": Why.ORDER_NOT_FOUND, "binance": Why.ORDER_CLOSED}
"""What a cancel of an order that nobody knows is refused with."""


class DuplicateId(Act):
    """The client id is said to have been used."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through, or swallow it, and say that the id was used."""
        existing = self["existing"]
        if existing == "foreign":
            return self._place_foreign(asked)
        trouble = trouble_of(self.exchange, "duplicate_id", asked.market)
        return RequestFault(is_processed=existing == "ours", trouble=trouble)

    def _place_foreign(self, asked: Asked) -> RequestFault | None:
        """An order of other terms takes the id, far from the market. *Returns*: nothing where the
        exchange takes no such order either: the id is free, and the request has its own answer.
        """
        hand = ByHand(self.venue)
        account = hand.account(asked.account or "main")
        market = hand.market(asked.symbol, asked.market or None)
        price = market.price(market.ticks(market.last * Decimal("0.97")))
        need = market.listing.notional_min * 2 / price
        quantity = max(market.listing.quantity_min, market.quantity(market.lots(need) + 1))
        client_id = asked.client_ids[0] if asked.client_ids else ""
        try:
            hand.place(account, market, "BUY", quantity, price=price, client_id=client_id)
        except Refused:
            return None
        return RequestFault()


class BatchPartial(Act):
    """Every so-and-so-many leg of a batch fails."""

    _legs = 0

    def request(self, asked: Asked) -> RequestFault | None:
        """Count the legs of this batch."""
        self._legs = 0
        return RequestFault()

    def before_place(self, account: Account, new: NewOrder) -> None:
        """A leg that creates."""
        self._leg(Why.INSUFFICIENT)

    def before_amend(self, order: Order) -> None:
        """A leg that amends."""
        self._leg(Why.ORDER_NOT_FOUND)

    def before_cancel(self, order: Order) -> None:
        """A leg that cancels."""
        self._leg(UNKNOWN[self.exchange])

    def _leg(self, why: Why) -> None:
        self._legs += 1
        if self._legs % self["every"] == 0:
            raise Refused(why)


class BatchShuffled(Act):
    """A batch's results come in another order than its legs; some may be missing."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Shuffle the answer."""
        return RequestFault(mangle=self._shuffle)

    def _shuffle(self, data: bytes) -> bytes:
        body = msgspec.json.decode(data)
        lists = [body] if isinstance(body, list) else []
        if isinstance(body, dict):
            for name in ("result", "data", "retExtInfo"):
                part = body.get(name)
                found = part.get("list") if isinstance(part, dict) else part
                if isinstance(found, list):
                    lists.append(found)
        order = list(range(max((len(each) for each in lists), default=0)))
        self.setting.rng.shuffle(order)
        if order == sorted(order):
            order.reverse()
        kept = order[self["drops"] :]
        for each in lists:
            each[:] = [each[index] for index in kept if index < len(each)]
        return msgspec.json.encode(body)


class CancelRace(Act):
    """An order ends just before its cancel arrives."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through; the race is run inside."""
        return RequestFault()

    def before_cancel(self, order: Order) -> None:
        """The order ends first."""
        if not order.is_open:
            return
        if self["by"] == "fill" and order.status is not Status.UNTRIGGERED:
            ByHand(self.venue).fill(order, order.left)
        else:
            self.venue.cancel(order, Why.DISCONNECT)


class AmendRace(Act):
    """A part of an order fills just before its amend arrives."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through; the race is run inside."""
        return RequestFault()

    def before_amend(self, order: Order) -> None:
        """A part fills first."""
        if order.is_open:
            ByHand(self.venue).fill(order, order.left * Decimal(str(self["fraction"])))


class CancelFails(Act):
    """A cancel, also that within a replace, is refused; the order lives."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through; it fails inside."""
        return RequestFault()

    def before_cancel(self, order: Order) -> None:
        """Nobody knows the order."""
        raise Refused(UNKNOWN[self.exchange])


class CancelAllSurvivor(Act):
    """A cancel-all says it has ended all orders; some live."""

    _left = 0

    def request(self, asked: Asked) -> RequestFault | None:
        """Count the survivors of this call."""
        self._left = self["survivors"]
        return RequestFault()

    def spares(self, order: Order) -> bool:
        """The first ones live."""
        self._left -= 1
        return self._left >= 0


class StopLost(Act):
    """A stop is acknowledged and then does not exist."""

    def fits(self, asked: Asked) -> bool:
        """Only stops."""
        return asked.is_stop and super().fits(asked)

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through; the stream keeps silent."""
        is_attached = asked.op == "create" and bool(asked.fields.get("stopLoss"))
        return RequestFault(is_muted=not is_attached)

    def processed(self, fault: RequestFault) -> None:
        """The stop is gone."""
        for order in fault.orders:
            if order.trigger is not None and order.is_open:
                ByHand(self.venue).lose(order)


class FillBeforeAck(Act):
    """The stream tells a fill before the answer tells that there is an order."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Hold the answer."""
        return RequestFault(answer_after_s=self["delay_s"])

    def processed(self, fault: RequestFault) -> None:
        """Somebody trades with the new order at once."""
        share = Decimal(str(self["fraction"]))
        for order in fault.orders:
            if order.is_open:
                lot = order.market.listing.lot
                ByHand(self.venue).fill(order, max(lot, order.left * share))
