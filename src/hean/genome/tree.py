# SPDX-License-Identifier: Apache-2.0
"""`tree.py`: what a genome is made of. Numbers have a unit, and only what has the same unit is
added or compared; a price is never compared with a plain number, so that a rule means the same at
every price level. Nothing here can look forward: a feature reads finished bars behind the present
one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hean.errors import ParameterInvalid

PRICE, VOLUME, SCORE, RATIO, PLAIN = "a price", "a volume", "a score", "a ratio", "a plain number"
REGIMES = ("calm", "normal", "wild")
CALM_BELOW, WILD_ABOVE = 0.7, 1.3  # short over long volatility
SHORT_BARS, LONG_BARS = 60, 1440  # of the volatility that tells regimes
WINDOW_MAX = 10_000
NODES_MAX, DEPTH_MAX = 64, 8  # of one gene: what a person still reads

INPUTS = {
    "open": PRICE,
    "high": PRICE,
    "low": PRICE,
    "close": PRICE,
    "volume": VOLUME,
    "funding": RATIO,
}
"""Columns and their units."""
BARS = {"atr": PRICE, "flow": RATIO, "vol": RATIO}
"""Features of whole bars: true range, where bars close in their range, volatility of returns."""
OVER = {"rsi": SCORE, "zscore": RATIO, "change": RATIO}
"""Features of an operand (the close by default) with a unit of their own."""
KEEPING = ("sma", "ema", "std", "lowest", "highest", "lag")
"""Features that have the unit of their operand."""
WINDOWED = (*BARS, *OVER, *KEEPING)


class Input(msgspec.Struct, frozen=True, tag=True):
    """A column; one that is not among `INPUTS` is a feature of the user's, a ratio."""

    name: str


class Number(msgspec.Struct, frozen=True, tag=True):
    """A constant."""

    value: float


class Windowed(msgspec.Struct, frozen=True, tag=True):
    """A feature over *window* bars; *of*: its operand, `None` for features of whole bars."""

    name: str
    window: int
    of: Num | None = None


class Join(msgspec.Struct, frozen=True, tag=True):
    """Arithmetic: + - * / min max."""

    sign: str
    left: Num
    right: Num


class Of(msgspec.Struct, frozen=True, tag=True):
    """The same number of another symbol, as of its bar before."""

    symbol: str
    of: Num


class Compare(msgspec.Struct, frozen=True, tag=True):
    """< <= > >= of two numbers."""

    sign: str
    left: Num
    right: Num


class Regime(msgspec.Struct, frozen=True, tag=True):
    """Volatility of the last hour's bars against that of the last day's, in three classes."""

    name: str


class Logic(msgspec.Struct, frozen=True, tag=True):
    """`and`, `or`."""

    sign: str
    left: Cond
    right: Cond


Num = Input | Number | Windowed | Join | Of
Cond = Compare | Regime | Logic
Node = Num | Cond
CLOSE = Input("close")


class Genome(msgspec.Struct, frozen=True):
    """One agent's rules.

    *long*, *short*: open; *exit*: closes either. *stop*: distance in average true ranges of 14
    bars. *hold*: bars after which it leaves, 0 for never. *size*: part of the account's usual size.
    *only*: regimes in which it opens, empty for all.
    """

    long: Cond | None = None
    short: Cond | None = None
    exit: Cond | None = None
    stop: float = 3.0
    hold: int = 0
    size: float = 1.0
    only: tuple[str, ...] = ()

    @property
    def genes(self) -> tuple[tuple[str, Cond], ...]:
        """The conditions that are there, by name."""
        named = (("long", self.long), ("short", self.short), ("exit", self.exit))
        return tuple((name, gene) for name, gene in named if gene is not None)


def unit(node: Num) -> str:
    """What a number measures. *Raises*: `ParameterInvalid` for parts that do not fit."""
    match node:
        case Input(name):
            return INPUTS.get(name, RATIO)
        case Number():
            return PLAIN
        case Windowed(name, _, of):
            if name in BARS:
                return BARS[name]
            operand = unit(CLOSE if of is None else of)
            if operand == PLAIN:
                raise ParameterInvalid(f"{name} of a plain number says nothing.")
            return OVER.get(name, operand)
        case Of(_, of):
            return unit(of)
        case Join(sign, left, right):
            return _joined(sign, unit(left), unit(right))


