# SPDX-License-Identifier: Apache-2.0
"""Trials are counted once, for ever, and a log that was touched says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np

from hean.evaluate import trial_log
from hean.evaluate.trial_log import NAME, Trial


def trial(key: str, symbol: str = "BTCUSDT") -> Trial:
    raw = trial_log.base64.b64encode(np.arange(3, dtype="<f4").tobytes()).decode()
    return Trial(key, "s", "c", "d", [symbol], {"a": 1}, 0, 0.1, 20_000, raw, trial_log.FIRST)


def test_a_trial_counts_once_and_stays(tmp_path):
    trial_log.append(tmp_path, [trial("a"), trial("b"), trial("a")])
    found = trial_log.append(tmp_path, [trial("b"), trial("c", "ETHUSDT")])
    assert [each.key for each in found.trials] == ["a", "b", "c"]
    assert found == trial_log.read(tmp_path)
    assert found.problems == []
    assert [each.key for each in trial_log.about(found.trials, ["ETHUSDT"])] == ["c"]
    assert found.trials[0].daily.tolist() == [0, 1, 2]


def test_a_line_taken_out_or_changed_shows(tmp_path):
    trial_log.append(tmp_path, [trial(key) for key in "abc"])
    path = tmp_path / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    assert trial_log.read(tmp_path).problems == [f"{NAME} was altered before line 2"]
    path.write_bytes(lines[0].replace(b'"seed":0', b'"seed":1') + lines[1] + lines[2])
    assert len(trial_log.read(tmp_path).problems) == 1


def test_a_line_cut_short_by_a_crash_does_not_spoil_the_next(tmp_path):
    trial_log.append(tmp_path, [trial("a"), trial("b")])
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-40])
    found = trial_log.append(tmp_path, [trial("c")])
    assert [each.key for each in found.trials] == ["a", "c"]
    assert trial_log.read(tmp_path) == found
    assert found.problems == [f"line 2 of {NAME} is damaged"]


def test_many_writers_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: trial_log.append(tmp_path, [trial(str(n))]), range(40)))
    found = trial_log.read(tmp_path)
    assert sorted(int(each.key) for each in found.trials) == list(range(40))
    assert found.problems == []


def test_the_hash_of_code_follows_the_file(tmp_path):
    file = tmp_path / "own.py"
    text = "from hean.strategies.base import Strategy\nclass Own(Strategy):\n    name = 'own'\n"
    file.write_text(text)
    first = trial_log.code_hash(f"{file}:Own")
    file.write_text(text + "# another idea\n")
    assert trial_log.code_hash(f"{file}:Own") != first
    assert trial_log.code_hash("impulse") == trial_log.code_hash("impulse")
    assert msgspec.json.decode(msgspec.json.encode(trial("a")), type=Trial) == trial("a")
