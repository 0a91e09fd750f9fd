# SPDX-License-Identifier: Apache-2.0
"""`usdm_views.py`: an account of the twin as Binance's USD-M futures show it: positions, balances,
totals, settings per symbol. Reads only. Version 2 of a view lists every symbol with its settings,
version 3 only what exists; both print the same amounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hean.twin.account import Account, Position
from hean.twin.binance.usdm_shapes import FILL_DIGITS, break_even, money
from hean.twin.binance.words import ms
from hean.twin.listing import Listing
from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, Order

MARK_DIGITS = 8
COIN = "USDT"
ACCOUNT_ALIAS = "sRoCmYSgFzoCfW"


def margin_mode(account: Account, symbol: str) -> str:
    """`cross` or `isolated`."""
    return account.margin_mode.get(symbol, "cross")


def notional_max(listing: Listing, leverage: Decimal) -> Decimal:
    """Largest position value that a leverage allows."""
    caps = [row[0] for row in listing.tiers if round(1 / row[1]) >= leverage]
    return caps[-1] if caps else listing.tiers[0][0]


def liquidation_price(account: Account, position: Position) -> Decimal:
    """Mark price at which the margin balance meets the maintenance margin, all else standing still;
    zero if there is none.
    """
    size = position.size
    if not size:
        return ZERO
    _, (_, _, rate, deduction) = position.market.listing.tier(position.mark_value)
    others = account.equity() - position.unrealized
    needed = account.maintenance - position.maintenance
    slope = abs(size) * rate - size
    if not slope:
        return ZERO
    price = (others - needed + deduction - size * position.entry) / slope
    return max(ZERO, price)


def position_v2(account: Account, position: Position) -> dict[str, Any]:
    """A row of `/fapi/v2/positionRisk`."""
    listing = position.market.listing
    mode, leverage = margin_mode(account, listing.symbol), account.leverage_of(listing.symbol)
    isolated = account.position_margin(position) if mode == "isolated" else ZERO
    return {
        "symbol": listing.symbol,
        "positionAmt": listing.quantity_text(position.size),
        "entryPrice": _price(position.entry),
        "breakEvenPrice": _price(break_even(position)),
        "markPrice": f"{position.market.mark:.{MARK_DIGITS}f}",
        "unRealizedProfit": money(position.unrealized),
        "liquidationPrice": _price(liquidation_price(account, position)),
        "leverage": f"{leverage:f}",
        "maxNotionalValue": f"{notional_max(listing, leverage):f}",
        "marginType": mode,
        "isolatedMargin": money(isolated),
        "isAutoAddMargin": "false",
        "positionSide": position.side,
        "notional": money(position.size * position.market.mark),
        "isolatedWallet": money(isolated),
        "updateTime": ms(position.updated_ns),
    }


def position_v3(account: Account, position: Position) -> dict[str, Any]:
    """A row of `/fapi/v3/positionRisk`: no leverage, no margin type."""
    listing = position.market.listing
    mode = margin_mode(account, listing.symbol)
    held = account.position_margin(position)
    isolated = held if mode == "isolated" else ZERO
    bids, asks = _open_notional(account, position)
    resting = max(bids, asks) / account.leverage_of(listing.symbol)
    return {
        "symbol": listing.symbol,
        "positionSide": position.side,
        "positionAmt": listing.quantity_text(position.size),
        "entryPrice": _price(position.entry),
        "breakEvenPrice": _price(break_even(position)),
        "markPrice": f"{position.market.mark:.{MARK_DIGITS}f}",
        "unRealizedProfit": money(position.unrealized),
        "liquidationPrice": _price(liquidation_price(account, position)),
        "isolatedMargin": money(isolated),
        "notional": money(position.size * position.market.mark),
        "marginAsset": listing.quote,
        "isolatedWallet": money(isolated),
        "initialMargin": money(held + resting),
        "maintMargin": money(position.maintenance),
        "positionInitialMargin": money(held),
        "openOrderInitialMargin": money(resting),
        "adl": adl_quantile(account, position),
        "bidNotional": money(bids),
        "askNotional": money(asks),
        "updateTime": ms(position.updated_ns),
    }


def adl_quantile(account: Account, position: Position) -> int:
    """Place in the queue of auto-deleveraging, 0 to 4: by profit, as nobody else is there."""
    if not position.size or position.unrealized <= 0:
        return 0
    gain = position.unrealized / position.cost * account.leverage_of(position.market.symbol)
    return min(4, 1 + int(gain * 4))


def account_position_v2(account: Account, position: Position) -> dict[str, Any]:
    """A position within `/fapi/v2/account`."""
    row, listing = position_v3(account, position), position.market.listing
    leverage = account.leverage_of(listing.symbol)
    return {
        "symbol": listing.symbol,
        "initialMargin": row["initialMargin"],
        "maintMargin": row["maintMargin"],
        "unrealizedProfit": row["unRealizedProfit"],
        "positionInitialMargin": row["positionInitialMargin"],
        "openOrderInitialMargin": row["openOrderInitialMargin"],
        "leverage": f"{leverage:f}",
        "isolated": margin_mode(account, listing.symbol) == "isolated",
        "entryPrice": row["entryPrice"],
        "breakEvenPrice": row["breakEvenPrice"],
        "maxNotional": f"{notional_max(listing, leverage):f}",
        "bidNotional": row["bidNotional"],
        "askNotional": row["askNotional"],
        "positionSide": position.side,
        "positionAmt": row["positionAmt"],
        "notional": row["notional"],
        "isolatedWallet": row["isolatedWallet"],
        "updateTime": row["updateTime"],
    }


def account_position_v3(account: Account, position: Position) -> dict[str, Any]:
    """A position within `/fapi/v3/account`."""
    row = position_v3(account, position)
    names = (
        "symbol",
        "positionSide",
        "positionAmt",
        "isolatedMargin",
        "notional",
        "isolatedWallet",
        "initialMargin",
        "maintMargin",
        "updateTime",
    )
    return {**{name: row[name] for name in names}, "unrealizedProfit": row["unRealizedProfit"]}


def asset(account: Account, coin: str, *, now_ns: int) -> dict[str, Any]:
    """A coin within `/fapi/v3/account`."""
    sums = _sums(account, coin)
    return {
        "asset": coin,
        "walletBalance": money(sums["wallet"]),
        "unrealizedProfit": money(sums["profit"]),
        "marginBalance": money(sums["wallet"] + sums["profit"]),
        "maintMargin": money(sums["maintenance"]),
        "initialMargin": money(sums["held"] + sums["resting"]),
        "positionInitialMargin": money(sums["held"]),
        "openOrderInitialMargin": money(sums["resting"]),
        "crossWalletBalance": money(sums["wallet"]),
        "crossUnPnl": money(sums["profit"]),
        "availableBalance": money(sums["available"]),
        "maxWithdrawAmount": money(min(sums["available"], sums["wallet"])),
        "updateTime": ms(now_ns),
    }


def account_v3(account: Account, markets: Iterable[TwinMarket], *, now_ns: int) -> dict[str, Any]:
    """`/fapi/v3/account`: only positions that exist."""
    shown = [p for p in positions_of(account, markets) if exists(account, p)]
    coins = [asset(account, coin, now_ns=now_ns) for coin in account.wallet("linear")]
    rows = [account_position_v3(account, position) for position in shown]
    return {**_totals(account), "assets": coins, "positions": rows}


def account_v2(
    account: Account, markets: Iterable[TwinMarket], *, is_multi: bool, now_ns: int
) -> dict[str, Any]:
    """`/fapi/v2/account`: every symbol, and what the account may do."""
    coins = [
        {**asset(account, coin, now_ns=now_ns), "marginAvailable": True}
        for coin in account.wallet("linear")
    ]
    shown = positions_of(account, markets)
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": not account.is_banned,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": is_multi,
        "tradeGroupId": -1,
        **_totals(account),
        "assets": coins,
        "positions": [account_position_v2(account, position) for position in shown],
    }


def balances(account: Account, *, now_ns: int) -> list[dict[str, Any]]:
    """`/fapi/v2/balance` and `/fapi/v3/balance`."""
    return [_balance(account, coin, now_ns=now_ns) for coin in account.wallet("linear")]


def _balance(account: Account, coin: str, *, now_ns: int) -> dict[str, Any]:
    sums = _sums(account, coin)
    return {
        "accountAlias": ACCOUNT_ALIAS,
        "asset": coin,
        "balance": money(sums["wallet"]),
        "crossWalletBalance": money(sums["wallet"]),
        "crossUnPnl": money(sums["profit"]),
        "availableBalance": money(sums["available"]),
        "maxWithdrawAmount": money(min(sums["available"], sums["wallet"])),
        "marginAvailable": True,
        "updateTime": ms(now_ns),
    }


def symbol_config(account: Account, listing: Listing) -> dict[str, Any]:
    """A row of `/fapi/v1/symbolConfig`."""
    leverage = account.leverage_of(listing.symbol)
    mode = margin_mode(account, listing.symbol)
    return {
        "symbol": listing.symbol,
        "marginType": "CROSSED" if mode == "cross" else "ISOLATED",
        "isAutoAddMargin": False,
        "leverage": int(leverage),
        "maxNotionalValue": f"{notional_max(listing, leverage):f}",
    }


def brackets(listing: Listing) -> dict[str, Any]:
    """A row of `/fapi/v1/leverageBracket`."""
    rows, floor = [], ZERO
    for number, (cap, initial, maintenance, deduction) in enumerate(listing.tiers, 1):
        row = {
            "bracket": number,
            "initialLeverage": round(1 / initial),
            "notionalCap": int(cap),
            "notionalFloor": int(floor),
            "maintMarginRatio": float(maintenance),
            "cum": float(deduction),
        }
        rows.append(row)
        floor = cap
    return {"symbol": listing.symbol, "notionalCoef": 1.0, "brackets": rows}


def adl(account: Account, market: TwinMarket) -> dict[str, Any]:
    """A row of `/fapi/v1/adlQuantile`."""
    held = {
        side: adl_quantile(account, account.position(market, side))
        for side in account.position_sides(market.symbol)
    }
    if "BOTH" in held:
        return {"symbol": market.symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, **held}}
    return {"symbol": market.symbol, "adlQuantile": {**held, "HEDGE": 0}}


def positions_of(account: Account, markets: Iterable[TwinMarket]) -> list[Position]:
    """Every position that could be, in the account's mode."""
    return [
        account.position(market, side)
        for market in markets
        for side in account.position_sides(market.symbol)
    ]


