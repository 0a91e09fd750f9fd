# SPDX-License-Identifier: Apache-2.0
"""A spot venue takes the fee of a buy in the coin that was bought. What is left can be protected
and sold, whole, and after many fees the books are still the venue's.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hean.core.types import OrderType, Side
from hean.sim.books import JournalBooks
from hean.sim.run import Trial
from hean.sim.scenario import Kill
from hean.sim.workloads import STOP_FRACTION, WORKLOADS, Brackets
from sim.bank import on_spot

S_NS = 1_000_000_000
VENUES = pytest.mark.parametrize("venue", ["bybit", "binance"])


class Rounds(Brackets):
    """Buys, with a stop and no target, leaves, and buys again."""

    name = "brackets"

    def act(self, symbol: str, price: float, seq: int) -> None:
        """In when flat, out when not."""
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.leave(symbol, as_of_seq=seq)
            return
        size = self.size(symbol, price, Side.BUY)
        stop = price * (1 - STOP_FRACTION) if self.is_protected else None
        self.enter(symbol, Side.BUY, size=size, stop_loss=stop, as_of_seq=seq)

    is_protected = True


class Bare(Rounds):
    """Without a stop: at Binance one that rests holds the coins that a sale needs."""

    is_protected = False


def played(
    venue: str, strategy: type[Rounds], patch: pytest.MonkeyPatch
) -> tuple[Trial, JournalBooks]:
    """A calm run. *Returns*: it, and what is on its disk."""
    patch.setitem(WORKLOADS, "brackets", strategy)
    trial = Trial(on_spot("brackets", venue=venue)(2))
    outcome = trial.run()
    assert outcome.broken is None
    assert outcome.exits == []
    return trial, trial.checks.journal


@VENUES
def test_all_that_can_be_sold_is_sold_again_and_again(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = Rounds if venue == "bybit" else Bare
    trial, journal = played(venue, strategy, monkeypatch)
    sales = [
        order
        for order in trial.checks.venue.orders.values()
        if order.side == "SELL" and order.trigger is None
    ]
    assert len(sales) > 10
    assert all(order.filled == order.quantity for order in sales)
    assert journal.ends.get("REJECTED") is None
    sent = {order_id for verb, order_id in journal.sent if verb == "submit"}
    assert sent == trial.checks.venue.orders.keys(), "the venue took every order"


@VENUES
def test_the_stop_of_the_whole_position_is_accepted(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never left by itself, so that the stop stands."""
    monkeypatch.setattr(Rounds, "leave", lambda self, symbol, **given: None)
    trial, journal = played(venue, Rounds, monkeypatch)
    (stop,) = [order for order in trial.checks.venue.orders.values() if order.trigger is not None]
    approval = journal.approvals[stop.client_id]
    assert (approval.type, approval.side) == (OrderType.STOP, Side.SELL)
    held = trial.checks.venue.held("BTCUSDT")
    fills = journal.fills.values()
    assert stop.quantity == held < sum(fill.filled_qty for fill in fills if fill.side is Side.BUY)


BOUGHT = {"dial": "order_by_hand", "side": "BUY", "type": "market", "match": {"market": "spot"}}
UNREAD = {"dial": "server_error", "count": 3, "match": {"op": "orders"}}
UNSEEN: dict[str, dict[str, Any]] = {
    "its process has died": {"dials": (BOUGHT,), "kills": (Kill(1, 50, True, 1.0),)},
    "it has failed": {"dials": ({**BOUGHT, "at_s": 1.0}, UNREAD)},
}


@VENUES
@pytest.mark.parametrize("why", UNSEEN)
def test_coins_from_before_the_first_reading_are_nobodys_position(venue: str, why: str) -> None:
    """Somebody buys, and the first look at the account comes too early or to nothing: what the next
    one finds is not counted as traded.
    """
    trial = Trial(replace(on_spot("takers", venue=venue)(3), **UNSEEN[why]))
    outcome = trial.run()
    journal, executions = trial.checks.journal, trial.checks.venue.executions.values()
    bought_ns = min(each.ts_ns for each in executions)
    assert bought_ns < journal.first_ns - S_NS
    assert outcome.broken is None
    assert [fill for fill in journal.fills.values() if fill.is_forced] == []
