# SPDX-License-Identifier: Apache-2.0
"""The same two backtests in HEAN and its peers, each run in a process of its own, in turns.

The jobs, their data and the known answer are in `jobs.py`: a run whose fills or cash differ from
the answer fails the bench. Seconds are the engine's alone; turning arrays into an engine's own
data is told apart as preparation. `x_nautilus_a` 30 means: NautilusTrader took 30 times as long
in the same round.
"""

from __future__ import annotations

from typing import Any

import jobs
from measure import Result, install_peers, python_with, say, turns, worker

RUNS: dict[str, tuple[str, str, str]] = {
    "hean_event_a": ("backtest_hean:event_tier", "a", "hean"),
    "hean_event_b": ("backtest_hean:event_tier", "b", "hean"),
    "hean_wake_a": ("backtest_tiers:wake_tier", "a", "hean"),
    "hean_wake_b": ("backtest_tiers:wake_tier", "b", "hean"),
    "hean_native_a": ("backtest_tiers:native_tier", "a", "hean"),
    "hean_native_b": ("backtest_tiers:native_tier", "b", "hean"),
    "nautilus_a": ("backtest_peers:nautilus", "a", "nautilus_trader"),
    "nautilus_b": ("backtest_peers:nautilus", "b", "nautilus_trader"),
    "backtesting_py_a": ("backtest_peers:backtesting_py", "a", "backtesting"),
    "vectorbt_a": ("backtest_peers:vectorbt", "a", "vectorbt"),
    "hftbacktest_b": ("backtest_peers:hftbacktest", "b", "hftbacktest"),
}
QUICK_ROWS = {"a": 20_000, "b": 40_000}


def play(name: str, rows: dict[str, int]) -> dict[str, Any]:
    """One run; its answer is checked when the job is whole."""
    task, job, package = RUNS[name]
    result = worker(task, python=python_with(package), job=job, rows=rows[job])
    if rows[job] == jobs.ROWS[job]:
        jobs.check(job, result)
    say(f"{name}: {result['engine_s']:.3f} s, {result['peak_rss_mb']:.0f} MB")
    return result


def ratios(done: dict[str, dict[str, Any]]) -> dict[str, float]:
    """How many times longer each peer took than each of HEAN's tiers; memory the other way."""
    found: dict[str, float] = {}
    for name, own in done.items():
        if not name.startswith("hean_"):
            continue
        tier, job = name.removeprefix("hean_").split("_")
        for other, peer in done.items():
            if not other.startswith("hean_") and other.endswith(f"_{job}"):
                found[f"{tier}_vs_{other}"] = peer["engine_s"] / own["engine_s"]
                memory = own["peak_rss_mb"] / peer["peak_rss_mb"]
                found[f"{tier}_memory_vs_{other}"] = memory
    return found


def run(rounds: int, quick: bool = False) -> Result:
    """All runs, `rounds` times; who goes first changes with the round."""
    result = Result(
        workload="EMA(10)/EMA(20) cross, market orders of 1 unit, taker fee 0.055 %; a: 500,000 "
        "1-minute bars, 22,274 fills, cash 9,618,064.85; b: 1,000,000 quotes, 45,199 fills, cash "
        "9,245,453.963475 (all runs assert both); engine seconds, one process a run",
        goals={
            "event_vs_nautilus_a": (">=", 30.0),
            "event_vs_nautilus_b": (">=", 25.0),
            "event_vs_backtesting_py_a": (">=", 5.0),
            "event_vs_hftbacktest_b": (">=", 1.0),
            "native_vs_vectorbt_a": (">=", 2.0),
            "native_vs_hftbacktest_b": (">=", 4.0),
            "event_memory_vs_nautilus_a": ("<=", 0.25),
            "event_memory_vs_nautilus_b": ("<=", 0.25),
        },
    )
    why = install_peers()
    names = []
    for name, (_, _, package) in RUNS.items():
        if python_with(package) is None:
            result.missing[package] = why or "not installed; `make bench` installs it"
        else:
            names.append(name)
    rows = QUICK_ROWS if quick else jobs.ROWS
    for turn in range(rounds):
        done = {name: play(name, rows) for name in turns(names, turn)}
        figures = {f"{name} engine s": one["engine_s"] for name, one in done.items()}
        figures |= {f"{name} prep s": one["prep_s"] for name, one in done.items()}
        figures |= {f"{name} peak MB": one["peak_rss_mb"] for name, one in done.items()}
        result.add(figures, ratios(done))
    return result
