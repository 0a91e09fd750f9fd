# SPDX-License-Identifier: Apache-2.0
"""`breed.py`: genomes from chance and from other genomes. Whatever comes out is a valid genome:
parts are exchanged only for parts of the same unit, and what grows too large is thrown away for
its parent. Windows come from a short ladder, so that a population shares what the judge computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from hean.errors import ParameterInvalid
from hean.genome.own_features import FLAGS
from hean.genome.text import write
from hean.genome.tree import (
    CLOSE,
    PRICE,
    RATIO,
    REGIMES,
    SCORE,
    VOLUME,
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
    unit,
    walk,
)

Draw = np.random.Generator
Known = tuple[tuple[str, ...], tuple[str, ...]]
"""Symbols that may be read beside the own one, and features of the user's."""
NOTHING: Known = ((), ())
LADDER = (2, 3, 5, 8, 14, 21, 34, 55, 89, 144, 233)
HOLDS = (0, 5, 15, 30, 60, 120, 240, 480, 960)
STOPS = (0.8, 10.0)  # average true ranges, logarithmic
MASKS = ((), ("calm",), ("calm", "normal"), ("normal", "wild"), ("wild",))
INIT, SELECT, CROSS, MUTATE = 0, 1, 2, 3  # streams of chance


def chance(seed: int, stream: int, generation: int, agent: int) -> Draw:
    """The draws of one act: Philox under (seed, stream) at (generation, agent), so that neither
    the order of acts nor who performs them matters.
    """
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, 0, agent, generation], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


# ---------------------------------------------------------------- from chance


def born(draw: Draw, symbols: Sequence[str], extras: Sequence[str] = ()) -> Genome:
    """A random genome. *symbols*: of the account, one of which it may read beside another.
    *extras*: features of the user's.
    """
    known = _known(symbols, extras)
    sides = draw.integers(0, 3)
    opens = [_condition(draw, known, int(draw.integers(1, 3))) for _ in range(2)]
    leaves = _condition(draw, known, 1) if draw.random() < 0.7 else None
    hold = int(draw.choice(HOLDS))
    if leaves is None and not hold:
        hold = 60
    genome = Genome(
        long=None if sides == 1 else opens[0],
        short=None if sides == 0 else opens[1],
        exit=leaves,
        stop=_round(float(np.exp(draw.uniform(*np.log(STOPS))))),
        hold=hold,
        size=float(draw.choice((0.25, 0.5, 1.0))),
        only=MASKS[int(draw.integers(0, len(MASKS)))],
    )
    return check(simplified(genome))


def _known(symbols: Sequence[str], extras: Sequence[str]) -> Known:
    return tuple(symbols) if len(symbols) > 1 else (), tuple(extras)


def _condition(draw: Draw, known: Known, parts: int) -> Cond:
    found: Cond = _comparison(draw, known)
    for _ in range(parts - 1):
        more = (
            Regime(str(draw.choice(REGIMES))) if draw.random() < 0.2 else _comparison(draw, known)
        )
        found = Logic("and" if draw.random() < 0.8 else "or", found, more)
    return found


def _comparison(draw: Draw, known: Known) -> Cond:
    sign = "<" if draw.random() < 0.5 else ">"
    kind = draw.integers(0, 10)
    if kind < 3:
        return Compare(sign, _feature(draw, SCORE, known), _bound(draw, SCORE, None))
    if kind < 7:
        feature = _feature(draw, RATIO, known)
        return Compare(sign, feature, _bound(draw, RATIO, feature))
    if kind < 9:
        return Compare(sign, _feature(draw, PRICE, NOTHING), _feature(draw, PRICE, NOTHING))
    volume = Input("volume")
    return Compare(sign, volume, Join("*", Windowed("sma", _window(draw), volume),
                                      Number(_round(float(draw.uniform(0.5, 3))))))  # fmt: skip


def _window(draw: Draw) -> int:
    return int(draw.choice(LADDER))


def _feature(draw: Draw, measure: str, known: Known) -> Num:
    """A random number of a unit."""
    window = _window(draw)
    symbols, extras = known
    if measure == RATIO and extras and draw.random() < 0.3:
        name = extras[int(draw.integers(0, len(extras)))]
        if name in FLAGS:
            return Input(name)
        return Windowed("zscore", max(window, 21), Input(name))  # of any scale
    if measure == SCORE:
        found: Num = Windowed("rsi", window, CLOSE)
    elif measure == VOLUME:
        found = Windowed("sma", window, Input("volume"))
    elif measure == PRICE:
        name = str(draw.choice(("close", "ema", "sma", "highest", "lowest", "lag")))
        operand = {"highest": Input("high"), "lowest": Input("low")}.get(name, CLOSE)
        found = CLOSE if name == "close" else Windowed(name, window, operand)
        if name in ("highest", "lowest"):
            found = Windowed("lag", 1, found)  # the bar itself never leaves its own range
    else:
        name = str(draw.choice(("change", "zscore", "flow", "vol", "funding", "range")))
        ratios: dict[str, Num] = {
            "change": Windowed("change", window, CLOSE),
            "zscore": Windowed("zscore", max(window, 3), CLOSE),
            "flow": Windowed("flow", window),
            "vol": Join("/", Windowed("vol", window), Windowed("vol", 233)),
            "funding": Input("funding"),
            "range": Join("/", Join("-", Input("high"), Input("low")), Windowed("atr", 14)),
        }
        found = ratios[name]
    if symbols and draw.random() < 0.15:
        return Of(symbols[int(draw.integers(0, len(symbols)))], found)
    return found


