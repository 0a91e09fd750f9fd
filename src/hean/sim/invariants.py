# SPDX-License-Identifier: Apache-2.0
"""`invariants.py`: what must be true whatever goes wrong. The checks stand at the places where
something becomes irrevocable: bytes leave, a row is committed, the exchange accepts or fills. There
they compare the exchange's books with the journal and with the engine; none of them believes the
engine about itself. The first one that is broken ends the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from hean.core.types import Event as CoreEvent
from hean.core.types import EventType
from hean.sim.books import FORCED, LEVELS, ZERO, JournalBooks, VenueBooks, epoch_of, is_ours, signed
from hean.sim.brakes import Brakes
from hean.sim.exchange import SECRET, SimExchange
from hean.sim.manners import Manners
from hean.sim.process import Process
from hean.sim.scenario import Scenario
from hean.sim.world import World
from hean.twin.faults.asked import Asked
from hean.twin.orders import Event, Execution, ExecutionEvent, Order, OrderEvent

NS = 1_000_000_000
DATA_AGE_MAX_S = 4.0  # two seconds of a book, the grain of the looks, and a slow disk
VALUE_SLACK = Decimal("1.01")  # prices move between an approval and its acceptance
PRICES_KEPT_S = 60.0
BY_OTHERS = frozenset(
    {"order_by_hand", "foreign_order", "liquidation", "adl", "amnesia", "mode_by_hand"}
)
"""Faults after which the account holds what no order of ours explains."""
VERBS = {"create": "submit", "stop": "submit", "cancel": "cancel", "amend": "amend"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was broken. *name*: its number in the reliability paper."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


class Checks:
    """All checks of one run. *engine*: the engine that is alive now, if there is one."""

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        exchange: SimExchange,
        *,
        engine: Callable[[], Any | None],
        heard_s: Callable[[], float],
    ) -> None:
        self.venue = VenueBooks(exchange.name)
        self.journal = JournalBooks()
        self.broken: Broken | None = None
        self.checked = 0
        """Checks made so far."""
        self.confirmed: set[int] = set()
        """Epochs for which a person has typed the phrase."""
        self.left: dict[str, int] = {}
        """Times the request that makes an order has left, by client id."""
        self._world = world
        self._scenario = scenario
        self._exchange = exchange
        self._engine = engine
        self._heard_s = heard_s
        self._left_verbs: dict[tuple[str, str], int] = {}
        self._slices: dict[str, list[str]] = {}  # that have left, by the order they are of
        self._epoch = 0
        self._prices: deque[tuple[float, str, Decimal]] = deque()
        self.has_others = any(
            dial["dial"] in BY_OTHERS or dial.get("existing") == "foreign"
            for dial in scenario.dials
        )
        """Whether the account may hold what no order of ours explains."""
        self.manners = Manners(
            scenario.venue,
            scenario.market,
            scale=scenario.limits_scale,
            time_s=world.now_s,
            require=self.require,
        )
        self.brakes = Brakes(
            scenario,
            self.venue,
            self.journal,
            denied=self._denied,
            time_s=world.now_s,
            require=self.require,
        )
        self._is_dirty = False
        self._followed: Any = None
        exchange.venue.listeners.append(self.on_event)

    def fail(self, name: str, what: str) -> None:
        """Remember the first promise that was broken."""
        if self.broken is None:
            self.broken = Broken(name, what)

    def require(self, name: str, is_true: bool, what: Callable[[], str]) -> None:
        """Check one promise."""
        self.checked += 1
        if not is_true:
            self.fail(name, what())

    # ------------------------------------------------------------ bytes leave

    def on_leaving(self, process: Process, asked: Asked, body: bytes) -> None:
        """Right before the first byte."""
        self.require("I-19", SECRET.encode() not in body, lambda: f"a secret left to {asked.path}")
        self.manners.leaves(process, asked)
        verb = VERBS.get(asked.op)
        if verb is None or not asked.client_ids:
            return
        order_id = asked.client_ids[0]
        if not is_ours(order_id):
            return
        key = (verb, order_id)
        times = self._left_verbs[key] = self._left_verbs.get(key, 0) + 1
        self.require(
            "I-05",
            self.journal.sent.get(key, 0) >= times,
            lambda: f"{verb} of {order_id} left and no SENT row is on the disk",
        )
        if verb == "submit":
            self._create_leaves(order_id, asked)
        elif verb == "amend":
            approved = len(self.journal.amends.get(order_id, ()))
            self.require(
                "I-04",
                times <= approved,
                lambda: f"{order_id} was amended {times} times, approved were {approved}",
            )

    def _create_leaves(self, order_id: str, asked: Asked) -> None:
        times = self.left[order_id] = self.left.get(order_id, 0) + 1
        self.require("I-04", times == 1, lambda: f"{order_id} was sent {times} times")
        epoch = epoch_of(order_id)
        lives = self.journal.starts
        self.require(
            "R-08",
            bool(lives) and epoch == lives[-1].epoch,
            lambda: f"{order_id} is not an id of this life",
        )
        self.require(
            "I-17", epoch >= self._epoch, lambda: f"{order_id} left after epoch {self._epoch}"
        )
        self._epoch = max(self._epoch, epoch)
        approval = self.journal.approvals.get(order_id)
        if approval is None:
            self.fail("I-04", f"{order_id} left without an approval on the disk")
            return
        if approval.parent_id:
            self._slice_leaves(order_id, approval.parent_id)
        level = self.journal.level
        is_allowed = level == "RUN" or (approval.reduce_only and level != "LOCKED")
        self.require("I-08", is_allowed, lambda: f"{order_id} left at level {level}")
        if not approval.reduce_only:
            self.require(
                "I-18", self.journal.is_compared, lambda: f"{order_id} left before any comparison"
            )
            self.require(
                "I-18", epoch in self.confirmed, lambda: f"{order_id} left without the phrase"
            )
            age_s = self._world.now_s() - self._heard_s()
            self.require(
                "I-12",
                age_s <= DATA_AGE_MAX_S,
                lambda: f"{order_id} left on data {age_s:.1f} s old",
            )

    def _slice_leaves(self, order_id: str, parent_id: str) -> None:
        """What its slices have traded and may still trade is no more than the whole."""
        slices = self._slices.setdefault(parent_id, [])
        slices.append(order_id)
        whole = self.journal.approvals.get(parent_id)
        size = ZERO if whole is None or whole.algo is None else whole.size
        used = sum((self._used_by(each) for each in slices), ZERO)
        self.require(
            "I-06", used <= size, lambda: f"{used} of {parent_id} with {order_id}, {size} approved"
        )

    def _used_by(self, order_id: str) -> Decimal:
        order = self.venue.orders.get(order_id)
        if order is not None:
            return Decimal(order.filled + (order.left if order.is_open else ZERO))
        if order_id in self.journal.ends or order_id in self.journal.absent:
            return ZERO
        return self.journal.approvals[order_id].size  # on its way

    # ------------------------------------------------------------ rows are on the disk

    def on_commit(self, rows: list[tuple[Any, ...]]) -> None:
        """Rows are durable."""
        absent = len(self.journal.absent)
        level, is_first = self.journal.level, not self.journal.first_ns
        kills, releases = self.journal.kills, self.journal.releases
        self.journal.read(rows)
        self.checked += len(rows)
        if is_first and self.journal.first_ns and self._exchange.kind != "linear":
            self.venue.coins_before(self.journal.first_ns)
        for name, what in self.journal.problems:
            self.fail(name, what)
        secret = SECRET.encode()
        self.require(
            "I-19", not any(secret in bytes(row[4]) for row in rows), lambda: "a secret is in a row"
        )
        if self.journal.kills > kills:
            self.brakes.raised(self.journal.level)
        if self.journal.releases > releases:
            self.brakes.released(level)
        fell = LEVELS.index(self.journal.level) < LEVELS.index(level)
        self.require(
            "I-08",
            not fell or self.journal.releases > releases,
            lambda: f"level {level} fell to {self.journal.level} without a release",
        )
        if len(self.journal.absent) > absent and not self.has_others:
            wrong = self.journal.absent & self.venue.orders.keys() - self._lost_unseen()
            self.require("R-30", not wrong, lambda: f"absent, but at the venue: {sorted(wrong)}")

    def _denied(self) -> set[str]:
        """Orders that the venue would not know of for a while."""
        faults = (row for row in self._exchange.ledger.records if row["kind"] == "fault")
        return {str(row["client_order_id"]) for row in faults if row["dial"] == "amnesia"}

    def _lost_unseen(self) -> set[str]:
        """Orders that the venue took on and lost before anything traded, without a word of theirs
        that reached us: they are absent, as if they had never been.
        """
        ledger = self._exchange.ledger
        records = ledger.records if ledger.counts["lost"] else []
        lost = (row for row in records if row["kind"] == "lost" and not Decimal(row["filled_qty"]))
        return {str(row["client_order_id"]) for row in lost} - self.journal.placed

    # ------------------------------------------------------------ the exchange acts

    def on_event(self, event: Event) -> None:
        """The exchange did something."""
        self.venue.on_event(event, is_asked=self._exchange.is_asked)
        if isinstance(event, OrderEvent):
            self._is_dirty = True
            if event.kind == "new" and is_ours(event.order.client_id):
                self._accepted(event.order)
            elif event.kind == "amended" and event.order.client_id in self.left:
                self._amended(event.order)
        elif isinstance(event, ExecutionEvent):
            self._is_dirty = True
            self._filled(event.execution)

    def _accepted(self, order: Order) -> None:
        name = order.client_id
        if not self.venue.has_made(order):  # somebody imitates our ids, or goes on with them
            if epoch_of(name) > self._epoch:
                self.manners.successor(name)
            return
        self.require(
            "I-04",
            self.venue.times_made[name] == 1,
            lambda: f"the venue made {name} {self.venue.times_made[name]} times",
        )
        approval = self.journal.approvals.get(name)
        if approval is None:
            return
        is_spot = order.market.listing.market == "spot"
        same = (
            approval.symbol == self._exchange.name(order.market)
            and approval.side.value == order.side
            and (approval.price == order.price or approval.price is None)
            and (order.quantity == approval.size or approval.reduce_only)
            and order.quantity <= approval.size
            and (order.reduce_only or not approval.reduce_only or is_spot)
        )
        self.require(
            "I-04",
            same,
            lambda: f"{name}: approved {approval}, the venue has {order}",
        )
        self.require(
            "R-30",
            name not in self.journal.absent or self.has_others,
            lambda: f"{name} was absent and is made now",
        )
        if not approval.reduce_only and not self.has_others:
            self._within_limits(order)

    def _amended(self, order: Order) -> None:
        name = order.client_id
        amends = self.journal.amends.get(name, ())
        same = any((each.price, each.size) == (order.price, order.quantity) for each in amends)
        is_cut = order.reduce_only and order.quantity <= self.journal.approvals[name].size
        self.require(
            "I-04",
            same or is_cut or self.has_others,
            lambda: f"{name}: approved changes {amends}, the venue has {order}",
        )
        if not order.reduce_only and not self.has_others:
            self._within_limits(order)

    def _within_limits(self, order: Order) -> None:
        """By the exchange's own books: what may be held after everything open has traded. An exit
        that was approved after the order is never refused, so it may take away what the order was
        judged against.
        """
        symbol, side = self._exchange.name(order.market), order.side
        held = signed(side, self.venue.own_held(symbol)) - self._reduced_since(order)
        worst = held + self.venue.open_orders(symbol, side)
        least = min((price for _, where, price in self._prices if where == symbol), default=ZERO)
        limits = self._scenario.limits
        for name, amount in (
            ("position_value_max", worst * least),
            ("order_value_max", order.quantity * least),
        ):
            limit = Decimal(limits.get(name, "Infinity"))
            self.require(
                "I-07",
                amount <= limit * VALUE_SLACK,
                partial("{}: {} {:.2f}, allowed {}".format, order.client_id, name, amount, limit),
            )
        count = sum(each.is_open and not self._reduces(each) for each in self.venue.orders.values())
        most = int(limits.get("open_orders_max", count))
        self.require(
            "I-07", count <= most, lambda: f"{order.client_id}: {count} open orders of {most}"
        )

    def _reduced_since(self, order: Order) -> Decimal:
        """What exits on its side have traded that were approved after it."""
        approved_ns = self.journal.approved_ns
        since_ns = approved_ns[order.client_id]
        return sum(
            (
                trade.quantity
                for trade in self.venue.executions.values()
                if trade.order is not None
                and (trade.market, trade.side) == (order.market, order.side)
                and approved_ns.get(trade.order.client_id, 0) > since_ns
                and self._reduces(trade.order)
            ),
            ZERO,
        )

    def _reduces(self, order: Order) -> bool:
        """By its approval: spot orders reduce without saying so to the venue."""
        approval = self.journal.approvals.get(order.client_id)
        return order.reduce_only or (approval is not None and approval.reduce_only)

    def _filled(self, execution: Execution) -> None:
        order = execution.order
        if execution.kind in FORCED:
            self.has_others = True  # the venue acts on its own from here on
        if order is None or not order.reduce_only or not self.venue.has_made(order):
            return
        after = self.venue.position[self._exchange.name(execution.market)]
        before = after - signed(execution.side, execution.quantity)
        is_less = abs(after) <= abs(before) and after * before >= 0
        self.require(
            "I-09", is_less, lambda: f"{order.client_id} reduces, and took {before} to {after}"
        )

    def on_price(self, symbol: str, price: Decimal) -> None:
        """The market moved."""
        now_s = self._world.now_s()
        prices = self._prices
        prices.append((now_s, symbol, price))
        while prices[0][0] < now_s - PRICES_KEPT_S:
            prices.popleft()

    # ------------------------------------------------------------ the engine acts

    def follow(self, engine: Any) -> None:
        """An engine was built: nobody in it sees a fill or payment that is not on the disk."""
        engine.bus.subscribe(EventType.ORDER_FILLED, self._fill_was_told)
        engine.bus.subscribe(EventType.FUNDING, self._payment_was_told)

    def _fill_was_told(self, event: CoreEvent) -> None:
        fill = event.data
        self.require(
            "R-03",
            fill.exec_id in self.journal.fills,
            lambda: f"fill {fill.exec_id} was told before it was on the disk",
        )

    def _payment_was_told(self, event: CoreEvent) -> None:
        name = event.data.exec_id
        self.require(
            "R-03",
            not name or name in self.journal.payments,
            lambda: f"payment {name} was told before it was on the disk",
        )

    # ------------------------------------------------------------ after each step

    def after_step(self) -> None:
        """Of the engine."""
        engine = self._engine()
        if engine is None or "system" not in vars(engine):
            return  # not built yet
        self.brakes.look(engine)
        if engine is not self._followed:
            self._followed = engine
            self.follow(engine)
        self.checked += 1
        bus = engine.bus
        if len(bus) > bus.max_queue:
            self.fail("I-15", f"{len(bus)} events wait")
        level = engine.system.engine.halt_level
        if LEVELS.index(level) < LEVELS.index(self.journal.level):
            self.fail("I-08", f"the engine is at {level}, the journal at {self.journal.level}")
        # What a fee takes of a buy is told by the fact after it.
        is_told = self._exchange.kind == "linear" or not len(bus)
        if self._is_dirty and engine.is_ready and is_told:
            self._is_dirty = False
            if not self.has_others:
                self._exposure(engine)

    def _exposure(self, engine: Any) -> None:
        """The gate never counts less than the exchange may make of it."""
        for symbol in engine.system.portfolio.symbols:
            counted = engine.system.engine.exposure(symbol)
            held = self.venue.own_held(symbol)
            up = held + self.venue.open_orders(symbol, "BUY")
            down = held - self.venue.open_orders(symbol, "SELL")
            most = counted["position"] + counted["open_buy"] + counted["reduce_buy"]
            least = counted["position"] - counted["open_sell"] - counted["reduce_sell"]
            self.require(
                "I-14",
                most >= up and least <= down,
                partial("{}: counted {}, possible {} to {}".format, symbol, counted, down, up),
            )
