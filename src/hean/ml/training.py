# SPDX-License-Identifier: Apache-2.0
"""`training.py`: from rows to a model that knows its own worth. Time is cut in three: on the first
part parameters are chosen by purged, embargoed cross-validation and trees are grown; on the second
they are calibrated; the third is opened once, for the figures of the manifest. Between the parts
lies what the embargo demands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from hean.core.timeframe import timeframe_ns
from hean.errors import DataInvalid
from hean.ml import libraries
from hean.ml.dataset import SIGMA_DECAY, Dataset
from hean.ml.folder import digests
from hean.ml.libraries import Fitted
from hean.ml.metrics import apart, evaluate, losses
from hean.models.artefact import FORMAT, MODEL_FILES, ONNX_FILE, Drift, LearnedModel, Manifest
from hean.quant.calibration import Calibration, calibrate
from hean.quant.cross_validation import purged_folds
from hean.quant.drift import Bins, deciles, psi
from hean.quant.labels import Barriers

Array = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.int64]]

SHARES = (0.70, 0.15)  # of training and calibration; the rest is the test
FEATURE_HALF_LIVES = 5  # of the longest memory of a feature, as embargo
SLICE_ROWS_MIN = 200
DRIFT_ROWS = 2016  # a week of five-minute bars
PSI_ALARM = 0.25
PSI_MARGIN = 1.5  # above what blocks of the training itself had
EXAMPLES = 32
DAY_NS = 86_400_000_000_000


class Plan(msgspec.Struct, frozen=True):
    """What to train. *expiry_days*: after the last bar of the data."""

    name: str
    library: str
    target: Barriers
    folds: int = 5
    seed: int = 1
    expiry_days: int = 90


class Slices(msgspec.Struct, frozen=True):
    """Rows of the three parts, and the embargo between them, in bars."""

    train: Indices
    calibration: Indices
    test: Indices
    embargo: int


def steps_of(plan: Plan) -> int:
    """Fits that a training takes, for a progress bar."""
    return len(libraries.GRID[plan.library]) * plan.folds + 1


def slices_of(data: Dataset, target: Barriers) -> Slices:
    """Cut time in three. *Raises*: `DataInvalid` if a part is too short."""
    bar_s = timeframe_ns(data.features.timeframe) / 1e9
    memory = max(spec.half_life_s for spec in data.features.specs) / bar_s
    embargo = max(target.horizon, int(np.ceil(FEATURE_HALF_LIVES * memory)))
    rows = len(data.bar)
    at = np.arange(rows)
    first, second = int(rows * SHARES[0]), int(rows * (SHARES[0] + SHARES[1]))
    later = data.bar[first] + embargo
    train = at[(at < first) & (data.end < data.bar[first])]
    last = data.bar[min(second, rows - 1)]
    calibration = at[(data.bar >= later) & (at < second) & (data.end < last)]
    test = at[data.bar >= last + embargo]
    for name, part in {"training": train, "calibration": calibration, "test": test}.items():
        if len(part) < SLICE_ROWS_MIN:
            raise DataInvalid(
                f"{len(part)} rows are left for {name} after an embargo of {embargo} bars; "
                f"{SLICE_ROWS_MIN} are due: give more data or features that forget sooner."
            )
    return Slices(train, calibration, test, embargo)


def choose(
    data: Dataset, cut: Slices, plan: Plan, advance: Callable[[int], None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parameters of the least log loss over purged folds of the training part, and every trial."""
    trials: list[dict[str, Any]] = []
    grid = libraries.GRID[plan.library]
    bar = data.bar[cut.train]
    # The last row that a label looks at: it may end at a bar that made no row.
    ends = (np.searchsorted(bar, data.end[cut.train], side="right") - 1).tolist()
    for parameters in grid:
        weighted, total = 0.0, 0.0
        for split in purged_folds(len(bar), plan.folds, embargo=cut.embargo, label_end=ends):
            fitted = _fit(data, cut.train[split.train], plan, parameters)
            at = cut.train[split.test[0]]
            lost = losses(_chances(fitted, data.rows[at]), data.win[at])
            weighted += float(np.sum(lost * data.weight[at]))
            total += float(np.sum(data.weight[at]))
            advance(1)
        trials.append({"parameters": parameters, "log_loss": weighted / total})
    best = min(range(len(grid)), key=lambda at: trials[at]["log_loss"])
    return grid[best], trials


