# SPDX-License-Identifier: Apache-2.0
"""A journaled run repeats itself to the byte, and nothing that was changed goes unnoticed.

The market is generated; the strategy is a user's file that trades often, with stops and targets,
so that the journal holds every kind of answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desk import BTC, ETH, candle_file
from hean.backtest.journaling import JournalHeader, finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.journal import FORMAT, STATE_HASH, open_journal
from hean.errors import DataInvalid, InputError, JournalDamaged, ReplayDiverged
from hean.feeds.history import load_history

BUSY = """
from hean.core.module import on
from hean.core.types import EventType, Side
from hean.strategies.base import Strategy


class Busy(Strategy):
    name = "busy"

    @on(EventType.CANDLE)
    def on_candle(self, event):
        bar = event.data
        if self.position[bar.symbol]:
            return
        rng = self.context.rng(str(event.seq))
        side = rng.choice(sorted({Side.BUY, Side.SELL}))
        sign = 1 if side is Side.BUY else -1
        near, far = bar.close * (1 - 0.001 * sign), bar.close * (1 + 0.002 * sign)
        self.enter(bar.symbol, side, strength=0.1, stop_loss=near, take_profit=far)
"""

Row = list[Any]  # seq, ts_ns, kind, event_seq, payload


class Run:
    """A journaled backtest on generated bars."""

    def __init__(self, folder: Path, symbols: tuple[str, ...] = (BTC,), bars: int = 400) -> None:
        strategy = folder / "busy.py"
        strategy.write_text(BUSY, encoding="utf-8")
        self.files = [candle_file(folder, symbol=symbol, bars=bars) for symbol in symbols]
        self.settings = BacktestSettings(f"{strategy}:Busy", symbols, seed=3)
        self.path = folder / "run.journal"
        self.summary, self.head = journaled(self.settings, self.files, self.path)


def journaled(
    settings: BacktestSettings, files: list[Path], path: Path
) -> tuple[dict[str, Any], str]:
    backtest = Backtest(settings, load_history(files, settings.symbols))
    journal = start_journal(path, backtest, files)
    summary, _ = backtest.run()
    return summary, finish_journal(journal, backtest)


def rewrite(path: Path, change: Callable[[list[Row]], None], meta: Any = None) -> None:
    """Change rows, and chain them anew as someone would who knows how."""
    with sqlite3.connect(path) as database:
        (text,) = database.execute("SELECT meta FROM header").fetchone()
        if meta is not None:
            text = json.dumps({**json.loads(text), **meta})
            database.execute("UPDATE header SET meta = ?", (text,))
        columns = "seq, ts_ns, kind, event_seq, payload"
        query = database.execute(f"SELECT {columns} FROM record ORDER BY seq")
        rows = [list(row) for row in query]
        change(rows)
        database.execute("DELETE FROM record")
        head = hashlib.sha256(f"{FORMAT}/{text}".encode()).digest()
        for seq, (_, ts_ns, kind, event_seq, payload) in enumerate(rows, 1):
            fields = f"{seq}/{ts_ns}/{len(kind)}/{kind}/{event_seq}/".encode()
            head = hashlib.sha256(head + fields + payload).digest()
            row = (seq, ts_ns, kind, event_seq, payload, head)
            database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", row)
    database.close()


def edit(kind: str, **fields: Any) -> Callable[[list[Row]], None]:
    """A change of the tenth row of *kind*."""

    def change(rows: list[Row]) -> None:
        row = [row for row in rows if row[2] == kind][9]
        payload = msgspec.msgpack.decode(row[4])
        assert set(fields) <= set(payload)
        row[4] = msgspec.msgpack.encode({**payload, **fields})

    return change


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "copy.journal"
    path.write_bytes(run.path.read_bytes())
    return path


def test_the_header_holds_settings_files_and_checksums(run: Run) -> None:
    journal = open_journal(run.path)
    header = msgspec.convert(journal.meta, JournalHeader)
    journal.close()
    assert header.settings == run.settings
    assert header.files == [str(file) for file in run.files]
    digest = hashlib.sha256(run.files[0].read_bytes()).hexdigest()
    assert header.checksums == [digest] == [print_["sha256"] for print_ in run.summary["data"]]


def test_a_replay_of_a_busy_run_agrees_in_every_event_and_hash(run: Run) -> None:
    assert run.summary["fills"] > 50
    result = replay(run.path)
    assert result["state_hash"] == run.summary["state_hash"]
    assert result["journal_hash"] == run.head
    assert result["state_hashes_compared"] >= 2
    assert result["events_compared"] + result["state_hashes_compared"] == result["records"]


def test_the_same_run_gives_the_same_journal(run: Run, tmp_path: Path) -> None:
    summary, head = journaled(run.settings, run.files, tmp_path / "again.journal")
    assert (head, summary["state_hash"]) == (run.head, run.summary["state_hash"])


def test_two_symbols_replay_and_every_file_is_checked(tmp_path: Path) -> None:
    both = Run(tmp_path, (BTC, ETH), 200)
    assert replay(both.path)["state_hash"] == both.summary["state_hash"]
    with both.files[1].open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(DataInvalid, match="ETHUSDT.*checksum differs"):
        replay(both.path)


def test_a_capture_and_a_tape_are_each_checked_by_their_own_bytes(
    shared: Path, tmp_path: Path
) -> None:
    files = [
        shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz",
        shared / "data/trades/binance_spot_NEXOUSDT_trades_2024-07-23_24.parquet",
    ]
    settings = BacktestSettings("impulse", ("NEXOUSDT",))
    period = load_history(files[:1], settings.symbols)
    history = load_history(files, settings.symbols, end_ns=period.end_ns)
    backtest = Backtest(settings, history)
    journal = start_journal(tmp_path / "j", backtest, files)
    expected = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert journal.meta["checksums"] == expected
    journal.close()


def test_a_replay_of_recorded_data_agrees(shared: Path, tmp_path: Path) -> None:
    files = [
        shared / "data/candles/binance_perp_BTCUSDT_1m_2023-07-18_2023-08-17.parquet",
        shared / "data/funding/binance_perp_BTCUSDT_8h_2020-01-01_2025-10-31.parquet",
    ]
    summary, _ = journaled(BacktestSettings("impulse", (BTC,)), files, tmp_path / "j")
    result = replay(tmp_path / "j")
    assert summary["fills"] > 10
    assert result["state_hash"] == summary["state_hash"]


@pytest.mark.parametrize(
    "change",
    [
        edit("SIGNAL", signal_strength=0.2),
        edit("ORDER_REQUEST", size="0.001"),
        edit("ORDER_APPROVED", ticket=1),
        edit("ORDER_PLACED", exchange_order_id="v999"),
        edit("ORDER_FILLED", fill_price="1"),
        edit("ORDER_FILLED", fee="0"),
        edit("ORDER_FILLED", exec_id="v1"),
        edit("ORDER_CANCELLED", order_id="h0-busy-1"),
        edit("TIMER", name="recorder.other"),
        lambda rows: rows.pop(20),
        lambda rows: rows.pop(),
        lambda rows: rows.pop(-2),
        lambda rows: rows.insert(20, rows[20]),
        lambda rows: rows.append(rows[5]),
        lambda rows: rows[30].__setitem__(1, rows[30][1] + 1),
        lambda rows: rows[30].__setitem__(3, rows[30][3] + 1),
        lambda rows: next(r for r in rows if r[2] == STATE_HASH).__setitem__(4, b"0" * 64),
        lambda rows: rows[-1].__setitem__(4, b"0" * 64),
    ],
)
def test_changed_content_under_a_true_chain_is_found_and_named(
    copy: Path, change: Callable[[list[Row]], None]
) -> None:
    rewrite(copy, change)
    with pytest.raises(ReplayDiverged, match=r"event \d+|expected FINAL_STATE_HASH"):
        replay(copy)


def test_a_changed_decision_is_named_by_its_very_event(copy: Path) -> None:
    changed: list[int] = []

    def change(rows: list[Row]) -> None:
        edit("ORDER_REQUEST", size="0.001")(rows)
        changed.append([row for row in rows if row[2] == "ORDER_REQUEST"][9][3])

    rewrite(copy, change)
    with pytest.raises(ReplayDiverged) as caught:
        replay(copy)
    assert f"event {changed[0]}:" in str(caught.value)


def test_an_unchanged_rewrite_still_replays(copy: Path, run: Run) -> None:
    """The rewriting itself is not what is found."""
    rewrite(copy, lambda rows: None)
    assert replay(copy)["journal_hash"] == run.head


def test_a_broken_chain_is_refused_before_the_replay(copy: Path) -> None:
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE record SET payload = x'00' WHERE seq = 7")
    database.close()
    with pytest.raises(JournalDamaged, match="row 7"):
        replay(copy)


def test_other_settings_in_the_header_diverge(copy: Path, run: Run) -> None:
    settings = msgspec.to_builtins(msgspec.structs.replace(run.settings, seed=4))
    rewrite(copy, lambda rows: None, {"settings": settings})
    with pytest.raises(ReplayDiverged):
        replay(copy)


def test_a_header_of_something_else_is_refused(copy: Path) -> None:
    rewrite(copy, lambda rows: None, {"colour": "blue"})
    with pytest.raises(InputError, match="not the journal of a run"):
        replay(copy)


def test_data_that_changed_moved_or_is_missing_is_refused(run: Run, tmp_path: Path) -> None:
    moved = tmp_path / run.files[0].name
    moved.write_bytes(run.files[0].read_bytes())
    assert replay(run.path, data=[moved])["state_hash"] == run.summary["state_hash"]
    moved.write_bytes(run.files[0].read_bytes().replace(b".5", b".6", 1))
    with pytest.raises(DataInvalid, match="checksum differs"):
        replay(run.path, data=[moved])
    with pytest.raises(DataInvalid, match="is not there; say where with --data"):
        replay(run.path, data=[tmp_path / "gone.csv"])
    with pytest.raises(DataInvalid, match="2 files given, the journal was made from 1"):
        replay(run.path, data=[run.files[0], moved])


def test_a_journal_is_never_written_over(run: Run) -> None:
    backtest = Backtest(run.settings, load_history(run.files, run.settings.symbols))
    before = run.path.read_bytes()
    with pytest.raises(InputError, match="never written over"):
        start_journal(run.path, backtest, run.files)
    assert run.path.read_bytes() == before


REPLAY = """
import sys
from pathlib import Path
from hean.backtest.journaling import replay
print(replay(Path(sys.argv[1]))["state_hash"])
"""


@pytest.mark.parametrize("hash_seed", ["1", "20240101"])
def test_a_replay_does_not_depend_on_the_hash_seed_of_the_process(run: Run, hash_seed: str) -> None:
    command = [sys.executable, "-c", REPLAY, str(run.path)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    found = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=240
    )
    assert found.stdout.strip() == run.summary["state_hash"]