def _joined(sign: str, left: str, right: str) -> str:
    free = (SCORE, RATIO, PLAIN)  # what a plain number may stand beside
    if sign == "*":
        if left in (RATIO, PLAIN):
            return right if left == PLAIN or right != PLAIN else left
        if right in (RATIO, PLAIN):
            return left
    elif sign == "/":
        if left == right:
            return PLAIN if left == PLAIN else RATIO
        if right in (RATIO, PLAIN):
            return left
    elif left == right:
        return left
    elif left in free and right in free and PLAIN in (left, right):
        return left if right == PLAIN else right
    raise ParameterInvalid(f"{left} {sign} {right} has no meaning.")


def check_compared(left: Num, right: Num) -> None:
    """*Raises*: `ParameterInvalid` for numbers that cannot be compared."""
    one, other = unit(left), unit(right)
    if PLAIN in (one, other):
        priced = next((each for each in (one, other) if each in (PRICE, VOLUME)), None)
        if priced is not None:
            raise ParameterInvalid(
                f"{priced} against a plain number depends on the price level; compare it with "
                f"{priced}, or divide it by one."
            )
        if one == other:
            raise ParameterInvalid("two plain numbers: the answer never changes.")
    elif one != other:
        raise ParameterInvalid(f"{one} against {other} has no meaning.")


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, top first."""
    yield node
    match node:
        case Windowed(_, _, of) if of is not None:
            yield from walk(of)
        case Of(_, of):
            yield from walk(of)
        case Join(_, left, right) | Compare(_, left, right) | Logic(_, left, right):
            yield from walk(left)
            yield from walk(right)


def depth(node: Node) -> int:
    """Levels of a tree."""
    match node:
        case Windowed(_, _, of) if of is not None:
            return 1 + depth(of)
        case Of(_, of):
            return 1 + depth(of)
        case Join(_, left, right) | Compare(_, left, right) | Logic(_, left, right):
            return 1 + max(depth(left), depth(right))
    return 1


def size_of(genome: Genome) -> int:
    """Nodes of all genes."""
    return sum(1 for _, gene in genome.genes for _ in walk(gene))


def symbols_of(genome: Genome) -> tuple[str, ...]:
    """Other symbols that the genome reads, sorted."""
    named = {node.symbol for _, gene in genome.genes for node in walk(gene) if type(node) is Of}
    return tuple(sorted(named))


def check(genome: Genome) -> Genome:
    """*genome*, proven whole. *Raises*: `ParameterInvalid` naming the gene."""
    if genome.long is None and genome.short is None:
        raise ParameterInvalid("genome: opens neither long nor short; add `long when ...`.")
    for name, gene in genome.genes:
        nodes = list(walk(gene))
        if len(nodes) > NODES_MAX or depth(gene) > DEPTH_MAX:
            raise ParameterInvalid(
                f"genome, {name}: {len(nodes)} parts in {depth(gene)} levels; allowed: "
                f"{NODES_MAX} in {DEPTH_MAX}."
            )
        for node in nodes:
            if type(node) is Compare:
                check_compared(node.left, node.right)
            elif type(node) is Of and any(type(inner) is Of for inner in walk(node.of)):
                raise ParameterInvalid(f"genome, {name}: `of` within `of`.")
    _check_numbers(genome)
    return genome


def _check_numbers(genome: Genome) -> None:
    limits = (("stop", genome.stop, 0.1, 100), ("size", genome.size, 0.01, 1),
              ("hold", genome.hold, 0, 1_000_000))  # fmt: skip
    for name, value, low, high in limits:
        if not low <= value <= high:
            nearest = min(max(value, low), high)
            raise ParameterInvalid(
                f"genome, {name}: {value:g}; allowed: {low:g} to {high:g}; nearest {nearest:g}."
            )
