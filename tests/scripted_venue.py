# SPDX-License-Identifier: Apache-2.0
"""Orders and answers for tests of the venues' codecs, without a venue: the answers are written out
and handed over in order, as the bytes a venue would send.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hean.core.types import OrderApproved, OrderType, Side, TimeInForce
from hean.secret import Secret
from hean.venues.codec import Codec
from hean.venues.endpoints import endpoints_for
from hean.venues.reports import Call, Tracked
from hean.venues.signing import Signer

NOW_MS = 1_700_000_000_000
ID = "h1-test-a"
SIGNER = Signer(Secret("HeanTestKey0000001"), Secret("HeanTestSecret000000000000000001"), "tests")


def codec_of(kind: type[Any], venue: str, market: str) -> Codec:
    """A codec with the key of the signing vectors."""
    endpoints = endpoints_for(venue, market, testnet=True, environment={})
    codec: Codec = kind(endpoints, SIGNER)
    return codec


def approved(kind: OrderType = OrderType.LIMIT, **more: Any) -> OrderApproved:
    """An order to buy 0.01 at 28000.5, if not told otherwise."""
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "size": Decimal("0.01"),
        "type": kind,
        "price": Decimal("28000.5") if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        "order_id": ID,
        "trigger_price": Decimal(27000)
        if kind not in (OrderType.LIMIT, OrderType.MARKET)
        else None,
        "time_in_force": TimeInForce.GTC,
    }
    return OrderApproved(**(fields | more))


def tracked(**more: Any) -> Tracked:
    """The same order under way."""
    fields: dict[str, Any] = {
        "order_id": ID,
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "size": Decimal("0.01"),
        "price": Decimal("28000.5"),
        "strategy_id": "test",
        "is_conditional": False,
        "reduce_only": False,
        "opened_ns": 1,
    }
    return Tracked(**(fields | more))


class Script:
    """Answers to questions, in order. `asked` keeps the calls."""

    def __init__(self, codec: Codec, answers: Sequence[Any]) -> None:
        self.asked: list[Call] = []
        self._codec = codec
        self._answers = list(answers)

    async def ask(self, call: Call) -> Any:
        """The next answer, read as the codec reads it."""
        self.asked.append(call)
        body = json.dumps(self._answers.pop(0)).encode()
        return self._codec.read(call, 200, {}, body, NOW_MS).data
