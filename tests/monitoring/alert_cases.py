# SPDX-License-Identifier: Apache-2.0
"""For each alert a past in which it fires and one in which it does not: series by `promtool`'s
notation, a sample every half minute for forty minutes.
"""

from __future__ import annotations

Series = tuple[tuple[str, str], ...]

LONG = 80  # samples


def flat(value: float) -> str:
    """Always the same."""
    return f"{value}+0x{LONG}"


def up(step: float) -> str:
    """More by so much each time."""
    return f"0+{step}x{LONG}"


def histogram(metric: str, labels: str, slow: str) -> Series:
    """A hundred observations each time, all between 0.05 and *slow*."""
    return (
        (f'{metric}_bucket{{{labels},le="0.05"}}', up(0)),
        (f'{metric}_bucket{{{labels},le="{slow}"}}', up(100)),
        (f'{metric}_bucket{{{labels},le="+Inf"}}', up(100)),
    )


def level(metric: str, bad: float, good: float) -> tuple[Series, Series]:
    """A gauge."""
    return ((metric, flat(bad)),), ((metric, flat(good)),)


def grows(metric: str) -> tuple[Series, Series]:
    """A counter that counts, and one that stands."""
    return ((metric, up(1)),), ((metric, flat(7)),)


def orders(refused: float) -> Series:
    """So many refused for ten approved."""
    return (
        ('hean_orders_total{strategy="a",verdict="refused"}', up(refused)),
        ('hean_orders_total{strategy="a",verdict="approved"}', up(10)),
    )


def against(metric: str, part: float, other: str, whole: float) -> Series:
    """Two gauges or counters side by side."""
    return ((metric, flat(part)), (other, flat(whole)))


def rising(metric: str, part: float, other: str, whole: float) -> Series:
    """Two counters side by side."""
    return ((metric, up(part)), (other, up(whole)))


TICKS = 'hean_last_tick_timestamp_seconds{symbol="X"}'
FEED, ACK = 'stage="feed"', 'stage="order_ack"'
LATENCY = "hean_latency_seconds"
PLACED, FILLED = "hean_orders_placed_total", "hean_orders_filled_total"
ANSWERS = "hean_http_requests_total"
ERROR, FINE = f'{ANSWERS}{{status="500"}}', f'{ANSWERS}{{status="200"}}'
MODE, GATE = 'hean_mode_info{mode="LIVE"}', "hean_live_gate_open"
QUEUE, ROOM = "hean_eventbus_queue_size", "hean_eventbus_queue_capacity"
TODAY, EQUITY = 'hean_pnl{kind="today"}', "hean_equity"
MEMORY, MEMORY_MAX = "redis_memory_used_bytes", "redis_memory_max_bytes"
AVAILABLE, TOTAL = "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"
DISK = 'node_filesystem_avail_bytes{fstype="ext4"}'

