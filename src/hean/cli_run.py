# SPDX-License-Identifier: Apache-2.0
"""`hean run`: one process of a deployment table, on paper: the feed, whatever decides and trades on
what a feed in another process tells, or both. A process that was killed is started again with the
same words and goes on where it was.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from hean import cli_options as options
from hean.backtest.run import BacktestSettings
from hean.cli_common import DebugOption, JsonOption, run_command, say, write_json
from hean.cli_judges import JudgeOptions
from hean.cli_paper import attend_bus, session_settings, steady_now
from hean.cli_session import SessionOptions, with_options
from hean.config import Settings, places_of, require
from hean.core.bridge import ended
from hean.core.event_streams import RedisEventStream
from hean.errors import EnvironmentFault, TopologyInvalid
from hean.feeds.places import Feeds
from hean.feeds.recording import Recording
from hean.fleet.answering import Answering
from hean.fleet.door import Door, measure_reader, measure_sender, read_token
from hean.fleet.feeding import LiveFeeding, Parts, RecordedFeeding
from hean.fleet.trading import Trading
from hean.fleet.wiring import connecting
from hean.net.bind import Bind
from hean.net.loop import run as run_loop
from hean.observe.metrics import Samples
from hean.strategies import STRATEGIES
from hean.system import AccountSettings
from hean.topology import LEARNED, Process, Table, process_of, read_table
from hean.watchdog import end_on_signals

DeployOption = Annotated[
    Path, typer.Option("--deploy", metavar="FILE", help="Deployment table, as in deploy/.")
]
ProcessOption = Annotated[
    str | None, typer.Option("--process", metavar="NAME", help="Which of its processes to be.")
]
PlayOption = Annotated[
    Path | None,
    typer.Option("--play", metavar="FILE", help="Play a recorded session instead of a live feed."),
]
SpeedOption = Annotated[
    float,
    typer.Option("--speed", min=0.0, help="With --play: times as fast as it was; 0 is no limit."),
]
StateOption = Annotated[
    Path, typer.Option("--data-dir", metavar="FOLDER", help="Where journals are kept.")
]
HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        help="Of /health and /metrics; beyond loopback only with TLS, --token-file and --public.",
    ),
]
CertificateOption = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS, PEM.")]
KeyOption = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Its key, PEM.")]
TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="Ask /metrics as Bearer of what is in it."),
]
PublicOption = Annotated[bool, typer.Option("--public", help="Allow an address beyond loopback.")]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65_535, help="Another port than the table's.")
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "run",
        epilog="Example: REDIS_URL=redis://localhost:6379 hean run --deploy deploy/redis.toml "
        "--process ingestion --symbols BTCUSDT, and beside it the same with --process execution "
        "--strategy impulse. What crosses: hean topology.",
    )(run)


@run_command
@with_options
def run(
    session: SessionOptions,
    judges: JudgeOptions,
    *,
    deploy: DeployOption,
    process: ProcessOption = None,
    play: PlayOption = None,
    speed: SpeedOption = 0.0,
    data_dir: StateOption = Path("data"),
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    token: TokenOption = None,
    public: PublicOption = False,
    fees: options.FeesOption = None,
    latency: options.GivenLatency = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Run one process of a deployment table, on paper."""
    table = read_table(deploy)
    name = process or _only(table)
    mine = process_of(table, name)
    bind = Bind(host, mine.port if port is None else port, certificate, key, public)
    given = judges.given()
    for part in table.judges():
        _choose(given, part)
    known = _played(mine, session, **given, fees=fees, latency=latency)
    life = _Life(table, name, known, is_quiet=session.quiet, json_to=json_to)
    door = Door(
        bind,
        None if token is None else read_token(token),
        look=life.look,
        measure=life.measure,
    )
    if "feed" in mine.parts():
        life.feed(known, None if play is None else Recording(play), speed)
    if "risk" in mine.parts():
        require(known, "strategy.name", "symbols")
        life.trade(known, data_dir)
    elif "feed" not in mine.parts():
        require(known, "symbols", *(["ml_model_path"] if "ml" in mine.modules else []))
        life.answer(known, data_dir)
    summary = run_loop(life.run(door))
    if summary is not None and json_to is not None:
        write_json(summary, json_to)


def _only(table: Table) -> str:
    if len(table.process) > 1:
        raise TopologyInvalid(f"--process is missing; the table has {', '.join(table.process)}.")
    return next(iter(table.process))


def _played(process: Process, session: SessionOptions, **more: object) -> Settings:
    """The settings, with the strategy that the table names, if it names some.

    *Raises*: `TopologyInvalid` for another one.
    """
    known = session.any_settings(**more)
    named = [part for part in process.parts() if part in STRATEGIES]
    if not named or "strategies" in process.parts():
        return known
    if known.strategy.name is None and len(named) == 1:
        return dataclasses.replace(session, strategy=named).any_settings(**more)
    if known.strategy.name not in named:
        raise TopologyInvalid(
            f"--strategy {known.strategy.name}: the table runs {', '.join(named)} here; write "
            "'strategies' into it for another."
        )
    return known


def _choose(given: dict[str, object], part: str) -> None:
    """A model that the table has judges, unless somebody says the contrary."""
    if part in LEARNED:
        return  # a folder chooses them, where they run
    key, value = ("volatility.model", "garch") if part == "garch" else (f"{part}.on", True)
    if given.get(key) not in (None, value):
        raise TopologyInvalid(f"the table runs {part}; it cannot be switched off here.")
    given[key] = value


