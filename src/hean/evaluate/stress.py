# SPDX-License-Identifier: Apache-2.0
"""`stress.py`: the chosen trial in worse worlds: dearer, slower, larger. Each world is a run of the
production engine with other assumptions. Capacity is the account at which the Sharpe ratio after
costs is half of what it was, by the impact model of the simulated exchange.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from hean.backtest.assumptions import LatencyModel
from hean.backtest.run import BacktestSettings

FEES = (0.5, 1.0, 2.0)
SLIPPAGES = (1.0, 2.0, 4.0)
LATENCIES = (1.0, 3.0, 10.0)
HARSH = (1.5, 1.0, 3.0)  # a strategy must still earn at these fees and this latency
DEAR = (1.5, 1.5, 1.0)  # and at one and a half times all costs
SIZES = tuple(4**power for power in range(1, 8))  # of the account: sixteen thousandfold at most
CASH_MAX = Decimal(10) ** 12


class World(msgspec.Struct, frozen=True):
    """Factors on the assumptions of the base run."""

    fees: float = 1.0
    slippage: float = 1.0
    latency: float = 1.0
    size: int = 1


def worlds() -> list[World]:
    """Every world but the base run itself, each once."""
    found = [World(fees=factor) for factor in FEES]
    found += [World(slippage=factor) for factor in SLIPPAGES]
    found += [World(latency=factor) for factor in LATENCIES]
    found += [World(*HARSH), World(*DEAR)]
    found += [World(size=size) for size in SIZES]
    return [world for world in dict.fromkeys(found) if world != World()]


def harder(base: BacktestSettings, world: World) -> BacktestSettings:
    """The settings of a run in *world*."""
    given = base.assumptions
    assumptions = msgspec.structs.replace(
        given,
        fee_factor=given.fee_factor * world.fees,
        entry=_slower(given.entry, world.latency),
        response=_slower(given.response, world.latency),
        half_spread=given.half_spread * world.slippage,
        impact=given.impact * world.slippage,
    )
    cash = min(base.account.cash * world.size, CASH_MAX)
    account = msgspec.structs.replace(base.account, cash=cash)
    return msgspec.structs.replace(base, assumptions=assumptions, account=account)


def capacity(base: float | None, larger: Sequence[tuple[float, float | None]]) -> float | None:
    """The account at which the Sharpe ratio is half of *base*, read between the two sizes around
    it on a logarithmic scale; infinite if none of the sizes is that large, `None` if there is
    nothing to halve. *larger*: account and ratio, the first is the base run's own.
    """
    if base is None or base <= 0:
        return None
    half = base / 2
    before, above = larger[0][0], base
    for account, ratio in larger[1:]:
        below = 0.0 if ratio is None else ratio
        if below <= half:
            part = (above - half) / (above - below)
            return before * math.exp(part * math.log(account / before))
        before, above = account, below
    return math.inf


def _slower(model: LatencyModel, factor: float) -> LatencyModel:
    return LatencyModel(model.kind, tuple(value * factor for value in model.values_ns))
