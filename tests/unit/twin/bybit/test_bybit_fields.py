# SPDX-License-Identifier: Apache-2.0
"""The twin's objects against the documented payloads: every documented field is there with its JSON
type, and no field is there that the documentation does not know.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bybit_desk import BybitDesk

DOCUMENTED = "payloads/bybit/documented/bybit-net"
# Younger than the payloads; named in the wire reference.
NEWER = {
    "order": "parentOrderLinkId createType cumFeeDetail marketUnit slippageToleranceType closedPnl "
    "slippageTolerance isLeverage extraFees rpiTakerAccess rpiMatchedQty basePrice ocoTriggerBy",
    "execution": "createType execFeeV2 execPnl extraFees isMaker feeCurrency",
    "position": "positionIMByMp positionMMByMp breakEvenPrice openTime mmrSysUpdatedTime "
    "mmrSysUpdateTime",
    "closed": "openFee closeFee",
    "wallet": "spotBorrow usdValue",
    "log": "transSubType extraFees",
    "linear": "symbolId symbolType isPreListing preListingInfo riskParameters priceLimitRatioX "
    "priceLimitRatioY",
    "spot": "symbolId innovation symbolType maxLimitOrderQty maxMarketOrderQty "
    "postOnlyMaxLimitOrderSize",
    "ticker": "preOpenPrice preQty curPreListingPhase basisRateYear fundingIntervalHour fundingCap",
    "trade": "isRPITrade RPI seq L",
    "others": "mmDeduction singleOpenInterest cts nextPageCursor category Earn",
}
KNOWN = {word for words in NEWER.values() for word in words.split()}


def parts(text: str) -> list[Any]:
    """The JSON documents in a payload file."""
    decoder, found, place = json.JSONDecoder(), [], text.find("{")
    while place >= 0:
        try:
            value, place = decoder.raw_decode(text, place)
            found.append(value)
        except json.JSONDecodeError:
            place += 1
        place = text.find("{", place)
    return found


def documented(shared: Path, name: str) -> Any:
    """The last document of a payload file: the answer, or the frame."""
    return parts((shared / DOCUMENTED / name).read_text())[-1]


def faults(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two documents differ in keys or JSON types; lists are compared by their first rows."""
    if theirs is None or ours is None:
        return []
    if type(ours) is not type(theirs):
        return [f"{path}: {type(ours).__name__} for {type(theirs).__name__}"]
    if isinstance(theirs, list):
        if theirs and not ours and path not in SHORT:
            return [f"{path}: nothing to compare"]
        return faults(ours[0], theirs[0], f"{path}[]") if ours and theirs else []
    if not isinstance(theirs, dict):
        return []
    found = [f"{path}.{name}: missing" for name in theirs.keys() - ours.keys()]
    extra = ours.keys() - theirs.keys() - KNOWN
    found += [f"{path}.{name}: unknown" for name in extra]
    for name in theirs.keys() & ours.keys():
        found += faults(ours[name], theirs[name], f"{path}.{name}")
    return found


SHORT = {
    f".result.permissions.{name}" for name in ("Options", "Derivatives", "CopyTrading", "Exchange")
} | {".data[].uidSuffix", ".result.list[].uidSuffix"}


@pytest.fixture
def busy() -> BybitDesk:
    """A desk where everything has happened once: orders, a closed and an open position."""
    desk = BybitDesk()
    desk.placed("Buy", "0.02")
    desk.placed("Sell", "0.01", reduceOnly=True)
    desk.placed("Buy", "0.01", "59000", orderLinkId="resting")
    desk.create("Buy", "0.01", "60100", timeInForce="PostOnly")
    desk.placed("Buy", "0.001", "60200", category="spot")
    return desk


