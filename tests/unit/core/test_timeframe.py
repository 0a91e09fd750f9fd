# SPDX-License-Identifier: Apache-2.0
"""Names of bar lengths."""

from __future__ import annotations

import pytest

from hean.core.timeframe import DAY_NS, timeframe_ns
from hean.errors import ParameterInvalid


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("1s", 1), ("1m", 60), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("9999m", 599_940)],
)
def test_a_name_is_its_length(name: str, seconds: int) -> None:
    assert timeframe_ns(name) == seconds * 1_000_000_000


def test_a_day_is_a_day() -> None:
    assert timeframe_ns("1d") == timeframe_ns("24h") == DAY_NS


@pytest.mark.parametrize(
    "name", ["", "m", "0m", "01m", "-1m", "1.5m", "1 m", "1M", "1w", "m1", "10000m", "1m\n", "1١m"]
)
def test_anything_else_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ParameterInvalid, match="15m"):
        timeframe_ns(name)
