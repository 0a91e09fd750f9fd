# SPDX-License-Identifier: Apache-2.0
"""Write `docs/performance.md`: the figures that the source documents promise beside what
`bench/results/*.json` measured. A test holds the page to those files.

    python scripts/write_performance.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"


class Promised(NamedTuple):
    """One figure. *number*: of the promise; *words*: as promised; *figure*: its name in the result
    of *bench*, in *unit*; *most*, *least*: what keeps the promise, in that unit, if it says so.
    """

    number: int
    words: str
    bench: str
    what: str
    figure: str
    unit: str
    most: float | None = None
    least: float | None = None


FIGURES = (
    Promised(185, "an order below 100 us, 15 to 25 us on average", "orders",
             "call to the fill callback in Python, p50", "hean p50 us", "us", most=25),
    Promised(185, "", "orders", "the same, p99", "hean p99 us", "us", most=100),
    Promised(185, "", "orders", "the same, p99.9", "hean p999 us", "us", most=100),
    Promised(185, "", "orders", "the same, the worst of 10,000", "hean worst us", "us", most=100),
    Promised(185, "", "live", "tick to order with its intent on the disk, p50",
             "hean with intent p50 us", "us"),
    Promised(186, "400,000 orders a second", "orders", "calls one by one",
             "hean orders per s", "a second", least=400_000),
    Promised(187, "100 MB for 100,000 orders", "orders", "heap of 100,000 open orders",
             "hean MB per 100,000 open orders", "MB", most=100),
    Promised(188, "market data below 5 ms", "market_data", "age of a trade at a listener, p99",
             "age_p99_us", "us", most=5_000),
    Promised(188, "50,000 requests a second", "market_data", "GET of a ticker",
             "get_service_a_s", "a second", least=50_000),
    Promised(188, "50 MB for 10 symbols", "market_data", "most memory it ever had",
             "resident_mb", "MB", most=50),
    Promised(189, "1,000 candles below 1 ms", "indicators", "five indicators over 1,000 closes",
             "batch_1000_vs_talib hean", "us", most=1_000),
    Promised(192, "a model answers within 100 ms", "models", "100 trees, one row, p99",
             "inference p99 us", "us", most=100_000),
    Promised(193, "an alert when end to end takes 100 ms", "live",
             "the whole trading process, tick to order, p50", "hean live p50 us", "us",
             most=100_000),
    Promised(193, "", "live", "the same, p99", "hean live p99 us", "us", most=100_000),
)  # fmt: skip

HEAD = """\
<!-- Made by scripts/write_performance.py from bench/results; do not edit. -->
# Performance

What the source documents promise, and what was measured here. A figure holds for its machine and
its workload, both below; on a shared machine compare ratios, which [bench/](../bench/README.md)
takes beside peers. `make bench` measures again. No venue takes more than some ten orders a second
from an account, so speed of the engine is room, not profit.

| Promised | Measured | Median | Least to most | |
|---|---|---|---|---|
"""

TAIL = """\

KeyDB against Redis: no factor is promised. `python scripts/benchmark_keydb.py` prints the one of
your two servers.

## Machine

The figures above come from two cores. For the whole stack in containers, with monitoring and
brokers, have 8 GB of memory, better 16, and 20 GB of disk; Docker Engine with Compose v2, or Docker
Desktop 4.0 or newer.

## When it is slow

`hean diagnose execution` tells the time of each stage from a journal, also of a process that runs.
Where `LOG_LEVEL` is set, logs are JSON lines on standard error; one with the word SLOW names the
handler that held the loop of a trading process for half a second or longer. A handler that has to
wait is an `async def` and holds up nobody: `EVENT_WORKER_COUNT` of them are at work at a time, each
for `EVENT_BATCH_SIZE` events in a row. A larger `EVENT_MAX_QUEUE_SIZE` hides a slow handler; it
does not cure it.
"""


def result_of(bench: str) -> dict[str, Any] | None:
    """What a bench said last; `None` where nothing is kept."""
    path = RESULTS / f"{bench}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def page() -> str:
    """The whole text."""
    rows = [_row(each, result_of(each.bench)) for each in FIGURES]
    return HEAD + "\n".join(rows) + "\n\n## Workloads and machines\n\n" + _sources() + TAIL


def _row(each: Promised, result: dict[str, Any] | None) -> str:
    begin = f"| {each.words} | `{each.bench}`: {each.what} |"
    if result is None:
        how = f"`python bench/run.py --only {each.bench}`"
        return f"{begin} not measured yet | | {how} |"
    seen = result["figures"][each.figure]
    span = f"{_digits(seen['min'])} to {_digits(seen['max'])}"
    return f"{begin} {_digits(seen['median'])} {each.unit} | {span} | {_verdict(each, seen)} |"


def _verdict(each: Promised, seen: dict[str, float]) -> str:
    """By the median: a shared machine decides nothing by its worst round."""
    if each.most is not None:
        return "kept" if seen["median"] <= each.most else "NOT kept"
    if each.least is not None:
        return "kept" if seen["median"] >= each.least else "NOT kept"
    return ""


def _digits(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _sources() -> str:
    return "\n".join(_source(bench) for bench in _benches()) + "\n"


def _benches() -> Iterator[str]:
    return iter(dict.fromkeys(each.bench for each in FIGURES))


def _source(bench: str) -> str:
    result = result_of(bench)
    if result is None:
        return f"* `{bench}`: no result is kept yet."
    date, rounds = result["date"][:10], result["rounds"]
    return f"* `{bench}`, {date}, {rounds} rounds, on {result['machine']}: {result['workload']}."


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
