# SPDX-License-Identifier: Apache-2.0
"""`bybit.py`: Bybit V5, spot and linear perpetuals: how orders are written and answers are read. An
order on the socket needs no signature of its own, the socket is logged in; its bytes are put
together in one step. An accepted order is only accepted: how it ended comes over the private
stream. Questions about the account are in `bybit_account.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean import _core
from hean.core.types import OrderApproved, OrderType, Side, TimeInForce
from hean.net.budget import Budget, Limit, Priority
from hean.venues.bybit_account import SETTLE_COIN, BybitAccount
from hean.venues.codec import SignedRequest
from hean.venues.endpoints import Endpoints, Market
from hean.venues.outcomes import bybit_silence, bybit_verdict
from hean.venues.reports import Call, OrderReport, Reply, Tracked
from hean.venues.signing import BYBIT_WINDOW_MS, Signer, bybit_headers, bybit_login

CREATE, CANCEL, AMEND = "/v5/order/create", "/v5/order/cancel", "/v5/order/amend"
CANCEL_ALL = "/v5/order/cancel-all"

_SECOND_NS = 1_000_000_000
_ADDRESS = "address"  # over everything; beyond it silence for ten minutes
_ADDRESS_COUNT, _ADDRESS_NS = 600, 5 * _SECOND_NS
_PER_SECOND: dict[str, tuple[int, int]] = {  # path: requests a second of linear and of spot
    CREATE: (10, 20),
    CANCEL: (10, 20),
    CANCEL_ALL: (10, 20),
    AMEND: (10, 10),
    "/v5/order/realtime": (50, 50),
    "/v5/order/history": (50, 50),
    "/v5/execution/list": (50, 50),
    "/v5/position/list": (50, 50),
    "/v5/account/wallet-balance": (50, 50),
    "/v5/position/set-leverage": (10, 10),
    "/v5/position/switch-mode": (10, 10),
    "/v5/order/disconnected-cancel-all": (5, 5),  # not documented; used once at start
    "/v5/account/info": (50, 50),
    "/v5/system/status": (50, 50),
    "/v5/user/query-api": (10, 10),
    "/v5/market/time": (50, 50),
}
_OPERATIONS = {"order.create": CREATE, "order.cancel": CANCEL, "order.amend": AMEND}
_SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}
_LIVES = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
_RISES = {  # whether the trigger waits for a rising price
    (OrderType.STOP, Side.BUY): True,
    (OrderType.STOP, Side.SELL): False,
    (OrderType.STOP_LIMIT, Side.BUY): True,
    (OrderType.STOP_LIMIT, Side.SELL): False,
    (OrderType.TAKE_PROFIT, Side.BUY): False,
    (OrderType.TAKE_PROFIT, Side.SELL): True,
}
_PRICED = (OrderType.LIMIT, OrderType.STOP_LIMIT)


class _Answer(msgspec.Struct):
    """The envelope of every REST answer; the result is read by whoever asked."""

    retCode: int
    retMsg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _Ids(msgspec.Struct):
    orderId: str = ""


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_ids = msgspec.json.Decoder(_Ids).decode


def bybit_budget(scale: int = 1) -> Budget:
    """The limits of one account from one address, over both markets. *scale*: for a venue that
    allows so many times the documented figures."""
    limits, costs = [Limit(_ADDRESS, _ADDRESS_COUNT * scale, _ADDRESS_NS)], {}
    for path, counts in _PER_SECOND.items():
        for market, count in zip(("linear", "spot"), counts, strict=True):
            name = f"{market}{path}"
            limits.append(Limit(name, count * scale, _SECOND_NS, path in (CANCEL, CANCEL_ALL)))
            costs[name] = {name: 1, _ADDRESS: 1}
    return Budget(limits, costs)


class BybitCodec(BybitAccount):
    """One market of Bybit."""

    ping: bytes | None = b'{"op":"ping"}'

    def __init__(self, endpoints: Endpoints, signer: Signer) -> None:
        market: Market = "spot" if endpoints.market == "spot" else "linear"
        super().__init__(market)
        self.name = f"bybit.{endpoints.market}"
        self.endpoints = endpoints
        self.key_rest = endpoints.rest
        self.key_label = signer.label
        self._signer = signer
        self._market: Market = market

    def submit_kind(self, symbol: str) -> str:
        """Each market counts its own."""
        return f"{self._market}{CREATE}"

    def has_positions(self, symbol: str) -> bool:
        """Perpetuals do."""
        return self._is_linear

    def submit_frame(self, approved: OrderApproved, request_id: str, now_ms: int) -> bytes | None:
        """A new order for the order socket."""
        return self._frame("order.create", self._order_text(approved), request_id, now_ms)

    def cancel_frame(self, order: Tracked, request_id: str, now_ms: int) -> bytes | None:
        """A cancellation for the order socket."""
        return self._frame("order.cancel", self._cancel_text(order), request_id, now_ms)

    def amend_frame(
        self, order: Tracked, price: Decimal, size: Decimal, request_id: str, now_ms: int
    ) -> bytes | None:
        """New terms for the order socket."""
        text = self._amend_text(order, price, size)
        return self._frame("order.amend", text, request_id, now_ms)

    def submit_call(self, approved: OrderApproved) -> Call:
        """A new order by REST."""
        priority = Priority.REDUCE if approved.reduce_only else Priority.NEW
        return self._order_call(CREATE, self._order_text(approved), priority)

    def cancel_call(self, order: Tracked) -> Call:
        """A cancellation by REST."""
        return self._order_call(CANCEL, self._cancel_text(order), Priority.CANCEL)

    def amend_call(self, order: Tracked, price: Decimal, size: Decimal) -> Call:
        """New terms by REST."""
        return self._order_call(AMEND, self._amend_text(order, price, size), Priority.NEW)

    def cancel_listed(self, report: OrderReport) -> Call:
        """A cancellation by the venue's id."""
        text = (
            f'{{"category":"{self._market}","symbol":"{report.symbol}",'
            f'"orderId":"{report.exchange_order_id}"'
        )
        if report.is_conditional and self._market == "spot":
            text += ',"orderFilter":"StopOrder"'
        return self._order_call(CANCEL, text + "}", Priority.CANCEL)

    def cancel_all(self, symbols: Sequence[str]) -> tuple[Call, ...]:
        """One call for the whole market; spot keeps its conditional orders apart."""
        if self._market == "linear":
            texts = [f'{{"category":"linear","settleCoin":"{SETTLE_COIN}"}}']
        else:
            kinds = ("Order", "StopOrder")
            texts = [f'{{"category":"spot","orderFilter":"{kind}"}}' for kind in kinds]
        return tuple(self._order_call(CANCEL_ALL, text, Priority.CANCEL) for text in texts)

    def amend_refusal(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        """Bybit changes price and size of whatever is open."""
        return ""

    def order_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """One login."""
        return (bybit_login(self._signer, now_ms),)

    def private_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """A login, then all topics at once."""
        return private_steps(self._signer, now_ms, (self._market,))

    def parse(self, frame: bytes) -> dict[str, Any] | None:
        """A frame of either socket."""
        return _core.parse_bybit(frame)

    def reply(self, parsed: dict[str, Any], now_ms: int) -> Reply:
        """The meaning of an answer on the order socket. A login has no code on the private one."""
        code = parsed["code"]
        if code is None:
            refused = 10003 if parsed["operation"] == "auth" else 10001
            if parsed["message"].endswith("expired"):
                refused = 10002  # the key is fine, the time of the login is not
            code = 0 if parsed["is_ok"] else refused
        headers: dict[str, str] = {}
        used = []
        for limit in parsed["limits"]:
            path = _OPERATIONS.get(parsed["operation"] or "", "")
            used.append((f"{self._market}{path}", limit["used"], limit["limit"]))
            if limit["reset_ns"] is not None:
                headers["x-bapi-limit-reset-timestamp"] = str(limit["reset_ns"] // 1_000_000)
        return Reply(
            bybit_verdict(code, parsed["message"]),
            exchange_order_id=parsed["exchange_order_id"] or "",
            request_id=parsed["id"] or "",
            used=tuple(used),
            silence=bybit_silence(200, code, headers, now_ms),
        )

    def sign(self, call: Call, now_ms: int) -> SignedRequest:
        """Query of a GET or body of a POST, with the headers that sign exactly those bytes."""
        payload = call.text.encode()
        headers = bybit_headers(self._signer, now_ms, payload) if call.is_signed else {}
        if call.method == "GET":
            return SignedRequest("GET", call.path, call.text, b"", headers)
        headers["Content-Type"] = "application/json"
        return SignedRequest(call.method, call.path, "", payload, headers)

    def read(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply:
        """The meaning of a REST answer; a body that is none has no code."""
        code, text, result, order_id = None, "", msgspec.Raw(b"{}"), ""
        try:
            answer = _decode_answer(body)
            code, text, result = answer.retCode, answer.retMsg, answer.result
            if call.path == CREATE:
                order_id = _decode_ids(result).orderId
        except msgspec.MsgspecError:
            text = f"HTTP {status} with a body that is not understood"
        verdict = bybit_verdict(code, text, http_status=status)
        silence = bybit_silence(status, code, headers, now_ms)
        return Reply(verdict, result, order_id, "", _used(call.kind, headers), silence)

    def _frame(self, operation: str, text: str, request_id: str, now_ms: int) -> bytes:
        return (
            f'{{"reqId":"{request_id}","header":{{"X-BAPI-TIMESTAMP":"{now_ms}",'
            f'"X-BAPI-RECV-WINDOW":"{BYBIT_WINDOW_MS}"}},"op":"{operation}","args":[{text}]}}'
        ).encode()

    def _order_text(self, approved: OrderApproved) -> str:
        """The order as Bybit's JSON object. Ids and symbols need no escaping, see the gateway."""
        is_linear = self._market == "linear"
        kind = approved.type
        text = (
            f'{{"category":"{self._market}","symbol":"{approved.symbol}",'
            f'"side":"{_SIDES[approved.side]}","qty":"{approved.size:f}",'
            f'"orderLinkId":"{approved.order_id}",'
        )
        if kind in _PRICED:
            life = _LIVES[approved.time_in_force]
            text += f'"orderType":"Limit","price":"{approved.price:f}","timeInForce":"{life}"'
        else:
            text += '"orderType":"Market"'
            if not is_linear:
                text += ',"marketUnit":"baseCoin"'
        if approved.trigger_price is not None:
            text += f',"triggerPrice":"{approved.trigger_price:f}"'
            if is_linear:
                direction = 1 if _RISES[kind, approved.side] else 2
                text += f',"triggerDirection":{direction},"triggerBy":"LastPrice"'
            else:
                text += ',"orderFilter":"StopOrder"'
        if is_linear:
            text += ',"positionIdx":0'
            if approved.reduce_only:
                text += ',"reduceOnly":true'
        return text + "}"

    def _cancel_text(self, order: Tracked) -> str:
        text = (
            f'{{"category":"{self._market}","symbol":"{order.symbol}",'
            f'"orderLinkId":"{order.order_id}"'
        )
        if order.is_conditional and self._market == "spot":
            text += ',"orderFilter":"StopOrder"'
        return text + "}"

    def _amend_text(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        text = (
            f'{{"category":"{self._market}","symbol":"{order.symbol}",'
            f'"orderLinkId":"{order.order_id}"'
        )
        if size != order.size:
            text += f',"qty":"{size:f}"'
        if order.price is not None and price != order.price:
            text += f',"price":"{price:f}"'
        return text + "}"

    def _order_call(self, path: str, text: str, priority: Priority) -> Call:
        return Call(f"{self._market}{path}", "POST", path, text, priority=priority)


def private_steps(signer: Signer, now_ms: int, markets: Collection[Market]) -> tuple[bytes, bytes]:
    """A login and one subscription; the last topics arm the dead-man's switch, if set."""
    positions = ["position"] if "linear" in markets else []
    products = ["dcp.spot" if market == "spot" else "dcp.future" for market in markets]
    topics = ["order", "execution", *positions, "wallet", *products]
    listed = ",".join(f'"{topic}"' for topic in topics)
    subscription = f'{{"op":"subscribe","args":[{listed}]}}'.encode()
    return bybit_login(signer, now_ms), subscription


def _used(kind: str, headers: Mapping[str, str]) -> tuple[tuple[str, int, int | None], ...]:
    count, left = headers.get("x-bapi-limit", ""), headers.get("x-bapi-limit-status", "")
    if not (count.isdigit() and left.isdigit()):
        return ()
    return ((kind, max(0, int(count) - int(left)), int(count)),)
