# SPDX-License-Identifier: Apache-2.0
"""What a result says about the data it stands on: base name, SHA-256 of the file, rows used,
first and last time, number of gaps. Two results with equal fingerprints saw the same market.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from hean.data.reader import Columns

_CHUNK_BYTES = 1 << 20
_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1)  # naive on purpose: counted in UTC, no zone can touch it


class Fingerprint(TypedDict):
    """One entry of the field `data` of a result."""

    file: str
    sha256: str
    rows: int
    first_ts: str
    last_ts: str
    gaps: int


def fingerprint(columns: Columns) -> Fingerprint:
    """The fingerprint of a file that was read."""
    return Fingerprint(
        file=columns.path.name,
        sha256=sha256_of(columns.path),
        rows=columns.rows,
        first_ts=iso_utc(int(columns.ts[0])),
        last_ts=iso_utc(int(columns.ts[-1])),
        gaps=columns.gaps.count,
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def iso_utc(ts_ns: int) -> str:
    """`2024-12-31T00:00:00Z`, with as many of 3, 6 or 9 decimals as the time needs."""
    seconds, fraction = divmod(ts_ns, _SECOND_NS)
    moment = _EPOCH + timedelta(seconds=seconds)
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' + digits if digits else ''}Z"
