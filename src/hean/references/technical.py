# SPDX-License-Identifier: Apache-2.0
"""Technical indicators and patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hean import indicators
from hean.indicators import RSI
from hean.quant.patterns import matrix_profile
from hean.references.case import Case

CLOSE = ("close",)
RANGE = ("high", "low")
BAR = ("high", "low", "close")
FLOW = ("high", "low", "close", "volume")

# Name of an answer without its period -> (name of its parameters, indicator, input columns, row of
# its result).
INDICATORS: Mapping[str, tuple[str, Callable[..., Any], tuple[str, ...], int]] = {
    "sma": ("sma", indicators.SMA, CLOSE, 0),
    "ema": ("ema", indicators.EMA, CLOSE, 0),
    "wma": ("wma", indicators.WMA, CLOSE, 0),
    "dema": ("dema", indicators.DEMA, CLOSE, 0),
    "tema": ("tema", indicators.TEMA, CLOSE, 0),
    "kama": ("kama", indicators.KAMA, CLOSE, 0),
    "trix": ("trix", indicators.TRIX, CLOSE, 0),
    "rsi": ("rsi", indicators.RSI, CLOSE, 0),
    "mom": ("mom", indicators.Momentum, CLOSE, 0),
    "roc": ("roc", indicators.ROC, CLOSE, 0),
    "macd": ("macd", indicators.MACD, CLOSE, 0),
    "macd_signal": ("macd", indicators.MACD, CLOSE, 1),
    "macd_hist": ("macd", indicators.MACD, CLOSE, 2),
    "bb_upper": ("bbands", indicators.Bollinger, CLOSE, 0),
    "bb_mid": ("bbands", indicators.Bollinger, CLOSE, 1),
    "bb_lower": ("bbands", indicators.Bollinger, CLOSE, 2),
    "stddev": ("stddev", indicators.RollingStd, CLOSE, 0),
    "max": ("max", indicators.RollingMax, CLOSE, 0),
    "min": ("min", indicators.RollingMin, CLOSE, 0),
    "linreg_slope": ("linreg_slope", indicators.LinregSlope, CLOSE, 0),
    "true_range": ("", indicators.TrueRange, BAR, 0),
    "atr": ("atr", indicators.ATR, BAR, 0),
    "natr": ("natr", indicators.NATR, BAR, 0),
    "slow_k": ("stoch", indicators.Stochastic, BAR, 0),
    "slow_d": ("stoch", indicators.Stochastic, BAR, 1),
    "willr": ("willr", indicators.WilliamsR, BAR, 0),
    "cci": ("cci", indicators.CCI, BAR, 0),
    "ultosc": ("ultosc", indicators.UltimateOscillator, BAR, 0),
    "adx": ("adx", indicators.ADX, BAR, 0),
    "plus_di": ("di", indicators.ADX, BAR, 1),
    "minus_di": ("di", indicators.ADX, BAR, 2),
    "aroon_up": ("aroon", indicators.Aroon, RANGE, 0),
    "aroon_down": ("aroon", indicators.Aroon, RANGE, 1),
    "sar": ("sar", indicators.ParabolicSAR, RANGE, 0),
    "obv": ("", indicators.OBV, ("close", "volume"), 0),
    "ad": ("", indicators.AccumulationDistribution, FLOW, 0),
    "mfi": ("mfi", indicators.MFI, FLOW, 0),
}
RULES = ("abs", "rel")


def rsi_wilder(case: Case) -> None:
    """Wilder's RSI from its first index on."""
    period = int(case.inputs["period"])
    values = RSI(period).batch(np.asarray(case.inputs["close"], dtype=np.float64))[period:]
    case.answer(f"rsi_from_index_{period}", values, "abs")
    case.answer("printed", values, "printed_abs")


def classic_indicators(case: Case) -> None:
    """Each indicator over the whole file: where it begins, values by row, their sum."""
    columns = case.table()
    given = parameters(case.inputs.get("parameters", ""))
    for name in case.expected:
        match = re.fullmatch(r"(.*?)(\d*)", name)
        if match is None or match[1] not in INDICATORS:
            continue
        family, kind, inputs, row = INDICATORS[match[1]]
        numbers = given.get(family, [])
        if match[2]:  # a period in the name counts more than one in the text
            numbers = [float(match[2]), *numbers[1:]]
        indicator = kind(*(int(n) if n == int(n) else n for n in numbers))
        found = np.atleast_2d(indicator.batch(*(columns[column] for column in inputs)))[row]
        first = int(np.argmin(np.isnan(found)))
        case.answer((name, "first_index"), first, *RULES)
        case.answer((name, "values"), found, *RULES)
        case.answer((name, "sum_all"), found[first:].sum(), *RULES)


def parameters(text: str | Mapping[str, Any]) -> dict[str, list[float]]:
    """Numbers by indicator from text like `sma/ema 20; macd 12,26,9; atr 14 Wilder`, or from a
    mapping of the same names.
    """
    if isinstance(text, Mapping):
        return {name: list(np.atleast_1d(numbers)) for name, numbers in text.items()}
    found: dict[str, list[float]] = {}
    for part in text.split(";"):
        if match := re.match(r"\s*([a-z_/ ]*[a-z])\s*((?:\d*\.?\d+\s*,?\s*)+)", part):
            numbers = [float(number) for number in re.findall(r"\d*\.?\d+", match[2])]
            found |= {name.strip(): numbers for name in match[1].split("/")}
    return found


def profile(case: Case) -> None:
    """Matrix profile: both-sided, left, motif and discord."""
    window = int(case.inputs["m"])
    found = matrix_profile(case.series(), window, exclusion=_exclusion(case.inputs))
    case.answer("profile", found.distance, "abs")
    case.answer("left_distance", found.left_distance, "abs")
    case.answer("profile_index", found.index, "index_exact")
    case.answer("left_index", found.left_index, "index_exact")
    case.answer("motif", found.motif, "index_exact")
    case.answer("discord", found.discord, "index_exact")


def _exclusion(inputs: Mapping[str, Any]) -> int | None:
    """A number, or text that ends in one, such as `ceil(m/4)=5`; the usual one where none is."""
    match = re.fullmatch(r"(?:.*=)?\s*(\d+)", str(inputs.get("exclusion", "")))
    return int(match[1]) if match else None


METHODS = {
    "rsi_wilder": rsi_wilder,
    "technical_indicators": classic_indicators,
    "pattern_matrix_profile": profile,
}
