# SPDX-License-Identifier: Apache-2.0
"""Whose position it is: seats that change, venues that refuse, fills in pieces, processes that die.
A position belongs to one agent from its entry to its end, and what happens around it is nobody's
illness.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from desk import BTC, ETH, START_NS
from hean._core import Instrument
from hean.cli_strategy import keep_population
from hean.core.timeframe import DAY_NS
from hean.core.types import (
    Command,
    EventType,
    OrderCancelled,
    OrderRejected,
    OrderType,
    Side,
)
from hean.engine.populating import Populating
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.symbiont.colony import HEALTH, SEAT, STAGE
from hean.symbiont.columns import Average, Seen
from hean.symbiont.feed import Feed
from hean.symbiont.immune import Health
from hean.symbiont.population import Seat, Stage, id_of
from hean.symbiont.senses import columns_of
from population_desk import (
    CALM,
    CASH,
    EAGER,
    SHARE,
    PopulationDesk,
    agent,
    reloaded,
    write_population,
)

A, B = id_of(EAGER), id_of(CALM)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two on paper; the eager one has the seat."""
    return write_population(tmp_path / "population.json", agent(EAGER), agent(CALM))


def give_seat(desk: PopulationDesk, name: str, share: float = SHARE) -> None:
    """As the colony says it."""
    arguments = {"symbol": BTC, "agent": name, "share": share, "reason": "a test"}
    desk.say(Command(SEAT, arguments, "auto:symbiont"))


def health(desk: PopulationDesk, name: str) -> Health:
    return desk.population.by_id()[name].health


def test_who_holds_a_position_is_in_the_file_before_its_order_leaves(path: Path) -> None:
    """Killed right after the entry was sent, the next process knows whose it is."""
    desk = PopulationDesk(path)
    keep_population(desk.trader, path)
    desk.warm()
    desk.bar(10)
    assert len(desk.orders()) == 1
    assert reloaded(path).holdings[BTC].agent == A


