# SPDX-License-Identifier: Apache-2.0
"""Books from a journal are the books of the process that wrote it, at every row.

A process is played without sockets: the real bus, governor, engine, router, ledger and recorder,
and in place of the gateway a venue that writes the SENT row as the gateway does. Its answers are
drawn: late, twice, in any order, or none. After every step the journal is folded from its first
row.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, INSTRUMENTS, START_NS, Slicer
from hean.core.journal import STATE_HASH, Journal, SqliteDisk, WriterLock
from hean.core.types import (
    AccountRead,
    AmendApproved,
    AmendRejected,
    AmendRequest,
    Command,
    Error,
    EventType,
    KillswitchReleased,
    KillswitchTriggered,
    OrderAbsent,
    OrderAmended,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderQuarantined,
    OrderRejected,
    OrderRequest,
    OrderType,
    OrderUnknown,
    Payload,
    Side,
    Signal,
)
from hean.errors import (
    JournalDamaged,
    JournalWriteFailed,
    OrderNotOpen,
    ReplayDiverged,
    StateError,
)
from hean.feeds.arriving import Terms
from hean.live import recorder as recorder_module
from hean.live.recovery import Books, fold
from hean.live.rows import RESOLVE, SENT, START, Claimed, row_bytes
from hean.venues.reports import Wanted
from recorded_life import LOT, VENUE_MS, Life, start, terms_of_desk, tracked


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


Step = tuple[int, int, int]
_LAST_WORDS: list[Callable[[str], Payload]] = [
    lambda order_id: OrderCancelled(order_id, "by request", BTC),
    lambda order_id: OrderRejected(order_id, "no", 4201, "venue", BTC),
    lambda order_id: OrderUnknown(order_id, START_NS, BTC),
    lambda order_id: OrderQuarantined(order_id, "nobody could tell", BTC),
    lambda order_id: OrderAbsent(order_id, "three looks", BTC),
]


def play(life: Life, step: Step) -> None:
    """One thing that happens: an order, an answer, a stop, or time."""
    what, which, lots = step
    desk = life.desk
    ids = [order.order_id for order in desk.venue.sent] or ["h0-test-0"]
    order_id = ids[which % len(ids)]
    match what % 12:
        case 0 | 1:
            life.refuses = which % 7 == 0
            side = Side.SELL if which % 2 else Side.BUY
            fields = {"type": OrderType.LIMIT, "price": Decimal(60_000)} if which % 3 else {}
            desk.ask(f"{lots}e-3", side=side, order_id=f"h1-test-{len(desk.events)}", **fields)
        case 2:
            desk.place(order_id)
        case 3 | 4 | 5:
            desk.fill(order_id, f"{lots}e-3", f"e{which}", executed_ns=desk.clock.now_ns)
        case 6 | 7:
            desk.say(_LAST_WORDS[which % len(_LAST_WORDS)](order_id))
        case 8:
            level = ("HALT_NEW", "CANCEL_ALL", "LOCKED")[which % 3]
            desk.say(
                KillswitchTriggered("test", desk.clock.now_ns, level)
                if which % 2
                else KillswitchReleased("test is over", desk.clock.now_ns, "test")
            )
        case 9:
            forced = {"side": Side.BUY if which % 2 else Side.SELL, "exec_id": f"f{which}"}
            desk.say(OrderFilled(f"venue-{which}", Decimal(60_000), Decimal(lots), BTC, **forced))
        case 10:
            life.refuses = which % 7 == 0
            desk.say(AmendRequest(order_id, 60_000.0 if which % 2 else None, Decimal(f"{lots}e-3")))
        case 11:
            wanted = [size for name, _, size in desk.venue.amends if name == order_id and size]
            size = wanted[-1] if wanted and which % 2 else Decimal(f"{lots}e-3")
            desk.say(
                OrderAmended(order_id, Decimal(60_000), size, Decimal(0), BTC)
                if which % 3
                else AmendRejected(order_id, "no", 4201, "venue", BTC)
            )
    desk.wait(0.5)


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 50), st.integers(1, 9)),
        min_size=5,
        max_size=40,
    )
)
def test_books_are_those_of_the_process_after_every_step(steps: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        life = Life(Path(folder))
        try:
            for step in steps:
                play(life, step)
                life.check()
        finally:
            life.journal.close()


def test_the_journal_holds_its_own_hash_and_a_fold_compares_it(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "STATE_HASH_EVERY", 7)
    for number in range(12):
        order_id = life.desk.ask("0.010", order_id=f"h1-test-{number}")
        life.desk.fill(order_id, "0.010", f"e{number}")
    books = life.check()
    kinds = [record.kind for record in life.journal.records()]
    assert books.hashes == kinds.count(STATE_HASH) > 3


def test_a_hash_that_differs_is_refused_with_its_row(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    life.desk.ask("0.010", order_id="h1-test-1")
    life.recorder.write(STATE_HASH, b"0" * 64)
    row = life.journal.head_seq
    with pytest.raises(ReplayDiverged, match=f"row {row}: the journal's state is 0000"):
        life.books()


def test_an_order_without_its_row_has_not_left(life: Life) -> None:
    sent = life.desk.ask("0.010", order_id="h1-test-1")
    life.desk.venue.submit = lambda approved: None  # type: ignore[method-assign]  # died before
    life.desk.ask("0.020", order_id="h1-test-2")
    books = life.books()
    assert books.never_sent() == ["h1-test-2"]
    (left,) = books.tracked()
    assert (left.order_id, left.is_unknown, left.is_placed) == (sent, True, False)
    assert left.left_ms == VENUE_MS, "by the venue's clock, whatever this machine's said then"


def test_a_ticket_that_was_never_used_is_worth_nothing_once_the_order_was_withdrawn(
    life: Life,
) -> None:
    """A death between approval and SENT row: the next life withdraws the order. A state hash or a
    stop much later must not find its ticket."""
    life.desk.venue.submit = lambda approved: None  # type: ignore[method-assign]  # died before
    life.desk.ask("0.020", order_id="h1-test-1")
    withdrawals = life.books().withdrawals()
    life.recorder.write(START, row_bytes(start(2)))
    life.desk.say(KillswitchTriggered("slow disk", START_NS, actor="auto:journal"))
    life.desk.say(*withdrawals)
    life.recorder.write(STATE_HASH, life.books().hash().encode())
    life.desk.say(KillswitchTriggered("slower", START_NS, actor="auto:journal"))
    books = life.books()
    assert (books.hashes, books.never_sent()) == (1, [])


def test_an_order_refused_at_the_last_hop_after_a_stop_was_let_through_before_it(
    life: Life,
) -> None:
    def submit(approved: OrderApproved) -> None:
        life.desk.bus.emit(KillswitchTriggered("slow disk", START_NS, actor="auto:journal"))
        life.desk.bus.emit(OrderRejected(approved.order_id, "halted", 2105, "venue", BTC))

    life.desk.venue.submit = submit  # type: ignore[method-assign]
    life.desk.ask("0.010", order_id="h1-test-1")
    books = life.check()
    assert books.engine.status("h1-test-1") == "REJECTED"
    assert books.never_sent() == []


def test_an_order_that_a_cancel_was_sent_for_is_still_wanted_gone(life: Life) -> None:
    order_id = life.desk.ask("0.010", order_id="h1-test-1")
    life.desk.place(order_id)
    life.recorder.sending("cancel", [tracked(life.desk.venue.sent[0])], None, None)
    (left,) = life.books().tracked()
    assert left.is_cancel_wanted
    assert left.is_placed
    assert left.exchange_order_id == "v-h1-test-1"


def test_what_a_person_said_of_an_order_is_remembered_and_the_venue_still_wins(life: Life) -> None:
    desk, at_ns = life.desk, START_NS + 5_000_000_000
    made, never = (desk.ask("0.010", order_id=f"h1-test-{number}") for number in (1, 2))
    desk.place(made)
    desk.say(OrderQuarantined(made, "the venue forgot it", BTC))
    desk.say(OrderUnknown(never, START_NS, BTC), OrderQuarantined(never, "no proof", BTC))
    for order_id, claim in ((made, "ended"), (never, "never-made")):
        claimed = Claimed(order_id, claim, "the support says so", at_ns)
        desk.say(Command(RESOLVE, msgspec.structs.asdict(claimed), "risk:ann"))
        assert life.check().engine.status(order_id) not in ("CANCELLED", "ABSENT"), "died between"
    desk.say(OrderCancelled(made, "risk:ann says so", BTC, Decimal("0.010"), at_ns))
    desk.say(OrderAbsent(never, "risk:ann says so", BTC))
    books = life.check()
    ended, absent = books.tracked()
    assert (ended.order_id, ended.is_ended, ended.closed_ns) == (made, True, at_ns)
    assert (absent.order_id, absent.is_absent, absent.closed_ns) == (never, True, 0)
    assert books.hash() == life.books().hash()
    desk.wait(2 * 3_600)
    desk.say(OrderUnknown("h1-test-9", START_NS, BTC))
    assert len(life.check().tracked()) == 2, "as long as the venue may still show it"


# ---------------------------------------------------------------- sliced orders


def test_a_sliced_order_ends_aloud_with_its_process_and_its_slices_are_asked_back(
    tmp_path: Path,
) -> None:
    """Two lives: the first dies at work, the second withdraws the parent; a third reads both."""
    life = Life(tmp_path, strategy=Slicer(tuple(INSTRUMENTS)))
    desk = life.desk
    parent = desk.ask(
        "0.1", order_id="whole", algo="twap:duration=100s,slices=10,rest=true", **LIMIT
    )
    life.check()
    for number in range(4):
        desk.wait(9)
        desk.place(desk.venue.sent[-1].order_id)
        desk.fill(desk.venue.sent[-1].order_id, "0.004", f"e{number}")
        life.check()
    books = life.check()
    assert books.never_sent() == [parent]
    (ended, loud) = books.withdrawals()
    filled = desk.engine.get(parent)["filled_qty"]
    assert isinstance(ended, OrderCancelled)
    assert (ended.source, ended.remaining_qty) == ("desk", Decimal("0.1") - filled)
    assert isinstance(loud, Error)
    assert parent in loud.error
    assert [left.is_cancel_wanted for left in books.tracked() if not left.is_ended] == [True]
    life.recorder.write(START, row_bytes(start(2)))
    desk.system.remove(next(m for m in desk.system.modules if m.name == "desk"))  # gone
    desk.say(ended, loud)
    again = life.check()
    assert again.never_sent() == []
    assert again.engine.status(parent) == "CANCELLED"
    open_before = desk.venue.sent[-1].order_id
    desk.fill(open_before, "0.001", "late")
    assert life.check().engine.get(parent)["filled_qty"] == filled + Decimal("0.001")
    life.journal.close()


@pytest.mark.parametrize("algo", ["twip", "twap:slices=0"])
def test_an_algorithm_that_was_none_left_no_order(tmp_path: Path, algo: str) -> None:
    life = Life(tmp_path, strategy=Slicer(tuple(INSTRUMENTS)))
    life.desk.ask("0.1", order_id="whole", algo=algo)
    books = life.check()
    assert books.engine.open_orders() == []
    life.desk.wait(1)
    life.desk.ask("0.1")
    life.check()
    life.journal.close()


def test_a_slice_withdrawn_with_its_parent_is_withdrawn_in_the_books(tmp_path: Path) -> None:
    """Method: the parent is cancelled between the approval of a slice and its redemption."""
    life = Life(tmp_path, strategy=Slicer(tuple(INSTRUMENTS)))
    desk = life.desk
    parent = desk.ask("0.1", order_id="whole", algo="twap:duration=10s,slices=1,jitter=0")

    def cancel(request: OrderRequest) -> None:
        desk.bus.emit(OrderCancelled(parent, "test", BTC, Decimal("0.1"), source="desk"))

    desk.system.governor.add_check(cancel)
    desk.wait(6)
    assert desk.venue.sent == []
    assert [r.code for r in desk.of(EventType.ORDER_REJECTED)] == [OrderNotOpen.code]
    assert life.check().engine.status(parent) == "CANCELLED"
    life.journal.close()


# ---------------------------------------------------------------- amendments


def rest(life: Life) -> str:
    """One limit order of a tenth in the venue's book."""
    order_id = life.desk.ask("0.1", order_id="h1-test-1", **LIMIT)
    life.desk.place(order_id)
    return order_id


