# SPDX-License-Identifier: Apache-2.0
"""Trees answer as the library that trained them, value missing or not, on the threshold or beside
it; and a damaged model is refused with its place.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hean._core import TreeModel
from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

ROWS, WIDTH = 600, 6
NAMES = [f"f{at}" for at in range(WIDTH)]
QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 3}


def sample(seed, *, missing=0.0, zeros=0.0):
    """Rows as float32 numbers, and a target that depends on two of them."""
    draws = np.random.default_rng(seed)
    rows = draws.normal(size=(ROWS, WIDTH)).astype(np.float32).astype(np.float64)
    rows[:, 2] = np.round(rows[:, 2], 1).astype(np.float32)  # many equal values
    target = (rows[:, 0] + 0.5 * rows[:, 2] + draws.normal(size=ROWS) > 0).astype(float)
    rows[draws.random(rows.shape) < missing] = np.nan
    rows[draws.random(rows.shape) < zeros] = 0.0
    return rows, target


def on_thresholds(model, rows):
    """For every split a row that lies on it."""
    probes = []
    for at, (feature, threshold) in enumerate(model.splits()):
        row = rows[at % len(rows)].copy()
        row[feature] = threshold
        probes.append(row)
    return np.vstack([rows, *probes])


@pytest.mark.parametrize(
    ("options", "missing", "zeros"),
    [
        ({"objective": "binary"}, 0.0, 0.0),
        ({"objective": "binary", "sigmoid": 2.0}, 0.2, 0.0),
        ({"objective": "binary", "use_missing": False}, 0.2, 0.2),
        ({"objective": "binary", "zero_as_missing": True}, 0.1, 0.3),
        ({"objective": "regression"}, 0.1, 0.0),
        ({"objective": "cross_entropy"}, 0.0, 0.0),
        (
            {
                "objective": "binary",
                "boosting": "rf",
                "bagging_freq": 1,
                "bagging_fraction": 0.6,
            },
            0.1,
            0.0,
        ),
    ],
    ids=str,
)
def test_lightgbm_answers_are_its_own(options, missing, zeros):
    rows, target = sample(1, missing=missing, zeros=zeros)
    data = lightgbm.Dataset(rows, target)
    booster = lightgbm.train({**QUIET, **options}, data, 20)
    model = TreeModel.lightgbm(booster.model_to_string())
    probes = on_thresholds(model, sample(2, missing=0.2, zeros=0.2)[0])
    raw = model.predict_many(probes, raw=True)
    assert np.max(np.abs(raw - booster.predict(probes, raw_score=True))) <= 1e-12
    assert np.max(np.abs(model.predict_many(probes) - booster.predict(probes))) <= 1e-12
    assert model.predict(probes[3]) == model.predict(probes[3].tolist())
    assert model.raw(probes[3].tolist()) == raw[3]
    assert (model.n_trees, model.features[0]) == (20, "Column_0")


@pytest.mark.parametrize(
    ("objective", "missing"),
    [("binary:logistic", 0.0), ("binary:logistic", 0.2), ("reg:squarederror", 0.2)],
)
@pytest.mark.parametrize("base", [None, 0.3])
def test_xgboost_answers_are_its_own(objective, missing, base):
    rows, target = sample(4, missing=missing)
    options = {"objective": objective, "nthread": 1, "max_depth": 5, "seed": 1}
    if base is not None:
        options["base_score"] = base
    booster = xgboost.train(options, xgboost.DMatrix(rows, target, feature_names=NAMES), 20)
    model = TreeModel.xgboost(booster.save_raw("json").decode())
    probes = on_thresholds(model, sample(5, missing=0.2)[0])
    asked = xgboost.DMatrix(probes, feature_names=NAMES)
    margins = booster.predict(asked, output_margin=True)
    assert np.array_equal(model.predict_many(probes, raw=True), margins)  # bit for bit
    assert np.max(np.abs(model.predict_many(probes) - booster.predict(asked))) <= 1e-6
    assert model.is_probability is (objective == "binary:logistic")


def test_one_row_and_many_rows_agree_bit_for_bit():
    rows, target = sample(6)
    booster = lightgbm.train({**QUIET, "objective": "binary"}, lightgbm.Dataset(rows, target), 10)
    model = TreeModel.lightgbm(booster.model_to_string())
    many = model.predict_many(rows)
    assert [model.predict(row) for row in rows] == many.tolist()
    assert model.to_single().n_nodes == model.n_nodes


@pytest.mark.parametrize(
    ("rule", "at_threshold", "missing_left", "expected"),
    [
        ("<=", 1.0, False, -1.0),
        ("<", 1.0, False, 1.0),
        ("<=", math.nan, True, -1.0),
        ("<", math.nan, False, 1.0),
        ("<", math.nextafter(1.0, 0.0), False, -1.0),
    ],
)
def test_a_split_goes_left_by_its_rule(rule, at_threshold, missing_left, expected):
    tree = [(0, 1.0, 1, 2, missing_left), (-1.0,), (1.0,)]
    assert TreeModel([tree], ["x"], rule=rule).predict([at_threshold]) == expected


def test_single_precision_rounds_features_and_thresholds():
    tree = [(0, 0.1, 1, 2, False), (-1.0,), (1.0,)]
    above = math.nextafter(0.1, 1.0)
    assert TreeModel([tree], ["x"]).predict([above]) == 1.0
    assert TreeModel([tree], ["x"]).to_single().predict([above]) == -1.0


@pytest.mark.parametrize(
    "tree",
    [
        [],
        [(0, 1.0, 0, 1, False), (1.0,)],  # a circle
        [(0, 1.0, 1, 1, False), (1.0,)],  # one child twice
        [(0, 1.0, 1, 9, False), (1.0,)],
        [(7, 1.0, 1, 2, False), (1.0,), (2.0,)],
        [(0, math.nan, 1, 2, False), (1.0,), (2.0,)],
        [(math.inf,)],
    ],
)
def test_what_is_no_tree_is_refused(tree):
    with pytest.raises(DataInvalid, match="tree 0"):
        TreeModel([tree], ["x"])


def test_a_row_that_does_not_fit_is_refused():
    model = TreeModel([[(1.0,)]], ["a", "b"])
    with pytest.raises(DataInvalid, match="3 features; the model has 2"):
        model.predict([1.0, 2.0, 3.0])
    with pytest.raises(NumberNotFinite, match="feature b is infinite"):
        model.predict([1.0, math.inf])
    with pytest.raises(DataInvalid, match="3 features"):
        model.predict_many(np.zeros((4, 3)))
    with pytest.raises(ParameterInvalid, match="rule"):
        TreeModel([[(1.0,)]], ["a"], rule=">")


def text_of_a_model():
    rows, target = sample(7)
    booster = lightgbm.train({**QUIET, "objective": "binary"}, lightgbm.Dataset(rows, target), 3)
    return booster.model_to_string()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("tree\n", "bush\n", "line 1"),
        ("end of trees", "", "the end is missing"),
        ("num_class=1", "num_class=3", "several classes"),
        ("objective=binary sigmoid:1", "objective=lambdarank", "lambdarank"),
        ("num_leaves=", "num_leaves=9", r"line \d+: .*are due"),
        ("threshold=", "threshold=x ", r"line \d+: threshold"),
        ("left_child=", "right_child=", "no left_child"),
        ("is_linear=0", "is_linear=1", "linear leaf"),
        ("num_cat=0", "num_cat=2", "categories"),
        ("Tree=1\n", "", "3 trees are announced"),
    ],
)
def test_a_damaged_lightgbm_model_is_refused_with_its_place(before, after, message):
    text = text_of_a_model()
    assert before in text
    with pytest.raises((DataInvalid, ParameterInvalid), match=message):
        TreeModel.lightgbm(text.replace(before, after, 1))


def test_a_cut_lightgbm_model_is_refused_wherever_it_is_cut():
    text = text_of_a_model()
    end = text.index("end of trees")
    for cut in range(0, end, 97):
        with pytest.raises(DataInvalid):
            TreeModel.lightgbm(text[:cut])


def test_a_damaged_xgboost_model_is_refused():
    rows, target = sample(8)
    options = {"objective": "binary:logistic", "nthread": 1}
    booster = xgboost.train(options, xgboost.DMatrix(rows, target), 2)
    text = booster.save_raw("json").decode()
    with pytest.raises(DataInvalid, match=r"line 1 column \d+"):
        TreeModel.xgboost(text[: len(text) // 2])
    document = json.loads(text)
    learner = document["learner"]
    learner["gradient_booster"]["model"]["trees"][0]["left_children"][0] = 0
    with pytest.raises(DataInvalid, match="tree 0: .*reached twice"):
        TreeModel.xgboost(json.dumps(document))
    learner["learner_model_param"]["num_class"] = "3"
    with pytest.raises(ParameterInvalid, match="several classes"):
        TreeModel.xgboost(json.dumps(document))
    learner["gradient_booster"]["name"] = "dart"
    with pytest.raises(ParameterInvalid, match="dart"):
        TreeModel.xgboost(json.dumps(document))
