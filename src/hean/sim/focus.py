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
from hean.sim.exchange import TICK_S
from hean.sim.net import NetFaults
from hean.sim.recipes import DIALS, set_at
from hean.sim.scenario import Kill, Order, Scenario
from hean.twin.faults.dials import DIALS as DIAL_TABLE

MORE_STEPS = 2  # times the usual: orders must come to their state first
STEPS_PER_S = 180.0  # of virtual time, with so much traffic and many questions about orders
BEGINS_S = (2.0, 4.0)  # the first orders are out by then
FIRST_FRACTION = 0.35  # of the run, before a fault of a moment comes: so long an answer may lack
MOMENTS = 12  # at which a fault comes that comes at a moment
LIVES = 8
CUT_EVERY_S = (2.0, 8.0)  # on average, of each line
HOLES_S = (8.0, 12.0)  # no minute without a hole, so that nothing is proven
ALL_FRACTION = 0.5  # of the seeds have orders in other states too
TWO_SYMBOLS = 1.6  # times the steps of one, in as many seconds
LONG_FRACTION = 0.3  # of the seeds about quarantine wait for it: nobody knows for five minutes
LONG_STEPS = 48_000
LONG_S = (315.0, 350.0)  # between which the fault comes then
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
    | {"net_refused", "net_cut", "net_mute"}
)
"""Kinds that act when a line dies or is opened, or the account is read after a hole."""
ON_LIVES = frozenset({"death", "disk_error"})
"""Kinds that end the process: no life of it lasts."""
ON_ORDERS = frozenset(
    name
    for name, dial in DIAL_TABLE.items()
    if dial.match.get("op") in ("create", "cancel", "amend")
) | frozenset({"stop_refused", "stop_lost"})
"""Kinds that choose among requests about orders: there are few, so they choose many."""
STUCK = frozenset({"UNKNOWN", "QUARANTINE"})
"""States of an order in which nothing new leaves for its symbol: another one goes on."""
WEIGHTS = {"INTENT": 2, "UNKNOWN": 2, "QUARANTINE": 3}
STRONG = {
    "cancel_all_survivor": (0.9, 1.0),
    "clock_jump": (0.05, 0.2),
    "position_query_fails": (0.2, 0.7),
    "subscription_silent": (0.3, 0.8),
}
MOMENTS_OF = {
    **dict.fromkeys(("ip_banned", "key_refused"), 1),  # after them little happens for a while
    **dict.fromkeys(("connection_refused", "rate_limited", "reduce_only", "stall"), 4),
}
"""Fewer moments of those that act on what comes while they last."""
SOON = {"life_s": (3.0, 8.0), "announced_s": (0.0, 2.0)}
"""Parameters by which a dial acts within the run."""
SYMBOLS = ("BTCUSDT", "ETHUSDT")
STUCK_HERE = {"match": {"symbol": SYMBOLS[1]}}
LATE = {"dial": "timeout_late", "probability": 0.4, "delay_s": 3.0, "held": "engine"}
LOST = {"dial": "timeout_lost", "probability": 0.4, "count": 3}
PARTLY = {"dial": "fill_before_ack", "probability": 0.6, "fraction": 0.3}
IN_PIECES = {"dial": "fill_storm", "per_s": 2.0}
DISPUTED = {"dial": "duplicate_id", "existing": "foreign", "count": 1}
NO_CANCEL = {"dial": "cancel_fails"}
REASON = "an exercise of the simulator"


def focused(base: Scenario, rng: random.Random) -> Scenario:
    """*base* with one kind of fault, and orders in one state."""
    return about(base, *_subject(rng), rng)


def _subject(rng: random.Random) -> tuple[str, str]:
    """A kind and a state that can meet; no kind is rarer for meeting fewer states, and the states
    that are hard to come by are drawn more often.
    """
    possible = {kind: [state for state in STATES if not why_never(kind, state)] for kind in KINDS}
    kind = rng.choice([kind for kind, states in possible.items() if states])
    states = possible[kind]
    return kind, rng.choices(states, [WEIGHTS.get(state, 1) for state in states])[0]


