# SPDX-License-Identifier: Apache-2.0
"""A venue's bytes to facts, and book changes from Python.

Trades: 200,000 frames of one trade each, as Bybit and Binance USD-M send them, prices by seed, each
with its own id and time; `WireFeed.push` from Python to a `Tick` in hand, the same feed without
Python (`crates/core/benches/wire.rs`), and beside them msgspec decoding the frame into a struct of
its shape and making the same `Tick`. Deltas: Bybit frames of ten levels, to a `Book` in hand.

Book: 200,000 level changes within 200 ticks of the touch. One by one with plain numbers,
`Book.update` beside NautilusTrader's `OrderBook` (its delta object made, then applied: that is what
a caller with numbers in hand pays); and as columns, `Book.apply_batch`. All must end with the same
best prices.
"""

from __future__ import annotations

import gc
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from measure import BENCH, Result, python_with, say, turns, worker

FRAMES = 200_000
DELTAS = 50_000
ROWS = 200_000
BATCH_ROWS = 2_000_000
TOUCH = 30_000
START_MS = 1_700_000_000_000


class Trade(msgspec.Struct, gc=False):
    """One trade of Bybit, as far as a `Tick` needs it."""

    T: int
    s: str
    S: str
    v: str
    p: str
    i: str


class Frame(msgspec.Struct, gc=False):
    """A message of `publicTrade`."""

    topic: str
    data: list[Trade]


def prices(rows: int) -> list[str]:
    """A walk of prices on a tick of 0.1."""
    rng = np.random.default_rng(1)
    ticks = 300_000 + np.cumsum(rng.integers(-3, 4, rows))
    return [f"{tick // 10}.{tick % 10}0" for tick in ticks.tolist()]


def bybit_trades(rows: int) -> list[bytes]:
    """Frames of `publicTrade` with one trade each."""
    return [
        f'{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":{START_MS + row},"data":[{{"T":'
        f'{START_MS + row},"s":"BTCUSDT","S":"Buy","v":"0.0{row % 9 + 1}","p":"{price}","L":'
        f'"PlusTick","i":"20f43950-d8dd-5b31-9112-{row:012x}","BT":false,"seq":{row}}}]}}'.encode()
        for row, price in enumerate(prices(rows))
    ]


def binance_trades(rows: int) -> list[bytes]:
    """Frames of the `trade` stream of USD-M, combined."""
    return [
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{START_MS + row},"T":'
        f'{START_MS + row},"s":"BTCUSDT","t":{row + 1},"p":"{price}","q":"0.0{row % 9 + 1}","X":'
        f'"MARKET","m":true}}}}'.encode()
        for row, price in enumerate(prices(rows))
    ]


def bybit_deltas(rows: int) -> list[bytes]:
    """A snapshot of 50 levels a side, then deltas of five levels a side that keep it uncrossed."""
    rng = np.random.default_rng(2)
    away = rng.integers(1, 51, (rows, 10)).tolist()
    lots = rng.integers(0, 9, (rows, 10)).tolist()

    def frame(row: int, kind: str, bids: str, asks: str) -> bytes:
        return (
            f'{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":{START_MS + row},"data":{{"s":'
            f'"BTCUSDT","b":[{bids}],"a":[{asks}],"u":{row + 2},"seq":{row + 2}}},"cts":'
            f"{START_MS + row}}}"
        ).encode()

    def level(tick: int, size: int) -> str:
        return f'["{tick // 10}.{tick % 10}0","0.{size:03}"]'

    first = [",".join(level(300_000 + side * far, 1) for far in range(1, 51)) for side in (-1, 1)]
    frames = [frame(-1, "snapshot", *first)]
    for row in range(rows):
        pairs = list(zip(away[row], lots[row], strict=True))
        bids = ",".join(level(300_000 - far, size) for far, size in pairs[:5])
        asks = ",".join(level(300_000 + far, size) for far, size in pairs[5:])
        frames.append(frame(row, "delta", bids, asks))
    return frames


JOBS = {
    "bybit trade": ("bybit", bybit_trades, FRAMES),
    "binance trade": ("binance", binance_trades, FRAMES),
    "bybit delta of 10": ("bybit", bybit_deltas, DELTAS),
}


