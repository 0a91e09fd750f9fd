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
