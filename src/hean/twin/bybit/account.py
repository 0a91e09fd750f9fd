# SPDX-License-Identifier: Apache-2.0
"""`account.py`: positions, wallet and settings of an account. Settings change the exchange's
account directly; whoever is subscribed hears of it. Margin is crossed whatever mode is set:
isolated margin is remembered and shown, not computed.
"""

from __future__ import annotations

from decimal import Decimal

from hean.twin.account import Account, Position
from hean.twin.bybit import shapes, terms, words
from hean.twin.bybit.call import Answer, Call
from hean.twin.bybit.errors import Denied, denied, missing, wrong
from hean.twin.bybit.stops import PASSED, Exit
from hean.twin.bybit.trade import PRODUCTS
from hean.twin.market import TwinMarket
from hean.twin.orders import PositionEvent, Refused, SettingEvent, Why

MARGIN_MODES = ("REGULAR_MARGIN", "ISOLATED_MARGIN", "PORTFOLIO_MARGIN")
PORTFOLIO_EQUITY_MIN = Decimal(1_000)
UNIFIED_STATUS = 5  # unified account 2.0
USER_BASE = 10_000_000
ONE_WAY, HEDGE = 0, 3
MARGIN_FIELDS = (
    *("symbol", "positionIdx", "riskId", "riskLimitValue", "size", "positionValue", "avgPrice"),
    *("liqPrice", "bustPrice", "markPrice", "leverage", "autoAddMargin", "positionStatus"),
    *("positionIM", "positionMM", "unrealisedPnl", "cumRealisedPnl", "stopLoss", "takeProfit"),
    *("trailingStop", "createdTime", "updatedTime"),
)
CREATED = "2025-01-01T00:00:00Z"
EXPIRES = "2035-01-01T00:00:00Z"
BOUND_TO = "192.0.2.1"  # an address that documentation may use


def positions(call: Call) -> Answer:
    """GET position/list: with a symbol its rows even when flat, with a coin what is open."""
    category = call.need_category("linear", "inverse", "option")
    symbol, settle = call.text("symbol"), call.text("settleCoin")
    if category == "linear" and not (symbol or settle or call.text("baseCoin")):
        raise wrong("params error: symbol or settleCoin is required")
    account = call.account
    found: list[Position] = []
    if symbol and category == "linear":
        market = call.venue.market("linear", symbol)
        found = [account.position(market, side) for side in account.position_sides(symbol)]
    elif category == "linear":
        found = [
            each
            for each in account.positions.values()
            if each.size and (not settle or each.market.listing.quote == settle)
        ]
    limit = call.limit(20, 200)
    start = call.whole("cursor", 0) or 0
    rows = [
        shapes.position_fields(account, each, price_name="avgPrice")
        for each in found[start : start + limit]
    ]
    cursor = str(start + limit) if len(found) > start + limit else ""
    return Answer({"category": category, "list": rows, "nextPageCursor": cursor})


def set_leverage(call: Call) -> Answer:
    """POST position/set-leverage."""
    market = _contract(call)
    buy, sell = terms.number(call, "buyLeverage"), terms.number(call, "sellLeverage")
    if buy is None or sell is None:
        raise missing("linear", "buyLeverage and sellLeverage")
    if buy != sell:
        raise wrong("buy leverage not equal to sell leverage")
    if buy < 1 or buy % Decimal("0.01"):
        raise wrong("leverage invalid")
    account, symbol = call.account, market.symbol
    before = account.leverage_of(symbol)
    if buy == before:
        raise Denied(110043, "Set leverage has not been modified.")
    largest = min(
        (_leverage_max(market, each) for each in _legs(account, market)),
        default=market.listing.leverage_max,
    )
    if buy > largest:
        raise Denied(
            110013,
            f"cannot set leverage [{words.number(buy * 100)}] gt maxLeverage "
            f"[{words.number(largest * 100)}] by risk limit",
        )
    account.leverage[symbol] = buy
    if account.available() < 0 and buy < before:
        account.leverage[symbol] = before
        raise Denied(110012, "Insufficient available balance.")
    _changed(call, market, "leverage")
    return Answer({})


def switch_mode(call: Call) -> Answer:
    """POST position/switch-mode: one symbol with its rules, or a coin, which takes what it can."""
    call.need_category("linear", "inverse")
    mode = call.whole("mode")
    if mode not in {ONE_WAY, HEDGE}:
        raise wrong("params error: mode invalid")
    symbol, coin = call.text("symbol"), call.text("coin")
    account, is_hedged = call.account, mode == HEDGE
    if not symbol:
        if not coin:
            raise wrong("params error: symbol or coin is required")
        for market in call.venue.markets_of("linear"):
            if market.listing.quote == coin and _mode_fault(account, market) is None:
                _set_mode(call, market, is_hedged=is_hedged)
        return Answer({})
    market = call.venue.market("linear", symbol)
    if is_hedged and market.listing.quote == "USDC":
        raise wrong("position mode of USDC contracts is one-way only")
    if account.hedged.get(symbol, False) == is_hedged:
        raise Refused(Why.UNCHANGED)
    fault = _mode_fault(account, market)
    if fault is not None:
        raise Refused(fault)
    _set_mode(call, market, is_hedged=is_hedged)
    return Answer({})


