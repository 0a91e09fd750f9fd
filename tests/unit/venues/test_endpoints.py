# SPDX-License-Identifier: Apache-2.0
"""Addresses and keys from a mapping: what is used, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.errors import ParameterInvalid
from hean.venues.endpoints import endpoints_for, signer_for

SECRET = "canary-secret-value"


def nobody(message: str) -> None:
    raise AssertionError(f"warned: {message}")


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


@pytest.mark.promise(113)
def test_a_key_comes_from_the_venue_s_own_variables_before_the_general_ones():
    general = {"API_KEY": "general", "API_SECRET": "x"}
    own = {"BYBIT_API_KEY": "own", "BYBIT_API_SECRET": "y"}
    assert signer_for("bybit", general, warn=nobody).key == "general"
    signer = signer_for("bybit", general | own, warn=nobody)
    assert (signer.key, signer.label) == ("own", "BYBIT_API_KEY")


def test_a_key_from_a_file_is_the_same_key_and_its_line_end_is_cut_with_a_warning(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    warnings: list[str] = []
    environment = {"BINANCE_API_KEY": "k", "BINANCE_API_SECRET_FILE": str(path)}
    from_file = signer_for("binance", environment, warn=warnings.append)
    plain = {"BINANCE_API_KEY": "k", "BINANCE_API_SECRET": SECRET}
    assert from_file.sign(b"text") == signer_for("binance", plain, warn=nobody).sign(b"text")
    assert len(warnings) == 1
    assert "BINANCE_API_SECRET_FILE" in warnings[0]
    assert SECRET not in warnings[0]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "API_KEY is not set"),
        ({"BYBIT_API_KEY": "k"}, "BYBIT_API_SECRET is not set"),
        (
            {"BYBIT_API_KEY": "k", "BYBIT_API_SECRET": SECRET, "BYBIT_API_SECRET_FILE": "f"},
            "both set",
        ),
        ({"BYBIT_API_KEY": "k", "BYBIT_API_SECRET": f"{SECRET} {SECRET}"}, "more than one word"),
        ({"BYBIT_API_KEY": "k", "BYBIT_API_SECRET_FILE": "/nowhere/at/all"}, "No such file"),
    ],
)
def test_a_key_given_badly_is_refused_without_showing_it(environment, said):
    with pytest.raises(ParameterInvalid, match=said) as refused:
        signer_for("bybit", environment, warn=nobody)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("mode", "text", "said"), [(0o644, "x", "chmod 600"), (0o600, "", "empty")]
)
def test_a_secret_s_file_that_others_may_read_or_that_is_empty_is_refused(
    tmp_path: Path, mode, text, said
):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    environment = {"BYBIT_API_KEY": "k", "BYBIT_API_SECRET_FILE": str(path)}
    with pytest.raises(ParameterInvalid, match=said):
        signer_for("bybit", environment, warn=nobody)
