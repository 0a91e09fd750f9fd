# SPDX-License-Identifier: Apache-2.0
"""The twin's USD-M answers and events have the shape of the recorded and documented ones: the same
names, the same JSON kinds, all the way down. A name that only one side has is listed here with its
reason.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hean.twin.candles import MINUTE_MS
from json_shapes import differences, documented
from usdm_desk import SYMBOL, UsdmDesk

# Only in examples: COIN-M leftovers and fields that plain orders have lost with the algo orders.
FOREIGN = {"pair", "cumBase", "activatePrice", "priceRate", "AP", "cr"}
# Only in some examples, written at other times: newer fields, or left out when there is nothing.
SOMETIMES = {
    *("cumQuote", "avgPrice", "cumQty", "time", "marginAsset", "markPrice", "updateTime"),
    *("notional", "isolatedWallet", "breakEvenPrice", "lastUpdateId", "priceMatch"),
    *("selfTradePreventionMode", "goodTillDate", "estimatedSettlePrice", "settlePlan"),
    *("quoteQty", "pm", "gtd", "er", "N", "n", "W", "ap", "aq", "act", "rm", "ma", "st", "ps"),
    *("feeBurn", "marginAvailable", "actualQty", "actualType", "code", "msg", "callbackRate"),
    *(
        "baseQty",
        "permissionSets",
        "activatePrice",
        "closePosition",
        "maxMoveOrderLimit",
        "futuresType",
        "count",
    ),
    *("leverage", "maxNotionalValue", "marginType", "isAutoAddMargin"),
}
NEW_IN_V3 = {
    *("initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin"),
    *("adl", "bidNotional", "askNotional"),
}
EXPLAINED = {f"{name} {which}" for name in SOMETIMES for which in ("missing", "unknown")}
EXPLAINED |= {f"{name} missing" for name in FOREIGN} | {"pair unknown"}


def unexplained(ours: Any, example: Any) -> list[str]:
    return [d for d in differences(ours, example) if d.partition(": ")[2] not in EXPLAINED]


@pytest.fixture
def desk() -> UsdmDesk:
    desk = UsdmDesk()
    for number in range(3):
        desk.venue.market_trade(desk.linear, 600_001, 100 + number, is_buy=True)
    return desk


def recorded(shared: Path, name: str) -> Any:
    text = (shared / "payloads/binance/recorded/gocryptotrader" / f"{name}.json").read_text()
    return json.loads(text)["response"]


BTC = {"symbol": SYMBOL}
MINUTES = {"interval": "1m"}


@pytest.mark.parametrize(
    ("name", "path", "params"),
    [
        ("aggTrades", "v1/aggTrades", BTC),
        ("depth-1", "v1/depth", {**BTC, "limit": 5}),
        ("fundingRate-6", "v1/fundingRate", BTC),
        ("klines", "v1/klines", {**BTC, **MINUTES}),
        ("openInterest", "v1/openInterest", BTC),
        ("premiumIndex-1", "v1/premiumIndex", BTC),
        ("premiumIndex-2", "v1/premiumIndex", {}),
        ("ticker_24hr-2", "v1/ticker/24hr", BTC),
        ("ticker_24hr-3", "v1/ticker/24hr", {}),
        ("ticker_bookTicker-1", "v1/ticker/bookTicker", {}),
        ("ticker_bookTicker-2", "v1/ticker/bookTicker", BTC),
        ("ticker_price-1", "v1/ticker/price", BTC),
        ("ticker_price-2", "v2/ticker/price", {}),
        ("time", "v1/time", {}),
        ("trades-1", "v1/trades", BTC),
    ],
)
def test_public_answers_have_the_recorded_shape(
    desk: UsdmDesk, shared: Path, name: str, path: str, params: dict[str, Any]
) -> None:
    ours = desk.get(f"/fapi/{path}", **params)
    assert unexplained(ours, recorded(shared, f"fapi_v1_{name}")) == []


def test_exchange_info_has_the_recorded_shape_and_filters(desk: UsdmDesk, shared: Path) -> None:
    ours, theirs = desk.get("/fapi/v1/exchangeInfo"), recorded(shared, "fapi_v1_exchangeInfo")
    mine, example = (
        next(row for row in info["symbols"] if row["symbol"] == SYMBOL) for info in (ours, theirs)
    )
    for filters in zip(mine.pop("filters"), example.pop("filters"), strict=True):
        assert filters[0]["filterType"] == filters[1]["filterType"]
        assert unexplained(*filters) == []
    equal = ("pricePrecision", "quantityPrecision", "orderTypes", "timeInForce", "contractType")
    assert [mine[name] for name in equal] == [example[name] for name in equal]
    assert unexplained(mine, example) == []
    assert unexplained(ours, theirs) == []


def test_an_unusual_funding_interval_is_listed(desk: UsdmDesk, shared: Path) -> None:
    assert desk.get("/fapi/v1/fundingInfo") == []
    desk.linear.listing.funding_minutes = 240
    ours = desk.get("/fapi/v1/fundingInfo")
    assert ours[0]["fundingIntervalHours"] == 4
    assert unexplained(ours, recorded(shared, "fapi_v1_fundingInfo")) == []


def open_order(desk: UsdmDesk) -> dict[str, Any]:
    return {"symbol": SYMBOL, "orderId": desk.place("BUY")["orderId"]}


def moved(desk: UsdmDesk) -> dict[str, Any]:
    return {**open_order(desk), "side": "BUY", "quantity": "0.020", "price": "58000"}


def batch(desk: UsdmDesk, **more: Any) -> dict[str, Any]:
    leg = {"symbol": SYMBOL, "side": "BUY", "quantity": "0.01", "price": "59000", **more}
    return {"batchOrders": json.dumps([leg])}


def new_batch(desk: UsdmDesk) -> dict[str, Any]:
    return batch(desk, type="LIMIT", timeInForce="GTC")


def moved_batch(desk: UsdmDesk) -> dict[str, Any]:
    return batch(desk, orderId=open_order(desk)["orderId"], price="58000")


def cancelled_batch(desk: UsdmDesk) -> dict[str, Any]:
    return {"symbol": SYMBOL, "orderIdList": f"[{open_order(desk)['orderId']}]"}


def limit_order(desk: UsdmDesk) -> dict[str, Any]:
    given = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {"symbol": SYMBOL, "quantity": "0.01", "price": "59000", **given}


def held(desk: UsdmDesk) -> dict[str, Any]:
    desk.place("BUY", "MARKET")
    return {"symbol": SYMBOL}


def amended(desk: UsdmDesk) -> dict[str, Any]:
    change = moved(desk)
    desk.signed("PUT", "/fapi/v1/order", **change)
    return {"symbol": SYMBOL}


def stop_terms(desk: UsdmDesk) -> dict[str, Any]:
    given = {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET"}
    return {"symbol": SYMBOL, "quantity": "0.01", "triggerPrice": "59000", **given}


def waiting_stop(desk: UsdmDesk) -> dict[str, Any]:
    made = desk.conditional("SELL", "STOP_MARKET", triggerPrice="59000")
    return {"algoId": made["algoId"], "symbol": SYMBOL}


def symbol(desk: UsdmDesk) -> dict[str, Any]:
    return {"symbol": SYMBOL}


def no_parameters(desk: UsdmDesk) -> dict[str, Any]:
    return {}


def fixed(**params: Any) -> Callable[[UsdmDesk], dict[str, Any]]:
    return lambda desk: params


DUAL, MULTI = {"dualSidePosition": "true"}, {"multiAssetsMargin": "true"}


@pytest.mark.parametrize(
    ("name", "prepare"),
    [
        ("Trading/PlaceOrder", limit_order),
        ("Trading/GetOrder", open_order),
        ("Trading/GetOpenOrder", open_order),
        ("Trading/GetOpenOrders", open_order),
        ("Trading/GetOrders", lambda desk: symbol(desk) if open_order(desk) else {}),
        ("Trading/CancelOrder", open_order),
        ("Trading/CancelAllOrders", symbol),
        ("Trading/CancelAllOrdersAfterTimeout", fixed(symbol=SYMBOL, countdownTime=100_000)),
        ("Trading/EditOrder", moved),
        ("Trading/GetOrderEditHistory", amended),
        ("Trading/PlaceMultipleOrders", new_batch),
        ("Trading/EditMultipleOrders", moved_batch),
        ("Trading/CancelMultipleOrders", cancelled_batch),
        ("Trading/GetUserTrades", held),
        ("Trading/GetForcedOrders", symbol),
        ("Trading/GetPositions", held),
        ("Trading/PlaceConditionalOrder", stop_terms),
        ("Trading/GetConditionalOrder", waiting_stop),
        ("Trading/GetConditionalOrders", waiting_stop),
        ("Trading/GetOpenConditionalOrders", waiting_stop),
        ("Trading/CancelConditionalOrder", waiting_stop),
        ("Trading/CancelAllConditionalOrders", symbol),
        ("Account/GetBalances", no_parameters),
        ("Account/GetAccountInfo", held),
        ("Account/GetAccountInfoV3", held),
        ("Account/GetPositionInformation", held),
        ("Account/GetAccountConfiguration", no_parameters),
        ("Account/GetSymbolConfiguration", symbol),
        ("Account/GetBrackets", symbol),
        ("Account/GetUserCommissionRate", symbol),
        ("Account/GetIncomeHistory", held),
        ("Account/GetMultiAssetsMode", no_parameters),
        ("Account/GetOrderRateLimit", no_parameters),
        ("Account/ChangeInitialLeverage", fixed(symbol=SYMBOL, leverage=21)),
        ("Account/ChangeMarginType", fixed(symbol=SYMBOL, marginType="ISOLATED")),
        ("Account/ModifyPositionMode", fixed(**DUAL)),
        ("Account/StartUserStream", no_parameters),
        ("Account/GetMarginChangeHistory", symbol),
        ("ExchangeData/GetAggregatedTradeHistory", symbol),
        ("ExchangeData/GetBookPrice", symbol),
        ("ExchangeData/GetContinuousContractKlines", fixed(pair=SYMBOL, **MINUTES)),
        ("ExchangeData/GetExchangeInfo", no_parameters),
        ("ExchangeData/GetFundingRates", symbol),
        ("ExchangeData/GetIndexPriceKlines", fixed(pair=SYMBOL, **MINUTES)),
        ("ExchangeData/GetKlines", fixed(symbol=SYMBOL, **MINUTES)),
        ("ExchangeData/GetMarkPrice", symbol),
        ("ExchangeData/GetMarkPriceKlines", fixed(symbol=SYMBOL, **MINUTES)),
        ("ExchangeData/GetOpenInterest", symbol),
        ("ExchangeData/GetOrderBook", symbol),
        ("ExchangeData/GetPrice", symbol),
        ("ExchangeData/GetRecentTrades", symbol),
        ("ExchangeData/GetTicker", symbol),
        ("ExchangeData/GetTradeHistory", symbol),
    ],
)
def test_answers_have_the_documented_shape(
    desk: UsdmDesk, shared: Path, name: str, prepare: Callable[[UsdmDesk], dict[str, Any]]
) -> None:
    path = shared / "payloads/binance/documented/binance-net/rest/usdm" / f"{name}.txt"
    method, address = path.read_text().split()[:2]
    params = prepare(desk)
    if name.endswith("ContractKlines"):
        params["contractType"] = "PERPETUAL"
    ours, example = desk.signed(method, address, **params), documented(path)
    assert desk.status == 200, ours
    if isinstance(ours, dict) and "symbols" in ours:
        ours["symbols"], example["symbols"] = [], []
        example["assets"][0]["autoAssetExchange"] = "0"  # recorded as text
    if name.endswith("GetPositions"):  # printed with the fields of version 2; see the socket's
        ours = [{k: v for k, v in row.items() if k not in NEW_IN_V3} for row in ours]
    if name.endswith("GetIncomeHistory"):
        example[0]["tranId"] = int(example[0]["tranId"])  # a number in the exchange's own models
    if name.endswith("GetSymbolConfiguration"):
        example[0]["isAutoAddMargin"] = False  # a flag in the exchange's own models
    assert unexplained(ours, example) == []


def test_market_frames_have_the_recorded_shape(desk: UsdmDesk, shared: Path) -> None:
    file = shared / "payloads/binance/recorded/hftbacktest/usdm-btcusdt-2024-08-08.txt.gz"
    examples = {}
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        frame = json.loads(line.partition(" ")[2]).get("data", {})
        examples.setdefault(frame.get("e"), frame)
    session = desk.listen("public", "btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@trade")
    desk.quote(desk.linear, 60_010.0)
    desk.venue.market_trade(desk.linear, 600_101, 5, is_buy=True)
    desk.pass_ms(100)
    frames = {frame["e"]: frame for frame in session.taken()}
    assert set(frames) == {"depthUpdate", "bookTicker", "trade"}
    for word, frame in frames.items():
        assert differences(frame, examples[word]) == []


@pytest.mark.parametrize(
    ("name", "route", "stream"),
    [
        ("AggTrades", "market", "btcusdt@aggTrade"),
        ("Book", "public", "btcusdt@depth@500ms"),
        ("PartialBook", "public", "btcusdt@depth5@100ms"),
        ("BookTicker", "public", "btcusdt@bookTicker"),
        ("Klines", "market", "btcusdt@kline_1m"),
        ("ContKlines", "market", "btcusdt_perpetual@continuousKline_1m"),
        ("MarkPrice", "market", "btcusdt@markPrice@1s"),
        ("MiniTicker", "market", "btcusdt@miniTicker"),
        ("Ticker", "market", "btcusdt@ticker"),
    ],
)
def test_market_frames_have_the_documented_shape(
    desk: UsdmDesk, shared: Path, name: str, route: str, stream: str
) -> None:
    path = shared / "payloads/binance/documented/binance-net/ws/usdm" / f"{name}.txt"
    session = desk.listen(route, stream)
    desk.quote(desk.linear, 60_010.0)
    desk.venue.market_trade(desk.linear, 600_101, 5, is_buy=True)
    desk.pass_ms(MINUTE_MS)
    assert unexplained(session.taken()[0], documented(path)["data"]) == []


def user_frames(desk: UsdmDesk) -> dict[str, dict[str, Any]]:
    """One of each user event, by a name of our own."""
    session = desk.user_stream()
    desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=25)
    desk.signed("POST", "/fapi/v1/multiAssetsMargin", **MULTI)
    desk.place("BUY")
    desk.conditional("SELL", "STOP_MARKET", triggerPrice="59000")
    desk.place("BUY", "MARKET")
    frames = session.taken()
    found = {frame["e"]: frame for frame in frames if "ac" not in frame}
    found["leverage"] = next(frame for frame in frames if "ac" in frame)
    updates = [frame for frame in frames if frame["e"] == "ORDER_TRADE_UPDATE"]
    return {**found, "new": updates[0], "fill": updates[-1]}


@pytest.mark.parametrize(
    ("ours", "example"),
    [
        ("ACCOUNT_UPDATE", "binance-net/ws/usdm/AccountUpdate.txt"),
        ("ALGO_UPDATE", "binance-net/ws/usdm/AlgoOrderUpdate.txt"),
        ("leverage", "binance-net/ws/usdm/Leverage.txt"),
        ("ACCOUNT_CONFIG_UPDATE", "binance-net/ws/usdm/MultiAssetMode.txt"),
        ("new", "binance-net/ws/usdm/OrderUpdate.txt"),
        ("fill", "binance-net/ws/usdm/OrderUpdate.txt"),
        ("TRADE_LITE", "binance-net/ws/usdm/TradeUpdate.txt"),
        ("ACCOUNT_UPDATE", "nautilus/rust-adapter/futures/user_data_json/account_update.json"),
        ("ALGO_UPDATE", "nautilus/rust-adapter/futures/user_data_json/algo_update_new.json"),
        ("new", "nautilus/rust-adapter/futures/user_data_json/order_update_new.json"),
        ("fill", "nautilus/rust-adapter/futures/user_data_json/order_update_trade.json"),
        ("TRADE_LITE", "nautilus/rust-adapter/futures/user_data_json/trade_lite.json"),
    ],
)
def test_user_events_have_the_documented_shape(
    desk: UsdmDesk, shared: Path, ours: str, example: str
) -> None:
    path = shared / "payloads/binance/documented" / example
    theirs = documented(path)["data"] if path.suffix == ".txt" else json.loads(path.read_text())
    assert unexplained(user_frames(desk)[ours], theirs) == []


@pytest.mark.parametrize(("kind", "example"), [("liquidation", "calculated"), ("adl", "adl")])
def test_forced_closures_have_the_documented_shape(
    desk: UsdmDesk, shared: Path, kind: str, example: str
) -> None:
    folder = shared / "payloads/binance/documented/nautilus/rust-adapter/futures/user_data_json"
    theirs = json.loads((folder / f"order_update_{example}.json").read_text())
    desk.place("BUY", "MARKET")
    session = desk.user_stream()
    desk.venue.books.close_by_force(desk.main, desk.main.position(desk.linear, "BOTH"), kind)
    ours = [frame for frame in session.taken() if frame["e"] == "ORDER_TRADE_UPDATE"][-1]
    assert (ours["o"]["x"], ours["o"]["x"]) == (theirs["o"]["x"], "CALCULATED")
    assert (
        ours["o"]["c"].partition("-")[0]
        == theirs["o"]["c"].removesuffix("_12345").partition("-")[0]
    )
    assert unexplained(ours, theirs) == []


@pytest.mark.parametrize(
    ("name", "method", "prepare"),
    [
        ("Trading/PlaceOrder", "order.place", limit_order),
        ("Trading/EditOrder", "order.modify", moved),
        ("Trading/CancelOrder", "order.cancel", open_order),
        ("Trading/GetOrder", "order.status", open_order),
        ("Trading/PlaceConditionalOrder", "algoOrder.place", stop_terms),
        ("Trading/CancelConditionalOrder", "algoOrder.cancel", waiting_stop),
        ("Trading/GetPositions", "v2/account.position", held),
        ("Account/GetBalances", "v2/account.balance", no_parameters),
        ("Account/GetAccountInfo", "v2/account.status", held),
        ("ExchangeData/GetOrderBook", "depth", symbol),
        ("ExchangeData/GetPrice", "ticker.price", symbol),
        ("ExchangeData/GetPrices", "ticker.price", no_parameters),
        ("ExchangeData/GetBookPrice", "ticker.book", symbol),
        ("ExchangeData/GetBookPrices", "ticker.book", no_parameters),
    ],
)
def test_socket_answers_have_the_documented_shape(
    desk: UsdmDesk,
    shared: Path,
    name: str,
    method: str,
    prepare: Callable[[UsdmDesk], dict[str, Any]],
) -> None:
    path = shared / "payloads/binance/documented/binance-net/ws-api/usdm" / f"{name}.txt"
    params = prepare(desk)
    answer = desk.call(desk.connect("/ws-fapi/v1"), method, **params)
    example = documented(path)
    assert answer["status"] == 200, answer
    if name.endswith("GetPositions"):  # spelled with a capital R in the exchange's own models
        example["result"][0]["unRealizedProfit"] = example["result"][0].pop("unrealizedProfit")
    assert unexplained(answer["result"], example["result"]) == []
    assert unexplained(answer["rateLimits"], example.get("rateLimits", [])) == []
