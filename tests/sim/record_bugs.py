# SPDX-License-Identifier: Apache-2.0
"""Bugs about what is written down and read back, planted on purpose: the journal, the state after a
restart, the ids of orders, the comparison with the venue. Each is one function that patches the
product until the patch is undone; its sentence names the failure that it brings back.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import Any

import pytest
from msgspec.structs import replace

from hean._core import Ledger
from hean.core.journal import Journal
from hean.core.module import IdSequence
from hean.core.types import Event, EventType, Funding
from hean.errors import JournalWriteFailed
from hean.execution.coin_fees import CoinFees
from hean.live import recorder, recovery
from hean.live.engine import LiveEngine
from hean.live.recorder import Recorder
from hean.live.recovery import Books
from hean.live.rows import SENT, Sent, row_bytes
from hean.portfolio import portfolio
from hean.portfolio.portfolio import Portfolio
from hean.reconcile.reconcile import Reconciler
from hean.risk.risk_governor import RiskGovernor
from hean.secret import Secret
from hean.strategies.base import Strategy
from hean.venues.reports import Listing, Settlement
from hean.venues.settlements import Settlements
from hean.venues.signing import Signer

Patch = pytest.MonkeyPatch


# ---------------------------------------------------------------- writing


def bytes_leave_before_their_row(patch: Patch) -> None:
    """The row that an order is being sent is written when it has left."""
    sending = LiveEngine._sending

    def later(self: LiveEngine, *request: Any) -> None:
        asyncio.get_running_loop().call_soon(lambda: sending(self, *request))

    patch.setattr(LiveEngine, "_sending", later)


def row_is_not_on_the_disk(patch: Patch) -> None:
    """The row that an order is being sent waits in memory for the next commit."""

    def unsafe(self: Recorder, verb: Any, orders: Any, price: Any, size: Any) -> None:
        for order in orders:
            self.write(SENT, row_bytes(Sent(verb, order.order_id, price, size)))

    patch.setattr(Recorder, "sending", unsafe)


def failed_commit_is_ignored(patch: Patch) -> None:
    """A disk that did not take the rows is not believed, and trading goes on."""
    commit = Recorder.commit

    def careless(self: Recorder) -> None:
        try:
            commit(self)
        except JournalWriteFailed:
            self._is_dirty = False

    patch.setattr(Recorder, "commit", careless)


def failed_commit_is_tried_again(patch: Patch) -> None:
    """After a failed commit the rows are dropped and the next ones written as if nothing was."""
    commit = Journal.commit

    def careless(self: Journal) -> None:
        try:
            commit(self)
        except JournalWriteFailed:
            self._failure = None

    patch.setattr(Journal, "commit", careless)


def fill_is_handled_before_it_is_durable(patch: Patch) -> None:
    """A fill moves the books before its row is on the disk."""
    rest = recorder.AT_ONCE - {EventType.ORDER_FILLED}
    patch.setattr(recorder, "AT_ONCE", rest)


def fill_is_not_journaled(patch: Patch) -> None:
    """A fill moves the books and leaves no row."""
    tap = Recorder.tap

    def without(self: Recorder, event: Event) -> None:
        if event.event_type is not EventType.ORDER_FILLED:
            tap(self, event)

    patch.setattr(Recorder, "tap", without)


def secret_is_in_a_message(patch: Patch) -> None:
    """The name under which messages mention the key is its secret."""
    make = Signer.__init__

    def telling(self: Signer, key: Secret, secret: Secret, label: str = "") -> None:
        make(self, key, secret, secret.reveal())

    patch.setattr(Signer, "__init__", telling)


# ---------------------------------------------------------------- reading back


def fold_skips_cancels(patch: Patch) -> None:
    """A restart does not take the rows of cancelled orders into account."""
    fold_skips(patch, EventType.ORDER_CANCELLED)


def fold_skips_fills(patch: Patch) -> None:
    """A restart does not take the rows of fills into account."""
    fold_skips(patch, EventType.ORDER_FILLED)


def fold_skips(patch: Patch, kind: EventType) -> None:
    fact = Books._fact

    def skip(self: Books, record: Any) -> None:
        if record.kind != kind.value:
            fact(self, record)

    patch.setattr(Books, "_fact", skip)


def hash_is_of_another_state(patch: Patch) -> None:
    """The hash in the journal holds prices and permissions, which no restart can bring back."""
    patch.setattr(recorder, "STATE_HASH_EVERY", 20)
    build = LiveEngine._build

    def other(self: LiveEngine, *given: Any) -> None:
        build(self, *given)
        self.recorder._state_hash = self.system.state_hash

    patch.setattr(LiveEngine, "_build", other)


def sent_order_is_withdrawn_at_restart(patch: Patch) -> None:
    """An order that left and had no answer is taken for one that never left."""
    never_sent, tracked = Books.never_sent, Books.tracked

    def withdrawn(self: Books) -> list[str]:
        lost = [order.order_id for order in tracked(self) if order.is_unknown]
        return [*never_sent(self), *lost]

    patch.setattr(Books, "never_sent", withdrawn)
    patch.setattr(
        Books, "tracked", lambda self: [each for each in tracked(self) if not each.is_unknown]
    )


def position_is_forgotten_at_restart(patch: Patch) -> None:
    """A restarted strategy takes itself for flat."""
    patch.setattr(Strategy, "resume", lambda self, position, orders, wanted: None)


def epoch_stays_the_same(patch: Patch) -> None:
    """A new life bears the number of the one before, and so do its orders."""
    raised = LiveEngine._next_epoch

    def same(self: LiveEngine, known: Books | None) -> int:
        return known.start.epoch if known else raised(self, known)

    patch.setattr(LiveEngine, "_next_epoch", same)


def ids_begin_anew(patch: Patch) -> None:
    """Order ids count from one in every life and do not bear its number."""
    make = IdSequence.__init__

    def anew(self: IdSequence, epoch: int = 0, first: int = 1) -> None:
        make(self, 1, first)

    patch.setattr(IdSequence, "__init__", anew)


# ---------------------------------------------------------------- books


def order_is_approved_twice(patch: Patch) -> None:
    """Two risk modules approve one order, each by itself."""
    request = RiskGovernor.on_order_request

    @wraps(request)
    def twice(self: RiskGovernor, event: Event) -> None:
        emit = self.context.emit
        said: list[Any] = []
        self.context.emit = said.append
        request(self, event)
        self.context.emit = emit
        for fact in [*said, *said]:
            emit(fact)

    patch.setattr(RiskGovernor, "on_order_request", twice)


def fill_is_booked_twice(patch: Patch) -> None:
    """The money of a fill is counted two times."""
    filled = Portfolio.on_filled

    @wraps(filled)
    def twice(self: Portfolio, event: Event) -> None:
        filled(self, event)
        self.ledger.book(event.data)

    patch.setattr(Portfolio, "on_filled", twice)


def funding_is_reckoned_here(patch: Patch) -> None:
    """Funding is booked by rate and mark price on what is held when it is told, not as paid."""
    book = portfolio.book_funding

    def reckoned(ledger: Ledger, funding: Funding) -> bool:
        return book(ledger, replace(funding, amount=None))

    for module in (portfolio, recovery):
        patch.setattr(module, "book_funding", reckoned)


def payment_in_a_hole_is_lost(patch: Patch) -> None:
    """Funding is believed to the stream alone; nobody asks for what it left out."""

    async def nothing(self: Settlements, began_ns: int) -> Listing[Settlement]:
        self._first_ns = self._first_ns or began_ns
        return Listing(())

    patch.setattr(Settlements, "read", nothing)


def fees_in_coins_stay_in_the_books(patch: Patch) -> None:
    """What a spot venue takes of a buy as its fee is counted as if it could be sold."""
    patch.setattr(CoinFees, "after", lambda self, fill: None)


def difference_is_adopted_in_silence(patch: Patch) -> None:
    """The venue's position is taken over and nobody is told, no row says so."""

    def silent(self: Reconciler, symbol: str, read: Any) -> Any:
        held = dict(read.positions).get(symbol)
        if held is not None:
            missing = held - self._engine.position(symbol)
            self._engine.set_position(symbol, held)
            return missing
        return 0

    patch.setattr(Reconciler, "_adopt", silent)
