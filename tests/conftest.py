# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference papers and recorded data; `HEAN_SHARED`, or beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("HEAN_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no reference folder at {folder}; set HEAN_SHARED")
    return folder
