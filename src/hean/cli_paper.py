# SPDX-License-Identifier: Apache-2.0
"""`hean paper`: a strategy on a venue's live feed, with the simulated exchange for its orders. It
needs no key and sends no order. Options become settings, the session's end becomes table, JSON,
report and journal, as of a backtest; while it runs a table shows account, feed and reconnects.
"""

from __future__ import annotations

import asyncio
import random
import shlex
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import UNSET

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.assumptions import Assumptions
from hean.backtest.result import RunRecord
from hean.backtest.run import BacktestSettings
from hean.backtest.sharing import Sharing
from hean.cli_alert_line import alerting
from hean.cli_beside import ApiOption, NoApiOption, port_of
from hean.cli_common import (
    STANDARD_OUTPUT,
    DebugOption,
    run_command,
    say,
    table_console,
)
from hean.cli_face import latch_in, serve
from hean.cli_judges import JudgeOptions
from hean.cli_output import Outputs, check_target, journal_in_progress
from hean.cli_screen import is_watched, shower
from hean.cli_session import SessionOptions, with_options
from hean.cli_settings import account_of, is_logged
from hean.cli_several import DivisionOptions, blame_all, build_all
from hean.cli_strategy import Refusals
from hean.cli_table import summary_table
from hean.config import Settings, Source, places_of
from hean.core.bus import EventBus
from hean.core.journal import Journal
from hean.data.fingerprint import iso_utc
from hean.engine import EngineFacade
from hean.engine.on_paper import OnPaper
from hean.errors import EnvironmentFault, ParameterInvalid, StateError
from hean.feeds.recording import SUFFIX, SessionRecorder, finish_left
from hean.net.bind import Bind
from hean.net.loop import run as run_loop
from hean.observe.logs import log_events
from hean.paper import Paper
from hean.paper_journal import (
    finish_session_journal,
    start_recording,
    start_session_journal,
)
from hean.strategies.base import Strategy
from hean.venues.endpoints import Place
from hean.watchdog import Watchdog, end_on_signals

Life = Callable[[Paper, Settings], Coroutine[Any, Any, tuple[dict[str, Any], RunRecord]]]
TIMEOUT_S = 30.0  # of one event's handlers
IF_TAKEN = "choose another with --api PORT, or do without: --no-api"
SLIPPAGE = "half_spread=0.00005,impact=0.5"


RecordOption = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="PATH",
        help="Keep what the session is told: a folder, or FILE.jsonl.gz. hean backtest --data "
        "plays it again, hean parity compares.",
        rich_help_panel=options.RESULTS,
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "paper",
        epilog="Example: hean paper --exchange bybit --strategy impulse --symbols BTCUSDT "
        "--duration 600 --report paper.html; or hean paper --config hean.toml. Every option but "
        "those of results may stand in the file; variables, defaults and addresses: hean settings.",
    )(paper)


