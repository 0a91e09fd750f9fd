# SPDX-License-Identifier: Apache-2.0
"""The matching core beside two C++ books, in turns in one run.

Workload: 60 % limit orders within 200 ticks of the touch, 30 % cancels of one of the last 500
limits, 10 % market orders, drawn by seed. The peers (`matching_peers.cpp`) are a textbook book
(std::map of std::list) and a price ladder; neither reports what it did, HEAN's book does. All
three must agree on the number of trades, or the figures mean nothing.

Needs g++ and pybind11. Figures: per call from Python (ns, clock included), batch rate, MB per
100,000 open orders (heap of a fresh process), feed book rates.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import importlib.util
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hean._core import Book, MatchingBook
from measure import Result, say

BATCH_ROWS = 2_000_000
CALL_ROWS = 200_000
OPEN_ORDERS = 100_000
FEED_ROWS = 200_000
TOUCH = 30_000

HEAP_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)

Flow = tuple[Any, Any, Any, Any]


def flow(rows: int, seed: int = 3) -> Flow:
    """Columns kind (0 limit, 1 cancel, 2 market), buy, price or cancelled row, lots."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(np.array([0, 1, 2], np.int8), rows, p=[0.6, 0.3, 0.1])
    kind[:1000] = 0  # a book to start from
    buy = rng.integers(0, 2, rows, dtype=np.int8)
    away = rng.integers(1, 200, rows)
    limits = np.flatnonzero(kind == 0)
    newest = np.searchsorted(limits, np.arange(rows)) - 1
    target = limits[np.maximum(newest - rng.integers(0, 500, rows), 0)]
    price = np.where(kind == 1, target, np.where(buy == 1, TOUCH - away, TOUCH + away))
    return kind, buy, price.astype(np.int64), rng.integers(1, 20, rows)


