# SPDX-License-Identifier: Apache-2.0
"""`watchdog.py`: the small process beside a trading process. It has its own way to the venue, on
which it can cancel and reduce and nothing else. When the trading process is silent, or reaches the
venue no more, the kill switch's file is written first, so that whoever comes back comes back
latched; then orders go until the venue shows none. It also reads along: an order of HEAN's own form
that the journal cannot explain locks everything at once. It never acts against a process that came
later. When the data directory has vanished it takes orders back and ends: nobody can be asked or
told there any more.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hean.core.types import Health, Payload
from hean.errors import HeanError, JournalDamaged, NotSent, OutcomeUnknown
from hean.live.closing import Closing
from hean.live.control_line import ControlLine
from hean.live.diary import Diary
from hean.live.eyes import Eyes
from hean.live.guard import Job
from hean.live.journal_tail import JournalTail, Look
from hean.live.latch import Latch
from hean.live.monitor import Known
from hean.live.parts import LiveParts
from hean.live.place import is_awaited, take_place
from hean.live.watch import LOOK_S, Finding, Heart, pulse_of
from hean.net.offset import ClockOffset
from hean.risk.levels import FLATTEN, LOCKED, RUN, Latched, rank, stricter
from hean.venues.adapters import budget_for, codec_for
from hean.venues.codec import Codec
from hean.venues.questions import Questions
from hean.venues.reports import Execution, OrderReport, Tracked
from hean.venues.signing import Signer
from hean.venues.sweep import Sweep
from hean.venues.tracking import OrderTracker

ACTOR = "watchdog"
FIRST_S = 10.0  # to read a journal whole; a slower disk is told of as a failure to read
DISK_S = 0.4  # for latch file or journal; a disk that hangs must not keep orders alive
TRIES = 2  # to read a journal that does not explain an order, before it counts as unexplained
AGAIN_S = 60.0  # between two sweeps for orders that turn up later
GONE_S = 60.0  # to take orders back once the data directory has vanished; the venue may be gone too
REASON_LENGTH_MAX = 500  # of the control socket
ACCUSED_MAX = 1_000  # orders that are remembered as told of


class OrderWatchdog:
    """Does one job. *parts*: the world; `run` is the life."""

    def __init__(self, job: Job, signer: Signer, *, parts: LiveParts, diary: Diary) -> None:
        self.job = job
        self.known = Known()
        self.heart = Heart(job.after_s)
        self.wanted = Latched()
        """What the trading process has still to be told; RUN when nothing."""
        self.finding = Finding.FINE
        self._signer = signer
        self._parts = parts
        self._say = diary.say
        self._tail = JournalTail(job.journal)
        self._latch = Latch(job.latch, parts.read_file, parts.write_file)
        self._line = ControlLine(job.control, self._answered)
        self._disk = asyncio.Lock()
        self._reading: asyncio.Future[Look] | None = None
        self._suspects: dict[str, OrderReport | Execution] = {}
        self._has_suspects = asyncio.Event()
        self._accused: dict[str, None] = {}
        self._is_closed = False
        self._is_gone = False
        self._swept_s = 0.0
        self._group: asyncio.TaskGroup
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._codec: Codec
        self._questions: Questions
        self._sweep: Sweep

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until the trading process has ended in order, another watchdog takes over, or
        *stop*. *Raises*: `SecondWriter`, and whatever must not happen here.
        """
        lock = await take_place(self.job.data_dir, self._parts.holder)
        try:
            async with self._parts.http(self.job.endpoints.rest) as client:
                self._codec = codec_for(self.job.endpoints, self._signer)
                self._questions = Questions(
                    self._codec,
                    client,
                    budget_for(self.job.endpoints, scale=self.job.budget_scale),
                    ClockOffset(),
                    now=self._parts.now,
                    on_key_refused=self._say,
                    on_code=lambda code: None,
                )
                eyes = Eyes(
                    self._codec,
                    self._questions,
                    seen=self._seen,
                    say=self._say,
                    now=self._parts.now,
                    rng=self._parts.rng,
                    dial=self._parts.dial,
                )
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    self._sweep = self._new_sweep()
                    for work in (self._line.keep(), eyes.keep(), self._explain()):
                        self._run(work, "watchdog")
                    await self._read_first()
                    self._say(f"watching {self.job.data_dir}, {self.job.policy} after silence")
                    await self._watch(stop)
                    for task in list(self._tasks):
                        task.cancel()
        finally:
            self._tail.close()
            lock.release()

    # ------------------------------------------------------------ watching

    async def _read_first(self) -> None:
        """Nobody is told that it watches before it knows what there is to watch: were the journal
        to vanish then, it would leave orders behind.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                while not await self._read() and not self._is_gone:
                    await asyncio.sleep(LOOK_S)

    async def _watch(self, stop: asyncio.Event) -> None:
        """Look again and again; returns when there is nothing to watch any more."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._line.ask({"verb": "heartbeat", "by": ACTOR})
            await self._read()
            if self._is_gone:
                await self._leave()
                return
            before, self.finding = self.finding, self.heart.look(loop.time())
            if self.finding is Finding.ENDED:
                self._say("the trading process has ended, nothing is under way")
                return
            if self.finding is Finding.FINE:
                if before is not Finding.FINE:
                    self._say("the trading process gets on again")
                if not self._is_busy and is_awaited(self.job.data_dir):
                    self._say("another watchdog takes over")
                    return
            elif before is Finding.FINE:
                await self._fall_in(self.finding)
            elif not self._sweep.is_running and loop.time() - self._swept_s > AGAIN_S:
                self._start_sweep()
            self._insist()
            await asyncio.sleep(LOOK_S)

    @property
    def _is_busy(self) -> bool:
        """Whether orders or positions are being taken back."""
        is_closing = self._closing is not None and not self._closing.done()
        return (self._sweep.is_running and not self._sweep.is_empty) or is_closing

    async def _fall_in(self, finding: Finding) -> None:
        """Say why, and act."""
        heart = self.heart
        reason = f"nothing has moved for {heart.quiet_s:.0f} s"
        if finding is Finding.CUT_OFF:
            if not await self._reaches_venue():
                self.finding = Finding.FINE  # nobody does: nothing can be done, look again
                return
            reason = f"the venue has not answered the trading process for {heart.unreached_s:.0f} s"
        await self._act(reason)

    async def _act(self, reason: str) -> None:
        """File, orders, process, people, in this order."""
        self._is_closed = False
        await self._latch_at(Latched(self.job.level, reason, ACTOR, self._parts.now()))
        self._start_sweep()
        self._insist()
        self._say(f"ALARM: {reason}; {self.job.level}: HEAN's orders are being cancelled")
        if self.job.level == FLATTEN and self.known.start is not None:
            terms = self.known.start.terms
            closing = Closing(self._codec, self._questions, terms, say=self._say)
            self._closing = self._run(self._close(closing), "closes")

    async def _leave(self) -> None:
        """What may be open is taken back, as far as that goes in a minute."""
        self._say(f"ALARM: {self.job.data_dir} has vanished, and with it journal and kill switch")
        if self.heart.is_under_way:
            await self._act("the data directory has vanished")
            with suppress(TimeoutError):
                async with asyncio.timeout(GONE_S):
                    while self._is_busy:
                        await asyncio.sleep(LOOK_S)
        self._say("nothing is left to watch")

    async def _reaches_venue(self) -> bool:
        try:
            await self._codec.server_time_ns(self._questions.ask)
        except (NotSent, OutcomeUnknown):
            return False
        except HeanError:
            return True
        return True

    # ------------------------------------------------------------ reading along

    def _seen(self, seen: OrderReport | Execution) -> None:
        """Anything the venue shows. The journal is read again before anybody is accused."""
        if self.known.objection(seen):
            self._suspects[seen.client_order_id] = seen
            self._has_suspects.set()

    async def _explain(self) -> None:
        """Lock when the newest journal does not explain an order."""
        while True:
            await self._has_suspects.wait()
            self._has_suspects.clear()
            for _ in range(TRIES):
                if await self._read():
                    break
            suspects, self._suspects = self._suspects, {}
            for seen in suspects.values():
                why = self.known.objection(seen)
                if why and seen.client_order_id not in self._accused:
                    await self._accuse(seen.client_order_id, why)

    async def _accuse(self, order_id: str, why: str) -> None:
        """Lock, and tell people: also when the trading process saw it too and was faster."""
        self._accused[order_id] = None
        if len(self._accused) > ACCUSED_MAX:
            del self._accused[next(iter(self._accused))]
        if self.heart.level != LOCKED:
            await self._latch_at(Latched(LOCKED, why[:REASON_LENGTH_MAX], ACTOR, self._parts.now()))
            self.heart.level = LOCKED  # until its own word, which comes twice a second
            self._insist()
        self._say(f"ALARM: {why}; LOCKED. Find out who has the key.")

    async def _read(self) -> bool:
        """Read what was committed up to now. *Returns*: whether that could be done in time."""
        async with self._disk:
            if self._reading is not None and not await self._take():
                return False
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._tail.look))
            return await self._take()

    async def _take(self) -> bool:
        assert self._reading is not None
        done, _ = await asyncio.wait([self._reading], timeout=DISK_S)
        if not done:
            return False
        reading, self._reading = self._reading, None
        try:
            look = reading.result()
            if look.is_gone:
                self._is_gone = True
                return False
            if look.is_new:
                self.known = Known()
            for record in look.records:
                self.known.apply(record)
                self.heart.row(record.kind)
            if look.is_new:
                self.heart.is_watched()
        except (OSError, sqlite3.Error, JournalDamaged) as error:
            self._say(f"the journal cannot be read: {error}")
            return False
        self.known.head_seq = look.head_seq
        self.heart.journal_at(look.head_seq)
        return True

    # ------------------------------------------------------------ the kill switch

    async def _latch_at(self, latched: Latched) -> None:
        """Write the file, as far as the disk lets us, and remember to tell the process."""
        self.wanted = stricter(self.wanted, latched)
        try:
            async with asyncio.timeout(DISK_S):
                await asyncio.to_thread(self._latch.raise_to, latched)
        except (OSError, TimeoutError) as error:
            self._say(f"{self._latch.path} was not written: {error or 'the disk hangs'}")

    def _insist(self) -> None:
        """Tell the process what level it has to be at, until it has confirmed it."""
        wanted = self.wanted
        if wanted.level != RUN:
            kill = {"verb": "kill", "level": wanted.level, "reason": wanted.reason}
            self._line.ask({**kill, "by": ACTOR})

    def _answered(self, verb: str, answer: dict[str, Any]) -> None:
        pulse = pulse_of(answer)
        if pulse is None:
            return
        if verb == "heartbeat":
            self.heart.answered(pulse)
        elif rank(pulse.level) >= rank(self.wanted.level):
            self.wanted = Latched()

    # ------------------------------------------------------------ taking back

    def _new_sweep(self) -> Sweep:
        tracker = OrderTracker(self._told, _Nobody())
        return Sweep(
            self._codec,
            self._questions,
            tracker,
            self._run,
            cancel=lambda order_id: None,
            keeps=lambda order_id: not self._is_closed and self.known.is_protective(order_id),
            emit=self._told,
            epoch=self.known.epoch,
        )

    def _start_sweep(self) -> None:
        self._swept_s = asyncio.get_running_loop().time()
        self._sweep.stop()
        self._sweep = self._new_sweep()
        self._sweep.start()

    async def _close(self, closing: Closing) -> None:
        """Once orders are gone nothing else closes; then the stops of what is closed go as well."""
        while not self._sweep.is_empty:
            await asyncio.sleep(LOOK_S)
        await closing.close_all()
        self._is_closed = True
        self._start_sweep()
        self._say("ALARM: all positions of HEAN's symbols are closed")

    def _told(self, fact: Payload) -> None:
        if isinstance(fact, Health) and fact.state == "EMPTY":
            self._say("ALARM: the venue shows no order of HEAN any more, protective stops aside")

    # ------------------------------------------------------------ tasks

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Nobody:
    """For a table of orders in which there never is one."""

    def strange(self, report: OrderReport) -> None:
        """Nothing."""

    def stranger(self, seen: OrderReport | Execution) -> None:
        """Nothing."""

    def disputed(self, order: Tracked, why: str) -> None:
        """Nothing."""

    def turned_up(self, order: Tracked, ts_ns: int) -> None:
        """Nothing."""

    def untold(self, order: Tracked) -> None:
        """Nothing."""
