# SPDX-License-Identifier: Apache-2.0
"""A start over a long journal, for `bench_live.py`. `hean live` runs as a user starts it, at a twin
of Bybit. Its journal is written beforehand by the real governor, engine, router, ledger and
recorder, around a venue that fills every order at once; it ends flat and in the middle of a life,
as after a kill. The clock runs from the start of the process to what it says of itself on its
control socket: `running`, from when on a cancel can leave, and nothing missing at the live gate.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench_twin import KEY, SECRET
from measure import BENCH

SYMBOL = "BTCUSDT"
STEP_NS = 20_000_000_000  # from order to order: a day of a journal of 100,000 rows
READ_EVERY = 5  # orders between two readings of the account
PRICE, SIZE = 60_000.0, Decimal("0.010")
POLL_S, READY_S = 0.005, 120.0
STRATEGY = f"{BENCH / 'job_strategies.py'}:FixedCross"


def data_dir(home: Path) -> Path:
    """Where `hean live` keeps the truth of this account."""
    return home / "data" / "live" / "bybit-linear-testnet"


@contextmanager
def live(home: Path, twin_port: int) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`hean live` on the data of *home*, and when it was started."""
    config = home / "hean.toml"
    config.write_text(
        'exchange = "bybit"\nmarket = "linear"\ntestnet = true\nsymbols = ["BTCUSDT"]\n'
        "dry_run = false\nwaive_key_addresses = true\n"
        f'[strategy]\nname = "{STRATEGY}"\n'
    )
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "BYBIT_REST_URL": f"http://127.0.0.1:{twin_port}",
        "BYBIT_WS_PUBLIC_URL": f"ws://127.0.0.1:{twin_port}",
        "BYBIT_API_KEY": KEY,
        "BYBIT_API_SECRET": SECRET,
        "LIVE_CONFIRM": "YES",
        "HEAN_DATA_DIR": str(home / "data"),
    }
    with open(home / "told.txt", "ab") as told:
        began_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", "live", "--config", str(config), "--api", "0"],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            yield process, began_s
        finally:
            process.kill()
            process.wait()


def start(home: Path, twin_port: int) -> dict[str, float]:
    """Start once and stop in order. Returns seconds to both kinds of readiness."""
    from hean.live.socket import ask

    control = data_dir(home) / "control.sock"
    seen: dict[str, float] = {}
    with live(home, twin_port) as (process, began_s):
        while "to trade" not in seen:
            passed_s = time.perf_counter() - began_s
            if process.poll() is not None or passed_s > READY_S:
                raise RuntimeError(f"hean live: {(home / 'told.txt').read_text()[-300:]}")
            try:
                status = ask(control, {"verb": "status"})
            except OSError:
                time.sleep(POLL_S)
                continue
            if status["state"] == "running":
                seen.setdefault("to cancel", time.perf_counter() - began_s)
            if status.get("is_ready"):
                phrase = f"live {status['account']} testnet"
                if ask(control, {"verb": "confirm", "phrase": phrase})["missing"] == []:
                    seen["to trade"] = time.perf_counter() - began_s
            time.sleep(POLL_S)
        process.send_signal(signal.SIGTERM)
        process.wait(READY_S)
    return seen


def write(home: str, like: str, records: int) -> dict[str, Any]:
    """Write the journal of a day under *home*, for the account whose journal lies under *like*."""
    from hean.core.journal import Journal, WriterLock, open_journal
    from hean.live.parts import private_disk
    from hean.live.rows import Start, row_of

    first = open_journal(data_dir(Path(like)) / "journal.db")
    start_row = row_of(next(iter(first.records())), Start)
    first.close()
    folder = data_dir(Path(home))
    folder.mkdir(parents=True, mode=0o700)
    path = folder / "journal.db"
    disk = private_disk(path)
    disk.execute("PRAGMA synchronous=OFF")  # nothing is at stake while the bench makes its data
    lock = WriterLock(path.with_name("journal.db.lock"), "bench")
    journal = Journal(disk, place=str(path), meta={"kind": "live"}, lock=lock)
    day = Day(journal, start_row, records)
    while journal.head_seq < records or day.is_holding:
        day.step()
    journal.close()
    return {"rows": journal.head_seq, "orders": day.orders, "bytes": path.stat().st_size}


