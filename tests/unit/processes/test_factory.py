# SPDX-License-Identifier: Apache-2.0
"""The factory on a whole account: what leaves it, what it obeys, and where the money is, at every
event of any play.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, ETH, START_NS, Desk, Hand
from hean.core.types import (
    Candle,
    Command,
    Event,
    EventType,
    Funding,
    KillswitchTriggered,
    OrderRejected,
    Side,
)
from hean.errors import ParameterInvalid, TopologyInvalid
from hean.processes.factory import ProcessFactory
from hean.processes.lifecycle import State
from hean.processes.process import DAY_NS, Process, Step, View, Wish
from hean.processes.scan import MarketFacts
from hean.strategies.base import Idle

HOUR_NS = DAY_NS // 24
REQUESTS = {EventType.ORDER_REQUEST, EventType.COMMAND, EventType.ERROR}


class Scripted(Process):
    """Wishes what the test has put into `wanted`, one list at a time."""

    name = "scripted"
    factors = ("test",)

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.wanted: list[list[Wish]] = []
        self.heard: list[Event] = []

    @classmethod
    def candidates(cls, markets: Any) -> tuple[tuple[str, ...], ...]:
        return tuple((market.symbol,) for market in markets if market.price)

    def learn(self, event: Event) -> None:
        self.heard.append(event)

    def steps(self) -> tuple[Step, ...]:
        return (Step("wish", self._is_due, self._take),)

    def _is_due(self, _view: View) -> bool:
        return bool(self.wanted)

    def _take(self, _view: View) -> list[Wish]:
        return self.wanted.pop(0)


class Second(Scripted):
    """Another one."""

    name = "second"


class Play:
    """An account with processes, and everything that the factory emitted."""

    def __init__(self, *processes: Process, **settings: object) -> None:
        self.factory = ProcessFactory(processes, settings, kinds=[Second])
        self.desk = Desk(strategy=Idle(()), factory=self.factory)
        self.emitted: list[Any] = []
        emit = self.factory.context.emit

        def watch(fact: Any) -> None:
            self.emitted.append(fact)
            emit(fact)

        self.factory.context.emit = watch

    def candle(self, symbol: str = BTC, price: float | None = None, *, hours: float = 0.0) -> None:
        if hours:
            self.desk.fire(self.desk.clock.now_ns + int(hours * HOUR_NS))
        close = self.desk.prices[symbol] = price or self.desk.prices[symbol]
        now_ns = self.desk.clock.now_ns
        self.desk.say(Candle(symbol, close, close, close, close, 1.0, "1m", now_ns))

    def command(self, verb: str, **arguments: object) -> None:
        self.desk.say(Command(verb, arguments, "anna"))

    def fill_all(self, qty: str, exec_id: str, price: str = "60000") -> None:
        self.desk.fill(self.desk.venue.sent[-1].order_id, qty, exec_id, price=price)

    def state(self, name: str = "scripted") -> State:
        return self.factory.works[name].state


def scripted(kind: type[Scripted] = Scripted, symbol: str = BTC, **given: object) -> Scripted:
    return kind((symbol,), {"capital_min": 0.5, **given})


@pytest.mark.promise(21)
def test_a_wish_becomes_a_request_that_the_governor_judges() -> None:
    """Approved, sent and filled under the name of the process; its book has the position."""
    process = scripted()
    play = Play(process)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal("0.01"))]]
    play.candle()
    request = play.desk.of(EventType.ORDER_REQUEST)[0]
    assert (request.strategy_id, request.size, request.side) == ("scripted", Decimal("0.01"), "BUY")
    assert not request.reduce_only
    assert [order.order_id for order in play.desk.venue.sent] == [request.order_id]
    play.fill_all("0.01", "e1")
    assert play.factory.works["scripted"].held(BTC) == Decimal("0.01")
    assert len(process.heard) == 2


def test_no_step_is_asked_while_an_order_is_under_way_and_the_last_fill_goes_on() -> None:
    process = scripted()
    play = Play(process)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal("0.02"))], [Wish(BTC, Decimal("-0.01"))]]
    play.candle()
    play.fill_all("0.01", "e1")  # the Notebook says 0 remain, as for a whole fill
    assert [order.side for order in play.desk.venue.sent] == [Side.BUY, Side.SELL]
    assert play.desk.venue.sent[1].reduce_only


def test_a_refused_wish_waits_longer_each_time_and_is_not_forced() -> None:
    """A position beyond the leverage limit is refused at the door; nothing reaches the venue."""
    process = scripted()
    play = Play(process)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal(100))] for _ in range(3)]
    play.candle()
    refused = play.desk.of(EventType.ORDER_REJECTED)
    assert (len(refused), play.desk.venue.sent) == (1, [])
    play.desk.wait(0.9)
    assert len(play.desk.of(EventType.ORDER_REJECTED)) == 1
    play.desk.wait(0.2)
    assert len(play.desk.of(EventType.ORDER_REJECTED)) == 2
    play.desk.wait(1.5)
    assert len(play.desk.of(EventType.ORDER_REJECTED)) == 2


def test_a_halt_ends_all_wishes() -> None:
    process = scripted()
    play = Play(process)
    play.candle()
    play.desk.say(KillswitchTriggered("a test", 0))
    process.wanted = [[Wish(BTC, Decimal("0.01"))]]
    play.candle()
    assert play.desk.of(EventType.ORDER_REQUEST) == []


def test_a_strategy_beside_it_has_symbols_and_a_book_of_its_own() -> None:
    """Each fill is in the book of who asked; the strategy is not told of the process's symbol."""
    process = scripted(symbol=ETH)
    hand = Hand((BTC,))
    desk = Desk(strategy=hand, factory=ProcessFactory([process]))
    assert hand.foreign == {ETH}
    assert desk.system.traders == ["hand", "scripted"]
    desk.say(Candle(ETH, 3e3, 3e3, 3e3, 3e3, 1.0, "1m", START_NS))
    process.wanted = [[Wish(ETH, Decimal("0.5"))]]
    desk.say(Candle(ETH, 3e3, 3e3, 3e3, 3e3, 1.0, "1m", START_NS))
    hand.enter(BTC, Side.BUY, size=Decimal("0.01"))
    desk.say()
    for number, order in enumerate(desk.venue.sent):
        price = "60000" if order.symbol == BTC else "3000"
        desk.fill(order.order_id, str(order.size), f"e{number}", price=price)
    books = desk.system.sub_books
    assert (books.position("hand", BTC), books.position("hand", ETH)) == (Decimal("0.01"), 0)
    assert books.position("scripted", ETH) == Decimal("0.5")
    books.check()
    split = desk.system.factory.split()
    assert sum(split[:4]) == split.equity == 10_000


