# SPDX-License-Identifier: Apache-2.0
"""`work.py`: one process at work: its state, where it is in its circle, its orders under way, the
money it has and what that earned. In SHADOW its fills are pretended, at the last price and a cost,
in a ledger of the same kind as the real one; from PROBATION on the books of the account count. It
emits nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple, Protocol

import numpy as np

from hean._core import Instrument, Ledger
from hean.core.listing import listing_of
from hean.core.types import Funding, Side
from hean.errors import HeanError, ParameterInvalid
from hean.processes.lifecycle import AT_WORK, FUNDED, ROUTED, State
from hean.processes.process import DAY_NS, Process, Wish, closing
from hean.processes.routing import Claim
from hean.quant.capital import Belief, believed
from hean.quant.checks import Array
from hean.quant.covariance import ledoit_wolf

YEAR_DAYS = 365.0
RETURNS_KEPT = 500  # methods 10.2: trailing daily results
RETURNS_MIN = 20  # fewer say nothing about risk; what was stated counts until then
NOISE_LEAST = 0.01  # of the stated risk: who did nothing yet is not without any
SHADOW_CASH = Decimal(10_000)  # pretended capital; returns are what is looked at
RETRY_NS = 1_000_000_000  # the order-rate window of a venue
RETRY_DOUBLINGS_MAX = 6  # a minute
UNIT = Decimal(1).scaleb(-12)  # the ledger's
ZERO = Decimal(0)


class Books(Protocol):
    """Books of the account, one for each process (`portfolio/sub_books.py`)."""

    account: Ledger
    books: dict[str, Ledger]

    def allocate(self, strategy: str, amount: Decimal) -> None:
        """Give capital that nobody has, or take it back where *amount* is negative."""
        ...

    def open(self, strategy: str) -> None:
        """Begin an empty book."""
        ...

    def mark(self, symbol: str, price: Decimal | str | float) -> None:
        """Value a symbol in all books."""
        ...


class World(NamedTuple):
    """What the composition hands over. *reference*: last price; *now_ns*: the clock's."""

    books: Books
    rules: Mapping[str, Instrument]
    reference: Callable[[str], float | None]
    now_ns: Callable[[], int]
    shadow_cost: Decimal


