# SPDX-License-Identifier: Apache-2.0
"""`config.py`: the one place that reads settings. `load` takes command line, environment, `.env`
and a TOML file, in this order of rank, and gives typed `Settings` that know where each value came
from, or one error with everything that is wrong, each with its place. What the settings are stands
in `config_table.py`; everybody else receives values and looks at no variable.

Nothing is ignored: a name nobody knows refuses to start and is told the nearest known one, and a
value that another place outranks is judged all the same. An empty variable is one that is not set.
Numbers of the file may be written in any way TOML knows; elsewhere in plain digits.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from hean.config_kinds import Exactly, Unfit
from hean.config_rows import Origin, Row, Source
from hean.config_sources import (
    SECRET_BYTES_MAX,
    Given,
    Unreadable,
    flattened,
    parents,
    read_dotenv,
    read_toml,
    shown_path,
    text_of,
)
from hean.config_table import ROWS, SECTIONS, Settings
from hean.config_views import (
    endpoints_of,
    engine_limits,
    keys_of,
    live_endpoints_of,
    live_market,
    masked,
    option_of,
    places_of,
    require,
    scrub,
    signer_of,
)
from hean.data.problems import PROBLEMS_SHOWN, shown
from hean.errors import HeanError, ParameterInvalid

__all__ = [
    "Origin", "Settings", "Source", "endpoints_of", "engine_limits", "keys_of", "live_endpoints_of",
    "live_market", "load", "masked", "places_of", "require", "scrub", "signer_of",
]  # fmt: skip

FOREIGN = (
    "HEAN_TWIN_",
    "HEAN_SHARED",
    "HEAN_FREQTRADE_S",
    "HEAN_STACK_",
    "HEAN_CACHE_",
    "COMPOSE_",
)
"""Beginnings of variables that the twin, the tests, and the containers around it read."""
OWN_PREFIX = "HEAN_"
NAME_LENGTH_MAX = 64  # compared with the known names; a longer one is none of them anyway
SLIP_LENGTH_MIN, SLIP_LIKENESS_MIN = 8, 0.9  # so like one of ours is no other program's variable
PARAMS = "strategy.params"
POOL = ("db_pool_size", "db_max_overflow")
BATCH = ("feature_batch_size", "feature_batch_timeout")
_FILE = "_FILE"

_BY_VARIABLE = {row.variable: key for key, row in ROWS.items() if row.variable}
_SECRETS = {row.variable for row in ROWS.values() if row.variable and row.is_secret}
VARIABLES = frozenset(_BY_VARIABLE) | {f"{name}{_FILE}" for name in _SECRETS}
"""Every variable that is read. A secret may be a file, named by its variable with `_FILE`."""
_BY_FILE_KEY = {
    f"{key}{_FILE.lower()}" if row.is_secret else key: key
    for key, row in ROWS.items()
    if row.in_file
}
Layer = dict[str, Given]


def load(
    cli: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Path | None = None,
    file: Path | None = None,
) -> Settings:
    """All settings. *cli*: values by name such as `limits.leverage_max`; `None` is not given.
    *file*: of `--config`; without it that of `HEAN_CONFIG`.

    *Raises*: `ParameterInvalid` with up to 50 sentences: file and line, name, what is allowed.
    """
    return _Loading().settings(cli, environ, dotenv, file)


class _Loading:
    """One run of `load`: collects what is wrong, so that one run shows it all."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.warnings: list[str] = []

    def settings(
        self,
        cli: Mapping[str, object],
        environ: Mapping[str, str],
        dotenv: Path | None,
        file: Path | None,
    ) -> Settings:
        """Read, judge, join."""
        layers: dict[Source, Layer] = {
            Source.CLI: self._options(cli),
            Source.ENVIRONMENT: self._environment(environ),
            Source.DOTENV: self._dotenv(dotenv) if dotenv else {},
        }
        named = next((layer["config"] for layer in layers.values() if "config" in layer), None)
        if file is not None:
            layers[Source.CLI]["config"] = Given(str(file), "--config", "--config")
        elif named is not None:
            file = Path(str(named.value)).expanduser()
        layers[Source.FILE] = self._toml(file) if file else {}
        self._join_params(layers)
        values, origins = self._judged(layers)
        self._refuse_if_wrong()
        _follow_testnet(values, origins)
        self._follow_grafana(values, origins)
        why = "it is for an SQL server, and the store is SQLite"
        if "store_url" in origins:
            why = "the store is written over one connection, and nothing else reads it"
        self._tell_idle(origins, POOL, why)
        why = "a model answers each row at once; rows that wait for others would be too late"
        self._tell_idle(origins, BATCH, why)
        settings: Settings = _built(
            Settings, values, origins=origins, warnings=tuple(self.warnings)
        )
        self._check_together(settings)
        self._refuse_if_wrong()
        return settings

    # ------------------------------------------------------------ places

    def _options(self, cli: Mapping[str, object]) -> Layer:
        layer: Layer = {}
        for key, value in cli.items():
            option = option_of(key)
            if key not in ROWS:
                self._unknown(Given(value, key, option), ROWS, "setting")
            elif value is not None:
                layer[key] = Given(value, option, option, isinstance(value, str))
        return layer

    def _environment(self, environ: Mapping[str, str]) -> Layer:
        for name in environ:
            if name not in VARIABLES and not name.startswith(FOREIGN):
                self._judge_foreign(name)
        names = {
            name: Given(value, name, name)
            for name, value in environ.items()
            if name in VARIABLES and value
        }
        for name in sorted(_SECRETS & names.keys()):
            self.warnings.append(
                f"{name} lies open in the environment; better name a file of mode 0600 with "
                f"{name}{_FILE}."
            )
        return self._by_key(names)

    def _judge_foreign(self, name: str) -> None:
        """A variable nobody here knows is another program's, unless it is a slip of one of ours."""
        likeness = 0.0 if name.startswith(OWN_PREFIX) else SLIP_LIKENESS_MIN
        if len(name) < SLIP_LENGTH_MIN or len(name) > NAME_LENGTH_MAX:
            return
        if near := difflib.get_close_matches(name, VARIABLES, n=1, cutoff=likeness):
            self.wrong.append(
                f"unknown variable {shown(name)}; nearest {near[0]}. Correct or unset it."
            )

    def _dotenv(self, path: Path) -> Layer:
        try:
            names = read_dotenv(path)
            if any(name in _SECRETS and given.value for name, given in names.items()):
                text_of(path, is_private=True)
        except Unreadable as error:
            self.wrong.extend(error.lines)
            return {}
        for name, given in names.items():
            if name not in VARIABLES and not name.startswith(FOREIGN):
                self._unknown(given, VARIABLES, "variable")
        return self._by_key(
            {name: given for name, given in names.items() if name in VARIABLES and given.value},
            is_dotenv=True,
        )

    def _toml(self, path: Path) -> Layer:
        try:
            tree, lines = read_toml(path)
        except Unreadable as error:
            self.wrong.extend(error.lines)
            return {}
        layer: Layer = {}
        for key, value in flattened(tree, frozenset(SECTIONS)):
            at = next((at for at in parents(key) if at in lines), None)
            place = shown_path(path) + (f":{lines[at]}" if at else "")
            given = Given(value, key, place, is_text=False)
            found = _BY_FILE_KEY.get(key)
            if found is None:
                self._unknown(given, _BY_FILE_KEY, "key")
            elif ROWS[found].is_secret:
                self._take_file(layer, found, given)
            else:
                layer[found] = given
        return layer

    def _unknown(self, given: Given, known: Collection[str], what: str) -> None:
        hint = ""
        name = given.name.rpartition(".")[2].upper()
        if what == "key" and name in _BY_VARIABLE:
            hint = _file_hint(_BY_VARIABLE[name])
        elif len(self.wrong) < PROBLEMS_SHOWN:  # comparing is slow, and no further one is shown
            near = difflib.get_close_matches(given.name[:NAME_LENGTH_MAX], known, n=1, cutoff=0.0)
            hint = f"nearest {near[0]}" if near else ""
        self.wrong.append(f"{given.place}: unknown {what} {shown(given.name)}; {hint}.")

    def _by_key(self, names: Mapping[str, Given], *, is_dotenv: bool = False) -> Layer:
        """From variables to settings; secrets are fetched from their files."""
        layer: Layer = {}
        for name, given in names.items():
            key = _BY_VARIABLE.get(name)
            if key is None:
                variable = name.removesuffix(_FILE)
                if variable in names:
                    self.wrong.append(f"{variable} and {name} are both set; set one of them.")
                else:
                    self._take_file(layer, _BY_VARIABLE[variable], given)
            elif is_dotenv and not ROWS[key].in_dotenv:
                self.wrong.append(f"{given.place}: {name} counts in the environment only.")
            else:
                layer[key] = given
        return layer

    def _take_file(self, layer: Layer, key: str, given: Given) -> None:
        """The secret in the file that *given* names."""
        if not isinstance(given.value, str) or _has_reference(given.value):
            self.wrong.append(f"{_subject(given)} is not a path.")
            return
        try:
            path = Path(given.value).expanduser()
            text = text_of(path, bytes_max=SECRET_BYTES_MAX, is_private=True)
        except (Unreadable, RuntimeError) as error:
            self.wrong.append(f"{_subject(given)}: {error}")
        else:
            layer[key] = Given(text, given.name, given.place, file=str(path))

    # ------------------------------------------------------------ values

    def _judged(self, layers: Mapping[Source, Layer]) -> tuple[dict[str, Any], dict[str, Origin]]:
        """The value of each setting from the first place that has one."""
        values: dict[str, Any] = {}
        origins: dict[str, Origin] = {}
        for source, layer in layers.items():
            for key, given in layer.items():
                try:
                    value = self._value(ROWS[key], given)
                except Unfit as error:
                    what = f" {shown(given.value)}" if ROWS[key].is_public else ""
                    verb = " is" if what and source is not Source.CLI else ""
                    file = f" ({given.file})" if given.file else ""
                    self.wrong.append(f"{_subject(given)}{file}{verb}{what}; allowed: {error}.")
                    continue
                if key not in origins:
                    values[key], origins[key] = value, Origin(source, given.place)
        return values, origins

    def _value(self, row: Row, given: Given) -> Any:
        text = given.value
        if not isinstance(text, str):
            return row.kind.of_value(text)
        if _has_reference(text):
            raise Unfit("the value itself; ${...} is not filled in here")
        if row.is_secret and text != text.strip():
            self.warnings.append(f"{given.name}: blanks or a line end around it were cut off.")
            text = text.strip()
        value = row.kind.of_text(text) if given.is_text else row.kind.of_value(text)
        if isinstance(row.kind, Exactly) and not value:
            self.warnings.append(f"{given.name} is set, but does not confirm anything.")
        return value

    def _join_params(self, layers: Mapping[Source, Layer]) -> None:
        """Options outrank single parameters of the file; another strategy has none of them."""
        cli, file = layers[Source.CLI], layers[Source.FILE]
        if PARAMS not in file:
            return
        named, in_file = cli.get("strategy.name"), file.get("strategy.name")
        if named is not None and (in_file is None or named.value != in_file.value):
            self.warnings.append(f"{file[PARAMS].place}: not used, --strategy names another one.")
            del file[PARAMS]
        elif PARAMS in cli and isinstance(params := file[PARAMS].value, dict):
            both = params | cast(dict[str, object], cli[PARAMS].value)
            cli[PARAMS] = Given(both, "--param", "--param", is_text=False)

    def _tell_idle(self, origins: Mapping[str, Origin], keys: tuple[str, ...], why: str) -> None:
        """Settings that are taken and change nothing, with the reason."""
        self.warnings.extend(
            f"{origins[key].place}: no effect; {why}." for key in keys if key in origins
        )

    def _follow_grafana(self, values: dict[str, Any], origins: dict[str, Origin]) -> None:
        """Two names of one password: the first feeds the second."""
        ours, theirs = "grafana_password", "gf_security_admin_password"
        if ours in values and theirs in values and values[ours] != values[theirs]:
            self.wrong.append(f"{ours.upper()} and {theirs.upper()} differ; set the first alone.")
        elif ours in values:
            values[theirs], origins[theirs] = values[ours], origins[ours]

    # ------------------------------------------------------------ together

    def _check_together(self, settings: Settings) -> None:
        """What contradicts itself; each sentence names both sides."""
        if settings.enable_paper_trading is False and (
            settings.dry_run or not settings.live_confirm
        ):
            self.wrong.append(
                "ENABLE_PAPER_TRADING=false alone is refused: it never makes a session live. "
                "Unset it, or give the other factors of the live gate as well."
            )
        limits = settings.limits
        sizes = [
            (name, value)
            for name in ("order_value_max", "position_value_max", "gross_value_max")
            if (value := getattr(limits, name)) is not None
        ]
        for (small, low), (large, high) in pairwise(sizes):
            if low > high:
                self.wrong.append(
                    f"limits.{small} {low:f} is above limits.{large} {high:f}"
                    f"{_places(settings, small, large)}; it could never be reached."
                )
        try:
            endpoints_of(settings)
        except HeanError as error:
            self.wrong.append(error.message)

    def _refuse_if_wrong(self) -> None:
        if not self.wrong:
            return
        first = self.wrong[:PROBLEMS_SHOWN]
        if len(self.wrong) == 1:
            raise ParameterInvalid(first[0])
        more = len(self.wrong) - len(first)
        tail = [f"  ... and {more} more"] if more else []
        body = [f"  {each}" for each in first]
        raise ParameterInvalid("\n".join([f"{len(self.wrong)} settings are wrong:", *body, *tail]))


