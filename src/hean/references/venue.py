# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of venues: margin, liquidation, funding, profit. Linear contracts are booked in the
very ledger that trades.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hean._core import Instrument, Ledger
from hean.core.vocabulary import Side
from hean.quant import perpetuals
from hean.references.case import Case

SYMBOL = "BTCUSDT"
DEPOSIT = Decimal(10**9)  # so that no balance limits what a file does
EVERYTHING = str(10**13)  # one risk tier for any value
ONE = Decimal(1)


def liquidation_and_funding(case: Case) -> None:
    """Margins and prices of forced ends, and the funding rate."""
    for name, given in case.inputs.items():
        if name.startswith("isolated_"):
            _isolated(case, name, given)
        elif name.startswith("inverse_"):
            _inverse(case, name, given)
    if "premium_minutes" in case.inputs:
        premium = perpetuals.average_premium(case.inputs["premium_minutes"])
        case.answer("weighted_premium", premium, "abs")
    rates = [
        perpetuals.funding_rate(
            each["P"], each["I"], clamp=each.get("clamp", perpetuals.CLAMP), cap=each.get("cap")
        )
        for each in case.inputs.get("funding_cases", ())
    ]
    case.answer("funding", rates, "abs")
    for name in case.expected:
        words = re.fullmatch(r"funding_cash_(long|short)_([\d.]+)btc_mark_([\d.]+)", name)
        if words and rates:
            quantity, mark = _exact(words[2]), _exact(words[3])
            ledger = _ledger(mark, quantity)
            _open(ledger, _side(words[1]), quantity, mark)
            case.answer(name, float(ledger.funding(SYMBOL, rates[0], mark)), "abs")


def _isolated(case: Case, name: str, given: Mapping[str, Any]) -> None:
    side = _side(name)
    entry, quantity = _exact(given["entry"]), _exact(given["qty"])
    extra = _exact(given.get("extra", 0))
    tier = (EVERYTHING, "0", _text(given["mmr"]), _text(given.get("deduction", 0)))
    ledger = _ledger(entry, quantity, leverage=_exact(given["leverage"]), tier=tier)
    _open(ledger, side, quantity, entry)
    initial, maintenance, bankruptcy = ledger.margin(SYMBOL)
    case.answer((name, "im"), float(initial), "abs")
    case.answer((name, "mm"), float(maintenance), "abs")
    for word, price in (("liq", ledger.position(SYMBOL)[4]), ("bankruptcy", bankruptcy)):
        # No positive price takes a long without leverage: its formula says 0.
        moved = perpetuals.with_added_margin(price or Decimal(0), side, quantity, extra)
        case.answer((name, word), float(moved), "abs")


def _inverse(case: Case, name: str, given: Mapping[str, Any]) -> None:
    side = Side.SELL if given.get("side") in ("short", "sell") or "short" in name else Side.BUY
    entry, contracts = float(given["entry"]), float(given["qty"])
    margin = given["balance"] if "balance" in given else contracts / entry / given["leverage"]
    taker = given.get("taker", 0.0)
    bankruptcy = perpetuals.inverse_bankruptcy(side, contracts, entry, margin=margin, taker=taker)
    liquidation = perpetuals.inverse_liquidation(
        side, contracts, entry, margin=margin, maintenance_rate=given["mmr"], taker=taker
    )
    case.answer((name, "bankruptcy"), bankruptcy, "abs")
    case.answer((name, "liq"), liquidation, "abs")
    case.answer((name, "liquidation_exact"), liquidation, "abs")
    case.answer((name, "liquidation_printed"), liquidation, "printed_abs")


