# SPDX-License-Identifier: Apache-2.0
"""Writes the Grafana dashboards of deploy/monitoring/grafana/dashboards from the tables below, so
that a panel is a line and a change can be read. `--check` writes nothing and fails where a file is
not what the tables say. Standard library only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent.parent / "deploy/monitoring/grafana/dashboards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3


class Panel(NamedTuple):
    """*unit*: as Grafana names it; *queries*: each with its legend; *kind*: of drawing."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"


def one(title: str, unit: str, query: str, legend: str = "{{instance}}") -> Panel:
    """A panel of one query."""
    return Panel(title, unit, ((query, legend),))


def figure(title: str, unit: str, query: str) -> Panel:
    """A single number."""
    return Panel(title, unit, ((query, ""),), "stat")


def p(share: float, metric: str, by: str, chosen: str = "") -> str:
    """The query of a quantile."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{chosen}[5m])))"


TRADING = (
    figure("Equity", "currencyUSD", "sum(hean_equity)"),
    figure("Profit today", "currencyUSD", 'sum(hean_pnl{kind="today"})'),
    figure("Drawdown", "percentunit", "max(hean_drawdown_ratio)"),
    Panel("Profit", "currencyUSD", (("hean_pnl", "{{kind}}"),)),
    one("Profit by strategy", "currencyUSD", "hean_strategy_pnl", "{{strategy}}"),
    one("Equity over time", "currencyUSD", "hean_equity"),
    Panel("Drawdown now and at worst", "percentunit", (
        ("hean_drawdown_ratio", "now"), ("hean_max_drawdown_ratio", "worst"))),
    one("Round trips won", "percentunit", "hean_win_ratio"),
    one("Sharpe ratio", "none", "hean_sharpe_ratio"),
    one("Executions a minute", "none", "sum by (symbol) (rate(hean_trades_total[5m])) * 60",
        "{{symbol}}"),
    one("Volume a minute", "currencyUSD",
        "sum by (symbol) (rate(hean_traded_value_total[5m])) * 60", "{{symbol}}"),
    one("Open positions", "none", "sum by (symbol) (hean_positions_open)", "{{symbol}}"),
    one("Exposure of what is allowed", "percentunit", "hean_exposure_used_ratio"),
)  # fmt: skip
HEALTH = (
    figure("Engine (1 runs, 2 halted)", "none", "max(hean_engine_status)"),
    figure("Uptime", "s", "max(hean_orchestrator_uptime_seconds)"),
    figure("Kill switch", "bool", "max(hean_killswitch_active)"),
    Panel("Components", "none", (
        ("sum(hean_components_healthy)", "well"), ("sum(hean_components_total)", "all"))),
    one("Open breakers", "none", "hean_circuit_breakers_open"),
    one("Targets that answer", "none", 'up{job=~"hean-.*"}', "{{job}} {{instance}}"),
    Panel("Event queue", "none", (
        ("hean_eventbus_queue_size", "waits"), ("hean_eventbus_queue_capacity", "may wait"))),
    one("Events a second", "none", "rate(hean_events_total[1m])"),
    one("Errors a minute", "none", "sum by (component) (rate(hean_errors_total[5m])) * 60",
        "{{component}}"),
    one("Age of market data", "s", "time() - hean_last_tick_timestamp_seconds", "{{symbol}}"),
    one("Streams that are old", "none", "hean_stream_stale", "{{stream}}"),
    one("Processor", "percentunit", "rate(hean_process_cpu_seconds_total[1m])"),
    one("Memory", "bytes", "hean_process_resident_memory_bytes"),
    one("Requests a second", "none", "sum by (route) (rate(hean_http_requests_total[5m]))",
        "{{route}}"),
    one("API: 95 of 100 answer within", "s",
        p(0.95, "hean_http_request_duration_seconds", "route"), "{{route}}"),
    one("API errors", "percentunit",
        'sum(rate(hean_http_requests_total{status=~"5.."}[5m]) or vector(0)) / '
        "sum(rate(hean_http_requests_total[5m]))", "of all"),
    one("Live streams", "none", "hean_ws_connections"),
    one("Redis: operations a second", "none", "rate(redis_commands_processed_total[1m])"),
    one("Redis: memory", "bytes", "redis_memory_used_bytes"),
    one("Redis: clients", "none", "redis_connected_clients"),
    one("Redis: keys that were there", "percentunit",
        "rate(redis_keyspace_hits_total[5m]) / "
        "(rate(redis_keyspace_hits_total[5m]) + rate(redis_keyspace_misses_total[5m]))"),
    one("Redis: keys evicted a minute", "none", "rate(redis_evicted_keys_total[5m]) * 60"),
)  # fmt: skip
EXECUTION = (
    figure("Orders filled whole", "percentunit", "max(hean_fill_ratio)"),
    figure("Orders that may trade", "none", "sum(hean_orders_open)"),
    figure("Orders nobody knows of", "none", "sum(hean_orders_unknown)"),
    one("Orders a minute by verdict", "none",
        "sum by (verdict) (rate(hean_orders_total[5m])) * 60", "{{verdict}}"),
    Panel("Order to acknowledgement", "s", tuple(
        (p(share, "hean_latency_seconds", "stage", '{stage="order_ack"}'), f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99))),
    Panel("Venue to us", "s", tuple(
        (p(share, "hean_latency_seconds", "stage", '{stage="feed"}'), f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99))),
    Panel("Slippage (basis points)", "none", (
        (p(0.5, "hean_slippage_bps", "symbol"), "p50 {{symbol}}"),
        (p(0.9, "hean_slippage_bps", "symbol"), "p90 {{symbol}}"))),
    one("Mean slippage (basis points)", "none",
        "sum by (symbol) (rate(hean_slippage_bps_sum[5m])) / "
        "sum by (symbol) (rate(hean_slippage_bps_count[5m]))", "{{symbol}}"),
    one("Spread (basis points)", "none", "hean_spread_bps", "{{symbol}}"),
    Panel("Placed and filled a minute", "none", (
        ("rate(hean_orders_placed_total[5m]) * 60", "placed"),
        ("rate(hean_orders_filled_total[5m]) * 60", "filled"))),
    one("Differences from the venue's books", "none", "hean_reconcile_discrepancies_total"),
)  # fmt: skip
HFT = (
    one("Hedge ratio", "none", "hean_hedge_ratio", "{{pair}} {{instance}}"),
    one("Spread in deviations", "none", "hean_spread_z", "{{pair}} {{instance}}"),
    one("Volatility of a day", "percentunit", "hean_vol_forecast", "{{symbol}} {{instance}}"),
    one("Belief in a change", "percentunit", "hean_changepoint_probability",
        "{{symbol}} {{instance}}"),
    one("Processes that answer", "none", 'up{job="hean-fleet"}'),
    one("Broker reached", "none", "hean_bridge_up", "{{instance}} {{way}}"),
    one("Messages sent a second", "none", "rate(hean_bridge_sent_total[1m])", "{{topic}}"),
    one("Messages that wait for a reader", "none", "hean_bridge_waiting", "{{topic}}"),
    one("Duplicates dropped", "none", "hean_bridge_duplicates_total", "{{reader}}"),
    one("Holes", "none", "hean_bridge_holes_total", "{{reader}}"),
    Panel("Facts of models", "none", (
        ("rate(hean_relay_told_total[1m])", "in time {{instance}}"),
        ("rate(hean_relay_late_total[1m])", "late {{instance}}"))),
    one("Went on without a model", "none", "hean_bridge_timeouts_total"),
    one("Processor by process", "percentunit",
        'rate(hean_process_cpu_seconds_total{job="hean-fleet"}[1m])'),
)  # fmt: skip
DASHBOARDS = (
    ("trading", "Trading Performance", TRADING),
    ("health", "System Health", HEALTH),
    ("execution", "Execution Quality", EXECUTION),
    ("hft", "HFT", HFT),
)


def panel(number: int, it: Panel) -> dict[str, Any]:
    """A panel as Grafana has it."""
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": it.kind,
        "title": it.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": it.unit}, "overrides": []},
        "options": {},
        "targets": [
            {"refId": chr(65 + place), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for place, (expr, legend) in enumerate(it.queries)
        ],
    }


def dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> str:
    """The file of a dashboard."""
    document = {
        "uid": f"hean-{name}",
        "title": title,
        "tags": ["hean"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "panels": [panel(number, it) for number, it in enumerate(panels)],
    }
    return json.dumps(document, indent=1) + "\n"


def main(words: list[str]) -> int:
    """0 when all files are what the tables say, or were written."""
    wrong = 0
    for name, title, panels in DASHBOARDS:
        path, text = FOLDER / f"{name}.json", dashboard(name, title, panels)
        if "--check" not in words:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path}: not what scripts/write_dashboards.py says; run it.")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