def switch_isolated(call: Call) -> Answer:
    """POST position/switch-isolated: a unified account sets its margin mode for everything."""
    _contract(call)
    raise Denied(100028, "unified account is forbidden to do this operation.")


def set_auto_margin(call: Call) -> Answer:
    """POST position/set-auto-add-margin: accepted under isolated margin, without effect."""
    _contract(call)
    _need_isolated(call)
    return Answer({})


def add_margin(call: Call) -> Answer:
    """POST position/add-margin: the position as it stands; margin is crossed here."""
    market = _contract(call)
    _need_isolated(call)
    if terms.number(call, "margin") is None:
        raise missing("linear", "margin")
    position = _position(call, market)
    fields = shapes.position_fields(call.account, position, price_name="avgPrice")
    shown = {name: fields[name] for name in MARGIN_FIELDS}
    return Answer({"category": "linear", **shown})


def set_risk_limit(call: Call) -> Answer:
    """POST position/set-risk-limit: tiers follow the position by themselves; the row is told."""
    market = _contract(call)
    tier = call.whole("riskId")
    if tier is None or not 1 <= tier <= len(market.listing.tiers):
        raise wrong("params error: riskId invalid")
    cap = market.listing.tiers[tier - 1][0]
    return Answer({"category": "linear", "riskId": tier, "riskLimitValue": words.number(cap)})


def trading_stop(call: Call) -> Answer:
    """POST position/trading-stop: exits of a position; "0" removes, nothing new is 34040."""
    market = _contract(call)
    position = _position(call, market)
    if not position.size:
        raise wrong("can not set tp/sl/ts for zero position")
    is_partial = call.text("tpslMode", "Full") == "Partial"
    shown = {
        "takeProfit": position.take_profit,
        "stopLoss": position.stop_loss,
        "trailingStop": position.trailing_stop,
    }
    is_changed = False
    for name, before in shown.items():
        price = terms.number(call, name)
        if price is None or (not is_partial and price == (before or 0)):
            continue
        is_changed = True
        if not price:
            call.floor.stops.clear(call.account, position, name)
            continue
        _set_exit(call, position, _exit(call, position, name, price, is_partial=is_partial))
    if not is_changed:
        raise Denied(34040, "not modified")
    call.venue.emit(PositionEvent(call.account, position, call.venue.now()))
    return Answer({})


def wallet(call: Call) -> Answer:
    """GET account/wallet-balance."""
    if call.need("accountType") != "UNIFIED":
        raise wrong("accountType only support UNIFIED.")
    coins = call.text("coin")
    named = [coin for coin in coins.split(",") if coin] if coins else None
    return Answer({"list": [shapes.wallet_fields(call.venue, call.account, named)]})


def fee_rate(call: Call) -> Answer:
    """GET account/fee-rate."""
    category = call.need_category("linear", "spot", "inverse", "option")
    symbol = call.text("symbol")
    if symbol:
        markets = [call.venue.market(category, symbol)]
    else:
        markets = call.venue.markets_of(category)
    return Answer({"category": category, "list": [shapes.fee_fields(each) for each in markets]})


def info(call: Call) -> Answer:
    """GET account/info."""
    account = call.account
    window = call.floor.windows.get((account.number, "linear"))
    return Answer(
        {
            "marginMode": _margin_mode(account),
            "updatedTime": str(call.now_ms),
            "unifiedMarginStatus": UNIFIED_STATUS,
            "dcpStatus": "OFF" if window is None else "ON",
            "timeWindow": window or 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }
    )


def set_margin_mode(call: Call) -> Answer:
    """POST account/set-margin-mode."""
    mode = call.need("setMarginMode")
    if mode not in MARGIN_MODES:
        raise wrong("params error: setMarginMode invalid")
    if mode == "PORTFOLIO_MARGIN" and call.account.equity() < PORTFOLIO_EQUITY_MIN:
        reason = "Equity needs to be equal to or greater than 1000 USDC"
        reasons = [{"reasonCode": "3400000", "reasonMsg": reason}]
        raise Denied(3400045, "Set margin mode failed", result={"reasons": reasons})
    call.account.margin_mode[shapes.MARGIN_KEY] = mode
    return Answer({"reasons": []}, "Request accepted")


