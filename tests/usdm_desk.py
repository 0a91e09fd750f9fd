# SPDX-License-Identifier: Apache-2.0
"""The still exchange speaking Binance USD-M: short ways to trade, and a user stream that keeps what
it is told.
"""

from __future__ import annotations

from typing import Any

from binance_desk import BinanceDesk, DeskSession

SYMBOL = "BTCUSDT"
USER = "private"
"""Route of the user streams."""


class UsdmDesk(BinanceDesk):
    """BTCUSDT perpetual around 60,000."""

    def place(self, side: str, kind: str = "LIMIT", **params: Any) -> Any:
        """A plain order; limit orders are good till cancelled and 0.01 at 59,000 unless told."""
        given: dict[str, Any] = {"quantity": "0.010", "newOrderRespType": "RESULT"}
        if kind == "LIMIT":
            given |= {"timeInForce": "GTC", "price": "59000"}
        given |= {"symbol": SYMBOL, "side": side, "type": kind, **params}
        return self.signed("POST", "/fapi/v1/order", **{k: v for k, v in given.items() if v})

    def conditional(self, side: str, kind: str, **params: Any) -> Any:
        """A conditional order of 0.01."""
        given = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "quantity": "0.010", **params}
        chosen = {name: value for name, value in given.items() if value}
        return self.signed("POST", "/fapi/v1/algoOrder", side=side, type=kind, **chosen)

    def position(self, side: str = "BOTH") -> dict[str, Any]:
        """The row of a position."""
        rows = self.signed("GET", "/fapi/v2/positionRisk", symbol=SYMBOL)
        return next(row for row in rows if row["positionSide"] == side)

    def user_stream(self, key: str = "DeskKey1") -> DeskSession:
        """A socket that hears the account of a key."""
        answer = self.raw("POST", "/fapi/v1/listenKey", key=key)
        return self.connect(f"/{USER}/ws/{answer['listenKey']}")

    def listen(self, route: str, *streams: str) -> DeskSession:
        """A socket subscribed to streams of a route."""
        session = self.connect(f"/{route}/ws")
        answer = self.say(session, {"method": "SUBSCRIBE", "params": list(streams), "id": 1})
        assert answer == {"result": None, "id": 1}
        return session


def names(frames: list[Any]) -> list[str]:
    """Event names of frames; of orders their execution type and status, of algo orders theirs."""
    out = []
    for frame in frames:
        match frame["e"]:
            case "ORDER_TRADE_UPDATE":
                out.append(f"{frame['o']['x']}/{frame['o']['X']}")
            case "ALGO_UPDATE":
                out.append(f"ALGO {frame['o']['X']}")
            case word:
                out.append(word)
    return out
