# SPDX-License-Identifier: Apache-2.0
"""`scheduled.py`: algorithms with a plan of time: TWAP, VWAP and SHORTFALL (Almgren-Chriss). They
differ in one function, the share of the order that should be done after each slice. Each slice is
sent near the middle of its stretch of time, moved by chance; it brings what was sent up to the
rounded-down cumulative target, so that what a slice missed the next one catches up, at most twice
a slice at once. At the end the rest crosses the spread, unless it shall be left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hean.core.parameters import Parameter, Value
from hean.core.types import TimeInForce
from hean.errors import ParameterInvalid
from hean.execution.slicing import (
    NANOSECONDS,
    Algorithm,
    Move,
    View,
    Wish,
    taken_back,
    without_dust,
)
from hean.quant.schedules import blended_share, shares_left, volume_shares

CATCH_UP = 2  # slices at once: what a stall has missed must not arrive as one block
FINISH_TRIES = 3  # crossings at the end, where a book may be thin
FINISH_AGAIN_NS = NANOSECONDS  # the window of the order-rate limit
GRAIN = 1e-6  # of a lot, as in the schedules

FINISH = Parameter("finish", "cross", "the rest at the end", choices=("cross", "leave"))
DURATION = Parameter("duration", 600.0, "from start to end", "s", 0.1, 604_800)
SLICES = Parameter("slices", 20, "parts", "", 1, 10_000)
_PLAN = (
    DURATION,
    SLICES,
    Parameter("jitter", 0.3, "moves a slice in time", "of a slice", 0, 0.49),
    Parameter("vary", 0.15, "moves its size", "of a slice", 0, 0.5),
    Parameter("rest", False, "rest post-only at the touch till the next slice"),
    FINISH,
)


class Ending(Algorithm):
    """What has a last moment: take back what rests, then cross for the rest, or leave it."""

    def __init__(self, settings: Mapping[str, Value], lots: int, **given: Any) -> None:
        super().__init__(settings, lots, **given)
        self._tries = 0
        self._not_before_ns = 0

    def ending(self, view: View) -> Move:
        """The move after the last moment."""
        again_ns = view.now_ns + FINISH_AGAIN_NS
        if view.slices:
            return Move(cancel=taken_back(view), again_ns=again_ns)
        is_left = self.settings["finish"] == "leave" or self._tries == FINISH_TRIES
        if is_left or view.free < view.lots_min:
            return Move(is_over=True)
        if view.now_ns < self._not_before_ns:
            return Move(again_ns=self._not_before_ns)
        self._tries += 1
        self._not_before_ns = again_ns
        return Move(send=(Wish(view.free),), again_ns=again_ns)


class Scheduled(Ending):
    """A plan of cumulative shares over time."""

    def __init__(self, settings: Mapping[str, Value], lots: int, **given: Any) -> None:
        super().__init__(settings, lots, **given)
        self.shares = self.plan()
        """Cumulative, rising to 1: how much should be done after each slice."""
        count = len(self.shares)
        self.end_ns = self.start_ns + self.ns("duration")
        stretch_ns = self.ns("duration") / count
        self.moments_ns = [
            self.start_ns
            + round((place + 0.5 + self.number("jitter") * self._swing()) * stretch_ns)
            for place in range(count)
        ]
        self._done = 0  # slices whose moment has come
        self._is_due = False

    def plan(self) -> list[float]:
        """Cumulative shares, one a slice."""
        raise NotImplementedError

    def share(self, view: View, place: int) -> float:
        """The share that should be done after slice *place*, as of now."""
        return self.shares[place]

    def move(self, view: View) -> Move:
        """Send what is due."""
        if view.now_ns >= self.end_ns:
            return self.ending(view)
        while self._done < len(self.moments_ns) and view.now_ns >= self.moments_ns[self._done]:
            self._done += 1
            self._is_due = True
        again_ns = (*self.moments_ns, self.end_ns)[self._done]
        if not self._is_due:
            return Move(again_ns=again_ns)
        if self.settings["rest"] and view.slices:
            return Move(cancel=taken_back(view), again_ns=again_ns)  # its end asks again
        self._is_due = False
        lots = without_dust(self._wanted(view), view)
        if not lots:
            return Move(again_ns=again_ns)
        if self.settings["rest"]:
            price = view.touch.own(self.side)
            if not math.isnan(price):
                return Move(send=(Wish(lots, price, TimeInForce.POST_ONLY),), again_ns=again_ns)
        return Move(send=(Wish(lots),), again_ns=again_ns)

    def _wanted(self, view: View) -> int:
        place = self._done - 1
        target = math.floor(self.lots * self.share(view, place) + GRAIN)
        behind = target - (view.lots - view.free)
        before = self.shares[place - 1] if place else 0.0
        usual = max(self.lots * (self.shares[place] - before), self.lots / len(self.shares))
        if self._done < len(self.shares):
            behind = math.floor(behind * (1 + self.number("vary") * self._swing()) + GRAIN)
        return max(0, min(behind, math.ceil(CATCH_UP * usual)))

    def _swing(self) -> float:
        return 2 * self.chance() - 1


def straight(count: int) -> list[float]:
    """Equal cumulative shares."""
    return [(place + 1) / count for place in range(count)]


class Twap(Scheduled):
    """Equal parts over time."""

    name = "twap"
    parameters = _PLAN

    def plan(self) -> list[float]:
        """A straight line."""
        return straight(int(self.settings["slices"]))


class Vwap(Scheduled):
    """Along a volume curve, and the volume of the day where the market tells it.

    *weights*: expected volumes of equal parts of the duration (`quant.schedules.curve_weights`);
    *expected*: lots that trade in the whole duration by history, 0 leaves the curve as it is.
    """

    name = "vwap"
    parameters = (
        *_PLAN,
        Parameter("weights", "", "expected volumes of equal parts, 3|2|1"),
        Parameter("expected", 0.0, "lots expected to trade meanwhile", "lots", 0, 1e15),
    )

    def plan(self) -> list[float]:
        """The weights, cumulated; without weights a straight line."""
        text = str(self.settings["weights"])
        if not text:
            return straight(int(self.settings["slices"]))
        try:
            weights = [float(each) for each in text.split("|")]
        except ValueError:
            raise ParameterInvalid(f"weights {text!r}; numbers with | between.") from None
        return [float(share) for share in volume_shares(weights)]

    def share(self, view: View, place: int) -> float:
        """Of the curve, moved by how much has traded so far."""
        expected = self.number("expected")
        after = self.shares[place]
        if not expected:
            return after
        prior = self._prior(view.now_ns)
        done = blended_share(
            prior,
            max(view.traded - view.filled, 0.0),
            expected=expected,
            minutes=self.number("duration") / 60,
        )
        left = 1 - prior
        return done + (1 - done) * (after - prior) / left if left > GRAIN else 1.0

    def _prior(self, now_ns: int) -> float:
        passed = (now_ns - self.start_ns) / (self.end_ns - self.start_ns) * len(self.shares)
        place = min(int(passed), len(self.shares) - 1)
        before = self.shares[place - 1] if place else 0.0
        return before + (self.shares[place] - before) * (passed - place)


class ShortfallSchedule(Scheduled):
    """Almgren-Chriss: early where risk weighs more than impact.

    *urgency*: kappa T; 0 is TWAP, 5 has done nine tenths after half the time. From market
    parameters: `quant.schedules.almgren_chriss(...).kappa` times the duration.
    """

    name = "shortfall"
    parameters = (*_PLAN, Parameter("urgency", 2.0, "kappa times duration", "", 0, 700))

    def plan(self) -> list[float]:
        """One minus what is left after each step."""
        left = shares_left(self.number("urgency"), int(self.settings["slices"]))
        return [1 - float(share) for share in left[1:]]
