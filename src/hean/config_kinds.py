# SPDX-License-Identifier: Apache-2.0
"""`config_kinds.py`: what a setting may be. A kind turns the text of a variable or option
(`of_text`) or a value of the TOML file (`of_value`) into one typed value, or raises `Unfit` with
what is allowed. Nothing is guessed: booleans are `true` and `false`, numbers are plain decimals,
fractions are not percent. A kind never repeats what it was given, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from hean.core.listing import MARK, listing_of
from hean.core.timeframe import timeframe_ns
from hean.errors import HeanError
from hean.secret import Secret

TEXT_LENGTH_MAX = 4_096  # no setting is longer; a longer one is some other file
NUMBER_LENGTH_MAX = 40
SYMBOLS_MAX = 500  # neither venue lets one connection hear more
PARAMS_MAX = 200
OFF = "off"
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_SYMBOL = re.compile(r"[A-Z0-9]{2,20}")
KNOWN_PASSWORDS = frozenset(
    (
        *("admin", "admin123", "password", "changeme", "secret", "123456"),
        *("your_api_key", "your_api_secret"),
        *("strong_password", "your_secure_password", "your_strong_password"),
    )
)
"""Defaults of products and samples of documents: everybody knows them."""


class Unfit(ValueError):
    """A value that does not fit; the text says what is allowed."""


class Kind(Protocol):
    """How a setting is read."""

    def of_text(self, text: str) -> Any:
        """From a variable or an option. *Raises*: `Unfit`."""

    def of_value(self, value: object) -> Any:
        """From TOML. *Raises*: `Unfit`."""


class _OnlyText:
    """TOML gives the same text as a variable does, in quotes."""

    def of_text(self, text: str) -> Any:
        """From a variable or an option."""
        raise NotImplementedError

    def of_value(self, value: object) -> Any:
        """From TOML."""
        if not isinstance(value, str):
            raise Unfit("text in quotes")
        if not value:
            raise Unfit("some text; leave the line out instead")
        return self.of_text(value)


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`, nothing else."""

    def of_text(self, text: str) -> bool:
        """From a variable or an option."""
        if text not in ("true", "false"):
            raise Unfit("true or false")
        return text == "true"

    def of_value(self, value: object) -> bool:
        """From TOML."""
        if not isinstance(value, bool):
            raise Unfit("true or false, without quotes")
        return value


class DryRun(Truth):
    """Anyone may make a run dry; only the configuration file may say that it is not."""

    def of_text(self, text: str) -> bool:
        """From a variable: a stray one must not be able to open the gate."""
        if not super().of_text(text):
            raise Unfit("true; false counts in the configuration file only, as dry_run = false")
        return True


@dataclass(frozen=True, slots=True)
class Exactly:
    """True for one word and nothing that looks like it. No text is refused."""

    word: str

    def of_text(self, text: str) -> bool:
        """From a variable."""
        return text == self.word

    def of_value(self, value: object) -> bool:
        """Never from TOML."""
        raise Unfit("a variable of the environment")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    low: int
    high: int

    def of_text(self, text: str) -> int:
        """From a variable or an option."""
        match = _PLAIN_NUMBER.fullmatch(text) if len(text) <= NUMBER_LENGTH_MAX else None
        if match is None or match[2]:
            raise Unfit(f"a whole number from {self.low} to {self.high}, plain digits")
        return self.of_value(int(text))

    def of_value(self, value: object) -> int:
        """From TOML."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unfit(f"a whole number from {self.low} to {self.high}, without quotes")
        if not self.low <= value <= self.high:
            raise Unfit(f"{self.low} to {self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact decimal. *is_fraction*: of one, so that 5 was probably meant as percent."""

    low: Decimal
    high: Decimal
    is_fraction: bool = False

    def of_text(self, text: str) -> Decimal:
        """From a variable or an option."""
        if len(text) > NUMBER_LENGTH_MAX or not _PLAIN_NUMBER.fullmatch(text):
            raise Unfit(f"{self._range()}, plain digits")
        return self.of_value(Decimal(text))

    def of_value(self, value: object) -> Decimal:
        """From TOML: a number, or money in quotes."""
        match value:
            case str():
                return self.of_text(value)
            case bool():
                raise Unfit(self._range())
            case int() | float() | Decimal():
                amount = Decimal(str(value))
            case _:
                raise Unfit(self._range())
        if not amount.is_finite() or not self.low <= amount <= self.high:
            raise Unfit(self._range())
        return amount

    def _range(self) -> str:
        percent = ", a fraction: 5 % is 0.05" if self.is_fraction else ""
        return f"a number from {self.low:f} to {self.high:f}{percent}"


