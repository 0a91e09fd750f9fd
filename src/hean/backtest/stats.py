# SPDX-License-Identifier: Apache-2.0
"""`stats.py`: the figures of a run, as pure functions over arrays. What a figure cannot say is
`None`: no trades have no win rate, two equal days no Sharpe ratio. Nothing here returns NaN,
infinity, or a 0 that stands for "unknown".

Ratios use daily returns and annualise with 365 days, because crypto never closes; the factor is
an argument. The statistics of a single run know nothing of how many runs came before it.
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

DAY_NS = 86_400 * 10**9
DAYS_PER_YEAR = 365.0
ROLLING_DAYS = 30
TAIL = 0.05
CONFIDENCE = 0.95
# Spread below this share of the values' size is rounding of equal values, not risk.
ROUNDING = 1e-12

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


def finite(value: float) -> float | None:
    """*value* as a plain float, None if it is no number that JSON can carry."""
    return float(value) if math.isfinite(value) else None


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


def _spread(values: Values) -> float | None:
    """Sample standard deviation; None below two values or when all are equal."""
    if values.size < 2:
        return None
    deviation = float(np.std(values, ddof=1))
    return deviation if deviation > ROUNDING * float(np.max(np.abs(values))) else None


def volatility(returns: Values, *, periods: float = DAYS_PER_YEAR) -> float | None:
    """Annualised sample standard deviation; 0 is a result here, for returns that never change."""
    if returns.size < 2:
        return None
    return finite(float(np.std(returns, ddof=1)) * math.sqrt(periods))


def sharpe(
    returns: Values, *, periods: float = DAYS_PER_YEAR, risk_free: float = 0.0
) -> float | None:
    """Mean excess return over its sample deviation, times the root of *periods*.

    *risk_free*: rate per period. *Source*: Sharpe 1994; Chan 2008, example 3.4.
    """
    excess = returns - risk_free
    spread = _spread(excess)
    return None if spread is None else finite(float(excess.mean()) / spread * math.sqrt(periods))


def sortino(
    returns: Values, *, periods: float = DAYS_PER_YEAR, target: float = 0.0
) -> float | None:
    """Mean excess return over the downside deviation, annualised. None without a loss.

    The denominator averages squared shortfalls over ALL observations, not over the losing ones.
    *Source*: Sortino, Price 1994; Rollinger, Hoffman 2013.
    """
    if not returns.size:
        return None
    excess = returns - target
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return finite(float(excess.mean()) / downside * math.sqrt(periods)) if downside else None


def omega(returns: Values, *, threshold: float = 0.0) -> float | None:
    """Gains above *threshold* over losses below it. None without a loss. *Source*: Keating 2002."""
    losses = float(np.maximum(threshold - returns, 0.0).sum())
    return finite(float(np.maximum(returns - threshold, 0.0).sum()) / losses) if losses else None


def underwater(equity: Values) -> Values:
    """Fraction lost since the highest equity so far, one value >= 0 per sample."""
    peaks = np.maximum.accumulate(equity)
    return np.divide(peaks - equity, peaks, out=np.zeros(equity.size), where=peaks > 0)


def max_drawdown(equity: Values) -> float | None:
    """Largest fraction lost from a peak; above 1 if equity fell below zero."""
    return float(underwater(equity).max()) if equity.size else None


def longest_underwater(equity: Values) -> int:
    """Largest number of samples in a row that lie below an earlier one. *Source*: Chan 2008."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], underwater(equity) > 0, [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


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


def skewness(returns: Values) -> float | None:
    """Third standardised moment, population form; 0 for a symmetric distribution."""
    return _moment(returns, 3)


def kurtosis(returns: Values) -> float | None:
    """Fourth standardised moment, population form, raw: 3 for the normal distribution."""
    return _moment(returns, 4)


def _moment(values: Values, order: int) -> float | None:
    if _spread(values) is None:
        return None
    centred = values - values.mean()
    return finite(float(np.mean(centred**order)) / float(np.mean(centred**2)) ** (order / 2))


def value_at_risk(returns: Values, *, tail: float = TAIL) -> float | None:
    """Loss (positive) that a period exceeds with probability *tail*, from the sample itself."""
    return -float(np.quantile(returns, tail)) if returns.size else None


def conditional_value_at_risk(returns: Values, *, tail: float = TAIL) -> float | None:
    """Mean loss (positive) of the periods at least as bad as the value at risk."""
    if not returns.size:
        return None
    return -float(returns[returns <= np.quantile(returns, tail)].mean())


def tail_ratio(returns: Values, *, tail: float = TAIL) -> float | None:
    """Size of the best *tail* quantile over that of the worst one."""
    if not returns.size:
        return None
    worst, best = np.abs(np.quantile(returns, (tail, 1 - tail))).tolist()
    return finite(best / worst) if worst else None


def sharpe_error(
    ratio: float, periods: int, *, skew: float = 0.0, kurt: float = 3.0
) -> float | None:
    """Standard error of a Sharpe ratio per period, estimated from *periods* returns.

    *kurt*: raw. *Source*: Mertens 2002; Bailey, Lopez de Prado 2012, eq. 9.
    """
    variance = 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio**2
    return math.sqrt(variance / (periods - 1)) if periods > 1 and variance > 0 else None


def probabilistic_sharpe(
    ratio: float, periods: int, *, skew: float = 0.0, kurt: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Probability that the true Sharpe ratio per period is above *benchmark*.

    For one strategy tried once; choosing the best of many makes it too high.
    *Source*: Bailey, Lopez de Prado 2012, eq. 11.
    """
    error = sharpe_error(ratio, periods, skew=skew, kurt=kurt)
    return None if error is None else NormalDist().cdf((ratio - benchmark) / error)


def min_track_record(
    ratio: float,
    *,
    skew: float = 0.0,
    kurt: float = 3.0,
    benchmark: float = 0.0,
    probability: float = CONFIDENCE,
) -> float | None:
    """Periods needed to claim, with *probability*, a Sharpe ratio above *benchmark*.

    None if the ratio is not above it: no length of record is enough.
    *Source*: Bailey, Lopez de Prado 2012, eq. 13.
    """
    if ratio <= benchmark:
        return None
    z = NormalDist().inv_cdf(probability)
    variance = 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio**2
    return finite(1.0 + variance * (z / (ratio - benchmark)) ** 2)


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
