# SPDX-License-Identifier: Apache-2.0
"""`rotation.py`: rotate into the best funding. Of several pairs of coins and a perpetual on them it
holds the one whose longs are expected to pay most: coins bought, as many sold as perpetual. It
moves on when another pair is expected to pay more by what the move costs and by its uncertainty,
and holds nothing where nothing pays. Forecast: quant/methods 9.1, as the Funding Harvester makes
it.

A leg that is alone, because the other was refused or came in part, is cut to the other at the next
chance. That chance is at most the factory's retry away, unless the venue cannot say what became of
an order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, NamedTuple

from hean.core.listing import listing_of
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Funding
from hean.errors import ParameterInvalid
from hean.processes.process import Process, Step, View, Wish, closing, is_tradable, lots_within
from hean.processes.scan import MarketFacts
from hean.quant.carry import Settled, deepest_sum, deviation_of_sum, expected_sum, fit_settled

SETTLEMENT_DOUBT_NS = 30_000_000_000  # who holds at the very moment is uncertain around it
HEDGE_TOLERANCE = Decimal("0.0025")  # venues keep up to 0.1 % of bought coins as their fee
ZERO = Decimal(0)


class Pair(NamedTuple):
    """The two legs."""

    coins: str
    perpetual: str


class Rotation(Process):
    """The pair with the best funding, or none."""

    name = "rotation"
    factors = ("funding",)
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("share", 0.45, "value of one leg", "fraction of capital", 0.01, 0.5),
        Parameter("band", 0.25, "a leg is left while it is so near", "part of itself", 0.01, 1),
        Parameter("horizon", 90, "settlements a pair is meant to be held", "settlements", 3, 1_000),
        Parameter("memory", 270, "settled rates that a forecast is made of", "rates", 30, 5_000),
        Parameter("cost", 0.0031, "both legs in and out, spread and fees", "fraction", 0, 0.1),
        Parameter("certainty", 1.0, "gain wanted over the forecast's error", "deviations", 0, 10),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.pairs = _pairs(symbols)
        left = set(symbols) - {symbol for pair in self.pairs for symbol in pair}
        if not self.pairs or left:
            raise ParameterInvalid(
                f"{self.name}: {', '.join(sorted(left) or symbols)} has no other leg; name both "
                "of a coin, such as BTCUSDT@spot and BTCUSDT@perp."
            )
        self._rates: dict[str, deque[float]] = {
            pair.perpetual: deque(maxlen=self.p.memory) for pair in self.pairs
        }
        self._models: dict[str, Settled] = {}
        self._settled_ns = 0
        self._is_news = False
        self._wanted: Pair | None = None

    @classmethod
    def candidates(cls, markets: Sequence[MarketFacts]) -> tuple[tuple[str, ...], ...]:
        """All pairs together, those that paid most first; a rotation needs two."""
        paid = {market.symbol: market.funding for market in markets}
        pairs = sorted(_pairs(tuple(paid)), key=lambda pair: -paid[pair.perpetual])
        legs = tuple(symbol for pair in pairs for symbol in pair)
        return (legs,) if len(pairs) > 1 else ()

    def learn(self, event: Event) -> None:
        """Learn a settled rate. A rate without a mark price is a forecast of the venue, and is left
        alone.
        """
        if event.event_type is not EventType.FUNDING:
            return
        fact: Funding = event.data
        rates = self._rates.get(fact.symbol)
        if rates is None or fact.mark_price is None:
            return
        rates.append(fact.rate)
        model = fit_settled(rates)
        if model is not None:
            self._models[fact.symbol] = model
            self._settled_ns, self._is_news = event.ts_ns, True

    def steps(self) -> tuple[Step, ...]:
        """Decide and leave, enter, put the legs level."""
        return (
            Step("leave", self._is_time, self._leave),
            Step("enter", lambda _: True, self._enter),
            Step("level", lambda _: True, self._level),
        )

    def _is_time(self, view: View) -> bool:
        is_settled = view.now_ns - self._settled_ns >= SETTLEMENT_DOUBT_NS
        return (self._is_news and is_settled) or bool(self._level(view))

    # ------------------------------------------------------------ deeds

    def _leave(self, view: View) -> list[Wish]:
        if self._is_news:
            self._is_news = False
            self._wanted = self._best(view)
        others = [symbol for pair in self.pairs if pair != self._wanted for symbol in pair]
        return closing(view, others)

    def _enter(self, view: View) -> list[Wish]:
        """Bring both legs of the wanted pair to their size, if they are far from it."""
        pair = self._wanted
        prices = [view.price(symbol) for symbol in pair] if pair else [None]
        if pair is None or None in prices or any(self._level(view)):
            return []
        price = max(price for price in prices if price is not None)
        size = self._common(view, pair, max(view.capital(), 0.0) * self.p.share / price)
        held = -view.held(pair.perpetual)
        move = self._common(view, pair, float(size - held))
        if abs(move) <= Decimal(repr(self.p.band)) * max(size, held):
            return []
        if not all(is_tradable(view.rules[symbol], move, price) for symbol in pair):
            return []
        return [Wish(pair.coins, move), Wish(pair.perpetual, -move)]

    def _level(self, view: View) -> list[Wish]:
        """Cut the larger leg of each pair to the smaller one."""
        wishes = []
        for pair in self.pairs:
            coins, sold = view.held(pair.coins), -view.held(pair.perpetual)
            excess = coins - sold
            if abs(excess) <= HEDGE_TOLERANCE * max(abs(coins), abs(sold)):
                continue
            symbol, sign = (pair.coins, -1) if excess > 0 else (pair.perpetual, 1)
            cut = lots_within(view.rules[symbol], abs(excess))
            price = view.price(symbol)
            if cut and price is not None and is_tradable(view.rules[symbol], cut, price):
                wishes.append(Wish(symbol, sign * cut))
        return wishes

    @staticmethod
    def _common(view: View, pair: Pair, quantity: float) -> Decimal:
        """*quantity* towards zero onto what both legs can trade exactly."""
        rules = [view.rules[symbol] for symbol in pair]
        steps = [each.quantity_decimal(1) for each in rules]
        scale = max(-int(step.as_tuple().exponent) for step in steps)
        step = Decimal(math.lcm(*(int(step.scaleb(scale)) for step in steps))).scaleb(-scale)
        size = Decimal(repr(abs(quantity)))
        size -= size % step
        return size if quantity > 0 else -size

    # ------------------------------------------------------------ judgement

    def _best(self, view: View) -> Pair | None:
        """The pair to hold from here on."""
        held = next((pair for pair in self.pairs if view.held(pair.perpetual)), None)
        if held is not None and self._model(held) is None:
            return held  # nothing is known that speaks against it
        if held is not None and self._deepest(held) < -self.p.cost:
            held = None
        best = max(self.pairs, key=self._gain)
        if self._model(best) is None or best == held:
            return held
        stays = self._gain(held) if held is not None else 0.0
        error = math.hypot(self._error(best), self._error(held) if held is not None else 0.0)
        is_better = self._gain(best) - self.p.cost - stays > self.p.certainty * error
        return best if is_better else held

    def _model(self, pair: Pair) -> Settled | None:
        return self._models.get(pair.perpetual)

    def _gain(self, pair: Pair) -> float:
        model = self._model(pair)
        last = self._rates[pair.perpetual]
        return expected_sum(model, last[-1], self.p.horizon) if model else -math.inf

    def _error(self, pair: Pair) -> float:
        model = self._model(pair)
        return deviation_of_sum(model, self.p.horizon) if model else math.inf

    def _deepest(self, pair: Pair) -> float:
        model = self._model(pair)
        last = self._rates[pair.perpetual]
        return deepest_sum(model, last[-1], self.p.horizon) if model else 0.0


def _pairs(symbols: Sequence[str]) -> tuple[Pair, ...]:
    """Coins and perpetual of the same coins, by what their names say, in the order of the coins."""
    contracts = {
        listing.pair: symbol
        for symbol in symbols
        if (listing := listing_of(symbol)).market == "perp"
    }
    return tuple(
        Pair(symbol, contracts[listing.pair])
        for symbol in symbols
        if (listing := listing_of(symbol)).market == "spot" and listing.pair in contracts
    )
