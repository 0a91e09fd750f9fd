# SPDX-License-Identifier: Apache-2.0
"""pybit's WebSocket clients, unmodified but for their URLs: public streams, private streams, orders
over a socket.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pybit._websocket_trading
import pybit.unified_trading
import pytest
from pybit.unified_trading import HTTP, WebSocket, WebSocketTrading

from venue_contract.pybit.calls import WINDOW_MS, client_of, new_id
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server
BTC = {"category": "linear", "symbol": "BTCUSDT"}
D = Decimal
Open = Callable[..., Any]


@pytest.fixture
def sockets(bybit: TwinProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens pybit's sockets at the twin and closes them afterwards."""
    base = bybit.ws_base
    public = f"{base}/v5/public/{{CHANNEL_TYPE}}"
    monkeypatch.setattr(pybit.unified_trading, "PUBLIC_WSS", public)
    monkeypatch.setattr(pybit.unified_trading, "PRIVATE_WSS", f"{base}/v5/private")
    monkeypatch.setattr(pybit._websocket_trading, "TRADE_WSS", f"{base}/v5/trade")
    found: list[Any] = []

    def open_(kind: str) -> Any:
        keys = {"testnet": False, "api_key": bybit.main.key, "api_secret": bybit.main.secret}
        keys["private_auth_expire"] = WINDOW_MS // 1_000  # its own is a second
        if kind == "trade":
            socket: Any = WebSocketTrading(recv_window=WINDOW_MS, **keys)
        elif kind == "private":
            socket = WebSocket("private", **keys)
        else:
            socket = WebSocket(kind, testnet=False)
        found.append(socket)
        return socket

    yield open_
    for socket in found:
        socket.exit()


@pytest.fixture
def client(bybit: TwinProcess) -> Iterator[HTTP]:
    client = client_of(bybit)
    yield client
    for row in (BTC, {**BTC, "category": "spot"}):
        client.cancel_all_orders(**row)
    held = client.get_positions(**BTC)["result"]["list"][0]
    if held["side"]:
        side = "Sell" if held["side"] == "Buy" else "Buy"
        market(client, side, held["size"], reduceOnly=True)


def market(client: HTTP, side: str, quantity: str, **more: Any) -> str:
    placed = client.place_order(**BTC, side=side, orderType="Market", qty=quantity, **more)
    number: str = placed["result"]["orderId"]
    return number


def price_near(client: HTTP, factor: float) -> str:
    last = client.get_tickers(**BTC)["result"]["list"][0]["lastPrice"]
    return f"{float(last) * factor:.1f}"


# --- public


@pytest.mark.parametrize("kind", ["linear", "spot"])
def test_the_streamed_book_is_the_book_of_rest(sockets: Open, client: HTTP, kind: str) -> None:
    """pybit merges the deltas itself; where `u` is the same, both books are the same."""
    books: dict[int, dict[str, Any]] = {}

    def keep(message: Any) -> None:
        data = message["data"]
        books[data["u"]] = {side: sorted(map(tuple, data[side])) for side in "ba"}

    sockets(kind).orderbook_stream(1000, "BTCUSDT", keep)
    wait_until(lambda: books, "a first book")
    for _ in range(3):
        rest = client.get_orderbook(category=kind, symbol="BTCUSDT", limit=1000)["result"]
        wait_until(lambda u=rest["u"]: u in books, "the frame of that moment")
        for side in "ba":
            assert books[rest["u"]][side] == sorted(map(tuple, rest[side]))
    numbers = list(books)
    assert all(b - a == 1 for a, b in itertools.pairwise(numbers)), "no gap in u"


@pytest.mark.parametrize("depth", [50, 200])
def test_a_merged_book_keeps_its_depth_and_never_crosses(sockets: Open, depth: int) -> None:
    seen: list[tuple[int, int, Decimal, Decimal]] = []

    def keep(message: Any) -> None:
        bids, asks = (message["data"][side] for side in "ba")
        best = max(D(p) for p, _ in bids), min(D(p) for p, _ in asks)
        seen.append((len(bids), len(asks), *best))

    sockets("linear").orderbook_stream(depth, "BTCUSDT", keep)
    wait_until(lambda: len(seen) > 20, "twenty books")
    assert {row[:2] for row in seen} == {(depth, depth)}
    assert all(bid < ask for _, _, bid, ask in seen)


def test_the_touch_is_told_as_snapshots(sockets: Open) -> None:
    seen: list[Any] = []
    sockets("spot").orderbook_stream(1, "BTCUSDT", seen.append)
    wait_until(lambda: len(seen) > 5, "five touches")
    assert all(len(m["data"]["b"]) == len(m["data"]["a"]) == 1 for m in seen)


