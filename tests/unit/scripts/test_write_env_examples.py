# SPDX-License-Identifier: Apache-2.0
"""The examples of variables are what the table of settings makes of them, and can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hean.config import load
from hean.config_table import ROWS, walk
from write_env_examples import EXAMPLES, example

pytestmark = pytest.mark.promise(134)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_table_makes_and_is_read_as_it_stands(
    name: str, root: Path, tmp_path: Path
) -> None:
    text = (root / name).read_text("utf-8")
    assert text == example(name), "run scripts/write_env_examples.py"
    copy = tmp_path / ".env"
    copy.write_text(text)
    settings = load({}, {}, copy)
    given = EXAMPLES[name][1]
    assert {origin.place.split(":")[0] for origin in settings.origins.values()} == {str(copy)}
    assert len(settings.origins) == len(given)
    assert settings.dry_run and settings.warnings == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_stands_behind_a_sign_is_the_default(name: str, root: Path, tmp_path: Path) -> None:
    text = (root / name).read_text("utf-8")
    given = EXAMPLES[name][1]
    kept = [line for line in text.splitlines() if line.split("=")[0] not in given]
    copy = tmp_path / ".env"
    copy.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", "\n".join(kept), flags=re.MULTILINE))
    defaults = {key: value for key, _, value in walk(load({}, {}))}
    found = {key: value for key, _, value in walk(load({}, {}, copy))}
    assert found == defaults
    variables = {row.variable for row in ROWS.values() if row.variable and row.in_dotenv}
    named = set(re.findall(r"^#?([A-Z_]+?)(?:_FILE)?=", text, flags=re.MULTILINE))
    assert named == variables
