# SPDX-License-Identifier: Apache-2.0
"""How often somebody may ask (C-15), by a clock set by hand; and that what comes twice is done once
(RELIABILITY #77).
"""

from __future__ import annotations

import asyncio

import pytest

from api.stand_in import Desk, HandClock, bearer
from hean.api.idempotency import KEYS_MAX, LIFE_S, Answer, Idempotency
from hean.api.limits import ADDRESS_FACTOR, RATES, Buckets, Lockout
from hean.api.limits import KEYS_MAX as BUCKETS_MAX
from hean.api.permissions import Limit, Role
from hean.api.problems import Refused

pytestmark = pytest.mark.control("C-15")


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    lasting_desk.begin()
    lasting_desk.engine.jobs = 0
    return lasting_desk


def codes(desk: Desk, method: str, path: str, headers: dict[str, str], times: int) -> list[int]:
    return [desk.client.request(method, path, headers=headers).status_code for _ in range(times)]


@pytest.mark.promise(70)
@pytest.mark.parametrize(
    ("method", "path", "rate"),
    [("GET", "/positions", 50), ("POST", "/engine/stop", 10), ("DELETE", "/orders/x", 10)],
)
def test_a_token_has_its_rate_and_not_one_more(desk: Desk, method: str, path: str, rate: int):
    headers = desk.as_role(Role.ADMIN)
    assert codes(desk, method, path, headers, rate + 3) == [200] * rate + [429] * 3
    answer = desk.client.request(method, path, headers=headers)
    assert answer.json()["code"] == "RateLimited"
    assert int(answer.headers["Retry-After"]) == 1
    desk.clock.pass_s(1 / rate)
    assert codes(desk, method, path, headers, 2) == [200, 429]
    other = desk.as_role(Role.RISK)
    assert codes(desk, method, path, other, 1) == [200]  # another token has its own
    desk.clock.pass_s(3_600)
    assert codes(desk, method, path, headers, rate + 1) == [200] * rate + [429]  # no more saved up


def test_classes_do_not_share_a_bucket(desk: Desk):
    headers = desk.as_role(Role.ADMIN)
    assert 429 in codes(desk, "GET", "/positions", headers, 51)
    assert codes(desk, "POST", "/engine/stop", headers, 1) == [200]


def test_an_address_has_a_rate_for_all_its_tokens_together(desk: Desk):
    most = int(RATES[Limit.READ] * ADDRESS_FACTOR)
    assert codes(desk, "GET", "/health/live", {}, most + 2) == [200] * most + [429] * 2
    assert codes(desk, "GET", "/positions", desk.as_role(Role.ADMIN), 1) == [429]


def test_the_kill_switch_answers_in_a_flood(desk: Desk):
    headers = desk.as_role(Role.OPERATOR)
    codes(desk, "POST", "/engine/stop", headers, 30)
    codes(desk, "GET", "/health/live", {}, 250)
    for _ in range(10):  # and the address guesses, too
        desk.client.get("/positions", headers=bearer("hean_admin_" + "A" * 43))
    assert codes(desk, "POST", "/killswitch/trigger", headers, 100) == [200] * 100


def test_guessing_locks_out_for_longer_each_time(desk: Desk):
    guess = bearer("hean_admin_" + "A" * 43)
    wait = 60
    for _ in range(3):
        assert codes(desk, "GET", "/positions", guess, 6) == [401] * 5 + [429]
        answer = desk.client.get("/positions", headers=guess)
        assert (answer.json()["code"], answer.headers["Retry-After"]) == ("LockedOut", str(wait))
        desk.clock.pass_s(wait)
        wait *= 2
    assert codes(desk, "GET", "/positions", guess, 1) == [401]


@pytest.mark.control("C-39")
def test_a_locked_address_may_not_pair_and_its_owner_gets_in(desk: Desk):
    code = desk.api.access.pairings.issue(Role.ADMIN)
    wrong = [desk.client.post("/pair", json={"code": "x"}).status_code for _ in range(6)]
    assert wrong == [401] * 5 + [429]
    assert desk.client.post("/pair", json={"code": code}).status_code == 429
    assert codes(desk, "GET", "/positions", desk.as_role(Role.VIEWER), 1) == [200]


@pytest.mark.control("C-39")
def test_a_pairing_code_counts_once_and_for_five_minutes(desk: Desk):
    code = desk.api.access.pairings.issue(Role.TRADER)
    answer = desk.client.post("/pair", json={"code": code})
    assert answer.json()["role"] == "trader"
    found = desk.client.get("/whoami", headers=bearer(answer.json()["token"])).json()
    assert found == {"name": "paired", "role": "trader"}
    assert desk.client.post("/pair", json={"code": code}).status_code == 401
    late = desk.api.access.pairings.issue(Role.TRADER)
    desk.clock.pass_s(300)
    assert desk.client.post("/pair", json={"code": late}).status_code == 401


