# SPDX-License-Identifier: Apache-2.0
"""`keyspace_streams.py`: a stream as it is: entries under their ids, its last id, what was ever
added and deleted, groups with their last delivered ids, consumers, and what is pending with times
and counts, also of entries that are deleted. Times of pending entries are right to a few
milliseconds and are in no digest; when a consumer was last seen cannot be written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keyspace import Command, Server

ENTRIES = 500  # of a page
PENDING = 1_000
PLACEHOLDER = b"hean"  # content of an entry that is deleted before anybody sees it
Id = tuple[int, int]


@dataclass(slots=True)
class Pending:
    """*ms*: when it was delivered last; *count*: how often."""

    id: bytes
    consumer: bytes
    ms: int
    count: int


@dataclass(slots=True)
class Group:
    """*read*: how many entries it has read, where that is known."""

    name: bytes
    last_id: bytes
    read: int | None
    consumers: list[bytes] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """Without its entries, which are read when they are written. *first_id*: of the first one,
    empty if there is none; *added*, *deleted_id*: ever, where the server tells.
    """

    last_id: bytes
    first_id: bytes
    added: int | None
    deleted_id: bytes
    groups: list[Group]
    ids: set[Id] = field(default_factory=set)
    """Of pending entries that are there."""
    digest: bytes = b""


def read_stream(server: Server, db: int, key: bytes, *, is_exact: bool) -> Stream:
    """A stream. *is_exact*: with what newer servers know. *Raises*: `Answered` when it went
    meanwhile.
    """
    asked: list[Command] = [("XINFO", "STREAM", key), ("XINFO", "GROUPS", key)]
    about, groups = server.many(db, asked, whole=True)
    head = _fields(about)
    first = head[b"first-entry"]
    stream = Stream(
        head[b"last-generated-id"],
        first[0] if first else b"",
        head.get(b"entries-added") if is_exact else None,
        head.get(b"max-deleted-entry-id", b"") if is_exact else b"",
        [_group(server, db, key, _fields(each), is_exact) for each in groups],
    )
    _sum_up(server, db, key, stream)
    return stream


def write_stream(
    source: Server, target: Server, db: int, key: bytes, name: bytes, stream: Stream
) -> None:
    """Make *name* on the target what *key* is on the source."""
    # The only way to a stream without entries.
    groups: list[Command] = [("XGROUP", "CREATE", name, "0", "0", "MKSTREAM")]
    target.many(db, [*groups, ("XGROUP", "DESTROY", name, "0")])
    missing = _missing(stream)
    for page in _with_missing(source, db, key, stream, missing):
        target.many(db, [("XADD", name, entry, *words) for entry, words in page])
    target.one(db, *_set_id(name, stream))
    for group in stream.groups:
        _write_group(target, db, name, group)
    if missing:
        target.many(db, _without(name, stream, missing))
        target.one(db, *_set_id(name, stream))


def _fields(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _id(text: bytes) -> Id:
    ms, _, number = text.partition(b"-")
    return int(ms), int(number)


def _text(entry: Id) -> bytes:
    return b"%d-%d" % entry


# ---------------------------------------------------------------- reading


def _group(server: Server, db: int, key: bytes, row: dict[bytes, Any], is_exact: bool) -> Group:
    name = row[b"name"]
    read = row.get(b"entries-read") if is_exact else None
    consumers = server.one(db, "XINFO", "CONSUMERS", key, name)
    found = sorted(_fields(each)[b"name"] for each in consumers)
    pending = list(_pending(server, db, key, name))
    return Group(name, row[b"last-delivered-id"], read, found, pending)


def _pending(server: Server, db: int, key: bytes, group: bytes) -> Iterator[Pending]:
    start = b"-"
    while True:
        (seconds, micros), rows = server.many(
            db, [("TIME",), ("XPENDING", key, group, start, "+", PENDING)], whole=True
        )
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        for entry, consumer, idle_ms, count in rows:
            yield Pending(entry, consumer, now_ms - idle_ms, count)
        if len(rows) < PENDING:
            return
        start = b"(" + rows[-1][0]


def _entries(server: Server, db: int, key: bytes, last_id: bytes) -> Iterator[list[Any]]:
    """Up to the last id that was told, so that what comes meanwhile is not half in it."""
    start = b"-"
    while True:
        page = server.one(db, "XRANGE", key, start, last_id, "COUNT", ENTRIES)
        if page:
            yield page
            start = b"(" + page[-1][0]
        if len(page) < ENTRIES:
            return


def _sum_up(server: Server, db: int, key: bytes, stream: Stream) -> None:
    chain = hashlib.sha256()

    def add(*words: object) -> None:
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            chain.update(b"%d/" % len(data) + data)

    wanted = {_id(each.id) for group in stream.groups for each in group.pending}
    add(stream.last_id, stream.added, stream.deleted_id)
    for page in _entries(server, db, key, stream.last_id):
        for entry, words in page:
            add(entry, len(words), *words)
        if wanted:
            stream.ids |= wanted & {_id(entry) for entry, _ in page}
    for group in sorted(stream.groups, key=lambda each: each.name):
        add(b"group", group.name, group.last_id, group.read, *group.consumers)
        for each in group.pending:
            add(b"pending", each.id, each.consumer, each.count)
    stream.digest = chain.digest()


# ---------------------------------------------------------------- writing


def _missing(stream: Stream) -> list[Id]:
    """Ids of entries that are pending and deleted: they have to be there to be given to anybody."""
    wanted = {_id(each.id) for group in stream.groups for each in group.pending}
    return sorted(wanted - stream.ids)


def _with_missing(
    source: Server, db: int, key: bytes, stream: Stream, missing: list[Id]
) -> Iterator[list[Any]]:
    """Pages of entries, with the missing ones in their places."""
    waiting = list(missing)
    for page in _entries(source, db, key, stream.last_id):
        last = _id(page[-1][0])
        early = [each for each in waiting if each < last]
        waiting = waiting[len(early) :]
        filled = [*page, *([_text(each), [PLACEHOLDER, b""]] for each in early)]
        yield sorted(filled, key=lambda entry: _id(entry[0]))
    if waiting:
        yield [[_text(each), [PLACEHOLDER, b""]] for each in waiting]


def _set_id(name: bytes, stream: Stream) -> Command:
    command: tuple[bytes | str | int, ...] = ("XSETID", name, stream.last_id)
    if stream.added is not None:
        command += ("ENTRIESADDED", stream.added, "MAXDELETEDID", stream.deleted_id)
    return command


def _write_group(target: Server, db: int, name: bytes, group: Group) -> None:
    create: tuple[bytes | str | int, ...] = ("XGROUP", "CREATE", name, group.name, group.last_id)
    if group.read is not None:
        create += ("ENTRIESREAD", group.read)
    commands: list[Command] = [create]
    commands += [
        ("XGROUP", "CREATECONSUMER", name, group.name, consumer) for consumer in group.consumers
    ]
    commands += [
        *(
            ("XCLAIM", name, group.name, each.consumer, 0, each.id)
            + ("TIME", each.ms, "RETRYCOUNT", each.count, "FORCE", "JUSTID")
            for each in group.pending
        )
    ]
    for at in range(0, len(commands), PENDING):
        target.many(db, commands[at : at + PENDING])


def _without(name: bytes, stream: Stream, missing: list[Id]) -> list[Command]:
    """Take the missing entries out again. A trim tells nobody what was deleted, a deletion does:
    what was before the first entry had been trimmed, the rest deleted.
    """
    if not stream.first_id:
        return [("XTRIM", name, "MAXLEN", 0)]
    first = _id(stream.first_id)
    commands: list[Command] = [("XTRIM", name, "MINID", stream.first_id)]
    later = [_text(each) for each in missing if each > first]
    return [*commands, ("XDEL", name, *later)] if later else commands
