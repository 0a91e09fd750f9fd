# SPDX-License-Identifier: Apache-2.0
"""A stop in the middle of a storm, for `bench_live.py`. This process is the exchange and the person
who stops: it sends frames at a fixed rate whatever the client does, takes orders, writes the
command to the control socket, and goes on with the storm. One clock stamps the command, the arrival
of every order's bytes and the answer, so what is found is at worst longer than the truth.

Normal is 1,000 frames a second of one symbol and ten orders a second; the storm is twenty times
both.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from bench_tick import FIRST_ID, Exchange
from bench_twin import twin
from measure import BENCH, percentile
from tick_clients import trade_frame

NORMAL_FRAMES_PER_S, NORMAL_ORDERS_PER_S, TIMES = 1_000, 10, 20
BOOK = "btcusdt@depth@100ms"
MIX = (*["quote"] * 12, *["book"] * 4, *["trade"] * 4)  # of twenty frames
TURN_S = 0.001
BEFORE_S = (0.5, 1.0)  # of storm and orders before the command: when, is drawn
PING_S = 0.02  # before it: asks how far behind the client is
AFTER_S = 0.3  # of storm after the answer, in which no order may come
LATE_NS = 50_000_000  # after the answer: nothing whatever may leave
ORDERS_MIN = 10  # before the command, or nothing was stopped
BEHIND_BYTES_MAX = 4_000_000  # that the client has not read; a second of storm
LIVES_MAX = 8  # of one twin: more would use up its weight of a minute, and then a book has to wait
READY_S, ANSWER_S = 40.0, 10.0
SEED = 7
STOP = {"verb": "kill", "level": "CANCEL_ALL", "reason": "the bench stops it", "by": "bench"}
MS_NS = 1e6
TEXT = WSMsgType.TEXT


class Storm(Exchange):
    """Frames without mercy; orders rest and can be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.created_ns: list[int] = []
        self.joined: Any = None
        self.is_on = asyncio.Event()
        self.number = self.sent = self.held = 0

    def order_socket(self) -> Any:
        """Takes orders and cancels; stamps the creates."""
        exchange = self

        class Orders(WSListener):  # type: ignore[misc]
            def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
                now_ns = time.perf_counter_ns()
                if frame.msg_type != TEXT:
                    return
                asked = json.loads(frame.get_payload_as_bytes())
                if asked["method"] == "order.place":
                    exchange.created_ns.append(now_ns)
                answer = json.dumps(exchange.answer(asked)).encode()
                transport.send(TEXT, answer)

        return Orders()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """To a create or a cancel: yes."""
        params, is_new = asked["params"], asked["method"] == "order.place"
        result = {
            "orderId": 1_000_000 + len(self.created_ns),
            "symbol": "BTCUSDT",
            "status": "NEW" if is_new else "CANCELED",
            "clientOrderId": params["newClientOrderId" if is_new else "origClientOrderId"],
            "executedQty": "0.000",
        }
        return {"id": asked["id"], "status": 200, "result": result, "rateLimits": []}

    async def blow(self) -> None:
        """The storm, while it is on, at its rate whatever happened before."""
        while True:
            await self.is_on.wait()
            began_s = time.perf_counter()
            while self.is_on.is_set():
                passed_s = time.perf_counter() - began_s
                self._send_until(int(passed_s * NORMAL_FRAMES_PER_S * TIMES))
                await asyncio.sleep(TURN_S)

    async def speak(self) -> None:
        """Mark prices, once a second."""
        while True:
            super().say_again(self.streams)
            await asyncio.sleep(1.0)

    def say_again(self, names: Iterable[str]) -> None:
        """To a new subscriber also a change of the book that joins any snapshot of the twin."""
        super().say_again(names)
        line = self.streams.get(BOOK)
        if BOOK in names and line is not self.joined:
            self.joined, self.last_id = line, 1
            self.number += 1
            line.send(TEXT, self._change(first=2))

    def _send_until(self, due: int) -> None:
        """A client that does not read is spared, and that is told."""
        if self.books.underlying_transport.get_write_buffer_size() > BEHIND_BYTES_MAX:
            self.held = due - self.sent
            return
        while self.sent + self.held < due:
            kind = MIX[self.sent % len(MIX)]
            self.books.send(TEXT, self._frame(kind))
            self.sent += 1

    def _frame(self, kind: str) -> bytes:
        self.number += 1
        number = self.number
        if kind == "trade":
            return trade_frame(number)
        if kind == "quote":
            stamp = time.time_ns() // 1_000_000
            return (
                b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":%d,"s":"BTCUSDT",'
                b'"b":"%.2f","B":"1.000","a":"%.2f","A":"2.000","T":%d,"E":%d}}'
                % (number, 60_000 + number % 100 * 0.1, 60_000.1 + number % 100 * 0.1, stamp, stamp)
            )
        return self._change(first=FIRST_ID + number)

    def _change(self, first: int) -> bytes:
        """Of the book, from update number *first* on."""
        stamp, before = time.time_ns() // 1_000_000, self.last_id
        self.last_id = FIRST_ID + self.number
        return (
            b'{"stream":"%s","data":{"e":"depthUpdate","E":%d,"T":%d,"s":"BTCUSDT",'
            b'"U":%d,"u":%d,"pu":%d,"b":[["30000.00","%d.000"]],"a":[]}}'
            % (BOOK.encode(), stamp, stamp, first, self.last_id, before, self.number % 9 + 1)
        )

    def new_life(self) -> None:
        """Forget the client that was."""
        self.books = self.ticks = None
        self.streams.clear()
        self.created_ns.clear()
        self.ready.clear()
        self.sent = self.held = 0


