# SPDX-License-Identifier: Apache-2.0
"""`topology.py`: a deployment table says which modules run in which process. What crosses between
them follows from what modules produce and consume; a table that cannot work is refused with the
reason. Nothing is started here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from hean.core.module import Module
from hean.core.types import PAYLOADS, EventType
from hean.errors import TopologyInvalid
from hean.execution.orders import OrderManager
from hean.execution.router import ExecutionRouter
from hean.models.candles import CandleBuilder
from hean.models.changepoint import ChangepointDetector
from hean.models.features import Features
from hean.models.garch import GarchVolatility
from hean.models.kalman import KalmanPairs
from hean.models.ml import MlModel
from hean.models.regime import RegimeModel
from hean.portfolio.portfolio import Portfolio
from hean.reconcile.reconcile import Reconciler
from hean.risk.changepoint_breaker import ChangepointBreaker
from hean.risk.memory import DecisionMemory
from hean.risk.risk_governor import RiskGovernor
from hean.strategies import STRATEGIES

Types = frozenset[EventType]
E = EventType

TRUTH = ("risk", "router", "orders", "portfolio", "reconcile", "gateway")
"""Decide, send and count: never in two processes (ADR 0011)."""
EXCLUSIVE: Types = frozenset({
    E.CANDLE, E.FEATURES_READY, E.ML_PREDICTION, E.HEDGE_RATIO, E.VOL_FORECAST, E.REGIME,
    E.ORDER_APPROVED, E.ORDER_PLACED, E.ORDER_FILLED, E.PNL_UPDATE, E.RECONCILE,
})  # fmt: skip
"""One process says these: two candles of one minute would be two markets."""
LOCAL: Types = frozenset({E.TIMER, E.COMMAND, E.ERROR, E.HEALTH, E.KILLSWITCH_TRIGGERED,
                          E.KILLSWITCH_RELEASED})  # fmt: skip
"""Come from the clock, from people or from any part: nobody has to be named for them."""
OPINIONS: Types = frozenset({
    E.HEDGE_RATIO, E.VOL_FORECAST, E.CHANGEPOINT, E.REGIME, E.ML_PREDICTION,
})  # fmt: skip
"""Whoever consumes one does without it where no model is run."""


RELAYED = ("candles", "garch", "kalman", "changepoint", "regime", "features", "ml")
"""Parts that may run in another process than what trades; the others judge where it is."""
LEARNED = ("features", "ml")
"""Those that a trained model brings with it; the others are chosen by a setting of their own."""


class Part(msgspec.Struct, frozen=True):
    """One name of a table's lists."""

    produces: Types
    consumes: Types


def _part(*modules: type[Module]) -> Part:
    consumed = (module.consumed() for module in modules)
    produced = (frozenset(module.produces) for module in modules)
    return Part(frozenset().union(*produced), frozenset().union(*consumed))


_BUNDLED = _part(*STRATEGIES.values())
"""What one that somebody brings listens to nobody knows: any opinion."""
MARKET: Types = frozenset({E.TICK, E.BOOK, E.FUNDING, E.HEALTH})
PARTS: dict[str, Part] = {
    "feed": Part(MARKET, frozenset()),
    "candles": _part(CandleBuilder),
    "features": _part(Features),
    "ml": _part(MlModel),
    "kalman": _part(KalmanPairs),
    "garch": _part(GarchVolatility),
    "changepoint": _part(ChangepointDetector),
    "regime": _part(RegimeModel),
    **{name: _part(strategy) for name, strategy in STRATEGIES.items()},
    "strategies": Part(_BUNDLED.produces, _BUNDLED.consumes | OPINIONS),
    "risk": _part(RiskGovernor, ChangepointBreaker, DecisionMemory),
    "router": _part(ExecutionRouter),
    "orders": _part(OrderManager),
    "portfolio": _part(Portfolio),
    "reconcile": _part(Reconciler),
    "gateway": Part(
        frozenset({
            E.ORDER_PLACED, E.ORDER_AMENDED, E.ORDER_CANCELLED, E.ORDER_UNKNOWN, E.ORDER_ABSENT,
            E.ORDER_QUARANTINED, E.ORDER_FILLED, E.POSITION, E.BALANCE, E.ACCOUNT_READ, E.FUNDING,
        }),
        frozenset({E.TICK, E.BOOK, E.FUNDING}),
    ),
}  # fmt: skip
GROUPS: dict[str, tuple[str, ...]] = {
    "truth": TRUTH,
    "models": ("features", "ml", "kalman", "garch", "changepoint", "regime"),
    "all": ("feed", "candles", "features", "ml", "kalman", "garch", "changepoint", "regime",
            "strategies", *TRUTH),
}  # fmt: skip


