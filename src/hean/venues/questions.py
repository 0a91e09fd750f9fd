# SPDX-License-Identifier: Apache-2.0
"""`questions.py`: everything that goes to a venue by REST. A request waits its turn in the rate
budget, is signed with the corrected time, sent once, and its answer teaches the budget. It repeats
nothing: whether a question may be asked again is for the one who asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hean.errors import KeyRefused, RateLimited
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.offset import ROUND, ClockOffset
from hean.venues.codec import Codec, is_key_refused
from hean.venues.outcomes import Outcome
from hean.venues.reports import Call, Reply

WAIT_MAX_S = 5.0  # for the budget; who must wait longer is told so and decides anew
KEY_PAUSE_S = 60.0  # one try a minute with a key that was refused
STILL_READS = frozenset({10005, 10027})  # only trading is refused: what it did can be looked for
S_NS = 1_000_000_000


class Questions:
    """REST for one market. *now*: UTC nanoseconds; *on_key_refused*: told why, in words; *on_code*:
    told the venue's code of every answer, on sockets too.
    """

    def __init__(
        self,
        codec: Codec,
        client: HttpClient,
        budget: Budget,
        offset: ClockOffset,
        *,
        now: Callable[[], int],
        on_key_refused: Callable[[str], None],
        on_code: Callable[[int | None], None],
    ) -> None:
        self._codec = codec
        self._client = client
        self._budget = budget
        self._offset = offset
        self.now = now
        """UTC nanoseconds."""
        self._on_key_refused = on_key_refused
        self._on_code = on_code
        self._measured: tuple[int, int] | None = None  # both clocks at the last estimate

    def venue_ms(self) -> int:
        """The venue's time, as well as it is known: from the last estimate on by the steady time. A
        request that is signed right after somebody has set the machine's clock must not look as if
        it could still be accepted in an hour.
        """
        now_ns = self.now()
        if self._measured is not None:
            at_ns, ticks_ns = self._measured
            now_ns = at_ns + self.ticks_ns() - ticks_ns
        return (now_ns + self._offset.correction_ns) // 1_000_000

    async def measure_clock(self) -> None:
        """One estimate of the venue's clock. *Raises*: as `ask`."""
        sent_ns = self.now()

        async def ask(call: Call) -> Any:
            nonlocal sent_ns
            await self._wait_for_turn(call)
            sent_ns = self.now()  # the wait for its turn is no part of its way
            return await self._answer(call)

        for _ in range(ROUND):
            server_ns = await self._codec.server_time_ns(ask)
            if self._offset.sample(sent_ns, server_ns, self.now()):
                self._measured = self.now(), self.ticks_ns()

    def ticks_ns(self) -> int:
        """The steady time of this machine, which nobody sets: for budgets and time-outs."""
        return int(asyncio.get_running_loop().time() * S_NS)

    async def ask(self, call: Call) -> Any:
        """The data of the answer. *Raises*: `VenueError` of the venue's reason, `NotSent`,
        `OutcomeUnknown`, and `RateLimited` when the turn would come too late.
        """
        await self._wait_for_turn(call)
        return await self._answer(call)

    async def send(self, call: Call, objection: Callable[[], str] | None = None) -> Reply:
        """Send a request whose turn it is. *objection*: as of `HttpClient.request`; a ban is one.

        *Raises*: `NotSent`, `OutcomeUnknown`, `Halted` with the objection.
        """

        def why_not() -> str:
            if self._budget.silent_ns(self.ticks_ns(), is_signed=call.is_signed):
                return f"{self._codec.name} wants silence; nothing is sent before it is over."
            return objection() if objection is not None else ""

        request = self._codec.sign(call, self.venue_ms())
        answer = await self._client.request(
            request.method,
            request.path,
            query=request.query,
            body=request.body,
            headers=request.headers,
            objection=why_not,
        )
        now_ms = self.venue_ms()
        reply = self._codec.read(call, answer.status, answer.headers, answer.body, now_ms)
        self.learn(reply)
        return reply

    def learn(self, reply: Reply) -> None:
        """Take from an answer what it says about limits and about the key."""
        now_ns = self.ticks_ns()
        self._on_code(reply.verdict.code)
        for name, used, count in reply.used:
            self._budget.observe(name, now_ns, used=used, count=count)
        if reply.silence is not None:
            until_ns = now_ns + int(reply.silence.seconds * S_NS)
            self._budget.hold(until_ns, is_ban=reply.silence.is_ban)
        if is_key_refused(reply):
            if reply.verdict.code not in STILL_READS:
                self._budget.pause_key(now_ns + int(KEY_PAUSE_S * S_NS))
            self._on_key_refused(self._key_sentence(reply))

    async def _wait_for_turn(self, call: Call) -> None:
        wait_ns = self._turn_ns(call)
        while wait_ns:
            if wait_ns > WAIT_MAX_S * S_NS:
                raise RateLimited(
                    f"{call.kind} to {self._codec.name} must wait {wait_ns / S_NS:.1f} s; "
                    f"at most {WAIT_MAX_S:g} s are waited."
                )
            await asyncio.sleep(wait_ns / S_NS)
            wait_ns = self._turn_ns(call)

    async def _answer(self, call: Call) -> Any:
        reply = await self.send(call)
        verdict = reply.verdict
        if verdict.outcome is Outcome.YES or verdict.code in call.fine:
            return reply.data
        if is_key_refused(reply):
            raise KeyRefused(self._key_sentence(reply))
        raise verdict.error(f"{self._codec.name} {call.path}: {verdict.sentence()}.")

    def _turn_ns(self, call: Call) -> int:
        now_ns = self.ticks_ns()
        return self._budget.try_take(call.kind, call.priority, now_ns, is_signed=call.is_signed)

    def _key_sentence(self, reply: Reply) -> str:
        where = self._codec.endpoints
        return (
            f"{where.rest} ({where.network}) does not accept the key of {self._codec.key_label}: "
            f"{reply.verdict.sentence()}; is it a key of this network, with trade permission?"
        )
