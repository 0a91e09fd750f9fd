# SPDX-License-Identifier: Apache-2.0
"""`symbiont.py`: trades a population. Each symbol has a seat; the agent that sits there decides
when to enter and to leave, with the seat's share of capital, as `genome.py` trades a genome alone.
Who sits where is said by the colony, in commands. A seat is taken while the symbol is flat, so a
position belongs to one agent from its entry to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hean._core import GenomeWatch
from hean.core.module import Module, on
from hean.core.parameters import Parameter
from hean.core.timeframe import DAY_NS
from hean.core.types import Candle, Command, Event, EventType, Funding, OrderRejected, Side
from hean.errors import OrderSizeInvalid, ParameterInvalid
from hean.genome.text import read
from hean.genome.tree import Genome
from hean.genome.words import row_of
from hean.strategies.base import Strategy
from hean.symbiont.colony import SEAT, Colony
from hean.symbiont.gates import Terms
from hean.symbiont.population import Agent, Holding, Seat, Stage, loaded
from hean.symbiont.seating import Purse

Stake = tuple[str, float, int]
"""Agent, what it may use of the capital, and the number of the UTC day."""
OPINION = tuple[bool, bool, bool, float]


class Eyes(NamedTuple):
    """An agent that is listened to, and what it sees."""

    genome: Genome
    watch: GenomeWatch


class Symbiont(Strategy):
    """A population on its symbols."""

    name = "symbiont"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("population", "", "file of `hean evolve --out`, or of a session", is_code=True),
        Parameter("digest", "", "SHA-256 that the file must have; a run states it"),
        Parameter("look_minutes", 1_440, "between two looks at all agents", "minutes", 5, 1_440),
        Parameter("shadow_days", 14, "in the shadow before a seat", "days", 1, 365),
        Parameter("shadow_trips", 30, "in the shadow before a seat", "trips", 1, 100_000),
        Parameter("paper_days", 30, "on paper before money", "days", 1, 365),
        Parameter("paper_trips", 200, "on paper before money", "trips", 1, 100_000),
        Parameter("agent_max", 0.05, "of the account, for one agent", "fraction", 0.0001, 0.5),
        Parameter("all_max", 0.5, "of the account, for all", "fraction", 0.0001, 1.0),
        Parameter("trial", 0.05, "of the account, to find out", "fraction", 0.0, 0.05),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        p = self.p
        if not p.population:
            raise ParameterInvalid(
                "symbiont: --param population=FILE is needed, of `hean evolve --out`."
            )
        self.population, digest = loaded(Path(p.population), p.digest)
        self.settings["digest"] = digest
        if set(self.population.symbols) != set(symbols):
            raise ParameterInvalid(
                f"symbiont: the population trades {', '.join(self.population.symbols)}, "
                f"this run {', '.join(symbols)}; give the same."
            )
        self.colony = Colony(
            self.population,
            Terms(p.shadow_days, p.shadow_trips, p.paper_days, p.paper_trips),
            Purse(p.agent_max, p.all_max, p.trial),
            look_ns=p.look_minutes * 60_000_000_000,
            trader=self,
        )
        order = self.population.symbols
        self._number = {symbol: number for number, symbol in enumerate(order)}
        self._eyes: dict[str, Eyes] = {}
        self._has_begun = False
        self._age: dict[str, int] = {}
        self._heard_ns: dict[str, int] = {}
        self._stake: dict[str, Stake | None] = {}
        self._too_small: dict[str, Stake | None] = {}
        self.asked: dict[str, tuple[str, float]] = {}
        """The last order of a symbol that was decided at a bar, and the price it saw."""

    def companions(self) -> tuple[Module, ...]:
        """Who judges the agents."""
        return (self.colony,)

    def resume(
        self,
        position: Mapping[str, Decimal],
        orders: Iterable[Mapping[str, Any]],
        wanted: Mapping[str, tuple[float | None, float | None]],
    ) -> None:
        """As of `Strategy`; who holds a position is in the population's file, and one of nobody
        is closed.
        """
        super().resume(position, orders, wanted)
        self.colony.resume(position)

    # ------------------------------------------------------------ seats

    @on(EventType.COMMAND)
    def on_command(self, event: Event) -> None:
        """Seats change hands; whoever is listened to no more is forgotten."""
        command: Command = event.data
        if command.verb == SEAT:
            self._listen()

    def _listen(self) -> None:
        heard = self._heard()
        self._eyes = {name: self._eyes.get(name) or self._open_eyes(name) for name in heard}

    def _heard(self) -> list[str]:
        seats = [seat.agent for seat in self.population.seats.values()]
        held = [
            agent.id
            for symbol in self.symbols
            if (self.position[symbol] or self.is_waiting(symbol))
            and (agent := self.colony.holder(symbol)) is not None
        ]
        return list(dict.fromkeys([*seats, *held]))

    def _open_eyes(self, name: str) -> Eyes:
        features = self.population.features
        genome = read(self.population.by_id()[name].genome, features)
        row = row_of(genome, self.population.symbols, features)
        return Eyes(genome, self.colony.shadow.watch(row))

    # ------------------------------------------------------------ the market

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """What was less than one lot is so at the next bar: it is asked again with another share,
        or on another day.
        """
        order: OrderRejected = event.data
        asked = self.asked.get(order.symbol, ("", 0.0))[0]
        is_small = order.source == "risk" and order.code == OrderSizeInvalid.code
        if is_small and order.order_id == asked and not self.position[order.symbol]:
            self._too_small[order.symbol] = self._stake[order.symbol]

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Remember what a settlement cost."""
        funding: Funding = event.data
        number = self._number.get(funding.symbol)
        if number is not None:
            for eyes in self._eyes.values():
                eyes.watch.funding(number, funding.rate)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Ask who sits there at the end of each bar."""
        bar: Candle = event.data
        number = self._number.get(bar.symbol)
        if number is None or bar.timestamp <= self._heard_ns.get(bar.symbol, -1):
            return  # told twice, as after a reconnect
        self._heard_ns[bar.symbol] = bar.timestamp
        if not self._has_begun:
            self._greet(bar)
        columns = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        extras = self.colony.shadow.latest(bar.symbol)
        opinions = {name: eyes.watch.bar(number, event.ts_ns, *columns, extras)
                    for name, eyes in self._eyes.items()}  # fmt: skip
        if self.position[bar.symbol]:
            self._hold(bar, opinions, event.seq)
        elif not self.is_waiting(bar.symbol):
            seat = self.population.seats.get(bar.symbol)
            if seat is not None and seat.agent in opinions:
                self._look(bar, seat, opinions[seat.agent], event.seq)

    def _greet(self, bar: Candle) -> None:
        if bar.timeframe != self.population.bar:
            raise ParameterInvalid(
                f"symbiont: bars of {bar.timeframe}; the population was bred on "
                f"{self.population.bar}, give those (--bar {self.population.bar})."
            )
        if any(map(self._is_spot, self.symbols)):
            raise ParameterInvalid(
                "symbiont: spot; a population trades linear perpetuals only, as its judge does."
            )
        self._has_begun = True
        self._listen()  # who had a seat already, as the file says

    def _hold(self, bar: Candle, opinions: dict[str, OPINION], seq: int) -> None:
        symbol, holder = bar.symbol, self.colony.holder(bar.symbol)
        self._age[symbol] = self._bars_held(bar)
        eyes = None if holder is None else self._eyes.get(holder.id)
        # Whose agent is gone, or may not trade any more, is closed.
        is_over = eyes is None or holder is None or not self.colony.may_trade(holder.id)
        if holder is not None and eyes is not None:
            is_old = 0 < eyes.genome.hold <= self._age[symbol]
            is_over = is_over or opinions[holder.id][2] or is_old
        if is_over and not self.is_waiting(symbol):
            self.leave(symbol, as_of_seq=seq)
            self.asked[symbol] = (self._under_way[symbol], bar.close)

    def _bars_held(self, bar: Candle) -> int:
        """Bars since the entry was decided, by the clock where an earlier process decided it."""
        if bar.symbol in self._age:
            return self._age[bar.symbol] + 1
        holding = self.population.holdings.get(bar.symbol)
        since_ns = bar.timestamp if holding is None else holding.decided_ns
        return (bar.timestamp - since_ns) // self.population.bar_ns + 1

    def _look(self, bar: Candle, seat: Seat, opinion: OPINION, seq: int) -> None:
        long, short, _, atr = opinion
        if not (long or short) or not self.colony.may_trade(seat.agent):
            return
        genome, sign = self._eyes[seat.agent].genome, 1.0 if long else -1.0
        level = bar.close - sign * genome.stop * atr
        if not (level > 0 and atr > 0):
            return
        share = seat.share * self.colony.scale(seat.agent)
        stake = (seat.agent, share, bar.timestamp // DAY_NS)
        if stake == self._too_small.get(bar.symbol):
            return
        end_ns = bar.timestamp + self.population.bar_ns
        if not self.colony.take(bar.symbol, Holding(seat.agent, seat.share, end_ns, long)):
            return
        self._age[bar.symbol] = 0
        least = self._least(bar) if self._agent(seat).stage is Stage.LIVE_MIN else None
        self._stake[bar.symbol] = None if least else stake
        self.enter(
            bar.symbol, Side.BUY if long else Side.SELL, size=least,
            strength=genome.size * share, stop_loss=level, as_of_seq=seq,
        )  # fmt: skip
        self.asked[bar.symbol] = (self._under_way[bar.symbol], bar.close)

    def _agent(self, seat: Seat) -> Agent:
        return self.population.by_id()[seat.agent]

    def _least(self, bar: Candle) -> Decimal:
        """The smallest size that the venue trades."""
        rules = self.instruments[bar.symbol]
        for_money = 1.05 * rules.notional_min / bar.close  # the price may fall until it is there
        lots = max(rules.lots_min, 1, rules.quantise_quantity(for_money) + 1)
        return rules.quantity_decimal(lots)
