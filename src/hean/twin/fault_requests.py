# SPDX-License-Identifier: Apache-2.0
"""`fault_requests.py`: what goes wrong with a request or an order-socket message: no answer, a
lie, garbage, a refusal that is none of the client's fault. Whether the exchange got the request is
always said by the dial, never left open, so that the ledger can prove what the client had to find
out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from hean.twin.account import Account
from hean.twin.by_hand import ByHand
from hean.twin.fault_act import Act, RequestFault, family_of, fits_topic, kinds_of
from hean.twin.fault_asked import Asked
from hean.twin.fault_voices import Trouble, http_trouble, reply_of, trouble_of
from hean.twin.orders import NewOrder, Order, Refused, Status, Why
from hean.twin.wire import Reply

NS = 1_000_000_000
CANCELS = frozenset({"cancel", "cancel_batch", "cancel_all"})
MISSING_IDS = frozenset({"orderId", "orderLinkId", "clientOrderId", "algoId", "clientAlgoId"})
ACKNOWLEDGED = Trouble(0, "")
"""No trouble: the answer of success, from the dial instead of the dialect."""
PAGED = frozenset({"orders", "order_history", "executions", "positions", "instruments"})


class TimeoutAccepted(Act):
    """Done, never answered."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(ending="hang", hold_s=self["hold_s"])


class TimeoutLost(Act):
    """Neither done nor answered."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(is_processed=False, ending="hang", hold_s=self["hold_s"])


class TimeoutLate(Act):
    """Done late, never answered. At the engine the receive window was checked in time."""

    def request(self, asked: Asked) -> RequestFault | None:
        delay_s = self["delay_s"]
        lag_ns = int(delay_s * NS) if self["held"] == "engine" else 0
        hold_s = self["hold_s"]
        return RequestFault(wait_s=delay_s, ending="hang", hold_s=hold_s, lag_ns=lag_ns)


class ResetAfterRequest(Act):
    """The line dies once the request has been read, or within the answer."""

    def request(self, asked: Asked) -> RequestFault | None:
        is_processed, cut_at = self["accepted"], self["answer_bytes"]
        return RequestFault(is_processed=is_processed, ending="reset", cut_at=cut_at)


class ServerError(Act):
    """An answer that says nothing about the outcome."""

    def request(self, asked: Asked) -> RequestFault | None:
        code = self["code"]
        if code == "http":
            trouble = http_trouble(self["status"])
        else:
            trouble = trouble_of(self.exchange, "busy" if code == "venue" else code, asked.market)
        return RequestFault(is_processed=self["accepted"], trouble=trouble)


class Refusal(Act):
    """A refusal that is documented as not having reached the exchange."""

    name = ""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(is_processed=False, trouble=self.trouble(asked))

    def trouble(self, asked: Asked) -> Trouble:
        """What is answered."""
        return trouble_of(self.exchange, self.name, asked.market)


class Overloaded(Refusal):
    """Too busy; not accepted."""

    name = "overloaded"


class RateLimited(Refusal):
    """Too many requests, with or without word when to come again."""

    name = "rate_limited"

    def fits(self, asked: Asked) -> bool:
        return super().fits(asked) and not (self["spares_cancels"] and asked.op in CANCELS)

    def trouble(self, asked: Asked) -> Trouble:
        found = super().trouble(asked)
        if not self["tells_when"]:
            return found
        wait_s = self["retry_after_s"]
        if self.exchange == "binance":
            return found.waiting({"Retry-After": str(max(1, round(wait_s)))})
        reset_ms = self.venue.now() // 1_000_000 + int(wait_s * 1_000)
        return found.waiting(
            {
                "X-Bapi-Limit": "10",
                "X-Bapi-Limit-Status": "0",
                "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
            }
        )


class IpBanned(Refusal):
    """Nothing is answered but the ban, on any channel."""

    name = "ip_banned"

    def trouble(self, asked: Asked) -> Trouble:
        found = super().trouble(asked)
        left_s = max(1, round(self.setting.until_s - self.faults.now_s()))
        is_told = self.exchange == "binance"
        return found.waiting({"Retry-After": str(left_s)}) if is_told else found

    def connect(self, path: str) -> Reply | None:
        trouble = self.trouble(Asked("ws", path))
        return reply_of(self.exchange, trouble, self.venue.now() // 1_000_000)


class KeyRefused(Refusal):
    """The key is good for nothing any more, or not for this."""

    def fits(self, asked: Asked) -> bool:
        is_signed = bool(asked.account) or asked.op == "login"
        return is_signed and super().fits(asked)

    def trouble(self, asked: Asked) -> Trouble:
        return trouble_of(self.exchange, f"key_{self['reason']}")


class StopRefused(Refusal):
    """No stop may be placed."""

    name = "stop_refused"

    def fits(self, asked: Asked) -> bool:
        return asked.is_stop and super().fits(asked)


class GarbageBody(Act):
    """A good status and a body that is none."""

    def request(self, asked: Asked) -> RequestFault | None:
        form = self["form"]
        if form == "html":
            trouble = Trouble(0, "Please wait", 200, html=True)
            return RequestFault(is_processed=self["accepted"], trouble=trouble)
        is_processed = self["accepted"]
        return RequestFault(
            is_processed=is_processed,
            trouble=None if is_processed else Trouble(0, "OK"),
            mangle=lambda data: _garbage(data, form),
        )


def _garbage(data: bytes, form: str) -> bytes:
    match form:
        case "truncated":
            return data[: len(data) // 2]
        case "encoding":
            return data.decode("utf-8", "replace").encode("utf-16")
        case "empty":
            return b""
        case "empty_list":
            return b"[]"
    return msgspec.json.encode(_without(msgspec.json.decode(data), MISSING_IDS))


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


class ClockSkew(Act):
    """The exchange's clock is off for everybody."""

    def begin(self) -> None:
        self.faults.skew(int(self["offset_s"] * NS))
        self.acted(offset_s=self["offset_s"])

    def end(self) -> None:
        self.faults.skew(0)