def about(base: Scenario, kind: str, state: str, rng: random.Random) -> Scenario:
    """*base* with this kind of fault, and orders in this state."""
    steps, is_long = MORE_STEPS * base.safety_steps, False
    if state == "QUARANTINE" and kind not in ON_LIVES | ON_ORDERS:
        is_long = rng.random() < LONG_FRACTION
    has_holes = kind in ON_LINES or is_long
    changes: dict[str, Any] = {
        "path": "quiet" if is_long else "busy",
        "pace": 1.0,
        "workload": _workload(kind, state, rng),
        "limits": LIMITS,
        "is_strict": False,
        "begins_s": 0.0 if has_holes else rng.uniform(*BEGINS_S),
        "shuffles": rng.random() < 0.5,
        "safety_steps": steps,
    }
    span_s = FIRST_FRACTION * steps / STEPS_PER_S, 0.9 * steps / STEPS_PER_S
    if kind in WITH_STOPS | ON_POSITIONS:
        changes["market"] = "linear"
    if state in STUCK and not is_long:
        changes |= {"symbols": SYMBOLS, "safety_steps": int(TWO_SYMBOLS * steps)}
    if is_long:
        changes["safety_steps"], span_s = LONG_STEPS, LONG_S
    scenario = msgspec.structs.replace(base, **changes)
    scenario = _with_fault(scenario, kind, rng, span_s, is_late=is_long)
    if has_holes and not scenario.net.cut_every_s:
        net = replace(scenario.net, cut_every_s=rng.uniform(*(HOLES_S if is_long else CUT_EVERY_S)))
        scenario = msgspec.structs.replace(scenario, net=net)
    return _with_companions(scenario, kind, state, rng, is_long=is_long)


def _workload(kind: str, state: str, rng: random.Random) -> str:
    if kind in WITH_STOPS:
        return "desk"
    if state == "INTENT":
        return "takers"  # of several orders that are made at once the last ones wait
    if kind in ("cancel_all_survivor", "amend_race"):
        return "maker"  # whoever has a stop to keep asks for neither
    if state in STUCK:
        return rng.choice(("maker", "desk"))  # a monkey's cancels take the requests it takes
    return rng.choice(("maker", "maker", "desk", "monkey"))


# ---------------------------------------------------------------- the fault

Span = tuple[float, float]


def _with_fault(
    scenario: Scenario, kind: str, rng: random.Random, span_s: Span, *, is_late: bool
) -> Scenario:
    """*span_s*: when a fault of a moment comes. *is_late*: every fault comes then."""
    make = OF_WORLD.get(kind)
    if make is not None:
        return msgspec.structs.replace(scenario, **make(rng, span_s))
    found = []
    for at_s, for_s in _moments(rng, span_s, MOMENTS_OF.get(kind, MOMENTS)):
        fields = DIALS[kind](rng, scenario.venue)
        is_of_moment = "at_s" in fields
        if is_of_moment or is_late:
            fields["at_s"] = at_s
        if "for_s" in fields:
            fields["for_s"] = min(fields["for_s"], for_s)
        if "probability" in fields:
            fields["probability"] = _strong(kind, fields["probability"], rng)
        fields |= {name: rng.uniform(*soon) for name, soon in SOON.items() if name in fields}
        if kind in ON_ORDERS and len(scenario.symbols) > 1:
            fields["match"] = {"symbol": SYMBOLS[0]}
        found.append(set_at(kind, fields, scenario.market, 1.0))
        if not is_of_moment:
            break
    return msgspec.structs.replace(scenario, dials=tuple(found))


