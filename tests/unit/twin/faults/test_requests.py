# SPDX-License-Identifier: Apache-2.0
"""Dials that act on requests, rows 29 to 40 of the fault table: what the client is told, what the
ledger proves, and that `calm` ends it. Over real sockets, on both venues.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from fault_desk import SILENCE_S, Answer, FaultDesk, answers_to, until


@pytest.fixture(params=["bybit", "binance"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[FaultDesk]:
    async with FaultDesk(request.param) as desk:
        yield desk


def ids(desk: FaultDesk) -> list[str]:
    """Client ids of every order that ever was, in order."""
    return [record["client_order_id"] for record in desk.records("new")]


# ---------------------------------------------------------------- no answer


async def test_accepted_request_is_in_the_ledger_and_never_answered(desk: FaultDesk) -> None:
    desk.set("timeout_accepted", count=1)
    assert (await desk.create("a", timeout_s=SILENCE_S)).lost == "timeout"
    assert ids(desk) == ["a"]
    assert desk.acts("timeout_accepted")[0]["client_order_ids"] == ["a"]
    assert (await desk.create("b")).status == 200


async def test_lost_request_never_reaches_the_ledger(desk: FaultDesk) -> None:
    desk.set("timeout_lost", count=1)
    assert (await desk.create("a", timeout_s=SILENCE_S)).lost == "timeout"
    assert (await desk.create("b")).status == 200
    assert ids(desk) == ["b"]


async def test_held_line_ends_with_a_reset(desk: FaultDesk) -> None:
    desk.set("timeout_lost", hold_s=0.05)
    assert (await desk.create("a")).lost == "reset"


def held(desk: FaultDesk) -> asyncio.Event:
    """What is held goes on when this is set, and not by the clock."""
    goes_on = asyncio.Event()
    desk.server._hold = lambda _: goes_on.wait()  # type: ignore[method-assign,assignment]
    return goes_on


async def test_late_request_arrives_after_the_client_gave_up(desk: FaultDesk) -> None:
    desk.set("timeout_late", count=1, delay_s=0.5, hold_s=0)
    goes_on = held(desk)
    asked = asyncio.create_task(desk.create("a"))
    await until(lambda: desk.acts("timeout_late"))
    asked.cancel()
    assert ids(desk) == []
    goes_on.set()
    await until(lambda: ids(desk) == ["a"])


async def test_network_delay_counts_against_the_receive_window(desk: FaultDesk) -> None:
    desk.set("timeout_late", count=1, delay_s=6.0, hold_s=0)
    goes_on = held(desk)
    asked = asyncio.create_task(desk.create("a"))
    await until(lambda: desk.acts("timeout_late"))
    desk.desk.now_ns += 6_000_000_000  # the window is five seconds
    desk._base_ns = desk.desk.now_ns
    goes_on.set()
    assert (await asked).lost == "reset"
    assert ids(desk) == []


async def test_delay_at_the_engine_does_not(desk: FaultDesk) -> None:
    desk.set("timeout_late", count=1, delay_s=6.0, held="engine", hold_s=0)
    goes_on = held(desk)
    asked = asyncio.create_task(desk.create("a"))
    await until(lambda: desk.acts("timeout_late"))
    asked.cancel()
    desk._base_ns += 6_000_000_000
    desk.desk.now_ns = desk._base_ns
    goes_on.set()
    await until(lambda: ids(desk) == ["a"])


@pytest.mark.parametrize("accepted", [True, False])
async def test_reset_after_the_request_was_read(desk: FaultDesk, accepted: bool) -> None:
    desk.set("reset_after_request", count=1, accepted=accepted)
    assert (await desk.create("a")).lost == "reset"
    assert ids(desk) == (["a"] if accepted else [])


async def test_reset_within_the_answer(desk: FaultDesk) -> None:
    desk.set("reset_after_request", count=1, answer_bytes=10)
    assert (await desk.create("a")).lost == "reset"
    assert ids(desk) == ["a"]


# ---------------------------------------------------------------- answers that say nothing


@pytest.mark.parametrize("accepted", [True, False])
async def test_unknown_outcome_in_the_venues_own_words(desk: FaultDesk, accepted: bool) -> None:
    desk.set("server_error", count=1, accepted=accepted)
    answer = await desk.create("a")
    assert answer.code == {"bybit": 10016, "binance": -1007}[desk.exchange]
    assert ids(desk) == (["a"] if accepted else [])


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_gateway_page(desk: FaultDesk, status: int) -> None:
    desk.set("server_error", code="http", status=status)
    answer = await desk.create("a")
    assert answer.status == status
    assert answer.body.startswith(b"<html>")
    assert ids(desk) == ["a"]


async def test_each_code_of_an_unknown_outcome(desk: FaultDesk) -> None:
    codes = {"bybit": ["10000", "10016", "170007"], "binance": ["-1006", "-1007"]}
    for code in codes[desk.exchange]:
        desk.set("server_error", code=code, count=1)
        assert (await desk.create()).code == int(code)


async def test_overloaded_is_not_accepted(desk: FaultDesk) -> None:
    desk.set("overloaded", count=1)
    answer = await desk.create("a")
    assert (answer.status, answer.code) == {"bybit": (429, 10429), "binance": (503, -1008)}[
        desk.exchange
    ]
    assert ids(desk) == []


BODIES = ["html", "truncated", "encoding", "empty", "empty_list", "missing_id"]


@pytest.mark.parametrize("form", BODIES)
async def test_garbage_with_a_good_status(desk: FaultDesk, form: str) -> None:
    desk.set("garbage_body", form=form, count=1)
    answer = await desk.create("a")
    assert answer.status == 200
    assert ids(desk) == ["a"]
    if form in ("empty_list", "missing_id"):
        assert b"orderId" not in answer.body
        assert answer.json is not None
    else:
        with pytest.raises(ValueError, match=r"."):
            _ = answer.json


async def test_garbage_for_a_request_that_was_lost(desk: FaultDesk) -> None:
    desk.set("garbage_body", form="truncated", accepted=False)
    assert (await desk.create("a")).status == 200
    assert ids(desk) == []


# ---------------------------------------------------------------- refusals


async def test_rate_limit_says_when_to_come_again(desk: FaultDesk) -> None:
    desk.set("rate_limited", retry_after_s=3)
    answer = await desk.orders()
    if desk.exchange == "bybit":
        assert answer.code == 10006
        reset_ms = int(answer.headers["X-Bapi-Limit-Reset-Timestamp"])
        assert reset_ms - desk.desk.now_ms == 3_000
    else:
        assert (answer.status, answer.code) == (429, -1003)
        assert answer.headers["Retry-After"] == "3"


async def test_rate_limit_without_a_word_when(desk: FaultDesk) -> None:
    desk.set("rate_limited", tells_when=False)
    answer = await desk.orders()
    assert answer.code in (10006, -1003)
    assert not {"Retry-After", "X-Bapi-Limit-Reset-Timestamp"} & set(answer.headers)


async def test_rate_limit_may_spare_cancels(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("rate_limited", spares_cancels=True)
    assert (await desk.create("b")).code in (10006, -1003)
    assert (await desk.cancel("a")).code == 0


async def test_ban_covers_requests_and_sockets_and_ends(desk: FaultDesk) -> None:
    desk.set("ip_banned", for_s=60)
    answer = await desk.orders()
    assert answer.status == {"bybit": 403, "binance": 418}[desk.exchange]
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.public()
    if desk.exchange == "binance":
        desk.pass_s(20)
        assert (await desk.orders()).headers["Retry-After"] == "40"
    desk.pass_s(61)
    assert (await desk.orders()).status == 200


@pytest.mark.parametrize("offset_s", [0.5, -0.5, 2.0, -2.0, 3600.0, -3600.0])
async def test_clock_is_off_for_everybody(desk: FaultDesk, offset_s: float) -> None:
    before = await desk.time_ms()
    desk.set("clock_skew", offset_s=offset_s)
    assert await desk.time_ms() - before == offset_s * 1_000
    desk.faults.calm()
    assert await desk.time_ms() == before


async def test_skewed_clock_refuses_stamps_outside_its_window(desk: FaultDesk) -> None:
    if desk.exchange == "bybit":
        desk.desk.signing = _stamped(desk)
    desk.set("clock_skew", offset_s=3600)
    answer = await desk.orders()
    assert answer.code in (10002, -1021)
    desk.set("clock_skew", offset_s=0.5)
    assert (await desk.orders()).status == 200


def _stamped(desk: FaultDesk) -> object:
    """Bybit's desk signs with the exchange's clock; here with the one it had."""
    true, base = type(desk.desk).signing, desk._base_ns

    def signing(payload: bytes, key: str) -> dict[str, str]:
        now_ns, desk.desk.now_ns = desk.desk.now_ns, base
        try:
            return true(desk.desk, payload, key)
        finally:
            desk.desk.now_ns = now_ns

    return signing


async def test_clock_jumps_for_single_requests(desk: FaultDesk) -> None:
    before = await desk.time_ms()
    desk.set("clock_jump", offset_s=-7.0, count=1, after=1)
    told = [await desk.time_ms() - before for _ in range(3)]
    assert told == [0, -7_000, 0]


async def test_a_clock_that_jumps_uses_up_no_bucket_for_longer() -> None:
    """All machines of an exchange count together, whatever the clock of one of them says."""
    async with FaultDesk("bybit", limits_scale=1.0) as desk:
        desk.set("clock_jump", offset_s=4.0, count=10)
        assert {(await desk.cancel("a")).code for _ in range(10)} == {110001}
        assert (await desk.cancel("a")).code == 10006
        desk.pass_s(1.1)
        assert (await desk.cancel("a")).code == 110001


@pytest.mark.parametrize("dial", ["clock_jump", "clock_skew"])
async def test_a_clock_that_is_off_begins_no_window_anew(dial: str) -> None:
    async with FaultDesk("binance", limits_scale=1.0) as desk:
        weights = [(await desk.orders()).headers["X-MBX-USED-WEIGHT-1M"]]
        desk.set(dial, offset_s=3_600.0, **({"count": 1} if dial == "clock_jump" else {}))
        weights.append((await desk.orders()).headers["X-MBX-USED-WEIGHT-1M"])
        desk.faults.calm()
        weights.append((await desk.orders()).headers["X-MBX-USED-WEIGHT-1M"])
    assert weights == ["1", "2", "3"]


# ---------------------------------------------------------------- ids and keys


async def test_duplicate_id_of_the_very_order(desk: FaultDesk) -> None:
    desk.set("duplicate_id", count=1)
    assert (await desk.create("a")).code in (110072, -4116)
    assert await desk.listed() == ["a"]


async def test_duplicate_id_of_nothing(desk: FaultDesk) -> None:
    desk.set("duplicate_id", existing="none", count=1)
    assert (await desk.create("a")).code in (110072, -4116)
    assert await desk.listed() == []


async def test_duplicate_id_of_somebody_elses_order(desk: FaultDesk) -> None:
    desk.set("duplicate_id", existing="foreign", count=1)
    assert (await desk.create("a", side="SELL", price="61000.0")).code in (110072, -4116)
    orders = desk.records("new")
    assert [(o["client_order_id"], o["side"]) for o in orders] == [("a", "BUY")]


@pytest.mark.parametrize(
    ("dial", "given", "codes"),
    [
        ("balance_short", {"left": "1"}, (110007, -2019)),
        ("reduce_only", {}, (110074, -4140)),
    ],
    ids=["no_money", "not_trading"],
)
async def test_where_nobody_can_place_no_id_is_taken(
    desk: FaultDesk, dial: str, given: dict[str, Any], codes: tuple[int, int]
) -> None:
    """The order is refused for what it is, and the dial has not acted."""
    desk.set("duplicate_id", existing="foreign", count=1)
    desk.set(dial, **given)
    assert (await desk.create("a")).code in codes
    assert desk.records("new") == []
    desk.faults.calm(dial)
    assert (await desk.create("b", side="SELL", price="61000.0")).code in (110072, -4116)
    assert [order["client_order_id"] for order in desk.records("new")] == ["b"]


REASONS = {"revoked": 10003, "permission": 10005, "ip": 10010, "expired": 33004}


@pytest.mark.parametrize("reason", REASONS)
async def test_key_is_refused_until_calm(desk: FaultDesk, reason: str) -> None:
    desk.set("key_refused", reason=reason)
    answer = await desk.create("a")
    assert answer.code == (REASONS[reason] if desk.exchange == "bybit" else -2015)
    assert await desk.time_ms() > 0
    assert ((await desk.orders()).code == 0) == (reason == "permission")
    desk.faults.calm("key_refused")
    assert (await desk.create("a")).status == 200


async def test_key_of_another_account_still_works(desk: FaultDesk) -> None:
    desk.set("key_refused", match={"account": "main"})
    assert (await desk.create("a", key="DeskKey2")).code == 0
    assert (await desk.create("b")).code != 0


# ---------------------------------------------------------------- the order socket


async def test_answer_on_the_order_socket_is_lost(desk: FaultDesk) -> None:
    line = await desk.trade()
    desk.set("ack_lost", count=1)
    await desk.send_order(line, "a")
    await until(lambda: ids(desk) == ["a"])
    await desk.send_order(line, "b")
    await until(lambda: answers_to(line, "b"))
    assert answers_to(line, "a") == []


async def test_message_on_the_order_socket_is_lost(desk: FaultDesk) -> None:
    line = await desk.trade()
    desk.set("timeout_lost", count=1)
    await desk.send_order(line, "a")
    await desk.send_order(line, "b")
    await until(lambda: answers_to(line, "b"))
    assert ids(desk) == ["b"]


async def test_order_socket_dies_after_the_message(desk: FaultDesk) -> None:
    line = await desk.trade()
    desk.set("reset_after_request", count=1)
    await desk.send_order(line, "a")
    await until(lambda: line.is_closed)
    assert ids(desk) == ["a"]


async def test_order_socket_tells_an_unknown_outcome(desk: FaultDesk) -> None:
    line = await desk.trade()
    desk.set("server_error", count=1)
    await desk.send_order(line, "a")
    (answer,) = await until(lambda: answers_to(line, "a"))
    code = answer["retCode"] if desk.exchange == "bybit" else answer["error"]["code"]
    assert code in (10016, -1007)
    assert ids(desk) == ["a"]


# ---------------------------------------------------------------- where and how often


async def test_dial_acts_on_what_its_match_says(desk: FaultDesk) -> None:
    desk.set("server_error", match={"client_id": "x-*", "side": "BUY", "symbol": "btcusdt"})
    codes = [(await desk.create(each)).code for each in ("a", "x-1")]
    codes.append((await desk.create("x-2", side="SELL", price="61000.0")).code)
    assert [code == 0 for code in codes] == [True, False, True]


async def test_path_pattern_overrides_the_usual_operation(desk: FaultDesk) -> None:
    desk.set("server_error", match={"path": "/*/market/*", "op": "book"})
    assert (await desk.create()).code == 0


async def test_after_and_count(desk: FaultDesk) -> None:
    desk.set("overloaded", after=1, count=2)
    codes = [(await desk.create()).code for _ in range(5)]
    assert [code == 0 for code in codes] == [True, False, False, True, True]


async def test_for_s_ends_it(desk: FaultDesk) -> None:
    desk.set("overloaded", for_s=5)
    assert (await desk.create()).code != 0
    desk.pass_s(5)
    assert (await desk.create()).code == 0


async def test_at_s_waits(desk: FaultDesk) -> None:
    desk.set("overloaded", at_s=5)
    assert (await desk.create()).code == 0
    assert desk.faults.documents()[0]["at_s"] == 5
    desk.pass_s(5)
    assert (await desk.create()).code != 0


async def chances(seed: int, exchange: str) -> list[bool]:
    async with FaultDesk(exchange, seed=seed) as desk:
        desk.set("overloaded", probability=0.5)
        return [(await desk.create()).code == 0 for _ in range(24)]


async def test_same_seed_same_faults() -> None:
    first = await chances(7, "bybit")
    assert first == await chances(7, "binance")
    assert first != await chances(8, "bybit")
    assert 4 < sum(first) < 20


async def test_calm_by_name_leaves_the_others(desk: FaultDesk) -> None:
    desk.set("overloaded", match={"op": "create"})
    desk.set("rate_limited", match={"op": "cancel"})
    assert desk.faults.calm("overloaded") == 1
    assert (await desk.create("a")).code == 0
    assert (await desk.cancel("a")).code in (10006, -1003)
    assert desk.faults.calm() == 1
    assert (await desk.cancel("a")).code == 0


def test_answer_of_a_test_is_readable() -> None:
    assert Answer(200, b'{"retCode":5}').code == 5
