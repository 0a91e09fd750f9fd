# SPDX-License-Identifier: Apache-2.0
"""A Bybit of ten symbols for `bench_market_data.py`, in a process of its own: rules, a thousand
past candles, books of fifty levels that move fifty times a second, and trades of the first symbol
at a rate that is set from outside. A trade's quantity holds the moment it left, as a fraction of a
second of the monotonic clock, so whoever hears it knows how old it is.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import Any

from aiohttp import web

COINS = ["BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LTC", "DOT", "LINK"]
SYMBOLS = [f"{coin}USDT" for coin in COINS]
LEVELS = 50
CANDLES = 1_000
BOOK_EVERY_S = 0.02


class Venue:
    """What all its connections share."""

    def __init__(self) -> None:
        self.every_s = 0.01
        self.batch = 1
        self.trades = 0
        self.update = 1
        self.random = random.Random(1)

    async def rules(self, request: web.Request) -> web.Response:
        """One symbol."""
        row = {
            "symbol": request.query["symbol"],
            "priceFilter": {"tickSize": "0.1"},
            "lotSizeFilter": {"qtyStep": "0.001"},
        }
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": {"list": [row]}})

    async def candles(self, _request: web.Request) -> web.Response:
        """A thousand minutes that ended just now."""
        now_ms = time.time_ns() // 60_000_000_000 * 60_000
        rows = []
        for back in range(CANDLES):
            price = f"{100 + self.random.random():.1f}"
            rows.append([str(now_ms - back * 60_000), price, price, price, price, "1.5", "1"])
        return web.json_response({"retCode": 0, "result": {"list": rows}})

    async def set(self, request: web.Request) -> web.Response:
        """`?every_s=&batch=`: the pace of trades."""
        self.every_s = float(request.query["every_s"])
        self.batch = int(request.query["batch"])
        return web.json_response({"trades": self.trades})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        """One connection."""
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        tasks: list[asyncio.Task[None]] = []
        async for message in socket:
            asked = json.loads(message.data)
            answer = {"success": True, "ret_msg": "", "req_id": asked.get("req_id", "")}
            await socket.send_json({**answer, "op": asked["op"]})
            for topic in asked.get("args", []) if asked["op"] == "subscribe" else []:
                if topic.startswith("orderbook."):
                    await socket.send_str(self.book(topic, "snapshot", 1))
                    tasks.append(asyncio.create_task(self.move(socket, topic)))
                elif topic == f"publicTrade.{SYMBOLS[0]}":
                    tasks.append(asyncio.create_task(self.trade(socket, topic)))
        for task in tasks:
            task.cancel()
        return socket

    def book(self, topic: str, kind: str, update: int) -> str:
        """A snapshot, or a change of ten levels."""
        count = LEVELS if kind == "snapshot" else 5
        quantity = f"{1 + self.random.random():.3f}"
        bids = [[f"{99.9 - place / 10:.1f}", quantity] for place in range(count)]
        asks = [[f"{100.1 + place / 10:.1f}", quantity] for place in range(count)]
        data = {"s": topic.rsplit(".", 1)[1], "b": bids, "a": asks, "u": update, "seq": update}
        now_ms = time.time_ns() // 1_000_000
        return _text({"topic": topic, "type": kind, "ts": now_ms, "data": data, "cts": now_ms})

    async def move(self, socket: web.WebSocketResponse, topic: str) -> None:
        """A book, for as long as the connection lasts."""
        update = 1
        while True:
            await asyncio.sleep(BOOK_EVERY_S)
            update += 1
            await socket.send_str(self.book(topic, "delta", update))

    async def trade(self, socket: web.WebSocketResponse, topic: str) -> None:
        """Trades at the pace that is set."""
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + self.every_s, time.monotonic() - 0.05)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await socket.send_str(self.told(topic))

    def told(self, topic: str) -> str:
        """One frame of trades."""
        now_ms = time.time_ns() // 1_000_000
        rows: list[dict[str, Any]] = []
        for _ in range(self.batch):
            self.trades += 1
            left = f"0.{time.monotonic_ns() % 1_000_000_000:09d}"
            rows.append(
                {
                    "T": now_ms, "s": SYMBOLS[0], "S": "Buy", "v": left, "p": "100.0",
                    "L": "PlusTick", "i": str(self.trades), "BT": False,
                }
            )  # fmt: skip
        return _text({"topic": topic, "type": "snapshot", "ts": now_ms, "data": rows})


def _text(document: Any) -> str:
    """As venues write it: without blanks."""
    return json.dumps(document, separators=(",", ":"))


def main() -> None:
    """Serve on the port that is given, until the end."""
    venue, app = Venue(), web.Application()
    app.add_routes(
        [
            web.get("/v5/market/instruments-info", venue.rules),
            web.get("/v5/market/kline", venue.candles),
            web.get("/v5/public/linear", venue.stream),
            web.get("/set", venue.set),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
