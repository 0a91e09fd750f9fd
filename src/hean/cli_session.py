# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, each group in one class, and how they become settings. A
command takes the group as its first parameter; on the command line each field is an option like any
other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, get_type_hints

from hean import cli_options as options
from hean import cli_values as values
from hean.cli_settings import limits_given, settings_from
from hean.config import Settings, require

Group = TypeVar("Group")


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """Which market of which venue."""

    exchange: options.ExchangeOption = None
    market: options.MarketOption = None
    testnet: options.TestnetOption = None
    config: options.ConfigOption = None

    def settings(self, **more: object) -> Settings:
        """Together with environment and files. *more*: settings of the command's own options, by
        name, `None` where nothing was given. *Raises*: `ParameterInvalid`.
        """
        given = {"exchange": self.exchange, "market": self.market, "testnet": self.testnet}
        return settings_from(given | more, self.config)


@dataclass(frozen=True, kw_only=True)
class SessionOptions(VenueOptions):
    """What trades there, with what, and for how long: on paper or with money."""

    strategy: options.GivenStrategy = None
    symbols: options.SymbolsOption = None
    param: options.ParamOption = None
    bar: options.GivenBar = None
    depth: options.DepthOption = None
    cash: options.GivenCash = None
    leverage: options.GivenLeverage = None
    sizing: options.GivenSizing = None
    fraction: options.GivenFraction = None
    track_record: options.TrackRecordOption = None
    limit: options.LimitOption = None
    seed: options.GivenSeed = None
    duration: options.DurationOption = None
    quiet: options.QuietOption = False

    def settings(self, **more: object) -> Settings:
        """The same, with a strategy and symbols, or it is refused."""
        given: dict[str, object] = {
            "symbols": joined(self.symbols),
            "strategy.name": self.strategy,
            "strategy.params": values.params_of(self.param) if self.param else None,
            "bar": self.bar,
            "depth": self.depth,
            "cash": self.cash,
            "sizing": self.sizing,
            "fraction": self.fraction,
            "track_record": self.track_record,
            "seed": self.seed,
            "duration": self.duration,
        }
        known = super().settings(**given, **limits_given(self.limit, self.leverage), **more)
        require(known, "strategy.name", "symbols")
        return known


def joined(symbols: list[str] | None) -> str | None:
    """Symbols as the settings have them."""
    return ",".join(symbols) if symbols else None


def with_options(group: type[Group]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make of a command that takes a *group* first one that takes its fields as options."""
    shared = get_type_hints(group, include_extras=True)
    named = {field.name: field.default for field in fields(group)}  # type: ignore[arg-type]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        first, *own = signature(command).parameters.values()
        hints = get_type_hints(command, include_extras=True)
        del hints[first.name]

        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            taken = {name: given.pop(name) for name in named}
            command(group(**taken), **given)

        hidden: Any = gathered  # what Typer reads
        hidden.__annotations__ = {**shared, **hints}
        hidden.__signature__ = Signature(
            [
                *(
                    Parameter(name, Parameter.KEYWORD_ONLY, default=value, annotation=shared[name])
                    for name, value in named.items()
                ),
                *(each.replace(annotation=hints[each.name]) for each in own),
            ]
        )
        return gathered

    return decorate
