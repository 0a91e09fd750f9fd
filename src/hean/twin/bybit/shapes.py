# SPDX-License-Identifier: Apache-2.0
"""`shapes.py`: the account's objects as Bybit writes them: order, execution, position, wallet. The
same order goes into an answer and into a stream; a stream adds a few fields. Nothing is decided.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.account import Account, Position
from hean.twin.bybit import words
from hean.twin.bybit.records import Booked, Closed
from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, Order, Status, Why
from hean.twin.venue import TwinVenue

ISOLATED = "ISOLATED_MARGIN"
MARGIN_KEY = ""  # account-wide margin mode, in a table that is by symbol


def order_fields(order: Order) -> dict[str, Any]:
    """An order as `realtime`, `history` and the stream show it."""
    listing, extra = order.market.listing, order.extra
    is_spot = listing.market == "spot"
    fields: dict[str, Any] = {
        "orderId": order.order_id,
        "orderLinkId": order.client_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "symbol": listing.symbol,
        "side": words.SIDE_NAMES[order.side],
        "isLeverage": "0" if is_spot else "",
        "positionIdx": words.POSITION_INDEXES[order.position_side],
        "orderStatus": words.order_status(order),
        "cancelType": words.CANCEL_TYPES.get(order.why or Why.UNCHANGED, "UNKNOWN"),
        "rejectReason": words.REJECT_REASONS.get(order.why or Why.UNCHANGED, "EC_NoError"),
        **_quantities(order),
        "timeInForce": extra.get("timeInForce") or _life(order),
        "orderType": words.order_type(order),
        "stopOrderType": words.stop_order_type(order),
        "orderIv": "",
        "marketUnit": extra.get("marketUnit", ""),
        "slippageToleranceType": extra.get("slippageToleranceType", "UNKNOWN"),
        "slippageTolerance": extra.get("slippageTolerance", ""),
        "takeProfit": extra.get("takeProfit", ""),
        "stopLoss": extra.get("stopLoss", ""),
        "tpslMode": extra.get("tpslMode", ""),
        "tpLimitPrice": extra.get("tpLimitPrice", ""),
        "slLimitPrice": extra.get("slLimitPrice", ""),
        "tpTriggerBy": extra.get("tpTriggerBy", ""),
        "slTriggerBy": extra.get("slTriggerBy", ""),
        **_trigger(order),
        "lastPriceOnCreated": extra.get("lastPriceOnCreated", ""),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": bool(extra.get("closeOnTrigger", False)),
        "placeType": "",
        "smpType": extra.get("smpType", "None"),
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": words.ms(order.created_ns),
        "updatedTime": words.ms(order.updated_ns),
        "extraFees": "",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "",
    }
    if is_spot:
        fields["basePrice"] = fields["lastPriceOnCreated"]
        fields["ocoTriggerBy"] = ""
    else:
        fields["createType"] = words.create_type(order)
    return fields


def _quantities(order: Order) -> dict[str, Any]:
    """Price and what is done and left; a finished order has nothing left, however it ended."""
    listing, is_open, average = order.market.listing, order.is_open, order.average
    price = order.price if words.order_type(order) == "Limit" else None
    quantity, done = order.quantity, order.filled
    if order.quote_quantity is not None:
        quantity, done = order.quote_quantity, order.value
    if order.close_all and order.status is Status.UNTRIGGERED:
        quantity = abs(order.account.position(order.market, order.position_side).size)
    left = quantity - done if is_open else ZERO
    fee_coin = next(iter(order.fees), listing.quote)
    return {
        "price": "0" if price is None else listing.price_text(price),
        "qty": listing.quantity_text(quantity),
        "avgPrice": "" if average is None else words.number(average.quantize(Decimal("1e-8"))),
        "leavesQty": listing.quantity_text(left) if is_open else "0",
        "leavesValue": words.amount(left * (price or ZERO)),
        "cumExecQty": listing.quantity_text(order.filled),
        "cumExecValue": words.amount(order.value),
        "cumExecFee": words.fee(words.fee_of(order), fee_coin, listing.quote),
        "cumFeeDetail": {
            coin: words.fee(fee, coin, listing.quote) for coin, fee in order.fees.items()
        },
    }


def _trigger(order: Order) -> dict[str, Any]:
    listing, trigger = order.market.listing, order.trigger
    return {
        "triggerPrice": "" if trigger is None else listing.price_text(trigger.price),
        "triggerDirection": 0 if trigger is None else 1 if trigger.rising else 2,
        "triggerBy": "" if trigger is None else words.WATCHED_NAMES[trigger.by],
    }


def _life(order: Order) -> str:
    return "IOC" if order.is_market else words.LIFE_NAMES[order.life]


def order_stream(order: Order) -> dict[str, Any]:
    """An order as the stream tells it."""
    fields = order_fields(order)
    listing = order.market.listing
    fields["category"] = listing.market
    fields["closedPnl"] = words.amount(order.realized)
    fields["feeCurrency"] = next(iter(order.fees), listing.quote)
    return fields


def execution_fields(booked: Booked) -> dict[str, Any]:
    """An execution as `execution/list` and the stream show it."""
    execution = booked.execution
    order, market = execution.order, execution.market
    listing = market.listing
    is_spot = listing.market == "spot"
    price = order.price if order is not None and words.order_type(order) == "Limit" else None
    return {
        "symbol": listing.symbol,
        "orderId": words.execution_id(execution) if order is None else order.order_id,
        "orderLinkId": "" if order is None else order.client_id,
        "side": words.SIDE_NAMES[execution.side],
        "orderPrice": "0" if price is None else listing.price_text(price),
        "orderQty": "0" if order is None else listing.quantity_text(order.quantity),
        "leavesQty": listing.quantity_text(max(execution.left, ZERO)),
        "createType": "" if order is None or is_spot else words.create_type(order),
        "orderType": "UNKNOWN" if order is None else words.order_type(order),
        "stopOrderType": "UNKNOWN" if order is None else words.stop_order_type(order) or "UNKNOWN",
        "execFee": words.fee(execution.fee, execution.fee_coin, listing.quote),
        "execFeeV2": "",
        "execId": words.execution_id(execution),
        "execPrice": listing.price_text(execution.price),
        "execQty": listing.quantity_text(execution.quantity),
        "execType": words.EXECUTION_TYPES.get(execution.kind, "Trade"),
        "execValue": words.amount(execution.value),
        "execTime": words.ms(execution.ts_ns),
        "feeCurrency": execution.fee_coin,
        "isMaker": execution.is_maker,
        "feeRate": words.number(execution.fee_rate),
        "tradeIv": "",
        "markIv": "",
        "markPrice": listing.price_text(booked.mark),
        "indexPrice": "" if is_spot else listing.price_text(booked.index),
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": "" if is_spot else words.number(execution.closed),
        "seq": execution.number,
        "extraFees": "",
    }


def execution_stream(booked: Booked) -> dict[str, Any]:
    """An execution as the stream tells it."""
    fields = execution_fields(booked)
    fields["category"] = booked.execution.market.listing.market
    fields["isLeverage"] = "0"
    fields["execPnl"] = words.amount(booked.execution.realized)
    return fields


def fast_stream(booked: Booked) -> dict[str, Any]:
    """An execution as `execution.fast` tells it."""
    execution = booked.execution
    order, listing = execution.order, execution.market.listing
    is_named = order is not None and not execution.is_maker
    return {
        "category": listing.market,
        "symbol": listing.symbol,
        "execId": words.execution_id(execution),
        "execPrice": listing.price_text(execution.price),
        "execQty": listing.quantity_text(execution.quantity),
        "orderId": "" if order is None else order.order_id,
        "isMaker": execution.is_maker,
        "orderLinkId": order.client_id if order is not None and is_named else "",
        "side": words.SIDE_NAMES[execution.side],
        "execTime": words.ms(execution.ts_ns),
        "seq": execution.number,
    }


def position_fields(account: Account, position: Position, *, price_name: str) -> dict[str, Any]:
    """A position; its entry price is `avgPrice` in answers and `entryPrice` in the stream."""
    market = position.market
    listing, size = market.listing, abs(position.size)
    number, (cap, _, _, _) = listing.tier(position.mark_value)
    margin = words.amount(account.position_margin(position))
    maintenance = words.amount(position.maintenance)
    entry = position.entry.quantize(Decimal("1e-8"))
    stop = listing.price_text
    return {
        "positionIdx": words.POSITION_INDEXES[position.side],
        "riskId": number,
        "riskLimitValue": words.number(cap),
        "symbol": listing.symbol,
        "side": "" if not size else "Buy" if position.size > 0 else "Sell",
        "size": words.number(size),
        price_name: words.number(entry),
        "positionValue": words.amount(position.cost) if size else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if size else 0,
        "leverage": words.number(account.leverage_of(market.symbol)),
        "positionBalance": margin,
        "breakEvenPrice": words.number(_break_even(position)) if size else "",
        "markPrice": listing.price_text(market.mark),
        "liqPrice": _liquidation_price(account, position),
        "bustPrice": "",
        "positionMM": maintenance,
        "positionIM": margin,
        "positionMMByMp": maintenance,
        "positionIMByMp": margin,
        "tpslMode": "Full",
        "takeProfit": "" if position.take_profit is None else stop(position.take_profit),
        "stopLoss": "" if position.stop_loss is None else stop(position.stop_loss),
        "trailingStop": stop(position.trailing_stop or ZERO),
        "sessionAvgPrice": "",
        "unrealisedPnl": words.amount(position.unrealized),
        "curRealisedPnl": words.amount(position.realized if size else ZERO),
        "cumRealisedPnl": words.amount(position.realized_total),
        "seq": position.updates or -1,
        "isReduceOnly": False,
        "mmrSysUpdateTime": "",
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": words.ms(position.created_ns),
        "updatedTime": words.ms(position.updated_ns),
        "openTime": position.created_ns // words.MS_NS if size else 0,
    }


def position_stream(account: Account, position: Position) -> dict[str, Any]:
    """A position as the stream tells it."""
    fields = position_fields(account, position, price_name="entryPrice")
    fields["category"] = "linear"
    return fields


def _break_even(position: Position) -> Decimal:
    """Price at which closing pays what was paid since it was opened, the closing fee included."""
    size, fee = position.size, position.market.listing.taker_fee
    direction = 1 if size > 0 else -1
    price = (position.entry - position.realized / size) / (1 - direction * fee)
    return price.quantize(position.market.listing.tick)


def _liquidation_price(account: Account, position: Position) -> str:
    """Where the account's equity meets its maintenance margin if only this price moves."""
    size = position.size
    if not size:
        return ""
    _, (_, _, rate, deduction) = position.market.listing.tier(position.mark_value)
    other = account.equity() - position.unrealized - (account.maintenance - position.maintenance)
    slope = size - abs(size) * rate
    price = (size * position.entry - other - deduction) / slope
    if price <= 0 or price > position.market.mark * 100:
        return ""
    return position.market.listing.price_text(price)