@run_command
@with_options
def paper(
    session: SessionOptions,
    judges: JudgeOptions,
    division: DivisionOptions,
    *,
    fees: options.FeesOption = None,
    latency: options.GivenLatency = None,
    queue: options.GivenQueue = None,
    json_to: options.JsonResultOption = None,
    report: options.ReportOption = None,
    trades: options.TradesOption = None,
    equity: options.EquityOption = None,
    journal: options.JournalOption = None,
    record: RecordOption = None,
    api: ApiOption = None,
    no_api: NoApiOption = False,
    force: options.ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Trade on paper on a live feed: real prices, simulated fills, no key."""
    more = {"fees": fees, "latency": latency, "queue": queue}
    sharing = session.sharing(division.settings())
    known = session.settings(sharing, **judges.given(), **more)
    outputs = Outputs(json_to, report, trades, equity, journal, force)
    outputs.check([])
    run = session_settings(known, sharing)
    port = port_of(api, no_api, known)
    trade(known, run, outputs, record, is_quiet=session.quiet, port=port)


def session_settings(known: Settings, sharing: Sharing | None = None) -> BacktestSettings:
    """What the run wants to know. *sharing*: of several strategies."""
    account, exact = account_of(known), _assumptions(known)
    params = dict(known.strategy.params if sharing is None else sharing.seats[0].given)
    name = known.strategy.name or ""
    return BacktestSettings(
        name,
        known.symbols,
        params,
        account,
        exact,
        known.seed,
        known.bar,
        model=str(known.ml_model_path.resolve()) if known.ml_model_path else "",
        model_timeout_ms=known.ml_inference_timeout,
        sharing=UNSET if sharing is None else sharing,
    )


def attend_bus(bus: EventBus, known: Settings) -> None:
    """Let as many events wait as the settings say, and have them logged if somebody reads that."""
    bus.bound(known.event_max_queue_size)
    if is_logged(known):
        log_events(bus)


def _assumptions(known: Settings) -> Assumptions:
    """How the simulated exchange behaves; a refusal says which file or variable is meant."""
    leverage = known.limits.leverage_max
    try:
        return values.assumptions_of(
            known.fees, known.latency, SLIPPAGE, queue=known.queue, leverage=leverage
        )
    except ParameterInvalid as error:
        origins = [known.origins[key] for key in ("fees", "latency") if key in known.origins]
        places = [each.place for each in origins if each.source is not Source.CLI]
        raise ParameterInvalid(": ".join([*places, error.message])) from None


def trade(
    known: Settings,
    settings: BacktestSettings,
    outputs: Outputs,
    record_to: Path | None,
    *,
    is_quiet: bool,
    port: int | None,
    attend: Callable[[Strategy], None] | None = None,
) -> None:
    """Build, connect, trade, write, show. *attend*: told the strategy before it trades."""
    places = places_of(known)
    recording = None if record_to is None else recording_in(record_to, places, time.time_ns())
    json_to = outputs.json_to
    with ExitStack() as stack:
        if json_to == STANDARD_OUTPUT:
            stack.enter_context(redirect_stdout(sys.stderr))
        watchdog = stack.enter_context(Watchdog(TIMEOUT_S))
        built, *beside = every = build_all(settings, watchdog)
        if attend is not None:
            attend(built)
        session = Paper(
            places,
            settings,
            now=steady_now(),
            rng=random.Random(),
            strategy=built,
            beside=beside,
            depth=known.depth,
            market_data=known.market_data_url,
            show=None if is_quiet else shower(stack),
        )
        if not is_quiet:
            words = f"PAPER trading on {session.origin}: connecting. Ctrl-C ends it with a result."
            say(words, json_to=json_to)
        with blame_all(settings, every, watchdog):
            tell = _silent if is_quiet else partial(say, json_to=json_to)
            life = _until_ended if port is None else partial(_in_sight, port, tell)
            summary, record, refusals = _run(session, known, outputs.journal, recording, life)
    summary["refusals"] = refusals.document()
    summary["command"] = _again(outputs.journal)
    outputs.write(summary, record)
    for line in refusals.warnings():
        typer.echo(line, err=True)
    if not is_quiet:
        table_console(json_to).print(summary_table(summary))
        say(_feed_line(summary["feed"]), json_to=json_to)


def _again(journal: Path | None) -> str:
    """What repeats the session: its market passes only once, its journal keeps it."""
    if journal is None:
        return "# a live market passes once; with --journal FILE a session can be replayed"
    return shlex.join(["hean", "replay", str(journal)])


def _silent(words: str) -> None:
    """What `--quiet` says."""


def steady_now() -> Callable[[], int]:
    """UTC nanoseconds that go on evenly whatever happens to the machine's clock."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset_ns


def recording_in(out: Path, places: Sequence[Place], now_ns: int) -> Path:
    """The file that a session of now is kept in: *out* itself, or a new name in that folder.

    *Raises*: `InputError` if the file exists, `EnvironmentFault` without a folder to write to.
    """
    if not out.name.endswith(SUFFIX):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"--record {out}: {error.strerror or error}.") from error
        finish_left(out)
        moment = iso_utc(now_ns)[:19].replace(":", "")
        ends = [place.endpoints for place in places]
        test = "testnet" if ends[0].network == "testnet" else ""
        venue = "-".join(dict.fromkeys(each.venue for each in ends))
        market = "-".join(dict.fromkeys(each.market for each in ends))
        out = out / f"{venue}{test}_{market}_session_{moment}{SUFFIX}"
    check_target("--record", out, is_ours=lambda _: False)
    return out


