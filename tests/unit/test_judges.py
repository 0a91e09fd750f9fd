# SPDX-License-Identifier: Apache-2.0
"""Who else judges: chosen by key and option, the same in a backtest, a session on paper and their
replays; nobody where none is chosen.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desk import BTC, INSTRUMENTS, Hand, Notebook
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.cli_live import live_settings
from hean.cli_settings import account_of
from hean.config import load
from hean.core.bus import EventBus
from hean.core.types import Event, EventType
from hean.errors import ParameterInvalid
from hean.feeds.history import load_history
from hean.judges import Judges
from hean.models.changepoint import ChangepointSettings
from hean.models.garch import GarchSettings
from hean.models.regime import RegimeSettings
from hean.paper_journal import replay_session
from hean.risk.changepoint_breaker import ChangeLimits
from hean.risk.drawdown import LossLimits
from hean.risk.memory import MemorySettings
from hean.risk.sizing import Sizing, SizingMethod
from hean.system import AccountSettings, TradingSystem
from sessions import recorded_session
from small_market import IMPULSE, SYMBOL, candle_history, write_candles
from unit.cli_runs import run_here

ALL = Judges(
    garch=GarchSettings(window=500),
    changepoint=ChangepointSettings(training=30),
    breaker=ChangeLimits(),
    regime=RegimeSettings(states=2, fit_bars=60, refit_bars=500),
    losses=LossLimits(),
)
JUDGED = AccountSettings(judges=ALL, memory=MemorySettings())
SWITCHES = ["--volatility", "garch", "--breaker", "--regime", "--memory", "--losses"]


def modules(account: AccountSettings) -> str:
    system = TradingSystem(
        Hand((BTC,)), INSTRUMENTS, settings=account, bus=EventBus(), venue=Notebook(),
        reference=lambda symbol: None, seed=0, candles_from_ticks="1m",
    )  # fmt: skip
    return " ".join(module.name for module in system.modules)


def told(backtest: Backtest) -> dict[EventType, int]:
    """Counts what the run says, once it has been played."""
    counts: dict[EventType, int] = {}

    def count(event: Event) -> None:
        counts[event.event_type] = counts.get(event.event_type, 0) + 1

    backtest.bus.tap(count)
    return counts


# ---------------------------------------------------------------- composition


def test_nobody_judges_unless_chosen_and_then_each_once() -> None:
    core = "orders portfolio {}risk router hand"
    assert modules(AccountSettings()) == core.format("")
    assert modules(JUDGED) == "candles garch changepoint regime " + core.format(
        "memory changepoint_breaker drawdown "
    )
    target = AccountSettings(sizing=Sizing(SizingMethod.VOLATILITY_TARGET))
    assert modules(target) == "candles ewma " + core.format("")  # bars for the forecast alone
    garch = msgspec.structs.replace(target, judges=Judges(garch=GarchSettings()))
    assert modules(garch) == "candles garch " + core.format("")
    assert "changepoint " in modules(AccountSettings(judges=Judges(breaker=ChangeLimits())))


def test_the_memory_knows_the_regimes_of_the_model() -> None:
    assert ALL.contexts(None) is None
    assert ALL.contexts(MemorySettings()) == MemorySettings(regimes=("calm", "wild"))
    named = MemorySettings(regimes=("mine",))
    assert ALL.contexts(named) == named
    assert Judges().contexts(MemorySettings()) == MemorySettings()


def test_a_run_without_judges_says_nothing_of_them_in_its_journal() -> None:
    """So its journal is, byte for byte, the one of a version that had none."""
    assert "judges" not in msgspec.to_builtins(AccountSettings())
    assert msgspec.convert({}, AccountSettings).chosen == Judges()
    written = json.loads(json.dumps(msgspec.to_builtins(JUDGED, str_keys=True), default=str))
    assert msgspec.convert(written, AccountSettings, strict=False) == JUDGED


# ---------------------------------------------------------------- backtest, paper, replay


def test_a_judged_backtest_of_recorded_data_replays_to_the_same_state(
    shared: Path, tmp_path: Path
) -> None:
    files = [
        shared / "data/candles/binance_perp_BTCUSDT_1m_2023-07-18_2023-08-17.parquet",
        shared / "data/funding/binance_perp_BTCUSDT_8h_2020-01-01_2025-10-31.parquet",
    ]
    end_ns = 1_689_897_600 * 10**9  # 2023-07-21
    settings = BacktestSettings("impulse", (BTC,), account=JUDGED)
    backtest = Backtest(settings, load_history(files, (BTC,), end_ns=end_ns))
    counts = told(backtest)
    journal = start_journal(tmp_path / "j", backtest, files)
    summary, _ = backtest.run()
    finish_journal(journal, backtest)
    for each in (EventType.VOL_FORECAST, EventType.CHANGEPOINT, EventType.REGIME):
        assert counts[each] > 2_000, each
    assert summary["fills"] > 4
    judges = "garch, changepoint, breaker, regime, losses, memory"
    assert summary["assumptions"]["judges"] == judges
    assert summary["losses"]["state"] == "NORMAL"
    plain = BacktestSettings("impulse", (BTC,))
    alone, _ = Backtest(plain, load_history(files, (BTC,), end_ns=end_ns)).run()
    assert alone["state_hash"] != summary["state_hash"]
    assert "losses" not in alone
    assert "judges" not in alone["assumptions"]
    assert replay(tmp_path / "j")["state_hash"] == summary["state_hash"]


def test_losses_close_everything_and_lock_a_backtest(tmp_path: Path) -> None:
    limits = LossLimits(total_reduce=None, total_flatten=0.01, speed_flatten=None)
    account = AccountSettings(judges=Judges(losses=limits))
    settings = BacktestSettings("impulse", (SYMBOL,), IMPULSE, account)
    backtest = Backtest(settings, candle_history(tmp_path, 4))
    ends: list[tuple[str, Decimal]] = []
    backtest.bus.subscribe(
        EventType.KILLSWITCH_TRIGGERED,
        lambda event: ends.append((event.data.level, backtest.system.engine.position(SYMBOL))),
    )
    summary, record = backtest.run()
    (first, held), (second, left) = ends
    assert (first, second, summary["losses"]["state"]) == ("FLATTEN", "LOCKED", "LOCKED")
    assert held
    assert not left
    assert record.fills[-1].order_id.startswith("h0-kill-")
    assert record.fills[-1].strategy_id == "impulse"  # whose position it was, so that it knows
    assert backtest.system.strategy.position[SYMBOL] == 0
    assert summary["orders_rejected"] > 0


def test_a_judged_session_on_paper_replays_to_the_same_state(tmp_path: Path) -> None:
    journal, _, summary = recorded_session(tmp_path, 90, account=JUDGED, bar="1s")
    assert summary["fills"] > 10
    assert summary["losses"] == {"state": "REDUCE", "reason": "10 losing trips in a row"}
    assert replay_session(journal)["state_hash"] == summary["state_hash"]


# ---------------------------------------------------------------- keys and options


def configured(folder: Path, text: str, **cli: object) -> AccountSettings:
    file = folder / "hean.toml"
    file.write_text(text)
    return account_of(load(cli, {}, file=file))


def test_the_file_chooses_with_safe_defaults(tmp_path: Path) -> None:
    names = ("changepoint", "breaker", "regime", "memory", "losses")
    text = '[volatility]\nmodel = "garch"\n' + "".join(f"[{name}]\non = true\n" for name in names)
    account = configured(tmp_path, text)
    assert account.memory == MemorySettings()
    assert account.chosen == Judges(
        GarchSettings(), ChangepointSettings(), ChangeLimits(), RegimeSettings(), LossLimits()
    )
    assert configured(tmp_path, "") == AccountSettings(limits=configured(tmp_path, "").limits)


def test_numbers_of_the_file_arrive_and_an_option_comes_before_it(tmp_path: Path) -> None:
    text = "[losses]\non = true\ndaily_flatten = 0.04\nstreak = 'off'\n[memory]\non = true\n"
    found = configured(tmp_path, text, **{"losses.daily_flatten": "0.06", "memory.on": False})
    assert found.chosen.losses == LossLimits(daily_flatten=0.06, streak=None)
    assert found.memory is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[losses]\nstreak = 3", "hean.toml:2: losses.streak has no effect"),
        ("[volatility]\nwindow = 600", "hean.toml:2: volatility.window has no effect"),
        ("[losses]\nstreek = 3", "unknown key 'losses.streek'; nearest losses.streak"),
        ("[volatility]\nmodel = 'arch'", "ewma, garch"),
        ("[losses]\non = true\ndaily_reduce = 5", "5 % is 0.05"),
        ("[losses]\non = true\ndaily_reduce = 0.06", "above daily_flatten"),
        ("[regime]\non = true\nenter = 0.4", "enter 0.5 to 1"),
        ("[memory]\non = true\nsigma_calm = 0.05", "exchange them"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ParameterInvalid, match=said):
        configured(tmp_path, text)


def live(**cli: object) -> Any:
    base = {"strategy.name": "impulse", "symbols": "BTCUSDT", "exchange": "bybit"}
    return live_settings(load({**base, **cli}, {}))


def test_live_has_the_same_judges_but_the_memory() -> None:
    chosen = {"volatility.model": "garch", "breaker.on": True, "regime.on": True, "losses.on": True}
    found = live(**chosen)
    assert found.account.chosen == Judges(
        GarchSettings(), ChangepointSettings(), ChangeLimits(), RegimeSettings(), LossLimits()
    )
    assert live().account.chosen == Judges()
    with pytest.raises(ParameterInvalid, match="forget at a restart"):
        live(**{"memory.on": True})


def test_options_judge_a_backtest_and_every_tier_but_event_refuses(tmp_path: Path) -> None:
    market = write_candles(tmp_path, 3)
    words = ["backtest", "--strategy", "impulse", "--symbol", "BTCUSDT", "--data", market]
    tuned = ["--set", "regime.fit_bars=100", "--set", "losses.streak=off"]
    files = ["--json", tmp_path / "r.json", "--journal", tmp_path / "j"]
    ran = run_here(*words, *SWITCHES, *tuned, *files)
    assert ran.code == 0, ran.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert "garch" in result["assumptions"]["judges"]
    again = run_here("replay", tmp_path / "j", "--json", "-")
    assert json.loads(again.stdout)["state_hash"] == result["state_hash"]
    for more, said in (
        (["--losses", "--tier", "wake"], "run tier event"),
        (["--regime", "--tier", "native"], "run tier event"),
        (["--set", "losses.streak=3"], "--losses"),
        (["--losses", "--set", "losses.streek=3"], "nearest losses.streak"),
        (["--losses", "--set", "limits.leverage_max=9"], "not known"),
        (["--set", "losses.on=true"], "--losses says so"),
    ):
        ran = run_here(*words, *more)
        assert ran.code == 2
        assert said in ran.stderr