def train(
    data: Dataset, plan: Plan, advance: Callable[[int], None]
) -> tuple[Manifest, dict[str, bytes]]:
    """Train, calibrate, test and export. *Returns*: manifest and files of a model's folder, proven
    to fit each other. *Raises*: `DataInvalid`, `EnvironmentFault`.
    """
    cut = slices_of(data, plan.target)
    parameters, trials = choose(data, cut, plan, advance)
    fitted = _fit(data, cut.train, plan, parameters)
    advance(1)
    raw = fitted.trees.predict_many(data.rows[cut.calibration], raw=True)
    weights = data.weight[cut.calibration]
    calibration = calibrate(raw, data.win[cut.calibration], weights)
    found, drift = _test(data, cut, fitted, calibration)
    found["trials"] = trials
    names = data.features.names
    files = {MODEL_FILES[plan.library]: fitted.text.encode(), ONNX_FILE: libraries.to_onnx(fitted)}
    step_ns = timeframe_ns(data.features.timeframe)
    known_until = int(data.bars.ts[data.end[cut.calibration[-1]]]) + step_ns
    manifest = Manifest(
        format=FORMAT,
        name=plan.name,
        library=plan.library,
        files=digests(files),
        symbol=data.bars.symbol,
        timeframe=data.features.timeframe,
        features=data.features.specs,
        fingerprint=data.features.fingerprint,
        target=plan.target,
        sigma_decay=SIGMA_DECAY,
        trained_on=(int(data.ts[0]), known_until),
        valid_from=known_until + step_ns,
        expires=int(data.bars.ts[-1]) + step_ns + plan.expiry_days * DAY_NS,
        purge_bars=plan.target.horizon,
        embargo_bars=cut.embargo,
        parameters={**parameters, "rounds": libraries.ROUNDS, "seed": plan.seed},
        calibration=calibration,
        metrics=found,
        drift=drift,
        examples=examples(fitted, data.rows[cut.test], len(names)),
        versions=libraries.versions(),
    )
    LearnedModel(manifest, files)
    return manifest, files


def examples(
    fitted: Fitted, rows: Array, width: int
) -> tuple[tuple[tuple[float, ...], float], ...]:
    """Rows with the score they get: some of the test, some with a feature exactly on a threshold,
    where `<` and `<=` differ.
    """
    chosen = rows[np.linspace(0, len(rows) - 1, EXAMPLES).astype(np.int64)].copy()
    splits = fitted.trees.splits()
    for at in range(0, EXAMPLES, 2):
        if splits:
            feature, threshold = splits[at * 7 % len(splits)]
            chosen[at, feature] = float(np.float32(threshold))
    scores = fitted.trees.predict_many(np.ascontiguousarray(chosen), raw=True)
    return tuple(
        (tuple(row[:width]), score)
        for row, score in zip(chosen.tolist(), scores.tolist(), strict=True)
    )


def _fit(data: Dataset, at: Indices, plan: Plan, parameters: dict[str, Any]) -> Fitted:
    sample = (data.rows[at], data.win[at], data.weight[at])
    return libraries.fit(plan.library, parameters, sample, data.features.names, plan.seed)


def _chances(fitted: Fitted, rows: Array) -> Array:
    """Uncalibrated probabilities, kept away from a certainty that no market has."""
    return np.clip(fitted.trees.predict_many(rows), 1e-6, 1.0 - 1e-6)


def _test(
    data: Dataset, cut: Slices, fitted: Fitted, calibration: Calibration
) -> tuple[dict[str, Any], Drift]:
    """Open the test once: figures, and what the drift monitor will compare with."""
    rows, win = data.rows[cut.test], data.win[cut.test]
    raw = fitted.trees.predict_many(rows, raw=True)
    chances = np.array([calibration.probability(score) for score in raw.tolist()])
    distinct = apart(data.bar[cut.test], data.end[cut.test])
    base = float(np.average(data.win[cut.train], weights=data.weight[cut.train]))
    found = evaluate((_chances(fitted, rows), chances), win, data.net[cut.test], distinct, base)
    lost = losses(chances, win)[distinct]
    drift = drift_of(data.rows[cut.train])
    found["psi_alarms"] = [
        data.features.specs[at].name for at in alarms(drift, rows, data.features.specs)
    ]
    deviation = max(float(np.std(lost, ddof=1)), 1e-6)
    return found, msgspec.structs.replace(
        drift, loss_mean=float(np.mean(lost)), loss_deviation=deviation
    )


def drift_of(rows: Array) -> Drift:
    """Deciles of each feature, and how far blocks of the same rows stray from them."""
    block = min(DRIFT_ROWS, len(rows) // 4)
    edges = tuple(deciles(column) for column in rows.T)
    shares, limits = [], []
    for column, inner in zip(rows.T, edges, strict=True):
        whole = _counts(column, inner)
        shares.append(tuple(count / len(column) for count in whole))
        strays = [
            psi(whole, _counts(column[at : at + block], inner))
            for at in range(0, len(column) - block + 1, block)
        ]
        limits.append(max(PSI_ALARM, PSI_MARGIN * max(strays)))
    return Drift(edges, tuple(shares), tuple(limits), block, 0.0, 1.0)


def alarms(drift: Drift, rows: Array, specs: tuple[Any, ...]) -> list[int]:
    """Features that would have raised an alarm in some block of these rows."""
    found = []
    for at, spec in enumerate(specs):
        blocks = range(0, len(rows) - drift.rows + 1, drift.rows)
        column, inner = rows[:, at], drift.edges[at]
        strays = [psi(drift.shares[at], _counts(column[b : b + drift.rows], inner)) for b in blocks]
        if spec.inputs != "time" and max(strays, default=0.0) > drift.psi_max[at]:
            found.append(at)
    return found


def _counts(column: Array, edges: tuple[float, ...]) -> list[int]:
    bins = Bins(edges)
    places = np.searchsorted(np.asarray(edges), column, side="right")
    bins.counts = np.bincount(places, minlength=len(edges) + 1).tolist()
    return bins.counts