LIMIT = {"type": OrderType.LIMIT, "price": Decimal(59_000)}
MORE = AmendRequest("h1-test-1", size=Decimal("0.3"))


def reserved(books: Books) -> Decimal:
    return books.engine.exposure(BTC)["open_buy"]


def test_an_amendment_of_which_no_byte_has_left_is_taken_back(life: Life) -> None:
    """Killed between approval and SENT."""
    order_id = rest(life)
    life.desk.venue.amend = lambda order_id, **terms: None  # type: ignore[method-assign]
    life.desk.say(MORE)
    books = life.check()
    (left,) = books.tracked()
    assert (left.wanted, left.size, reserved(books)) == (None, Decimal("0.1"), Decimal("0.3"))
    (fact,) = books.withdrawals()
    assert isinstance(fact, AmendRejected)
    assert (fact.order_id, fact.source) == (order_id, "venue")
    life.desk.say(fact)
    books = life.check()
    assert (books.withdrawals(), reserved(books)) == ([], Decimal("0.1"))


def test_an_amendment_without_an_answer_counts_and_is_looked_for(life: Life) -> None:
    """Killed between SENT and the answer; then the venue says what the terms are."""
    order_id = rest(life)
    life.desk.say(MORE)
    books = life.check()
    (left,) = books.tracked()
    assert left.wanted == Wanted(Decimal(59_000), Decimal("0.3"), VENUE_MS)
    assert (left.size, left.whole) == (Decimal("0.1"), Decimal("0.3"))
    assert (books.withdrawals(), reserved(books)) == ([], Decimal("0.3"))
    for size in ("0.3", "0.1"):
        life.desk.say(OrderAmended(order_id, Decimal(59_000), Decimal(size), Decimal(0), BTC))
        books = life.check()
        assert (books.tracked()[0].wanted, reserved(books)) == (None, Decimal(size))


