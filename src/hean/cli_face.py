# SPDX-License-Identifier: Apache-2.0
"""What `demo` and `serve` share: the face of an engine on a port, from the first sign of life to a
clean end, whoever or whatever ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hean.api.face import Face
from hean.api.permissions import Role
from hean.api.server import Bind
from hean.config import Settings
from hean.engine import EngineFacade
from hean.engine.facade import FAILED
from hean.errors import EnvironmentFault
from hean.watchdog import end_on_signals

PORT = 8000
LOOK_S = 0.5
PortOption = Annotated[int, typer.Option(min=0, max=65_535, help="Of the API; 0 is any free one.")]


async def serve(
    facade: EngineFacade,
    data_dir: Path,
    settings: Settings,
    bind: Bind,
    *,
    starts: bool,
    duration_s: float | None,
    tell: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C, TERM or the end of *duration_s*, or, where it *starts* the engine itself,
    until that fails. *tell*: words for people. *Raises*: `EnvironmentFault`.
    """
    face = Face(facade, data_dir, settings, bind)
    new = face.api.access.tokens.ensure_admin()
    await face.start()
    try:
        tell(f"API on {face.server.url} (what it offers: {face.server.url}/docs).")
        tell(f"admin token: {new}" if new else "tokens: hean token list.")
        if face.has_page:
            tell(f"page, for five minutes and once: {face.link(Role.ADMIN)}")
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        end_on_signals(ended)
        if duration_s is not None:
            loop.call_later(duration_s, ended.set)
        watching = None
        if starts:
            facade.start()
            watching = loop.create_task(_tell_failure(facade, ended))
        await ended.wait()
        if watching is not None:
            watching.cancel()
        await facade.stop()
    finally:
        await face.stop()
    if facade.state == FAILED:
        raise EnvironmentFault(f"the engine ended: {facade.status().error}")


async def _tell_failure(facade: EngineFacade, ended: asyncio.Event) -> None:
    """An engine that was stopped by a person may be started again; one that failed ends it all."""
    while True:
        await facade.ended()
        if facade.state == FAILED:
            ended.set()
            return
        await asyncio.sleep(LOOK_S)
