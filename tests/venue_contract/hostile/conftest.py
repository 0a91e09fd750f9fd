# SPDX-License-Identifier: Apache-2.0
"""Twins to be attacked: of their own, without rate limits, with a market that stands nearly still,
so that whatever changes was changed by the attack.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from venue_contract.hostile.attack import Attacker
from venue_contract.twin_process import TwinProcess

STILL = ("--limits-scale", "1000000", "--speed", "0.001")


@pytest.fixture(scope="session", params=["bybit", "binance"])
def victim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwinProcess]:
    """A twin of each venue."""
    with TwinProcess(request.param, tmp_path_factory.mktemp(request.param), *STILL) as twin:
        yield twin


@pytest.fixture
def attacker(victim: TwinProcess) -> Iterator[Attacker]:
    """Somebody at its door."""
    found = Attacker(victim)
    yield found
    found.close()
