# SPDX-License-Identifier: Apache-2.0
"""`cells.py`: what past decisions in a context say about the next one, and when that is enough to
stop. Results are returns in units of risk (R), not wins; few results are pooled with those of the
whole strategy; a stop needs a bound that holds however often one looks. Old results fade. Pure: it
hears no event and reads no clock. *Source*: quant/methods 11; Robbins 1970 for the bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

DAY_NS = 86_400_000_000_000
CELLS_MAX = 200  # more contexts than this and no context ever has enough results
HALF_LIFE_NS = 60 * DAY_NS
BLOCK_NS = 30 * DAY_NS
PROBATION_SCALE = 0.1
RHO = 25.0  # where the bound is tightest, in results
FALSE_BLOCK = 0.05  # over all cells together
POOLING_MIN = 20.0  # results that the parent's mean counts for at least
POOLING_MAX = 1e9  # cells that do not differ: the parent's mean is all there is
RESULT_MAX = 10.0  # R: one result of any size may not decide

OPEN, BLOCKED, PROBATION = "OPEN", "BLOCKED", "PROBATION"
VERSION = 1  # of what a cell means; results of another version are not taken over


class Cell(msgspec.Struct):
    """Results of one context, faded to *at_ns*: sums of weight, its square, R and its square; the
    same of R and squared weight since the test began (*tested*, *test_weight*). *count*: results
    since then, unfaded.
    """

    weight: float = 0.0
    weight_squared: float = 0.0
    total: float = 0.0
    total_squared: float = 0.0
    tested: float = 0.0
    test_weight: float = 0.0
    count: int = 0
    at_ns: int = 0
    state: str = OPEN
    since_ns: int = 0

    @property
    def mean(self) -> float:
        """Of R, faded; 0 without results."""
        return self.total / self.weight if self.weight else 0.0

    @property
    def results(self) -> float:
        """How many equally weighted results these are worth."""
        return self.weight**2 / self.weight_squared if self.weight_squared else 0.0

    def fade(self, now_ns: int) -> None:
        """Let what is old count less."""
        factor = 0.5 ** (max(now_ns - self.at_ns, 0) / HALF_LIFE_NS)
        self.at_ns = max(now_ns, self.at_ns)
        self.weight *= factor
        self.total *= factor
        self.total_squared *= factor
        self.tested *= factor
        self.weight_squared *= factor**2
        self.test_weight *= factor**2

    def add(self, result: float) -> None:
        """One more, at its present age of nothing."""
        bounded = min(max(result, -RESULT_MAX), RESULT_MAX)
        self.weight += 1.0
        self.weight_squared += 1.0
        self.total += bounded
        self.total_squared += bounded**2
        self.tested += bounded
        self.test_weight += 1.0
        self.count += 1

    def begin(self, state: str, now_ns: int) -> None:
        """Another state, and a test that begins anew."""
        self.state, self.since_ns = state, now_ns
        self.tested = self.test_weight = 0.0
        self.count = 0


class Pool(msgspec.Struct, frozen=True):
    """What all cells of a strategy have in common. *within*: variance of R in a cell; *weight*: of
    the common mean in a cell, in results; *error*: standard error of the common mean.
    """

    mean: float
    within: float
    weight: float
    error: float


def pooled(cells: Iterable[Cell]) -> Pool:
    """Mean, variance and how alike the cells are, by moments: `k = s_within^2 / s_between^2`. Cells
    without results say nothing. The mean leans on zero as on `POOLING_MIN` results: a strategy that
    has hardly traded has hardly proven anything.
    """
    known = [cell for cell in cells if cell.weight > 0.0]
    weight = sum(cell.weight for cell in known)
    if not weight:
        return Pool(0.0, 1.0, POOLING_MIN, 1.0 / math.sqrt(POOLING_MIN))
    mean = sum(cell.total for cell in known) / weight
    inside = sum(cell.total_squared - cell.weight * cell.mean**2 for cell in known)
    # One R of deviation counts as one more result: without any, a single loss would be certain.
    within = (inside + 1.0) / (weight - len(known) + 1.0 if weight > len(known) else 1.0)
    between = sum(cell.weight * (cell.mean - mean) ** 2 for cell in known) / weight
    between -= within * sum(cell.weight / cell.results for cell in known) / weight
    ratio = within / between if between > 0.0 else POOLING_MAX
    results = weight**2 / sum(cell.weight_squared for cell in known)
    return Pool(
        mean * results / (results + POOLING_MIN),
        within,
        min(max(ratio, POOLING_MIN), POOLING_MAX),
        math.sqrt(within / (results + POOLING_MIN)),
    )


def expected(cell: Cell, pool: Pool) -> tuple[float, float]:
    """Mean of R in the cell and its standard error, the strategy's mean taken for *pool.weight*
    results: `m = n/(n+k) xbar + k/(n+k) m_parent`.
    """
    total = cell.results + pool.weight
    mean = (cell.results * cell.mean + pool.weight * pool.mean) / total
    variance = deviation(cell, pool) ** 2 / total + (pool.weight / total * pool.error) ** 2
    return mean, math.sqrt(variance)


def chance_of_gain(cell: Cell, pool: Pool) -> float:
    """Probability that the mean of the cell is above zero; one half while nothing is known."""
    mean, error = expected(cell, pool)
    return 0.5 * math.erfc(-mean / (error * math.sqrt(2.0)))


def deviation(cell: Cell, pool: Pool) -> float:
    """Standard deviation of R in the cell, the strategy's taken for `POOLING_MIN` results: few
    results that are alike by luck are not certain.
    """
    inside = cell.total_squared - cell.weight * cell.mean**2
    variance = (inside + POOLING_MIN * pool.within) / (cell.weight + POOLING_MIN)
    return math.sqrt(max(variance, 1e-12))


def is_bad(cell: Cell, pool: Pool, false_block: float) -> bool:
    """Whether the mean is below zero by a bound that is wrong with probability *false_block* at any
    time: `sum x / s < -sqrt((n + rho) ln((n + rho) / (rho a^2)))`.
    """
    total = cell.test_weight + RHO
    bound = math.sqrt(total * math.log(total / (RHO * false_block**2)))
    return cell.tested / deviation(cell, pool) < -bound


class Cells:
    """All contexts of one strategy. *names*: every context there can be.

    Refusing is decided when a result comes in, ends when a decision is asked for.
    """

    def __init__(self, names: Iterable[str], *, cells_in_all: int) -> None:
        self.cells: dict[str, Cell] = {name: Cell() for name in names}
        self._false_block = FALSE_BLOCK / cells_in_all

    def add(self, name: str, result: float, now_ns: int) -> None:
        """A decision of this context came to *result* R, taken or not."""
        self._fade(now_ns)
        cell = self.cells[name]
        cell.add(result)
        if cell.state != BLOCKED and is_bad(cell, self.pool, self._false_block):
            cell.begin(BLOCKED, now_ns)
        elif cell.state == PROBATION and cell.count >= POOLING_MIN and cell.tested > 0.0:
            cell.begin(OPEN, now_ns)

    def scale(self, name: str, now_ns: int) -> float:
        """Part of the usual size that a decision in this context may have; 0 while it is blocked,
        never above 1.
        """
        self._fade(now_ns)
        cell = self.cells[name]
        if cell.state == BLOCKED and now_ns - cell.since_ns >= BLOCK_NS:
            cell.begin(PROBATION, now_ns)
        if cell.state == BLOCKED:
            return 0.0
        return PROBATION_SCALE if cell.state == PROBATION else chance_of_gain(cell, self.pool)

    def reset(self, name: str) -> None:
        """The market has changed: what was learned here is of another one."""
        self.cells[name] = Cell()

    @property
    def pool(self) -> Pool:
        """What the contexts have in common, as of the last fading."""
        return pooled(self.cells.values())

    def restore(self, cells: Mapping[str, Cell]) -> None:
        """Go on with cells of an earlier process; contexts that are no more are left out."""
        self.cells.update({name: cell for name, cell in cells.items() if name in self.cells})

    def _fade(self, now_ns: int) -> None:
        for cell in self.cells.values():
            cell.fade(now_ns)
