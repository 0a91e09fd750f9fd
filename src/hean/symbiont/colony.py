# SPDX-License-Identifier: Apache-2.0
"""`colony.py`: looks after a live population. It keeps the bars that the shadow is judged on, sees
what the agents with a seat do with money, and says who is trusted further, who gets a seat, who is
sick and who is dead. It sends no order. Whatever it decides is a `COMMAND` first, journaled with
who and why, and obeyed when it is delivered; a person's is obeyed the same, and only a person's
leads to real money. One that makes no sense is answered by an `ERROR`.

    symbiont           {agent, to, reason}           to another stage
    symbiont.health    {agent, to, reason}           to another state of health
    symbiont.seat      {symbol, agent, share, reason}   a seat; agent "" empties it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from hean._core import Instrument
from hean.core.bus import EventBus
from hean.core.module import Context, Module, on
from hean.core.timeframe import DAY_NS
from hean.core.types import (
    Candle,
    Command,
    Error,
    Event,
    EventType,
    Funding,
    OrderApproved,
    OrderFilled,
    Timer,
)
from hean.errors import HeanError, ParameterInvalid, UnknownField
from hean.genome.text import read
from hean.genome.words import row_of
from hean.symbiont import immune
from hean.symbiont.gates import Check, Terms, are_alike, checks, refuse_leap, released
from hean.symbiont.held import ZERO, Held, exposure_of
from hean.symbiont.immune import Case, Health
from hean.symbiont.population import (
    DAYS_KEPT,
    EVENTS_KEPT,
    LADDER,
    SIGNED,
    Agent,
    Happening,
    Holding,
    Population,
    Seat,
    Stage,
)
from hean.symbiont.seating import Purse, chosen, within
from hean.symbiont.senses import Senses
from hean.symbiont.shadow import Seen, Shadow
from hean.symbiont.vitals import Finding, Monitor, Watch

STAGE, HEALTH, SEAT = "symbiont", "symbiont.health", "symbiont.seat"
FEED = ""  # beside the ids of agents: what all of them read
BIRTHS, LOOK, SEATS = "symbiont.births", "symbiont.look", "symbiont.seats"
ACTOR = "auto:symbiont"
LATE_NS = 60_000_000_000  # after the hour: until then its last bar has come
DONE_MAX = 1_000  # round trips with money that the shadow was not asked about yet
UNIT = Decimal(1).scaleb(-12)  # the ledger's
REFUSERS = frozenset({"venue", "router"})  # not risk: a limit, or a share too small to trade
Deed = tuple[str, int, bool]  # symbol, end of the bar that decided it, whether long


class Trader(Protocol):
    """Who trades for the agents."""

    is_real: bool
    instruments: Mapping[str, Instrument]
    asked: dict[str, tuple[str, float]]

    @property
    def name(self) -> str:
        """Under which its orders go."""
        ...


class Colony(Module):
    """The *population*, judged by *terms*, paid from *purse*, looked at every *look_ns*."""

    name = "colony"
    produces = (EventType.COMMAND, EventType.ERROR)

    def __init__(
        self, population: Population, terms: Terms, purse: Purse, *, look_ns: int, trader: Trader
    ) -> None:
        self.population, self.terms, self.purse = population, terms, purse
        self.trader = trader
        self.on_change: list[Callable[[], None]] = []
        """Told whenever the population is another."""
        self._look_ns = look_ns
        self._rows = {
            agent.id: row_of(
                read(agent.genome, population.features), population.symbols, population.features
            )
            for agent in population.agents
        }
        self._agents = population.by_id()
        self._open = {symbol: Held() for symbol in population.symbols}
        self._done: dict[str, deque[Deed]] = {}
        self._senses = Senses(population.symbols)
        self._equity = 0.0

    @cached_property
    def shadow(self) -> Shadow:
        """Where all agents are judged."""
        return Shadow(self.population, self.trader.instruments)

    # ------------------------------------------------------------ for the trader

    def may_trade(self, name: str) -> bool:
        """Whether an agent may hold a position with the money there is."""
        agent = self._agents[name]
        trusted = SIGNED if self.trader.is_real else {Stage.PAPER, *SIGNED}
        return agent.stage in trusted and self.scale(name) > 0

    def scale(self, name: str) -> float:
        """What health leaves of its size: 1, a half or nothing."""
        return immune.SCALE[self._agents[name].health]

    def take(self, symbol: str, holding: Holding) -> bool:
        """Remember whose the next position of a symbol is, before its order leaves. *Returns*:
        whether it was kept; what would be of nobody after a restart is not entered.
        """
        self.population.holdings = {**self.population.holdings, symbol: holding}
        return self._changed()

    def holder(self, symbol: str) -> Agent | None:
        """Whose the position of a symbol is, as far as anybody knows."""
        holding = self.population.holdings.get(symbol)
        return None if holding is None else self._agents.get(holding.agent)

    def resume(self, position: Mapping[str, Decimal]) -> None:
        """Positions of an earlier process, by symbol, signed."""
        for symbol, size in position.items():
            self._open[symbol] = Held(size, is_whole=not size)

    # ------------------------------------------------------------ what happens

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Keep the bar."""
        bar: Candle = event.data
        if bar.symbol in self._open and self.shadow.bar(bar):
            self._feel(bar)

    def _feel(self, bar: Candle) -> None:
        """Hear what agents read. Who has a seat while that breaks is sick; nobody gets one then."""
        values = self._senses.row(bar)
        broken = self.population.feed.bar(values) if values else []
        for name in self._seated() if broken else ():
            self._accuse(self._agents[name], broken)

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Keep a settlement, and count what it cost who holds the position."""
        funding: Funding = event.data
        held = self._open.get(funding.symbol)
        if held is None or funding.is_forecast:
            return
        self.shadow.funding(funding.symbol, event.ts_ns, funding.rate)
        if funding.amount is not None:
            held.received += funding.amount
        elif funding.mark_price is not None:
            paid = held.size * Decimal(repr(funding.rate)) * Decimal(repr(funding.mark_price))
            held.received -= paid.quantize(UNIT)

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Count what the holder of a position has done."""
        fill: OrderFilled = event.data
        held, agent = self._open.get(fill.symbol), self.holder(fill.symbol)
        is_ours = fill.strategy_id == self.trader.name or fill.is_forced
        if held is None or not is_ours:
            return
        held.take(fill)
        asked = self.trader.asked.get(fill.symbol)
        if agent is not None and asked is not None and asked[0] == fill.order_id:
            cost_bp = held.cost_bp(fill, asked[1])
            self._accuse(agent, [] if cost_bp is None else agent.watch.fill(cost_bp))
        if held.size:
            return
        earned = held.close()
        if earned is not None and agent is not None:
            holding = self.population.holdings[fill.symbol]
            agent.profit += earned
            done = self._done.setdefault(agent.id, deque(maxlen=DONE_MAX))
            done.append((fill.symbol, holding.decided_ns, holding.is_long))

    @on(EventType.ORDER_APPROVED, EventType.ORDER_REJECTED)
    def on_order(self, event: Event) -> None:
        """Too many orders, or too many that are refused, are a sign of sickness. What it decided at
        bars counts, and not the stops that follow from fills in pieces.
        """
        order, symbol = event.data, event.data.symbol
        agent, asked = self.holder(symbol), self.trader.asked.get(symbol, ("", 0.0))
        if agent is None or order.strategy_id != self.trader.name:
            return
        exposure, is_refused = 0.0, not isinstance(order, OrderApproved)
        if isinstance(order, OrderApproved):
            if order.order_id != asked[0]:
                return
            if agent.stage is not Stage.LIVE_MIN:  # the least there is was no choice of the agent
                given = self.population.holdings[symbol].share * self._equity
                exposure = exposure_of(order, asked[1], given)
        elif order.source not in REFUSERS:
            return
        self._accuse(agent, agent.watch.order(event.ts_ns, symbol, exposure, is_refused=is_refused))

    @on(EventType.PNL_UPDATE)
    def on_pnl(self, event: Event) -> None:
        """Know what the account is worth."""
        self._equity = float(event.data.equity)

    # ------------------------------------------------------------ looks

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """As of `Module`; the agents are born with the first moment."""
        detach = super().attach(bus, context)
        context.clock.call_at(context.clock.now_ns, Timer(BIRTHS))
        return detach

    def _begin(self, ts_ns: int) -> None:
        self._seed = self.context.rng("seats").getrandbits(63)
        self.population.feed.rest()
        for agent in self.population.agents:
            if not agent.since_ns:
                self._bear(agent, ts_ns)
        if self.population.seats:  # of a run with other limits, perhaps
            self.context.clock.call_at(ts_ns, Timer(SEATS))
        self._await_look(ts_ns)

    def _bear(self, agent: Agent, ts_ns: int) -> None:
        came = f"{agent.how} in generation {agent.generation}"
        came += f" of {', '.join(agent.parents)}" if agent.parents else ""
        to = Stage.SHADOW if agent.stage in (Stage.TESTED, *LADDER) else agent.stage
        reason = f"{came}; passed {', '.join(agent.gates) or 'no gate'}"
        refusal = self.population.memory.refusal(agent.id, dict(agent.days), ts_ns)
        if refusal is not None:
            to, reason = Stage.RETIRED, f"{came}; {refusal}"
        self._say(STAGE, agent=agent.id, to=to.value, reason=reason)

    def _await_look(self, ts_ns: int) -> None:
        next_ns = ((ts_ns - LATE_NS) // self._look_ns + 1) * self._look_ns + LATE_NS
        self.context.clock.call_at(next_ns, Timer(LOOK))

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Look at all; seats are given right after what that changed was obeyed."""
        if event.data.name == BIRTHS:
            self._begin(event.ts_ns)
        elif event.data.name == LOOK:
            self._look(event.ts_ns)
            self.context.clock.call_at(event.ts_ns, Timer(SEATS))
            self._await_look(event.ts_ns)
        elif event.data.name == SEATS:
            self._give_seats(event.ts_ns)
            self._changed()

    def _look(self, now_ns: int) -> None:
        living = [it for it in self.population.agents if it.stage is not Stage.RETIRED]
        seen = self.shadow.judged([self._rows[agent.id] for agent in living])
        found = {it.id: self._learn(it, done) for it, done in zip(living, seen, strict=True)}
        trusted = [agent for agent in living if agent.stage in LADDER]
        due = [it for it in trusted if immune.is_round(it.seen_ns, now_ns)]
        tests = {agent.id: agent.watch.tests() for agent in due}
        if due:
            tests[FEED] = self.population.feed.tests()
        drifted = immune.drifted(tests)
        moved, seated = drifted.pop(FEED, []), self._seated()
        for agent in trusted:
            is_proven = released(agent, self.terms)
            own = [*found[agent.id], *drifted.get(agent.id, ())]
            findings = own + moved if agent.id in seated else own
            self._judge(agent, findings, now_ns, is_proven=is_proven)
        for agent in living:
            if agent.stage is Stage.SHADOW and all(it.passed for it in self.checks(agent)):
                reason = "; ".join(f"{it.name} {it.found:.4g}" for it in self.checks(agent))
                self._say(STAGE, agent=agent.id, to=Stage.PAPER.value, reason=reason)
            agent.seen_ns = now_ns

    def _learn(self, agent: Agent, seen: Seen) -> list[Finding]:
        """What is new of an agent since the last look. *Returns*: what is wrong with it."""
        agent.today = seen.today
        last = agent.days[-1][0] if agent.days else -1
        fresh = [it for it in seen.days if it[0] > last and it[0] * DAY_NS >= agent.since_ns]
        trips = [it for it in seen.trips if it.over_ns > max(agent.seen_ns, agent.since_ns)]
        agent.days = [*agent.days, *fresh][-DAYS_KEPT:]
        agent.trips += len(trips)
        self._match(agent, seen)
        found: list[Finding] = []
        if agent.stage not in LADDER:
            return found
        for day, earned in fresh:
            count = sum(it.decided_ns // DAY_NS == day for it in seen.trips)
            found += agent.watch.day(earned, count)
        for trip in trips:
            agent.watch.trip(trip.held_bars)
        horizons = [it.bars for it in agent.expected.forecasts]
        for entry in self.shadow.markouts(seen.trips, horizons, max(agent.seen_ns, agent.since_ns)):
            agent.watch.entry(entry)
        return found

    def _match(self, agent: Agent, seen: Seen) -> None:
        """Hold round trips with money against the shadow's; one that the shadow is still in is
        asked about again at the next look.
        """
        known = {(it.symbol, it.decided_ns, it.is_long) for it in seen.trips}
        left: deque[Deed] = deque(maxlen=DONE_MAX)
        for deed in self._done.pop(agent.id, ()):
            symbol, decided_ns, _ = deed
            seat = self.population.seats.get(symbol)
            since_ns = seat.since_ns if seat is not None else 0
            # The shadow was in the market already when the agent got its seat.
            was_in = any(
                it.symbol == symbol and it.decided_ns < since_ns
                and it.decided_ns < decided_ns < it.over_ns
                for it in seen.trips
            )  # fmt: skip
            if deed not in known and decided_ns > agent.seen_ns:
                left.append(deed)
            elif deed in known or not was_in:
                agent.traded += 1
                agent.matched += deed in known
        if left:
            self._done[agent.id] = left

    def checks(self, agent: Agent) -> list[Check]:
        """What stands between an agent and its next stage."""
        others = [self._agents[name] for name in self._seated() if name != agent.id]
        return checks(agent, self.terms, is_alike=any(are_alike(agent, it) for it in others))

    def _seated(self) -> list[str]:
        return list(dict.fromkeys(seat.agent for seat in self.population.seats.values()))

    def _accuse(self, agent: Agent, findings: Sequence[Finding]) -> None:
        if findings:
            self._judge(agent, findings, self.context.clock.now_ns)

    def _judge(
        self, agent: Agent, findings: Sequence[Finding], now_ns: int, *, is_proven: bool = False
    ) -> None:
        """Say what findings, or the time without any, make of an agent."""
        before = agent.case or immune.admitted(now_ns)
        after = immune.judged(before, findings, now_ns, is_proven=is_proven)
        if after.health is before.health:
            agent.case = after
            return
        self._say(
            HEALTH, agent=agent.id, to=after.health.value, reason=after.reason,
            suspect=after.suspect or "",
        )  # fmt: skip

    def _give_seats(self, now_ns: int) -> None:
        broken = self.population.feed.broken()
        agents = [it for it in self.population.agents if not broken and self.may_trade(it.id)]
        nobody = broken[0].words if broken else "nobody is trusted with money"
        symbols = self.population.symbols
        number = now_ns // self._look_ns
        choices = [
            chosen(
                agents, self.purse, seats=len(symbols), seed=self._seed,
                number=number * len(symbols) + place,
            )
            for place in range(len(symbols))
        ]  # fmt: skip
        for symbol, found in zip(symbols, within(choices, self.purse.agent), strict=True):
            seat = self.population.seats.get(symbol)
            before = ("", 0.0) if seat is None else (seat.agent, seat.share)
            after = ("", 0.0) if found is None else (found.agent, round(found.share, 6))
            if before != after:
                reason = nobody if found is None else found.reason
                self._say(SEAT, symbol=symbol, agent=after[0], share=after[1], reason=reason)

    # ------------------------------------------------------------ commands

    def _say(self, verb: str, **arguments: Any) -> None:
        self.context.emit(Command(verb, arguments, ACTOR))

    @on(EventType.COMMAND)
    def on_command(self, event: Event) -> None:
        """Obey, or say why not."""
        command: Command = event.data
        obey = {STAGE: self._obey_stage, HEALTH: self._obey_health, SEAT: self._obey_seat}
        try:
            if command.verb in obey:
                obey[command.verb](command, event.ts_ns)
                self._changed()
        except (HeanError, ValueError) as error:
            self.context.emit(Error(self.name, str(error), event.ts_ns, event.seq))

    def _named(self, command: Command) -> Agent:
        name = str(command.arguments.get("agent"))
        if name not in self._agents:
            raise UnknownField(f"no agent {name!r} in this population.")
        return self._agents[name]

    def _obey_stage(self, command: Command, ts_ns: int) -> None:
        agent = self._named(command)
        to = Stage(str(command.arguments.get("to")))
        if agent.since_ns:
            self.refuse_leap(agent, to, command.actor)
        else:
            agent.case = immune.admitted(ts_ns)
        self._note(command, ts_ns, "stage", agent.stage.value)
        self._enter(agent, to, ts_ns)

    def refuse_leap(self, agent: Agent, to: Stage, actor: str) -> None:
        """*Raises*: `ParameterInvalid` for a move that nothing speaks for."""
        refuse_leap(agent, to, actor, self.checks(agent))

    def _enter(self, agent: Agent, to: Stage, ts_ns: int) -> None:
        agent.stage, agent.since_ns = to, ts_ns
        agent.trips = agent.traded = agent.matched = 0
        agent.profit = ZERO
        self._done.pop(agent.id, None)  # what it did before says nothing of this stage
        for symbol, held in self._open.items():
            if held.size and self.holder(symbol) is agent:
                held.is_whole = False
        if not self.may_trade(agent.id):
            self._vacate(agent.id)
        if to is Stage.RETIRED:
            window = dict(agent.days[-immune.SELF_DAYS :])
            self.population.memory.keep(immune.Failure(agent.id, ts_ns, window))

    def _vacate(self, name: str) -> None:
        seats = self.population.seats
        self.population.seats = {s: seat for s, seat in seats.items() if seat.agent != name}

    def _obey_health(self, command: Command, ts_ns: int) -> None:
        agent = self._named(command)
        to = Health(str(command.arguments.get("to")))
        self._note(command, ts_ns, "health", agent.health.value)
        reason, suspect = command.arguments.get("reason"), command.arguments.get("suspect")
        monitor = Monitor(suspect) if suspect else None
        agent.case = Case(to, ts_ns, str(reason), ts_ns, monitor)
        agent.watch = Watch(agent.expected)  # what was found was acted upon
        if to is Health.RETIRED:
            self._enter(agent, Stage.RETIRED, ts_ns)
        elif to is Health.QUARANTINE and agent.stage in LADDER:
            self._enter(agent, Stage.SHADOW, ts_ns)

    def _obey_seat(self, command: Command, ts_ns: int) -> None:
        symbol = str(command.arguments.get("symbol"))
        if symbol not in self._open:
            raise UnknownField(f"no seat for {symbol!r}; there are {', '.join(self._open)}.")
        name = str(command.arguments.get("agent"))
        seats = self.population.seats
        before = seats.get(symbol)
        if not name:
            self.population.seats = {s: it for s, it in seats.items() if s != symbol}
            if before is not None:
                self._note(command, ts_ns, "seat", symbol, name=before.agent)
            return
        agent, share = self._named(command), float(command.arguments.get("share", 0.0))
        since_ns = before.since_ns if before is not None and before.agent == agent.id else ts_ns
        most = min(self.purse.agent, self.purse.all / len(self.population.symbols))
        if not self.may_trade(agent.id) or not 0 < share <= round(most, 6):
            raise ParameterInvalid(
                f"agent {agent.id} ({agent.stage}, {agent.health}) gets no seat with {share:g}; "
                f"allowed: who may trade, up to {most:g}."
            )
        self._note(command, ts_ns, "seat", symbol)
        self.population.seats = {**seats, symbol: Seat(agent.id, share, since_ns)}

    def _note(self, command: Command, ts_ns: int, what: str, before: str, name: str = "") -> None:
        given = {key: str(value) for key, value in command.arguments.items()}
        after = given.get("to") or f"{float(given.get('share', 0)):.2%}"
        happened = Happening(
            ts_ns,
            given["agent"] or name,
            what,
            before,
            after,
            given.get("reason", ""),
            command.actor,
        )
        self.population.events = [*self.population.events, happened][-EVENTS_KEPT:]

    def _changed(self) -> bool:
        """Tell whoever keeps the population. *Returns*: whether all could."""
        try:
            for told in self.on_change:
                told()
        except HeanError as error:
            self.context.emit(Error(self.name, str(error), self.context.clock.now_ns))
            return False
        return True
