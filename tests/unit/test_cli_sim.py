# SPDX-License-Identifier: Apache-2.0
"""`hean sim` as a user meets it: seeds in numbers, one seed again, a broken one cut down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.sim import canary as canary_module
from hean.sim.draws import calm
from unit.cli_runs import run_here


def scenario_file(folder: Path, **changes: Any) -> Path:
    """A scenario in a file, changed as documents are."""
    path = folder / "scenario.json"
    path.write_text(json.dumps({**msgspec.to_builtins(calm(4)), **changes}))
    return path


@pytest.fixture
def spoiled() -> Iterator[None]:
    """An engine that sends every order twice."""
    with canary_module.double_send():
        yield


def test_seeds_are_told_in_numbers_with_the_table_of_faults(tmp_path: Path) -> None:
    target = tmp_path / "sim.json"
    ran = run_here("sim", "--seeds", 3, "--jobs", 1, "--steps", 600, "--json", target)
    assert ran.code == 0, ran.stderr
    assert "3 seeds, 0 broken" in ran.stdout
    assert "checked steps/s a core" in ran.stdout
    found = json.loads(target.read_text())
    assert (found["seeds"], found["broken"], found["exit_code"]) == (3, [], 0)
    assert found["steps"] > 1_800
    assert set(found["coverage"]["death"]) >= {"WORKING", "UNKNOWN", "none"}


def test_one_seed_again_is_the_same_run() -> None:
    first, second = (run_here("sim", "--seed", 9, "--steps", 600) for _ in range(2))
    assert first.code == 0
    assert "trace " in first.stdout
    assert first.stdout == second.stdout


@pytest.mark.usefixtures("spoiled")
def test_a_broken_seed_is_named_and_says_how_to_play_it_again() -> None:
    ran = run_here("sim", "--seeds", 3, "--jobs", 1, "--steps", 600)
    assert ran.code == 1
    assert "I-05" in ran.stdout
    assert "again: hean sim --seed" in ran.stdout


@pytest.mark.usefixtures("spoiled")
def test_a_broken_scenario_is_cut_down_to_what_it_takes(tmp_path: Path) -> None:
    wild, cut = tmp_path / "wild.json", tmp_path / "cut.json"
    scenario = msgspec.structs.replace(
        calm(1),
        venue="bybit",
        market="linear",
        workload="takers",
        path="busy",
        pace=1.0,
        dials=({"dial": "frame_duplicate", "probability": 0.1},),
    )
    wild.write_bytes(msgspec.json.encode(scenario))
    ran = run_here("sim", "--scenario", wild, "--cut", cut)
    assert ran.code == 1
    assert "cut down to no fault at all" in ran.stdout
    again = run_here("sim", "--scenario", cut)
    assert again.code == 1
    assert "I-05" in again.stdout
    assert json.loads(cut.read_text())["dials"] == []


def test_a_simulator_that_does_not_notice_its_canary_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canary_module, "double_send", nullcontext)
    ran = run_here("sim", "--seeds", 1, "--jobs", 1)
    assert ran.code == 1
    assert "canary was not noticed" in ran.stdout


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"path": "straight"}, "path 'straight'; known: quiet, busy"),
        ({"workload": "lazy"}, "workload 'lazy'; known: takers"),
        ({"market": "inverse"}, "known: bybit linear"),
        ({"safety_steps": 10**9}, "safety_steps 1000000000; allowed: 1 to"),
        ({"dials": [{"dial": "ack_lots"}]}, "nearest: ack_lost"),
        ({"dials": [{"dial": "ack_lost", "probability": 2}]}, "dials.probability: bad value"),
        ({"seed": "one"}, "Expected `int`"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_words(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    ran = run_here("sim", "--scenario", scenario_file(tmp_path, **changes))
    assert ran.code == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--seeds", 0), "--seeds"),
        (("--seed", -1), "--seed"),
        (("--steps", 1), "--steps"),
        (("--jobs", 0), "--jobs"),
        (("--scenario", "nowhere.json"), "nowhere.json"),
        (("--seed", 1, "--cut", "none/cut.json"), "none"),
    ],
    ids=str,
)
def test_a_bad_option_is_refused(arguments: tuple[object, ...], words: str) -> None:
    ran = run_here("sim", *arguments)
    assert ran.code in (2, 3)
    assert words in ran.stderr
