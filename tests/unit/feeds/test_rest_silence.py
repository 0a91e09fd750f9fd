# SPDX-License-Identifier: Apache-2.0
"""A silence that a venue wants holds for everybody at this address, whoever was told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

import pytest
from yarl import URL

from hean.errors import VenueError
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.budget import Budget, Priority
from hean.net.http import Answer, HttpClient, Leaving

S_NS = 1_000_000_000
Words = tuple[int, dict[str, str], bytes]
BANNED: Words = (418, {"Retry-After": "30"}, b"{}")
TIME: Words = (200, {}, b'{"serverTime":1700000000000}')


class Scripted:
    """A transport that gives one answer after the other."""

    def __init__(self, *answers: Words) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def open(self) -> None:
        """Ready."""

    async def close(self) -> None:
        """Nothing is open."""

    async def carry(
        self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str], leaving: Leaving
    ) -> Words:
        """The next answer."""
        leaving.begin()
        self.asked.append(url.path)
        return self.answers.pop(0)


class Steady:
    """Waiting that takes no time: budgets are asked by a clock that is moved."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.slept.append(seconds)


async def rest_of(
    kind: type[BinanceRest | BybitRest], budget: Budget, wire: Scripted, steady: Steady
) -> BinanceRest | BybitRest:
    """Public questions at a scripted venue."""
    client = HttpClient("https://venue.test", now=lambda: 0, transport=lambda _: wire)
    await client.start()
    return kind(
        client, "linear", now=lambda: 0, rng=random.Random(1), sleep=steady.sleep, budget=budget
    )


def ticks_ns() -> int:
    return int(asyncio.get_running_loop().time() * S_NS)


def played(
    kind: type[BinanceRest | BybitRest],
    answers: tuple[Words, ...],
    before: Callable[[Budget], None] = lambda budget: None,
) -> tuple[Scripted, Steady, Budget, int]:
    """Ask for the venue's time once. *Returns*: what left, what was waited, and the budget with
    the moment of its steady clock.
    """
    wire, steady, budget = Scripted(*answers), Steady(), Budget((), {"order": {}})

    async def ask() -> int:
        before(budget)
        rest = await rest_of(kind, budget, wire, steady)
        with pytest.raises(VenueError):
            await rest.server_time_ns()
        return ticks_ns()

    return wire, steady, budget, asyncio.run(ask())


def test_a_ban_told_to_a_public_question_silences_orders_and_cancels_too() -> None:
    _, _, budget, now_ns = played(BybitRest, ((403, {}, b""),))
    assert budget.try_take("order", Priority.CANCEL, now_ns) > 500 * S_NS


def test_a_ban_told_to_an_order_silences_public_questions() -> None:
    def banned(budget: Budget) -> None:
        budget.hold(ticks_ns() + 600 * S_NS, is_ban=True)

    wire, _, _, _ = played(BinanceRest, (TIME,), banned)
    assert wire.asked == []


def test_a_short_ban_is_waited_for_and_then_asked_again() -> None:
    wire, steady, _, _ = played(BinanceRest, (BANNED,))
    assert len(wire.asked) == 1  # the clock here stands still: the ban never ends
    assert steady.slept[0] == pytest.approx(30.0, abs=0.5)


def test_a_key_that_is_refused_does_not_silence_public_questions() -> None:
    wire, steady, budget = Scripted(TIME), Steady(), Budget((), {"order": {}})

    async def ask() -> int:
        budget.pause_key(ticks_ns() + 60 * S_NS)
        rest = await rest_of(BinanceRest, budget, wire, steady)
        assert await rest.server_time_ns() == 1_700_000_000 * S_NS
        return ticks_ns()

    now_ns = asyncio.run(ask())
    assert budget.try_take("order", Priority.CANCEL, now_ns) > 50 * S_NS
    assert budget.try_take("order", Priority.QUERY, now_ns, is_signed=False) == 0


def test_the_weight_that_was_used_counts_against_what_this_venue_allows() -> None:
    """One that allows twenty times the documented figures was not asked for a book until the
    minute had passed."""
    answer = Answer(200, {"x-mbx-used-weight-1m": "1800"}, b"{}")
    for scale, free_ns in ((1, 60 * S_NS), (20, 0)):
        client = HttpClient("https://venue.test", now=lambda: 0)
        rest = BinanceRest(client, "linear", now=lambda: 0, rng=random.Random(1), scale=scale)
        assert rest.free_ns(answer) == free_ns
