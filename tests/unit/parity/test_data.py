# SPDX-License-Identifier: Apache-2.0
"""Two recordings of a session are compared frame by frame."""

from __future__ import annotations

from pathlib import Path

from hean.feeds.recording import Recording
from hean.parity.data import compare_frames, compare_prints
from sessions import S_NS, START_NS, recorded_session, rewritten, without


def test_the_same_frames_are_no_difference(tmp_path: Path) -> None:
    _, recording, _ = recorded_session(tmp_path, 5)
    copy = rewritten(recording, "copy.jsonl.gz", lambda _, line: line)
    assert compare_frames(Recording(recording), Recording(copy)) is None


def test_a_missing_stretch_is_named_with_its_ends(tmp_path: Path) -> None:
    _, recording, _ = recorded_session(tmp_path, 20)
    cut = without(recording, START_NS + 5 * S_NS, START_NS + 8 * S_NS)
    found = compare_frames(Recording(recording), Recording(cut))
    assert found is not None
    (stretch,) = found.stretches
    assert stretch.kind == "missing"
    assert stretch.first_ns == START_NS + 5 * S_NS + 2
    assert START_NS + 7 * S_NS < stretch.last_ns <= START_NS + 8 * S_NS
    assert found.frames == {"missing": stretch.frames, "added": 0, "changed": 0}
    assert found.words == []
    (words,) = found.sentences()
    assert words.startswith(f"{stretch.frames} frames missing from 2023-11-14T22:13:25.000000002Z")


def test_added_and_changed_frames_are_told_apart(tmp_path: Path) -> None:
    _, recording, _ = recorded_session(tmp_path, 20)
    cut = without(recording, START_NS + 5 * S_NS, START_NS + 8 * S_NS)
    found = compare_frames(Recording(cut), Recording(recording))
    assert found is not None
    assert found.frames["added"] > 50
    place = START_NS + 10 * S_NS + 3
    other = rewritten(
        recording,
        "other.jsonl.gz",
        lambda at, line: line.replace(b'"volume":0.5', b'"volume":0.6') if at == place else line,
    )
    found = compare_frames(Recording(recording), Recording(other))
    assert found is not None
    assert [(each.kind, each.first_ns) for each in found.stretches] == [("changed", place)]


def test_an_end_that_is_missing_is_said(tmp_path: Path) -> None:
    _, recording, _ = recorded_session(tmp_path, 20)
    found = compare_frames(
        Recording(recording), Recording(without(recording, START_NS + 15 * S_NS, 2**62))
    )
    assert found is not None
    assert found.words[0].startswith("the run went from 2023-11-14T22:13:20Z to")
    assert found.frames["missing"] > 90


def test_files_are_compared_by_their_bytes() -> None:
    one = {"file": "a", "sha256": "x", "rows": 1, "first_ts": "", "last_ts": "", "gaps": 0}
    assert compare_prints([one], [{**one, "file": "moved"}]) is None  # type: ignore[list-item]
    found = compare_prints([one], [{**one, "sha256": "y"}])  # type: ignore[list-item]
    assert found is not None
    assert found.sentences()[0].startswith("another recording: a (1 rows")
