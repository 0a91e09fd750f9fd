# SPDX-License-Identifier: Apache-2.0
"""`program.py`: conditions as data. What is written here looks like Python and runs in Rust, on
every fact of a symbol, at a few nanoseconds each:

    cross = (ewm(10) >= ewm(20)) & (count >= 20)
    Program(long_when=cross, exit_when=~cross)       # trade on it, whole run in Rust
    (Change(cross), Every("1m"))                     # or wake a strategy in Python by it

Numbers are `close` (`price`), `open_`, `high`, `low`, `volume`, `count` (facts seen), plain
numbers, `+ - * /` of them, and indicators of them: `sma(n)`, `ema(n)`, `ewm(n)`, `rsi(n)`,
`std(n)`, `zscore(n)`, `lowest(n)`, `highest(n)`, of the close or of what is given second. A tick
has its price in all four places; a quote's price is its middle. Comparisons make conditions,
`& | ~` join them. A number that is not defined yet is nan; as everywhere in Python a comparison
with nan is false, and its `~` true: write the opposite comparison where that matters.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import NoReturn, TypeVar

from hean._core import Conditions
from hean.errors import ParameterInvalid

Words = tuple[tuple[str, float], ...]
"""An expression in postfix order, as the Rust core reads it."""

E = TypeVar("E", bound="Expression")

_UNITS_NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class Expression:
    """Base of numbers and conditions. *words*: postfix form. *text*: as a person writes it."""

    __slots__ = ("_hash", "is_simple", "text", "words")

    def __init__(self, words: Words, text: str, *, is_simple: bool) -> None:
        self.words = words
        self.text = text
        self.is_simple = is_simple
        self._hash = hash((type(self), words))

    def __repr__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.words == self.words

    def __bool__(self) -> NoReturn:
        raise ParameterInvalid(
            f"{self.text} has no truth of its own: join conditions with & | ~, "
            "and ask a strategy whether one holds now."
        )

    def _inside(self) -> str:
        """As part of a longer text."""
        return self.text if self.is_simple else f"({self.text})"


def _join(kind: type[E], word: str, left: Expression, right: Expression) -> E:
    text = f"{left._inside()} {_SIGNS.get(word, word)} {right._inside()}"
    return kind((*left.words, *right.words, (word, 0.0)), text, is_simple=False)


_SIGNS = {"and": "&", "or": "|"}


class Number(Expression):
    """A number of each fact."""

    __slots__ = ()

    def __add__(self, other: Number | float) -> Number:
        return _join(Number, "+", self, number(other))

    def __radd__(self, other: float) -> Number:
        return _join(Number, "+", number(other), self)

    def __sub__(self, other: Number | float) -> Number:
        return _join(Number, "-", self, number(other))

    def __rsub__(self, other: float) -> Number:
        return _join(Number, "-", number(other), self)

    def __mul__(self, other: Number | float) -> Number:
        return _join(Number, "*", self, number(other))

    def __rmul__(self, other: float) -> Number:
        return _join(Number, "*", number(other), self)

    def __truediv__(self, other: Number | float) -> Number:
        return _join(Number, "/", self, number(other))

    def __rtruediv__(self, other: float) -> Number:
        return _join(Number, "/", number(other), self)

    def __lt__(self, other: Number | float) -> Condition:
        return _join(Condition, "<", self, number(other))

    def __le__(self, other: Number | float) -> Condition:
        return _join(Condition, "<=", self, number(other))

    def __gt__(self, other: Number | float) -> Condition:
        return _join(Condition, ">", self, number(other))

    def __ge__(self, other: Number | float) -> Condition:
        return _join(Condition, ">=", self, number(other))


class Condition(Expression):
    """Something that holds or does not, as of each fact."""

    __slots__ = ()

    def __and__(self, other: Condition) -> Condition:
        return _join(Condition, "and", self, condition(other, "right of &"))

    def __or__(self, other: Condition) -> Condition:
        return _join(Condition, "or", self, condition(other, "right of |"))

    def __invert__(self) -> Condition:
        return Condition((*self.words, ("not", 0.0)), f"~{self._inside()}", is_simple=True)


def number(value: Number | float) -> Number:
    """A plain number as an expression. *Raises*: `ParameterInvalid` for anything else."""
    if isinstance(value, Number):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ParameterInvalid(f"{value!r} is a {type(value).__name__}; a number is due.")
    if not math.isfinite(value):
        raise ParameterInvalid(f"{value} is not a finite number.")
    return Number((("number", float(value)),), f"{value}", is_simple=True)


def condition(value: Condition, what: str) -> Condition:
    """*value*, proven to be a condition. *what*: its place, for the message."""
    if not isinstance(value, Condition):
        raise ParameterInvalid(
            f"{what} is {value!r}, a {type(value).__name__}; a condition is due, such as "
            "close > sma(20)."
        )
    return value


def _operand(word: str) -> Number:
    return Number(((word, 0.0),), word, is_simple=True)


open_ = _operand("open")
high = _operand("high")
low = _operand("low")
close = price = _operand("close")
volume = _operand("volume")
count = _operand("count")


def _indicator(word: str, n: int, of: Number | float) -> Number:
    of = number(of)
    inside = f"{n}" if of == close else f"{n}, {of.text}"
    made = Number((*of.words, (word, float(n))), f"{word}({inside})", is_simple=True)
    _prove([made >= 0.0], made.text)
    return made


def _prove(conditions: list[Condition], what: str) -> None:
    try:
        Conditions([list(each.words) for each in conditions])
    except ParameterInvalid as error:
        raise ParameterInvalid(f"{what}: {error.message}") from None


def sma(n: int, of: Number | float = close) -> Number:
    """Mean of the last *n*."""
    return _indicator("sma", n, of)


def ema(n: int, of: Number | float = close) -> Number:
    """Exponential average, weight 2 / (n + 1), seeded with the mean of the first *n*."""
    return _indicator("ema", n, of)


def ewm(n: int, of: Number | float = close) -> Number:
    """Exponential average, weight 2 / (n + 1), from the first value on."""
    return _indicator("ewm", n, of)


def rsi(n: int, of: Number | float = close) -> Number:
    """Wilder's relative strength index, 0 to 100."""
    return _indicator("rsi", n, of)


