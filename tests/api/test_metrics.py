# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of a running engine: every promised name, each once, equal under all its
names, and in a form that a strict reader takes.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from face_desk import FaceDesk, face_desk
from hean.core.types import (
    Event,
    HedgeRatio,
    OrderApproved,
    OrderFilled,
    OrderPlaced,
    Reconcile,
    Side,
    Tick,
    VolForecast,
)
from hean.engine.quality import Quality
from hean.observe.metrics import BUCKETS, TABLE, Histogram, Samples, render

SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"'
    r'(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*")*\})? (NaN|[+-]Inf|-?[0-9.e+-]+)'
)
PROMISED = [
    "hean_orders_total",
    "hean_pnl",
    "hean_latency_seconds_bucket",
    "hean_trades_total",
    "hean_orchestrator_uptime_seconds",
    "hean_components_healthy",
    "hean_components_total",
    "hean_circuit_breakers_open",
    "hean_eventbus_queue_size",
    "hean_engine_status",
    "hean_equity",
    "hean_errors_total",
    "trading_total_trades",
    "trading_active_positions",
    "trading_portfolio_value_usd",
    "trading_pnl_total_usd",
    "trading_pnl_today_usd",
    "trading_order_latency_ms",
    "trading_max_drawdown_percent",
    "request_count",
    "request_duration_count",
    "active_connections",
    "websocket_connections",
    "order_count",
    "position_count",
    "pnl_total",
    "hean_fill_ratio",
    "hean_slippage_bps_bucket",
    "hean_spread_bps",
    "hean_process_cpu_seconds_total",
]
IN_TIME_S = 120.0


