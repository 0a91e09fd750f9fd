# SPDX-License-Identifier: Apache-2.0
"""`hean demo`: a first look: an engine on a generated market with its API, a live table, and the
report at its end.
"""

from __future__ import annotations

import asyncio
import logging
import random
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hean.api.face import Face
from hean.api.job_requests import BacktestAsked
from hean.api.jobs import begin_backtest
from hean.api.permissions import Role
from hean.api.problems import Refused
from hean.backtest.report import render_report
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.cli_face import PortOption, latch_in, serve
from hean.cli_paper import steady_now
from hean.cli_screen import can_browse, shower
from hean.cli_settings import settings_from
from hean.cli_table import summary_table
from hean.demo import DemoEngine, DemoSettings
from hean.engine import EngineFacade
from hean.engine.on_paper import OnPaper
from hean.errors import HeanError
from hean.jobs.sample import made
from hean.net.bind import Bind
from hean.net.loop import run as run_loop

REPORT = "demo-report.html"
FIRST = "a first backtest, on a made-up market"
PARAMETERS = {
    "horizon": 10,
    "window": 60,
    "threshold": 1.5,
    "volume_z": 0.0,
    "calm_max": 10.0,
    "atr": 30,
    "hold": 90,
}
"""Of the first backtest: fit for three days of minutes, and chosen for nothing else."""

log = logging.getLogger("hean.demo")


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("demo", epilog="Example: hean demo --duration 60 --port 8000 --seed 7")(demo)


@run_command
def demo(
    *,
    duration: Annotated[
        float | None, typer.Option(help="Seconds of trading; without it until Ctrl-C.", min=1)
    ] = None,
    speed: Annotated[float, typer.Option(help="Market seconds per second.", min=1, max=3600)] = 30,
    seed: Annotated[int, typer.Option(help="Seed of the generated market.", min=0)] = 7,
    port: PortOption = None,
    report: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    browser: Annotated[
        bool, typer.Option(help="Open the page at the start, and the report at the end.")
    ] = True,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Trade on paper, on a generated market, right now: no key, no account, no server."""
    folder = data_dir.expanduser()
    target = report or folder / REPORT
    target.parent.mkdir(parents=True, exist_ok=True)
    known, settings, now = settings_from({}, None), DemoSettings(speed, seed), steady_now()
    with ExitStack() as stack:
        show = shower(stack)

        def make() -> DemoEngine:
            engine = DemoEngine(settings, now=now, rng=random.SystemRandom())
            engine.show = show
            return engine

        facade = EngineFacade(lambda: OnPaper(make(), now=now), now=now, latch=latch_in(folder))
        say(f"PAPER trading on {make().origin}. Ctrl-C ends it with a report.", json_to=json_to)
        run_loop(
            serve(
                facade,
                folder,
                known,
                Bind(port=known.hean_api_port if port is None else port),
                starts=True,
                duration_s=duration,
                of_trading=True,
                tell=lambda words: say(words, json_to=json_to),
                beside=lambda face: _beside(face, folder, seed, opens=browser and can_browse()),
            )
        )
    if facade.result is None:
        raise KeyboardInterrupt  # before it had begun
    summary, record = facade.result
    write_whole(target, render_report(summary, record))
    if json_to is not None:
        write_json(summary, json_to)
    table_console(json_to).print(summary_table(summary))
    say(f"report: {target}", json_to=json_to)
    if browser and can_browse():
        webbrowser.open(target.as_uri())


async def _beside(face: Face, folder: Path, seed: int, *, opens: bool) -> None:
    """What a newcomer should find: the page in front of them, and a report in it."""
    if opens and face.has_page:
        await asyncio.to_thread(webbrowser.open, face.link(Role.ADMIN))
    await _first_backtest(face, folder, seed)


async def _first_backtest(face: Face, folder: Path, seed: int) -> None:
    """So that there is a report to open: one backtest on a made-up market, as anybody's job."""
    if any(job.title == FIRST for job in face.jobs.list()):
        return
    try:
        market = await made(folder, seed)
        asked = BacktestAsked(
            strategy="impulse", symbols=[market.symbol], data=[market.id], params=PARAMETERS,
            title=FIRST,
        )  # fmt: skip
        await begin_backtest(face.jobs, asked, folder)
    except (HeanError, OSError, Refused) as error:  # the demo does without
        log.warning("no first backtest: %s", error)
