# SPDX-License-Identifier: Apache-2.0
"""pybit's HTTP client, unmodified but for its URL, trades on the twin."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server
BTC = {"category": "linear", "symbol": "BTCUSDT"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
ETH = {"category": "linear", "symbol": "ETHUSDT"}
D = Decimal
TAKER = D("0.00055")


def client_of(twin: TwinProcess, key: str | None = None, secret: str | None = None) -> HTTP:
    client = HTTP(api_key=key or twin.main.key, api_secret=secret or twin.main.secret)
    client.endpoint = twin.rest_url
    return client


@pytest.fixture(scope="module")
def client(bybit: TwinProcess) -> HTTP:
    return client_of(bybit)


@pytest.fixture(autouse=True)
def nothing_left(client: HTTP) -> Iterator[None]:
    """Every test starts flat, in one-way mode, without orders."""
    for row in (BTC, SPOT, ETH):
        client.cancel_all_orders(**row)
    for row in client.get_positions(category="linear", settleCoin="USDT")["result"]["list"]:
        side = "Sell" if row["side"] == "Buy" else "Buy"
        client.place_order(
            category="linear",
            symbol=row["symbol"],
            side=side,
            orderType="Market",
            qty="0",
            reduceOnly=True,
            closeOnTrigger=True,
            positionIdx=row["positionIdx"],
        )
    client.switch_position_mode(category="linear", coin="USDT", mode=0)
    yield


def new_id() -> str:
    return f"t-{uuid.uuid4().hex[:20]}"


def price_near(client: HTTP, factor: float, row: dict[str, str] = BTC) -> str:
    last = client.get_tickers(**row)["result"]["list"][0]["lastPrice"]
    return f"{float(last) * factor:.1f}"


def code(call: Callable[..., Any], **params: Any) -> int:
    with pytest.raises(InvalidRequestError) as caught:
        call(**params)
    found: int = caught.value.status_code
    return found


def rows(answer: Any) -> list[Any]:
    found: list[Any] = answer["result"]["list"]
    return found


def order_of(client: HTTP, number: str, row: dict[str, str] = BTC) -> Any:
    return rows(client.get_open_orders(**row, orderId=number))[0]


def resting(client: HTTP, factor: float = 0.97, **more: Any) -> str:
    """A limit order to buy some way below the market."""
    fields = {"side": "Buy", "orderType": "Limit", "qty": "0.01", **BTC, **more}
    placed = client.place_order(price=price_near(client, factor), **fields)
    number: str = placed["result"]["orderId"]
    return number


def bought(client: HTTP, quantity: str = "0.05", **more: Any) -> str:
    """A position bought at the market."""
    fields = {"side": "Buy", "orderType": "Market", "qty": quantity, **BTC, **more}
    number: str = client.place_order(**fields)["result"]["orderId"]
    return number


def position(client: HTTP, index: int = 0) -> Any:
    found = rows(client.get_positions(**BTC))
    return next(row for row in found if row["positionIdx"] == index)


# --- markets


def test_the_clock_is_told_in_seconds_and_nanoseconds(client: HTTP) -> None:
    result = client.get_server_time()["result"]
    assert result["timeNano"].startswith(result["timeSecond"])


def test_instruments_carry_the_steps_that_orders_obey(client: HTTP) -> None:
    linear = rows(client.get_instruments_info(**BTC))[0]
    assert (linear["contractType"], linear["status"]) == ("LinearPerpetual", "Trading")
    assert D(linear["priceFilter"]["tickSize"]) == D("0.1")
    assert D(linear["lotSizeFilter"]["qtyStep"]) == D("0.001")
    spot = rows(client.get_instruments_info(**SPOT))[0]
    assert D(spot["lotSizeFilter"]["basePrecision"]) == D("0.000001")
    assert rows(client.get_instruments_info(category="inverse")) == []
    assert rows(client.get_instruments_info(category="option", baseCoin="BTC")) == []


def test_the_book_has_the_depth_asked_for_best_first(client: HTTP) -> None:
    for row, depth in ((BTC, 50), (SPOT, 200)):
        book = client.get_orderbook(**row, limit=depth)["result"]
        bids, asks = ([D(level[0]) for level in book[side]] for side in "ba")
        assert (len(bids), len(asks)) == (depth, depth)
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
    assert len(client.get_orderbook(**BTC)["result"]["b"]) == 25
    assert len(client.get_orderbook(**SPOT)["result"]["b"]) == 1


def test_a_week_of_candles_can_be_paged_backwards_without_a_hole(client: HTTP) -> None:
    end, starts = None, []
    for _ in range(3):
        page = rows(client.get_kline(**BTC, interval="1", limit=1000, end=end))
        assert len(page) == 1000
        assert all(float(r[3]) <= float(r[1]) <= float(r[2]) for r in page)
        starts += [int(row[0]) for row in page]
        end = starts[-1] - 1
    steps = {newer - older for newer, older in itertools.pairwise(starts)}
    assert steps == {60_000}


def test_longer_candles_and_the_other_price_kinds_exist(client: HTTP) -> None:
    hours = rows(client.get_kline(**BTC, interval="60", limit=3))
    assert int(hours[0][0]) % 3_600_000 == 0
    day = rows(client.get_kline(**BTC, interval="D", limit=2))[0]
    assert int(day[0]) % 86_400_000 == 0
    for call in (
        client.get_mark_price_kline,
        client.get_index_price_kline,
        client.get_premium_index_price_kline,
    ):
        assert [len(row) for row in rows(call(**BTC, interval="5", limit=2))] == [5, 5]


def test_tickers_of_everything_and_of_one(client: HTTP) -> None:
    names = {row["symbol"] for row in rows(client.get_tickers(category="linear"))}
    assert {"BTCUSDT", "ETHUSDT"} <= names
    ticker = rows(client.get_tickers(**BTC))[0]
    assert D(ticker["bid1Price"]) < D(ticker["ask1Price"])
    assert abs(D(ticker["markPrice"]) / D(ticker["lastPrice"]) - 1) < D("0.01")
    assert "fundingRate" not in rows(client.get_tickers(**SPOT))[0]


def test_trades_funding_interest_limits_and_tiers_can_be_read(client: HTTP) -> None:
    wait_until(lambda: rows(client.get_public_trade_history(**BTC, limit=5)), "a public trade")
    funding = rows(client.get_funding_rate_history(**BTC, limit=5))
    times = [int(row["fundingRateTimestamp"]) for row in funding]
    assert [a - b for a, b in itertools.pairwise(times)] == [8 * 3_600_000] * 4
    assert code(client.get_funding_rate_history, **BTC, startTime=times[0]) == 10001
    interest = rows(client.get_open_interest(**BTC, intervalTime="1h", limit=3))
    assert len(interest) == 3
    tiers = rows(client.get_risk_limit(**BTC))
    assert [row["isLowestRisk"] for row in tiers] == [1] + [0] * (len(tiers) - 1)
    limits = client.get_price_limit(**BTC)["result"]
    assert D(limits["sellLmt"]) < D(limits["buyLmt"])


def test_what_is_not_listed_is_refused(client: HTTP) -> None:
    assert code(client.get_orderbook, category="linear", symbol="NOPEUSDT") == 10001
    assert code(client.get_kline, **BTC, interval="7") == 10001
    assert code(client.get_tickers, category="futures", symbol="BTCUSDT") == 10001


# --- orders


def test_a_limit_order_rests_is_amended_and_cancelled(client: HTTP) -> None:
    link = new_id()
    number = resting(client, orderLinkId=link)
    order = order_of(client, number)
    assert (order["orderStatus"], order["timeInForce"], order["avgPrice"]) == ("New", "GTC", "")
    lower = price_near(client, 0.96)
    client.amend_order(**BTC, orderLinkId=link, price=lower, qty="0.02")
    order = order_of(client, number)
    assert (D(order["price"]), D(order["qty"])) == (D(lower), D("0.02"))
    assert client.cancel_order(**BTC, orderLinkId=link)["result"]["orderId"] == number
    closed = rows(client.get_order_history(**BTC, orderId=number))[0]
    assert (closed["orderStatus"], closed["cancelType"]) == ("Cancelled", "CancelByUser")
    assert closed["leavesQty"] == "0"


def test_a_market_order_fills_pays_the_taker_fee_and_opens_a_position(client: HTTP) -> None:
    number = bought(client)
    order = order_of(client, number)
    assert (order["orderStatus"], order["timeInForce"]) == ("Filled", "IOC")
    fills = rows(client.get_executions(**BTC, orderId=number))
    value = sum(D(fill["execValue"]) for fill in fills)
    fees = sum(D(fill["execFee"]) for fill in fills)
    assert fees == (value * TAKER).quantize(D("1e-8"))
    assert sum(D(fill["execQty"]) for fill in fills) == D("0.05")
    held = position(client)
    assert (held["side"], D(held["size"])) == ("Buy", D("0.05"))
    assert abs(D(held["avgPrice"]) - value / D("0.05")) < D("0.0001")


@pytest.mark.parametrize(
    ("life", "factor", "status", "reason"),
    [
        ("IOC", 0.99, "Cancelled", "EC_NoImmediateQtyToFill"),
        ("FOK", 0.99, "Cancelled", "EC_CancelForNoFullFill"),
        ("PostOnly", 1.01, "Cancelled", "EC_PostOnlyWillTakeLiquidity"),
        ("PostOnly", 0.99, "New", "EC_NoError"),
        ("IOC", 1.01, "Filled", "EC_NoError"),
        ("FOK", 1.01, "Filled", "EC_NoError"),
    ],
)
def test_each_time_in_force_ends_as_it_must(
    client: HTTP, life: str, factor: float, status: str, reason: str
) -> None:
    number = resting(client, factor, timeInForce=life)
    order = order_of(client, number)
    assert (order["orderStatus"], order["rejectReason"]) == (status, reason)


def test_reduce_only_closes_and_never_opens(client: HTTP) -> None:
    market = {**BTC, "orderType": "Market", "reduceOnly": True}
    assert code(client.place_order, **market, side="Sell", qty="0.01") == 110017
    bought(client)
    assert code(client.place_order, **market, side="Buy", qty="0.01") == 110017
    client.place_order(**market, side="Sell", qty="0.2")
    assert D(position(client)["size"]) == 0


def test_a_conditional_order_waits_for_its_price(client: HTTP) -> None:
    stop = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.01"}
    above, below = price_near(client, 1.03), price_near(client, 0.97)
    placed = client.place_order(**stop, triggerPrice=above, triggerDirection=1)
    number = placed["result"]["orderId"]
    order = order_of(client, number)
    assert (order["orderStatus"], order["stopOrderType"]) == ("Untriggered", "Stop")
    client.amend_order(**BTC, orderId=number, triggerPrice=price_near(client, 1.04))
    client.cancel_order(**BTC, orderId=number)
    assert order_of(client, number)["orderStatus"] == "Cancelled"
    assert code(client.place_order, **stop, triggerPrice=below, triggerDirection=1) == 110092
    assert code(client.place_order, **stop, triggerPrice=above, triggerDirection=2) == 110093


def test_exits_come_with_an_order_and_go_with_the_position(client: HTTP) -> None:
    high, low = price_near(client, 1.04), price_near(client, 0.96)
    bought(client, takeProfit=high, stopLoss=low)
    held = position(client)
    assert (D(held["takeProfit"]), D(held["stopLoss"])) == (D(high), D(low))
    kinds = {row["stopOrderType"] for row in rows(client.get_open_orders(**BTC))}
    assert kinds == {"TakeProfit", "StopLoss"}
    bought(client, side="Sell", reduceOnly=True)
    assert rows(client.get_open_orders(**BTC)) == []
    assert position(client)["takeProfit"] == ""


def test_trading_stop_sets_changes_and_removes(client: HTTP) -> None:
    stop = {**BTC, "tpslMode": "Full", "positionIdx": 0}
    low, lower = price_near(client, 0.97), price_near(client, 0.96)
    assert code(client.set_trading_stop, **stop, stopLoss=low) == 10001
    bought(client)
    client.set_trading_stop(**stop, stopLoss=low)
    assert code(client.set_trading_stop, **stop, stopLoss=low) == 34040
    client.set_trading_stop(**stop, stopLoss=lower, trailingStop="500")
    assert D(position(client)["stopLoss"]) == D(lower)
    assert D(position(client)["trailingStop"]) == 500
    client.set_trading_stop(**stop, stopLoss="0", trailingStop="0")
    assert rows(client.get_open_orders(**BTC)) == []


def test_batches_answer_for_each_order(client: HTTP) -> None:
    price = price_near(client, 0.97)
    leg = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": price}
    legs = [{**leg, "qty": "0.01"}, {**leg, "qty": "0.0001"}, {**leg, "qty": "0.02"}]
    answer = client.place_batch_order(category="linear", request=legs)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001, 0]
    ids = [row["orderId"] for row in rows(answer)]
    assert (ids[1], all((ids[0], ids[2]))) == ("", True)
    named = [{"symbol": "BTCUSDT", "orderId": number} for number in (ids[0], ids[2], "nobody")]
    answer = client.amend_batch_order(
        category="linear", request=[{**row, "qty": "0.03"} for row in named]
    )
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 0, 110001]
    answer = client.cancel_batch_order(category="linear", request=named)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 0, 110001]


def test_cancel_all_takes_what_its_filter_names(client: HTTP) -> None:
    plain = resting(client)
    waiting = client.place_order(
        **BTC,
        side="Buy",
        orderType="Market",
        qty="0.01",
        triggerPrice=price_near(client, 1.03),
        triggerDirection=1,
    )["result"]["orderId"]
    gone = client.cancel_all_orders(category="linear", settleCoin="USDT", orderFilter="StopOrder")
    assert [row["orderId"] for row in rows(gone)] == [waiting]
    assert [row["orderId"] for row in rows(client.cancel_all_orders(**BTC))] == [plain]
    assert code(client.cancel_all_orders, category="linear") == 10001


def test_a_client_id_is_used_once_for_ever(client: HTTP) -> None:
    link = new_id()
    resting(client, orderLinkId=link)
    client.cancel_order(**BTC, orderLinkId=link)
    again = {"side": "Buy", "orderType": "Market", "orderLinkId": link}
    assert code(client.place_order, **BTC, **again, qty="0.01") == 110072
    assert code(client.place_order, **SPOT, **again, qty="100") == 170141


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0.0015"}, 10001),
        ({"qty": "1000000"}, 10001),
        ({"price": "1.05"}, 10001),
        ({"side": "Sell", "price": "40000"}, 110003),
        ({"price": "999999"}, 110003),
        ({"qty": "100"}, 110007),
        ({"side": "Up"}, 10001),
        ({"orderType": "Iceberg"}, 10001),
        ({"timeInForce": "GTD"}, 10001),
        ({"symbol": "NOPEUSDT"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
    ],
    ids=str,
)
def test_a_contract_order_that_breaks_a_rule_has_its_code(
    client: HTTP, fields: dict[str, Any], expected: int
) -> None:
    price = price_near(client, 0.97)
    order = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    assert code(client.place_order, **{**order, **fields}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty": "0.0000015"}, 170137),
        ({"price": "59000.123"}, 170134),
        ({"qty": "0.00001"}, 170140),
        ({"qty": "4"}, 170131),
        ({"side": "Up"}, 170117),
        ({"orderType": "Iceberg"}, 170116),
        ({"timeInForce": "GTD"}, 170115),
        ({"symbol": "NOPEUSDT"}, 170121),
        ({"price": None}, 170105),
    ],
    ids=str,
)
def test_a_spot_order_that_breaks_a_rule_has_its_code(
    client: HTTP, fields: dict[str, Any], expected: int
) -> None:
    price = price_near(client, 0.97, SPOT)
    order = {**SPOT, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    assert code(client.place_order, **{**order, **fields}) == expected


def test_finished_and_unknown_orders_cannot_be_touched(client: HTTP) -> None:
    filled = bought(client)
    assert code(client.cancel_order, **BTC, orderId=filled) == 110008
    gone = resting(client)
    client.cancel_order(**BTC, orderId=gone)
    assert code(client.cancel_order, **BTC, orderId=gone) == 110010
    assert code(client.amend_order, **BTC, orderId="nobody", qty="0.1") == 110001
    assert code(client.cancel_order, **SPOT, orderId="nobody") == 170213


# --- spot


def test_spot_market_orders_count_in_coins_or_in_money(client: HTTP) -> None:
    spend = client.place_order(**SPOT, side="Buy", orderType="Market", qty="600")
    order = order_of(client, spend["result"]["orderId"], SPOT)
    assert (order["orderStatus"], order["marketUnit"]) == ("Filled", "quoteCoin")
    assert D("590") < D(order["cumExecValue"]) <= 600
    coins = client.place_order(
        **SPOT, side="Buy", orderType="Market", qty="0.01", marketUnit="baseCoin"
    )
    order = order_of(client, coins["result"]["orderId"], SPOT)
    assert D(order["cumExecQty"]) == D("0.01")
    fill = rows(client.get_executions(**SPOT, orderId=coins["result"]["orderId"]))[0]
    assert (fill["feeCurrency"], D(fill["execFee"])) == ("BTC", D(fill["execQty"]) * D("0.001"))
    sold = client.place_order(**SPOT, side="Sell", orderType="Market", qty="0.01")
    fill = rows(client.get_executions(**SPOT, orderId=sold["result"]["orderId"]))[0]
    assert fill["feeCurrency"] == "USDT"


def test_a_resting_spot_order_locks_its_money(client: HTTP) -> None:
    def locked() -> Decimal:
        wallet = rows(client.get_wallet_balance(accountType="UNIFIED", coin="USDT"))[0]
        return D(wallet["coin"][0]["locked"])

    before = locked()
    price = price_near(client, 0.97, SPOT)
    placed = client.place_order(**SPOT, side="Buy", orderType="Limit", qty="0.01", price=price)
    assert locked() == before + D("0.01") * D(price)
    client.cancel_order(**SPOT, orderId=placed["result"]["orderId"])
    assert locked() == before


# --- positions and account


def test_leverage_is_set_once_and_within_its_tier(client: HTTP) -> None:
    now = int(position(client)["leverage"])
    other = str(now % 20 + 1)
    client.set_leverage(**BTC, buyLeverage=other, sellLeverage=other)
    assert position(client)["leverage"] == other
    same = {"buyLeverage": other, "sellLeverage": other}
    assert code(client.set_leverage, **BTC, **same) == 110043
    assert code(client.set_leverage, **BTC, buyLeverage="101", sellLeverage="101") == 110013
    assert code(client.set_leverage, **BTC, buyLeverage="3", sellLeverage="4") == 10001


def test_hedge_mode_has_two_legs_and_is_not_left_with_one_open(client: HTTP) -> None:
    mode = client.switch_position_mode
    assert code(mode, **BTC, mode=0) == 110025
    mode(**BTC, mode=3)
    assert [row["positionIdx"] for row in rows(client.get_positions(**BTC))] == [1, 2]
    assert code(client.place_order, **BTC, side="Buy", orderType="Market", qty="0.01") == 10001
    bought(client, "0.02", positionIdx=1)
    bought(client, "0.01", side="Sell", positionIdx=2)
    sizes = [position(client, index)["size"] for index in (1, 2)]
    assert sizes == ["0.02", "0.01"]
    assert code(mode, **BTC, mode=0) == 110024
    bought(client, "0.02", side="Sell", positionIdx=1)
    bought(client, "0.01", positionIdx=2)
    resting(client, positionIdx=1)
    assert code(mode, **BTC, mode=0) == 110028


def test_switching_by_coin_takes_what_it_can_and_never_fails(client: HTTP) -> None:
    bought(client)
    mode = {"category": "linear", "coin": "USDT"}
    for number in (3, 3, 0):
        client.switch_position_mode(**mode, mode=number)
    client.switch_position_mode(**mode, mode=3)
    assert [row["positionIdx"] for row in rows(client.get_positions(**BTC))] == [0]
    assert [row["positionIdx"] for row in rows(client.get_positions(**ETH))] == [1, 2]


def test_closed_profit_and_the_log_add_up_to_the_wallet(client: HTTP) -> None:
    def balance() -> Decimal:
        wallet = rows(client.get_wallet_balance(accountType="UNIFIED", coin="USDT"))[0]
        return D(wallet["coin"][0]["walletBalance"])

    before = balance()
    bought(client)
    closing = bought(client, side="Sell", reduceOnly=True)
    row = rows(client.get_closed_pnl(**BTC, limit=1))[0]
    assert row["orderId"] == closing
    assert abs(balance() - before - D(row["closedPnl"])) < D("1e-6")
    assert D(row["openFee"]) > 0
    log = rows(client.get_transaction_log(accountType="UNIFIED", currency="USDT", limit=50))
    assert D(log[0]["cashBalance"]) == balance()
    for line in log[:5]:
        change = D(line["cashFlow"]) + D(line["funding"] or 0) - D(line["fee"])
        assert D(line["change"]) == change


def test_account_and_key_are_described(client: HTTP, bybit: TwinProcess) -> None:
    info = client.get_account_info()["result"]
    assert (info["unifiedMarginStatus"], info["marginMode"]) == (5, "REGULAR_MARGIN")
    key = client.get_api_key_information()["result"]
    assert (key["apiKey"], key["uta"], key["readOnly"]) == (bybit.main.key, 1, 0)
    fee = rows(client.get_fee_rates(**BTC))[0]
    assert D(fee["takerFeeRate"]) == TAKER
    client.set_margin_mode(setMarginMode="ISOLATED_MARGIN")
    assert client.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    client.set_margin_mode(setMarginMode="REGULAR_MARGIN")
    client.set_dcp(timeWindow=40)
    assert client.get_account_info()["result"]["dcpStatus"] == "ON"


def test_history_is_paged_with_cursors_that_survive_signing(client: HTTP) -> None:
    for _ in range(7):
        number = resting(client)
        client.cancel_order(**BTC, orderId=number)
        bought(client, "0.001")
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = client.get_executions(**BTC, limit=2, cursor=cursor)["result"]
        seen += [row["execId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
    assert len(set(seen)) == 8
    orders: list[str] = []
    cursor = ""
    for _ in range(3):
        page = client.get_order_history(**BTC, limit=4, cursor=cursor)["result"]
        orders += [row["orderId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
    assert len(set(orders)) == 12


def test_the_second_account_sees_nothing_of_the_first(client: HTTP, bybit: TwinProcess) -> None:
    number = resting(client)
    other = client_of(bybit, bybit.second.key, bybit.second.secret)
    assert rows(other.get_open_orders(**BTC, orderId=number)) == []
    assert code(other.cancel_order, **BTC, orderId=number) == 110001


def test_wrong_keys_and_clocks_are_told_apart(bybit: TwinProcess) -> None:
    wrong = client_of(bybit, secret="not-the-secret")
    assert code(wrong.get_account_info) == 10004
    stranger = client_of(bybit, key="Nobody")
    assert code(stranger.get_account_info) == 10003
    late = client_of(bybit)
    late.recv_window, late.max_retries = 0, 1
    with pytest.raises(FailedRequestError):
        late.get_account_info()