def closed_fields(row: Closed) -> dict[str, Any]:
    """A line of `closed-pnl`."""
    order, listing = row.order, row.order.market.listing
    step = Decimal("1e-8")
    price = order.price if words.order_type(order) == "Limit" else None
    return {
        "symbol": listing.symbol,
        "orderId": order.order_id,
        "side": words.SIDE_NAMES[order.side],
        "qty": listing.quantity_text(order.quantity),
        "orderPrice": "0" if price is None else listing.price_text(price),
        "orderType": words.order_type(order),
        "execType": words.EXECUTION_TYPES.get(row.execution.kind, "Trade"),
        "closedSize": words.number(row.size),
        "cumEntryValue": words.amount(row.entry_value),
        "avgEntryPrice": words.number((row.entry_value / row.size).quantize(step)),
        "cumExitValue": words.amount(row.exit_value),
        "avgExitPrice": words.number((row.exit_value / row.size).quantize(step)),
        "closedPnl": words.amount(row.profit),
        "fillCount": str(row.fills),
        "leverage": words.number(row.leverage),
        "openFee": words.amount(row.open_fee),
        "closeFee": words.amount(row.close_fee),
        "createdTime": words.ms(row.execution.ts_ns),
        "updatedTime": words.ms(row.updated_ns),
    }


