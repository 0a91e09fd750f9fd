# SPDX-License-Identifier: Apache-2.0
"""`trial.py`: did the backtest trade as the recorded run did, and if not, why? The cause of each
difference is found by trial: the run is repeated with its own inputs, then these are exchanged for
the backtest's, one kind at a time. The first exchange with which a trade is no longer the recorded
one is its cause, its only one. What differs although no input does is unexplained, and that is a
finding, not a tolerance.

A venue's own fills cannot be repeated. What differs there with the run's own settings is named by
what differs in the pair: a fee, a moment, a price; a trade without a partner stays unexplained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from hean import __version__
from hean.backtest.journaling import code_of
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.data.fingerprint import Fingerprint, iso_utc
from hean.parity.data import DataDifference
from hean.parity.sides import Given, Recorded
from hean.parity.trades import Pair, Trade, document_of, match, of_recorder

DIFFERENCES_MAX = 1_000  # of a document; the counts are of all


class Cause(StrEnum):
    """Why a trade differs."""

    DATA = "data"
    STRATEGY = "strategy"
    PARAMETER = "parameter"
    BAR = "bar"
    SEED = "seed"
    ACCOUNT = "account"
    SIZING = "sizing"
    LIMIT = "limit"
    LATENCY = "latency"
    FILL_MODEL = "fill model"
    FEE = "fee"
    VERSION = "version"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Played:
    """What a trial came to. *code*: SHA-256 of the strategy's file."""

    trades: list[Trade]
    state_hash: str
    code: str
    data: list[Fingerprint]


