# SPDX-License-Identifier: Apache-2.0
"""Indicators against published and library reference answers, at each file's own tolerance.

Every value, the first index and the sum over all values are compared. Each indicator runs as one
batch and once more value by value; both must give the same bits.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hean import indicators as ind

Columns = dict[str, np.ndarray]

BARS = ("high", "low", "close")
FLOWS = ("high", "low", "close", "volume")

# reference name -> (indicator, its input columns, row of its result)
TALIB: dict[str, tuple[Callable[[], Any], tuple[str, ...], str]] = {
    "sma20": (lambda: ind.SMA(20), ("close",), "value"),
    "ema20": (lambda: ind.EMA(20), ("close",), "value"),
    "wma20": (lambda: ind.WMA(20), ("close",), "value"),
    "dema20": (lambda: ind.DEMA(20), ("close",), "value"),
    "tema20": (lambda: ind.TEMA(20), ("close",), "value"),
    "kama10": (lambda: ind.KAMA(10), ("close",), "value"),
    "trix15": (lambda: ind.TRIX(15), ("close",), "value"),
    "rsi14": (lambda: ind.RSI(14), ("close",), "value"),
    "mom10": (lambda: ind.Momentum(10), ("close",), "value"),
    "roc20": (lambda: ind.ROC(20), ("close",), "value"),
    "macd": (lambda: ind.MACD(12, 26, 9), ("close",), "line"),
    "macd_signal": (lambda: ind.MACD(12, 26, 9), ("close",), "signal"),
    "macd_hist": (lambda: ind.MACD(12, 26, 9), ("close",), "histogram"),
    "bb_upper": (lambda: ind.Bollinger(20, 2.0), ("close",), "upper"),
    "bb_mid": (lambda: ind.Bollinger(20, 2.0), ("close",), "middle"),
    "bb_lower": (lambda: ind.Bollinger(20, 2.0), ("close",), "lower"),
    "stddev20": (lambda: ind.RollingStd(20), ("close",), "value"),
    "max20": (lambda: ind.RollingMax(20), ("close",), "value"),
    "min20": (lambda: ind.RollingMin(20), ("close",), "value"),
    "linreg_slope20": (lambda: ind.LinregSlope(20), ("close",), "value"),
    "true_range": (ind.TrueRange, BARS, "value"),
    "atr14": (lambda: ind.ATR(14), BARS, "value"),
    "natr14": (lambda: ind.NATR(14), BARS, "value"),
    "slow_k": (lambda: ind.Stochastic(14, 3, 3), BARS, "k"),
    "slow_d": (lambda: ind.Stochastic(14, 3, 3), BARS, "d"),
    "willr14": (lambda: ind.WilliamsR(14), BARS, "value"),
    "cci20": (lambda: ind.CCI(20), BARS, "value"),
    "ultosc": (lambda: ind.UltimateOscillator(7, 14, 28), BARS, "value"),
    "adx14": (lambda: ind.ADX(14), BARS, "adx"),
    "plus_di14": (lambda: ind.ADX(14), BARS, "plus_di"),
    "minus_di14": (lambda: ind.ADX(14), BARS, "minus_di"),
    "aroon_up25": (lambda: ind.Aroon(25), ("high", "low"), "up"),
    "aroon_down25": (lambda: ind.Aroon(25), ("high", "low"), "down"),
    "sar": (lambda: ind.ParabolicSAR(0.02, 0.2), ("high", "low"), "value"),
    "obv": (ind.OBV, ("close", "volume"), "value"),
    "ad": (ind.AccumulationDistribution, FLOWS, "value"),
    "mfi14": (lambda: ind.MFI(14), FLOWS, "value"),
}


def reference(shared: Path, name: str) -> dict[str, Any]:
    text = (shared / "quant" / "reference" / f"{name}.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def columns(shared: Path, name: str) -> Columns:
    with (shared / "quant" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [column for column in rows[0] if column != "date"]
    return {column: np.array([float(row[column]) for row in rows]) for column in names}


def both_ways(make: Callable[[], Any], inputs: list[np.ndarray], output: str) -> np.ndarray:
    """One output row of an indicator by batch, after checking that the stream gives its bits."""
    stream = make()
    streamed = []
    for row in zip(*(column.tolist() for column in inputs), strict=True):
        stream.update(*row)
        streamed.append(getattr(stream, output))
    rows = np.atleast_2d(make().batch(*inputs))
    matches = [row for row in rows if row.tobytes() == np.array(streamed).tobytes()]
    assert matches, "batch and stream differ"
    return matches[0]


def test_every_talib_reference_has_its_indicator(shared: Path) -> None:
    assert set(TALIB) == set(reference(shared, "talib_502_days")["expected"])


@pytest.mark.parametrize("name", TALIB)
def test_classic_indicator_equals_talib(shared: Path, name: str) -> None:
    case = reference(shared, "talib_502_days")
    expected, tolerance = case["expected"][name], case["tolerance"]
    make, inputs, output = TALIB[name]
    data = columns(shared, case["inputs"]["data"])
    values = both_ways(make, [data[column] for column in inputs], output)
    first = int(np.flatnonzero(~np.isnan(values))[0])
    assert first == expected["first_index"]
    for index, value in expected["values"].items():
        assert values[int(index)] == pytest.approx(
            value, rel=tolerance["rel"], abs=tolerance["abs"]
        ), index
    assert not np.isnan(values[first:]).any()
    assert values[first:].sum() == pytest.approx(expected["sum_all"], rel=tolerance["rel"])


def test_rsi_equals_the_worked_example(shared: Path) -> None:
    case = reference(shared, "rsi_worked_example")
    period, tolerance = case["inputs"]["period"], case["tolerance"]
    closes = np.array(case["inputs"]["close"])
    values = both_ways(lambda: ind.RSI(period), [closes], "value")
    assert np.isnan(values[:period]).all()
    exact, printed = case["expected"]["rsi_from_index_14"], case["expected"]["printed"]
    assert values[period:] == pytest.approx(exact, rel=0, abs=tolerance["abs"])
    assert values[period:] == pytest.approx(printed, rel=0, abs=tolerance["printed_abs"])


@pytest.mark.parametrize("name", ["NumAcc1", "NumAcc2", "NumAcc3", "NumAcc4"])
def test_moments_equal_nist_certified_values(shared: Path, name: str) -> None:
    """Streamed moments, and a window of the same length that has first moved over other data."""
    case = reference(shared, "nist_univariate")
    spec, expected, tolerance = case["inputs"][name], case["expected"][name], case["tolerance"]
    pairs = (spec["n"] - 1) // 2
    series = np.array([spec["first"]] + spec["repeat"] * pairs, dtype=float)
    moments = ind.Moments()
    moments.batch(series)
    assert moments.n_seen == spec["n"]
    assert moments.mean == pytest.approx(expected["mean"], rel=tolerance["mean_rel"])
    assert moments.deviation == pytest.approx(expected["sd"], rel=tolerance["sd_rel"])
    assert moments.autocorrelation == pytest.approx(
        expected["autocorr1"], rel=0, abs=tolerance["autocorr_abs"]
    )
    before = np.linspace(0.0, 2.0 * expected["mean"], 3 * spec["n"])
    moved = np.concatenate([before, series])
    mean = ind.RollingMean(spec["n"]).batch(moved)[-1]
    deviation = ind.RollingStd(spec["n"], ddof=1).batch(moved)[-1]
    assert mean == pytest.approx(expected["mean"], rel=tolerance["mean_rel"])
    assert deviation == pytest.approx(expected["sd"], rel=tolerance["sd_rel"])


@pytest.mark.parametrize(
    "name",
    ["close", "parkinson", "garman_klass", "rogers_satchell", "gk_yz", "yang_zhang"],
)
def test_range_volatility_equals_ttr(shared: Path, name: str) -> None:
    case = reference(shared, "range_volatility_ttr")
    assert name in case["expected"]
    data = columns(shared, case["inputs"]["data"])
    period, bars_per_year = case["inputs"]["n"], case["inputs"]["annualisation"]
    values = both_ways(
        lambda: ind.RangeVolatility(name, period, bars_per_year=bars_per_year),
        [data[column] for column in ("open", "high", "low", "close")],
        "value",
    )
    for index, value in case["expected"][name].items():
        assert values[int(index)] == pytest.approx(value, rel=case["tolerance"]["rel"]), index


def test_ewma_variance_equals_riskmetrics(shared: Path) -> None:
    """The forecast for a day is the one made the day before; the first is the presample's."""
    case = reference(shared, "ewma_riskmetrics_094")
    expected, rel = case["expected"], case["tolerance"]["rel"]
    decay = case["inputs"]["lam"]
    returns = columns(shared, case["inputs"]["data"])["ret_pct"]
    weights = decay ** np.arange(75)
    presample = float(weights @ returns[:75] ** 2 / weights.sum())
    assert presample == pytest.approx(expected["first"], rel=rel)
    forecasts = both_ways(lambda: ind.EwmaVariance(decay, initial=presample), [returns], "value")
    made_before = np.concatenate([[presample], forecasts])
    for index, value in expected["variance"].items():
        assert made_before[int(index)] == pytest.approx(value, rel=rel), index
    assert made_before[-1] == pytest.approx(expected["forecast_next"], rel=rel)


def test_five_equals_its_single_indicators_bit_for_bit(shared: Path) -> None:
    closes = columns(shared, "data/ohlcv_502_days.csv")["close"]
    upper, middle, lower = ind.Bollinger(20, 2.0).batch(closes)
    singles = np.vstack(
        [
            ind.SMA(20).batch(closes),
            ind.EMA(20).batch(closes),
            ind.RSI(14).batch(closes),
            ind.MACD(12, 26, 9).batch(closes),
            upper,
            lower,
        ]
    )
    assert middle.tobytes() == singles[0].tobytes()
    assert ind.five(closes).tobytes() == singles.tobytes()
    assert math.isnan(singles[3, 32]) and not math.isnan(singles[3, 33])
