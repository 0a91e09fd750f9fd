# SPDX-License-Identifier: Apache-2.0
"""`settings.py`: how a fault dial is set: which dial, on what it acts (`match`), how often, how
long, and its own parameters. One reader for the control port and for files; it names what was
wrong, where, what came, what was expected and the nearest right word, and never sets half a dial.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hean.twin.faults.act import Act

SHOWN_MAX = 80  # characters of a wrong value that are repeated
TEXT_MAX = 200
COUNT_MAX = 1_000_000_000
SECONDS_MAX = 30 * 86_400.0
REQUIRED = object()
"""Default of a parameter that must be given."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a setting."""

    what: str
    where: str
    got: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = "" if self.nearest is None else f"; nearest: {self.nearest}"
        return f"{self.where}: {self.what}: got {self.got}; expected {self.expected}{hint}"

    def document(self) -> dict[str, str | None]:
        """For JSON."""
        return {
            "what": self.what,
            "where": self.where,
            "got": self.got,
            "expected": self.expected,
            "nearest": self.nearest,
        }


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. *kind*: number, count, decimal, text, flag, or choice (of *choices*); a number
    or count lies from *low* to *high*. *sentence*: for the documentation.
    """

    name: str
    kind: str
    default: Any = None
    low: float = 0.0
    high: float = SECONDS_MAX
    choices: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def expected(self) -> str:
        """What may stand here, in words."""
        match self.kind:
            case "choice":
                return "one of " + ", ".join(self.choices)
            case "flag":
                return "true or false"
            case "decimal":
                return "a decimal number as text, such as '0.5'"
            case "text":
                return f"text of 1 to {TEXT_MAX} characters"
            case "count":
                return f"a whole number from {self.low:g} to {self.high:g}"
        return f"a number from {self.low:g} to {self.high:g}"

    def read(self, value: Any) -> Any:
        """A value of this parameter. *Raises*: `ValueError` for anything else."""
        match self.kind:
            case "choice":
                ok = isinstance(value, str) and value in self.choices
            case "flag":
                ok = isinstance(value, bool)
            case "text":
                ok = isinstance(value, str) and 1 <= len(value) <= TEXT_MAX
            case "decimal":
                return _decimal(value)
            case "count":
                ok = isinstance(value, int) and not isinstance(value, bool)
                ok = ok and self.low <= value <= self.high
            case _:
                ok = isinstance(value, int | float) and not isinstance(value, bool)
                ok = ok and math.isfinite(value) and self.low <= value <= self.high
        if not ok:
            raise ValueError
        return value

    def nearest(self, value: Any) -> str | None:
        """The nearest right value, where there is a sensible one."""
        if self.kind == "choice" and isinstance(value, str):
            return nearest_of(value, self.choices)
        is_bounded = self.kind in ("number", "count") and isinstance(value, int | float)
        if not is_bounded or isinstance(value, bool) or not math.isfinite(value):
            return None
        return f"{min(max(value, self.low), self.high):g}"


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        value = "a flag"
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or abs(number) > Decimal(10) ** 15:
        raise ValueError
    return number


MATCH = (
    Param("path", "text", sentence="pattern of the path, such as /v5/order/*"),
    Param("op", "text", sentence="what is asked: create, stop, amend, cancel, cancel_all, orders"),
    Param("symbol", "text"),
    Param("market", "choice", choices=("linear", "spot")),
    Param("side", "choice", choices=("BUY", "SELL")),
    Param("account", "text", sentence="name of the account: main or second"),
    Param("client_id", "text", sentence="pattern of the client order id"),
    Param("channel", "choice", choices=("rest", "ws")),
    Param("which", "choice", choices=("public", "private", "trade", "all")),
    Param("topic", "text", sentence="pattern of the topic, or book, trade, ticker, order, fill"),
)
TIMING = (
    Param("count", "count", low=1, high=COUNT_MAX, sentence="acts at most so often"),
    Param("after", "count", 0, 0, high=COUNT_MAX, sentence="lets so many pass first"),
    Param("probability", "number", 1.0, high=1.0, sentence="chance of each"),
    Param("for_s", "number", sentence="how long it stays set"),
    Param("at_s", "number", 0.0, sentence="seconds until it is set"),
)


@dataclass(frozen=True, slots=True)
class Dial:
    """A fault that can be set. *row*: of the table of faults; *where*: it acts; *act*: what does
    it; *match*, *timing*: where and how often unless said otherwise.
    """

    name: str
    row: int
    where: str
    sentence: str
    act: type[Act]
    params: tuple[Param, ...] = ()
    match: Mapping[str, str] = field(default_factory=dict)
    timing: Mapping[str, float] = field(default_factory=dict)
    exchanges: tuple[str, ...] = ("bybit", "binance")


@dataclass(slots=True, eq=False)
class Setting:
    """A dial that is set. *seen*: what matched so far; *acted*: how often it acted."""

    dial: Dial
    match: dict[str, str]
    params: dict[str, Any]
    count: int | None = None
    after: int = 0
    probability: float = 1.0
    for_s: float | None = None
    at_s: float = 0.0
    number: int = 0
    until_s: float = math.inf
    seen: int = 0
    acted: int = 0
    rng: random.Random = field(default_factory=random.Random)

    def takes(self) -> bool:
        """Whether it acts on what just matched; counts."""
        self.seen += 1
        if self.seen <= self.after or self.is_spent:
            return False
        if self.probability < 1 and self.rng.random() >= self.probability:
            return False
        self.acted += 1
        return True

    @property
    def is_spent(self) -> bool:
        """Has acted as often as it may."""
        return self.count is not None and self.acted >= self.count

    def document(self) -> dict[str, Any]:
        """For JSON."""
        shown = {name: _plain(value) for name, value in self.params.items() if value is not None}
        timing = {"count": self.count, "for_s": self.for_s, "after": self.after or None}
        return {
            "id": self.number,
            "dial": self.dial.name,
            "row": self.dial.row,
            "match": self.match,
            **shown,
            **{name: value for name, value in timing.items() if value is not None},
            "probability": self.probability,
            "seen": self.seen,
            "acted": self.acted,
        }


def _plain(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value


def read_setting(
    document: Any, dials: Mapping[str, Dial], where: str
) -> tuple[Setting | None, list[Problem]]:
    """A setting from its JSON or TOML form. *Returns*: it, or what is wrong."""
    if not isinstance(document, dict):
        return None, [Problem("not an object", where, shown(document), "an object with 'dial'")]
    name = document.get("dial")
    if not isinstance(name, str) or name not in dials:
        near = nearest_of(name, dials) if isinstance(name, str) else None
        got = "nothing" if name is None else shown(name)
        return None, [Problem("unknown dial", f"{where}.dial", got, "a dial's name", near)]
    dial = dials[name]
    rest = {key: value for key, value in document.items() if key not in ("dial", "match")}
    read, problems = read_fields(rest, (*TIMING, *dial.params), where, also=("dial", "match"))
    asked = document.get("match", {})
    if isinstance(asked, dict):
        match, more = read_fields(asked, MATCH, f"{where}.match")
        problems += more
    else:
        expected = "an object of patterns"
        problems.append(Problem("not an object", f"{where}.match", shown(asked), expected))
    if problems:
        return None, problems
    given = {key: value for key, value in match.items() if value is not None}
    params = {param.name: read[param.name] for param in dial.params}
    timing = {param.name: read[param.name] for param in TIMING}
    timing.update({key: value for key, value in dial.timing.items() if key not in document})
    usual = {} if "path" in given else dial.match  # a path says where, also where nobody trades
    return Setting(dial, {**usual, **given}, params, **timing), []


def read_fields(
    given: Mapping[str, Any], known: Sequence[Param], where: str, *, also: tuple[str, ...] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """Every known field, by name: as given, or its default. *Returns*: them, and what is wrong.
    *also*: names that are known to somebody else.
    """
    params = {param.name: param for param in known}
    found = {param.name: param.default for param in known}
    problems: list[Problem] = []
    for key, value in given.items():
        param = params.get(key)
        place = f"{where}.{str(key)[:SHOWN_MAX]}"
        if param is None:
            names = [*params, *also]
            expected = "one of " + ", ".join(sorted(names))
            near = nearest_of(str(key), names)
            problems.append(Problem("unknown key", place, shown(key), expected, near))
            continue
        try:
            found[key] = param.read(value)
        except ValueError:
            near = param.nearest(value)
            problems.append(Problem("bad value", place, shown(value), param.expected, near))
    for param in known:
        if found[param.name] is REQUIRED and param.name not in given:
            place = f"{where}.{param.name}"
            problems.append(Problem("missing", place, "nothing", param.expected))
    return found, problems


def nearest_of(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like it."""
    found = difflib.get_close_matches(word[:TEXT_MAX], list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def shown(value: Any) -> str:
    """A wrong value, short and without control characters."""
    text = ascii(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."
