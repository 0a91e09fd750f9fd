# SPDX-License-Identifier: Apache-2.0
"""What a strategy may not say: what only a venue, a person or a watching part can know."""

from __future__ import annotations

import pytest

from desk import Desk
from hean.core.types import (
    Book,
    Command,
    Event,
    Funding,
    KillswitchReleased,
    Payload,
    Reconcile,
    Tick,
)
from hean.errors import FieldInvalid


@pytest.mark.parametrize(
    "fact",
    [
        Command("release", {"phrase": "release 1", "reason": "because I want to"}, "risk:bob"),
        Command("kill", {}, "operator:ann"),
        KillswitchReleased("because I want to", 1, "risk:bob"),
        Reconcile(True),
    ],
    ids=lambda fact: f"{fact.event_type} {fact.get('verb', '')}".strip(),
)
def test_a_strategy_cannot_let_itself_trade_again(fact: Payload) -> None:
    desk = Desk()
    for each in (fact, Event(fact.event_type, fact)):
        with pytest.raises(FieldInvalid, match="those who watch over it do"):
            desk.strategy.context.emit(each)
    desk.say()
    assert desk.events == []


@pytest.mark.parametrize(
    "fact",
    [
        Funding("BTCUSDT", -0.01, mark_price=60_000.0),
        Tick("BTCUSDT", 60_000.0, 1.0, 1),
        Book("BTCUSDT", (), (), True),
    ],
    ids=lambda fact: str(fact.event_type),
)
def test_a_strategy_makes_no_income_and_no_prices(fact: Payload) -> None:
    desk = Desk()
    with pytest.raises(FieldInvalid, match="the venue does"):
        desk.strategy.context.emit(fact)
