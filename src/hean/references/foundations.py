# SPDX-License-Identifier: Apache-2.0
"""Foundations: moments of streams, random numbers, choice by several objectives, families of
tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain, cycle, islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hean import _core
from hean.indicators import Moments
from hean.quant import multiple_testing, pareto
from hean.quant.checks import Array
from hean.quant.moments import naive_variance
from hean.references.case import Case

ADJUSTED: Mapping[str, Callable[[ArrayLike], Array]] = {
    "bonf": multiple_testing.bonferroni,
    "bonferroni": multiple_testing.bonferroni,
    "holm": multiple_testing.holm,
    "bh": multiple_testing.benjamini_hochberg,
    "by": multiple_testing.benjamini_yekutieli,
}
WORD = 1 << 64


def streaming_moments(case: Case) -> None:
    """Mean, deviation and first autocorrelation, streamed; beside them what the textbook's sums of
    squares would say.
    """
    for name, spec in case.inputs.items():
        values = np.asarray(
            _repeated(spec) if "repeat" in spec else spec["values"], dtype=np.float64
        )
        moments = Moments()
        moments.batch(values)
        case.answer((name, "mean"), moments.mean, "mean_rel")
        case.answer((name, "sd"), moments.deviation, "sd_rel")
        case.answer((name, "autocorr1"), moments.autocorrelation, "autocorr_abs")
        place = (name, "naive_sum_of_squares_variance")
        if case.wants(place):
            case.answer(place, naive_variance(values), "naive_rel", "sd_rel")


def _repeated(spec: Mapping[str, Any]) -> Array:
    """First value, then the others again and again, n in all."""
    endless = chain([spec["first"]], cycle(spec["repeat"]))
    return np.array(list(islice(endless, spec["n"])), dtype=np.float64)


def random_streams(case: Case) -> None:
    """First numbers of sequential streams; blocks of the counter-based generator."""
    inputs, expected = case.inputs, case.expected
    if "splitmix64" in expected:
        stream = _core.splitmix64(_word(inputs["splitmix64_seed"]), len(expected["splitmix64"]))
        case.answer("splitmix64", _words(stream), "exact")
    if "xoshiro256starstar" in expected:
        state = [_word(part) for part in inputs["xoshiro256starstar_state"]]
        stream = _core.xoshiro256starstar(state, len(expected["xoshiro256starstar"]))
        case.answer("xoshiro256starstar", _words(stream), "exact")
    case.answer("philox_zero_block", _words(_core.philox([0] * 2, [0] * 4)), "exact")
    if "philox_counter" in inputs:
        key = [_word(part) for part in inputs["philox_key"]]
        counter = [_word(part) for part in inputs["philox_counter"]]
        case.answer("philox_block", _words(_core.philox(key, counter)), "exact")
        case.answer("philox_next_block", _words(_core.philox(key, _next(counter))), "exact")


def _word(text: str | int) -> int:
    return text if isinstance(text, int) else int(text, 0)


def _words(numbers: list[int]) -> list[str]:
    """As the files write them: JSON numbers would lose bits."""
    return [str(number) for number in numbers]


def _next(counter: list[int]) -> list[int]:
    """One block further: a number of 256 bits in four words, lowest first."""
    whole = sum(word << 64 * place for place, word in enumerate(counter)) + 1
    return [whole >> 64 * place & WORD - 1 for place in range(len(counter))]


def nsga2(case: Case) -> None:
    """Fronts, crowding and hypervolume of the sets the file names."""
    inputs = case.inputs
    case.answer("fronts", [front.tolist() for front in pareto.fronts(inputs["F"])], "exact", "abs")
    for name in case.expected:
        if name.startswith("crowding_"):
            case.answer(name, pareto.crowding(inputs[name.removeprefix("crowding_")]), "abs")
    if case.wants("hypervolume"):
        case.answer("hypervolume", pareto.hypervolume(inputs["F"], inputs["hv_ref"]), "abs", "rel")


def adjusted_p_values(case: Case) -> None:
    """Adjusted p-values, and how many of them a level rejects (5 % unless the file says)."""
    p_values, level = case.inputs["pvalues"], case.inputs.get("alpha", 0.05)
    for name in case.expected:
        family = name.lower().removesuffix("_rejections")
        if family not in ADJUSTED:
            continue
        adjusted = ADJUSTED[family](p_values)
        is_count = name.endswith("_rejections")
        case.answer(name, int((adjusted <= level).sum()) if is_count else adjusted, "abs")


METHODS = {
    "streaming_moments": streaming_moments,
    "reproducible_rng": random_streams,
    "nsga2": nsga2,
    "multiple_testing": adjusted_p_values,
}
