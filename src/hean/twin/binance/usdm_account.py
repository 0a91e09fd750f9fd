# SPDX-License-Identifier: Apache-2.0
"""`usdm_account.py`: accounts of the USD-M futures: balances, positions, settings, income, and the
keys of user streams. A setting that is as wanted already is refused, as the exchange does. Margin
is cross: isolated mode is kept and shown, but no margin can be moved to a position.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.binance import errors
from hean.twin.binance import usdm_views as views
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.usdm_records import records_of
from hean.twin.binance.usdm_terms import is_hedged
from hean.twin.market import TwinMarket
from hean.twin.orders import SettingEvent

DONE = {"code": 200, "msg": "success"}
INCOMES, INCOMES_MAX = 100, 1_000
MARGIN_TYPES = {"ISOLATED": "isolated", "CROSSED": "cross"}


# --- what there is


def balance(call: Call) -> list[dict[str, Any]]:
    """Balances by coin."""
    return views.balances(call.account, now_ns=call.now_ns)


def account_v2(call: Call) -> dict[str, Any]:
    """The account with every symbol."""
    is_multi = records_of(call).is_multi
    return views.account_v2(call.account, _markets(call), is_multi=is_multi, now_ns=call.now_ns)


def account_v3(call: Call) -> dict[str, Any]:
    """The account with the positions that exist."""
    return views.account_v3(call.account, _markets(call), now_ns=call.now_ns)


def positions_v2(call: Call) -> list[dict[str, Any]]:
    """Positions of every symbol, with their settings."""
    rows = views.positions_of(call.account, _chosen(call))
    return [views.position_v2(call.account, position) for position in rows]


def positions_v3(call: Call) -> list[dict[str, Any]]:
    """Positions that exist or have orders."""
    rows = views.positions_of(call.account, _chosen(call))
    held = [position for position in rows if views.exists(call.account, position)]
    return [views.position_v3(call.account, position) for position in held]


def config(call: Call) -> dict[str, Any]:
    """Settings of the account."""
    return {
        "feeTier": 0,
        "canTrade": not call.account.is_banned,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": is_hedged(call.account, call.dialect.venue),
        "updateTime": 0,
        "multiAssetsMargin": records_of(call).is_multi,
        "tradeGroupId": -1,
    }


def symbol_config(call: Call) -> list[dict[str, Any]]:
    """Leverage and margin type by symbol."""
    return [views.symbol_config(call.account, market.listing) for market in _chosen(call)]


def leverage_brackets(call: Call) -> list[dict[str, Any]]:
    """Risk tiers by symbol."""
    return [views.brackets(market.listing) for market in _chosen(call)]


def commission(call: Call) -> dict[str, Any]:
    """Fee rates of a symbol."""
    listing = call.market().listing
    return {
        "symbol": listing.symbol,
        "makerCommissionRate": f"{listing.maker_fee:.6f}",
        "takerCommissionRate": f"{listing.taker_fee:.6f}",
    }


def adl_quantiles(call: Call) -> Any:
    """Places in the queue of auto-deleveraging: an object for one symbol."""
    rows = [views.adl(call.account, market) for market in _chosen(call)]
    return rows[0] if call.has("symbol") else rows


def income(call: Call) -> list[dict[str, Any]]:
    """What came and went, oldest first; without a start the newest."""
    symbol, kind = call.text("symbol"), call.text("incomeType")
    start_ms, end_ms = call.integer("startTime"), call.integer("endTime")
    most, page = call.limit(INCOMES, INCOMES_MAX), call.integer("page") or 1
    rows = [
        row
        for row in records_of(call).incomes
        if symbol in (None, row["symbol"])
        and kind in (None, row["incomeType"])
        and (start_ms is None or row["time"] >= start_ms)
        and (end_ms is None or row["time"] <= end_ms)
    ]
    if start_ms is None and page == 1:
        return rows[-most:]
    return rows[(page - 1) * most : page * most]


# --- settings


def set_leverage(call: Call) -> dict[str, Any]:
    """Leverage of a symbol."""
    market, wanted = call.market(), call.integer("leverage")
    if wanted is None:
        raise errors.missing("leverage")
    account, symbol = call.account, market.symbol
    if not 1 <= wanted <= market.listing.leverage_max:
        raise BinanceError(-4028, f"Leverage {wanted} is not valid")
    before = account.leverage_of(symbol)
    account.leverage[symbol] = Decimal(wanted)
    if wanted < before and account.available() < 0:
        account.leverage[symbol] = before
        raise BinanceError(
            -2028, "Leverage is smaller than permitted: insufficient margin balance."
        )
    call.dialect.venue.emit(SettingEvent(account, symbol, "leverage", call.now_ns))
    largest = views.notional_max(market.listing, Decimal(wanted))
    return {"leverage": wanted, "maxNotionalValue": f"{largest:f}", "symbol": symbol}


def set_margin_type(call: Call) -> dict[str, Any]:
    """Cross or isolated, of a symbol without orders and position."""
    market = call.market()
    word = call.enum("marginType", MARGIN_TYPES, (-4141, "Invalid marginType."))
    account, wanted = call.account, MARGIN_TYPES[word]
    if wanted == "isolated" and records_of(call).is_multi:
        raise BinanceError(
            -4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode."
        )
    if wanted == views.margin_mode(account, market.symbol):
        raise BinanceError(-4046, "No need to change margin type.")
    if _has_orders(call, market):
        raise BinanceError(-4047, "Margin type cannot be changed if there exists open orders.")
    if _has_position(call, market):
        raise BinanceError(-4048, "Margin type cannot be changed if there exists position.")
    account.margin_mode[market.symbol] = wanted
    return DONE


def position_mode(call: Call) -> dict[str, Any]:
    """Whether long and short are held apart."""
    return {"dualSidePosition": is_hedged(call.account, call.dialect.venue)}


def set_position_mode(call: Call) -> dict[str, Any]:
    """Hold long and short apart, or not; for all symbols at once."""
    call.required("dualSidePosition")
    wanted, account = call.flag("dualSidePosition"), call.account
    if wanted == is_hedged(account, call.dialect.venue):
        raise BinanceError(-4059, "No need to change position side.")
    markets = _markets(call)
    if any(_has_orders(call, market) for market in markets):
        raise BinanceError(-4067, "Position side cannot be changed if there exists open orders.")
    if any(_has_position(call, market) for market in markets):
        raise BinanceError(-4068, "Position side cannot be changed if there exists position.")
    for market in markets:
        account.hedged[market.symbol] = wanted
    return DONE


def multi_assets(call: Call) -> dict[str, Any]:
    """Whether all coins together are margin."""
    return {"multiAssetsMargin": records_of(call).is_multi}


def set_multi_assets(call: Call) -> dict[str, Any]:
    """Let all coins together be margin, or not."""
    call.required("multiAssetsMargin")
    wanted, records = call.flag("multiAssetsMargin"), records_of(call)
    if wanted == records.is_multi:
        raise BinanceError(-4171, "No need to change multi-assets margin mode.")
    records.is_multi = wanted
    call.dialect.venue.emit(SettingEvent(call.account, "", "multi_assets", call.now_ns))
    return DONE


def move_margin(call: Call) -> dict[str, Any]:
    """Margin of an isolated position; refused, because the twin's margin is one pool."""
    market = call.market()
    if views.margin_mode(call.account, market.symbol) != "isolated":
        raise BinanceError(-4049, "Add margin only support for isolated position.")
    if not _has_position(call, market):
        raise BinanceError(-4054, "Cannot add position margin: position is 0.")
    raise BinanceError(-1020, "This operation is not supported.")


