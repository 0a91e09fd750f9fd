# SPDX-License-Identifier: Apache-2.0
"""The clients of `bench_tick.py`, each in a process of its own: an ordinary Python bot, and HEAN
whole: Binance's USD-M feed, book, indicators, a strategy, governor, order engine, router, gateway,
signature, order socket. The third way runs HEAN without sockets, frames straight into the feed.

    python tick_clients.py python FEED_PORT ORDER_PORT
    python tick_clients.py hean FEED_PORT ORDER_PORT TWIN_PORT [JOURNAL]

With a journal, HEAN keeps it as a trading process does: what may not be lost and the intent of each
order are on the disk before a byte of the order leaves.
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
from pathlib import Path
from typing import Any

import uvloop

KEY, SECRET = "bench-key", "bench-secret"
SYMBOL = "BTCUSDT"
WARM_UP = 2_000
LIMITS = {"collar_fraction": "0.05", "open_orders_max": "1000000"}


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
                "symbol": SYMBOL,
                "side": "Buy" if fast >= slow else "Sell",
                "orderType": "Market",
                "qty": "0.100",
                "orderLinkId": str(number),
            }
            answer = await session.post(url, data=orjson.dumps(order), headers=headers)
            await answer.read()


def averages() -> Any:
    """A strategy that trades on every trade, for the side two averages say."""
    from hean._core import EMA
    from hean.core.module import on
    from hean.core.types import Event, EventType, Side, Signal
    from hean.strategies.base import Strategy

    class Averages(Strategy):
        def __init__(self, symbols: tuple[str, ...]) -> None:
            super().__init__(symbols)
            self.fast, self.slow = EMA(10), EMA(20)
            self.size = Decimal("0.100")

        @on(EventType.TICK)
        def on_tick(self, event: Event) -> None:
            """Update and decide."""
            tick = event.data
            if not tick.volume:
                return
            fast, slow = self.fast.update(tick.price), self.slow.update(tick.price)
            side = Side.BUY if fast >= slow else Side.SELL
            self.context.emit(Signal(tick.symbol, side, size=self.size, strategy_id="avg"))

    return Averages((SYMBOL,))


class Desk:
    """HEAN as a trading process builds it, with stamps on its path; *journal*: a new file."""

    def __init__(
        self,
        instruments: Any,
        rest: Any,
        client: Any,
        *,
        endpoints: Any,
        journal: Path | None = None,
    ) -> None:
        from hean.core.bus import EventBus
        from hean.core.clock import LiveClock
        from hean.core.types import EventType
        from hean.feeds.binance import BinanceFeed
        from hean.feeds.live import to_bus
        from hean.net.latency import PathLatency
        from hean.net.socket import ConnectGovernor
        from hean.secret import Secret
        from hean.system import AccountSettings, TradingSystem
        from hean.venues.adapters import adapter_for, budget_for
        from hean.venues.gateway import GatewaySettings
        from hean.venues.signing import Signer

        self.clock = LiveClock(time.time_ns)
        self.bus = EventBus(clock=self.clock)
        self.latency = PathLatency(time.perf_counter_ns)
        line = {"now": time.time_ns, "rng": random.Random(1), "governor": ConnectGovernor()}
        self.gateway = adapter_for(endpoints)(
            endpoints,
            Signer(Secret(KEY), Secret(SECRET), "bench"),
            GatewaySettings(symbols=(SYMBOL,)),
            emit=self.bus.emit,
            client=client,
            budget=budget_for(endpoints, scale=1_000_000),
            latency=self.latency,
            sending=(lambda *request: self.recorder.sending(*request)) if journal else None,
            **line,
        )
        self.feed = BinanceFeed(
            endpoints.public,
            "linear",
            instruments,
            rest=rest,
            take=to_bus(self.bus),
            latency=self.latency,
            stale_s=dict.fromkeys(("book", "ticker", "trade", "mark"), 1e6),
            silence_s=1e6,
            **line,
        )
        last: dict[str, float] = {}
        self.bus.subscribe(EventType.TICK, lambda event: last.update({SYMBOL: event.data.price}))
        self.system = TradingSystem(
            averages(),
            instruments,
            settings=AccountSettings(cash=Decimal(10**12), limits=LIMITS),
            bus=self.bus,
            venue=self.gateway,
            reference=last.get,
            seed=1,
        )
        self.recorder: Any = self._keep(journal) if journal is not None else None

    def _keep(self, path: Path) -> Any:
        """Write what happens into a journal, as `hean live` does."""
        from hean.core.journal import Journal, WriterLock
        from hean.live.parts import private_disk
        from hean.live.recorder import Recorder
        from hean.live.witness import Witness

        lock = WriterLock(path.with_name(f"{path.name}.lock"), "bench")
        recorder = Recorder(
            Journal(private_disk(path), place=str(path), meta={"kind": "live"}, lock=lock),
            emit=self.bus.emit,
            time_s=time.monotonic,
            now=time.time_ns,
            state_hash=self.system.durable_hash,
            witness=Witness(self.bus, self.system.governor, (SYMBOL,), door=lambda _: ""),
        )
        self.bus.tap(recorder.tap)
        return recorder


def endpoints_at(twin_port: int) -> Any:
    """The addresses of a twin."""
    from hean.venues.endpoints import endpoints_for

    environment = {
        "BINANCE_FUTURES_REST_URL": f"http://127.0.0.1:{twin_port}",
        "BINANCE_FUTURES_WS_URL": f"ws://127.0.0.1:{twin_port}",
    }
    return endpoints_for("binance", "linear", testnet=True, environment=environment)


async def hean_bot(feed_port: int, order_port: int, twin_port: int, journal: str = "") -> None:
    """The bench's exchange sends ticks and takes orders, a twin answers everything else."""
    from hean.core.driver import run_live
    from hean.feeds.listing import load_instruments
    from hean.feeds.rest_binance import BinanceRest
    from hean.net.http import HttpClient

    endpoints = replace(
        endpoints_at(twin_port),
        public=f"ws://127.0.0.1:{feed_port}",
        trade=f"ws://127.0.0.1:{order_port}/ws-fapi/v1",
    )
    client = HttpClient(endpoints.rest, now=time.time_ns)
    await client.start()
    rest = BinanceRest(client, "linear", now=time.time_ns, rng=random.Random(2))
    instruments = await load_instruments(rest, [SYMBOL])
    kept = Path(journal) if journal else None
    desk = Desk(instruments, rest, client, endpoints=endpoints, journal=kept)

    async def stop() -> None:
        flushing = asyncio.ensure_future(desk.recorder.flush_regularly()) if kept else None
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()  # the bench closes it when it is done
        if flushing is not None:
            flushing.cancel()

    gc.freeze()
    await run_live(desk.bus, desk.clock, [desk.gateway, desk.feed], stop=stop)
    await client.stop()
    print(json.dumps(desk.latency.summary()), flush=True)