# ---------------------------------------------------------------- life cycle


def test_every_move_is_a_command_with_an_actor_and_none_is_left_out() -> None:
    play = Play(scripted())
    play.candle()
    moves = [c for c in play.desk.of(EventType.COMMAND) if c.verb == "process"]
    assert [c.arguments["to"] for c in moves] == ["SHADOW", "PROBATION", "LIVE"]
    assert {c.actor for c in moves} == {"settings"}
    told = [(it.before, it.after, it.actor) for it in play.factory.transitions]
    assert told[-1] == (State.PROBATION, State.LIVE, "settings")
    play.command("process", name="scripted", to="DRAINING", reason="enough")
    last = play.factory.transitions[-2:]
    assert [(it.after, it.reason, it.actor) for it in last] == [
        ("DRAINING", "enough", "anna"),
        ("CLOSED", "drained", "auto:processes"),
    ]


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("process", {"name": "scripted", "to": "SHADOW"}, "LIVE to SHADOW is no move"),
        ("process", {"name": "scripted", "to": "CLOSED"}, "LIVE to CLOSED is no move"),
        ("process", {"name": "nobody", "to": "LIVE"}, "no process 'nobody'"),
        (
            "process.capital",
            {"name": "scripted", "amount": "900000"},
            "withdrawal of 900000; available 5000",
        ),
        ("process.capital", {"name": "scripted", "amount": "much"}, "'much' is no amount"),
        ("process.capital", {"name": "scripted", "amount": "NaN"}, "'NaN' is no amount"),
        ("process.capital", {}, "no process 'None'"),
        ("process.propose", {"kind": "second", "symbols": 5}, "not iterable"),
        ("process.propose", {"kind": "none", "symbols": [ETH]}, "no kind of process 'none'"),
        ("process.propose", {"kind": "second", "symbols": [BTC]}, "taken or unknown are BTC"),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_and_changes_nothing(
    verb: str, arguments: dict[str, object], words: str
) -> None:
    play = Play(scripted())
    play.candle()
    before = (play.state(), play.factory.split(), list(play.factory.works))
    play.command(verb, **arguments)
    errors = play.desk.of(EventType.ERROR)
    assert len(errors) == 1
    assert words in errors[0].error
    assert (play.state(), play.factory.split(), list(play.factory.works)) == before


