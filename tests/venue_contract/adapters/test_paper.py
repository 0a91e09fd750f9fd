# SPDX-License-Identifier: Apache-2.0
"""Paper trading on the twin's live feed: through every trouble of the stream in one session, and as
the command a user types."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hean.backtest.run import BacktestSettings
from hean.core.types import Event, EventType
from hean.paper import Paper
from hean.paper_journal import finish_session_journal, replay_session, start_session_journal
from hean.venues.endpoints import Place, endpoints_for
from venue_contract.adapters.feed_desk import SYMBOLS, twin_environment
from venue_contract.adapters.paper_process import READY_S, STRATEGIES, traded
from venue_contract.twin_process import Hasty, TwinProcess, wait_until

STRATEGY = f"{STRATEGIES}:Steady"
ALOUD = f"{STRATEGIES}:PacedAloud"
PATIENCE_S = 120.0
TROUBLES: list[dict[str, Any]] = [
    {"dial": "public_cut", "refuses_s": 0.5},
    {"dial": "book_gap", "count": 1},
    {"dial": "book_reorder", "count": 1},
    {"dial": "book_restart", "count": 1},
    {"dial": "frame_duplicate", "times": 3, "count": 30},
    {"dial": "poison", "form": "nan", "count": 3},
    {"dial": "poison", "form": "large", "count": 1},
    {"dial": "outlier_price", "factor": 100.0, "count": 1, "match": {"topic": "trade"}},
    {"dial": "stall", "pongs": True},
    {"dial": "daily_cut", "life_s": 1.0, "count": 1},
]
CUTS = ("public_cut", "large", "stall", "daily_cut")
"""Dials or forms that cost the line."""


class Watch:
    """Holds a session against the rule that nothing new is opened on stale data."""

    def __init__(self) -> None:
        self.approved = 0
        self.broken: list[str] = []
        self._stale: dict[str, set[str]] = {}

    def see(self, event: Event) -> None:
        """A tap."""
        fact = event.data
        if event.event_type is EventType.HEALTH and (fact.extra or {}).get("symbol"):
            stale = self._stale.setdefault(fact.extra["symbol"], set())
            (stale.add if fact.state == "STALE" else stale.discard)(fact.component)
        if event.event_type is EventType.ORDER_APPROVED:
            self.approved += 1
            if not fact.reduce_only and self._stale.get(fact.symbol):
                self.broken.append(f"{fact.symbol} at {event.ts_ns}: {self._stale[fact.symbol]}")

    @property
    def is_fresh(self) -> bool:
        """Whether all data is."""
        return bool(self._stale) and not any(self._stale.values())


async def until(condition: Any) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_session_survives_every_stream_fault_and_can_be_repeated(
    at: tuple[TwinProcess, Any], tmp_path: Path
) -> None:
    twin, market = at
    place = endpoints_for(twin.exchange, market, testnet=True, environment=twin_environment(twin))
    settings = BacktestSettings(STRATEGY, SYMBOLS)
    places = [Place(place, {symbol: symbol for symbol in SYMBOLS})]
    paper = Paper(places, settings, now=time.time_ns, rng=Hasty(1))
    watch, path = Watch(), tmp_path / "session.journal"
    journals: list[Any] = []

    def ready(session: Paper) -> None:
        session.session.run.bus.tap(watch.see)
        journals.append(start_session_journal(path, session.session, session.terms))

    paper.on_ready.append(ready)
    stop = asyncio.Event()
    running = asyncio.ensure_future(paper.run(stop))
    await until(lambda: running.done() or (watch.is_fresh and watch.approved > 2))
    (feed,) = paper.feeds.feeds
    for trouble in TROUBLES:
        frames, reconnects = feed.wire.counters()["frames"] + 40, feed.reconnects
        await asyncio.to_thread(twin.control.post, "fault", **trouble)
        if trouble.get("form", trouble["dial"]) in CUTS:
            await until(lambda: running.done() or feed.reconnects > reconnects)  # noqa: B023
            await asyncio.to_thread(twin.control.post, "calm")
        await until(lambda: running.done() or feed.wire.counters()["frames"] > frames)  # noqa: B023
        await until(lambda: running.done() or watch.is_fresh)
        approved = watch.approved
        await until(lambda: running.done() or watch.approved > approved)  # noqa: B023
    stop.set()
    summary, _ = await running
    finish_session_journal(journals[0], paper.session, paper.ended_ns)
    assert watch.broken == []
    assert summary["feed"]["reconnects"] >= len(CUTS)
    assert summary["feed"]["stale_reports"] > 0
    assert summary["fills"] > 5
    result = await asyncio.to_thread(replay_session, path)
    assert result["state_hash"] == summary["state_hash"]


def command(twin: TwinProcess, folder: Path, *more: str) -> subprocess.Popen[str]:
    """`hean paper` on a twin, as a user starts it."""
    words = ["paper", "--no-api", "--exchange", twin.exchange, "--strategy", STRATEGY]
    words += ["--symbols", "BTCUSDT"]
    return subprocess.Popen(
        [sys.executable, "-m", "hean", *words, *more],
        cwd=folder,
        env={**os.environ, **twin_environment(twin)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_the_command_trades_for_a_while_and_writes_what_it_was_asked_for(
    exchange: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    twin: TwinProcess = request.getfixturevalue(exchange)
    words = ("--exchange", exchange, "--market", "linear", "--symbols", "BTCUSDT")
    files = ("--report", "r.html", "--trades", "t.csv", "--journal", "run.journal")
    more = ("--strategy", ALOUD, *files)
    result = traded(tmp_path, *words, *more, environment=twin_environment(twin), fills=2)
    assert result["strategy"] == "aloud"
    assert result["events"] > 0
    assert result["orders"] > 0
    assert result["feed"]["venue"] == exchange
    assert result["journal_hash"]
    assert result["command"] == "hean replay run.journal"
    assert "hean replay run.journal" in (tmp_path / "r.html").read_text()
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    replay = subprocess.run(
        [sys.executable, "-m", "hean", "replay", "run.journal", "--json", "-"],
        cwd=tmp_path, capture_output=True, text=True, timeout=READY_S, check=True,
    )  # fmt: skip
    assert json.loads(replay.stdout)["state_hash"] == result["state_hash"]


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_a_judged_session_can_be_repeated(
    exchange: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Judges come from the file and from options, and the journal has them all."""
    twin: TwinProcess = request.getfixturevalue(exchange)
    tables = ("breaker", "regime", "memory", "losses")
    text = "".join(f"[{name}]\non = true\n" for name in tables)
    (tmp_path / "hean.toml").write_text(f"{text}streak = 2\n")
    words = ("--exchange", exchange, "--market", "linear", "--symbols", "BTCUSDT", "--bar", "1s")
    more = ("--strategy", ALOUD, "--config", "hean.toml", "--volatility", "garch")
    files = ("--journal", "judged.journal")
    environment = twin_environment(twin)
    result = traded(tmp_path, *words, *more, *files, environment=environment, fills=4, bars=4)
    judges = "garch, changepoint, breaker, regime, losses, memory"
    assert result["assumptions"]["judges"] == judges
    assert result["losses"]["state"] in ("NORMAL", "REDUCE")
    assert result["orders"] > 0
    replayed = replay_session(tmp_path / "judged.journal")
    assert replayed["state_hash"] == result["state_hash"]


