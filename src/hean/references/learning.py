# SPDX-License-Identifier: Apache-2.0
"""Gradient-boosted trees: what the libraries answer, from their trees alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hean._core import TreeModel
from hean.errors import DataInvalid
from hean.references.case import Array, Case

Node = tuple[float] | tuple[int, float, int, int, bool]
DEPTH_MAX = 200  # of a tree written inside out


def gbdt_inference(case: Case) -> None:
    """Raw sums and probabilities by the library's own rule, and how far ONNX's single precision is
    from them.
    """
    rows = np.asarray(
        [[math.nan if value is None else value for value in row] for row in case.inputs["X"]],
        dtype=np.float64,
    )
    model = _model(case.inputs, rows.shape[1])
    raw = model.predict_many(rows, raw=True)
    # Trees alone do not say what their sum means; a file that asks for a probability does.
    chance = model if model.is_probability else _model(case.inputs, rows.shape[1], "sigmoid")
    probability = chance.predict_many(rows)
    for name in ("raw", "margin"):
        case.answer(name, raw, "tree_walk_abs", "raw_abs", "rel")
    case.answer("probability", probability, "tree_walk_abs", "rel")
    case.answer("prediction", model.predict_many(rows), "tree_walk_abs", "rel")
    single = chance.to_single().predict_many(rows)
    case.answer("onnx_probability", single, "onnx_abs")
    case.answer("onnx_max_abs_diff", _largest(single - probability), "onnx_abs")


def _largest(differences: Array) -> float:
    return float(np.max(np.abs(differences), initial=0.0))


def _model(inputs: Mapping[str, Any], width: int, link: str = "") -> TreeModel:
    names = [str(name) for name in inputs.get("feature_names") or ()]
    names = names or [f"f{at}" for at in range(width)]
    if inputs.get("model_text"):
        return TreeModel.lightgbm(inputs["model_text"])
    if inputs.get("model_json"):
        document = inputs["model_json"]
        return TreeModel.xgboost(document if isinstance(document, str) else json.dumps(document))
    if "dump" in inputs:
        dumped = [json.loads(tree) if isinstance(tree, str) else tree for tree in inputs["dump"]]
        score = float(inputs.get("base_score", 0.5))
        return TreeModel(
            [_dumped(tree, names) for tree in dumped],
            names,
            rule="<",
            precision="single",
            base=math.log(score / (1.0 - score)),
            link="sigmoid",
        )
    trees = [_nested(tree) for tree in inputs["trees"]]
    return TreeModel(trees, names, base=float(inputs.get("base", 0.0)), link=link or "identity")


def _nested(tree: Mapping[str, Any]) -> list[Node]:
    """A tree as `{f, t, l, r}` and `{v}` inside each other; a missing value fails the question."""
    nodes: list[Node] = []

    def add(node: Mapping[str, Any], depth: int) -> int:
        if depth > DEPTH_MAX:
            raise DataInvalid(f"a tree deeper than {DEPTH_MAX}.")
        at = len(nodes)
        if "v" in node:
            nodes.append((float(node["v"]),))
            return at
        nodes.append((0.0,))
        left, right = add(node["l"], depth + 1), add(node["r"], depth + 1)
        nodes[at] = (int(node["f"]), float(node["t"]), left, right, False)
        return at

    add(tree, 0)
    return nodes


def _dumped(tree: Mapping[str, Any], names: Sequence[str]) -> list[Node]:
    """A tree as XGBoost's `get_dump(dump_format="json")` writes it."""
    nodes: list[Node] = []

    def add(node: Mapping[str, Any], depth: int) -> int:
        if depth > DEPTH_MAX:
            raise DataInvalid(f"a tree deeper than {DEPTH_MAX}.")
        at = len(nodes)
        if "leaf" in node:
            nodes.append((float(node["leaf"]),))
            return at
        nodes.append((0.0,))
        children = {child["nodeid"]: child for child in node["children"]}
        yes, no = add(children[node["yes"]], depth + 1), add(children[node["no"]], depth + 1)
        is_left = node.get("missing", node["yes"]) == node["yes"]
        at_column = _column(str(node["split"]), names)
        nodes[at] = (at_column, float(node["split_condition"]), yes, no, is_left)
        return at

    add(tree, 0)
    return nodes


def _column(split: str, names: Sequence[str]) -> int:
    if split in names:
        return names.index(split)
    if split.startswith("f") and split[1:].isdigit():
        return int(split[1:])
    raise DataInvalid(f"a split by {split!r}; the features are {', '.join(names)}.")


METHODS = {"gbdt_inference": gbdt_inference}