def position_accounting(case: Case) -> None:
    """Average entry, profit and what it costs, from the ledger."""
    adds = case.inputs.get("adds", ())
    if adds:
        prices = [_exact(each["price"]) for each in adds]
        quantities = [_exact(each["qty"]) for each in adds]
        ledger = _ledger(*prices, *quantities)
        for quantity, price in zip(quantities, prices, strict=True):
            _open(ledger, Side.BUY if quantity > 0 else Side.SELL, abs(quantity), price)
        case.answer("average_entry", float(ledger.position(SYMBOL)[1]), "abs")
        case.answer("realised", float(ledger.realized), "abs")
    for name in ("long", "short"):
        given = case.inputs.get(name)
        if given and "mark" in given:
            _held(case, name, given)
        if given and "exit" in given:
            _closed(case, name, given)


def _held(case: Case, name: str, given: Mapping[str, Any]) -> None:
    side = _side(name)
    quantity, entry, mark = (_exact(given[word]) for word in ("qty", "entry", "mark"))
    taker = _exact(given.get("taker", 0))
    tier = (EVERYTHING, "0", _text(given.get("mmr", 0)), "0")
    leverage = _exact(given.get("leverage", 1))
    ledger = _ledger(entry, mark, quantity, leverage=leverage, tier=tier)
    _open(ledger, side, quantity, entry)
    ledger.mark(SYMBOL, mark)
    initial, _, bankruptcy = ledger.margin(SYMBOL)
    closing = perpetuals.trading_fee(quantity, bankruptcy or Decimal(0), taker)
    profit = ledger.unrealized
    roi = perpetuals.return_on_margin(profit, initial, closing)
    case.answer(f"{name}_upnl", float(profit), "abs")
    case.answer(f"{name}_im", float(initial), "abs")
    case.answer(f"{name}_bankruptcy", float(bankruptcy or 0), "abs")
    case.answer(f"{name}_close_fee_at_bankruptcy", float(closing), "abs")
    case.answer(f"{name}_roi", float(roi), "abs")


def _closed(case: Case, name: str, given: Mapping[str, Any]) -> None:
    side = _side(name)
    quantity, entry, close = (_exact(given[word]) for word in ("qty", "entry", "exit"))
    taker = _exact(given.get("taker", 0))
    fees = [perpetuals.trading_fee(quantity, price, taker) for price in (entry, close)]
    ledger = _ledger(entry, close, quantity)
    _open(ledger, side, quantity, entry, fees[0])
    paid = _exact(given.get("funding_paid", 0))
    # A rate of the whole payment at a mark of one quote, where the rounding of rates is smallest.
    rate = paid / quantity if side is Side.BUY else -paid / quantity
    ledger.funding(SYMBOL, format(round(rate, 12), "f"), ONE)
    _open(ledger, Side.SELL if side is Side.BUY else Side.BUY, quantity, close, fees[1])
    net = ledger.realized - ledger.fees + ledger.funding_total
    for word, value in (
        ("pnl", ledger.realized), ("open_fee", fees[0]), ("close_fee", fees[1]),
        ("closed_pnl", net),
    ):  # fmt: skip
        case.answer(f"{name}_{word}", float(value), "abs")
        case.answer(word, float(value), "abs")


def _ledger(
    *numbers: Decimal, leverage: Decimal = ONE, tier: tuple[str, str, str, str] | None = None
) -> Ledger:
    """Books of one linear contract whose tick and lot hold all *numbers*."""
    exponents = [number.normalize().as_tuple().exponent for number in numbers]
    step = format(Decimal(1).scaleb(min(0, *(int(exponent) for exponent in exponents))), "f")
    rules = Instrument(SYMBOL, "linear", step, step, tiers=[tier] if tier else [])
    return Ledger(DEPOSIT, [rules], leverage=leverage)


def _open(
    ledger: Ledger, side: Side, quantity: Decimal, price: Decimal, fee: Decimal = Decimal(0)
) -> None:
    ledger.fill(SYMBOL, side, price, quantity, fee)


def _side(name: str) -> Side:
    return Side.BUY if "long" in name else Side.SELL


def _exact(number: float | str) -> Decimal:
    return Decimal(str(number))


def _text(number: float) -> str:
    return format(_exact(number), "f")


METHODS = {
    "liquidation_and_funding": liquidation_and_funding,
    "position_accounting": position_accounting,
}
