# SPDX-License-Identifier: Apache-2.0
"""One browser for all tests of a file: each gets a context of its own in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from page_desk import chromium


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Any]:
    """Chromium."""
    async with chromium() as found:
        yield found
