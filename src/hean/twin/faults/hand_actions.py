# SPDX-License-Identifier: Apache-2.0
"""`hand_actions.py`: the actions of `POST /manual`, each with its fields: what somebody can do to
an account on the venue's own page, and what the venue can do to an account.
"""

from __future__ import annotations

from typing import Any

from hean.twin.account import Account
from hean.twin.faults.by_hand import ByHand
from hean.twin.faults.settings import REQUIRED, Param
from hean.twin.venue import TwinVenue

ACCOUNT = Param("account", "text", "main")
SYMBOL = Param("symbol", "text", REQUIRED)
MARKET = Param("market", "choice", choices=("linear", "spot"))
SIDE = Param("side", "choice", REQUIRED, choices=("BUY", "SELL"))
POSITION_SIDE = Param("position_side", "choice", "BOTH", choices=("BOTH", "LONG", "SHORT"))
WHERE = (ACCOUNT, SYMBOL, MARKET)
ORDER = (ACCOUNT, Param("order_id", "text", ""), Param("client_id", "text", ""))
ACTIONS: dict[str, tuple[Param, ...]] = {
    "place": (
        *WHERE,
        SIDE,
        Param("qty", "decimal", REQUIRED),
        Param("price", "decimal"),
        Param("client_id", "text", ""),
        Param("reduce_only", "flag", False),
        POSITION_SIDE,
    ),
    "cancel": ORDER,
    "cancel_all": (ACCOUNT,),
    "fill": (*ORDER, Param("qty", "decimal")),
    "close": WHERE,
    "transfer": (
        ACCOUNT,
        Param("coin", "text", "USDT"),
        Param("amount", "decimal", REQUIRED),
        Param("market", "choice", "linear", choices=("linear", "spot")),
    ),
    "leverage": (*WHERE, Param("leverage", "decimal", REQUIRED)),
    "position_mode": (*WHERE, Param("mode", "choice", REQUIRED, choices=("hedge", "one_way"))),
    "margin_mode": (*WHERE, Param("mode", "choice", REQUIRED, choices=("isolated", "cross"))),
    "key_rights": (
        ACCOUNT,
        Param("may_withdraw", "flag", False),
        Param("is_bound", "flag", False),
    ),
    "ban": (ACCOUNT,),
    "unban": (ACCOUNT,),
    "liquidate": WHERE,
    "adl": WHERE,
}


class HandActions:
    """Does them. *Raises*: `UnknownSymbol`, `ParameterInvalid`, `Refused`."""

    def __init__(self, venue: TwinVenue) -> None:
        self.venue = venue
        self.hand = ByHand(venue)

    def do(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Do one. *given*: every field of the action. *Returns*: what came of it."""
        account = self.hand.account(given["account"])
        if "symbol" in given:
            return self._at_market(name, account, given)
        match name:
            case "cancel" | "fill":
                return self._at_order(name, account, given)
            case "cancel_all":
                ended = self.venue.cancel_all(list(account.open_orders.values()))
                return {"cancelled": [order.order_id for order in ended]}
            case "transfer":
                coin, amount, market = given["coin"], given["amount"], given["market"]
                self.hand.transfer(account, coin, amount, market)
            case "key_rights":
                account.keys_withdraw = given["may_withdraw"]
                account.keys_bound = given["is_bound"]
            case _:
                account.is_banned = name == "ban"
        return {"account": account.name}

    def _at_order(self, name: str, account: Account, given: dict[str, Any]) -> dict[str, Any]:
        order = self.hand.order(account, given["order_id"], given["client_id"])
        if name == "cancel":
            self.venue.cancel(order)
        else:
            self.hand.fill(order, given["qty"] or order.left)
        return {"order_id": order.order_id, "status": order.status.value}

    def _at_market(self, name: str, account: Account, given: dict[str, Any]) -> dict[str, Any]:
        market = self.hand.market(given["symbol"], given["market"])
        match name:
            case "place":
                order = self.hand.place(
                    account,
                    market,
                    given["side"],
                    given["qty"],
                    price=given["price"],
                    client_id=given["client_id"],
                    reduce_only=given["reduce_only"],
                    position_side=given["position_side"],
                )
                return {"order_id": order.order_id, "status": order.status.value}
            case "close":
                orders = self.hand.close(account, market)
                return {"orders": [order.order_id for order in orders]}
            case "leverage":
                self.hand.leverage(account, market, given["leverage"])
            case "position_mode":
                self.hand.position_mode(account, market, is_hedged=given["mode"] == "hedge")
            case "margin_mode":
                self.hand.margin_mode(account, market, given["mode"])
            case _:
                kind = "adl" if name == "adl" else "liquidation"
                return {"positions": self.hand.force(account, market, kind)}
        return {"account": account.name, "symbol": market.symbol}