class Day:
    """A trading process on a clock of its own, around a venue that says yes to everything."""

    def __init__(self, journal: Any, start_row: Any, records: int) -> None:
        from hean.core.bus import EventBus
        from hean.core.clock import SimClock
        from hean.core.module import IdSequence
        from hean.core.types import EventType
        from hean.live.recorder import Recorder
        from hean.live.rows import START, row_bytes
        from hean.live.witness import Witness
        from hean.strategies.base import Strategy
        from hean.system import TradingSystem

        self.orders = 0
        self.is_holding = False
        self.clock = SimClock(time.time_ns() - STEP_NS * (records // 10))
        self.bus = EventBus(clock=self.clock)
        last: dict[str, float] = {}
        self.bus.subscribe(EventType.TICK, lambda event: last.update({SYMBOL: event.data.price}))
        system = TradingSystem(
            Strategy((SYMBOL,)),
            {row.symbol: row.instrument() for row in start_row.terms},
            settings=start_row.account,
            bus=self.bus,
            venue=self,
            reference=last.get,
            seed=1,
            ids=IdSequence(start_row.epoch - 1),
        )
        self.recorder = Recorder(
            journal,
            emit=self.bus.emit,
            time_s=time.monotonic,
            now=lambda: self.clock.now_ns,
            state_hash=system.durable_hash,
            witness=Witness(self.bus, system.governor, (SYMBOL,), door=lambda _: ""),
        )
        self.recorder.write(START, row_bytes(start_row))
        self.recorder.commit()
        self.bus.tap(self.recorder.tap)

    def step(self) -> None:
        """An order, in or out, and now and then a reading of the account."""
        from hean.core.types import AccountRead, Reconcile, Side, Signal, Tick

        self.clock.now_ns += STEP_NS
        now_ns = self.clock.now_ns
        side = Side.SELL if self.is_holding else Side.BUY
        facts: list[Any] = [
            Tick(SYMBOL, PRICE, 1.0, now_ns),
            Signal(SYMBOL, side, size=SIZE, strategy_id="day", reduce_only=self.is_holding),
        ]
        if not self.orders % READ_EVERY:
            held = ((SYMBOL, SIZE),) if self.is_holding else ()
            facts = [AccountRead(now_ns, True, positions=held), Reconcile(True), *facts]
        before = self.orders
        self.bus.drain(facts)
        if self.orders != before + 1:
            raise RuntimeError("an order of the bench's own journal was refused")
        self.is_holding = not self.is_holding

    def submit(self, approved: Any) -> None:
        """The intent, then the venue's two words."""
        from hean.core.types import OrderFilled, OrderPlaced
        from hean.venues.reports import Tracked

        self.orders += 1
        number, now_ns, symbol = self.orders, self.clock.now_ns, approved.symbol
        order = Tracked(
            *(approved.order_id, symbol, approved.side, approved.size, approved.price),
            *(approved.strategy_id, False, approved.reduce_only, now_ns),
        )
        self.recorder.sending("submit", order, None, None)
        self.bus.emit(OrderPlaced(approved.order_id, str(number), symbol))
        fill = OrderFilled(
            approved.order_id,
            Decimal(PRICE),
            approved.size,
            symbol=symbol,
            side=approved.side,
            exec_id=f"e{number}",
            strategy_id=approved.strategy_id,
            fee_asset="USDT",
            executed_ns=now_ns,
        )
        self.bus.emit(fill)

    def cancel(self, order_id: str) -> None:
        """Never asked."""

    def amend(self, order_id: str, **changes: Any) -> None:
        """Never asked."""


def restart_round(home: Path, master: Path, twin_port: int) -> dict[str, float]:
    """One start over a copy of the journal under *master*, and one over none. Returns figures."""
    figures = {}
    for words, source in (("long journal", master), ("no journal", None)):
        place = home / words.split()[0]
        place.mkdir()
        if source is not None:
            shutil.copytree(source / "data", place / "data")
        for kind, seconds in start(place, twin_port).items():
            figures[f"{words}, ready {kind} s"] = seconds
    return figures
