# SPDX-License-Identifier: Apache-2.0
"""`population.py`: a live population as plain data: who is in it, how far each is trusted, what
each was expected to do and has done. `hean evolve --out` writes one into its file of champions; a
running colony goes on with it and writes it again. It knows no market and moves nobody.
"""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from hean.core.timeframe import timeframe_ns
from hean.errors import EnvironmentFault, InputError
from hean.genome.own_features import OWN
from hean.genome.text import read
from hean.genome.tree import symbols_of
from hean.symbiont.feed import Feed
from hean.symbiont.immune import Case, Health, Memory
from hean.symbiont.vitals import Expected, Watch

VERSION = 2  # 1: each agent with columns of its own
BYTES_MAX = 100_000_000
AGENTS_MAX = 1_000
DAYS_KEPT = 400  # of an agent's results in the shadow
EVENTS_KEPT = 1_000  # of the population's history
END_NS = 2**63  # moments are below


class Stage(StrEnum):
    """How far an agent is trusted."""

    BORN = "BORN"  # bred, nothing more; watched, and never promoted
    VALIDATED = "VALIDATED"  # passed what folds and trials say
    TESTED = "TESTED"  # and the part that nobody had looked at
    SHADOW = "SHADOW"  # judged on the running market, without orders
    PAPER = "PAPER"  # may have a seat where money is pretended
    LIVE_MIN = "LIVE_MIN"  # may have a seat with the least that the venue trades
    LIVE = "LIVE"  # may have a seat with what capital allows
    RETIRED = "RETIRED"


LADDER = (Stage.SHADOW, Stage.PAPER, Stage.LIVE_MIN, Stage.LIVE)
SIGNED = frozenset({Stage.LIVE_MIN, Stage.LIVE})
"""Stages that only a person can promote to."""


Kelly = tuple[tuple[float, float, float, float] | None, float, float]
Sizing = tuple[float, float, float, float, Kelly]
"""Numbers of a sizing, as the core takes them."""


class Costs(msgspec.Struct, frozen=True):
    """The terms the agents were judged by, for `_core.SymbiontGround`. *fees*: maker, taker by
    symbol, fractions; latencies in ns; *half_spread*, *impact*: as of `Assumptions`.
    """

    cash: str
    leverage: str
    fees: dict[str, tuple[str, str]]
    entry_ns: int
    response_ns: int
    half_spread: float
    impact: float
    sizing: str
    numbers: Sizing


class Agent(msgspec.Struct):
    """One genome and its life. *since_ns*: since when it is in its stage; *seen_ns*: the last look.

    *days*: number of the UTC day and net return in the shadow, whole days only; *today*: return in
    the shadow since midnight. Since `since_ns`: *trips* in the shadow; *traded*, round trips with a
    seat, of which *matched* were the shadow's too; *profit* of these, quote currency.
    """

    id: str
    genome: str
    stage: Stage
    watch: Watch
    parents: tuple[str, ...] = ()
    how: str = "born"
    generation: int = 0
    gates: list[str] = []
    since_ns: int = 0
    seen_ns: int = 0
    case: Case | None = None
    days: list[tuple[int, float]] = []
    trips: int = 0
    traded: int = 0
    matched: int = 0
    profit: Decimal = Decimal(0)
    today: float = 0.0

    @property
    def health(self) -> Health:
        """HEALTHY before it was ever looked at."""
        return Health.HEALTHY if self.case is None else self.case.health

    @property
    def expected(self) -> Expected:
        """What its judge saw."""
        return self.watch.expected


class Seat(msgspec.Struct, frozen=True):
    """Who decides a symbol, with which share of capital."""

    agent: str
    share: float
    since_ns: int


class Holding(msgspec.Struct, frozen=True):
    """Whose a position is, with which share of capital; end of the bar at which it was decided, and
    whether long.
    """

    agent: str
    share: float
    decided_ns: int
    is_long: bool


class Happening(msgspec.Struct, frozen=True):
    """A birth, move, quarantine or death, and why. *agent*: id."""

    ts_ns: int
    agent: str
    what: str
    before: str
    after: str
    reason: str
    actor: str


class Population(msgspec.Struct):
    """*bar*: name of the length of its bars; *holdings*: whose the last entry of a symbol was."""

    symbols: tuple[str, ...]
    bar: str
    costs: Costs
    agents: list[Agent]
    features: tuple[str, ...] = ()
    feed: Feed = msgspec.field(default_factory=Feed)
    seats: dict[str, Seat] = {}
    holdings: dict[str, Holding] = {}
    memory: Memory = msgspec.field(default_factory=Memory)
    events: list[Happening] = []
    version: int = VERSION

    @property
    def bar_ns(self) -> int:
        """Length of a bar."""
        return timeframe_ns(self.bar)

    def by_id(self) -> dict[str, Agent]:
        """Agents by id."""
        return {agent.id: agent for agent in self.agents}


class _File(msgspec.Struct):
    population: Population


