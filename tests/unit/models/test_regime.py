# SPDX-License-Identifier: Apache-2.0
"""The regime module: what it tells is filtered, held, and never fitted on what it judges."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import Candle, EventType, Regime
from hean.errors import ParameterInvalid
from hean.filters import RegimeFilter
from hean.models.regime import RegimeModel, RegimeParameters, RegimeSettings

SETTINGS = RegimeSettings(states=2, fit_bars=300, refit_bars=200, starts=3)


def market(seed: int, rows: int) -> list[Candle]:
    """Bars whose width changes every hundred."""
    random = np.random.default_rng(seed)
    bars, close = [], 100.0
    for at in range(rows):
        sigma = 4e-4 if at // 100 % 2 == 0 else 3e-3
        path = close * np.exp(np.cumsum(random.normal(0, sigma, 10)))
        open_, close = close, float(path[-1])
        high, low = max(open_, *path), min(open_, *path)
        bars.append(Candle("BTCUSDT", open_, high, low, close, 1.0, "1m", at))
    return bars


def told_by(bars: list[Candle], module: RegimeModel) -> dict[int, Regime]:
    """What was told after each bar."""
    bus = EventBus()
    found: dict[int, Regime] = {}
    module.attach(bus, Context(bus, bus.clock))
    now = [0]
    bus.subscribe(EventType.REGIME, lambda event: found.__setitem__(now[0], event.data))
    for now[0], bar in enumerate(bars):
        bus.clock.now_ns += 60_000_000_000
        bus.drain((bar,))
    return found


def rows_of(module: RegimeModel) -> np.ndarray:
    """The standardised rows that the module remembers."""
    known = module._symbols["BTCUSDT"]
    table = np.array([row[1:] for row in known.rows])
    return np.ascontiguousarray((table - known.parameters.mean) / known.parameters.deviation)


@pytest.mark.promise(53)
def test_calm_and_wild_are_told_apart_and_held() -> None:
    found = told_by(market(1, 800), RegimeModel(SETTINGS))
    assert min(found) > 300
    settled = [at for at in found if 20 <= at % 100]
    right = [found[at].regime == ("calm", "wild")[at // 100 % 2] for at in settled]
    assert np.mean(right) > 0.95
    names = [found[at].regime for at in sorted(found)]
    assert sum(a != b for a, b in pairwise(names)) <= 6


def test_what_is_told_is_filtered_not_smoothed() -> None:
    """The told chance is the forward filter's; the smoothed path would have said otherwise."""
    module = RegimeModel(RegimeSettings(states=2, fit_bars=300, refit_bars=10_000, dwell=0))
    bars = market(2, 420)
    found = told_by(bars, module)
    parameters = module._symbols["BTCUSDT"].parameters
    rows = rows_of(module)
    live = RegimeFilter(parameters.model, dwell=0)
    filtered = live.batch(rows)  # the last 300 of 419 rows: the start is forgotten soon
    smoothed = parameters.model.smoothed(rows)
    first_bar = len(bars) - len(rows)
    told = {at - first_bar: fact for at, fact in found.items() if at - first_bar > 150}
    state = {"calm": 0, "wild": 1}
    for row, fact in told.items():
        assert fact.confidence == pytest.approx(filtered[state[fact.regime], row], abs=1e-6)
    away = [abs(fact.confidence - smoothed[state[fact.regime], row]) for row, fact in told.items()]
    assert max(away) > 0.01


def test_a_later_bar_changes_no_earlier_word() -> None:
    bars = market(3, 700)
    whole, part = (told_by(some, RegimeModel(SETTINGS)) for some in (bars, bars[:560]))
    assert part == {at: fact for at, fact in whole.items() if at < 560}


def test_parameters_never_judge_what_they_were_fitted_on() -> None:
    module = RegimeModel(SETTINGS)
    found = told_by(market(4, 520), module)
    parameters = module._symbols["BTCUSDT"].parameters
    assert parameters.version == 2
    assert parameters.valid_from > parameters.fitted_on[1]
    assert min(found) >= 301
    with pytest.raises(ParameterInvalid, match="must not judge"):
        RegimeParameters(1, (0, 10), 10, parameters.mean, parameters.deviation, parameters.model)


def test_a_refit_keeps_the_meaning_of_the_regimes() -> None:
    module = RegimeModel(SETTINGS)
    told_by(market(5, 301), module)
    first = module._symbols["BTCUSDT"].parameters
    swapped = first.model.reordered([1, 0])
    module.adopt("BTCUSDT", RegimeParameters(
        7, first.fitted_on, first.valid_from, first.mean, first.deviation, swapped
    ))  # fmt: skip
    again = module.fit("BTCUSDT")
    assert again.version == 8
    assert again.model.covariances[:, 0, 0] == pytest.approx(swapped.covariances[:, 0, 0], rel=1e-3)


def test_without_fits_of_its_own_it_waits_for_parameters() -> None:
    bars = market(6, 500)
    teacher, pupil = RegimeModel(SETTINGS), RegimeModel(SETTINGS, fits=False)
    told_by(bars[:301], teacher)
    assert told_by(bars, pupil) == {}
    pupil = RegimeModel(SETTINGS, fits=False)
    pupil.adopt("BTCUSDT", teacher._symbols["BTCUSDT"].parameters)
    assert told_by(bars, pupil)
    assert math.isclose(SETTINGS.enter, 0.7)
    with pytest.raises(ParameterInvalid):
        RegimeModel(RegimeSettings(states=9))