class ClockJump(Act):
    """Some requests meet a machine whose clock is off."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(lag_ns=-int(self["offset_s"] * NS))


class DuplicateId(Act):
    """The client id is said to have been used."""

    def request(self, asked: Asked) -> RequestFault | None:
        existing = self["existing"]
        if existing == "foreign":
            self._place_foreign(asked)
            return RequestFault()
        trouble = trouble_of(self.exchange, "duplicate_id", asked.market)
        return RequestFault(is_processed=existing == "ours", trouble=trouble)

    def _place_foreign(self, asked: Asked) -> None:
        """An order of other terms takes the id, far from the market."""
        hand = ByHand(self.venue)
        account = hand.account(asked.account or "main")
        market = hand.market(asked.symbol, asked.market or None)
        price = market.price(market.ticks(market.last * Decimal("0.97")))
        need = market.listing.notional_min * 2 / price
        quantity = max(market.listing.quantity_min, market.quantity(market.lots(need) + 1))
        client_id = asked.client_ids[0] if asked.client_ids else ""
        hand.place(account, market, "BUY", quantity, price=price, client_id=client_id)


class BatchPartial(Act):
    """Every so-and-so-many leg of a batch fails."""

    _legs = 0

    def request(self, asked: Asked) -> RequestFault | None:
        self._legs = 0
        return RequestFault()

    def before_place(self, account: Account, new: NewOrder) -> None:
        self._leg(Why.INSUFFICIENT)

    def before_amend(self, order: Order) -> None:
        self._leg(Why.ORDER_NOT_FOUND)

    def before_cancel(self, order: Order) -> None:
        self._leg(Why.ORDER_NOT_FOUND)

    def _leg(self, why: Why) -> None:
        self._legs += 1
        if self._legs % self["every"] == 0:
            raise Refused(why)


class BatchShuffled(Act):
    """A batch's results come in another order than its legs; some may be missing."""

    def request(self, asked: Asked) -> RequestFault | None:
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
        return RequestFault()

    def before_cancel(self, order: Order) -> None:
        if not order.is_open:
            return
        if self["by"] == "fill" and order.status is not Status.UNTRIGGERED:
            ByHand(self.venue).fill(order, order.left)
        else:
            self.venue.cancel(order, Why.DISCONNECT)


class AmendRace(Act):
    """A part of an order fills just before its amend arrives."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault()

    def before_amend(self, order: Order) -> None:
        if order.is_open:
            ByHand(self.venue).fill(order, order.left * Decimal(str(self["fraction"])))


class CancelFails(Act):
    """A cancel, also that within a replace, is refused; the order lives."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault()

    def before_cancel(self, order: Order) -> None:
        raise Refused(Why.ORDER_NOT_FOUND)


class CancelAllSurvivor(Act):
    """A cancel-all says it has ended all orders; some live."""

    _left = 0

    def request(self, asked: Asked) -> RequestFault | None:
        self._left = self["survivors"]
        return RequestFault()

    def spares(self, order: Order) -> bool:
        self._left -= 1
        return self._left >= 0


class StopLost(Act):
    """A stop is acknowledged and then does not exist."""

    def fits(self, asked: Asked) -> bool:
        return asked.is_stop and super().fits(asked)

    def request(self, asked: Asked) -> RequestFault | None:
        is_attached = asked.op == "create" and bool(asked.fields.get("stopLoss"))
        return RequestFault(is_muted=not is_attached)

    def processed(self, fault: RequestFault) -> None:
        for order in fault.orders:
            if order.trigger is not None and order.is_open:
                ByHand(self.venue).lose(order)


