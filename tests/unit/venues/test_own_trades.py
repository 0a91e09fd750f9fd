# SPDX-License-Identifier: Apache-2.0
"""Trades of which both sides are ours: two of our orders meet, or one of ours meets the order by
which the venue closes a position. Binance gives both sides one number; each is an execution.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hean.venues.binance_spot import BinanceSpotCodec
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.codec import Codec, told
from scripted_venue import ID, Script, codec_of

SPOT = codec_of(BinanceSpotCodec, "binance", "spot")
USDM = codec_of(BinanceUsdmCodec, "binance", "linear")
SIDES = ("BUY", "SELL")


def told_of_usdm(side: str) -> bytes:
    """The stream's word of one side."""
    update = {
        "s": "BTCUSDT", "c": ID, "S": side, "o": "LIMIT", "f": "GTC", "q": "0.12", "p": "3000",
        "ap": "3000", "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 28, "l": "0.04",
        "z": "0.04", "L": "3000", "T": 1, "t": 5, "b": "0", "a": "0", "m": True, "R": False,
        "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "n": "0.02",
        "N": "USDT", "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0,
    }  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": update}).encode()


def told_of_spot(side: str) -> bytes:
    """The stream's word of one side."""
    update = {
        "e": "executionReport", "E": 1, "s": "BTCUSDT", "c": ID, "S": side, "o": "LIMIT",
        "f": "GTC", "q": "0.12", "p": "3000", "P": "0", "F": "0", "g": -1, "C": "", "x": "TRADE",
        "X": "PARTIALLY_FILLED", "r": "NONE", "i": 28, "l": "0.04", "z": "0.04", "L": "3000",
        "n": "0.02", "N": "USDT", "T": 1, "t": 5, "I": 1, "w": True, "m": True, "M": False,
        "O": 1, "Z": "120", "Y": "120", "Q": "0", "W": 1, "V": "NONE",
    }  # fmt: skip
    return json.dumps(update).encode()


def row(side: str) -> dict[str, Any]:
    """One side in a list, of either market."""
    return {
        "symbol": "BTCUSDT", "id": 5, "orderId": 28, "price": "3000", "qty": "0.04", "time": 1,
        "commission": "0.02", "commissionAsset": "USDT", "side": side, "maker": True,
        "isBuyer": side == "BUY", "isMaker": True,
    }  # fmt: skip


@pytest.mark.parametrize(("codec", "told_of"), [(SPOT, told_of_spot), (USDM, told_of_usdm)])
async def test_each_side_is_an_execution_by_one_name_in_stream_and_list(codec: Codec, told_of):
    heard = [told(codec.parse(told_of(side))).executions[0].exec_id for side in SIDES]
    script = Script(codec, [[row(side) for side in SIDES]])
    listed = (await codec.executions(script.ask, 0, ("BTCUSDT",))).rows
    assert [each.exec_id for each in listed] == heard
    assert len(set(heard)) == 2
