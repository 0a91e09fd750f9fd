# SPDX-License-Identifier: Apache-2.0
"""GARCH against `arch`, against its formulas written down plainly, and against its own laws."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from hean.errors import DataInvalid, InputError, NumberNotFinite, ParameterInvalid
from hean.filters import GarchModel, GarchParameters, garch_backcast
from hean.indicators import GarchVariance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from arch import arch_model

Array = np.ndarray[Any, np.dtype[np.float64]]
SYMMETRIC = GarchParameters(omega=0.05, alpha=0.08, beta=0.87)
SKEWED = GarchParameters(mu=0.03, omega=0.05, alpha=0.02, gamma=0.12, beta=0.86)
HEAVY = GarchParameters(mu=0.03, omega=0.05, alpha=0.08, beta=0.87, nu=5.0)


def simulated(seed: int, rows: int, parameters: GarchParameters) -> Array:
    """Returns of this model."""
    random = np.random.default_rng(seed)
    shocks = random.standard_normal(rows)
    if math.isfinite(parameters.nu):
        nu = parameters.nu
        shocks = random.standard_t(nu, rows) * math.sqrt((nu - 2) / nu)
    kernel = GarchVariance(parameters, parameters.unconditional_variance)
    returns = np.empty(rows)
    for at, shock in enumerate(shocks):
        returns[at] = parameters.mu + math.sqrt(kernel.next_variance) * shock
        kernel.update(returns[at])
    return returns


def plain(returns: Array, p: GarchParameters, start: float) -> tuple[float, list[float]]:
    """Log likelihood and variances, term by term."""
    h, square, is_loss, total, variances = start, start, 0.5, 0.0, []
    for value in returns.tolist():
        h = p.omega + (p.alpha + p.gamma * is_loss) * square + p.beta * h
        variances.append(h)
        residual = value - p.mu
        square, is_loss = residual**2, float(residual < 0)
        if math.isfinite(p.nu):
            constant = math.lgamma((p.nu + 1) / 2) - math.lgamma(p.nu / 2)
            total += constant - 0.5 * math.log(math.pi * (p.nu - 2) * h)
            total -= (p.nu + 1) / 2 * math.log1p(square / (h * (p.nu - 2)))
        else:
            total -= 0.5 * (math.log(2 * math.pi * h) + square / h)
    variances.append(p.omega + (p.alpha + p.gamma * is_loss) * square + p.beta * h)
    return total, variances


def options(p: GarchParameters) -> dict[str, Any]:
    return {
        "mean": "constant" if p.mu else "zero",
        "asymmetric": p.gamma != 0,
        "innovations": "student" if math.isfinite(p.nu) else "normal",
    }


MODELS = {"symmetric": SYMMETRIC, "skewed": SKEWED, "heavy": HEAVY}
every_model = pytest.mark.parametrize("name", MODELS)


@every_model
@pytest.mark.parametrize("rule", ["mean_square", "backcast", 3.5])
def test_likelihood_and_variances_equal_the_plain_formula(name: str, rule: str | float) -> None:
    parameters = MODELS[name]
    model = GarchModel(**options(parameters), presample=rule)
    returns = simulated(1, 400, parameters)
    centre = returns.mean() if parameters.mu else 0.0
    weights = 0.94 ** np.arange(75)
    start = {
        "mean_square": float(np.mean((returns - parameters.mu) ** 2)),
        "backcast": float(weights @ (returns[:75] - centre) ** 2 / weights.sum()),
        3.5: 3.5,
    }[rule]
    likelihood, variances = plain(returns, parameters, start)
    assert model.start_variance(returns, parameters) == pytest.approx(start, rel=1e-13)
    assert model.log_likelihood(returns, parameters) == pytest.approx(likelihood, rel=1e-12)
    assert model.variances(returns, parameters) == pytest.approx(variances, rel=1e-12)


@every_model
def test_streamed_variances_are_those_of_the_column(name: str) -> None:
    parameters = MODELS[name]
    model = GarchModel(**options(parameters))
    returns = simulated(2, 300, parameters)
    kernel = GarchVariance(parameters, model.start_variance(returns, parameters))
    streamed = [kernel.next_variance, *map(kernel.update, returns)]
    assert model.variances(returns, parameters).tolist() == streamed


PEERS: list[tuple[GarchParameters, dict[str, Any]]] = [
    (SYMMETRIC, {"mean": "Zero"}),
    (HEAVY, {"mean": "Constant", "dist": "t"}),
    (SKEWED, {"mean": "Constant", "o": 1}),
    (SYMMETRIC, {"mean": "Zero"}),
]


@pytest.mark.parametrize("seed", range(20))
def test_the_summit_is_at_least_as_high_as_that_of_arch(seed: int) -> None:
    """Several models and lengths; the same variance before the first return."""
    parameters, peer = PEERS[seed % 4]
    returns = simulated(seed, (600, 1_000, 1_500)[seed % 3], parameters)
    other = arch_model(returns, **peer, rescale=False).fit(disp="off", show_warning=False)
    model = GarchModel(**options(parameters), presample="backcast", persistence_max=1.0)
    fit = model.fit(returns)
    assert fit.is_converged
    assert fit.log_likelihood >= other.loglikelihood - 1e-4
    assert fit.log_likelihood == pytest.approx(
        model.log_likelihood(returns, fit.parameters), abs=1e-8
    )
    if fit.log_likelihood < other.loglikelihood + 1e-4:  # both found the same summit
        assert fit.parameters.persistence == pytest.approx(
            sum(other.params.reindex(["alpha[1]", "beta[1]"]))
            + other.params.get("gamma[1]", 0.0) / 2,
            abs=0.01,
        )


@pytest.mark.parametrize(("name", "peer"), [("symmetric", 0), ("heavy", 1), ("skewed", 2)])
def test_standard_errors_equal_those_of_arch(name: str, peer: int) -> None:
    """`arch` takes numerical derivatives of values, hence its few digits."""
    parameters = MODELS[name]
    returns = simulated(3, 3_000, parameters)
    model = GarchModel(**options(parameters), presample="backcast")
    found = model.standard_errors(returns, model.fit(returns).parameters)
    names = {"mu": "mu", "omega": "omega", "alpha[1]": "alpha", "gamma[1]": "gamma"}
    names |= {"beta[1]": "beta", "nu": "nu"}
    for kind, covariance in (("hessian", "classic"), ("sandwich", "robust")):
        other = arch_model(returns, **PEERS[peer][1], rescale=False).fit(
            disp="off", cov_type=covariance
        )
        for theirs, error in other.std_err.items():
            assert found[kind][names[str(theirs)]] == pytest.approx(error, rel=0.02), theirs
    assert found["opg"]["alpha"] == pytest.approx(found["hessian"]["alpha"], rel=0.5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("asymmetric", [False, True])
@pytest.mark.parametrize("innovations", ["normal", "student"])
def test_a_fit_ends_also_where_the_likelihood_has_ridges(
    seed: int, asymmetric: bool, innovations: str
) -> None:
    """Noise without clusters leaves memory undetermined, normal noise the degrees of freedom."""
    returns = np.random.default_rng(seed).standard_normal(800)
    model = GarchModel(asymmetric=asymmetric, innovations=innovations, persistence_max=1.0)
    fit = model.fit(returns)
    assert fit.is_converged and fit.evaluations < 1_000  # of four climbs
    variance = float(np.mean(returns**2))
    flat = -0.5 * 800 * (math.log(2 * math.pi * variance) + 1)
    assert flat - 0.05 < fit.log_likelihood < flat + 10


@every_model
@pytest.mark.parametrize("factor", [1e-4, 0.3, 4096.0])
def test_the_unit_of_returns_does_not_matter(name: str, factor: float) -> None:
    returns = simulated(4, 800, MODELS[name])
    model = GarchModel(**options(MODELS[name]))
    one, other = model.fit(returns), model.fit(returns * factor)
    p, q = one.parameters, other.parameters
    assert (q.alpha, q.gamma, q.beta) == pytest.approx((p.alpha, p.gamma, p.beta), rel=1e-4)
    assert q.omega == pytest.approx(p.omega * factor**2, rel=1e-4)
    assert q.mu == pytest.approx(p.mu * factor, rel=1e-4)
    moved = one.log_likelihood - len(returns) * math.log(factor)
    assert other.log_likelihood == pytest.approx(moved, abs=1e-7)


@every_model
def test_a_warm_start_finds_the_same_summit_sooner(name: str) -> None:
    returns = simulated(5, 1_000, MODELS[name])
    model = GarchModel(**options(MODELS[name]))
    cold = model.fit(returns[:990])
    warm, anew = model.fit(returns, cold.parameters), model.fit(returns)
    assert warm.log_likelihood == pytest.approx(anew.log_likelihood, abs=1e-6)
    assert warm.evaluations < anew.evaluations / 2


def test_targeting_keeps_the_variance_of_the_sample() -> None:
    returns = simulated(6, 1_000, SYMMETRIC)
    fit = GarchModel(variance_targeting=True).fit(returns)
    assert fit.parameters.unconditional_variance == pytest.approx(np.mean(returns**2))
    free = GarchModel().fit(returns)
    assert free.log_likelihood - 3 < fit.log_likelihood <= free.log_likelihood + 1e-7
    errors = GarchModel(variance_targeting=True).standard_errors(returns, fit.parameters)
    assert math.isnan(errors["hessian"]["omega"]) and errors["hessian"]["beta"] > 0


def test_the_bound_on_persistence_binds_only_while_it_is_there() -> None:
    returns = REASONS["persistent"]()
    bound, free = (GarchModel(persistence_max=most).fit(returns) for most in (0.9995, None))
    assert bound.parameters.persistence <= 0.9995 < free.parameters.persistence
    assert free.log_likelihood > bound.log_likelihood


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.92, 0.92 - 1e-12, 0.92 - 1e-7, 0.95])
def test_forecasts_equal_the_recursion_also_without_a_long_run_variance(beta: float) -> None:
    parameters = GarchParameters(omega=0.02, alpha=0.08, beta=beta)
    variance, ahead = 3.0, []
    for _ in range(300):
        ahead.append(variance)
        variance = parameters.omega + parameters.persistence * variance
    assert parameters.forecast(3.0, 300) == pytest.approx(ahead, rel=1e-10)
    for steps in (1, 2, 5, 300):
        total = sum(ahead[:steps])
        assert parameters.horizon_variance(3.0, steps) == pytest.approx(total, rel=1e-10)


def test_what_follows_from_parameters() -> None:
    assert SKEWED.persistence == pytest.approx(0.94)
    assert SKEWED.unconditional_variance == pytest.approx(0.05 / 0.06)
    assert 0.94**SKEWED.half_life == pytest.approx(0.5)
    unit = GarchParameters(omega=0.0, alpha=0.06, beta=0.94)
    assert math.isnan(unit.unconditional_variance) and math.isnan(unit.half_life)
    assert unit.horizon_variance(2.0, 24.0) == pytest.approx(48.0)


def refitted(returns: Array, pieces: int = 10**9, **given: Any) -> tuple[Any, str | None]:
    refit = GarchModel(persistence_max=1.0).refit(returns, **given)
    while not refit.advance(pieces):
        pass
    return refit.fit, refit.reason


def test_a_refit_in_pieces_ends_like_one_in_one_go() -> None:
    returns = simulated(8, 1_400, SYMMETRIC)
    whole, reason = refitted(returns)
    pieces, other = refitted(returns, 1)
    assert reason is other is None
    assert pieces.parameters == whole.parameters
    assert pieces.log_likelihood == whole.log_likelihood


def broken() -> Array:
    """The market grows three times as wild where nobody has seen it, and changes by the day."""
    calm = GarchParameters(omega=0.5, alpha=0.05, beta=0.45)
    return np.concatenate([simulated(9, 3_500, calm), 3 * simulated(10, 500, calm)])


def seasonal() -> Array:
    """A cycle of five in the squares, which no GARCH(1,1) follows."""
    return simulated(11, 1_500, SYMMETRIC) * np.tile([4.0, 1.0, 1.0, 1.0, 1.0], 300)


REASONS = {
    "too_short": lambda: simulated(12, 499, SYMMETRIC),
    "no_reaction": lambda: np.tile([1.0, -1.0], 400) * (1 + 0.01 * simulated(13, 800, SYMMETRIC)),
    "persistent": lambda: np.random.default_rng(1).normal(size=2_000) * np.linspace(1, 9, 2_000),
    "correlated": seasonal,
    "worse_than_ewma": broken,
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_fit_that_cannot_be_trusted_is_refused_with_its_reason(reason: str) -> None:
    assert refitted(REASONS[reason]())[1] == reason


def test_realised_variance_may_judge_the_forecasts() -> None:
    """With the truth in hand the better forecast wins, and the fit is kept."""
    returns = simulated(8, 1_400, SYMMETRIC)
    truth = GarchModel().variances(returns, SYMMETRIC)[:-1]
    assert refitted(returns, realized=truth)[1] is None
    bad = truth.copy()
    bad[3] = math.nan
    with pytest.raises(DataInvalid, match="realized"):
        GarchModel().refit(returns, realized=bad)


def test_backcast_of_few_returns_weighs_those() -> None:
    assert garch_backcast(np.array([1.0, 2.0])) == pytest.approx((1 + 0.94 * 4) / 1.94)
    assert garch_backcast(np.array([3.0, 3.0]), mean="constant") == 0.0


BAD_RETURNS = [
    (np.array([*np.ones(30), math.nan]), NumberNotFinite, "index 30"),
    (np.array([math.inf, *np.ones(30)]), NumberNotFinite, "index 0"),
    (np.ones(19), DataInvalid, "19 returns"),
    (np.zeros(100), DataInvalid, "do not move"),
]


@pytest.mark.parametrize(("returns", "error", "words"), BAD_RETURNS)
def test_bad_returns_are_refused(returns: Array, error: type[InputError], words: str) -> None:
    with pytest.raises(error, match=words):
        GarchModel().fit(returns)
    with pytest.raises(error, match=words):
        GarchModel().refit(returns)


@pytest.mark.parametrize(
    "made",
    [
        lambda: GarchModel(mean="linear"),
        lambda: GarchModel(innovations="cauchy"),
        lambda: GarchModel(presample="zero"),
        lambda: GarchModel(presample=-1.0),
        lambda: GarchModel(persistence_max=0.0),
        lambda: GarchModel(variance_targeting=True, persistence_max=None),
        lambda: GarchParameters(omega=-1e-9, alpha=0.1, beta=0.8),
        lambda: GarchParameters(omega=0.1, alpha=0.1, gamma=-0.2, beta=0.8),
        lambda: GarchParameters(omega=0.1, alpha=0.1, beta=math.nan),
        lambda: GarchParameters(omega=0.1, alpha=0.1, beta=0.8, nu=2.0),
        lambda: GarchModel().fit(np.ones(30), HEAVY),
        lambda: GarchModel().log_likelihood(np.ones(30), SKEWED),
        lambda: GarchVariance(SYMMETRIC, -1.0),
        lambda: GarchModel().refit(simulated(1, 40, SYMMETRIC)).fit,
    ],
)
def test_impossible_options_and_parameters_are_refused(made: Any) -> None:
    with pytest.raises(ParameterInvalid):
        made()