def exists(account: Account, position: Position) -> bool:
    """Whether there is a holding, or an order that may open one."""
    return bool(position.size) or any(_orders(account, position))


def _orders(account: Account, position: Position) -> Iterable[Order]:
    return (
        order
        for order in account.open_orders.values()
        if order.market is position.market and order.position_side == position.side
    )


def _open_notional(account: Account, position: Position) -> tuple[Decimal, Decimal]:
    """Value of open orders that buy and that sell."""
    sums = {"BUY": ZERO, "SELL": ZERO}
    for order in _orders(account, position):
        if order.price is not None and not order.reduce_only and order.status != "UNTRIGGERED":
            sums[order.side] += order.left * order.price
    return sums["BUY"], sums["SELL"]


def _sums(account: Account, coin: str) -> dict[str, Decimal]:
    wallet = account.wallet("linear").get(coin, ZERO)
    if coin != COIN:
        names = ("profit", "maintenance", "held", "resting")
        return {"wallet": wallet, "available": wallet, **dict.fromkeys(names, ZERO)}
    held = (account.position_margin(position) for position in account.positions.values())
    return {
        "wallet": wallet,
        "profit": account.unrealized,
        "maintenance": account.maintenance,
        "held": sum(held, ZERO),
        "resting": account.order_margin(),
        "available": max(ZERO, account.available(coin)),
    }


def _totals(account: Account) -> dict[str, Any]:
    sums = _sums(account, COIN)
    return {
        "totalInitialMargin": money(sums["held"] + sums["resting"]),
        "totalMaintMargin": money(sums["maintenance"]),
        "totalWalletBalance": money(sums["wallet"]),
        "totalUnrealizedProfit": money(sums["profit"]),
        "totalMarginBalance": money(sums["wallet"] + sums["profit"]),
        "totalPositionInitialMargin": money(sums["held"]),
        "totalOpenOrderInitialMargin": money(sums["resting"]),
        "totalCrossWalletBalance": money(sums["wallet"]),
        "totalCrossUnPnl": money(sums["profit"]),
        "availableBalance": money(sums["available"]),
        "maxWithdrawAmount": money(min(sums["available"], sums["wallet"])),
    }


def _price(value: Decimal) -> str:
    """A price an average may fall on; `0.0` is how nothing is printed."""
    return f"{value:.{FILL_DIGITS}f}" if value else "0.0"