def inside(frames: int) -> dict[str, Any]:
    """HEAN without sockets: trade frames into the feed, one after the other, signed orders out to a
    connection that keeps none. Returns its own histogram.
    """
    from hean._core import Instrument

    class Nowhere:
        sent = 0

        def send(self, frame: bytes) -> None:
            self.sent += len(frame) > 0

    async def run() -> dict[str, Any]:
        instruments = {SYMBOL: Instrument(SYMBOL, "linear", "0.1", "0.001")}
        desk = Desk(instruments, None, None, endpoints=endpoints_at(1))
        nowhere: Any = Nowhere()
        dispatch = desk.gateway.dispatch
        dispatch._connection, dispatch.session.is_ready = nowhere, True
        desk.gateway.halts.lift("private stream")
        gc.freeze()
        for number in range(WARM_UP + frames):
            if number == WARM_UP:
                desk.latency.clear()
            desk.feed._on_frame(nowhere, trade_frame(number))
            desk.clock.refresh()
            desk.bus.drain()
        if nowhere.sent != WARM_UP + frames:
            raise RuntimeError(f"{nowhere.sent} orders for {WARM_UP + frames} frames")
        return dict(desk.latency.summary())

    return uvloop.run(run())


def trade_frame(number: int) -> bytes:
    """A trade as Binance USD-M sends it."""
    stamp = time.time_ns() // 1_000_000
    price = 60_000 + number % 100 * 0.1
    return (
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"T":%d,"s":"BTCUSDT","t":%d,'
        b'"p":"%.2f","q":"0.120","X":"MARKET","m":false}}' % (stamp, stamp, number + 1, price)
    )


if __name__ == "__main__":
    given: list[Any] = [int(word) if word.isdigit() else word for word in sys.argv[2:]]
    uvloop.run({"python": python_bot, "hean": hean_bot}[sys.argv[1]](*given))
