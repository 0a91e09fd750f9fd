# SPDX-License-Identifier: Apache-2.0
"""Several strategies in one session on paper: each with a book of its own, closed in its own name,
and played again by the journal.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from hean.backtest.run import BacktestSettings
from hean.backtest.sharing import Seat, Sharing
from hean.core.types import Book, Command, Error, EventType, OrderFilled, OrderRequest, Tick
from hean.judges import Judges
from hean.paper import ACCOUNT, PaperSession
from hean.paper_journal import finish_session_journal, replay_session, start_session_journal
from hean.risk.drawdown import LossLimits
from hean.risk.killswitch import KillSwitch
from hean.system import AccountSettings
from unit.cli_runs import run_here
from unit.test_paper import HERE, S_NS, START_NS, TERMS

SPEC = f"{HERE / 'paper_strategies.py'}"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
SEATS = (
    Seat("steady", f"{SPEC}:Steady", ("BTCUSDT",)),
    Seat("paced", f"{SPEC}:Paced", ("ETHUSDT",), {"every": 30}),
)
BOTH = [replace(TERMS[0], symbol=symbol) for symbol in SYMBOLS]


def session_of(account: AccountSettings | None = None) -> PaperSession:
    """A session of both."""
    settings = BacktestSettings(
        SEATS[0].strategy,
        SYMBOLS,
        account=account or AccountSettings(),
        sharing=Sharing(SEATS),
    )
    return PaperSession(settings, BOTH, start_ns=START_NS, origin="a test")


def play(session: PaperSession, seconds: int, first: int = 0) -> int:
    """Ten facts a second of each symbol. *Returns*: the moment after."""
    for number in range(first * 10, (first + seconds) * 10):
        at_ns = START_NS + number * S_NS // 10
        for symbol, middle in zip(SYMBOLS, (1_000.0, 100.0)):
            price = round(middle * (1 + (number % 40 - 20) / 20_000), 1)
            bids, asks = ((price - 0.1, 500.0),), ((price + 0.1, 500.0),)
            tick = Tick(symbol, price, 0.5, 0, price - 0.1, price + 0.1)
            session.take(at_ns, (Book(symbol, bids, asks, True), tick))
        session.play(at_ns + 1)
    end_ns = START_NS + (first + seconds) * S_NS
    session.play(end_ns)
    return end_ns


def test_the_books_add_up_and_a_journal_plays_it_again(tmp_path: Path) -> None:
    session = session_of()
    journal = start_session_journal(tmp_path / "two.journal", session, BOTH)
    end_ns = play(session, 20)
    summary, _ = session.finish()
    finish_session_journal(journal, session, end_ns)
    rows = {row["name"]: row for row in summary["strategies"]}
    assert list(rows) == ["steady", "paced", ""]
    assert min(rows["steady"]["fills"], rows["paced"]["fills"]) > 2
    assert sum(Decimal(row["net_pnl"]) for row in rows.values()) == Decimal(summary["net_pnl"])
    assert replay_session(tmp_path / "two.journal")["state_hash"] == summary["state_hash"]


def test_the_kill_switch_closes_each_position_in_the_name_of_its_owner() -> None:
    session = session_of()
    fills: list[OrderFilled] = []
    session.run.bus.subscribe(EventType.ORDER_FILLED, lambda event: fills.append(event.data))
    engine, seconds, end_ns = session.run.system.engine, 0, 0
    while not all(engine.position(symbol) for symbol in SYMBOLS):
        end_ns, seconds = play(session, 1, first=seconds), seconds + 1
    fills.clear()
    session.say(end_ns, (Command("kill", {"level": "FLATTEN", "reason": "enough"}, "somebody"),))
    play(session, 5, first=seconds)
    assert {fill.symbol: fill.strategy_id for fill in fills} == {
        "BTCUSDT": "steady",
        "ETHUSDT": "paced",
    }
    assert any("kill" in fill.order_id and fill.symbol == "ETHUSDT" for fill in fills)
    assert not any(engine.position(symbol) for symbol in SYMBOLS)
    for strategy in session.run.system.strategies:
        assert not any(strategy.position.values())


def test_a_session_that_losses_may_stop_has_one_kill_switch_and_is_released_by_its_phrase() -> None:
    judges = Judges(losses=LossLimits())
    session = session_of(AccountSettings(judges=judges))
    system = session.run.system
    assert sum(isinstance(module, KillSwitch) for module in system.modules) == 1
    errors: list[Error] = []
    session.run.bus.subscribe(EventType.ERROR, lambda event: errors.append(event.data))
    end_ns = play(session, 2)
    session.say(end_ns, (Command("kill", {"level": "FLATTEN", "reason": "enough"}, "somebody"),))
    end_ns = play(session, 70, first=2)
    session.say(end_ns, session.hand.release(f"release {ACCOUNT}", "looked at it", "another"))
    requests: list[OrderRequest] = []
    session.run.bus.subscribe(EventType.ORDER_REQUEST, lambda event: requests.append(event.data))
    play(session, 2, first=72)
    assert errors == []
    assert system.engine.halt_level == "RUN"
    assert requests


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategy", "impulse", "--strategy", "basis"), "say what it trades"),
        (
            ("--strategy", "impulse=BTCUSDT", "--strategy", "pairs=BTCUSDT,ETHUSDT"),
            "both trade BTCUSDT",
        ),
        (
            ("--strategy", "impulse", "--symbols", "BTCUSDT", "--allocation", "equal"),
            "there is one",
        ),
    ],
)
def test_what_the_command_refuses(words: tuple[str, ...], said: str) -> None:
    done = run_here("paper", "--exchange", "bybit", *words)
    assert done.code == 2
    assert said in " ".join(done.stderr.split())


def test_live_trading_has_one_strategy() -> None:
    words = ("--strategy", "impulse=BTCUSDT", "--strategy", "impulse=ETHUSDT")
    done = run_here("live", "--exchange", "bybit", *words)
    assert done.code == 2
    assert "one strategy trades here" in " ".join(done.stderr.split())


def test_parameters_of_a_file_belong_to_nobody_of_several(tmp_path: Path) -> None:
    file = tmp_path / "hean.toml"
    file.write_text('[strategy]\nname = "impulse"\nparams = { window = 30 }\n')
    words = ("--strategy", "impulse=BTCUSDT", "--strategy", "impulse=ETHUSDT", "--config", file)
    done = run_here("paper", *words)
    assert done.code == 2
    assert "say whose they are" in " ".join(done.stderr.split())
