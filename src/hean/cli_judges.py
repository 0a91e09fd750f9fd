# SPDX-License-Identifier: Apache-2.0
"""Who else judges, from the options of a command and from settings to records: each is switched on
by its own option, and `--set SECTION.NAME=VALUE` sets its numbers under the names of the file. A
number for somebody who is not there is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from hean.cli_values import pairs_of
from hean.config import Settings, load
from hean.config_table import JUDGES, ROWS
from hean.data.problems import shown
from hean.errors import ParameterInvalid
from hean.judges import Judges, Volatility
from hean.models.changepoint import ChangepointSettings
from hean.models.garch import GarchSettings
from hean.models.kalman import HedgeSettings
from hean.models.regime import RegimeSettings
from hean.risk.changepoint_breaker import ChangeLimits
from hean.risk.drawdown import LossLimits
from hean.risk.memory import MemorySettings
from hean.system import AccountSettings

PANEL = "Judges"
KEYS = tuple(key for key in ROWS if key.partition(".")[0] in JUDGES)


def _switch(name: str, meaning: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", help=meaning, rich_help_panel=PANEL)


VolatilityOption = Annotated[
    Volatility | None,
    typer.Option(
        "--volatility",
        help="Whose forecast: ewma (default), where one is needed; garch, always.",
        rich_help_panel=PANEL,
    ),
]
ChangepointOption = Annotated[bool | None, _switch("changepoint", "Detector of changes.")]
BreakerOption = Annotated[
    bool | None, _switch("breaker", "Less risk where the market has just changed.")
]
KalmanOption = Annotated[
    bool | None, _switch("kalman", "Hedge ratio of a pair, whose spread the detector watches.")
]
RegimeOption = Annotated[bool | None, _switch("regime", "Model of calm and wild.")]
MemoryOption = Annotated[bool | None, _switch("memory", "Refuses contexts that keep losing.")]
LossesOption = Annotated[
    bool | None, _switch("losses", "Losses: only reductions, then closed, then locked.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="JUDGE.NAME=VALUE",
        help="Such as losses.daily_flatten=0.04; names: hean settings. May be repeated.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Who judges beside the strategy; `None` is not said."""

    volatility: VolatilityOption = None
    changepoint: ChangepointOption = None
    breaker: BreakerOption = None
    kalman: KalmanOption = None
    regime: RegimeOption = None
    memory: MemoryOption = None
    losses: LossesOption = None
    set_values: SetOption = None

    def given(self) -> dict[str, object]:
        """By name of setting. *Raises*: `ParameterInvalid` for a name nobody knows."""
        switches: dict[str, object] = {
            f"{name}.on": getattr(self, name) for name in JUDGES if name != "volatility"
        }
        model = None if self.volatility is None else str(self.volatility)
        return {"volatility.model": model} | switches | _set(self.set_values or ())

    def judged(self, account: AccountSettings) -> AccountSettings:
        """The account with those that the options choose. *Raises*: `ParameterInvalid`."""
        given = self.given()
        if all(value is None for value in given.values()):
            return account
        return judged(account, load(given, {}))


def _set(texts: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, text in pairs_of(texts, "--set").items():
        if key not in KEYS:
            near = difflib.get_close_matches(key[:100], KEYS, n=1, cutoff=0.0)
            raise ParameterInvalid(f"--set {shown(key)} is not known; nearest {near[0]}.")
        if ROWS[key].option:
            raise ParameterInvalid(f"--set {key}: {ROWS[key].option} says so; give that.")
        found[key] = text
    return found


def judged(account: AccountSettings, settings: Settings) -> AccountSettings:
    """The account with the judges of the settings. *Raises*: `ParameterInvalid`."""
    judges, memory = judges_of(settings)
    return msgspec.structs.replace(
        account, memory=memory, judges=judges if judges.names() else UNSET
    )


def judges_of(settings: Settings) -> tuple[Judges, MemorySettings | None]:
    """Those that the settings choose, and the memory. *Raises*: `ParameterInvalid`, also for a
    value of somebody who is not chosen.
    """
    _refuse_idle(settings)
    changes = settings.changepoint
    judges = Judges(
        garch=_made(GarchSettings, settings.volatility, settings.volatility.model == "garch"),
        changepoint=_made(ChangepointSettings, changes, changes.on or settings.breaker.on),
        breaker=_made(ChangeLimits, settings.breaker, settings.breaker.on),
        kalman=_hedge(settings),
        regime=_made(RegimeSettings, settings.regime, settings.regime.on),
        losses=_made(LossLimits, settings.losses, settings.losses.on),
    )
    if not settings.memory.on:
        return judges, None
    bounds = float(settings.memory.sigma_calm), float(settings.memory.sigma_wild)
    if bounds[0] > bounds[1]:
        raise ParameterInvalid(
            f"memory: sigma_calm {bounds[0]:g} is above sigma_wild {bounds[1]:g}; exchange them."
        )
    memory = MemorySettings(
        sigma_bounds=bounds,
        cost_fraction=float(settings.memory.cost_fraction),
        alarm_probability=float(settings.memory.alarm_probability),
    )
    return judges, memory


def _made(kind: Any, section: Any, is_chosen: bool) -> Any:
    """The record of that kind with the values of a section, `None` if it is not chosen."""
    if not is_chosen:
        return None
    values = {
        each.name: getattr(section, each.name)
        for each in fields(section)
        if each.name in kind.__struct_fields__
    }
    return kind(**{k: float(v) if isinstance(v, Decimal) else v for k, v in values.items()})


def _hedge(settings: Settings) -> HedgeSettings | None:
    """Of the pair that is named, or of the first two symbols."""
    section = settings.kalman
    if not section.on:
        return None
    pair = section.pair or "/".join(settings.symbols[:2])
    legs = pair.split("/")
    if len(legs) != 2 or legs[0] == legs[1] or not set(legs) <= set(settings.symbols or legs):
        raise ParameterInvalid(
            f"kalman: pair {shown(pair)!r}; two symbols of the run are due as Y/X, as in "
            "--set kalman.pair=ETHUSDT/BTCUSDT."
        )
    return HedgeSettings(
        pair,
        float(section.q_beta),
        float(section.q_alpha),
        float(section.observation),
        section.window,
    )


def _refuse_idle(settings: Settings) -> None:
    """A value for somebody who does not judge would change nothing, and nobody would know."""
    chosen = {
        "volatility": settings.volatility.model == "garch",
        "changepoint": settings.changepoint.on or settings.breaker.on,
        **{
            name: getattr(settings, name).on
            for name in ("kalman", "breaker", "regime", "memory", "losses")
        },
    }
    for key, origin in settings.origins.items():
        section, _, name = key.rpartition(".")
        switch = "model" if section == "volatility" else "on"
        said = f"{section}.{switch}" in settings.origins
        if section in chosen and not chosen[section] and name != switch and not said:
            wanted = '"garch"' if switch == "model" else "true"
            raise ParameterInvalid(
                f"{origin.place}: {key} has no effect while {section} does not judge; give "
                f"--{section}{' garch' if switch == 'model' else ''}, or {section}.{switch} = "
                f"{wanted} in the file."
            )