def test_a_drained_process_closes_gives_its_capital_back_and_is_over() -> None:
    process = scripted()
    play = Play(process)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal("0.01"))]]
    play.candle()
    play.fill_all("0.01", "e1")
    play.command("process", name="scripted", to="DRAINING", reason="")
    split = play.factory.split()
    assert (split.allocated, split.in_transit > 0, play.state()) == (0, True, State.DRAINING)
    closing = play.desk.venue.sent[-1]
    assert (closing.side, closing.size, closing.reduce_only) == ("SELL", Decimal("0.01"), True)
    play.fill_all("0.01", "e2", price="61000")
    split = play.factory.split()
    assert play.state() is State.CLOSED
    assert (split.free, split.equity) == (10_010, 10_010)
    process.wanted = [[Wish(BTC, Decimal("0.01"))]]
    play.candle()
    assert len(play.desk.venue.sent) == 2


def test_a_loss_beyond_its_limit_drains_a_process() -> None:
    process = scripted(drawdown_max=0.1)
    play = Play(process)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal("0.08"))]]
    play.candle()
    play.fill_all("0.08", "e1")
    play.candle(price=52_000.0, hours=1)
    assert play.state() is State.LIVE
    play.desk.wait(24 * 3_600)
    assert play.state() is State.DRAINING
    assert play.factory.transitions[-1].reason == "it is 12.8% below its peak"


def test_a_shadow_trades_on_paper_earns_its_trial_and_never_asks_the_venue() -> None:
    """Bought at 60,000 in the shadow and held while it rises: promoted after its days, with what
    is due to those on trial and without a position.
    """
    process = scripted(state="SHADOW")
    play = Play(process, trial_days=5)
    play.candle()
    process.wanted = [[Wish(BTC, Decimal("0.1"))]]
    play.candle()
    assert play.factory.works["scripted"].held(BTC) == Decimal("0.1")
    for day in range(1, 7):
        play.candle(price=60_000.0 + 100 * day, hours=24)
    assert play.state() is State.PROBATION
    assert play.desk.of(EventType.ORDER_REQUEST) == []
    assert play.factory.works["scripted"].held(BTC) == 0
    assert play.factory.split().allocated == 500  # 5 % for exploration, in lots of 100


def test_two_on_trial_share_the_budget_by_a_draw_that_repeats() -> None:
    def days(count: int) -> list[list[Decimal]]:
        both = [scripted(state="PROBATION"), scripted(Second, ETH, state="PROBATION")]
        play = Play(*both)
        play.candle()
        found = []
        for _ in range(count):
            play.candle(hours=24)
            books = play.factory.works.values()
            found.append([work.equity() - work.recalled for work in books])
        return found

    first = days(12)
    assert first == days(12)
    assert {tuple(row) for row in first} == {(500, 0), (0, 500)}


def test_locked_capital_is_not_called_back_and_is_told() -> None:
    play = Play(scripted(lock_days=3.0))
    play.candle()
    split = play.factory.split()
    assert (split.locked, split.allocated) == (5_000, 0)
    play.command("process.capital", name="scripted", amount="-1000", reason="")
    assert "is locked" in play.desk.of(EventType.ERROR)[0].error
    play.candle(hours=73)
    assert play.factory.split().allocated == 5_000
    play.command("process.capital", name="scripted", amount="-1000", reason="")
    assert play.factory.split().free == 6_000


# ---------------------------------------------------------------- looking around


def test_a_candidate_is_proposed_as_a_draft_with_a_book_and_orders_nothing() -> None:
    process = scripted()
    play = Play(process, scan="draft")
    play.candle()
    play.candle(ETH, hours=25)
    found = [c for c in play.desk.of(EventType.COMMAND) if c.verb == "process.propose"]
    assert [(c.arguments["kind"], c.arguments["symbols"]) for c in found] == [("second", [ETH])]
    assert play.state("second") is State.DRAFT
    assert play.factory.works["second"].process.p.capital_min == 0
    play.factory.works["second"].process.wanted = [[Wish(ETH, Decimal(1))]]
    play.candle(ETH, hours=25)
    assert play.desk.of(EventType.ORDER_REQUEST) == []
    play.command("process", name="second", to="SHADOW", reason="look")
    play.candle(ETH)
    assert play.factory.works["second"].held(ETH) == 1
    assert play.desk.of(EventType.ORDER_REQUEST) == []


# ---------------------------------------------------------------- refusals


def test_what_cannot_be_is_refused_before_anything_runs() -> None:
    with pytest.raises(ParameterInvalid, match="needs a name of its own"):
        ProcessFactory([scripted(), scripted(symbol=ETH)])
    with pytest.raises(ParameterInvalid, match="adds up to 1, but only 0.95"):
        ProcessFactory([scripted(), scripted(Second, ETH)])
    with pytest.raises(ParameterInvalid, match=r"capital_min 0.5 is above capital_max 0.4"):
        ProcessFactory([scripted(capital_max=0.4)])
    with pytest.raises(ParameterInvalid, match="parameter exploration is 0.2"):
        ProcessFactory([], {"exploration": 0.2})
    with pytest.raises(TopologyInvalid, match="both trade BTCUSDT"):
        Desk(factory=ProcessFactory([scripted()]))


