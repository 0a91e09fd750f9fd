# SPDX-License-Identifier: Apache-2.0
"""`text.py`: genomes as a person reads and writes them:

    long when rsi(14) < 28 and regime = calm; exit when rsi(14) > 55; stop 1.8 atr; hold 240 bars

Clauses: `long when`, `short when`, `exit when` with a condition, `stop N atr`, `hold N bars`,
`size N%`, `only calm or normal`; separated by `;` or `,`. Numbers: open high low close volume
funding, atr(n) flow(n) vol(n), rsi zscore change sma ema std lowest highest lag of (n) or (n, of
what), + - * / min(a, b) max(a, b), and `... of ETHUSDT` for another symbol. `and` binds closer than
`or`. What `write` writes, `read` reads back to the same genome.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import NoReturn

from hean.errors import ParameterInvalid
from hean.genome.tree import (
    BARS,
    CLOSE,
    INPUTS,
    REGIMES,
    WINDOW_MAX,
    WINDOWED,
    Compare,
    Cond,
    Genome,
    Input,
    Join,
    Logic,
    Node,
    Num,
    Number,
    Of,
    Regime,
    Windowed,
    check,
    check_compared,
    unit,
)

TEXT_MAX = 4_000
_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|[-+*/()<>=,;%]))"
)
_CLAUSES = ("long", "short", "exit", "stop", "hold", "size", "only")
_CONDITION = "a condition such as rsi(14) < 28"
_NESTING_MAX = 40


def read(text: str, extras: Collection[str] = ()) -> Genome:
    """The genome that a text says. *extras*: names of the user's own features. *Raises*:
    `ParameterInvalid` with column, what stands there, what is expected, and the nearest valid word.
    """
    return _Reader(text, extras).genome()


class _Reader:
    def __init__(self, text: str, extras: Collection[str]) -> None:
        self.inputs = (*INPUTS, *extras)
        if len(text) > TEXT_MAX:
            raise ParameterInvalid(f"genome: {len(text)} characters; allowed: {TEXT_MAX}.")
        self.tokens: list[tuple[str, int]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                column = place + len(text[place:]) - len(text[place:].lstrip()) + 1
                raise ParameterInvalid(
                    f"genome, column {column}: got {text[column - 1]!r}, expected a word, a number "
                    "or one of + - * / ( ) < <= > >= = , ; %."
                )
            word = found[found.lastindex or 0]
            self.tokens.append((word, found.start(found.lastindex or 0) + 1))
            place = found.end()
        self.tokens.append(("", len(text) + 1))
        self.at = 0
        self.nesting = 0

    # ------------------------------------------------------------ words

    @property
    def word(self) -> str:
        return self.tokens[self.at][0]

    def take(self) -> str:
        word = self.word
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return word

    def takes(self, *words: str) -> str | None:
        return self.take() if self.word in words and self.word else None

    def expect(self, *words: str) -> str:
        if self.word not in words:
            self.fail(f"{' or '.join(repr(each) for each in words)}", words)
        return self.take()

    def fail(self, expected: str, known: tuple[str, ...] = (), at: int | None = None) -> NoReturn:
        word, column = self.tokens[self.at if at is None else at]
        got = repr(word) if word else "the end"
        is_word = word[:1].isalpha()
        close = difflib.get_close_matches(word, known, n=1, cutoff=0.0) if is_word else []
        nearest = f"; nearest {close[0]}" if close else ""
        raise ParameterInvalid(f"genome, column {column}: got {got}, expected {expected}{nearest}.")

    def blame(self, at: int, error: ParameterInvalid) -> NoReturn:
        column = self.tokens[at][1]
        raise ParameterInvalid(f"genome, column {column}: {error.message}") from None

    # ------------------------------------------------------------ clauses

    def genome(self) -> Genome:
        found: dict[str, object] = {}
        while True:
            name = self.word
            if name not in _CLAUSES:
                self.fail(f"one of {', '.join(_CLAUSES)}", _CLAUSES)
            if name in found:
                self.fail(f"each clause once; {name} is there already")
            self.take()
            found[name] = self.clause(name)
            if not self.takes(";", ","):
                break
        if self.word:
            self.fail("';' or the end")
        if "stop" not in found:
            self.fail("a clause `stop N atr`: every position is protected")
        return check(Genome(**found))  # type: ignore[arg-type]  # by name, checked there

    def clause(self, name: str) -> object:
        match name:
            case "stop":
                value = self.number()
                self.expect("atr")
                return value
            case "hold":
                value = self.whole("a number of bars", 1_000_000)
                self.expect("bars")
                return value
            case "size":
                value = self.number()
                self.expect("%")
                return value / 100
            case "only":
                names = [self.expect(*REGIMES)]
                while self.takes("or"):
                    names.append(self.expect(*REGIMES))
                return tuple(each for each in REGIMES if each in names)
        self.expect("when")
        begin = self.at
        found = self.either()
        if not isinstance(found, Cond):
            self.fail(_CONDITION, at=begin)
        return found

    def number(self) -> float:
        if not self.word[:1].isdigit() and not self.word.startswith("."):
            self.fail("a number")
        return float(self.take())

    def whole(self, what: str, high: int) -> int:
        at = self.at
        value = self.number()
        if not value.is_integer() or not 1 <= value <= high:
            self.fail(f"{what}, whole, 1 to {high}", at=at)
        return int(value)

    # ------------------------------------------------------------ expressions

    def either(self) -> Node:
        self.nesting += 1
        if self.nesting > _NESTING_MAX:
            self.fail(f"at most {_NESTING_MAX} brackets inside each other")
        left = self.all_of()
        while self.word == "or":
            left = self.logic("or", left, self.all_of)
        self.nesting -= 1
        return left

    def all_of(self) -> Node:
        left = self.compared()
        while self.word == "and":
            left = self.logic("and", left, self.compared)
        return left

    def logic(self, sign: str, left: Node, more: object) -> Node:
        at = self.at
        self.take()
        right = more()  # type: ignore[operator]  # one of the two methods above
        if not isinstance(left, Cond) or not isinstance(right, Cond):
            self.fail(f"conditions on both sides of `{sign}`", at=at)
        return Logic(sign, left, right)

    def compared(self) -> Node:
        if self.word == "regime":
            self.take()
            self.expect("=")
            return Regime(self.expect(*REGIMES))
        left = self.sum()
        if self.word not in ("<", "<=", ">", ">="):
            return left
        at = self.at
        sign, right = self.take(), self.sum()
        if isinstance(left, Cond) or isinstance(right, Cond):
            self.fail(f"numbers on both sides of {sign}", at=at)
        try:
            check_compared(left, right)
        except ParameterInvalid as error:
            self.blame(at, error)
        return Compare(sign, left, right)

    def sum(self) -> Node:
        left = self.product()
        while self.word in ("+", "-"):
            left = self.joined(left, self.product)
        return left

    def product(self) -> Node:
        left = self.factor()
        while self.word in ("*", "/"):
            left = self.joined(left, self.factor)
        return left

    def joined(self, left: Node, more: object) -> Node:
        at = self.at
        sign = self.take()
        right = more()  # type: ignore[operator]  # one of the methods above
        return self.join(sign, left, right, at)

    def join(self, sign: str, left: Node, right: Node, at: int) -> Num:
        if isinstance(left, Cond) or isinstance(right, Cond):
            self.fail(f"numbers on both sides of {sign}", at=at)
        found = Join(sign, left, right)
        try:
            unit(found)
        except ParameterInvalid as error:
            self.blame(at, error)
        return found

    def factor(self) -> Node:
        found = self.primary()
        while self.takes("of"):
            at = self.at
            symbol = self.take()
            if not symbol[:1].isalpha() or isinstance(found, Cond):
                self.fail("the name of a symbol after a number", at=at)
            found = Of(symbol, found)
        return found

    def primary(self) -> Node:
        word = self.word
        if self.takes("("):
            found = self.either()
            self.expect(")")
            return found
        if self.takes("-"):
            return Number(-self.number())
        if word[:1].isdigit() or word.startswith("."):
            return Number(self.number())
        if word in self.inputs:
            return Input(self.take())
        if word in ("min", "max"):
            at = self.at
            self.take()
            self.expect("(")
            left = self.sum()
            self.expect(",")
            right = self.sum()
            self.expect(")")
            return self.join(word, left, right, at)
        if word in WINDOWED:
            return self.windowed(self.take())
        names = (*self.inputs, *WINDOWED, "min", "max", "regime")
        self.fail(f"a number or condition; known: {' '.join(names)}", names)

    def windowed(self, name: str) -> Num:
        self.expect("(")
        at = self.at
        window = self.whole(f"bars of {name}", WINDOW_MAX)
        if name == "zscore" and window < 2:
            self.fail("bars of zscore, at least 2", at=at)
        of: Node = CLOSE
        if name not in BARS and self.takes(","):
            of = self.sum()
        self.expect(")")
        if isinstance(of, Cond):
            self.fail(f"a number for {name}", at=at)
        found = Windowed(name, window, None if name in BARS else of)
        try:
            unit(found)
        except ParameterInvalid as error:
            self.blame(at, error)
        return found


# ---------------------------------------------------------------- writing


def write(genome: Genome) -> str:
    """The canonical text; `read` gives the same genome back."""
    parts = [f"{name} when {_written(gene)}" for name, gene in genome.genes]
    parts.append(f"stop {_plain(genome.stop)} atr")
    if genome.hold:
        parts.append(f"hold {genome.hold} bars")
    if genome.size != 1:
        parts.append(f"size {_plain(genome.size * 100)}%")
    if genome.only:
        parts.append(f"only {' or '.join(genome.only)}")
    return "; ".join(parts)


_BINDING = {"or": 1, "and": 2, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5, "/": 5}


def _written(node: Node, outer: int = 0) -> str:
    match node:
        case Input(name):
            return name
        case Number(value):
            return _plain(value)
        case Regime(name):
            return f"regime = {name}"
        case Windowed(name, window, of):
            inside = "" if of is None or of == CLOSE else f", {_written(of, 4)}"
            return f"{name}({window}{inside})"
        case Of(symbol, of):
            return f"{_written(of, 6)} of {symbol}"
        case Join("min" | "max" as sign, left, right):
            return f"{sign}({_written(left, 4)}, {_written(right, 4)})"
        case Join(sign, left, right) | Compare(sign, left, right) | Logic(sign, left, right):
            own = _BINDING[sign]
            text = f"{_written(left, own)} {sign} {_written(right, own + 1)}"
            return f"({text})" if own < outer else text


def _plain(value: float) -> str:
    """The shortest text that reads back to the same float, without an exponent where possible."""
    text = repr(float(value))
    return text.removesuffix(".0")