def test_a_seat_that_changes_while_the_entry_is_under_way_leaves_it_its_agent(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.warm()
    desk.bar(10)
    (entry,) = desk.orders()
    give_seat(desk, B)
    desk.fill(entry.order_id, str(entry.size), "e1")
    desk.bar(10)  # the agent stays in
    assert len(desk.orders()) == 1 and desk.trader.position[BTC]
    desk.bar(-10)
    assert [order.side for order in desk.orders()] == [Side.BUY, Side.SELL]


def test_a_smaller_share_while_it_holds_is_no_illness(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.enter()
    give_seat(desk, B, 0.001)
    desk.bar(-10)
    assert len(desk.orders()) == 2
    assert health(desk, A) is Health.HEALTHY


def test_a_position_of_nobody_is_closed_and_then_counts_nowhere(path: Path) -> None:
    desk = PopulationDesk(path, held="0.02")
    desk.bar()
    leaving = desk.orders()[-1]
    assert leaving.reduce_only and leaving.size == Decimal("0.02")
    desk.fill(leaving.order_id, "0.02", "e1")
    entry = desk.enter()
    desk.bar(-10)
    out = desk.orders()[-1]
    desk.fill(out.order_id, str(out.size), "e3", price="60010")
    assert desk.population.by_id()[A].profit == 10 * entry.size, "nor does it change what follows"


def test_a_restart_does_not_begin_the_hold_anew(tmp_path: Path) -> None:
    text = "long when close > open; stop 3 atr; hold 5 bars"
    path = write_population(tmp_path / "population.json", agent(text))
    desk = PopulationDesk(path)
    keep_population(desk.trader, path)
    entry = desk.enter()
    for _ in range(3):
        desk.bar()
    again = PopulationDesk(path, held=str(entry.size), now_ns=desk.clock.now_ns)
    again.bar()
    assert len(again.orders()) == 1
    again.bar()
    assert [order.side for order in again.orders()] == [Side.BUY, Side.SELL]


def test_an_order_in_many_pieces_is_one_fill_and_one_order(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.warm()
    desk.bar(10)
    (entry,) = desk.orders()
    pieces = [Decimal("0.01")] * 41 + [entry.size - Decimal("0.41")]
    left = entry.size
    for number, piece in enumerate(pieces):
        desk.wait(0.5)
        left -= piece
        desk.fill(entry.order_id, str(piece), f"e{number}", price="60070", remaining_qty=left)
    assert desk.trader.position[BTC] == entry.size
    assert health(desk, A) is Health.HEALTHY


def test_cancels_that_come_too_late_are_no_illness(path: Path) -> None:
    desk = PopulationDesk(path)
    entry = desk.enter()
    for _ in range(30):
        desk.say(OrderRejected(entry.order_id, "gone", 4103, "venue-request", BTC, "symbiont"))
    assert health(desk, A) is Health.HEALTHY


def test_a_refused_exit_is_asked_again_and_keeps_its_stop(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.enter()
    (stop,) = desk.orders(OrderType.STOP)
    desk.bar(-10)
    first = desk.orders()[-1]
    desk.say(OrderRejected(first.order_id, "busy", 4000, "venue", BTC, "symbiont"))
    desk.bar(-10)
    second = desk.orders()[-1]
    assert second.order_id != first.order_id and second.reduce_only
    assert desk.venue.cancels == []
    desk.fill(second.order_id, str(second.size), "e9", price="59980")
    assert desk.venue.cancels == [stop.order_id]
    assert not desk.trader.position[BTC]


def test_half_an_exit_leaves_the_rest_with_stop_and_holder(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.enter()
    desk.bar(-10)
    out = desk.orders()[-1]
    desk.fill(out.order_id, "0.001", "x1")
    desk.say(
        OrderCancelled(out.order_id, "the rest found nobody", BTC, out.size - Decimal("0.001"))
    )
    give_seat(desk, B)
    desk.bar(-10)
    again = desk.orders()[-1]
    assert (again.side, again.size) == (Side.SELL, out.size - Decimal("0.001"))
    assert desk.population.holdings[BTC].agent == A


@pytest.mark.parametrize(
    ("verb", "to"), [(STAGE, "RETIRED"), (STAGE, "SHADOW"), (HEALTH, "QUARANTINE")]
)
def test_who_may_not_trade_any_more_is_closed_at_the_next_bar(
    path: Path, verb: str, to: str
) -> None:
    desk = PopulationDesk(path)
    desk.enter()
    (stop,) = desk.orders(OrderType.STOP)
    desk.say(Command(verb, {"agent": A, "to": to, "reason": "looked at it"}, "operator:ann"))
    assert desk.population.seats == {}
    desk.bar(10)
    out = desk.orders()[-1]
    assert out.reduce_only and out.side is Side.SELL
    assert desk.venue.cancels == [], "its stop rests until then"
    desk.fill(out.order_id, str(out.size), "x1")
    assert not desk.trader.position[BTC]
    assert desk.venue.cancels == [stop.order_id]
    desk.bar(10)
    assert len(desk.orders()) == 2, "and it enters no more"


def test_a_bar_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    text = "long when close > open; stop 3 atr; hold 2 bars"
    path = write_population(tmp_path / "population.json", agent(text))
    desk = PopulationDesk(path)
    desk.enter()
    desk.bar()
    desk.say(desk.last_bar)
    desk.say(desk.last_bar)
    assert len(desk.orders()) == 1
    desk.bar()
    assert len(desk.orders()) == 2


def test_what_was_done_before_a_promotion_does_not_count_after_it(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.enter()
    desk.bar(-10)
    out = desk.orders()[-1]
    desk.fill(out.order_id, str(out.size), "x1")
    desk.say(Command(STAGE, {"agent": A, "to": "SHADOW", "reason": "again"}, "operator:ann"))
    desk.wait(2 * 86_400)
    assert desk.population.by_id()[A].traded == 0


def test_another_share_is_no_new_seat(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.wait(600)
    give_seat(desk, A, 0.02)
    assert desk.population.seats[BTC] == Seat(A, 0.02, START_NS)


def test_a_seat_that_is_taken_away_is_told_with_its_reason(path: Path) -> None:
    desk = PopulationDesk(path)
    give_seat(desk, "")
    assert desk.population.seats == {}
    told = desk.population.events[-1]
    assert (told.agent, told.what, told.before, told.reason) == (A, "seat", BTC, "a test")


def test_a_lower_cap_counts_from_the_start(path: Path) -> None:
    desk = PopulationDesk(path, agent_max=0.01)
    assert desk.population.seats[BTC].share == 0.01
    (given,) = [it for it in desk.of(EventType.COMMAND) if it.verb == SEAT]
    assert given.arguments["reason"]


def test_what_cannot_be_kept_is_not_entered_and_what_is_held_is_left(path: Path) -> None:
    """The disk is full: whose the position is would be lost with the process."""
    desk = PopulationDesk(path)
    is_full = True

    def keep() -> None:
        if is_full:
            raise EnvironmentFault("population.json: No space left on device.")

    desk.colony.on_change.append(keep)
    desk.warm()
    desk.bar(10)
    assert desk.orders() == []
    assert "No space left" in desk.of(EventType.ERROR)[-1].error
    is_full = False
    desk.enter()
    is_full = True
    desk.bar(-10)
    assert [order.side for order in desk.orders()] == [Side.BUY, Side.SELL]


def test_one_agent_has_no_more_than_its_cap_over_all_its_seats(tmp_path: Path) -> None:
    """Alone among the trusted it gets every seat, and the share of one agent in all of them."""
    only = agent(EAGER)
    only.days = [(START_NS // DAY_NS - 40 + at, 0.1 + 0.01 * (at % 2)) for at in range(40)]
    symbols = (BTC, ETH)
    path = write_population(tmp_path / "population.json", only, symbols=symbols, seats={})
    desk = PopulationDesk(path, symbols=symbols)
    desk.wait(86_400)
    seats = desk.population.seats
    assert {symbol: seat.agent for symbol, seat in seats.items()} == dict.fromkeys(symbols, A)
    assert sum(seat.share for seat in seats.values()) == pytest.approx(0.05)


def test_nobody_is_born_to_money(tmp_path: Path) -> None:
    """A stage that no command led to is none: an agent begins in the shadow."""
    path = write_population(tmp_path / "p.json", agent(EAGER, Stage.LIVE, since_ns=0), seats={})
    desk = PopulationDesk(path)
    assert desk.population.by_id()[A].stage is Stage.SHADOW


def test_a_population_on_spot_is_refused_at_its_first_bar(path: Path) -> None:
    desk = PopulationDesk(path)
    desk.trader.instruments = {BTC: Instrument(BTC, "spot", "0.01", "0.00001")}
    with pytest.raises(ParameterInvalid, match="linear perpetuals only"):
        desk.bar()


def test_limits_of_the_account_are_no_illness(path: Path) -> None:
    """As while the kill switch is pulled: every entry is refused, bar by bar."""
    desk = PopulationDesk(path)
    desk.system.governor.add_check(lambda request: "a person has stopped it")
    desk.warm()
    for _ in range(30):
        desk.bar(10)
    assert len(desk.of(EventType.ORDER_REJECTED)) == 30 and desk.orders() == []
    assert health(desk, A) is Health.HEALTHY


def test_what_is_less_than_one_lot_is_asked_once_a_day_or_with_another_share(path: Path) -> None:
    """A share of ten dollars, and an agent that wants to enter at every bar."""
    desk = PopulationDesk(path)
    desk.warm()
    give_seat(desk, A, 10 / CASH)
    for _ in range(30):
        desk.bar(10)
    (told,) = desk.of(EventType.ORDER_REJECTED)
    assert "less than one lot" in told.reason
    give_seat(desk, A)
    desk.bar(10)
    assert len(desk.orders()) == 1, "now it is enough"


def made_feed() -> Feed:
    """Of a record whose volume varies, as that of the desk's bars does not."""
    draw = np.random.default_rng(3)
    close = 60_000 * np.exp(np.cumsum(draw.normal(0, 1e-3, 3_000)))
    record = {
        "ts": START_NS + 60 * 10**9 * np.arange(close.size),
        "high": close * (1 + draw.random(close.size) / 500),
        "low": close,
        "close": close,
        "volume": np.exp(draw.normal(size=close.size)),
    }
    return Feed.of(columns_of({BTC: record}))


def test_while_the_feed_is_broken_nobody_sits_and_everybody_is_told(tmp_path: Path) -> None:
    """The desk's bars have the same volume all the time; the record's had not."""
    feed = made_feed()
    path = write_population(tmp_path / "population.json", agent(EAGER), agent(CALM), feed=feed)
    desk = PopulationDesk(path)
    facade = SimpleNamespace(on_ready=[])
    populating = Populating(facade)  # type: ignore[arg-type]
    facade.on_ready[0](SimpleNamespace(strategies=[desk.trader]))
    for at in range(9):
        desk.bar(float(at % 3))
    assert populating.document().broken == [] and BTC in desk.population.seats
    for at in range(9):
        desk.bar(float(at % 3))
    assert "column BTCUSDT volume: it does not change any more" in populating.document().broken
    assert health(desk, A) is Health.QUARANTINE and health(desk, B) is Health.HEALTHY
    assert desk.population.seats == {}
    desk.wait(2 * DAY_NS // 10**9)
    assert desk.population.seats == {}, "B is sound, and the feed is not"


def test_a_process_begins_to_hear_anew_and_keeps_what_is_counted(tmp_path: Path) -> None:
    feed = made_feed()
    column = feed.columns[f"{BTC} volume"]
    stale = Seen(7.0, Average(99.0, 100), Average(-5.0, 100), {"high": 1e3}, [3] * 10)
    feed.seen = {f"{BTC} volume": stale}
    assert feed.broken()
    path = write_population(tmp_path / "population.json", agent(EAGER), feed=feed)
    desk = PopulationDesk(path)
    heard = desk.population.feed.seen[f"{BTC} volume"]
    assert heard == column.rested(stale) and heard.counts == [3] * 10
    assert desk.population.feed.broken() == []


def test_a_market_that_has_moved_puts_who_has_a_seat_under_watch(tmp_path: Path) -> None:
    feed = made_feed()
    spell = feed.columns[f"{BTC} range"].spell
    counts = [round(200 * spell), *[0] * 9]  # all in the lowest decile
    feed.seen = {f"{BTC} range": Seen(counts=counts)}
    path = write_population(tmp_path / "population.json", agent(EAGER), agent(CALM), feed=feed)
    desk = PopulationDesk(path)
    for _ in range(3):
        desk.bar()
    desk.wait(DAY_NS // 10**9 + 120)
    assert health(desk, A) is Health.WATCH and health(desk, B) is Health.HEALTHY
    case = desk.population.by_id()[A].case
    assert case is not None and f"column {BTC} range falls elsewhere" in case.reason