Play = Callable[[BacktestSettings, MarketData], Played]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A kind of input that differs, in words, and the settings once it is exchanged."""

    cause: Cause
    recorded: str
    backtest: str
    settings: BacktestSettings


@dataclass(frozen=True, slots=True)
class Parity:
    """The answer. *pairs*: all trades, in order of time; *causes*: of those that differ, by their
    place. *state*: of a difference in the final state that no trade shows, or `None`.
    """

    recorded: Recorded
    settings: BacktestSettings
    pairs: list[Pair]
    causes: dict[int, Cause]
    exchanges: list[Exchange]
    difference: DataDifference | None
    played: Played
    state: Cause | None

    @property
    def fraction(self) -> float:
        """Identical trades among those of either side."""
        return 1 - len(self.causes) / len(self.pairs) if self.pairs else 1.0

    @property
    def is_identical(self) -> bool:
        """Whether every trade agrees and nothing else is left unexplained."""
        return not self.causes and self.state is None

    def differing(self) -> Iterator[tuple[Cause, Pair]]:
        """Each trade that differs, with its cause."""
        for place, cause in self.causes.items():
            yield cause, self.pairs[place]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        told, run = self.recorded.told, self.settings
        partners = Counter((p.recorded is not None, p.backtest is not None) for p in self.pairs)
        both = partners[True, True]
        return {
            "journal": told.place,
            "journal_hash": told.head,
            "strategy": run.strategy,
            "symbols": list(run.symbols),
            "start": iso_utc(self.recorded.period[0]),
            "end": iso_utc(self.recorded.period[1]),
            "identical": self.is_identical,
            "identical_fraction": self.fraction,
            "trades": {
                "recorded": both + partners[True, False],
                "backtest": both + partners[False, True],
                "identical": len(self.pairs) - len(self.causes),
                "different": len(self.causes) - partners[True, False] - partners[False, True],
                "only_recorded": partners[True, False],
                "only_backtest": partners[False, True],
            },
            "causes": {cause.value: count for cause, count in self.counts().items()},
            "inputs": [
                {"cause": each.cause.value, "recorded": each.recorded, "backtest": each.backtest}
                for each in self.exchanges
            ],
            "data_difference": self.difference.document() if self.difference else None,
            "data": list(self.played.data),
            "version": {"recorded": self.recorded.version, "backtest": __version__},
            "state_hash": self.played.state_hash,
            "recorded_state_hash": told.state_hash,
            "state_cause": self.state,
            "differences": [
                {"cause": cause.value, **document_of(pair)}
                for cause, pair in list(self.differing())[:DIFFERENCES_MAX]
            ],
        }

    def counts(self) -> dict[Cause, int]:
        """Trades by cause, most first."""
        return dict(Counter(self.causes.values()).most_common())


def play(settings: BacktestSettings, market: MarketData) -> Played:
    """One trial, which is a backtest."""
    return played(Backtest(settings, market))


def played(run: Backtest) -> Played:
    """Play a composed run."""
    summary, record = run.run()
    trades = [of_recorder(fill) for fill in record.fills]
    return Played(trades, summary["state_hash"], code_of(run.system.strategy), summary["data"])


def compare(
    recorded: Recorded, given: Given, settings: BacktestSettings, *, play: Play = play
) -> Parity:
    """Hold the recorded run against the backtest of *given* with *settings*.

    *play*: plays one trial; there is one more than kinds of input that differ.
    """
    exchanges = list(exchanges_of(recorded, given, settings))
    load = recorded.load or given.load
    trials = [play(recorded.settings, load())]
    for exchange in exchanges:
        load = given.load if exchange.cause is Cause.DATA else load
        trials.append(play(exchange.settings, load()))
    pairs = match(recorded.told.trades, trials[-1].trades)
    finder = _Finder(recorded, trials, [exchange.cause for exchange in exchanges])
    causes = {n: finder.cause(pair) for n, pair in enumerate(pairs) if pair.differs}
    state = None
    if not exchanges and recorded.load is not None:
        is_other = recorded.told.state_hash not in (None, trials[0].state_hash)
        state = finder.base if is_other else None
    difference = given.difference
    return Parity(recorded, settings, pairs, causes, exchanges, difference, trials[-1], state)


def exchanges_of(
    recorded: Recorded, given: Given, settings: BacktestSettings
) -> Iterator[Exchange]:
    """The kinds of input that differ, in the order of the trials. Each exchange keeps those before
    it, so that the last one is the backtest.
    """
    now = recorded.settings
    if given.difference is not None:
        words = "; ".join(given.difference.sentences())
        yield Exchange(Cause.DATA, "its own market", words, now)
    for cause, names in _KINDS:
        before = {name: _get(now, name) for name in names}
        after = {name: _get(settings, name) for name in names}
        if before == after:
            continue
        for name, value in after.items():
            now = _replaced(now, name, value)
        changed = [name for name in names if before[name] != after[name]]
        yield Exchange(cause, _words(before, changed), _words(after, changed), now)


class _Finder:
    """Finds the cause of a pair that differs. *causes*: of the trials after the first."""

    def __init__(self, recorded: Recorded, trials: list[Played], causes: list[Cause]) -> None:
        self.base = self._base(recorded, trials[0])
        self._is_venue = recorded.load is None
        self._causes = [self.base, *causes]
        self._partners: list[dict[int, Pair]] = []
        self._alone: list[list[Trade]] = []
        for trial in trials:
            pairs = match(recorded.told.trades, trial.trades)
            self._partners.append({id(p.recorded): p for p in pairs if p.recorded is not None})
            self._alone.append([p.backtest for p in pairs if p.backtest and p.recorded is None])

    @staticmethod
    def _base(recorded: Recorded, first: Played) -> Cause:
        """Why the run itself, repeated with its own inputs, would differ."""
        if recorded.version != __version__:
            return Cause.VERSION
        if recorded.code and recorded.code != first.code:
            return Cause.STRATEGY
        return Cause.UNEXPLAINED

    def cause(self, pair: Pair) -> Cause:
        """The first trial in which this trade is not as recorded."""
        for trial, cause in enumerate(self._causes):
            found = self._differing(pair, trial)
            if found is not None:
                return _measured(found) if self._is_venue and not trial else cause
        raise AssertionError("the last trial is the backtest, in which it differs")

    def _differing(self, pair: Pair, trial: int) -> Pair | None:
        if pair.recorded is not None:
            then = self._partners[trial][id(pair.recorded)]
            return then if then.differs else None
        assert pair.backtest is not None
        near = match(self._alone[trial], [pair.backtest])
        return pair if any(each.recorded and each.backtest for each in near) else None


def _measured(pair: Pair) -> Cause:
    """What a venue did otherwise than the simulated one with the same order."""
    differs = set(pair.differs)
    if differs == {"fee"}:
        return Cause.FEE
    if "time" in differs and differs <= {"time", "fee"}:
        return Cause.LATENCY
    if differs <= {"time", "price", "fee", "liquidity"}:
        return Cause.FILL_MODEL
    return Cause.UNEXPLAINED


_KINDS: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (Cause.STRATEGY, ("strategy",)),
    (Cause.PARAMETER, ("given",)),
    (Cause.BAR, ("bar",)),
    (Cause.SEED, ("seed",)),
    (Cause.ACCOUNT, ("account.cash", "account.leverage", "assumptions.leverage")),
    (Cause.SIZING, ("account.sizing",)),
    (Cause.LIMIT, ("account.limits",)),
    (Cause.LATENCY, ("assumptions.entry", "assumptions.response")),
    (
        Cause.FILL_MODEL,
        (
            "assumptions.half_spread",
            "assumptions.impact",
            "assumptions.participation",
            "assumptions.queue_model",
            "assumptions.needs_trade_through",
        ),
    ),
    (Cause.FEE, ("assumptions.maker_fee", "assumptions.taker_fee")),
)
"""Fields of the settings by the cause they are; fees last, because most trades bear them and
nothing else."""


def _get(settings: BacktestSettings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _replaced(settings: BacktestSettings, name: str, value: Any) -> BacktestSettings:
    outer, _, inner = name.rpartition(".")
    if outer:
        name, value = outer, msgspec.structs.replace(getattr(settings, outer), **{inner: value})
    return msgspec.structs.replace(settings, **{name: value})


def _words(values: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} {_word(values[name])}" for name in names)


def _word(value: Any) -> str:
    if value is None:
        return "of the list"
    words = getattr(value, "words", None)
    if words is not None:
        return str(words())
    if isinstance(value, dict):
        return " ".join(f"{name}={each}" for name, each in sorted(value.items())) or "none given"
    return str(value)
