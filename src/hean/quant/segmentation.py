# SPDX-License-Identifier: Apache-2.0
"""`segmentation.py`: where a finished series changed, and how well two opinions about it agree. It
sees the whole series and therefore judges history only; what runs live is `hean.filters.BOCPD`.
Indices are zero based; a change is named by the first observation of the new segment.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from hean.errors import ParameterInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]


def changes_of_runs(map_run_length: Sequence[float] | Array) -> list[int]:
    """Changes that the most probable run lengths of a whole series tell, walking back from its end:
    the last run names where it began, the observation before that names its own run, and so on.
    """
    changes: list[int] = []
    at = len(map_run_length)
    while at > 0:
        at -= max(int(map_run_length[at - 1]), 1)
        if at > 0:
            changes.append(at)
    return changes[::-1]


def detection_scores(
    annotations: Sequence[Collection[int]], found: Collection[int], margin: int
) -> tuple[float, float, float]:
    """F1, precision and recall of *found* changes against those of several annotators, each change
    counting if it is at most *margin* away. The beginning counts as a change of everybody.
    Source: van den Burg and Williams (2020), section 3.2.
    """
    everybody = [{0, *changes} for changes in annotations]
    own = {0, *found}
    precision = _matches(set().union(*everybody), own, margin) / len(own)
    recall = float(np.mean([_matches(each, own, margin) / len(each) for each in everybody]))
    return 2 * precision * recall / (precision + recall), precision, recall


def covering(annotations: Sequence[Collection[int]], found: Collection[int], rows: int) -> float:
    """How well the segments between *found* changes cover those of the annotators: the best
    overlap of each (intersection over union) weighted by its length, mean over annotators.
    Source: van den Burg and Williams (2020), section 3.2.
    """
    own = _segments(found, rows)
    shares = []
    for changes in annotations:
        best = ((end - start) * max(_overlap((start, end), other) for other in own)
                for start, end in _segments(changes, rows))  # fmt: skip
        shares.append(sum(best) / rows)
    return float(np.mean(shares))


def mean_breaks(series: Array, *, trim: float = 0.15) -> list[int]:
    """Changes of the mean by least squares, their number by BIC. *trim*: least share of the rows
    in a segment. Source: Bai and Perron (2003); criterion as in strucchange (two parameters a
    segment).
    """
    rows = len(series)
    least = max(int(trim * rows), 2)
    most = rows // least - 1
    if most < 0:
        raise ParameterInvalid(f"{rows} rows make no segment of {least}.")
    sums = np.concatenate(([0.0], np.cumsum(series - np.mean(series))))
    squares = np.concatenate(([0.0], np.cumsum((series - np.mean(series)) ** 2)))

    def cost(start: Any, end: Any) -> Any:
        return squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start)

    ends = np.arange(rows + 1)
    best = np.full(rows + 1, np.inf)
    best[least:] = cost(0, ends[least:])
    before: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    criteria = [_bic(float(best[rows]), rows, 1)]
    for breaks in range(1, most + 1):
        current, origin = np.full(rows + 1, np.inf), np.zeros(rows + 1, dtype=np.int64)
        for end in range((breaks + 1) * least, rows + 1):
            starts = ends[breaks * least : end - least + 1]
            totals = best[starts] + cost(starts, end)
            origin[end] = starts[int(np.argmin(totals))]
            current[end] = float(np.min(totals))
        before.append(origin)
        best = current
        criteria.append(_bic(float(best[rows]), rows, breaks + 1))
    found, at = [], rows
    for origin in reversed(before[: int(np.argmin(criteria))]):
        at = int(origin[at])
        found.append(at)
    return found[::-1]


def break_interval(
    series: Array, breaks: Sequence[int], which: int = 0, *, level: float = 0.95
) -> tuple[int, int]:
    """Interval that holds break number *which* with probability *level*; the variance may differ
    between the segments. Source: Bai (1997), proposition 7, as in strucchange.
    """
    from scipy.optimize import brentq  # reason: only this research function needs it

    edges = [0, *breaks, len(series)]
    left = series[edges[which] : edges[which + 1]]
    right = series[edges[which + 1] : edges[which + 2]]
    shift = float(np.mean(right) - np.mean(left))
    first, second = float(np.var(left)), float(np.var(right))
    ratio = second / first  # of the variances; the regressor is one, so xi is one

    def excess(place: float, chance: float) -> float:
        return _argmax_cdf(place, ratio) - chance

    tail = (1 - level) / 2
    reach = 1000.0
    upper = float(brentq(excess, 0.0, reach, args=(1 - tail,)))
    lower = float(brentq(excess, -reach, 0.0, args=(tail,)))
    unit = first / shift**2
    at = breaks[which]
    return at - math.ceil(upper * unit), at - math.floor(lower * unit)


def _argmax_cdf(place: float, phi: float) -> float:
    """Distribution of where a two-sided Brownian motion with drift is largest (Bai 1997, B.2), for
    equal drifts; *phi*: ratio of the variances, right to left.
    """
    from scipy.special import log_ndtr  # reason: as above

    x = abs(place)
    root = math.sqrt(x)
    if place < 0:
        share = 1 / phi
        tail = math.exp(share * (1 + share) * x / 2 + float(log_ndtr(-(0.5 + share) * root)))
        linear = x / 2 - 2 + (phi + 2) ** 2 / (phi + 1)
        return (
            -root * math.exp(-x / 8) / math.sqrt(2 * math.pi)
            - phi * (phi + 2) / (phi + 1) * tail
            + linear * math.exp(float(log_ndtr(-root / 2)))
        )
    share = 1 / phi
    tail = math.exp((phi + 1) * x / 2 + float(log_ndtr(-(phi + 0.5) / math.sqrt(phi) * root)))
    linear = (2 * phi + 1) ** 2 / ((phi + 1) * phi) - 2 + share * x / 2
    return (
        1
        + math.sqrt(share) * root * math.exp(-share * x / 8) / math.sqrt(2 * math.pi)
        + (2 * phi + 1) / (phi + 1) / phi * tail
        - linear * math.exp(float(log_ndtr(-math.sqrt(share) * root / 2)))
    )


def _bic(residual: float, rows: int, segments: int) -> float:
    fit = rows * (math.log(residual) + 1 - math.log(rows) + math.log(2 * math.pi))
    return fit + math.log(rows) * 2 * segments


def _matches(true: Collection[int], found: Collection[int], margin: int) -> int:
    """How many true changes have a found one near, each found one used once."""
    left, count = set(found), 0
    for change in sorted(true):
        near = [(abs(change - other), other) for other in left if abs(change - other) <= margin]
        if near:
            left.remove(min(near)[1])
            count += 1
    return count


def _segments(changes: Collection[int], rows: int) -> list[tuple[int, int]]:
    edges = [0, *sorted(change for change in set(changes) if 0 < change < rows), rows]
    return list(itertools.pairwise(edges))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(both, 0) / (max(one[1], other[1]) - min(one[0], other[0])) if both > 0 else 0.0
