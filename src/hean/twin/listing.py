# SPDX-License-Identifier: Apache-2.0
"""`listing.py`: what the twin lists and by which rules. The steps come from the table that
backtests use; what only a venue knows (bands, ceilings, decimals it prints) stands here. A listing
may change while the twin runs, as filters of a real venue do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hean._core import Instrument
from hean.data.instruments import fees_for, instrument_for, is_known, tiers_of

COINS = ("USDT", "USDC", "BTC", "ETH", "BNB", "EUR", "USD")  # quote coins, longest match first
BANDS = {"bybit": Decimal("0.05"), "binance": Decimal("0.05")}  # of the mark price, linear
SPOT_BANDS = {"bybit": Decimal("0.05"), "binance": Decimal(4)}
SPOT_DECIMALS = 8  # Binance prints every spot number with eight
OPEN_ORDERS_MAX = {"bybit": 500, "binance": 200}
CONDITIONAL_MAX = {"bybit": 10, "binance": 10}
LOTS_MAX = {
    ("bybit", "linear"): 1_500_000,
    ("bybit", "spot"): 230_000_000,
    ("binance", "linear"): 1_000_000,
    ("binance", "spot"): 900_000_000,
}
PRICES_MAX = {  # in ticks
    ("bybit", "linear"): 1_999_998,
    ("bybit", "spot"): 1_999_998,
    ("binance", "linear"): 45_000_000,
    ("binance", "spot"): 100_000_000,
}
LIQUIDATION_FEE = Decimal("0.0125")
FUNDING_MINUTES = 480
KINDS = {"linear": "perp", "spot": "spot"}  # as the table of instruments calls them


@dataclass(slots=True)
class Listing:
    """Rules of one symbol. Steps and bounds are decimals; *tiers*: (cap, initial rate,
    maintenance rate, deduction) by rising cap, empty for spot.
    """

    exchange: str
    market: str
    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    market_quantity_max: Decimal
    notional_min: Decimal
    band_fraction: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    price_decimals: int
    quantity_decimals: int
    tiers: list[tuple[Decimal, Decimal, Decimal, Decimal]] = field(default_factory=list)
    status: str = "trading"
    funding_minutes: int = FUNDING_MINUTES

    @property
    def instrument(self) -> Instrument:
        """For the core; only steps matter there."""
        return Instrument(self.symbol, self.market, f"{self.tick:f}", f"{self.lot:f}")

    @property
    def leverage_max(self) -> Decimal:
        """Of the lowest tier."""
        return (1 / self.tiers[0][1]).quantize(Decimal(1)) if self.tiers else Decimal(1)

    @property
    def price_max(self) -> Decimal:
        """The highest price of any order."""
        return PRICES_MAX[self.exchange, self.market] * self.tick

    @property
    def band_low(self) -> Decimal:
        """Lower end of the price band, as a factor. Binance's futures subtract, others divide."""
        if (self.exchange, self.market) == ("binance", "linear"):
            return 1 - self.band_fraction
        return 1 / (1 + self.band_fraction)

    def tier(self, value: Decimal) -> tuple[int, tuple[Decimal, Decimal, Decimal, Decimal]]:
        """Number (from 1) and row of the tier for a position value; the last one beyond the end."""
        for number, row in enumerate(self.tiers, 1):
            if value <= row[0]:
                return number, row
        return len(self.tiers), self.tiers[-1]

    def price_text(self, price: Decimal) -> str:
        """As the venue prints a price."""
        return f"{price:.{self.price_decimals}f}"

    def quantity_text(self, quantity: Decimal) -> str:
        """As the venue prints a quantity."""
        return f"{quantity:.{self.quantity_decimals}f}"


def is_listed(exchange: str, market: str, symbol: str) -> bool:
    """Whether its rules are known."""
    return is_known(exchange, KINDS[market], symbol)


def listing_for(
    exchange: str, market: str, symbol: str, *, tick: str | None = None, lot: str | None = None
) -> Listing:
    """The listing of a symbol; *tick* and *lot* replace today's steps (recorded markets).

    *Raises*: `UnknownSymbol` for a symbol without rules when no steps are given.
    """
    base, quote = split(symbol)
    tiers = tiers_of(f"{exchange}.perp.{symbol}") if market == "linear" else []
    rules = None
    if tick is None or lot is None:
        rules = instrument_for(exchange, KINDS[market], symbol)
        step, size = Decimal(str(rules.tick_size)), Decimal(str(rules.lot_size))
    else:
        step, size = Decimal(tick), Decimal(lot)
    fees = fees_for(exchange, KINDS[market])
    largest = LOTS_MAX[exchange, market] * size
    prints_eight = exchange == "binance" and market == "spot"
    return Listing(
        exchange=exchange,
        market=market,
        symbol=symbol,
        base=base,
        quote=quote,
        tick=step,
        lot=size,
        quantity_min=size,
        quantity_max=largest,
        market_quantity_max=largest / (100 if market == "spot" else 8),
        notional_min=_notional_min(exchange, market, symbol),
        band_fraction=(BANDS if market == "linear" else SPOT_BANDS)[exchange],
        maker_fee=fees.maker,
        taker_fee=fees.taker,
        price_decimals=SPOT_DECIMALS if prints_eight else _decimals(exchange, market, step),
        quantity_decimals=SPOT_DECIMALS if prints_eight else _digits(size),
        tiers=[_row(row) for row in tiers] or ([_FLAT] if market == "linear" else []),
    )


_FLAT = (Decimal(100_000_000), Decimal("0.02"), Decimal("0.01"), Decimal(0))


def split(symbol: str) -> tuple[str, str]:
    """Base and quote coin: `BTCUSDT` is BTC and USDT."""
    quote = next((coin for coin in COINS if symbol.endswith(coin) and symbol != coin), "USDT")
    return symbol.removesuffix(quote), quote


def _row(row: tuple[str, str, str, str]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    cap, initial, maintenance, deduction = (Decimal(text) for text in row)
    return cap, initial, maintenance, deduction


def _notional_min(exchange: str, market: str, symbol: str) -> Decimal:
    if exchange == "binance" and market == "linear":
        return Decimal({"BTCUSDT": 100, "ETHUSDT": 20}.get(symbol, 5))
    return Decimal(5)


def _decimals(exchange: str, market: str, tick: Decimal) -> int:
    """Binance and Bybit print contract prices with one decimal more than the tick needs where the
    tick is a tenth: 61800.10.
    """
    digits = _digits(tick)
    return 2 if market == "linear" and digits == 1 else digits


def _digits(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
