# SPDX-License-Identifier: Apache-2.0
"""`gauges.py`: the values of a running engine's metrics, read when a machine asks. The table of
names is in `observe/metrics.py`.
"""

from __future__ import annotations

import math

from hean import __version__
from hean.core.types import Health
from hean.engine.documents import Live, Reconciled, Risk, Status
from hean.engine.port import Seen
from hean.engine.watch import Watch
from hean.feeds.freshness import STALE
from hean.observe.metrics import Samples
from hean.risk.changepoint_breaker import ChangepointBreaker, ChangeState
from hean.risk.levels import RUN

CODES = {"RUNNING": 1, "HALTED": 2}


def stopped(status: Status) -> Samples:
    """What can be said of an engine that was never started."""
    samples = Samples()
    samples.put("hean_engine_status", CODES.get(status.state, 0))
    samples.put("hean_mode_info", 1, mode=status.mode, version=__version__)
    samples.put("hean_orchestrator_uptime_seconds", status.uptime_seconds)
    return samples


def samples_of(
    status: Status,
    risk: Risk,
    live: Live,
    reconciled: Reconciled,
    system: Seen,
    watch: Watch,
) -> Samples:
    """Everything. *risk*: at the last prices."""
    samples = stopped(status)
    samples.put("hean_live_gate_open", live.live_trading)
    if reconciled.lag_seconds is not None:
        samples.put("hean_reconcile_lag_seconds", reconciled.lag_seconds)
    _account(samples, risk, system, watch)
    _orders(samples, risk, system, watch)
    _machine(samples, status, system, watch)
    watch.quality.tell(samples)
    return samples


def _account(samples: Samples, risk: Risk, system: Seen, watch: Watch) -> None:
    ledger, put = system.portfolio.ledger, samples.put
    equity = ledger.equity
    total = equity - ledger.deposits
    put("hean_equity", float(equity))
    put("hean_pnl", float(total), kind="total")
    put("hean_pnl", float(total - ledger.unrealized), kind="realized")
    put("hean_pnl", float(ledger.unrealized), kind="unrealized")
    put("hean_pnl", float(equity - watch.opening_equity), kind="today")
    books = system.sub_books
    for each in system.strategies:
        profit = books.profit(each.name) if books else total
        put("hean_strategy_pnl", float(profit), strategy=each.name)
    put("hean_drawdown_ratio", risk.drawdown_fraction)
    put("hean_max_drawdown_ratio", ledger.max_drawdown_fraction)
    for name, ratio in (
        ("hean_win_ratio", watch.track.win_ratio), ("hean_sharpe_ratio", watch.track.sharpe)
    ):  # fmt: skip
        put(name, math.nan if ratio is None else ratio)
    put("hean_exposure_used_ratio", risk.leverage / float(system.leverage))
    for symbol in system.portfolio.symbols:
        qty = ledger.position(symbol)[0]
        if qty:
            put("hean_positions_open", 1, symbol=symbol, side="long" if qty > 0 else "short")
    samples.values.setdefault("hean_positions_open", {})


def _orders(samples: Samples, risk: Risk, system: Seen, watch: Watch) -> None:
    put = samples.put
    for (what, whose), count in watch.counts.items():
        name, _, symbol = what.partition(":")
        match name:
            case "orders":
                put("hean_orders_total", count, strategy=whose, verdict="approved")
            case "refused":
                put("hean_orders_total", count, strategy=whose, verdict="refused")
            case "trades":
                put("hean_trades_total", count, symbol=symbol, side=whose)
            case "errors":
                put("hean_errors_total", count, component=whose)
    for name in ("hean_orders_total", "hean_trades_total"):
        samples.values.setdefault(name, {})
    put("hean_errors_total", watch.counts["errors", "engine"], component="engine")
    put("hean_orders_open", len(system.engine.open_orders()))
    put("hean_orders_unknown", len(risk.unknown_orders))
    samples.put_histograms("hean_latency_seconds", watch.latency)


def _machine(samples: Samples, status: Status, system: Seen, watch: Watch) -> None:
    put, bus = samples.put, system.bus
    put("hean_events_total", bus.seq)
    put("hean_eventbus_queue_size", len(bus))
    put("hean_eventbus_queue_capacity", bus.max_queue)
    put("hean_eventbus_dropped_total", bus.dropped)
    for symbol, at_ns in watch.last_tick_ns.items():
        put("hean_last_tick_timestamp_seconds", at_ns / 1e9, symbol=symbol)
    stale = 0
    for component, health in watch.health.items():
        is_stale = health.state == STALE
        stale += is_stale
        put("hean_stream_stale", is_stale, stream=component)
    parts = len(system.parts) + len(watch.health)
    put("hean_components_total", parts)
    put("hean_components_healthy", parts - stale if status.state in CODES else 0)
    put("hean_circuit_breakers_open", sum(_is_open(*each) for each in watch.health.items()))
    put("hean_killswitch_active", system.engine.halt_level != RUN)


def _is_open(component: str, health: Health) -> bool:
    return component.startswith(ChangepointBreaker.name) and health.state == ChangeState.OPEN
