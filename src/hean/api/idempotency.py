# SPDX-License-Identifier: Apache-2.0
"""`idempotency.py`: a request that comes twice is done once. The second with the same key and the
same body gets the answer of the first, and waits for it if need be; with another body it is refused
(RELIABILITY #77). An answer that says "failed, outcome unknown" is an answer too: asking again
under its key never sends a second order.

It remembers a bounded number, in memory; what makes orders or starts jobs is on the disk as well,
so that neither a restart nor a kill of the server makes a second order of one request.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from hean.api.kept_answers import Answer, KeptAnswers
from hean.api.problems import Refused, log
from hean.errors import EnvironmentFault

KEYS_MAX = 10_000
LIFE_S = 86_400.0
KEY = re.compile(rb"[\x21-\x7e]{1,128}")
HEADER = "Idempotency-Key"


@dataclass(slots=True)
class _Kept:
    digest: bytes
    since: float
    answer: asyncio.Task[tuple[Answer, bool]]
    """And whether an earlier life of the server gave it."""


Run = Callable[[], Coroutine[None, None, Answer]]


class Idempotency:
    """Answers by token and key. *ticks*: steady seconds; *lasting*: keeps those of requests that
    must not be done again by another life of the server.
    """

    def __init__(
        self,
        ticks: Callable[[], float],
        *,
        keys_max: int = KEYS_MAX,
        lasting: KeptAnswers | None = None,
    ) -> None:
        self._ticks = ticks
        self._lasting = lasting
        self._keys_max = keys_max
        self._kept: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def knows(self, token: str, key: bytes) -> bool:
        """Whether a request with that key came before."""
        return (token, key) in self._kept

    async def once(
        self,
        token: str,
        key: bytes,
        request: bytes,
        run: Run,
        *,
        is_lasting: bool = False,
    ) -> tuple[Answer, bool]:
        """Run a request, or find what it led to. It runs to its end even if nobody waits for it any
        more, so that its answer is there for the next who asks. *request*: all of it that matters;
        *is_lasting*: its answer survives the server.

        *Returns*: the answer, and whether an earlier request has led to it. *Raises*: `Refused` for
        a key that is none, one that was used for something else, or one whose request was begun
        by an earlier life of the server and has no answer; `EnvironmentFault` if it cannot be kept.
        """
        if not KEY.fullmatch(key):
            raise Refused(
                400, "IdempotencyKeyInvalid", f"{HEADER}: 1 to 128 printable ASCII characters.",
                field=f"/header/{HEADER}",
            )  # fmt: skip
        digest = hashlib.sha256(request).digest()
        self._forget()
        kept = self._kept.get((token, key))
        is_older = kept is not None
        if kept is None:
            work = self._kept_run(token, key, digest, run) if is_lasting else _first(run)
            task = asyncio.get_running_loop().create_task(work)
            kept = self._kept[token, key] = _Kept(digest, self._ticks(), task)
        elif kept.digest != digest:
            raise _reused()
        try:
            answer, is_of_earlier_life = await asyncio.shield(kept.answer)
        except (Refused, EnvironmentFault):  # nothing was begun, so it may be tried again
            if self._kept.get((token, key)) is kept:
                del self._kept[token, key]
            raise
        return answer, is_older or is_of_earlier_life

    async def _kept_run(
        self, token: str, key: bytes, digest: bytes, run: Run
    ) -> tuple[Answer, bool]:
        """Write it down, run it, write down what came of it."""
        if self._lasting is None:
            return await _first(run)
        asked = await asyncio.to_thread(self._lasting.begin, token, key, digest)
        if asked is not None:
            if asked.digest != digest:
                raise _reused()
            if asked.answer is None:
                raise Refused(
                    409, "OutcomeUnknown", "This request was begun before the server was started "
                    "again, and nobody knows what came of it. Look before you ask anew, with "
                    "another key.", field=f"/header/{HEADER}",
                )  # fmt: skip
            return asked.answer, True
        answer = await run()
        try:
            await asyncio.to_thread(self._lasting.finish, token, key, answer)
        except EnvironmentFault as error:
            log.error("an answer is not kept: %s", error)
        return answer, False

    def _forget(self) -> None:
        """Drop what is old, and the oldest when there are too many; never one still running."""
        now = self._ticks()
        while self._kept:
            where, kept = next(iter(self._kept.items()))
            is_full = len(self._kept) >= self._keys_max
            if not is_full and now - kept.since < LIFE_S:
                return
            if not kept.answer.done():
                if is_full:
                    raise Refused(503, "TooManyAtOnce", "Too many requests wait for their answer.")
                return
            del self._kept[where]


async def _first(run: Run) -> tuple[Answer, bool]:
    return await run(), False


def _reused() -> Refused:
    return Refused(
        409, "IdempotencyKeyReused", f"{HEADER} was used for another request; take a new "
        "key for a new request.", field=f"/header/{HEADER}",
    )  # fmt: skip
