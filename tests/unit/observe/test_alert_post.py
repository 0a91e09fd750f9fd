# SPDX-License-Identifier: Apache-2.0
"""Alerts on their way, by the real process and the real Apprise, to servers that take them, refuse
them, hang or are not there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from alert_desk import black_hole, mail_server, until, webhook
from hean.observe import alert_post
from hean.observe.alert_line import BACKLOG_MAX, AlertLine
from hean.observe.alert_post import Job, Post
from hean.observe.alert_rules import Alert, Severity
from hean.observe.alert_send import AppriseSender, Undelivered, masked
from hean.observe.alert_store import DELIVERED, GIVEN_UP, PENDING, Kept, kept_alerts
from hean.observe.alert_ways import Pace, Way

CANARY = "xoxb-canary-77"


def way(name: str, url: str, least: str = "info") -> Way:
    return Way(name, url, Severity(least))


@asynccontextmanager
async def line(folder: Path, *ways: Way, **pace: float) -> AsyncIterator[AlertLine]:
    """A line to a real process."""
    found = AlertLine(
        folder, "paper on bybit", ways, Pace(**pace), now=time.time_ns, ticks=time.monotonic
    )
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def waited(condition: Any) -> None:
    await asyncio.to_thread(until, condition)


def fates(folder: Path) -> dict[str, dict[str, str]]:
    """State by destination of each alert's rule."""
    return {k.rule: {d.way: d.state for d in k.deliveries} for k in kept_alerts(folder, 100)[0]}


async def test_an_alert_reaches_those_it_is_for(tmp_path: Path):
    expected = {
        "kill_switch": {"pagerduty": DELIVERED, "slack": DELIVERED},
        "error": {"slack": DELIVERED},
    }
    with webhook() as slack, webhook() as pager:
        ways = (way("slack", slack.url()), way("pagerduty", pager.url(), "critical"))
        async with line(tmp_path, *ways) as alerts:
            alerts.say("error", "something failed")
            alerts.say("kill_switch", "FLATTEN by operator:ann")
            await waited(lambda: fates(tmp_path) == expected)
            assert alerts.lost == 0
        assert sorted(slack.titles) == ["HEAN critical: kill_switch", "HEAN warning: error"]
        (paged,) = pager.taken
        assert paged["type"] == "failure" and "FLATTEN by operator:ann" in paged["message"]
        assert paged["message"].endswith("paper on bybit")
    assert fates(tmp_path) == expected


async def test_a_mail_is_a_mail(tmp_path: Path):
    with mail_server() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?from=hean@example.com&to=ops@example.com&mode=insecure"
        async with line(tmp_path, way("mail", url)) as alerts:
            alerts.say("reconcile", "BTCUSDT: the venue holds 1, our fills make 2")
            await waited(lambda: mails)
        assert mails[0]["Subject"] == "HEAN critical: reconcile"
        assert mails[0]["To"] == "ops@example.com"
        assert "our fills make 2" in mails[0].get_body().get_content()


async def test_the_end_sends_what_is_left_and_leaves_no_process(tmp_path: Path):
    with webhook() as hook:
        async with line(tmp_path, way("webhook", hook.url()), digest_s=900) as alerts:
            alerts.say("error", "at once")
            await waited(lambda: hook.taken)
            alerts.say("started", "in the digest of a quarter of an hour")
            process = alerts._process
            assert process is not None
        assert process.poll() == 0
        assert hook.titles == ["HEAN warning: error", "HEAN info: started"]


async def test_a_dead_destination_holds_nobody_up(tmp_path: Path):
    """A destination that never answers, one that refuses connections, and a healthy one. What is
    told reaches the healthy one: neither telling nor the end waits for the first.
    """

    def settled() -> list[str]:
        kept = kept_alerts(tmp_path, 1_000)[0]
        return [d.state for k in kept for d in k.deliveries if d.way == "webhook"]

    with black_hole() as port, webhook() as hook:
        ways = (
            way("slack", f"json://127.0.0.1:{port}/"),
            way("mail", "json://127.0.0.1:1/"),
            way("webhook", hook.url()),
        )
        async with line(tmp_path, *ways, per_minute=600) as alerts:
            for number in range(60):
                alerts.say("error", f"something failed, number {number}")
            await waited(lambda: settled() == [DELIVERED] * 60)
        assert len(hook.taken) == 60
    states = [{d.way: d.state for d in k.deliveries} for k in kept_alerts(tmp_path, 1_000)[0]]
    assert all(each["slack"] != DELIVERED != each["mail"] for each in states)
    assert kept_alerts(tmp_path, 1)[1] == 60


