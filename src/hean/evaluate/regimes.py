# SPDX-License-Identifier: Apache-2.0
"""`regimes.py`: when it earned. By year, and by how wild the market was: days are sorted by the
volatility of the days before them, which was known at the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hean.backtest.result import Values
from hean.quant import performance

MEMORY = 20  # days of volatility before the day
NAMES = ("calm", "usual", "wild")


def by_year(first_day: int, returns: Values) -> list[dict[str, Any]]:
    """Return, Sharpe ratio and deepest fall of each calendar year."""
    days = np.arange(first_day, first_day + returns.size).astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(int) + 1970
    return [{"year": int(year), **_figures(returns[years == year])} for year in np.unique(years)]


def by_regime(returns: Values, market: Values) -> list[dict[str, Any]]:
    """The same by thirds of the market's volatility; empty for fewer than 60 days."""
    if returns.size < 3 * MEMORY:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(market[:-1], MEMORY)
    known = windows.std(axis=1)
    later = returns[MEMORY:]
    edges = np.quantile(known, (1 / 3, 2 / 3))
    places = np.searchsorted(edges, known, side="right")
    return [
        {"regime": name, **_figures(later[places == place])} for place, name in enumerate(NAMES)
    ]


def _figures(returns: Values) -> dict[str, Any]:
    equity = np.concatenate(([1.0], np.cumprod(1 + returns)))
    return {
        "days": int(returns.size),
        "return": float(equity[-1]) - 1,
        "sharpe": performance.sharpe(returns),
        "max_drawdown_fraction": performance.max_drawdown(equity),
    }
