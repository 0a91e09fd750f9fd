# SPDX-License-Identifier: Apache-2.0
"""pybit's HTTP client at the twin, and an account that is flat before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pybit.unified_trading import HTTP

from venue_contract.pybit.calls import BTC, ETH, SPOT, client_of
from venue_contract.twin_process import TwinProcess


@pytest.fixture(scope="module")
def client(bybit: TwinProcess) -> HTTP:
    return client_of(bybit)


@pytest.fixture(autouse=True)
def nothing_left(client: HTTP) -> Iterator[None]:
    """Every test starts flat, in one-way mode, without orders."""
    for row in (BTC, SPOT, ETH):
        client.cancel_all_orders(**row)
    for row in client.get_positions(category="linear", settleCoin="USDT")["result"]["list"]:
        side = "Sell" if row["side"] == "Buy" else "Buy"
        client.place_order(
            category="linear",
            symbol=row["symbol"],
            side=side,
            orderType="Market",
            qty="0",
            reduceOnly=True,
            closeOnTrigger=True,
            positionIdx=row["positionIdx"],
        )
    client.switch_position_mode(category="linear", coin="USDT", mode=0)
    yield
