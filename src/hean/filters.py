# SPDX-License-Identifier: Apache-2.0
"""Streaming models: one object for live observations and for whole columns.

    hedge = KalmanHedge(1e-9, 1e-9, 1e-6)        # variances: beta's step, alpha's step, observation
    z = hedge.update(log(price_y), log(price_x)) # the spread in standard deviations, nan at first
    KalmanHedge(1e-9, 1e-9, 1e-6).batch(y, x)    # NumPy columns in, five rows out, the same bits

**Every object** has `update`, `batch(…, out=None)`, `ready()`, `n_seen`, `snapshot()` and
`restore()`. `batch` goes on from the object's present state and returns one row per output in the
order below; `out` is reused memory: float64, C-contiguous, shape `(outputs, n)`. A snapshot is
bytes: it restores bit for bit into an object of the same kind and settings, and is refused by any
other.

**Undefined is nan, never zero. A missing observation is nan** and only predicts: uncertainty grows,
nothing is learned, the likelihood does not move. Infinity is refused (`NumberNotFinite`) and so is
a magnitude beyond 1e100 (`NumberOutOfRange`); the state stays as it was. A batch names the row and
computes nothing.

| Class | Hidden | `update` returns | Rows of `batch` |
|---|---|---|---|
| `KalmanHedge` | hedge ratio and intercept of a pair | z of the spread | z, innovation, its \
variance, beta, alpha |
| `LocalLevel` | a level | the level | level, variance, both as predicted, innovation, its \
variance |
| `LocalTrend` | a level and its slope | the level | level, trend, the three numbers of their \
covariance, all as predicted, innovation, its variance |
| `RLS` | coefficients of a regression | innovation | innovation, coefficients |
| `QrRLS` | the same, many or badly scaled | innovation | innovation, coefficients |

**Hedge ratio.** `y = alpha + beta (x - anchor) + noise`. Innovation, its variance and z are told
*before* the row is learned from, `beta` and `alpha` after it. `beta_before` is the hedge ratio that
z was measured with, and what a spread traded on z is held by. In logs of prices beta is a ratio of
money, in prices a ratio of units: `pair_positions` makes units of either.

| Setting | Choice |
|---|---|
| `start` | `least_squares` over `window` complete rows; `diffuse`: variance 1e7 `scale`; `exact`: \
`state` (beta, alpha at x = 0) and `covariance`, the first row adds noise with `first_noise` |
| `centred` | x is told from its mean over the window, or its first value: uncentred, the log of a \
price and the constant are nearly one regressor. `move_anchor` moves it, the line stays |
| `gate` | a squared z beyond it (15.1: one in 10,000) is not learned from; five in a row are a \
change: `is_change`, and the covariance grows a hundredfold. `None` learns from everything |
| `adaptation` | weight w of the newest row in the observation noise, 0 keeps it fixed. From the \
residual: R becomes R (1 + w R/S (z² - 1)), within a millionfold of the given one |
| `dt` | time since the row before in nominal bars: process noise grows with it |

`ready()` waits until the trace of the covariance is below four times its steady state, or 500
rows, after a diffuse start or a change. `mean_nis` is the mean z² of the last 500 rows; outside of
0.8 to 1.25 (`is_healthy`) the noises no longer fit: refit them (`hean.quant.state_space`).

**Levels.** Without `variance` or `covariance` nothing is known at the start, exactly: the first one
or two observations are spent on it, and the likelihood is the diffuse one. `smooth(y)` gives the
states of a column that would come next, knowing all of it; `forecast(steps)` the mean and variance
of the next observations; both leave the object as it is. `steady_tolerance` above 0 keeps the gain
once a step changes the covariance by less (sum of squares), as statsmodels does at 1e-19; where
variances are small that costs digits, which is why it is off.

**Regressions.** `RLS` keeps the covariance: cheap, for a few regressors of similar size; variances
are bounded by `variance_max`, and a row that says nothing new forgets nothing. `QrRLS` keeps the
triangular factor and starts from nothing. A constant is a regressor of ones. `least_squares(y, x)`
is the regression over all rows: coefficients (constant first), deviation of the residuals, R².

**Change detectors** have the members of an indicator (`hean.indicators`): `update`, `batch`,
`value`, `ready()`, `n_seen`, `warmup`, `settled`, `snapshot()`, `restore()`; bad input is refused
and the state stays as it was.

| Detector | Outputs in order | Source |
|---|---|---|
| `BOCPD`, `BOCPDKnownVariance` | short_probability, map_run_length, predicted, log_evidence, \
hypotheses, dropped | Adams and MacKay 2007 |
| `CUSUM` | upper, lower, upper_rows, lower_rows, alarm | Page 1954 |
| `EwmaChart` | smoothed value, alarm | Roberts 1959 |

The alarm of a changepoint is `short_probability = P(r < window)`, never `P(r = 0)`: that is the
hazard for all data. `ready()` waits two windows, in which every run is young. `predicted` is the
forecast that was made of the value before it came; `predictive_mean` is that of the next. `dropped`
is the probability given up so far, by runs beyond `run_length_max` and hypotheses below `prune`.

**Regimes.** `HMM` holds parameters of a hidden Markov model (Gaussian of one or two numbers,
Poisson, categorical) and estimates them (`HMM.fit`). `RegimeFilter` runs one over a live series;
`probabilities` are those given what was seen, `regime` is the state that is acted upon: it changes
when another has reached `enter`, the old one has fallen to `leave` and has lasted `dwell` rows.
`HMM.smoothed` and `HMM.viterbi` look back from the end of a series: for research and training,
never for a live decision. `switching_autoregression` is the likelihood of Hamilton's (1989) model.

**GARCH(1,1)**: volatility that clusters. `GarchModel` says which one and how it is fitted,
`GarchParameters` are its numbers and what follows from them, `hean.indicators.GarchVariance` runs
it step by step.

    model = GarchModel(mean="constant", innovations="student")
    fit = model.fit(returns)                         # maximum likelihood
    later = model.fit(newer_returns, fit.parameters)     # from where the last one ended
    fit.parameters.horizon_variance(model.variances(returns, fit.parameters)[-1], 24)

| Option of `GarchModel` | Meaning |
|---|---|
| `mean` | `zero`, or `constant`: estimated |
| `asymmetric` | losses weigh by `gamma` more (GJR) |
| `innovations` | `normal`, or `student`: unit variance, `nu` degrees of freedom |
| `presample` | `mean_square` of the residuals, anew for every trial mean; `backcast`; a variance |
| `persistence_max` | bound of `alpha + gamma / 2 + beta`; `None` lifts it |
| `variance_targeting` | `omega` follows from the variance of the returns given |

The unit of the returns does not matter to a fit. `variances` has one row more than the returns: the
last is the forecast of the next. `standard_errors` are from the `hessian`, the outer products
(`opg`) and the `sandwich` of both, by parameter, nan for one that is not estimated or where the
likelihood has no summit. `refit` prepares a fit with its examination; `advance(evaluations)` does
it in pieces. Afterwards `reason` names what speaks against it: `too_short` (fewer than 500),
`not_converged`, `no_reaction` (alpha below 1e-4), `persistent` (above 0.9995), `no_summit`,
`correlated` (Ljung-Box of 10 squares below 0.001), or `worse_than_ewma` (by QLIKE over the last 500
returns, which that fit had not seen; Diebold-Mariano below -2).

Bad input is refused: `NumberNotFinite`, `ParameterInvalid`, and `DataInvalid` for fewer than 20
returns or such that do not move.
"""  # fmt: skip

from __future__ import annotations

from hean._core import (
    BOCPD,
    CUSUM,
    HMM,
    RLS,
    BOCPDKnownVariance,
    EwmaChart,
    GarchFit,
    GarchModel,
    GarchParameters,
    GarchRefit,
    KalmanHedge,
    LocalLevel,
    LocalTrend,
    QrRLS,
    RegimeFilter,
    garch_backcast,
    least_squares,
    pair_positions,
    switching_autoregression,
)

__all__ = [
    "BOCPD",
    "CUSUM",
    "HMM",
    "RLS",
    "BOCPDKnownVariance",
    "EwmaChart",
    "GarchFit",
    "GarchModel",
    "GarchParameters",
    "GarchRefit",
    "KalmanHedge",
    "LocalLevel",
    "LocalTrend",
    "QrRLS",
    "RegimeFilter",
    "garch_backcast",
    "least_squares",
    "pair_positions",
    "switching_autoregression",
]
