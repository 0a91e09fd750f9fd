# SPDX-License-Identifier: Apache-2.0
"""`scenario.py`: what one seed is about: venue, market path, workload, limits, and what goes wrong.
All of it is drawn before the first step, so that a scenario can be printed, cut down and run again.
Each kind of fault is off in about half of the seeds: what always happens hides what rarely does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from hean.sim.disk import DiskFaults
from hean.sim.exchange import MarketPath
from hean.sim.net import NetFaults
from hean.sim.world import stream
from hean.twin.faults.dials import DIALS as DIAL_TABLE
from hean.twin.faults.settings import read_setting

SAFETY_STEPS = 2_500
STEPS_MAX = 50_000
KILLS_MAX = 8
STRICT_FRACTION = 0.25  # one rejection too many ends the trading of such a run
BUSY_FRACTION = 2 / 3  # of the seeds; the rest trade as often as they like, many of them hardly
STEPS_PER_S = 100.0  # of virtual time, about: faults that begin once begin within the run

PLACES = (
    ("bybit", "linear", 5),
    ("binance", "linear", 3),
    ("bybit", "spot", 1),
    ("binance", "spot", 1),
)
PATHS = {
    "quiet": MarketPath(0.00005, trades=0.5),
    "busy": MarketPath(0.0003, trades=3.0),
    "trend": MarketPath(0.0003, 0.0002),
    "crash": MarketPath(0.0005, -0.003, trades=3.0),
    "jumps": MarketPath(0.0002, 0.0, 0.02, 0.02),
    "silent": MarketPath(0.0001, trades=0.0),
}
WORKLOADS = ("takers", "maker", "brackets", "monkey")


class Kill(msgspec.Struct, frozen=True):
    """The process of life *life* dies at its step or touch *at*; the next begins *down_s* later."""

    life: int
    at: int
    is_touch: bool
    down_s: float


class Order(msgspec.Struct, frozen=True):
    """A person does something at *at_s*: *verb* of the control socket, with its arguments."""

    at_s: float
    verb: str
    arguments: dict[str, Any]


class Scenario(msgspec.Struct, frozen=True):
    """One run. *is_strict*: the kill switch's own triggers as they come, else hard to touch off;
    *begins_s*: when network, disk and dials begin to fail. *dials*: documents of the twin's fault
    dials. *skews*: (second, seconds off) of the machine's clock.
    """

    seed: int
    venue: str
    market: str
    path: str
    workload: str
    pace: float
    limits: dict[str, str]
    limits_scale: float = 1.0
    is_strict: bool = False
    begins_s: float = 0.0
    safety_steps: int = SAFETY_STEPS
    shuffles: bool = False
    net: NetFaults = msgspec.field(default_factory=NetFaults)
    disk: DiskFaults = msgspec.field(default_factory=DiskFaults)
    dials: tuple[dict[str, Any], ...] = ()
    kills: tuple[Kill, ...] = ()
    orders: tuple[Order, ...] = ()
    skews: tuple[tuple[float, float], ...] = ()

    def problems(self) -> list[str]:
        """What cannot be played, in words."""
        known = {
            "path": (self.path, list(PATHS)),
            "workload": (self.workload, list(WORKLOADS)),
            "venue and market": (f"{self.venue} {self.market}", [f"{v} {m}" for v, m, _ in PLACES]),
        }
        found = [
            f"{name} {given!a}; known: {', '.join(names)}"
            for name, (given, names) in known.items()
            if given not in names
        ]
        if not 0 < self.safety_steps <= STEPS_MAX:
            found.append(f"safety_steps {self.safety_steps}; allowed: 1 to {STEPS_MAX}")
        for document in self.dials:
            found += map(str, read_setting(document, DIAL_TABLE, "dials")[1])
        return found

    def kinds(self) -> list[str]:
        """The kinds of fault in it."""
        found = [str(dial["dial"]) for dial in self.dials]
        net, disk = self.net, self.disk
        flags = {
            "net_refused": net.refused,
            "net_slow": net.slow,
            "net_cut": net.cut_every_s and net.mute_fraction < 1,
            "net_mute": net.cut_every_s and net.mute_fraction,
            "disk_error": disk.error_fraction,
            "disk_slow": disk.slow_fraction,
            "kill_at_step": any(not kill.is_touch for kill in self.kills),
            "kill_at_touch": any(kill.is_touch for kill in self.kills),
            "clock": self.skews,
            "order": self.orders,
        }
        return sorted({*found, *(name for name, is_on in flags.items() if is_on)})


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
    base = calm(seed)
    horizon_s = safety_steps / STEPS_PER_S
    rng = stream(seed, "begins")
    begins_s = 0.0 if rng.random() < 0.25 else rng.uniform(1.5, 0.4 * horizon_s)
    return msgspec.structs.replace(
        base,
        safety_steps=safety_steps,
        begins_s=begins_s,
        shuffles=stream(seed, "shuffles").random() < 0.5,
        net=_net(stream(seed, "net faults")),
        disk=_disk(stream(seed, "disk faults")),
        dials=_dials(stream(seed, "dials"), base.venue, base.market, horizon_s),
        kills=_kills(stream(seed, "kills"), safety_steps),
        orders=_orders(stream(seed, "people"), horizon_s),
        skews=_skews(stream(seed, "clock"), horizon_s),
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
        "position_value_max": str(rng.choice((3_000, 20_000))),
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


# ---------------------------------------------------------------- the twin's dials

Recipe = Callable[[random.Random, str], dict[str, Any]]


def _rate(high: float) -> Recipe:
    """A dial that acts on every victim with a small chance, all the time."""
    return lambda rng, _: {"probability": rng.uniform(0.0, high)}


def _episode(high_s: float, count: int | None = None) -> Recipe:
    """A dial that is set for a while at some moment, as a fraction of the run."""

    def make(rng: random.Random, _: str) -> dict[str, Any]:
        given: dict[str, Any] = {"at_s": rng.random(), "for_s": rng.uniform(1.0, high_s)}
        return given if count is None else {**given, "count": count}

    return make


def _once(rng: random.Random, _: str) -> dict[str, Any]:
    return {"at_s": rng.random()}


def _with(recipe: Recipe, **choices: tuple[Any, ...]) -> Recipe:
    def make(rng: random.Random, venue: str) -> dict[str, Any]:
        found = {name: rng.choice(each) for name, each in choices.items()}
        return {**recipe(rng, venue), **found}

    return make


def _server_error(rng: random.Random, venue: str) -> dict[str, Any]:
    codes = ("http", "10000", "10016") if venue == "bybit" else ("http", "-1006", "-1007")
    fields = {"code": rng.choice(codes), "accepted": rng.random() < 0.5}
    return {"probability": rng.uniform(0.0, 0.1), **fields}


def _price(rng: random.Random, _: str) -> dict[str, Any]:
    return {"probability": rng.uniform(0.0, 0.05), "factor": rng.choice((100.0, 0.0, -37.0))}


YES_NO = (True, False)
DIALS: dict[str, Recipe] = {
    "timeout_accepted": _rate(0.1),
    "timeout_lost": _rate(0.1),
    "timeout_late": _with(_rate(0.05), delay_s=(1.0, 8.0, 20.0), held=("network", "engine")),
    "reset_after_request": _with(_rate(0.1), accepted=YES_NO),
    "server_error": _server_error,
    "overloaded": _rate(0.1),
    "garbage_body": _with(
        _rate(0.05), accepted=YES_NO, form=("html", "truncated", "encoding", "empty", "missing_id")
    ),
    "rate_limited": _with(_episode(10.0), retry_after_s=(1.0, 5.0), tells_when=YES_NO),
    "ip_banned": _episode(30.0),
    "clock_skew": _with(_episode(60.0), offset_s=(-2.0, -0.5, 0.5, 2.0)),
    "clock_jump": _with(_rate(0.03), offset_s=(-3_600.0, -2.0, 2.0, 3_600.0)),
    "duplicate_id": _with(_rate(0.05), existing=("ours", "foreign", "none")),
    "key_refused": _with(_episode(30.0), reason=("revoked", "permission", "ip", "expired")),
    "amnesia": _with(_episode(1_800.0), probability=(0.02, 0.3)),
    "cancel_race": _with(_rate(0.3), by=("fill", "cancel")),
    "amend_race": _rate(0.3),
    "cancel_fails": _rate(0.3),
    "cancel_all_survivor": _rate(0.5),
    "maintenance": _with(_once, lasts_s=(5.0, 20.0), announced_s=(0.0, 30.0)),
    "filter_change": _with(_episode(120.0), notional_min=("10", "100"), status=(None, "halted")),
    "balance_short": _with(_episode(60.0), left=("0", "10")),
    "order_by_hand": _with(_once, side=("BUY", "SELL"), type=("limit", "market")),
    "transfer_by_hand": _with(_once, amount=("500", "-500")),
    "liquidation": _once,
    "adl": _once,
    "reduce_only": _episode(30.0),
    "trading_ban": _episode(30.0),
    "stop_while_away": _with(_once, away_s=(2.0, 20.0)),
    "stop_refused": _rate(0.3),
    "stop_lost": _rate(0.2),
    "position_query_fails": _with(_rate(0.5), form=("venue", "http", "timeout", "garbage")),
    "public_cut": _with(_once, refuses_s=(0.0, 5.0, 60.0), how=("abort", "close")),
    "private_cut": _with(_once, refuses_s=(0.0, 5.0, 60.0), how=("abort", "close")),
    "stall": _with(_episode(60.0), pongs=YES_NO),
    "book_gap": _rate(0.05),
    "book_reorder": _rate(0.05),
    "book_snapshot": _once,
    "book_restart": _once,
    "frame_duplicate": _with(_rate(0.5), times=(2, 5)),
    "frame_replay": _rate(1.0),
    "fill_before_ack": _with(_rate(0.5), fraction=(0.1, 0.5, 1.0)),
    "ack_lost": _rate(0.1),
    "frame_lost": _rate(0.1),
    "status_reversed": _rate(0.3),
    "poison": _with(
        _rate(0.02), form=("nan", "null", "empty", "negative", "truncated", "extra", "bad_utf8")
    ),
    "outlier_price": _price,
    "subscription_silent": _rate(0.2),
    "connection_refused": _episode(30.0),
    "daily_cut": _with(_once, life_s=(20.0, 60.0)),
    "foreign_order": _with(_once, side=("BUY", "SELL")),
    "fill_storm": _with(_episode(5.0), per_s=(10.0, 200.0)),
}
OF_MARKET = {"balance_short", "transfer_by_hand", "filter_change", "order_by_hand", "foreign_order"}
SERIOUS = {"foreign_order", "liquidation", "ip_banned", "key_refused", "trading_ban", "amnesia"}
"""Those after which little else happens: rarer, so that they do not hide the others."""


def _dials(
    rng: random.Random, venue: str, market: str, horizon_s: float
) -> tuple[dict[str, Any], ...]:
    """Each dial is on in a twelfth of the seeds, the serious ones in a fiftieth."""
    found = []
    for name, recipe in DIALS.items():
        chance, fields = rng.random(), recipe(rng, venue)
        if chance < (0.02 if name in SERIOUS else 0.08):
            given = {key: value for key, value in fields.items() if value is not None}
            if "at_s" in given:
                given["at_s"] *= horizon_s
            if name in OF_MARKET:
                given["match"] = {"market": market}
            found.append({"dial": name, **given})
    return tuple(found)