def read(text: str) -> dict[str, list[tuple[str, float]]]:
    """Samples by name, as (labels, value). A line that is none fails."""
    found: dict[str, list[tuple[str, float]]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        found.setdefault(match[1], []).append((match[2] or "", float(match[3])))
    return found


async def scraped(desk: FaceDesk) -> str:
    """The text, as a machine gets it."""
    headers = {"Authorization": f"Bearer {next(iter(desk.tokens.values()))}"}
    async with desk.http.get(f"{desk.face.server.url}/metrics", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await answer.text()


async def with_all(desk: FaceDesk) -> str:
    """The text once every promised name is in it: some come with the first execution, some with
    what the market does next."""
    deadline = asyncio.get_running_loop().time() + IN_TIME_S
    while True:
        desk.asked += 1  # time passes for who limits
        text = await scraped(desk)
        missing = set(PROMISED) - read(text).keys()
        if not missing:
            return text
        assert asyncio.get_running_loop().time() < deadline, missing
        await asyncio.sleep(0.1)


@pytest.mark.promise(67)
@pytest.mark.promise(78)
@pytest.mark.promise(79)
@pytest.mark.promise(80)
@pytest.mark.promise(81)
@pytest.mark.promise(82)
@pytest.mark.promise(83)
@pytest.mark.promise(84)
@pytest.mark.promise(85)
@pytest.mark.promise(86)
@pytest.mark.promise(87)
@pytest.mark.promise(88)
@pytest.mark.promise(90)
@pytest.mark.promise(91)
@pytest.mark.promise(92)
@pytest.mark.promise(93)
@pytest.mark.promise(94)
@pytest.mark.promise(95)
@pytest.mark.promise(96)
@pytest.mark.promise(99)
@pytest.mark.promise(100)
@pytest.mark.promise(101)
@pytest.mark.promise(102)
@pytest.mark.promise(103)
@pytest.mark.promise(104)
@pytest.mark.promise(105)
@pytest.mark.promise(106)
async def test_a_trading_engine_tells_every_promised_name(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        stopped = read(await scraped(desk))
        assert stopped["hean_engine_status"] == [("", 0.0)]
        assert "hean_equity" not in stopped
        await desk.engine.start()
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.01"}
        began_s = time.monotonic()
        _, placed = await desk.ask("POST", "/orders", order)
        await desk.engine.until(lambda: desk.engine.filled(placed["client_order_id"]))
        await desk.ask("POST", "/orders", {**order, "qty": "500"})
        text = await with_all(desk)
        most_ms = (time.monotonic() - began_s) * 1e3
        found, summary = read(text), (await desk.ask("GET", "/portfolio/summary"))[1]
    helped = Counter(line.split()[2] for line in text.splitlines() if line.startswith("# HELP"))
    assert max(helped.values()) == 1
    slipped = found["hean_slippage_bps_count"]
    assert slipped == [('{symbol="BTCUSDT"}', 1.0)]
    assert found["hean_fill_ratio"] == [("", 1.0)]
    ((symbol, value),) = found["hean_traded_value_total"]
    assert (symbol, 500 < value < 800) == ('{symbol="BTCUSDT"}', True)  # of a coin at some 60,000
    assert all(0 < value < 100 for _, value in found["hean_spread_bps"])
    assert found["hean_engine_status"] == [("", 1.0)]
    assert abs(found["hean_equity"][0][1] - float(summary["equity"])) < 10
    assert found["hean_equity"] == found["trading_portfolio_value_usd"]
    pnl = dict(found["hean_pnl"])
    assert pnl['{kind="total"}'] == found["pnl_total"][0][1] == found["trading_pnl_total_usd"][0][1]
    assert pnl['{kind="today"}'] == found["trading_pnl_today_usd"][0][1]
    verdicts = dict(found["hean_orders_total"])
    assert verdicts['{strategy="manual",verdict="approved"}'] == 1
    assert verdicts['{strategy="manual",verdict="refused"}'] == 1
    assert found["order_count"][0][1] == sum(verdicts.values())
    assert found["hean_trades_total"][0] == ('{side="BUY",symbol="BTCUSDT"}', 1.0)
    assert found["position_count"][0][1] == found["trading_active_positions"][0][1] == 1
    assert 0 < found["trading_order_latency_ms"][0][1] < most_ms
    requests = dict(found["hean_http_requests_total"])
    assert requests['{method="POST",route="/orders",status="202"}'] == 2


def test_a_histogram_counts_up_and_text_is_escaped() -> None:
    seconds, samples = Histogram(), Samples()
    for value in (1e-5, 5e-5, 6e-5, 0.3, 9.0):
        seconds.observe(value)
    samples.put_histograms("hean_latency_seconds", {(("stage", "feed"),): seconds})
    samples.put("hean_errors_total", 2, component='a "quoted"\nname\\')
    found = read(render(samples).decode())
    buckets = [value for _, value in found["hean_latency_seconds_bucket"]]
    assert (buckets[0], buckets[1], buckets[-1]) == (2, 3, 5)
    assert buckets == sorted(buckets) and len(buckets) == len(BUCKETS) + 1
    assert math.isclose(found["hean_latency_seconds_sum"][0][1], 9.30012)
    assert found["hean_errors_total"] == [('{component="a \\"quoted\\"\\nname\\\\"}', 2.0)]


def test_no_name_is_given_twice() -> None:
    names = Counter(
        name for metric in TABLE for name in (metric.name, *(each.name for each in metric.aliases))
    )
    assert max(names.values()) == 1
    assert all(metric.kind in ("gauge", "counter", "histogram") for metric in TABLE)
    assert all(metric.name.endswith("_total") == (metric.kind == "counter") for metric in TABLE
               if metric.name != "hean_components_total")  # fmt: skip


def test_quality_measures_what_fills_cost_and_keeps_the_newest_of_models() -> None:
    quality, samples = Quality(), Samples()
    quality.see((Tick("X", 100.0, 1.0, 0, 99.95, 100.05),))
    facts: list[Any] = [
        OrderApproved("X", Side.SELL, Decimal(2), order_id="a"),
        OrderPlaced("a", "v"),
        OrderFilled("a", Decimal("99.9"), Decimal(1), "X", Side.SELL, remaining_qty=Decimal(1)),
        OrderFilled("a", Decimal("99.8"), Decimal(1), "X", Side.SELL),
        OrderPlaced("b", "w"),
        VolForecast("X", 0.01, 21_600.0),
        HedgeRatio("Y/X", 1.5, 0.0, -2.0, 1.0),
        Reconcile(False, ("more there", "less here")),
    ]
    for seq, fact in enumerate(facts):
        quality.hear(Event(fact.event_type, fact, 0, seq, ""))
    quality.tell(samples)
    found = {name: value for name, ((_, value), *_rest) in read(render(samples).decode()).items()}
    assert math.isclose(found["hean_slippage_bps_sum"], 30.0)
    assert found["hean_slippage_bps_count"] == 2
    assert (found["hean_fill_ratio"], found["hean_orders_placed_total"]) == (0.5, 2.0)
    assert math.isclose(found["hean_spread_bps"], 10.0)
    assert math.isclose(found["hean_vol_forecast"], 0.02)
    assert (found["hean_hedge_ratio"], found["hean_spread_z"]) == (1.5, -2.0)
    assert found["hean_reconcile_discrepancies_total"] == 2
