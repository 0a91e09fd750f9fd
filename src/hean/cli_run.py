# SPDX-License-Identifier: Apache-2.0
"""`hean run`: one process of a deployment table, on paper: the feed, whatever decides and trades on
what a feed in another process tells, or both. A process that was killed is started again with the
same words and goes on where it was.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from hean import cli_options as options
from hean.cli_common import DebugOption, JsonOption, run_command, say, write_json
from hean.cli_judges import JudgeOptions
from hean.cli_paper import session_settings, steady_now
from hean.cli_session import SessionOptions, with_options
from hean.config import Settings, places_of, require
from hean.core.bridge import ended
from hean.core.event_streams import RedisEventStream
from hean.errors import EnvironmentFault, TopologyInvalid
from hean.feeds.places import Feeds
from hean.feeds.recording import Recording
from hean.fleet.door import Door, measure_reader, measure_sender
from hean.fleet.feeding import LiveFeeding, RecordedFeeding
from hean.fleet.trading import Trading
from hean.fleet.wiring import connecting
from hean.net.loop import run as run_loop
from hean.observe.metrics import Samples
from hean.topology import Table, process_of, read_table
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
HostOption = Annotated[str, typer.Option("--host", help="Address of /health and /metrics.")]
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
    fees: options.FeesOption = None,
    latency: options.GivenLatency = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Run one process of a deployment table, on paper."""
    table = read_table(deploy)
    name = process or _only(table)
    mine = process_of(table, name)
    known = session.any_settings(**judges.given(), fees=fees, latency=latency)
    life = _Life(table, name, known, is_quiet=session.quiet, json_to=json_to)
    if "feed" in mine.parts():
        life.feed(known, None if play is None else Recording(play), speed)
    if "risk" in mine.parts():
        require(known, "strategy.name", "symbols")
        life.trade(known, data_dir)
    if life.feeding is None and life.trading is None:
        raise TopologyInvalid(
            f"{name}: a process of models alone is not there yet; give it 'feed' or 'truth'."
        )
    summary = run_loop(life.run(host, mine.port if port is None else port))
    if summary is not None and json_to is not None:
        write_json(summary, json_to)


def _only(table: Table) -> str:
    if len(table.process) > 1:
        raise TopologyInvalid(f"--process is missing; the table has {', '.join(table.process)}.")
    return next(iter(table.process))


class _Life:
    """What one process does until it ends."""

    def __init__(
        self, table: Table, name: str, known: Settings, *, is_quiet: bool, json_to: str | None
    ) -> None:
        self.feeding: RecordedFeeding | LiveFeeding | None = None
        self.trading: Trading | None = None
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
            self.feeding = RecordedFeeding(*where, recording, speed=speed)
            return
        now = steady_now()
        feeds = Feeds(
            places_of(known),
            now=now,
            rng=random.Random(),
            depth=known.depth,
            market_data=known.market_data_url,
        )
        self.feeding = LiveFeeding(*where, feeds, now=now)

    def trade(self, known: Settings, data_dir: Path) -> None:
        """Decide and trade."""
        sources = [name for name, it in self._table.process.items() if "feed" in it.parts()]
        if len(sources) != 1:
            raise TopologyInvalid(f"{self._name} trades on one feed; the table has {sources}.")
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"--data-dir {data_dir}: {error.strerror or error}.") from error
        self.trading = Trading(
            self._connect,
            self._name,
            sources[0],
            self._table.topic(sources[0]),
            session_settings(known),
            data_dir / f"{self._name}.journal",
            export_to=RedisEventStream(self._redis_url) if self._redis_url else None,
        )

    async def run(self, host: str, port: int) -> dict[str, Any] | None:
        """Until it has ended or is told to. *Returns*: the summary of what it traded."""
        stop = asyncio.Event()
        end_on_signals(stop)
        door = Door(host, port, look=self._look, measure=self._measure)
        at = await door.start()
        if not self._is_quiet:
            say(f"{self._name}: http://{host}:{at}/health", json_to=self._json_to)
        works = [each.run(stop) for each in (self.feeding, self.trading) if each is not None]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            results = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                with suppress(Exception):  # reason: the first failure is the one that is told
                    await ended(task)
            await door.stop()
        return next((each for each in results if each is not None), None)

    def _look(self) -> dict[str, Any]:
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
        if self.trading is not None:
            document["progress"]["heard"] = dict(self.trading.reader.inbox.last)
            document["progress"]["watermark_ns"] = self.trading.watermark_ns
        return document

    def _edges(self) -> list[Any]:
        sender = self.feeding.sender if self.feeding is not None else None
        reader = self.trading.reader if self.trading is not None else None
        export = self.trading.export if self.trading is not None else None
        return [edge for edge in (sender, reader, export) if edge is not None]

    def _measure(self, samples: Samples) -> None:
        if self.feeding is not None and self.feeding.sender is not None:
            measure_sender(samples, self.feeding.sender)
        if self.trading is None:
            return
        measure_reader(samples, self.trading.reader)
        session = self.trading.session
        if session is not None:
            system = session.run.system
            samples.put("hean_equity", float(system.portfolio.ledger.equity))
            samples.put("hean_events_total", system.bus.seq)
            samples.put("hean_eventbus_queue_size", len(system.bus))
