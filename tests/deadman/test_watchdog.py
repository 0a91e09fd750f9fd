# SPDX-License-Identifier: Apache-2.0
"""The watchdog beside a real trading process at a twin: whatever stops the one, the other takes its
orders back, and what it cannot explain it locks. The twin's own ledger is the witness.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deadman.cut_line import CutLine
from deadman.trading_process import KEYS, RESTING, SYMBOL, TradingProcess
from hean.core.journal import SqliteDisk
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.socket import ask
from hean.risk.levels import Latched
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

AFTER_S = 5.0  # half of what people have: nobody waits longer than need be
LONG_S = 120.0  # longer than any machine stands still
S_NS = 1_000_000_000


@pytest.fixture
def bybit(tmp_path: Path) -> Iterator[TwinProcess]:
    with TwinProcess("bybit", tmp_path) as twin:
        yield twin


@pytest.fixture
def trading(bybit: TwinProcess, tmp_path: Path) -> Iterator[TradingProcess]:
    with TradingProcess(bybit, tmp_path / "data") as process:
        process.wait_until_trading()
        yield process


def latched(process: TradingProcess) -> Latched:
    """What the latch file says."""
    return Latch(process.settings.latch, read_file, write_file).load()


def is_told(process: TradingProcess) -> bool:
    """Whether its own kill switch was asked, not just the file written."""
    return bool(process.status().get("actor") == "operator:watchdog")


def now_ns(process: TradingProcess) -> int:
    """The venue's clock."""
    return int(process.twin.control.get("state")["time_ns"])


def require_cancelled(process: TradingProcess) -> None:
    """All but the stop is gone."""
    wait_until(lambda: not process.resting(), "no resting order")
    assert len(process.stops()) == 1
    wait_until(lambda: "shows no order" in process.log(), "the alarm")
    assert process.log().count("ALARM") == 2
    found = latched(process)
    assert (found.level, found.actor) == ("CANCEL_ALL", "watchdog")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_that_stands_still_or_is_gone_has_its_orders_taken_back(
    trading: TradingProcess, number: signal.Signals
) -> None:
    trading.watch(after_s=AFTER_S)
    trading.wait_until_watched()
    trading.send(number)
    require_cancelled(trading)


@pytest.mark.parametrize("market", ["linear", "spot"])
def test_so_it_is_at_binance_whose_stops_lie_in_another_book(tmp_path: Path, market: str) -> None:
    with (
        TwinProcess("binance", tmp_path) as twin,
        TradingProcess(twin, tmp_path / "data", market=market) as process,
    ):
        process.wait_until_trading()
        process.watch(after_s=AFTER_S)
        process.wait_until_watched()
        process.send(signal.SIGKILL)
        require_cancelled(process)


def test_a_process_that_reaches_its_venue_no_more_has_its_orders_taken_back(
    bybit: TwinProcess, tmp_path: Path
) -> None:
    with (
        CutLine(bybit.port) as line,
        TradingProcess(
            bybit,
            tmp_path / "data",
            rest_url=f"http://127.0.0.1:{line.port}",
            ws_base=f"ws://127.0.0.1:{line.port}",
        ) as process,
    ):
        process.wait_until_trading()
        process.watch(after_s=AFTER_S)
        process.wait_until_watched()
        line.cut()
        require_cancelled(process)
        assert "has not answered the trading process" in process.log()
        wait_until(lambda: is_told(process), "the process is told")


def test_a_process_that_wakes_is_told_and_a_new_one_comes_back_latched(
    trading: TradingProcess,
) -> None:
    trading.watch()
    trading.wait_until_watched()
    trading.send(signal.SIGSTOP)
    wait_until(lambda: not trading.resting(), "no resting order")
    trading.send(signal.SIGCONT)
    wait_until(lambda: is_told(trading), "the process is told")
    trading.send(signal.SIGKILL)
    trading.wait()
    trading.start()
    wait_until(lambda: trading.status().get("is_ready"), "the next life")
    assert trading.status()["level"] == "CANCEL_ALL"
    assert not trading.resting()
    assert trading.guard is not None
    assert trading.guard.is_running


def test_with_the_policy_flatten_positions_are_closed_too(trading: TradingProcess) -> None:
    trading.watch(policy="flatten")
    trading.wait_until_watched()
    trading.send(signal.SIGKILL)
    wait_until(lambda: not trading.twin.control.account()["positions"], "no position")
    wait_until(lambda: not trading.open_orders(), "no stop for a position that is closed")
    assert latched(trading).level == "FLATTEN"


def test_it_ends_when_the_data_directory_has_vanished_and_takes_orders_back(
    trading: TradingProcess,
) -> None:
    guard = trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    trading.send(signal.SIGKILL)
    trading.wait()
    shutil.rmtree(trading.settings.data_dir)
    assert guard.process.wait(LONG_S) == 0
    assert not trading.resting()
    assert len(trading.stops()) == 1
    assert not trading.settings.data_dir.exists(), "it has made nothing anew"


def test_it_ends_when_the_process_has_ended_in_order_and_cancels_nothing_of_it(
    trading: TradingProcess,
) -> None:
    guard = trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    trading.send(signal.SIGTERM)
    assert trading.wait() == 0
    assert guard.process.wait(LONG_S) == 0
    assert latched(trading) == Latched()
    assert "ALARM" not in trading.log()