def coin_price(venue: TwinVenue, coin: str) -> Decimal:
    """A coin in US dollars; zero for one that is not traded here."""
    if coin in {"USDT", "USDC", "USD"}:
        return Decimal(1)
    for market in ("spot", "linear"):
        found = venue.markets.get((market, f"{coin}USDT"))
        if found is not None and found.last:
            return found.last
    return ZERO


def wallet_fields(
    venue: TwinVenue, account: Account, coins: list[str] | None = None
) -> dict[str, Any]:
    """The unified account. *coins*: those to show; all that are not zero when `None`."""
    wallet = account.wallets["unified"]
    is_isolated = account.margin_mode.get(MARGIN_KEY) == ISOLATED
    shown = coins if coins is not None else [c for c, value in wallet.items() if value]
    money = sum((value * coin_price(venue, coin) for coin, value in wallet.items()), ZERO)
    profit, order_margin = account.unrealized, account.order_margin()
    held = sum((account.position_margin(each) for each in account.positions.values()), ZERO)
    margin, maintenance = held + order_margin, account.maintenance
    equity = money + profit
    locked = sum((v * coin_price(venue, coin) for coin, v in account.locked.items()), ZERO)
    totals = {
        "totalEquity": equity,
        "totalWalletBalance": money,
        "totalMarginBalance": equity,
        "totalAvailableBalance": equity - margin - locked,
        "totalPerpUPL": profit,
        "totalInitialMargin": margin,
        "totalMaintenanceMargin": maintenance,
        "accountIMRate": (margin / equity if equity else ZERO).quantize(Decimal("1e-4")),
        "accountMMRate": (maintenance / equity if equity else ZERO).quantize(Decimal("1e-4")),
    }
    is_hidden = is_isolated
    fields: dict[str, Any] = {
        name: "" if is_hidden and name not in {"totalEquity", "totalWalletBalance"} else text
        for name, text in ((name, words.amount(value)) for name, value in totals.items())
    }
    fields["accountType"] = "UNIFIED"
    fields["accountLTV"] = "" if is_hidden else "0"
    realized = sum((each.realized_total for each in account.positions.values()), ZERO)
    margins = (order_margin, held, maintenance, profit, realized)
    fields["coin"] = [coin_fields(venue, account, coin, margins) for coin in shown]
    return fields