def _built(kind: Callable[..., Any], values: Mapping[str, Any], at: str = "", **rest: Any) -> Any:
    """An object of *kind* with the values that were given, defaults for the others."""
    for key, section in SECTIONS.items():
        if key.startswith(at) and "." not in key.removeprefix(at):
            rest[key.removeprefix(at)] = _built(section, values, f"{key}.")
    for key, row in ROWS.items():
        name = key.removeprefix(at)
        if key.startswith(at) and "." not in name:
            rest[name] = values[key] if key in values else _default(row)
    return kind(**rest)


def _default(row: Row) -> Any:
    return row.default.expanduser() if isinstance(row.default, Path) else row.default


def _follow_testnet(values: dict[str, Any], origins: dict[str, Origin]) -> None:
    """A venue's own variable says which network, for this venue, unless an option does."""
    own = f"{values.get('exchange', ROWS['exchange'].default)}_testnet"
    is_option = "testnet" in origins and origins["testnet"].source is Source.CLI
    if own in values and not is_option:
        values["testnet"], origins["testnet"] = values[own], origins[own]


def _has_reference(text: str) -> bool:
    return "${" in text


def _subject(given: Given) -> str:
    """Where and which, as the beginning of a sentence."""
    return given.name if given.place == given.name else f"{given.place}: {given.name}"


def _file_hint(key: str) -> str:
    """How a setting whose variable stands in the file is written there."""
    row = ROWS[key]
    if not row.in_file:
        return "it counts as a variable of the environment"
    if row.is_secret:
        return f"a secret does not belong there; name its file with {key}{_FILE.lower()}"
    return f"in the file it is called {key}"


def _places(settings: Settings, *limits: str) -> str:
    found = [settings.origins.get(f"limits.{name}") for name in limits]
    return f" ({', '.join(origin.place if origin else 'default' for origin in found)})"
