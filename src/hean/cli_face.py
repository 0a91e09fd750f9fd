# SPDX-License-Identifier: Apache-2.0
"""What `demo`, `serve` and `paper` share: the face of an engine on a port, from the first sign of
life to a clean end, whoever or whatever ends it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from hean.api.face import Face
from hean.api.permissions import Role
from hean.cli_alert_line import AlertLine, alerting
from hean.config import Settings
from hean.engine import EngineFacade
from hean.engine.port import FAILED, Seen
from hean.errors import EnvironmentFault
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.net.bind import Bind
from hean.watchdog import end_on_signals

LOOK_S = 0.5
PORT_S = 10.0  # the page of a trading process that was killed may still have to let go of its port
LATCH = "paper.latch"
PortOption = Annotated[
    int | None,
    typer.Option(
        min=0, max=65_535, help="Of the API; 0 is any free one. Default: HEAN_API_PORT, 8000."
    ),
]


def latch_in(folder: Path) -> Latch:
    """Where the kill switch of engines on paper is kept over the end of the process."""
    return Latch(folder / LATCH, read_file, write_file)


async def serve(
    facade: EngineFacade,
    data_dir: Path,
    settings: Settings,
    bind: Bind,
    *,
    starts: bool,
    duration_s: float | None,
    tell: Callable[[str], None],
    of_trading: bool = False,
    is_attended: bool = False,
    is_once: bool = False,
    rings: bool = True,
    links: bool = True,
    on_up: Callable[[Face], None] = lambda _: None,
    beside: Callable[[Face], Coroutine[None, None, None]] | None = None,
) -> None:
    """Serve until Ctrl-C, TERM or the end of *duration_s*, or, where it *starts* the engine itself,
    until that fails, or, where *is_once*, ends in any way, or, where it *is_attended*, until the
    standard input ends. *of_trading*: the duration begins when the engine is ready, however long
    that takes; *tell*: words for people; *rings*: alerts leave from here, which an engine of
    another process does by itself; *links*: the words hold a link that logs in, which a log should
    not keep; *on_up*: told when the port answers; *beside*: what goes on meanwhile, and never ends
    the server. *Raises*: `EnvironmentFault`.
    """
    face = Face(facade, data_dir, settings, bind)
    tokens = face.api.access.tokens
    new = tokens.ensure_admin()
    if others := [each.id for each in tokens.all() if not tokens.counts(each)]:
        tell(
            f"{len(others)} tokens were made under another SECRET_KEY, or under none, and do not "
            "count: hean token create."
        )
    line = alerting(settings, "paper", folder=data_dir) if rings else nullcontext()
    async with line as alerts:
        if alerts is not None:
            _join(facade, alerts)
        await _serve(
            face,
            new,
            starts=starts,
            duration_s=duration_s,
            tell=tell,
            of_trading=of_trading,
            is_attended=is_attended,
            is_once=is_once,
            links=links,
            on_up=on_up,
            beside=beside,
        )
    if facade.state == FAILED:
        raise EnvironmentFault(f"the engine ended: {facade.status().error}")


def _join(facade: EngineFacade, alerts: AlertLine) -> None:
    """Every engine that the facade starts is listened to."""

    def begun(system: Seen) -> None:
        alerts.listen(system.bus)
        alerts.say("started", f"{facade.status().mode} on {facade.status().origin}")

    def ended(error: str | None) -> None:
        rule = "ended" if error is None else "engine_failed"
        alerts.say(rule, error or "stopped in order")

    facade.on_ready.append(begun)
    facade.on_end.append(ended)


async def _serve(
    face: Face,
    new: Path | None,
    *,
    starts: bool,
    duration_s: float | None,
    tell: Callable[[str], None],
    of_trading: bool,
    is_attended: bool,
    is_once: bool,
    links: bool,
    on_up: Callable[[Face], None],
    beside: Callable[[Face], Coroutine[None, None, None]] | None,
) -> None:
    facade = face.facade
    await _start(face, PORT_S if is_attended else 0.0)
    try:
        on_up(face)
        tell(f"API on {face.server.url} (what it offers: {face.server.url}/docs).")
        tell(f"admin token: {new}" if new else "tokens: hean token list.")
        if (stop := facade.killswitch()).latched:
            tell(f"the kill switch is latched at {stop.level} until a person releases it.")
        if face.has_page and links:
            tell(f"page, for five minutes and once: {face.link(Role.ADMIN)}")
        elif face.has_page:
            tell(f"page: {face.server.url}/, with a token: hean token create.")
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        going = None if beside is None else loop.create_task(beside(face))
        end_on_signals(ended)

        def lasts(_: object = None) -> None:
            if duration_s is not None:
                loop.call_later(duration_s, ended.set)

        facade.on_ready.append(lasts) if of_trading else lasts()
        if is_attended:
            loop.add_reader(sys.stdin.fileno(), ended.set)  # nobody ever writes there
        watching = None
        if starts:
            facade.start()
            watching = loop.create_task(_tell_end(facade, ended, is_once=is_once))
        await ended.wait()
        for task in (watching, going):
            if task is not None:
                task.cancel()
        await facade.stop()
    finally:
        await face.stop()


async def _start(face: Face, patience_s: float) -> None:
    """Listen, and wait so long for a port that is taken. *Raises*: `EnvironmentFault`."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + patience_s
    while True:
        try:
            await face.start()
            return
        except EnvironmentFault:
            if loop.time() >= until_s:
                raise
        await asyncio.sleep(LOOK_S)


async def _tell_end(facade: EngineFacade, ended: asyncio.Event, *, is_once: bool) -> None:
    """An engine that was stopped by a person may be started again, unless there *is* only *one*;
    one that failed ends it all.
    """
    while True:
        await facade.ended()
        if is_once or facade.state == FAILED:
            ended.set()
            return
        await asyncio.sleep(LOOK_S)
