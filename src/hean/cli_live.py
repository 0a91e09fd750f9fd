# SPDX-License-Identifier: Apache-2.0
"""`hean live`: a strategy with money. Options, variables and file become settings as for `hean
paper`; then one trading process lives until Ctrl-C or TERM. Nothing new leaves before every factor
of the live gate is there, the last of them a phrase that is typed for this very start: on the
standard input, or through the control socket.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from hean.cli_alert_line import AlertLine, alerting
from hean.cli_beside import ApiOption, NoApiOption, face_beside, port_of
from hean.cli_common import DebugOption, JsonOption, run_command, say, write_json
from hean.cli_judges import JudgeOptions
from hean.cli_session import SessionOptions, with_options
from hean.cli_settings import account_of, is_logged
from hean.cli_strategy import blamed, build_strategy, keep_population, population_lock
from hean.config import Settings, Source, keys_of, live_endpoints_of, live_market, signer_of
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.live.alarms import Alarms, say_on
from hean.live.engine import LiveEngine
from hean.live.factors import configured
from hean.live.guard import Watching, job_of
from hean.live.parts import real_parts
from hean.live.settings import LiveSettings
from hean.net.loop import run as run_loop
from hean.observe.logs import log_events
from hean.risk.levels import RUN
from hean.risk.triggers import KillLimits
from hean.watchdog import Watchdog, end_on_signals

BUILD_S = 30.0  # to import and construct a strategy
DIRECTORY_MODE = 0o700
PHRASE_LENGTH_MAX = 200
STANDARD_ERROR = 2

KeepOption = Annotated[
    bool, typer.Option("--keep-orders", help="Leave open orders at the venue at the end.")
]
DeadManOption = Annotated[
    int | None,
    typer.Option(
        "--dead-man",
        metavar="S",
        min=10,
        max=600,
        help="The venue cancels everything, protective stops too, after so long without HEAN.",
    ),
]


WatchdogOption = Annotated[
    bool,
    typer.Option(
        "--watchdog/--no-watchdog",
        help="Start a process beside this one that takes orders back when this one is silent.",
    ),
]


class Policy(StrEnum):
    """What the watchdog does when the trading process is silent."""

    CANCEL = "cancel"
    FLATTEN = "flatten"


SilentOption = Annotated[
    Policy, typer.Option("--silent", help="What the watchdog does then: protective stops stay.")
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "live",
        epilog="Example: LIVE_CONFIRM=YES hean live --testnet --config hean.toml. The file says "
        "dry_run = false; the phrase is typed when it is asked for. Keys, addresses, limits: "
        "hean settings. Stop it: Ctrl-C, or hean kill.",
    )(live)


@run_command
@with_options
def live(
    session: SessionOptions,
    judges: JudgeOptions,
    *,
    keep_orders: KeepOption = False,
    dead_man: DeadManOption = None,
    watchdog: WatchdogOption = True,
    silent: SilentOption = Policy.CANCEL,
    api: ApiOption = None,
    no_api: NoApiOption = False,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Trade with money, through every gate."""
    known = session.settings(**judges.given())
    port = port_of(api, no_api, known)
    settings = live_settings(
        known, keeps_orders=keep_orders, dead_man_s=dead_man, is_watched=watchdog
    )
    guard = _guard(settings, known, silent) if watchdog else None
    prepare_directory(settings.data_dir)
    with _population_held(settings), face_beside(port, known, session.config):
        summary = _trade(settings, known, guard, is_quiet=session.quiet, json_to=json_to)
    if json_to is not None:
        write_json(summary, json_to)


def live_settings(
    known: Settings,
    *,
    keeps_orders: bool = False,
    dead_man_s: int | None = None,
    is_watched: bool = True,
) -> LiveSettings:
    """What the process is to do. Cash counts only when somebody gave it, and a watchdog is missed
    only where there is to be one. *Raises*: `ParameterInvalid`, also for what live cannot do yet.
    """
    account = account_of(known)
    if account.memory is not None:
        raise ParameterInvalid(
            "memory: live trading would forget at a restart which contexts lose, and allow them "
            "again; leave it out. hean backtest and hean paper have it."
        )
    if "cash" not in known.origins or known.origins["cash"].source is Source.DEFAULT:
        account = msgspec.structs.replace(account, cash=Decimal(0))
    return LiveSettings(
        known.exchange,
        live_market(known),
        "testnet" if known.testnet else "mainnet",
        known.symbols,
        known.strategy.name or "",
        live_directory(known),
        account_id=known.account_id or "",
        given=dict(known.strategy.params),
        account=account,
        seed=known.seed,
        bar=known.bar,
        depth=known.depth,
        dead_man_s=dead_man_s,
        keeps_orders=keeps_orders,
        kill_limits=kill_limits(known, is_watched=is_watched),
        model=str(known.ml_model_path or ""),
        model_timeout_ms=known.ml_inference_timeout,
        queue_max=known.event_max_queue_size,
        workers=known.event_worker_count,
        batch=known.event_batch_size,
    )


def kill_limits(known: Settings, *, is_watched: bool) -> KillLimits:
    """What stops trading by itself; losses as the order engine's own limits have them."""
    losses = (known.limits.daily_loss_fraction_max, known.limits.drawdown_fraction_max)
    daily, drawdown = (None if loss is None else float(loss) for loss in losses)
    limits = KillLimits(daily_loss_fraction=daily, drawdown_fraction=drawdown)
    return limits if is_watched else msgspec.structs.replace(limits, watchdog_s=None)


