# SPDX-License-Identifier: Apache-2.0
"""`hean serve`: the API, with an engine that stands still until somebody starts it. Which one is
said by the options of `hean paper`; without a strategy it is that of the demo.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from hean.api.face import Face
from hean.backtest.sharing import Sharing
from hean.cli_beside import ATTENDED, IF_TAKEN, NICE
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    DataDirOption,
    DebugOption,
    run_command,
    say,
    write_json,
)
from hean.cli_face import PortOption, latch_in, serve
from hean.cli_judges import JudgeOptions
from hean.cli_live import live_directory
from hean.cli_output import OTHER_NAME, check_target
from hean.cli_paper import TIMEOUT_S, attend_bus, session_settings, steady_now
from hean.cli_session import SessionOptions, with_options
from hean.cli_several import DivisionOptions, build_all
from hean.config import Settings, endpoints_of, places_of, require
from hean.demo import DemoEngine, DemoSettings
from hean.engine import EngineFacade
from hean.engine.on_paper import OnPaper
from hean.engine.port import Engine
from hean.follow.following import Following
from hean.net.bind import OTHER_PORT, Bind
from hean.net.loop import run as run_loop
from hean.paper import Paper
from hean.risk.live_gate import Role
from hean.watchdog import Watchdog

HostOption = Annotated[
    str, typer.Option(help="Where it listens; beyond loopback only with TLS and --public.")
]
CertificateOption = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS, PEM.")]
KeyOption = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Its key, PEM.")]
LiveOption = Annotated[
    bool,
    typer.Option(
        "--live", help="Show and command the hean live of --exchange, --market and --testnet."
    ),
]
AttendedOption = Annotated[
    bool, typer.Option(ATTENDED, hidden=True, help="End when the standard input does.")
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write, once it listens, where that is."),
]
LinkOption = Annotated[
    bool,
    typer.Option(
        "--link",
        help="Print a link that logs in once, as on a terminal, also where the output is a log.",
    ),
]
PublicOption = Annotated[bool, typer.Option("--public", help="Allow an address beyond loopback.")]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "serve",
        epilog="Example: hean serve --port 8000 --exchange bybit --strategy impulse "
        "--symbols BTCUSDT; then POST /engine/start with a token of hean token create. Beside a "
        "hean live: hean serve --live --config hean.toml, with the same file. Exit "
        "codes: 0 ended by Ctrl-C or --duration; 2 a bad option; 3 port taken.",
    )(serve_command)


@run_command
@with_options
def serve_command(
    session: SessionOptions,
    judges: JudgeOptions,
    division: DivisionOptions,
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    public: PublicOption = False,
    link: LinkOption = False,
    live: LiveOption = False,
    attended: AttendedOption = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """The API of an engine that is started and stopped over it, or of a hean live beside it."""
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=_is_ours, remedy=OTHER_NAME)
    sharing = session.sharing(division.settings())
    known = session.any_settings(sharing, **judges.given())
    now = steady_now()
    with ExitStack() as stack:
        watchdog = stack.enter_context(Watchdog(TIMEOUT_S))
        make = _follower(known, now) if live else _maker(known, sharing, watchdog, now)
        folder = data_dir.expanduser()
        facade = EngineFacade(make, now=now, latch=None if live else latch_in(folder))
        at = known.hean_api_port if port is None else port
        if_taken = IF_TAKEN if attended else OTHER_PORT

        def is_up(face: Face) -> None:
            if json_to is not None:
                write_json(_place(face, folder), json_to, force=True)

        run_loop(
            serve(
                facade,
                folder,
                known,
                Bind(host, at, certificate, key, public, if_taken),
                starts=live,
                rings=not live,
                links=link or sys.stdout.isatty(),
                is_attended=attended,
                duration_s=None if known.duration is None else float(known.duration),
                tell=lambda words: say(words, json_to=json_to),
                on_up=is_up,
            )
        )


def _place(face: Face, folder: Path) -> dict[str, Any]:
    """Where it is, without a secret."""
    return {
        "url": face.server.url,
        "port": face.server.port,
        "has_page": face.has_page,
        "data_dir": str(folder),
    }


def _is_ours(path: Path) -> bool:
    """Whether a file holds what an earlier run of this command wrote."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "has_page" in found


def _follower(known: Settings, now: Callable[[], int]) -> Callable[[], Engine]:
    """Follows the trading process of this market, whether it runs already or not. The processor is
    its before it is ours.
    """
    os.nice(max(0, NICE - os.nice(0)))  # who was started by the trading process is that already
    folder, ends = live_directory(known), endpoints_of(known)
    role: Role = "testnet" if known.testnet else "mainnet"
    rng = random.Random()
    return lambda: Following(folder, ends, role=role, now=now, rng=rng, depth=known.depth)


def _maker(
    known: Settings, sharing: Sharing | None, watchdog: Watchdog, now: Callable[[], int]
) -> Callable[[], Engine]:
    """Makes the engine that is meant. What is wrong with it is told now. *Raises*: as `paper`."""
    if not known.strategy.name and not known.symbols:
        return lambda: OnPaper(
            DemoEngine(DemoSettings(), now=now, rng=random.SystemRandom()), now=now
        )
    require(known, "strategy.name", "symbols")
    settings, places = session_settings(known, sharing), places_of(known)

    def make() -> OnPaper:
        built, *beside = build_all(settings, watchdog)
        paper = Paper(
            places,
            settings,
            now=now,
            rng=random.Random(),
            strategy=built,
            beside=beside,
            depth=known.depth,
            market_data=known.market_data_url,
        )
        paper.on_ready.append(lambda it: attend_bus(it.system.bus, known))
        return OnPaper(paper, now=now)

    make()
    return make
