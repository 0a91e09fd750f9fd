# SPDX-License-Identifier: Apache-2.0
"""`words.py`: genomes in the postfix words of the Rust judge. What the judge has no word for is
written out here: volatility is the deviation of returns, a regime a comparison of two of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from hean.errors import ParameterInvalid, UnknownSymbol
from hean.genome.tree import (
    CALM_BELOW,
    INPUTS,
    LONG_BARS,
    REGIMES,
    SHORT_BARS,
    WILD_ABOVE,
    Compare,
    Cond,
    Genome,
    Input,
    Join,
    Logic,
    Node,
    Number,
    Of,
    Regime,
    Windowed,
)

Words = list[tuple[str, float]]
Row = tuple[Words | None, Words | None, Words | None, float, int, float]
"""Long, short, exit, stop, hold, size."""

_STRETCH = Join("/", Windowed("vol", SHORT_BARS), Windowed("vol", LONG_BARS))


def row_of(genome: Genome, symbols: Sequence[str], extras: Sequence[str] = ()) -> Row:
    """The genome for an account of *symbols*. *extras*: features of the user's. *Raises*:
    `UnknownSymbol`, `ParameterInvalid` for one that it reads and that is not there.
    """
    long, short = (_masked(gene, genome.only) for gene in (genome.long, genome.short))
    genes = [None if gene is None else words_of(gene, symbols, extras) for gene in (long, short)]
    leave = None if genome.exit is None else words_of(genome.exit, symbols, extras)
    return genes[0], genes[1], leave, genome.stop, genome.hold, genome.size


def _masked(gene: Cond | None, only: tuple[str, ...]) -> Cond | None:
    if gene is None or not only:
        return gene
    mask: Cond = Regime(only[0])
    for name in only[1:]:
        mask = Logic("or", mask, Regime(name))
    return Logic("and", gene, mask)


def words_of(node: Node, symbols: Sequence[str], extras: Sequence[str] = ()) -> Words:
    """Postfix words. *Raises*: as `row_of`."""
    match node:
        case Input(name) if name in INPUTS:
            return [(name, 0.0)]
        case Input(name):
            return [("extra", float(_place(name, extras)))]
        case Number(value):
            return [("number", value)]
        case Windowed("vol", window, _):
            return [("close", 0.0), ("change", 1.0), ("std", float(window))]
        case Windowed(name, window, of):
            inner = [] if of is None else words_of(of, symbols, extras)
            return [*inner, (name, float(window))]
        case Of(symbol, of):
            if symbol not in symbols:
                known = ", ".join(symbols)
                raise UnknownSymbol(f"the genome reads {symbol}; this run has {known}.")
            return [*words_of(of, symbols, extras), ("of", float(symbols.index(symbol)))]
        case Regime(name):
            return words_of(_regime(name), symbols)
        case Join(sign, left, right) | Compare(sign, left, right) | Logic(sign, left, right):
            both = (*words_of(left, symbols, extras), *words_of(right, symbols, extras))
            return [*both, (sign, 0.0)]


def _place(name: str, extras: Sequence[str]) -> int:
    if name not in extras:
        known = ", ".join(extras) or "none"
        raise ParameterInvalid(f"the genome reads {name}; features of this run: {known}.")
    return extras.index(name)


def _regime(name: str) -> Cond:
    calm, wild = Number(CALM_BELOW), Number(WILD_ABOVE)
    if name == REGIMES[0]:
        return Compare("<", _STRETCH, calm)
    if name == REGIMES[2]:
        return Compare(">", _STRETCH, wild)
    return Logic("and", Compare(">=", _STRETCH, calm), Compare("<=", _STRETCH, wild))
