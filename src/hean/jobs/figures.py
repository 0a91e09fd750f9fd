# SPDX-License-Identifier: Apache-2.0
"""`figures.py`: of a result of many pages, the few numbers that a list shows and two runs are
compared by. They are copied, never computed.
"""

from __future__ import annotations

from typing import Any

RUN = (
    "strategy", "symbols", "params", "start", "end", "seed", "initial_equity", "final_equity",
    "net_pnl", "max_drawdown_fraction", "sharpe", "sortino", "calmar", "win_rate",
    "profit_factor", "trades", "orders", "fills", "fees", "funding", "slippage_cost", "turnover",
    "exposure_fraction", "buy_and_hold_return", "events", "wall_s", "state_hash",
)  # fmt: skip
BRED = (
    "verdict", "promoted", "population", "generations", "sharpe_of_luck",
    "overfitting_probability", "walk_forward_sharpe",
)  # fmt: skip
VERDICT = ("verdict", "survives", "deflated_sharpe")


def figures_of(kind: str, result: dict[str, Any]) -> dict[str, Any]:
    """The figures of a result, as far as it has them."""
    found = {name: result[name] for name in RUN if name in result}
    match kind:
        case "evaluate":
            found |= {name: result.get(name) for name in VERDICT}
            best = result.get("best", {})
            found |= {name: best.get(name) for name in RUN if name in best}
            found["overfitting_probability"] = result.get("overfitting", {}).get("probability")
            found["trials"] = result.get("trials", {}).get("counted")
        case "evolve":
            found |= {name: result.get(name) for name in BRED}
            found["champions"] = len(result.get("champions", ()))
            found["trials"] = result.get("trials", {}).get("counted")
        case "smoke-test":
            found = {name: result.get(name) for name in ("passed", "symbol", "wall_s")}
            found["steps"] = len(result.get("steps", ()))
    return found
