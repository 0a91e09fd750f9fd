# SPDX-License-Identifier: Apache-2.0
"""The GARCH module on a bus: forecasts against the filter called directly, refits in slices."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.module import Context
from hean.core.types import Candle, Changepoint, Event, EventType, Payload, VolForecast
from hean.errors import ParameterInvalid
from hean.filters import GarchModel, GarchParameters
from hean.indicators import GarchVariance
from hean.models.ewma import EwmaVolatility
from hean.models.garch import EWMA, GarchSettings, GarchVolatility, Parameters

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
BTC, ETH = "BTCUSDT", "ETHUSDT"
TRUTH = GarchParameters(omega=5e-8, alpha=0.08, beta=0.87)


class Tape:
    """A source that plays given facts at their times."""

    def __init__(self, facts: list[tuple[int, Payload]]) -> None:
        self.facts = facts[::-1]

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Everything is played."""

    def next(self, horizon_ns: int | None) -> tuple[int, tuple[Payload, ...]] | None:
        if not self.facts:
            return None
        if horizon_ns is not None and horizon_ns <= self.facts[-1][0]:
            return horizon_ns, ()
        ts_ns, fact = self.facts.pop()
        return ts_ns, (fact,)


class Desk:
    """What the module told and logged while facts were played to it."""

    def __init__(self, module: Any, facts: list[tuple[int, Payload]]) -> None:
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.events: list[Event] = []
        clock = SimClock()
        bus = EventBus(clock=clock)
        bus.subscribe(EventType.VOL_FORECAST, self.events.append)
        bus.subscribe(EventType.TIMER, self.events.append)
        module.attach(bus, Context(bus, clock, log=self.log))
        run_simulated(bus, clock, Tape(list(facts)))

    def log(self, message: str, /, **fields: object) -> None:
        self.logged.append((message, fields))

    @property
    def forecasts(self) -> list[VolForecast]:
        return [event.data for event in self.events if isinstance(event.data, VolForecast)]


def closes(seed: int, rows: int, truth: GarchParameters = TRUTH) -> list[float]:
    random = np.random.default_rng(seed)
    kernel = GarchVariance(truth, truth.unconditional_variance)
    found = [30_000.0]
    for shock in random.standard_normal(rows - 1):
        move = math.sqrt(kernel.next_variance) * shock
        kernel.update(move)
        found.append(found[-1] * math.exp(move))
    return found


def bars(prices: list[float], symbol: str = BTC, timeframe: str = "1h") -> list[Any]:
    """Each bar at the moment it is complete."""
    length = {"1h": HOUR, "5m": 5 * MINUTE, "1m": MINUTE}[timeframe]
    return [
        ((at + 1) * length, Candle(symbol, price, price, price, price, 1.0, timeframe, at * length))
        for at, price in enumerate(prices)
    ]


def returns_of(prices: list[float]) -> Any:
    return np.array([math.log(b / a) for a, b in pairwise(prices)])


PRICES = closes(1, 1_300)
DAYS = 86_400 * 100
OPTIONS: dict[str, Any] = {"innovations": "normal", "refit_every_s": DAYS, "window": 1_200}


def test_before_a_fit_it_is_the_exponential_average() -> None:
    told = Desk(GarchVolatility(), bars(PRICES[:400])).forecasts
    average = Desk(EwmaVolatility(), bars(PRICES[:400])).forecasts
    assert len(told) == len(average) == 380
    assert [each.horizon_s for each in told] == [86_400.0] * 380
    assert told[-1].sigma == pytest.approx(average[-1].sigma, rel=1e-6)  # starts are forgotten


@pytest.mark.promise(199)
def test_after_a_fit_forecasts_are_those_of_the_filter() -> None:
    """The refit begins at 500 returns; the bar after it is forecast by the new parameters."""
    module = GarchVolatility(GarchSettings(**OPTIONS))
    told = Desk(module, bars(PRICES)).forecasts
    chosen = module.parameters(BTC)
    assert chosen is not None and chosen.version == 1 and chosen.refused is None
    fit = GarchModel(persistence_max=1.0).fit(returns_of(PRICES[:501]))
    assert chosen.parameters == fit.parameters
    kernel = GarchVariance(fit.parameters, float(np.mean(returns_of(PRICES[:501]) ** 2)))
    kernel.batch(returns_of(PRICES[:501]))
    for at in (501, 502, 1_299):
        kernel = GarchVariance(fit.parameters, float(np.mean(returns_of(PRICES[:501]) ** 2)))
        kernel.batch(returns_of(PRICES[: at + 1]))
        expected = fit.parameters.horizon_variance(kernel.next_variance, 24)
        assert told[at - 20].sigma == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_new_parameters_know_nothing_of_the_bars_after_their_window() -> None:
    module = GarchVolatility(GarchSettings(**OPTIONS))
    Desk(module, bars(PRICES))
    chosen = module.parameters(BTC)
    assert chosen is not None
    assert chosen.fitted_on == (HOUR, 501 * HOUR)
    assert 501 * HOUR < chosen.valid_from < 502 * HOUR
    with pytest.raises(ParameterInvalid, match="future"):
        Parameters(1, EWMA, (0, 100), 100)