CASES: dict[str, tuple[Series, Series]] = {
    "HeanTargetDown": (
        (('up{job="hean-fleet"}', "1+0x20 0+0x60"),),  # it was there, and is not
        (('up{job="hean-fleet"}', flat(0)), ('up{job="hean-engine"}', flat(1))),  # it never was
    ),
    "HeanEngineStopped": level("hean_engine_status", 0, 1),
    "HeanTradingHalted": level("hean_engine_status", 2, 1),
    "HeanKillswitchTriggered": level("hean_killswitch_active", 1, 0),
    "HeanLiveWithoutGate": (against(MODE, 1, GATE, 0), against(MODE, 1, GATE, 1)),
    "HeanErrorRateHigh": (
        rising("hean_errors_total", 20, "hean_events_total", 100),
        rising("hean_errors_total", 1, "hean_events_total", 100),
    ),
    "HeanComponentsUnhealthy": (
        against("hean_components_healthy", 8, "hean_components_total", 9),
        against("hean_components_healthy", 9, "hean_components_total", 9),
    ),
    "HeanCircuitBreakerOpen": level("hean_circuit_breakers_open", 1, 0),
    "HeanEventBusBacklog": (against(QUEUE, 45_000, ROOM, 50_000), against(QUEUE, 9, ROOM, 50_000)),
    "HeanEventBusDropping": grows("hean_eventbus_dropped_total"),
    "HeanMemoryHigh": level("hean_process_resident_memory_bytes", 3e9, 3e8),
    "HeanCpuHigh": (
        (("hean_process_cpu_seconds_total", up(29.4)),),
        (("hean_process_cpu_seconds_total", up(5)),),
    ),
    "HeanDrawdownWarning": level("hean_drawdown_ratio", 0.06, 0.04),
    "HeanDrawdownCritical": level("hean_drawdown_ratio", 0.11, 0.09),
    "HeanDailyLossNearLimit": (
        against(TODAY, -450, EQUITY, 10_000),
        against(TODAY, -350, EQUITY, 10_000),
    ),
    "HeanExposureNearLimit": level("hean_exposure_used_ratio", 0.95, 0.5),
    "HeanVolatilityHigh": level('hean_vol_forecast{symbol="X"}', 0.2, 0.04),
    "HeanChangepoint": level('hean_changepoint_probability{symbol="X"}', 0.95, 0.1),
    "HeanMarketDataStale": (
        ((TICKS, flat(0)), ("hean_engine_status", flat(1))),
        ((TICKS, up(30)), ("hean_engine_status", flat(1))),
    ),
    "HeanStreamStale": level('hean_stream_stale{stream="X"}', 1, 0),
    "HeanFeedSlow": (histogram(LATENCY, FEED, "0.25"), histogram(LATENCY, FEED, "0.1")),
    "HeanSpreadWide": level('hean_spread_bps{symbol="X"}', 25, 2),
    "HeanOrderAckSlow": (histogram(LATENCY, ACK, "1.0"), histogram(LATENCY, ACK, "0.25")),
    "HeanUnknownOrders": level("hean_orders_unknown", 1, 0),
    "HeanRejectRateHigh": (orders(5), orders(1)),
    "HeanFillRatioLow": (rising(PLACED, 10, FILLED, 1), rising(PLACED, 10, FILLED, 9)),
    "HeanSlippageHigh": (
        histogram("hean_slippage_bps", 'symbol="X"', "50.0"),
        histogram("hean_slippage_bps", 'symbol="X"', "5.0"),
    ),
    "HeanReconcileLag": level("hean_reconcile_lag_seconds", 90, 3),
    "HeanReconcileMismatch": grows("hean_reconcile_discrepancies_total"),
    "HeanHttp5xxHigh": (rising(ERROR, 10, FINE, 100), rising(ERROR, 1, FINE, 100)),
    "HeanHttpSlow": (
        histogram("hean_http_request_duration_seconds", 'route="/orders"', "1.0"),
        histogram("hean_http_request_duration_seconds", 'route="/orders"', "0.1"),
    ),
    "HeanBridgeDown": level('hean_bridge_up{way="in"}', 0, 1),
    "HeanBridgeBacklog": level('hean_bridge_waiting{topic="x"}', 30_000, 5),
    "HeanBridgeHoles": grows('hean_bridge_holes_total{reader="x"}'),
    "HeanModelLate": grows("hean_bridge_timeouts_total"),
    "RedisDown": level("redis_up", 0, 1),
    "RedisMemoryHigh": (against(MEMORY, 95, MEMORY_MAX, 100), against(MEMORY, 95, MEMORY_MAX, 0)),
    "RedisEvicting": grows("redis_evicted_keys_total"),
    "HostCpuHigh": (
        (('node_cpu_seconds_total{mode="idle",cpu="0"}', up(0.5)),),
        (('node_cpu_seconds_total{mode="idle",cpu="0"}', up(10)),),
    ),
    "HostMemoryLow": (against(AVAILABLE, 5, TOTAL, 100), against(AVAILABLE, 50, TOTAL, 100)),
    "HostDiskFillsIn4h": (
        ((DISK, f"1000000-4000x{LONG}"),),
        ((DISK, flat(1_000_000)),),
    ),
    "HostClockSkew": level("node_timex_offset_seconds", -0.2, 0.001),
    "PrometheusRuleFailures": grows("prometheus_rule_evaluation_failures_total"),
}
"""`Watchdog` has none: it always fires."""
