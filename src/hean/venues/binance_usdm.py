# SPDX-License-Identifier: Apache-2.0
"""`binance_usdm.py`: Binance USD-M futures. The private stream has an address that is opened by
REST and kept open every half hour. Conditional orders live in a book of their own with their own
calls; when one is triggered it becomes another order, whose id the venue tells. The dead-man's
switch runs per symbol and must be wound again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from hean.core.types import Balance, OrderApproved, OrderType, Position, Side, TimeInForce
from hean.net.budget import Budget, Priority
from hean.venues.binance import (
    MS_NS,
    NOT_THERE,
    BinanceCodec,
    OrderRow,
    Params,
    TradeRow,
    budget_of,
    limits,
    read,
    text_of,
    trades_of,
)
from hean.venues.codec import PAGES_MAX, UNSAID, amount, number, status_of, traded
from hean.venues.reports import (
    Ask,
    Call,
    Execution,
    Listing,
    OrderReport,
    Settlement,
    Status,
    Tracked,
)

_CONDITIONAL = {
    OrderType.STOP: "STOP_MARKET",
    OrderType.STOP_LIMIT: "STOP",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT_MARKET",
}
_ALGO_STATUS = {
    "NEW": Status.OPEN,
    "TRIGGERING": Status.OPEN,
    "TRIGGERED": Status.OPEN,
    "CANCELED": Status.CANCELLED,
    "REJECTED": Status.REJECTED,
    "EXPIRED": Status.EXPIRED,
}
_LIMITS = limits(2_400, ((10, 300), (60, 1_200)))
_WEIGHTS = {
    "submit": 0,
    "cancel": 1,
    "amend": 1,
    "order": 1,
    "orders": 40,
    "trades": 5,
    "account": 5,
    "income": 30,
    "rates": 1,
    "setting": 1,
    "countdown": 10,
    "listen": 1,
    "dual": 30,
    "keys": 1,
    "time": 1,
    "login": 1,
}
_MODE_UNCHANGED = -4059
_SECOND_MS = 1_000
_INCOME_PAGE = 1_000  # rows; the venue gives no more at once
_RATE_SPAN_MS = 60_000  # a payment and its rate bear times that differ by less


class _Algo(msgspec.Struct):
    symbol: str
    algoId: int
    clientAlgoId: str
    algoStatus: str
    side: Side | None = None
    quantity: str = ""
    price: str = ""
    actualOrderId: str | int | None = None
    updateTime: int = 0

    def report(self) -> OrderReport:
        """As a report. A finished one ends as the order it became."""
        status = status_of(self.algoStatus, _ALGO_STATUS)
        if self.algoStatus == "FINISHED":
            status = Status.OPEN
        return OrderReport(
            self.symbol,
            self.clientAlgoId,
            str(self.algoId),
            status,
            amount(self.quantity or UNSAID, "quantity"),
            Decimal(0),
            self.algoStatus,
            child_order_id=str(self.actualOrderId or ""),
            is_conditional=True,
            ts_ns=self.updateTime * MS_NS,
            side=self.side,
            price=amount(self.price or UNSAID, "price") or None,
        )

    def became(self, child: OrderRow) -> OrderReport:
        """As a report of the order that it became, under its own ids."""
        return replace(
            child.report(),
            client_order_id=self.clientAlgoId,
            exchange_order_id=str(self.algoId),
            child_order_id=str(self.actualOrderId),
            is_conditional=True,
        )


class _Trade(TradeRow):
    side: str
    maker: bool

    def execution(self) -> Execution:
        """As an execution."""
        return self.as_execution(Side(self.side), is_maker=self.maker)


class _Position(msgspec.Struct):
    symbol: str
    positionAmt: str
    entryPrice: str = ""
    markPrice: str = ""
    unRealizedProfit: str = ""
    liquidationPrice: str = ""

    def position(self) -> Position:
        """As a fact."""
        return Position(
            self.symbol,
            number(self.positionAmt, "position"),
            amount(self.entryPrice or UNSAID, "price"),
            amount(self.markPrice or UNSAID, "price") or None,
            number(self.unRealizedProfit or UNSAID, "profit"),
            liquidation_price=number(self.liquidationPrice or UNSAID, "price") or None,
        )


class _Income(msgspec.Struct):
    symbol: str
    income: str
    asset: str
    time: int
    tranId: int | str

    def settlement(self) -> Settlement:
        """As what it is if its type is `FUNDING_FEE`; the rate is told elsewhere."""
        return Settlement(
            self.symbol,
            f"{self.symbol}-funding-{self.tranId}",  # trades count in numbers of their own
            number(self.income, "funding payment"),
            self.asset,
            self.time * MS_NS,
        )


class _Rate(msgspec.Struct):
    fundingTime: int
    fundingRate: str
    markPrice: str = ""


class _Asset(msgspec.Struct):
    asset: str
    balance: str
    availableBalance: str

    def fact(self) -> Balance:
        """As a fact."""
        total, free = (number(text, "balance") for text in (self.balance, self.availableBalance))
        return Balance(self.asset, total, free)


class _Dual(msgspec.Struct):
    dualSidePosition: bool


class _Config(msgspec.Struct):
    symbol: str
    marginType: str


class _ListenKey(msgspec.Struct):
    listenKey: str


def usdm_budget(scale: int = 1) -> Budget:
    """The limits of USD-M. *scale*: for a venue that allows so many times the documented ones."""
    return budget_of(_LIMITS, _WEIGHTS, scale)


class BinanceUsdmCodec(BinanceCodec):
    """Binance USD-M futures."""

    root = "/fapi/v1"
    amend_method = "order.modify"
    amend_path = "order"

    def is_elsewhere(self, order: Tracked) -> bool:
        """Conditional orders."""
        return order.is_conditional

    def submit_call(self, approved: OrderApproved) -> Call:
        """A new order by REST; a conditional one goes to its own book."""
        if approved.type not in _CONDITIONAL:
            return super().submit_call(approved)
        params = {
            "algoType": "CONDITIONAL",
            "clientAlgoId": approved.order_id,
            "quantity": f"{approved.size:f}",
            "side": approved.side.value,
            "symbol": approved.symbol,
            "type": _CONDITIONAL[approved.type],
            "triggerPrice": f"{approved.trigger_price:f}",
        }
        if approved.type is OrderType.STOP_LIMIT:
            params["price"] = f"{approved.price:f}"
            params["timeInForce"] = _life(approved.time_in_force)
        if approved.reduce_only:
            params["reduceOnly"] = "true"
        priority = Priority.REDUCE if approved.reduce_only else Priority.NEW
        return Call("submit", "POST", f"{self.root}/algoOrder", text_of(params), priority=priority)

    def cancel_call(self, order: Tracked) -> Call:
        """A cancellation by REST; what a trigger made of a conditional order has another id."""
        if not order.is_conditional:
            return super().cancel_call(order)
        if order.child_order_id:
            text = f"symbol={order.symbol}&orderId={order.child_order_id}"
            return Call("cancel", "DELETE", f"{self.root}/order", text, priority=Priority.CANCEL)
        text = f"symbol={order.symbol}&clientAlgoId={order.order_id}"
        path = f"{self.root}/algoOrder"
        return Call("cancel", "DELETE", path, text, priority=Priority.CANCEL)

    def cancel_listed(self, report: OrderReport) -> Call:
        """A cancellation by the venue's id, in the book the order is in."""
        if not report.is_conditional:
            return super().cancel_listed(report)
        text = f"symbol={report.symbol}&algoId={report.exchange_order_id}"
        path = f"{self.root}/algoOrder"
        return Call("cancel", "DELETE", path, text, priority=Priority.CANCEL)

    def cancel_all(self, symbols: Sequence[str]) -> tuple[Call, ...]:
        """Everything in each symbol, of both books."""
        return tuple(
            Call(
                "cancel", "DELETE", f"{self.root}/{book}", f"symbol={symbol}", True, Priority.CANCEL
            )
            for symbol in symbols
            for book in ("allOpenOrders", "algoOpenOrders")
        )

    def amend_refusal(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        """Plain limit orders only."""
        if order.is_conditional:
            return "Binance USD-M changes no conditional orders; cancel it and send another."
        return ""

    def amend_params(self, order: Tracked, price: Decimal, size: Decimal) -> Params:
        """New terms; the venue wants all of them."""
        return {
            "origClientOrderId": order.order_id,
            "price": f"{price:f}",
            "quantity": f"{size:f}",
            "side": order.side.value,
            "symbol": order.symbol,
        }

    def private_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """The address says it all."""
        return ()

    async def private_url(self, ask: Ask) -> str:
        """The stream's address of the next hour."""
        body = await ask(Call("listen", "POST", f"{self.root}/listenKey", "", is_signed=False))
        return f"{self.endpoints.private}/ws/{read(body, _ListenKey).listenKey}"

    async def keep_private(self, ask: Ask) -> None:
        """Another hour."""
        await ask(Call("listen", "PUT", f"{self.root}/listenKey", "", is_signed=False))

    async def account_id(self, ask: Ask) -> str:
        """The futures API does not tell."""
        return ""

    async def prepare(self, ask: Ask, symbols: Sequence[str], leverage: int | None) -> None:
        """One-way mode for all symbols, and leverage for each."""
        path = f"{self.root}/positionSide/dual"
        text = "dualSidePosition=false"
        await ask(Call("setting", "POST", path, text, fine=(_MODE_UNCHANGED,)))
        for symbol in symbols if leverage is not None else ():
            text = f"symbol={symbol}&leverage={leverage}"
            await ask(Call("setting", "POST", f"{self.root}/leverage", text))

    async def modes(self, ask: Ask, symbols: Sequence[str]) -> str:
        """Whether positions are one-way, and each symbol's margin mode."""
        path = f"{self.root}/positionSide/dual"
        dual = read(await ask(Call("dual", "GET", path, "")), _Dual)
        words = ["hedge" if dual.dualSidePosition else "one-way"]
        for symbol in symbols:
            path, text = f"{self.root}/symbolConfig", f"symbol={symbol}"
            configs = read(await ask(Call("account", "GET", path, text)), list[_Config])
            words += [f"{each.symbol} margin {each.marginType}" for each in configs]
        return ", ".join(words)

    async def closes_ns(self, ask: Ask) -> int:
        """The futures API does not tell; its streams end a while before."""
        return 0

    async def order(self, ask: Ask, order: Tracked) -> OrderReport | None:
        """One order by its client id; of a triggered one, the order that it became."""
        if not order.is_conditional:
            return await super().order(ask, order)
        path, text = f"{self.root}/algoOrder", f"clientAlgoId={order.order_id}"
        body = await ask(Call("order", "GET", path, text, fine=NOT_THERE))
        if b'"algoId"' not in body:
            return None
        algo = read(body, _Algo)
        if not algo.actualOrderId:
            return algo.report()
        path, text = f"{self.root}/order", f"symbol={algo.symbol}&orderId={algo.actualOrderId}"
        body = await ask(Call("order", "GET", path, text, fine=NOT_THERE))
        return algo.became(read(body, OrderRow)) if b'"orderId"' in body else algo.report()

    async def open_orders(self, ask: Ask) -> Listing[OrderReport]:
        """All open orders, of both books."""
        orders = await ask(Call("orders", "GET", f"{self.root}/openOrders", ""))
        algos = await ask(Call("orders", "GET", f"{self.root}/openAlgoOrders", ""))
        plain = [row.report() for row in read(orders, list[OrderRow])]
        return Listing((*plain, *(row.report() for row in read(algos, list[_Algo]))))

    async def executions(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Execution]:
        """What was executed since then, symbol by symbol."""
        path = f"{self.root}/userTrades"
        rows, is_complete = await trades_of(ask, path, symbols, since_ns, _Trade)
        return Listing(tuple(row.execution() for row in rows), is_complete)

    async def settlements(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Settlement]:
        """Income of the type `FUNDING_FEE`, of all symbols."""
        path, rows = f"{self.root}/income", list[_Income]()
        for page in range(1, PAGES_MAX + 1):
            text = (
                f"incomeType=FUNDING_FEE&startTime={since_ns // MS_NS}&limit={_INCOME_PAGE}"
                f"&page={page}"
            )
            found = read(await ask(Call("income", "GET", path, text)), list[_Income])
            rows += found
            if len(found) < _INCOME_PAGE:
                return Listing(tuple(row.settlement() for row in rows))
        return Listing(tuple(row.settlement() for row in rows), is_complete=False)

    async def priced(self, ask: Ask, settlement: Settlement) -> Settlement:
        """The public history has rate and mark price of the settlement that it was paid at."""
        paid_ms = settlement.ts_ns // MS_NS
        text = (
            f"symbol={settlement.symbol}&startTime={paid_ms - _RATE_SPAN_MS}"
            f"&endTime={paid_ms + _RATE_SPAN_MS}"
        )
        path = f"{self.root}/fundingRate"
        rates = read(await ask(Call("rates", "GET", path, text, is_signed=False)), list[_Rate])
        if not rates:
            return settlement
        nearest = min(rates, key=lambda each: abs(each.fundingTime - paid_ms))
        return replace(
            settlement,
            rate=number(nearest.fundingRate, "funding rate"),
            mark_price=traded(nearest.markPrice, "mark price") if nearest.markPrice else None,
        )

    async def positions(self, ask: Ask) -> Listing[Position]:
        """All that are not flat."""
        body = await ask(Call("account", "GET", "/fapi/v3/positionRisk", ""))
        rows = [row.position() for row in read(body, list[_Position])]
        return Listing(tuple(row for row in rows if row.qty))

    async def balances(self, ask: Ask) -> Listing[Balance]:
        """Every asset that is not zero."""
        body = await ask(Call("account", "GET", "/fapi/v3/balance", ""))
        assets = [asset.fact() for asset in read(body, list[_Asset])]
        return Listing(tuple(asset for asset in assets if asset.total))

    async def arm(self, ask: Ask, seconds: int, symbols: Sequence[str]) -> bool:
        """Wind the countdown of each symbol."""
        for symbol in symbols:
            text = f"symbol={symbol}&countdownTime={seconds * _SECOND_MS}"
            await ask(Call("countdown", "POST", f"{self.root}/countdownCancelAll", text))
        return seconds > 0


def _life(word: TimeInForce) -> str:
    return "GTX" if word is TimeInForce.POST_ONLY else word.value