@dataclass(frozen=True, slots=True)
class OrOff:
    """What *kind* reads, or `off`, which is `None`."""

    kind: Kind

    def of_text(self, text: str) -> Any:
        """From a variable or an option."""
        return None if text == OFF else self._or_off(self.kind.of_text, text)

    def of_value(self, value: object) -> Any:
        """From TOML."""
        return None if value == OFF else self._or_off(self.kind.of_value, value)

    @staticmethod
    def _or_off(read: Any, given: Any) -> Any:
        try:
            return read(given)
        except Unfit as error:
            raise Unfit(f"{error}; or {OFF}") from None


class OneOf:
    """One of a few values."""

    __slots__ = ("values",)

    def __init__(self, *values: object) -> None:
        self.values = values

    def of_text(self, text: str) -> Any:
        """From a variable or an option."""
        for value in self.values:
            if str(value) == text:
                return value
        raise self._unfit()

    def of_value(self, value: object) -> Any:
        """From TOML."""
        if isinstance(value, bool) or value not in self.values:
            raise self._unfit()
        return self.values[self.values.index(value)]

    def _unfit(self) -> Unfit:
        return Unfit(", ".join(map(str, self.values)))


@dataclass(frozen=True, slots=True)
class Text(_OnlyText):
    """Printable text of one line that fits a pattern; *words* says what that is."""

    words: str
    pattern: str = r"[ -~]+"
    length_max: int = 500

    def of_text(self, text: str) -> str:
        """From a variable or an option."""
        if len(text) > self.length_max or not re.fullmatch(self.pattern, text):
            raise Unfit(self.words)
        return text


@dataclass(frozen=True, slots=True)
class Bar(_OnlyText):
    """A bar length such as 1m."""

    def of_text(self, text: str) -> str:
        """From a variable or an option."""
        try:
            timeframe_ns(text)
        except HeanError:
            raise Unfit("a bar length such as 30s, 1m, 4h, 1d") from None
        return text


@dataclass(frozen=True, slots=True)
class File(_OnlyText):
    """A path; `~` is the home folder. *refused*: endings that are not taken, and why."""

    refused: tuple[str, ...] = ()
    reason: str = ""

    def of_text(self, text: str) -> Path:
        """From a variable or an option."""
        if not text.isprintable() or len(text) > TEXT_LENGTH_MAX:
            raise Unfit("a path")
        if text.lower().endswith(self.refused or ("\0",)):
            raise Unfit(self.reason)
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise Unfit("a path of a home folder that exists") from None


@dataclass(frozen=True, slots=True)
class Address(_OnlyText):
    """A base URL without user name, query or fragment, so that it may be shown."""

    schemes: tuple[str, ...]

    def of_text(self, text: str) -> str:
        """From a variable or an option."""
        allowed = f"{self.schemes[0]}:// and a host, without user name and query"
        try:
            parts = urlsplit(text)
            is_plain = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise Unfit(allowed) from None
        extra = parts.username is not None or parts.query or parts.fragment
        if not is_plain or extra or parts.scheme not in self.schemes or not _is_word(text):
            raise Unfit(allowed)
        return text


