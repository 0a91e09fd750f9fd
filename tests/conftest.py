# SPDX-License-Identifier: Apache-2.0
"""What every test may use: the reference data beside the project, and hypothesis profiles.

`fast` runs each time and always draws the same examples, so a red run can be repeated; `deep`
(`pytest --hypothesis-profile=deep`) searches at random and is meant for the night.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
LONG = (
    "crash/test_crash.py",
    "venue_contract/adapters/test_paper.py",
    "containers/test_stack.py",
    "monitoring/test_monitoring.py",
    "transport_contract/test_bridge.py",
    "fleet/test_services.py",
    "sim/test_seeds.py",
    "venue_contract/adapters/test_download.py",
    "page/test_screens.py",
    "fleet/test_fleet.py",
    "crash/test_kill_switch.py",
    "venue_contract/test_capture_read_back.py",
)
"""Files of a minute and more. They begin first: begun last, they would run alone at the end."""

# No deadline, and no complaint of slowness: shared machines stall, and a stall is no wrong answer.
settings.register_profile(
    "fast",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=5_000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("fast")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, all others in the order they were found."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recorded market data and reference results, kept beside the project, not inside it.

    `HEAN_SHARED` names the folder; without it `../shared` is taken. Tests that need it are
    skipped where it does not exist.
    """
    folder = Path(os.environ.get("HEAN_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("reference data not found: set HEAN_SHARED to its folder")
    return folder
