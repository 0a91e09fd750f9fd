# SPDX-License-Identifier: Apache-2.0
"""`keyspace_migration.py`: makes the keys of one server what they are on another. All it does is to
compare values by digest and write those that differ, until none does: so it can begin anywhere, be
killed anywhere and begin again, and what it has compared last is the proof. It writes to the source
only its notification setting, while it follows.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hean.errors import EnvironmentFault, ParameterInvalid
from keyspace import MARKER, TEMPORARY, Answered, Key, Server
from keyspace_values import (
    DIGEST_MODULUS,
    MOVED,
    NONE,
    STREAM,
    Value,
    read_many,
    write_large,
    write_small,
)
from keyspace_watch import Watch

TRIES = 5  # of one key that is being written
CUTS = 5  # times that writers are asked to wait
NEAR = 1_000  # keys behind: little enough to let writers wait for them
ROUND_S = 0.2
NAMES_MAX = 100  # of keys that are told by name
Progress = Callable[[int], None]


@dataclass(slots=True)
class Tally:
    """Of one look at everything. Digests: of all keys that were found alike."""

    keys: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    written: int = 0
    deleted: int = 0
    source_digest: int = 0
    target_digest: int = 0
    differing: list[Key] = field(default_factory=list)
    unsupported: dict[Key, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing had to be written."""
        return not (self.written or self.deleted or self.differing)


