# SPDX-License-Identifier: Apache-2.0
"""`keys.py`: asking a venue what the key may do, at the address that tells it: Binance keeps the
rights of all its keys at the wallet's host, which is not the one futures are traded at, and its
test networks tell nothing. What cannot be learned is unknown, never assumed; whether that is good
enough is for the live gate to say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hean.errors import HeanError
from hean.net.http import HttpClient
from hean.venues.codec import Codec
from hean.venues.outcomes import Outcome
from hean.venues.questions import Questions
from hean.venues.reports import Ask, Call, KeyFacts


async def key_facts(
    codec: Codec, questions: Questions, http: Callable[[str], HttpClient]
) -> KeyFacts:
    """What the key of *questions* may do. *http*: makes a client of a base address, for the case
    that it is not the trading one.
    """
    with suppress(HeanError):
        if codec.key_rest == codec.endpoints.rest:
            return await codec.key_facts(questions.ask)
        if codec.key_rest:
            async with http(codec.key_rest) as client:
                return await codec.key_facts(_asking(codec, questions, client))
    return KeyFacts()


async def other_key(
    codec: Codec, questions: Questions, http: Callable[[str], HttpClient]
) -> tuple[str, KeyFacts]:
    """Account and rights of a key that is not in use: the one *codec* signs with. *questions*: of
    the one that is; nothing of the answers is taken for that one. *Raises*: `VenueError` and others
    of `HeanError`.
    """
    async with http(codec.endpoints.rest) as client:
        ask = _asking(codec, questions, client)
        account = await codec.account_id(ask)
        if codec.key_rest == codec.endpoints.rest:
            return account, await codec.key_facts(ask)
    if not codec.key_rest:
        return account, KeyFacts()
    async with http(codec.key_rest) as client:
        return account, await codec.key_facts(_asking(codec, questions, client))


def _asking(codec: Codec, questions: Questions, client: HttpClient) -> Ask:
    """Questions to another host of the venue, with the same key. Its limits are its own; one
    question at a start does not come near them.
    """

    async def ask(call: Call) -> Any:
        request = codec.sign(call, questions.venue_ms())
        answer = await client.request(
            request.method, request.path, query=request.query, headers=request.headers
        )
        now_ms = questions.venue_ms()
        reply = codec.read(call, answer.status, answer.headers, answer.body, now_ms)
        verdict = reply.verdict
        if verdict.outcome is not Outcome.YES:
            raise verdict.error(f"{codec.key_rest}{call.path}: {verdict.sentence()}.")
        return reply.data

    return ask
