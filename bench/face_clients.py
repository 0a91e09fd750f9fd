# SPDX-License-Identifier: Apache-2.0
"""The servers that `bench_face.py` asks, each in a process of its own: the whole face over a paper
session on a twin, over the demo, or beside a trading process; FastAPI as everybody writes it; and
picows with nothing around it.

    python face_clients.py hean TWIN_PORT FOLDER
    python face_clients.py demo FOLDER SPEED
    python face_clients.py follow TWIN_PORT FOLDER LIVE_FOLDER
    python face_clients.py fastapi < the answers as JSON, by path
    python face_clients.py picows

Each says its port, and what else one has to know, as a line of JSON; a line on its input is an
order, answered with a line; it ends with its input. `pace RATE TOPIC...` tells so many frames a
second of each topic, `rest` none. `trade RATE SECONDS` places so many orders a second and answers
when each was approved, by its price.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FRAME_BYTES, LARGE_BYTES = 100, 65_000
LARGE = "market"
"""A topic with frames that fill the buffers of whoever reads nothing."""
PLENTY = 1e9  # requests a second: nobody is refused, and all are counted
SIZE, RESTING = Decimal("0.01"), 20
TOKENS = 40  # each has as many connections as one token may have
OPEN_AT_ONCE = 8
NICE = 5  # as `hean serve --live` has it

Order = Callable[[list[str]], Any]


def frame_of(topic: str) -> bytes:
    """A frame that says when it was made."""
    head = b'{"topic":"%s","data":"@%d ' % (topic.encode(), time.monotonic_ns())
    size = LARGE_BYTES if topic == LARGE else FRAME_BYTES
    return head.ljust(size - 2, b"x") + b'"}'


def announce(**facts: Any) -> None:
    """What the bench has to know."""
    print(json.dumps(facts), flush=True)


async def obey(tell: Callable[[str, bytes], None], trade: Order | None = None) -> None:
    """Carry out what the input says, until it ends. *tell*: gives all clients a frame."""
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def pace(rate: float, topics: list[str]) -> None:
        due_s = loop.time()
        while True:
            for topic in topics:
                tell(topic, frame_of(topic))
            due_s += 1 / rate
            await asyncio.sleep(max(0.0, due_s - loop.time()))

    pacing: asyncio.Task[None] | None = None
    while words := (await reader.readline()).decode().split():
        if pacing is not None:
            pacing.cancel()
            pacing = None
        if words[0] == "pace":
            pacing = loop.create_task(pace(float(words[1]), words[2:]))
        announce(done=await trade(words[1:]) if trade and words[0] == "trade" else None)


async def face_of(facade: Any, folder: str) -> Any:
    """The face of an engine, on a port, which it has announced, with tokens."""
    from hean.api.face import Face
    from hean.api.limits import RATES
    from hean.api.permissions import Role
    from hean.api.server import Bind
    from hean.config import load

    RATES.update(dict.fromkeys(RATES, PLENTY))
    face = Face(facade, Path(folder), load({}, {}), Bind(port=0))
    tokens = face.api.access.tokens
    await face.start()
    made = [tokens.create(Role.ADMIN, f"reader {number}")[0] for number in range(TOKENS)]
    return face, {"port": face.server.port, "tokens": made}


async def started(facade: Any) -> None:
    """Start the engine and wait until it runs."""
    facade.start()
    while facade.state != "RUNNING" or any(not each.price for each in facade.quotes()):
        if facade.state == "FAILED":
            raise RuntimeError(facade.status().error)
        await asyncio.sleep(0.01)


async def hean(twin_port: str, folder: str) -> None:
    """A paper session with a position and orders that rest."""
    from hean.backtest.run import BacktestSettings
    from hean.core.types import OrderType, Side
    from hean.engine import EngineFacade
    from hean.engine.on_paper import OnPaper
    from hean.paper import Paper
    from hean.venues.endpoints import Place, endpoints_for

    base = f"http://127.0.0.1:{twin_port}"
    names = ("BYBIT_WS_PUBLIC_URL", "BYBIT_WS_PRIVATE_URL", "BYBIT_WS_TRADE_URL")
    given = {"BYBIT_REST_URL": base, **dict.fromkeys(names, base.replace("http", "ws"))}
    ends = endpoints_for("bybit", "linear", testnet=True, environment=given)
    place = Place(ends, {symbol: symbol for symbol in SYMBOLS})
    settings = BacktestSettings("impulse", SYMBOLS[:1])

    def make() -> OnPaper:
        paper = Paper([place], settings, now=time.time_ns, rng=random.Random(1))
        return OnPaper(paper, now=time.time_ns)

    facade = EngineFacade(make, now=time.time_ns)
    face, facts = await face_of(facade, folder)
    await started(facade)
    symbol, price = SYMBOLS[0], facade.quotes()[0].price
    await facade.place(symbol, Side.BUY, OrderType.MARKET, SIZE)
    for number in range(RESTING):
        far = Decimal(round(price * 0.9)) + number
        await facade.place(symbol, Side.BUY, OrderType.LIMIT, SIZE, price=far)
    while not facade.positions() or len(facade.orders()) <= RESTING:
        await asyncio.sleep(0.01)
    announce(**facts)

    def tell(topic: str, frame: bytes) -> None:
        for listener in face.topics.listeners:
            listener(topic, 0, frame)

    await obey(tell)
    await facade.stop()
    await face.stop()


async def demo(folder: str, speed: str) -> None:
    """The demo: a market that moves, four strategies that trade."""
    from hean.core.types import EventType
    from hean.demo import DemoEngine, DemoSettings
    from hean.engine import EngineFacade
    from hean.engine.on_paper import OnPaper

    def make() -> OnPaper:
        settings = DemoSettings(speed=float(speed))
        return OnPaper(
            DemoEngine(settings, now=time.time_ns, rng=random.Random(1)), now=time.time_ns
        )

    facade = EngineFacade(make, now=time.time_ns)
    approved: dict[str, float] = {}

    def see(event: Any) -> None:
        if event.event_type is EventType.ORDER_APPROVED and event.data.price is not None:
            approved[str(float(event.data.price))] = time.time()

    facade.on_ready.append(lambda system: system.bus.tap(see))
    face, facts = await face_of(facade, folder)
    await started(facade)
    announce(**facts)

    async def trade(words: list[str]) -> dict[str, float]:
        """Orders far from the market, the oldest cancelled in their turn."""
        approved.clear()
        await _trade(facade, *map(float, words))
        return approved

    await obey(lambda _topic, _frame: None, trade)
    await facade.stop()
    await face.stop()


async def _trade(facade: Any, rate: float, seconds: float) -> None:
    from hean.core.types import OrderType, Side

    await facade.change_limits({"orders_per_second_max": "1000"}, "bench")
    quote = next(each for each in facade.quotes() if each.symbol.startswith("BTCUSDT"))
    base, placed = Decimal(round(quote.price * 0.95)), []
    due_s = time.monotonic()
    for number in range(int(rate * seconds)):
        price = base + number * Decimal("0.1")
        order = await facade.place(quote.symbol, Side.BUY, OrderType.LIMIT, SIZE, price=price)
        placed.append(order.client_order_id)
        if len(placed) > OPEN_AT_ONCE:
            await facade.cancel(placed.pop(0))
        due_s += 1 / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    for each in placed:
        await facade.cancel(each)


async def follow(twin_port: str, folder: str, live: str) -> None:
    """The face beside a trading process, as `hean serve --live` has it."""
    from hean.engine import EngineFacade
    from hean.follow.following import Following
    from tick_clients import endpoints_at

    os.nice(NICE)
    ends, rng = endpoints_at(int(twin_port)), random.Random(1)

    def make() -> Following:
        return Following(Path(live), ends, role="testnet", now=time.time_ns, rng=rng)

    facade = EngineFacade(make, now=time.time_ns)
    face, facts = await face_of(facade, folder)
    facade.start()
    announce(**facts)
    await obey(lambda _topic, _frame: None)
    await facade.stop()
    await face.stop()


async def fastapi() -> None:
    """FastAPI on uvicorn: one route for each answer, written from a model of its fields."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import create_model

    app = FastAPI()

    def add(path: str, document: Any) -> None:
        is_list = isinstance(document, list)
        first = document[0] if is_list else document
        fields: Any = {k: (Any if v is None else type(v) | None, ...) for k, v in first.items()}
        model: Any = create_model("Answer", **fields)
        made = [model(**row) for row in document] if is_list else model(**document)

        async def answer() -> Any:
            return made

        app.get(path, response_model=list[model] if is_list else model)(answer)

    for path, document in json.loads(sys.stdin.readline()).items():
        add(path, document)
    config = uvicorn.Config(app, port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.get_running_loop().create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    announce(port=server.servers[0].sockets[0].getsockname()[1])
    await obey(lambda _topic, _frame: None)
    server.should_exit = True
    await serving


async def picows() -> None:
    """Every client gets every frame, unless it is behind."""
    from picows import WSListener, WSMsgType, WSTransport, ws_create_server

    clients: dict[WSTransport, None] = {}

    class Client(WSListener):  # type: ignore[misc]
        def on_ws_connected(self, transport: WSTransport) -> None:
            clients[transport] = None

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            clients.pop(transport, None)

    def tell(_topic: str, frame: bytes) -> None:
        for each in list(clients):
            if each.underlying_transport.get_write_buffer_size() < LARGE_BYTES:
                each.send(WSMsgType.TEXT, frame)

    server = await ws_create_server(lambda _: Client(), "127.0.0.1", 0)
    announce(port=server.sockets[0].getsockname()[1])
    await obey(tell)


if __name__ == "__main__":
    import uvloop

    mains = {each.__name__: each for each in (hean, demo, follow, fastapi, picows)}
    uvloop.run(mains[sys.argv[1]](*sys.argv[2:]))
