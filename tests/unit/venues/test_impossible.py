# SPDX-License-Identifier: Apache-2.0
"""Amounts that cannot be, in frames of the private stream and in lists. Taken for true, an order
of -1 was another order than ours, and what ours traded was told as somebody else's; a short
position of -0.1 was a long one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from hean.errors import FieldInvalid, FrameInvalid
from hean.venues.binance_spot import BinanceSpotCodec
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.bybit import BybitCodec
from hean.venues.codec import told
from scripted_venue import ID, Script, codec_of

CODEC = codec_of(BinanceUsdmCodec, "binance", "linear")
UPDATE = {
    "s": "BTCUSDT", "c": ID, "S": "SELL", "o": "LIMIT", "f": "GTC", "q": "0.120", "p": "2999.37",
    "ap": "2999.37", "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 28, "l": "0.036",
    "z": "0.036", "L": "2999.37", "T": 1, "t": 5, "b": "0", "a": "0", "m": True, "R": False,
    "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "n": "0.02",
    "N": "USDT", "si": 0, "ss": 0, "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0,
}  # fmt: skip


def frame(**changed: str) -> bytes:
    update = {"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": {**UPDATE, **changed}}
    return json.dumps(update).encode()


def test_a_piece_that_traded_is_told():
    facts = told(CODEC.parse(frame()))
    assert [str(report.quantity) for report in facts.orders] == ["0.120"]
    assert [str(piece.quantity) for piece in facts.executions] == ["0.036"]


@pytest.mark.parametrize(
    "changed", [{"q": "-1"}, {"z": "-1"}, {"p": "-1"}, {"L": "-1"}, {"L": "0"}]
)
def test_an_amount_that_cannot_be_spoils_the_frame(changed):
    with pytest.raises(FrameInvalid, match="an amount that cannot be"):
        told(CODEC.parse(frame(**changed)))


@pytest.mark.parametrize(("free", "locked"), [("-1", "0"), ("2", "-1")])
def test_a_coin_of_less_than_nothing_spoils_the_frame(free: str, locked: str) -> None:
    coins = [{"a": "USDT", "f": free, "l": locked}]
    frame = json.dumps({"e": "outboundAccountPosition", "E": 1, "u": 1, "B": coins})
    with pytest.raises(FrameInvalid, match="an amount that cannot be"):
        told(SPOT.parse(frame.encode()))


def bybit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"retCode": 0, "result": {"list": rows, "nextPageCursor": ""}}


BYBIT = codec_of(BybitCodec, "bybit", "linear")
SPOT = codec_of(BinanceSpotCodec, "binance", "spot")
BYBIT_ORDER = {
    "symbol": "BTCUSDT", "orderId": "28", "orderLinkId": ID, "orderStatus": "New", "side": "Buy",
    "qty": "0.12", "cumExecQty": "0.04", "price": "2999.37",
}  # fmt: skip
BYBIT_PIECE = {
    "symbol": "BTCUSDT", "orderId": "28", "execId": "5", "side": "Buy", "execPrice": "2999.37",
    "execQty": "0.04", "execTime": "1", "orderLinkId": ID, "execFee": "-0.01",
}  # fmt: skip
BYBIT_POSITION = {
    "symbol": "BTCUSDT", "side": "Sell", "size": "0.12", "avgPrice": "2999.37",
    "markPrice": "2999.3", "unrealisedPnl": "-1", "curRealisedPnl": "-2",
}  # fmt: skip
BYBIT_COIN = {"coin": "USDT", "walletBalance": "-3", "locked": "1", "totalOrderIM": "2"}
ORDER = {
    "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": ID, "status": "NEW", "side": "SELL",
    "origQty": "0.12", "executedQty": "0.04", "price": "2999.37",
}  # fmt: skip
ALGO = {
    "symbol": "BTCUSDT", "algoId": 7, "clientAlgoId": ID, "algoStatus": "NEW", "side": "SELL",
    "quantity": "0.12", "price": "2999.37",
}  # fmt: skip
PIECE = {
    "symbol": "BTCUSDT", "id": 5, "orderId": 28, "price": "2999.37", "qty": "0.04", "time": 1,
    "commission": "-0.01", "commissionAsset": "USDT", "side": "SELL", "maker": True,
    "isBuyer": False, "isMaker": True,
}  # fmt: skip
POSITION = {
    "symbol": "BTCUSDT", "positionAmt": "-0.12", "entryPrice": "2999.37", "markPrice": "2999.3",
    "unRealizedProfit": "-1",
}  # fmt: skip
ASSET = {"asset": "USDT", "free": "10", "locked": "1"}
WALLET = {"asset": "USDT", "balance": "-1", "availableBalance": "0"}


@dataclass(frozen=True)
class List:
    """A question for a list: *answers* with a good *row* in it."""

    codec: Any
    question: str
    row: dict[str, Any]
    answers: Callable[[dict[str, Any]], list[Any]]

    async def read(self, **changed: str) -> Any:
        script = Script(self.codec, self.answers(self.row | changed))
        more = (0, ("BTCUSDT",)) if self.question == "executions" else ()
        return (await getattr(self.codec, self.question)(script.ask, *more)).rows


LISTS = {
    "Bybit's orders": List(BYBIT, "open_orders", BYBIT_ORDER, lambda row: [bybit([row])]),
    "Bybit's pieces": List(BYBIT, "executions", BYBIT_PIECE, lambda row: [bybit([row])]),
    "Bybit's positions": List(BYBIT, "positions", BYBIT_POSITION, lambda row: [bybit([row])]),
    "Bybit's coins": List(BYBIT, "balances", BYBIT_COIN, lambda row: [bybit([{"coin": [row]}])]),
    "orders of USD-M": List(CODEC, "open_orders", ORDER, lambda row: [[row], []]),
    "algos of USD-M": List(CODEC, "open_orders", ALGO, lambda row: [[], [row]]),
    "pieces of USD-M": List(CODEC, "executions", PIECE, lambda row: [[row]]),
    "positions of USD-M": List(CODEC, "positions", POSITION, lambda row: [[row]]),
    "balances of USD-M": List(CODEC, "balances", WALLET, lambda row: [[row]]),
    "orders of spot": List(SPOT, "open_orders", ORDER, lambda row: [[row]]),
    "pieces of spot": List(SPOT, "executions", PIECE, lambda row: [[row]]),
    "coins of spot": List(SPOT, "balances", ASSET, lambda row: [{"uid": 1, "balances": [row]}]),
}
IMPOSSIBLE = [
    ("Bybit's orders", {"qty": "-0.12"}),
    ("Bybit's orders", {"cumExecQty": "-0.04"}),
    ("Bybit's orders", {"price": "-1"}),
    ("Bybit's pieces", {"execQty": "-0.04"}),
    ("Bybit's pieces", {"execQty": "0"}),
    ("Bybit's pieces", {"execPrice": "-1"}),
    ("Bybit's positions", {"size": "-0.12"}),
    ("Bybit's positions", {"avgPrice": "-1"}),
    ("Bybit's positions", {"markPrice": "-1"}),
    ("Bybit's coins", {"locked": "-1"}),
    ("Bybit's coins", {"totalOrderIM": "-1"}),
    ("Bybit's coins", {"totalPositionIM": "-1"}),
    ("orders of USD-M", {"origQty": "-0.12"}),
    ("orders of USD-M", {"executedQty": "-0.04"}),
    ("orders of USD-M", {"price": "-1"}),
    ("algos of USD-M", {"quantity": "-0.12"}),
    ("algos of USD-M", {"price": "-1"}),
    ("pieces of USD-M", {"qty": "-0.04"}),
    ("pieces of USD-M", {"qty": "0"}),
    ("pieces of USD-M", {"price": "-1"}),
    ("positions of USD-M", {"entryPrice": "-1"}),
    ("positions of USD-M", {"markPrice": "-1"}),
    ("orders of spot", {"origQty": "-0.12"}),
    ("pieces of spot", {"qty": "-0.04"}),
    ("pieces of spot", {"price": "0"}),
    ("coins of spot", {"free": "-1"}),
    ("coins of spot", {"locked": "-1"}),
]
NO_NUMBERS = [
    ("Bybit's orders", {"qty": "many"}),
    ("Bybit's positions", {"size": ""}),
    ("Bybit's coins", {"walletBalance": "NaN"}),
    ("orders of USD-M", {"origQty": ""}),
    ("pieces of USD-M", {"commission": ""}),
    ("positions of USD-M", {"positionAmt": ""}),
    ("balances of USD-M", {"balance": "Infinity"}),
    ("coins of spot", {"free": "1,000"}),
]


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_read_also_where_a_number_may_be_below_zero(name: str) -> None:
    assert len(await LISTS[name].read()) == 1


@pytest.mark.parametrize(("name", "changed"), IMPOSSIBLE, ids=str)
async def test_an_amount_that_cannot_be_spoils_the_list(name: str, changed: dict[str, str]) -> None:
    with pytest.raises(FieldInvalid, match="an amount that cannot be"):
        await LISTS[name].read(**changed)


@pytest.mark.parametrize(("name", "changed"), NO_NUMBERS, ids=str)
async def test_what_is_no_number_spoils_the_list(name: str, changed: dict[str, str]) -> None:
    """Above all nothing: a position that is not told is not flat."""
    with pytest.raises(FieldInvalid, match="which is no number"):
        await LISTS[name].read(**changed)
