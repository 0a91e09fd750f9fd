# SPDX-License-Identifier: Apache-2.0
"""`summary.py`: how a trading process is, for those who ask it: whole, or only what its journal
does not hold. Read from what there is; nothing is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hean.live.engine import LiveEngine


def summary_of(engine: LiveEngine) -> dict[str, Any]:
    """What a life has come to, as JSON has it."""
    settings, system = engine.settings, engine.system
    ledger = system.portfolio.ledger
    return {
        "venue": settings.venue,
        "market": settings.market,
        "role": settings.role,
        "account": engine.account_id,
        "epoch": engine.epoch,
        "seq": engine.journal.head_seq,
        "ticks": engine.bus.seq,
        "unreached_s": round(engine.reach.unreached_s, 3),
        "state_hash": engine.state_hash(),
        "level": engine.safety.killswitch.level,
        "missing": list(engine.safety.gate.missing),
        "is_ready": engine.is_ready,
        "open_orders": len(system.engine.open_orders()),
        "positions": {symbol: str(system.engine.position(symbol)) for symbol in settings.symbols},
        "fees": str(ledger.fees),
        "equity": str(ledger.equity),
        "slowest_commit_ms": round(engine.recorder.slowest_s * 1e3, 3),
    }


def shape_of(engine: LiveEngine) -> dict[str, Any]:
    """What is there: parts, strategies with their parameters, and whether it is ready."""
    return {
        "epoch": engine.epoch,
        "is_ready": engine.is_ready,
        "unreached_s": round(engine.reach.unreached_s, 3),
        "parts": engine.system.parts,
        "strategies": [
            {"name": each.name, "symbols": list(each.symbols), "params": dict(each.settings)}
            for each in engine.system.strategies
        ],
    }