# ---------------------------------------------------------------- at every event

actions = st.one_of(
    st.tuples(st.just("wish"), st.integers(0, 1), st.integers(-60, 60)),
    st.tuples(st.just("fill"), st.integers(1, 4), st.integers(55_000, 65_000)),
    st.tuples(st.just("end"), st.booleans()),
    st.tuples(st.just("price"), st.integers(0, 1), st.floats(0.9, 1.1)),
    st.tuples(st.just("fund"), st.floats(-0.01, 0.01)),
    st.tuples(st.just("hours"), st.integers(1, 30)),
    st.tuples(st.just("capital"), st.integers(0, 1), st.integers(-3_000, 3_000)),
    st.tuples(st.just("move"), st.integers(0, 1), st.sampled_from(State)),
    st.tuples(st.just("deposit"), st.integers(-200, 900)),
)
NAMES = ("scripted", "second")


def act(play: Play, processes: tuple[Scripted, Scripted], action: tuple, number: int) -> None:
    """One step of a play; *number* names executions."""
    desk = play.desk
    work_order = next(iter(play.factory._by_order), None)
    match action:
        case ("wish", who, lots):
            symbol, unit = ((BTC, 3), (ETH, 2))[who]
            processes[who].wanted = [[Wish(symbol, Decimal(lots).scaleb(-unit))]] if lots else []
            play.candle(symbol)
        case ("fill", parts, price) if work_order:
            order = desk.engine.get(work_order)
            left = order["qty"] - order["filled_qty"]
            rules = desk.system.governor.instruments[order["symbol"]]
            qty = rules.quantity_decimal(max(1, rules.quantity_lots(left) // parts))
            cost = Decimal(price if order["symbol"] == BTC else price // 20)
            desk.fill(work_order, str(qty), f"e{number}", price=str(cost), fee=qty * cost / 1_000,
                      remaining_qty=left - qty)  # fmt: skip
        case ("end", is_refused) if work_order:
            symbol = desk.engine.get(work_order)["symbol"]
            if is_refused:
                desk.say(OrderRejected(work_order, "no", source="venue", symbol=symbol))
            else:
                desk.cancelled(work_order)
        case ("price", who, factor):
            symbol = (BTC, ETH)[who]
            play.candle(symbol, round(desk.prices[symbol] * factor, 1))
        case ("fund", rate):
            desk.say(Funding(BTC, rate, 0, desk.prices[BTC]))
        case ("hours", hours):
            desk.wait(hours * 3_600)
        case ("capital", who, amount):
            play.command("process.capital", name=NAMES[who], amount=str(amount), reason="")
        case ("move", who, state):
            play.command("process", name=NAMES[who], to=state.value, reason="")
        case ("deposit", amount):
            desk.ledger.transfer(amount)
            desk.system.sub_books._take_transfers()


@given(st.lists(actions, min_size=1, max_size=40))
def test_money_is_where_it_is_said_to_be_at_every_event(play_of: list[tuple]) -> None:
    """Free, allocated, locked and in transit are the equity, after every event on the bus, to the
    last digit; and the factory has said nothing but requests.
    """
    processes = (
        scripted(lock_days=1.0, capital_min=0.3),
        scripted(Second, ETH, state="PROBATION"),
    )
    play = Play(*processes)
    seen = 0

    def audit(_event: Event) -> None:
        nonlocal seen
        seen += 1
        split = play.factory.split()
        parts = (split.free, split.allocated, split.locked, split.in_transit)
        assert sum(parts) == split.equity, (split, _event)

    play.desk.bus.subscribe(EventType.COMMAND, audit)
    for kind in EventType:
        if kind not in (EventType.COMMAND, EventType.TIMER):
            play.desk.bus.subscribe(kind, audit)
    play.desk.bus.subscribe(EventType.TIMER, audit)
    play.candle()
    for number, action in enumerate(play_of):
        act(play, processes, action, number)
    play.desk.system.sub_books.check()
    assert seen > 5
    assert {fact.event_type for fact in play.emitted} <= REQUESTS
    assert play.desk.clock.now_ns >= START_NS


def test_the_scan_is_a_function_of_what_was_recorded() -> None:
    facts = [MarketFacts(BTC, "linear"), MarketFacts(ETH, "linear", price=3_000.0)]
    assert Second.candidates(facts) == ((ETH,),) == Second.candidates(facts)
