# SPDX-License-Identifier: Apache-2.0
"""`run.py`: one backtest from settings to summary. It composes history, simulated venue and trading
system, runs the kernel's loop, and states the result in the JSON of the contract. The strategy,
the risk path and the ledger are those of live trading; there is no second engine.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from hean import __version__
from hean._core import SimVenue
from hean.backtest.assumptions import LIQUIDATION_FEE, Assumptions
from hean.backtest.coverage import refuse_stale_prices
from hean.backtest.recorder import RunRecorder, sample_step_ns
from hean.backtest.result import RunRecord, Times, Values
from hean.backtest.sharing import Sharing, divisions, said_of, seated
from hean.backtest.stats import summarise
from hean.backtest.stopping import stop_by_losses
from hean.backtest.tiers import Tier, hand_over, run_native, watch
from hean.backtest.working import Working
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.journal import Record
from hean.core.module import Module
from hean.core.parameters import Value
from hean.core.ports import Source, Venue
from hean.core.simloop import SimLoop
from hean.data.fingerprint import Fingerprint, iso_utc
from hean.data.instruments import Fees
from hean.errors import ParameterInvalid
from hean.feeds.arriving import SPAN_NS, ArrivingMarket, LookBack
from hean.feeds.history import Market
from hean.ml.serving import serving
from hean.models.features import Features
from hean.models.ml import MlModel
from hean.strategies import load_strategy
from hean.strategies.base import Idle, Strategy
from hean.system import AccountSettings, TradingSystem
from hean.venues.echo import EchoVenue
from hean.venues.sim import SimulatedVenue

if TYPE_CHECKING:
    from hean.processes.factory import ProcessFactory

Progress = Callable[[float], None]
"""Told the finished part, 0 to 1."""
TRADES_COLUMNS = (
    "symbol", "side", "entry", "exit", "qty", "entry_price", "exit_price", "fees", "pnl",
)  # fmt: skip
EQUITY_COLUMNS = ("ts", "equity", "exposure")


class BacktestSettings(msgspec.Struct, frozen=True):
    """What to run. *strategy*: name or `path.py:Class`; *given*: its parameters by name. *tier*:
    who looks at each fact, see `tiers.py`. *virtual_loop*: `async def` handlers may wait, in
    simulated time. *model*: folder of a trained model, empty for none; *model_timeout_ms*: age of
    features from which it has no opinion. *sharing*: several strategies, of which *strategy* and
    *given* are the first; *symbols* are those of all. *working*: processes, beside a strategy or,
    where *strategy* is empty, alone.
    """

    strategy: str
    symbols: tuple[str, ...]
    given: dict[str, Value] = {}
    account: AccountSettings = AccountSettings()
    assumptions: Assumptions = Assumptions()
    seed: int = 0
    bar: str = "1m"
    tier: Tier = Tier.EVENT
    virtual_loop: bool = False
    model: str = ""
    model_timeout_ms: int = 100
    sharing: Sharing | UnsetType = UNSET
    working: Working | UnsetType = UNSET

    @property
    def seats(self) -> Sharing | None:
        """Several strategies, `None` for one alone."""
        return None if isinstance(self.sharing, UnsetType) else self.sharing

    @property
    def works(self) -> Working | None:
        """Processes, `None` without any."""
        return None if isinstance(self.working, UnsetType) else self.working

    @property
    def strategy_symbols(self) -> tuple[str, ...]:
        """Those of no process."""
        taken = self.works.symbols if self.works is not None else frozenset()
        return tuple(symbol for symbol in self.symbols if symbol not in taken)


class MarketData(Protocol):
    """What a run wants to know of its market; `feeds.history.History` is the recorded one."""

    @property
    def markets(self) -> dict[str, Market]:
        """Rules and streams by symbol."""
        ...

    @property
    def fingerprints(self) -> list[Fingerprint]:
        """The files it stands on."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was assumed in reading it."""
        ...

    @property
    def start_ns(self) -> int:
        """First moment."""
        ...

    @property
    def end_ns(self) -> int:
        """Last moment."""
        ...

    def feed(self, core: SimVenue) -> None:
        """Hand the market to a venue that lists its symbols."""
        ...

    def closes(self, symbol: str) -> tuple[Times, Values]:
        """Times and prices for a chart."""
        ...


