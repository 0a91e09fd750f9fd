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
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

from hean.data.fingerprint import iso_utc
from hean.errors import EnvironmentFault, InputError, ParameterInvalid

FLUSH_S = 1.0  # what a crash may cost
BLOCK_BYTES_MAX = 4 << 20  # unpacked, between two flushes; a burst is written early, not kept
CHUNK_BYTES = 1 << 16  # of reading back; about one member of a busy symbol
LEVEL = 6  # of gzip; 9 costs twice the time for a hundredth of the size
GZIP_BITS: Final = 16 + zlib.MAX_WBITS
SUFFIX = ".jsonl.gz"
DAY_NS = 86_400_000_000_000
TOPIC: Final = re.compile(rb'"topic"\s*:\s*"(?:[^"]*\.)?([A-Z0-9-]+)"')
STREAM: Final = re.compile(rb'"stream"\s*:\s*"([a-z0-9_]+)@')


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


class Recorder:
    """The files of one market's symbols. *out*: a folder, where each symbol and day has its file;
    or, for one symbol, the file itself. Files of former processes that died are finished first.
    """

    def __init__(
        self, out: Path, symbols: Sequence[str], *, venue: str, market: str, now: Callable[[], int]
    ) -> None:
        self.strangers = 0
        self.lines = 0
        self.finished: list[Path] = []
        self._out = out
        self._prefix = f"{venue}_{market}"
        self._symbols = tuple(symbols)
        self._now = now
        self._day = now() // DAY_NS
        if self._is_one_file and len(self._symbols) > 1:
            raise ParameterInvalid(f"--out {out}: several symbols need a folder.")
        self._finish_left()
        self._open = {symbol: self._new(symbol) for symbol in self._symbols}

    @property
    def _is_one_file(self) -> bool:
        return self._out.name.endswith(SUFFIX)

    def frame(self, frame: bytes) -> bool:
        """Take a frame of the stream. *Returns*: whether new files have begun with it, whose books
        need a snapshot.
        """
        symbol = symbol_of(frame)
        return symbol is not None and self.take(symbol, frame)

    def take(self, symbol: str, frame: bytes) -> bool:
        """Take a frame of a symbol, such as the answer to a question for its book."""
        now_ns = self._now()
        has_turned = self._turn(now_ns)
        file = self._open.get(symbol)
        if file is None:
            self.strangers += 1
        else:
            file.frame(now_ns, frame.replace(b"\n", b""))
            self.lines += 1
        return has_turned

    def note(self, what: str, **said: str) -> None:
        """Take a note for every file: `connect`, `disconnect`."""
        for file in self._open.values():
            file.note(what, self._now(), **said)

    def flush(self) -> None:
        """Write what has come since the last flush."""
        for file in self._open.values():
            file.flush()

    def close(self) -> None:
        """Finish all files."""
        for file in self._open.values():
            self._finish(file)
        self._open.clear()

    def _turn(self, now_ns: int) -> bool:
        """Begin new files when a UTC day has begun; a file named by its user goes on."""
        day = now_ns // DAY_NS
        if day <= self._day or self._is_one_file:
            return False
        self._day = day
        for file in self._open.values():
            self._finish(file)
        self._open = {symbol: self._new(symbol) for symbol in self._symbols}
        return True

    def _new(self, symbol: str) -> CaptureFile:
        if self._is_one_file:
            return CaptureFile(self._out, may_continue=False)
        day = iso_utc(self._day * DAY_NS)[:10]
        name = f"{self._prefix}_{symbol}_raw_{day}{SUFFIX}"
        return CaptureFile(self._out / name, may_continue=True)

    def _finish(self, file: CaptureFile) -> None:
        file.close()
        if file.path.exists():
            self.finished.append(file.path)

    def _finish_left(self) -> None:
        """Give the files of a process that died their name; the present ones are continued."""
        if self._is_one_file:
            return
        try:
            self._out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise EnvironmentFault(f"--out {self._out}: cannot be made ({why})") from error
        for symbol in self._symbols:
            for part in sorted(self._out.glob(f".{self._prefix}_{symbol}_raw_*{SUFFIX}.part")):
                path = part.with_name(part.name[1:].removesuffix(".part"))
                self._finish(CaptureFile(path, may_continue=True))


def symbol_of(frame: bytes) -> str | None:
    """Whose frame it is, by its topic (Bybit) or stream (Binance); `None` for answers."""
    found = TOPIC.search(frame) or STREAM.search(frame)
    return None if found is None else found[1].decode().upper()


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
