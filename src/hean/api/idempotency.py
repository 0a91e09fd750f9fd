# SPDX-License-Identifier: Apache-2.0
"""`idempotency.py`: a request that comes twice is done once. The second with the same key and the
same body gets the answer of the first, and waits for it if need be; with another body it is refused
(RELIABILITY #77). An answer that says "failed, outcome unknown" is an answer too: asking again
under its key never sends a second order.

It remembers a bounded number, in memory: across a restart the order engine's own ids take over.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from hean.api.problems import Refused

KEYS_MAX = 10_000
LIFE_S = 86_400.0
KEY = re.compile(rb"[\x21-\x7e]{1,128}")
HEADER = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as it was sent."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(slots=True)
class _Kept:
    digest: bytes
    since: float
    answer: asyncio.Task[Answer]


class Idempotency:
    """Answers by token and key. *ticks*: steady seconds."""

    def __init__(self, ticks: Callable[[], float], *, keys_max: int = KEYS_MAX) -> None:
        self._ticks = ticks
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
        run: Callable[[], Coroutine[None, None, Answer]],
    ) -> tuple[Answer, bool]:
        """Run a request, or find what it led to. It runs to its end even if nobody waits for it any
        more, so that its answer is there for the next who asks. *request*: all of it that matters.

        *Returns*: the answer, and whether an earlier request has led to it. *Raises*: `Refused` for
        a key that is none, or one that was used for something else.
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
            task = asyncio.get_running_loop().create_task(run())
            kept = self._kept[token, key] = _Kept(digest, self._ticks(), task)
        elif kept.digest != digest:
            raise Refused(
                409, "IdempotencyKeyReused", f"{HEADER} was used for another request; take a new "
                "key for a new request.", field=f"/header/{HEADER}",
            )  # fmt: skip
        return await asyncio.shield(kept.answer), is_older

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
