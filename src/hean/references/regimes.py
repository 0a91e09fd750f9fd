# SPDX-License-Identifier: Apache-2.0
"""Hidden Markov models, switching autoregression."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hean.filters import HMM
from hean.quant.regimes import fit_hmm, fit_switching_autoregression
from hean.references.case import Case

STATE_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
STARTS = 40  # of EM: what the files were made with


def hmm_inference(case: Case) -> None:
    """Filtered and smoothed chances, likelihood and best path of models with given parameters."""
    for name, inputs in case.inputs.items():
        if not isinstance(inputs, Mapping):
            continue
        if "prior_day0" in inputs:
            _umbrella(case, name, inputs)
        elif "emission" in inputs:
            _path(case, name, inputs)


def _umbrella(case: Case, name: str, inputs: Mapping[str, Any]) -> None:
    """Two symbols, of which the chance of one is given; the prior is of the day before."""
    chance = np.asarray(next(inputs[key] for key in inputs if key.startswith("emission")))
    transition = np.asarray(inputs["transition"], dtype=np.float64)
    start = np.asarray(inputs["prior_day0"]) @ transition
    model = HMM.categorical(start, transition, np.column_stack((1 - chance, chance)))
    seen = _symbols(inputs["observations"])
    smoothed = model.smoothed(seen)[0]
    case.answer(f"{name}_filtered", model.filtered(seen)[0], "abs")
    case.answer(f"{name}_smoothed", smoothed, "abs")
    for day, value in enumerate(smoothed, 1):
        case.answer(f"{name}_smoothed_day{day}", value, "abs")
    case.answer(f"{name}_loglik", model.log_likelihood(seen), "abs")
    path, value = model.viterbi(seen)
    case.answer(f"{name}_path", path, "abs")
    case.answer(f"{name}_prob", math.exp(value), "abs")


def _path(case: Case, name: str, inputs: Mapping[str, Any]) -> None:
    """A table of chances of every symbol; the start is of the first observation."""
    given = (
        np.asarray(inputs[key], dtype=np.float64) for key in ("start", "transition", "emission")
    )
    model = HMM.categorical(*given)
    seen = np.asarray(inputs["observations"], dtype=np.float64)
    path, value = model.viterbi(seen)
    case.answer(f"{name}_path", path, "abs")
    case.answer(f"{name}_prob", math.exp(value), "abs")
    case.answer(f"{name}_log_prob", value, "abs")
    case.answer(f"{name}_loglik", model.log_likelihood(seen), "abs")
    case.answer(f"{name}_filtered", model.filtered(seen).T, "abs")
    case.answer(f"{name}_smoothed", model.smoothed(seen).T, "abs")


def _symbols(observations: Any) -> Any:
    """Numbers as they are; of words, one that begins with "no" is the absence of the other."""
    if isinstance(observations, str):
        observations = observations.partition("(")[0].split(",")
    words = [str(word).strip().lower() for word in observations]
    absent = [word.startswith("no") or word in ("0", "0.0", "false") for word in words]
    return np.where(absent, 0.0, 1.0)


def hmm_em(case: Case) -> None:
    """Maximum likelihood by EM with a free start distribution; states in order of their means."""
    counts = np.asarray(case.inputs["y"] if "y" in case.inputs else case.series(), dtype=np.float64)
    for name in case.expected:
        if match := re.fullmatch(r"([a-z]+|\d+)_state", name):
            states = STATE_WORDS.get(match[1]) or int(match[1])
            _states(case, name, counts, states)
        elif match := re.fullmatch(r"book_lambda(\d+)", name):
            fit = _fit(counts, int(match[1]))
            case.answer(name, fit.model.means[:, 0], "book_lambda_abs", "lambda_rel")
    case.answer("poisson_iid_loglik", _fit(counts, 1).log_likelihood, "loglik_abs")


def _fit(counts: Any, states: int) -> Any:
    return fit_hmm(
        counts, "poisson", states, starts=STARTS, sticky=0.0, iterations=20_000, tolerance=1e-9
    )


def _states(case: Case, name: str, counts: Any, states: int) -> None:
    fit = _fit(counts, states)
    model = fit.model
    case.answer((name, "lambdas"), model.means[:, 0], "lambda_rel")
    # Chances near zero have no meaningful relative error.
    case.answer(
        (name, "transition"), model.transition, "transition_abs", "lambda_rel", "loglik_abs"
    )
    case.answer((name, "start"), model.start, "start_abs", "lambda_rel", "loglik_abs")
    case.answer((name, "loglik"), fit.log_likelihood, "loglik_abs")
    case.answer((name, "bic"), fit.bic, "loglik_abs")


def markov_switching_autoregression(case: Case) -> None:
    """Hamilton's model; regime 0 has the lowest mean."""
    inputs = case.inputs
    series = np.asarray(inputs["y"] if "y" in inputs else case.series(), dtype=np.float64)
    order = int(inputs["order"])
    fit = fit_switching_autoregression(
        series,
        order,
        regimes=int(inputs.get("regimes", 2)),
        switches_variance="variance" in str(inputs.get("switching", "")),
    )
    case.answer("params", _parameters(fit), "params_abs")
    published = {
        "p_rec_rec": fit.transition[0, 0],
        "p_exp_exp": fit.transition[-1, -1],
        "mu_rec": fit.means[0],
        "mu_exp": fit.means[-1],
        "sigma": math.sqrt(fit.variances[0]),
        "ar": fit.coefficients,
    }
    for name, value in published.items():
        case.answer(("published", name), value, "params_abs")
    case.answer("loglik", fit.log_likelihood, "loglik_abs")
    case.answer("filtered_prob_recession", fit.filtered[0], "prob_abs")
    case.answer("smoothed_prob_recession", fit.smoothed[0], "prob_abs")


def _parameters(fit: Any) -> dict[str, float]:
    """By the names of statsmodels."""
    regimes = range(len(fit.means))
    found = {f"p[{a}->{b}]": fit.transition[a, b] for a in regimes for b in regimes}
    found |= {f"const[{state}]": fit.means[state] for state in regimes}
    found |= {f"sigma2[{state}]": fit.variances[state] for state in regimes}
    found |= {f"ar.L{lag}": value for lag, value in enumerate(fit.coefficients, 1)}
    return {**found, "sigma2": fit.variances[0]}


METHODS = {
    "hmm_inference": hmm_inference,
    "hmm_em": hmm_em,
    "markov_switching_autoregression": markov_switching_autoregression,
}
