# SPDX-License-Identifier: Apache-2.0
"""Every reference answer, one test a file; skipped where the shared references are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.references import METHODS, read_case, verify

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "quant" / "reference"
FILES = sorted(path for path in FOLDER.glob("*.json") if path.name != "index.json")
CASES = [case for case in map(read_case, FILES) if case.method in METHODS]


@pytest.mark.skipif(not FILES, reason="the shared reference answers are not beside the project")
def test_references_are_there():
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_answer_is_within_its_tolerance(case):
    answers = verify(case)
    assert answers
    assert not [answer for answer in answers if not answer.passed]