def _idle(known: Settings) -> BacktestSettings:
    """Settings of a process in which nobody trades: its models, on the market of the others."""
    settings = session_settings(known)
    judges = msgspec.structs.replace(settings.account.chosen, breaker=None, losses=None)
    account = AccountSettings(judges=judges if judges.names() else UNSET)
    return msgspec.structs.replace(settings, strategy="", given={}, account=account)


class _Life:
    """What one process does until it ends."""

    def __init__(
        self, table: Table, name: str, known: Settings, *, is_quiet: bool, json_to: str | None
    ) -> None:
        self.feeding: RecordedFeeding | LiveFeeding | None = None
        self.trading: Trading | None = None
        self.answering: Answering | None = None
        self._table, self._name = table, name
        self._redis_url = known.redis_url.reveal() if known.redis_url else None
        self._connect = connecting(table, self._redis_url, known.kafka_servers)
        self._is_quiet, self._json_to = is_quiet, json_to

    def feed(self, known: Settings, recording: Recording | None, speed: float) -> None:
        """Have the market."""
        table = self._table
        readers = [self._name] if "risk" in table.process[self._name].parts() else []
        readers += table.readers(self._name)
        where = self._connect, self._name, table.topic(self._name), readers
        if recording is not None:
            self.feeding = RecordedFeeding(*where, recording, speed=speed, parts=self._parts(known))
            return
        now = steady_now()
        feeds = Feeds(
            places_of(known),
            now=now,
            rng=random.Random(),
            depth=known.depth,
            market_data=known.market_data_url,
        )
        self.feeding = LiveFeeding(*where, feeds, now=now, parts=self._parts(known))

    def trade(self, known: Settings, data_dir: Path) -> None:
        """Decide and trade."""
        self.trading = Trading(
            *self._heard(session_settings(known), data_dir),
            export_to=RedisEventStream(self._redis_url) if self._redis_url else None,
            elsewhere=self._table.elsewhere(self._name),
        )
        self.trading.on_resumed = lambda bus: attend_bus(bus, known)

    def answer(self, known: Settings, data_dir: Path) -> None:
        """Run models."""
        table, name = self._table, self._name
        self.answering = Answering(
            *self._heard(_idle(known), data_dir), topic=table.topic(name),
            readers=table.readers(name), parts=table.models(name), told=table.told(name),
            elsewhere=table.elsewhere(name),
        )  # fmt: skip

    def _heard(self, settings: BacktestSettings, data_dir: Path) -> tuple[Any, ...]:
        """What every process needs that hears the market from another."""
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"--data-dir {data_dir}: {error.strerror or error}.") from error
        table, name = self._table, self._name
        topics = {source: table.topic(source) for source in table.heard(name)}
        return (
            self._connect, name, table.feed, topics, settings, data_dir / f"{name}.journal"
        )  # fmt: skip

    def _parts(self, known: Settings) -> Parts | None:
        """What runs beside the feed in its own process, and is told to others."""
        table, name = self._table, self._name
        names = table.models(name)
        if not names or "risk" in table.process[name].parts():
            return None
        return Parts(names, table.told(name), _idle(known), table.elsewhere(name))

    async def run(self, door: Door) -> dict[str, Any] | None:
        """Until it has ended or is told to. *Returns*: the summary of what it traded."""
        stop = asyncio.Event()
        end_on_signals(stop)
        at = await door.start()
        if not self._is_quiet:
            say(f"{self._name}: {at}/health", json_to=self._json_to)
        works = [
            each.run(stop)
            for each in (self.feeding, self.trading, self.answering)
            if each is not None
        ]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            results = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                with suppress(Exception):  # reason: the first failure is the one that is told
                    await ended(task)
            await door.stop()
        return next((each for each in results if each is not None), None)

    def look(self) -> dict[str, Any]:
        """The document of `/health`."""
        faults = [edge.fault for edge in self._edges() if edge.fault]
        document: dict[str, Any] = {
            "status": "degraded" if faults else "healthy",
            "process": self._name,
            "modules": self._table.process[self._name].parts(),
            "services": {"broker": faults[0] if faults else "connected"},
            "progress": {},
        }
        if self.feeding is not None and self.feeding.sender is not None:
            document["progress"]["said"] = self.feeding.sender.outbox.last
        playing = self.trading or self.answering
        if playing is not None:
            document["progress"]["heard"] = dict(playing.reader.inbox.last)
            document["progress"]["watermark_ns"] = playing.watermark_ns
            if playing.merger is not None and playing.merger.overdue:
                document["status"] = "degraded"
                document["services"]["models"] = (
                    f"late: {', '.join(sorted(playing.merger.overdue))}"
                )
        return document

    def _edges(self) -> list[Any]:
        playing = self.trading or self.answering
        edges = [
            self.feeding and self.feeding.sender, self.answering and self.answering.sender,
            playing and playing.reader, self.trading and self.trading.export,
        ]  # fmt: skip
        return [edge for edge in edges if edge is not None]

    def measure(self, samples: Samples) -> None:
        """Fill in what `/metrics` tells."""
        for speaking in (self.feeding, self.answering):
            if speaking is not None and speaking.sender is not None:
                measure_sender(samples, speaking.sender)
        playing = self.trading or self.answering
        if playing is None:
            return
        measure_reader(samples, playing.reader)
        if playing.merger is not None:
            samples.put("hean_bridge_timeouts_total", playing.merger.timeouts)
        session = playing.session
        if session is None:
            return
        system = session.run.system
        samples.put("hean_events_total", system.bus.seq)
        samples.put("hean_eventbus_queue_size", len(system.bus))
        playing.quality.tell(samples)
        if self.trading is not None:
            samples.put("hean_equity", float(system.portfolio.ledger.equity))
        if system.relay is not None:
            samples.put("hean_relay_told_total", system.relay.told)
            samples.put("hean_relay_late_total", system.relay.late)
