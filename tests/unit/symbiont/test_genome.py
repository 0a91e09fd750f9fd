# SPDX-License-Identifier: Apache-2.0
"""Genomes: what is written reads back, what is bred is valid, and what is wrong is said where."""

from __future__ import annotations

import pytest

from hean.errors import ParameterInvalid, UnknownSymbol
from hean.genome.text import read, write
from hean.genome.tree import Compare, Input, Number, Regime, Windowed, check, depth, walk
from hean.genome.words import row_of
from hean.symbiont.breed import CROSS, INIT, MUTATE, born, chance, crossed, mutated, simplified

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def test_a_person_reads_and_writes_a_genome() -> None:
    genome = read("long when rsi(14) < 28 and regime = calm, stop 1.8 atr")
    assert genome.long is not None
    close = Input("close")
    assert list(walk(genome.long))[1] == Compare("<", Windowed("rsi", 14, close), Number(28.0))
    assert list(walk(genome.long))[-1] == Regime("calm")
    assert write(genome) == "long when rsi(14) < 28 and regime = calm; stop 1.8 atr"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("long when rsj(14) < 28, stop 2 atr", ("column 11", "'rsj'", "nearest rsi")),
        ("long when rsi(14) < , stop 2 atr", ("column 21", "','", "expected a number")),
        ("long when close > 300, stop 2 atr", ("column 17", "a price against a plain number")),
        ("long when close > volume; stop 2 atr", ("column 17", "a price against a volume")),
        ("long when close + rsi(3) > close; stop 2 atr", ("column 17", "has no meaning")),
        ("long when rsi(14) < 28", ("the end", "`stop N atr`")),
        ("stop 2 atr", ("neither long nor short",)),
        ("long when rsi(0) < 28; stop 2 atr", ("column 15", "'0'", "1 to 10000")),
        ("long when regime = cam; stop 2 atr", ("column 20", "nearest calm")),
        ("long when rsi(14) < 28; stop 500 atr", ("500", "nearest 100")),
        ("long when (rsi(14) < 28; stop 5 atr", ("column 24", "expected ')'")),
        ("long when rsi(14); stop 5 atr", ("column 11", "expected a condition")),
        ("long when rsi(14) ? 3; stop 5 atr", ("column 19", "'?'")),
        ("log when close > open; stop 5 atr", ("column 1", "nearest long")),
        ("long when 3 > 2; stop 5 atr", ("column 13", "never changes")),
        ("long when " + "(" * 60 + "close > open; stop 5 atr", ("at most 40",)),
        ("long when flow(3) of ETH of BTC > 0; stop 5 atr", ("`of` within `of`",)),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ParameterInvalid) as error:
        read(text)
    for each in words:
        assert each in str(error.value)


def test_a_symbol_that_the_run_does_not_have_is_refused() -> None:
    genome = read("long when change(3) of SOLUSDT > 0; stop 2 atr")
    with pytest.raises(UnknownSymbol, match="SOLUSDT"):
        row_of(genome, SYMBOLS)


def test_whatever_is_bred_is_valid_simple_and_reads_back() -> None:
    """Three generations of births, children and mutants; no genome leaves the grammar."""
    population = [born(chance(3, INIT, 0, at), SYMBOLS) for at in range(120)]
    assert len({write(each) for each in population}) > 110
    for generation in (1, 2, 3):
        for at, one in enumerate(population):
            other = population[(7 * at + generation) % len(population)]
            child = crossed(one, other, chance(3, CROSS, generation, at))
            child = mutated(child, chance(3, MUTATE, generation, at), SYMBOLS)
            assert check(child) is child
            assert read(write(child)) == child == simplified(child)
            assert all(depth(gene) <= 8 for _, gene in child.genes)
            population[at] = child


def test_chance_depends_on_its_place_alone() -> None:
    later = born(chance(9, INIT, 2, 5), SYMBOLS)
    for at in range(4):
        born(chance(9, INIT, 2, at), SYMBOLS)
    assert born(chance(9, INIT, 2, 5), SYMBOLS) == later
    assert born(chance(9, INIT, 3, 5), SYMBOLS) != later


def test_equal_rules_become_equal_genomes() -> None:
    same = (
        "long when close > open and rsi(3) < 20; stop 2 atr",
        "long when 20 > rsi(3) and open < close; stop 2 atr",
        "long when rsi(3) < 10 * 2 and close > open and rsi(3) < 20; stop 2 atr",
    )
    assert len({write(simplified(read(text))) for text in same}) == 1
