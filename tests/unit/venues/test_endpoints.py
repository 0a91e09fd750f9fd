# SPDX-License-Identifier: Apache-2.0
"""Addresses from a mapping: what is used, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from hean.errors import ParameterInvalid
from hean.venues.endpoints import endpoints_for


@pytest.mark.parametrize(
    ("venue", "market", "testnet", "expected"),
    [
        (
            "bybit",
            "linear",
            False,
            (
                "https://api.bybit.com",
                "wss://stream.bybit.com/v5/public/linear",
                "wss://stream.bybit.com/v5/private",
                "wss://stream.bybit.com/v5/trade",
            ),
        ),
        (
            "bybit",
            "spot",
            True,
            (
                "https://api-testnet.bybit.com",
                "wss://stream-testnet.bybit.com/v5/public/spot",
                "wss://stream-testnet.bybit.com/v5/private",
                "wss://stream-testnet.bybit.com/v5/trade",
            ),
        ),
        (
            "binance",
            "spot",
            False,
            (
                "https://api.binance.com",
                "wss://stream.binance.com:9443",
                "wss://ws-api.binance.com:443/ws-api/v3",
                "wss://ws-api.binance.com:443/ws-api/v3",
            ),
        ),
        (
            "binance",
            "linear",
            False,
            (
                "https://fapi.binance.com",
                "wss://fstream.binance.com",
                "wss://fstream.binance.com/private",
                "wss://ws-fapi.binance.com/ws-fapi/v1",
            ),
        ),
    ],
)
def test_without_environment_the_venue_is_at_its_own_address(venue, market, testnet, expected):
    found = endpoints_for(venue, market, testnet=testnet, environment={})
    assert (found.rest, found.public, found.private, found.trade) == expected
    assert found.network == ("testnet" if testnet else "mainnet")


def test_each_bybit_address_can_be_replaced_with_or_without_its_path():
    found = endpoints_for(
        "bybit",
        "linear",
        testnet=False,
        environment={
            "BYBIT_REST_URL": "http://127.0.0.1:1/",
            "BYBIT_WS_PUBLIC_URL": "ws://127.0.0.1:2",
            "BYBIT_WS_PRIVATE_URL": "ws://127.0.0.1:3/v5/private",
            "BYBIT_WS_TRADE_URL": "ws://127.0.0.1:4/",
        },
    )
    assert found.network == "local"
    assert found.rest == "http://127.0.0.1:1"
    assert found.public == "ws://127.0.0.1:2/v5/public/linear"
    assert found.private == "ws://127.0.0.1:3/v5/private"
    assert found.trade == "ws://127.0.0.1:4/v5/trade"


def test_sockets_that_are_not_given_follow_a_local_one():
    """One local port serves everything; nothing may go to the real venue from such a setup."""
    environment = {
        "BINANCE_FUTURES_REST_URL": "http://localhost:9",
        "BINANCE_FUTURES_WS_URL": "ws://localhost:9",
    }
    found = endpoints_for("binance", "linear", testnet=True, environment=environment)
    assert found.trade == "ws://localhost:9/ws-fapi/v1"
    assert found.private == "ws://localhost:9/private"


@pytest.mark.parametrize(
    ("testnet", "environment", "said"),
    [
        (True, {"BYBIT_REST_URL": "https://api.bybit.com"}, "BYBIT_REST_URL is mainnet"),
        (False, {"BYBIT_WS_TRADE_URL": "wss://stream-testnet.bybit.com"}, "TRADE_URL is testnet"),
        (False, {"BYBIT_REST_URL": "http://127.0.0.1:5"}, "BYBIT_REST_URL is local"),
        (False, {"BYBIT_REST_URL": "https://api.bybit.com.evil.example"}, "not bybit's"),
        (False, {"BYBIT_REST_URL": "https://api.binance.com"}, "not bybit's"),
        (False, {"BYBIT_REST_URL": "http://api.bybit.com"}, "unencrypted"),
        (False, {"BYBIT_REST_URL": "https://user:pw@api.bybit.com"}, "not an address"),
        (False, {"BYBIT_REST_URL": "api.bybit.com"}, "not an address"),
        (False, {"BYBIT_WS_TRADE_URL": "https://stream.bybit.com"}, "not an address"),
    ],
)
def test_an_address_that_could_cost_money_or_keys_is_refused(testnet, environment, said):
    with pytest.raises(ParameterInvalid, match=said):
        endpoints_for("bybit", "linear", testnet=testnet, environment=environment)


def test_an_unknown_venue_names_the_known_ones():
    with pytest.raises(ParameterInvalid, match="bybit spot, bybit linear, binance spot"):
        endpoints_for("kraken", "spot", testnet=False, environment={})