def test_an_own_trade_is_a_public_trade(sockets: Open, client: HTTP) -> None:
    seen: list[Any] = []
    sockets("linear").trade_stream("BTCUSDT", lambda message: seen.extend(message["data"]))
    wait_until(lambda: seen, "a public trade")
    market(client, "Buy", "0.037")
    own = wait_until(lambda: [t for t in seen if t["v"] == "0.037"], "the own trade")[0]
    assert (own["S"], own["s"], own["BT"]) == ("Buy", "BTCUSDT", False)
    assert own["L"].endswith("Tick")
    times = [trade["T"] for trade in seen]
    assert times == sorted(times)


def test_tickers_are_merged_from_a_snapshot_on(sockets: Open) -> None:
    seen: list[Any] = []
    sockets("linear").ticker_stream("BTCUSDT", lambda message: seen.append(dict(message["data"])))
    wait_until(lambda: len(seen) > 5, "five tickers")
    for field in ("lastPrice", "markPrice", "indexPrice", "fundingRate", "nextFundingTime"):
        assert all(row[field] for row in seen)
    spot: list[Any] = []
    sockets("spot").ticker_stream("BTCUSDT", lambda message: spot.append(message["data"]))
    wait_until(lambda: spot, "a spot ticker")
    assert "bid1Price" not in spot[0]


def test_the_running_candle_is_streamed(sockets: Open, client: HTTP) -> None:
    seen: list[Any] = []
    sockets("linear").kline_stream(1, "BTCUSDT", lambda message: seen.extend(message["data"]))
    wait_until(lambda: len(seen) > 1, "two looks at a candle")
    row = seen[0]
    assert row["end"] == row["start"] + 59_999
    rest = client.get_kline(**BTC, interval="1", limit=3)["result"]["list"]
    assert str(row["start"]) in {each[0] for each in rest}


def test_unsubscribing_ends_a_stream(sockets: Open) -> None:
    socket = sockets("linear")
    seen: list[Any] = []
    socket.ticker_stream("BTCUSDT", seen.append)
    wait_until(lambda: seen, "a ticker")
    socket.unsubscribe("tickers.BTCUSDT")
    wait_until(lambda: not socket.subscriptions, "the answer")
    assert socket.is_connected()


# --- private


def test_an_order_is_followed_from_new_to_cancelled(sockets: Open, client: HTTP) -> None:
    seen: list[Any] = []
    sockets("private").order_stream(lambda message: seen.extend(message["data"]))
    link = new_id()

    def mine() -> list[Any]:
        return [row for row in seen if row["orderLinkId"] == link]

    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "orderLinkId": link}
    client.place_order(**BTC, **order, price=price_near(client, 0.97))
    wait_until(lambda: len(mine()) >= 1, "the new order")
    client.amend_order(**BTC, orderLinkId=link, qty="0.02")
    wait_until(lambda: len(mine()) >= 2, "the amendment")
    client.cancel_order(**BTC, orderLinkId=link)
    wait_until(lambda: len(mine()) >= 3, "the end")
    assert [row["orderStatus"] for row in mine()] == ["New", "New", "Cancelled"]
    assert [D(row["qty"]) for row in mine()] == [D("0.01"), D("0.02"), D("0.02")]
    assert mine()[2]["leavesQty"] == "0"


def test_a_fill_is_told_as_order_execution_position_and_wallet(sockets: Open, client: HTTP) -> None:
    socket = sockets("private")
    told: dict[str, list[Any]] = {"order": [], "execution": [], "position": [], "wallet": []}
    socket.order_stream(lambda message: told["order"].extend(message["data"]))
    socket.execution_stream(lambda message: told["execution"].extend(message["data"]))
    socket.position_stream(lambda message: told["position"].extend(message["data"]))
    socket.wallet_stream(lambda message: told["wallet"].extend(message["data"]))
    number = market(client, "Buy", "0.02")
    wait_until(lambda: all(told.values()), "all four")
    wait_until(lambda: told["order"][-1]["orderStatus"] == "Filled", "the fill")

    def filled() -> Decimal:
        mine = (row for row in told["execution"] if row["orderId"] == number)
        return sum((D(row["execQty"]) for row in mine), D(0))

    wait_until(lambda: filled() >= D("0.02"), "all executions")
    assert filled() == D("0.02")
    wait_until(lambda: D(told["position"][-1]["size"]) == D("0.02"), "the position")
    assert told["position"][-1]["side"] == "Buy"
    rest = client.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"][0]
    balance = rest["coin"][0]["walletBalance"]
    wait_until(
        lambda: told["wallet"][-1]["coin"][0]["walletBalance"] == balance, "the same balance"
    )


