# SPDX-License-Identifier: Apache-2.0
"""The twin's spot answers have the shape of the recorded and documented ones: the same names, the
same JSON types, all the way down. A name that only one side has is listed here with its reason.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import json_shapes
from binance_desk import BinanceDesk, DeskSession
from json_shapes import differences

# Newer than the example: Binance's own SDK has these.
NEWER = {"origQuoteOrderQty", "specialCommission", "symbolStatus", "closeTime", "W", "ai"}
# Of an older or fuller case than ours: applies to other order types, or was dropped since.
OTHER_CASE = {
    "trailingDelta",
    "trailingTime",
    "strategyId",
    "strategyType",
    "preventedMatchId",
    "preventedQuantity",
}


def unexplained(ours: Any, example: Any) -> list[str]:
    explained = {f"{name} unknown" for name in NEWER} | {f"{name} missing" for name in OTHER_CASE}
    return [each for each in differences(ours, example) if each.partition(": ")[2] not in explained]


@pytest.fixture
def desk() -> BinanceDesk:
    desk = BinanceDesk()
    for number in range(3):
        desk.venue.market_trade(desk.spot, 6_000_010, 100 + number, is_buy=True)
    return desk


def recorded(shared: Path, name: str) -> Any:
    text = (shared / "payloads/binance/recorded/gocryptotrader" / f"{name}.json").read_text()
    return json.loads(text)["response"]


@pytest.mark.parametrize(
    ("name", "path", "params"),
    [
        ("api_v3_exchangeInfo", "exchangeInfo", {}),
        ("api_v3_depth", "depth", {"symbol": "BTCUSDT"}),
        ("api_v3_historicalTrades", "historicalTrades", {"symbol": "BTCUSDT"}),
        ("api_v3_historicalTrades", "trades", {"symbol": "BTCUSDT"}),
        ("api_v3_aggTrades", "aggTrades", {"symbol": "BTCUSDT"}),
        ("api_v3_avgPrice", "avgPrice", {"symbol": "BTCUSDT"}),
        ("api_v3_klines-1", "klines", {"symbol": "BTCUSDT", "interval": "5m"}),
        ("api_v3_klines-2", "uiKlines", {"symbol": "BTCUSDT", "interval": "1m"}),
        ("api_v3_ticker_24hr-1", "ticker/24hr", {"symbol": "BTCUSDT"}),
        ("api_v3_ticker_24hr-3", "ticker/24hr", {"symbol": "BTCUSDT", "type": "FULL"}),
        ("api_v3_ticker_bookTicker", "ticker/bookTicker", {"symbol": "BTCUSDT"}),
        ("api_v3_ticker_price", "ticker/price", {"symbol": "BTCUSDT"}),
    ],
)
def test_public_answers_have_the_recorded_shape(
    desk: BinanceDesk, shared: Path, name: str, path: str, params: dict[str, Any]
) -> None:
    ours, example = desk.get(f"/api/v3/{path}", **params), recorded(shared, name)
    if name == "api_v3_exchangeInfo":
        ours["symbols"] = [s for s in ours["symbols"] if s["symbol"] == "BTCUSDT"]
        example["symbols"] = [s for s in example["symbols"] if s["symbol"] == "BTCUSDT"]
        for row in (*ours["symbols"], *example["symbols"]):
            assert "SPOT" in row.pop("permissionSets")[0], "as many as the account has"
        filters = [row.pop("filters") for row in (*ours["symbols"], *example["symbols"])]
        assert [f["filterType"] for f in filters[0]] == [f["filterType"] for f in filters[1]]
        for mine, theirs in zip(*filters, strict=True):
            assert not unexplained(mine, theirs)
    assert not unexplained(ours, example)


def test_recorded_numbers_are_written_as_ours(desk: BinanceDesk, shared: Path) -> None:
    """Eight decimals in prices and quantities, three in a percentage."""
    ours = desk.get("/api/v3/ticker/24hr", symbol="BTCUSDT")
    example = recorded(shared, "api_v3_ticker_24hr-3")
    for name, value in example.items():
        if isinstance(value, str) and name != "symbol":
            decimals = len(value.partition(".")[2])
            assert len(ours[name].partition(".")[2]) == decimals, name


def documented(shared: Path, path: str) -> Any:
    file = shared / "payloads/binance/documented" / path
    return json.loads(file.read_text()) if file.suffix == ".json" else json_shapes.documented(file)


def resting(desk: BinanceDesk) -> dict[str, Any]:
    answer: dict[str, Any] = desk.buy("0.001", "59000", newClientOrderId="mine")
    return answer


def filled(desk: BinanceDesk) -> Any:
    return desk.buy("0.02", "61000")


def queried(desk: BinanceDesk) -> Any:
    order = resting(desk)
    return desk.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"])


def cancelled(desk: BinanceDesk) -> Any:
    resting(desk)
    return desk.signed("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine")


def listed(path: str) -> Callable[[BinanceDesk], Any]:
    def ask(desk: BinanceDesk) -> Any:
        resting(desk)
        return desk.signed("GET", f"/api/v3/{path}", symbol="BTCUSDT")

    return ask


def all_cancelled(desk: BinanceDesk) -> Any:
    resting(desk)
    return desk.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")


def trades(desk: BinanceDesk) -> Any:
    filled(desk)
    return desk.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")


def replaced(desk: BinanceDesk) -> Any:
    resting(desk)
    return desk.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.001",
        price="58000",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrigClientOrderId="mine",
    )


def signed(path: str, **params: Any) -> Callable[[BinanceDesk], Any]:
    return lambda desk: desk.signed("GET", path, **params)


def public(path: str, **params: Any) -> Callable[[BinanceDesk], Any]:
    return lambda desk: desk.get(f"/api/v3/{path}", **params)


def only_checked(desk: BinanceDesk) -> Any:
    return desk.signed(
        "POST",
        "/api/v3/order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.001",
        computeCommissionRates="true",
    )


SYMBOL = {"symbol": "BTCUSDT"}
NET, DATA = "binance-net/rest/spot", "binance-net/rest/spot/ExchangeData"
RUST = "nautilus/rust-adapter/spot/http_json"
OLD = "nautilus/python-adapter/http_responses"


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        (f"{NET}/Trading/PlaceOrder.txt", filled),
        (f"{RUST}/new_order_full_response.json", filled),
        (f"{NET}/Trading/PlaceTestOrder.txt", only_checked),
        (f"{NET}/Trading/GetOrder.txt", queried),
        (f"{RUST}/order_response.json", queried),
        (f"{NET}/Trading/CancelOrder.txt", cancelled),
        (f"{RUST}/cancel_order_response.json", cancelled),
        (f"{NET}/Trading/CancelAllOrders.txt", all_cancelled),
        (f"{RUST}/cancel_open_orders_response.json", all_cancelled),
        (f"{NET}/Trading/GetOpenOrders.txt", listed("openOrders")),
        (f"{RUST}/open_orders_response.json", listed("openOrders")),
        (f"{NET}/Trading/GetOrders.txt", listed("allOrders")),
        (f"{RUST}/all_orders_response.json", listed("allOrders")),
        (f"{NET}/Trading/GetUserTrades.txt", trades),
        (f"{RUST}/account_trades_response.json", trades),
        (f"{NET}/Account/GetAccountInfo.txt", signed("/api/v3/account")),
        (f"{RUST}/account_response.json", signed("/api/v3/account")),
        (f"{NET}/Account/GetCommissionRates.txt", signed("/api/v3/account/commission", **SYMBOL)),
        (f"{NET}/Account/GetOrderRateLimitStatus.txt", signed("/api/v3/rateLimit/order")),
        (f"{NET}/Account/GetAPIKeyPermissions.txt", signed("/sapi/v1/account/apiRestrictions")),
        (f"{OLD}/http_wallet_trading_fees.json", signed("/sapi/v1/asset/tradeFee")),
        (f"{DATA}/GetAvgPrice.txt", public("avgPrice", **SYMBOL)),
        (f"{DATA}/GetPrice.txt", public("ticker/price", **SYMBOL)),
        (f"{DATA}/GetBookPrice.txt", public("ticker/bookTicker", **SYMBOL)),
        (f"{DATA}/GetRollingWindowTicker.txt", public("ticker", **SYMBOL)),
        (f"{DATA}/GetTradingDayTicker.txt", public("ticker/tradingDay", **SYMBOL)),
        (f"{DATA}/GetServerTime.txt", public("time")),
        (f"{DATA}/GetRecentTrades.txt", public("trades", **SYMBOL)),
        (f"{DATA}/GetTradeHistory.txt", public("historicalTrades", **SYMBOL)),
        (f"{DATA}/GetAggregatedTradeHistory.txt", public("aggTrades", **SYMBOL)),
        (f"{DATA}/GetKlines.txt", public("klines", interval="1m", **SYMBOL)),
        (f"{DATA}/GetUiKlines.txt", public("uiKlines", interval="1h", **SYMBOL)),
        (f"{DATA}/GetTicker.txt", public("ticker/24hr", **SYMBOL)),
        (f"{RUST}/depth_response.json", public("depth", **SYMBOL)),
        (f"{RUST}/klines_response.json", public("klines", interval="1d", **SYMBOL)),
        (f"{RUST}/ticker_24hr_response.json", public("ticker/24hr", **SYMBOL)),
        (f"{RUST}/ping_response.json", public("ping")),
    ],
)  # fmt: skip
def test_answers_have_the_documented_shape(
    desk: BinanceDesk, shared: Path, path: str, ask: Callable[[BinanceDesk], Any]
) -> None:
    assert not unexplained(ask(desk), documented(shared, path))


def test_a_replacement_has_the_documented_shape(desk: BinanceDesk, shared: Path) -> None:
    """The example wraps it in `data` by mistake: that is how the refusal looks."""
    example = documented(shared, f"{NET}/Trading/ReplaceOrder.txt")["data"]
    assert not unexplained(replaced(desk), example)
    answer = replaced_badly(desk)
    assert not differences(answer["data"].keys() - example.keys(), set())


def replaced_badly(desk: BinanceDesk) -> Any:
    return desk.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.001",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=1,
    )


WS = "binance-net/ws/spot/ExchangeData"


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        (f"{WS}/BookTicker.txt", "btcusdt@bookTicker"),
        (f"{WS}/Trades.txt", "btcusdt@trade"),
        (f"{WS}/AggregatedTrades.txt", "btcusdt@aggTrade"),
        (f"{WS}/Ticker.txt", "btcusdt@ticker"),
        (f"{WS}/MiniTicker.txt", "btcusdt@miniTicker"),
        (f"{WS}/PartialBook.txt", "btcusdt@depth5@100ms"),
        (f"{WS}/Klines.txt", "btcusdt@kline_8h"),
    ],
)
def test_stream_events_have_the_documented_shape(
    desk: BinanceDesk, shared: Path, path: str, stream: str
) -> None:
    session = desk.connect("/stream", f"streams={stream}")
    stir(desk)
    example = documented(shared, path)
    if stream.endswith("@trade"):
        del example["data"]["a"], example["data"]["b"]  # order ids: no longer sent
    assert not unexplained(session.frames[0], example)


def stir(desk: BinanceDesk) -> None:
    """Something happens in the market, and time passes."""
    desk.quote(desk.spot, 60_001.0)
    desk.venue.market_trade(desk.spot, 6_000_110, 100, is_buy=True)
    desk.pass_ms(2_100)


def recorded_frames(shared: Path) -> dict[str, Any]:
    """One recorded frame of every kind of stream."""
    folder = shared / "payloads/binance/recorded"
    lines = (folder / "cryptofeed/spot-2021-10-12/ws.txt").read_text().splitlines()
    with gzip.open(folder / "hftbacktest/spot-btcusdt-2024-08-08.txt.gz", "rt") as file:
        lines += [line for _, line in zip(range(2_000), file, strict=False)]
    frames: dict[str, Any] = {}
    for line in lines:
        _, brace, rest = line.partition("{")
        frame = json.loads(brace + rest) if brace else {}
        if "stream" in frame:
            frames.setdefault(frame["stream"].partition("@")[2], frame)
    return frames


def test_stream_events_have_the_recorded_shape(shared: Path) -> None:
    frames = recorded_frames(shared)
    assert {"depth@100ms", "bookTicker", "aggTrade", "kline_1m", "trade"} <= frames.keys()
    for name, example in frames.items():
        desk = BinanceDesk()
        session = desk.connect("/stream", f"streams=btcusdt@{name}")
        stir(desk)
        assert not unexplained(session.frames[0], example), name


def subscribed(desk: BinanceDesk) -> DeskSession:
    session = desk.connect("/ws-api/v3")
    desk.call(session, "userDataStream.subscribe.signature")
    session.taken()
    return session


USER, USER_JSON = "binance-net/ws/spot/Account", "nautilus/rust-adapter/spot/user_data_json"


def test_user_events_have_the_documented_shape(desk: BinanceDesk, shared: Path) -> None:
    session = subscribed(desk)
    resting(desk)
    report, position = session.taken()[:2]
    assert not unexplained(report, documented(shared, f"{USER}/Order.txt"))
    wrapped = documented(shared, f"{USER_JSON}/execution_report_wrapped.json")
    assert not unexplained(report, wrapped)
    assert not unexplained(position, documented(shared, f"{USER}/AccountPosition.txt"))


@pytest.mark.parametrize("name", ["trade", "canceled", "expired", "new", "stop_loss"])
def test_every_user_event_has_what_the_examples_have(
    desk: BinanceDesk, shared: Path, name: str
) -> None:
    """These examples leave names out; what they have must be there with its type."""
    session = subscribed(desk)
    if name == "trade":
        filled(desk)
    elif name == "canceled":
        cancelled(desk)
    elif name == "expired":
        desk.limit("BUY", "0.001", "59000", timeInForce="IOC")
    elif name == "stop_loss":
        desk.spot_order(
            "STOP_LOSS_LIMIT",
            "SELL",
            quantity="0.001",
            price="58000",
            stopPrice="59000",
            timeInForce="GTC",
        )
    else:
        resting(desk)
    example = documented(shared, f"{USER_JSON}/execution_report_{name}.json")
    reports = [f["event"] for f in session.taken() if f["event"]["e"] == "executionReport"]
    report = next(r for r in reports if r["x"] == example["x"])
    found = [d for d in differences(report, example) if not d.endswith("unknown")]
    assert not found


API = "binance-net/ws-api/spot"


@pytest.mark.parametrize(
    ("path", "method", "params"),
    [
        (f"{API}/ExchangeData/GetAggregatedTradeHistory.txt", "trades.aggregate", SYMBOL),
        (f"{API}/ExchangeData/GetCurrentAvgPrice.txt", "avgPrice", SYMBOL),
        (f"{API}/ExchangeData/GetOrderBook.txt", "depth", SYMBOL),
        (f"{API}/ExchangeData/GetTickers.txt", "ticker.24hr", {}),
        (f"{API}/ExchangeData/GetBookTickers.txt", "ticker.book", {}),
        (f"{API}/ExchangeData/GetRecentTrades.txt", "trades.recent", SYMBOL),
        (f"{API}/ExchangeData/GetTradeHistory.txt", "trades.historical", SYMBOL),
        (f"{API}/ExchangeData/GetKlines.txt", "klines", {**SYMBOL, "interval": "1m"}),
        (f"{API}/ExchangeData/GetUIKlines.txt", "uiKlines", {**SYMBOL, "interval": "1m"}),
    ],
)
def test_public_socket_answers_have_the_documented_shape(
    desk: BinanceDesk, shared: Path, path: str, method: str, params: dict[str, Any]
) -> None:
    session = desk.connect("/ws-api/v3")
    answer = desk.say(session, {"id": 1, "method": method, "params": params})
    assert not unexplained(answer, documented(shared, path))


def test_signed_socket_answers_have_the_documented_shape(desk: BinanceDesk, shared: Path) -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("Account/GetAccountInfo.txt", "account.status", {}),
        ("Account/GetOrderRateLimits.txt", "account.rateLimits.orders", {}),
        ("Trading/GetOpenOrders.txt", "openOrders.status", SYMBOL),
        ("Trading/GetUserTrades.txt", "myTrades", SYMBOL),
    ]
    filled(desk)
    resting(desk)
    for path, method, params in cases:
        answer = desk.call(desk.connect("/ws-api/v3"), method, **params)
        example = documented(shared, f"{API}/{path}")
        found = [d for d in unexplained(answer, example) if not d.startswith("$.id")]
        assert not found, path


def test_a_socket_order_has_the_documented_shape(desk: BinanceDesk, shared: Path) -> None:
    """The examples are older than `selfTradePreventionMode` and `workingTime`."""
    answer = desk.call(
        desk.connect("/ws-api/v3"),
        "order.place",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.02",
        price="61000",
    )
    example = documented(shared, f"{API}/Trading/PlaceOrder.txt")
    found = [d for d in unexplained(answer, example) if not d.startswith("$.id")]
    assert found == ["$.result: selfTradePreventionMode unknown"]
