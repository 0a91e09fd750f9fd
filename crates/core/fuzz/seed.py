# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzz targets, made from the reference payloads.

    HEAN_SHARED=... python crates/core/fuzz/seed.py

Each recorded or documented frame becomes one file of `target/corpus/<target>/`; recordings are cut
to their first frames, because a fuzzer learns more from many small inputs than from a long one.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
FRAMES_MAX = 40  # of one recording
BYTES_MAX = 8_192  # of one seed; a book of 500 levels teaches nothing that one of 50 does not


def lines(path: Path) -> list[bytes]:
    """The first lines of a recording."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return [line.rstrip(b"\n") for line, _ in zip(stream, range(FRAMES_MAX), strict=False)]


def frames(venue: Path) -> Iterator[bytes]:
    """Every frame of a venue's payloads, without REST envelopes."""
    for path in sorted(venue.rglob("*")):
        name = str(path.relative_to(venue))
        if not path.is_file() or "/rest/" in name or "http" in name:
            continue
        if path.suffix in {".gz", ".jsonl"} or "cryptofeed" in name:
            yield from (re.sub(rb"^[0-9.]+:? ", b"", line) for line in lines(path))
        elif path.suffix == ".txt":
            blocks = re.split(r"^[<>=]", path.read_text(encoding="utf-8-sig"), flags=re.MULTILINE)
            yield from (block.strip().encode() for block in blocks)
        else:
            yield path.read_bytes()


def write(target: str, number: int, seed: bytes) -> None:
    """One file of a target's corpus."""
    folder = HERE / "target" / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if 0 < len(seed) <= BYTES_MAX:
        (folder / f"seed-{number:04}").write_bytes(seed)


def main() -> None:
    """Fill `target/corpus/`."""
    root = HERE.parent.parent.parent
    payloads = Path(os.environ.get("HEAN_SHARED") or root.parent / "shared") / "payloads"
    for venue, choices in (("bybit", b"\x00"), ("binance", b"\x01\x02")):
        found = list(frames(payloads / venue))
        for number, frame in enumerate(found):
            write(f"parse_{venue}", number, frame)
            compact = re.sub(rb"\s+", b" ", frame)
            write("capture", number + 1_000 * choices[0], compact)
        for choice in choices:
            for number in range(0, len(found), 3):
                group = [re.sub(rb"\s+", b" ", frame) for frame in found[number : number + 3]]
                is_rest = [b"lastUpdateId" in frame[:20] for frame in group]
                marked = [b"!" * rest + frame for rest, frame in zip(is_rest, group, strict=True)]
                write("feed", number + 1_000 * choice, bytes([choice]) + b"\n".join(marked))


if __name__ == "__main__":
    main()
