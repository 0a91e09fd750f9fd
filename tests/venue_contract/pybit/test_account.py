# SPDX-License-Identifier: Apache-2.0
"""pybit's HTTP client at the twin: markets, spot, positions, account."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pybit._helpers
import pytest
from pybit.exceptions import FailedRequestError
from pybit.unified_trading import HTTP

from venue_contract.pybit.calls import (
    BTC,
    ETH,
    SPOT,
    TAKER,
    bought,
    client_of,
    code,
    order_of,
    position,
    price_near,
    resting,
    rows,
)
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server
D = Decimal


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


def test_wrong_keys_and_clocks_are_told_apart(
    bybit: TwinProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = client_of(bybit, secret="not-the-secret")
    assert code(wrong.get_account_info) == 10004
    stranger = client_of(bybit, key="Nobody")
    assert code(stranger.get_account_info) == 10003
    late = client_of(bybit)
    late.max_retries = 1
    monkeypatch.setattr(pybit._helpers, "generate_timestamp", lambda: 1_700_000_000_000)
    with pytest.raises(FailedRequestError):
        late.get_account_info()
