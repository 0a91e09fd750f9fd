# SPDX-License-Identifier: Apache-2.0
"""The venue twin under load: signed REST orders, and many WebSocket readers.

Orders: four keep-alive connections, one request under way on each, market orders of one lot that
buy and sell in turn, signed before the clock starts; the twin is a process of its own. Readers: 200
connections that subscribe to books and trades of a market played fast enough for at least 20 frames
a second each. Rates by the twin's own processor seconds say what one core does when clients do not
take half of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from measure import BENCH, Result, percentile, say, worker

ORDERS = 8_000
CONNECTIONS = 4
READERS = 200
READ_S = 8.0
KEY, SECRET = "bench-key", "bench-secret"
READY_S = 60


@contextmanager
def twin(exchange: str, speed: float) -> Iterator[dict[str, Any]]:
    """A running twin: its addresses and its process."""
    root = BENCH.parent
    command = [str(root / ".venv" / "bin" / "hean"), "twin", "--exchange", exchange, "--generate"]
    command += ["--seed", "7", "--port", "0", "--speed", f"{speed:g}", "--limits-scale", "1000000"]
    command += ["--key", KEY, "--secret", SECRET, "--json", "-"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield {"pid": process.pid, **json.loads(line)}
    finally:
        process.terminate()
        process.wait(READY_S)


def cpu_s(pid: int) -> float:
    """Processor seconds a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bybit_orders(count: int) -> list[bytes]:
    """Signed create requests."""
    out = []
    for number in range(count):
        side = "Buy" if number % 2 == 0 else "Sell"
        body = (
            f'{{"category":"linear","symbol":"BTCUSDT","side":"{side}","orderType":"Market",'
            f'"qty":"0.001","orderLinkId":"b{number}-{time.time_ns()}"}}'
        )
        stamp = str(time.time_ns() // 1_000_000)
        text = f"{stamp}{KEY}60000{body}".encode()
        sign = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
        head = (
            f"POST /v5/order/create HTTP/1.1\r\nHost: twin\r\nX-BAPI-API-KEY: {KEY}\r\n"
            f"X-BAPI-TIMESTAMP: {stamp}\r\nX-BAPI-SIGN: {sign}\r\nX-BAPI-RECV-WINDOW: 60000\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        out.append(head.encode())
    return out


def binance_orders(count: int) -> list[bytes]:
    """Signed create requests of USD-M."""
    out = []
    for number in range(count):
        side = "BUY" if number % 2 == 0 else "SELL"
        stamp = time.time_ns() // 1_000_000
        text = (
            f"symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.002&newOrderRespType=RESULT"
            f"&recvWindow=60000&timestamp={stamp}"
        )
        sign = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        head = (
            f"POST /fapi/v1/order?{text}&signature={sign} HTTP/1.1\r\nHost: twin\r\n"
            f"X-MBX-APIKEY: {KEY}\r\nContent-Length: 0\r\n\r\n"
        )
        out.append(head.encode())
    return out


class Caller(asyncio.Protocol):
    """Sends its requests one after the other and keeps how long each took."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[None]) -> None:
        self.requests = iter(requests)
        self.done = done
        self.taken_ns: list[int] = []
        self.bad = 0
        self.buffer = b""
        self.sent_ns = 0
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        """The next request, or the end."""
        request = next(self.requests, None)
        if request is None:
            self.done.set_result(None)
            return
        self.sent_ns = time.perf_counter_ns()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length: ")[2].partition(b"\r")[0])
        if len(body) < length:
            return
        is_good = head.startswith(b"HTTP/1.1 200") and (
            b'"retCode":0' in body or b'"status":"FILLED"' in body
        )
        self.bad += not is_good
        self.taken_ns.append(time.perf_counter_ns() - self.sent_ns)
        self.buffer = b""
        self.send()


def call_orders(exchange: str, port: int, count: int) -> dict[str, Any]:
    """Send *count* orders. Returns seconds, refusals and latencies."""
    import uvloop

    async def run() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        make = {"bybit": bybit_orders, "binance": binance_orders}[exchange]
        shares = [make(count // CONNECTIONS) for _ in range(CONNECTIONS)]
        callers: list[Caller] = []
        began = time.perf_counter()
        for share in shares:
            caller = Caller(share, loop.create_future())
            callers.append(caller)
            await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)
        await asyncio.gather(*(caller.done for caller in callers))
        taken = sorted(ns for caller in callers for ns in caller.taken_ns)
        return {
            "seconds": time.perf_counter() - began,
            "bad": sum(caller.bad for caller in callers),
            "p50_us": percentile(taken, 0.5) / 1e3,
            "p99_us": percentile(taken, 0.99) / 1e3,
        }

    result: dict[str, Any] = uvloop.run(run())
    return result


def read_frames(port: int, readers: int, seconds: float) -> dict[str, Any]:
    """Subscribe *readers* connections and count their frames. Returns rates, cut connections."""
    import uvloop
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    counts = [0] * readers
    cut = [0]
    topics = [
        f"{kind}.{symbol}"
        for kind in ("orderbook.50", "publicTrade")
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    subscribe = json.dumps({"op": "subscribe", "args": topics}).encode()

    class Reader(WSListener):  # type: ignore[misc]
        def __init__(self, number: int) -> None:
            self.number = number

        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(WSMsgType.TEXT, subscribe)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            counts[self.number] += frame.msg_type == WSMsgType.TEXT

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            cut[0] += 1

    async def run() -> dict[str, Any]:
        url = f"ws://127.0.0.1:{port}/v5/public/linear"
        transports = [
            (await ws_connect(lambda number=number: Reader(number), url))[0]
            for number in range(readers)
        ]
        await asyncio.sleep(1.0)
        before, began = list(counts), time.perf_counter()
        await asyncio.sleep(seconds)
        spent = time.perf_counter() - began
        seen = sorted(now - then for now, then in zip(counts, before, strict=True))
        lost = cut[0]
        for transport in transports:
            transport.disconnect()
        return {
            "frames_per_s": sum(seen) / spent,
            "slowest_reader_per_s": seen[0] / spent,
            "cut": lost,
        }

    result: dict[str, Any] = uvloop.run(run())
    return result


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    count = 400 if quick else ORDERS
    result = Result(
        f"{count} signed market orders over {CONNECTIONS} keep-alive connections, twin in a "
        f"process of its own; {READERS} WebSocket clients on books and trades of two symbols"
    )
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        figures: dict[str, float] = {}
        for exchange in ("bybit", "binance"):
            with twin(exchange, 1.0) as running:
                before = cpu_s(running["pid"])
                seen = worker(
                    "bench_twin:call_orders", exchange=exchange, port=running["port"], count=count
                )
                spent = cpu_s(running["pid"]) - before
            if seen["bad"]:
                raise RuntimeError(f"{exchange}: {seen['bad']} of {count} orders were refused")
            figures[f"{exchange} orders/s"] = count / seen["seconds"]
            figures[f"{exchange} orders per twin cpu s"] = count / spent
            figures[f"{exchange} order p50 us"] = seen["p50_us"]
            figures[f"{exchange} order p99 us"] = seen["p99_us"]
        readers = 20 if quick else READERS
        with twin("bybit", 4.0) as running:
            before = cpu_s(running["pid"])
            seen = worker(
                "bench_twin:read_frames",
                port=running["port"],
                readers=readers,
                seconds=1.0 if quick else READ_S,
            )
            spent = cpu_s(running["pid"]) - before
        figures["frames/s to all readers"] = seen["frames_per_s"]
        figures["frames/s of the slowest reader"] = seen["slowest_reader_per_s"]
        figures["readers cut"] = seen["cut"]
        figures["twin cpu s per s, reading"] = spent / ((1.0 if quick else READ_S) + 1.5)
        result.add(figures, {})
    result.goals = {
        "bybit orders per twin cpu s": (">=", 2_000),
        "binance orders per twin cpu s": (">=", 2_000),
        "frames/s of the slowest reader": (">=", 20),
        "readers cut": ("<=", 0),
    }
    return result


if __name__ == "__main__":
    print(run(1, quick="--quick" in sys.argv))
