# SPDX-License-Identifier: Apache-2.0
"""Peers of `bench_market_data.py`: the same ticker by FastAPI and by granian's raw mode, and a
picows server that tells each of its clients a hundred bytes, for as long as they take them.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
from fastapi import FastAPI

TICKER = {"symbol": "BTCUSDT", "bid": 30000.1, "ask": 30000.2, "last": 30000.1, "volume": 1234.567}
TICKER["ts"] = 1700000000000
TEXT = b"x" * 100

app = FastAPI()


@app.get("/api/v1/ticker/{symbol}")
async def ticker(symbol: str) -> Any:
    """The ticker."""
    return TICKER


async def rsgi(_scope: Any, protocol: Any) -> None:
    """The ticker without a framework."""
    protocol.response_bytes(200, [("content-type", "application/json")], orjson.dumps(TICKER))


async def fan_out(port: int) -> None:
    """Tell everybody everything, on picows."""
    from picows import WSListener, WSMsgType, ws_create_server

    clients: set[Any] = set()

    class Client(WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            clients.add(transport)

        def on_ws_disconnected(self, transport: Any) -> None:
            clients.discard(transport)

    await ws_create_server(lambda _: Client(), "127.0.0.1", port)
    while True:
        for client in list(clients):
            if client.underlying_transport.get_write_buffer_size() < 1 << 16:
                client.send(WSMsgType.TEXT, TEXT)
        await asyncio.sleep(0 if clients else 0.01)


if __name__ == "__main__":
    import uvloop

    uvloop.run(fan_out(int(sys.argv[1])))
