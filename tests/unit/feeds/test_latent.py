# SPDX-License-Identifier: Apache-2.0
"""The hidden part of the generated market: regimes, independence of the streams, no free drift,
the pull home and the settlement of funding."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import pytest

from hean.feeds import latent
from hean.feeds.latent import MarketMinute, MarketPath, Regime, SymbolMinute, SymbolPath, stream

DAY_MINUTES = 1440
PRICE = 60_000.0
SIGMA = 5.5e-4


def symbol_path(seed: int, *, market_weight: float = 0.87, start_ns: int = 0) -> SymbolPath:
    return SymbolPath(
        seed, start_ns, name="BTCUSDT", price=PRICE, sigma=SIGMA, market_weight=market_weight
    )


def still_minute(*, move: float = 0.0) -> MarketMinute:
    """A minute without noise; *move*: its return in sigmas."""
    moves = np.full(latent.STEPS, move / latent.STEPS)
    return MarketMinute(moves, np.ones(latent.SECONDS), 1e-9, Regime.CALM, 0.0)


@pytest.fixture(scope="module")
def weather() -> list[MarketMinute]:
    path = MarketPath(1, 0)
    return [path.minute(index) for index in range(30 * DAY_MINUTES)]


def test_streams_differ_by_seed_name_minute_and_purpose() -> None:
    keys = [(1, "A", 0, 0), (2, "A", 0, 0), (1, "B", 0, 0), (1, "A", 1, 0), (1, "A", 0, 1)]
    drawn = [stream(s, n, m, purpose=p).random(8) for s, n, m, p in keys]
    values = np.concatenate(drawn)
    assert len(np.unique(values)) == len(values)
    assert np.array_equal(drawn[0], stream(1, "A", 0, purpose=0).random(8))


def test_regimes_persist_for_their_mean_time(weather: list[MarketMinute]) -> None:
    runs: dict[Regime, list[int]] = {regime: [] for regime in Regime}
    for regime, run in groupby(minute.regime for minute in weather):
        runs[regime].append(len(list(run)))
    for regime, lengths in runs.items():
        expected = 1 / latent.LEAVE[regime]
        assert np.mean(lengths) == pytest.approx(expected, rel=4 / math.sqrt(len(lengths))), regime
        assert len(lengths) > 30, regime


def test_a_storm_moves_more_than_a_calm(weather: list[MarketMinute]) -> None:
    moves = {
        regime: np.std([minute.moves.sum() for minute in weather if minute.regime is regime])
        for regime in Regime
    }
    assert moves[Regime.STORM] > 1.4 * moves[Regime.NORMAL]
    assert moves[Regime.NORMAL] > 1.2 * moves[Regime.CALM]


def test_the_afternoon_is_busier_than_the_night(weather: list[MarketMinute]) -> None:
    levels = np.array([minute.volatility for minute in weather]).reshape(-1, 24, 60).mean((0, 2))
    assert levels[13:18].mean() > 1.2 * levels[1:6].mean()


def test_jumps_come_a_few_a_day_and_are_followed_by_unrest(weather: list[MarketMinute]) -> None:
    # A jump is one step far beyond what its second's volatility makes of a normal number.
    steps = np.array([np.abs(minute.moves) for minute in weather])
    heat = np.array([minute.heat for minute in weather]).repeat(latent.STEPS_PER_SECOND, axis=1)
    level = np.array([minute.volatility for minute in weather])
    usual = heat * level[:, None] / math.sqrt(latent.STEPS * latent.STIR)
    jumps = np.flatnonzero((steps > 7 * usual + 0.01).any(axis=1))
    assert 30 * 1.5 < len(jumps) < 30 * 5
    quiet = jumps[(jumps > 5) & (jumps < len(level) - 5)]
    assert np.median(level[quiet + 1] / level[quiet]) > 1.5


def test_prices_have_no_drift_of_their_own() -> None:
    """Half a day from each of forty seeds: the mean log return lies within its own error."""
    ends = []
    for seed in range(40):
        market, path = MarketPath(seed, 0), symbol_path(seed)
        for index in range(DAY_MINUTES // 4):
            minute = path.minute(index, market.minute(index))
        ends.append(math.log(minute.prices[-1] / PRICE))
    error = np.std(ends) / math.sqrt(len(ends))
    assert abs(np.mean(ends)) < 3 * error
    # ... and that error is no larger than a market of this volatility explains.
    assert np.std(ends) < 3 * SIGMA * math.sqrt(DAY_MINUTES / 4)


def test_a_displaced_price_is_pulled_home_slowly() -> None:
    path = symbol_path(1, market_weight=1.0)  # without noise of its own
    price = path.minute(0, still_minute(move=200.0)).prices[-1]
    away = math.log(price / PRICE)
    assert away > 0.08
    minutes = 2000
    for index in range(1, minutes + 1):
        price = path.minute(index, still_minute()).prices[-1]
    expected = away * math.exp(-minutes / latent.HOME_MINUTES)
    assert math.log(price / PRICE) == pytest.approx(expected, rel=1e-4)


def settlements(start_ns: int, minutes: int) -> tuple[list[SymbolMinute], list[tuple[int, float]]]:
    market, path = MarketPath(5, start_ns), symbol_path(5, start_ns=start_ns)
    made = [path.minute(index, market.minute(index)) for index in range(minutes)]
    settled = [
        (start_ns + index * latent.MINUTE_NS + minute.funding[0], minute.funding[1])
        for index, minute in enumerate(made)
        if minute.funding is not None
    ]
    return made, settled


@pytest.mark.parametrize("start_ns", [0, 1, 59_999_999_999, 7 * 3600 * 10**9 + 12_345])
def test_funding_is_the_mean_premium_and_is_settled_at_the_venues_hours(start_ns: int) -> None:
    made, settled = settlements(start_ns, 2 * DAY_MINUTES)
    assert all(ts % latent.FUNDING_NS == 0 for ts, _ in settled)
    assert np.all(np.diff([ts for ts, _ in settled]) == latent.FUNDING_NS)
    paid_at = [index for index, minute in enumerate(made) if minute.funding is not None]
    premiums = np.array([minute.premium for minute in made])
    for (_, rate), before, last in zip(settled[1:], paid_at, paid_at[1:], strict=False):
        assert rate == pytest.approx(premiums[before + 1 : last + 1].mean(), abs=1e-8)


def test_funding_takes_the_sign_of_the_premium() -> None:
    _, settled = settlements(0, 20 * DAY_MINUTES)
    rates = np.array([rate for _, rate in settled])
    assert 0.02 < (rates < 0).mean() < 0.4  # longs pay more often, as they do
    assert np.corrcoef(rates[1:], rates[:-1])[0, 1] > 0.4
    assert np.abs(rates).max() < latent.FUNDING_RATE_MAX
