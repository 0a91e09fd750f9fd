# SPDX-License-Identifier: Apache-2.0
"""`regression.py`: ordinary least squares, by QR so that columns of very different size (a price
beside its lagged changes) keep their digits. No intercept is added: who wants one passes a column
of ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hean.errors import DataInvalid
from hean.quant.checks import Array

DEPENDENT_BELOW = 1e-12  # of a column's length: what is left of it is rounding


@dataclass(frozen=True, slots=True)
class Regression:
    """A least-squares fit of n observations by k columns.

    *coefficients*, *errors*: (k,), the latter standard errors for equal error variance (degrees
    of freedom n - k). *residuals*: (n,).
    """

    coefficients: Array
    errors: Array
    residuals: Array

    @property
    def t(self) -> Array:
        """Coefficients in standard errors."""
        return self.coefficients / self.errors


def least_squares(y: Array, columns: Array) -> Regression:
    """Fit *y* (n,) by *columns* (n, k), n > k.

    *Raises*: `DataInvalid` where there are too few rows, or a column is a combination of others.
    """
    q, r = decompose(columns)
    projected = q.T @ y
    residuals = y - q @ projected
    inverse = np.linalg.inv(r)
    variance = residuals @ residuals / (len(y) - columns.shape[1])
    errors = np.sqrt(variance * (inverse**2).sum(axis=1))
    return Regression(inverse @ projected, errors, residuals)


def decompose(columns: Array) -> tuple[Array, Array]:
    """Q (n, k) and R (k, k) of independent columns, more rows than columns.

    *Raises*: `DataInvalid`.
    """
    n, k = columns.shape
    if n <= k:
        raise DataInvalid(f"regression: {n} rows for {k} coefficients; more rows are needed.")
    q, r = np.linalg.qr(columns)
    left = np.abs(np.diag(r))
    dependent = np.flatnonzero(left <= DEPENDENT_BELOW * np.linalg.norm(columns, axis=0))
    if dependent.size:
        raise DataInvalid(
            f"regression: column {dependent[0]} is a combination of those before it; leave it out."
        )
    return q, r


def trend_columns(n: int, trend: str) -> Array:
    """Columns of a time polynomial over rows 1 to n: "n" none, "c" ones, "ct" and t, "ctt" and t^2,
    shape (n, 0 to 3).
    """
    powers = 0 if trend == "n" else len(trend)
    return np.arange(1.0, n + 1.0)[:, None] ** np.arange(powers)
