# SPDX-License-Identifier: Apache-2.0
"""Several strategies on one account, as the command line says it: `--strategy NAME=SYMBOLS` for
each, and `--param NAME.PARAMETER=VALUE` by the name. A name is the strategy's own, or its class for
a file; the second of one name is `NAME-2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer

from hean.backtest.run import BacktestSettings, strategies_of
from hean.backtest.sharing import Seat, Sharing
from hean.cli_options import ACCOUNT
from hean.cli_strategy import blamed, build_strategy
from hean.cli_values import listings_of, pairs_of
from hean.core.parameters import Value
from hean.data.problems import shown
from hean.errors import ParameterInvalid
from hean.portfolio.allocation import AllocationSettings, Rule
from hean.strategies.base import Strategy
from hean.watchdog import Watchdog

REBALANCE_MAX = 365
AllocationOption = Annotated[
    Rule | None,
    typer.Option(
        "--allocation",
        help="How several strategies divide the capital. Default: each sizes by all of it.",
        rich_help_panel=ACCOUNT,
    ),
]
RebalanceOption = Annotated[
    int | None,
    typer.Option(
        "--rebalance",
        metavar="DAYS",
        min=1,
        max=REBALANCE_MAX,
        help="Between two divisions, at 00:00 UTC. Default: 7.",
        rich_help_panel=ACCOUNT,
    ),
]


@dataclass(frozen=True, kw_only=True)
class DivisionOptions:
    """How several strategies divide the capital of their account."""

    allocation: AllocationOption = None
    rebalance: RebalanceOption = None

    def settings(self) -> AllocationSettings | None:
        """*Raises*: `ParameterInvalid` for a time without a rule."""
        if self.allocation is None:
            if self.rebalance is not None:
                raise ParameterInvalid("--rebalance is for --allocation; give a rule as well.")
            return None
        settings = AllocationSettings(self.allocation)
        if self.rebalance is None:
            return settings
        return msgspec.structs.replace(settings, every_days=self.rebalance)


def sharing_of(
    specs: Sequence[str],
    symbols: Sequence[str],
    params: Sequence[str],
    allocation: AllocationSettings | None,
) -> Sharing:
    """The seats of several strategies. *Raises*: `ParameterInvalid`, `UnknownSymbol`."""
    if symbols:
        raise ParameterInvalid(
            f"--symbol {shown(symbols[0])} with several strategies: say whose it is, as --strategy "
            "impulse=BTCUSDT."
        )
    names = _names([_split(text)[0] for text in specs])
    given = _given(params, names)
    seats = []
    for name, text in zip(names, specs, strict=True):
        strategy, its = _split(text)
        seats.append(Seat(name, strategy, listings_of(its.split(",")), given[name]))
    owners: dict[str, str] = {}
    for seat in seats:
        for symbol in seat.symbols:
            if symbol in owners:
                raise ParameterInvalid(
                    f"--strategy {seat.name} and {owners[symbol]} both trade {symbol}; the venue "
                    "has one position for both. Give each its own (docs/adr/0017)."
                )
            owners[symbol] = seat.name
    return Sharing(tuple(seats), allocation)


def several_settings(sharing: Sharing, **rest: Any) -> BacktestSettings:
    """Settings of a run of all of them."""
    first = sharing.seats[0]
    symbols = tuple(symbol for seat in sharing.seats for symbol in seat.symbols)
    return BacktestSettings(
        strategy=first.strategy, symbols=symbols, given=first.given, sharing=sharing, **rest
    )


def build_all(settings: BacktestSettings, watchdog: Watchdog) -> list[Strategy]:
    """The strategies of a run, as `build_strategy`."""
    if settings.works is not None:
        settings.works.built()  # refuses before any data is read
        if not settings.strategy:
            return strategies_of(settings)
    if settings.seats is None:
        symbols = settings.strategy_symbols
        return [build_strategy(settings.strategy, symbols, settings.given, watchdog=watchdog)]
    return settings.seats.built(
        lambda seat: build_strategy(seat.strategy, seat.symbols, seat.given, watchdog=watchdog)
    )


def blame_all(
    settings: BacktestSettings, built: Sequence[Strategy], watchdog: Watchdog
) -> ExitStack:
    """`blamed` for each of them."""
    specs = [settings.strategy]
    if settings.seats is not None:
        specs = [seat.strategy for seat in settings.seats.seats]
    stack = ExitStack()
    for strategy, spec in zip(built, specs, strict=True):
        stack.enter_context(blamed(strategy, watchdog, spec=spec))
    return stack


def _split(text: str) -> tuple[str, str]:
    strategy, equals, symbols = text.rpartition("=")
    if not equals or not strategy or not symbols:
        raise ParameterInvalid(
            f"--strategy {shown(text)}: one of several; say what it trades, as impulse=BTCUSDT, "
            "with commas between symbols."
        )
    return strategy, symbols


def _names(specs: Sequence[str]) -> list[str]:
    found: list[str] = []
    for spec in specs:
        plain = spec.rpartition(":")[2]
        number, name = 1, plain
        while name in found:
            number += 1
            name = f"{plain}-{number}"
        found.append(name)
    return found


def _given(params: Sequence[str], names: Sequence[str]) -> Mapping[str, dict[str, Value]]:
    """Parameters by strategy."""
    found: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key, value in pairs_of(params, "--param").items():
        name, dot, parameter = key.partition(".")
        if not dot or name not in found:
            raise ParameterInvalid(
                f"--param {shown(key)}: say whose it is, one of {', '.join(names)}, as "
                f"{names[0]}.window=48."
            )
        found[name][parameter] = value
    return found
