# SPDX-License-Identifier: Apache-2.0
"""The composition: which modules there are, and what their wiring guarantees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, ETH, INSTRUMENTS, Desk, Hand, Notebook
from hean.core.bus import EventBus
from hean.core.module import Module
from hean.core.types import EventType, Side
from hean.errors import StateError
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