def test_a_fill_beyond_the_old_size_is_in_the_books_before_the_answer_is(life: Life) -> None:
    order_id = rest(life)
    life.desk.say(MORE)
    life.desk.fill(order_id, "0.2", "e1", price="59000")
    books = life.check()
    assert books.engine.position(BTC) == Decimal("0.2")
    assert (books.tracked()[0].wanted, reserved(books)) == (None, Decimal("0.1"))


def test_an_amendment_that_the_router_refused_is_none(life: Life) -> None:
    order_id = rest(life)
    price, now_ns = Decimal(59_000), life.desk.clock.now_ns
    approve = life.desk.engine.amend_approve
    ticket = approve(order_id, size=Decimal("0.3"), price=price, now_ns=now_ns)
    life.desk.say(KillswitchTriggered("test", now_ns, "HALT_NEW"))
    life.desk.say(AmendApproved(order_id, price, Decimal("0.3"), BTC, "test", ticket))
    books = life.check()
    assert (books.withdrawals(), reserved(books)) == ([], Decimal("0.1"))


def test_positions_are_told_by_strategy_and_a_liquidation_is_nobodys_gain(life: Life) -> None:
    order_id = life.desk.ask("0.010", order_id="h1-test-1", strategy_id="one")
    life.desk.fill(order_id, "0.010", "e1")
    life.desk.say(
        OrderFilled("venue-9", Decimal(60_000), Decimal("0.030"), BTC, Side.SELL, exec_id="e2")
    )
    books = life.check()
    assert books.positions == {"one": {BTC: Decimal("0.000")}}
    assert books.engine.position(BTC) == Decimal("-0.020")