def test_fast_executions_hide_the_makers_id(sockets: Open, client: HTTP) -> None:
    seen: list[Any] = []
    sockets("private").fast_execution_stream(lambda message: seen.extend(message["data"]))
    link = new_id()
    number = market(client, "Buy", "0.01", orderLinkId=link)
    row = wait_until(lambda: [r for r in seen if r["orderId"] == number], "the execution")[0]
    assert (row["orderLinkId"], row["isMaker"]) == (link, False)
    assert "execFee" not in row


def test_one_product_can_be_listened_to_alone(sockets: Open, client: HTTP) -> None:
    seen: list[Any] = []
    socket = sockets("private")
    socket.subscribe("order.spot", lambda message: seen.extend(message["data"]), symbol="x")
    wait_until(lambda: socket.auth, "the login")
    price = price_near(client, 0.97)
    order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    client.place_order(category="linear", **order, price=price)
    client.place_order(category="spot", **order, price=price)
    wait_until(lambda: seen, "the spot order")
    assert {row["category"] for row in seen} == {"spot"}


# --- orders over a socket


@pytest.fixture
def trade(sockets: Open) -> Any:
    socket = sockets("trade")
    wait_until(lambda: socket.auth, "the login")
    return socket


def test_orders_are_placed_amended_and_cancelled_over_the_socket(trade: Any, client: HTTP) -> None:
    seen: list[Any] = []
    link = new_id()
    price = price_near(client, 0.97)
    order = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "orderLinkId": link}
    trade.place_order(seen.append, **order, price=price)
    wait_until(lambda: len(seen) == 1, "the order taken")
    number = seen[0]["data"]["orderId"]
    trade.amend_order(seen.append, **BTC, orderId=number, qty="0.02")
    wait_until(lambda: len(seen) == 2, "the amendment taken")
    row = client.get_open_orders(**BTC, orderId=number)["result"]["list"][0]
    assert D(row["qty"]) == D("0.02")
    trade.cancel_order(seen.append, **BTC, orderLinkId=link)
    wait_until(lambda: len(seen) == 3, "the cancel taken")
    assert [each["retCode"] for each in seen] == [0, 0, 0]
    assert {"X-Bapi-Limit", "X-Bapi-Limit-Status", "Timenow"} <= seen[0]["header"].keys()


def test_batches_over_the_socket_answer_for_each_order(trade: Any, client: HTTP) -> None:
    seen: list[Any] = []
    price = price_near(client, 0.97)
    leg = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": price}
    legs = [{**leg, "qty": "0.01"}, {**leg, "qty": "0.0001"}]
    trade.place_batch_order(seen.append, category="linear", request=legs)
    wait_until(lambda: seen, "the answer")
    assert [row["code"] for row in seen[0]["retExtInfo"]["list"]] == [0, 10001]
    good = seen[0]["data"]["list"][0]["orderId"]
    cancels = [{"symbol": "BTCUSDT", "orderId": good}]
    trade.cancel_batch_order(seen.append, category="linear", request=cancels)
    wait_until(lambda: len(seen) == 2, "the second answer")
    assert seen[1]["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]


def test_a_refused_order_reaches_the_error_callback(trade: Any) -> None:
    good: list[Any] = []
    bad: list[Any] = []
    order = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "999999"}
    trade._send_order_operation("order.create", good.append, order, bad.append)
    wait_until(lambda: bad, "the refusal")
    assert (bad[0]["retCode"], good) == (110003, [])


# --- limits


def test_pybit_waits_for_the_rate_limit_and_goes_on(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty cancels where ten a second are allowed: pybit sleeps until the reset it is told; where
    that has passed before it was read, it would sleep for less than nothing and fail.
    """
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(max(seconds, 0.0)))
    with TwinProcess("bybit", tmp_path, "--limits-scale", "1") as twin:
        client = client_of(twin)
        for _ in range(20):
            client.cancel_all_orders(**BTC)
        logged = HTTP(
            api_key=twin.main.key, api_secret=twin.main.secret, return_response_headers=True
        )
        logged.endpoint = twin.rest_url
        _, _, headers = logged.get_account_info()
        assert (headers["X-Bapi-Limit"], headers["X-Bapi-Limit-Status"]) == ("50", "49")