class Backtest:
    """A composed run; `run` plays it once. With *answers*, the records of a journal, the venue's
    answers come from there: a replay. *strategy*: the one of the settings, if it is built already,
    and *beside* the others, if there are any. *is_attended*: whoever composes it adds what stops it
    and lets it go on. *elsewhere*: as of `TradingSystem`.
    *Raises*: `DataInvalid` if the data that decides fills ends before the period does.
    """

    def __init__(
        self,
        settings: BacktestSettings,
        history: MarketData,
        *,
        answers: Sequence[Record] | None = None,
        strategy: Strategy | None = None,
        beside: Sequence[Strategy] = (),
        is_attended: bool = False,
        elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        refuse_stale_prices(history.markets, history.end_ns)
        self.settings = settings
        self.history = history
        self.clock = SimClock(history.start_ns)
        self.loop = SimLoop(self.clock) if settings.virtual_loop else None
        self.bus = EventBus(clock=self.clock, mailboxes=self.loop is not None, loop=self.loop)
        self.venue = SimulatedVenue(self._venue_core(), self.clock)
        self.source: Source = self.venue
        orders_to: Venue = self.venue
        visible: LookBack | SimulatedVenue = self.venue
        span_ns = history.end_ns - history.start_ns
        if isinstance(history, ArrivingMarket):
            if settings.tier is Tier.NATIVE:
                raise ParameterInvalid("a recorded session is played by tier event or wake.")
            visible = LookBack(self.venue, history.markets)
            self.source = history.source(self.venue, visible)
            span_ns = SPAN_NS  # a session does not know its end; its repetition samples as it did
        if answers is not None:
            self.source = orders_to = EchoVenue(self.bus, self.source, answers)
        instruments = {s: m.rules.instrument for s, m in history.markets.items()}
        has_bars = all(market.timeframe for market in history.markets.values())
        if strategy is None:
            strategy, *beside = strategies_of(settings)
        for each in (strategy, *beside):
            each.is_real = False
        self.system = TradingSystem(
            strategy,
            instruments,
            settings=settings.account,
            bus=self.bus,
            venue=orders_to,
            reference=self.venue.last_price,
            seed=settings.seed,
            candles_from_ticks=None if has_bars else settings.bar,
            market=visible,
            models=self._models(elsewhere),
            beside=beside,
            allocation=None if settings.seats is None else settings.seats.allocation,
            factory=self._factory(),
            elsewhere=elsewhere,
        )
        watch(self.system, self.venue, settings.tier, has_bars=has_bars)
        if not is_attended:
            stop_by_losses(self.system)
        self.recorder = self._recorder(span_ns)
        self.system.add(self.recorder)

    def _recorder(self, span_ns: int) -> RunRecorder:
        return RunRecorder(
            sample_step_ns(span_ns),
            value=self.system.portfolio.value,
            exposure=lambda: self.system.exposure(self.venue.last_price),
            reference=self.venue.last_price,
        )

    def _factory(self) -> ProcessFactory | None:
        if self.settings.works is None:
            return None
        if self.settings.tier is not Tier.EVENT:
            raise ParameterInvalid("a process hears every fact; run tier event.")
        return self.settings.works.built()

    def _models(self, elsewhere: frozenset[str]) -> tuple[Module, ...]:
        settings, markets = self.settings, self.history.markets
        if elsewhere >= {Features.name, MlModel.name}:
            return ()  # nor does anybody read its files here
        if settings.model and settings.tier is not Tier.EVENT:
            raise ParameterInvalid("a model hears every fact; run tier event.")
        lengths = [(symbol, it.timeframe or settings.bar) for symbol, it in markets.items()]
        return serving(settings.model, lengths, deadline_ms=settings.model_timeout_ms)

    def fees(self, symbol: str) -> Fees:
        """What is assumed that a symbol costs."""
        listed = self.history.markets[symbol].rules.fees
        assumed = self.settings.assumptions.fees(maker=listed.maker, taker=listed.taker)
        return Fees(*assumed)

    def _venue_core(self) -> SimVenue:
        assumptions = self.settings.assumptions
        core = assumptions.venue(self.settings.account.cash, seed=self.settings.seed)
        for market in self.history.markets.values():
            fees = self.fees(market.symbol)
            core.add_instrument(
                market.rules.instrument,
                format(fees.maker, "f"),
                format(fees.taker, "f"),
                format(LIQUIDATION_FEE, "f"),
                format(self.settings.account.leverage, "f"),
            )
        self.history.feed(core)
        # A book is built from rows before the start; they are played, but nobody is told.
        core.subscribe(frozenset())
        core.next(self.history.start_ns)
        return core

    def run(self, on_progress: Progress | None = None) -> tuple[dict[str, Any], RunRecord]:
        """Play the market. *Returns*: the summary of CONTRACT 3 and the record."""
        history, clock = self.history, self.clock
        span = history.end_ns - history.start_ns

        def progress(_played: int, now_ns: int) -> None:
            if on_progress is not None:
                on_progress((now_ns - history.start_ns) / span)

        self.recorder.begin(clock.now_ns)
        started = time.perf_counter()
        native = None
        if self.settings.tier is Tier.NATIVE:
            native = run_native(
                self.system, self.venue, step_ns=self.recorder.step_ns, on_progress=progress
            )
        else:
            self.play(progress)
        wall_s = time.perf_counter() - started
        if native is not None:
            hand_over(native, self.venue, self.recorder, strategy_id=self.system.strategy.name)
        return self.finish(wall_s)

    def finish(self, wall_s: float) -> tuple[dict[str, Any], RunRecord]:
        """Close the books of a run that was played. *Returns*: as `run`."""
        history, clock = self.history, self.clock
        # The market may have gone on after the last fact that somebody was told.
        clock.now_ns = max(clock.now_ns, self.venue.core.now_ns)
        self.recorder.end(clock.now_ns)
        self.system.portfolio.ledger.check()
        prices = {symbol: history.closes(symbol) for symbol in self.settings.symbols}
        record = self.recorder.record(prices)
        return self._summary(record, wall_s), record

    def play(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Run the loop to the end of the market; tasks of the virtual loop end with it."""
        try:
            run_simulated(
                self.bus, self.clock, self.source, loop=self.loop, on_progress=on_progress
            )
        finally:
            if self.loop is not None:
                # Whatever went wrong in a task has been raised by the bus already.
                self.loop.set_exception_handler(lambda _loop, _context: None)
                for task in asyncio.all_tasks(self.loop):
                    task.cancel()
                self.loop.run_ready(self.clock.now_ns)
                self.loop.close()

    def _summary(self, record: RunRecord, wall_s: float) -> dict[str, Any]:
        settings, ledger, history = self.settings, self.system.portfolio.ledger, self.history
        initial = settings.account.cash
        events = self.venue.core.offered
        summary: dict[str, Any] = {
            "strategy": " + ".join(self.system.traders),
            "symbols": list(settings.symbols),
            "params": self.system.strategy.settings,
            "start": iso_utc(history.start_ns),
            "end": iso_utc(history.end_ns),
            "seed": settings.seed,
            "version": __version__,
            "events": events,
            "wall_s": round(wall_s, 4),
            "events_per_s": round(events / wall_s) if wall_s else 0,
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "orders": self.recorder.orders,
            "orders_rejected": self.recorder.rejected,
            "fills": len(record.fills),
            "trades": len(record.trades),
            "fees": plain(ledger.fees),
            "funding": plain(-ledger.funding_total),  # paid, as fees are
            "slippage_cost": plain(slippage_cost(record)),
            "initial_equity": plain(initial),
            "final_equity": plain(ledger.equity),
            "net_pnl": plain(ledger.equity - initial),
            **summarise(record, float(initial)),
            "buy_and_hold_return": buy_and_hold(record),
            "state_hash": self.system.state_hash(),
            "journal_hash": None,
            "data": list(history.fingerprints),
            "assumptions": self._words(),
        }
        if (seats := settings.seats) is not None:
            summary["strategies"] = seated(
                seats, self.system.strategies, self.system, record, plain=plain
            )
            summary["params"] = {
                f"{each['name']}.{key}": value
                for each in summary["strategies"][:-1]
                for key, value in each["params"].items()
            }
        if self.system.factory is not None:
            summary["processes"] = self.system.factory.document()
        if self.system.allocator is not None:
            summary["divisions"] = divisions(self.system)
        if (losses := self.system.drawdown) is not None:
            summary["losses"] = {"state": losses.state, "reason": losses.reason}
        return summary

    def _words(self) -> dict[str, str]:
        first = next(iter(self.history.markets.values()))
        # The account's leverage is the one the venue was built with.
        assumptions = msgspec.structs.replace(
            self.settings.assumptions, leverage=self.settings.account.leverage
        )
        listed = first.rules.fees
        maker, taker = assumptions.fees(maker=listed.maker, taker=listed.taker)
        words = assumptions.words(
            maker=maker, taker=taker, detail=self.venue.core.detail(first.symbol)
        )
        sizing = self.settings.account.sizing
        words["sizing"] = f"{sizing.method.value}, at most {sizing.max_leverage:g} x equity"
        if self.system.allocator is not None:
            words["allocation"] = said_of(self.system.allocator.settings)
        if self.system.judging:
            words["judges"] = ", ".join(self.system.judging)
        if self.history.notes:
            words["data"] = "; ".join(self.history.notes)
        return words


def strategies_of(settings: BacktestSettings) -> list[Strategy]:
    """Those of the settings, built. *Raises*: `ParameterInvalid`, `StrategyInvalid`."""
    if not settings.strategy:
        return [Idle(())]
    if settings.seats is None:
        return [load_strategy(settings.strategy)(settings.strategy_symbols, settings.given)]
    return settings.seats.built(lambda seat: load_strategy(seat.strategy)(seat.symbols, seat.given))


def plain(amount: Decimal) -> str:
    """Decimal text without exponent and trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def slippage_cost(record: RunRecord) -> Decimal:
    """What fills lost against the price their decision saw; negative is a gain."""
    total = Decimal(0)
    for fill in record.fills:
        if fill.reference:
            loss = fill.price - Decimal(repr(fill.reference))
            total += (loss if fill.side == "BUY" else -loss) * fill.qty
    return total


def buy_and_hold(record: RunRecord) -> float | None:
    """Return of holding equal parts of all symbols over the period, before costs."""
    returns = [
        float(prices[-1] / prices[0] - 1) for _, prices in record.prices.values() if len(prices)
    ]
    return sum(returns) / len(returns) if returns else None


def trades_csv(record: RunRecord) -> str:
    """Round trips as CSV, times in ISO 8601 UTC."""
    lines = [",".join(TRADES_COLUMNS)]
    lines.extend(
        ",".join(
            (
                trade.symbol,
                trade.side.value,
                iso_utc(trade.entry_ts_ns),
                iso_utc(trade.exit_ts_ns),
                plain(trade.qty),
                f"{trade.entry_price:.12g}",
                f"{trade.exit_price:.12g}",
                plain(trade.fees),
                f"{trade.pnl:.12f}",
            )
        )
        for trade in record.trades
    )
    return "\n".join(lines) + "\n"


def equity_csv(record: RunRecord) -> str:
    """Equity and exposure at the sample times as CSV."""
    lines = [",".join(EQUITY_COLUMNS)]
    lines.extend(
        f"{iso_utc(int(ts))},{equity:.8f},{exposure:.8f}"
        for ts, equity, exposure in zip(
            record.sample_ts, record.equity, record.exposure, strict=True
        )
    )
    return "\n".join(lines) + "\n"
