# SPDX-License-Identifier: Apache-2.0
"""A desk for each test: the API over a counting engine, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.stand_in import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The app with a route for every row, and a token of each role."""
    return Desk(tmp_path / "data")


@pytest.fixture(scope="module")
def lasting_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The same for all tests of a file; `begin` starts one."""
    return Desk(tmp_path_factory.mktemp("data"))
