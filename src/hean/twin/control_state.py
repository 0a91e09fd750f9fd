# SPDX-License-Identifier: Apache-2.0
"""`control_state.py`: the twin as it is, for the control port: markets, accounts, orders, sessions,
dials, counters. Amounts are decimal text, times ns UTC; no secret is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hean.twin.account import Account
from hean.twin.faults.act import FaultSession, kinds_of
from hean.twin.market import TwinMarket
from hean.twin.orders import Order

if TYPE_CHECKING:
    from hean.twin.build import Twin


def state_of(twin: Twin) -> dict[str, Any]:
    """Everything there is."""
    return {
        "exchange": twin.settings.exchange,
        "time_ns": twin.now(),
        "markets": [_market(market) for market in twin.venue.markets.values()],
        "accounts": [_account(account) for account in twin.venue.accounts],
        "sessions": [_session(session) for session in twin.faults.sessions()],
        "faults": twin.faults.documents(),
        "counters": {
            **twin.totals(),
            "ledger_seq": twin.ledger.seq,
            "faults": dict(twin.faults.counts),
        },
    }


def _market(market: TwinMarket) -> dict[str, Any]:
    bid, bid_qty, ask, ask_qty = market.touch()
    return {
        "market": market.listing.market,
        "symbol": market.symbol,
        "status": market.listing.status,
        "bid": bid,
        "bid_qty": bid_qty,
        "ask": ask,
        "ask_qty": ask_qty,
        "last": f"{market.last:f}",
        "mark": f"{market.mark:f}",
        "index": f"{market.index:f}",
        "funding_rate": f"{market.funding_rate:f}",
        "next_funding_ns": market.next_funding_ns,
        "update_id": market.update_id,
        "tick": f"{market.listing.tick:f}",
        "lot": f"{market.listing.lot:f}",
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "is_banned": account.is_banned,
        "wallets": {
            name: {coin: f"{amount:f}" for coin, amount in wallet.items()}
            for name, wallet in account.wallets.items()
        },
        "locked": {coin: f"{amount:f}" for coin, amount in account.locked.items() if amount},
        "equity": f"{account.equity():f}",
        "available": f"{account.available():f}",
        "positions": [
            {
                "symbol": symbol,
                "side": side,
                "size": f"{position.size:f}",
                "entry": f"{position.entry:f}",
                "unrealized": f"{position.unrealized:f}",
                "realized": f"{position.realized_total:f}",
            }
            for (symbol, side), position in account.positions.items()
            if position.size
        ],
        "open_orders": [_order(order) for order in account.open_orders.values()],
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_id,
        "market": order.market.listing.market,
        "symbol": order.market.symbol,
        "side": order.side,
        "price": None if order.price is None else f"{order.price:f}",
        "trigger": None if order.trigger is None else f"{order.trigger.price:f}",
        "qty": f"{order.quantity:f}",
        "filled_qty": f"{order.filled:f}",
        "status": order.status.value,
        "reduce_only": order.reduce_only,
    }


def _session(session: FaultSession) -> dict[str, Any]:
    return {
        "session": session.number,
        "path": session.path,
        "kinds": sorted(kinds_of(session.path)),
        "account": session.account,
        "opened_ns": session.opened_ns,
    }