async def test_the_same_matter_is_told_once(tmp_path: Path):
    with webhook() as hook:
        async with line(tmp_path, way("webhook", hook.url())) as alerts:
            for _ in range(5):
                alerts.say("error", "again and again")
            await waited(lambda: hook.taken and kept_alerts(tmp_path, 1)[0][0].times == 5)
        assert len(hook.taken) == 1


async def test_a_process_that_dies_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the first one kept and could not send, the second one sends."""
    monkeypatch.setattr("hean.observe.alert_line.RESTART_S", 0.1)
    monkeypatch.setattr("hean.observe.alert_line.BEAT_S", 0.05)
    with webhook() as hook:
        hook.status = 503
        async with line(tmp_path, way("webhook", hook.url())) as alerts:
            alerts.say("error", "before")
            await waited(lambda: any(_tries(tmp_path)))
            first = alerts._process
            assert first is not None
            first.kill()
            hook.status = 200
            await waited(lambda: hook.titles == ["HEAN warning: error"])
            alerts.say("kill_switch", "after")
            await waited(lambda: len(hook.taken) == 2)
            assert alerts._process is not first and alerts.lost == 0


def _tries(folder: Path) -> list[int]:
    return [d.tries for k in kept_alerts(folder, 10)[0] for d in k.deliveries]


async def test_where_no_process_can_be_begun_a_few_alerts_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hean.observe.alert_line.sys.executable", str(tmp_path / "no-python"))
    async with line(tmp_path) as alerts:
        for number in range(BACKLOG_MAX + 7):
            alerts.say("error", str(number))
        assert alerts.lost == 7


async def test_an_engine_that_dies_is_told_of(tmp_path: Path):
    """The pipe ends without a farewell, as it does when the kernel closes it for a dead process."""
    with webhook() as hook:
        async with line(tmp_path, way("webhook", hook.url())) as alerts:
            alerts.say("error", "the last word")
            await waited(lambda: hook.taken)
            alerts._hang_up()
            await waited(lambda: "HEAN critical: died" in hook.titles)


async def test_an_engine_that_hangs_is_told_of(tmp_path: Path):
    with webhook() as hook:
        async with line(tmp_path, way("webhook", hook.url()), silent_s=0.5, digest_s=0.1) as alerts:
            alerts.say("error", "one")
            await waited(lambda: hook.taken)  # the other process listens
            until(lambda: "HEAN critical: silent" in hook.titles)  # meanwhile the loop stands still
            await waited(lambda: any("heard again" in each["message"] for each in hook.taken))
            assert alerts.lost == 0


async def test_signals_are_meant_for_the_engine(tmp_path: Path):
    with webhook() as hook:
        async with line(tmp_path, way("webhook", hook.url())) as alerts:
            process = alerts._process
            assert process is not None
            alerts.say("error", "one")
            await waited(lambda: hook.taken)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(process.pid, number)
            alerts.say("error", "two")
            await waited(lambda: len(hook.taken) == 2)


async def test_the_other_process_inherits_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BYBIT_API_SECRET", CANARY)
    alerts = AlertLine(
        tmp_path, "x", now=time.time_ns, ticks=time.monotonic, hidden=("BYBIT_API_SECRET",)
    )
    await alerts.start()
    assert alerts._process is not None
    process = Path(f"/proc/{alerts._process.pid}")
    assert CANARY.encode() not in (process / "environ").read_bytes()
    assert CANARY.encode() not in (process / "cmdline").read_bytes()
    await alerts.stop()


# -------------------------------------------------------------------- one post, its clock by hand


class Clock:
    """Steady seconds."""

    s = 1_000.0

    def __call__(self) -> float:
        return self.s


def post(folder: Path, clock: Clock, *ways: Way, **pace: float) -> Post:
    return Post(Job(str(folder), "s1", "paper", list(ways), Pace(**pace)), ticks=clock)


def newest(folder: Path) -> Kept:
    return kept_alerts(folder, 1)[0][0]


def test_an_alert_that_is_never_taken_is_given_up_and_kept(tmp_path: Path):
    clock = Clock()
    with webhook() as hook:
        hook.status = 500
        sent = post(tmp_path, clock, way("webhook", hook.url(CANARY)), silent_s=1e9)
        sent.take(Alert.of("error", "x", 5))

        def settled(tries: int) -> bool:
            sent.look()
            return newest(tmp_path).deliveries[0].tries == tries

        for tries in range(1, 6):
            until(lambda tries=tries: settled(tries))
            clock.s += 601
        (fate,) = newest(tmp_path).deliveries
        assert (fate.state, fate.tries) == (GIVEN_UP, 5)
        assert "500" in fate.reason and CANARY not in fate.reason
        sent.end(is_orderly=True)
    assert kept_alerts(tmp_path, 1)[1] == 1


def test_a_send_that_hangs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three threads may hang at a destination; then nothing more begins until one comes back."""
    clock, began = Clock(), []

    class Hangs:
        def send(self, *_: object) -> None:
            began.append(1)
            time.sleep(60)

    sent = Post(
        Job(str(tmp_path), "s1", "paper", [way("x", "json://h")], Pace(silent_s=1e9)),
        ticks=clock, make=lambda _: Hangs(),
    )  # fmt: skip
    for number in range(6):
        sent.take(Alert.of("error", str(number), 5))
    for count in (1, 2, 3, 3, 3):
        sent.look()
        until(lambda count=count: len(began) == count)
        clock.s += alert_post.SEND_S + 1
    sent.look()
    states = {(d.state, d.reason) for k in kept_alerts(tmp_path, 9)[0] for d in k.deliveries}
    assert (PENDING, "took more than 20 s") in states


