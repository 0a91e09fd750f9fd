# SPDX-License-Identifier: Apache-2.0
"""`alert_post.py`: the process that delivers alerts, beside the one that trades, so that no
destination, library or disk can ever hold that one up. It reads a job and then alerts and beats
from its standard input, keeps each alert on the disk before it sends it, and notices what the
engine cannot tell itself: that it is silent, that it died, that the disk is nearly full. It ends
when its input does, after one last try.

Each destination has a thread. One that hangs is left alone after `SEND_S`; a destination with
`STUCK_MAX` such threads waits until one comes back.
"""

from __future__ import annotations

import os
import queue
import selectors
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from hean.observe.alert_rules import Alert
from hean.observe.alert_send import Sender, Undelivered, sender_of, warm_up
from hean.observe.alert_store import DELIVERED, GIVEN_UP, PENDING, AlertStore
from hean.observe.alert_ways import Message, Pace, Schedule, Way

LOOK_S, BUSY_LOOK_S = 0.2, 0.01  # the shorter one while something is being sent
SEND_S = 20.0  # a destination that needs longer is as good as silent
STUCK_MAX = 3
FAREWELL_S = 5.0  # for what is left when the engine has ended
DISK_S = 30.0
FREE_BYTES_MIN = 1 << 30  # as live trading asks for
READ_BYTES = 65_536
NICE = 10  # whoever trades goes first
BEAT, BYE = b"", b"bye"
_Answer = TypeVar("_Answer")


class Job(msgspec.Struct, frozen=True):
    """*folder*: data directory; *session*: of the process that tells; *who*: it, in words."""

    folder: str
    session: str
    who: str
    ways: list[Way]
    pace: Pace


class Carrier:
    """One destination at work: a schedule, and the thread that sends. *tell*: takes alert numbers,
    state, tries and reason.
    """

    def __init__(
        self, schedule: Schedule, sender: Sender, who: str, tell: Callable[..., None]
    ) -> None:
        self.schedule = schedule
        self._sender = sender
        self._who = who
        self._tell = tell
        self._under_way: tuple[Message, float] | None = None
        self._stuck = 0
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[object, Message, str]] = queue.SimpleQueue()
        self._hand: object = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being sent that may be answered at any moment."""
        return self._under_way is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be sent."""
        return self._under_way is None and not self.schedule.waiting

    def look(self, now_s: float, *, is_last: bool = False) -> None:
        """Take answers, begin what is due."""
        with suppress(queue.Empty):
            while True:
                self._answered(*self._answers.get_nowait(), now_s)
        if self._under_way is not None and now_s - self._under_way[1] > SEND_S:
            self._fail(self._under_way[0], f"took more than {SEND_S:g} s", now_s)
            self._hand, self._under_way = None, None
            self._stuck += 1
        if self._under_way is None and self._stuck < STUCK_MAX:
            message = self.schedule.due(now_s, is_last=is_last)
            if message is not None:
                self._send(message, now_s)
        for number, tries, reason in self.schedule.given_up:
            self._tell([number], GIVEN_UP, tries, reason)
        self.schedule.given_up.clear()

    def _send(self, message: Message, now_s: float) -> None:
        if self._hand is None:
            hand, inbox = object(), queue.SimpleQueue[Message]()
            work = (self._sender, self._who, inbox, self._answers, hand)
            threading.Thread(target=_carry, args=work, daemon=True).start()
            self._hand, self._inbox = hand, inbox
        self._under_way = (message, now_s)
        self._inbox.put(message)

    def _answered(self, hand: object, message: Message, reason: str, now_s: float) -> None:
        if hand is not self._hand:
            self._stuck -= 1  # it came back after all; what it did is not known to be read
            return
        self._under_way = None
        if reason:
            self._fail(message, reason, now_s)
        else:
            self._tell([number for number, _ in message.alerts], DELIVERED, message.tries + 1, "")

    def _fail(self, message: Message, reason: str, now_s: float) -> None:
        if self.schedule.failed(message, reason, now_s) is not None:
            self._tell([number for number, _ in message.alerts], PENDING, message.tries, reason)


def _carry(
    sender: Sender,
    who: str,
    inbox: queue.SimpleQueue[Message],
    answers: queue.SimpleQueue[tuple[object, Message, str]],
    hand: object,
) -> None:
    """A carrier's thread. It ends with the process, or after it was given up."""
    while True:
        message = inbox.get()
        reason = ""
        try:
            sender.send(message.title(), message.body(who), message.severity)
        except Undelivered as error:
            reason = str(error)
        answers.put((hand, message, reason))


