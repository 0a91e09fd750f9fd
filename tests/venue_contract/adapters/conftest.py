# SPDX-License-Identifier: Apache-2.0
"""Desks at the twins: one for each venue and market, all under the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from venue_contract.adapters.trading_desk import MARKETS, Desk
from venue_contract.twin_process import TwinProcess


@pytest.fixture(params=MARKETS, ids=lambda pair: "-".join(pair))
def at(request: pytest.FixtureRequest) -> tuple[TwinProcess, str]:
    """A twin and one of its markets."""
    venue, market = request.param
    return request.getfixturevalue(venue), market


@pytest.fixture
async def desk(at: tuple[TwinProcess, str]) -> AsyncIterator[Desk]:
    """An adapter that is ready."""
    async with Desk(*at) as desk:
        yield desk
