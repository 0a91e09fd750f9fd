# SPDX-License-Identifier: Apache-2.0
"""`exchange.py`: the twin's exchange and dialect inside the simulation, with its fault dials, but
with the world's clock and a market that costs little: a random walk, some steps a second, with a
few dozen levels behind the touch. The wire around it is `net.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hean.sim.world import World
from hean.twin.account import Account, Key
from hean.twin.faults.board import Faults
from hean.twin.faults.settings import Setting
from hean.twin.ledger import TwinLedger
from hean.twin.listing import listing_for
from hean.twin.market import Settlement, TwinMarket
from hean.twin.orders import Execution
from hean.twin.venue import TwinVenue
from hean.twin.wire import Dialect, Reply, Request
from hean.venues.bybit_both import name_of, place_of
from hean.venues.endpoints import BOTH

KEY, SECRET = "sim-canary-key-4f1c", "sim-canary-secret-9a27"
CASH = Decimal(100_000)
LEVEL_LOTS = (100, 3_000)  # of a level, in thousandths of a coin
TICK_S = 0.25  # how often streams with a rhythm speak; a real venue does ten times as often
STEP_S = 0.5  # how often the market moves
LEVELS = 25
MILLI = Decimal("0.001")
S_NS = 1_000_000_000
FIRST_FUNDING_S = (2.0, 12.0)  # most runs are longer, and see several settlements
RATE_MAX = 0.0005  # settled, either way
PAST_RATES = 60  # before the run, for whoever judges by them
PAST_STEP_S = 28_800.0
PAST_END_S = 600.0  # the last of them, so long before
START_PRICES = {"BTCUSDT": 60_000, "ETHUSDT": 3_000}


@dataclass(frozen=True, slots=True)
class MarketPath:
    """How prices go. *sigma_fraction*: of one step; *drift_fraction*: of one step; *jump_fraction*:
    of a sudden move, *jump_probability* at each step; *trades*: on average in a step.
    """

    sigma_fraction: float = 0.0002
    drift_fraction: float = 0.0
    jump_fraction: float = 0.0
    jump_probability: float = 0.0
    trades: float = 1.0


class SimExchange:
    """An exchange of one venue. *market*: the one it has, or both; *symbols*: by HEAN's names;
    *limits_scale*: multiplies its rate limits.
    """

    tick_s, step_s, levels = TICK_S, STEP_S, LEVELS

    def __init__(
        self,
        world: World,
        venue: str,
        market: str,
        symbols: tuple[str, ...],
        *,
        path: MarketPath,
        limits_scale: float = 1.0,
    ) -> None:
        self.world = world
        self.kind = market
        self.offset_ns = 0
        self.path = path
        self.ledger = TwinLedger()
        self.venue = TwinVenue(venue, now=self.now, rng=world.rng("ids"), ledger=self.ledger)
        for symbol in symbols:
            self._list(venue, *(place_of(symbol) if market == BOTH else (market, symbol)))
        self.account = self._account(venue, market)
        self.key = Key(KEY, SECRET, self.account, frozenset({"read", "trade"}))
        keys = {KEY: self.key}
        self.faults = Faults(
            self.venue, keys, seed=world.seed, now_s=world.now_s, move_clock=self._move_clock
        )
        self.dialect = self._dialect(venue, keys, limits_scale)
        self.on_price: Callable[[str, Decimal], None] = lambda symbol, price: None
        """Told every new price."""
        self.is_asked = False
        """Whether it is doing what a client has asked for; else it acts on its own, or somebody
        acts by hand."""
        self._rng = world.rng("market")
        self._prices = {market_.key: float(market_.last) for market_ in self.markets}

    @property
    def markets(self) -> list[TwinMarket]:
        """What is listed."""
        return list(self.venue.markets.values())

    def now(self) -> int:
        """The exchange's clock."""
        return self.world.clock.now_ns + self.offset_ns

    def start(self) -> None:
        """Let time pass at the exchange."""
        for market in self.markets:
            self._move(market)
        self.world.later(self.tick_s, self._tick)
        self.world.later(self.step_s, self._step)

    def set(self, setting: Setting) -> None:
        """Set a fault dial."""
        self.faults.set(setting)

    def rest(self, request: Request) -> Reply:
        """Do what a client asks for by REST."""
        with self._asked():
            return self.dialect.rest(request)

    def received(self, session: Any, text: str) -> None:
        """Do what a client asks for on a socket."""
        with self._asked():
            self.dialect.received(session, text)

    def name(self, market: TwinMarket) -> str:
        """What HEAN calls it."""
        if self.kind != BOTH:
            return market.symbol
        return name_of("spot" if market.listing.market == "spot" else "linear", market.symbol)

    def name_of(self, execution: Execution) -> str:
        """The id under which the engine books a piece that traded, or funding."""
        number, symbol = str(execution.trade_number), self.name(execution.market)
        if self.venue.exchange == "bybit":
            from hean.twin.bybit.words import execution_id

            number = execution_id(execution)
        if execution.kind != "funding":
            return f"{symbol}-{number}-{execution.side}"
        if self.venue.exchange == "bybit":
            return f"{symbol}-{number}"
        from hean.twin.binance.usdm_records import FIRST_ID

        return f"{symbol}-funding-{FIRST_ID + execution.number}"

    @contextmanager
    def _asked(self) -> Iterator[None]:
        self.is_asked = True
        try:
            yield
        finally:
            self.is_asked = False

    def _move_clock(self, offset_ns: int) -> None:
        self.offset_ns = offset_ns

    def _tick(self) -> None:
        self.faults.tick()
        self.dialect.tick(self.now())
        self.world.later(self.tick_s, self._tick)

    def _step(self) -> None:
        for market in self.markets:
            self._move(market)
        self.venue.step()
        self.world.later(self.step_s, self._step)

    def _move(self, market: TwinMarket) -> None:
        """One step: a new book, perhaps trades."""
        rng, path = self._rng, self.path
        middle = market.ticks(Decimal(f"{self.next_price(market):.9f}"))
        scale = market.lots(MILLI) or 1  # some lots are larger
        bids = self._levels(middle - 1, -1, scale)
        asks = self._levels(middle + 1, 1, scale)
        self.venue.market_depth(market, bids, asks, is_snapshot=True, is_event=True)
        mark = market.price(middle)
        market.marked(self.now(), mark, mark)
        self.on_price(self.name(market), market.mark)
        for _ in range(min(int(rng.expovariate(1.0 / path.trades)) if path.trades else 0, 5)):
            is_buy = rng.random() < 0.5
            ticks = (asks if is_buy else bids)[rng.randrange(3)][0]
            self.venue.market_trade(market, ticks, rng.randrange(1, 200) * scale, is_buy=is_buy)

    def next_price(self, market: TwinMarket) -> float:
        """Where the middle of a market goes next: one step of its walk."""
        rng, path = self._rng, self.path
        change = rng.gauss(path.drift_fraction, path.sigma_fraction)
        if path.jump_probability and rng.random() < path.jump_probability:
            change += rng.choice((-1, 1)) * path.jump_fraction
        price = max(self._prices[market.key] * (1 + change), float(market.listing.tick) * 100)
        self._prices[market.key] = price
        return price

    def _levels(self, touch: int, away: int, scale: int) -> list[tuple[int, int]]:
        """A side of the book, from its touch on."""
        rng, steps = self._rng, range(self.levels)
        sizes = [rng.randrange(*LEVEL_LOTS) * scale for _ in steps]
        return [(max(1, touch + away * step), size) for step, size in zip(steps, sizes)]

    def _list(self, venue: str, kind: str, symbol: str) -> None:
        market = TwinMarket(listing_for(venue, kind, symbol), seed=self.world.seed)
        price = Decimal(START_PRICES[symbol])
        market.last = market.mark = market.index = price
        rng = self.world.rng(f"funding {symbol}")
        market.listing.funding_minutes = 1
        market.funding_rate = Decimal(f"{rng.uniform(-RATE_MAX, RATE_MAX):.8f}")
        market.next_funding_ns = self.now() + int(rng.uniform(*FIRST_FUNDING_S) * S_NS)
        if kind == "linear":
            self._past_rates(market)
        self.venue.markets[kind, symbol] = market

    def _past_rates(self, market: TwinMarket) -> None:
        """Longs have paid, more or less: funding is worth collecting."""
        rng = self.world.rng(f"past funding {market.symbol}")
        usual = rng.uniform(0.0, RATE_MAX)
        last_ns = self.now() - int(PAST_END_S * S_NS)
        for back in range(PAST_RATES - 1, -1, -1):
            at_ns = last_ns - int(back * PAST_STEP_S * S_NS)
            rate = Decimal(f"{rng.gauss(usual, RATE_MAX / 10):.8f}")
            market.settlements.append(Settlement(at_ns, rate, market.mark))

    def _account(self, venue: str, kind: str) -> Account:
        coins = {"USDT": CASH}
        name = "unified" if venue == "bybit" else kind
        account = Account(1, "main", {name: coins})
        self.venue.accounts.append(account)
        return account

    def _dialect(self, venue: str, keys: Mapping[str, Key], scale: float) -> Dialect:
        options: dict[str, Any] = {"quirks": self.venue.quirks, "limits_scale": scale}
        if venue == "bybit":
            from hean.twin.bybit import BybitDialect

            return BybitDialect(self.venue, keys, **options)
        from hean.twin.binance import BinanceDialect

        return BinanceDialect(self.venue, keys, **options)
