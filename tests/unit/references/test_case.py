# SPDX-License-Identifier: Apache-2.0
"""A reference file is judged strictly: what is off, missing, too long or not named fails."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hean.errors import DataInvalid, ParameterInvalid
from hean.references import verify
from hean.references.case import Case, ReferenceInvalid, read_case
from hean.references.transform import evaluate


def case_of(folder, expected, tolerance, **inputs):
    document = {"id": "it", "method": "m", "inputs": inputs}
    return Case({**document, "expected": expected, "tolerance": tolerance}, folder)


def judged(case):
    return {answer.name: answer.passed for answer in case.answers()}


@pytest.mark.parametrize(
    ("computed", "expected", "tolerance", "passes"),
    [
        (1.0 + 1e-9, 1.0, {"rel": 1e-8}, True),
        (1.0 + 1e-7, 1.0, {"rel": 1e-8}, False),
        (100.5, 100.0, {"abs": 0.4}, False),
        ([1.0, 2.0], [1.0, 2.0], {"abs": 0}, True),
        ([1.0], [1.0, 2.0], {"abs": 9}, False),
        (np.array([5.0, 6.0, 7.0]), {"2": 7.0}, {"abs": 0}, True),
        (np.array([5.0]), {"2": 7.0}, {"abs": 9}, False),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, {"abs": 9}, False),
        (math.nan, 1.0, {"abs": 9}, False),
        (math.inf, "inf", {"abs": 0}, True),
        (True, False, {"exact": True}, False),
        ([[0, 1]], [[0, 1]], {"exact": True}, True),
        (1.0, 1.0, {"other_rel": 1.0}, False),
    ],
)
def test_a_value_is_held_to_its_tolerance(tmp_path, computed, expected, tolerance, passes):
    case = case_of(tmp_path, {"x": expected}, tolerance)
    rule = "x_" + next(iter(tolerance))
    case.answer("x", computed, "x_exact" if "exact" in tolerance else rule.replace("other_", ""))
    assert list(judged(case).values()) == [passes]


def test_what_nobody_answers_fails(tmp_path):
    case = case_of(tmp_path, {"given": 1.0, "deep": {"one": 1.0, "two": 2.0}}, {"abs": 0})
    case.answer("given", 1.0, "abs")
    case.answer(("deep", "one"), 1.0, "abs")
    case.answer("nobody asked", 7.0, "abs")
    assert judged(case) == {"given": True, "deep.one": True, "deep.two": False}


def test_the_worst_of_a_series_is_shown(tmp_path):
    case = case_of(tmp_path, {"x": [1.0, 2.0, 3.0]}, {"abs": 0.1})
    case.answer("x", [1.0, 2.05, 3.01], "abs")
    (answer,) = case.answers()
    assert (answer.name, answer.values, answer.passed) == ("x[1]", 3, True)


def test_a_calculation_that_breaks_fails_what_is_missing(tmp_path):
    case = case_of(tmp_path, {"x": 1.0}, {"abs": 0})
    assert not verify(case)[0].passed  # an unknown method
    case.broke(ZeroDivisionError("by zero"))
    assert case.answers()[0].problem == "ZeroDivisionError: by zero"


def test_series_come_from_data_beside_or_above(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "two.csv").write_text("date,a,b\n2020-01-01,1,4\n2020-01-02,2,8\n")
    inner = tmp_path / "reference"
    inner.mkdir()
    case = case_of(inner, {}, {}, data="data/two.csv", column="a", rows=[1, 2])
    assert case.series().tolist() == [2.0]
    case = case_of(inner, {}, {}, data="data/two.csv", transform="10*(b-a)/b")
    assert case.series().tolist() == [7.5, 7.5]
    assert case_of(inner, {}, {}, data="data/two.csv").series("b").tolist() == [4.0, 8.0]
    with pytest.raises(DataInvalid, match="no column 'c'; there are a, b"):
        case.series("c")
    with pytest.raises(DataInvalid, match="not beside"):
        case_of(inner, {}, {}, data="none.csv").series()


@pytest.mark.parametrize("text", ["a.__class__", "open(a)", "a if a else a", "[a]", "a +", "'a'*9"])
def test_a_transform_is_arithmetic_only(text):
    with pytest.raises(ParameterInvalid, match="transform"):
        evaluate(text, {"a": np.ones(2)})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 1}', json.dumps({"id": "x"})])
def test_a_file_that_is_no_reference_is_refused(tmp_path, text):
    path = tmp_path / "reference.json"
    path.write_text(text)
    with pytest.raises(ReferenceInvalid, match="reference"):
        read_case(path)
    with pytest.raises(ReferenceInvalid, match="No such file"):
        read_case(tmp_path / "none.json")
