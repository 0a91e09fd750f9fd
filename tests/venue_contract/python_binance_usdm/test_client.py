# SPDX-License-Identifier: Apache-2.0
"""python-binance's synchronous client, unmodified but for its URLs, trades USD-M futures on the
twin.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException

from binance_waiting import PATIENCE_S, WINDOW_MS, new_id
from usdm_flat import BTC, ETH, flatten, near
from venue_contract.twin_process import TwinProcess, wait_until


def client_of(twin: TwinProcess, key: str, secret: str) -> Client:
    class Local(Client):
        REQUEST_TIMEOUT, REQUEST_RECVWINDOW = PATIENCE_S, WINDOW_MS
        API_URL = f"{twin.rest_url}/api"
        FUTURES_URL = f"{twin.rest_url}/fapi"
        FUTURES_DATA_URL = f"{twin.rest_url}/futures/data"

    return Local(key, secret)


@pytest.fixture(scope="module")
def client(binance: TwinProcess) -> Iterator[Client]:
    client = client_of(binance, binance.main.key, binance.main.secret)
    yield client
    client.close_connection()


@pytest.fixture(autouse=True)
def flat(binance: TwinProcess) -> Iterator[None]:
    yield
    flatten(binance)


@pytest.fixture
def price(client: Client) -> float:
    return float(client.futures_symbol_ticker(symbol=BTC)["price"])


def refused(call: Any, **params: Any) -> int:
    with pytest.raises(BinanceAPIException) as caught:
        call(**params)
    return int(caught.value.code)


def resting(client: Client, price: float, **params: Any) -> dict[str, Any]:
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    terms |= {"price": near(price, 0.9), **params}
    return dict(client.futures_create_order(symbol=BTC, **terms))


def market(client: Client, side: str, quantity: str = "0.010", **params: Any) -> dict[str, Any]:
    terms = {"type": "MARKET", "newOrderRespType": "RESULT", **params}
    return dict(client.futures_create_order(symbol=BTC, side=side, quantity=quantity, **terms))


def test_rules_and_time(client: Client) -> None:
    assert client.futures_ping() == {}
    assert client.futures_time()["serverTime"] > 1_600_000_000_000
    symbols = {row["symbol"]: row for row in client.futures_exchange_info()["symbols"]}
    filters = {row["filterType"]: row for row in symbols[BTC]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.10"
    assert filters["MIN_NOTIONAL"]["notional"] == "100"
    assert symbols[BTC]["contractType"] == "PERPETUAL"


def test_books_tickers_and_trades_agree(client: Client) -> None:
    book = client.futures_order_book(symbol=BTC, limit=5)
    touch = client.futures_orderbook_ticker(symbol=BTC)
    assert len(book["bids"]) == 5
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert abs(float(touch["bidPrice"]) / float(book["bids"][0][0]) - 1) < 0.01
    wait_until(lambda: len(client.futures_recent_trades(symbol=BTC)) > 2, "trades")
    trades = client.futures_recent_trades(symbol=BTC, limit=3)
    assert [t["id"] for t in trades] == sorted(t["id"] for t in trades)
    first = client.futures_aggregate_trades(symbol=BTC, fromId=trades[0]["id"], limit=1)[0]
    assert first["p"] == trades[0]["price"]
    assert client.futures_ticker(symbol=BTC)["symbol"] == BTC
    assert len(client.futures_ticker()) == 2


def test_candles_of_every_price_share_their_times(client: Client) -> None:
    terms = {"interval": "15m", "limit": 20}
    rows = client.futures_klines(symbol=BTC, **terms)
    starts = [row[0] for row in rows]
    assert {b - a for a, b in itertools.pairwise(starts)} == {900_000}
    pair = {"pair": BTC, "contractType": "PERPETUAL", **terms}
    assert [row[0] for row in client.futures_continuous_klines(**pair)] == starts
    marks = client.futures_mark_price_klines(symbol=BTC, **terms)
    assert [row[0] for row in marks] == starts
    assert {row[5] for row in marks} == {"0"}
    indexes = client.futures_index_price_klines(pair=BTC, **terms)
    assert [row[0] for row in indexes] == starts


def test_the_clients_own_paging_finds_no_hole(client: Client) -> None:
    rows = client.futures_historical_klines(BTC, "15m", "20 days ago UTC", limit=None)
    assert len(rows) > 1_900, "two pages"
    assert {b[0] - a[0] for a, b in itertools.pairwise(rows)} == {900_000}


def test_funding_is_oldest_first_and_mark_price_shows_the_next(client: Client) -> None:
    rates = client.futures_funding_rate(symbol=BTC, limit=10)
    times = [row["fundingTime"] for row in rates]
    assert times == sorted(times)
    mark = client.futures_mark_price(symbol=BTC)
    assert mark["nextFundingTime"] - times[-1] == 8 * 3_600_000
    assert client.futures_open_interest(symbol=BTC)["symbol"] == BTC


def test_a_limit_order_lives_from_placing_to_cancelling(client: Client, price: float) -> None:
    own = new_id()
    order = resting(client, price, newClientOrderId=own)
    assert (order["status"], order["clientOrderId"]) == ("NEW", own)
    assert client.futures_get_order(symbol=BTC, origClientOrderId=own)["price"] == order["price"]
    changed = client.futures_modify_order(
        symbol=BTC, orderId=order["orderId"], side="BUY", quantity="0.020", price=order["price"]
    )
    assert changed["origQty"] == "0.020"
    assert [o["orderId"] for o in client.futures_get_open_orders(symbol=BTC)] == [order["orderId"]]
    assert client.futures_cancel_order(symbol=BTC, orderId=order["orderId"])["status"] == "CANCELED"
    found = client.futures_get_all_orders(symbol=BTC, orderId=order["orderId"], limit=1)
    assert found[0]["status"] == "CANCELED"


def test_a_position_opens_earns_and_closes(client: Client, binance: TwinProcess) -> None:
    bought = market(client, "BUY", "0.100")
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.100")
    (row,) = client.futures_position_information(symbol=BTC)
    assert (row["positionAmt"], row["entryPrice"]) == ("0.100", bought["avgPrice"])
    assert market(client, "SELL", "0.100", reduceOnly="true")["status"] == "FILLED"
    assert client.futures_position_information(symbol=BTC) == []
    fills = client.futures_account_trades(symbol=BTC, orderId=bought["orderId"])
    paid = sum(Decimal(fill["commission"]) for fill in fills)
    value = sum(Decimal(fill["quoteQty"]) for fill in fills)
    assert paid == value * Decimal("0.0005")
    income = client.futures_income_history(symbol=BTC, incomeType="COMMISSION")
    assert Decimal(income[-1]["income"]) < 0


def test_balances_and_accounts_add_up(client: Client) -> None:
    market(client, "BUY", "0.100")
    account = client.futures_account()
    names = ("totalMarginBalance", "totalWalletBalance", "totalUnrealizedProfit")
    whole, wallet, profit = (Decimal(account[name]) for name in names)
    assert whole == wallet + profit
    assert {p["symbol"]: p["positionAmt"] for p in account["positions"]} == {
        BTC: "0.100",
        ETH: "0.000",
    }
    assert [p["symbol"] for p in client.futures_account(version=3)["positions"]] == [BTC]
    (balance,) = client.futures_account_balance()
    assert Decimal(balance["balance"]) == wallet


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"factor": 1.2}, -4016),
        ({"price": "59000.05"}, -4014),
        ({"price": "59000.001"}, -1111),
        ({"quantity": "0.001"}, -4164),
        ({"quantity": "900"}, -2019),
        ({"quantity": "0"}, -4003),
        ({"timeInForce": "GTX", "factor": 1.02}, -5022),
        ({"timeInForce": "FOK"}, -5021),
        ({"side": "SELL", "factor": 1.02, "reduceOnly": "true"}, -2022),
        ({"positionSide": "LONG"}, -4061),
        ({"newClientOrderId": "x" * 37}, -4015),
    ],
)
def test_refusals_have_their_codes(
    client: Client, price: float, change: dict[str, Any], code: int
) -> None:
    factor = change.pop("factor", 0.9)
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    terms |= {"price": near(price, factor), **change}
    assert refused(client.futures_create_order, symbol=BTC, **terms) == code


def test_unknown_orders_and_wrong_keys_are_refused(client: Client, binance: TwinProcess) -> None:
    assert refused(client.futures_get_order, symbol=BTC, orderId=1) == -2013
    assert refused(client.futures_cancel_order, symbol=BTC, orderId=1) == -2011
    wrong = client_of(binance, binance.main.key, "wrong")
    assert refused(wrong.futures_account_balance) == -1022
    reader = client_of(binance, binance.readonly.key, binance.readonly.secret)
    assert len(reader.futures_account_balance()) == 1
    assert refused(reader.futures_change_leverage, symbol=BTC, leverage=5) == -2015


def test_batches_answer_leg_by_leg(client: Client, price: float) -> None:
    leg = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    legs = [{**leg, "quantity": "0.01", "price": p} for p in (near(price, 0.9), "59000.05")]
    placed, failed = client.futures_place_batch_order(batchOrders=legs)
    assert (placed["status"], failed["code"]) == ("NEW", -4014)
    gone = client.futures_cancel_orders(symbol=BTC, orderidlist=[placed["orderId"]])
    assert gone[0]["status"] == "CANCELED"


def test_stops_take_the_algo_path_by_themselves(
    client: Client, price: float, binance: TwinProcess
) -> None:
    """The client sends conditional types to the algo service without being asked."""
    market(client, "BUY")
    stop = client.futures_create_order(
        symbol=BTC, side="SELL", type="STOP_MARKET", triggerPrice=near(price, 0.99), quantity="0.01"
    )
    assert stop["algoStatus"] == "NEW"
    waiting = client.futures_get_open_orders(symbol=BTC, conditional=True)
    assert [row["algoId"] for row in waiting] == [stop["algoId"]]
    binance.control.post("price", symbol=BTC, move_fraction="-0.02")

    def fired() -> Any:
        found = client.futures_get_order(symbol=BTC, algoId=stop["algoId"], conditional=True)
        return found if found["algoStatus"] == "FINISHED" else None

    order = client.futures_get_order(
        symbol=BTC, orderId=wait_until(fired, "the stop fires")["actualOrderId"]
    )
    assert (order["status"], order["type"]) == ("FILLED", "MARKET")


def test_a_waiting_trailing_stop_is_cancelled(client: Client) -> None:
    stop = client.futures_create_order(
        symbol=BTC, side="SELL", type="TRAILING_STOP_MARKET", callbackRate="1", quantity="0.01"
    )
    assert stop["callbackRate"] == "1"
    client.futures_cancel_order(symbol=BTC, algoId=stop["algoId"], conditional=True)
    assert client.futures_get_open_orders(symbol=BTC, conditional=True) == []


def test_settings_of_a_symbol(client: Client) -> None:
    assert client.futures_change_leverage(symbol=BTC, leverage=33)["leverage"] == 33
    assert refused(client.futures_change_leverage, symbol=BTC, leverage=500) == -4028
    assert refused(client.futures_change_margin_type, symbol=BTC, marginType="CROSSED") == -4046
    assert client.futures_change_margin_type(symbol=BTC, marginType="ISOLATED")["code"] == 200
    (bracket,) = client.futures_leverage_bracket(symbol=BTC)
    assert bracket["brackets"][0]["initialLeverage"] == 125
    assert client.futures_commission_rate(symbol=BTC)["takerCommissionRate"] == "0.000500"
    assert client.futures_get_multi_assets_mode() == {"multiAssetsMargin": False}


def test_hedge_mode_holds_two_legs(client: Client) -> None:
    client.futures_change_position_mode(dualSidePosition="true")
    assert client.futures_get_position_mode() == {"dualSidePosition": True}
    assert refused(client.futures_change_position_mode, dualSidePosition="true") == -4059
    market(client, "BUY", "0.020", positionSide="LONG")
    market(client, "SELL", "0.010", positionSide="SHORT")
    sizes = {p["positionSide"]: p["positionAmt"] for p in client.futures_position_information()}
    assert sizes == {"LONG": "0.020", "SHORT": "-0.010"}
    assert refused(client.futures_change_position_mode, dualSidePosition="false") == -4068


def test_a_countdown_cancels_by_itself(client: Client, price: float) -> None:
    resting(client, price)
    answer = client.futures_countdown_cancel_all(symbol=BTC, countdownTime=200)
    assert answer["countdownTime"] == "200"
    wait_until(lambda: not client.futures_get_open_orders(symbol=BTC), "the countdown ends")


def test_used_weight_is_told(client: Client) -> None:
    client.futures_order_book(symbol=BTC, limit=1000)
    used = int(client.response.headers["X-MBX-USED-WEIGHT-1M"])
    client.futures_order_book(symbol=BTC, limit=1000)
    assert int(client.response.headers["X-MBX-USED-WEIGHT-1M"]) in (used + 20, 20)