class Migration:
    """*only*: databases, else all; *is_dry*: look, write nothing.

    *Raises*: `ParameterInvalid` when it may not begin.
    """

    def __init__(
        self,
        source: Server,
        target: Server,
        *,
        only: Iterable[int] = (),
        batch: int = 200,
        is_dry: bool = False,
        is_overwriting: bool = False,
    ) -> None:
        self.source, self.target = source, target
        self._only = tuple(only)
        self._batch = batch
        self.is_dry = is_dry
        self.is_exact = source.tells_streams and target.tells_streams
        """Whether both tell all there is of streams and expiry."""
        self.written = self.deleted = 0
        self.sweeps: list[Tally] = []
        self._seen: set[int] = set()  # hashes of keys of this sweep: a scan may tell one twice
        self._streams: set[Key] = set()
        if source.run_id == target.run_id:
            raise ParameterInvalid(f"{source.name} and {target.name} are the same server.")
        self.was_begun = self._begin(is_overwriting=is_overwriting)
        """Whether an earlier run had begun it."""

    def sweep(self, progress: Progress = lambda _: None) -> Tally:
        """Compare everything, and write what differs."""
        began_s = time.monotonic()
        tally = Tally()
        self._seen.clear()
        for db in self.databases():
            for keys in self.source.scan(db, self._batch):
                self._settle(db, keys, tally)
                progress(len(keys))
            for keys in self.target.scan(db, self._batch):
                asked = [("EXISTS", key) for key in keys]
                found = zip(keys, self.source.many(db, asked), strict=True)
                self._settle(db, [key for key, is_there in found if not is_there], tally)
        tally.seconds = time.monotonic() - began_s
        self.sweeps.append(tally)
        return tally

    def converge(self, passes: int, progress: Progress = lambda _: None) -> Tally:
        """Sweep until one finds nothing to write, *passes* times at most."""
        for _ in range(passes):
            tally = self.sweep(progress)
            if tally.is_clean or self.is_dry:
                break
        return tally

    def drain(self, watch: Watch) -> int:
        """Bring what was written since the last time. *Returns*: how many keys differed."""
        written, is_blind = watch.take()
        if is_blind:
            tally = self.sweep()
            return tally.written + tally.deleted + len(tally.differing)
        tally = Tally()
        by_db: dict[int, list[bytes]] = {}
        for db, key in written | self._streams:  # of an acknowledgement nobody is notified
            if not self._only or db in self._only:
                by_db.setdefault(db, []).append(key)
        for db, keys in by_db.items():
            for at in range(0, len(keys), self._batch):
                self._settle(db, keys[at : at + self._batch], tally, is_counted=False, tries=2)
        return tally.written + tally.deleted + len(tally.differing)

    def follow(self, watch: Watch, is_enough: Callable[[int, float], bool]) -> None:
        """Drain until *is_enough*, which is asked with the keys that differed in the last round
        and the seconds since one did.
        """
        changed_s = time.monotonic()
        while True:
            count = self.drain(watch)
            now_s = time.monotonic()
            changed_s = now_s if count else changed_s
            if is_enough(count, now_s - changed_s):
                return
            time.sleep(ROUND_S)

    def cut_over(self, watch: Watch, command: str, pause_s: float) -> None:
        """Let writers wait, bring the rest, run *command*, which makes them write to the target,
        and cut the lines of those that still wait: what they had not sent through, they send there.
        Where half of *pause_s* does not suffice for the rest they go on, and it is tried again.

        *Raises*: `EnvironmentFault` when it does not come to that; then all goes on as it was.
        """
        for _ in range(CUTS):
            try:
                if self._is_at_rest(watch, pause_s):
                    self._switch(command, pause_s / 2)
                    return
            except BaseException:
                self.source.one(0, "CLIENT", "UNPAUSE")
                raise
            self.source.one(0, "CLIENT", "UNPAUSE")
            self.drain(watch)
        raise EnvironmentFault(
            f"--cutover: in {pause_s / 2:g} s the rest could not be brought, {CUTS} times; the "
            "writers go on as before. Give a longer --pause."
        )

    def _is_at_rest(self, watch: Watch, pause_s: float) -> bool:
        """Whether all was brought while the writers wait, in half of the time that they may."""
        deadline_s = time.monotonic() + pause_s / 2
        self.source.one(0, "CLIENT", "PAUSE", int(pause_s * 1000), "WRITE")
        while self.drain(watch):
            if time.monotonic() > deadline_s:
                return False
        if self.sweeps[-1].seconds < pause_s / 4:
            self.sweep()
        return time.monotonic() <= deadline_s

    def _switch(self, command: str, limit_s: float) -> None:
        try:
            done = subprocess.run(["/bin/sh", "-c", command], timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(f"--cutover: {command} took over {limit_s:g} s.") from None
        if done.returncode:
            raise EnvironmentFault(f"--cutover: {command} ended with {done.returncode}.")
        self.source.one(0, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def databases(self) -> list[int]:
        """Those with keys on either side."""
        found = {*self.source.databases(), *self.target.databases()}
        return sorted(found & set(self._only) if self._only else found)

    def watch(self) -> Watch:
        """Begin to notice what is written; what an earlier run changed is known to it."""
        before = self.target.one(0, "HGET", MARKER, "notify")
        watch = Watch(self.source, None if before is None else before.decode())
        self.target.one(0, "HSET", MARKER, "notify", watch.before)
        return watch

    def end(self) -> None:
        """It is done: what is on the target is there for itself."""
        self.target.one(0, "DEL", MARKER, TEMPORARY)

    # ------------------------------------------------------------ inside

    def _begin(self, *, is_overwriting: bool) -> bool:
        """Whether an earlier run had begun. *Raises*: `ParameterInvalid`."""
        target = self.target
        begun = target.one(0, "HGET", MARKER, "source")
        if begun is not None and begun.decode() != self.source.name and not is_overwriting:
            raise ParameterInvalid(
                f"{target.name} holds a part of {begun.decode()}, whose migration was not "
                "finished; give --overwrite to replace all of it."
            )
        if begun is None and not is_overwriting and not self.is_dry:
            for db in self.databases():
                if next(target.scan(db, self._batch), None):
                    raise ParameterInvalid(
                        f"{target.name} has keys in database {db} that nobody brought there; give "
                        "--overwrite to replace them all, or another target."
                    )
        if not self.is_dry:
            target.one(0, "HSET", MARKER, "source", self.source.name)
        return begun is not None

    def _settle(
        self,
        db: int,
        keys: list[bytes],
        tally: Tally,
        *,
        is_counted: bool = True,
        tries: int = TRIES,
    ) -> None:
        """Make these keys alike; count them when they are."""
        if is_counted:
            marked = [(hash((db, key)), key) for key in keys]
            keys = [key for number, key in marked if number not in self._seen]
            self._seen.update(number for number, _ in marked)
        for attempt in range(tries):
            if not keys:
                return
            different = self._compare(db, keys, tally)
            keys = [key for key, _, _ in different]
            if attempt == 0:
                self._count(different, tally)
            if self.is_dry:
                return
            if attempt < tries - 1:
                self._write(db, different)
        tally.differing += [(db, key) for key in keys]

    def _compare(
        self, db: int, keys: list[bytes], tally: Tally
    ) -> list[tuple[bytes, Value, Value]]:
        theirs = read_many(self.source, db, keys, is_exact=self.is_exact)
        ours = read_many(self.target, db, keys, is_exact=self.is_exact)
        different = []
        for key, there, here in zip(keys, theirs, ours, strict=True):
            if (reason := self._unsupported(there)) is not None:
                tally.unsupported[db, key] = reason
                continue
            if there.kind == STREAM:
                self._streams.add((db, key))
            else:
                self._streams.discard((db, key))
            if not there.is_like(here, is_exact=self.is_exact):
                different.append((key, there, here))
            elif there.kind != NONE:
                self._alike(db, key, there, here, tally)
        return different

    def _alike(self, db: int, key: bytes, there: Value, here: Value, tally: Tally) -> None:
        tally.keys += 1
        tally.kinds[there.kind.decode()] += 1
        mark = there.mark((db, key), is_exact=self.is_exact)
        tally.source_digest = (tally.source_digest + mark) % DIGEST_MODULUS
        mark = here.mark((db, key), is_exact=self.is_exact)
        tally.target_digest = (tally.target_digest + mark) % DIGEST_MODULUS

    def _unsupported(self, value: Value) -> str | None:
        if not value.is_known:
            return f"type {value.kind.decode(errors='replace')}"
        if value.has_lives and not self.target.has_field_lives:
            return "fields that expire on their own, which the target does not have"
        return None

    def _count(self, different: list[tuple[bytes, Value, Value]], tally: Tally) -> None:
        deleted = sum(there.kind == NONE for _, there, _ in different)
        tally.deleted += deleted
        tally.written += len(different) - deleted
        if not self.is_dry:
            self.deleted += deleted
            self.written += len(different) - deleted

    def _write(self, db: int, different: list[tuple[bytes, Value, Value]]) -> None:
        found = [(key, there) for key, there, _ in different if there.kind != MOVED]
        small = [each for each in found if each[1].page is not None or each[1].kind == NONE]
        write_small(self.target, db, small)
        for key, value in found:
            if value.page is None and value.kind != NONE:
                try:
                    write_large(self.source, self.target, db, key, value)
                except Answered:  # it became another meanwhile, which the next look tells
                    continue
