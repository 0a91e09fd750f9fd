# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, each group in one class, and how they become settings. A
command takes a group as one parameter; on the command line each field is an option like any other,
where the group stands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.assumptions import Assumptions
from hean.backtest.sharing import Sharing
from hean.cli_settings import limits_given, settings_from
from hean.cli_several import sharing_of
from hean.config import Settings, require
from hean.errors import ParameterInvalid
from hean.portfolio.allocation import AllocationSettings
from hean.risk.sizing import SizingMethod
from hean.system import AccountSettings


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

    strategy: options.StrategiesOption = None
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

    def sharing(self, allocation: AllocationSettings | None) -> Sharing | None:
        """Several strategies on one account, `None` for one alone. *Raises*: `ParameterInvalid`."""
        strategies = self.strategy or []
        if len(strategies) > 1:
            return sharing_of(strategies, self.symbols or [], self.param or [], allocation)
        if allocation is not None:
            raise ParameterInvalid("--allocation is between several strategies; there is one.")
        return None

    def settings(self, sharing: Sharing | None = None, /, **more: object) -> Settings:
        """The same, with a strategy and symbols, or it is refused. *sharing*: of several, whose
        first the settings name, with the symbols of all.
        """
        known = self.any_settings(sharing, **more)
        require(known, "strategy.name", "symbols")
        if sharing is not None and known.strategy.params:
            place = known.origins["strategy.params"].place
            raise ParameterInvalid(
                f"{place}: strategy.params with several strategies: say whose they are, as --param "
                f"{sharing.seats[0].name}.NAME=VALUE."
            )
        return known

    def any_settings(self, sharing: Sharing | None = None, /, **more: object) -> Settings:
        """The same, perhaps without a strategy and symbols."""
        given: dict[str, object] = {
            **self._players(sharing),
            "bar": self.bar,
            "depth": self.depth,
            "cash": self.cash,
            "sizing": self.sizing,
            "fraction": self.fraction,
            "track_record": self.track_record,
            "seed": self.seed,
            "duration": self.duration,
        }
        return super().settings(**given, **limits_given(self.limit, self.leverage), **more)

    def _players(self, sharing: Sharing | None) -> dict[str, object]:
        """Who trades what, as settings."""
        if sharing is not None:
            symbols = [symbol for seat in sharing.seats for symbol in seat.symbols]
            return {"symbols": joined(symbols), "strategy.name": sharing.seats[0].strategy}
        strategies = self.strategy or []
        if len(strategies) > 1:
            raise ParameterInvalid(
                f"--strategy {strategies[1]}: one strategy trades here; several on one account: "
                "hean paper, hean serve, hean backtest."
            )
        return {
            "symbols": joined(self.symbols),
            "strategy.name": next(iter(strategies), None),
            "strategy.params": values.params_of(self.param) if self.param else None,
        }


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """Account and exchange of commands that play a recording; each option has its default here."""

    cash: options.CashOption = "10000"
    leverage: options.LeverageOption = "3"
    sizing: options.SizingOption = SizingMethod.FIXED_FRACTION
    fraction: options.FractionOption = 0.5
    track_record: options.TrackRecordOption = None
    limit: options.LimitOption = None
    fees: options.FeesOption = None
    latency: options.LatencyOption = "50ms"
    slippage: options.SlippageOption = values.SLIPPAGE

    def account(self) -> AccountSettings:
        """Money and rules. *Raises*: `ParameterInvalid`, `UnknownField`, `NotADecimal`."""
        sizing = (self.sizing, self.fraction, self.track_record)
        return values.account_of(self.cash, self.leverage, sizing, limits=self.limit or ())

    def exchange(
        self, account: AccountSettings, queue: options.Queue = options.Queue.LOG
    ) -> Assumptions:
        """How the simulated exchange treats this account. *Raises*: `ParameterInvalid`."""
        return values.assumptions_of(
            self.fees, self.latency, self.slippage, queue=queue, leverage=account.leverage
        )


def joined(symbols: list[str] | None) -> str | None:
    """Symbols as the settings have them."""
    return ",".join(symbols) if symbols else None


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make of a command with groups among its parameters one that takes their fields as options."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    named = {name: [field.name for field in fields(hint)] for name, hint in groups.items()}
    parameters: list[Parameter] = []
    for each in signature(command).parameters.values():
        if each.name in groups:
            parameters += _options(groups[each.name])
        else:
            parameters.append(each.replace(annotation=hints[each.name]))

    @functools.wraps(command)
    def gathered(**given: Any) -> None:
        taken = {
            name: groups[name](**{field: given.pop(field) for field in its})
            for name, its in named.items()
        }
        command(**taken, **given)

    hidden: Any = gathered  # what Typer reads
    hidden.__annotations__ = {each.name: each.annotation for each in parameters}
    hidden.__signature__ = Signature(parameters)
    return gathered


def _options(group: Any) -> list[Parameter]:
    """The fields of a group as parameters."""
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(group)
    ]


def said(group: Any, *, but: tuple[str, ...] = ()) -> list[str]:
    """The words that give a group its values, without those that are defaults. *but*: fields that
    are said elsewhere.
    """
    hints = get_type_hints(type(group), include_extras=True)
    words: list[str] = []
    for field in fields(group):
        value = getattr(group, field.name)
        if value == field.default or field.name in but:
            continue
        (option,) = hints[field.name].__metadata__
        on, _, off = option.default.partition("/")  # inside Annotated, Typer takes the name there
        if isinstance(value, bool):
            words.append(on if value else off)
            continue
        for each in value if isinstance(value, list) else [value]:
            words += [on, str(each)]
    return words
