# SPDX-License-Identifier: Apache-2.0
"""`hean.indicators` from Python: one behaviour for every class, found by walking the module."""

from __future__ import annotations

import inspect
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean import errors, filters
from hean import indicators as ind

CLASSES = {name: getattr(ind, name) for name in ind.__all__ if name != "five"}


def make(name: str) -> Any:
    if name == "RangeVolatility":
        return ind.RangeVolatility("yang_zhang", 5, bars_per_year=365)
    if name == "GarchVariance":
        parameters = filters.GarchParameters(omega=1.0, alpha=0.1, beta=0.8)
        return ind.GarchVariance(parameters, 10.0)
    needs_period = inspect.signature(CLASSES[name]).parameters.get("period")
    is_required = needs_period is not None and needs_period.default is inspect.Parameter.empty
    return CLASSES[name](5) if is_required else CLASSES[name]()


def inputs_of(name: str) -> list[str]:
    return [item for item in inspect.signature(CLASSES[name].update).parameters if item != "self"]


def columns(name: str, rows: int) -> list[np.ndarray]:
    """Plausible columns for the inputs of this indicator."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, rows)))
    open_ = np.concatenate([close[:1], close[:-1]])
    reach = random.uniform(0, 0.01, (2, rows)) * close
    table = {
        "value": close,
        "price": close,
        "close": close,
        "open": open_,
        "high": np.maximum(open_, close) + reach[0],
        "low": np.minimum(open_, close) - reach[1],
        "volume": random.uniform(0, 10, rows),
        "minute": 15.0 * np.arange(rows),
        "elapsed_s": random.exponential(60.0, rows),
    }
    return [table[column] for column in inputs_of(name)]


every_indicator = pytest.mark.parametrize("name", CLASSES)


@every_indicator
def test_value_is_nan_during_warm_up_and_ready_only_when_settled(name: str) -> None:
    indicator = make(name)
    assert math.isnan(indicator.value) and not indicator.ready() and indicator.n_seen == 0
    rows = zip(*columns(name, indicator.settled), strict=True)
    for count, row in enumerate(rows, start=1):
        answer = indicator.update(*row)
        if name != "Five":
            assert answer == indicator.value or math.isnan(answer) and math.isnan(indicator.value)
        assert indicator.n_seen == count
        assert indicator.ready() == (count >= indicator.settled)


@every_indicator
def test_batch_in_pieces_into_given_memory_equals_the_whole(name: str) -> None:
    data = columns(name, 400)
    whole = make(name).batch(*data)
    pieces = make(name)
    out = np.full_like(whole, 7.0)
    first = pieces.batch(*(column[:150] for column in data))
    second = pieces.batch(*(column[150:] for column in data))
    assert make(name).batch(*data, out=out) is out
    assert out.tobytes() == whole.tobytes()
    assert np.concatenate([first, second], axis=-1).tobytes() == whole.tobytes()


@every_indicator
def test_snapshot_restores_the_same_future(name: str) -> None:
    data = columns(name, 300)
    original, restored = make(name), make(name)
    original.batch(*(column[:123] for column in data))
    restored.restore(original.snapshot())
    assert restored.n_seen == 123
    rest = [column[123:] for column in data]
    assert restored.batch(*rest).tobytes() == original.batch(*rest).tobytes()
    assert restored.snapshot() == original.snapshot()


@every_indicator
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_and_changes_nothing(name: str, bad: float) -> None:
    data = columns(name, 50)
    indicator = make(name)
    indicator.batch(*data)
    before = indicator.snapshot()
    with pytest.raises(errors.NumberNotFinite, match=inputs_of(name)[-1]):
        indicator.update(*(float(column[0]) for column in data[:-1]), bad)
    data[-1] = data[-1].copy()
    data[-1][[17, 30]] = bad
    with pytest.raises(errors.NumberNotFinite, match="at index 17"):
        indicator.batch(*data)
    assert indicator.snapshot() == before


@every_indicator
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_columns_shorter_than_the_window_are_no_error(name: str, rows: int) -> None:
    result = make(name).batch(*columns(name, rows))
    assert result.shape[-1] == rows


@every_indicator
def test_every_class_is_described(name: str) -> None:
    assert CLASSES[name].__doc__
    assert f"`{name}`" in (ind.__doc__ or "")


@pytest.mark.promise(201)
def test_five_streams_what_it_computes_in_a_batch() -> None:
    (prices,) = columns("Five", 500)
    stream = ind.Five()
    names = ("sma", "ema", "rsi", "macd", "signal", "histogram", "upper", "lower")
    rows = []
    for price in prices.tolist():
        assert stream.update(price) is None
        rows.append([getattr(stream, name) for name in names])
    assert np.array(rows).T.tobytes() == ind.five(prices).tobytes()
    out = np.empty((8, 500))
    assert ind.five(prices, out) is out


@pytest.mark.promise(189)
def test_five_indicators_take_less_than_a_millisecond_for_a_thousand_candles() -> None:
    (prices,) = columns("Five", 1_000)

    def seconds() -> float:
        start = time.thread_time()  # of this thread: others may hold it up
        ind.five(prices)
        return time.thread_time() - start

    assert min(seconds() for _ in range(20)) < 1e-3


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty(9), errors.ParameterInvalid),
        (np.empty((1, 10)), errors.ParameterInvalid),
        (np.empty(20)[::2], errors.ParameterInvalid),
        (np.empty(10, dtype=np.float32), TypeError),
    ],
)
def test_memory_of_another_shape_is_refused(out: np.ndarray, error: type[Exception]) -> None:
    average = ind.SMA(3)
    with pytest.raises(error):
        average.batch(np.ones(10), out=out)
    assert average.n_seen == 0


def test_columns_may_not_be_their_own_result() -> None:
    prices = np.ones(10)
    with pytest.raises((TypeError, RuntimeError)):
        ind.SMA(3).batch(prices, out=prices)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(errors.DataInvalid, match="length"):
        ind.ATR(3).batch(np.ones(4), np.ones(5), np.ones(4))


@pytest.mark.parametrize(
    "build",
    [
        lambda: ind.SMA(0),
        lambda: ind.MACD(26, 12, 9),
        lambda: ind.Bollinger(20, -1.0),
        lambda: ind.RollingStd(1, ddof=1),
        lambda: ind.RangeVolatility("hodges", 20, bars_per_year=365),
        lambda: ind.RangeVolatility("close", 20, bars_per_year=0),
    ],
)
def test_parameters_outside_their_range_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(errors.ParameterInvalid):
        build()


def test_vwap_of_a_session_starts_anew() -> None:
    vwap = ind.VWAP()
    assert math.isnan(vwap.update(10.0, 0.0))
    assert vwap.update(10.0, 1.0) == 10.0
    assert vwap.update(20.0, 3.0) == 17.5
    vwap.restart()
    assert vwap.update(30.0, 2.0) == 30.0
    rolling = ind.VWAP(2)
    assert rolling.batch(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 3.0]))[1:].tolist() == [
        1.5,
        3.5,
    ]


def test_long_columns_are_computed_without_the_gil() -> None:
    """A thread that only counts must get on while a long batch runs; a busy machine gets tries."""
    prices = np.random.default_rng(3).normal(100, 1, 1_000_000)
    out = np.empty((8, prices.size))
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1

    def counted_meanwhile() -> int:
        before = counted[0]
        ind.five(prices, out)
        return counted[0] - before

    thread = threading.Thread(target=count)
    thread.start()
    try:
        assert max(counted_meanwhile() for _ in range(20)) > 1_000
    finally:
        done.set()
        thread.join()


@given(
    values=st.lists(st.floats(-1e9, 1e9), max_size=80),
    period=st.integers(1, 30),
)
def test_rolling_extremes_equal_the_plain_ones(values: list[float], period: int) -> None:
    data = np.array(values, dtype=float)
    low, high = ind.RollingMin(period).batch(data), ind.RollingMax(period).batch(data)
    for at in range(len(values)):
        window = values[max(0, at + 1 - period) : at + 1]
        if len(window) < period:
            assert math.isnan(low[at]) and math.isnan(high[at])
        else:
            assert (low[at], high[at]) == (min(window), max(window))
