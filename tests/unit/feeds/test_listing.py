# SPDX-License-Identifier: Apache-2.0
"""Trading rules from a venue's answer: real listings become instruments, broken rules of a wanted
symbol stop with its name and the field, those of a stranger stop nobody.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.data.instruments import fees_for
from hean.errors import InstrumentInvalid, UnknownSymbol
from hean.feeds import rest_binance as binance
from hean.feeds import rest_bybit as bybit
from hean.feeds.listing import (
    Listed,
    known,
    listed_from,
    load_instruments,
    load_listing,
    stated_by_binance,
    stated_by_bybit,
    tiers_of_bybit,
)
from hean.feeds.rest import Market
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from rest_server import Venues

BINANCE = "payloads/binance/recorded/gocryptotrader"
BYBIT = "data/ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz"


def recorded_bybit(shared: Path) -> dict[Market, list[bybit.InstrumentRow]]:
    """The answers a recorder asked for before it subscribed: 800 contracts, 557 pairs."""
    found: dict[Market, list[bybit.InstrumentRow]] = {}
    with gzip.open(shared / BYBIT, "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if record["t"] == "http":
                market: Market = "spot" if "category=spot" in record["url"] else "linear"
                found[market] = bybit.read_instruments(record["data"].encode()).rows
    return found


def recorded_binance(shared: Path, prefix: str, symbol: str) -> dict[str, Any]:
    answer = json.loads((shared / BINANCE / f"{prefix}_exchangeInfo.json").read_bytes())
    rows: list[dict[str, Any]] = answer["response"]["symbols"]
    return next(row for row in rows if row["symbol"] == symbol)


def rules(row: dict[str, Any], market: Market) -> Listed:
    decoded = msgspec.convert(row, binance.SymbolRow)
    return listed_from("binance", market, stated_by_binance(decoded, market))


def test_every_recorded_bybit_symbol_becomes_an_instrument_or_says_why_not(shared: Path) -> None:
    refused: dict[str, str] = {}
    counts = {}
    for market, rows in recorded_bybit(shared).items():
        counts[market] = len(rows)
        for row in rows:
            try:
                listed = listed_from("bybit", market, stated_by_bybit(row, market, []))
            except InstrumentInvalid as error:
                refused[row.symbol] = error.message
            else:
                assert listed.is_trading
                assert listed.instrument.symbol == row.symbol
                assert listed.tick == Decimal(row.price_filter.tick_size)
    assert counts == {"linear": 800, "spot": 557}
    dated = [why for symbol, why in refused.items() if "-" in symbol]
    assert len(dated) == 40
    assert all("allowed: a perpetual" in why for why in dated)
    (finest,) = [symbol for symbol in refused if "-" not in symbol]
    assert finest == "BABYDOGEUSDT"  # its tick of 1e-13 is finer than the core counts


def test_recorded_binance_rules_are_those_of_august_2025(shared: Path) -> None:
    perp = rules(recorded_binance(shared, "fapi_v1", "BTCUSDT"), "linear")
    assert (perp.tick, perp.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert (perp.quantity_min, perp.quantity_max) == (Decimal("0.001"), 1000)
    assert (perp.market_quantity_max, perp.notional_min) == (120, 100)
    assert perp.fees == fees_for("binance", "perp")
    assert len(perp.tiers) == 12
    spot = rules(recorded_binance(shared, "api_v3", "BTCUSDT"), "spot")
    assert (spot.tick, spot.lot) == (Decimal("0.01"), Decimal("0.00001"))
    assert (spot.quantity_max, spot.notional_min) == (9000, 5)
    assert spot.instrument.price_ticks(Decimal("61800.05")) == 6_180_005
    halted = rules(recorded_binance(shared, "api_v3", "EOSETH"), "spot")
    assert (halted.status, halted.is_trading) == ("BREAK", False)


def set_filter(kind: str, **fields: str) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        next(f for f in row["filters"] if f["filterType"] == kind).update(fields)

    return change


def set_field(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update({name: value})


def drop_filter(kind: str) -> Callable[[dict[str, Any]], None]:
    def change(row: dict[str, Any]) -> None:
        row["filters"] = [f for f in row["filters"] if f["filterType"] != kind]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_filter("PRICE_FILTER", tickSize="0.00"), "PRICE_FILTER.tickSize is '0.00'"),
        (set_filter("PRICE_FILTER", tickSize="-1"), "PRICE_FILTER.tickSize is '-1'"),
        (set_filter("PRICE_FILTER", tickSize="NaN"), "PRICE_FILTER.tickSize is 'NaN'"),
        (set_filter("PRICE_FILTER", tickSize="ten"), "PRICE_FILTER.tickSize is 'ten'"),
        (drop_filter("PRICE_FILTER"), "PRICE_FILTER.tickSize is ''"),
        (drop_filter("LOT_SIZE"), "LOT_SIZE.stepSize is ''"),
        (set_filter("PRICE_FILTER", minPrice="9", maxPrice="8"), "minPrice > maxPrice is '9 > 8'"),
        (set_filter("LOT_SIZE", stepSize="0"), "LOT_SIZE.stepSize is '0'"),
        (set_filter("LOT_SIZE", minQty="5", maxQty="4"), "LOT_SIZE.minQty > LOT_SIZE.maxQty"),
        (set_filter("MIN_NOTIONAL", notional="Infinity"), "MIN_NOTIONAL.notional is 'Infinity'"),
        (set_field("status", "PARTY"), "status is 'PARTY', allowed: AUCTION_MATCH"),
        (set_field("contractType", "CURRENT_QUARTER"), "contractType is 'CURRENT_QUARTER'"),
    ],
)
def test_a_rule_that_cannot_hold_names_symbol_and_field(
    shared: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    row = recorded_binance(shared, "fapi_v1", "BTCUSDT")
    change(row)
    with pytest.raises(InstrumentInvalid) as refusal:
        rules(row, "linear")
    assert refusal.value.message.startswith(f"BTCUSDT: {said}")


def test_a_bound_of_zero_is_no_bound(shared: Path) -> None:
    row = recorded_binance(shared, "fapi_v1", "BTCUSDT")
    set_filter("PRICE_FILTER", minPrice="0", maxPrice="0")(row)
    set_filter("LOT_SIZE", minQty="0", maxQty="0")(row)
    listed = rules(row, "linear")
    assert (listed.quantity_min, listed.quantity_max) == (listed.lot, None)


def risk_row(cap: str, initial: str, maintenance: str, leverage: str, deduction: str = "") -> Any:
    return bybit.RiskRow("BTCUSDT", cap, maintenance, initial, leverage, deduction)


def test_risk_tiers_rise_and_keep_maintenance_margin_continuous() -> None:
    rows = [
        risk_row("4000000", "0.015", "0.01", "66.67"),
        risk_row("2000000", "0.01", "0.005", "100"),
    ]
    tiers = tiers_of_bybit("BTCUSDT", rows)
    assert [tier[0] for tier in tiers] == ["2000000", "4000000"]
    at = Decimal(2_000_000)
    below, above = ([Decimal(text) for text in tier] for tier in tiers)
    assert at * below[2] - below[3] == at * above[2] - above[3]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (risk_row("2000000", "0.5", "0.005", "100"), "initialMargin is '0.5', allowed: 1/100"),
        (risk_row("2000000", "0.01", "0.02", "100"), "maintenanceMargin is '0.02'"),
        (risk_row("lots", "0.01", "0.005", "100"), "riskLimitValue is 'lots'"),
    ],
)
def test_a_risk_tier_that_contradicts_itself_is_refused(row: Any, said: str) -> None:
    with pytest.raises(InstrumentInvalid, match=r"BTCUSDT") as refusal:
        tiers_of_bybit("BTCUSDT", [row])
    assert said in refusal.value.message


def test_an_unknown_symbol_names_the_nearest_ones() -> None:
    with pytest.raises(UnknownSymbol, match="does not list 'BTCUSD'; nearest: BTCUSDT"):
        known("binance", "spot", ["ETHUSDT", "BTCUSD"], ["ETHUSDT", "BTCUSDT", "XRPEUR"])
    with pytest.raises(UnknownSymbol, match="it lists nothing"):
        known("binance", "spot", ["BTCUSD"], [])


@pytest.mark.parametrize("make", [BybitRest, BinanceRest])
def test_instruments_come_from_the_venues_own_answer(make: Any) -> None:
    """The stranger's status is unknown and his tick is zero; nobody asked for him."""

    async def run() -> None:
        async with Venues() as venues, HttpClient(venues.url, now=time.time_ns) as client:
            venues.listed = ["ETHUSDT", "BTCUSDT", "BROKENUSDT"]
            rest = make(client, "linear", now=lambda: 0, rng=random.Random(0))
            found = await load_instruments(rest, ["BTCUSDT", "ETHUSDT"])
            assert sorted(found) == ["BTCUSDT", "ETHUSDT"]
            assert found["BTCUSDT"].price_ticks("100.1") == 1001
            listing = await load_listing(rest, ["BTCUSDT"])
            assert listing["BTCUSDT"].tiers
            with pytest.raises(UnknownSymbol, match="nearest: BTCUSDT"):
                await load_instruments(rest, ["BTCUSDC"])
            with pytest.raises(InstrumentInvalid, match="BROKENUSDT: status is 'BROKEN'"):
                await load_instruments(rest, ["BROKENUSDT"])

    asyncio.run(run())


def test_a_halted_symbol_is_asked_for_by_its_name_where_the_list_leaves_it_out() -> None:
    async def run() -> None:
        async with Venues() as venues, HttpClient(venues.url, now=time.time_ns) as client:
            venues.halted = {"BTCUSDT"}
            rest = BybitRest(client, "linear", now=lambda: 0, rng=random.Random(0))
            listing = await load_listing(rest, ["BTCUSDT", "ETHUSDT"])
            assert {name: row.is_trading for name, row in listing.items()} == {
                "BTCUSDT": False,
                "ETHUSDT": True,
            }

    asyncio.run(run())