def _moments(rng: random.Random, span_s: Span, count: int) -> list[tuple[float, float]]:
    """When, and how long at most, so that one is over before the next begins."""
    first_s, last_s = span_s
    each_s = (last_s - first_s) / count
    longest_s = max(TICK_S, 0.4 * each_s - TICK_S)
    return [
        (first_s + each_s * (number + 0.5 * rng.random()), longest_s) for number in range(count)
    ]


def _strong(kind: str, drawn: float, rng: random.Random) -> float:
    if kind in ON_ORDERS:
        return rng.uniform(0.2, 0.7)
    return rng.uniform(*STRONG[kind]) if kind in STRONG else max(drawn, 0.03)


def _clock(rng: random.Random, span_s: Span) -> dict[str, Any]:
    moments = _moments(rng, span_s, MOMENTS)
    return {"skews": tuple((at_s, rng.uniform(-2.0, 2.0)) for at_s, _ in moments)}


def _deaths(rng: random.Random, _: Span) -> dict[str, Any]:
    kills = []
    for life in range(1, LIVES + 1):
        is_touch = rng.random() < 0.5
        at = rng.randrange(30, 120) if is_touch else rng.randrange(400, 1_000)
        kills.append(Kill(life, at, is_touch, rng.uniform(0.0, 2.0)))
    return {"kills": tuple(kills)}


def _people(rng: random.Random, span_s: Span) -> dict[str, Any]:
    levels = ("HALT_NEW", "CANCEL_ALL", "FLATTEN")
    told = [
        Order(at_s, "kill", {"level": level, "reason": REASON})
        for level, (at_s, _) in zip(levels, _moments(rng, span_s, len(levels)), strict=True)
    ]
    return {"orders": tuple(told)}


Make = Callable[[random.Random, Span], dict[str, Any]]
OF_WORLD: dict[str, Make] = {
    "clock": _clock,
    "death": _deaths,
    "order": _people,
    "disk_error": lambda rng, _: {"disk": DiskFaults(error_fraction=rng.uniform(0.01, 0.03))},
    "disk_slow": lambda rng, _: {
        "disk": DiskFaults(slow_fraction=rng.uniform(0.02, 0.2), slow_s=rng.choice((0.2, 0.8)))
    },
    "net_refused": lambda rng, _: {"net": NetFaults(refused=rng.uniform(0.1, 0.3))},
    "net_slow": lambda rng, _: {
        "net": NetFaults(slow=rng.uniform(0.05, 0.4), slow_s=rng.choice((0.5, 4.0)))
    },
    "net_cut": lambda rng, _: {"net": NetFaults(cut_every_s=rng.uniform(3.0, 10.0))},
    "net_mute": lambda rng, _: {
        "net": NetFaults(cut_every_s=rng.uniform(10.0, 30.0), mute_fraction=1.0)
    },
}
"""What is no dial of the venue."""


# ---------------------------------------------------------------- its companions


def _with_companions(
    scenario: Scenario, kind: str, state: str, rng: random.Random, *, is_long: bool
) -> Scenario:
    """What brings orders to the state; often to others as well, so that all of them meet."""
    dials, orders = list(scenario.dials), scenario.orders
    if kind == "cancel_all_survivor":  # a sweep asks for it, when single cancels have failed
        dials.append(NO_CANCEL)
        orders = _people(rng, (8.0, 20.0))["orders"][1:]
    wanted = {state}
    if state != "INTENT" and rng.random() < ALL_FRACTION:
        wanted |= {"SENT", "PARTIAL"}
    if is_long:
        dials.append(LOST)
    elif state in STUCK:
        dials.append({**LOST, **STUCK_HERE} if state == "UNKNOWN" else {**DISPUTED, **STUCK_HERE})
    if "SENT" in wanted:
        dials.append(LATE)
    if "PARTIAL" in wanted:
        dials.append(rng.choice((PARTLY, IN_PIECES)))
    return msgspec.structs.replace(scenario, dials=tuple(dials), orders=orders)