def test_a_refit_is_cut_into_slices_between_which_others_have_their_turn() -> None:
    desk = Desk(GarchVolatility(GarchSettings(**OPTIONS)), bars(PRICES[:510]))
    timers = [event.ts_ns for event in desk.events if event.event_type is EventType.TIMER]
    assert len(timers) >= 4 and len(set(timers)) == len(timers)
    assert 501 * HOUR < timers[0] and timers[-1] < 501 * HOUR + 1_000_000_000


def test_the_same_bars_give_the_same_events() -> None:
    first, second = (
        Desk(GarchVolatility(GarchSettings(**OPTIONS)), bars(PRICES)) for _ in range(2)
    )
    assert first.events == second.events


def test_a_later_bar_changes_no_earlier_forecast() -> None:
    other = [*PRICES[:900], *(price * 3 for price in PRICES[900:])]
    first, second = (
        Desk(GarchVolatility(GarchSettings(**OPTIONS)), bars(each)) for each in (PRICES, other)
    )
    assert first.forecasts[:880] == second.forecasts[:880]
    assert first.forecasts[880] != second.forecasts[880]


def test_refits_keep_their_distance_and_count() -> None:
    module = GarchVolatility(GarchSettings(**OPTIONS | {"refit_every_s": 200 * 3_600}))
    Desk(module, bars(PRICES))
    chosen = module.parameters(BTC)
    assert chosen is not None and chosen.version == 4  # at 500, 700, 900, 1,100 returns
    assert chosen.fitted_on[1] == 1_101 * HOUR


@pytest.mark.parametrize(
    ("probability", "at_hour", "version"),
    [(0.95, 900, 2), (0.5, 900, 1), (0.95, 501, 1)],  # sure · unsure · just fitted
)
def test_a_changepoint_asks_for_a_refit(probability: float, at_hour: int, version: int) -> None:
    module = GarchVolatility(GarchSettings(**OPTIONS))
    alarm = (at_hour * HOUR + 600_000_000_000, Changepoint(BTC, probability, 3))
    Desk(module, sorted([*bars(PRICES), alarm], key=lambda fact: fact[0]))
    chosen = module.parameters(BTC)
    assert chosen is not None and chosen.version == version


def test_a_fit_that_is_refused_leaves_the_average_and_says_why() -> None:
    """Prices that only jump back and forth have no volatility that clusters."""
    prices = [100.0 * (1.01 if at % 2 else 1.0) * (1 + 1e-5 * (at % 7)) for at in range(600)]
    module = GarchVolatility(GarchSettings(**OPTIONS))
    desk = Desk(module, bars(prices))
    chosen = module.parameters(BTC)
    assert chosen is not None and chosen.refused is not None and chosen.parameters == EWMA
    assert desk.logged == [
        ("garch falls back to ewma", {"symbol": BTC, "reason": chosen.refused}),
    ]
    assert desk.forecasts[-1].sigma > 0


def test_a_market_that_stands_still_is_no_error() -> None:
    desk = Desk(GarchVolatility(GarchSettings(**OPTIONS)), bars([100.0] * 600))
    assert desk.logged[0][0] == "garch refit impossible"
    assert {told.sigma for told in desk.forecasts} == {0.0}


def test_symbols_do_not_mix_and_another_timeframe_is_not_heard() -> None:
    alone = Desk(GarchVolatility(GarchSettings(**OPTIONS)), bars(PRICES)).forecasts
    others = [*bars(closes(2, 1_300), ETH), *bars(closes(3, 700), BTC, "1m")[60:]]
    mixed = sorted([*bars(PRICES), *others], key=lambda fact: fact[0])
    found = Desk(GarchVolatility(GarchSettings(**OPTIONS)), mixed).forecasts
    assert [told for told in found if told.symbol == BTC] == alone
    assert len(found) == 2 * len(alone)


def test_the_profile_takes_out_the_hour_and_puts_it_back() -> None:
    """Two wild hours every day; with the profile the day ahead looks the same at any hour."""
    rows = 28 * 288
    random = np.random.default_rng(4)
    wild = np.where(np.isin(np.arange(rows) // 12 % 24, (13, 14)), 5.0, 1.0)
    moves = 1e-3 * wild * random.standard_normal(rows)
    prices = (100.0 * np.exp(np.cumsum(moves))).tolist()
    truth = 1e-3 * math.sqrt(12 * (22 + 2 * 25))
    off = {}
    for minutes in (None, 60):
        given = {"profile_minutes": minutes, "refit_every_s": 2 * 86_400}
        module = GarchVolatility(GarchSettings(**OPTIONS | given))
        told = Desk(module, bars(prices, timeframe="5m")).forecasts[-2_016:]
        off[minutes] = float(np.mean(np.abs(np.log([each.sigma / truth for each in told]))))
    assert off[60] < 0.1 and off[None] > 1.5 * off[60]


@pytest.mark.parametrize("bad", [{"window": 499}, {"refit_every_s": 0}, {"innovations": "x"}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterInvalid):
        GarchVolatility(GarchSettings(**OPTIONS | bad))