def _run(
    session: Paper, known: Settings, journal: Path | None, recording: Path | None, life: Life
) -> tuple[dict[str, Any], RunRecord, Refusals]:
    """Trade until Ctrl-C, TERM or the end of the duration, with journal and recording beside it."""
    refusals = Refusals()
    with ExitStack() as stack:
        books: list[Journal] = []
        tapes: list[SessionRecorder] = []
        temporary = stack.enter_context(journal_in_progress(journal)) if journal else None

        def ready(paper: Paper) -> None:
            attend_bus(paper.system.bus, known)
            refusals.watch(paper.session.run.bus)
            if temporary is not None:
                books.append(start_session_journal(temporary, paper.session, paper.terms))
                stack.callback(books[0].close)
            if recording is not None:
                tapes.append(start_recording(recording, paper.session, paper.terms))
                stack.callback(tapes[0].close, None)

        session.on_ready.append(ready)
        try:
            summary, record = run_loop(life(session, known))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None  # before it had begun
        if books:
            head = finish_session_journal(books[0], session.session, session.ended_ns)
            summary["journal_hash"] = head
        if tapes:
            tapes[0].close(session.ended_ns)
            summary["recording"] = str(recording)
    return summary, record, refusals


async def _in_sight(
    port: int, tell: Callable[[str], None], session: Paper, known: Settings
) -> tuple[dict[str, Any], RunRecord]:
    """The same with page and API, which end with it. *Raises*: what the session does,
    `CancelledError` for one that was ended before it began, and `EnvironmentFault` if the port is
    taken.
    """
    now, folder = steady_now(), known.data_dir.expanduser()
    engine = _Once(session, now=now)
    facade = EngineFacade(engine.once, now=now, latch=latch_in(folder))
    try:
        await serve(
            facade,
            folder,
            known,
            Bind(port=port, if_taken=IF_TAKEN),
            starts=True,
            is_once=True,
            duration_s=None if known.duration is None else float(known.duration),
            tell=tell,
            links=is_watched(),
        )
    except EnvironmentFault:
        if engine.failure is not None:
            raise engine.failure from None
        raise
    if facade.result is None:
        raise asyncio.CancelledError
    result: tuple[dict[str, Any], RunRecord] = facade.result
    return result


class _Once(OnPaper):
    """A session that is run once. *failure*: what ended it, for the command's exit code."""

    failure: Exception | None = None
    _has_begun = False

    def once(self) -> OnPaper:
        """It, the first time. *Raises*: `StateError`."""
        if self._has_begun:
            raise StateError("this session has ended; start hean paper again.")
        self._has_begun = True
        return self

    async def run(self, stop: asyncio.Event) -> Any:
        """As of `OnPaper`."""
        try:
            return await super().run(stop)
        except Exception as error:
            self.failure = error
            raise


async def _until_ended(session: Paper, known: Settings) -> tuple[dict[str, Any], RunRecord]:
    ended = asyncio.Event()
    end_on_signals(ended)
    if known.duration is not None:
        asyncio.get_running_loop().call_later(float(known.duration), ended.set)
    async with alerting(known, f"paper on {session.origin}") as alerts:
        if alerts is None:
            return await session.run(ended)
        session.on_ready.append(lambda paper: alerts.listen(paper.system.bus))
        alerts.say("started", "connecting")
        result = await session.run(ended)
        alerts.say("ended", "stopped in order")
        return result


def _feed_line(feed: dict[str, Any]) -> str:
    return (
        f"feed {feed['venue']} {feed['market']} {feed['network']}: {feed['frames']:,} frames, "
        f"{feed['reconnects']:,} reconnects, {feed['gaps']:,} holes, {feed['renewals']:,} topics "
        f"asked for again, stale {feed['stale_reports']:,} times"
    )
