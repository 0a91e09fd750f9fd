# SPDX-License-Identifier: Apache-2.0
"""`stats.py`: the figures of a run: what its samples, fills and round trips are in days, months
and falls, and the figures of `hean.quant` over them. What a figure cannot say is `None`: no trades
have no win rate. Ratios use daily returns and 365 days. The statistics of a single run know nothing
of how many runs came before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from hean.backtest.result import MONEY_UNIT, ZERO, RunRecord, Times, Trade, Values
from hean.quant.performance import (
    DAYS_PER_YEAR,
    ROUNDING,
    conditional_value_at_risk,
    finite,
    kurtosis,
    max_drawdown,
    omega,
    sharpe,
    skewness,
    sortino,
    tail_ratio,
    underwater,
    value_at_risk,
    volatility,
)
from hean.quant.sharpe import CONFIDENCE, min_track_record, probabilistic_sharpe, sharpe_error

DAY_NS = 86_400 * 10**9
ROLLING_DAYS = 30

Days = npt.NDArray[np.int64]


class Daily(msgspec.Struct, frozen=True):
    """One value per UTC day: *day* (days since 1970), *equity* at its end, *returns* (simple)."""

    day: Days
    equity: Values
    returns: Values


class Drawdown(msgspec.Struct, frozen=True):
    """A fall from a peak of equity. *recovery_ns* is None when the peak was not reached again."""

    peak_ns: int
    trough_ns: int
    recovery_ns: int | None
    fraction: float


def daily(sample_ts: Times, equity: Values, *, initial: float) -> Daily:
    """Equity at the end of each UTC day and the day's simple return.

    A sample of 00:00 closes the day before, except a first sample that still shows *initial*: it
    opens the run. The first day starts from *initial*, and a first or last day that is only partly
    covered counts as a day, so that the returns compound to the return of the run. A day without
    samples keeps the equity of the day before. After equity has reached zero there are no returns.
    """
    if not sample_ts.size:
        none = np.empty(0)
        return Daily(np.empty(0, np.int64), none, none)
    days = (sample_ts - 1) // DAY_NS
    if equity[0] == initial:
        days = np.maximum(days, sample_ts[0] // DAY_NS)
    calendar = np.arange(days[0], days[-1] + 1, dtype=np.int64)
    closes = equity[np.searchsorted(days, calendar, side="right") - 1]
    opens = np.concatenate(([initial], closes[:-1]))
    ruined = np.flatnonzero(opens <= 0)
    length = int(ruined[0]) if ruined.size else opens.size
    returns = closes[:length] / opens[:length] - 1.0
    return Daily(calendar, closes, returns)


def worst_drawdowns(sample_ts: Times, equity: Values, *, count: int = 5) -> list[Drawdown]:
    """The *count* deepest falls, deepest first; each runs from a peak to its recovery."""
    depth = underwater(equity)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], depth > 0, [0]))))
    falls = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        trough = start + int(np.argmax(depth[start:stop]))
        recovered = int(sample_ts[stop]) if stop < equity.size else None
        peak = int(sample_ts[start - 1])
        falls.append(Drawdown(peak, int(sample_ts[trough]), recovered, float(depth[trough])))
    return sorted(falls, key=lambda fall: (-fall.fraction, fall.peak_ns))[:count]


def growth(sample_ts: Times, equity: Values, *, initial: float) -> float | None:
    """Compound growth per 365 days over the time between the first and the last sample."""
    if sample_ts.size < 2 or initial <= 0 or equity[-1] <= 0:
        return None
    years = float(sample_ts[-1] - sample_ts[0]) / DAY_NS / DAYS_PER_YEAR
    exponent = math.log(float(equity[-1]) / initial) / years if years > 0 else math.inf
    return math.expm1(exponent) if exponent < 700 else None


def monthly(days: Daily, *, initial: float) -> dict[tuple[int, int], float]:
    """Simple return of each (year, month) in order; partly covered months count as they are."""
    months = days.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.diff(np.concatenate((months, [np.iinfo(np.int64).max]))))
    result: dict[tuple[int, int], float] = {}
    before = initial
    for index in last.tolist():
        if before <= 0:
            break
        after = float(days.equity[index])
        year, month = divmod(int(months[index]), 12)
        result[1970 + year, month + 1] = after / before - 1.0
        before = after
    return result


def rolling(returns: Values, *, window: int = ROLLING_DAYS) -> tuple[Values, Values]:
    """Annualised Sharpe ratio and volatility of each *window* days, `returns.size - window + 1`
    values; NaN in the Sharpe ratio where a window has no spread (a gap in the line).
    """
    if returns.size < window:
        return np.empty(0), np.empty(0)
    views = np.lib.stride_tricks.sliding_window_view(returns, window)
    mean, spread = views.mean(axis=1), views.std(axis=1, ddof=1)
    risky = spread > ROUNDING * np.abs(views).max(axis=1)
    ratio = np.divide(mean, spread, out=np.full(mean.size, np.nan), where=risky)
    root = math.sqrt(DAYS_PER_YEAR)
    return ratio * root, spread * root


def win_rate(trades: Sequence[Trade]) -> float | None:
    """Share of round trips that made money after fees."""
    return sum(trade.pnl > 0 for trade in trades) / len(trades) if trades else None


def profit_factor(trades: Sequence[Trade]) -> float | None:
    """Money won over money lost; 0 if every trade lost, None without a losing trade."""
    won, lost = _won_lost(trades)
    return float(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None


def payoff(trades: Sequence[Trade]) -> float | None:
    """Average win over average loss; None unless there are both."""
    won, lost = _won_lost(trades)
    if not won or not lost:
        return None
    return float(sum(won, ZERO) / len(won) / (-sum(lost, ZERO) / len(lost)))


def expectancy(trades: Sequence[Trade]) -> Decimal | None:
    """Average result of a round trip in quote currency, rounded to 1e-8."""
    total = sum((trade.pnl for trade in trades), ZERO)
    return (total / len(trades)).quantize(MONEY_UNIT) if trades else None


def _won_lost(trades: Sequence[Trade]) -> tuple[list[Decimal], list[Decimal]]:
    return [t.pnl for t in trades if t.pnl > 0], [t.pnl for t in trades if t.pnl < 0]


def turnover(record: RunRecord) -> float | None:
    """Traded value over the mean equity: how often the account changed hands."""
    if not record.equity.size or (mean := float(record.equity.mean())) <= 0:
        return None
    return float(sum((fill.price * fill.qty for fill in record.fills), ZERO)) / mean


def curve(record: RunRecord, initial_equity: Decimal | float) -> tuple[Times, Values]:
    """Times and equity with the initial equity as the value before the first sample."""
    if not record.sample_ts.size:
        return record.sample_ts, record.equity
    equity = np.concatenate(([float(initial_equity)], record.equity))
    return np.concatenate((record.sample_ts[:1], record.sample_ts)), equity


def summarise(record: RunRecord, initial_equity: Decimal | float) -> dict[str, object]:
    """The figures of CONTRACT 3 that come from samples and trades; more of them under `extra`."""
    initial = float(initial_equity)
    days = daily(record.sample_ts, record.equity, initial=initial)
    times, equity = curve(record, initial)
    deepest = max_drawdown(equity)
    annual = growth(times, equity, initial=initial)
    exposure = record.exposure
    return {
        "max_drawdown_fraction": deepest,
        "sharpe": sharpe(days.returns),
        "sortino": sortino(days.returns),
        "calmar": finite(annual / deepest) if annual is not None and deepest else None,
        "win_rate": win_rate(record.trades),
        "profit_factor": profit_factor(record.trades),
        "exposure_fraction": float(np.mean(exposure != 0)) if exposure.size else None,
        "turnover": turnover(record),
        "extra": {
            "total_return": finite(equity[-1] / initial - 1) if equity.size and initial else None,
            "annual_return": annual,
            "volatility": volatility(days.returns),
            **_sharpe_confidence(days.returns),
            "omega": omega(days.returns),
            "skew": skewness(days.returns),
            "kurtosis": kurtosis(days.returns),
            "tail_ratio": tail_ratio(days.returns),
            "value_at_risk_95": value_at_risk(days.returns),
            "conditional_value_at_risk_95": conditional_value_at_risk(days.returns),
            **_water(times, equity),
            "best_day": float(days.returns.max()) if days.returns.size else None,
            "worst_day": float(days.returns.min()) if days.returns.size else None,
            "positive_days_fraction": _share(days.returns > 0),
            "days": int(days.returns.size),
            "mean_absolute_exposure": float(np.abs(exposure).mean()) if exposure.size else None,
            "expectancy": _money(expectancy(record.trades)),
            "payoff": payoff(record.trades),
            "mean_holding_s": _holding(record.trades),
        },
    }


def _sharpe_confidence(returns: Values) -> dict[str, object]:
    """How far the Sharpe ratio can be trusted; the interval is annual and covers 95 %."""
    names = ("sharpe_low", "sharpe_high", "probabilistic_sharpe", "min_track_record_days")
    ratio, skew, kurt = sharpe(returns, periods=1.0), skewness(returns), kurtosis(returns)
    if ratio is None or skew is None or kurt is None:
        return dict.fromkeys(names)
    error = sharpe_error(ratio, returns.size, skew=skew, kurt=kurt)
    probable = probabilistic_sharpe(ratio, returns.size, skew=skew, kurt=kurt)
    needed = min_track_record(ratio, skew=skew, kurt=kurt)
    if error is None:
        return dict.fromkeys(names)
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    root = math.sqrt(DAYS_PER_YEAR)
    low, high = (ratio - reach) * root, (ratio + reach) * root
    return dict(zip(names, (low, high, probable, needed), strict=True))


def _water(times: Times, equity: Values) -> dict[str, object]:
    """How long equity lay below its peak: share of samples, and the longest stretch in days."""
    if not equity.size:
        return {"underwater_fraction": None, "longest_drawdown_days": None}
    falls = worst_drawdowns(times, equity, count=equity.size)
    last = int(times[-1])
    spans = ((last if f.recovery_ns is None else f.recovery_ns) - f.peak_ns for f in falls)
    return {
        "underwater_fraction": _share(underwater(equity)[1:] > 0),
        "longest_drawdown_days": max(spans, default=0) / DAY_NS,
    }


def _share(true: npt.NDArray[np.bool_]) -> float | None:
    return float(true.mean()) if true.size else None


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _holding(trades: Sequence[Trade]) -> float | None:
    spans = [trade.exit_ts_ns - trade.entry_ts_ns for trade in trades]
    return sum(spans) / len(spans) / 1e9 if spans else None