def std(n: int, of: Number | float = close) -> Number:
    """Population standard deviation of the last *n*."""
    return _indicator("std", n, of)


def zscore(n: int, of: Number | float = close) -> Number:
    """Deviations of the newest from the mean of the last *n*."""
    return _indicator("zscore", n, of)


def lowest(n: int, of: Number | float = close) -> Number:
    """Smallest of the last *n*."""
    return _indicator("lowest", n, of)


def highest(n: int, of: Number | float = close) -> Number:
    """Largest of the last *n*."""
    return _indicator("highest", n, of)


# ---------------------------------------------------------------- what to do with conditions


class Program:
    """Rules that trade by themselves, the same for each symbol.

    While flat: buy when *long_when* holds, else sell when *short_when* holds. While holding: close
    when *exit_when* holds. An order under way is waited for. *size*: base units of an entry;
    `None` asks the governor's sizing.
    """

    __slots__ = ("exit_when", "long_when", "short_when", "size")

    def __init__(
        self,
        *,
        long_when: Condition,
        exit_when: Condition,
        short_when: Condition | None = None,
        size: Decimal | None = None,
    ) -> None:
        self.long_when = condition(long_when, "long_when")
        self.exit_when = condition(exit_when, "exit_when")
        self.short_when = None if short_when is None else condition(short_when, "short_when")
        self.size = size
        _prove(self.conditions, repr(self))

    @property
    def conditions(self) -> list[Condition]:
        """Long, exit, and short if there is one."""
        both = [self.long_when, self.exit_when]
        return both if self.short_when is None else [*both, self.short_when]

    def __repr__(self) -> str:
        short = "" if self.short_when is None else f"; short when {self.short_when}"
        return f"long when {self.long_when}; exit when {self.exit_when}{short}"


class Change:
    """Wake when *when* begins or ceases to hold."""

    kind = "either"

    def __init__(self, when: Condition) -> None:
        self.when = condition(when, type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.when})"


class When(Change):
    """Wake when *when* begins to hold."""

    kind = "rising"


class Cross(Change):
    """Wake when the price goes from one side of *level* to the other."""

    def __init__(self, level: Number | float) -> None:
        super().__init__(close >= level)


class Every:
    """Wake at the first fact at or after each multiple of *interval*, such as `250ms` or `1m`."""

    kind = "every"

    def __init__(self, interval: str) -> None:
        match = re.fullmatch(r"([1-9]\d{0,5})(ms|s|m|h)", interval)
        if match is None:
            raise ParameterInvalid(f"interval {interval!r}; give 250ms, 5s, 1m or 4h.")
        self.interval = interval
        self.every_ns = int(match[1]) * _UNITS_NS[match[2]]

    def __repr__(self) -> str:
        return f"Every({self.interval!r})"


Wake = Change | Every
"""What a strategy may be woken by; its own fills, cancellations and rejections always wake it."""
