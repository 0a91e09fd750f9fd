# SPDX-License-Identifier: Apache-2.0
"""ccxt's Bybit, synchronous and asynchronous, unmodified but for its URLs, trades on the twin."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server
SWAP, SPOT = "BTC/USDT:USDT", "BTC/USDT"
URLS = ("spot", "futures", "v2", "public", "private")
PATIENT = {"timeout": 60_000, "options": {"recvWindow": 60_000}}  # ms: a shared machine stalls


def settings(
    twin: TwinProcess, key: str | None = None, secret: str | None = None
) -> dict[str, Any]:
    return {
        **PATIENT,
        "apiKey": key or twin.main.key,
        "secret": secret or twin.main.secret,
        "enableRateLimit": False,
        "urls": {"api": dict.fromkeys(URLS, twin.rest_url)},
    }


@pytest.fixture(scope="module")
def client(bybit: TwinProcess) -> Any:
    client = ccxt.bybit(settings(bybit))
    client.load_markets()
    return client


@pytest.fixture(autouse=True)
def nothing_left(client: Any) -> Iterator[None]:
    """Every test starts flat, in one-way mode, without orders."""
    for symbol in (SWAP, SPOT):
        client.cancel_all_orders(symbol)
    for held in client.fetch_positions([SWAP]):
        if held["contracts"]:
            side = "sell" if held["side"] == "long" else "buy"
            index = held["info"]["positionIdx"]
            more = {"reduceOnly": True, "positionIdx": int(index)}
            client.create_order(SWAP, "market", side, held["contracts"], None, more)
    client.set_position_mode(False, None)
    yield


def last(client: Any, symbol: str = SWAP) -> float:
    price: float = client.fetch_ticker(symbol)["last"]
    return price


def order_of(client: Any, number: str, symbol: str = SWAP) -> Any:
    return client.fetch_order(number, symbol, {"acknowledged": True})


# --- markets


def test_markets_of_both_kinds_are_loaded_with_their_steps(client: Any) -> None:
    swap, spot = client.market(SWAP), client.market(SPOT)
    assert (swap["swap"], swap["linear"], swap["contractSize"]) == (True, True, 1.0)
    assert (swap["precision"]["price"], swap["precision"]["amount"]) == (0.1, 0.001)
    assert (spot["spot"], spot["precision"]["amount"]) == (True, 0.000001)
    assert swap["limits"]["leverage"]["max"] == 100
    assert client.currencies["BTC"]["code"] == "BTC"


def test_the_book_is_sorted_and_cut(client: Any) -> None:
    for symbol in (SWAP, SPOT):
        book = client.fetch_order_book(symbol, 20)
        bids, asks = ([level[0] for level in book[side]] for side in ("bids", "asks"))
        assert len(bids) == len(asks) == 20
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]


def test_candles_come_oldest_first_and_can_be_paged_forwards(client: Any) -> None:
    now = client.milliseconds()
    first = client.fetch_ohlcv(SWAP, "1m", since=now - 2_000 * 60_000, limit=1000)
    second = client.fetch_ohlcv(SWAP, "1m", since=first[-1][0] + 60_000, limit=1000)
    starts = [row[0] for row in first + second]
    assert {b - a for a, b in itertools.pairwise(starts)} == {60_000}
    assert all(row[3] <= row[1] <= row[2] for row in first)
    assert len(client.fetch_mark_ohlcv(SWAP, "1h", limit=5)) == 5


def test_tickers_trades_funding_and_interest_are_parsed(client: Any) -> None:
    tickers = client.fetch_tickers([SWAP])
    assert tickers[SWAP]["bid"] < tickers[SWAP]["ask"]
    trades = wait_until(lambda: client.fetch_trades(SWAP, limit=5), "a trade")
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}
    rate = client.fetch_funding_rate(SWAP)
    assert rate["fundingTimestamp"] > client.milliseconds()
    history = client.fetch_funding_rate_history(SWAP, limit=5)
    assert len(history) == 5
    assert client.fetch_open_interest_history(SWAP, "1h", limit=3)[0]["openInterestAmount"] > 0


def test_leverage_tiers_rise(client: Any) -> None:
    tiers = client.fetch_market_leverage_tiers(SWAP)
    assert [tier["tier"] for tier in tiers] == list(range(1, len(tiers) + 1))
    leverages = [tier["maxLeverage"] for tier in tiers]
    assert leverages == sorted(leverages, reverse=True)
    assert SWAP in client.fetch_leverage_tiers([SWAP])


def test_the_clock_and_the_fees(client: Any) -> None:
    before = client.milliseconds()
    assert before - 1 <= client.fetch_time() <= client.milliseconds() + 1
    fee = client.fetch_trading_fee(SWAP)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.00055)


# --- orders


def test_the_account_is_seen_as_unified(client: Any) -> None:
    assert client.is_unified_enabled() == [False, True]


def test_a_limit_order_is_created_edited_found_and_cancelled(client: Any) -> None:
    link = f"t-{uuid.uuid4().hex[:20]}"
    price = client.price_to_precision(SWAP, last(client) * 0.97)
    more = {"clientOrderId": link}
    number = client.create_order(SWAP, "limit", "buy", 0.01, price, more)["id"]
    order = order_of(client, number)
    assert (order["status"], order["clientOrderId"], order["timeInForce"]) == ("open", link, "GTC")
    client.edit_order(number, SWAP, "limit", "buy", 0.02, price)
    assert order_of(client, number)["amount"] == 0.02
    assert [row["id"] for row in client.fetch_open_orders(SWAP)] == [number]
    client.cancel_order(number, SWAP)
    order = order_of(client, number)
    assert (order["status"], order["filled"]) == ("canceled", 0.0)
    assert number in {row["id"] for row in client.fetch_canceled_orders(SWAP)}


def test_a_market_order_fills_and_its_fee_is_known(client: Any) -> None:
    number = client.create_order(SWAP, "market", "buy", 0.02)["id"]
    order = order_of(client, number)
    assert (order["status"], order["filled"], order["remaining"]) == ("closed", 0.02, 0)
    fills = [row for row in client.fetch_my_trades(SWAP) if row["order"] == number]
    cost = sum(row["cost"] for row in fills)
    fee = sum(row["fee"]["cost"] for row in fills)
    assert fee == pytest.approx(cost * 0.00055, rel=1e-6)
    assert {row["takerOrMaker"] for row in fills} == {"taker"}
    held = client.fetch_position(SWAP)
    assert (held["side"], held["contracts"]) == ("long", 0.02)
    assert held["entryPrice"] == pytest.approx(cost / 0.02)
    assert held["maintenanceMargin"] > 0


def test_a_post_only_order_that_would_take_is_cancelled(client: Any) -> None:
    price = client.price_to_precision(SWAP, last(client) * 1.01)
    number = client.create_order(SWAP, "limit", "buy", 0.01, price, {"postOnly": True})["id"]
    assert order_of(client, number)["status"] == "canceled"


def test_reduce_only_without_a_position_is_an_invalid_order(client: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="110017"):
        client.create_order(SWAP, "market", "sell", 0.01, None, {"reduceOnly": True})


def test_trigger_and_stop_loss_orders_wait(client: Any) -> None:
    price = last(client)
    above = client.price_to_precision(SWAP, price * 1.03)
    more = {"triggerPrice": above, "triggerDirection": "ascending"}
    number = client.create_order(SWAP, "market", "buy", 0.01, None, more)["id"]
    order = order_of(client, number)
    assert (order["status"], order["triggerPrice"]) == ("open", float(above))
    client.create_order(SWAP, "market", "buy", 0.02)
    low = client.price_to_precision(SWAP, price * 0.97)
    stop = client.create_order(SWAP, "market", "sell", 0.02, None, {"stopLossPrice": low})
    assert order_of(client, stop["id"])["reduceOnly"] is True
    assert len(client.fetch_open_orders(SWAP, params={"trigger": True})) == 2
    client.cancel_all_orders(SWAP, {"trigger": True})
    assert client.fetch_open_orders(SWAP, params={"trigger": True}) == []


def test_exits_attached_to_an_order_protect_the_position(client: Any) -> None:
    price = last(client)
    exits = {
        "takeProfit": {"triggerPrice": client.price_to_precision(SWAP, price * 1.04)},
        "stopLoss": {"triggerPrice": client.price_to_precision(SWAP, price * 0.96)},
    }
    client.create_order(SWAP, "market", "buy", 0.02, None, exits)
    held = client.fetch_position(SWAP)
    assert held["stopLossPrice"] == float(exits["stopLoss"]["triggerPrice"])
    assert held["takeProfitPrice"] == float(exits["takeProfit"]["triggerPrice"])


def test_a_trailing_stop_is_set_on_the_position(client: Any) -> None:
    client.create_order(SWAP, "market", "buy", 0.02)
    client.create_order(SWAP, "market", "sell", 0.02, None, {"trailingAmount": "300"})
    assert float(client.fetch_position(SWAP)["info"]["trailingStop"]) == 300


def test_many_orders_at_once(client: Any) -> None:
    price = client.price_to_precision(SWAP, last(client) * 0.97)
    order = {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 0.01, "price": price}
    made = client.create_orders([order, order])
    ids = [row["id"] for row in made]
    client.edit_orders([{**order, "id": number, "amount": 0.02} for number in ids])
    assert {row["amount"] for row in client.fetch_open_orders(SWAP)} == {0.02}
    client.cancel_orders(ids, SWAP)
    assert client.fetch_open_orders(SWAP) == []


def test_spot_orders_by_coins_by_cost_and_at_a_limit(client: Any) -> None:
    coins = client.create_order(SPOT, "market", "buy", 0.01)["id"]
    assert order_of(client, coins, SPOT)["filled"] == 0.01
    spent = client.create_market_buy_order_with_cost(SPOT, 600)["id"]
    assert order_of(client, spent, SPOT)["cost"] == pytest.approx(600, rel=0.01)
    client.create_order(SPOT, "market", "sell", 0.015)
    price = client.price_to_precision(SPOT, last(client, SPOT) * 0.97)
    number = client.create_order(SPOT, "limit", "buy", 0.01, price)["id"]
    used = client.fetch_balance()["USDT"]["used"]
    assert used >= 0.01 * float(price) * 0.999
    client.cancel_order(number, SPOT)
    assert order_of(client, number, SPOT)["status"] == "canceled"


def test_a_spot_stop_waits_and_can_be_cancelled(client: Any) -> None:
    low = client.price_to_precision(SPOT, last(client, SPOT) * 0.97)
    more = {"triggerPrice": low}
    number = client.create_order(SPOT, "market", "sell", 0.01, None, more)["id"]
    found = client.fetch_open_orders(SPOT, params={"trigger": True})
    assert number in {row["id"] for row in found}
    client.cancel_order(number, SPOT, {"trigger": True})


@pytest.mark.parametrize(
    ("error", "amount", "factor", "match"),
    [
        (ccxt.InsufficientFunds, 100, 0.97, "110007"),
        (ccxt.ExchangeError, 0.01, 3.0, "110003"),
        (ccxt.ExchangeError, 999_999, 0.97, "10001"),
    ],
)
def test_refusals_become_ccxt_errors(
    client: Any, error: type[Exception], amount: float, factor: float, match: str
) -> None:
    price = client.price_to_precision(SWAP, last(client) * factor)
    with pytest.raises(error, match=match):
        client.create_order(SWAP, "limit", "buy", amount, price)


def test_unknown_and_repeated_orders_become_ccxt_errors(client: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("nobody", SWAP)
    more = {"clientOrderId": f"t-{uuid.uuid4().hex[:20]}"}
    client.create_order(SWAP, "market", "buy", 0.01, None, more)
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        client.create_order(SWAP, "market", "buy", 0.01, None, more)


# --- account


def test_the_balance_moves_with_what_is_paid(client: Any) -> None:
    before = client.fetch_balance()["USDT"]["total"]
    client.create_order(SWAP, "market", "buy", 0.05)
    client.create_order(SWAP, "market", "sell", 0.05, None, {"reduceOnly": True})
    fills = client.fetch_my_trades(SWAP, limit=20)[-2:]
    fees = sum(row["fee"]["cost"] for row in fills)
    assert client.fetch_balance()["USDT"]["total"] < before - fees * 0.5
    entry = client.fetch_ledger("USDT", limit=5)[-1]
    assert entry["currency"] == "USDT"


def test_leverage_margin_and_position_mode_can_be_set(client: Any) -> None:
    now = int(client.fetch_leverage(SWAP)["longLeverage"])
    client.set_leverage(now % 20 + 1, SWAP)
    assert client.fetch_leverage(SWAP)["longLeverage"] == now % 20 + 1
    with pytest.raises(ccxt.ExchangeError, match="110043"):
        client.set_leverage(now % 20 + 1, SWAP)
    client.set_margin_mode("isolated")
    client.set_margin_mode("cross")
    client.set_position_mode(True, SWAP)
    client.create_order(SWAP, "market", "buy", 0.02, None, {"positionIdx": 1})
    client.create_order(SWAP, "market", "sell", 0.01, None, {"positionIdx": 2})
    sides = {row["side"]: row["contracts"] for row in client.fetch_positions([SWAP])}
    assert sides == {"long": 0.02, "short": 0.01}
    with pytest.raises(ccxt.ExchangeError, match="110024"):
        client.set_position_mode(False, SWAP)


def test_wrong_keys_are_authentication_errors(bybit: TwinProcess) -> None:
    for key, secret in ((None, "not-the-secret"), ("Nobody", None)):
        client = ccxt.bybit(settings(bybit, key, secret))
        with pytest.raises(ccxt.AuthenticationError):
            client.fetch_balance()
    reader = ccxt.bybit(settings(bybit, bybit.readonly.key, bybit.readonly.secret))
    with pytest.raises(ccxt.PermissionDenied):
        reader.create_order(SWAP, "market", "buy", 0.01)
    late = ccxt.bybit(settings(bybit))
    late.nonce = lambda: late.milliseconds() - 120_000
    with pytest.raises(ccxt.InvalidNonce):
        late.fetch_balance()


def test_too_many_requests_are_a_rate_limit_error(tmp_path: Any) -> None:
    with TwinProcess("bybit", tmp_path, "--limits-scale", "1") as twin:
        client = ccxt.bybit({**settings(twin), "options": {"enableUnifiedAccount": True}})
        params = {"category": "linear", "symbol": "BTCUSDT"}
        with pytest.raises(ccxt.RateLimitExceeded):
            for _ in range(200):
                client.private_post_v5_order_cancel_all(dict(params))


def test_the_asynchronous_client_trades_as_well(bybit: TwinProcess) -> None:
    async def run() -> tuple[Any, Any]:
        client = ccxt.async_support.bybit(settings(bybit))
        try:
            await client.load_markets()
            book, ticker = await asyncio.gather(
                client.fetch_order_book(SWAP, 10), client.fetch_ticker(SWAP)
            )
            assert book["bids"][0][0] < book["asks"][0][0]
            price = client.price_to_precision(SWAP, ticker["last"] * 0.97)
            placed = await asyncio.gather(
                *(client.create_order(SWAP, "limit", "buy", 0.01, price) for _ in range(5))
            )
            opened = await client.fetch_open_orders(SWAP)
            await client.cancel_all_orders(SWAP)
            return {row["id"] for row in placed}, {row["id"] for row in opened}
        finally:
            await client.close()

    placed, opened = asyncio.run(run())
    assert len(placed) == 5
    assert placed == opened
