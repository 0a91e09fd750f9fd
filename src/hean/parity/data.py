# SPDX-License-Identifier: Apache-2.0
"""`data.py`: two markets compared. Frames of a session have a moment each that no other frame of it
has, so what is missing, added or changed is known exactly, with the stretch of time it lies in. Of
other data only the files are known, and the period.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hean.data.fingerprint import Fingerprint, iso_utc
from hean.feeds.recording import Frame, FrameRows

STRETCHES_SHOWN = 20
MISSING, ADDED, CHANGED = "missing", "added", "changed"


@dataclass(slots=True)
class Stretch:
    """Frames in a row that one side has otherwise, or not at all."""

    kind: str
    first_ns: int
    last_ns: int
    frames: int = 1

    def words(self) -> str:
        """For people."""
        seconds = (self.last_ns - self.first_ns) / 1e9
        return (
            f"{self.frames:,} frames {self.kind} from {iso_utc(self.first_ns)} to "
            f"{iso_utc(self.last_ns)} ({seconds:.1f} s)"
        )


@dataclass(slots=True)
class DataDifference:
    """How the backtest's market differs from the run's. *words*: what is no stretch of frames."""

    words: list[str] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    frames: dict[str, int] = field(default_factory=lambda: {MISSING: 0, ADDED: 0, CHANGED: 0})

    def sentences(self) -> list[str]:
        """For people, the largest stretches first."""
        largest = sorted(self.stretches, key=lambda stretch: -stretch.frames)
        return [*self.words, *(each.words() for each in largest[:STRETCHES_SHOWN])]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        rows = [
            {
                "kind": each.kind,
                "first": iso_utc(each.first_ns),
                "last": iso_utc(each.last_ns),
                "frames": each.frames,
            }
            for each in self.stretches[:STRETCHES_SHOWN]
        ]
        return {"words": self.words, "frames": self.frames, "stretches": rows}


def compare_frames(recorded: FrameRows, given: FrameRows) -> DataDifference | None:
    """Every frame of both, in order of moments. *Returns*: `None` if they are the same."""
    found = DataDifference()
    if recorded.opening.terms != given.opening.terms:
        found.words.append("other trading rules or list fees")
    if (recorded.start_ns, recorded.end_ns) != (given.start_ns, given.end_ns):
        found.words.append(
            f"the run went from {iso_utc(recorded.start_ns)} to {iso_utc(recorded.end_ns)}, the "
            f"data from {iso_utc(given.start_ns)} to {iso_utc(given.end_ns)}"
        )
    last: Stretch | None = None
    for kind, at_ns in _differing(recorded, given):
        if kind is None:
            last = None
            continue
        found.frames[kind] += 1
        if last is not None and last.kind == kind:
            last.last_ns = at_ns
            last.frames += 1
        else:
            last = Stretch(kind, at_ns, at_ns)
            found.stretches.append(last)
    return found if found.words or found.stretches else None


def compare_prints(
    recorded: Sequence[Fingerprint], given: Sequence[Fingerprint]
) -> DataDifference | None:
    """Data that is known by its files alone."""
    if [one["sha256"] for one in recorded] == [one["sha256"] for one in given]:
        return None
    names = ", ".join(
        f"{one['file']} ({one['rows']:,} rows, {one['first_ts']} to {one['last_ts']}, "
        f"{one['gaps']:,} gaps)"
        for one in given
    )
    return DataDifference([f"another recording: {names}"])


def _differing(recorded: FrameRows, given: FrameRows) -> Iterator[tuple[str | None, int]]:
    """Kind of difference at each moment, `None` where there is none."""
    ones, others = iter(recorded), iter(given)
    one: Frame | None = next(ones, None)
    other: Frame | None = next(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[1] < other[1]):
            assert one is not None
            yield MISSING, one[1]
            one = next(ones, None)
        elif one is None or other[1] < one[1]:
            yield ADDED, other[1]
            other = next(others, None)
        else:
            yield (None if one[2] == other[2] else CHANGED), one[1]
            one, other = next(ones, None), next(others, None)