def test_a_restart_that_is_quick_enough_alarms_nobody_and_the_next_watchdog_takes_over(
    trading: TradingProcess,
) -> None:
    first = trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    trading.send(signal.SIGKILL)
    trading.wait()
    trading.start()
    wait_until(lambda: trading.status().get("is_ready"), "the next life")
    second = trading.watch(after_s=LONG_S)
    assert first.process.wait(LONG_S) == 0
    wait_until(lambda: trading.log().count("watching") == 2, "the second on duty")
    assert second.is_running
    assert "ALARM" not in trading.log()
    assert len(trading.resting()) == RESTING


@pytest.mark.parametrize("change", ["id", "size", "price"])
def test_an_order_with_our_name_that_the_journal_does_not_explain_locks(
    trading: TradingProcess, change: str
) -> None:
    """Another one has the key: an order under a new id of ours, and one that was changed."""
    trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    wait_until(lambda: sessions(trading) == 2, "both private streams")
    epoch, order = trading.status()["epoch"], trading.resting()[0]
    if change == "id":
        client_id = place_beside(trading, order)
    else:
        client_id = order["client_order_id"]
        amend(trading, order, change)
    found = wait_until(lambda: latched(trading).level == "LOCKED" and latched(trading), "LOCKED")
    wait_until(lambda: trading.status().get("level") == "LOCKED", "the process is told")
    wait_until(lambda: client_id in trading.log(), "the alarm")
    assert client_id in found.reason
    assert found.actor in ("watchdog", "operator:watchdog", "bybit.linear")
    assert epoch == trading.status()["epoch"]


def test_a_strange_order_is_told_of_also_where_everything_is_locked(
    trading: TradingProcess,
) -> None:
    """The trading process may have seen it and locked before; people are told all the same."""
    trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    wait_until(lambda: sessions(trading) == 2, "both private streams")
    order = trading.resting()[0]
    ask(
        trading.settings.control,
        {"verb": "kill", "level": "LOCKED", "reason": "a test", "by": "operator:test"},
        timeout_s=LONG_S,
    )
    wait_until(lambda: trading.status().get("level") == "LOCKED", "the process is told")
    since_ns = now_ns(trading)
    wait_until(lambda: now_ns(trading) - since_ns > 3 * S_NS, "the watchdog has looked")
    client_id = place_beside(trading, order)
    wait_until(lambda: client_id in trading.log(), "the alarm")


def place_beside(process: TradingProcess, order: dict[str, Any]) -> str:
    """One like *order* under another id of our form, from outside. *Returns*: the id."""
    client_id = f"{order['client_order_id'].split('-')[0]}-hold-zz"
    process.twin.control.manual(
        "place", symbol=SYMBOL, market="linear", side="BUY", qty="0.01", price=order["price"],
        client_id=client_id,
    )  # fmt: skip
    return client_id


def sessions(process: TradingProcess) -> int:
    """Private streams that the venue serves."""
    found = process.twin.control.get("state")["sessions"]
    return sum("private" in session["kinds"] for session in found)


def amend(process: TradingProcess, order: dict[str, Any], what: str) -> None:
    """Change an order with the same key, from outside."""
    from pybit.unified_trading import HTTP

    key, secret, _ = KEYS
    session = HTTP(
        testnet=True, api_key=key.reveal(), api_secret=secret.reveal(), timeout=LONG_S,
        recv_window=60_000,
    )  # fmt: skip
    session.endpoint = process.twin.rest_url
    changed = {"qty": "0.02"} if what == "size" else {"price": str(float(order["price"]) - 100)}
    session.amend_order(
        category="linear", symbol=SYMBOL, orderLinkId=order["client_order_id"], **changed
    )


def test_neither_key_nor_secret_is_in_its_command_line_environment_or_files(
    trading: TradingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret, _ = (each.reveal() if hasattr(each, "reveal") else each for each in KEYS)
    monkeypatch.setenv("BYBIT_API_KEY", key)
    monkeypatch.setenv("BYBIT_API_SECRET", secret)
    guard = trading.watch()
    trading.wait_until_watched()
    for name in ("cmdline", "environ"):
        content = Path(f"/proc/{guard.pid}/{name}").read_bytes()
        assert content
        assert key.encode() not in content
        assert secret.encode() not in content
    assert os.getsid(guard.pid) == guard.pid
    trading.send(signal.SIGKILL)
    wait_until(lambda: "shows no order" in trading.log(), "the alarm")
    for path in trading.settings.data_dir.glob("watchdog*"):
        assert secret not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".lock"


def test_reading_along_never_keeps_the_writer_from_its_checkpoint(
    trading: TradingProcess,
) -> None:
    """Row 25. A checkpoint that has to wait for a reader reports so, and the next one is done."""
    trading.watch(after_s=LONG_S)
    trading.wait_until_watched()
    disk = SqliteDisk(trading.settings.journal)

    def is_whole() -> bool:
        is_busy, in_log, moved = disk.execute("PRAGMA wal_checkpoint(PASSIVE)")[0]
        return (is_busy, in_log) == (0, moved)

    try:
        for _ in range(50):
            wait_until(is_whole, "a checkpoint of everything")
    finally:
        disk.close()
