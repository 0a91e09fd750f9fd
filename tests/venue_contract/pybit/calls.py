# SPDX-License-Identifier: Apache-2.0
"""Calls that the tests of pybit's HTTP client share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from venue_contract.twin_process import WAIT_S, TwinProcess

BTC = {"category": "linear", "symbol": "BTCUSDT"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
ETH = {"category": "linear", "symbol": "ETHUSDT"}
D = Decimal
TAKER = D("0.00055")
WINDOW_MS = 60_000  # in which a signed request is taken: a shared machine stalls


def client_of(twin: TwinProcess, key: str | None = None, secret: str | None = None) -> HTTP:
    keys = {"api_key": key or twin.main.key, "api_secret": secret or twin.main.secret}
    client = HTTP(timeout=WAIT_S, recv_window=WINDOW_MS, **keys)
    client.endpoint = twin.rest_url
    return client


def new_id() -> str:
    return f"t-{uuid.uuid4().hex[:20]}"


def price_near(client: HTTP, factor: float, row: dict[str, str] = BTC) -> str:
    last = client.get_tickers(**row)["result"]["list"][0]["lastPrice"]
    return f"{float(last) * factor:.1f}"


def code(call: Callable[..., Any], **params: Any) -> int:
    with pytest.raises(InvalidRequestError) as caught:
        call(**params)
    found: int = caught.value.status_code
    return found


def rows(answer: Any) -> list[Any]:
    found: list[Any] = answer["result"]["list"]
    return found


def order_of(client: HTTP, number: str, row: dict[str, str] = BTC) -> Any:
    return rows(client.get_open_orders(**row, orderId=number))[0]


def resting(client: HTTP, factor: float = 0.97, **more: Any) -> str:
    """A limit order to buy some way below the market."""
    fields = {"side": "Buy", "orderType": "Limit", "qty": "0.01", **BTC, **more}
    placed = client.place_order(price=price_near(client, factor), **fields)
    number: str = placed["result"]["orderId"]
    return number


def bought(client: HTTP, quantity: str = "0.05", **more: Any) -> str:
    """A position bought at the market."""
    fields = {"side": "Buy", "orderType": "Market", "qty": quantity, **BTC, **more}
    number: str = client.place_order(**fields)["result"]["orderId"]
    return number


def position(client: HTTP, index: int = 0) -> Any:
    found = rows(client.get_positions(**BTC))
    return next(row for row in found if row["positionIdx"] == index)
