# SPDX-License-Identifier: Apache-2.0
"""`evolution.py`: generations of genomes on islands. Each island opens positions in its own regime
of volatility only, one in all of them; every few generations the best of an island visit the next.
Parents and children are selected together, so that nothing good is lost. All chance is drawn by
(seed, generation, agent), and a state is plain data: stopped and gone on with, or judged by more
workers, a run ends with the same genomes. It knows no market; a judge of texts is given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from hean.genome.text import read, write
from hean.genome.tree import REGIMES, Genome
from hean.symbiont.breed import CROSS, INIT, born, chance, crossed, mutated, simplified
from hean.symbiont.select import Score, fronts_of, novelty, order, tournament

ISLANDS = ("all", *REGIMES)
MIGRATION_EVERY, MIGRANTS = 5, 2
CROSSOVER, IMMIGRANTS = 0.6, 0.1
SEATS = 10_000  # of an island in the numbering of chance

Judge = Callable[[Sequence[Genome]], list[Score]]


class Settings(msgspec.Struct, frozen=True):
    """What a run depends on, besides its judge. *ground*: identity of data, costs and folds.
    *extras*: names of the user's features.
    """

    seed: int
    population: int
    generations: int
    symbols: tuple[str, ...]
    trips_min: int
    ground: str
    extras: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True):
    """An agent on an island: its text, and when it came there."""

    genome: str
    since: int


class Birth(msgspec.Struct, frozen=True):
    """How a genome first came to be. *parents*: texts. *how*: born, crossed, mutated, migrated."""

    genome: str
    generation: int
    island: str
    parents: tuple[str, ...]
    how: str


class Generation(msgspec.Struct, frozen=True):
    """What is said of a generation. *front*: size of the first front; *diversity*: mean novelty;
    *best*: text and robust score of the best candidate; *survivors*: members older than it."""

    number: int
    trials: int
    candidates: int
    front: int
    diversity: float
    best: str
    robust: float
    turnover: float
    survivors: int


class State(msgspec.Struct):
    """Everything a run goes on with. *trials*: the score of every genome ever judged, by text."""

    settings: Settings
    generation: int = 0
    islands: dict[str, list[Member]] = {}
    trials: dict[str, Score] = {}
    births: list[Birth] = []
    told: list[Generation] = []


def begun(settings: Settings) -> State:
    """A state before the first generation."""
    return State(settings, 0, {}, {}, [], [])


def capacity(settings: Settings) -> dict[str, int]:
    """Members of each island; the first takes what does not divide."""
    each = settings.population // len(ISLANDS)
    sizes = dict.fromkeys(ISLANDS, each)
    sizes[ISLANDS[0]] += settings.population - each * len(ISLANDS)
    return {name: size for name, size in sizes.items() if size}


def advance(state: State, judge: Judge) -> Generation:
    """One generation more; the state is changed only when its judge has answered."""
    number = state.generation
    hatched = {name: _hatch(state, name, size) for name, size in capacity(state.settings).items()}
    fresh: dict[str, Birth] = {}
    for births in hatched.values():
        for birth in births:
            if birth.genome not in state.trials:
                fresh.setdefault(birth.genome, birth)
    if fresh:
        scores = judge([read(text, state.settings.extras) for text in fresh])
        state.trials.update(zip(fresh, scores, strict=True))
        state.births.extend(fresh.values())
    for name, births in hatched.items():
        state.islands[name] = _selected(state, name, births)
    state.generation = number + 1
    state.told.append(_told(state, number))
    return state.told[-1]


def front(state: State) -> list[str]:
    """Texts of the first front over all islands, the most robust first."""
    texts = living(state)
    rows = fronts_of([state.trials[text] for text in texts], state.settings.trips_min)
    best = [texts[row] for row in rows[0]] if rows else []
    return sorted(best, key=lambda text: (-state.trials[text].robust, text))


def lineage(state: State, genome: str) -> list[Birth]:
    """A genome's birth and those of its ancestors, itself first, nobody twice."""
    known = {birth.genome: birth for birth in state.births}
    found: dict[str, Birth] = {}
    left = [genome]
    while left:
        text = left.pop(0)
        birth = known.get(text)
        if birth is not None and text not in found:
            found[text] = birth
            left.extend(birth.parents)
    return list(found.values())