def test_a_disk_that_is_nearly_full_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock, free = Clock(), [10 << 30]

    class Usage:
        @property
        def free(self) -> int:
            return free[0]

    monkeypatch.setattr(alert_post.shutil, "disk_usage", lambda _: Usage())
    sent = post(tmp_path, clock, silent_s=1e9)
    for room, rule in ((10 << 30, None), (1 << 20, "disk"), (1 << 20, "disk"), (2 << 30, "over")):
        free[0] = room
        sent.look()
        assert (kept_alerts(tmp_path, 9)[0] or [None])[0] is None if rule is None else (
            newest(tmp_path).rule == rule
        )  # fmt: skip
        clock.s += alert_post.DISK_S
    assert len(kept_alerts(tmp_path, 9)[0]) == 2


def test_without_a_disk_alerts_are_sent_all_the_same(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    clock = Clock()
    with webhook() as hook:
        sent = post(tmp_path / "file", clock, way("webhook", hook.url()), silent_s=1e9)
        sent.take(Alert.of("error", "x", 5))
        until(lambda: (sent.look(), hook.taken)[1])


def test_lines_that_are_no_alert_are_passed_over(tmp_path: Path):
    sent = post(tmp_path, Clock())
    for text in (b"", b"{}", b"\xff\xfe", b'{"rule": 7}', b"x" * 5_000):
        sent.hear(text)
    assert kept_alerts(tmp_path, 9)[0] == []


# -------------------------------------------------------------------- addresses are secrets


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int):
    with webhook() as hook, webhook() as other:
        hook.status, hook.location = status, f"http://127.0.0.1:{other.port}/"
        with pytest.raises(Undelivered):
            AppriseSender(hook.url(CANARY)).send("t", "b", Severity.INFO)
        assert other.taken == []


def test_no_reason_and_no_log_holds_a_part_of_an_address(capfd: Any):
    logged: list[str] = []

    class Root(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    handler = Root()
    logging.getLogger().addHandler(handler)
    with webhook() as hook:
        hook.status = 403
        for url in (
            f"json://user:{CANARY}@127.0.0.1:{hook.port}/{CANARY}?+X-Token={CANARY}",
            f"json://{CANARY}.invalid/{CANARY}",
            f"json://127.0.0.1:1/{CANARY}",
            f"mailto://ann:{CANARY}@127.0.0.1:1?to={CANARY}@example.com&from=a@example.com",
        ):
            with pytest.raises(Undelivered) as told:
                AppriseSender(url).send("t", "b", Severity.CRITICAL)
            assert CANARY not in str(told.value) and str(told.value) != "refused"
    logging.getLogger().removeHandler(handler)
    assert CANARY not in "".join([*logged, *capfd.readouterr()])


def test_masking_takes_every_part():
    url = "mailtos://ann%40x:pa%2Fss@smtp.example.com:587/path?to=bob&+X-Tok=zzz999"
    text = "smtp.example.com:587 said no to ann@x and pa/ss, pa%2Fss, bob, zzz999"
    assert masked(text, url) == "***:*** said no to *** and ***, ***, ***, ***"
