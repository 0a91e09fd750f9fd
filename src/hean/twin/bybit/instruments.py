# SPDX-License-Identifier: Apache-2.0
"""`instruments.py`: listed symbols and their risk tiers as Bybit describes them, from the listing
the exchange itself obeys, so that a client that keeps to what it reads is never refused for a step.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.bybit import words
from hean.twin.listing import Listing
from hean.twin.market import TwinMarket

LAUNCHED_MS = "1585526400000"
FUNDING_CAP = "0.00375"
SPOT_QUOTE_STEP = "0.00000001"
SPOT_AMOUNT_MAX = "8000000"


def instrument(market: TwinMarket, number: int) -> dict[str, Any]:
    """A symbol in `instruments-info`. *number*: its place among all."""
    listing = market.listing
    return _spot(listing, number) if listing.market == "spot" else _linear(listing, number)


def status(listing: Listing) -> str:
    """Trading, PreLaunch, Delivering or Closed."""
    return words.LISTING_STATUS.get(listing.status, "Closed")


def _linear(listing: Listing, number: int) -> dict[str, Any]:
    quantity = listing.quantity_text
    return {
        "symbol": listing.symbol,
        "symbolId": number,
        "contractType": "LinearPerpetual",
        "status": status(listing),
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
        "settleCoin": listing.quote,
        "symbolType": "",
        "launchTime": LAUNCHED_MS,
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(listing.price_decimals),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{listing.leverage_max:.2f}",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": listing.price_text(listing.tick),
            "maxPrice": listing.price_text(listing.price_max),
            "tickSize": listing.price_text(listing.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": quantity(listing.quantity_max),
            "minOrderQty": quantity(listing.quantity_min),
            "qtyStep": quantity(listing.lot),
            "postOnlyMaxOrderQty": quantity(listing.quantity_max),
            "maxMktOrderQty": quantity(listing.market_quantity_max),
            "minNotionalValue": words.number(listing.notional_min),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": listing.funding_minutes,
        "copyTrading": "none",
        "upperFundingRate": FUNDING_CAP,
        "lowerFundingRate": f"-{FUNDING_CAP}",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": _ratios(listing),
    }


def _spot(listing: Listing, number: int) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "symbolId": number,
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
        "innovation": "0",
        "symbolType": "",
        "status": status(listing),
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": listing.quantity_text(listing.lot),
            "quotePrecision": SPOT_QUOTE_STEP,
            "minOrderQty": listing.quantity_text(listing.quantity_min),
            "maxOrderQty": words.number(listing.quantity_max),
            "minOrderAmt": words.number(listing.notional_min),
            "maxOrderAmt": SPOT_AMOUNT_MAX,
            "maxLimitOrderQty": words.number(listing.quantity_max),
            "maxMarketOrderQty": words.number(listing.market_quantity_max),
            "postOnlyMaxLimitOrderSize": words.number(listing.quantity_max),
        },
        "priceFilter": {"tickSize": listing.price_text(listing.tick)},
        "riskParameters": _ratios(listing),
    }


def _ratios(listing: Listing) -> dict[str, str]:
    band = words.number(listing.band_fraction)
    return {"priceLimitRatioX": band, "priceLimitRatioY": words.number(listing.band_fraction * 2)}


def risk_tiers(market: TwinMarket) -> list[dict[str, Any]]:
    """A symbol's rows in `risk-limit`, numbered from 1 as positions name them."""
    rows = []
    for number, (cap, initial, maintenance, deduction) in enumerate(market.listing.tiers, 1):
        leverage = (1 / initial).quantize(Decimal("0.01"))
        rows.append(
            {
                "id": number,
                "symbol": market.symbol,
                "riskLimitValue": words.number(cap),
                "maintenanceMargin": words.number(maintenance),
                "initialMargin": words.number(initial),
                "isLowestRisk": 1 if number == 1 else 0,
                "maxLeverage": f"{leverage:.2f}",
                "mmDeduction": words.number(deduction) if deduction else "",
            }
        )
    return rows


def coins_of(markets: list[TwinMarket]) -> list[str]:
    """All coins that are traded, in order of listing."""
    found: dict[str, None] = {}
    for market in markets:
        found.update({market.listing.base: None, market.listing.quote: None})
    return list(found)


def coin(name: str) -> dict[str, Any]:
    """A coin in `query-info`: one chain, neither deposits nor withdrawals lead anywhere."""
    chain = {
        "chain": name,
        "chainType": name,
        "confirmation": "6",
        "withdrawFee": "0",
        "depositMin": "0",
        "withdrawMin": "0",
        "chainDeposit": "0",
        "chainWithdraw": "0",
        "minAccuracy": "8",
        "withdrawPercentageFee": "0",
        "contractAddress": "",
        "safeConfirmNumber": "65",
    }
    return {"name": name, "coin": name, "remainAmount": "1000000", "chains": [chain]}
