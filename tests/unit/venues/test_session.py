# SPDX-License-Identifier: Apache-2.0
"""Logging in on a socket: step by step, again after each opening, and no storm after a refusal."""

from __future__ import annotations

import asyncio

from hean.errors import KeyRefused, NotConnected
from hean.venues.outcomes import Outcome, Verdict
from hean.venues.reports import Reply
from hean.venues.session import ANSWER_S, REFUSED_PAUSE_S, Session

YES = Reply(Verdict(Outcome.YES))
NO = Reply(Verdict(Outcome.NO, KeyRefused, 10003, "API key is invalid."))


class Wire:
    """The sending half of a socket."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.restarts: list[str] = []
        self.is_open = True

    def send(self, frame: bytes) -> None:
        if not self.is_open:
            raise NotConnected("closed")
        self.frames.append(frame)

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)


class Login:
    """A session of two steps and what it told."""

    def __init__(self, steps: tuple[bytes, ...] = (b"login", b"subscribe")) -> None:
        self.wire = Wire()
        self.ready = 0
        self.refused: list[Reply] = []
        self.session = Session(
            lambda: steps, on_ready=self._on_ready, on_refused=self.refused.append
        )

    def _on_ready(self) -> None:
        self.ready += 1


async def test_each_step_waits_for_the_answer_to_the_one_before():
    login = Login()
    login.session.opened(login.wire)
    assert login.wire.frames == [b"login"]
    login.session.answered(YES)
    assert login.wire.frames == [b"login", b"subscribe"]
    assert not login.session.is_ready
    login.session.answered(YES)
    assert (login.session.is_ready, login.ready) == (True, 1)
    login.session.answered(YES)
    assert login.ready == 1


async def test_a_socket_without_steps_is_ready_at_once():
    login = Login(())
    login.session.opened(login.wire)
    assert login.session.is_ready


async def test_every_opening_logs_in_anew():
    login = Login()
    login.session.opened(login.wire)
    login.session.answered(YES)
    login.session.down()
    assert not login.session.is_ready
    login.session.opened(login.wire)
    assert login.wire.frames == [b"login", b"subscribe", b"login"]


async def test_after_a_refusal_no_opening_sends_anything_for_a_minute():
    login = Login()
    login.session.opened(login.wire)
    login.session.answered(NO)
    assert login.refused == [NO]
    for _ in range(20):
        login.session.down()
        login.session.opened(login.wire)
    assert login.wire.frames == [b"login"]
    assert not login.session.is_ready


async def set_forward(seconds: float) -> None:
    """Let so much time pass on the loop's own clock, so that it need not be waited for."""
    loop = asyncio.get_running_loop()
    started = loop.time
    loop.time = lambda: started() + seconds
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        loop.time = started


async def test_when_the_minute_is_over_the_login_is_tried_once_more():
    login = Login()
    login.session.opened(login.wire)
    login.session.answered(NO)
    await set_forward(REFUSED_PAUSE_S)
    assert login.wire.frames == [b"login", b"login"]


async def test_a_socket_that_dies_during_a_login_leaves_the_session_down():
    login = Login()
    login.session.opened(login.wire)
    login.wire.is_open = False
    login.session.answered(YES)
    assert not login.session.is_ready
    login.session.answered(YES)
    assert login.ready == 0


async def test_a_step_that_is_not_answered_opens_another_line():
    login = Login()
    login.session.opened(login.wire)
    login.session.answered(YES)
    await set_forward(ANSWER_S)
    assert login.wire.restarts == ["a login was not answered within 10 s"]


async def test_a_session_that_is_ready_waits_for_nothing():
    login = Login()
    login.session.opened(login.wire)
    login.session.answered(YES)
    login.session.answered(YES)
    await set_forward(ANSWER_S)
    assert login.wire.restarts == []
