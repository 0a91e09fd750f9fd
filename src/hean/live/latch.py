# SPDX-License-Identifier: Apache-2.0
"""`latch.py`: the second copy of the kill switch's level, a small text file that a person can read.
Of journal and file the stricter one counts, so losing either copy never lets trading go on. A file
that cannot be read, or is not exactly what this version writes, counts as LOCKED. It decides
nothing and never lowers a level except after a release that is in the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hean.core.types import KillswitchReleased, KillswitchTriggered
from hean.risk.levels import LEVELS, LOCKED, RUN, Latched, rank

TITLE = "HEAN kill switch, second copy. A changed file counts as LOCKED."
BYTES_MAX = 16_384  # a level, a reason of 500 characters and a name; anything larger is not ours
_FIELDS = ("level", "who", "why", "since", "since_ns")
_S_NS = 1_000_000_000


class Latch:
    """The file at *path*. *read_file*: its bytes, `None` if there is none, raises `OSError`;
    *write_file*: returns when the new content is durable, raises `OSError`.
    """

    def __init__(
        self,
        path: Path,
        read_file: Callable[[Path], bytes | None],
        write_file: Callable[[Path, bytes], None],
    ) -> None:
        self.path = path
        self._read_file = read_file
        self._write_file = write_file

    def load(self) -> Latched:
        """What the file says: RUN if there is none, LOCKED if it says nothing that counts."""
        try:
            content = self._read_file(self.path)
        except OSError as error:
            return self._locked(f"cannot be read ({error})")
        if content is None:
            return Latched()
        found = parsed(content)
        return found if found is not None else self._locked("is damaged or of another version")

    def raise_to(self, latched: Latched) -> None:
        """Keep this level unless the file has one as strict. *Raises*: `OSError`."""
        if rank(latched.level) > rank(self.load().level):
            self._write_file(self.path, written(latched))

    def follow(self, fact: KillswitchTriggered | KillswitchReleased) -> None:
        """Keep what the journal holds by now. *Raises*: `OSError`."""
        if isinstance(fact, KillswitchReleased):
            released = Latched(RUN, fact.reason, fact.actor, fact.timestamp)
            self._write_file(self.path, written(released))
        else:
            self.raise_to(Latched().after(fact))

    def _locked(self, why: str) -> Latched:
        return Latched(LOCKED, f"the latch file {self.path} {why}", "auto:latch")


def written(latched: Latched) -> bytes:
    """The file's content. Values are JSON strings, so that none can look like another line."""
    seconds, rest_ns = divmod(latched.since_ns, _S_NS)
    since = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09}Z"
    values = (latched.level, latched.actor, latched.reason, since, str(latched.since_ns))
    lines = [TITLE]
    lines += [
        f"{name}: {msgspec.json.encode(value).decode()}"
        for name, value in zip(_FIELDS, values, strict=True)
    ]
    body = "\n".join(lines) + "\n"
    return f"{body}check: {hashlib.sha256(body.encode()).hexdigest()}\n".encode()


def parsed(content: bytes) -> Latched | None:
    """What such a file says; `None` unless it is, byte for byte, what `written` writes."""
    if len(content) > BYTES_MAX:
        return None
    try:
        lines = content.decode().split("\n")[1 : 1 + len(_FIELDS)]
        values = [msgspec.json.decode(line.partition(": ")[2], type=str) for line in lines]
        level, actor, reason, _, since_ns = values
        latched = Latched(level, reason, actor, int(since_ns))
        is_ours = level in LEVELS and written(latched) == content
    except (ValueError, OverflowError, OSError, msgspec.MsgspecError):
        return None
    return latched if is_ours else None