class Work:
    """A *process* in the *world*; also the `View` that its steps see."""

    def __init__(self, process: Process, world: World) -> None:
        self.process = process
        self.name = process.name
        self.world = world
        self.state = State.DRAFT
        self.since_ns = 0
        """Since when it is in this state."""
        self.orders: set[str] = set()
        self.requests = 0
        self.recalled = ZERO
        """Capital that was called back and has not come yet."""
        self.locked_until_ns = 0
        self.next_try_ns = 0
        self.returns: deque[tuple[int, float]] = deque(maxlen=RETURNS_KEPT)
        self.wealth = self.peak = 1.0
        self._tries = 0
        self._steps = process.steps()
        self._place = 0
        self._shadow = Ledger(SHADOW_CASH, self._rules(), allow_spot_borrowing=True)
        self._profit = ZERO
        self._held: dict[str, Decimal] = {}

    def _rules(self) -> list[Instrument]:
        return [self.world.rules[symbol] for symbol in self.process.symbols]

    # ------------------------------------------------------------ what its steps see

    @property
    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return self.world.now_ns()

    @property
    def rules(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""
        return self.world.rules

    def price(self, symbol: str) -> float | None:
        """The last one."""
        return self.world.reference(symbol)

    def held(self, symbol: str) -> Decimal:
        """Own position, signed."""
        found = self._held.get(symbol)
        if found is None:
            found = self._held[symbol] = self.ledger.position(symbol)[0]
        return found

    def capital(self) -> float:
        """Equity without what was called back."""
        equity = self.equity()
        return float(equity - self.in_transit(equity))

    # ------------------------------------------------------------ money

    @property
    def is_funded(self) -> bool:
        """Whether its money is the account's."""
        return self.state in FUNDED

    @property
    def ledger(self) -> Ledger:
        """The books that count for it now."""
        if self.is_funded or self.state is State.CLOSED:
            return self.world.books.books[self.name]
        return self._shadow

    def equity(self) -> Decimal:
        """Value of its books at the last prices."""
        ledger = self.ledger
        for symbol in self.process.symbols:
            price = self.price(symbol)
            if price is not None:
                ledger.mark(symbol, price)
        return ledger.equity

    @property
    def is_locked(self) -> bool:
        """Whether its capital must stay."""
        return self.now_ns < self.locked_until_ns and self.state in AT_WORK

    def in_transit(self, equity: Decimal) -> Decimal:
        """What of its *equity* was called back and has not come; all of one that is drained."""
        is_over = self.state in (State.DRAINING, State.CLOSED)
        return equity if is_over else min(max(equity, ZERO), self.recalled)

    def give_back(self) -> Decimal:
        """Return what was called back and is free; nothing while orders are under way. *Returns*:
        how much that was.
        """
        is_over = self.state is State.DRAINING
        if not self.is_funded or self.orders or not (self.recalled > 0 or is_over):
            return ZERO
        free = self.ledger.available if is_over else min(self.ledger.available, self.recalled)
        amount = max(free, ZERO).quantize(UNIT, ROUND_DOWN)
        if amount:
            self.world.books.allocate(self.name, -amount)
            self.recalled = max(self.recalled - amount, ZERO)
        return amount

    def take(self, amount: Decimal) -> Decimal:
        """Get capital: what is on its way back stays, only what is more comes from the free.
        *Returns*: how much came. *Raises*: `InsufficientMargin` if there is not so much.
        """
        kept = min(amount, self.recalled)
        if amount > kept:
            self.world.books.allocate(self.name, amount - kept)
        self.recalled -= kept
        days = float(self.process.p.lock_days)
        self.locked_until_ns = max(self.locked_until_ns, self.now_ns + int(days * DAY_NS))
        return amount - kept

    def call_back(self, amount: Decimal) -> None:
        """Want capital back, at most all. *Raises*: `ParameterInvalid` while locked."""
        if self.is_locked:
            raise ParameterInvalid(f"the capital of process {self.name} is locked.")
        self.recalled = min(self.recalled + amount, max(self.equity(), ZERO))

    def measure(self, epoch: int) -> None:
        """Note the net return since the last time, on the capital it had."""
        equity = self.equity()
        profit = equity - self.ledger.deposits
        capital = equity - (profit - self._profit)
        if capital > 0:
            earned = float((profit - self._profit) / capital)
            self.returns.append((epoch, earned))
            self.wealth *= max(1.0 + earned, 0.0)
            self.peak = max(self.peak, self.wealth)
        self._profit = profit

    @property
    def drawdown(self) -> float:
        """Loss from the peak of what one unit of capital became."""
        return 1.0 - self.wealth / self.peak

    def noise(self, days: float) -> float:
        """Standard deviation of its return over *days*."""
        stated = float(self.process.p.risk) * math.sqrt(days)
        count = len(self.returns)
        if count < RETURNS_MIN:
            return stated
        values = [earned for _, earned in self.returns]
        mean = sum(values) / count
        found = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
        return max(found, stated * NOISE_LEAST)

    def belief(self, days: float) -> Belief:
        """What is believed of its mean return over *days*."""
        part = days / YEAR_DAYS
        prior = Belief(self.process.p.expected * part, (self.process.p.doubt * part) ** 2)
        values = [earned for _, earned in self.returns]
        return believed(values, prior=prior, noise=self.noise(days))

    def claim(self, equity: float, days: float) -> Claim:
        """What it may have of the account's *equity*."""
        p, held = self.process.p, self.capital() / equity
        venues = (listing_of(symbol).venue or "" for symbol in self.process.symbols)
        return Claim(
            self.state is not ROUTED,
            self.belief(days),
            held,
            held if self.is_locked else 0.0,
            p.capital_min,
            p.capital_max,
            p.lot / equity,
            p.move_cost,
            frozenset(venues),
            frozenset(self.process.factors),
        )

    def verdict(self, days: float, *, doubt: float, trial_days: float) -> tuple[State, str] | None:
        """Where it should go, and why; `None` to stay. *days*: of an epoch; *doubt*: deviations of
        the belief that are not counted on; *trial_days*: that a trial takes at least.
        """
        if self.state in AT_WORK and self.drawdown > self.process.p.drawdown_max:
            return State.DRAINING, f"it is {self.drawdown:.1%} below its peak"
        if self.now_ns - self.since_ns < trial_days * DAY_NS:
            return None
        belief = self.belief(days)
        if self.state is State.SHADOW and belief.mean > 0.0:
            return State.PROBATION, f"its mean return in the shadow is believed {belief.mean:.3%}"
        floor = belief.floor(doubt)
        if self.state is State.PROBATION and floor > 0.0:
            return ROUTED, f"its mean return is believed above {floor:.3%}"
        return None

    # ------------------------------------------------------------ working

    @property
    def step(self) -> str:
        """Name of the step whose condition is waited for."""
        return self._steps[self._place].name

    def wishes(self) -> Sequence[Wish]:
        """What it wants traded now; at most once around the circle."""
        if self.orders or self.now_ns < self.next_try_ns:
            return ()
        if self.state is State.DRAINING:
            return closing(self, self.process.symbols)
        for _ in self._steps:
            step = self._steps[self._place]
            if not step.when(self):
                return ()
            wanted = step.do(self)
            self._place = (self._place + 1) % len(self._steps)
            if wanted:
                return wanted
        return ()

    def enter_state(self, state: State) -> None:
        """Go on in another state; money of another book means another position, and a new start."""
        was_real = self.is_funded
        self.state, self.since_ns = state, self.now_ns
        self._held.clear()
        if self.is_funded and not was_real:
            self._place, self._profit = 0, ZERO
            self.locked_until_ns = 0

    def pretend(self, wish: Wish) -> None:
        """A pretended fill at the last price. One that the ledger refuses has not happened."""
        price = self.price(wish.symbol)
        if price is None:
            return
        rules = self.world.rules[wish.symbol]
        exact = rules.price_decimal(rules.quantise_price(price, "nearest"))
        size = abs(wish.quantity)
        fee = (size * exact * self.world.shadow_cost).quantize(UNIT, ROUND_DOWN)
        side = Side.BUY if wish.quantity > 0 else Side.SELL
        try:
            self._shadow.fill(wish.symbol, side, exact, size, fee)
        except HeanError:
            self.set_back()
        self._held.clear()

    def pretend_funding(self, funding: Funding) -> None:
        """A settlement of what is pretended to be held."""
        if funding.mark_price is not None and self._shadow.is_held(funding.symbol):
            self._shadow.funding(funding.symbol, funding.rate, funding.mark_price)

    def filled(self, symbol: str) -> None:
        """A fill was booked."""
        self._held.pop(symbol, None)
        self._tries = 0

    def set_back(self) -> int:
        """A wish was refused: wait, longer each time. *Returns*: until when, ns."""
        wait_ns = RETRY_NS << min(self._tries, RETRY_DOUBLINGS_MAX)
        self._tries += 1
        self.next_try_ns = self.now_ns + wait_ns
        return self.next_try_ns


def covariance_of(works: Sequence[Work], days: float) -> Array:
    """Of returns in the epochs that all have seen, shrunk; of what is stated of each while these
    are too few. *days*: of an epoch.
    """
    seen = [dict(work.returns) for work in works]
    shared = sorted(set.intersection(*(set(each) for each in seen)))
    stated = np.diag([work.noise(days) ** 2 for work in works])
    if len(shared) < RETURNS_MIN:
        return np.asarray(stated)
    found = ledoit_wolf([[each[epoch] for each in seen] for epoch in shared]).matrix
    floor = np.array([work.process.p.risk**2 * days for work in works]) * NOISE_LEAST**2
    return np.asarray(found + np.diag(np.maximum(floor - np.diag(found), 0.0)))