@dataclass(frozen=True, slots=True)
class Hidden(_OnlyText):
    """A key, password or address with a password in it: one word of plain text."""

    length_min: int = 1
    schemes: tuple[str, ...] = ()

    def of_text(self, text: str) -> Secret:
        """From a variable or a file of its own."""
        if not _is_word(text) or len(text) > TEXT_LENGTH_MAX:
            raise Unfit(f"one word of plain text, found {_shape(text)}")
        if len(text) < self.length_min:
            raise Unfit(f"at least {self.length_min} characters")
        if text.lower() in KNOWN_PASSWORDS:
            raise Unfit("a value of your own; this one is a known default or sample")
        if self.schemes and not text.startswith(tuple(f"{each}://" for each in self.schemes)):
            raise Unfit(" or ".join(f"{each}://..." for each in self.schemes))
        return Secret(text)


@dataclass(frozen=True, slots=True)
class Symbols:
    """A list of symbols without doubles: `BTC/USDT` and `btcusdt` are BTCUSDT."""

    def of_text(self, text: str) -> tuple[str, ...]:
        """From a variable or an option: with commas."""
        return self.of_value(text.split(","))

    def of_value(self, value: object) -> tuple[str, ...]:
        """From TOML: a list."""
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise Unfit('a list such as ["BTCUSDT", "ETHUSDT"]')
        if not 1 <= len(value) <= SYMBOLS_MAX:
            raise Unfit(f"1 to {SYMBOLS_MAX} symbols")
        names = tuple(_symbol(each.strip()) for each in value)
        for name in names:
            if names.count(name) > 1:
                raise Unfit(f"each symbol once; {name} is there twice")
        return names


@dataclass(frozen=True, slots=True)
class Words:
    """A list of words that each fit a pattern, none twice; *words* says what one is."""

    words: str
    pattern: str
    most: int = 20

    def of_text(self, text: str) -> tuple[str, ...]:
        """From a variable or an option: with commas."""
        return self.of_value([each.strip() for each in text.split(",")])

    def of_value(self, value: object) -> tuple[str, ...]:
        """From TOML: a list."""
        allowed = f"up to {self.most}, each {self.words}"
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= self.most:
            raise Unfit(allowed)
        for each in value:
            if not isinstance(each, str) or not re.fullmatch(self.pattern, each, re.ASCII):
                raise Unfit(allowed)
        if len(set(value)) < len(value):
            raise Unfit(f"{allowed}, none twice")
        return tuple(value)


def _symbol(given: str) -> str:
    pair, mark, market = given.partition(MARK)
    name = pair.replace("/", "").upper()
    if given.isascii() and _SYMBOL.fullmatch(name):
        with suppress(HeanError):
            listing_of(name + mark + market)
            return name + mark + market
    raise Unfit(
        "letters and digits such as BTCUSDT or BTC/USDT, with commas between; with its market "
        "where two are traded: BTCUSDT@spot, BTCUSDT@perp"
    )


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of a strategy by name. The strategy declares them and judges the values."""

    def of_text(self, text: str) -> Mapping[str, object]:
        """Never from one text."""
        raise Unfit("a table in the file, or --param NAME=VALUE")

    def of_value(self, value: object) -> Mapping[str, object]:
        """From TOML, or the options together."""
        if not isinstance(value, Mapping) or len(value) > PARAMS_MAX:
            raise Unfit(f"a table of at most {PARAMS_MAX} parameters")
        for name, each in value.items():
            if not isinstance(each, bool | int | float | Decimal | str):
                raise Unfit(f"a number, text, true or false for {ascii(name)[:60]}")
            if isinstance(each, str) and "${" in each:
                raise Unfit(f"the value itself for {ascii(name)[:60]}; ${{...}} is not filled in")
        return {
            name: float(each) if isinstance(each, Decimal) else each for name, each in value.items()
        }


def _shape(text: str) -> str:
    """What is wrong with a secret, without any of it."""
    if not text:
        return "nothing"
    if len(text) > TEXT_LENGTH_MAX:
        return f"more than {TEXT_LENGTH_MAX} characters"
    if len(text.splitlines()) > 1:
        return "several lines"
    return "a blank in it" if len(text.split()) > 1 else "a character that is not plain"


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and bool(text)
