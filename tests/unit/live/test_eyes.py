# SPDX-License-Identifier: Apache-2.0
"""What the watchdog sees of the account's stream."""

from __future__ import annotations

import json
import random

import pytest

from hean.live.eyes import Eyes
from hean.net.socket import picows_dial
from hean.venues.bybit import BybitCodec
from hean.venues.reports import Execution, OrderReport
from lost_orders import World, on_virtual_time
from scripted_venue import codec_of

CODEC = codec_of(BybitCodec, "bybit", "linear")


def execution(quantity: str) -> bytes:
    """A frame that tells one piece."""
    piece = {
        "category": "linear", "symbol": "BTCUSDT", "orderId": "28", "orderLinkId": "h1-hold-a",
        "execId": "5", "side": "Buy", "execPrice": "2999.37", "execQty": quantity, "execTime": "1",
        "execFee": "0.01", "execType": "Trade", "isMaker": True, "seq": 1, "orderQty": "0.04",
        "leavesQty": "0", "orderPrice": "2999.37", "orderType": "Limit", "closedSize": "0",
    }  # fmt: skip
    frame = {"id": "1", "topic": "execution", "creationTime": 1, "data": [piece]}
    return json.dumps(frame).encode()


@pytest.mark.parametrize(("quantity", "is_seen"), [("0.04", True), ("-0.04", False)])
def test_a_frame_that_cannot_be_is_left_to_the_list(quantity: str, *, is_seen: bool) -> None:
    """It is no fault of the watchdog's own, so the socket stays."""

    @on_virtual_time
    async def play(world: World) -> None:
        seen: list[OrderReport | Execution] = []
        eyes = Eyes(
            CODEC,
            world.questions,
            seen=seen.append,
            say=lambda _: None,
            now=world.questions.now,
            rng=random.Random(1),
            dial=picows_dial,
        )
        eyes._frame(execution(quantity))
        assert bool(seen) is is_seen
        assert eyes._look_now.is_set() is not is_seen

    play()
