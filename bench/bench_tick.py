# SPDX-License-Identifier: Apache-2.0
"""Tick to trade on loopback. This process is the exchange: it sends a trade frame on a socket and
takes the time when the bytes of the order that it caused have been read. One frame under way, the
next one a millisecond later. Three clients, each in a process of its own: a C++ epoll loop (the
machine's floor: no checks, no signature, order by HTTP), a usual Python bot (websockets, orjson,
aiohttp, uvloop), and HEAN whole, signing every order. No disk. HEAN also says what its part inside
the process was, frame bytes to signed order bytes, from its own stamps: on the loopback, where a
millisecond of rest has cooled the caches, and in one go, without sockets. The core alone, with a
native strategy, does the same from bytes to bytes in `crates/core/benches/tick.rs`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from bench_twin import twin
from measure import BENCH, Result, percentile, say, turns, worker
from tick_clients import trade_frame

FRAMES, WARM_UP, GAP_S = 2_000, 300, 0.001
READY_S, ORDER_S, MISSES_MAX = 40.0, 3.0, 3
FIRST_ID = 2_000_000_000  # above the twin's own book ids, so that the book joins at once
# HEAN trades only once every stream it subscribed has spoken.
OPENING = {
    "btcusdt@bookTicker": b'{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"60000.00","B":"1.000",'
    b'"a":"60000.10","A":"1.000","T":%(now)d,"E":%(now)d}',
    "btcusdt@markPrice@1s": b'{"e":"markPriceUpdate","E":%(now)d,"s":"BTCUSDT","p":"60000.00",'
    b'"i":"60000.00","P":"60000.00","r":"0.0001","T":%(now)d}',
}
SHOWN = ("p50_us", "p99_us")
CLIENTS = ("c++ epoll", "python", "hean")


class Exchange:
    """Sockets of the bench's exchange: ticks out, orders in."""

    def __init__(self) -> None:
        self.ticks: Any = None
        self.books: Any = None
        self.streams: dict[str, Any] = {}
        self.ready = asyncio.Event()
        self.ordered = asyncio.Event()
        self.taken_ns: list[int] = []
        self.sent_ns = self.ponged_ns = 0
        self.last_id = 1

    def took(self) -> None:
        """The bytes of an order are here."""
        self.taken_ns.append(time.perf_counter_ns() - self.sent_ns)
        self.ordered.set()

    def feed(self) -> Any:
        """A listener for a client of the ticks."""
        from picows import WSFrame, WSListener, WSMsgType, WSTransport

        exchange = self

        class Feed(WSListener):  # type: ignore[misc]
            def on_ws_connected(self, transport: WSTransport) -> None:
                path = transport.request.path.decode() if transport.request else "/"
                if not path.startswith("/public") and not path.startswith("/market"):
                    exchange.ticks = transport
                    exchange.ready.set()

            def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
                if frame.msg_type == WSMsgType.PONG:
                    exchange.ponged_ns = time.perf_counter_ns()
                if frame.msg_type != WSMsgType.TEXT:
                    return
                asked = json.loads(frame.get_payload_as_bytes())
                transport.send(WSMsgType.TEXT, b'{"result":null,"id":%d}' % asked["id"])
                names = asked.get("params", ())
                for name in names:
                    exchange.streams[name] = transport
                exchange.say_again(names)
                if "btcusdt@trade" in names:
                    exchange.ticks = exchange.books = transport
                    exchange.ready.set()

        return Feed()

    def say_again(self, names: Iterable[str]) -> None:
        """The quote and the mark price, on the sockets that asked for them."""
        from picows import WSMsgType

        for name in OPENING.keys() & names:
            body = OPENING[name] % {b"now": time.time_ns() // 1_000_000}
            frame = b'{"stream":"%s","data":%s}' % (name.encode(), body)
            self.streams[name].send(WSMsgType.TEXT, frame)

    def order_socket(self) -> Any:
        """A listener that takes orders as Binance's WebSocket API does."""
        from picows import WSFrame, WSListener, WSMsgType, WSTransport

        exchange = self

        class Orders(WSListener):  # type: ignore[misc]
            def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
                if frame.msg_type != WSMsgType.TEXT:
                    return
                exchange.took()
                asked = json.loads(frame.get_payload_as_bytes())
                params = asked["params"]
                result = {
                    "orderId": 1_000_000 + len(exchange.taken_ns),
                    "symbol": "BTCUSDT",
                    "status": "NEW",
                    "clientOrderId": params["newClientOrderId"],
                    "executedQty": "0.000",
                }
                answer = {"id": asked["id"], "status": 200, "result": result, "rateLimits": []}
                transport.send(WSMsgType.TEXT, json.dumps(answer).encode())

        return Orders()

    def http(self) -> asyncio.Protocol:
        """A protocol that takes orders by HTTP."""
        exchange = self

        class Http(asyncio.Protocol):
            buffer = b""

            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                self.buffer += data
                head, found, body = self.buffer.partition(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
                if not found or len(body) < int(length):
                    return
                self.buffer = b""
                exchange.took()
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b'Content-Length: 25\r\n\r\n{"retCode":0,"result":{}}'
                )

        return Http()

    def send(self, number: int) -> None:
        """A change of the book, where somebody wants it, then the trade."""
        from picows import WSMsgType

        stamp = time.time_ns() // 1_000_000
        price = 60_000 + number % 100 * 0.1
        if self.books is not None:
            before, self.last_id = self.last_id, FIRST_ID + number
            ids = (self.last_id, self.last_id, before)
            self.books.send(
                WSMsgType.TEXT,
                b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%d,"T":%d,'
                b'"s":"BTCUSDT","U":%d,"u":%d,"pu":%d,"b":[["%.2f","%d.000"]],"a":[]}}'
                % (stamp, stamp, *ids, price - 30_000, number % 9 + 1),
            )
        frame = trade_frame(number)
        self.sent_ns = time.perf_counter_ns()
        self.ticks.send(WSMsgType.TEXT, frame)


async def play(
    start: Callable[[int, int, int], subprocess.Popen[str]],
    frames: int,
    exchange: Exchange | None = None,
) -> Any:
    """Run one client. Returns sorted latencies and what it said at its end."""
    from picows import ws_create_server

    exchange, loop = exchange or Exchange(), asyncio.get_running_loop()
    feed = await ws_create_server(lambda _: exchange.feed(), "127.0.0.1", 0)
    orders = await ws_create_server(lambda _: exchange.order_socket(), "127.0.0.1", 0)
    http = await loop.create_server(exchange.http, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (feed, orders, http)]
    client = start(*ports)
    try:
        await asyncio.wait_for(exchange.ready.wait(), READY_S)
        await asyncio.sleep(2.0)  # the rest of its start: not a wait for a result
        misses = 0
        for number in range(WARM_UP + frames):
            exchange.ordered.clear()
            exchange.send(number)
            try:
                await asyncio.wait_for(exchange.ordered.wait(), ORDER_S)
            except TimeoutError:
                misses += 1
                if misses > MISSES_MAX:
                    raise RuntimeError(f"no order for {misses} frames") from None
            await asyncio.sleep(GAP_S)
        if client.stdin is not None:
            said, _ = await loop.run_in_executor(None, lambda: client.communicate(timeout=30))
        else:
            said = ""
    finally:
        client.kill()
        client.wait()
        for server in (feed, orders, http):
            server.close()
    return sorted(exchange.taken_ns[WARM_UP:]), said


def compile_peer(folder: str) -> str:
    """The C++ client."""
    target = f"{folder}/tick_peer"
    subprocess.run(["g++", "-O2", "-o", target, str(BENCH / "tick_peer.cpp")], check=True)
    return target


def starter(client: str, peer: str, twin_port: int) -> Callable[..., subprocess.Popen[str]]:
    """How a client is started, given the ports of feed, order socket, order HTTP."""

    def start(feed: int, orders: int, http: int) -> subprocess.Popen[str]:
        if client == "c++ epoll":
            return subprocess.Popen([peer, str(feed), str(http)], text=True)
        program = [sys.executable, str(BENCH / "tick_clients.py")]
        if client == "python":
            return subprocess.Popen([*program, "python", str(feed), str(http)], text=True)
        return subprocess.Popen(
            [*program, "hean", str(feed), str(orders), str(twin_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


def figures_of(client: str, taken: list[int], said: str) -> dict[str, float]:
    """Percentiles of a client in µs, and what HEAN measured of itself."""
    out = {
        f"{client} p50 us": percentile(taken, 0.5) / 1e3,
        f"{client} p99 us": percentile(taken, 0.99) / 1e3,
        f"{client} min us": taken[0] / 1e3,
    }
    if said.strip():
        for stage, seen in json.loads(said.strip().splitlines()[-1]).items():
            out |= {f"hean on loopback, {stage} {name}": seen[name] for name in SHOWN}
    return out


def native(frames: int) -> dict[str, float]:
    """The core with a native strategy."""
    command = ["cargo", "bench", "-q", "-p", "hean-core", "--bench", "tick", "--", str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=BENCH.parent)
    return {f"native inside, total {name}": v for name, v in json.loads(done.stdout).items()}


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    import uvloop

    frames = 200 if quick else FRAMES
    result = Result(
        f"{frames} trade frames {GAP_S * 1e3:g} ms apart, one under way; for HEAN a book change "
        "goes before each; an order on every trade; no disk"
    )
    with ExitStack() as stack:
        peer = compile_peer(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(twin("binance", 1.0))
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            figures: dict[str, float] = {}
            for client in turns(CLIENTS, number):
                start = starter(client, peer, running["port"])
                taken, said = uvloop.run(play(start, frames))
                figures |= figures_of(client, taken, said)
            for stage, seen in worker("tick_clients:inside", frames=10 * frames).items():
                if isinstance(seen, dict):
                    figures |= {f"hean inside, {stage} {name}": seen[name] for name in SHOWN}
            figures |= native(10 * frames)
            hean = figures["hean p50 us"]
            ratios = {
                "hean p50 / c++ epoll": hean / figures["c++ epoll p50 us"],
                "hean p50 / python bot": hean / figures["python p50 us"],
            }
            result.add(figures, ratios)
    result.goals = {
        "hean p50 / c++ epoll": ("<=", 2.0),
        "hean p50 / python bot": ("<=", 0.4),
        "hean inside, total p50_us": ("<=", 10.0),
        "native inside, total p50_us": ("<=", 3.0),
    }
    return result


if __name__ == "__main__":
    seen = run(1, quick="--quick" in sys.argv)
    print(json.dumps({**seen.figures, **seen.ratios}, indent=1))
