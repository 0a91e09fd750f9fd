# SPDX-License-Identifier: Apache-2.0
"""`covariance.py`: how returns move together, when there are too few of them to know. The sample
covariance is pulled towards a multiple of the identity by as much as its own noise deserves, so
that what optimises on it does not find the noise. Written out, held to scikit-learn by the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hean.errors import DataInvalid
from hean.quant import checks
from hean.quant.checks import Array


class Covariance(NamedTuple):
    """*matrix*: per period of the returns, of shape (columns, columns). *shrinkage*: 0 is the
    sample, 1 the scaled identity.
    """

    matrix: Array
    shrinkage: float


def population(returns: npt.ArrayLike, *, centred: bool = True) -> Covariance:
    """Sample covariance divided by the number of rows. *centred*: subtract the means first."""
    return Covariance(_population(_centre(returns, centred=centred)), 0.0)


def sample(returns: npt.ArrayLike, *, centred: bool = True) -> Covariance:
    """Unbiased sample covariance: divided by rows - 1, or by rows where no mean is taken off."""
    deviations = _centre(returns, centred=centred)
    rows = len(deviations)
    return Covariance(_population(deviations) * (rows / (rows - 1) if centred else 1.0), 0.0)


def ledoit_wolf(returns: npt.ArrayLike, *, centred: bool = True) -> Covariance:
    """Shrunk to `mu I`, `mu` the mean variance, by the estimated optimum in Frobenius norm. One
    column is left as it is. *Source*: Ledoit and Wolf 2004, Lemma 3.1 to 3.4.
    """
    deviations = _centre(returns, centred=centred)
    rows, columns = deviations.shape
    found = _population(deviations)
    if columns == 1:
        return Covariance(found, 0.0)
    mean_variance = float(np.trace(found)) / columns
    squares = float(np.sum(found**2))
    distance = (squares - columns * mean_variance**2) / columns
    fourth = float(np.sum(np.sum(deviations**2, axis=1) ** 2)) / rows
    noise = min((fourth - squares) / (columns * rows), distance)
    return _shrunk(found, noise / distance if noise > 0.0 else 0.0)


def oracle_approximating(returns: npt.ArrayLike, *, centred: bool = True) -> Covariance:
    """Shrunk to `mu I` by the fixed point of the oracle for normal returns (OAS), in the form for
    many columns that scikit-learn uses. *Source*: Chen, Wiesel, Eldar, Hero 2010, eq. 23.
    """
    deviations = _centre(returns, centred=centred)
    rows, columns = deviations.shape
    found = _population(deviations)
    if columns == 1:
        return Covariance(found, 0.0)
    mean_square = float(np.mean(found**2))
    square_mean = (float(np.trace(found)) / columns) ** 2
    distance = (rows + 1) * (mean_square - square_mean / columns)
    share = (mean_square + square_mean) / distance if distance > 0.0 else 1.0
    return _shrunk(found, min(share, 1.0))


ESTIMATORS: Mapping[str, Callable[..., Covariance]] = {
    "sample": sample,
    "population": population,
    "ledoit_wolf": ledoit_wolf,
    "oas": oracle_approximating,
}
"""By name."""


def _centre(returns: npt.ArrayLike, *, centred: bool) -> Array:
    found = checks.table("returns", returns, 2)
    if not found.size:
        raise DataInvalid(f"returns of shape {found.shape}; at least one column is needed.")
    return found - found.mean(axis=0) if centred else found


def _population(deviations: Array) -> Array:
    return np.asarray(deviations.T @ deviations / len(deviations))


def _shrunk(found: Array, shrinkage: float) -> Covariance:
    columns = len(found)
    matrix = (1.0 - shrinkage) * found
    matrix[np.diag_indices(columns)] += shrinkage * float(np.trace(found)) / columns
    return Covariance(matrix, shrinkage)