# ---------------------------------------------------------------- one island


def _masked(genome: Genome, island: str) -> str:
    only = () if island == ISLANDS[0] else (island,)
    return write(simplified(msgspec.structs.replace(genome, only=only)))


def _hatch(state: State, island: str, size: int) -> list[Birth]:
    """As many new genomes as the island has seats; beside them visitors of its neighbour."""
    settings, number = state.settings, state.generation
    base = ISLANDS.index(island) * SEATS
    members = state.islands.get(island, [])
    if not members:
        newborn = [
            born(chance(settings.seed, INIT, number, base + at), settings.symbols, settings.extras)
            for at in range(size)
        ]
        return [Birth(_masked(each, island), number, island, (), "born") for each in newborn]
    found = [_child(state, island, members, base + at) for at in range(size)]
    if number % MIGRATION_EVERY == 0:
        found.extend(_visitors(state, island))
    return found


def _child(state: State, island: str, members: list[Member], seat: int) -> Birth:
    settings, number = state.settings, state.generation
    draw = chance(settings.seed, CROSS, number, seat)
    if draw.random() < IMMIGRANTS:
        newcomer = born(draw, settings.symbols, settings.extras)
        return Birth(_masked(newcomer, island), number, island, (), "born")
    ranked = list(range(len(members)))  # kept in order of rank
    extras = settings.extras
    one = members[tournament(ranked, draw)].genome
    if draw.random() < CROSSOVER:
        other = members[tournament(ranked, draw)].genome
        child = crossed(read(one, extras), read(other, extras), draw)
        if draw.random() < 0.5:
            child = mutated(child, draw, settings.symbols, extras)
        return Birth(_masked(child, island), number, island, (one, other), "crossed")
    child = mutated(read(one, extras), draw, settings.symbols, extras)
    return Birth(_masked(child, island), number, island, (one,), "mutated")


def _visitors(state: State, island: str) -> list[Birth]:
    names = [name for name in ISLANDS if state.islands.get(name)]
    neighbour = names[names.index(island) - 1]
    if neighbour == island:
        return []
    best = [member.genome for member in state.islands[neighbour][:MIGRANTS]]
    number = state.generation
    extras = state.settings.extras
    return [Birth(_masked(read(t, extras), island), number, island, (t,), "migrated") for t in best]


def _selected(state: State, island: str, births: Sequence[Birth]) -> list[Member]:
    """The best of parents and children, each genome once, in order of rank."""
    number = state.generation
    pool = {member.genome: member for member in state.islands.get(island, [])}
    for birth in births:
        pool.setdefault(birth.genome, Member(birth.genome, number))
    members = list(pool.values())
    scores = [state.trials[member.genome] for member in members]
    ages = [number - member.since for member in members]
    ranked = order(scores, ages, state.settings.trips_min)
    size = capacity(state.settings)[island]
    return [members[at] for at in ranked[:size]]


def living(state: State) -> list[str]:
    """Texts of all members, nobody twice."""
    return list(dict.fromkeys(it.genome for each in state.islands.values() for it in each))


def _told(state: State, number: int) -> Generation:
    texts = living(state)
    scores = [state.trials[text] for text in texts]
    rows = fronts_of(scores, state.settings.trips_min)
    first = [scores[row] for row in rows[0]] if rows else []
    best = front(state)
    since = [member.since for each in state.islands.values() for member in each]
    return Generation(
        number,
        len(state.trials),
        sum(len(row) for row in rows),
        len(first),
        float(novelty(np.array([score.behaviour for score in scores])).mean()),
        best[0] if best else "",
        state.trials[best[0]].robust if best else 0.0,
        float(np.median([score.turnover for score in first])) if first else 0.0,
        sum(1 for each in since if each < number),
    )