def disconnect_info(call: Call) -> Answer:
    """GET account/query-dcp-info."""
    rows = [
        {"product": product, "dcpStatus": "ON", "timeWindow": str(window)}
        for product, kind in PRODUCTS.items()
        if (window := call.floor.windows.get((call.account.number, kind))) is not None
    ]
    return Answer({"dcpInfos": rows}, "success")


def api_key(call: Call) -> Answer:
    """GET user/query-api: what the key may do; never its secret."""
    key = call.key
    if key is None:
        raise Denied(10003, "API key is invalid.", status=401)
    trades = "trade" in key.permissions
    permissions: dict[str, list[str]] = {
        "ContractTrade": ["Order", "Position"],
        "Spot": ["SpotTrade"],
        "Wallet": ["AccountTransfer", "SubMemberTransfer"],
        "Options": ["OptionsTrade"],
        "Derivatives": ["DerivativesTrade"],
    }
    if key.account.keys_withdraw:
        permissions["Wallet"].append("Withdraw")
    others = ("CopyTrading", "BlockTrade", "Exchange", "NFT", "Affiliate", "Earn")
    user = USER_BASE + key.account.number
    return Answer(
        {
            "id": str(user * 10),
            "note": key.account.name,
            "apiKey": key.key,
            "readOnly": 0 if trades else 1,
            "secret": "",
            "permissions": permissions | {name: [] for name in others},
            "ips": [BOUND_TO] if key.account.keys_bound else ["*"],
            "type": 1,
            "deadlineDay": 3_650,
            "expiredAt": EXPIRES,
            "createdAt": CREATED,
            "unified": 0,
            "uta": 1,
            "userID": user,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        },
        "",
    )


def _contract(call: Call) -> TwinMarket:
    category = call.need_category("linear", "inverse")
    return call.venue.market(category, call.need("symbol"))


def _position(call: Call, market: TwinMarket) -> Position:
    """The leg that positionIdx means. *Raises*: `Denied` if the mode has no such leg."""
    side = terms.position_side(call)
    if side not in call.account.position_sides(market.symbol):
        raise wrong("position idx not match position mode")
    return call.account.position(market, side)


def _legs(account: Account, market: TwinMarket) -> list[Position]:
    return [account.position(market, side) for side in account.position_sides(market.symbol)]


def _leverage_max(market: TwinMarket, position: Position) -> Decimal:
    """What the tier of a position allows."""
    _, (_, initial, _, _) = market.listing.tier(position.mark_value)
    return (1 / initial).quantize(Decimal("0.01"))


def _mode_fault(account: Account, market: TwinMarket) -> Why | None:
    if any(each.size for each in account.positions.values() if each.market is market):
        return Why.HAS_POSITION
    if any(order.market is market for order in account.open_orders.values()):
        return Why.HAS_ORDERS
    return None


def _set_mode(call: Call, market: TwinMarket, *, is_hedged: bool) -> None:
    call.account.hedged[market.symbol] = is_hedged
    _changed(call, market, "position_mode")


def _changed(call: Call, market: TwinMarket, what: str) -> None:
    now_ns = call.venue.now()
    call.venue.emit(SettingEvent(call.account, market.symbol, what, now_ns))
    for position in _legs(call.account, market):
        call.venue.emit(PositionEvent(call.account, position, now_ns))


def _margin_mode(account: Account) -> str:
    return account.margin_mode.get(shapes.MARGIN_KEY, MARGIN_MODES[0])


def _need_isolated(call: Call) -> None:
    if _margin_mode(call.account) != "ISOLATED_MARGIN":
        raise Denied(10032, "this operation needs isolated margin")


def _exit(call: Call, position: Position, name: str, price: Decimal, *, is_partial: bool) -> Exit:
    if name == "trailingStop":
        return Exit(name, price, active=terms.number(call, "activePrice") or None)
    short = "tp" if name == "takeProfit" else "sl"
    market = position.market
    terms.check_exit(market, name, price, is_long=position.size > 0, base=market.last)
    by = terms.watched(call, f"{short}TriggerBy")
    if not is_partial:
        return Exit(name, price, by)
    size = terms.number(call, f"{short}Size")
    if not size or size > abs(position.size):
        raise wrong(f"params error: {short}Size invalid")
    limit = None
    if call.text(f"{short}OrderType", "Market") == "Limit":
        limit = terms.number(call, f"{short}LimitPrice")
        if limit is None:
            raise missing("linear", f"{short}LimitPrice")
    return Exit(name, price, by, size, limit)


def _set_exit(call: Call, position: Position, exit_: Exit) -> None:
    stops = call.floor.stops
    place = stops.set if exit_.quantity is None else stops.add
    try:
        place(call.account, position, exit_)
    except Refused as refused:
        if refused.why in PASSED:
            raise wrong(f"{exit_.name} has passed the current price already") from None
        raise denied(refused, "linear") from None
