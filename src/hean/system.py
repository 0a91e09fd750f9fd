# SPDX-License-Identifier: Apache-2.0
"""`system.py`: what is built. One list of constructors turns settings into a running set of
modules; the choice of clock, source and venue is made here and nowhere else. Between a backtest,
a paper session and a replay only these three differ; strategy, governor, router, orders and
portfolio are the same objects with the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from hean._core import Instrument, Ledger, OrderEngine, state_hash
from hean.core.bus import EventBus
from hean.core.module import Context, IdSequence, Module
from hean.core.ports import Market, Venue
from hean.core.relay import Relay
from hean.core.types import EventType
from hean.errors import TopologyInvalid
from hean.execution.coin_fees import CoinFees
from hean.execution.orders import OrderManager
from hean.execution.router import ExecutionRouter
from hean.judges import Judges
from hean.models.candles import CandleBuilder
from hean.portfolio.portfolio import Portfolio
from hean.portfolio.sub_books import SubBooks
from hean.risk.changepoint_breaker import ChangepointBreaker
from hean.risk.drawdown import Drawdown
from hean.risk.loss_gauge import LIMITS as LOSSES
from hean.risk.loss_gauge import LossGauge
from hean.risk.memory import DecisionMemory, MemorySettings
from hean.risk.risk_governor import RiskGovernor
from hean.risk.sizing import Sizing, SizingMethod
from hean.strategies.base import Idle, Strategy
from hean.strategies.emissions import checked

if TYPE_CHECKING:
    from hean.execution.desk import AlgoDesk
    from hean.portfolio.allocation import AllocationSettings, Allocator
    from hean.processes.factory import ProcessFactory
    from hean.processes.process import Process

# What a venue itself would refuse, and one slip of the keyboard; absolute amounts are the user's.
LIMITS = {
    "collar_fraction": "0.05",
    "open_orders_max": "200",
    "orders_per_second_max": "10",
    "refuse_self_cross": "true",
}


class AccountSettings(msgspec.Struct, frozen=True):
    """Money and rules of one account.

    *limits*: hard limits of the order engine by name (`crates/core/src/order/limits.rs`); what is
    not named is off. The leverage limit is always *leverage*. *memory*: of past decisions by their
    context, which refuses and makes smaller; `None` is none. *judges*: who else judges; without
    any it is not there, so that journals of such runs are what they were.
    """

    cash: Decimal = Decimal(10_000)
    leverage: Decimal = Decimal(3)
    sizing: Sizing = Sizing()
    limits: dict[str, str] = msgspec.field(default_factory=lambda: dict(LIMITS))
    memory: MemorySettings | None = None
    judges: Judges | UnsetType = UNSET

    @property
    def chosen(self) -> Judges:
        """The judges, perhaps none of them."""
        return Judges() if isinstance(self.judges, UnsetType) else self.judges

    def judging(self) -> tuple[str, ...]:
        """Names of those that are chosen, the memory among them."""
        return (*self.chosen.names(), *(("memory",) if self.memory is not None else ()))

    @property
    def hard_limits(self) -> dict[str, str]:
        """All limits of the order engine that are on."""
        return {"leverage_max": format(self.leverage, "f"), **self.limits}


class TradingSystem:
    """The modules of one account on one bus.

    *reference*: last price of a symbol. *candles_from_ticks*: bar length to build when the market
    brings no bars of its own. *market*: what strategies may look at. *ids*: names orders. *books*:
    orders, money and fees in coins of an earlier process, to go on with. *beside*: more strategies
    on the same account, each with its own name and symbols; then each has a book of its own.
    *models*: whose opinions the strategies may listen to. *allocation*: how several strategies
    divide the capital; without it each sizes by all of it. *factory*: processes beside the
    strategies, each with a book and symbols of its own. *elsewhere*: names of models that run in
    another process; `relay` tells what they say. `owners`: who trades a symbol.

    *Raises*: `TopologyInvalid` for two strategies of one name or one symbol.
    """

    def __init__(
        self,
        strategy: Strategy,
        instruments: Mapping[str, Instrument],
        *,
        settings: AccountSettings,
        bus: EventBus,
        venue: Venue,
        reference: Callable[[str], float | None],
        seed: int,
        candles_from_ticks: str | None = None,
        market: Market | None = None,
        ids: IdSequence | None = None,
        books: tuple[OrderEngine, Ledger, CoinFees] | None = None,
        beside: Sequence[Strategy] = (),
        models: Sequence[Module] = (),
        allocation: AllocationSettings | None = None,
        factory: ProcessFactory | None = None,
        elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        self.market = market
        self.leverage = settings.leverage
        self.strategy = strategy
        self.strategies = (strategy, *beside)
        self.factory = factory
        self.owners = _owners((*self.strategies, *(factory.processes if factory else ())))
        self.sizing = settings.sizing
        self.judging = settings.judging()
        """Names of the judges that are chosen."""
        self.bus = bus
        self.ids = ids or IdSequence()
        self.seed = seed
        engine, ledger, coin_fees = books or (new_engine(instruments), None, None)
        engine.set_limits(settings.hard_limits)
        self.engine = engine
        self.portfolio = Portfolio(
            settings.cash,
            instruments,
            reference=reference,
            leverage=settings.leverage,
            ledger=ledger,
        )
        equity, sizing = self.portfolio.equity, settings.sizing
        self.governor = RiskGovernor(
            engine, instruments, reference=reference, equity=equity, sizing=sizing
        )
        self.orders = OrderManager(self.engine, coin_fees or CoinFees(instruments))
        self.modules: list[Module] = []
        self._detach: dict[Module, Callable[[], None]] = {}
        self.relay = Relay() if elsewhere else None
        self._add_judges(settings, candles_from_ticks, models, elsewhere)
        self._assemble(settings, reference, venue, allocation)
        for model in models:
            if model.name not in elsewhere:
                self.add(model)
        self._add_strategies(instruments)
        self._add_factory(reference)

    def _add_judges(
        self, settings: AccountSettings, bar: str | None, models: Sequence[Module],
        elsewhere: frozenset[str],
    ) -> None:  # fmt: skip
        """Bars, and who judges by them; in the place of those *elsewhere* there is the relay."""
        judges = settings.chosen.models(is_forecast=_needs_forecast(settings))
        factory = [self.factory] if self.factory else []
        listeners = (*self.strategies, *judges, *models, *factory)
        heard = {kind for each in listeners for kind in each.consumed()}
        if self.relay is not None:
            self.add(self.relay)
        if bar is not None and (elsewhere or EventType.CANDLE in heard):
            judges.insert(0, CandleBuilder(bar))
        for model in judges:
            if model.name not in elsewhere:
                self.add(model)

    def _add_strategies(self, instruments: Mapping[str, Instrument]) -> None:
        for each in self.strategies:
            each.instruments = instruments
            others = self.owners.items()
            each.foreign = frozenset(symbol for symbol, owner in others if owner != each.name)
            for companion in each.companions():
                self.add(companion)
            self.add(each)
            each.context.emit = checked(each.context.emit)

    def _assemble(
        self,
        settings: AccountSettings,
        reference: Callable[[str], float | None],
        venue: Venue,
        allocation: AllocationSettings | None,
    ) -> None:
        """All but models and strategies. Facts reach truth before opinion: the engine and the
        ledger know a fill before the strategy reacts to it.
        """
        self.add(self.orders)
        self.add(self.portfolio)
        self.sub_books: SubBooks | None = None
        names = [each.name for each in self.strategies]
        if len(names) > 1 or self.factory is not None:
            names += [each.name for each in self.factory.processes] if self.factory else []
            self.sub_books = SubBooks(self.portfolio.ledger, self.governor.instruments, names)
            self.add(self.sub_books)
        self.allocator: Allocator | None = None
        if allocation is not None and self.sub_books is not None:
            self.allocator = self._dividing(self.sub_books, allocation, reference)
        self._judge(settings, reference)
        self.add(self.governor)
        is_sliced = any(each.slices for each in self.strategies)
        self.desk = self._desk(self.governor.instruments) if is_sliced else None
        self.add(ExecutionRouter(self.engine, venue, desk=self.desk))
        if self.desk is not None:
            self.add(self.desk)

    def _judge(self, settings: AccountSettings, reference: Callable[[str], float | None]) -> None:
        """Whoever hangs on the governor, in the order in which it is asked."""
        judges, governor, ledger = settings.chosen, self.governor, self.portfolio.ledger
        if not LOSSES.isdisjoint(settings.limits):
            gauge = LossGauge(
                self.engine, equity=self.portfolio.equity, deposits=lambda: ledger.deposits
            )
            self.add(gauge)
            governor.add_check(gauge.measure, name=gauge.name)
        self.memory: DecisionMemory | None = None
        memory = judges.contexts(settings.memory)
        if memory is not None:
            self.memory = DecisionMemory(
                governor,
                strategies=tuple(each.name for each in self.strategies),
                symbols=self.portfolio.symbols,
                reference=reference,
                settings=memory,
            )
            self.add(self.memory)
        self.breaker: ChangepointBreaker | None = None
        if judges.breaker is not None:
            self.breaker = ChangepointBreaker(governor, judges.breaker)
            self.add(self.breaker)
        self.drawdown: Drawdown | None = None
        if judges.losses is not None:
            self.drawdown = Drawdown(
                self.engine,
                symbols=self.portfolio.symbols,
                equity=self.portfolio.equity,
                deposits=lambda: ledger.deposits,
                limits=judges.losses,
            )
            self.add(self.drawdown)
            governor.add_check(self.drawdown.check, name=self.drawdown.name)

    def _dividing(
        self,
        books: SubBooks,
        settings: AllocationSettings,
        reference: Callable[[str], float | None],
    ) -> Allocator:
        from hean.portfolio.allocation import Allocator  # its rules load NumPy

        allocator = Allocator(books, settings, reference=reference, seed=self.seed)
        self.add(allocator)
        self.governor.add_scale(allocator.scale)
        return allocator

    def _add_factory(self, reference: Callable[[str], float | None]) -> None:
        if self.factory is None or self.sub_books is None:
            return
        taken = {symbol for each in self.strategies for symbol in each.symbols}
        rules = self.governor.instruments
        self.factory.equip(self.sub_books, rules, reference=reference, taken=taken)
        self.add(self.factory)

    @property
    def traders(self) -> list[str]:
        """Names of all that trade, strategies first."""
        names = [each.name for each in self.strategies if not isinstance(each, Idle)]
        return [*names, *(self.factory.works if self.factory else ())]

    @property
    def parts(self) -> list[str]:
        """Names of all modules, in the order in which they are told."""
        return [module.name or type(module).__name__ for module in self.modules]

    def _desk(self, instruments: Mapping[str, Instrument]) -> AlgoDesk:
        from hean.execution.desk import AlgoDesk  # its schedules load NumPy

        return AlgoDesk(self.engine, instruments)

    def add(self, module: Module) -> None:
        """Attach one more module, after those there are."""
        name = module.name or type(module).__name__
        context = Context(
            self.bus, self.bus.clock, name=name, seed=self.seed, ids=self.ids, market=self.market
        )
        self._detach[module] = module.attach(self.bus, context)
        self.modules.append(module)

    def remove(self, module: Module) -> None:
        """Let a module hear nothing more, from the next event on."""
        self.modules.remove(module)
        self._detach.pop(module)()

    def state_hash(self) -> str:
        """SHA-256 over the canonical bytes of order engine and ledger."""
        return state_hash([self.engine.canonical_bytes(), self.portfolio.ledger.canonical_bytes()])

    def durable_hash(self) -> str:
        """SHA-256 over what outlives the process: orders that left, positions, money, halt."""
        return durable_hash(self.engine, self.portfolio.ledger)

    def exposure(self, reference: Callable[[str], float | None]) -> float:
        """Signed value of all positions at the last prices, in quote currency."""
        total = 0.0
        for symbol in self.portfolio.symbols:
            held = self.portfolio.ledger.position(symbol)[0]
            if held:
                total += float(held) * (reference(symbol) or 0.0)
        return total


def _needs_forecast(settings: AccountSettings) -> bool:
    is_target = settings.sizing.method is SizingMethod.VOLATILITY_TARGET
    return is_target or settings.memory is not None


def _owners(traders: Sequence[Strategy | Process]) -> dict[str, str]:
    """Who trades each symbol, if no two of them are in each other's way."""
    names: set[str] = set()
    symbols: dict[str, str] = {}
    for each in traders:
        if each.name in names:
            raise TopologyInvalid(f"two that trade are named {each.name!r}; fills go by the name.")
        names.add(each.name)
        for symbol in dict.fromkeys(each.symbols):
            if symbol in symbols:
                raise TopologyInvalid(
                    f"{each.name} and {symbols[symbol]} both trade {symbol}; the venue has one "
                    "position for both. Give each symbols of its own (docs/adr/0017)."
                )
            symbols[symbol] = each.name
    return symbols


def new_engine(instruments: Mapping[str, Instrument]) -> OrderEngine:
    """An engine without limits, which `set_limits` brings."""
    return OrderEngine(list(instruments.values()), {}, unlimited=True)


def durable_hash(engine: OrderEngine, ledger: Ledger) -> str:
    """SHA-256 over the durable bytes of orders and money."""
    return state_hash([engine.durable_bytes(), ledger.durable_bytes()])
