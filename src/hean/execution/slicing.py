# SPDX-License-Identifier: Apache-2.0
"""`slicing.py`: what an execution algorithm is. It is shown a `View` of its order and answers with
a `Move`: slices to send, to take back, to put elsewhere, and when to be asked again. It holds no
order, counts no fill and knows no bus; the desk does all that, and the order engine judges every
slice. Sizes are lots, times nanoseconds, prices floats on their way to the tick.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from hean.core.parameters import Parameter, Value, resolve
from hean.core.types import Side, TimeInForce
from hean.errors import ParameterInvalid

NANOSECONDS = 1_000_000_000
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
TEXT_LENGTH_MAX = 500  # a text of 60 weights fits; a file does not


class Touch(msgspec.Struct):
    """The market of one symbol as last told. *volume*: base units traded since the first tick;
    prices are nan while unknown.
    """

    bid: float = float("nan")
    ask: float = float("nan")
    last: float = float("nan")
    volume: float = 0.0

    def own(self, side: Side) -> float:
        """Best price on the side an order of *side* would rest at, the last price without one."""
        best = self.bid if side is Side.BUY else self.ask
        return self.last if math.isnan(best) else best


class Slice(msgspec.Struct, frozen=True):
    """A slice under way. *price*: `None` for a market order; *is_resting*: the venue has it."""

    order_id: str
    left: int
    price: float | None
    is_resting: bool
    is_leaving: bool


class View(msgspec.Struct, frozen=True):
    """The order now. *free*: lots that are neither filled nor drawn by a slice; *traded*: lots the
    whole market traded since the start; *lots_min*: smallest slice a venue takes at this price.
    """

    now_ns: int
    lots: int
    filled: int
    free: int
    slices: tuple[Slice, ...]
    touch: Touch
    traded: float
    lots_min: int


class Wish(msgspec.Struct, frozen=True):
    """A slice that is wanted. Without *price* it takes what is there, up to the order's limit."""

    lots: int
    price: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC


class Move(msgspec.Struct, frozen=True):
    """What to do now. *amend*: order id and price; *again_ns*: ask again then at the latest (the
    end of a slice always asks); *is_over*: nothing more will be wanted.
    """

    send: tuple[Wish, ...] = ()
    cancel: tuple[str, ...] = ()
    amend: tuple[tuple[str, float], ...] = ()
    again_ns: int | None = None
    is_over: bool = False


class Algorithm:
    """Base of the algorithms: one object works one order.

    *settings*: from the text; *lots*, *side*: of the order; *start_ns*: now; *has_limit*: whether
    it has a price; *chance*: the next number of 0..1.
    """

    name: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    needs_limit: ClassVar[bool] = False
    """Whether the order must be a LIMIT."""

    def __init__(
        self,
        settings: Mapping[str, Value],
        lots: int,
        *,
        side: Side,
        start_ns: int,
        has_limit: bool,
        chance: Callable[[], float],
    ) -> None:
        if self.needs_limit and not has_limit:
            raise ParameterInvalid(f"{self.name} works a LIMIT order; give it a price.")
        self.settings = settings
        self.lots = lots
        self.side = side
        self.start_ns = start_ns
        self.chance = chance

    def move(self, view: View) -> Move:
        """What to do now."""
        raise NotImplementedError

    def is_moved(self, touch: Touch) -> bool:
        """Whether a tick is a reason to be asked at once."""
        return False

    def number(self, name: str) -> float:
        """A setting as a number; durations are seconds."""
        return float(self.settings[name])

    def ns(self, name: str) -> int:
        """A duration setting in nanoseconds."""
        return round(self.number(name) * NANOSECONDS)


def without_dust(want: int, view: View) -> int:
    """*want* as a slice that may be sent: 0 if a venue would not take it; all that is free if less
    than the smallest order would remain.
    """
    want = min(want, view.free)
    if 0 < view.free - want < view.lots_min:
        want = view.free
    return want if want >= view.lots_min else 0


def taken_back(view: View) -> tuple[str, ...]:
    """Slices that rest and are not leaving yet."""
    return tuple(each.order_id for each in view.slices if not each.is_leaving)


def settings_of(declared: tuple[Parameter, ...], pairs: str, name: str) -> dict[str, Value]:
    """`key=value,...` by the declared parameters. *Raises*: `ParameterInvalid`."""
    units = {parameter.name: parameter.unit for parameter in declared}
    given: dict[str, object] = {}
    for pair in pairs.split(",") if pairs else ():
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key or not value:
            raise ParameterInvalid(f"algo {name}: {pair!r} is no key=value.")
        if key in given:
            raise ParameterInvalid(f"algo {name}: {key} is given twice.")
        given[key] = _seconds(key, value) if units.get(key) == "s" else value
    return resolve(declared, given)


def _seconds(key: str, text: str) -> str:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ParameterInvalid(f"{key} is {text!r}; a duration has a unit: 250ms, 5s, 10m, 1h.")
    return repr(float(match[1]) * _UNITS_S[match[2]])
