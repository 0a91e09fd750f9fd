# SPDX-License-Identifier: Apache-2.0
"""Funding as the twins settle it, read by the adapters: what a stream and the venue's list say of
one payment is one payment, to the last digit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from bybit_desk import BybitDesk
from hean.errors import FrameInvalid
from hean.venues.binance_spot import BinanceSpotCodec
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.bybit import BybitCodec
from hean.venues.codec import Told, told
from hean.venues.reports import Call, Listing
from scripted_venue import Script, codec_of
from usdm_desk import UsdmDesk

BYBIT = codec_of(BybitCodec, "bybit", "linear")
USDM = codec_of(BinanceUsdmCodec, "binance", "linear")
RATE, MARK = Decimal("-0.00012345"), Decimal("60000.1")
SIZE = Decimal("0.123")
RECEIVED = Decimal("0.91106252")  # eight decimals are printed of 0.911062518435


def read(codec: Any, frames: list[Any]) -> list[Told]:
    parsed = [codec.parse(msgspec.json.encode(frame)) for frame in frames]
    return [told(each) for each in parsed if each is not None]


def settle(desk: Any) -> None:
    desk.linear.funding_rate = RATE
    desk.now_ns = desk.linear.next_funding_ns
    desk.linear.marked(desk.now_ns, MARK, MARK)
    desk.venue.step()


async def test_bybit_tells_a_payment_as_an_execution_and_in_its_list() -> None:
    desk = BybitDesk()
    desk.placed("Buy", str(SIZE))
    began_ns = desk.now_ns
    session = desk.private("execution", "wallet")
    settle(desk)
    payments = [each for frame in read(BYBIT, session.taken()) for each in frame.settlements]

    async def ask(call: Call) -> Any:
        path, params = call.path.removeprefix("/v5/"), dict(parse_qsl(call.text))
        return msgspec.json.encode(desk.ask(path, **params)["result"])

    listed = await BYBIT.settlements(ask, began_ns, ("BTCUSDT",))
    assert list(listed.rows) == payments
    (payment,) = payments
    assert (payment.rate, payment.mark_price) == (RATE, MARK)
    assert payment.received == RECEIVED
    assert await BYBIT.priced(ask, payment) == payment
    trades = await BYBIT.executions(ask, began_ns, ("BTCUSDT",))
    assert payment.exec_id not in {row.exec_id for row in trades.rows}


async def test_binance_tells_that_funding_was_settled_and_lists_it_as_income() -> None:
    desk = UsdmDesk()
    desk.place("SELL", "MARKET", quantity=str(SIZE))
    began_ns = desk.now_ns
    session = desk.user_stream()
    settle(desk)
    assert [frame.is_settled for frame in read(USDM, session.taken())] == [True]

    async def ask(call: Call) -> Any:
        params = dict(parse_qsl(call.text))
        if call.is_signed:
            return msgspec.json.encode(desk.signed("GET", call.path, **params))
        return msgspec.json.encode(desk.get(call.path, **params))

    listed = await USDM.settlements(ask, began_ns, ("BTCUSDT",))
    (payment,) = listed.rows
    assert (payment.symbol, payment.received, payment.asset) == ("BTCUSDT", -RECEIVED, "USDT")
    priced = await USDM.priced(ask, payment)
    assert (priced.rate, priced.mark_price) == (RATE, MARK)
    assert priced.exec_id == payment.exec_id


async def test_income_is_read_page_by_page() -> None:
    row = {"symbol": "BTCUSDT", "income": "1", "asset": "USDT", "time": 5, "tranId": 7}
    script = Script(USDM, [[row] * 1_000, [{**row, "tranId": "8"}]])
    listed = await USDM.settlements(script.ask, 0, ("BTCUSDT",))
    assert (len(listed.rows), listed.is_complete) == (1_001, True)
    assert script.asked[1].text.endswith("&page=2")


async def test_of_two_settlements_the_one_nearest_in_time_is_the_payments() -> None:
    rates = [
        {"fundingTime": ms, "fundingRate": rate, "markPrice": ""}
        for ms, rate in ((940, "0.1"), (1_003, "0.2"), (1_100, "0.3"))
    ]
    row = {"symbol": "BTCUSDT", "income": "1", "asset": "USDT", "time": 1_000, "tranId": 7}
    script = Script(USDM, [[row], rates, []])
    (payment,) = (await USDM.settlements(script.ask, 0, ("BTCUSDT",))).rows
    priced = await USDM.priced(script.ask, payment)
    assert (priced.rate, priced.mark_price) == (Decimal("0.2"), None)
    assert await USDM.priced(script.ask, payment) == payment  # not published yet


@pytest.mark.parametrize(("fee", "rate"), [("", "0.1"), ("x", "0.1"), ("1", "much")])
def test_a_payment_that_is_no_number_is_no_payment(fee: str, rate: str) -> None:
    row = {
        "category": "linear", "symbol": "BTCUSDT", "orderId": "9", "execId": "8", "side": "Sell",
        "execType": "Funding", "execPrice": "60000", "execQty": "2", "execFee": fee,
        "feeRate": rate, "execTime": "1",
    }  # fmt: skip
    frame = {"topic": "execution", "id": "x", "creationTime": 1, "data": [row]}
    with pytest.raises(FrameInvalid):
        read(BYBIT, [frame])


@pytest.mark.parametrize(
    "codec",
    [codec_of(BybitCodec, "bybit", "spot"), codec_of(BinanceSpotCodec, "binance", "spot")],
)
async def test_spot_settles_nothing_and_is_not_asked(codec: Any) -> None:
    assert await codec.settlements(None, 0, ("BTCUSDT",)) == Listing(())