async def status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
    """What the process says of itself."""
    writer.write(b'{"verb":"status"}\n')
    said: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), ANSWER_S))
    return said


async def stop_once(exchange: Storm, control: str, chance: random.Random) -> dict[str, float]:
    """Storm, command, storm. Returns what was seen."""
    reader, writer = await asyncio.open_unix_connection(control)
    exchange.is_on.set()
    began_s = time.perf_counter()
    await asyncio.sleep(chance.uniform(*BEFORE_S))
    line = json.dumps(STOP).encode() + b"\n"
    pinged_ns = time.perf_counter_ns()
    exchange.books.send_ping(b"lag")  # answered when all before it has been read
    await asyncio.sleep(PING_S)
    before, frames = len(exchange.created_ns), exchange.sent
    stormed_s = time.perf_counter() - began_s
    asked_ns = time.perf_counter_ns()
    writer.write(line)
    answer = json.loads(await asyncio.wait_for(reader.readline(), ANSWER_S))
    answered_ns = time.perf_counter_ns()
    await asyncio.sleep(AFTER_S)
    exchange.is_on.clear()
    if not answer["ok"] or answer["level"] != STOP["level"]:
        raise RuntimeError(f"not stopped: {answer}")
    is_read = exchange.ponged_ns > pinged_ns  # else it is further behind than this
    read_ns = exchange.ponged_ns if is_read else time.perf_counter_ns()
    if before < ORDERS_MIN:
        why = await status(reader, writer)
        raise RuntimeError(f"{before} orders before the command: nothing to stop; {why}")
    writer.close()
    last_ns = exchange.created_ns[-1]
    return {
        "last_ms": max(last_ns - asked_ns, 0) / MS_NS,
        "answer_ms": (answered_ns - asked_ns) / MS_NS,
        "after": sum(each > asked_ns for each in exchange.created_ns),
        "late": sum(each > answered_ns + LATE_NS for each in exchange.created_ns),
        "orders_per_s": before / stormed_s,
        "frames_per_s": frames / stormed_s,
        "lag_ms": (read_ns - pinged_ns) / MS_NS,
        "held": exchange.held,
    }


async def stops(
    lives: int, twin_port: int, folder: Path, chance: random.Random
) -> list[dict[str, float]]:
    """So many lives, each stopped once."""
    exchange = Storm()
    feed = await ws_create_server(lambda _: exchange.feed(), "127.0.0.1", 0)
    orders = await ws_create_server(lambda _: exchange.order_socket(), "127.0.0.1", 0)
    ports = [str(server.sockets[0].getsockname()[1]) for server in (feed, orders)]
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, str(BENCH / "live_clients.py"), "storm", *ports, str(twin_port)),
        str(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert client.stdin is not None and client.stdout is not None
    running = [asyncio.ensure_future(work) for work in (exchange.blow(), exchange.speak())]
    seen = []
    try:
        for _ in range(lives):
            control = await asyncio.wait_for(client.stdout.readline(), READY_S)
            if not control:
                raise RuntimeError("the trading process ended by itself")
            seen.append(await stop_once(exchange, control.decode().strip(), chance))
            exchange.new_life()
            client.stdin.write(b"next\n")
    finally:
        for task in running:
            task.cancel()
        client.kill()
        await client.wait()
        for server in (feed, orders):
            server.close()
    return seen


def storm_round(lives: int, folder: Path) -> dict[str, float]:
    """One round of stops, a twin for a few of them. Returns figures."""
    import uvloop

    chance = random.Random(SEED)
    seen: list[dict[str, float]] = []
    while len(seen) < lives:
        place = folder / str(len(seen))
        place.mkdir()
        number = min(lives - len(seen), LIVES_MAX)
        with twin("binance", 1.0) as running:
            seen += uvloop.run(stops(number, running["port"], place, chance))
    out: dict[str, float] = {}
    for name, key in (("last create", "last_ms"), ("answer", "answer_ms")):
        values = sorted(int(each[key] * MS_NS) for each in seen)
        for share, word in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
            out[f"kill to {name}, {word} ms"] = percentile(values, share) / MS_NS
    out["creates 50 ms after the answer"] = sum(each["late"] for each in seen)
    out["creates after the command"] = sum(each["after"] for each in seen)
    for name, key in (("frames/s", "frames_per_s"), ("creates/s", "orders_per_s")):
        out[f"storm, {name}"] = sum(each[key] for each in seen) / len(seen)
    out["storm, ms behind at the command, max"] = max(each["lag_ms"] for each in seen)
    out["storm, frames held back"] = sum(each["held"] for each in seen)
    return out
