# SPDX-License-Identifier: Apache-2.0
"""Whether the order socket is the way for the next request, on virtual time. A line on which frames
are stuck is open, answers pings and takes whatever is sent; a cancel that joins them is as late as
they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hean.venues.dispatch import ANSWER_S, LATE_S, Dispatch, Flight
from hean.venues.outcomes import Outcome, Verdict
from hean.venues.reports import Reply
from lost_orders import World, on_virtual_time
from wired_gateway import Wire


class Answers:
    """The part of a codec that reads a socket: a frame is the number of the request it answers."""

    name = "venue"

    def order_steps(self, now_ms: int) -> tuple[bytes, ...]:
        return ()

    def parse(self, frame: bytes) -> dict[str, Any]:
        return {"kind": "reply", "id": frame.decode()}

    def reply(self, parsed: dict[str, Any], now_ms: int) -> Reply:
        return Reply(Verdict(Outcome.YES), request_id=parsed["id"])


class Socket:
    """An order socket of the world, and what was lost on it. *send*: cancels over it; returns the
    number of the request, empty where it has to go another way.
    """

    def __init__(self, world: World) -> None:
        self.lost_s: list[float] = []
        self.dispatch = Dispatch(
            Answers(),  # type: ignore[arg-type]  # the part that is asked here
            world.questions,
            self,
            world.run,
        )
        self._world = world
        self.open()

    def open(self) -> None:
        self.dispatch.opened(Wire())  # type: ignore[arg-type]  # all that is used of a connection

    def send(self) -> str:
        request_id = self.dispatch.next_id()
        if request_id:
            flight = Flight("cancel", self._world.order, self._world.loop.now_ns())
            assert self.dispatch.sent(flight, request_id, b"")
        return request_id

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.dispatch.sweep()

    def objection(self, flight: Flight) -> str:
        return ""

    def done(self, flight: Flight, reply: Reply) -> None: ...

    def refused(self, flight: Flight, error: type[Exception], why: str) -> None: ...

    def lost(self, flight: Flight) -> None:
        self.lost_s.append(self._world.loop.time())


def at_a_socket(test: Callable[[Socket], Any]) -> Callable[[], None]:
    async def run(world: World) -> None:
        await test(Socket(world))

    run.__name__ = test.__name__
    return on_virtual_time(run)


@at_a_socket
async def test_a_socket_that_owes_an_answer_is_not_given_the_next_request(socket: Socket) -> None:
    assert socket.send()
    await socket.wait(ANSWER_S)
    assert socket.lost_s == [ANSWER_S]
    assert socket.send() == ""


@at_a_socket
async def test_before_an_answer_is_late_the_socket_is_used(socket: Socket) -> None:
    assert socket.send()
    await socket.wait(ANSWER_S - 0.1)
    assert socket.send()


@at_a_socket
async def test_the_late_answer_shows_that_the_socket_works_again(socket: Socket) -> None:
    late = socket.send()
    await socket.wait(ANSWER_S)
    socket.dispatch.frame(late.encode())
    assert socket.send()


@at_a_socket
async def test_an_answer_to_a_later_request_shows_that_one_was_lost_alone(socket: Socket) -> None:
    assert socket.send()
    await socket.wait(1.0)
    later = socket.send()
    socket.dispatch.frame(later.encode())
    await socket.wait(ANSWER_S)
    assert len(socket.lost_s) == 1
    assert socket.send()


@at_a_socket
async def test_an_answer_to_an_earlier_request_shows_nothing(socket: Socket) -> None:
    earlier = socket.send()
    await socket.wait(1.0)
    assert socket.send()
    socket.dispatch.frame(earlier.encode())
    await socket.wait(ANSWER_S)
    assert socket.send() == ""


@at_a_socket
async def test_another_connection_owes_nothing(socket: Socket) -> None:
    assert socket.send()
    await socket.wait(ANSWER_S)
    socket.open()
    assert socket.send()


@at_a_socket
async def test_an_answer_that_is_given_up_is_owed_no_longer(socket: Socket) -> None:
    assert socket.send()
    await socket.wait(ANSWER_S)
    await socket.wait(LATE_S)
    assert socket.send()
