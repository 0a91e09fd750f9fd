# SPDX-License-Identifier: Apache-2.0
"""`hean serve`: the API, with an engine that stands still until somebody starts it. Which one is
said by the options of `hean paper`; without a strategy it is that of the demo.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hean.api.server import Bind
from hean.cli_common import DATA_DIR_DEFAULT, DataDirOption, DebugOption, run_command, say
from hean.cli_face import PORT, PortOption, serve
from hean.cli_judges import JudgeOptions
from hean.cli_paper import TIMEOUT_S, session_settings, steady_now
from hean.cli_session import SessionOptions, with_options
from hean.cli_strategy import build_strategy
from hean.config import Settings, places_of, require
from hean.demo import DemoEngine, DemoSettings
from hean.engine import EngineFacade
from hean.engine.facade import Engine
from hean.net.loop import run as run_loop
from hean.paper import Paper
from hean.watchdog import Watchdog

HostOption = Annotated[
    str, typer.Option(help="Where it listens; beyond loopback only with TLS and --public.")
]
CertificateOption = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS, PEM.")]
KeyOption = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Its key, PEM.")]
PublicOption = Annotated[bool, typer.Option("--public", help="Allow an address beyond loopback.")]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "serve",
        epilog="Example: hean serve --port 8000 --exchange bybit --strategy impulse "
        "--symbols BTCUSDT; then POST /engine/start with a token of hean token create. Exit "
        "codes: 0 ended by Ctrl-C or --duration; 2 a bad option; 3 port taken.",
    )(serve_command)


@run_command
@with_options
def serve_command(
    session: SessionOptions,
    judges: JudgeOptions,
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = PORT,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    public: PublicOption = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    debug: DebugOption = False,
) -> None:
    """The API of an engine that is started and stopped over it."""
    known = session.any_settings(**judges.given())
    now = steady_now()
    with ExitStack() as stack:
        watchdog = stack.enter_context(Watchdog(TIMEOUT_S))
        facade = EngineFacade(_maker(known, watchdog, now), now=now)
        run_loop(
            serve(
                facade,
                data_dir.expanduser(),
                known,
                Bind(host, port, certificate, key, public),
                starts=False,
                duration_s=None if known.duration is None else float(known.duration),
                tell=lambda words: say(words, json_to=None),
            )
        )


def _maker(known: Settings, watchdog: Watchdog, now: Callable[[], int]) -> Callable[[], Engine]:
    """Makes the engine that is meant. What is wrong with it is told now. *Raises*: as `paper`."""
    if not known.strategy.name and not known.symbols:
        return lambda: DemoEngine(DemoSettings(), now=now, rng=random.SystemRandom())
    require(known, "strategy.name", "symbols")
    settings, places = session_settings(known), places_of(known)

    def make() -> Engine:
        built = build_strategy(
            settings.strategy, settings.symbols, settings.given, watchdog=watchdog
        )
        return Paper(
            places, settings, now=now, rng=random.Random(), strategy=built, depth=known.depth
        )

    make()
    return make
