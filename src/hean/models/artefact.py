# SPDX-License-Identifier: Apache-2.0
"""`artefact.py`: a trained model as it is kept and trusted. A folder holds the library's own file,
ONNX, and a manifest that says what the model is: hashes, features with versions, the interval it
was trained on, calibration, what it achieved out of sample, and when it expires. Nothing is
believed: whatever does not fit the manifest is refused. A pickle is refused unread, because reading
it runs what is inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hean._core import TreeModel
from hean.errors import DataInvalid, InputError
from hean.models.features import FeatureSet, FeatureSpec
from hean.quant.calibration import Calibration
from hean.quant.labels import Barriers

FORMAT = 1
MANIFEST = "manifest.json"
MODEL_FILES = {"lightgbm": "model.txt", "xgboost": "model.json"}
ONNX_FILE = "model.onnx"
PICKLES = (".pkl", ".pickle", ".joblib")


class ModelRefused(InputError):
    """A model that cannot be trusted. Reaction: refuse it; trade without an opinion."""

    code = 1131


class Drift(msgspec.Struct, frozen=True):
    """What the training saw, for telling when the market is another one. *edges*: deciles of each
    feature; *shares*: how much lay between them; *psi_max*: limit of each feature, at least the
    largest index that blocks of the training itself had; *rows*: of a block; *loss_mean*,
    *loss_deviation*: log loss out of sample of decisions that do not overlap.
    """

    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    psi_max: tuple[float, ...]
    rows: int
    loss_mean: float
    loss_deviation: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a person or program has to know of a model. Times in ns UTC.

    *files*: SHA-256 by file name; *trained_on*: first and last moment that the model, its choice or
    its calibration saw; *sigma_decay*: of the variance that sets the barriers; *examples*: rows of
    features with the raw score due for each.
    """

    format: int
    name: str
    library: str
    files: dict[str, str]
    symbol: str
    timeframe: str
    features: tuple[FeatureSpec, ...]
    fingerprint: str
    target: Barriers
    sigma_decay: float
    trained_on: tuple[int, int]
    valid_from: int
    expires: int
    purge_bars: int
    embargo_bars: int
    parameters: dict[str, Any]
    calibration: Calibration
    metrics: dict[str, Any]
    drift: Drift
    examples: tuple[tuple[tuple[float, ...], float], ...]
    versions: dict[str, str]


class LearnedModel:
    """A model that fits its manifest. *files*: content by name, the library's file at least.

    *Raises*: `ModelRefused` naming what does not fit.
    """

    def __init__(self, manifest: Manifest, files: Mapping[str, bytes]) -> None:
        self.manifest = manifest
        if manifest.format != FORMAT:
            raise ModelRefused(f"manifest of format {manifest.format}; this HEAN reads {FORMAT}.")
        name = MODEL_FILES.get(manifest.library)
        if name is None or name not in manifest.files or name not in files:
            raise ModelRefused(f"{manifest.library!r}: no model file of a library that is known.")
        for given, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            if manifest.files.get(given) != digest:
                raise ModelRefused(f"{given}: its SHA-256 is not that of the manifest.")
        if not manifest.trained_on[0] < manifest.trained_on[1] < manifest.valid_from:
            raise ModelRefused("valid_from is not after what the model was trained on.")
        self.trees = _trees(manifest.library, files[name])
        self._check_features()
        self._check_examples()

    def raw(self, row: Sequence[float]) -> float:
        """The trees' own score."""
        return self.trees.raw(row)

    def probability(self, row: Sequence[float]) -> float:
        """The calibrated probability that the target is met."""
        return self.manifest.calibration.probability(self.trees.raw(row))

    def _check_features(self) -> None:
        manifest = self.manifest
        own = FeatureSet([spec.name for spec in manifest.features], manifest.timeframe)
        for trained, here in zip(manifest.features, own.specs, strict=True):
            if trained != here:
                raise ModelRefused(
                    f"feature {trained.name}: trained with version {trained.version}, here is "
                    f"{here.version} or another definition; train again."
                )
        if own.fingerprint != manifest.fingerprint:
            raise ModelRefused("the fingerprint is not that of the features; train again.")
        if len(self.trees.features) != len(own.specs):
            count = len(self.trees.features)
            raise ModelRefused(f"the trees take {count} features, the manifest {len(own.specs)}.")
        drift = manifest.drift
        lengths = {len(drift.edges), len(drift.shares), len(drift.psi_max)}
        if lengths != {len(own.specs)}:
            raise ModelRefused("drift: one entry for each feature is due.")

    def _check_examples(self) -> None:
        for at, (row, due) in enumerate(self.manifest.examples):
            found = self.trees.raw(row)
            if found != due:
                raise ModelRefused(f"example {at}: score {found!r}; {due!r} when it was trained.")


def read_manifest(content: bytes) -> Manifest:
    """A manifest from its JSON. *Raises*: `ModelRefused` naming field and cause."""
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError, InputError) as error:
        raise ModelRefused(f"{MANIFEST}: {error}.") from error


def refuse_pickle(name: str) -> None:
    """*Raises*: `ModelRefused` if the name is that of a pickle."""
    if name.lower().endswith(PICKLES):
        raise ModelRefused(
            f"{name}: a pickle runs whatever code it holds when it is read. Save the model as "
            "LightGBM text (booster.save_model) or XGBoost JSON, or train with `hean ml train`."
        )


def _trees(library: str, content: bytes) -> TreeModel:
    try:
        text = content.decode("utf-8")
        return TreeModel.lightgbm(text) if library == "lightgbm" else TreeModel.xgboost(text)
    except UnicodeDecodeError as error:
        raise ModelRefused(f"{MODEL_FILES[library]}: no text ({error.reason}).") from error
    except (DataInvalid, InputError) as error:
        raise ModelRefused(f"{MODEL_FILES[library]}: {error.message}") from error
