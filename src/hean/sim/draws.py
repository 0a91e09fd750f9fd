# SPDX-License-Identifier: Apache-2.0
"""`draws.py`: the scenario of a seed. Every part comes from a stream of its own, so that a change
of one draw moves no other. Each kind of fault is off in about half of the seeds: what always
happens hides what rarely does.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

from hean.sim.disk import DiskFaults
from hean.sim.focus import focused
from hean.sim.net import NetFaults
from hean.sim.recipes import DIALS, SERIOUS, set_at
from hean.sim.scenario import PATHS, PLACES, SAFETY_STEPS, WORKLOADS, Kill, Order, Scenario
from hean.sim.world import stream
from hean.venues.endpoints import BOTH

KILLS_MAX = 8
STRICT_FRACTION = 0.25  # one rejection too many ends the trading of such a run
BUSY_FRACTION = 2 / 3  # of the seeds; the rest trade as often as they like, many of them hardly
FOCUS_FRACTION = 0.35  # of the seeds are about one kind of fault and one state of orders
BOTH_FRACTION = 0.05  # of the seeds trade both markets of one account
PAIR = ("BTCUSDT@spot", "BTCUSDT@perp")
PAIRED = ("legs", "legs", "funding", "basis")
PAIRED_STEPS = 3  # times the usual: a strategy on bars must have seen some
STEPS_PER_S = 140.0  # of virtual time, about: faults that begin once begin within the run


def calm(seed: int) -> Scenario:
    """A scenario in which nothing goes wrong."""
    rng = stream(seed, "scenario")
    venue, market = _place(rng)
    base = Scenario(
        seed,
        venue,
        market,
        rng.choice(list(PATHS)),
        rng.choice(WORKLOADS),
        rng.uniform(0.2, 1.0),
        _limits(rng),
        is_strict=rng.random() < STRICT_FRACTION,
    )
    if stream(seed, "traffic").random() >= BUSY_FRACTION:
        return base
    return msgspec.structs.replace(base, path="busy", pace=1.0)


def draw(seed: int, *, safety_steps: int = SAFETY_STEPS) -> Scenario:
    """The scenario of a seed."""
    base = msgspec.structs.replace(calm(seed), safety_steps=safety_steps)
    if stream(seed, "two markets").random() < BOTH_FRACTION:
        base = _in_both(base, stream(seed, "pair"))
    horizon_s = base.safety_steps / STEPS_PER_S
    if base.market != BOTH and stream(seed, "is focused").random() < FOCUS_FRACTION:
        return focused(base, stream(seed, "focus"))
    rng = stream(seed, "begins")
    begins_s = 0.0 if rng.random() < 0.25 else rng.uniform(1.5, 0.4 * horizon_s)
    return msgspec.structs.replace(
        base,
        begins_s=begins_s,
        shuffles=stream(seed, "shuffles").random() < 0.5,
        net=_net(stream(seed, "net faults")),
        disk=_disk(stream(seed, "disk faults")),
        dials=_dials(stream(seed, "dials"), base.venue, base.market, horizon_s),
        kills=_kills(stream(seed, "kills"), base.safety_steps),
        orders=_orders(stream(seed, "people"), horizon_s),
        skews=_skews(stream(seed, "clock"), horizon_s),
    )


def _in_both(base: Scenario, rng: random.Random) -> Scenario:
    """The same with coins against a perpetual. What trades one symbol may sell what it does not
    hold, so only what has two legs is drawn.
    """
    return msgspec.structs.replace(
        base,
        venue="bybit",
        market=BOTH,
        symbols=PAIR,
        workload=rng.choice(PAIRED),
        safety_steps=PAIRED_STEPS * base.safety_steps,
    )


def _place(rng: random.Random) -> tuple[str, str]:
    venue, market, _ = rng.choices(PLACES, [weight for *_, weight in PLACES])[0]
    return venue, market


def _limits(rng: random.Random) -> dict[str, str]:
    return {
        "collar_fraction": "0.05",
        "open_orders_max": str(rng.choice((5, 20, 200))),
        "orders_per_second_max": str(rng.choice((3, 10))),
        "refuse_self_cross": "true",
        "order_value_max": "5000",
        "position_value_max": str(rng.choice((1_000, 3_000, 20_000))),
    }


def _net(rng: random.Random) -> NetFaults:
    def maybe(value: float) -> float:
        return value if rng.random() < 0.5 else 0.0

    return NetFaults(
        refused=maybe(rng.uniform(0.0, 0.1)),
        slow=maybe(rng.uniform(0.0, 0.2)),
        slow_s=rng.choice((0.5, 4.0, 20.0)),
        cut_every_s=maybe(10 ** rng.uniform(0.7, 2.8)),
        mute_fraction=maybe(rng.random()),
        jitter_s=rng.choice((0.001, 0.02, 0.2)),
    )


def _disk(rng: random.Random) -> DiskFaults:
    is_slow = rng.random() < 0.3
    return DiskFaults(
        error_fraction=rng.uniform(0.0, 0.002) if rng.random() < 0.15 else 0.0,
        slow_fraction=rng.uniform(0.0, 0.02) if is_slow else 0.0,
        slow_s=rng.choice((0.2, 0.8, 3.0)) if is_slow else 0.0,
    )


def _kills(rng: random.Random, steps: int) -> tuple[Kill, ...]:
    if rng.random() < 0.4:
        return ()
    kills = []
    mean = 10 ** rng.uniform(1.0, 3.3)
    for life in range(1, KILLS_MAX + 1):
        is_touch = rng.random() < 0.5
        at = 1 + int(rng.expovariate(1.0 / (mean / 8 if is_touch else mean)))
        if not is_touch and at > steps:
            break
        down_s = rng.choice((0.1, 1.0, 5.0, 30.0, 120.0)) * rng.random()
        kills.append(Kill(life, at, is_touch, down_s))
    return tuple(kills)


def _orders(rng: random.Random, horizon_s: float) -> tuple[Order, ...]:
    if rng.random() < 0.7:
        return ()
    level = rng.choice(("HALT_NEW", "CANCEL_ALL", "FLATTEN"))
    at_s = rng.random() * horizon_s
    return (Order(at_s, "kill", {"level": level, "reason": "an exercise of the simulator"}),)


def _skews(rng: random.Random, horizon_s: float) -> tuple[tuple[float, float], ...]:
    if rng.random() < 0.6:
        return ()
    size_s = rng.choice((0.2, 0.9, 2.0, 3_600.0))
    return tuple((rng.random() * horizon_s, rng.uniform(-size_s, size_s)) for _ in range(3))


def _dials(
    rng: random.Random, venue: str, market: str, horizon_s: float
) -> tuple[dict[str, Any], ...]:
    """Each dial is on in a twelfth of the seeds, the serious ones in a fiftieth."""
    found = []
    for name, recipe in DIALS.items():
        chance, fields = rng.random(), recipe(rng, venue)
        if chance < (0.02 if name in SERIOUS else 0.08):
            where = market if market != BOTH else rng.choice(("linear", "spot"))
            found.append(set_at(name, fields, where, horizon_s))
    return tuple(found)