def nothing(call: Call) -> list[Any]:
    """A history that is empty in the twin."""
    return []


# --- listen keys


def start_stream(call: Call) -> dict[str, Any]:
    """The account's listen key; asking again extends it."""
    return {"listenKey": call.dialect.usdm_users.start(call.account, call.now_ns)}


def keep_stream(call: Call) -> dict[str, Any]:
    """Another hour for the listen key."""
    if not call.dialect.usdm_users.extend(call.account, call.now_ns):
        raise BinanceError(-1125, "This listenKey does not exist.")
    return {"listenKey": call.dialect.usdm_users.start(call.account, call.now_ns)}


def end_stream(call: Call) -> dict[str, Any]:
    """The end of the listen key."""
    call.dialect.usdm_users.end(call.account)
    return {}


def _markets(call: Call) -> list[TwinMarket]:
    return call.dialect.venue.markets_of("linear")


def _chosen(call: Call) -> list[TwinMarket]:
    return [call.market()] if call.text("symbol") is not None else _markets(call)


def _has_orders(call: Call, market: TwinMarket) -> bool:
    return any(order.market is market for order in call.account.open_orders.values())


def _has_position(call: Call, market: TwinMarket) -> bool:
    return any(p.market is market and p.size for p in call.account.positions.values())


KEY, SIGNED, TRADE = Security.KEY, Security.SIGNED, Security.TRADE
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v2/balance"): Route(balance, SIGNED, 5),
    ("GET", "/fapi/v3/balance"): Route(balance, SIGNED, 5),
    ("GET", "/fapi/v2/account"): Route(account_v2, SIGNED, 5),
    ("GET", "/fapi/v3/account"): Route(account_v3, SIGNED, 5),
    ("GET", "/fapi/v2/positionRisk"): Route(positions_v2, SIGNED, 5),
    ("GET", "/fapi/v3/positionRisk"): Route(positions_v3, SIGNED, 5),
    ("GET", "/fapi/v1/accountConfig"): Route(config, SIGNED, 5),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, SIGNED, 5),
    ("GET", "/fapi/v1/leverageBracket"): Route(leverage_brackets, SIGNED),
    ("GET", "/fapi/v1/commissionRate"): Route(commission, SIGNED, 20),
    ("GET", "/fapi/v1/adlQuantile"): Route(adl_quantiles, SIGNED, 5),
    ("GET", "/fapi/v1/income"): Route(income, SIGNED, 30),
    ("POST", "/fapi/v1/leverage"): Route(set_leverage, TRADE),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type, TRADE),
    ("GET", "/fapi/v1/positionSide/dual"): Route(position_mode, SIGNED, 30),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode, TRADE),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(multi_assets, SIGNED, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Route(set_multi_assets, TRADE),
    ("POST", "/fapi/v1/positionMargin"): Route(move_margin, TRADE),
    ("GET", "/fapi/v1/positionMargin/history"): Route(nothing, SIGNED),
    ("POST", "/fapi/v1/listenKey"): Route(start_stream, KEY),
    ("PUT", "/fapi/v1/listenKey"): Route(keep_stream, KEY),
    ("DELETE", "/fapi/v1/listenKey"): Route(end_stream, KEY),
}