READS = {
    "rest/Trading/GetOrders.txt": ("order/realtime", {"symbol": "BTCUSDT"}),
    "rest/Trading/GetOrderHistory.txt": ("order/history", {"symbol": "BTCUSDT"}),
    "rest/Trading/GetUserTrades.txt": ("execution/list", {}),
    "rest/Trading/GetPositions.txt": ("position/list", {"symbol": "BTCUSDT"}),
    "rest/Trading/GetClosedProfitLoss.txt": ("position/closed-pnl", {}),
    "rest/Account/GetFeeRate.txt": ("account/fee-rate", {}),
    "rest/Account/GetTransactionHistory.txt": ("account/transaction-log", {}),
    "rest/Account/GetMarginAccountInfo.txt": ("account/info", None),
    "rest/Account/GetApiKeyInfo.txt": ("user/query-api", None),
    "rest/Account/GetAssetInfo.txt": ("asset/coin/query-info", None),
    "rest/Account/GetBalances.txt": ("account/wallet-balance", {"accountType": "UNIFIED"}),
}
MARKET = {"symbol": "BTCUSDT"}
MARKET_READS: dict[str, tuple[str, dict[str, Any]]] = {
    "GetLinearInverseSymbols.txt": ("instruments-info", MARKET),
    "GetSpotSymbols.txt": ("instruments-info", {"category": "spot", **MARKET}),
    "GetLinearInverseTickers.txt": ("tickers", MARKET),
    "GetSpotTickers.txt": ("tickers", {"category": "spot", **MARKET}),
    "GetKlines.txt": ("kline", {"interval": "60", **MARKET}),
    "GetMarkPriceKlines.txt": ("mark-price-kline", {"interval": "60", **MARKET}),
    "GetIndexPriceKlines.txt": ("index-price-kline", {"interval": "60", **MARKET}),
    "GetPremiumIndexPriceKlines.txt": ("premium-index-price-kline", {"interval": "D", **MARKET}),
    "GetOrderbook.txt": ("orderbook", MARKET),
    "GetTradeHistory.txt": ("recent-trade", MARKET),
    "GetFundingRateHistory.txt": ("funding/history", MARKET),
    "GetOpenInterest.txt": ("open-interest", {"intervalTime": "5min", **MARKET}),
    "GetRiskLimit.txt": ("risk-limit", MARKET),
    "GetOrderPriceLimit.txt": ("price-limit", MARKET),
    "GetLongShortRatio.txt": ("account-ratio", {"period": "1h", **MARKET}),
    "GetInsurance.txt": ("insurance", {}),
}
LEG = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("Trading/PlaceOrder.txt", "order/create", LEG),
    ("Trading/EditOrder.txt", "order/amend", {"orderLinkId": "resting", "price": "58900"}),
    ("Trading/CancelOrder.txt", "order/cancel", {"orderLinkId": "resting"}),
    ("Trading/CancelAllOrder.txt", "order/cancel-all", {}),
    ("Trading/PreCheckOrder.txt", "order/pre-check", LEG),
    ("Trading/PlaceMultipleOrders.txt", "order/create-batch", {"request": [LEG]}),
    (
        "Trading/EditMultipleOrders.txt",
        "order/amend-batch",
        {"request": [{**MARKET, "orderLinkId": "resting", "qty": "0.02"}]},
    ),
    (
        "Trading/CancelMultipleOrders.txt",
        "order/cancel-batch",
        {"request": [{**MARKET, "orderLinkId": "resting"}]},
    ),
    ("Trading/SetTradingStop.txt", "position/trading-stop", {"stopLoss": "59000"}),
    ("Account/SetLeverage.txt", "position/set-leverage", {"buyLeverage": "5", "sellLeverage": "5"}),
    ("Account/SetRiskLimit.txt", "position/set-risk-limit", {"riskId": 2}),
    ("Account/SetAutoAddMargin.txt", "position/set-auto-add-margin", {"autoAddMargin": 1}),
    ("Account/AddOrReduceMargin.txt", "position/add-margin", {"margin": "10"}),
]


@pytest.mark.parametrize("name", READS)
def test_an_answer_about_the_account_is_as_documented(
    shared: Path, busy: BybitDesk, name: str
) -> None:
    path, params = READS[name]
    given = {} if params is None else {"category": "linear", **params}
    answer = busy.ask(path, **given)
    assert answer["retCode"] == 0
    theirs = documented(shared, name)
    theirs.setdefault("retExtInfo", {})
    theirs.setdefault("time", 0)
    assert faults(answer, theirs) == []


@pytest.mark.parametrize("name", MARKET_READS)
def test_an_answer_about_the_market_is_as_documented(
    shared: Path, busy: BybitDesk, name: str
) -> None:
    path, params = MARKET_READS[name]
    ours = busy.market(path, **{"category": "linear", **params})
    assert faults(ours, documented(shared, f"rest/ExchangeData/{name}")["result"], ".result") == []


