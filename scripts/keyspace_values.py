# SPDX-License-Identifier: Apache-2.0
"""`keyspace_values.py`: values of keys, read from one server and written to another by commands
that every version knows, never by snapshots. Small values are read and written many at a time, each
in one piece; large ones page by page, written under another name that takes its place at the end,
so that nobody sees a part. A digest tells two values apart, whatever servers and encodings.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from keyspace import TEMPORARY, Answered, Command, Server
from keyspace_streams import Stream, read_stream, write_stream

ELEMENTS_MAX = 1_000  # of a small value, and of a page
STRING_MAX = 64 * 1024  # bytes of a small one
PAGE_BYTES = 1 << 20
NONE, STREAM = b"none", b"stream"
MOVED = b"moved"  # became something else while it was looked at
DIGEST_MODULUS = 1 << 256
EXPIRY_APART_MS = 1_000  # of a server that tells how long, not until when
NEVER, GONE = -1, -2
_SIZE = {
    b"string": "STRLEN", b"hash": "HLEN", b"list": "LLEN", b"set": "SCARD", b"zset": "ZCARD",
}  # fmt: skip
_WHOLE: dict[bytes, tuple[str, ...]] = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", "0", "-1"),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
}
_SCAN = {b"hash": "HSCAN", b"set": "SSCAN", b"zset": "ZSCAN"}
_ADD = {b"hash": "HSET", b"list": "RPUSH", b"set": "SADD", b"string": "APPEND", b"zset": "ZADD"}


@dataclass(slots=True)
class Page:
    """A part of a value. *words*: as the server gives them; *lives*: until when each field of a
    hash is there, ms, where one has an end.
    """

    words: list[bytes]
    lives: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Value:
    """*kind*: as `TYPE` says; *expires_ms*: UTC, -1 for never; *page*: all of a small one."""

    kind: bytes
    expires_ms: int = NEVER
    digest: int = 0
    page: Page | None = None
    stream: Stream | None = None
    has_lives: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it can be read and written by type."""
        return self.kind in _SIZE or self.kind in (NONE, STREAM, MOVED)

    def is_like(self, other: Value, *, is_exact: bool) -> bool:
        """Whether nobody could tell them apart. *is_exact*: both servers tell when it expires."""
        if (self.kind, self.digest) != (other.kind, other.digest) or self.kind == MOVED:
            return False
        if is_exact or NEVER in (self.expires_ms, other.expires_ms):
            return self.expires_ms == other.expires_ms
        return abs(self.expires_ms - other.expires_ms) <= EXPIRY_APART_MS

    def mark(self, key: tuple[int, bytes], *, is_exact: bool) -> int:
        """Its part in the digest of a whole server; these are added up."""
        expires = self.expires_ms if is_exact else min(self.expires_ms, 0)
        head = f"{key[0]}/{len(key[1])}/{self.kind.decode()}/{expires}/{self.digest}/".encode()
        return _number(head + key[1])


def read_many(server: Server, db: int, keys: Sequence[bytes], *, is_exact: bool) -> list[Value]:
    """The values of keys. *is_exact*: tell all of streams that newer servers know."""
    expiry = "PEXPIRETIME" if server.tells_expiry else "PTTL"
    asked: list[Command] = [("TIME",)]
    for key in keys:
        asked += [("TYPE", key), (expiry, key)]
    (seconds, micros), *answers = server.many(db, asked)
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    values = [Value(kind, at) for kind, at in zip(answers[::2], answers[1::2], strict=True)]
    for value in values:
        if value.expires_ms == GONE:  # went between the two questions
            value.kind, value.expires_ms = NONE, NEVER
        elif value.expires_ms >= 0 and not server.tells_expiry:
            value.expires_ms += now_ms
    _fill(server, db, [(key, value) for key, value in zip(keys, values, strict=True)], is_exact)
    return values


def write_small(server: Server, db: int, found: Sequence[tuple[bytes, Value]]) -> None:
    """Put small values, or that there are none, in the place of what is there; all at once."""
    commands: list[Command] = []
    for key, value in found:
        commands.append(("DEL", key))
        if value.page is not None:
            commands += _adding(key, value.kind, value.page)
            if value.expires_ms != NEVER:
                commands.append(("PEXPIREAT", key, value.expires_ms))
    server.many(db, commands, whole=True)


def write_large(source: Server, target: Server, db: int, key: bytes, value: Value) -> None:
    """Copy one value page by page, or a stream."""
    target.one(db, "DEL", TEMPORARY)
    if value.stream is not None:
        write_stream(source, target, db, key, TEMPORARY, value.stream)
    else:
        for page in _pages(source, db, key, value.kind):
            if page.words:
                target.many(db, _adding(TEMPORARY, value.kind, page))
    ending: list[Command] = []
    if value.expires_ms != NEVER:
        ending.append(("PEXPIREAT", TEMPORARY, value.expires_ms))
    if target.one(db, "EXISTS", TEMPORARY):  # it may have gone meanwhile; then that is seen later
        target.many(db, [*ending, ("RENAME", TEMPORARY, key)], whole=True)


# ---------------------------------------------------------------- reading


