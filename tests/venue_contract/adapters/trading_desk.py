# SPDX-License-Identifier: Apache-2.0
"""One of HEAN's adapters at a twin, as it stands in a trading process: a real bus, a real clock, a
real HTTP client, its own connections. `facts` holds everything that was told, in order.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self, TypeVar

import pytest

from hean.core.bus import EventBus
from hean.core.clock import LiveClock
from hean.core.module import IdSequence
from hean.core.types import (
    Event,
    Health,
    OrderApproved,
    OrderFilled,
    OrderType,
    Payload,
    Side,
    TimeInForce,
)
from hean.errors import HeanError
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.secret import Secret
from hean.venues.adapters import adapter_for, budget_for
from hean.venues.endpoints import endpoints_for
from hean.venues.gateway import Gateway, GatewaySettings
from hean.venues.signing import Signer
from hean.venues.wakeful import Wakeful
from venue_contract.twin_process import Hasty, TwinProcess

SYMBOL = "BTCUSDT"
WAIT_S = 60.0
STALL_NS = 600_000_000_000
ANSWER_S = 10.0  # of a question, which has five seconds where orders depend on it
POLL_S = 0.005
MARKETS = [("bybit", "linear"), ("bybit", "spot"), ("binance", "spot"), ("binance", "linear")]


def only(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    """A test of these markets: the others do not have what it is about."""
    ids = ["-".join(pair) for pair in pairs]
    return pytest.mark.parametrize("at", pairs, ids=ids, indirect=True)


def all_but(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    """A test of all markets but these, which do not have what it is about."""
    return only(*(pair for pair in MARKETS if pair not in pairs))


Fact = TypeVar("Fact", bound=Payload)
_epochs = itertools.count(time.time_ns() // 1_000_000)  # client ids are never used twice


class Desk:
    """An adapter, started on entry. *options*: of `GatewaySettings`; *parts*: of `Gateway`."""

    def __init__(
        self, twin: TwinProcess, market: str, parts: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.twin = twin
        self.market = market
        self.facts: list[Payload] = []
        self.reloads = 0
        ws, rest = twin.ws_base, twin.rest_url
        environment = {
            "BYBIT_REST_URL": rest,
            "BYBIT_WS_PUBLIC_URL": ws,
            "BINANCE_REST_URL": rest,
            "BINANCE_WS_URL": ws,
            "BINANCE_FUTURES_REST_URL": rest,
            "BINANCE_FUTURES_WS_URL": ws,
        }
        account = options.pop("account", twin.main)
        endpoints = endpoints_for(twin.exchange, market, testnet=True, environment=environment)
        clock = LiveClock(time.time_ns)
        self.bus = EventBus(clock=clock, on_work=self._wake)
        self.bus.tap(self._keep)
        self.client = HttpClient(endpoints.rest, now=time.time_ns, timeout_s=ANSWER_S)
        self.ids = IdSequence(next(_epochs))
        self.venue: Gateway = adapter_for(endpoints)(
            endpoints,
            Signer(Secret(account.key), Secret(account.secret), "the twin's key"),
            GatewaySettings(symbols=(SYMBOL,), **options),
            emit=self.bus.emit,
            client=self.client,
            budget=budget_for(endpoints, scale=20),
            now=time.time_ns,
            rng=Hasty(1),
            governor=ConnectGovernor(),
            reload=self._reload,
            **(parts or {}),
        )
        # A shared machine stalls, which is no reason to refuse an order here.
        self.venue.upkeep.wakeful = Wakeful(gap_ns=STALL_NS)

    async def __aenter__(self) -> Self:
        await self.client.start()
        try:
            await self.venue.start()
        except HeanError:
            await self.client.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.calm()
        for order in self.venue.tracker.open_orders():
            self.venue.cancel(order.order_id)
        await self.until(
            lambda: all(order.is_unknown for order in self.venue.tracker.open_orders())
        )
        await self.venue.stop()
        await self.client.stop()

    # ------------------------------------------------------------ orders

    async def price(self, distance_fraction: str = "0") -> Decimal:
        """A price so far from the market, on the tick."""
        state = await asyncio.to_thread(self.twin.control.market, SYMBOL, self.market)
        tick = Decimal(state["tick"])
        wanted = Decimal(state["last"]) * (1 + Decimal(distance_fraction))
        return (wanted / tick).to_integral_value() * tick

    async def by_hand(self, action: str, order_id: str, **more: Any) -> None:
        """Somebody else acts on an order of ours at the venue."""
        control = self.twin.control
        await asyncio.to_thread(control.manual, action, client_id=order_id, **more)

    async def fault(self, dial: str, **more: Any) -> None:
        """Set a dial of the twin."""
        await asyncio.to_thread(self.twin.control.fault, dial, **more)

    async def calm(self) -> None:
        """Take all dials back."""
        await asyncio.to_thread(self.twin.control.post, "calm")

    async def hole(self) -> None:
        """The private stream is cut, and cannot come back before `calm`."""
        await self.fault("connection_refused", match={"which": "private"})
        await asyncio.to_thread(self.twin.control.post, "cut", which="private")

    async def place_by_hand(self, client_id: str = "", *, price: Decimal | None = None) -> str:
        """An order that no client here has sent. *Returns*: its venue's id."""
        placed = await asyncio.to_thread(
            self.twin.control.manual,
            "place",
            symbol=SYMBOL,
            market=self.market,
            side="BUY",
            qty="0.002",
            price=str(price or await self.price("-0.05")),
            **({"client_id": client_id} if client_id else {}),
        )
        return str(placed["order_id"])

    async def created(self, order_id: str) -> int:
        """How many orders of this id the venue has really made."""
        records = await asyncio.to_thread(self.twin.control.ledger)
        return sum(
            record["kind"] == "new" and record["client_order_id"] == order_id for record in records
        )

    def open_at_venue(self) -> list[str]:
        """Client ids of everything open, as the venue has it."""
        orders = self.twin.control.account()["open_orders"]
        return sorted(order["client_order_id"] for order in orders)

    def send(
        self,
        side: Side = Side.BUY,
        size: str = "0.002",
        *,
        price: Decimal | None = None,
        life: TimeInForce = TimeInForce.GTC,
        **more: Any,
    ) -> str:
        """Submit an order. *Returns*: its id."""
        kind = more.pop("type", OrderType.MARKET if price is None else OrderType.LIMIT)
        order_id = more.pop("order_id", None) or self.ids.next_id("test")
        self.venue.submit(
            OrderApproved(
                SYMBOL,
                side,
                Decimal(size),
                kind,
                price,
                order_id,
                time_in_force=life,
                strategy_id="test",
                **more,
            )
        )
        return order_id

    # ------------------------------------------------------------ facts

    def of(self, kind: type[Fact], order_id: str | None = None) -> list[Fact]:
        """Facts of a kind, of one order if it is given."""
        return [
            fact
            for fact in self.facts
            if isinstance(fact, kind)
            and (order_id is None or getattr(fact, "order_id", None) == order_id)
        ]

    async def first(self, kind: type[Fact], order_id: str | None = None) -> Fact:
        """The first such fact, when it has come."""
        await self.until(lambda: self.of(kind, order_id))
        return self.of(kind, order_id)[0]

    async def filled(self, order_id: str, size: str) -> Decimal:
        """Wait until so much has traded. *Returns*: the average price."""

        def done() -> bool:
            return sum(fill.filled_qty for fill in self.of(OrderFilled, order_id)) >= Decimal(size)

        await self.until(done)
        fills = self.of(OrderFilled, order_id)
        return sum(f.fill_price * f.filled_qty for f in fills) / Decimal(size)

    async def health(self, state: str) -> Health:
        """The newest health, when it is this."""
        await self.until(lambda: self.of(Health) and self.of(Health)[-1].state == state)
        return self.of(Health)[-1]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for something to be told. *Raises*: `AssertionError` with what was."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not condition():
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"told in {WAIT_S:g} s: {self.facts[-20:]}") from None

    def _keep(self, event: Event) -> None:
        self.facts.append(event.data)

    def _wake(self) -> None:
        asyncio.get_running_loop().call_soon(self.bus.drain)

    async def _reload(self) -> None:
        self.reloads += 1
