# SPDX-License-Identifier: Apache-2.0
"""`binance_spot.py`: Binance spot. The user's events come over the WebSocket API, on a connection
of their own. There are no positions and no leverage, and an order can only be made smaller: another
price is another order. There is no dead-man's switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from hean.core.types import Balance, Position, Side
from hean.net.budget import Budget, Priority
from hean.venues.binance import (
    BinanceCodec,
    OrderRow,
    Params,
    TradeRow,
    budget_of,
    limits,
    read,
    trades_of,
)
from hean.venues.codec import amount
from hean.venues.reports import (
    Ask,
    Call,
    Execution,
    Listing,
    OrderReport,
    Settlement,
    Tracked,
)
from hean.venues.signing import binance_frame

NOTHING_OPEN = -2011
_CLOSED_NS = 1  # a moment that is over
_LIMITS = limits(6_000, ((10, 100), (86_400, 200_000)))
_WEIGHTS = {
    "submit": 1,
    "cancel": 1,
    "amend": 4,
    "order": 4,
    "orders": 80,
    "trades": 20,
    "account": 20,
    "status": 1,
    "keys": 1,
    "time": 1,
    "login": 2,
}


class _Trade(TradeRow):
    isBuyer: bool
    isMaker: bool

    def execution(self) -> Execution:
        """As an execution."""
        return self.as_execution(Side.BUY if self.isBuyer else Side.SELL, is_maker=self.isMaker)


class _Asset(msgspec.Struct):
    asset: str
    free: str
    locked: str

    def balance(self) -> Balance:
        """As a fact."""
        free = amount(self.free, "balance")
        return Balance(self.asset, free + amount(self.locked, "balance"), free)


class _Status(msgspec.Struct):
    status: int


class _Account(msgspec.Struct):
    uid: int = 0
    balances: list[_Asset] = []


def spot_budget(scale: int = 1) -> Budget:
    """The limits of spot. *scale*: for a venue that allows so many times the documented figures."""
    return budget_of(_LIMITS, _WEIGHTS, scale)


class BinanceSpotCodec(BinanceCodec):
    """Binance spot."""

    root = "/api/v3"
    amend_method = "order.amend.keepPriority"
    amend_path = "order/amend/keepPriority"

    def cancel_all(self, symbols: Sequence[str]) -> tuple[Call, ...]:
        """Everything in each symbol; that there is nothing is no error."""
        path, fine = f"{self.root}/openOrders", (NOTHING_OPEN,)
        return tuple(
            Call("cancel", "DELETE", path, f"symbol={symbol}", True, Priority.CANCEL, fine)
            for symbol in symbols
        )

    def amend_refusal(self, order: Tracked, price: Decimal, size: Decimal) -> str:
        """Only less quantity at the same price."""
        if price != order.price or size > order.size:
            return "Binance spot only makes an order smaller; cancel it and send another."
        return ""

    def amend_params(self, order: Tracked, price: Decimal, size: Decimal) -> Params:
        """Less quantity, keeping its place in the queue."""
        return {
            "symbol": order.symbol,
            "origClientOrderId": order.order_id,
            "newClientOrderId": order.order_id,
            "newQty": f"{size:f}",
        }

    def private_steps(self, now_ms: int) -> tuple[bytes, ...]:
        """One signed subscription."""
        method = "userDataStream.subscribe.signature"
        return (binance_frame(self._signer, "private", method, {}, now_ms),)

    async def private_url(self, ask: Ask) -> str:
        """The fixed address."""
        return ""

    async def keep_private(self, ask: Ask) -> None:
        """Nothing runs out."""

    async def account_id(self, ask: Ask) -> str:
        """The user's number."""
        return str((await self._account(ask)).uid or "")

    async def prepare(self, ask: Ask, symbols: Sequence[str], leverage: int | None) -> None:
        """Nothing to set."""

    async def modes(self, ask: Ask, symbols: Sequence[str]) -> str:
        """None."""
        return ""

    async def closes_ns(self, ask: Ask) -> int:
        """The venue only says whether it is closed now."""
        call = Call("status", "GET", "/sapi/v1/system/status", "", is_signed=False)
        return _CLOSED_NS if read(await ask(call), _Status).status else 0

    async def open_orders(self, ask: Ask) -> Listing[OrderReport]:
        """All open orders; the venue sends them at once."""
        body = await ask(Call("orders", "GET", f"{self.root}/openOrders", ""))
        return Listing(tuple(row.report() for row in read(body, list[OrderRow])))

    async def executions(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Execution]:
        """What was executed since then, symbol by symbol."""
        path = f"{self.root}/myTrades"
        rows, is_complete = await trades_of(ask, path, symbols, since_ns, _Trade)
        return Listing(tuple(row.execution() for row in rows), is_complete)

    async def settlements(
        self, ask: Ask, since_ns: int, symbols: Sequence[str]
    ) -> Listing[Settlement]:
        """Spot has none."""
        return Listing(())

    async def priced(self, ask: Ask, settlement: Settlement) -> Settlement:
        """Nobody asks."""
        return settlement

    async def positions(self, ask: Ask) -> Listing[Position]:
        """Spot has none."""
        return Listing(())

    async def balances(self, ask: Ask) -> Listing[Balance]:
        """Every asset that is not zero."""
        account = await self._account(ask)
        return Listing(tuple(asset.balance() for asset in account.balances))

    async def arm(self, ask: Ask, seconds: int, symbols: Sequence[str]) -> bool:
        """Spot offers nothing of the kind."""
        return False

    async def _account(self, ask: Ask) -> _Account:
        path = f"{self.root}/account"
        return read(await ask(Call("account", "GET", path, "omitZeroBalances=true")), _Account)
