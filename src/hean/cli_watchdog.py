# SPDX-License-Identifier: Apache-2.0
"""`hean watchdog`: the small process beside `hean live`, which starts one by itself. By hand it is
started for a trading process that was told to do without, or whose watchdog has gone; whichever is
started last is on duty. It needs the same settings and the same key.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import msgspec
import typer

from hean.cli_common import DebugOption, JsonOption, run_command, write_json
from hean.cli_live import Policy, live_settings
from hean.cli_session import VenueOptions, with_options
from hean.config import live_endpoints_of, signer_of
from hean.errors import EnvironmentFault
from hean.live.diary import Diary
from hean.live.guard import INHERITED, KEY_BYTES_MAX, Job, inherited_job, job_of
from hean.live.parts import real_parts
from hean.live.watch import SILENT_S
from hean.live.watchdog import OrderWatchdog
from hean.net.loop import run as run_loop
from hean.risk.levels import RUN
from hean.venues.signing import Signer
from hean.watchdog import end_on_signals

LOG = "watchdog.log"


AfterOption = Annotated[
    float,
    typer.Option(
        "--after", metavar="S", min=2, max=600, help="Silence after which it acts, seconds."
    ),
]
PolicyOption = Annotated[
    Policy,
    typer.Option(
        "--policy", help="Cancel orders but for protective stops, or also close positions."
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "watchdog",
        epilog="Example: hean watchdog --testnet --config hean.toml. It ends when hean live has "
        "ended in order.",
    )(watchdog)


@run_command
@with_options
def watchdog(
    venue: VenueOptions,
    *,
    after: AfterOption = SILENT_S,
    policy: PolicyOption = Policy.CANCEL,
    inherited: Annotated[bool, typer.Option(INHERITED, hidden=True)] = False,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Watch a trading process; cancel its orders when it is silent."""
    if inherited:
        job, signer = inherited_job(sys.stdin.buffer.read(KEY_BYTES_MAX))
    else:
        known = venue.settings()
        settings = live_settings(known)
        job = job_of(settings, live_endpoints_of(known), policy=policy.value, after_s=after)
        signer = signer_of(known)
    job.check()
    if not job.data_dir.is_dir():
        raise EnvironmentFault(f"{job.data_dir}: no trading process was ever started there.")
    found = run_loop(_watch(job, signer))
    if json_to is not None:
        write_json(found, json_to)


async def _watch(job: Job, signer: Signer) -> dict[str, Any]:
    """Watch to the end. *Returns*: what was found last, and a stop that nobody could be told of."""
    ended = asyncio.Event()
    end_on_signals(ended)
    parts = real_parts(budget_scale=job.budget_scale)
    diary = Diary(job.data_dir / LOG, parts.now)
    watchdog = OrderWatchdog(job, signer, parts=parts, diary=diary)
    await watchdog.run(ended)
    untold = None if watchdog.wanted.level == RUN else msgspec.to_builtins(watchdog.wanted)
    return {
        "finding": watchdog.finding.value,
        "untold": untold,
        "log": str(diary.path),
        "problems": [],
    }
