# SPDX-License-Identifier: Apache-2.0
"""`loop.py`: the event loop of every command that talks to sockets. It is uvloop's where there is
one, which takes a loopback message in a quarter of the time; elsewhere Python's own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on the fast loop."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)
