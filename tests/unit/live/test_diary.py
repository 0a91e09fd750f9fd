# SPDX-License-Identifier: Apache-2.0
"""What a watchdog says is kept, once a minute at most, and nothing stops because nobody listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.live import diary as diary_module
from hean.live.diary import Diary

S_NS = 1_000_000_000


class Hand:
    """A clock set by hand."""

    now_ns = 1_704_067_200 * S_NS

    def __call__(self) -> int:
        return self.now_ns


def test_a_sentence_stands_in_the_file_with_its_time_and_only_its_owner_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diary = Diary(tmp_path / "log", Hand())
    diary.say("something happened")
    line = "2024-01-01T00:00:00Z something happened\n"
    assert diary.path.read_text() == line
    assert capsys.readouterr().err == f"watchdog: {line}"
    assert diary.path.stat().st_mode & 0o777 == 0o600


def test_the_same_sentence_comes_again_after_a_minute(tmp_path: Path) -> None:
    hand = Hand()
    diary = Diary(tmp_path / "log", hand)
    for seconds in (0, 30, 30, 1):
        hand.now_ns += seconds * S_NS
        diary.say("a")
    diary.say("b")
    assert [line.split()[1] for line in diary.path.read_text().splitlines()] == ["a", "a", "b"]


def test_a_full_file_and_a_missing_folder_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(diary_module, "FILE_BYTES_MAX", 10)
    diary = Diary(tmp_path / "log", Hand())
    diary.say("the first sentence")
    diary.say("the second")
    assert "second" not in diary.path.read_text()
    Diary(tmp_path / "nowhere" / "log", Hand()).say("the third")
    told = capsys.readouterr().err
    assert "second" in told
    assert "third" in told