def coin_fields(
    venue: TwinVenue, account: Account, coin: str, margins: tuple[Decimal, ...]
) -> dict[str, Any]:
    """One coin of the wallet. *margins*: of orders, of positions, maintenance, open profit and
    realised profit, all in the settle coin.
    """
    balance = account.wallets["unified"].get(coin, ZERO)
    used = margins if coin == "USDT" else (ZERO,) * 5
    equity = balance + used[3]
    return {
        "coin": coin,
        "equity": words.amount(equity),
        "usdValue": words.amount(equity * coin_price(venue, coin)),
        "walletBalance": words.amount(balance),
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": words.amount(used[0]),
        "totalPositionIM": words.amount(used[1]),
        "totalPositionMM": words.amount(used[2]),
        "unrealisedPnl": words.amount(used[3]),
        "cumRealisedPnl": words.amount(used[4]),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "locked": words.amount(account.locked.get(coin, ZERO)),
        "spotBorrow": "0",
        "spotHedgingQty": "0",
    }


def fee_fields(market: TwinMarket) -> dict[str, Any]:
    """A symbol's fees."""
    return {
        "symbol": market.symbol,
        "takerFeeRate": words.number(market.listing.taker_fee),
        "makerFeeRate": words.number(market.listing.maker_fee),
    }
