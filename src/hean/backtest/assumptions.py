# SPDX-License-Identifier: Apache-2.0
"""`assumptions.py`: how the simulated exchange is told to behave, as typed settings and as words.
Everything that makes a simulated result differ from reality is named here, given a default that
does not flatter, and printed in every report.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import msgspec

from hean._core import SimVenue
from hean.errors import ParameterInvalid

_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
LIQUIDATION_FEE = Decimal("0.005")  # what both venues charge at most when they close by force


class LatencyModel(msgspec.Struct, frozen=True):
    """Delay of one direction: `constant` [ns], `normal` [mean, deviation], `recorded` [ns, ...]."""

    kind: str = "constant"
    values_ns: tuple[float, ...] = (50_000_000.0,)

    def words(self) -> str:
        """For the report."""
        shown = ", ".join(f"{value / 1e6:g}" for value in self.values_ns[:4])
        return f"{self.kind} {shown} ms"


class Assumptions(msgspec.Struct, frozen=True):
    """Behaviour of the simulated exchange.

    *maker_fee*, *taker_fee*: fractions; `None` takes the venue's list price. *fee_factor*: times
    both, rebates excepted, to ask what dearer trading would leave. *entry*, *response*:
    delays. *half_spread*: fraction of price lost when crossing where no book is recorded.
    *impact*: coefficient of the square-root impact there. *participation*: largest share of a
    bar's volume that resting orders take. *queue_model*: `log` or `pessimistic`.
    """

    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    entry: LatencyModel = LatencyModel()
    response: LatencyModel = LatencyModel()
    half_spread: float = 0.00005
    impact: float = 0.5
    participation: float = 0.1
    queue_model: str = "log"
    needs_trade_through: bool = True
    leverage: Decimal = Decimal(3)
    fee_factor: float = 1.0

    def fees(self, *, maker: Decimal, taker: Decimal) -> tuple[Decimal, Decimal]:
        """Maker's and taker's fee where the venue's list says *maker* and *taker*."""
        given = (
            maker if self.maker_fee is None else self.maker_fee,
            taker if self.taker_fee is None else self.taker_fee,
        )
        factor = Decimal(repr(self.fee_factor))
        one, other = (fee * factor if fee > 0 and factor != 1 else fee for fee in given)
        return one, other

    def venue(self, cash: Decimal, *, seed: int) -> SimVenue:
        """An empty simulated exchange that behaves so."""
        return SimVenue(
            format(cash, "f"),
            entry_latency=(self.entry.kind, list(self.entry.values_ns)),
            response_latency=(self.response.kind, list(self.response.values_ns)),
            queue_model=self.queue_model,
            half_spread=self.half_spread,
            impact=self.impact,
            needs_trade_through=self.needs_trade_through,
            participation=self.participation,
            seed=seed,
        )

    def words(self, *, maker: Decimal, taker: Decimal, detail: str) -> dict[str, str]:
        """What was assumed, for people. *detail*: the finest recorded stream."""
        if detail == "bars":
            fills = (
                "bars: price walks open, nearer extreme, other extreme, close at 0, 1/3, 2/3 and "
                "the end of the bar; stops fill where met, or at the open after a jump; resting "
                f"orders fill {'through' if self.needs_trade_through else 'at'} their price, at "
                f"most {self.participation:.0%} of a bar's volume"
            )
        elif detail == "trades":
            fills = (
                "trades: resting orders fill only when price trades through them, with no more "
                "than the trade's quantity"
            )
        else:
            fills = (
                f"{detail}: takers walk the recorded quantities, the book refills at once after "
                f"own fills; resting orders queue behind what was shown ({self.queue_model} model)"
            )
        crossing = (
            f"half spread {self.half_spread * 1e4:g} bp plus {self.impact:g} x range x "
            "sqrt(quantity / volume) of the last bar or minute"
            if detail in ("bars", "trades")
            else "as the book shows"
        )
        return {
            "fee": f"maker {maker:f}, taker {taker:f} of value; liquidation {LIQUIDATION_FEE:f}",
            "latency": f"order to venue {self.entry.words()}; answer {self.response.words()}",
            "fill_model": fills,
            "slippage": crossing,
            "margin": f"cross margin, leverage {self.leverage:f}",
            "signals": "decided on finished bars and past ticks only",
        }


def parse_latency(text: str) -> LatencyModel:
    """`50ms`, `normal:50ms,10ms` or `recorded:40ms,55ms,…`. *Raises*: `ParameterInvalid`."""
    kind, colon, rest = text.partition(":")
    if not colon:
        kind, rest = "constant", text
    values = tuple(_duration_ns(part) for part in rest.split(","))
    expected = {"constant": 1, "normal": 2}.get(kind)
    if kind not in ("constant", "normal", "recorded") or (expected and len(values) != expected):
        raise ParameterInvalid(
            f"latency {text!r}; give 50ms, normal:50ms,10ms or recorded:40ms,55ms."
        )
    return LatencyModel(kind, values)


def parse_fees(text: str) -> tuple[Decimal, Decimal]:
    """`maker=0.0002,taker=0.00055`, fractions of value. *Raises*: `ParameterInvalid`."""
    given = _pairs(text, ("maker", "taker"))
    return given["maker"], given["taker"]


def parse_slippage(text: str) -> tuple[float, float]:
    """`none` or `half_spread=0.0001,impact=0.5`, neither below 0: nobody is paid for crossing.
    *Raises*: `ParameterInvalid`."""
    if text == "none":
        return 0.0, 0.0
    given = _pairs(text, ("half_spread", "impact"))
    for name, value in given.items():
        if value < 0:
            raise ParameterInvalid(f"{name} is {value}; allowed: 0 to 10.")
    return float(given["half_spread"]), float(given["impact"])


def _duration_ns(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)(ns|us|ms|s)\s*", text)
    if match is None:
        raise ParameterInvalid(f"duration {text!r}; give a number and ns, us, ms or s.")
    return float(match[1]) * _UNITS_NS[match[2]]


def _pairs(text: str, names: tuple[str, ...]) -> dict[str, Decimal]:
    example = ",".join(f"{name}=0.0005" for name in names)
    found: dict[str, Decimal] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name not in names or name in found:
            raise ParameterInvalid(f"{part!r} in {text!r}; give {example}.")
        try:
            found[name] = Decimal(value.strip())
        except InvalidOperation:
            raise ParameterInvalid(f"{name} is {value!r}; give a decimal number.") from None
        if not found[name].is_finite() or not abs(found[name]) <= 10:
            raise ParameterInvalid(f"{name} is {value!r}; allowed: -10 to 10.")
    if missing := [name for name in names if name not in found]:
        raise ParameterInvalid(f"{', '.join(missing)} missing in {text!r}; give {example}.")
    return found
