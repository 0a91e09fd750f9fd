# SPDX-License-Identifier: Apache-2.0
"""A session and its backtest are the same; what is given to one side otherwise is named as the
cause, and only that."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean import __version__
from hean.backtest.assumptions import LatencyModel
from hean.backtest.journaling import finish_journal, start_journal
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.core.journal import open_journal
from hean.core.types import Event, EventType, Liquidity, OrderFilled, Side
from hean.errors import DataInvalid, InputError
from hean.feeds.recording import load_market
from hean.parity.sides import given_market, recorded_run
from hean.parity.trial import Cause, Parity, Played, compare, play
from hean.system import AccountSettings
from sessions import S_NS, START_NS, STRATEGY, TERMS, recorded_session, without

Settings = BacktestSettings
MINUTE = (START_NS + 20 * S_NS, START_NS + 80 * S_NS)
PATIENT = """
from hean.core.module import on
from hean.core.types import EventType, Side
from hean.core.parameters import Parameter
from hean.strategies.base import Strategy

class Patient(Strategy):
    name = "patient"
    parameters = (Parameter("every", 4, "facts from one decision to the next"),)
    facts = 0

    @on(EventType.TICK)
    def on_tick(self, event):
        symbol = event.data.symbol
        self.facts += 1
        if self.facts % self.settings["every"] or self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.leave(symbol)
        else:
            self.enter(symbol, Side.BUY)
"""


def replaced(settings: Settings, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings, **changes)


def exchange(settings: Settings, **changes: Any) -> Settings:
    """With other assumptions."""
    return replaced(settings, assumptions=msgspec.structs.replace(settings.assumptions, **changes))


def account(settings: Settings, **changes: Any) -> Settings:
    return replaced(settings, account=msgspec.structs.replace(settings.account, **changes))


def parity(
    journal: Path,
    files: list[Path],
    change: Callable[[Settings], Settings] = lambda settings: settings,
    **more: Any,
) -> Parity:
    with recorded_run(journal) as recorded:
        given = given_market(recorded, files)
        return compare(recorded, given, change(recorded.settings), **more)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Ninety seconds: journal, recording, summary."""
    return recorded_session(tmp_path_factory.mktemp("session"))


Session = tuple[Path, Path, dict[str, Any]]


@pytest.mark.parametrize("is_given", [False, True])
def test_a_session_and_its_backtest_are_the_same(session: Session, is_given: bool) -> None:
    journal, recording, summary = session
    found = parity(journal, [recording] if is_given else [])
    assert len(found.pairs) == summary["fills"] > 20
    assert found.is_identical
    assert found.fraction == 1.0
    assert found.exchanges == []
    assert found.played.state_hash == summary["state_hash"] == found.recorded.told.state_hash


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda s: exchange(s, taker_fee=Decimal("0.001")), Cause.FEE),
        (lambda s: exchange(s, entry=LatencyModel("constant", (80e6,))), Cause.LATENCY),
        (lambda s: account(s, cash=Decimal(5_000)), Cause.ACCOUNT),
        (
            lambda s: account(s, sizing=msgspec.structs.replace(s.account.sizing, fraction=0.1)),
            Cause.SIZING,
        ),
        (
            lambda s: account(s, limits={**s.account.limits, "order_value_max": "10"}),
            Cause.LIMIT,
        ),
        (lambda s: replaced(s, strategy=s.strategy.replace("Steady", "Quiet")), Cause.STRATEGY),
    ],
)
def test_the_one_input_that_differs_is_the_cause(
    session: Session, change: Callable[[Settings], Settings], cause: Cause
) -> None:
    journal, recording, _ = session
    found = parity(journal, [recording], change)
    assert not found.is_identical
    assert set(found.causes.values()) == {cause}
    assert [each.cause for each in found.exchanges] == [cause]


def test_a_missing_minute_is_the_cause_from_there_on(session: Session) -> None:
    journal, recording, _ = session
    found = parity(journal, [without(recording, *MINUTE)])
    assert set(found.causes.values()) == {Cause.DATA}
    assert found.difference is not None
    (stretch,) = found.difference.stretches
    assert (stretch.kind, stretch.frames) == ("missing", 1206)
    assert min(pair.ts_ns for _, pair in found.differing()) > MINUTE[0]
    assert found.fraction > 0.1


def test_a_changed_parameter_is_the_cause(tmp_path: Path) -> None:
    file = tmp_path / "patient.py"
    file.write_text(PATIENT)
    spec = f"{file}:Patient"
    journal, recording, _ = recorded_session(tmp_path, 30, strategy=spec, given={"every": 4})
    assert parity(journal, [recording]).is_identical
    found = parity(journal, [recording], lambda s: replaced(s, given={"every": 5}))
    assert set(found.causes.values()) == {Cause.PARAMETER}


def test_a_strategy_that_was_edited_since_is_the_cause(tmp_path: Path) -> None:
    file = tmp_path / "patient.py"
    file.write_text(PATIENT)
    journal, recording, _ = recorded_session(tmp_path, 30, strategy=f"{file}:Patient")
    file.write_text(PATIENT.replace('"every", 4,', '"every", 6,'))
    found = parity(journal, [recording])
    assert set(found.causes.values()) == {Cause.STRATEGY}


def test_of_two_inputs_each_trade_gets_the_one_that_first_changed_it(session: Session) -> None:
    journal, recording, _ = session
    found = parity(
        journal,
        [without(recording, START_NS + 60 * S_NS, START_NS + 70 * S_NS)],
        lambda s: exchange(s, taker_fee=Decimal("0.001")),
    )
    assert set(found.causes.values()) == {Cause.DATA, Cause.FEE}
    hole_ns = START_NS + 60 * S_NS
    times: dict[Cause, list[int]] = {Cause.DATA: [], Cause.FEE: []}
    for cause, pair in found.differing():
        times[cause].append(pair.ts_ns)
    assert min(times[Cause.DATA]) > hole_ns > min(times[Cause.FEE])
    assert [each.cause for each in found.exchanges] == [Cause.DATA, Cause.FEE]


