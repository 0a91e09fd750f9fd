# SPDX-License-Identifier: Apache-2.0
"""`libraries.py`: LightGBM, XGBoost and ONNX, held to one thread and one seed, so that the same
data give the same model. They come with `./hean setup ml` and are loaded when they are needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from hean._core import TreeModel
from hean.errors import EnvironmentFault, ParameterInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]

ROUNDS = 100
LIBRARIES = ("lightgbm", "xgboost")
ZERO = float(np.float32(1e-35))
VERSIONED = ("lightgbm", "xgboost", "onnx", "onnxmltools", "onnxruntime", "numpy")

_LIGHTGBM = {
    "objective": "binary",
    "learning_rate": 0.03,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_XGBOOST = {
    "objective": "binary:logistic",
    "eta": 0.03,
    "min_child_weight": 50,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "lambda": 1.0,
    "tree_method": "hist",
    "nthread": 1,
    "verbosity": 0,
}
GRID: Mapping[str, tuple[dict[str, Any], ...]] = {
    "lightgbm": tuple({**_LIGHTGBM, "num_leaves": leaves} for leaves in (7, 15, 31)),
    "xgboost": tuple({**_XGBOOST, "max_depth": depth} for depth in (3, 4, 5)),
}
"""What cross-validation chooses from; few, because every choice is a trial."""


class Fitted(msgspec.Struct):
    """A booster of its library, its own file, and the same trees in HEAN's core."""

    library: str
    booster: Any
    text: str
    trees: TreeModel


def load(name: str) -> Any:
    """A library. *Raises*: `EnvironmentFault` with the remedy."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EnvironmentFault(f"{name} is not installed ({error}): ./hean setup ml") from error


def versions() -> dict[str, str]:
    """Of the libraries that trained and exported."""
    return {name: str(load(name).__version__) for name in VERSIONED}


def fit(
    library: str,
    parameters: Mapping[str, Any],
    data: tuple[Array, Array, Array],
    names: tuple[str, ...],
    seed: int,
) -> Fitted:
    """Train. *data*: rows, outcomes 0 or 1, weights. *Raises*: `EnvironmentFault`."""
    rows, outcomes, weights = data
    if library == "lightgbm":
        lightgbm = load(library)
        sample = lightgbm.Dataset(rows, outcomes, weight=weights, feature_name=list(names))
        booster = lightgbm.train({**parameters, "seed": seed}, sample, ROUNDS)
        text = single_thresholds(booster.model_to_string())
        return Fitted(library, booster_of(library, text), text, TreeModel.lightgbm(text))
    if library == "xgboost":
        xgboost = load(library)
        sample = xgboost.DMatrix(rows, outcomes, weight=weights, feature_names=list(names))
        booster = xgboost.train({**parameters, "seed": seed}, sample, ROUNDS)
        text = booster.save_raw("json").decode()
        return Fitted(library, booster, text, TreeModel.xgboost(text))
    raise ParameterInvalid(f"library {library!r}; allowed: {', '.join(LIBRARIES)}.")


def single_thresholds(text: str) -> str:
    """A LightGBM model with every threshold rounded down to float32. Features are float32, so each
    falls on the same side as before; and ONNX, which rounds to the nearest, changes nothing more.
    """
    head, *trees = text.split("Tree=")
    last, end = trees[-1].split("end of trees")
    rounded = ["Tree=" + _rounded_tree(tree) for tree in (*trees[:-1], last)]
    sizes = " ".join(str(len(tree.encode())) for tree in rounded)
    lines = [f"tree_sizes={sizes}" if it.startswith("tree_sizes=") else it for it in _lines(head)]
    return "\n".join(lines) + "".join(rounded) + "end of trees" + end


def _rounded_tree(tree: str) -> str:
    lines = _lines(tree)
    for at, line in enumerate(lines):
        if line.startswith("threshold="):
            numbers = [_single_below(float(word)) for word in line[10:].split()]
            lines[at] = "threshold=" + " ".join(f"{number:.17g}" for number in numbers)
    return "\n".join(lines)


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _single_below(value: float) -> float:
    if abs(value) <= ZERO:  # LightGBM reads numbers this small as zero, ONNX does not
        return ZERO if value >= 0 else float(np.nextafter(np.float32(-ZERO), np.float32(-1)))
    nearest = np.float32(value)
    below = np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > value else nearest
    return float(below)


def booster_of(library: str, text: str) -> Any:
    """A booster from its own file, to compare with."""
    if library == "lightgbm":
        return load(library).Booster(model_str=text)
    return load(library).Booster(model_file=bytearray(text.encode()))


def raw_scores(library: str, booster: Any, rows: Array) -> Array:
    """What the library itself answers, before the sigmoid."""
    if library == "lightgbm":
        found = booster.predict(rows, raw_score=True)
    else:
        sample = load(library).DMatrix(rows, feature_names=booster.feature_names)
        found = booster.predict(sample, output_margin=True)
    return np.asarray(found, dtype=np.float64)


def to_onnx(fitted: Fitted) -> bytes:
    """The model as ONNX with float32 input `features` and a tensor of probabilities."""
    onnxmltools = load("onnxmltools")
    types = load("onnxmltools.convert.common.data_types")
    width = len(fitted.trees.features)
    given = [("features", types.FloatTensorType([None, width]))]
    if fitted.library == "lightgbm":
        model = onnxmltools.convert_lightgbm(
            fitted.booster, initial_types=given, zipmap=False, target_opset=15
        )
    else:
        booster = load("xgboost").Booster(model_file=bytearray(fitted.text.encode()))
        booster.feature_names = [f"f{at}" for at in range(width)]  # what the converter reads
        model = onnxmltools.convert_xgboost(booster, initial_types=given, target_opset=15)
    model.graph.name = "hean"  # the converter draws a new name at every call
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def onnx_session(content: bytes) -> tuple[Any, str]:
    """ONNX Runtime on one thread, and the name of its input."""
    runtime = load("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the converter states a shape that warns at every run
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session, session.get_inputs()[0].name


def onnx_probabilities(content: bytes, rows: Array) -> Array:
    """What ONNX Runtime answers."""
    session, name = onnx_session(content)
    answers = session.run(None, {name: rows.astype(np.float32)})
    return np.asarray(answers[1], dtype=np.float64)[:, 1]