class Paging(Act):
    """A page after the first is not what it should be. Remembers the page before."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._before: dict[tuple[str, str], list[Any]] = {}

    def fits(self, asked: Asked) -> bool:
        if asked.op not in PAGED or not super().fits(asked):
            return False
        if self._is_next(asked):
            return True
        # A first page is no victim, but it must be seen.
        self.faults.watch(lambda data: self._remember(asked, data))
        return False

    def _is_next(self, asked: Asked) -> bool:
        fields = asked.fields
        if fields.get("cursor") or fields.get("fromId"):
            return True
        by_place = fields.get("startTime") or fields.get("orderId")
        is_known = (asked.op, asked.account) in self._before
        return self.exchange == "binance" and bool(by_place) and is_known

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(mangle=lambda data: self._mangle(asked, data))

    def _remember(self, asked: Asked, data: bytes) -> None:
        rows = _rows(msgspec.json.decode(data))
        self._before[asked.op, asked.account] = list(rows or ())

    def _mangle(self, asked: Asked, data: bytes) -> bytes:
        body = msgspec.json.decode(data)
        rows = _rows(body)
        if rows is None:
            return data
        key = (asked.op, asked.account)
        true = list(rows)
        rows[:] = self.page(true, self._before.get(key, []))
        self._before[key] = true
        return msgspec.json.encode(body)

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        """What the page shows instead."""
        return rows


class PageRepeats(Paging):
    """The page before comes again."""

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        return before or rows


class PageSkips(Paging):
    """The first rows of the page are missing."""

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        return rows[self["rows"] :]


def _rows(body: Any) -> list[Any] | None:
    if isinstance(body, dict):
        body = body.get("result")
        body = body.get("list") if isinstance(body, dict) else body
    return body if isinstance(body, list) else None


class PositionQueryFails(Act):
    """Nobody can say what the positions are."""

    def request(self, asked: Asked) -> RequestFault | None:
        match self["form"]:
            case "timeout":
                return RequestFault(is_processed=False, ending="hang", hold_s=30.0)
            case "http":
                return RequestFault(is_processed=False, trouble=http_trouble(502))
            case "garbage":
                return RequestFault(mangle=lambda data: data[: len(data) // 2])
        return RequestFault(is_processed=False, trouble=trouble_of(self.exchange, "busy"))


class FillBeforeAck(Act):
    """The stream tells a fill before the answer tells that there is an order."""

    def request(self, asked: Asked) -> RequestFault | None:
        return RequestFault(answer_after_s=self["delay_s"])

    def processed(self, fault: RequestFault) -> None:
        share = Decimal(str(self["fraction"]))
        for order in fault.orders:
            if order.is_open:
                lot = order.market.listing.lot
                ByHand(self.venue).fill(order, max(lot, order.left * share))


class Subscribing(Act):
    """What a subscription's topics come to. *keeps*: which of them reach the dialect."""

    def fits(self, asked: Asked) -> bool:
        match = self.setting.match
        which = match.get("which", "all")
        is_kind = which == "all" or which in kinds_of(asked.path)
        rest = {name: value for name, value in match.items() if name not in ("topic", "which")}
        return asked.op == "subscribe" and is_kind and asked.fits(rest) and bool(self.lost(asked))

    def lost(self, asked: Asked) -> list[str]:
        """The topics that are not subscribed."""
        wanted = self.setting.match.get("topic", "*")
        return [topic for topic in topics_of(asked) if topic_fits(topic, wanted)]

    def request(self, asked: Asked) -> RequestFault | None:
        gone = set(self.lost(asked))
        kept = [topic for topic in topics_of(asked) if topic not in gone]
        if kept:
            name = "args" if self.exchange == "bybit" else "params"
            text = msgspec.json.encode({**asked.message, name: kept}).decode()
            return RequestFault(text=text)
        return RequestFault(is_processed=False, trouble=ACKNOWLEDGED)


class SubscriptionRefused(Subscribing):
    """The venue says no to the whole request."""

    def request(self, asked: Asked) -> RequestFault | None:
        gone = ",".join(self.lost(asked))
        text = (
            f"error:handler not found,topic:{gone}"
            if self.exchange == "bybit"
            else ("Invalid request: too many subscriptions")
        )
        return RequestFault(is_processed=False, trouble=Trouble(2, text))


class SubscriptionPartial(Subscribing):
    """Acknowledged as a whole; every second topic never delivers."""

    def lost(self, asked: Asked) -> list[str]:
        return super().lost(asked)[1::2]


def topics_of(asked: Asked) -> list[str]:
    """What a subscription asks for."""
    given = asked.message.get("args") or asked.message.get("params")
    return [str(each) for each in given] if isinstance(given, list) else []


def topic_fits(topic: str, wanted: str) -> bool:
    """Whether a topic in a subscription is of the wanted family or pattern."""
    return fits_topic(topic, family_of(topic, b"", is_private=False), wanted)