def test_the_protection_of_the_last_entry_is_remembered(life: Life) -> None:
    life.desk.say(
        Signal(BTC, Side.BUY, Decimal("0.010"), strategy_id="one", stop_loss=1.0, take_profit=2.0)
    )
    life.desk.say(Signal(BTC, Side.SELL, Decimal("0.010"), strategy_id="one", reduce_only=True))
    assert life.books().wanted == {"one": {BTC: (1.0, 2.0)}}


def test_the_level_of_the_kill_switch_is_remembered(life: Life) -> None:
    life.desk.say(KillswitchTriggered("too much", START_NS, "FLATTEN", actor="a person"))
    books = life.check()
    assert (books.latched.level, books.latched.reason) == ("FLATTEN", "too much")
    assert books.engine.halt_level == "FLATTEN"


def test_the_account_was_watched_since_the_first_reading_of_it_and_not_before(life: Life) -> None:
    """Until the last complete one: what an incomplete one shows, it may show without its end."""
    books = life.books()
    assert (books.first_ns, books.watched_ns) == (0, 0)
    watched = []
    for began_ns, is_complete in ((START_NS, False), (START_NS + 1, True), (START_NS + 2, False)):
        life.desk.say(AccountRead(began_ns, is_complete))
        books = life.check()
        watched.append((books.first_ns, books.watched_ns))
    assert watched == [(START_NS, START_NS), (START_NS, START_NS + 1), (START_NS, START_NS + 1)]


