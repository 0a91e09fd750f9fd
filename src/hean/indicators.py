# SPDX-License-Identifier: Apache-2.0
"""Technical indicators: one object for live values and for whole columns.

    rsi = RSI(14)
    rsi.update(price)            # one value in, one value out: nan while warming up
    RSI(14).batch(closes)        # a NumPy column in, a column out, the same bits

**Every object** has `update`, `batch(…, out=None)`, `value`, `ready()`, `n_seen`, `warmup`,
`settled`, `snapshot()` and `restore()`. An indicator with several outputs names each
(`macd.signal`, `bands.upper`); `value` is the first, and `batch` returns one row per output in the
order below. `batch` goes on from the object's present state, so a column may come in pieces.
`out` is reused memory: float64, C-contiguous, shape `(n,)` or `(outputs, n)`.

**Undefined is nan, never zero**: during the warm-up, and wherever the formula has no answer (RSI
or MFI without any movement, z-score of a flat window). The stochastic keeps its previous value
when high equals low. `warmup` is the number of rows until every output has a value; `ready()`
waits longer where the seed is remembered: until its weight is below one millionth (`settled` rows;
202 for RSI 14).

**Bad input is refused**, the state stays as it was: `NumberNotFinite` for nan and infinity,
`NumberOutOfRange` beyond 1e100 (and for prices up to zero where a logarithm is taken). A batch
names the first bad row and computes nothing. Columns are float64, contiguous, of equal length.

**Numbers** follow classic TA-Lib: EMA seeded with the mean of the first n (EWM starts at the
first value instead), both MACD averages start together, Wilder's smoothing for RSI, ATR, ADX,
population deviation in Bollinger bands.
Sums are compensated, moments are Welford's; both are recomputed from their window every 2^16 rows
and whenever cancellation has cost them ten bits.

| Input | Indicators (outputs in order) |
|---|---|
| value | `SMA` = `RollingMean`, `EMA`, `EWM`, `WMA`, `DEMA`, `TEMA`, `KAMA`, `TRIX` |
| value | `RSI`, `Momentum`, `ROC`, `MACD` (line, signal, histogram) |
| value | `Bollinger` (upper, middle, lower), `RollingStd`, `RollingMin`, `RollingMax`, `ZScore` |
| value | `LinregSlope`, `Moments` (mean, deviation, autocorrelation), `EwmaVariance` |
| value | `GarchVariance`, `RealizedVariance` (realized, bipower, jumps) |
| value | `Five` (sma, ema, rsi, macd, signal, histogram, upper, lower) and `five(closes)` |
| value, elapsed_s | `TimedEwmaVariance`: the past fades by time, not by rows |
| minute, value | `IntradayProfile` (value without the usual of this time of the week, factor) |
| high, low | `Aroon` (up, down), `ParabolicSAR` |
| high, low, close | `TrueRange`, `ATR`, `NATR`, `WilliamsR`, `CCI`, `UltimateOscillator` |
| high, low, close | `Stochastic` (k, d), `ADX` (adx, plus_di, minus_di) |
| close, volume | `OBV` |
| price, volume | `VWAP` (n rows, or a session until `restart()`) |
| high, low, close, volume | `AccumulationDistribution`, `MFI` |
| open, high, low, close | `RangeVolatility` |

A snapshot is bytes: it restores bit for bit into an object of the same kind and parameters, and is
refused by any other. Every update is O(1), except CCI, which needs its whole window.
"""

from __future__ import annotations

from hean._core import (
    ADX,
    ATR,
    CCI,
    DEMA,
    EMA,
    EWM,
    KAMA,
    MACD,
    MFI,
    NATR,
    OBV,
    ROC,
    RSI,
    SMA,
    TEMA,
    TRIX,
    VWAP,
    WMA,
    AccumulationDistribution,
    Aroon,
    Bollinger,
    EwmaVariance,
    Five,
    GarchVariance,
    IntradayProfile,
    LinregSlope,
    Moments,
    Momentum,
    ParabolicSAR,
    RangeVolatility,
    RealizedVariance,
    RollingMax,
    RollingMin,
    RollingStd,
    Stochastic,
    TimedEwmaVariance,
    TrueRange,
    UltimateOscillator,
    WilliamsR,
    ZScore,
    five,
)

RollingMean = SMA

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "DEMA",
    "EMA",
    "EWM",
    "KAMA",
    "MACD",
    "MFI",
    "NATR",
    "OBV",
    "ROC",
    "RSI",
    "SMA",
    "TEMA",
    "TRIX",
    "VWAP",
    "WMA",
    "AccumulationDistribution",
    "Aroon",
    "Bollinger",
    "EwmaVariance",
    "Five",
    "GarchVariance",
    "IntradayProfile",
    "LinregSlope",
    "Moments",
    "Momentum",
    "ParabolicSAR",
    "RangeVolatility",
    "RealizedVariance",
    "RollingMax",
    "RollingMean",
    "RollingMin",
    "RollingStd",
    "Stochastic",
    "TimedEwmaVariance",
    "TrueRange",
    "UltimateOscillator",
    "WilliamsR",
    "ZScore",
    "five",
]
