# SPDX-License-Identifier: Apache-2.0
"""Schedules, impact and the cost of executions."""

from __future__ import annotations

import math

import numpy as np

from hean.quant import impact, schedules, shortfall
from hean.references.case import Case


def almgren_chriss(case: Case) -> None:
    """One trajectory for each named risk aversion."""
    given = case.inputs
    for name, risk_aversion in given["lambdas"].items():
        found = schedules.almgren_chriss(
            given["X"],
            given["T"],
            int(given["N"]),
            sigma=given["sigma"],
            eta=given["eta"],
            gamma=given.get("gamma", 0.0),
            epsilon=given.get("epsilon", 0.0),
            risk_aversion=risk_aversion,
        )
        parts = {field: getattr(found, field) for field in found.__struct_fields__}
        if math.isinf(found.half_life):
            parts["half_life"] = None  # as the files write it
        case.answer(name, parts, "rel")


def square_root_like_impact(case: Case) -> None:
    """Almgren 2005 over several durations."""
    given = case.inputs
    coefficients = {
        name: given[name] for name in ("gamma", "eta", "delta", "beta") if name in given
    }
    parts = [
        impact.almgren_2005(
            given["X"],
            given["V"],
            given["sigma_bp_daily"],
            duration,
            shares_outstanding=given.get("shares_outstanding"),
            **coefficients,
        )
        for duration in np.atleast_1d(given["T"])
    ]
    realised = [part.realised for part in parts]
    case.answer("permanent_bp", parts[0].permanent, "rel")
    case.answer("temporary_bp", [part.temporary for part in parts], "rel")
    case.answer("realised_bp", realised, "rel")
    case.answer("printed", {"permanent": parts[0].permanent, "realised": realised}, "printed_abs")


def implementation_shortfall(case: Case) -> None:
    """Parts and whole."""
    given = case.inputs
    found = shortfall.implementation_shortfall(
        given["side"],
        given["qty"],
        given["filled"],
        decision=given["decision"],
        average=given.get("fill", given["decision"]),
        end=given.get("cancel", given["decision"]),
        benchmark=given.get("revised_benchmark"),
        fees=given.get("fees", 0.0),
    )
    for field in found.__struct_fields__:
        case.answer(field, getattr(found, field), "abs")


def vwap_twap(case: Case) -> None:
    """Mean prices of a stretch of bars, and the slices they would have made."""
    given = case.inputs
    high, low, close, volume = (
        case.series(_column(case, name)) for name in ("high", "low", "close", "volume")
    )
    shares = schedules.volume_shares(volume)
    lot = given["lot"]
    lots = round(given["parent_qty"] / lot)
    slices = schedules.cumulative_lots(lots, shares)
    typical = shortfall.typical_prices(high, low, close)
    case.answer("vwap_typical_price", shortfall.vwap(typical, volume), "price_rel")
    case.answer("twap_close", shortfall.twap(close), "price_rel")
    case.answer("cumulative_volume_share", shares, "schedule_abs")
    case.answer("vwap_schedule_floor_of_cumulative", [n * lot for n in slices], "schedule_abs")
    case.answer("schedule_sum", sum(slices) * lot, "schedule_abs")
    for place in case.expected:
        count = place.removeprefix("twap_slices_")
        if count.isdigit():
            equal = schedules.twap_lots(lots, int(count))
            case.answer(place, [n * lot for n in equal], "schedule_abs")


def _column(case: Case, name: str) -> str:
    """The first column of this name, with or without a coin before it."""
    return next((each for each in case.table() if each.endswith(name)), name)


METHODS = {
    "almgren_chriss": almgren_chriss,
    "square_root_like_impact": square_root_like_impact,
    "implementation_shortfall": implementation_shortfall,
    "vwap_twap": vwap_twap,
}
