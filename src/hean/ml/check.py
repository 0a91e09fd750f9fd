# SPDX-License-Identifier: Apache-2.0
"""`check.py`: is a model what its manifest says, and does HEAN answer as the library and ONNX do?
Asked about rows of the test and about rows that lie exactly on a threshold, where `<`, `<=` and a
rounded number part ways.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.ml import libraries
from hean.ml.folder import read_files
from hean.models.artefact import MODEL_FILES, ONNX_FILE, LearnedModel

Array = np.ndarray[Any, np.dtype[np.float64]]

LIMITS = {"lightgbm": 1e-12, "xgboost": 1e-6}  # XGBoost itself counts in single precision
ONNX_LIMIT = 1e-6
THRESHOLDS_MAX = 2000


class Finding(msgspec.Struct, frozen=True):
    """One question and its answer. *off*: largest difference, where there is one."""

    name: str
    passed: bool
    detail: str
    off: float | None = None
    limit: float | None = None


def open_model(folder: Path) -> tuple[LearnedModel, dict[str, bytes], list[Finding]]:
    """Everything that can be said without a library. *Raises*: `ModelRefused`."""
    manifest, files = read_files(folder)
    model = LearnedModel(manifest, files)
    count = len(manifest.examples)
    return (
        model,
        files,
        [
            Finding("hashes", passed=True, detail=f"{len(files)} files are those of the manifest"),
            Finding("features", passed=True, detail=f"{len(manifest.features)} of this version"),
            Finding("examples", passed=True, detail=f"{count} scores are those of the training"),
        ],
    )


def compare(model: LearnedModel, files: dict[str, bytes]) -> list[Finding]:
    """HEAN beside the library and ONNX. *Raises*: `EnvironmentFault` if they are not installed."""
    manifest, trees = model.manifest, model.trees
    rows = probe_rows(model)
    name = MODEL_FILES[manifest.library]
    booster = libraries.booster_of(manifest.library, files[name].decode())
    theirs = libraries.raw_scores(manifest.library, booster, rows)
    off = float(np.max(np.abs(theirs - trees.predict_many(rows, raw=True))))
    found = [_finding(manifest.library, off, LIMITS[manifest.library], len(rows))]
    if ONNX_FILE in files:
        chances = libraries.onnx_probabilities(files[ONNX_FILE], rows)
        off = float(np.max(np.abs(chances - trees.predict_many(rows))))
        found.append(_finding("onnx", off, ONNX_LIMIT, len(rows)))
    return found


def probe_rows(model: LearnedModel) -> Array:
    """The examples, and for each threshold a row on it and the next float32 on either side."""
    base = np.array([row for row, _ in model.manifest.examples], dtype=np.float64)
    splits = sorted(set(model.trees.splits()))[:THRESHOLDS_MAX]
    probes = []
    for at, (feature, threshold) in enumerate(splits):
        middle = np.float32(threshold)
        for value in (np.nextafter(middle, np.float32(-np.inf)), middle):
            row = base[at % len(base)].copy()
            row[feature] = float(value)
            probes.append(row)
        row = base[at % len(base)].copy()
        row[feature] = float(np.nextafter(middle, np.float32(np.inf)))
        probes.append(row)
    return np.ascontiguousarray(np.vstack([base, *probes]))


def _finding(name: str, off: float, limit: float, rows: int) -> Finding:
    detail = f"{rows} rows, some of them on the thresholds"
    return Finding(name, off <= limit, detail, off, limit)
