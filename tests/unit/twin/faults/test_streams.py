# SPDX-License-Identifier: Apache-2.0
"""Dials that act on WebSockets, rows 55 to 65 of the fault table: lines that die or fall silent,
frames that are lost, doubled, late or spoiled, subscriptions and connections that are refused. Over
real sockets, on both venues.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from fault_desk import SILENCE_S, FaultDesk, Line, is_answer, until
from hean.twin.faults.poison import DEEP_LEVELS, FORMS, LARGE_BYTES


@pytest.fixture(params=["bybit", "binance"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[FaultDesk]:
    async with FaultDesk(request.param) as desk:
        yield desk


def books(desk: FaultDesk, line: Line) -> list[Any]:
    """Book frames of a line."""
    return line.topic(desk.book if desk.exchange == "bybit" else "depthUpdate")


def orders(desk: FaultDesk, line: Line) -> list[Any]:
    """Order frames of a line."""
    return line.topic("order" if desk.exchange == "bybit" else "ORDER_TRADE_UPDATE")


def ids(desk: FaultDesk, line: Line) -> list[int]:
    """Update ids of the book frames, in order of arrival."""
    return [f["data"]["u"] if desk.exchange == "bybit" else f["u"] for f in books(desk, line)]


async def moved(desk: FaultDesk, line: Line, times: int, *, frames: int | None = None) -> None:
    """Move the book, each time until its frame has been sent."""
    for number in range(times):
        before = len(books(desk, line))
        desk.move_book(60_000.0 + 10 * (number + 1))
        if frames is None:
            await until(lambda before=before: len(books(desk, line)) > before)
        else:
            await asyncio.sleep(0.1)


# ---------------------------------------------------------------- 55, 56: cuts


async def test_public_lines_die_and_stay_out_for_a_while(desk: FaultDesk) -> None:
    public, private = await desk.public(), await desk.private()
    desk.set("public_cut", refuses_s=5)
    await until(lambda: public.is_closed)
    assert not private.is_closed
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.public()
    desk.pass_s(5)
    await desk.public()


async def test_private_line_dies_and_a_fill_in_the_hole_is_not_told(desk: FaultDesk) -> None:
    public, private = await desk.public(), await desk.private()
    await desk.create("hole-1")
    await until(lambda: orders(desk, private))
    desk.set("private_cut", refuses_s=5)
    await until(lambda: private.is_closed)
    assert not public.is_closed
    desk.desk.quote(desk.desk.linear, 58_900.0)
    assert desk.desk.size() > 0
    desk.pass_s(5)
    again = await desk.private()
    await desk.create("b", price="57000.0")
    await until(lambda: orders(desk, again))
    assert not any("hole-1" in str(frame) for frame in again.frames)


async def test_line_is_closed_with_a_code(desk: FaultDesk) -> None:
    public = await desk.public()
    desk.set("public_cut", how="close", code=1012)
    await until(lambda: public.is_closed)
    assert public.close_code == 1012


# ---------------------------------------------------------------- 57: stalls


def said(line: Line) -> list[object]:
    """Pongs as text."""
    return [frame for frame in line.frames if "pong" in str(frame)]


@pytest.mark.parametrize("pongs", [True, False])
async def test_line_stands_and_nothing_comes(desk: FaultDesk, pongs: bool) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    desk.set("stall", pongs=pongs, match={"which": "public"})
    before = len(books(desk, line))
    await moved(desk, line, 2, frames=0)
    await line.socket.ping(b"x")
    if desk.exchange == "bybit":
        await line.say({"op": "ping", "req_id": "p"})
    words = 1 if desk.exchange == "bybit" else 0  # Bybit answers in its stream as well
    if pongs:
        await until(lambda: line.pongs)
        await until(lambda: len(said(line)) == words)
    else:
        await asyncio.sleep(SILENCE_S)
        assert (line.pongs, said(line)) == (0, [])
    assert len(books(desk, line)) == before
    desk.faults.calm()
    await moved(desk, line, 1)


# ---------------------------------------------------------------- 58: books


async def test_book_frame_is_lost(desk: FaultDesk) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    desk.set("book_gap", count=1)
    desk.move_book(60_500.0)
    await until(lambda: desk.acts("book_gap"))
    await moved(desk, line, 1)
    told = ids(desk, line)
    assert told[-1] - told[-2] >= 2
    if desk.exchange == "binance":
        assert books(desk, line)[-1]["pu"] != told[-2]


async def test_book_frame_overtakes_another(desk: FaultDesk) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    desk.set("book_reorder", count=1)
    desk.move_book(60_500.0)
    await until(lambda: desk.acts("book_reorder"))
    desk.move_book(60_600.0)
    count = len(books(desk, line))
    await until(lambda: len(books(desk, line)) >= count + 2)
    told = ids(desk, line)[-2:]
    assert told == sorted(told, reverse=True)
    assert told[0] != told[1]


@pytest.mark.parametrize("dial", ["book_snapshot", "book_restart"])
async def test_book_begins_again(desk: FaultDesk, dial: str) -> None:
    line = await desk.public()
    await moved(desk, line, 2)
    before = books(desk, line)
    desk.set(dial)
    await moved(desk, line, 1)
    fresh = books(desk, line)[len(before) :]
    if desk.exchange == "bybit":
        assert fresh[0]["type"] == "snapshot"
        first = fresh[0]["data"]["u"]
        assert (first == 1) == (dial == "book_restart")
        assert [frame["data"]["u"] for frame in fresh] == [first + n for n in range(len(fresh))]
    else:
        assert fresh[0]["pu"] != before[-1]["u"]


# ---------------------------------------------------------------- 59 to 61: private frames


async def test_frame_comes_twice(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("frame_duplicate", match={"topic": "order"}, count=1)
    await desk.create("a")
    await until(lambda: len(orders(desk, line)) == 2)
    first, second = orders(desk, line)
    assert first == second


async def test_new_line_is_told_the_last_frames_again(desk: FaultDesk) -> None:
    first = await desk.private()
    desk.set("frame_replay", last=5, delay_s=0)
    await desk.create("a")
    await until(lambda: orders(desk, first))
    told = orders(desk, first)
    await first.close()
    second = await desk.private()
    await until(lambda: orders(desk, second))
    assert orders(desk, second) == told
    assert desk.acts("frame_replay")[0]["frames"] >= 1


async def test_private_frame_is_lost(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("frame_lost", match={"topic": "order"}, count=1)
    await desk.create("lost-1")
    await until(lambda: desk.acts("frame_lost"))
    await desk.create("told-1")
    await until(lambda: orders(desk, line))
    assert "told-1" in str(orders(desk, line)[0])


async def test_statuses_come_in_reverse(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("status_reversed", hold_s=0.3)
    later: list[Any] = []
    server: Any = desk.server
    server.later = lambda seconds, act: later.append((seconds, act))
    await desk.create("a")
    await desk.cancel("a")
    ((seconds, release),) = later
    assert seconds == 0.3
    release()
    await until(lambda: len(orders(desk, line)) >= 2)
    frames = orders(desk, line)
    if desk.exchange == "bybit":
        told = [row["orderStatus"] for frame in frames for row in frame["data"]]
    else:
        told = [frame["o"]["X"] for frame in frames]
    assert told in (["Cancelled", "New"], ["CANCELED", "NEW"])


async def test_frames_of_another_account_are_left_alone(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("frame_lost", match={"account": "second"})
    await desk.create("a")
    await until(lambda: orders(desk, line))


# ---------------------------------------------------------------- 62, 63: poison


@pytest.mark.parametrize("form", FORMS)
async def test_poisoned_copy_is_added_to_a_true_frame(desk: FaultDesk, form: str) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    before = len(line.raw)
    desk.set("poison", form=form, match={"topic": "book"}, adds=True, count=1)
    desk.move_book(60_500.0)
    if form == "bad_utf8":  # a WebSocket that holds to its rules closes
        await until(lambda: line.is_closed)
        return
    await until(lambda: len(line.raw) >= before + 2)
    true, bad = line.raw[before : before + 2]
    assert bad != true
    match form:
        case "large":
            assert len(bad) > LARGE_BYTES
        case "deep":
            assert bad == b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS
        case "huge_exponent" | "nan" | "negative" | "minus_zero":
            words = {"huge_exponent": "1e400", "nan": "NaN", "negative": "-1", "minus_zero": "-0"}
            assert f'"{words[form]}"'.encode() in bad
        case "bare_nan":
            assert b"NaN" in bad
            assert b'"NaN"' not in bad
        case "truncated":
            assert true.startswith(bad)
        case "array":
            assert json.loads(bad) == [json.loads(true)]
        case "nul":
            assert b"\x00" in bad
    desk.faults.calm()
    await moved(desk, line, 1)


async def test_poison_can_replace_a_private_frame(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("poison", form="nan", match={"topic": "order"}, count=1)
    await desk.create("a")
    await until(lambda: orders(desk, line))
    assert "'NaN'" in str(orders(desk, line)[0])


@pytest.mark.parametrize(
    ("given", "told"),
    [({"factor": 100}, "6050000"), ({"price": "-37"}, "-37"), ({"price": "0"}, "0")],
)
async def test_prices_are_absurd(desk: FaultDesk, given: dict[str, Any], told: str) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    desk.set("outlier_price", match={"topic": "book"}, count=1, **given)
    count = len(books(desk, line))
    desk.move_book(60_500.0)
    await until(lambda: len(books(desk, line)) > count)
    frame = books(desk, line)[count]
    data = frame["data"] if desk.exchange == "bybit" else frame
    prices = [level[0] for level in data["b"] + data["a"]]
    assert all(price.startswith(told[:2]) for price in prices if price.startswith(told[:1]))
    assert len(prices) > 0
    assert (set(prices) == {told}) == ("price" in given)


# ---------------------------------------------------------------- 64: subscriptions


async def test_subscription_is_refused(desk: FaultDesk) -> None:
    line = await desk.open("/v5/public/linear" if desk.exchange == "bybit" else "/public/ws")
    desk.set("subscription_refused")
    await desk.subscribe(line, desk.book)
    answer = await line.seen(is_answer)
    assert answer.get("success") is False or answer.get("code") == 2
    desk.faults.calm()
    await desk.subscribe(line, desk.book)
    await until(lambda: len([f for f in line.frames if is_answer(f)]) == 2)
    await moved(desk, line, 1)


async def test_subscription_is_acknowledged_and_silent(desk: FaultDesk) -> None:
    desk.set("subscription_silent")
    line = await desk.public()
    answer = await line.seen(is_answer)
    assert answer.get("success") is True or answer == {"result": None, "id": 1}
    await moved(desk, line, 2, frames=0)
    assert books(desk, line) == []


async def test_every_second_topic_is_silent(desk: FaultDesk) -> None:
    other = "orderbook.1.BTCUSDT" if desk.exchange == "bybit" else "btcusdt@bookTicker"
    desk.set("subscription_partial")
    line = await desk.public(desk.book, other)
    await moved(desk, line, 2)
    assert line.topic(other if desk.exchange == "bybit" else "bookTicker") == []


async def test_only_the_topic_that_is_meant_is_silent(desk: FaultDesk) -> None:
    other = "orderbook.1.BTCUSDT" if desk.exchange == "bybit" else "btcusdt@bookTicker"
    desk.set("subscription_silent", match={"topic": other})
    line = await desk.public(other, desk.book)
    await moved(desk, line, 1)
    assert line.topic(other if desk.exchange == "bybit" else "bookTicker") == []


# ---------------------------------------------------------------- 65, 66: connections and storms


async def test_no_socket_is_let_in(desk: FaultDesk) -> None:
    desk.set("connection_refused", status=429, match={"which": "public"})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await desk.public()
    assert refused.value.status == 429
    await desk.private()


async def test_only_so_many_sockets_in_so_much_time(desk: FaultDesk) -> None:
    desk.set("connection_limit", limit=2, window_s=300)
    await desk.public()
    await desk.public()
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.public()
    desk.pass_s(301)
    await desk.public()


async def test_sessions_end_at_a_certain_age(desk: FaultDesk) -> None:
    line = await desk.public()
    desk.set("daily_cut", life_s=0.2, how="close", code=1001)
    desk.desk.now_ns += 300_000_000
    await until(lambda: line.is_closed)
    assert line.close_code == 1001


async def test_frames_come_in_a_storm(desk: FaultDesk) -> None:
    line = await desk.public()
    await moved(desk, line, 1)
    desk.set("frame_storm", times=500, count=1, match={"topic": "book"})
    count = len(books(desk, line))
    desk.move_book(60_500.0)
    await until(lambda: len(books(desk, line)) >= count + 500)
    assert len(set(ids(desk, line)[count : count + 500])) == 1
