# SPDX-License-Identifier: Apache-2.0
"""`factory.py`: the `ProcessFactory`, the module of all processes. It hands them the market, turns
their wishes into requests, which the governor judges as anyone's, and once an epoch measures them,
moves them along their life cycle, routes capital between them and looks around for more work.

It sends nothing and moves nothing on its own word: every change of a state and every movement of
capital is a `COMMAND` first, journaled with who asked and why, and obeyed when it is delivered, the
same for a person's as for its own. One that makes no sense is answered by an `ERROR`.

    process            {name, to, reason}          go to another state
    process.capital    {name, amount, reason}      give capital, or call it back if negative
    process.propose    {kind, symbols, reason}     a new process, DRAFT
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from hean._core import Instrument
from hean.core.module import Module, on
from hean.core.parameters import Parameter, Value, resolve
from hean.core.types import Command, Error, Event, EventType, OrderRequest, Side, Timer
from hean.errors import HeanError, NotADecimal, ParameterInvalid, UnknownField
from hean.processes.lifecycle import AT_WORK, ROUTED, State, moved, way_to
from hean.processes.process import Process, Wish, closing
from hean.processes.routing import Terms, moves
from hean.processes.scan import MarketFacts, scan
from hean.processes.work import ZERO, Books, Work, World, covariance_of

HOUR_NS = 3_600_000_000_000
MOVE, CAPITAL, PROPOSE = "process", "process.capital", "process.propose"
EPOCH, ROUTE, RETRY = "processes.epoch", "processes.route", "processes.retry"
ACTOR = "auto:processes"

SETTINGS: tuple[Parameter, ...] = (
    Parameter("epoch_hours", 24, "between two looks at all processes", "hours", 1, 720),
    Parameter("reserve", 0.05, "share of equity that nobody gets", "fraction", 0, 1),
    Parameter("exploration", 0.05, "share of all that is on trial", "fraction", 0, 0.05),
    Parameter("venue_max", 1.0, "share of all on one venue", "fraction", 0, 1),
    Parameter("factor_max", 1.0, "share of all that live on the same", "fraction", 0, 1),
    Parameter("aversion", 4.0, "to risk; 1 is full Kelly, 4 a quarter", "", 0.1, 1_000),
    Parameter("doubt", 1.0, "deviations of a belief not counted on", "deviations", 0, 10),
    Parameter("horizon_days", 30.0, "in which a move of capital has to pay", "days", 1, 3_650),
    Parameter("trial_days", 30.0, "in SHADOW and in PROBATION, at least", "days", 1, 3_650),
    Parameter("shadow_cost", 0.001, "of a pretended fill", "fraction", 0, 0.1),
    Parameter("scan", "off", "what becomes of candidates", choices=("off", "draft", "shadow")),
)
"""What the factory itself can be told."""


class Split(NamedTuple):
    """Where the money is; the four are `equity` together. *free*: nobody's; *allocated*: at work;
    *locked*: at work, and must stay; *in_transit*: called back, not come yet.
    """

    free: Decimal
    allocated: Decimal
    locked: Decimal
    in_transit: Decimal
    equity: Decimal


class Transition(NamedTuple):
    """One move of one process."""

    ts_ns: int
    name: str
    before: str
    after: str
    reason: str
    actor: str


class ProcessFactory(Module):
    """All *processes* of one account.

    *given*: settings of the factory by name. *kinds*: what the scan may propose. Before it is
    attached, the composition `equip`s it. *Raises*: `ParameterInvalid` for two of one name, and for
    minima that are more than there is to give.
    """

    name = "processes"
    produces = (EventType.ORDER_REQUEST, EventType.COMMAND, EventType.ERROR)

    def __init__(
        self,
        processes: Iterable[Process],
        given: Mapping[str, object] | None = None,
        *,
        kinds: Iterable[type[Process]] = (),
    ) -> None:
        self.processes = tuple(processes)
        self.settings: dict[str, Value] = resolve(SETTINGS, given or {})
        self.kinds = {kind.name: kind for kind in kinds}
        self.works: dict[str, Work] = {}
        self.transitions: list[Transition] = []
        self.moved_capital: list[tuple[int, str, Decimal]] = []
        """Every movement: when, whose, how much; negative is given back."""
        self._by_symbol: dict[str, Work] = {}
        self._by_order: dict[str, Work] = {}
        self._funding: dict[str, tuple[int, float]] = {}
        self._has_begun = self._is_halted = False
        self._refuse_impossible()

    def _refuse_impossible(self) -> None:
        names = [process.name for process in self.processes]
        if len(set(names)) != len(names):
            raise ParameterInvalid(f"processes {', '.join(names)}: each needs a name of its own.")
        for process in self.processes:
            if process.p.capital_min > process.p.capital_max:
                raise ParameterInvalid(
                    f"process {process.name}: capital_min {process.p.capital_min:g} is above "
                    f"capital_max {process.p.capital_max:g}."
                )
        least = sum(each.p.capital_min for each in self.processes if each.p.state == ROUTED)
        most = 1.0 - float(self.settings["reserve"])
        if least > most + 1e-9:
            raise ParameterInvalid(
                f"processes: capital_min of {', '.join(names)} adds up to {least:g}, but only "
                f"{most:g} is given away; lower one, or the reserve."
            )

    # ------------------------------------------------------------ for the composition

    def equip(
        self,
        books: Books,
        rules: Mapping[str, Instrument],
        *,
        reference: Callable[[str], float | None],
        taken: Iterable[str] = (),
    ) -> None:
        """Give it the account's *books*, with one for each process, trading *rules* and the last
        price of a symbol. *taken*: symbols that somebody else trades.
        """
        cost = Decimal(repr(self.settings["shadow_cost"]))
        self._world = World(books, rules, reference, lambda: self.context.clock.now_ns, cost)
        self._taken = frozenset(taken)
        for process in self.processes:
            self._employ(process)

    def _employ(self, process: Process) -> Work:
        work = self.works[process.name] = Work(process, self._world)
        self._by_symbol.update(dict.fromkeys(process.symbols, work))
        return work

    def split(self) -> Split:
        """Where the account's money is, at the last prices."""
        books = self._world.books
        for symbol in self._world.rules:
            price = self._world.reference(symbol)
            if price is not None:
                books.mark(symbol, price)
        free = sum(
            (book.equity for name, book in books.books.items() if name not in self.works), ZERO
        )
        allocated = locked = transit = ZERO
        for work in self.works.values():
            equity = books.books[work.name].equity
            away = work.in_transit(equity)
            transit += away
            if work.is_locked:
                locked += equity - away
            else:
                allocated += equity - away
        return Split(free, allocated, locked, transit, books.account.equity)

    def document(self) -> list[dict[str, Any]]:
        """What became of each process, for people and programs."""
        split = self.split()
        return [
            {
                "name": work.name,
                "symbols": list(work.process.symbols),
                "params": work.process.settings,
                "state": work.state.value,
                "waits_for": work.step,
                "capital": format(work.equity(), "f"),
                "profit": format(work.equity() - work.ledger.deposits, "f"),
                "share": float(work.equity() / split.equity) if split.equity else 0.0,
                "orders": work.requests,
                "fees": format(work.ledger.fees, "f"),
                "funding_received": format(work.ledger.funding_total, "f"),
                "transitions": [
                    {
                        "at_ns": it.ts_ns,
                        "from": str(it.before),
                        "to": str(it.after),
                        "reason": it.reason,
                        "actor": it.actor,
                    }
                    for it in self.transitions
                    if it.name == work.name
                ],
                "capital_moves": sum(name == work.name for _, name, _ in self.moved_capital),
            }
            for work in self.works.values()
        ]

    # ------------------------------------------------------------ the market

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Let the process of this symbol learn and go on."""
        if not self._has_begun:
            self._begin()
        work = self._by_symbol.get(event.data.symbol)
        if work is not None:
            work.process.learn(event)
            self._go_on(work)

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """As a candle; what is pretended to be held is settled too."""
        if event.data.mark_price is not None:
            count, mean = self._funding.get(event.data.symbol, (0, 0.0))
            mean += (event.data.rate - mean) / (count + 1)
            self._funding[event.data.symbol] = (count + 1, mean)
        work = self._by_symbol.get(event.data.symbol)
        if work is None:
            return
        if work.state is State.SHADOW:
            work.pretend_funding(event.data)
        work.process.learn(event)
        self._go_on(work)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_kill_switch(self, _event: Event) -> None:
        """Wish for nothing more."""
        self._is_halted = True

    @on(EventType.KILLSWITCH_RELEASED)
    def on_release(self, _event: Event) -> None:
        """Go on."""
        self._is_halted = False

    # ------------------------------------------------------------ wishes and orders

    def _go_on(self, work: Work) -> None:
        """Let a process do what it is time for, and what it has to give back go."""
        if self._is_halted or work.state in (State.DRAFT, State.CLOSED):
            return
        for wish in work.wishes():
            if work.state is State.SHADOW:
                work.pretend(wish)
            else:
                self._request(work, wish)
        self._give_back(work)

    def _request(self, work: Work, wish: Wish) -> None:
        """A wish as a request: named after its process, reduce-only where it closes."""
        held = work.held(wish.symbol)
        side = Side.BUY if wish.quantity > 0 else Side.SELL
        is_reduction = held * wish.quantity < 0 and abs(wish.quantity) <= abs(held)
        order_id = self.context.next_id(work.name)
        work.orders.add(order_id)
        work.requests += 1
        self._by_order[order_id] = work
        self.context.emit(
            OrderRequest(
                wish.symbol,
                side,
                abs(wish.quantity),
                order_id=order_id,
                reduce_only=is_reduction,
                strategy_id=work.name,
            )
        )

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """The books have counted it; see whether that was all."""
        work = self._by_symbol.get(event.data.symbol)
        if work is not None:
            work.filled(event.data.symbol)
        if not event.data.remaining_qty:
            self._end(event.data.order_id)

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_ABSENT)
    def on_ended(self, event: Event) -> None:
        """Not all of it came; the steps decide what is missing."""
        self._end(event.data.order_id)

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """Wait before the next wish, longer each time."""
        work = self._by_order.get(event.data.order_id)
        if work is not None:
            self.context.clock.call_at(work.set_back(), Timer(RETRY, work.name))
            self._end(event.data.order_id)

    def _end(self, order_id: str) -> None:
        work = self._by_order.pop(order_id, None)
        if work is not None:
            work.orders.discard(order_id)
            self._go_on(work)

    def _give_back(self, work: Work) -> None:
        """Move what was called back and is free; a drained process that holds nothing is over."""
        self._note(work, -work.give_back())
        is_over = work.state is State.DRAINING and not work.orders
        if is_over and not closing(work, work.process.symbols):
            self._move(work, State.CLOSED, "drained")

    # ------------------------------------------------------------ epochs

    def _begin(self) -> None:
        """At the first fact: to the states that were set, then capital is routed."""
        self._has_begun = True
        self._seed = self.context.rng("exploration").getrandbits(63)
        for work in self.works.values():
            for state in way_to(State(work.process.p.state)):
                self._move(work, state, "as it was set", "settings")
        self._call_at(self.context.clock.now_ns, ROUTE)
        self._await_epoch()

    def _await_epoch(self) -> None:
        length_ns = int(self.settings["epoch_hours"]) * HOUR_NS
        self._call_at((self.context.clock.now_ns // length_ns + 1) * length_ns, EPOCH)

    def _call_at(self, ts_ns: int, name: str) -> None:
        self.context.clock.call_at(ts_ns, Timer(name))

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """An epoch begins; capital is routed right after what it changed was obeyed."""
        match event.data.name:
            case "processes.epoch":
                self._look()
                self._call_at(event.ts_ns, ROUTE)
                self._await_epoch()
            case "processes.route":
                self._route()
            case "processes.retry":
                self._go_on(self.works[event.data.data])

    def _epoch(self) -> int:
        return self.context.clock.now_ns // (int(self.settings["epoch_hours"]) * HOUR_NS)

    def _look(self) -> None:
        """Measure every process and say who moves on; propose what the scan finds."""
        for work in self.works.values():
            if work.state is State.SHADOW or work.is_funded:
                work.measure(self._epoch())
            verdict = work.verdict(
                self._days,
                doubt=float(self.settings["doubt"]),
                trial_days=float(self.settings["trial_days"]),
            )
            if verdict is not None:
                self._move(work, *verdict)
        if self.settings["scan"] != "off":
            self._propose()

    @property
    def _days(self) -> float:
        return int(self.settings["epoch_hours"]) / 24.0

    def _route(self) -> None:
        """Say what capital is to move."""
        works = [w for w in self.works.values() if w.state in AT_WORK]
        if not works:
            return
        now = self.split()
        if now.equity <= 0:
            return
        total, days = float(now.equity), self._days
        claims = [work.claim(total, days) for work in works]
        lots = moves(
            claims,
            covariance_of(works, days),
            self._terms,
            elsewhere=1.0 - float(now.free) / total - sum(claim.held for claim in claims),
            draw=(self._seed, self._epoch()),
        )
        # What is called back first: it may be free at once, and pay for what is given.
        for count, work in sorted(zip(lots, works, strict=True), key=lambda pair: pair[0]):
            if count:
                amount = count * Decimal(repr(work.process.p.lot))
                arguments = {"name": work.name, "amount": str(amount), "reason": "routing"}
                self.context.emit(Command(CAPITAL, arguments, ACTOR))

    @property
    def _terms(self) -> Terms:
        given = {name: float(self.settings[name]) for name in Terms._fields if name != "horizon"}
        return Terms(**given, horizon=float(self.settings["horizon_days"]) / self._days)

    def _propose(self) -> None:
        """Name candidates on markets that no process has."""
        markets = []
        for symbol, rules in self._world.rules.items():
            if symbol not in self._by_symbol and symbol not in self._taken:
                count, mean = self._funding.get(symbol, (0, 0.0))
                price = self._world.reference(symbol) or 0.0
                markets.append(MarketFacts(symbol, rules.kind, price, count, mean))
        kinds = [kind for name, kind in self.kinds.items() if name not in self.works]
        for found in scan(markets, kinds):
            arguments = {"kind": found.name, "symbols": list(found.symbols), "reason": "scan"}
            self.context.emit(Command(PROPOSE, arguments, ACTOR))

    # ------------------------------------------------------------ commands

    def _move(self, work: Work, state: State, reason: str, actor: str = ACTOR) -> None:
        arguments = {"name": work.name, "to": state.value, "reason": reason}
        self.context.emit(Command(MOVE, arguments, actor))

    @on(EventType.COMMAND)
    def on_command(self, event: Event) -> None:
        """Obey, or say why not."""
        command: Command = event.data
        try:
            match command.verb:
                case "process":
                    self._obey_move(command, event.ts_ns)
                case "process.capital":
                    self._obey_capital(command)
                case "process.propose":
                    self._obey_proposal(command)
        except (HeanError, TypeError) as error:
            self.context.emit(Error(self.name, str(error), event.ts_ns, event.seq))

    def _named(self, command: Command) -> Work:
        name = str(command.arguments.get("name"))
        if name not in self.works:
            raise UnknownField(f"no process {name!r}; there are {', '.join(self.works) or 'none'}.")
        return self.works[name]

    def _obey_move(self, command: Command, ts_ns: int) -> None:
        work = self._named(command)
        before = work.state
        after = moved(work.name, before, str(command.arguments.get("to", "")))
        work.enter_state(after)
        reason = str(command.arguments.get("reason", ""))
        self.transitions.append(Transition(ts_ns, work.name, before, after, reason, command.actor))
        self._go_on(work)

    def _obey_capital(self, command: Command) -> None:
        work = self._named(command)
        amount = _amount_of(command)
        if work.state not in AT_WORK:
            raise ParameterInvalid(f"process {work.name} is {work.state}; it takes no capital.")
        if amount < 0:
            work.call_back(-amount)
        else:
            self._note(work, work.take(amount))
        self._go_on(work)

    def _note(self, work: Work, amount: Decimal) -> None:
        if amount:
            self.moved_capital.append((self.context.clock.now_ns, work.name, amount))

    def _obey_proposal(self, command: Command) -> None:
        kind = self.kinds.get(str(command.arguments.get("kind")))
        if kind is None:
            raise UnknownField(f"no kind of process {command.arguments.get('kind')!r}.")
        symbols = tuple(map(str, command.arguments.get("symbols", ())))
        taken = [symbol for symbol in symbols if symbol in {*self._by_symbol, *self._taken}]
        unknown = [symbol for symbol in symbols if symbol not in self._world.rules]
        if taken or unknown or kind.name in self.works:
            raise ParameterInvalid(
                f"process {kind.name} on {', '.join(symbols)}: taken or unknown are "
                f"{', '.join(taken + unknown) or kind.name}."
            )
        # Nobody vouched for it: what it gets it has to earn.
        process = kind(symbols, {"state": State.DRAFT.value, "capital_min": 0.0})
        self._world.books.open(kind.name)
        work = self._employ(process)
        if self.settings["scan"] == "shadow":
            self._move(work, State.SHADOW, "found by the scan")


def _amount_of(command: Command) -> Decimal:
    """*Raises*: `NotADecimal` for what is no finite number."""
    given = command.arguments.get("amount")
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise NotADecimal(f"process.capital: {given!r} is no amount; give one such as -1000.")
    return amount
