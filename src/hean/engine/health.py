# SPDX-License-Identifier: Apache-2.0
"""`health.py`: how a running engine is, part by part, in the fields that the source documents
promise. A part whose handler raises ends a session on paper, so a part of one that runs does run;
its errors are those it told, and its progress the number of the last event. No part stands behind a
circuit breaker here, which is said by `null`.
"""

from __future__ import annotations

from typing import Any

from hean.data.fingerprint import iso_utc
from hean.engine.documents import Live, Status
from hean.engine.port import UP, Seen
from hean.engine.watch import TOLD, Watch
from hean.feeds.freshness import STALE

NAMES = {"router": "execution_router", "ml": "ml_engine"}
"""What documents call some of our parts."""
OFF = {"state": "disabled", "last_check": None}
RESTING = {"state": "stopped", "last_check": None}
"""Of parts that documents name and that only an engine has."""


def health_of(
    status: Status, live: Live | None, now_ns: int, parts: tuple[Seen, Watch] | None
) -> dict[str, Any]:
    """The document of `/health`. *live*, *parts*: of the engine, once there is one."""
    components = {"ml_engine": dict(OFF), "execution_router": dict(RESTING)}
    if parts is not None and status.state in UP:
        components |= _components(now_ns, *parts)
    is_up = status.state in UP
    is_fresh = not any(each["state"] == "stale" for each in components.values())
    whole = "healthy" if is_fresh else "degraded"
    overall = whole if is_up else "stopped"
    return {
        "status": overall,
        "services": {
            "redis": "not used",
            "exchange": ("connected" if is_fresh else "stale") if is_up else "not connected",
            "engine": status.state.lower(),
        },
        "timestamp": iso_utc(now_ns),
        "mode": status.mode,
        "live_trading": live is not None and live.live_trading,
        "dry_run": status.mode in ("PAPER", "NONE"),
        "orchestrator": {
            "running": is_up,
            "uptime_seconds": status.uptime_seconds,
            "overall_state": overall,
        },
        "components": components,
    }


def not_ready(status: Status, parts: tuple[Seen, Watch] | None) -> list[str]:
    """Why nobody should rely on it yet, in words."""
    if parts is None or status.state not in UP:
        return [f"the engine is {status.state}"]
    system, _ = parts
    why = (system.governor.why_stale(symbol) for symbol in system.portfolio.symbols)
    return [each for each in why if each]


def _components(now_ns: int, system: Seen, watch: Watch) -> dict[str, dict[str, Any]]:
    errors: dict[str, list[str]] = {}
    for row in watch.rows[TOLD]:
        if row.level == "ERROR":
            errors.setdefault(row.component, []).append(row.text)
    now, seq = iso_utc(now_ns), str(system.bus.seq)
    found = {}
    for name in system.parts:
        told = errors.get(name, [])
        found[NAMES.get(name, name)] = {
            "state": "running",
            "last_check": now,
            "failure_count": len(told),
            "circuit_breaker": None,
            "error_message": told[-1] if told else None,
            "progress": seq,
        }
    for name, health in watch.health.items():
        found[name] = {
            "state": "stale" if health.state == STALE else health.state.lower(),
            "last_check": now,
            "failure_count": 0,
            "circuit_breaker": None,
            "error_message": None,
            "progress": str(health.watermark),
        }
    return found
