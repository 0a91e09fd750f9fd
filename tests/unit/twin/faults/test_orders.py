# SPDX-License-Identifier: Apache-2.0
"""Dials beside orders, rows 41 to 54 and 60 of the fault table: races, batches, survivors, stops,
paging, and what is done at the exchange by hand. Over real sockets, on both venues.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from fault_desk import BUY_PRICE, SILENCE_S, FaultDesk, answers_to, until
from hean.errors import ParameterInvalid, UnknownSymbol
from hean.twin.orders import Status, Why

BIG = Decimal("0.010")


@pytest.fixture(params=["bybit", "binance"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[FaultDesk]:
    async with FaultDesk(request.param) as desk:
        yield desk


def size(desk: FaultDesk) -> Decimal:
    """Position of the main account."""
    return Decimal(desk.desk.size())


# ---------------------------------------------------------------- 41: amnesia


async def test_forgotten_order_lives_and_comes_back(desk: FaultDesk) -> None:
    await desk.create("a")
    await desk.create("b")
    desk.set("amnesia", match={"client_id": "a"}, for_s=1_800)
    assert await desk.listed() == ["b"]
    assert (await desk.cancel("a")).code in (110001, -2011)
    assert desk.acts("amnesia")[0]["client_order_id"] == "a"
    desk.pass_s(1_800)
    assert sorted(await desk.listed()) == ["a", "b"]
    assert (await desk.cancel("a")).code == 0


async def test_amnesia_takes_orders_that_come_later(desk: FaultDesk) -> None:
    desk.set("amnesia")
    await desk.create("a")
    desk.pass_s(0.01)
    assert await desk.listed() == []
    desk.faults.calm()
    assert await desk.listed() == ["a"]


async def test_order_filled_while_forgotten_is_remembered_as_filled(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("amnesia")
    desk.move_book(58_900.0)
    assert size(desk) == BIG
    desk.faults.calm()
    assert await desk.listed() == []
    assert desk.desk.main.client_ids("linear")["a"].status == "FILLED"


async def test_forgotten_order_that_reduces_ends_with_its_position(desk: FaultDesk) -> None:
    exchange = desk.desk
    exchange.order("BUY", "0.010")
    resting = exchange.order("SELL", "0.010", "60010", reduce_only=True, client_id="a")
    desk.set("amnesia", match={"client_id": "a"})
    exchange.order("SELL", "0.010")
    desk.move_book(60_100.0)
    assert (resting.status, resting.why) == (Status.CANCELLED, Why.REDUCE_ONLY)
    assert not resting.fills


async def test_forgotten_order_ends_with_the_liquidation_of_its_account(desk: FaultDesk) -> None:
    exchange = desk.desk
    exchange.order("BUY", "0.010")
    resting = exchange.order("BUY", "0.010", "50000", client_id="a")
    desk.set("amnesia", match={"client_id": "a"})
    exchange.main.wallet("linear")["USDT"] = Decimal(0)
    desk.move_book(50_500.0)
    exchange.venue.step()
    assert (resting.status, resting.why) == (Status.CANCELLED, Why.LIQUIDATION)


# ---------------------------------------------------------------- 42: batches


async def test_every_second_leg_of_a_batch_fails(desk: FaultDesk) -> None:
    desk.set("batch_partial", every=2)
    body = (await desk.batch(["a", "b", "c", "d"])).json
    assert sorted(await desk.listed()) == ["a", "c"]
    if desk.exchange == "bybit":
        assert [leg["code"] == 0 for leg in body["retExtInfo"]["list"]] == [True, False] * 2
    else:
        assert ["orderId" in leg for leg in body] == [True, False] * 2


async def test_results_of_a_batch_come_in_another_order(desk: FaultDesk) -> None:
    desk.set("batch_shuffled", drops=1)
    body = (await desk.batch(["a", "b", "c", "d"])).json
    rows = body["result"]["list"] if desk.exchange == "bybit" else body
    name = "orderLinkId" if desk.exchange == "bybit" else "clientOrderId"
    told = [row[name] for row in rows]
    assert len(told) == 3
    assert told != sorted(told)[: len(told)]
    assert sorted(await desk.listed()) == ["a", "b", "c", "d"]


# ---------------------------------------------------------------- 43 to 45: cancels and amends


async def test_order_is_filled_just_before_its_cancel(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("cancel_race")
    assert (await desk.cancel("a")).code != 0
    assert size(desk) == BIG
    assert [record["price"] for record in desk.records("trade")] == ["59000.0"]


async def test_order_is_cancelled_just_before_its_cancel(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("cancel_race", by="cancel")
    assert (await desk.cancel("a")).code != 0
    assert await desk.listed() == []
    assert size(desk) == 0


async def test_part_of_an_order_fills_just_before_its_amend(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("amend_race", fraction=0.5, count=1)
    answer = await desk.amend("a", "0.004")  # below what is filled by then
    assert size(desk) == Decimal("0.005")
    if desk.exchange == "bybit":
        assert answer.code != 0
        assert (await desk.amend("a", "0.008")).code == 0
    else:
        assert answer.json["status"] == "CANCELED"


async def test_cancel_fails_and_the_order_lives(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("cancel_fails", count=1)
    assert (await desk.cancel("a")).code in (110001, -2011)
    assert await desk.listed() == ["a"]
    assert (await desk.cancel("a")).code == 0


async def test_cancel_leg_of_a_replace_fails() -> None:
    async with FaultDesk("binance") as desk:
        await desk.ask("POST", "/api/v3/order", **_spot_order("a"))
        desk.set("cancel_fails", match={"op": "replace"})
        fields = {**_spot_order("b"), "cancelReplaceMode": "ALLOW_FAILURE"}
        path = "/api/v3/order/cancelReplace"
        answer = await desk.ask("POST", path, cancelOrigClientOrderId="a", **fields)
        assert answer.status == 409
        open_ids = {order.client_id for order in desk.desk.main.open_orders.values()}
        assert open_ids == {"a", "b"}


def _spot_order(client_id: str) -> dict[str, str]:
    fields = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {**fields, "quantity": "0.01", "price": "59000", "newClientOrderId": client_id}


async def test_one_order_survives_a_cancel_all_that_says_all_is_gone(desk: FaultDesk) -> None:
    for name in ("a", "b", "c"):
        await desk.create(name)
    desk.set("cancel_all_survivor", count=1)
    answer = await desk.cancel_all()
    assert answer.status == 200
    assert len(await desk.listed()) == 1
    await desk.cancel_all()
    assert await desk.listed() == []


# ---------------------------------------------------------------- 46 to 50: the exchange itself


async def test_maintenance_closes_and_opens_again(desk: FaultDesk) -> None:
    line = await desk.public()
    desk.set("maintenance", lasts_s=10)
    await until(lambda: line.is_closed)
    answer = await desk.create("a")
    assert answer.code in (10019, -1016)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.public()
    desk.pass_s(10)
    assert (await desk.create("a")).code == 0


async def test_maintenance_is_announced(desk: FaultDesk) -> None:
    line = await desk.public()
    desk.set("maintenance", announced_s=60, lasts_s=10)
    if desk.exchange == "binance":
        await until(lambda: line.topic("serverShutdown"))
    else:
        answer = await desk.ask("GET", "/v5/system/status")
        (row,) = answer.json["result"]["list"]
        assert int(row["end"]) - int(row["begin"]) == 10_000
    assert (await desk.create("a")).code == 0
    desk.pass_s(60)
    assert (await desk.create("b")).code != 0


async def test_restart_forgets_what_was_recently_closed() -> None:
    async with FaultDesk("bybit") as desk:
        await desk.create("a")
        await desk.cancel("a")
        assert len((await desk.orders(openOnly=1)).json["result"]["list"]) == 1
        desk.set("maintenance", lasts_s=1)
        desk.move_book(60_000.0)
        desk.pass_s(1)
        assert (await desk.orders(openOnly=1)).json["result"]["list"] == []
        history = await desk.ask("GET", "/v5/order/history", category="linear")
        assert [row["orderLinkId"] for row in history.json["result"]["list"]] == ["a"]


async def test_filters_change_and_change_back(desk: FaultDesk) -> None:
    change = {"symbol": "BTCUSDT", "market": "linear"}
    desk.set("filter_change", match=change, tick="10", quantity_min="0.005")
    assert (await desk.create(price="59001.0")).code != 0
    assert (await desk.create(qty="0.004")).code != 0
    assert (await desk.create(price="59010.0")).code == 0
    desk.faults.calm()
    assert (await desk.create(price="59001.0")).code == 0


async def test_halted_symbol_takes_no_orders(desk: FaultDesk) -> None:
    desk.set("filter_change", match={"symbol": "BTCUSDT"}, status="halted", for_s=5)
    assert (await desk.create()).code != 0
    desk.pass_s(5)
    assert (await desk.create()).code == 0


async def test_a_change_that_ends_leaves_what_another_one_changed(desk: FaultDesk) -> None:
    desk.set("filter_change", match={"symbol": "BTCUSDT"}, status="halted", for_s=5)
    desk.set("filter_change", match={"symbol": "BTCUSDT"}, notional_min="100", for_s=10)
    desk.pass_s(5)
    assert (await desk.create()).code == 0
    desk.pass_s(5)
    assert (await desk.create()).code == 0


async def test_new_step_must_fit_the_old_one(desk: FaultDesk) -> None:
    with pytest.raises(ParameterInvalid, match="not a multiple"):
        desk.set("filter_change", tick="0.15")
    assert desk.faults.acts == []


async def test_money_is_short_and_comes_back(desk: FaultDesk) -> None:
    desk.set("balance_short", left="1")
    assert (await desk.create()).code in (110007, -2019)
    desk.faults.calm()
    assert (await desk.create()).code == 0


async def test_position_mode_is_changed_by_hand(desk: FaultDesk) -> None:
    desk.set("mode_by_hand", mode="hedge", match={"symbol": "BTCUSDT"})
    assert (await desk.create()).code in (10001, -4061)


async def test_order_by_hand_is_on_the_account(desk: FaultDesk) -> None:
    desk.set("order_by_hand", side="SELL", match={"symbol": "BTCUSDT"})
    (order,) = desk.desk.main.open_orders.values()
    assert (order.side, order.client_id) == ("SELL", "")
    assert desk.acts("order_by_hand")[0]["order_id"] == order.order_id


async def test_coins_move_by_hand(desk: FaultDesk) -> None:
    before = desk.desk.main.wallet("linear")["USDT"]
    desk.set("transfer_by_hand", amount="-250.5")
    assert desk.desk.main.wallet("linear")["USDT"] == before - Decimal("250.5")


@pytest.mark.parametrize(("dial", "kind"), [("liquidation", "liquidation"), ("adl", "adl")])
async def test_position_is_closed_by_force(desk: FaultDesk, dial: str, kind: str) -> None:
    await desk.create(price=None)
    assert size(desk) == BIG
    desk.set(dial, match={"symbol": "BTCUSDT"})
    assert size(desk) == 0
    assert len(desk.records(kind)) == 1


async def test_nothing_to_liquidate_is_refused(desk: FaultDesk) -> None:
    with pytest.raises(ParameterInvalid, match="holds no BTCUSDT"):
        desk.set("liquidation")
    with pytest.raises(UnknownSymbol, match="there are BTCUSDT"):
        desk.set("liquidation", match={"symbol": "NOPE"})


async def test_only_reducing_orders_are_taken(desk: FaultDesk) -> None:
    await desk.create(price=None)
    desk.set("reduce_only")
    assert (await desk.create("a")).code != 0
    more = {"reduceOnly": True if desk.exchange == "bybit" else "true"}
    assert (await desk.create(side="SELL", price=None, **more)).code == 0
    assert size(desk) == 0
    desk.faults.calm()
    assert (await desk.create("b")).code == 0


async def test_account_may_not_trade(desk: FaultDesk) -> None:
    desk.set("trading_ban", match={"account": "main"})
    assert (await desk.create("a")).code != 0
    assert (await desk.create("b", key="DeskKey2")).code == 0
    desk.faults.calm()
    assert (await desk.create("c")).code == 0


# ---------------------------------------------------------------- 51, 52: stops


async def test_stop_fires_while_nobody_listens(desk: FaultDesk) -> None:
    await desk.create(price=None)
    await desk.stop("s")
    line = await desk.private()
    desk.set("stop_while_away", away_s=5)
    await until(lambda: line.is_closed)
    assert size(desk) == 0
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.private()
    desk.pass_s(5)
    await desk.private()
    assert [o for o in desk.desk.main.open_orders.values()] == []


async def test_stop_is_refused_and_other_orders_are_not(desk: FaultDesk) -> None:
    desk.set("stop_refused")
    assert (await desk.stop("s")).code in (110092, -2021)
    assert (await desk.create("a")).code == 0
    assert [order.client_id for order in desk.desk.main.open_orders.values()] == ["a"]


async def test_stop_is_acknowledged_and_does_not_exist(desk: FaultDesk) -> None:
    line = await desk.private()
    desk.set("stop_lost", count=1)
    assert (await desk.stop("gone-1")).code == 0
    assert desk.desk.main.open_orders == {}
    assert (await desk.stop("here-1")).code == 0
    await until(lambda: any("here-1" in str(frame) for frame in line.frames))
    assert not any("gone-1" in str(frame) for frame in line.frames)


# ---------------------------------------------------------------- 53, 54: queries


async def pages(desk: FaultDesk) -> list[list[str]]:
    """Ids on each page of the open orders, two a page (Bybit)."""
    found, cursor = [], ""
    for _ in range(4):
        more = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        result = (await desk.orders(**more)).json["result"]
        found.append([row["orderLinkId"] for row in result["list"]])
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    return found


async def test_page_repeats() -> None:
    async with FaultDesk("bybit") as desk:
        for name in "abcde":
            await desk.create(name)
        true = await pages(desk)
        desk.set("page_repeats", count=1)
        told = await pages(desk)
        assert told[0] == told[1] == true[0]
        assert told[2] == true[2]
        assert len(desk.acts("page_repeats")) == 1


async def test_page_skips_rows() -> None:
    async with FaultDesk("bybit") as desk:
        for name in "abcde":
            await desk.create(name)
        true = await pages(desk)
        desk.set("page_skips", rows=1, count=1)
        told = await pages(desk)
        assert told[1] == true[1][1:]
        assert [told[0], told[2]] == [true[0], true[2]]


async def test_trades_page_repeats_and_skips_at_binance() -> None:
    async with FaultDesk("binance") as desk:
        for _ in range(6):
            await desk.create(price=None, qty="0.002")
        path = "/fapi/v1/userTrades"
        rows = (await desk.ask("GET", path, symbol="BTCUSDT")).json
        middle = rows[3]["id"]
        desk.set("page_repeats", count=1)
        first = (await desk.ask("GET", path, symbol="BTCUSDT", limit=3)).json
        second = (await desk.ask("GET", path, symbol="BTCUSDT", fromId=middle)).json
        assert second == first
        desk.faults.calm()
        desk.set("page_skips", rows=2)
        third = (await desk.ask("GET", path, symbol="BTCUSDT", fromId=middle)).json
        assert [row["id"] for row in third] == [row["id"] for row in rows[5:]]


@pytest.mark.parametrize("form", ["venue", "http", "garbage", "timeout"])
async def test_position_query_fails(desk: FaultDesk, form: str) -> None:
    await desk.create(price=None)
    desk.set("position_query_fails", form=form, count=1)
    answer = await desk.positions(timeout_s=SILENCE_S if form == "timeout" else 15.0)
    if form == "venue":
        assert answer.code in (10016, -1007)
    elif form == "http":
        assert answer.status == 502
    elif form == "timeout":
        assert answer.lost == "timeout"
    else:
        with pytest.raises(json.JSONDecodeError):
            _ = answer.json
    assert (await desk.positions()).code == 0


# ---------------------------------------------------------------- 60: fills before answers


async def test_stream_tells_a_fill_before_the_answer(desk: FaultDesk) -> None:
    private, trade = await desk.private(), await desk.trade()
    desk.set("fill_before_ack", fraction=0.5, delay_s=0.5, count=1)
    await desk.send_order(trade, "a")
    name = "execution" if desk.exchange == "bybit" else "ORDER_TRADE_UPDATE"
    await until(lambda: any("0.005" in str(frame) for frame in private.topic(name)))
    assert answers_to(trade, "a") == []
    await until(lambda: answers_to(trade, "a"))
    assert size(desk) == Decimal("0.005")


# ---------------------------------------------------------------- 66, 67: storms and strangers


async def test_resting_order_is_filled_in_the_smallest_pieces(desk: FaultDesk) -> None:
    await desk.create("a")
    desk.set("fill_storm", per_s=1_000, match={"symbol": "BTCUSDT"})
    desk.pass_s(1)
    fills = desk.records("trade")
    assert [fill["qty"] for fill in fills] == ["0.001"] * 10
    assert {fill["price"] for fill in fills} == {BUY_PRICE}


async def test_market_trades_in_a_storm(desk: FaultDesk) -> None:
    desk.set("trade_storm", per_s=1_000, match={"symbol": "BTCUSDT"}, count=500)
    desk.pass_s(0.1)
    assert len(desk.desk.linear.trades) == 100
    desk.pass_s(10)
    assert len(desk.acts("trade_storm")) == 500


async def test_order_with_an_id_such_as_ours_that_we_never_made(desk: FaultDesk) -> None:
    desk.set("foreign_order", prefix="h9-abcd-", match={"symbol": "BTCUSDT"})
    (name,) = await desk.listed()
    assert name.startswith("h9-abcd-")