def hean(share: int) -> dict[str, Any]:
    """HEAN's worker: frames a second by job, and the two ways into the book."""
    from hean._core import Book, Instrument, WireFeed

    gc.disable()
    figures: dict[str, Any] = {}
    for name, (venue, made, rows) in JOBS.items():
        frames = made(rows // share)
        push = WireFeed(venue, "linear", [Instrument("BTCUSDT", "linear", "0.1", "0.001")]).push
        started = time.perf_counter()
        facts = sum(len(push(frame)) for frame in frames)
        figures[f"{name} frames per s"] = len(frames) / (time.perf_counter() - started)
        if facts != len(frames):
            raise AssertionError(f"{name}: {facts} facts of {len(frames)} frames")
    book, rows = Book(), list(zip(*(c.tolist() for c in changes(ROWS // share)), strict=True))
    update = book.update
    started = time.perf_counter()
    for buy, price, lots in rows:
        update(buy, price, lots)
    figures["book update per s"] = len(rows) / (time.perf_counter() - started)
    figures["best"] = [book.best_bid()[0], book.best_ask()[0]]
    batch, columns = Book(), changes(BATCH_ROWS // share)
    started = time.perf_counter()
    batch.apply_batch(*columns)
    figures["book batch rows per s"] = len(columns[0]) / (time.perf_counter() - started)
    return figures


def changes(rows: int) -> tuple[Any, Any, Any]:
    """Columns buy, price in ticks, lots: the job of the peers' own measurement."""
    rng = np.random.default_rng(5)
    buy = rng.integers(0, 2, rows) == 1
    away = rng.integers(1, 200, rows)
    price = np.where(buy, TOUCH - away, TOUCH + away)
    return buy, price.astype(np.int64), rng.integers(0, 20, rows).astype(np.int64)


def msgspec_peer(share: int) -> dict[str, Any]:
    """Decode a Bybit frame into a struct of its shape and make the same `Tick` in Python."""
    from hean.core.types import Tick

    decode = msgspec.json.Decoder(Frame).decode
    frames = bybit_trades(FRAMES // share)
    gc.disable()
    started = time.perf_counter()
    for frame in frames:
        for trade in decode(frame).data:
            Tick(trade.s, float(trade.p), float(trade.v), trade.T * 1_000_000)
    return {"bybit trade frames per s": len(frames) / (time.perf_counter() - started)}


def nautilus(share: int) -> dict[str, Any]:
    """The peer's worker: a delta object from plain numbers, applied, one by one."""
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    symbol = InstrumentId.from_str("BTCUSDT-PERP.SIM")
    rows = list(zip(*(column.tolist() for column in changes(ROWS // share)), strict=True))
    book = OrderBook(symbol, BookType.L2_MBP)
    apply, update, delete = book.apply_delta, BookAction.UPDATE, BookAction.DELETE
    buyer, seller = OrderSide.BUY, OrderSide.SELL
    gc.disable()
    started = time.perf_counter()
    for row, (buy, price, lots) in enumerate(rows):
        order = BookOrder(buyer if buy else seller, Price(price, 1), Quantity(lots, 3), price)
        apply(OrderBookDelta(symbol, update if lots else delete, order, 0, row, row, row))
    rate = len(rows) / (time.perf_counter() - started)
    best = [round(float(book.best_bid_price())), round(float(book.best_ask_price()))]
    return {"book update per s": rate, "best": best}


def native(share: int) -> dict[str, float]:
    """Frames a second without Python, by job."""
    figures = {}
    command = ["cargo", "bench", "-q", "-p", "hean-core", "--bench", "wire", "--"]
    with tempfile.TemporaryDirectory() as folder:
        for name, (venue, made, rows) in JOBS.items():
            path = Path(folder) / "frames"
            path.write_bytes(b"\n".join(made(rows // share)))
            given = [venue, "linear", "BTCUSDT", "0.1", "0.001", str(path)]
            done = subprocess.run(
                [*command, *given], capture_output=True, text=True, check=True, cwd=BENCH.parent
            )
            figures[f"native {name} frames per s"] = json.loads(done.stdout)["frames_per_s"]
    return figures


def run(rounds: int, quick: bool = False) -> Result:
    """HEAN, msgspec and NautilusTrader in turns."""
    result = Result(
        workload="frames of one trade each and of ten levels each to a payload in Python; 200,000 "
        "level changes from plain numbers, 2,000,000 as columns",
        goals={
            "hean bybit trade frames per s": (">=", 1e6),
            "hean binance trade frames per s": (">=", 1e6),
            "native bybit trade frames per s": (">=", 1e6),
            "update_vs_nautilus": (">=", 3.0),
            "hean book batch rows per s": (">=", 20e6),
        },
    )
    names = ["hean", "msgspec_peer"]
    if python_with("nautilus_trader") is None:
        result.missing["nautilus_trader"] = "not installed; `make bench` installs it"
    else:
        names.append("nautilus")
    share = 10 if quick else 1
    for turn in range(rounds):
        done = {name: worker(f"bench_wire:{name}", share=share) for name in turns(names, turn)}
        own = done["hean"]
        ratios = {}
        if peer := done.get("nautilus"):
            if peer["best"] != own["best"]:
                raise AssertionError(f"best prices differ: {own['best']}, {peer['best']}")
            ratios["update_vs_nautilus"] = own["book update per s"] / peer["book update per s"]
        frames = "bybit trade frames per s"
        ratios["trade_vs_msgspec"] = own[frames] / done["msgspec_peer"][frames]
        figures = {
            f"{name.removesuffix('_peer')} {figure}": value
            for name, one in done.items()
            for figure, value in one.items()
            if figure not in {"best", "peak_rss_mb"}
        }
        result.add(figures | native(share), ratios)
        say(f"round {turn + 1}: {own[frames] / 1e6:.2f} M trades/s, {ratios}")
    return result
