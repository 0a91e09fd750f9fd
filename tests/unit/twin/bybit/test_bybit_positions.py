# SPDX-License-Identifier: Apache-2.0
"""Positions, exits, settings and money at the twin's Bybit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bybit_desk import BybitDesk

D = Decimal
BTC = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


def stop(desk: BybitDesk, **params: Any) -> int:
    """The code of a trading-stop."""
    fields = {**BTC, "tpslMode": "Full", "positionIdx": 0, **params}
    code: int = desk.tell("position/trading-stop", **fields)["retCode"]
    return code


def conditional(desk: BybitDesk, category: str = "linear") -> dict[str, Any]:
    """Waiting orders by kind."""
    found = desk.rows(
        "order/realtime", category=category, symbol="BTCUSDT", orderFilter="StopOrder"
    )
    return {row["stopOrderType"]: row for row in found}


# --- exits


def test_trading_stop_makes_orders_that_are_the_positions(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5")
    assert stop(desk, takeProfit="61000", stopLoss="59000") == 0
    exits = conditional(desk)
    assert set(exits) == {"TakeProfit", "StopLoss"}
    for row, direction in ((exits["TakeProfit"], 1), (exits["StopLoss"], 2)):
        assert (row["side"], row["qty"], row["reduceOnly"]) == ("Sell", "0.500", True)
        assert (row["closeOnTrigger"], row["triggerDirection"]) == (True, direction)
        assert row["tpslMode"] == "Full"
    desk.placed("Buy", "0.5")
    assert conditional(desk)["StopLoss"]["qty"] == "1.000", "an exit closes whatever there is"


def test_trading_stop_changes_removes_and_knows_when_nothing_changed(desk: BybitDesk) -> None:
    assert stop(desk, stopLoss="59000") == 10001
    desk.placed("Buy", "0.5")
    assert stop(desk) == 34040
    assert stop(desk, stopLoss="0") == 34040
    assert stop(desk, stopLoss="59000") == 0
    number = conditional(desk)["StopLoss"]["orderId"]
    assert stop(desk, stopLoss="59000") == 34040
    assert stop(desk, stopLoss="58000", takeProfit="61000") == 0
    row = conditional(desk)["StopLoss"]
    assert (row["orderId"], row["triggerPrice"]) == (number, "58000.00")
    assert stop(desk, stopLoss="0") == 0
    assert set(conditional(desk)) == {"TakeProfit"}
    assert desk.position_row()["stopLoss"] == ""
    assert stop(desk, stopLoss="60500") == 10001, "a long's stop lies below the price"
    assert stop(desk, stopLoss="59000", positionIdx=1) == 10001


def test_an_exit_that_fires_closes_and_takes_the_other_with_it(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5", takeProfit="61000", stopLoss="59000")
    session = desk.private("order")
    desk.quote(desk.linear, 58_990.0)
    desk.pass_ms(20)
    assert desk.size() == 0
    assert conditional(desk) == {}
    told = {(r["stopOrderType"], r["orderStatus"]) for f in session.taken() for r in f["data"]}
    assert ("StopLoss", "Filled") in told
    assert ("TakeProfit", "Cancelled") in told
    row = desk.position_row()
    assert (row["takeProfit"], row["stopLoss"]) == ("", "")
    fill = desk.rows("execution/list", category="linear", limit=1)[0]
    assert (fill["createType"], fill["stopOrderType"]) == ("CreateByStopLoss", "StopLoss")


def test_cancelling_an_exit_clears_it_from_the_position(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5", stopLoss="59000")
    number = conditional(desk)["StopLoss"]["orderId"]
    desk.tell("order/cancel", **BTC, orderId=number)
    assert desk.position_row()["stopLoss"] == ""
    assert stop(desk, stopLoss="59000") == 0


def test_exits_of_a_position_that_turns_round_go(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5", stopLoss="59000")
    desk.placed("Sell", "0.8")
    assert desk.position_row()["side"] == "Sell"
    assert conditional(desk) == {}
    assert desk.position_row()["stopLoss"] == ""


def test_a_trailing_stop_follows_the_best_price_once_it_is_active(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5")
    assert stop(desk, trailingStop="100", activePrice="60200") == 0
    desk.quote(desk.linear, 59_500.0)
    desk.pass_ms(20)
    assert desk.size() == D("0.5"), "not active yet"
    for price in (60_200.0, 60_500.0, 60_410.0):
        desk.quote(desk.linear, price)
        desk.pass_ms(20)
    assert desk.size() == D("0.5")
    assert conditional(desk)["TrailingStop"]["triggerPrice"] == "60400.00"
    desk.quote(desk.linear, 60_399.0)
    desk.pass_ms(20)
    assert desk.size() == 0


def test_partial_exits_close_their_part_at_their_price(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5")
    part = {"tpslMode": "Partial", "tpSize": "0.2", "tpOrderType": "Limit"}
    assert stop(desk, takeProfit="61000", **part) == 10001, "a limit needs its price"
    assert stop(desk, takeProfit="61000", **part, tpLimitPrice="61000") == 0
    assert stop(desk, stopLoss="59000", tpslMode="Partial", slSize="0.9") == 10001
    row = conditional(desk)["PartialTakeProfit"]
    assert (row["qty"], row["price"], row["tpslMode"]) == ("0.200", "61000.00", "Partial")
    desk.quote(desk.linear, 61_010.0)
    desk.pass_ms(20)
    assert desk.size() == D("0.3")


def test_an_attached_partial_exit_is_of_the_orders_size(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5")
    desk.placed("Buy", "0.2", stopLoss="59000", tpslMode="Partial")
    row = conditional(desk)["PartialStopLoss"]
    assert (row["qty"], row["side"]) == ("0.200", "Sell")


def test_exits_wait_for_a_resting_order_to_fill(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5", "59999.9", stopLoss="59000")
    assert conditional(desk) == {}
    desk.quote(desk.linear, 59_990.0)
    desk.pass_ms(20)
    assert desk.size() == D("0.5")
    assert set(conditional(desk)) == {"StopLoss"}


def test_spot_exits_of_a_filled_order_cancel_each_other(desk: BybitDesk) -> None:
    exits = {"takeProfit": "61000", "stopLoss": "59000"}
    desk.placed("Buy", "0.5", "60000.1", category="spot", **exits)
    rows = desk.rows("order/realtime", category="spot", orderFilter="tpslOrder")
    assert {row["triggerPrice"] for row in rows} == {"61000.0", "59000.0"}
    assert {row["qty"] for row in rows} == {"0.499500"}, "the fee is not there to sell"
    desk.quote(desk.spot, 61_010.0)
    desk.pass_ms(20)
    assert desk.rows("order/realtime", category="spot") == []
    assert desk.main.wallets["unified"]["BTC"] == 2


# --- settings


def test_leverage_has_a_tier_a_step_and_two_equal_sides(desk: BybitDesk) -> None:
    def code(buy: str, sell: str | None = None) -> int:
        fields = {**BTC, "buyLeverage": buy, "sellLeverage": sell or buy}
        found: int = desk.tell("position/set-leverage", **fields)["retCode"]
        return found

    assert code("10") == 110043
    assert code("25") == 0
    assert desk.position_row()["leverage"] == "25"
    assert (code("0.5"), code("5", "6"), code("5.005"), code("x")) == (10001,) * 4
    assert code("100.5") == 110013
    desk.main.wallets["unified"]["USDT"] = D(10_000_000)
    desk.placed("Buy", "10")
    desk.quote(desk.linear, 60_000.0)
    for _ in range(4):
        desk.placed("Buy", "9", "60100")
        desk.quote(desk.linear, 60_000.0)
    assert D(desk.position_row()["positionValue"]) > 2_000_000
    assert code("80") == 110013, "the tier of a large position allows less"


def test_leverage_that_the_balance_cannot_bear_is_refused(desk: BybitDesk) -> None:
    desk.main.wallets["unified"] = {"USDT": D(7_000)}
    desk.placed("Buy", "1")
    fields = {"buyLeverage": "5", "sellLeverage": "5"}
    assert desk.tell("position/set-leverage", **BTC, **fields)["retCode"] == 110012
    assert desk.position_row()["leverage"] == "10"


def test_position_mode_of_a_symbol_and_of_a_coin(desk: BybitDesk) -> None:
    def mode(number: int, **where: str) -> int:
        found: int = desk.tell("position/switch-mode", category="linear", mode=number, **where)[
            "retCode"
        ]
        return found

    assert mode(0, symbol="BTCUSDT") == 110025
    assert mode(1, symbol="BTCUSDT") == 10001
    assert mode(3) == 10001
    order = desk.placed("Buy", "0.01", "59000")
    assert mode(3, symbol="BTCUSDT") == 110028
    assert mode(3, coin="USDT") == 0
    assert [row["positionIdx"] for row in desk.rows("position/list", **BTC)] == [0]
    desk.tell("order/cancel", **BTC, orderId=order)
    assert (mode(3, coin="USDT"), mode(3, coin="USDT")) == (0, 0)
    assert [row["positionIdx"] for row in desk.rows("position/list", **BTC)] == [1, 2]
    desk.placed("Buy", "0.5", positionIdx=1)
    desk.placed("Sell", "0.2", positionIdx=2)
    assert mode(0, symbol="BTCUSDT") == 110024
    rows = desk.rows("position/list", category="linear", settleCoin="USDT")
    assert [(r["side"], r["size"]) for r in rows] == [("Buy", "0.5"), ("Sell", "0.2")]
    assert desk.create("Sell", "0.6", positionIdx=1)["retCode"] == 110017


def test_isolated_margin_hides_the_accounts_totals(desk: BybitDesk) -> None:
    desk.tell("account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    row = desk.rows("account/wallet-balance", accountType="UNIFIED")[0]
    assert row["totalAvailableBalance"] == ""
    assert desk.ask("account/wallet-balance", accountType="SPOT")["retCode"] == 10001


def test_the_wallet_shows_what_is_there_or_named(desk: BybitDesk) -> None:
    desk.main.wallets["unified"]["ETH"] = D(0)

    def coins(**params: str) -> list[str]:
        row = desk.rows("account/wallet-balance", accountType="UNIFIED", **params)[0]
        return [coin["coin"] for coin in row["coin"]]

    assert coins() == ["USDT", "BTC"]
    assert coins(coin="ETH,BTC") == ["ETH", "BTC"]


def test_a_position_values_itself_at_the_mark(desk: BybitDesk) -> None:
    desk.placed("Buy", "1")
    desk.quote(desk.linear, 60_500.0)
    row = desk.position_row()
    assert row["unrealisedPnl"] == "499.9"
    assert (row["positionIM"], row["positionMM"]) == ("6050", "302.5")
    assert row["curRealisedPnl"] == "-33.000055"
    wallet = desk.rows("account/wallet-balance", accountType="UNIFIED", coin="USDT")[0]
    coin = wallet["coin"][0]
    assert D(coin["equity"]) == D(coin["walletBalance"]) + D("499.9")


def test_the_liquidation_price_is_where_the_account_is_liquidated(desk: BybitDesk) -> None:
    desk.main.wallets["unified"] = {"USDT": D(1_000)}
    desk.placed("Buy", "0.1")
    price = float(desk.position_row()["liqPrice"])
    desk.quote(desk.linear, price + 5)
    desk.pass_ms(20)
    assert desk.size() == D("0.1")
    desk.quote(desk.linear, price - 5)
    desk.pass_ms(20)
    assert desk.size() == 0


# --- money


def test_closed_profit_has_both_prices_and_both_fees(desk: BybitDesk) -> None:
    before = desk.main.wallets["unified"]["USDT"]
    desk.placed("Buy", "1")
    desk.quote(desk.linear, 60_100.0)
    desk.placed("Sell", "0.4", reduceOnly=True)
    desk.placed("Sell", "0.6", reduceOnly=True)
    rows = desk.rows("position/closed-pnl", **BTC)
    assert [(row["closedSize"], row["avgEntryPrice"], row["avgExitPrice"]) for row in rows] == [
        ("0.6", "60000.1", "60099.9"),
        ("0.4", "60000.1", "60099.9"),
    ]
    assert D(rows[1]["openFee"]) == D("0.4") * D("60000.1") * D("0.00055")
    total = sum(D(row["closedPnl"]) for row in rows)
    assert total == desk.main.wallets["unified"]["USDT"] - before


def test_profit_of_a_turn_counts_only_what_was_closed(desk: BybitDesk) -> None:
    desk.placed("Sell", "0.5")
    desk.placed("Buy", "0.8")
    row = desk.rows("position/closed-pnl", **BTC)[0]
    assert (row["side"], row["qty"], row["closedSize"]) == ("Buy", "0.800", "0.5")
    fee = D("0.5") * D("60000.1") * D("0.00055")
    assert D(row["closeFee"]) == fee
    desk.placed("Sell", "0.3", reduceOnly=True)
    row = desk.rows("position/closed-pnl", **BTC)[0]
    assert D(row["openFee"]) == D("0.3") * D("60000.1") * D("0.00055")


def test_the_log_of_a_spot_trade_has_a_line_for_each_coin(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.1", category="spot", marketUnit="baseCoin")
    quote, base = desk.rows("account/transaction-log", category="spot")
    assert (quote["currency"], base["currency"]) == ("USDT", "BTC")
    assert (base["cashFlow"], base["fee"], base["change"]) == ("0.1", "0.0001", "0.0999")
    assert (quote["cashFlow"], quote["fee"]) == ("-6000.01", "0")
    assert D(base["cashBalance"]) == D("2.0999")