@pytest.mark.parametrize(
    "symbols",
    [
        ("BTCUSDT@spot", "BTCUSDT@perp"),
        ("BTCUSDT@bybit.perp", "BTCUSDT@binance.perp"),
    ],
)
def test_two_legs_trade_in_two_markets_and_the_session_can_be_repeated(
    bybit: TwinProcess, binance: TwinProcess, symbols: tuple[str, str], tmp_path: Path
) -> None:
    words = ("--exchange", "bybit", "--symbols", ",".join(symbols), "--bar", "1s")
    more = ("--strategy", f"{STRATEGIES}:CoupleAloud", "--journal", "two.journal")
    environment = {**twin_environment(bybit), **twin_environment(binance)}
    result = traded(tmp_path, *words, *more, environment=environment, fills=4)
    assert result["symbols"] == list(symbols)
    assert result["fills"] >= 4
    replayed = replay_session(tmp_path / "two.journal")
    assert replayed["state_hash"] == result["state_hash"]


def test_ctrl_c_ends_a_session_with_its_result(bybit: TwinProcess, tmp_path: Path) -> None:
    before = _spot_sessions(bybit)
    process = command(bybit, tmp_path, "--market", "spot", "--json", "out.json")
    assert process.stdout is not None
    assert "PAPER trading on bybit spot" in process.stdout.readline()
    wait_until(lambda: _spot_sessions(bybit) - before, "its socket", timeout_s=READY_S)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=READY_S)
    assert process.returncode == 0, errors
    assert "feed bybit spot" in out
    assert json.loads((tmp_path / "out.json").read_text())["feed"]["market"] == "spot"


def _spot_sessions(twin: TwinProcess) -> set[int]:
    sessions = twin.control.get("state")["sessions"]
    return {session["session"] for session in sessions if "spot" in session["path"]}


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        (["--symbols", "NOSUCHUSDT"], 2, "does not list 'NOSUCHUSDT'"),
        (["--depth", "7"], 2, "--depth 7; allowed: 50, 200, 1000"),
        (["--cash", "-5"], 2, "--cash"),
        (["--param", "nonsense=1"], 2, "nonsense"),
        (["--journal", "there"], 2, "never written over"),
        (["--report", "no/such/folder.html"], 3, "no folder"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(
    bybit: TwinProcess, tmp_path: Path, more: list[str], code: int, text: str
) -> None:
    (tmp_path / "there").write_text("x")
    process = command(bybit, tmp_path, "--duration", "1", *more)
    _, errors = process.communicate(timeout=READY_S)
    assert process.returncode == code, errors
    assert text in errors
    assert "Traceback" not in errors


def test_no_venue_at_the_address_is_said_with_the_remedy(tmp_path: Path) -> None:
    gone = {"BYBIT_REST_URL": "http://127.0.0.1:9", "BYBIT_WS_PUBLIC_URL": "ws://127.0.0.1:9"}
    words = ["paper", "--no-api", "--exchange", "bybit", "--strategy", STRATEGY]
    words += ["--symbols", "BTCUSDT"]
    done = subprocess.run(
        [sys.executable, "-m", "hean", *words],
        cwd=tmp_path, env={**os.environ, **gone}, capture_output=True, text=True,
        timeout=READY_S, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "Check network and address" in done.stderr
