# SPDX-License-Identifier: Apache-2.0
"""`record.py`: raw frames to files, one file a symbol and day, one line a frame: receive time in
nanoseconds, a blank, the frame as it came. Notes of the recorder (opened, lost, closed) are JSON
lines that readers of captures count and pass over.

A file is a row of complete gzip members, one per flush, and bears the name `.<name>.part` until the
day or the recording ends; then it is renamed. A process that dies loses at most the last second,
and the next one cuts the torn member off and goes on in the same file.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from hean.errors import EnvironmentFault, InputError

FLUSH_S = 1.0  # what a crash may cost
BLOCK_BYTES_MAX = 4 << 20  # unpacked, between two flushes; a burst is written early, not kept
CHUNK_BYTES = 1 << 16  # of reading back; about one member of a busy symbol
LEVEL = 6  # of gzip; 9 costs twice the time for a hundredth of the size
GZIP_BITS: Final = 16 + zlib.MAX_WBITS
SUFFIX = ".jsonl.gz"
DAY_NS = 86_400_000_000_000


class CaptureFile:
    """One capture being written. *path*: the name it gets at the end; what is there already is
    continued if *may_continue*. Errors of the disk are `EnvironmentFault`.
    """

    def __init__(self, path: Path, *, may_continue: bool) -> None:
        self.path = path
        self.lines = 0
        self._part = path.with_name(f".{path.name}.part")
        self._block: list[bytes] = []
        self._block_bytes = 0
        self._file = self._guarded(lambda: self._open(may_continue))

    def _open(self, may_continue: bool) -> IO[bytes]:
        if self.path.exists():
            if not may_continue:
                raise InputError(f"--out {self.path}: exists; choose another name.")
            if not self._part.exists():
                os.rename(self.path, self._part)
        file = self._part.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise EnvironmentFault(f"{self.path}: another process records into it.") from None
        os.truncate(self._part, whole_members(self._part))
        return file

    def frame(self, received_ns: int, frame: bytes) -> None:
        """Take a frame; it is on disk after the next flush."""
        self._take(b"%d %b\n" % (received_ns, frame))
        self.lines += 1

    def note(self, what: str, received_ns: int, **said: str) -> None:
        """Take a note of the recorder."""
        document = {"t": what, "ts": received_ns, **said}
        self._take(json.dumps(document, separators=(",", ":")).encode() + b"\n")

    def _take(self, line: bytes) -> None:
        self._block.append(line)
        self._block_bytes += len(line)
        if self._block_bytes >= BLOCK_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what has come since the last flush, as one gzip member."""
        if not self._block:
            return
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_BITS)
        member = packer.compress(b"".join(self._block)) + packer.flush()
        self._block.clear()
        self._block_bytes = 0
        self._guarded(lambda: self._write(member))

    def _write(self, member: bytes) -> None:
        self._file.write(member)
        self._file.flush()

    def close(self) -> None:
        """Write the rest and give the file its name; an empty recording leaves no file."""
        self.flush()
        self._guarded(self._finish)

    def _finish(self) -> None:
        os.fsync(self._file.fileno())
        if self._part.stat().st_size:
            os.replace(self._part, self.path)
        else:
            self._part.unlink()
        self._file.close()

    def _guarded(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except OSError as error:
            why = error.strerror or error
            raise EnvironmentFault(f"{self.path}: cannot be written ({why})") from error


def whole_members(path: Path) -> int:
    """Bytes of the complete gzip members at the start of a file; what follows was torn off."""
    end, left = 0, b""
    unpacker = zlib.decompressobj(GZIP_BITS)
    with path.open("rb") as file:
        while chunk := left or file.read(CHUNK_BYTES):
            try:
                unpacker.decompress(chunk)
            except zlib.error:
                break
            left = unpacker.unused_data
            if unpacker.eof:
                end = file.tell() - len(left)
                unpacker = zlib.decompressobj(GZIP_BITS)
    return end