def peers() -> Any:
    """The C++ module, built once for each content of its source and kept in the temp folder."""
    import pybind11

    source = Path(__file__).with_name("matching_peers.cpp")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    target = Path(tempfile.gettempdir()) / f"hean_bench_{digest}" / f"matching_peers{suffix}"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        includes = [pybind11.get_include(), sysconfig.get_paths()["include"]]
        options = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden"]
        command = ["g++", *options, *(f"-I{path}" for path in includes)]
        subprocess.check_call([*command, str(source), "-o", str(target)])
    spec = importlib.util.spec_from_file_location("matching_peers", target)
    if spec is None or spec.loader is None:
        raise ImportError(f"{target} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def makers() -> dict[str, Callable[[], Any]]:
    """How to make an empty book of each kind."""
    native = peers()
    return {
        "hean": MatchingBook,
        "map": native.TextbookBook,
        "ladder": lambda: native.LadderBook(20_000, 20_000),
    }


def call_latency(book: Any, columns: Flow) -> dict[str, float]:
    """Nanoseconds of single calls from Python, with the cost of reading the clock inside."""
    ids = [0] * len(columns[0])
    spent: list[int] = []
    clock, note = time.perf_counter_ns, spent.append
    limit, cancel, market = book.limit, book.cancel, book.market
    rows = zip(*(column.tolist() for column in columns), strict=True)
    gc.disable()
    for row, (kind, buy, price, lots) in enumerate(rows):
        is_buy = buy == 1
        if kind == 0:
            start = clock()
            ids[row] = limit(is_buy, price, lots)
            note(clock() - start)
        elif kind == 1:
            order_id = ids[price]
            start = clock()
            cancel(order_id)
            note(clock() - start)
        else:
            start = clock()
            market(is_buy, lots)
            note(clock() - start)
    gc.enable()
    spent.sort()
    return {"p50_ns": spent[len(spent) // 2], "p99_ns": spent[len(spent) * 99 // 100]}


def batch_rate(book: Any, columns: Flow) -> tuple[float, int]:
    """Operations a second of one native batch, and its trades."""
    start = time.perf_counter()
    trades = book.batch(*columns)
    return len(columns[0]) / (time.perf_counter() - start), trades


class HeapInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_: ClassVar = [(name, ctypes.c_size_t) for name in HEAP_FIELDS]


def heap_bytes() -> int:
    """Bytes that malloc has handed out, unused capacity of vectors included. Python's own small
    objects are not in it. Resident memory would hide what fits into holes of the heap."""
    query = ctypes.CDLL(None).mallinfo2
    query.restype = HeapInfo
    info = query()
    return int(info.uordblks + info.hblkhd)


def memory_worker(name: str) -> float:
    """MB that 100,000 open orders on 900 levels take in this fresh process."""
    make = makers()[name]
    gc.collect()
    before = heap_bytes()
    book = make()
    for number in range(OPEN_ORDERS):
        book.limit(True, TOUCH - 1000 + number % 900, 5)
    return (heap_bytes() - before) / 1e6


def memory_mb(name: str) -> float:
    """`memory_worker` in a process of its own."""
    command = [sys.executable, __file__, "--memory", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def feed_rates() -> dict[str, float]:
    """Level updates a second of the feed book: one by one, and as messages of 100 in arrays."""
    rng = np.random.default_rng(5)
    buy = rng.integers(0, 2, FEED_ROWS) == 1
    away = rng.integers(1, 200, FEED_ROWS)
    price = np.where(buy, TOUCH - away, TOUCH + away)
    lots = rng.integers(0, 20, FEED_ROWS)
    book = Book()
    update = book.update
    rows = list(zip(buy.tolist(), price.tolist(), lots.tolist(), strict=True))
    start = time.perf_counter()
    for is_buy, at, size in rows:
        update(is_buy, at, size)
    single = FEED_ROWS / (time.perf_counter() - start)
    levels = np.column_stack((price, lots))
    chunks = [(levels[i : i + 100], buy[i : i + 100]) for i in range(0, FEED_ROWS, 100)]
    messages = [(part[mask], part[~mask]) for part, mask in chunks]
    book = Book()
    start = time.perf_counter()
    for bids, asks in messages:
        book.apply_delta(bids, asks)
    return {
        "update_per_s": single,
        "delta_of_100_levels_per_s": FEED_ROWS / (time.perf_counter() - start),
    }


def one_round(books: dict[str, Callable[[], Any]], turn: int, quick: bool) -> dict[str, Any]:
    """Each book once; who goes first changes with the round."""
    names = list(books)
    names = names[turn % len(names) :] + names[: turn % len(names)]
    share = 10 if quick else 1
    calls, rows = flow(CALL_ROWS // share), flow(BATCH_ROWS // share)
    latency = {name: call_latency(books[name](), calls) for name in names}
    batches = {name: batch_rate(books[name](), rows) for name in names}
    counted = {trades for _, trades in batches.values()}
    if len(counted) != 1:
        raise AssertionError(f"the books disagree on the trades of one flow: {counted}")
    return {
        "call": latency,
        "batch_ops_per_s": {name: rate for name, (rate, _) in batches.items()},
        "trades": counted.pop(),
        "memory_mb": {name: memory_mb(name) for name in names},
        "feed_book": feed_rates(),
    }


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Leaves by their path, joined by spaces."""
    leaves: dict[str, float] = {}
    for key, value in tree.items():
        name = f"{prefix} {key}".strip()
        leaves |= flat(value, name) if isinstance(value, dict) else {name: value}
    return leaves


RATIOS: dict[str, Callable[[dict[str, Any], str], float]] = {
    "call_p50": lambda one, name: float(one["call"][name]["p50_ns"]),
    "call_p99": lambda one, name: float(one["call"][name]["p99_ns"]),
    "batch": lambda one, name: float(one["batch_ops_per_s"][name]),
    "memory": lambda one, name: float(one["memory_mb"][name]),
}


def run(rounds: int, quick: bool = False) -> Result:
    """Interleaved rounds, and the ratios within each."""
    result = Result(
        workload="60% limit within 200 ticks, 30% cancel, 10% market; seed 3",
        goals={
            "call_p50_vs_map": ("<=", 1.0),
            "call_p50_vs_ladder": ("<=", 1.5),
            "batch_vs_map": (">=", 2.0),
            "memory_mb hean": ("<=", 12.0),
            "feed_book update_per_s": (">=", 3.45e6),
            "feed_book delta_of_100_levels_per_s": (">=", 20e6),
        },
    )
    books = makers()
    for turn in range(rounds):
        one = one_round(books, turn, quick)
        ratios = {
            f"{label}_vs_{peer}": of(one, "hean") / of(one, peer)
            for peer in ("map", "ladder")
            for label, of in RATIOS.items()
        }
        result.add(flat(one), ratios)
        say(f"round {turn + 1}: batch {ratios['batch_vs_map']:.2f} x the textbook book")
    return result


if __name__ == "__main__":
    print(memory_worker(sys.argv[2]))
