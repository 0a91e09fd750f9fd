# SPDX-License-Identifier: Apache-2.0
"""What is seen of a process by its journal is what the process itself has, at every row."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC, START_NS
from hean.core.journal import Record
from hean.core.types import (
    AccountRead,
    Command,
    EventType,
    Health,
    KillswitchTriggered,
    OpenOrder,
    OrderQuarantined,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Reconcile,
    Side,
    StampedEvent,
)
from hean.engine.views import portfolio_of, positions_of, risk_of
from hean.engine.watch import Watch
from hean.follow.mirror import Mirror
from hean.live.rows import START, row_bytes
from recorded_life import Life, start

DAY_NS = 86_400_000_000_000


class Seen:
    """A mirror of a life, with a watch on it as the facade has one."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.rows = self._records()
        self.price: float | None = 60_000.0
        first = next(self.rows)
        self.mirror = Mirror(first, price=lambda _: self.price, now=lambda: START_NS)
        self.watch = Watch(
            self.mirror.bus, self.mirror.engine, equity=self.mirror.portfolio.ledger.deposits
        )
        self.mirror.apply(first)
        self.read()

    def read(self) -> None:
        """All rows that were written since."""
        self.life.recorder.commit()
        for record in self.life.journal.records(self.mirror.books.last_seq):
            self.mirror.apply(record)

    def _records(self) -> Iterator[Record]:
        self.life.recorder.commit()
        return self.life.journal.records()


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def test_orders_money_and_hash_are_those_of_the_process(life: Life) -> None:
    desk, seen = life.desk, Seen(life)
    bought = desk.ask("0.2")
    desk.place(bought)
    desk.fill(bought, "0.2", "e1", price="59000")
    resting = desk.ask("0.1", type=OrderType.LIMIT, price=Decimal(58_000))
    desk.place(resting)
    seen.read()
    assert seen.mirror.state_hash() == desk.system.durable_hash()
    order = seen.watch.order(bought)
    assert order is not None and (order.status, order.filled_qty) == ("FILLED", Decimal("0.2"))
    assert [each.client_order_id for each in seen.watch.orders(10)] == [resting, bought]
    assert [fill.exec_id for fill in seen.watch.rows["fills"]] == ["e1"]
    portfolio = portfolio_of(seen.mirror, seen.watch, mode="TESTNET")
    assert (portfolio.unrealized_pnl, portfolio.open_orders) == (Decimal(200), 1)
    (position,) = positions_of(seen.mirror)
    assert (position.symbol, position.qty, position.mark_price) == (BTC, Decimal("0.2"), 60_000)


def test_refusals_stops_and_stale_data_are_told(life: Life) -> None:
    desk, seen = life.desk, Seen(life)
    stale = {"symbol": BTC}
    life.journal.append_event(_event(life, Health("feed.book", "STALE", 1, stale)))
    life.refuses = True
    refused = desk.ask("0.1")
    desk.say(OrderRejected("h1-x-9", "too much", 2001, "risk", BTC, "test"))
    desk.say(KillswitchTriggered("odd", desk.clock.now_ns, "HALT_NEW", "1", "operator:ann"))
    seen.read()
    order = seen.watch.order(refused)
    assert order is not None and (order.status, order.reason) == ("REJECTED", "no")
    risk = risk_of(seen.mirror, seen.mirror.limits)
    assert (risk.level, risk.refusals) == ("HALT_NEW", 1)
    assert "feed.book" in risk.stale[BTC]
    assert seen.mirror.killswitch.latched.actor == "operator:ann"


def test_a_new_life_knows_nothing_of_the_last_ones_data_and_keeps_what_people_said(
    life: Life,
) -> None:
    seen = Seen(life)
    life.journal.append_event(_event(life, Health("feed.book", "STALE", 1, {"symbol": BTC})))
    life.desk.say(Command("limits", {"order_value_max": "100", "leverage_max": "9"}, "risk:bob"))
    life.desk.say(Command("disable", {"strategy": "hand"}, "operator:ann"))
    seen.read()
    assert seen.mirror.limits["leverage_max"] == "9"
    life.recorder.write(START, row_bytes(start(2)))
    seen.read()
    assert not seen.mirror.governor.why_stale(BTC)
    assert seen.mirror.limits["order_value_max"] == "100"
    assert seen.mirror.limits["leverage_max"] == "3", "what was raised is what the settings say"
    assert seen.mirror.books.wishes.disabled == {"hand": "operator:ann"}


def test_a_reading_is_shown_beside_our_books_of_that_moment(life: Life) -> None:
    desk, seen = life.desk, Seen(life)
    held = desk.ask("0.2")
    desk.fill(held, "0.2", "e1", price="59000")
    mine = desk.ask("0.1", type=OrderType.LIMIT, price=Decimal(58_000))
    desk.place(mine)
    theirs = OpenOrder("somebodys", "v9", BTC, Decimal("0.5"), Decimal("0.1"))
    desk.say(
        AccountRead(
            desk.clock.now_ns, True, (theirs,), ((BTC, Decimal("0.3")),), (("USDT", Decimal(7)),)
        ),
        Reconcile(False, ("position BTCUSDT: 0.1 is unexplained",), 3.0),
    )
    seen.read()
    reading = seen.mirror.reading
    assert reading is not None and reading.is_complete
    rows = {row.name: row for row in reading.holdings}
    btc = rows[BTC]
    assert (btc.expected, btc.actual, btc.difference) == tuple(map(Decimal, ("0.2", "0.3", "0.1")))
    assert (rows["USDT"].expected, rows["USDT"].actual) == (None, Decimal(7))
    shown = {row.order_id: (row.open_qty, row.status) for row in reading.orders}
    assert shown == {"somebodys": (Decimal("0.4"), ""), mine: (None, "WORKING")}
    assert seen.mirror.verdict is not None and not seen.mirror.verdict[1].clean
    assert seen.mirror.clean_ns == 0, "they have never agreed"


def test_a_day_is_measured_from_what_the_process_measures_it_from(life: Life) -> None:
    seen = Seen(life)
    day = START_NS // DAY_NS
    baseline = {"day": day, "opening": 9_900.0, "peak": 10_100.0}
    life.desk.say(Command("baseline", baseline, "auto:triggers"))
    seen.read()
    seen.mirror.value()
    portfolio = portfolio_of(seen.mirror, seen.watch, mode="LIVE")
    assert (portfolio.equity, portfolio.pnl_today) == (Decimal(10_000), Decimal(100))


def test_a_doubt_has_its_reason_until_it_is_over(life: Life) -> None:
    desk, seen = life.desk, Seen(life)
    order_id = desk.ask("0.1", side=Side.SELL)
    desk.say(OrderUnknown(order_id, START_NS, BTC))
    desk.say(OrderQuarantined(order_id, "nobody could tell", BTC))
    seen.read()
    order = seen.watch.order(order_id)
    assert order is not None
    assert (order.status, order.reason) == ("QUARANTINE", "nobody could tell")
    desk.place(order_id)
    seen.read()
    order = seen.watch.order(order_id)
    assert order is not None and (order.status, order.reason) == ("WORKING", "")


def _event(life: Life, fact: Health) -> StampedEvent:
    """A report of health, as a witness has it kept."""
    return StampedEvent(EventType.HEALTH, fact, life.desk.clock.now_ns, 0)