@pytest.mark.parametrize(("name", "path", "params"), WRITES, ids=[row[1] for row in WRITES])
def test_an_answer_to_a_request_is_as_documented(
    shared: Path, busy: BybitDesk, name: str, path: str, params: dict[str, Any]
) -> None:
    if "margin" in path:
        busy.tell("account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    answer = busy.tell(path, **{"category": "linear", **MARKET, **params})
    assert answer["retCode"] == 0, answer
    assert faults(answer, documented(shared, f"rest/{name}")) == []


def test_small_answers_are_as_documented(shared: Path, busy: BybitDesk) -> None:
    for name, path, params in (
        ("Trading/SetDisconnectCancelAll.txt", "order/disconnected-cancel-all", {"timeWindow": 40}),
        ("Account/SwitchPositionMode.txt", "position/switch-mode", {"coin": "USDT", "mode": 3}),
    ):
        answer = busy.tell(path, category="linear", **params)
        theirs = documented(shared, f"rest/{name}")
        assert answer["retMsg"].lower() in {theirs["retMsg"].lower(), "ok"}
        assert answer["result"] == {}
    wallet = busy.main.wallets["unified"]
    wallet["USDT"] -= 99_500
    refused = busy.tell("account/set-margin-mode", setMarginMode="PORTFOLIO_MARGIN")
    theirs = documented(shared, "rest/Account/SetMarginMode.txt")
    assert {name: refused[name] for name in theirs} == theirs


STREAMS = {
    "order": "ws/Private/Order.txt",
    "execution": "ws/Private/UserTrades.txt",
    "execution.fast": "ws/Private/MinimalUserTrades.txt",
    "position": "ws/Private/Position.txt",
    "wallet": "ws/Private/Balance.txt",
}


@pytest.mark.parametrize("topic", STREAMS)
def test_a_private_frame_is_as_documented(shared: Path, busy: BybitDesk, topic: str) -> None:
    session = busy.private(topic)
    busy.placed("Buy", "0.01")
    frame = session.taken()[-1]
    assert frame["topic"] == topic
    assert faults(frame, documented(shared, STREAMS[topic])) == []


def test_public_frames_are_as_documented(shared: Path, busy: BybitDesk) -> None:
    for kind, topic, name in (
        ("linear", "publicTrade.BTCUSDT", "ws/Linear/Trades.txt"),
        ("spot", "publicTrade.BTCUSDT", "ws/Spot/Trades.txt"),
        ("linear", "tickers.BTCUSDT", "ws/Linear/Ticker.txt"),
        ("spot", "tickers.BTCUSDT", "ws/Spot/Ticker.txt"),
        ("spot", "priceLimit.BTCUSDT", "ws/Spot/PriceLimit.txt"),
    ):
        session = busy.connect(f"/v5/public/{kind}")
        assert busy.subscribe(session, topic)["success"] is True
        busy.create("Buy", "0.001", category=kind, marketUnit="baseCoin")
        busy.pass_ms(200)
        theirs = documented(shared, name)
        if topic == "publicTrade.BTCUSDT" and kind == "spot":
            del theirs["data"][0]["L"]  # contracts only, says the reference
        assert faults(session.taken()[0], theirs) == [], topic


def test_answers_of_the_order_socket_are_as_documented(shared: Path, busy: BybitDesk) -> None:
    session = busy.connect("/v5/trade")
    auth = busy.login(session)
    theirs = parts((shared / DOCUMENTED / "ws-trade/PlaceOrder.txt").read_text())
    assert faults({"reqId": "", **auth}, theirs[1]) == []
    for name, op, args in (
        ("PlaceOrder", "order.create", LEG),
        ("EditOrder", "order.amend", {**MARKET, "orderLinkId": "resting", "qty": "0.03"}),
        ("CancelOrder", "order.cancel", {**MARKET, "orderLinkId": "resting"}),
    ):
        header = {"X-BAPI-TIMESTAMP": str(busy.now_ms)}
        request = {"reqId": op, "header": header, "op": op}
        answer = busy.say(session, {**request, "args": [{"category": "linear", **args}]})
        assert answer["retCode"] == 0
        assert faults(answer, documented(shared, f"ws-trade/{name}.txt")) == []
