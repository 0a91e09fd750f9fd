# SPDX-License-Identifier: Apache-2.0
"""Several strategies in one backtest: each does what it would, their results add up to the
account's to the last digit, and the journal has them all.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import BTC, ETH, candle_file
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.report import reproduce
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.sharing import Seat, Sharing
from hean.backtest.tiers import Tier
from hean.errors import ParameterInvalid
from hean.feeds.history import load_history
from hean.judges import Judges
from hean.risk.drawdown import LossLimits
from hean.system import AccountSettings
from unit.backtest.test_journaling import BUSY
from unit.cli_runs import run_here


class Two:
    """Two of one class on generated bars."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "busy.py"
        self.file.write_text(BUSY, encoding="utf-8")
        self.files = [candle_file(folder, symbol=symbol, bars=300) for symbol in (BTC, ETH)]
        self.spec = f"{self.file}:Busy"

    def settings(self, **rest: Any) -> BacktestSettings:
        seats = (Seat("Busy", self.spec, (BTC,)), Seat("Busy-2", self.spec, (ETH,)))
        return BacktestSettings(self.spec, (BTC, ETH), seed=3, sharing=Sharing(seats), **rest)

    def backtest(self, **rest: Any) -> Backtest:
        return Backtest(self.settings(**rest), load_history(self.files, (BTC, ETH)))


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def added_up(summary: dict[str, Any]) -> None:
    rows = summary["strategies"]
    for word in ("net_pnl", "fees", "funding"):
        assert sum(Decimal(row[word]) for row in rows) == Decimal(summary[word]), word
    for word in ("fills", "trades"):
        assert sum(row.get(word, 0) for row in rows) == summary[word], word


def test_results_add_up_to_the_account_and_the_journal_replays(two: Two, tmp_path: Path) -> None:
    backtest = two.backtest()
    journal = start_journal(tmp_path / "j", backtest, two.files)
    summary, record = backtest.run()
    finish_journal(journal, backtest)
    added_up(summary)
    first, second, nobody = summary["strategies"]
    assert (first["name"], second["name"], nobody["name"]) == ("Busy", "Busy-2", "")
    assert first["fills"] > 20
    assert second["fills"] > 20
    assert Decimal(nobody["net_pnl"]) == 0
    assert {fill.strategy_id for fill in record.fills} == {"Busy", "Busy-2"}
    assert summary["strategy"] == "Busy + Busy-2"
    assert replay(tmp_path / "j")["state_hash"] == summary["state_hash"]


def test_losses_close_the_positions_of_each_in_its_own_name(two: Two) -> None:
    limits = LossLimits(total_reduce=None, total_flatten=0.0005, speed_flatten=None)
    account = AccountSettings(judges=Judges(losses=limits))
    backtest = two.backtest(account=account)
    summary, record = backtest.run()
    added_up(summary)
    assert summary["losses"]["state"] == "LOCKED"
    closing = {fill.strategy_id for fill in record.fills if fill.order_id.startswith("h0-kill-")}
    assert closing <= {"Busy", "Busy-2"}
    assert closing
    assert all(not any(each.position.values()) for each in backtest.system.strategies)


LISTENS = """
from hean.core.module import on
from hean.core.types import EventType
from hean.strategies.base import Strategy


class Waits(Strategy):
    heard = ()

    @on(EventType.CANDLE)
    async def on_candle(self, event):
        self.heard = (*self.heard, event.data.symbol)


class Calls(Strategy):
    heard = ()

    @on(EventType.CANDLE, EventType.TIMER)
    def on_candle(self, event):
        self.heard = (*self.heard, getattr(event.data, "symbol", event.event_type))
"""


def test_each_hears_of_its_own_symbols_as_if_it_were_alone(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "listens.py"
    file.write_text(LISTENS, encoding="utf-8")
    waits, calls = f"{file}:Waits", f"{file}:Calls"
    seats = (Seat("Waits", waits, (BTC,)), Seat("Calls", calls, (ETH,)))
    settings = BacktestSettings(waits, (BTC, ETH), sharing=Sharing(seats))
    backtest = Backtest(settings, load_history(two.files, (BTC, ETH)))
    backtest.run()
    first, second = backtest.system.strategies
    assert set(first.heard) == {BTC}  # type: ignore[attr-defined]
    assert len(first.heard) == 300  # type: ignore[attr-defined]
    assert set(second.heard) == {ETH, "TIMER"}  # type: ignore[attr-defined]


def test_what_one_of_several_does_wrong_is_blamed_on_it(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "breaks.py"
    file.write_text(BUSY.replace("bar = event.data", "bar = event.data / 0"), encoding="utf-8")
    words = ["--strategy", f"{two.spec}={BTC}", "--strategy", f"{file}:Busy={ETH}"]
    data = [word for each in two.files for word in ("--data", each)]
    ran = run_here("backtest", *words, *data)
    assert ran.code == 1
    assert "strategy Busy-2 failed: breaks.py:12" in ran.stderr


def test_one_strategy_is_what_it_was(two: Two) -> None:
    plain = BacktestSettings(two.spec, (BTC,), seed=3)
    summary, _ = Backtest(plain, load_history(two.files[:1], (BTC,))).run()
    assert "strategies" not in summary
    assert summary["strategy"] == "busy"


def test_only_the_event_tier_takes_several(two: Two) -> None:
    with pytest.raises(ParameterInvalid, match="run tier event"):
        two.backtest(tier=Tier.WAKE)


def test_the_command_takes_several_and_names_what_repeats_it(two: Two, tmp_path: Path) -> None:
    words = ["--strategy", f"{two.spec}={BTC}", "--strategy", f"{two.spec}={ETH}", "--seed", 3]
    data = [word for file in two.files for word in ("--data", file)]
    files = ["--json", tmp_path / "r.json", "--report", tmp_path / "r.html"]
    ran = run_here("backtest", *words, *data, *files, "--leverage", "2", "--losses")
    assert ran.code == 0, ran.stderr
    assert "Busy-2" in ran.stdout
    result = json.loads((tmp_path / "r.json").read_text())
    added_up(result)
    assert '<section id="strategies">' in (tmp_path / "r.html").read_text()
    assert result["options"] == ["--leverage", "2", "--losses"]
    again = reproduce(result)
    assert f"--strategy {two.spec}={BTC} --strategy {two.spec}={ETH} --data" in again
    assert again.endswith("--leverage 2 --losses")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strategy", "impulse"], "--symbol is missing"),
        (["--strategy", "impulse", "--strategy", "impulse=ETHUSDT"], "say what it trades"),
        (["--strategy", "impulse=BTCUSDT", "--strategy", "impulse=BTCUSDT"], "both trade BTCUSDT"),
        (["--strategy", "a=BTCUSDT", "--strategy", "b=ETHUSDT", "--symbol", "X"], "whose it is"),
        (
            ["--strategy", "impulse=BTCUSDT", "--strategy", "impulse=ETHUSDT", "--param", "hold=3"],
            "one of impulse, impulse-2",
        ),
        (
            ["--strategy", "impulse=BTCUSDT", "--strategy", "impulse=ETHUSDT",
             "--param", "impulse-2.hodl=3"],
            "nearest hold",
        ),
        (["--strategy", "impulse=BTCUSDT", "--strategy", "none=ETHUSDT"], "unknown strategy"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(two: Two, words: list[str], said: str) -> None:
    data = [word for file in two.files for word in ("--data", file)]
    ran = run_here("backtest", *words, *data)
    assert ran.code == 2
    assert said in ran.stderr
