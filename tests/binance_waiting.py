# SPDX-License-Identifier: Apache-2.0
"""For contract tests of other people's Binance clients: prices near the market, ids nobody used,
and waiting for a condition instead of for luck.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 60.0  # a shared machine stalls; a condition that holds is seen at once
WINDOW_MS = 60_000  # in which a signed request is taken; the exchange allows no wider one


def new_id() -> str:
    """A client order id."""
    return f"t-{uuid.uuid4().hex[:20]}"


def near(price: float, factor: float) -> str:
    """A price on the tick, some way from the market."""
    return f"{price * factor:.2f}"


async def take(read: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], what: str) -> Any:
    """Read messages until one is wanted. *Returns*: it."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await read()
                if wanted(message):
                    return message
    except TimeoutError:
        raise AssertionError(f"in {PATIENCE_S:g} s not seen: {what}") from None