def _bound(draw: Draw, measure: str, of: Num | None) -> Number:
    """A number that the feature passes now and then."""
    if measure == SCORE:
        return Number(float(draw.integers(8, 93)))
    inner = of.of if isinstance(of, Of) else of
    match inner:
        case Windowed("change", window, _):
            scale = 0.0008 * window**0.5
        case Windowed("zscore"):
            scale = 1.3
        case Windowed("flow"):
            scale = 0.3
        case Input("funding"):
            scale = 0.0001
        case Input(name) if name in FLAGS:
            return Number(0.5)
        case _:
            return Number(_round(float(draw.uniform(0.4, 2.2))))
    return Number(_round(float(draw.normal(0.0, scale))))


def _round(value: float) -> float:
    """Three figures: more would be noise that a person has to read."""
    return float(f"{value:.3g}")


# ---------------------------------------------------------------- from others


def mutated(
    genome: Genome, draw: Draw, symbols: Sequence[str], extras: Sequence[str] = ()
) -> Genome:
    """The genome with one or two changes: a number moved, a part grown anew, hoisted or removed, a
    plain gene changed."""
    known = _known(symbols, extras)
    found = genome
    for _ in range(int(draw.integers(1, 3))):
        kind = draw.random()
        if kind < 0.4:
            found = _replaced(found, draw, lambda node: _moved(node, draw))
        elif kind < 0.6:
            found = _replaced(found, draw, lambda node: _grown(node, draw, known))
        elif kind < 0.7:
            found = _replaced(found, draw, _hoisted)
        else:
            found = _plain_changed(found, draw, known)
    return _valid(found, genome)


def crossed(one: Genome, other: Genome, draw: Draw) -> Genome:
    """A child: each gene of either parent, and perhaps a part of one in the other's gene."""
    names = ("long", "short", "exit", "stop", "hold", "size", "only")
    genes = {name: getattr(one if draw.random() < 0.5 else other, name) for name in names}
    if genes["long"] is None and genes["short"] is None:
        genes |= {"long": one.long, "short": one.short}
    child = msgspec.structs.replace(one, **genes)
    donors = [node for _, gene in other.genes for node in walk(gene)]
    child = _replaced(child, draw, lambda node: _fitting(node, donors, draw))
    return _valid(child, one)


def _valid(found: Genome, fallback: Genome) -> Genome:
    try:
        return check(simplified(found))
    except ParameterInvalid:
        return fallback


def _plain_changed(genome: Genome, draw: Draw, known: Known) -> Genome:
    which = draw.integers(0, 6)
    change: dict[str, object] = {}
    if which == 0:
        change["stop"] = _round(float(np.clip(genome.stop * np.exp(draw.normal(0, 0.3)), *STOPS)))
    elif which == 1:
        change["hold"] = int(draw.choice(HOLDS))
    elif which == 2:
        change["size"] = float(draw.choice((0.25, 0.5, 1.0)))
    elif which == 3:
        change["only"] = MASKS[int(draw.integers(0, len(MASKS)))]
    elif which == 4:
        change["exit"] = None if genome.exit is not None else _condition(draw, known, 1)
    else:
        side = "long" if draw.random() < 0.5 else "short"
        change[side] = None if getattr(genome, side) is not None else _condition(draw, known, 1)
    changed = msgspec.structs.replace(genome, **change)
    if changed.exit is None and not changed.hold:
        return msgspec.structs.replace(changed, hold=60)
    return changed


def _moved(node: Node, draw: Draw) -> Node | None:
    match node:
        case Number(value):
            width = max(abs(value), 1e-4) * 0.25
            return Number(_round(value + float(draw.normal(0, width))))
        case Windowed(name, window, of):
            step = LADDER.index(min(LADDER, key=lambda each: abs(each - window)))
            step = int(np.clip(step + draw.choice((-1, 1)), 0, len(LADDER) - 1))
            return Windowed(name, max(LADDER[step], 3 if name == "zscore" else 2), of)
        case Compare("<" | "<=", left, right):
            return Compare(">", left, right) if draw.random() < 0.3 else None
        case Compare(_, left, right):
            return Compare("<", left, right) if draw.random() < 0.3 else None
    return None


