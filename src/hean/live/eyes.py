# SPDX-License-Identifier: Apache-2.0
"""`eyes.py`: what the account's own stream and lists show, seen without a gateway: every order and
every piece of one, as reports. It can sign in and ask; it has no way to send an order. Whatever it
misses while a socket is down, the list that is read after the next login shows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hean.errors import FrameInvalid, HeanError
from hean.net.line import Heartbeat
from hean.net.offset import EVERY_S
from hean.net.socket import ConnectGovernor, Connection, Dial
from hean.venues.codec import Codec, told
from hean.venues.gateway import LIFE_S, PING_S, SILENCE_S
from hean.venues.questions import Questions
from hean.venues.reports import Execution, OrderReport, Reply
from hean.venues.session import Session
from hean.venues.upkeep import KEEP_S, READ_S

RETRY_S = 2.0  # until the next attempt when the first socket does not open


class Eyes:
    """*seen*: told of everything; *say*: what a person should know."""

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        *,
        seen: Callable[[OrderReport | Execution], None],
        say: Callable[[str], None],
        now: Callable[[], int],
        rng: random.Random,
        dial: Dial,
    ) -> None:
        self.is_open = False
        """Whether the stream is signed in."""
        self._codec = codec
        self._questions = questions
        self._seen = seen
        self._say = say
        self._session = Session(
            lambda: codec.private_steps(questions.venue_ms()),
            on_ready=self._ready,
            on_refused=self._refused,
        )
        self._look_now = asyncio.Event()
        self._connection = Connection(
            f"{codec.name} watchdog",
            self._url,
            on_frame=self._frame,
            on_open=self._session.opened,
            on_down=self._down,
            heartbeat=Heartbeat(PING_S, codec.ping, proves_life=True),
            silence_s=SILENCE_S,
            now=now,
            rng=rng,
            governor=ConnectGovernor(),
            life_s=LIFE_S,
            dial=dial,
        )

    async def keep(self) -> None:
        """Look until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._every(EVERY_S, self._questions.measure_clock))
                group.create_task(self._every(KEEP_S, self._keep_private))
                group.create_task(self._lists())
                while True:
                    with suppress(HeanError):
                        await self._connection.start()
                        break
                    await asyncio.sleep(RETRY_S)
        finally:
            await self._connection.stop()

    # ------------------------------------------------------------ the stream

    async def _url(self) -> str:
        return await self._codec.private_url(self._questions.ask) or self._codec.endpoints.private

    def _ready(self) -> None:
        self.is_open = True
        self._look_now.set()

    def _down(self, reason: str) -> None:
        self.is_open = False
        self._session.down()

    def _refused(self, reply: Reply) -> None:
        self._say(f"the private stream refused the login: {reply.verdict.sentence()}")
        self._questions.learn(reply)

    def _frame(self, frame: bytes) -> None:
        try:
            parsed = self._codec.parse(frame)
            if parsed is None:
                return
            if parsed["kind"] == "reply":
                self._session.answered(self._codec.reply(parsed, self._questions.venue_ms()))
                return
            facts = told(parsed)
        except FrameInvalid:
            self._look_now.set()  # whatever it was, the list has it
            return
        for report in facts.orders:
            self._seen(report)
        for execution in facts.executions:
            self._seen(execution)
        if facts.ends:
            self._connection.restart(facts.ends)

    # ------------------------------------------------------------ by the clock

    async def _lists(self) -> None:
        """All open orders, twice a minute and after each login."""
        while True:
            with suppress(HeanError):
                for report in (await self._codec.open_orders(self._questions.ask)).rows:
                    self._seen(report)
            self._look_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_S):
                    await self._look_now.wait()

    async def _keep_private(self) -> None:
        await self._codec.keep_private(self._questions.ask)

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            with suppress(HeanError):
                await step()
            await asyncio.sleep(seconds)
