# SPDX-License-Identifier: Apache-2.0
"""R-29: each automatic stop at its limit and just beyond it, in the very event that crosses it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from desk import BTC, SECOND_NS
from hean.core.types import (
    Balance,
    EventType,
    Funding,
    Health,
    OrderFilled,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Position,
    Reconcile,
    Side,
)
from hean.errors import Halted, LimitBreached, RateLimited, ReduceOnlyViolated, VenueRefused
from hean.risk.drawdown import Baseline
from hean.risk.killswitch import COOL_DOWN_S
from hean.risk.triggers import BASELINE, LEVEL_OF, KillLimits
from kill_desk import KillDesk

LIMITS = KillLimits(rejects=3, unknown=2, rate_refusals=3, repeats=3)


def refused_by_venue(desk: KillDesk, count: int, code: int = VenueRefused.code) -> None:
    desk.say(*[OrderRejected(f"r{n}", "no", code, "venue", BTC) for n in range(count)])


def too_fast(desk: KillDesk, count: int) -> None:
    words = "BTCUSDT: R09 order rate: observed 11 in the last second, allowed 10"
    desk.say(*[OrderRejected(f"q{n}", words, LimitBreached.code) for n in range(count)])


def lose_answers(desk: KillDesk, count: int) -> None:
    prices = [Decimal(50_000 - place) for place in range(count)]
    sent = [desk.ask("0.001", type=OrderType.LIMIT, price=price) for price in prices]
    desk.say(*[OrderUnknown(order_id, desk.clock.now_ns, BTC) for order_id in sent])


def trade(desk: KillDesk, count: int, side: Side = Side.BUY) -> None:
    for number in range(count):
        desk.fill(desk.ask("0.001", side), "0.001", f"t{side}{desk.clock.now_ns}{number}")


def move_price(to: float) -> Callable[[KillDesk], None]:
    def act(desk: KillDesk) -> None:
        desk.hold_long("0.1")
        desk.look(0.2)
        desk.prices[BTC] = to
        desk.look(0.1)

    return act


def pay_fee(fee: str, asset: str) -> Callable[[KillDesk], None]:
    def act(desk: KillDesk) -> None:
        desk.fill(desk.ask("0.1"), "0.1", "f1", fee=Decimal(fee), fee_asset=asset)

    return act


def rest_on_old_data(desk: KillDesk, seconds: float) -> None:
    desk.rest(Side.BUY, "0.001", 50_000)
    desk.say(Health("feed", "STALE", 0, {"symbol": BTC}))
    desk.look(seconds)


def differ(desk: KillDesk, seconds: float) -> None:
    desk.say(Position(BTC, Decimal("0.3"), Decimal(60_000)))
    desk.look(seconds)


def say_ban(words: str, code: int = VenueRefused.code) -> Callable[[KillDesk], None]:
    return lambda desk: desk.say(OrderRejected("b1", words, code, "venue", BTC))


CLOCK = {"reasons": {"clock": "the clock is 2 s off"}}
# name: what crosses the limit, what comes just short of it
CASES: dict[str, tuple[Callable[[KillDesk], None], Callable[[KillDesk], None]]] = {
    "daily_loss": (move_price(54_900.0), move_price(55_100.0)),
    "margin": (
        lambda desk: desk.say(Balance("USDT", Decimal(100), Decimal("9.9"))),
        lambda desk: desk.say(Balance("USDT", Decimal(100), Decimal("10.1")),
                              Balance("BTC", Decimal(1), Decimal(0))),
    ),
    "order_rate": (lambda desk: too_fast(desk, 4), lambda desk: too_fast(desk, 3)),
    "repeats": (lambda desk: trade(desk, 4), lambda desk: trade(desk, 3)),
    "stale": (lambda desk: rest_on_old_data(desk, 10.2), lambda desk: rest_on_old_data(desk, 9.5)),
    "reconcile": (
        lambda desk: desk.say(Reconcile(False, ("an order is missing",))),
        lambda desk: desk.say(Reconcile(True)),
    ),
    "position": (lambda desk: differ(desk, 10.3), lambda desk: differ(desk, 9.5)),
    "rejects": (lambda desk: refused_by_venue(desk, 4), lambda desk: refused_by_venue(desk, 3)),
    "unknown": (lambda desk: lose_answers(desk, 3), lambda desk: lose_answers(desk, 2)),
    "clock": (
        lambda desk: desk.say(Health("bybit.linear", "HALT_NEW", 1, CLOCK)),
        lambda desk: desk.say(Health("bybit.linear", "HALT_NEW", 1, {"reasons": {"paging": "x"}})),
    ),
    "journal": (
        lambda desk: desk.say(Health("journal", "HALT_NEW", 1, {"reason": "a commit took 2 s"})),
        lambda desk: desk.say(Health("journal", "SLOW", 1, {"reason": "a commit took 0.3 s"})),
    ),
    "watchdog": (lambda desk: desk.look(30.3), lambda desk: desk.look(29.8)),
    "fee": (pay_fee("31", "USDT"), pay_fee("29", "USDT")),
    "funding": (
        lambda desk: desk.say(Funding(BTC, -0.0101)),
        lambda desk: desk.say(Funding(BTC, 0.0099)),
    ),
    "banned": (
        say_ban("Transactions are banned. (venue code 10027)", 4202),
        say_ban("Way too many requests; IP banned until tomorrow", RateLimited.code),
    ),
}  # fmt: skip


def test_every_trigger_has_a_case() -> None:
    assert set(CASES) | {"drawdown"} == set(LEVEL_OF)


@pytest.mark.parametrize("name", CASES)
def test_it_stops_beyond_its_limit_and_says_what_it_saw(name: str) -> None:
    desk = KillDesk(kill_limits=LIMITS)
    CASES[name][0](desk)
    (stop,) = desk.stops
    assert (stop.actor, stop.level) == (f"auto:{name}", LEVEL_OF[name])
    assert len(stop.reason) > 10
    assert desk.engine.halt_level == LEVEL_OF[name]


@pytest.mark.parametrize("name", CASES)
def test_it_does_not_stop_at_its_limit(name: str) -> None:
    desk = KillDesk(kill_limits=LIMITS)
    CASES[name][1](desk)
    assert desk.stops == []


@pytest.mark.parametrize("name", CASES)
def test_a_limit_that_is_off_stops_nothing(name: str) -> None:
    off = dict.fromkeys(KillLimits.__struct_fields__)
    desk = KillDesk(kill_limits=KillLimits(**off))
    CASES[name][0](desk)
    is_limited = name not in ("reconcile", "clock", "journal", "banned")
    assert len(desk.stops) == (0 if is_limited else 1)


@pytest.mark.promise(205)
def test_a_fall_from_the_highest_equity_stops_although_the_day_is_fine() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    desk.prices[BTC] = 80_000.0
    desk.look(0.1)
    desk.wait(86_400)
    desk.triggers.limits = KillLimits(watchdog_s=None)
    desk.prices[BTC] = 61_000.0
    desk.look(0.1)
    (stop,) = desk.stops
    assert stop.actor == "auto:drawdown"
    assert "15.00% allowed" in stop.reason


def test_a_new_day_forgets_the_loss_of_yesterday_exactly_once() -> None:
    desk = KillDesk(kill_limits=KillLimits(watchdog_s=None))
    desk.hold_long("0.1")
    desk.look(0.1)
    desk.prices[BTC] = 56_000.0  # 4 % of the equity
    desk.look(0.1)
    desk.wait(86_400)
    desk.look(0.1)
    desk.prices[BTC] = 52_500.0
    desk.look(0.1)
    assert desk.stops == []
    desk.prices[BTC] = 51_000.0
    desk.look(0.1)
    assert [stop.actor for stop in desk.stops] == ["auto:daily_loss"]


def test_a_restart_forgives_no_loss() -> None:
    first = KillDesk()
    first.hold_long("0.1")
    first.look(0.1)
    second = KillDesk()
    second.hold_long("0.1")
    told = [c for c in first.of(EventType.COMMAND) if c.verb == BASELINE][-1]
    second.triggers.restore(msgspec.convert(told.arguments, Baseline))
    second.prices[BTC] = 54_900.0
    second.look(0.1)
    assert [stop.actor for stop in second.stops] == ["auto:daily_loss"]


def test_the_baseline_is_told_for_each_day_and_each_clearly_higher_peak() -> None:
    desk = KillDesk(kill_limits=KillLimits(watchdog_s=None))
    desk.hold_long("0.1")
    desk.look(0.1)
    for price in (60_100.0, 60_400.0, 61_500.0, 61_000.0):  # 0.1 %, 0.4 %, 1.5 % up, then down
        desk.prices[BTC] = price
        desk.look(0.1)
    desk.wait(86_400)
    desk.look(0.1)
    told = [c.arguments for c in desk.of(EventType.COMMAND) if c.verb == BASELINE]
    assert [round(each["peak"]) for each in told] == [10_000, 10_150, 10_150]
    assert [each["day"] - told[0]["day"] for each in told] == [0, 0, 1]


def test_after_a_release_losses_count_from_there() -> None:
    desk = KillDesk(kill_limits=KillLimits(watchdog_s=None))
    move_price(54_900.0)(desk)
    desk.explain()
    desk.wait(COOL_DOWN_S)
    desk.release()
    desk.look(1.0)
    assert desk.switch.level == "RUN"
    desk.prices[BTC] = 49_000.0
    desk.look(0.1)
    assert desk.switch.level == "CANCEL_ALL"


def test_the_same_cause_asks_once_until_somebody_released() -> None:
    desk = KillDesk(kill_limits=LIMITS)
    for _ in range(3):
        desk.say(Reconcile(False, ("x",)))
    assert len(desk.of(EventType.COMMAND)) == 1


def test_what_never_reached_the_venue_is_no_refusal_of_the_venue() -> None:
    desk = KillDesk(kill_limits=LIMITS)
    refused_by_venue(desk, 20, Halted.code)
    desk.say(*[OrderRejected(f"n{n}", "no", VenueRefused.code, "risk", BTC) for n in range(20)])
    assert desk.stops == []


def test_refusals_an_hour_apart_do_not_add_up() -> None:
    desk = KillDesk(kill_limits=LIMITS)
    for _ in range(10):
        refused_by_venue(desk, 1)
        desk.wait(3_600)
    assert desk.stops == []


def test_trading_both_ways_is_no_repetition() -> None:
    desk = KillDesk(kill_limits=LIMITS)
    for _ in range(4):
        trade(desk, 2, Side.BUY)
        trade(desk, 2, Side.SELL)
    assert desk.stops == []


def test_many_pieces_of_one_order_are_one_execution() -> None:
    desk = KillDesk(kill_limits=LIMITS)
    order_id = desk.ask("0.1")
    for piece in range(9):
        desk.fill(order_id, "0.01", f"p{piece}", remaining_qty=Decimal("0.1") - piece)
    assert desk.stops == []


@pytest.mark.parametrize(
    "words",
    ["User can only place reduce only order", "Currently you can only reduce your positions",
     "This action is disabled on this account.", "Transactions are banned.",
     "Invalid symbol status for opening position."],
)  # fmt: skip
def test_a_venue_that_only_lets_close_stops_everything_new(words: str) -> None:
    desk = KillDesk()
    say_ban(words)(desk)
    assert desk.stops[0].actor == "auto:banned"


def test_a_reduction_the_venue_refused_is_no_ban() -> None:
    desk = KillDesk()
    say_ban("ReduceOnly Order is rejected. reduce-only mode", ReduceOnlyViolated.code)(desk)
    assert desk.stops == []


def test_a_position_that_a_fill_explains_in_time_stops_nothing() -> None:
    desk = KillDesk()
    desk.say(Position(BTC, Decimal("0.1"), Decimal(60_000)))
    desk.look(5.0)
    desk.hold_long("0.1")
    desk.look(15.0)
    assert desk.stops == []


def test_a_position_in_a_symbol_nobody_trades_here_is_unexplained() -> None:
    desk = KillDesk()
    desk.say(Position("DOGEUSDT", Decimal(5), Decimal(1)))
    desk.look(10.3)
    assert [stop.actor for stop in desk.stops] == ["auto:position"]


def test_a_stop_order_alone_may_rest_on_old_data() -> None:
    desk = KillDesk()
    desk.hold_long()
    desk.protect()
    desk.say(Health("feed", "STALE", 0, {"symbol": BTC}))
    desk.look(12.0)
    assert desk.stops == []


def test_data_that_came_back_in_time_stops_nothing() -> None:
    desk = KillDesk()
    for _ in range(4):
        rest_on_old_data(desk, 4.0)
        desk.say(Health("feed", "FRESH", 1, {"symbol": BTC}))
        desk.look(1.0)
    assert desk.stops == []


def test_heartbeats_keep_the_watchdog_alive() -> None:
    desk = KillDesk()
    for beat in range(10):
        desk.say(Health("watchdog", "ALIVE", beat))
        desk.look(10.0)
    assert desk.stops == []


@pytest.mark.parametrize(("fee", "asset"), [("0.0006", "BTC"), ("31", "")])
def test_a_fee_is_judged_in_either_coin_of_the_symbol(fee: str, asset: str) -> None:
    desk = KillDesk()
    pay_fee(fee, asset)(desk)
    assert [stop.actor for stop in desk.stops] == ["auto:fee"]


def test_what_the_venue_kept_of_a_buy_is_judged_with_the_buy_and_is_no_execution() -> None:
    desk = KillDesk()
    desk.say(
        OrderFilled(
            *("venue-fee-f1", Decimal(60_000), Decimal("0.001"), BTC, Side.SELL, Decimal(60)),
            exec_id="fee-f1",
            strategy_id="test",
        )
    )
    assert desk.stops == []


def test_a_fee_in_a_third_coin_is_not_judged() -> None:
    desk = KillDesk()
    pay_fee("31", "BNB")(desk)
    assert desk.stops == []


def test_the_cause_is_latched_within_a_quarter_of_a_second() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    desk.look(1.0)
    desk.prices[BTC] = 50_000.0
    began_ns = desk.clock.now_ns
    desk.look(0.3)
    assert desk.stops[0].timestamp - began_ns <= SECOND_NS // 4