BESIDE = {
    "risk.monitor": "; it looks at a venue's private stream, beside a live process: hean watchdog",
}
"""What is no part of a process on paper, and where it is."""


class Process(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """*modules*: names of `PARTS` and `GROUPS`; *port*: of `/health` and `/metrics`."""

    modules: list[str]
    port: int

    def parts(self) -> list[str]:
        """The parts, groups opened, each once."""
        return list(dict.fromkeys(p for name in self.modules for p in GROUPS.get(name, (name,))))


class Link(msgspec.Struct, frozen=True, order=True):
    """What one process hears from another."""

    source: str
    reader: str
    types: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A deployment. *name*: begins all topics, so that two fleets can share a broker."""

    transport: Literal["memory", "redis", "kafka"]
    process: dict[str, Process]
    name: str = "hean"

    def topic(self, source: str) -> str:
        """Where a process says what others hear."""
        return f"{self.name}.{source}"

    def links(self) -> list[Link]:
        """Who hears what from whom."""
        return [
            Link(source, reader, tuple(sorted(crossing)))
            for source, says in self._said().items()
            for reader in self.process
            if source != reader and (crossing := says & self._heard(reader))
        ]

    def readers(self, source: str) -> list[str]:
        """Who hears something from a process; of the market everybody does."""
        if source == self.feed:
            return [name for name in self.process if name != source]
        return [link.reader for link in self.links() if link.source == source]

    @property
    def feed(self) -> str:
        """The process that has the market; empty if there is none."""
        return next((name for name, it in self.process.items() if "feed" in it.parts()), "")

    def heard(self, reader: str) -> list[str]:
        """Whom a process hears: the one with the market first."""
        sources = [link.source for link in self.links() if link.reader == reader]
        return [self.feed, *(name for name in sources if name != self.feed)]

    def told(self, source: str) -> Types:
        """What others hear of a process."""
        links = [link for link in self.links() if link.source == source]
        return frozenset(EventType(kind) for link in links for kind in link.types)

    def judges(self) -> list[str]:
        """Models with a place of their own, which somebody has to listen to."""
        named = [part for it in self.process.values() for part in it.modules]
        return [part for part in RELAYED if part in named and part != "candles"]

    def models(self, name: str) -> list[str]:
        """Which of `RELAYED` a process has."""
        return [part for part in self.process[name].parts() if part in RELAYED]

    def elsewhere(self, name: str) -> list[str]:
        """Which of them a process does not run itself. One that trades runs what nobody has."""
        mine = self.models(name)
        if "risk" not in self.process[name].parts():
            return [part for part in RELAYED if part not in mine]
        others = [part for other in self.process if other != name for part in self.models(other)]
        return [part for part in RELAYED if part in others]

    def _said(self) -> dict[str, Types]:
        """What each process tells: rates of funding are told by the market alone."""
        silent = {name: frozenset() if name == self.feed else {E.FUNDING} for name in self.process}
        return {name: self._sum(name, "produces") - silent[name] for name in self.process}

    def _heard(self, name: str) -> Types:
        """What a process wants of others: what it makes itself it has. What a model says is told at
        the event it was made at, so who hears a model hears that as well.
        """
        mine = self._sum(name, "produces") - {E.HEALTH, E.FUNDING}
        wants = self._sum(name, "consumes") - (LOCAL - {E.HEALTH})
        others = [PARTS[part] for part in self.elsewhere(name)]
        made: Types = frozenset().union(*(part.produces for part in others)) - {E.HEALTH}
        while causes := made & _causes(others, wants) - wants:
            wants |= causes
        return wants - mine

    def _sum(self, name: str, field: str) -> Types:
        parts = [PARTS[part] for part in self.process[name].parts()]
        found: Types = frozenset().union(*(getattr(part, field) for part in parts))
        return found

    def problems(self) -> Iterator[str]:
        """Why the table cannot work."""
        truthful = {n: [p for p in it.parts() if p in TRUTH] for n, it in self.process.items()}
        truthful = {name: parts for name, parts in truthful.items() if parts}
        if len(truthful) > 1:
            where = "; ".join(f"{n} has {', '.join(parts)}" for n, parts in truthful.items())
            yield f"the truth group is split ({where}); it lives in one process, as 'truth'"
        for name, parts in truthful.items() if len(truthful) == 1 else ():
            missing = [part for part in TRUTH if part not in parts]
            if missing:
                yield f"{name} has {', '.join(parts)} without {', '.join(missing)}; write 'truth'"
        if not truthful:
            yield "no process has the truth group; nothing would trade. Add 'truth' to one"
        said = self._said()
        for kind in sorted(EXCLUSIVE):
            makers = [name for name, says in said.items() if kind in says]
            if len(makers) > 1:
                yield f"{' and '.join(makers)} both produce {kind}, which only one may"
        yield from self._misplaced()
        made: Types = frozenset().union(*said.values())
        for name in self.process:
            wants = self._sum(name, "consumes") - LOCAL - OPINIONS - frozenset({E.AMEND_REQUEST})
            for kind in sorted(wants - made):
                by = [p for p in self.process[name].parts() if kind in PARTS[p].consumes]
                yield f"{name} consumes {kind} ({', '.join(by)}), which no process produces"
        ports: dict[int, str] = {}
        for name, process in self.process.items():
            other = ports.setdefault(process.port, name)
            if other != name:
                yield f"{other} and {name} both have port {process.port}"
        if self.transport == "memory" and len(self.process) > 1:
            yield "transport memory joins nothing outside of one process; use redis"

    def _misplaced(self) -> Iterator[str]:
        """Parts where they could not work, and processes that would wait for each other."""
        feeds = [name for name, it in self.process.items() if "feed" in it.parts()]
        if len(feeds) > 1:
            yield f"{' and '.join(feeds)} both have 'feed'; one process has the market"
        for name, it in self.process.items():
            parts = it.parts()
            apart = [p for p in parts if p not in (*RELAYED, *TRUTH, "feed")]
            if apart and not any(part in TRUTH for part in parts):
                yield f"{name} has {', '.join(apart)}, which judges where 'truth' is; put it there"
        hears = {name: set[str]() for name in self.process}
        for link in self.links():
            if link.source != link.reader and link.reader not in feeds:
                hears[link.reader].add(link.source)
            elif link.reader in feeds and "risk" not in self.process[link.reader].parts():
                what = ", ".join(link.types)
                yield f"{link.reader} has the market, which waits for nobody, and would hear {what}"
        while free := [name for name, sources in hears.items() if not sources & hears.keys()]:
            for name in free:
                del hears[name]
        if hears:
            yield f"{', '.join(hears)} would wait for each other; put them into one process"


def read_table(path: Path) -> Table:
    """The table in a file. *Raises*: `TopologyInvalid` with every reason why it cannot work."""
    try:
        table = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Table)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise TopologyInvalid(f"{path}: {error}.") from error
    known = [*PARTS, *GROUPS]
    wrong = [
        f"{name} has a module {module!r}{BESIDE.get(module) or _nearest(module, known)}"
        for name, process in table.process.items()
        for module in process.modules
        if module not in known
    ]
    wrong = wrong or list(table.problems())
    if wrong:
        raise TopologyInvalid(f"{path}: {'; '.join(wrong)}.")
    return table


def process_of(table: Table, name: str) -> Process:
    """One process. *Raises*: `TopologyInvalid` naming those there are."""
    process = table.process.get(name)
    if process is None:
        raise TopologyInvalid(f"no process {name!r}; the table has {', '.join(table.process)}.")
    return process


def described(path: str, table: Table) -> str:
    """Table and picture, as Markdown."""
    lines = [f"## {path}", "", f"Transport {table.transport}.", "", "```", *_picture(table), "```"]
    if links := table.links():
        lines += ["", "| Event | From | To | Class | Key |", "|---|---|---|---|---|"]
        rows = sorted((kind, it.source, it.reader) for it in links for kind in it.types)
        for kind, source, reader in rows:
            payload = PAYLOADS[EventType(kind)]
            key = payload.key or "–"
            lines.append(f"| `{kind}` | {source} | {reader} | {payload.delivery} | {key} |")
    return "\n".join(lines) + "\n"


def document(tables: Mapping[str, Table]) -> str:
    """The page of all tables, as `docs/topology.md` has it."""
    head = (
        "# Deployments\n\nWritten by `hean topology`; CI compares. A file of `deploy/` says which "
        "modules run in which\nprocess; what crosses follows from what they produce and consume "
        "(docs/adr/0029).\n"
    )
    return "\n".join([head, *(described(path, table) for path, table in tables.items())])


def _causes(parts: list[Part], wants: Types) -> Types:
    """At which events those of *parts* speak that say something of *wants*."""
    consumed = (part.consumes for part in parts if part.produces & (wants - {E.HEALTH}))
    found: Types = frozenset().union(*consumed)
    return found


def _picture(table: Table) -> Iterator[str]:
    for name, process in table.process.items():
        title = f"{name} :{process.port}"
        inside = ", ".join(process.modules)
        width = max(len(title), len(inside))
        yield f"┌─{'─' * width}─┐"
        yield f"│ {title:{width}} │"
        yield f"│ {inside:{width}} │"
        yield f"└─{'─' * width}─┘"
        for link in table.links():
            if link.source == name:
                yield f"   └── {', '.join(link.types)} ──▶ {link.reader}"


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return f", nearest is {near[0]!r}" if near else f"; known are {', '.join(known)}"
