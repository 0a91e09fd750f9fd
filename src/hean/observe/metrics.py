# SPDX-License-Identifier: Apache-2.0
"""`metrics.py`: every metric in one table: name, kind, meaning, and the names that other documents
use for the same number. Rendered as Prometheus text 0.0.4; no library, because the usual one
renames counters, and the promised names are exact. Nothing is measured here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
BUCKETS = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

BPS = (-10.0, -5.0, -1.0, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Alias:
    """Another name: the sum over all samples that have *of* among their labels, times *scale*."""

    name: str
    of: Labels = ()
    scale: float = 1.0


@dataclass(frozen=True)
class Metric:
    """*kind*: gauge, counter or histogram."""

    name: str
    kind: str
    help: str
    aliases: tuple[Alias, ...] = ()


def _kind(value: str) -> Labels:
    return (("kind", value),)


TABLE = (
    Metric("hean_engine_status", "gauge", "0 stopped, 1 running, 2 halted"),
    Metric("hean_mode_info", "gauge", "1, with mode and version"),
    Metric("hean_equity", "gauge", "Equity at the last prices, quote currency",
           (Alias("trading_portfolio_value_usd"),)),
    Metric("hean_pnl", "gauge", "Profit by kind, quote currency",
           (Alias("pnl_total", _kind("total")), Alias("trading_pnl_total_usd", _kind("total")),
            Alias("trading_pnl_today_usd", _kind("today")))),
    Metric("hean_strategy_pnl", "gauge", "Profit of a strategy, quote currency"),
    Metric("hean_drawdown_ratio", "gauge", "Below the highest equity now"),
    Metric("hean_max_drawdown_ratio", "gauge", "Largest drawdown so far",
           (Alias("trading_max_drawdown_percent", scale=100.0),)),
    Metric("hean_win_ratio", "gauge", "Round trips that made money after fees, of all; NaN of none",
           (Alias("trading_win_rate_percent", scale=100.0),)),
    Metric("hean_sharpe_ratio", "gauge", "Annualised from UTC days; NaN before there are two",
           (Alias("trading_sharpe_ratio"),)),
    Metric("hean_positions_open", "gauge", "1 for each open position",
           (Alias("position_count"), Alias("trading_active_positions"))),
    Metric("hean_exposure_used_ratio", "gauge", "Gross exposure by the leverage allowed"),
    Metric("hean_orders_total", "counter", "Orders by strategy and verdict",
           (Alias("order_count"),)),
    Metric("hean_orders_open", "gauge", "Orders that may still trade"),
    Metric("hean_orders_unknown", "gauge", "Orders whose outcome nobody knows"),
    Metric("hean_trades_total", "counter", "Executions by symbol and side",
           (Alias("trading_total_trades"),)),
    Metric("hean_traded_value_total", "counter", "Price times quantity of all fills, by symbol"),
    Metric("hean_latency_seconds", "histogram", "By stage: feed, order_ack"),
    Metric("hean_slippage_bps", "histogram", "What a fill lost against the price at its approval"),
    Metric("hean_fill_ratio", "gauge", "Orders filled whole, of those the venue took; NaN of none"),
    Metric("hean_orders_placed_total", "counter", "Orders that the venue took"),
    Metric("hean_orders_filled_total", "counter", "Orders that were filled whole"),
    Metric("hean_spread_bps", "gauge", "Best ask above best bid, of the middle"),
    Metric("hean_vol_forecast", "gauge", "Expected standard deviation of a day's log return"),
    Metric("hean_hedge_ratio", "gauge", "Money of the second leg for one of the first, by pair"),
    Metric("hean_spread_z", "gauge", "A pair's spread in the deviations that were expected"),
    Metric("hean_changepoint_probability", "gauge", "Belief that a market has just changed"),
    Metric("hean_killswitch_triggers_total", "counter", "Times the kill switch was asked for"),
    Metric("hean_reconcile_discrepancies_total", "counter", "Differences from the venue's books"),
    Metric("hean_process_cpu_seconds_total", "counter", "Time on a processor"),
    Metric("hean_process_resident_memory_bytes", "gauge", "Largest memory so far"),
    Metric("hean_events_total", "counter", "Events delivered on the bus"),
    Metric("hean_eventbus_queue_size", "gauge", "Events that wait"),
    Metric("hean_eventbus_queue_capacity", "gauge", "Events that may wait"),
    Metric("hean_eventbus_dropped_total", "counter", "Class D events dropped from a full queue"),
    Metric("hean_last_tick_timestamp_seconds", "gauge", "When a symbol was last heard of"),
    Metric("hean_stream_stale", "gauge", "1 while the data of a stream is old"),
    Metric("hean_errors_total", "counter", "Errors told by a component"),
    Metric("hean_orchestrator_uptime_seconds", "gauge", "Since the engine was started"),
    Metric("hean_components_healthy", "gauge", "Components that are well"),
    Metric("hean_components_total", "gauge", "Components"),
    Metric("hean_circuit_breakers_open", "gauge", "Breakers that let nothing through"),
    Metric("hean_reconcile_lag_seconds", "gauge", "Since our books and the venue's last agreed"),
    Metric("hean_killswitch_active", "gauge", "1 while it is latched"),
    Metric("hean_live_gate_open", "gauge", "1 while orders with money may leave"),
    Metric("hean_http_requests_total", "counter", "Requests by method, route and status",
           (Alias("request_count"),)),
    Metric("hean_http_request_duration_seconds", "histogram", "By method and route",
           (Alias("request_duration"),)),
    Metric("hean_http_requests_in_flight", "gauge", "Requests being answered",
           (Alias("active_connections"),)),
    Metric("hean_bridge_up", "gauge", "1 while the broker between processes is reached"),
    Metric("hean_bridge_outages_total", "counter", "Times the broker was lost"),
    Metric("hean_bridge_sent_total", "counter", "Messages sent to other processes"),
    Metric("hean_bridge_waiting", "gauge", "Messages that some reader has not confirmed"),
    Metric("hean_bridge_merged_total", "counter", "Facts replaced by newer ones: readers lag"),
    Metric("hean_bridge_dropped_total", "counter", "Facts let go because readers lag"),
    Metric("hean_bridge_position", "gauge", "Number of the last message by source"),
    Metric("hean_bridge_duplicates_total", "counter", "Messages that came again"),
    Metric("hean_bridge_timeouts_total", "counter", "Times a model's answer was not waited for"),
    Metric("hean_relay_told_total", "counter", "Facts of models in other processes, told in time"),
    Metric("hean_relay_late_total", "counter", "Such facts that came too late for their moment"),
    Metric("hean_bridge_holes_total", "counter", "Places where messages are missing"),
    Metric("hean_bridge_unreadable_total", "counter", "Messages of another schema, or none"),
    Metric("hean_ws_connections", "gauge", "Clients of the live stream",
           (Alias("websocket_connections"),)),
)  # fmt: skip
ORDER_LATENCY = Alias("trading_order_latency_ms", (("stage", "order_ack"),), 1e3)
"""The last acknowledgement, in ms: what the histogram cannot say."""


class Histogram:
    """Counts by bucket, and what was seen last. *bounds*: upper ends, of seconds if not said."""

    def __init__(self, bounds: tuple[float, ...] = BUCKETS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.last = math.nan

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.last = value


@dataclass
class Samples:
    """Values to be rendered, by metric and labels."""

    values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    histograms: dict[str, dict[Labels, Histogram]] = field(default_factory=dict)

    def put(self, name: str, value: float, **labels: str) -> None:
        """One sample."""
        self.values.setdefault(name, {})[tuple(sorted(labels.items()))] = float(value)

    def put_histograms(self, name: str, found: Mapping[Labels, Histogram]) -> None:
        """All of a metric."""
        self.histograms[name] = dict(found)


def measure_process(samples: Samples, cpu_s: float, memory_kb: int) -> None:
    """What the process itself takes: seconds on a processor, largest memory in KiB."""
    samples.put("hean_process_cpu_seconds_total", cpu_s)
    samples.put("hean_process_resident_memory_bytes", memory_kb * 1024)


def render(samples: Samples) -> bytes:
    """Prometheus text of all metrics in the table that have samples."""
    lines: list[str] = []
    for metric in TABLE:
        if metric.kind == "histogram":
            lines += _histogram_lines(metric, samples.histograms.get(metric.name, {}))
        elif metric.name in samples.values:
            lines += _lines(metric, samples.values[metric.name])
    lines += _last_lines(samples.histograms.get("hean_latency_seconds", {}))
    return ("\n".join(lines) + "\n").encode()


def _lines(metric: Metric, values: Mapping[Labels, float]) -> Iterable[str]:
    yield from _head(metric.name, metric.kind, metric.help)
    for labels, value in values.items():
        yield f"{metric.name}{_labels(labels)} {_number(value)}"
    for alias in metric.aliases:
        wanted = set(alias.of)
        found = [value for labels, value in values.items() if wanted <= set(labels)]
        # A gauge by the name: a counter of another name would promise a suffix it has not.
        yield from _head(alias.name, "gauge", f"Another name of {metric.name}")
        yield f"{alias.name} {_number(sum(found) * alias.scale)}"


def _histogram_lines(metric: Metric, found: Mapping[Labels, Histogram]) -> Iterable[str]:
    names = (metric.name, *(alias.name for alias in metric.aliases)) if found else ()
    for name in names:
        yield from _head(name, "histogram", metric.help)
        for labels, histogram in found.items():
            seen = 0
            for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
                seen += count
                le = (*labels, ("le", _number(bound)))
                yield f"{name}_bucket{_labels(le)} {seen}"
            yield f"{name}_sum{_labels(labels)} {_number(histogram.total)}"
            yield f"{name}_count{_labels(labels)} {seen}"


def _last_lines(found: Mapping[Labels, Histogram]) -> Iterable[str]:
    alias = ORDER_LATENCY
    if alias.of in found:
        yield from _head(alias.name, "gauge", "Last acknowledgement of an order")
        yield f"{alias.name} {_number(found[alias.of].last * alias.scale)}"


def _head(name: str, kind: str, help_text: str) -> tuple[str, str]:
    return f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