class _Version(msgspec.Struct):
    version: int


class _Versioned(msgspec.Struct):
    population: _Version


def id_of(genome: str) -> str:
    """Twelve hexadecimal digits of the SHA-256 of its canonical text."""
    return hashlib.sha256(genome.encode()).hexdigest()[:12]


def loaded(path: Path, digest: str = "") -> tuple[Population, str]:
    """The population of a file, and the file's SHA-256. *digest*: what it must be, if not empty.
    *Raises*: `InputError` for a file that is none or another one, `EnvironmentFault`.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: a folder, a pipe or a device; give a file.")
        if path.stat().st_size > BYTES_MAX:
            raise InputError(f"{path}: larger than any population ({BYTES_MAX:,} bytes).")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `hean evolve --out FILE` writes one.") from None
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror or error}.") from error
    found = hashlib.sha256(content).hexdigest()
    if digest not in ("", found):
        raise InputError(
            f"{path}: SHA-256 {found[:12]}…, this run began with {digest[:12]}…; give that file."
        )
    try:
        version = msgspec.json.decode(content, type=_Versioned).population.version
        if version != VERSION:
            raise InputError(
                f"{path}: version {version}; this HEAN reads {VERSION}: breed it anew, with "
                "`hean evolve --out FILE`."
            )
        population = msgspec.json.decode(content, type=_File).population
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path}: no population ({error}); `hean evolve --out FILE` writes one."
        ) from None
    _check(population, path)
    return population, found


def written(population: Population) -> bytes:
    """As `loaded` reads it."""
    return msgspec.json.encode(_File(population))


def _check(population: Population, path: Path) -> None:
    if not 0 < len(population.agents) <= AGENTS_MAX:
        raise InputError(
            f"{path}: {len(population.agents)} agents; allowed: 1 to {AGENTS_MAX}. Who has traded "
            "too little to expect anything of is left out: breed on more data, or more of them."
        )
    unknown = set(population.features) - set(OWN)
    if unknown:
        raise InputError(
            f"{path}: agents read {', '.join(sorted(unknown))}, functions of a file; a population "
            f"reads {', '.join(OWN)}. hean backtest --strategy genome trades one that reads others."
        )
    _check_agents(population, path)
    _check_costs(population, path)
    strange = set(population.feed.seen) - set(population.feed.columns)
    if strange:
        raise InputError(f"{path}: feed has seen {', '.join(sorted(strange))}, no columns of it.")
    names = [agent.id for agent in population.agents]
    for symbol, seat in population.seats.items():
        where = f"{path}: seat of {symbol}"
        if symbol not in population.symbols:
            raise InputError(f"{where}: the population trades {', '.join(population.symbols)}.")
        if seat.agent not in names:
            raise InputError(f"{where}: no agent {seat.agent[:64]!r} in this population.")
        if not 0 < seat.share <= 1:
            raise InputError(f"{where}: share {seat.share:g}; allowed: above 0, up to 1.")


def _check_agents(population: Population, path: Path) -> None:
    seen = set()
    for agent in population.agents:
        if agent.id != id_of(agent.genome) or agent.id in seen:
            raise InputError(f"{path}: agent {agent.id} is not the one of its genome, or is twice.")
        seen.add(agent.id)
        unknown = set(symbols_of(read(agent.genome, population.features))) - set(population.symbols)
        if unknown:
            raise InputError(f"{path}: agent {agent.id} reads {', '.join(sorted(unknown))}.")
        if not (0 <= agent.since_ns < END_NS and 0 <= agent.seen_ns < END_NS):
            raise InputError(
                f"{path}: agent {agent.id}: since_ns {agent.since_ns}, seen_ns {agent.seen_ns}; "
                "expected ns since 1970."
            )
        if not agent.expected.deviation > 0:
            raise InputError(
                f"{path}: agent {agent.id}: deviation {agent.expected.deviation:g} of its days; "
                "expected above 0."
            )


def _check_costs(population: Population, path: Path) -> None:
    symbols, costs = population.symbols, population.costs
    if not symbols or len(set(symbols)) < len(symbols):
        raise InputError(
            f"{path}: symbols {', '.join(symbols) or 'none'}; each once, at least one."
        )
    missing = set(symbols) - set(costs.fees)
    if missing:
        raise InputError(f"{path}: costs have no fees of {', '.join(sorted(missing))}.")
    least = [("cash", costs.cash, 1.0), ("leverage", costs.leverage, 1.0)]
    least += [("half_spread", str(costs.half_spread), 0.0), ("impact", str(costs.impact), 0.0)]
    least += [(f"fee of {it}", fee, -0.1) for it, both in costs.fees.items() for fee in both]
    for name, text, low in least:
        if not _number(text) >= low:
            raise InputError(
                f"{path}: costs, {name}: got {text!r}, expected a number of at least {low:g}."
            )


def _number(text: str) -> float:
    """Not a number where it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
