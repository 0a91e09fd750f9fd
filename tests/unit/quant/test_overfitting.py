# SPDX-License-Identifier: Apache-2.0
"""Overfitting and superiority: against arch, against definitions written out, and on pure noise,
where p-values must be uniform and the best is as often below the middle as above.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from arch.bootstrap import SPA, optimal_block_length
from scipy.stats import kstest, rankdata

from hean.errors import ParameterInvalid
from hean.quant.bootstrap import bootstrap_means, generator, optimal_block, stationary_bootstrap
from hean.quant.overfitting import (
    backtest_overfitting,
    long_run_variance,
    superior_predictive_ability,
)


def noise(seed: int, *shape: int):
    return np.random.default_rng(seed).standard_normal(shape) * 0.01


@pytest.mark.parametrize(("count", "blocks"), [(96, 8), (101, 6), (64, 4)])
def test_overfitting_is_its_definition(count, blocks):
    returns = noise(count, count, 5)
    found = backtest_overfitting(returns, blocks=blocks)
    size = count // blocks
    parts = returns[count % blocks :].reshape(blocks, size, 5)
    for place, chosen in enumerate(combinations(range(blocks), blocks // 2)):
        others = [n for n in range(blocks) if n not in chosen]
        inside, outside = (np.concatenate([parts[n] for n in half]) for half in (chosen, others))
        first, second = (x.mean(axis=0) / x.std(axis=0, ddof=1) for x in (inside, outside))
        best = first.argmax()
        omega = rankdata(second)[best] / 6
        assert found.logits[place] == pytest.approx(math.log(omega / (1 - omega)), abs=1e-12)
        assert found.outside[place] == pytest.approx(second[best], rel=1e-9)


def test_a_real_edge_is_no_overfitting_and_noise_is():
    returns = noise(4, 640, 8)
    returns[:, 3] += 0.004
    assert backtest_overfitting(returns).probability < 0.01
    assert backtest_overfitting(noise(7, 640, 8), metric="mean").loss_probability > 0.1


def test_overfitting_of_pure_noise_is_a_half_on_average():
    found = [backtest_overfitting(noise(n, 128, 6), blocks=8).probability for n in range(100)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_a_trial_that_never_traded_has_no_edge():
    returns = noise(1, 64, 3)
    returns[:, 1] = 0.0
    assert np.isfinite(backtest_overfitting(returns, blocks=4).logits).all()


@pytest.mark.parametrize(
    ("shape", "blocks"), [((64, 3), 7), ((64, 1), 4), ((6, 3), 4), ((64, 3), 22)]
)
def test_what_cannot_be_cut_is_refused(shape, blocks):
    with pytest.raises(ParameterInvalid):
        backtest_overfitting(noise(0, *shape), blocks=blocks)


@pytest.mark.parametrize("seed", range(12))
def test_the_optimal_block_is_that_of_arch(seed):
    draw = np.random.default_rng(seed)
    values = noise(seed, draw.integers(40, 900))
    for lag in range(seed % 5):
        values[lag + 1 :] += 0.5 * values[: -lag - 1]
    known = optimal_block_length(values)["stationary"].to_numpy()[0]
    assert optimal_block(values) == pytest.approx(known, rel=1e-9)


def test_blocks_have_their_mean_length_and_wrap():
    draw = generator(3)
    rows = np.concatenate(list(stationary_bootstrap(500, 400, block=8.0, draw=draw)))
    assert rows.shape == (400, 500)
    assert rows.min() == 0
    assert rows.max() == 499
    follows = (rows[:, 1:] - rows[:, :-1]) % 500 == 1
    assert 1 - follows.mean() == pytest.approx(1 / 8, rel=0.05)


def test_means_are_those_of_the_drawn_rows():
    values = noise(2, 50, 3)
    rows = np.concatenate(list(stationary_bootstrap(50, 20, block=4.0, draw=generator(9))))
    found = bootstrap_means(values, 20, block=4.0, draw=generator(9))
    assert found == pytest.approx(values[rows].mean(axis=1), abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_p_values_are_those_of_arch_within_chance(seed):
    """arch does not studentise its p-values, whatever it is told."""
    models = noise(seed, 400, 6)
    models[:, 2] += 0.0008
    models[:, 4] -= 0.003
    known = SPA(np.zeros(400), -models, block_size=5, reps=1500, seed=seed)
    known.compute()
    found = superior_predictive_ability(models, is_studentised=False, block=5, draws=4000)
    ours = (found.lower, found.consistent, found.upper)
    assert ours == pytest.approx(tuple(known.pvalues), abs=0.035)
    assert found.lower <= found.consistent <= found.upper


def test_the_variance_is_that_of_arch():
    models = noise(8, 300, 4)
    models[1:] += 0.4 * models[:-1]
    known = SPA(np.zeros(300), -models, block_size=7, reps=5)
    known.compute()
    assert long_run_variance(models, 7) == pytest.approx(known._loss_diff_var, rel=1e-10)


@pytest.mark.parametrize("is_studentised", [True, False])
def test_on_noise_p_values_are_uniform(is_studentised):
    found = [
        superior_predictive_ability(
            noise(n, 150, 4), is_studentised=is_studentised, block=1, draws=200, seed=n
        ).upper
        for n in range(200)
    ]
    assert kstest(found, "uniform").pvalue > 0.001


def test_an_edge_is_found_and_the_same_seed_gives_the_same_answer():
    models = noise(5, 500, 4)
    models[:, 1] += 0.003
    first = superior_predictive_ability(models, seed=11, draws=500)
    assert first == superior_predictive_ability(models, seed=11, draws=500)
    assert first.best == 1
    assert first.consistent < 0.01
    scaled = superior_predictive_ability(models * 64, seed=11, draws=500)
    assert scaled.consistent == first.consistent
    assert scaled.statistic == pytest.approx(first.statistic)


def test_models_that_never_differ_cannot_win():
    assert superior_predictive_ability(np.zeros((50, 2)), draws=50).consistent == 1.0
    lost = superior_predictive_ability(noise(1, 50, 2) - 1.0, draws=200)
    assert lost.upper > 0.4
    with pytest.raises(ParameterInvalid):
        superior_predictive_ability(np.full((9, 2), np.nan))
