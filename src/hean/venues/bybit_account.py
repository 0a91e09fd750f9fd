# SPDX-License-Identifier: Apache-2.0
"""`bybit_account.py`: questions about a Bybit account, page by page, and the few settings HEAN
makes at start. A list that ends with an empty cursor is complete; one that repeats a page or has
more pages than HEAN reads is told as incomplete, and proves nothing about what it does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from hean.core.one_line import one_line
from hean.core.types import Balance, Position, Side
from hean.errors import FieldInvalid
from hean.venues.codec import PAGES_MAX, UNSAID, amount, number, status_of, traded
from hean.venues.endpoints import Market
from hean.venues.outcomes import MESSAGE_MAX
from hean.venues.reports import (
    Ask,
    Call,
    Execution,
    KeyFacts,
    Listing,
    OrderReport,
    Settlement,
    Status,
    Tracked,
    execution_name,
)

SETTLE_COIN = "USDT"  # of the perpetuals HEAN trades
_MS_NS = 1_000_000
_UNCHANGED = 110025, 110043  # mode or leverage already so: documented as an error
_NEAR = ("scheduled", "ongoing")  # states of an announced maintenance
_MOVED_WITHOUT_TRADE = ("Funding", "Settle", "Delivery")

_STATUS = {
    "New": Status.OPEN,
    "PartiallyFilled": Status.OPEN,
    "Untriggered": Status.OPEN,
    "Triggered": Status.OPEN,
    "Filled": Status.FILLED,
    "Cancelled": Status.CANCELLED,
    "PartiallyFilledCanceled": Status.CANCELLED,
    "Deactivated": Status.CANCELLED,
    "Rejected": Status.REJECTED,
}

_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}

Row = TypeVar("Row")


class _Order(msgspec.Struct):
    symbol: str
    orderId: str
    orderStatus: str
    qty: str
    side: str = ""
    price: str = ""
    orderLinkId: str = ""
    cumExecQty: str = ""
    rejectReason: str = ""
    cancelType: str = ""
    updatedTime: str = "0"

    def report(self) -> OrderReport:
        """As a report."""
        reasons = (self.rejectReason, self.cancelType)
        said = [reason for reason in reasons if reason not in ("", "EC_NoError", "UNKNOWN")]
        return OrderReport(
            self.symbol,
            self.orderLinkId,
            self.orderId,
            status_of(self.orderStatus, _STATUS),
            amount(self.qty, "quantity"),
            amount(self.cumExecQty or UNSAID, "filled quantity"),
            self.orderStatus,
            one_line(", ".join(said), MESSAGE_MAX),
            ts_ns=int(self.updatedTime) * _MS_NS,
            side=_SIDES.get(self.side),
            is_conditional=self.orderStatus == "Untriggered",
            price=amount(self.price or UNSAID, "price") or None,
        )


class _Execution(msgspec.Struct):
    symbol: str
    orderId: str
    execId: str
    side: str
    execPrice: str
    execQty: str
    execTime: str
    orderLinkId: str = ""
    execFee: str = ""
    feeCurrency: str = ""
    feeRate: str = ""
    isMaker: bool = False
    execType: str = "Trade"

    def execution(self, fee_asset: str) -> Execution:
        """As an execution. *fee_asset*: where the venue leaves it out."""
        side = Side.BUY if self.side == "Buy" else Side.SELL
        return Execution(
            self.symbol,
            self.orderLinkId,
            self.orderId,
            execution_name(self.symbol, self.execId, side),
            side,
            traded(self.execPrice, "price"),
            traded(self.execQty, "quantity"),
            number(self.execFee or UNSAID, "fee"),
            self.feeCurrency or fee_asset,
            self.isMaker,
            int(self.execTime) * _MS_NS,
        )

    def settlement(self) -> Settlement:
        """As what it is if its type is `Funding`: the fee is the payment."""
        return Settlement(
            self.symbol,
            f"{self.symbol}-{self.execId}",
            -number(self.execFee, "funding payment"),
            self.feeCurrency or SETTLE_COIN,
            int(self.execTime) * _MS_NS,
            number(self.feeRate, "funding rate") if self.feeRate else None,
            traded(self.execPrice, "price"),
        )


class _Position(msgspec.Struct):
    symbol: str
    side: str
    size: str
    avgPrice: str = ""
    markPrice: str = ""
    unrealisedPnl: str = ""
    curRealisedPnl: str = ""
    leverage: str = ""
    liqPrice: str = ""

    def position(self) -> Position:
        """As a fact."""
        size = amount(self.size, "position")
        return Position(
            self.symbol,
            -size if self.side == "Sell" else size,
            amount(self.avgPrice or UNSAID, "price"),
            amount(self.markPrice or UNSAID, "price") or None,
            number(self.unrealisedPnl or UNSAID, "profit"),
            number(self.curRealisedPnl or UNSAID, "profit"),
            float(self.leverage) if self.leverage else None,
            number(self.liqPrice or UNSAID, "price") or None,
        )


class _Coin(msgspec.Struct):
    coin: str
    walletBalance: str = ""
    locked: str = ""
    totalOrderIM: str = ""
    totalPositionIM: str = ""

    def balance(self) -> Balance:
        """As a fact; what orders and positions hold of the coin is not available."""
        total = number(self.walletBalance or UNSAID, "balance")  # below zero: borrowed
        held = (self.locked, self.totalOrderIM, self.totalPositionIM)
        free = total - sum(amount(each or UNSAID, "balance") for each in held)
        return Balance(self.coin, total, free)


class _Wallet(msgspec.Struct):
    coin: list[_Coin]


class _Page(msgspec.Struct, rename={"rows": "list", "cursor": "nextPageCursor"}):
    rows: list[msgspec.Raw]
    cursor: str = ""


class _Leg(msgspec.Struct):
    symbol: str
    positionIdx: int


class _Info(msgspec.Struct):
    marginMode: str


class _Notice(msgspec.Struct):
    state: str
    begin: str


class _Time(msgspec.Struct):
    timeNano: str


class _User(msgspec.Struct):
    userID: int | str


class _Key(msgspec.Struct):
    readOnly: int
    permissions: dict[str, list[str]]
    ips: list[str] = []


def _read(result: Any, kind: type[Row]) -> Row:
    """A result, or a part of it. *Raises*: `FieldInvalid` naming what does not fit."""
    try:
        return msgspec.json.decode(result, type=kind)
    except msgspec.MsgspecError as error:
        raise FieldInvalid(f"Bybit answered a {kind.__name__.strip('_')}: {error}.") from None


class BybitAccount:
    """Questions of one market."""

    def __init__(self, market: Market) -> None:
        self._category = f"category={market}"
        self._kind_prefix = market
        self._is_linear = market == "linear"
        self._scope = self._category
        if self._is_linear:
            self._scope += f"&settleCoin={SETTLE_COIN}"

    async def private_url(self, ask: Ask) -> str:
        """The fixed address."""
        return ""

    async def keep_private(self, ask: Ask) -> None:
        """Nothing runs out."""

    async def server_time_ns(self, ask: Ask) -> int:
        """The venue's clock."""
        call = Call(f"{self._kind_prefix}/v5/market/time", "GET", "/v5/market/time", "", False)
        return int(_read(await ask(call), _Time).timeNano)

    async def account_id(self, ask: Ask) -> str:
        """The user the key belongs to."""
        return str(_read(await ask(self._get("/v5/user/query-api", "")), _User).userID)

    async def key_facts(self, ask: Ask) -> KeyFacts:
        """Rights by product; an address list of `*`, or none, means any address."""
        key = _read(await ask(self._get("/v5/user/query-api", "")), _Key)
        granted = {right for rights in key.permissions.values() for right in rights}
        wanted = {"Order", "DerivativesTrade"} if self._is_linear else {"SpotTrade"}
        return KeyFacts(
            may_trade=key.readOnly == 0 and bool(granted & wanted),
            may_withdraw=any("withdraw" in right.lower() for right in granted),
            is_bound=bool(key.ips) and "*" not in key.ips,
        )

    async def prepare(self, ask: Ask, symbols: Sequence[str], leverage: int | None) -> None:
        """One-way mode over the settle coin, and leverage per symbol."""
        if not self._is_linear:
            return
        mode = f'{{"category":"linear","coin":"{SETTLE_COIN}","mode":0}}'
        await self._set(ask, "/v5/position/switch-mode", mode)
        for symbol in symbols if leverage is not None else ():
            both = f'"buyLeverage":"{leverage}","sellLeverage":"{leverage}"'
            text = f'{{"category":"linear","symbol":"{symbol}",{both}}}'
            await self._set(ask, "/v5/position/set-leverage", text)

    async def modes(self, ask: Ask, symbols: Sequence[str]) -> str:
        """Whether positions are one-way, symbol by symbol, and the account's margin mode."""
        if not self._is_linear:
            return ""
        words = []
        for symbol in symbols:
            query = f"{self._category}&symbol={symbol}"
            page = _read(await ask(self._get("/v5/position/list", query)), _Page)
            is_hedged = any(_read(raw, _Leg).positionIdx for raw in page.rows)
            words.append(f"{symbol} {'hedge' if is_hedged else 'one-way'}")
        info = _read(await ask(self._get("/v5/account/info", "")), _Info)
        return ", ".join([*words, f"margin {info.marginMode}"])

    async def closes_ns(self, ask: Ask) -> int:
        """The first maintenance that is announced or under way."""
        path = "/v5/system/status"
        call = Call(f"{self._kind_prefix}{path}", "GET", path, "", is_signed=False)
        notices = [_read(raw, _Notice) for raw in _read(await ask(call), _Page).rows]
        near = [int(each.begin) for each in notices if each.state in _NEAR]
        return min(near, default=0) * _MS_NS

    async def order(self, ask: Ask, order: Tracked) -> OrderReport | None:
        """Among recent orders, then in the history."""
        scope = f"{self._category}&symbol={order.symbol}&orderLinkId={order.order_id}"
        for path in ("/v5/order/realtime", "/v5/order/history"):
            page = _read(await ask(self._get(path, scope)), _Page)
            for raw in page.rows:
                found = _read(raw, _Order)
                if found.orderLinkId == order.order_id:
                    return found.report()
        return None

    async def client_id_of(self, ask: Ask, execution: Execution) -> str | None:
        """Executions tell it."""
        return execution.client_order_id

    async def open_orders(self, ask: Ask) -> Listing[OrderReport]:
        """All open orders, conditional ones too."""
        pages = await self._pages(ask, "/v5/order/realtime", f"{self._scope}&limit=50", _Order)
        return Listing(tuple(row.report() for row in pages.rows), pages.is_complete)

    async def executions(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Execution]:
        """What was executed since then, of all symbols."""
        query = f"{self._category}&startTime={since_ns // _MS_NS}&limit=100"
        pages = await self._pages(ask, "/v5/execution/list", query, _Execution)
        rows = [row for row in pages.rows if row.execType not in _MOVED_WITHOUT_TRADE]
        asset = SETTLE_COIN if self._is_linear else ""
        return Listing(tuple(row.execution(asset) for row in rows), pages.is_complete)

    async def settlements(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Settlement]:
        """Executions of the type `Funding`, of all symbols."""
        if not self._is_linear:
            return Listing(())
        query = f"{self._category}&execType=Funding&startTime={since_ns // _MS_NS}&limit=100"
        pages = await self._pages(ask, "/v5/execution/list", query, _Execution)
        return Listing(tuple(row.settlement() for row in pages.rows), pages.is_complete)

    async def priced(self, ask: Ask, settlement: Settlement) -> Settlement:
        """It is complete as it was told."""
        return settlement

    async def positions(self, ask: Ask) -> Listing[Position]:
        """All open positions; spot has none."""
        if not self._is_linear:
            return Listing(())
        pages = await self._pages(ask, "/v5/position/list", f"{self._scope}&limit=200", _Position)
        return Listing(tuple(row.position() for row in pages.rows), pages.is_complete)

    async def balances(self, ask: Ask) -> Listing[Balance]:
        """All coins of the unified account."""
        result = await ask(self._get("/v5/account/wallet-balance", "accountType=UNIFIED"))
        wallets = [_read(raw, _Wallet) for raw in _read(result, _Page).rows]
        return Listing(tuple(coin.balance() for wallet in wallets for coin in wallet.coin))

    async def arm(self, ask: Ask, seconds: int, symbols: Sequence[str]) -> bool:
        """Cancel on disconnect; it holds for the connections subscribed to it, and stays."""
        product = "DERIVATIVES" if self._is_linear else "SPOT"
        if seconds:
            text = f'{{"product":"{product}","timeWindow":{seconds}}}'
            await self._set(ask, "/v5/order/disconnected-cancel-all", text)
        return False

    def _get(self, path: str, query: str) -> Call:
        return Call(f"{self._kind_prefix}{path}", "GET", path, query)

    async def _set(self, ask: Ask, path: str, text: str) -> None:
        """Change a setting; that it is already so is no error."""
        await ask(Call(f"{self._kind_prefix}{path}", "POST", path, text, fine=_UNCHANGED))

    async def _pages(self, ask: Ask, path: str, query: str, kind: type[Row]) -> Listing[Row]:
        """Every page of a list. The cursor goes back exactly as it came."""
        rows: list[Row] = []
        cursors = {""}
        cursor = ""
        for _ in range(PAGES_MAX):
            tail = f"&cursor={cursor}" if cursor else ""
            page = _read(await ask(self._get(path, query + tail)), _Page)
            rows += [_read(raw, kind) for raw in page.rows]
            cursor = page.cursor
            if not cursor:
                return Listing(tuple(rows))
            if cursor in cursors:
                break
            cursors.add(cursor)
        return Listing(tuple(rows), is_complete=False)
