# SPDX-License-Identifier: Apache-2.0
"""Accounts of the twin's USD-M futures: positions, margin, settings, income, both position modes.
Amounts are worked out beside the case.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from binance_desk import READER
from hean.twin.account import Key
from hean.twin.binance import BinanceDialect
from hean.twin.binance.usdm_views import liquidation_price
from hean.twin.market import MINUTE_NS
from hean.twin.wire import Request
from usdm_desk import SYMBOL, UsdmDesk, names

DUAL = "/fapi/v1/positionSide/dual"
TOTALS = ("totalWalletBalance", "totalUnrealizedProfit", "totalPositionInitialMargin")


@pytest.fixture
def desk() -> UsdmDesk:
    return UsdmDesk()


def code(answer: Any) -> int:
    return int(answer.get("code", 0))


def hedge(desk: UsdmDesk, word: str = "true") -> Any:
    return desk.signed("POST", DUAL, dualSidePosition=word)


def test_requests_that_real_clients_signed_are_accepted(shared: Path) -> None:
    """The recorded bytes reach their handlers: what is refused is refused for its content."""
    vectors = json.loads((shared / "protocols" / "client-vectors.json").read_text())["vectors"]
    chosen = [vector for vector in vectors if vector["venue"] == "binance-usdm"]
    assert len(chosen) >= 6
    for vector in chosen:
        desk = UsdmDesk()
        desk.now_ns = vector["timestamp"] * 1_000_000
        key = Key(vector["key"], vector["secret"], desk.main)
        dialect = BinanceDialect(desk.venue, {key.key: key})
        query, body = vector["query"] or "", (vector["body"] or "").encode()
        request = Request(vector["method"], vector["path"], query, body, vector["headers"])
        answer = json.loads(dialect.rest(request).body)
        first = answer[0] if isinstance(answer, list) else answer
        # 29,000 is far below the still market: the sells leave the band, the order 77 is unknown,
        # the legs at 27,000 are too small.
        expected = {"POST": {-2022, -4024, -4164}, "PUT": {-2013}}[vector["method"]]
        assert code(first) in expected or "listenKey" in first, (vector["id"], answer)


def test_a_position_shows_its_terms_in_every_view(desk: UsdmDesk) -> None:
    desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=20)
    desk.place("BUY", "MARKET", quantity="0.500")
    desk.quote(desk.linear, 60_100.0)
    row = desk.position()
    assert (row["positionAmt"], row["entryPrice"]) == ("0.500", "60000.10000")
    assert row["unRealizedProfit"] == "49.95000000"
    assert (row["leverage"], row["marginType"], row["notional"]) == (
        "20",
        "cross",
        "30050.00000000",
    )
    (new,) = desk.signed("GET", "/fapi/v3/positionRisk")
    assert (new["initialMargin"], new["maintMargin"]) == ("1502.50000000", "120.20000000")
    assert "leverage" not in new
    for version, listed in (("v2", 1), ("v3", 1)):
        account = desk.signed("GET", f"/fapi/{version}/account")
        assert [account[name] for name in TOTALS] == [
            "99984.99997500",
            "49.95000000",
            "1502.50000000",
        ]
        assert len(account["positions"]) == listed
    (balance,) = [b for b in desk.signed("GET", "/fapi/v2/balance") if b["asset"] == "USDT"]
    assert (balance["balance"], balance["availableBalance"]) == ("99984.99997500", "98532.44997500")


def test_version_three_lists_what_exists_and_version_two_everything(desk: UsdmDesk) -> None:
    assert desk.signed("GET", "/fapi/v3/positionRisk") == []
    assert len(desk.signed("GET", "/fapi/v2/positionRisk")) == 1
    desk.place("BUY")
    (row,) = desk.signed("GET", "/fapi/v3/positionRisk")
    assert (row["positionAmt"], row["bidNotional"]) == ("0.000", "590.00000000")


def test_the_shown_liquidation_price_is_where_margin_meets_maintenance(desk: UsdmDesk) -> None:
    desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=50)
    for _ in range(4):
        desk.place("BUY", "MARKET", quantity="10")
    position = desk.main.position(desk.linear, "BOTH")
    price = liquidation_price(desk.main, position)
    assert Decimal(57000) < price < Decimal(60000)
    desk.linear.marked(desk.now_ns, price, price)
    assert abs(desk.main.equity() - desk.main.maintenance) < 1


def test_a_liquidation_is_told_as_one(desk: UsdmDesk) -> None:
    session, public = desk.user_stream(), desk.listen("market", "btcusdt@forceOrder")
    desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=50)
    for _ in range(4):
        desk.place("BUY", "MARKET", quantity="10")
    session.taken()
    desk.quote(desk.linear, 57_500.0)
    desk.venue.step()
    desk.pass_ms(1_000)
    updates = [f["o"] for f in session.taken() if f["e"] == "ORDER_TRADE_UPDATE"]
    assert updates[-1]["c"].startswith("autoclose-")
    assert {row["x"] for row in updates if row["l"] != "0"} == {"CALCULATED"}
    (forced,) = public.taken()
    assert (forced["e"], forced["o"]["S"]) == ("forceOrder", "SELL")
    rows = desk.signed("GET", "/fapi/v1/forceOrders", symbol=SYMBOL, autoCloseType="LIQUIDATION")
    assert rows[-1]["clientOrderId"].startswith("autoclose-")
    assert desk.signed("GET", "/fapi/v1/forceOrders", autoCloseType="ADL") == []


def test_an_auto_deleveraging_bears_its_client_id(desk: UsdmDesk) -> None:
    desk.place("SELL", "MARKET")
    session = desk.user_stream()
    position = desk.main.position(desk.linear, "BOTH")
    desk.venue.books.close_by_force(desk.main, position, "adl")
    updates = [f["o"] for f in session.taken() if f["e"] == "ORDER_TRADE_UPDATE"]
    assert (updates[-1]["c"], updates[-1]["x"]) == ("adl_autoclose", "CALCULATED")


@pytest.mark.parametrize("leverage", ["0", "126", "-1", "1.5"])
def test_leverage_outside_the_bracket_is_refused(desk: UsdmDesk, leverage: str) -> None:
    answer = desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=leverage)
    assert code(answer) in (-4028, -1100)


def test_leverage_follows_the_brackets(desk: UsdmDesk) -> None:
    answer = desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=125)
    assert answer == {"leverage": 125, "maxNotionalValue": "50000", "symbol": SYMBOL}
    (row,) = desk.signed("GET", "/fapi/v1/symbolConfig", symbol=SYMBOL)
    assert (row["leverage"], row["marginType"]) == (125, "CROSSED")
    (brackets,) = desk.signed("GET", "/fapi/v1/leverageBracket", symbol=SYMBOL)
    assert brackets["brackets"][1]["initialLeverage"] == 100
    assert brackets["brackets"][1]["cum"] == 50.0


def test_leverage_cannot_fall_below_what_positions_need(desk: UsdmDesk) -> None:
    desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=50)
    desk.place("BUY", "MARKET", quantity="10")
    answer = desk.signed("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=2)
    assert code(answer) == -2028
    assert desk.position()["leverage"] == "50"


def test_margin_type_changes_only_when_flat(desk: UsdmDesk) -> None:
    path = "/fapi/v1/marginType"
    assert code(desk.signed("POST", path, symbol=SYMBOL, marginType="CROSSED")) == -4046
    order = desk.place("BUY")
    assert code(desk.signed("POST", path, symbol=SYMBOL, marginType="ISOLATED")) == -4047
    desk.signed("DELETE", "/fapi/v1/order", symbol=SYMBOL, orderId=order["orderId"])
    desk.place("BUY", "MARKET")
    assert code(desk.signed("POST", path, symbol=SYMBOL, marginType="ISOLATED")) == -4048
    desk.place("SELL", "MARKET")
    assert desk.signed("POST", path, symbol=SYMBOL, marginType="ISOLATED")["code"] == 200
    assert desk.position()["marginType"] == "isolated"


def test_position_mode_changes_only_when_flat(desk: UsdmDesk) -> None:
    assert desk.signed("GET", DUAL) == {"dualSidePosition": False}
    assert code(hedge(desk, "false")) == -4059
    order = desk.place("BUY")
    assert code(hedge(desk)) == -4067
    desk.signed("DELETE", "/fapi/v1/order", symbol=SYMBOL, orderId=order["orderId"])
    desk.place("BUY", "MARKET")
    assert code(hedge(desk)) == -4068
    desk.place("SELL", "MARKET")
    assert hedge(desk) == {"code": 200, "msg": "success"}
    assert desk.signed("GET", DUAL) == {"dualSidePosition": True}


def test_hedge_mode_holds_two_legs_that_open_and_close_apart(desk: UsdmDesk) -> None:
    hedge(desk)
    assert code(desk.place("BUY", "MARKET")) == -4061
    assert code(desk.place("BUY", "MARKET", positionSide="LONG", reduceOnly="true")) == -1106
    assert code(desk.place("SELL", "MARKET", positionSide="LONG")) == -2022
    desk.place("BUY", "MARKET", positionSide="LONG", quantity="0.030")
    desk.place("SELL", "MARKET", positionSide="SHORT", quantity="0.020")
    closed = desk.place("SELL", "MARKET", positionSide="LONG")
    assert (closed["status"], closed["reduceOnly"]) == ("FILLED", False)
    assert desk.position("LONG")["positionAmt"] == "0.020"
    assert desk.position("SHORT")["positionAmt"] == "-0.020"
    rows = desk.signed("GET", "/fapi/v3/positionRisk")
    assert [row["positionSide"] for row in rows] == ["LONG", "SHORT"]
    stop = desk.conditional("SELL", "STOP_MARKET", triggerPrice="59500", positionSide="LONG")
    assert stop["positionSide"] == "LONG"
    desk.quote(desk.linear, 59_400.0)
    assert desk.position("LONG")["positionAmt"] == "0.010"
    (quantiles,) = [desk.signed("GET", "/fapi/v1/adlQuantile", symbol=SYMBOL)]
    assert set(quantiles["adlQuantile"]) == {"LONG", "SHORT", "HEDGE"}


def test_funding_is_paid_as_income_and_told_without_a_position(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET", quantity="1")
    session = desk.user_stream()
    desk.linear.funding_rate = Decimal("0.0001")
    desk.linear.next_funding_ns = desk.now_ns
    desk.venue.step()
    (update,) = [f for f in session.taken() if f["e"] == "ACCOUNT_UPDATE"]
    assert (update["a"]["m"], update["a"]["P"]) == ("FUNDING_FEE", [])
    assert update["a"]["B"][0]["bc"] == "-6.00000000"
    (row,) = desk.signed("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    assert (row["income"], row["asset"]) == ("-6.00000000", "USDT")
    assert desk.linear.next_funding_ns == desk.now_ns + 480 * MINUTE_NS


def test_income_names_fees_and_profits(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET")
    desk.quote(desk.linear, 60_100.0)
    desk.place("SELL", "MARKET")
    rows = desk.signed("GET", "/fapi/v1/income", symbol=SYMBOL)
    assert [row["incomeType"] for row in rows] == ["COMMISSION", "REALIZED_PNL", "COMMISSION"]
    assert rows[1]["income"] == "0.99800000"
    assert len(desk.signed("GET", "/fapi/v1/income", limit=1)) == 1
    assert desk.signed("GET", "/fapi/v1/income", symbol="ETHUSDT") == []


def test_multi_assets_mode_bars_isolated_margin(desk: UsdmDesk) -> None:
    path = "/fapi/v1/multiAssetsMargin"
    assert code(desk.signed("POST", path, multiAssetsMargin="false")) == -4171
    assert desk.signed("POST", path, multiAssetsMargin="true")["code"] == 200
    assert desk.signed("GET", path) == {"multiAssetsMargin": True}
    answer = desk.signed("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED")
    assert code(answer) == -4168


def test_margin_of_a_cross_position_cannot_be_moved(desk: UsdmDesk) -> None:
    answer = desk.signed("POST", "/fapi/v1/positionMargin", symbol=SYMBOL, amount=1, type=1)
    assert code(answer) == -4049


def test_accounts_do_not_see_each_other(desk: UsdmDesk) -> None:
    order = desk.place("BUY")
    other = {"key": "DeskKey2", "symbol": SYMBOL}
    assert desk.signed("GET", "/fapi/v1/openOrders", **other) == []
    answer = desk.signed("DELETE", "/fapi/v1/order", **other, orderId=order["orderId"])
    assert code(answer) == -2011
    session = desk.user_stream("DeskKey2")
    desk.place("BUY", "MARKET")
    assert names(session.taken()) == []


def test_a_reading_key_cannot_change_settings(desk: UsdmDesk) -> None:
    assert desk.signed("GET", "/fapi/v2/account", key=READER[0])["canTrade"] is True
    leverage = {"symbol": SYMBOL, "leverage": 5, "key": READER[0]}
    assert code(desk.signed("POST", "/fapi/v1/leverage", **leverage)) == -2015
