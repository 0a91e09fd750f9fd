# SPDX-License-Identifier: Apache-2.0
"""R-23: the second copy. Whatever happens to the file, it never lets trading go on by itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hean.core.types import KillswitchReleased, KillswitchTriggered
from hean.live.latch import BYTES_MAX, Latch, parsed, written
from hean.live.parts import read_file, write_file
from hean.risk.levels import LEVELS, Latched, stricter

STOP = Latched("CANCEL_ALL", "the market is odd", "operator:ann", 1_704_067_200_123_456_789)


@pytest.fixture
def latch(tmp_path: Path) -> Latch:
    return Latch(tmp_path / "latch.txt", read_file, write_file)


def test_a_new_directory_is_not_latched(latch: Latch) -> None:
    assert latch.load() == Latched()


def test_what_was_written_is_read_back_and_a_person_can_read_it(latch: Latch) -> None:
    latch.raise_to(STOP)
    assert latch.load() == STOP
    text = latch.path.read_text()
    for words in ("CANCEL_ALL", "the market is odd", "operator:ann", "2024-01-01T00:00:00.123"):
        assert words in text
    assert latch.path.stat().st_mode & 0o777 == 0o600


def test_of_two_who_write_at_once_each_leaves_a_whole_file(
    latch: Latch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watchdog and the process it watches see the same order, and both lock."""
    disk, other = os.fsync, structs.replace(STOP, level="LOCKED", actor="watchdog")

    def slow_disk(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", disk)
        latch.raise_to(other)
        assert latch.load() == other
        disk(descriptor)

    monkeypatch.setattr(os, "fsync", slow_disk)
    latch.raise_to(structs.replace(other, actor="bybit.linear"))
    assert latch.load() == structs.replace(other, actor="bybit.linear")
    assert list(latch.path.parent.iterdir()) == [latch.path]


def test_what_a_full_disk_does_not_take_leaves_the_old_file_and_nothing_else(
    latch: Latch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    latch.raise_to(STOP)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        latch.raise_to(structs.replace(STOP, level="LOCKED"))
    assert latch.load() == STOP
    assert list(latch.path.parent.iterdir()) == [latch.path]


def test_a_level_is_only_raised(latch: Latch) -> None:
    for level in ("HALT_NEW", "FLATTEN", "CANCEL_ALL", "HALT_NEW"):
        latch.raise_to(Latched(level, "x", "y", 1))
    assert latch.load().level == "FLATTEN"


def test_it_follows_the_journal_up_and_down(latch: Latch) -> None:
    latch.follow(KillswitchTriggered("odd", 5, "CANCEL_ALL", actor="a", is_final=True))
    assert latch.load() == Latched("CANCEL_ALL", "odd", "a", 5)
    latch.follow(KillswitchTriggered("odd", 6, "HALT_NEW", actor="b"))
    assert latch.load().level == "CANCEL_ALL"
    latch.follow(KillswitchReleased("looked at it", 7, "c"))
    assert latch.load() == Latched("RUN", "looked at it", "c", 7)


def test_a_release_also_replaces_a_file_that_could_not_be_read(latch: Latch) -> None:
    latch.path.write_bytes(b"\xff")
    latch.follow(KillswitchReleased("looked at it", 7, "c"))
    assert latch.load().level == "RUN"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RUN",
        b"level: RUN\n",
        b"\xff\xfe",
        b"\0" * 100,
        written(STOP)[:-1],
        written(STOP) + b"\n",
        written(STOP).replace(b"CANCEL_ALL", b"RUN"),
        written(Latched("RUN")).replace(b'"RUN"', b'"run"'),
        written(Latched("RUN")).replace(b"\n", b"\r\n"),
        b"x" * (BYTES_MAX + 1),
    ],
)
def test_a_file_that_is_not_exactly_ours_is_locked(latch: Latch, content: bytes) -> None:
    latch.path.write_bytes(content)
    found = latch.load()
    assert found.level == "LOCKED"
    assert str(latch.path) in found.reason


def test_a_file_that_cannot_be_read_is_locked(latch: Latch) -> None:
    latch.path.mkdir()
    assert latch.load().level == "LOCKED"


@pytest.mark.parametrize("latched", [STOP, Latched("RUN", "", "", 0)])
def test_no_truncation_and_no_flipped_bit_unlatches(latched: Latched) -> None:
    """Every length, and every bit of every byte: nothing but the whole file says what it says."""
    content = written(latched)
    assert parsed(content) == latched
    for length in range(len(content)):
        assert parsed(content[:length]) is None
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            assert parsed(bytes(flipped)) is None


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029", "\x0c", "\r"])
def test_what_some_take_for_the_end_of_a_line_is_none(end: str) -> None:
    latched = Latched("HALT_NEW", f"one{end}two", "operator", 1)
    assert parsed(written(latched)) == latched


@given(
    level=st.sampled_from(LEVELS),
    reason=st.text(max_size=200),
    actor=st.text(max_size=50),
    since_ns=st.integers(0, 4_000_000_000_000_000_000),
)
def test_any_reason_and_name_come_back_as_they_were(
    level: str, reason: str, actor: str, since_ns: int
) -> None:
    latched = Latched(level, reason, actor, since_ns)
    assert parsed(written(latched)) == latched


@given(st.binary(max_size=300))
def test_any_bytes_are_either_ours_or_locked(content: bytes) -> None:
    assert parsed(content) is None


@pytest.mark.parametrize("journal", LEVELS)
@pytest.mark.parametrize("file", [*LEVELS, "missing", "damaged"])
def test_losing_or_damaging_one_copy_never_unlatches(latch: Latch, journal: str, file: str) -> None:
    if file in LEVELS:
        latch.path.write_bytes(written(Latched(file)))
    elif file == "damaged":
        latch.path.write_bytes(b"?")
    found = stricter(Latched(journal), latch.load())
    places = {level: place for place, level in enumerate(LEVELS)} | {"missing": 0, "damaged": 4}
    assert places[found.level] == max(places[journal], places[file])