def test_two_jobs_at_once(desk: Desk):
    headers = desk.as_role(Role.OPERATOR)
    keyed = headers | {"Idempotency-Key": "first"}
    assert codes(desk, "POST", "/backtest", keyed, 1) == [200]
    desk.engine.jobs = 2
    answer = desk.client.post("/backtest", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (429, "TooManyJobs")
    assert codes(desk, "POST", "/backtest", keyed, 1) == [200]  # what runs already is answered
    assert desk.engine.reached == ["POST /backtest"]


def test_buckets_and_failures_are_bounded():
    clock = HandClock()
    buckets, lockout = Buckets(1, clock.ticks), Lockout(clock.ticks)
    for number in range(BUCKETS_MAX + 50):
        buckets.take(str(number))
        lockout.failed(str(number))
    assert len(buckets) == len(lockout) == BUCKETS_MAX


def test_a_lock_never_lasts_longer_than_an_hour_and_is_forgiven():
    clock = HandClock()
    lockout = Lockout(clock.ticks)
    for _ in range(20):
        for _ in range(5):
            lockout.failed("a")
        longest = lockout.locked_s("a")
        clock.pass_s(longest)
    assert longest == 3_600
    clock.pass_s(3_601)
    for _ in range(5):
        lockout.failed("a")
    assert lockout.locked_s("a") == 60


# ---------------------------------------------------------------- twice is once


def order(desk: Desk, key: str | None, body: dict, role: Role = Role.TRADER):
    headers = desk.as_role(role) | ({} if key is None else {"Idempotency-Key": key})
    return desk.client.post("/orders", json=body, headers=headers)


@pytest.mark.control("C-18")
def test_the_same_order_twice_is_one_order_and_one_answer(desk: Desk):
    first, second = (order(desk, "a", {"qty": "1"}) for _ in range(2))
    assert first.content == second.content and first.status_code == second.status_code
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert desk.engine.reached == ["POST /orders"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.control("C-18")
def test_the_same_key_with_another_body_is_refused(desk: Desk):
    order(desk, "b", {"qty": "1"})
    answer = order(desk, "b", {"qty": "2"})
    assert (answer.status_code, answer.json()["code"]) == (409, "IdempotencyKeyReused")
    cancel = desk.client.post(
        "/orders/cancel-all", json={"qty": "1"},
        headers=desk.as_role(Role.TRADER) | {"Idempotency-Key": "b"},
    )  # fmt: skip
    assert cancel.status_code == 409  # another route is another request
    assert desk.engine.reached == ["POST /orders"]


@pytest.mark.control("C-18")
def test_a_key_is_required_for_orders_and_belongs_to_its_token(desk: Desk):
    answer = order(desk, None, {"qty": "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "IdempotencyKeyMissing")
    assert answer.json()["field"] == "/header/Idempotency-Key"
    assert order(desk, "c", {"qty": "1"}).status_code == 200
    assert order(desk, "c", {"qty": "2"}, Role.RISK).status_code == 200
    for bad in ("", "a b", "x" * 129):
        assert order(desk, bad, {"qty": "1"}).json()["code"] == "IdempotencyKeyInvalid"
    assert len(desk.engine.reached) == 2


def answer(text: bytes = b"") -> Answer:
    return Answer(200, (), text)


async def test_who_comes_while_it_runs_waits_for_the_same_answer():
    keys = Idempotency(HandClock().ticks)
    gate, runs = asyncio.Event(), []

    async def run() -> Answer:
        runs.append(1)
        await gate.wait()
        return answer(b"done")

    waiting = [asyncio.create_task(keys.once("t", b"k", b"r", run)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # the one who asked first is gone; the order is not
    await asyncio.sleep(0)
    gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert [each.body for each, _ in found] == [b"done"] * 4
    assert runs == [1]


async def test_it_forgets_the_oldest_and_never_one_that_runs():
    clock = HandClock()
    keys = Idempotency(clock.ticks, keys_max=3)
    never = asyncio.Event()

    async def quick() -> Answer:
        return answer()

    async def stuck() -> Answer:
        await never.wait()
        return answer()

    for number in range(5):
        await keys.once("t", b"%d" % number, b"r", quick)
    assert len(keys) == 3
    clock.pass_s(LIFE_S)
    _, is_older = await keys.once("t", b"4", b"r", quick)
    assert not is_older and len(keys) == 1
    tasks = [asyncio.create_task(keys.once("t", b"s%d" % n, b"r", stuck)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await keys.once("t", b"new", b"r", quick)
    assert refused.value.status == 503
    never.set()
    await asyncio.gather(*tasks)
    assert KEYS_MAX >= 1_000
