# SPDX-License-Identifier: Apache-2.0
"""Twins for the market-data service, one of each exchange, calmed after every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from venue_contract.twin_process import TwinProcess

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs a server."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def bybit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """A running Bybit twin."""
    with TwinProcess("bybit", tmp_path_factory.mktemp("bybit_twin")) as twin:
        yield twin


@pytest.fixture(scope="session")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """A running Binance twin."""
    with TwinProcess("binance", tmp_path_factory.mktemp("binance_twin")) as twin:
        yield twin


@pytest.fixture(autouse=True)
def calm_twins(request: pytest.FixtureRequest) -> Iterator[None]:
    """No dial outlives its test."""
    yield
    for name in ("bybit", "binance"):
        if name in request.fixturenames:
            request.getfixturevalue(name).control.post("calm")
