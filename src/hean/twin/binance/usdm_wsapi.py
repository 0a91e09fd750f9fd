# SPDX-License-Identifier: Apache-2.0
"""`usdm_wsapi.py`: methods of the USD-M WebSocket API: other names for the REST routes. Methods
that carry a version (`v2/account.balance`) are listed with and without it.
"""

from __future__ import annotations

from hean.twin.binance.call import Route
from hean.twin.binance.usdm_account import ROUTES as ACCOUNT
from hean.twin.binance.usdm_market import ROUTES as MARKET
from hean.twin.binance.usdm_trade import ROUTES as TRADE

METHODS: dict[str, Route] = {
    "ping": MARKET["GET", "/fapi/v1/ping"],
    "time": MARKET["GET", "/fapi/v1/time"],
    "exchangeInfo": MARKET["GET", "/fapi/v1/exchangeInfo"],
    "depth": MARKET["GET", "/fapi/v1/depth"],
    "ticker.price": MARKET["GET", "/fapi/v2/ticker/price"],
    "ticker.book": MARKET["GET", "/fapi/v1/ticker/bookTicker"],
    "order.place": TRADE["POST", "/fapi/v1/order"],
    "order.modify": TRADE["PUT", "/fapi/v1/order"],
    "order.cancel": TRADE["DELETE", "/fapi/v1/order"],
    "order.status": TRADE["GET", "/fapi/v1/order"],
    "algoOrder.place": TRADE["POST", "/fapi/v1/algoOrder"],
    "algoOrder.cancel": TRADE["DELETE", "/fapi/v1/algoOrder"],
    "account.balance": ACCOUNT["GET", "/fapi/v3/balance"],
    "account.status": ACCOUNT["GET", "/fapi/v2/account"],
    "account.position": ACCOUNT["GET", "/fapi/v2/positionRisk"],
    "v2/account.balance": ACCOUNT["GET", "/fapi/v3/balance"],
    "v2/account.status": ACCOUNT["GET", "/fapi/v3/account"],
    "v2/account.position": ACCOUNT["GET", "/fapi/v3/positionRisk"],
    "userDataStream.start": ACCOUNT["POST", "/fapi/v1/listenKey"],
    "userDataStream.ping": ACCOUNT["PUT", "/fapi/v1/listenKey"],
    "userDataStream.stop": ACCOUNT["DELETE", "/fapi/v1/listenKey"],
}
