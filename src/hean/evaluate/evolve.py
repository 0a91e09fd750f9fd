# SPDX-License-Identifier: Apache-2.0
"""`evolve.py`: one evolution from settings to document. The checkpoint is written after each
generation, whole or not at all; a run that finds one of its own goes on from there and ends as if
it had never stopped.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hean import __version__
from hean.data.fingerprint import iso_utc
from hean.errors import EnvironmentFault, InputError
from hean.evaluate import champions
from hean.evaluate.champions import Champion, Honest, Shown
from hean.evaluate.engines import Engine, local
from hean.evaluate.evolving import (
    Parts,
    Plan,
    arena_of,
    logged,
    parts_of,
    prove_features,
    said,
    settings_of,
)
from hean.evaluate.settling import population_of
from hean.feeds.history import History
from hean.symbiont.evolution import Generation, Settings, State, advance, begun, lineage
from hean.symbiont.population import Population

CHECKPOINT_BYTES_MAX = 500_000_000


class Kept(msgspec.Struct):
    """What a checkpoint holds. *held_back*: what the held-back part has said, by genome."""

    state: State
    held_back: dict[str, Shown] = {}


class Evolved(msgspec.Struct, frozen=True):
    """What came of it. *document*: for JSON."""

    document: dict[str, Any]
    state: State
    champions: list[Champion]
    honest: Honest
    parts: Parts
    day_ns: dict[str, list[int]]
    population: Population


def evolve(
    plan: Plan,
    history: History,
    *,
    checkpoint: Path | None = None,
    on_generation: Callable[[Generation], None] = lambda _: None,
    engine: Engine = local,
) -> Evolved:
    """Breed, judge, open. *on_generation*: told after each. *engine*: where those that are bred are
    judged; champions are judged here. *Raises*: `InputError` for a checkpoint of another run;
    `LookAhead` for a feature that knows the future; `DataInvalid`, `ParameterInvalid`,
    `EnvironmentFault`.
    """
    parts, settings = parts_of(history, plan), settings_of(plan, history)
    prove_features(plan, history)
    kept = _begin(checkpoint, settings)
    arena = arena_of(plan, history, parts.bred)
    if kept.state.generation < plan.generations:
        with engine(arena) as judge:
            while kept.state.generation < plan.generations:
                told = advance(kept.state, judge)
                _save(checkpoint, kept)
                on_generation(told)
    counted = logged(plan, settings, parts.bred, kept.state.trials)
    of_all = champions.honest(kept.state, plan, arena, counted)

    def keep(known: dict[str, Shown]) -> None:
        kept.held_back = known
        _save(checkpoint, kept)

    found = champions.champions(kept.state, plan, history, parts, of_all)
    found = champions.opened(found, plan, history, parts, kept.held_back, keep)
    days = {name: _days(getattr(parts, name)) for name in ("bred", "judged", "held_back")}
    document = _document(plan, history, parts, kept.state, found, of_all)
    settled = population_of(plan, history, parts, kept.state, found)
    return Evolved(document, kept.state, found, of_all, parts, days, settled)


def _days(part: Any) -> list[int]:
    day_ns = 86_400 * 10**9
    return list(range(part.counts_ns, part.end_ns, day_ns))


def _begin(checkpoint: Path | None, settings: Settings) -> Kept:
    if checkpoint is None or not checkpoint.exists():
        return Kept(begun(settings), {})
    try:
        if checkpoint.stat().st_size > CHECKPOINT_BYTES_MAX:
            raise InputError(f"{checkpoint}: larger than any checkpoint.")
        kept = msgspec.json.decode(checkpoint.read_bytes(), type=Kept)
    except OSError as error:
        raise EnvironmentFault(f"{checkpoint}: {error.strerror or error}.") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{checkpoint}: no checkpoint of an evolution ({error}).") from None
    wanted = msgspec.structs.replace(settings, generations=kept.state.settings.generations)
    other = [
        name
        for name in Settings.__struct_fields__
        if getattr(wanted, name) != getattr(kept.state.settings, name)
    ]
    if other:
        raise InputError(
            f"{checkpoint}: of a run with other {', '.join(other)}; choose another --out, or "
            "remove it. (ground: data, period, folds, costs, account or version)"
        )
    if kept.state.generation > settings.generations:
        raise InputError(
            f"{checkpoint}: has {kept.state.generation} generations, asked for "
            f"{settings.generations}; ask for as many or more, choose another --out, or remove it."
        )
    kept.state.settings = settings
    return kept


def _save(checkpoint: Path | None, kept: Kept) -> None:
    """Replace the checkpoint; a reader sees the old or the new one."""
    if checkpoint is None:
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=checkpoint.parent, prefix=".hean-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, checkpoint)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFault(f"{checkpoint}: {error.strerror or error}.") from error


def _document(
    plan: Plan,
    history: History,
    parts: Parts,
    state: State,
    found: list[Champion],
    of_all: Honest,
) -> dict[str, Any]:
    promoted = sum(each.promoted for each in found)
    return {
        "symbols": list(history.markets),
        "start": iso_utc(history.start_ns),
        "end": iso_utc(history.end_ns),
        "seed": plan.base.seed,
        "version": __version__,
        "population": plan.population,
        "generations": state.generation,
        "folds": plan.folds,
        "embargo_days": plan.embargo,
        "parts": {name: said(getattr(parts, name)) for name in ("bred", "judged", "held_back")},
        "trials": {"run": len(state.trials), "counted": of_all.trials},
        "sharpe_of_luck": of_all.luck,
        "overfitting_probability": of_all.overfitting,
        "walk_forward_sharpe": of_all.walked_sharpe,
        "champions": [champions.document(it, lineage(state, it.genome)) for it in found],
        "features": [it.name for it in plan.features],
        "promoted": promoted,
        "verdict": sentence(found, of_all),
        "history": msgspec.to_builtins(state.told),
        "data": list(history.fingerprints),
        "problems": [],
    }


def sentence(found: list[Champion], of_all: Honest) -> str:
    """The result in one sentence."""
    promoted = [each for each in found if each.promoted]
    if promoted:
        return (
            f"{len(promoted)} of {len(found)} champions passed every gate after {of_all.trials:,} "
            "trials; paper trading is the next proof."
        )
    if not found:
        return "No genome traded enough without ruin; nothing is promoted."
    first = next(gate for gate in found[0].gates if not gate.passed)
    value = "unknown" if first.found is None else f"{first.found:.3g}"
    return (
        f"Nothing is promoted: after {of_all.trials:,} trials the best champion fails at "
        f"{first.name} ({value}, needed {first.needed})."
    )
