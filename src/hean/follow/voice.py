# SPDX-License-Identifier: Apache-2.0
"""`voice.py`: what a person says to a process that trades elsewhere, over its control socket, and
what it answers. A refusal comes back as the error it was there. That nobody answers is an error as
well, and a stop that nobody took is written where the next start of the process finds it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hean.core.types import Payload
from hean.errors import HeanError, StateError, from_core
from hean.live.by_hand import FACTS_MAX
from hean.live.latch import Latch
from hean.live.socket import AGAIN_S, ASK_S, GONE, ask_soon
from hean.risk.levels import Latched, rank

RESOLVE_S = 30.0  # the venue is asked first
LINE_FACTS = min(20, FACTS_MAX)  # of a line, which must not be long
NOBODY = "no process trades here; it is started with hean live"
SILENT = "the trading process does not answer"
Answer = dict[str, Any]


class Voice:
    """*control*: the socket; *latch*: second copy of the kill switch; *read_to*: returns when the
    journal has been read up to a row.
    """

    def __init__(
        self, control: Path, latch: Latch, read_to: Callable[[int], Any], now: Callable[[], int]
    ) -> None:
        self.control = control
        self.latch = latch
        self._read_to = read_to
        self._now = now

    async def say(self, facts: Sequence[Payload]) -> str:
        """Put facts on its bus. *Returns*: the id of the last order. *Raises*: `HeanError`."""
        order_id = ""
        for at in range(0, len(facts), LINE_FACTS):
            rows = [[fact.event_type, _fields(fact)] for fact in facts[at : at + LINE_FACTS]]
            answer = await self._done({"verb": "say", "facts": rows})
            order_id = next(iter(reversed(answer.get("orders") or ())), order_id)
        return order_id

    async def kill(self, level: str, reason: str, actor: str) -> None:
        """Stop it, or its next start. *Raises*: `StateError` when it goes on."""
        try:
            wanted = {"verb": "kill", "level": level, "reason": reason, **_by(actor)}
            await self._checked(await self.ask(wanted, again_s=ASK_S))
        except HeanError as error:
            held = await asyncio.to_thread(self._file, Latched(level, reason, actor, self._now()))
            is_gone = error.message.startswith(NOBODY)
            if is_gone and rank(held) >= rank(level):
                return
            rest = "." if is_gone else "; end the process."
            raise StateError(
                f"NOT STOPPED: {error.message} Its next start is stopped at {held}{rest}"
            ) from None

    async def release(self, phrase: str, reason: str, actor: str) -> list[str]:
        """Let it go on. *Returns*: what stands against it."""
        wanted = {"verb": "release", "phrase": phrase, "reason": reason, **_by(actor)}
        return await self._unless_missing(wanted)

    async def confirm(self, phrase: str, actor: str) -> list[str]:
        """Type the phrase of its boot. *Returns*: what the gate lacks, if it was another one."""
        return await self._unless_missing({"verb": "confirm", "phrase": phrase, **_by(actor)})

    async def resolve(self, claim: Answer, actor: str) -> list[str] | str:
        """Say what became of an order. *Returns*: what was decided, or what is missing."""
        answer = await self.ask({"verb": "resolve", **claim, **_by(actor)}, timeout_s=RESOLVE_S)
        if missing := answer.get("missing"):
            return list(missing)
        return str((await self._checked(answer))["done"])

    async def ask(
        self, document: Answer, *, timeout_s: float = ASK_S, again_s: float = 0.0
    ) -> Answer:
        """Its answer. *again_s*: how long one that hangs up is asked once more, about what does no
        harm twice. *Raises*: `StateError` when there is none.
        """
        until_s = time.monotonic() + again_s
        while True:
            try:
                return await ask_soon(self.control, document, timeout_s=timeout_s)
            except GONE:
                raise StateError(f"{NOBODY}.") from None
            except OSError as error:  # TimeoutError too
                if not isinstance(error, ConnectionError) or time.monotonic() >= until_s:
                    raise StateError(f"{SILENT}.") from None
            await asyncio.sleep(AGAIN_S)

    # ------------------------------------------------------------ inside

    async def _unless_missing(self, document: Answer) -> list[str]:
        answer = await self.ask(document)
        if answer.get("ok") is not True and answer.get("missing"):
            return list(answer["missing"])
        await self._checked(answer)
        return []

    async def _done(self, document: Answer) -> Answer:
        return await self._checked(await self.ask(document))

    async def _checked(self, answer: Answer) -> Answer:
        """The answer, once the journal was read that far. *Raises*: the error that it is."""
        if answer.get("ok") is not True:
            words = str(answer.get("error") or "it was refused, without a word")
            code = answer.get("code")
            if isinstance(code, int):
                raise from_core(code, words)
            raise StateError(f"{words.rstrip('.')}.")
        await self._read_to(int(answer.get("seq") or 0))
        return answer

    def _file(self, latched: Latched) -> str:
        """Latch the file. *Returns*: the level it holds then."""
        with suppress(OSError):  # then it holds what it did
            self.latch.raise_to(latched)
        return self.latch.load().level


def _by(actor: str) -> Answer:
    """Who it is; what they are is known to the verb."""
    return {"by": actor.rpartition(":")[2]}


def _fields(fact: Payload) -> Answer:
    """As JSON has them; what is as it always is needs no word."""
    fields: Answer = msgspec.to_builtins(fact, str_keys=True)
    return {name: value for name, value in fields.items() if value not in (None, "")}