class Post:
    """All of it. *ticks*: steady seconds; *now*: UTC nanoseconds; *make*: senders."""

    def __init__(
        self,
        job: Job,
        *,
        ticks: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = time.time_ns,
        make: Callable[[Way], Sender] = sender_of,
    ) -> None:
        self.job = job
        self._ticks = ticks
        self._now = now
        self._last_s: dict[tuple[str, str], tuple[int, float]] = {}
        self._heard_s = ticks()
        self._is_silent = False
        self._looked_s = -DISK_S
        self._is_full = False
        self._unkept = 0  # numbers of alerts that the disk did not take, below zero
        self._store: AlertStore | None = None
        self._carriers = [
            Carrier(Schedule(way, job.pace), make(way), job.who, self._settler(way.name))
            for way in job.ways
        ]
        self._resume()

    def hear(self, line: bytes) -> None:
        """A beat, or an alert."""
        now_s = self._ticks()
        if self._is_silent:
            self._is_silent = False
            self._raise("over", f"heard again after {now_s - self._heard_s:.0f} s", "silent")
        self._heard_s = now_s
        if line != BEAT:
            with suppress(msgspec.MsgspecError):
                self.take(msgspec.json.decode(line, type=Alert))

    def take(self, alert: Alert) -> None:
        """An alert: keep it, then send it."""
        now_s, matter = self._ticks(), (alert.rule, alert.key)
        number, told_s = self._last_s.get(matter, (0, 0.0))
        if number and now_s - told_s < self.job.pace.again_s:
            self._on_disk(lambda store: store.again(number))
            return
        takers = [each for each in self._carriers if each.schedule.takes(alert)]
        names = [each.schedule.way.name for each in takers]
        number = self._keep(alert, names)
        if len(self._last_s) >= 1_000:
            self._last_s.clear()
        self._last_s[matter] = (number, now_s)
        for each in takers:
            each.schedule.offer(number, alert, now_s)

    def look(self) -> None:
        """What time brings."""
        now_s = self._ticks()
        silent_s = now_s - self._heard_s
        if silent_s > self.job.pace.silent_s and not self._is_silent:
            self._is_silent = True
            self._raise("silent", f"nothing heard of it for {silent_s:.0f} s", "silent")
        if now_s - self._looked_s >= DISK_S:
            self._looked_s = now_s
            self._look_at_disk()
        for each in self._carriers:
            each.look(now_s)

    @property
    def pause_s(self) -> float:
        """How long may pass until it looks again."""
        return BUSY_LOOK_S if any(each.is_busy for each in self._carriers) else LOOK_S

    def end(self, *, is_orderly: bool) -> None:
        """The engine has ended: one last try for what is left, for a few seconds."""
        if not is_orderly:
            self._raise("died", "it ended without a word: killed, or crashed", "died")
        end_s = self._ticks() + FAREWELL_S
        while self._ticks() < end_s and not all(each.is_idle for each in self._carriers):
            for each in self._carriers:
                each.look(self._ticks(), is_last=True)
            time.sleep(BUSY_LOOK_S)
        self._on_disk(lambda store: store.close())

    # ------------------------------------------------------------ inside

    def _raise(self, rule: str, text: str, key: str) -> None:
        self.take(Alert.of(rule, text, self._now(), key))

    def _look_at_disk(self) -> None:
        try:
            free = shutil.disk_usage(self.job.folder).free
        except OSError:
            return
        is_full = free < FREE_BYTES_MIN
        if is_full != self._is_full:
            text = f"{self.job.folder} has {free >> 20} MiB left, {FREE_BYTES_MIN >> 20} are needed"
            self._raise("disk" if is_full else "over", text, "disk")
        self._is_full = is_full

    def _resume(self) -> None:
        """Go on with what an earlier sender of this session did not bring to an end."""
        found = self._on_disk(lambda store: store.pending(self.job.session)) or []
        for kept in found:
            for each in kept.deliveries:
                for carrier in self._carriers:
                    if each.state == PENDING and carrier.schedule.way.name == each.way:
                        carrier.schedule.offer(kept.id, kept.alert, self._ticks())

    def _keep(self, alert: Alert, names: Sequence[str]) -> int:
        job = self.job
        kept = self._on_disk(lambda store: store.add(alert, job.session, job.who, names))
        if kept is None:
            self._unkept -= 1
            return self._unkept
        return kept

    def _settler(self, name: str) -> Callable[..., None]:
        def settle(numbers: Sequence[int], state: str, tries: int, reason: str) -> None:
            def write(store: AlertStore) -> None:
                for number in numbers:
                    store.settle(number, name, state, tries=tries, reason=reason)

            self._on_disk(write)

        return settle

    def _on_disk(self, do: Callable[[AlertStore], _Answer]) -> _Answer | None:
        """An alert that cannot be kept is sent all the same."""
        try:
            if self._store is None:
                self._store = AlertStore(Path(self.job.folder))
            return do(self._store)
        except (sqlite3.Error, OSError):
            return None


def main() -> None:
    """Serve one engine until its end of the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is the engine that is meant; its end is told
    with suppress(OSError):
        os.nice(NICE)
    lines = _Lines(sys.stdin.fileno())
    first = lines.wait()
    if first is None:
        return
    post = Post(msgspec.json.decode(first, type=Job))
    if post.job.ways:
        threading.Thread(target=warm_up, daemon=True).start()
    is_orderly = False
    while not lines.is_ended:
        for line in lines.read(post.pause_s):
            if line == BYE:
                is_orderly = True
            else:
                post.hear(line)
        post.look()
    post.end(is_orderly=is_orderly)
    os._exit(0)  # a thread that hangs in a library does not keep the process


class _Lines:
    """The lines of a pipe, without ever waiting for the rest of one."""

    def __init__(self, descriptor: int) -> None:
        self.is_ended = False
        self._descriptor = descriptor
        self._rest = b""
        self._ready: list[bytes] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def read(self, wait_s: float) -> list[bytes]:
        """The whole lines that came, without their ends."""
        if not self._ready and self._selector.select(wait_s):
            got = os.read(self._descriptor, READ_BYTES)
            self.is_ended = not got
            *self._ready, self._rest = (self._rest + got).split(b"\n")
        lines, self._ready = self._ready, []
        return lines

    def wait(self) -> bytes | None:
        """The first line; `None` if none came."""
        while not self.is_ended and not self._ready:
            self._ready = self.read(LOOK_S)
        return self._ready.pop(0) if self._ready else None


if __name__ == "__main__":
    main()