def test_a_seed_that_decides_nothing_changes_nothing_and_is_said(session: Session) -> None:
    found = parity(session[0], [], lambda s: replaced(s, seed=9))
    assert found.is_identical
    assert [each.cause for each in found.exchanges] == [Cause.SEED]


def test_a_seed_that_decides_delays_is_the_cause(tmp_path: Path) -> None:
    normal = LatencyModel("normal", (50e6, 20e6))
    assumptions = exchange(BacktestSettings(STRATEGY, ("BTCUSDT",)), entry=normal).assumptions
    journal, recording, _ = recorded_session(tmp_path, 30, assumptions=assumptions)
    assert parity(journal, [recording]).is_identical
    found = parity(journal, [recording], lambda s: replaced(s, seed=9))
    assert set(found.causes.values()) == {Cause.SEED}


def test_what_no_input_explains_is_unexplained(session: Session) -> None:
    def wrong(settings: Settings, market: MarketData) -> Played:
        made = play(settings, market)
        first = msgspec.structs.replace(made.trades[0], price=made.trades[0].price + 1)
        return Played([first, *made.trades[1:]], "00", made.code, made.data)

    found = parity(session[0], [], play=wrong)
    assert list(found.causes.values()) == [Cause.UNEXPLAINED]
    assert found.state is Cause.UNEXPLAINED
    assert not found.is_identical


def test_another_version_is_the_cause_of_what_it_does_otherwise(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(settings: Settings, market: MarketData) -> Played:
        made = play(settings, market)
        return Played(made.trades[1:], made.state_hash, made.code, made.data)

    monkeypatch.setattr("hean.parity.trial.__version__", "9")
    found = parity(session[0], [], play=wrong)
    assert list(found.causes.values()) == [Cause.VERSION]


def test_a_backtests_own_journal_is_compared_as_well(session: Session, tmp_path: Path) -> None:
    _, recording, _ = session
    run = Backtest(BacktestSettings(STRATEGY, ("BTCUSDT",)), load_market([recording], ["BTCUSDT"]))
    book = start_journal(tmp_path / "run.journal", run, [recording])
    run.run()
    finish_journal(book, run)
    assert parity(tmp_path / "run.journal", []).is_identical
    found = parity(tmp_path / "run.journal", [without(recording, *MINUTE)])
    assert set(found.causes.values()) == {Cause.DATA}
    assert found.difference is not None
    assert found.difference.frames["missing"] == 1206


def live_journal(path: Path, session: Session, **changes: Any) -> Path:
    """A journal of live trading; its third fill is another than the backtest's."""
    with recorded_run(session[0]) as recorded:
        trades = recorded.told.trades
    journal = open_journal(path, holder="1", meta={})
    life = {
        "epoch": 7,
        "version": __version__,
        "strategy": STRATEGY,
        "given": {},
        "account": AccountSettings(),
        "terms": TERMS,
    }
    journal.append("START", msgspec.msgpack.encode(life), ts_ns=START_NS)
    for number, one in enumerate(trades):
        values = {
            "order_id": one.order_id,
            "filled_qty": one.qty,
            "fill_price": one.price,
            "symbol": one.symbol,
            "side": one.side,
            "fee": one.fee,
            "liquidity": Liquidity.TAKER,
            "exec_id": str(number),
        }
        ts_ns = one.ts_ns
        if number == 2:
            ts_ns = changes.get("ts_ns", ts_ns)
            values |= {name: value for name, value in changes.items() if name != "ts_ns"}
        fill = OrderFilled(**values)
        journal.append_event(Event(EventType.ORDER_FILLED, fill, ts_ns, number + 1))
    journal.close()
    return path


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"fee": Decimal(9)}, Cause.FEE),
        ({"fill_price": Decimal("1000.7"), "fee": Decimal(9)}, Cause.FILL_MODEL),
        ({"ts_ns": START_NS + 2 * S_NS}, Cause.LATENCY),
        ({"side": Side.SELL}, Cause.UNEXPLAINED),
    ],
)
def test_what_a_venue_did_otherwise_is_named_by_what_differs(
    session: Session, tmp_path: Path, changes: dict[str, Any], cause: Cause
) -> None:
    path = live_journal(tmp_path / "live.journal", session, **changes)
    with recorded_run(path) as recorded:
        with pytest.raises(InputError, match="holds no market; give --data"):
            given_market(recorded, [])
        found = compare(recorded, given_market(recorded, [session[1]]), recorded.settings)
    assert set(found.causes.values()) == {cause}
    assert len(found.causes) in (1, 2)


def test_a_journal_that_does_not_say_what_ran_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.journal"
    open_journal(path, holder="1", meta={"of": "something else"}).close()
    with pytest.raises(InputError, match="does not say what ran"), recorded_run(path):
        pass


def test_a_backtests_data_must_still_be_there(session: Session, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl.gz"
    copy.write_bytes(session[1].read_bytes())
    run = Backtest(BacktestSettings(STRATEGY, ("BTCUSDT",)), load_market([copy], ["BTCUSDT"]))
    book = start_journal(tmp_path / "run.journal", run, [copy])
    run.run()
    finish_journal(book, run)
    copy.unlink()
    with pytest.raises(DataInvalid, match="data is not there"):
        parity(tmp_path / "run.journal", [])