def test_an_approval_that_nobody_gave_a_ticket_for_is_no_order(life: Life) -> None:
    life.desk.say(OrderApproved(BTC, Side.BUY, Decimal("0.010"), order_id="h1-fake-1"))
    assert life.check().open_orders() == []


def test_a_finer_grid_than_the_journal_counts_in_is_refused(life: Life) -> None:
    with pytest.raises(StateError, match=r"tick 0\.1\d* to 0\.01"):
        life.books().admit(terms_of_desk("0.01"))
    life.books().admit(terms_of_desk("0.50"))


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    journal = Journal(
        SqliteDisk(path), place=str(path), meta={}, lock=WriterLock(tmp_path / "lock", "1")
    )
    assert fold(journal.records()) is None
    journal.append(SENT, b"", ts_ns=1)
    journal.commit()
    with pytest.raises(JournalDamaged, match="row 1 is SENT, not START"):
        fold(journal.records())
    journal.close()


def test_a_row_of_another_version_is_named(life: Life) -> None:
    life.recorder.write(SENT, b"\x81\xa1x\x01")
    with pytest.raises(JournalDamaged, match=rf"row {life.journal.head_seq} \(SENT\)"):
        life.books()


def test_fills_and_stops_are_on_the_disk_before_anybody_sees_them(life: Life) -> None:
    order_id = life.desk.ask("0.010", order_id="h1-test-1")
    seen: list[int] = []

    def look(_: object) -> None:
        seen.append(len(list(life.journal.records())))

    undo = [
        life.desk.bus.subscribe(kind, look)
        for kind in (OrderFilled.event_type, KillswitchTriggered.event_type)
    ]
    life.desk.fill(order_id, "0.010", "e1")
    life.desk.say(KillswitchTriggered("now", START_NS))
    assert len(undo) == len(seen) == 2
    kinds = [record.kind for record in life.journal.records()]
    assert kinds[seen[0] - 1] == "ORDER_FILLED"
    assert kinds[seen[1] - 1] == "KILLSWITCH_TRIGGERED"


def test_a_slow_disk_opens_nothing_new_and_a_dead_one_ends_the_process(life: Life) -> None:
    told = life.desk.events

    def commit_in(seconds: float) -> None:
        commit = life.journal.commit

        def slow() -> None:
            commit()
            life.time_s += seconds

        life.journal.commit = slow  # type: ignore[method-assign]
        life.desk.place("h1-test-1")
        try:
            life.recorder.commit()
            life.desk.bus.drain()
        finally:
            life.journal.commit = commit  # type: ignore[method-assign]

    def health() -> list[str]:
        return [event.data.state for event in told if event.event_type == "HEALTH"]

    life.desk.ask("0.010", order_id="h1-test-1")
    commit_in(0.3)
    commit_in(1.5)
    assert life.recorder.is_slow
    commit_in(0.0)
    assert health() == ["SLOW", "HALT_NEW", "READY"]
    assert not life.recorder.is_slow
    with pytest.raises(JournalWriteFailed, match=r"a commit took 11\.0 s"):
        commit_in(11)


def test_what_the_venue_has_executed_is_booked_even_beyond_what_is_held() -> None:
    """Somebody moved the coins; the sale happened all the same, and a journal must fold."""
    spot = [Terms(BTC, "spot", "0.10", LOT, LOT, "", "0", (), "0.001", "0.001", 0)]
    books = Books(start(terms=spot))
    books.admit(spot)
    sale = OrderFilled("venue-1", Decimal(60_000), Decimal("0.010"), BTC, Side.SELL, exec_id="e1")
    books.ledger.book(sale)
    assert books.ledger.position(BTC)[0] == Decimal("-0.010")