def _fill(server: Server, db: int, found: list[tuple[bytes, Value]], is_exact: bool) -> None:
    """Content and digests."""
    sized = [(key, value) for key, value in found if value.kind in _SIZE]
    sizes = server.many(db, [(_SIZE[value.kind], key) for key, value in sized], strict=False)
    small: list[tuple[bytes, Value]] = []
    large: list[tuple[bytes, Value]] = []
    for (key, value), size in zip(sized, sizes, strict=True):
        most = STRING_MAX if value.kind == b"string" else ELEMENTS_MAX
        is_small = isinstance(size, Exception) or size <= most
        (small if is_small else large).append((key, value))
    _fill_small(server, db, small)
    for key, value in large:
        with _or_moved(value):
            _sum_up(value, _pages(server, db, key, value.kind), is_paged=True)
    for key, value in found:
        if value.kind == STREAM:
            with _or_moved(value):
                value.stream = read_stream(server, db, key, is_exact=is_exact)
                value.digest = int.from_bytes(value.stream.digest, "big")


def _fill_small(server: Server, db: int, found: list[tuple[bytes, Value]]) -> None:
    asked: list[Command] = []
    for key, value in found:
        name, *rest = _WHOLE[value.kind]
        asked.append((name, key, *rest))
    for (_, value), answer in zip(found, server.many(db, asked, strict=False), strict=True):
        if isinstance(answer, Exception):
            value.kind = MOVED
        elif answer is None or answer == []:
            value.kind, value.expires_ms = NONE, NEVER
        else:
            value.page = Page([answer] if value.kind == b"string" else list(answer))
    pages = [(key, value) for key, value in found if value.page is not None]
    _add_lives(server, db, [each for each in pages if each[1].kind == b"hash"])
    for _, value in pages:
        if value.page is not None:
            _sum_up(value, iter([value.page]), is_paged=False)


@contextmanager
def _or_moved(value: Value) -> Iterator[None]:
    try:
        yield
    except Answered:
        value.kind = MOVED


def _add_lives(server: Server, db: int, hashes: list[tuple[bytes, Value]]) -> None:
    if not server.has_field_lives:
        return
    pages = [(key, value.page) for key, value in hashes if value.page is not None]
    asked = [_lives_command(key, page.words[::2]) for key, page in pages]
    for (_, page), lives in zip(pages, server.many(db, asked), strict=True):
        page.lives = list(lives or ())


def _lives_command(key: bytes, fields: Sequence[bytes]) -> Command:
    return ("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)


def _pages(server: Server, db: int, key: bytes, kind: bytes) -> Iterator[Page]:
    """A large value; members of sets, hashes and sorted sets may come twice."""
    if kind in _SCAN:
        cursor: Any = 0
        while True:
            cursor, words = server.one(db, _SCAN[kind], key, cursor, "COUNT", ELEMENTS_MAX)
            page = Page(list(words))
            if kind == b"hash" and words and server.has_field_lives:
                page.lives = list(server.one(db, *_lives_command(key, words[::2])) or ())
            yield page
            if int(cursor) == 0:
                return
    start, step = 0, PAGE_BYTES if kind == b"string" else ELEMENTS_MAX
    name = "GETRANGE" if kind == b"string" else "LRANGE"
    while True:
        found = server.one(db, name, key, start, start + step - 1)
        words = [found] if kind == b"string" else list(found)
        if found:
            yield Page(words)
        if len(found) < step:
            return
        start += step


# ---------------------------------------------------------------- digests


def _sum_up(value: Value, pages: Iterator[Page], *, is_paged: bool) -> None:
    chain, total = hashlib.sha256(), 0
    seen: set[int] = set()
    for page in pages:
        value.has_lives |= any(life > 0 for life in page.lives)
        for element in _elements(value.kind, page):
            if value.kind in (b"string", b"list"):
                chain.update(element)
                continue
            number = _number(element)
            if is_paged and number in seen:
                continue
            seen.add(number)
            total = (total + number) % DIGEST_MODULUS
    value.digest = total if value.kind in _SCAN else int.from_bytes(chain.digest(), "big")


def _elements(kind: bytes, page: Page) -> Iterator[bytes]:
    words = page.words
    match kind:
        case b"hash":
            lives = page.lives or [NEVER] * (len(words) // 2)
            for name, word, life in zip(words[::2], words[1::2], lives, strict=True):
                yield b"%d/%d/" % (max(life, NEVER), len(name)) + name + word
        case b"zset":  # servers write the same score in different ways
            for name, score in zip(words[::2], words[1::2], strict=True):
                yield struct.pack(">d", float(score)) + name
        case b"list":
            for word in words:
                yield b"%d/" % len(word) + word
        case _:
            yield from words


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest(), "big")


# ---------------------------------------------------------------- writing


def _adding(key: bytes, kind: bytes, page: Page) -> list[Command]:
    words: list[bytes] = page.words
    if kind == b"zset":
        pairs = zip(words[1::2], words[::2], strict=True)
        words = [word for pair in pairs for word in pair]
    commands: list[Command] = [(_ADD[kind], key, *words)]
    if any(life > 0 for life in page.lives):
        commands += [
            ("HPEXPIREAT", key, life, "FIELDS", 1, name)
            for name, life in zip(page.words[::2], page.lives, strict=True)
            if life > 0
        ]
    return commands
