# SPDX-License-Identifier: Apache-2.0
"""`recipes.py`: how each fault dial of the twin is drawn: how often, how long, in which form. A
moment is drawn as a fraction of the run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

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


def set_at(name: str, fields: dict[str, Any], market: str, horizon_s: float) -> dict[str, Any]:
    """The document that sets a dial, from what its recipe has drawn."""
    given = {key: value for key, value in fields.items() if value is not None}
    if "at_s" in given:
        given["at_s"] *= horizon_s
    if name in OF_MARKET:
        given["match"] = {"market": market}
    return {"dial": name, **given}
