# SPDX-License-Identifier: Apache-2.0
"""Amounts that cannot be, in frames of the private stream. Taken for true, an order of -1 was
another order than ours, and what ours traded was told as somebody else's.
"""

from __future__ import annotations

import json

import pytest

from hean.errors import FrameInvalid
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.codec import told
from scripted_venue import ID, codec_of

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
    with pytest.raises(FrameInvalid):
        told(CODEC.parse(frame(**changed)))
