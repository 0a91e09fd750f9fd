# SPDX-License-Identifier: Apache-2.0
"""A population by hand on the desk: who has a seat, what the bars are and what the venue answers is
what the test says.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from desk import BTC, START_NS, Desk
from hean.core.types import Candle, OrderApproved, OrderType
from hean.strategies.symbiont import Symbiont
from hean.symbiont.immune import admitted
from hean.symbiont.population import Agent, Costs, Population, Seat, Stage, id_of, loaded, written
from hean.symbiont.vitals import Declared, Watch
from made_population import modest

EAGER = "long when close > open; exit when close < open; stop 3 atr"
CALM = "short when close < open; exit when close > open; stop 3 atr"
SHARE = 0.05
CASH = 1_000_000


def agent(
    text: str,
    stage: Stage = Stage.PAPER,
    since_ns: int = START_NS,
    symbols: tuple[str, ...] = (BTC,),
) -> Agent:
    """One that was let in, and of whom little is expected: orders on *symbols*."""
    expected = modest(np.random.default_rng(5), Declared(20, 1.0, symbols))
    found = Agent(id_of(text), text, stage, Watch(expected), since_ns=since_ns)
    found.case = admitted(max(since_ns, START_NS))
    return found


def write_population(
    path: Path, *agents: Agent, symbols: tuple[str, ...] = (BTC,), **changes: object
) -> Path:
    """The file of *agents*; the first has the seat of BTCUSDT. *changes*: of the population."""
    fees = dict.fromkeys(symbols, ("0.0002", "0.00055"))
    costs = Costs(
        "10000", "1", fees, 50_000_000, 50_000_000,
        0.00005, 0.5, "fixed_fraction", (0.5, 0.01, 2.0, 3.0, (None, 0.25, 0.05)),
    )  # fmt: skip
    seats = {BTC: Seat(agents[0].id, SHARE, START_NS)}
    population = Population(symbols, "1m", costs, list(agents), seats=seats)
    path.write_bytes(written(msgspec.structs.replace(population, **changes)))
    return path


class PopulationDesk(Desk):
    """The population of a file trades BTCUSDT; bars come one a minute. *held*: what an earlier
    process has bought and left.
    """

    def __init__(
        self,
        path: Path,
        *,
        held: str = "",
        now_ns: int = START_NS,
        symbols: tuple[str, ...] = (BTC,),
        **given: object,
    ) -> None:
        trader = Symbiont(symbols, {"population": str(path), **given})
        trader.is_real = False
        super().__init__(limits={}, strategy=trader, cash=CASH)
        self.trader, self.colony = trader, trader.colony
        self.population = trader.population
        self.fire(now_ns)  # births
        if held:
            self.ask(held, order_id="h0-life-1", strategy_id="an earlier life")
            self.fill("h0-life-1", held, "life")
            trader.resume({BTC: Decimal(held)}, [], {BTC: (59_000.0, None)})

    def bar(self, change: float = 0.0) -> None:
        """A bar that moves by so many dollars is over."""
        opened_ns = self.clock.now_ns
        self.wait(60)
        start = self.prices[BTC]
        self.prices[BTC] = close = start + change
        high, low = max(start, close) + 10, min(start, close) - 10
        self.last_bar = Candle(BTC, start, high, low, close, 5.0, "1m", opened_ns)
        self.say(self.last_bar)

    def warm(self) -> None:
        """Enough bars to know a range, without an opinion in any."""
        for _ in range(20):
            self.bar()

    def orders(self, kind: OrderType = OrderType.MARKET) -> list[OrderApproved]:
        """What the venue was sent of this kind."""
        return [order for order in self.venue.sent if order.type is kind]

    def enter(self) -> OrderApproved:
        """Warm, then an entry that has filled, with its stop."""
        self.warm()
        self.bar(10)
        entry = self.orders()[-1]
        self.fill(entry.order_id, str(entry.size), f"e-{entry.order_id}")
        return entry


def reloaded(path: Path) -> Population:
    """As an earlier process left it."""
    return loaded(path)[0]
