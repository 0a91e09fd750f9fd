# SPDX-License-Identifier: Apache-2.0
"""The twin's exchange without a wire: what it does with orders, money and time. Every amount is
worked out by hand beside the case.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.twin.orders import NewOrder, Refused, Status, Trigger, Why
from twin_desk import StillExchange

D = Decimal


@pytest.fixture
def desk() -> StillExchange:
    return StillExchange()


def refusal(desk: StillExchange, *args: object, **more: object) -> Why:
    before = len(desk.ledger.records)
    with pytest.raises(Refused) as caught:
        desk.order(*args, **more)  # type: ignore[arg-type]
    assert len(desk.ledger.records) == before, "a refused order leaves nothing"
    return caught.value.why


def test_a_market_order_fills_at_the_touch_and_pays_the_taker_fee(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.5")
    assert (order.status, order.average) == (Status.FILLED, D("60000.1"))
    assert desk.size() == D("0.5")
    fee = D("0.5") * D("60000.1") * D("0.00055")
    assert desk.main.wallets["unified"]["USDT"] == 100_000 - fee
    assert desk.kinds()[-8:] == [
        "OrderEvent:new",
        "PositionEvent",
        "TradePrint",
        "OrderEvent:trade",
        "ExecutionEvent",
        "PositionEvent",
        "BalanceEvent",
        "BookChange",
    ]


def test_closing_realises_profit_in_the_wallet(desk: StillExchange) -> None:
    desk.order("BUY", "1")
    desk.quote(desk.linear, 60_100.0)
    desk.order("SELL", "1", reduce_only=True)
    profit = D("60099.9") - D("60000.1")
    fees = (D("60000.1") + D("60099.9")) * D("0.00055")
    assert desk.main.wallets["unified"]["USDT"] == 100_000 + profit - fees
    assert desk.size() == 0


def test_two_accounts_trade_with_each_other_inside_the_spread(desk: StillExchange) -> None:
    maker = desk.order("SELL", "0.2", "60000.0", account=desk.second)
    taker = desk.order("BUY", "0.2", "60000.0")
    assert (maker.status, taker.status) == (Status.FILLED, Status.FILLED)
    sides = [e for e in desk.ledger.records if e["kind"] == "trade"]
    assert [e["is_maker"] for e in sides] == [False, True]
    prints = [e for e in desk.events if type(e).__name__ == "TradePrint"]
    assert len(prints) == 1, "one trade, however many of our accounts are in it"


def test_a_resting_order_is_seen_in_the_book_and_leaves_it(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.3", "60000.0")
    assert desk.linear.touch()[:2] == ("60000.00", "0.300")
    desk.venue.cancel(order)
    assert desk.linear.touch()[0] == "59999.90"
    assert order.status is Status.CANCELLED
    with pytest.raises(Refused, match="order_closed"):
        desk.venue.cancel(order)


def test_a_passing_trade_fills_a_maker_once_at_its_own_price(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.3", "60000.0")
    desk.venue.market_trade(desk.linear, 600_000, 200, is_buy=False)
    desk.venue.market_trade(desk.linear, 600_000, 200, is_buy=False)
    assert [f.quantity for f in order.fills] == [D("0.2"), D("0.1")]
    assert {f.fee_rate for f in order.fills} == {D("0.0002")}
    prints = [e for e in desk.events if type(e).__name__ == "TradePrint"]
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("side", "quantity", "price", "expected"),
    [
        ("BUY", "0.5", "60000.05", Why.PRICE_OFF_TICK),
        ("BUY", "0.0005", "60000", Why.QUANTITY_TOO_SMALL),
        ("BUY", "0.0015", "60000", Why.QUANTITY_OFF_STEP),
        ("BUY", "100000", "60000", Why.QUANTITY_TOO_LARGE),
        ("BUY", "0.5", "70000", Why.PRICE_ABOVE_BAND),
        ("SELL", "0.5", "50000", Why.PRICE_BELOW_BAND),
        ("BUY", "30", "60000", Why.INSUFFICIENT),
        ("BUY", "0.5", "-1", Why.PRICE_TOO_LOW),
    ],
)
def test_filters_refuse_and_leave_nothing(
    desk: StillExchange, side: str, quantity: str, price: str, expected: Why
) -> None:
    assert refusal(desk, side, quantity, price) is expected


def test_reduce_only_needs_a_position_and_is_cut_to_it(desk: StillExchange) -> None:
    assert refusal(desk, "SELL", "0.5", reduce_only=True) is Why.NO_POSITION
    desk.order("BUY", "0.5")
    assert refusal(desk, "BUY", "0.5", reduce_only=True) is Why.NO_POSITION
    assert desk.order("SELL", "2", reduce_only=True).quantity == D("0.5")
    assert desk.size() == 0


def test_resting_reducers_shrink_with_the_position_and_end_with_it(desk: StillExchange) -> None:
    desk.order("BUY", "0.5")
    resting = desk.order("SELL", "0.5", "60010", reduce_only=True)
    desk.order("SELL", "0.2")
    assert resting.left == D("0.3")
    desk.order("SELL", "0.3")
    assert (resting.status, resting.why) == (Status.CANCELLED, Why.REDUCE_ONLY)


@pytest.mark.parametrize(("exchange", "is_reusable"), [("bybit", False), ("binance", True)])
def test_client_ids_are_unique_as_each_venue_has_it(exchange: str, is_reusable: bool) -> None:
    desk = StillExchange(exchange)
    order = desk.order("BUY", "0.5", "59900", client_id="one")
    assert refusal(desk, "BUY", "0.5", "59900", client_id="one") is Why.DUPLICATE_CLIENT_ID
    desk.venue.cancel(order)
    if is_reusable:
        again = desk.order("BUY", "0.5", "59900", client_id="one")
        assert desk.main.client_ids("linear")["one"] is again
    else:
        assert refusal(desk, "BUY", "0.5", "59900", client_id="one") is Why.DUPLICATE_CLIENT_ID


def test_post_only_that_would_take_is_refused_or_cancelled_by_venue() -> None:
    bybit, binance = StillExchange("bybit"), StillExchange("binance")
    order = bybit.order("BUY", "0.5", "60010", life="POST_ONLY")
    assert (order.status, order.why, order.filled) == (Status.EXPIRED, Why.WOULD_TAKE, 0)
    assert refusal(binance, "BUY", "0.5", "60010", life="POST_ONLY") is Why.WOULD_TAKE


def test_hedge_mode_keeps_two_legs_and_refuses_one_way_orders(desk: StillExchange) -> None:
    desk.main.hedged["BTCUSDT"] = True
    assert refusal(desk, "BUY", "0.5") is Why.POSITION_SIDE
    desk.order("BUY", "0.5", position_side="LONG")
    desk.order("SELL", "0.3", position_side="SHORT")
    assert (desk.size("LONG"), desk.size("SHORT")) == (D("0.5"), D("-0.3"))
    too_much = refusal(desk, "SELL", "0.6", position_side="LONG")
    assert too_much is Why.REDUCE_ONLY
    desk.order("SELL", "0.5", position_side="LONG")
    assert desk.size("LONG") == 0


def test_a_stop_waits_binds_nothing_and_fires_at_its_price(desk: StillExchange) -> None:
    desk.order("BUY", "1")
    free = desk.main.available()
    stop = desk.order(
        "SELL", "1", reduce_only=True, trigger=Trigger(D("59900"), rising=False, by="mark")
    )
    assert (stop.status, desk.main.available()) == (Status.UNTRIGGERED, free)
    desk.quote(desk.linear, 59_950.0)
    assert stop.status is Status.UNTRIGGERED
    desk.quote(desk.linear, 59_890.0)
    assert (stop.status, stop.average, desk.size()) == (Status.FILLED, D("59889.9"), 0)
    assert [k for k in desk.kinds() if k == "OrderEvent:triggered"] == ["OrderEvent:triggered"]


def test_a_trigger_behind_the_price_is_refused(desk: StillExchange) -> None:
    rising, falling = Trigger(D(59_000), rising=True), Trigger(D(61_000), rising=False)
    assert refusal(desk, "BUY", "1", trigger=rising) is Why.TRIGGER_PASSED_RISING
    assert refusal(desk, "SELL", "1", trigger=falling) is Why.TRIGGER_PASSED_FALLING


def test_a_trailing_stop_follows_the_best_price(desk: StillExchange) -> None:
    desk.order("BUY", "1")
    trailing = Trigger(D(0), rising=False, by="mark", trailing=D(100))
    stop = desk.order("SELL", "1", reduce_only=True, trigger=trailing)
    for price in (60_050.0, 60_200.0, 60_120.0):
        desk.quote(desk.linear, price)
        assert stop.status is Status.UNTRIGGERED
    desk.quote(desk.linear, 60_095.0)
    assert stop.status is Status.FILLED


def test_amending_up_loses_the_place_and_down_keeps_it(desk: StillExchange) -> None:
    first = desk.order("BUY", "0.2", "60000.0")
    second = desk.order("BUY", "0.2", "60000.0", account=desk.second)
    desk.venue.amend(first, quantity=D("0.1"))
    desk.venue.market_trade(desk.linear, 600_000, 50, is_buy=False)
    assert (first.filled, second.filled) == (D("0.05"), 0)
    desk.venue.amend(first, quantity=D("0.3"))
    desk.venue.market_trade(desk.linear, 600_000, 100, is_buy=False)
    assert (first.filled, second.filled) == (D("0.05"), D("0.1"))


def test_a_passing_trade_is_a_trade_of_its_own_for_each_order_that_it_reaches(
    desk: StillExchange,
) -> None:
    orders = [desk.order("BUY", quantity, "60000.0") for quantity in ("0.007", "0.138")]
    desk.venue.market_trade(desk.linear, 600_000, 200, is_buy=False)
    fills = [order.fills[0] for order in orders]
    assert [fill.quantity for fill in fills] == [D("0.007"), D("0.138")]
    prints = [e for e in desk.events if type(e).__name__ == "TradePrint"]
    assert [each.number for each in prints] == [fill.trade_number for fill in fills]
    assert len({each.number for each in prints}) == 2
    assert sum(D(each.quantity) for each in prints) == D("0.2")


def test_amend_refuses_what_makes_no_sense(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.2", "60000.0")
    desk.venue.market_trade(desk.linear, 600_000, 100, is_buy=False)
    for change, why in (
        ({"price": D("60000.0")}, Why.AMEND_UNCHANGED),
        ({"quantity": D("0.1")}, Why.AMEND_BELOW_FILLED),
        ({"price": D("60000.05")}, Why.PRICE_OFF_TICK),
    ):
        with pytest.raises(Refused) as caught:
            desk.venue.amend(order, **change)  # type: ignore[arg-type]
        assert caught.value.why is why
    assert order.left == D("0.1")


def test_spot_holds_money_back_and_takes_the_fee_where_venues_do(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.5", "59000", market="spot")
    assert desk.main.locked["USDT"] == 29_500
    desk.venue.cancel(order)
    assert desk.main.locked["USDT"] == 0
    desk.order("BUY", "0.5", market="spot")
    wallet = desk.main.wallets["unified"]
    ask = D("60000.1")
    assert wallet["BTC"] == 2 + D("0.5") * (1 - D("0.001"))
    assert wallet["USDT"] == 100_000 - D("0.5") * ask
    assert refusal(desk, "SELL", "5", "60100", market="spot") is Why.INSUFFICIENT


def test_a_spot_buy_by_money_spends_no_more_than_it(desk: StillExchange) -> None:
    order = desk.order("BUY", None, market="spot", quote_quantity=D(1_000))
    assert order.status is Status.FILLED
    assert 0 <= 1_000 - order.value < D("60000.1") * desk.spot.listing.lot


def test_funding_is_paid_once_at_its_time(desk: StillExchange) -> None:
    desk.order("BUY", "1")
    desk.linear.funding_rate = D("0.0001")
    before = desk.main.wallets["unified"]["USDT"]
    desk.now_ns = desk.linear.next_funding_ns - 1
    desk.venue.step()
    assert desk.main.wallets["unified"]["USDT"] == before
    desk.now_ns += 1
    desk.venue.step()
    desk.venue.step()
    assert before - desk.main.wallets["unified"]["USDT"] == D("6.00000")
    assert [r["kind"] for r in desk.ledger.records].count("funding") == 1


def test_an_account_under_water_is_liquidated_and_its_orders_go(desk: StillExchange) -> None:
    desk.main.leverage["BTCUSDT"] = D(50)
    desk.order("BUY", "10")
    resting = desk.order("BUY", "0.1", "58000")
    desk.quote(desk.linear, 50_500.0, coins=100)
    desk.venue.step()
    assert desk.size() > 0, "still solvent"
    desk.quote(desk.linear, 50_200.0, coins=100)
    desk.venue.step()
    assert desk.size() == 0
    forced = [r for r in desk.ledger.records if r["kind"] == "liquidation"]
    assert forced and str(forced[0]["client_order_id"]).startswith("autoclose-")
    assert resting.why is Why.LIQUIDATION or resting.status is Status.FILLED


def test_a_market_order_never_goes_beyond_its_bound(desk: StillExchange) -> None:
    desk.venue.market_depth(desk.linear, [(599_999, 10)], [(700_000, 10_000)], is_snapshot=True)
    order = desk.order("BUY", "1")
    assert (order.status, order.why, order.filled) == (Status.EXPIRED, Why.NO_LIQUIDITY, 0)


def test_the_ledger_tells_every_step_of_an_order(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.2", "60000.0", client_id="h1-a-1")
    desk.venue.market_trade(desk.linear, 600_000, 100, is_buy=False)
    desk.venue.cancel(order)
    mine = [r for r in desk.ledger.records if r["client_order_id"] == "h1-a-1"]
    assert [r["kind"] for r in mine] == ["new", "trade", "cancelled"]
    assert [r["seq"] for r in desk.ledger.records] == sorted(r["seq"] for r in desk.ledger.records)


def test_a_deadline_acts_once(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.2", "59000")
    account = desk.main
    desk.venue.deadlines["x"] = (
        desk.now_ns + 5,
        lambda: desk.venue.cancel_all(list(account.open_orders.values()), Why.COUNTDOWN),
    )
    desk.venue.step()
    assert order.is_open
    desk.now_ns += 5
    desk.venue.step()
    desk.venue.step()
    assert (order.status, order.why) == (Status.CANCELLED, Why.COUNTDOWN)


def test_a_banned_account_places_nothing(desk: StillExchange) -> None:
    desk.main.is_banned = True
    with pytest.raises(Refused):
        desk.venue.place(desk.main, NewOrder("BTCUSDT", "BUY", D(1)), market="linear")


def test_binance_keeps_the_client_ids_of_spot_and_futures_apart() -> None:
    desk = StillExchange("binance")
    desk.order("BUY", "0.5", "59900", client_id="one")
    assert desk.order("BUY", "0.5", "59900", client_id="one", market="spot").is_open


def test_public_trades_never_run_backwards_in_time(desk: StillExchange) -> None:
    """The market's are printed a little after they were due; an account's may come between."""
    desk.venue.market_trade(desk.linear, 600_001, 5, is_buy=True, at_ns=desk.now_ns - 9_000_000)
    desk.order("BUY", "0.1")
    desk.venue.market_trade(desk.linear, 600_001, 5, is_buy=True, at_ns=desk.now_ns - 5_000_000)
    times = [print_.ts_ns - desk.now_ns for print_ in desk.linear.trades]
    assert times == [-9_000_000, 0, 0]
