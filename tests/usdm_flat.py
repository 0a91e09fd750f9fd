# SPDX-License-Identifier: Apache-2.0
"""For contract tests of the USD-M futures: bring the twin's main account back to where it began. No
client under test is used for it, so that a broken one cannot hide behind its own state.
"""

from __future__ import annotations

import hmac
import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode

from venue_contract.twin_process import WAIT_S, TwinProcess

BTC, ETH = "BTCUSDT", "ETHUSDT"


def ask(twin: TwinProcess, method: str, path: str, **params: Any) -> Any:
    """A signed request of the main account."""
    moment = {"timestamp": int(time.time() * 1_000), "recvWindow": 60_000}
    query = urlencode({**params, **moment})
    digest = hmac.digest(twin.main.secret.encode(), query.encode(), "sha256").hex()
    line = http.client.HTTPConnection("127.0.0.1", twin.port, timeout=WAIT_S)
    try:
        headers = {"X-MBX-APIKEY": twin.main.key}
        line.request(method, f"{path}?{query}&signature={digest}", headers=headers)
        return json.loads(line.getresponse().read())
    finally:
        line.close()


def flatten(twin: TwinProcess) -> None:
    """No order, no position, one-way mode, cross margin, leverage 10."""
    for symbol in (BTC, ETH):
        ask(twin, "DELETE", "/fapi/v1/allOpenOrders", symbol=symbol)
        ask(twin, "DELETE", "/fapi/v1/algoOpenOrders", symbol=symbol)
    for row in ask(twin, "GET", "/fapi/v3/positionRisk"):
        size = row["positionAmt"]
        if float(size):
            side = "SELL" if float(size) > 0 else "BUY"
            order = {"symbol": row["symbol"], "side": side, "type": "MARKET"}
            order |= {"quantity": size.lstrip("-"), "positionSide": row["positionSide"]}
            if row["positionSide"] == "BOTH":
                order["reduceOnly"] = "true"
            ask(twin, "POST", "/fapi/v1/order", **order)
    ask(twin, "POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    for symbol in (BTC, ETH):
        ask(twin, "POST", "/fapi/v1/marginType", symbol=symbol, marginType="CROSSED")
        ask(twin, "POST", "/fapi/v1/leverage", symbol=symbol, leverage=10)


def near(price: float, factor: float) -> str:
    """A BTC price on the tick, some way from the market."""
    return f"{price * factor:.1f}"
