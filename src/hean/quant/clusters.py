# SPDX-License-Identifier: Apache-2.0
"""`clusters.py`: how many different things were really tried. Trials that rise and fall together
are one idea; what counts for luck is the number of ideas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hean.quant.performance import Values

CUT = 0.5
SHARED_MIN = 20  # days in common; with fewer a correlation says nothing


def correlations(series: Sequence[tuple[int, Values]], *, shared: int = SHARED_MIN) -> Values:
    """Correlation of each pair over the days they share; 0 where these are fewer than *shared* or
    one of the two never moves. *series*: first day and a value a day, each.
    """
    spans: dict[tuple[int, int], list[int]] = {}
    for place, (first, values) in enumerate(series):
        spans.setdefault((first, first + values.size), []).append(place)
    result = np.eye(len(series))
    # Trials come in grids over the same days, so a block at a time is one product of matrices.
    for (first, end), rows in spans.items():
        for (other_first, other_end), columns in spans.items():
            begin, stop = max(first, other_first), min(end, other_end)
            if stop - begin >= shared:
                x = np.array([series[n][1][begin - first : stop - first] for n in rows])
                y = np.array(
                    [series[n][1][begin - other_first : stop - other_first] for n in columns]
                )
                result[np.ix_(rows, columns)] = _standard(x) @ _standard(y).T
    np.fill_diagonal(result, 1.0)
    return result


def _standard(values: Values) -> Values:
    """Rows with mean 0 and length 1; zeros for a row that never moves."""
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    result: Values = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return result


def cluster(correlation: Values, *, cut: float = CUT) -> npt.NDArray[np.int64]:
    """A number from 0 for the cluster of each series: average linkage of 1 - correlation, cut
    where clusters correlate less than *cut*.
    """
    # Loaded here: it takes longer than everything else that a command loads.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(correlation) < 2:
        return np.zeros(len(correlation), np.int64)
    distance = np.clip(1.0 - correlation, 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(tree, 1.0 - cut, criterion="distance") - 1, dtype=np.int64)
