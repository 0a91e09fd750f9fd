# SPDX-License-Identifier: Apache-2.0
"""Files like the known ones with other series, parameters and names are answered as well."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from statsmodels.tsa.stattools import adfuller, coint
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from hean.quant.patterns import matrix_profile
from hean.quant.sharpe import min_track_record
from hean.references import verify
from hean.references.case import Case
from hean.references.technical import parameters


def judged(folder, method, inputs, expected, tolerance):
    case = Case(
        {
            "id": "it",
            "method": method,
            "inputs": inputs,
            "expected": expected,
            "tolerance": tolerance,
        },
        folder,
    )
    return {answer.name: answer.problem or answer.passed for answer in verify(case)}


def written(folder, **columns):
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in rows)]
    (folder / "it.csv").write_text("\n".join(lines))


def walk(seed, n=400):
    return 100.0 + np.random.default_rng(seed).normal(size=n).cumsum()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sma/ema 20; rsi 14", {"sma": [20], "ema": [20], "rsi": [14]}),
        ("bbands 20,2.5 population sd", {"bbands": [20, 2.5]}),
        ("atr/di 7 Wilder;sar .02, .2", {"atr": [7], "di": [7], "sar": [0.02, 0.2]}),
        ("stoch 14,3,3 SMA", {"stoch": [14, 3, 3]}),
        ({"macd": [5, 35, 5], "sma": 9}, {"macd": [5, 35, 5], "sma": [9]}),
        ("", {}),
    ],
)
def test_parameters_are_read_from_text(text, expected):
    assert parameters(text) == expected


def test_indicators_of_other_periods_equal_talib(tmp_path):
    rng = np.random.default_rng(0)
    close = walk(1)
    high, low = close + rng.random(400), close - rng.random(400)
    volume = 1e3 * rng.random(400)
    written(tmp_path, high=high, low=low, close=close, volume=volume)
    bands = talib.BBANDS(close, 10, 2.5, 2.5)
    macd = talib.MACD(close, 5, 35, 4)
    stochastic = talib.STOCH(high, low, close, 5, 2, 0, 4, 0)
    found = {
        "sma7": talib.SMA(close, 7),
        "kama5": talib.KAMA(close, 5),
        "rsi9": talib.RSI(close, 9),
        "bb_lower": bands[2],
        "macd_hist": macd[2],
        "slow_k": stochastic[0],
        "slow_d": stochastic[1],
        "adx5": talib.ADX(high, low, close, 5),
        "minus_di5": talib.MINUS_DI(high, low, close, 5),
        "ultosc": talib.ULTOSC(high, low, close, 4, 9, 20),
        "sar": talib.SAR(high, low, 0.01, 0.1),
        "aroon_up11": talib.AROON(high, low, 11)[1],
        "mfi6": talib.MFI(high, low, close, volume, 6),
        "max33": talib.MAX(close, 33),
    }
    expected = {}
    for name, values in found.items():
        first = int(np.flatnonzero(~np.isnan(values))[0])
        rows = {str(row): float(values[row]) for row in (first, 200, 399)}
        total = float(values[first:].sum())
        expected[name] = {"first_index": first, "values": rows, "sum_all": total}
    text = "bbands 10,2.5; macd 5,35,4; stoch 5,2,4 SMA; ultosc 4,9,20; sar .01,.1; sma 3"
    inputs = {"data": "it.csv", "parameters": text}
    unknown = {"zigzag5": {"first_index": 0}}
    verdicts = judged(
        tmp_path, "technical_indicators", inputs, expected | unknown, {"rel": 1e-9, "abs": 1e-9}
    )
    assert verdicts.pop("zigzag5.first_index") == "not computed"
    assert set(verdicts.values()) == {True}
    assert len(verdicts) == 3 * len(found)


def test_systems_of_other_names_and_orders_are_answered(tmp_path):
    first, second = walk(2), walk(3)
    third = 0.5 * first + second + np.random.default_rng(4).normal(size=400)
    written(tmp_path, date=np.arange(400), one=first, two=second, three=third)
    levels = np.column_stack([first, second, third])
    test = coint_johansen(levels, 1, 2)
    regression = coint(third, levels[:, :2], trend="c", maxlag=3, autolag=None)
    pair = coint_johansen(levels[:, 1:], 1, 2)
    inputs = {
        "data": "it.csv",
        "engle_granger": {"y": "three", "x": ["one", "two"], "adf_lags": 3},
        "johansen": {"det_order": 1, "k_ar_diff": 2},
    }
    expected = {
        "eg_t": regression[0],
        "eg_pvalue_mackinnon": regression[1],
        "eg_crit_1_5_10": list(regression[2]),
        "reject_at_5pct": True,
        "johansen3_trace": test.trace_stat.tolist(),
        "johansen3_maxeig": test.max_eig_stat.tolist(),
        "johansen3_first_vector_normalised_to_first": (test.evec[:, 0] / test.evec[0, 0]).tolist(),
        "johansen_trace_crit_90_95_99": test.trace_stat_crit_vals.tolist(),
    }
    tolerance = {"t_abs": 1e-6, "trace_abs": 1e-5, "vector_rel": 1e-5, "pvalue_abs": 1e-6}
    method = "engle_granger+johansen+half_life"
    assert set(judged(tmp_path, method, inputs, expected, tolerance).values()) == {True}
    levels = np.array([first, second, third])
    spread = (test.evec[:, 0] / test.evec[0, 0]) @ levels
    slope = np.polyfit(spread[:-1], np.diff(spread), 1)[0]
    expected |= {"half_life_days": -np.log(2.0) / slope, "half_life_rule": "-ln2/slope"}
    tolerance["half_life_rel"] = 1e-6
    assert set(judged(tmp_path, method, inputs, expected, tolerance).values()) == {True}
    inputs["engle_granger"] = {"y": "two", "x": "three"}
    expected = {"johansen2_trace": pair.trace_stat.tolist()}
    assert set(judged(tmp_path, "johansen", inputs, expected, tolerance).values()) == {True}


def test_other_stationarity_tests_are_answered(tmp_path):
    values = walk(5)
    written(tmp_path, price=values)
    t, p = adfuller(values[:300], regression="ct", maxlag=4, autolag=None, result_object=False)[:2]
    expected = {"adf_ct_4lags": t, "adf_p": p}
    inputs = {"data": "it.csv", "n": 300}
    verdicts = judged(tmp_path, "adf+ou+variance_ratio", inputs, expected, {"rel": 1e-6})
    assert set(verdicts.values()) == {True}


@pytest.mark.parametrize("exclusion", ["ceil(m/4)=3", 3, "m/4 rounded up", None])
def test_profiles_of_other_windows_are_answered(tmp_path, exclusion):
    written(tmp_path, close=walk(6, 90), other=walk(7, 90))
    found = matrix_profile(walk(6, 90)[10:80], 12)
    inputs = {"data": "it.csv", "column": "close", "rows": [10, 80], "m": 12}
    expected = {"left_index": {"40": int(found.left_index[40])}, "discord": found.discord}
    verdicts = judged(
        tmp_path,
        "pattern_matrix_profile",
        inputs | ({} if exclusion is None else {"exclusion": exclusion}),
        expected,
        {"abs": 1e-6, "index_exact": True},
    )
    assert set(verdicts.values()) == {True}


@pytest.mark.parametrize(
    ("row", "year"),
    [
        ({"sr": 0.7079}, 12),  # measured on months
        ({"sr": 1.5 / 252**0.5, "benchmark": 0.5 / 252**0.5}, 252),
        ({"sr": 2 / 365**0.5}, 365),
        ({"sr": 1.2 / 52**0.5, "benchmark": 1 / 52**0.5}, 52),
        ({"sr": 0.031, "periods_per_year": 8_760}, 8_760),
    ],
)
def test_years_of_a_record_follow_from_its_row_alone(tmp_path, row, year):
    """The calendar is found without a look at the expected figure: a wrong one is told as wrong."""
    periods = min_track_record(row["sr"], skew=0, kurt=3, benchmark=row.get("benchmark", 0.0))
    for expected, passes in ((periods / year, True), (periods / 250, False)):
        inputs = {"min_trl_periods": [row]}
        found = judged(
            tmp_path,
            "psr+min_track_record",
            inputs,
            {"min_trl_years_printed": [expected]},
            {"printed_abs": 1e-9},
        )
        assert found == {"min_trl_years_printed[0]": passes}
