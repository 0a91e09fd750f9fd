# SPDX-License-Identifier: Apache-2.0
"""The composition: which modules there are, and what their wiring guarantees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, ETH, INSTRUMENTS, Desk, Hand, Notebook
from hean.core.bus import EventBus
from hean.core.module import Module
from hean.core.types import EventType, OrderFilled, Side
from hean.errors import StateError, TopologyInvalid
from hean.execution.orders import OrderManager
from hean.risk.sizing import Sizing, SizingMethod
from hean.strategies.impulse import ImpulseEngine
from hean.system import LIMITS, AccountSettings, TradingSystem


def names(strategy: type[Hand | ImpulseEngine], method: SizingMethod, bar: str | None) -> str:
    settings = AccountSettings(sizing=Sizing(method))
    system = TradingSystem(
        strategy((BTC,)), INSTRUMENTS, settings=settings, bus=EventBus(), venue=Notebook(),
        reference=lambda symbol: None, seed=0, candles_from_ticks=bar,
    )  # fmt: skip
    return " ".join(module.name for module in system.modules)


@pytest.mark.promise(20)
def test_a_system_has_the_modules_it_needs_and_no_others() -> None:
    fixed, target, _ = SizingMethod
    core = "orders portfolio risk router"
    assert names(Hand, fixed, "1m") == f"{core} hand"
    assert names(ImpulseEngine, fixed, None) == f"{core} impulse"
    assert names(ImpulseEngine, fixed, "1m") == f"candles {core} impulse"
    assert names(ImpulseEngine, target, "1m") == f"candles ewma {core} impulse"


def test_a_second_order_manager_on_one_bus_is_refused() -> None:
    desk = Desk()
    with pytest.raises(StateError, match="ORDER_FILLED has a gate"):
        desk.system.add(OrderManager(desk.engine))


def test_everything_a_module_handles_is_listed() -> None:
    assert EventType.ORDER_FILLED in OrderManager.consumed()
    assert all(isinstance(module, Module) for module in Desk().system.modules)


def test_the_default_limits_are_those_of_a_venue_and_the_accounts_leverage() -> None:
    desk = Desk(limits=LIMITS)
    desk.ask("0.5", price=Decimal(63_100), type="LIMIT")  # beyond the collar of 5 %
    desk.ask("0.501")  # beyond leverage 3
    assert desk.venue.sent == []
    for _ in range(12):
        desk.ask("0.001")
    assert len(desk.venue.sent) == 10  # a second's worth


def test_exposure_is_the_signed_value_of_all_positions() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    desk.fill(desk.ask("2", Side.SELL, symbol=ETH), "2", "e2", price="3000")
    assert desk.system.exposure(desk.prices.get) == pytest.approx(0)
    desk.prices[ETH] = 2_000.0
    assert desk.system.exposure(desk.prices.get) == pytest.approx(2_000)


def test_the_state_hash_shows_a_change_of_either_book() -> None:
    desk = Desk()
    hashes = [desk.system.state_hash()]
    order_id = desk.ask("0.1")
    hashes.append(desk.system.state_hash())
    desk.fill(order_id, "0.1", "e1")
    hashes.append(desk.system.state_hash())
    desk.ledger.transfer(1)
    hashes.append(desk.system.state_hash())
    assert len(set(hashes)) == 4


class Other(Hand):
    """Another strategy."""

    name = "other"


def several(*strategies: Hand) -> TradingSystem:
    first, *rest = strategies
    return TradingSystem(
        first, INSTRUMENTS, settings=AccountSettings(), bus=EventBus(), venue=Notebook(),
        reference={BTC: 60_000.0, ETH: 3_000.0}.get, seed=0, beside=rest,
    )  # fmt: skip


def test_several_strategies_have_books_of_their_own_and_one_account() -> None:
    system = several(Hand((BTC,)), Other((ETH,)))
    assert [module.name for module in system.modules] == [
        "orders", "portfolio", "sub_books", "risk", "router", "hand", "other",
    ]  # fmt: skip
    fills = [
        OrderFilled("venue-1", Decimal(60_000), Decimal("0.1"), BTC, Side.BUY, Decimal(3), "a"),
        OrderFilled("venue-2", Decimal(60_000), Decimal("0.1"), BTC, Side.SELL, Decimal(3), "b"),
    ]
    system.bus.drain(fills)
    books = system.sub_books
    assert books is not None
    books.check()
    assert books.profit("hand") == books.profit("other") == 0
    assert books.profit("") == -6  # nobody asked for it


def test_each_strategy_s_fills_are_in_its_book() -> None:
    desk = Desk(strategy=Hand((BTC,)), beside=(Other((ETH,)),))
    desk.fill(desk.ask("0.1", strategy_id="hand"), "0.1", "e1", fee=Decimal(1))
    desk.fill(
        desk.ask("1", symbol=ETH, strategy_id="other"), "1", "e2", price="3000", fee=Decimal(2)
    )
    books = desk.system.sub_books
    assert books is not None
    books.mark(BTC, 61_000.0)
    books.mark(ETH, 2_900.0)
    books.check()
    assert (books.profit("hand"), books.profit("other")) == (99, -102)
    assert desk.system.strategies[0].position[BTC] == Decimal("0.1")
    assert desk.system.strategies[1].position[ETH] == 1


@pytest.mark.parametrize(
    ("strategies", "words"),
    [
        ((Hand((BTC,)), Hand((ETH,))), "named 'hand'"),
        ((Hand((BTC,)), Other((ETH, BTC))), "both trade BTCUSDT"),
    ],
)
def test_strategies_in_each_other_s_way_are_refused(strategies, words) -> None:
    with pytest.raises(TopologyInvalid, match=words):
        several(*strategies)


def test_one_strategy_has_no_sub_books() -> None:
    assert Desk().system.sub_books is None