def _population_of(settings: LiveSettings) -> Path:
    return Path(str(settings.given.get("population", "")))


def _population_held(settings: LiveSettings) -> AbstractContextManager[None]:
    """For whoever trades a population: nobody else writes its file meanwhile."""
    path = _population_of(settings)
    return population_lock(path) if path.is_file() else nullcontext()


def _guard(settings: LiveSettings, known: Settings, silent: Policy) -> Watching:
    """What starts the watchdog. *Raises*: `ParameterInvalid` for what it could not do."""
    policy: Literal["cancel", "flatten"] = "flatten" if silent is Policy.FLATTEN else "cancel"
    job = job_of(settings, live_endpoints_of(known), policy=policy)
    job.check()
    return Watching(job, keys_of(known))


def live_directory(known: Settings) -> Path:
    """Where journal, latch and control socket of this market lie."""
    role = "testnet" if known.testnet else "mainnet"
    return known.data_dir.expanduser() / "live" / f"{known.exchange}-{live_market(known)}-{role}"


def prepare_directory(path: Path) -> None:
    """Make it, readable by its owner alone. *Raises*: `EnvironmentFault` naming what is wrong."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror or error}.") from error
    if mode & 0o077:
        raise EnvironmentFault(
            f"{path} has mode {mode:o}; others may read or write it. It holds the truth about "
            f"money: chmod 700 {path}"
        )


def _trade(
    settings: LiveSettings,
    known: Settings,
    guard: Watching | None,
    *,
    is_quiet: bool,
    json_to: str | None,
) -> dict[str, Any]:
    endpoints, signer = live_endpoints_of(known), signer_of(known)
    if signer is None:
        raise ParameterInvalid(
            f"no key of {known.exchange}; give {known.exchange.upper()}_API_KEY and "
            f"{known.exchange.upper()}_API_SECRET, or each as a file with _FILE."
        )
    with Watchdog(BUILD_S) as watchdog:
        strategy = build_strategy(
            settings.strategy, settings.symbols, settings.given, watchdog=watchdog
        )
    keep_population(strategy, _population_of(settings))
    engine = LiveEngine(
        settings,
        strategy,
        endpoints=endpoints,
        signer=signer,
        parts=real_parts(),
        configured=configured(known),
    )
    if not is_quiet:
        place = f"{endpoints.venue} {endpoints.market} {settings.role}"
        say(f"LIVE trading on {place}: connecting. Ctrl-C ends it.", json_to=json_to)
    with blamed(strategy, watchdog, spec=settings.strategy):
        return run_loop(_life(engine, known, guard, is_quiet=is_quiet))


async def _life(
    engine: LiveEngine,
    known: Settings,
    guard: Watching | None,
    *,
    is_quiet: bool,
) -> dict[str, Any]:
    ended = asyncio.Event()
    end_on_signals(ended)
    if known.duration is not None:
        asyncio.get_running_loop().call_later(float(known.duration), ended.set)
    place = f"live on {engine.endpoints.venue} {engine.endpoints.market} {engine.settings.role}"
    async with alerting(known, place) as alerts:

        def ready() -> None:
            if not is_quiet:
                Alarms(partial(say_on, STANDARD_ERROR)).listen(engine.bus)
            if is_logged(known):
                log_events(engine.bus)
            if alerts is not None:
                alerts.listen(engine.bus)
                _tell_start(engine, alerts)
            if guard is not None:
                guard.start()
            _listen(engine, is_quiet=is_quiet)

        engine.on_ready = ready
        engine.on_rekeyed = guard.rekey if guard is not None else None
        await engine.run(ended)
        if alerts is not None:
            alerts.say("ended", "stopped in order")
    return engine.summary()


def _tell_start(engine: LiveEngine, alerts: AlertLine) -> None:
    """That it began; and the latch, which was there before anybody listened."""
    alerts.say("started", _status_line(engine))
    latched = engine.safety.killswitch.latched
    if latched.level != RUN:
        alerts.say("kill_switch", f"still {latched.level} by {latched.actor}: {latched.reason}")


def _listen(engine: LiveEngine, *, is_quiet: bool) -> None:
    """The account has been compared: say so, and take the phrase from the standard input."""
    if not is_quiet:
        typer.echo(_status_line(engine), err=True)
    if sys.stdin is None or sys.stdin.closed:
        return
    loop = asyncio.get_running_loop()

    def typed() -> None:
        line = sys.stdin.readline(PHRASE_LENGTH_MAX)
        if not line:
            loop.remove_reader(sys.stdin.fileno())
            return
        engine.safety.gate.confirm(line.rstrip("\n"))
        if not is_quiet:
            typer.echo(_status_line(engine), err=True)

    try:
        loop.add_reader(sys.stdin.fileno(), typed)
    except (OSError, ValueError):
        return  # no terminal and no pipe: the phrase comes through the control socket


def _status_line(engine: LiveEngine) -> str:
    safety = engine.safety
    why = safety.gate.why or safety.killswitch.objection(False)
    state = f"nothing new leaves: {why}" if why else "trading"
    line = f"account {engine.account_id or 'unknown'}, epoch {engine.epoch}: {state}"
    latched = safety.killswitch.latched
    if latched.level == RUN:
        return line
    stop = f"{latched.level} by {latched.actor or 'unknown'}: {latched.reason}"
    return f"{line}\nthe kill switch is at {stop} (hean kill --release, once that is looked at)"
