# SPDX-License-Identifier: Apache-2.0
"""The clients of `bench_tick.py`, each in a process of its own: an ordinary Python bot, and HEAN
whole: Binance's USD-M feed, book, indicators, a strategy, governor, order engine, router, gateway,
signature, order socket.

    python tick_clients.py python FEED_PORT ORDER_PORT
    python tick_clients.py hean FEED_PORT ORDER_PORT TWIN_PORT
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import uvloop

KEY, SECRET = "bench-key", "bench-secret"


async def python_bot(feed_port: int, order_port: int) -> None:
    """websockets, orjson, aiohttp."""
    import aiohttp
    import orjson
    import websockets

    fast = slow = 0.0
    number = 0
    url = f"http://127.0.0.1:{order_port}/v5/order/create"
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        websockets.connect(f"ws://127.0.0.1:{feed_port}/", compression=None) as socket,
    ):
        async for message in socket:
            price = float(orjson.loads(message)["data"]["p"])
            fast += (price - fast) * 2 / 11
            slow += (price - slow) * 2 / 21
            number += 1
            order = {
                "category": "linear",
                "symbol": "BTCUSDT",
                "side": "Buy" if fast >= slow else "Sell",
                "orderType": "Market",
                "qty": "0.100",
                "orderLinkId": str(number),
            }
            answer = await session.post(url, data=orjson.dumps(order), headers=headers)
            await answer.read()


async def hean_bot(feed_port: int, order_port: int, twin_port: int) -> None:
    """HEAN, as a trading process builds it; the bench's exchange sends ticks and takes orders, a
    twin answers everything else.
    """
    from hean._core import EMA
    from hean.core.bus import EventBus
    from hean.core.clock import LiveClock
    from hean.core.driver import run_live
    from hean.core.module import on
    from hean.core.types import Event, EventType, Side, Signal
    from hean.feeds.binance import BinanceFeed
    from hean.feeds.listing import load_instruments
    from hean.feeds.live import to_bus
    from hean.feeds.rest_binance import BinanceRest
    from hean.net.http import HttpClient
    from hean.net.latency import PathLatency
    from hean.net.socket import ConnectGovernor
    from hean.secret import Secret
    from hean.strategies.base import Strategy
    from hean.system import AccountSettings, TradingSystem
    from hean.venues.adapters import adapter_for, budget_for
    from hean.venues.endpoints import endpoints_for
    from hean.venues.gateway import GatewaySettings
    from hean.venues.signing import Signer

    class Averages(Strategy):
        """Trades on every trade, for the side two averages say."""

        def __init__(self, symbols: Any) -> None:
            super().__init__(symbols)
            self.fast, self.slow = EMA(10), EMA(20)

        @on(EventType.TICK)
        def on_tick(self, event: Event) -> None:
            """Update and decide."""
            tick = event.data
            if not tick.volume:
                return
            fast, slow = self.fast.update(tick.price), self.slow.update(tick.price)
            side = Side.BUY if fast >= slow else Side.SELL
            self.context.emit(Signal(tick.symbol, side, size=Decimal("0.100"), strategy_id="avg"))

    twin, feed = f"http://127.0.0.1:{twin_port}", f"ws://127.0.0.1:{feed_port}"
    environment = {
        "BINANCE_FUTURES_REST_URL": twin,
        "BINANCE_FUTURES_WS_URL": f"ws://127.0.0.1:{twin_port}",
    }
    endpoints = endpoints_for("binance", "linear", testnet=True, environment=environment)
    endpoints = replace(endpoints, trade=f"ws://127.0.0.1:{order_port}/ws-fapi/v1")
    clock = LiveClock(time.time_ns)
    bus = EventBus(clock=clock)
    rng, governor = random.Random(1), ConnectGovernor()
    client = HttpClient(endpoints.rest, now=time.time_ns)
    await client.start()
    rest = BinanceRest(client, "linear", now=time.time_ns, rng=rng)
    instruments = await load_instruments(rest, ["BTCUSDT"])
    latency = PathLatency(time.perf_counter_ns)
    gateway = adapter_for(endpoints)(
        endpoints,
        Signer(Secret(KEY), Secret(SECRET), "bench"),
        GatewaySettings(symbols=("BTCUSDT",)),
        emit=bus.emit,
        client=client,
        budget=budget_for(endpoints, scale=1_000_000),
        now=time.time_ns,
        rng=rng,
        governor=governor,
        latency=latency,
    )
    market = BinanceFeed(
        feed,
        "linear",
        instruments,
        rest=rest,
        take=to_bus(bus),
        now=time.time_ns,
        rng=rng,
        governor=governor,
        latency=latency,
        stale_s=dict.fromkeys(("book", "ticker", "trade", "mark"), 1e6),
        silence_s=1e6,
    )
    last: dict[str, float] = {}
    bus.subscribe(EventType.TICK, lambda event: last.update({event.data.symbol: event.data.price}))
    limits = {"collar_fraction": "0.05", "open_orders_max": "1000000"}
    TradingSystem(
        Averages(("BTCUSDT",)),
        instruments,
        settings=AccountSettings(cash=Decimal(10**12), limits=limits),
        bus=bus,
        venue=gateway,
        reference=last.get,
        seed=1,
    )

    async def stop() -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()  # the bench closes it when it is done

    gc.freeze()
    await run_live(bus, clock, [gateway, market], stop=stop)
    await client.stop()
    print(json.dumps(latency.summary()), flush=True)


if __name__ == "__main__":
    ports: list[Any] = [int(port) for port in sys.argv[2:]]
    uvloop.run({"python": python_bot, "hean": hean_bot}[sys.argv[1]](*ports))