def _grown(node: Node, draw: Draw, known: Known) -> Node | None:
    match node:
        case Compare():
            more = _comparison(draw, known)
            return more if draw.random() < 0.5 else Logic("and", node, more)
        case Regime():
            return Regime(str(draw.choice(REGIMES)))
        case Windowed():
            return _feature(draw, unit(node), NOTHING)
    return None


def _hoisted(node: Node) -> Node | None:
    match node:
        case Logic(_, left, _):
            return left
    return None


def _fitting(node: Node, donors: Sequence[Node], draw: Draw) -> Node | None:
    """A part of the other parent that can stand here."""
    if isinstance(node, Cond):
        fits: list[Node] = [each for each in donors if isinstance(each, Cond)]
    else:
        measure = unit(node)
        fits = [each for each in donors if not isinstance(each, Cond) and unit(each) == measure]
    return fits[int(draw.integers(0, len(fits)))] if fits else None


def _replaced(genome: Genome, draw: Draw, change: Callable[[Node], Node | None]) -> Genome:
    """The genome with one of its parts changed, if *change* has an answer for it."""
    places = [(name, at) for name, gene in genome.genes for at, _ in enumerate(walk(gene))]
    if not places:
        return genome
    name, at = places[int(draw.integers(0, len(places)))]
    gene = getattr(genome, name)
    node = list(walk(gene))[at]
    new = change(node)
    if new is None or isinstance(new, Cond) != isinstance(node, Cond):
        return genome
    return msgspec.structs.replace(genome, **{name: _with(gene, [at], new)})


def _with(node: Node, left: list[int], new: Node) -> Node:
    """The tree with its n-th part (top first) exchanged; *left* counts down."""
    if left[0] == 0:
        left[0] = -1
        return new
    left[0] -= 1
    if left[0] < -1:
        return node
    match node:
        case Windowed(name, window, of) if of is not None:
            return Windowed(name, window, _with(of, left, new))  # type: ignore[arg-type]
        case Of(symbol, of):
            return Of(symbol, _with(of, left, new))  # type: ignore[arg-type]
        case Join(sign, one, other) | Compare(sign, one, other) | Logic(sign, one, other):
            first = _with(one, left, new)
            return type(node)(sign, first, _with(other, left, new))  # type: ignore[arg-type]
    return node


# ---------------------------------------------------------------- simpler


def simplified(genome: Genome) -> Genome:
    """The same rules in fewer words: constants folded, doubles dropped, order made canonical, so
    that equal rules have equal texts."""
    genes = {name: _simple(gene) for name, gene in genome.genes}
    only = () if set(genome.only) == set(REGIMES) else genome.only
    return msgspec.structs.replace(genome, only=only, **genes)


def _simple(node: Node) -> Node:
    match node:
        case Windowed(name, window, of) if of is not None:
            return Windowed(name, window, _simple(of))  # type: ignore[arg-type]
        case Of(symbol, of):
            return Of(symbol, _simple(of))  # type: ignore[arg-type]
        case Join(sign, left, right):
            return _joined(sign, _simple(left), _simple(right))
        case Compare(sign, left, right):
            one, other = _simple(left), _simple(right)
            if isinstance(one, Number) or (_text(other) < _text(one) and type(other) is not Number):
                one, other, sign = other, one, {"<": ">", ">": "<", "<=": ">=", ">=": "<="}[sign]
            return Compare(sign, one, other)  # type: ignore[arg-type]
        case Logic(sign, _, _):
            parts = {_text(each): each for each in map(_simple, _flat(node, sign))}
            ordered = [parts[text] for text in sorted(parts)]
            found = ordered[0]
            for each in ordered[1:]:
                found = Logic(sign, found, each)  # type: ignore[arg-type]
            return found
    return node


def _flat(node: Node, sign: str) -> list[Node]:
    if isinstance(node, Logic) and node.sign == sign:
        return [*_flat(node.left, sign), *_flat(node.right, sign)]
    return [node]


def _joined(sign: str, left: Node, right: Node) -> Node:
    if isinstance(left, Number) and isinstance(right, Number):
        one, other = left.value, right.value
        folded = {"+": one + other, "-": one - other, "*": one * other,
                  "min": min(one, other), "max": max(one, other)}  # fmt: skip
        if sign in folded:
            return Number(_round(folded[sign]))
        if other:
            return Number(_round(one / other))
    if left == right and sign in ("min", "max"):
        return left
    if sign in ("+", "*", "min", "max") and _text(right) < _text(left):
        left, right = right, left
    return Join(sign, left, right)  # type: ignore[arg-type]


def _text(node: Node) -> str:
    return repr(node)


def name_of(genome: Genome) -> str:
    """Identity: the canonical text."""
    return write(genome)
