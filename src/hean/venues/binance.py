# SPDX-License-Identifier: Apache-2.0
"""`binance.py`: what Binance spot and USD-M futures have in common: parameters are one text, which
is signed and sent as it is, in a REST query or, field by field, in a frame of the WebSocket API.
Each order on the socket carries its own signature, because a login there needs another kind of key.
The markets' own words are in `binance_spot.py` and `binance_usdm.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from hean import _core
from hean.core.types import OrderApproved, Side
from hean.errors import FieldInvalid
from hean.net.budget import Budget, Limit, Priority
from hean.venues.codec import UNSAID, SignedRequest, amount, number, status_of, traded
from hean.venues.endpoints import Endpoints
from hean.venues.outcomes import binance_silence, binance_verdict
from hean.venues.reports import (
    Ask,
    Call,
    Execution,
    KeyFacts,
    OrderReport,
    Reply,
    Status,
    Tracked,
    execution_name,
)
from hean.venues.signing import Signer, binance_frame, binance_query

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
NOT_THERE = -2013, -2026  # a query's way of saying that there is no such order
ORDER_PAGE = 1_000  # rows of the longest page of trades

Params = dict[str, str]
Row = TypeVar("Row")
Trade = TypeVar("Trade", bound="TradeRow")

_STATUS = {
    "NEW": Status.OPEN,
    "PENDING_NEW": Status.OPEN,
    "PENDING_CANCEL": Status.OPEN,
    "PARTIALLY_FILLED": Status.OPEN,
    "FILLED": Status.FILLED,
    "CANCELED": Status.CANCELLED,
    "REJECTED": Status.REJECTED,
    "EXPIRED": Status.EXPIRED,
    "EXPIRED_IN_MATCH": Status.EXPIRED,
}
# Where the wallet's requests go; the futures' own hosts and the test networks have none.
_WALLETS = {"mainnet": "https://api.binance.com", "testnet": ""}
# Names of limits here, by what the venue calls them: type and seconds of the window.
_WINDOWS = {
    ("REQUEST_WEIGHT", 60): "weight",
    ("ORDERS", 10): "orders 10 s",
    ("ORDERS", 60): "orders 1 m",
    ("ORDERS", 86_400): "orders 1 d",
}
_HEADERS = {
    "x-mbx-used-weight-1m": "weight",
    "x-mbx-order-count-10s": "orders 10 s",
    "x-mbx-order-count-1m": "orders 1 m",
    "x-mbx-order-count-1d": "orders 1 d",
}


class Refusal(msgspec.Struct):
    """The body of a refused request."""

    code: int
    msg: str = ""


class OrderRow(msgspec.Struct):
    """An order as REST shows it, spot and futures alike."""

    symbol: str
    orderId: int
    status: str
    origQty: str
    side: Side | None = None
    clientOrderId: str = ""
    executedQty: str = ""
    price: str = ""
    updateTime: int = 0

    def report(self) -> OrderReport:
        """As a report."""
        return OrderReport(
            self.symbol,
            self.clientOrderId,
            str(self.orderId),
            status_of(self.status, _STATUS),
            amount(self.origQty, "quantity"),
            amount(self.executedQty or UNSAID, "filled quantity"),
            self.status,
            ts_ns=self.updateTime * MS_NS,
            side=self.side,
            price=amount(self.price or UNSAID, "price") or None,
        )


class TradeRow(msgspec.Struct):
    """A trade of the account as REST shows it, but for who bought and who made it: each market has
    its own fields for that.
    """

    symbol: str
    id: int
    orderId: int
    price: str
    qty: str
    commission: str
    commissionAsset: str
    time: int

    def as_execution(self, side: Side, *, is_maker: bool) -> Execution:
        """As an execution; the venue does not repeat the client id here."""
        return Execution(
            self.symbol,
            "",
            str(self.orderId),
            execution_name(self.symbol, str(self.id), side),
            side,
            traded(self.price, "price"),
            traded(self.qty, "quantity"),
            number(self.commission, "fee"),
            self.commissionAsset,
            is_maker,
            self.time * MS_NS,
        )


class _Key(msgspec.Struct):
    enableWithdrawals: bool
    ipRestrict: bool
    enableFutures: bool = False
    enableSpotAndMarginTrading: bool = False


class _Ids(msgspec.Struct):
    orderId: int = 0
    algoId: int = 0


class _Time(msgspec.Struct):
    serverTime: int


_decode_refusal = msgspec.json.Decoder(Refusal).decode
_decode_ids = msgspec.json.Decoder(_Ids).decode


def limits(weight: int, orders: tuple[tuple[int, int], ...]) -> list[Limit]:
    """Weight per minute, which cancels use too, and orders per so many seconds, which they do not.

    *orders*: (seconds, count).
    """
    found = [Limit("weight", weight, 60 * SECOND_NS)]
    for seconds, count in orders:
        name = _WINDOWS["ORDERS", seconds]
        found.append(Limit(name, count, seconds * SECOND_NS, has_cancels=False))
    return found


def budget_of(found: list[Limit], weights: Mapping[str, int], scale: int) -> Budget:
    """*weights*: of each kind of request; new orders and amendments count as orders as well."""
    scaled = [
        Limit(each.name, each.count * scale, each.window_ns, each.has_cancels) for each in found
    ]
    orders = {each.name: 1 for each in found if not each.has_cancels}
    costs = {
        kind: {"weight": weight, **(orders if kind in ("submit", "amend") else {})}
        for kind, weight in weights.items()
    }
    return Budget(scaled, costs)


def read(result: Any, kind: type[Row]) -> Row:
    """A result. *Raises*: `FieldInvalid` naming what does not fit."""
    try:
        return msgspec.json.decode(result, type=kind)
    except msgspec.MsgspecError as error:
        raise FieldInvalid(f"Binance answered something else than asked: {error}.") from None


class BinanceCodec(ABC):
    """What both markets share. A subclass names paths, methods and fields."""

    ping: bytes | None = None  # the venue pings, the protocol answers
    root: str
    """Of the paths: `/api/v3`."""
    amend_method: str
    """The WebSocket API's word for new terms."""
    amend_path: str
    """The same by REST, below the root."""

    def __init__(self, endpoints: Endpoints, signer: Signer) -> None:
        self.name = f"binance.{endpoints.market}"
        self.endpoints = endpoints
        self.key_rest = (
            endpoints.rest if endpoints.network == "local" else _WALLETS[endpoints.network]
        )
        self.key_label = signer.label
        self._signer = signer

    @abstractmethod
    def amend_params(self, order: Tracked, price: Decimal, size: Decimal) -> Params:
        """New terms."""

    def is_elsewhere(self, order: Tracked) -> bool:
        """Whether the order lives in another book of the venue, reached by REST alone."""
        return False

    def submit_kind(self, symbol: str) -> str:
        """One for all symbols."""
        return "submit"

    def has_positions(self, symbol: str) -> bool:
        """Futures do."""
        return self.endpoints.market == "linear"

    def submit_frame(self, approved: OrderApproved, request_id: str, now_ms: int) -> bytes | None:
        """A new order for the order socket, from payload to signed bytes in one call."""
        signer = self._signer
        market = self.endpoints.market
        return signer.core.binance_order(market, signer.key, request_id, approved, now_ms)

    def cancel_frame(self, order: Tracked, request_id: str, now_ms: int) -> bytes | None:
        """A cancellation for the order socket."""
        if self.is_elsewhere(order):
            return None
        params = {"symbol": order.symbol, "origClientOrderId": order.order_id}
        return binance_frame(self._signer, request_id, "order.cancel", params, now_ms)

    def amend_frame(
        self, order: Tracked, price: Decimal, size: Decimal, request_id: str, now_ms: int
    ) -> bytes | None:
        """New terms for the order socket."""
        params = self.amend_params(order, price, size)
        return binance_frame(self._signer, request_id, self.amend_method, params, now_ms)

    def submit_call(self, approved: OrderApproved) -> Call:
        """A new order by REST."""
        priority = Priority.REDUCE if approved.reduce_only else Priority.NEW
        text = _core.binance_order_query(self.endpoints.market, approved) or ""
        return Call("submit", "POST", f"{self.root}/order", text, priority=priority)

    def cancel_call(self, order: Tracked) -> Call:
        """A cancellation by REST."""
        text = f"symbol={order.symbol}&origClientOrderId={order.order_id}"
        return Call("cancel", "DELETE", f"{self.root}/order", text, priority=Priority.CANCEL)

    def cancel_listed(self, report: OrderReport) -> Call:
        """A cancellation by the venue's id."""
        text = f"symbol={report.symbol}&orderId={report.exchange_order_id}"
        return Call("cancel", "DELETE", f"{self.root}/order", text, priority=Priority.CANCEL)

    def amend_call(self, order: Tracked, price: Decimal, size: Decimal) -> Call:
        """New terms by REST."""
        text = text_of(self.amend_params(order, price, size))
        return Call("amend", "PUT", f"{self.root}/{self.amend_path}", text, priority=Priority.NEW)

    def order_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """No login: each order is signed."""
        return ()

    def parse(self, frame: bytes) -> dict[str, Any] | None:
        """A frame of either socket."""
        return _core.parse_binance(frame)

    def reply(self, parsed: dict[str, Any], now_ms: int) -> Reply:
        """The meaning of an answer of the WebSocket API."""
        status, code = parsed["status"] or 0, parsed["code"]
        used = [
            (_WINDOWS[key], limit["used"], limit["limit"])
            for limit in parsed["limits"]
            if (key := (limit["name"], limit["window_s"])) in _WINDOWS
        ]
        return Reply(
            binance_verdict(code, parsed["message"], http_status=status),
            exchange_order_id=parsed["exchange_order_id"] or "",
            request_id=parsed["id"] or "",
            used=tuple(used),
            silence=binance_silence(status, code, {}),
        )

    def sign(self, call: Call, now_ms: int) -> SignedRequest:
        """Everything in the query; the key is named even where nothing is signed."""
        headers = {"X-MBX-APIKEY": self._signer.key}
        query = call.text
        if call.is_signed:
            query = f"{query}&timestamp={now_ms}" if query else f"timestamp={now_ms}"
            query = binance_query(self._signer, query)
        return SignedRequest(call.method, call.path, query, b"", headers)

    def read(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply:
        """The meaning of a REST answer."""
        code, text, order_id = None, "", ""
        try:
            if status != 200:
                refusal = _decode_refusal(body)
                code, text = refusal.code, refusal.msg
            elif call.kind == "submit":
                ids = _decode_ids(body)
                order_id = str(ids.orderId or ids.algoId or "")
            else:
                msgspec.json.decode(body, type=msgspec.Raw)
        except msgspec.MsgspecError:
            status = 0 if status == 200 else status
            text = f"HTTP {status} with a body that is not understood"
        verdict = binance_verdict(code, text, http_status=status)
        used = [
            (name, int(headers[header]), None)
            for header, name in _HEADERS.items()
            if headers.get(header, "").isdigit()
        ]
        silence = binance_silence(status, code, headers)
        return Reply(verdict, body, order_id, "", tuple(used), silence)

    async def server_time_ns(self, ask: Ask) -> int:
        """The venue's clock."""
        answer = await ask(Call("time", "GET", f"{self.root}/time", "", is_signed=False))
        return read(answer, _Time).serverTime * MS_NS

    async def key_facts(self, ask: Ask) -> KeyFacts:
        """Both markets' keys are the wallet's."""
        path = "/sapi/v1/account/apiRestrictions"
        key = read(await ask(Call("keys", "GET", path, "")), _Key)
        is_spot = self.endpoints.market == "spot"
        return KeyFacts(
            may_trade=key.enableSpotAndMarginTrading if is_spot else key.enableFutures,
            may_withdraw=key.enableWithdrawals,
            is_bound=key.ipRestrict,
        )

    async def order(self, ask: Ask, order: Tracked) -> OrderReport | None:
        """One order by its client id, the newest if the id was used again."""
        text = f"symbol={order.symbol}&origClientOrderId={order.order_id}"
        body = await ask(Call("order", "GET", f"{self.root}/order", text, fine=NOT_THERE))
        if b'"orderId"' not in body:
            return None
        return read(body, OrderRow).report()

    async def client_id_of(self, ask: Ask, execution: Execution) -> str | None:
        """Trades of the account do not tell it; their order does."""
        text = f"symbol={execution.symbol}&orderId={execution.exchange_order_id}"
        body = await ask(Call("order", "GET", f"{self.root}/order", text, fine=NOT_THERE))
        return read(body, OrderRow).clientOrderId if b'"orderId"' in body else None


def text_of(params: Params) -> str:
    """Parameters as a query; the values need no escaping, see the gateway."""
    return "&".join([f"{name}={value}" for name, value in params.items()])


async def trades_of(
    ask: Ask, path: str, symbols: Sequence[str], since_ns: int, kind: type[Trade]
) -> tuple[list[Trade], bool]:
    """Trades of all symbols since then: by time first, then on from the last id, which neither
    skips nor repeats. *Returns*: the rows, and whether these are all.
    """
    rows: list[Trade] = []
    pages: Any = list[kind]  # type: ignore[valid-type]  # a type made at run time
    is_complete = True
    for symbol in symbols:
        where = f"startTime={since_ns // MS_NS}"
        for _ in range(PAGES_OF_TRADES):
            text = f"symbol={symbol}&{where}&limit={ORDER_PAGE}"
            page: list[Trade] = read(await ask(Call("trades", "GET", path, text)), pages)
            rows += page
            if len(page) < ORDER_PAGE:
                break
            where = f"fromId={page[-1].id + 1}"
        else:
            is_complete = False
    return rows, is_complete


PAGES_OF_TRADES = 20  # of one symbol: 20,000 executions since the stream was last in step
