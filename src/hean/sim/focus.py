# SPDX-License-Identifier: Apache-2.0
"""`focus.py`: seeds about one kind of fault and one state of orders. The fault is strong and comes
in the midst of much traffic; a companion brings orders to the state and keeps them there. What
rarely meets by chance meets here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from hean.sim.coverage import KINDS, STATES, why_never
from hean.sim.disk import DiskFaults
from hean.sim.net import NetFaults
from hean.sim.recipes import DIALS, set_at
from hean.sim.scenario import Kill, Order, Scenario
from hean.twin.faults.dials import DIALS as DIAL_TABLE

BEGINS_S = (2.0, 4.0)  # the first orders are out by then
MOMENTS = 5  # at which a fault comes that comes at a moment
ONE_MOMENT = frozenset({"ip_banned", "key_refused"})  # after them little happens for a while
LIVES = 6
CUT_EVERY_S = (6.0, 15.0)  # on average: no minute without a hole, so that nothing is proven
ALL_FRACTION = 0.5  # of the seeds have orders in other states too
LONG_FRACTION = 0.5  # of the seeds about quarantine: nobody knows for five minutes
LONG_S = 380.0  # with what comes after them
LONG_STEPS = 30_000
LIMITS = {
    "collar_fraction": "0.05",
    "open_orders_max": "200",
    "orders_per_second_max": "10",
    "refuse_self_cross": "true",
    "order_value_max": "5000",
    "position_value_max": "20000",
}
WITH_STOPS = frozenset({"stop_refused", "stop_lost", "stop_while_away"})
ON_POSITIONS = frozenset({"liquidation", "adl", "position_query_fails", "reduce_only"})
ON_LINES = frozenset(
    {"connection_refused", "frame_replay", "subscription_silent", "position_query_fails"}
)
"""Kinds that act when a line is opened, or the account is read after a hole."""
ON_LIVES = frozenset({"death", "disk_error"})
"""Kinds that end the process: no life of it lasts."""
ON_REQUESTS = frozenset(
    name for name in DIALS if DIAL_TABLE[name].where in ("request", "order")
) - {"clock_jump", "subscription_silent"}
"""Kinds that choose among few requests, and may choose many of them."""
LOST = {"dial": "timeout_lost", "probability": 0.3}
PARTLY = {"dial": "fill_before_ack", "probability": 0.6, "fraction": 0.3}
IN_PIECES = {"dial": "fill_storm", "per_s": 2.0}
DISPUTED = {"dial": "duplicate_id", "existing": "foreign", "count": 1}
REASON = "an exercise of the simulator"


def focused(base: Scenario, rng: random.Random, horizon_s: float) -> Scenario:
    """*base* with one kind of fault, and orders in one state. *horizon_s*: how long it takes."""
    possible = {kind: [state for state in STATES if not why_never(kind, state)] for kind in KINDS}
    kind = rng.choice([kind for kind, states in possible.items() if states])
    state = rng.choice(possible[kind])
    changes: dict[str, Any] = {
        "path": "busy",
        "pace": 1.0,
        "workload": _workload(kind, state, rng),
        "limits": LIMITS,
        "begins_s": rng.uniform(*BEGINS_S),
        "shuffles": rng.random() < 0.5,
    }
    if kind in WITH_STOPS | ON_POSITIONS:
        changes["market"] = "linear"
    is_long = state == "QUARANTINE" and kind not in ON_LIVES and rng.random() < LONG_FRACTION
    if is_long:
        changes["safety_steps"], horizon_s = LONG_STEPS, LONG_S
    scenario = msgspec.structs.replace(base, is_strict=False, **changes)
    scenario = _with_fault(scenario, kind, rng, horizon_s, is_late=is_long)
    return _with_companions(scenario, kind, state, rng, is_long=is_long)


def _workload(kind: str, state: str, rng: random.Random) -> str:
    if kind in WITH_STOPS:
        return "desk"
    if state == "INTENT":
        return "takers"  # of several orders that are made at once the last ones wait
    if state == "QUARANTINE" and kind in ON_REQUESTS:
        return "monkey"  # nothing but reductions leave then
    return rng.choice(("maker", "maker", "desk", "monkey"))


# ---------------------------------------------------------------- the fault


def _with_fault(
    scenario: Scenario, kind: str, rng: random.Random, horizon_s: float, *, is_late: bool
) -> Scenario:
    """*is_late*: only towards the end of the run."""
    first_s = 0.85 * horizon_s if is_late else 0.1 * horizon_s
    make = OF_WORLD.get(kind)
    if make is not None:
        return msgspec.structs.replace(scenario, **make(rng, first_s, horizon_s))
    found = []
    for at_s, for_s in _moments(rng, first_s, horizon_s, 1 if kind in ONE_MOMENT else MOMENTS):
        fields = DIALS[kind](rng, scenario.venue)
        is_of_moment = "at_s" in fields
        if is_of_moment or is_late:
            fields["at_s"] = at_s
        if "for_s" in fields:
            fields["for_s"] = min(fields["for_s"], for_s)
        if "probability" in fields:
            fields["probability"] = _strong(kind, fields["probability"], rng)
        found.append(set_at(kind, fields, scenario.market, 1.0))
        if not is_of_moment:
            break
    return msgspec.structs.replace(scenario, dials=tuple(found))


def _moments(
    rng: random.Random, first_s: float, horizon_s: float, count: int
) -> list[tuple[float, float]]:
    """When, and how long at most, so that one is over before the next begins."""
    each_s = (0.95 * horizon_s - first_s) / count
    return [
        (first_s + each_s * (number + 0.5 * rng.random()), 0.4 * each_s) for number in range(count)
    ]


def _strong(kind: str, drawn: float, rng: random.Random) -> float:
    return rng.uniform(0.2, 0.7) if kind in ON_REQUESTS else max(drawn, 0.03)


def _clock(rng: random.Random, first_s: float, horizon_s: float) -> dict[str, Any]:
    moments = _moments(rng, first_s, horizon_s, MOMENTS)
    return {"skews": tuple((at_s, rng.uniform(-2.0, 2.0)) for at_s, _ in moments)}


def _deaths(rng: random.Random, first_s: float, horizon_s: float) -> dict[str, Any]:
    kills = []
    for life in range(1, LIVES + 1):
        is_touch = rng.random() < 0.5
        at = rng.randrange(40, 160) if is_touch else rng.randrange(300, 900)
        kills.append(Kill(life, at, is_touch, rng.uniform(0.0, 2.0)))
    return {"kills": tuple(kills)}


def _people(rng: random.Random, first_s: float, horizon_s: float) -> dict[str, Any]:
    levels = ("HALT_NEW", "CANCEL_ALL", "FLATTEN")
    moments = _moments(rng, first_s, horizon_s, len(levels))
    told = [
        Order(at_s, "kill", {"level": level, "reason": REASON})
        for level, (at_s, _) in zip(levels, moments, strict=True)
    ]
    return {"orders": tuple(told)}


Make = Callable[[random.Random, float, float], dict[str, Any]]
OF_WORLD: dict[str, Make] = {
    "clock": _clock,
    "death": _deaths,
    "order": _people,
    "disk_error": lambda rng, *_: {"disk": DiskFaults(error_fraction=rng.uniform(0.002, 0.02))},
    "disk_slow": lambda rng, *_: {
        "disk": DiskFaults(slow_fraction=rng.uniform(0.02, 0.2), slow_s=rng.choice((0.2, 0.8)))
    },
    "net_refused": lambda rng, *_: {"net": NetFaults(refused=rng.uniform(0.1, 0.5))},
    "net_slow": lambda rng, *_: {
        "net": NetFaults(slow=rng.uniform(0.05, 0.4), slow_s=rng.choice((0.5, 4.0)))
    },
    "net_cut": lambda rng, *_: {"net": NetFaults(cut_every_s=rng.uniform(3.0, 10.0))},
    "net_mute": lambda rng, *_: {
        "net": NetFaults(cut_every_s=rng.uniform(5.0, 15.0), mute_fraction=1.0)
    },
}
"""What is no dial of the venue."""


# ---------------------------------------------------------------- its companions


def _with_companions(
    scenario: Scenario, kind: str, state: str, rng: random.Random, *, is_long: bool
) -> Scenario:
    """What brings orders to the state; often to others as well, so that all of them meet."""
    net, orders = scenario.net, scenario.orders
    if kind in ON_LINES or is_long:
        net = replace(net, cut_every_s=net.cut_every_s or rng.uniform(*CUT_EVERY_S))
    if kind == "cancel_all_survivor":  # only a sweep asks for it, where single cancels are late
        net = replace(net, slow=0.3, slow_s=3.0)
        orders = _people(rng, 5.0, 20.0)["orders"][1:2]
    wanted = {state}
    if state != "INTENT" and rng.random() < ALL_FRACTION:
        wanted |= {"UNKNOWN", "PARTIAL"}
    dials = list(scenario.dials)
    if is_long:
        dials.append({**LOST, "count": 4})
    elif state == "QUARANTINE":
        dials.append({**DISPUTED, "after": rng.randrange(2, 15)})
    if wanted & {"SENT", "UNKNOWN"} and not is_long:
        dials.append(LOST)
    if "PARTIAL" in wanted:
        dials.append(rng.choice((PARTLY, IN_PIECES)))
    return msgspec.structs.replace(scenario, dials=tuple(dials), net=net, orders=orders)
