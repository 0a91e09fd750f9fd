# SPDX-License-Identifier: Apache-2.0
"""`spot_user.py`: the spot user stream: events of one account on sockets of the WebSocket API that
asked for them with a signature. It also remembers an account's trades for the query of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from hean.twin.account import Account
from hean.twin.binance.call import Call
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.spot_shapes import execution_report
from hean.twin.binance.words import ms
from hean.twin.market import TwinMarket
from hean.twin.orders import (
    ZERO,
    BalanceEvent,
    Event,
    Execution,
    ExecutionEvent,
    OrderEvent,
    Status,
)
from hean.twin.wire import Session

if TYPE_CHECKING:
    from hean.twin.binance.dialect import BinanceDialect

EXECUTIONS_KEPT = 20_000  # of one account in one symbol
_ENCODER = msgspec.json.Encoder()


class SpotUsers:
    """Who listens to which account."""

    def __init__(self, dialect: BinanceDialect) -> None:
        self.dialect = dialect
        self.last_report = 1_000_000
        """Number of the newest execution report."""
        self._listeners: dict[int, dict[tuple[int, int], Session]] = {}
        self._executions: dict[tuple[int, str], deque[Execution]] = {}

    def executions_of(self, account: Account, market: TwinMarket) -> Iterable[Execution]:
        """Trades of an account in one symbol, oldest first."""
        return self._executions.get((account.number, market.symbol), ())

    # --- subscriptions

    def subscribe(self, call: Call) -> dict[str, Any]:
        """A signed subscription; a second one to the same account on a socket is refused."""
        session = call.session
        assert session is not None
        state = session.state
        if call.account in state.subscriptions.values():
            raise BinanceError(-2035, "User Data Stream subscription already active.")
        state.last_subscription += 1
        number: int = state.last_subscription
        state.subscriptions[number] = call.account
        listeners = self._listeners.setdefault(call.account.number, {})
        listeners[session.number, number] = session
        return {"subscriptionId": number}

    def unsubscribe(self, call: Call) -> dict[str, Any]:
        """End one subscription of this socket, or all."""
        session = call.session
        assert session is not None
        chosen = call.integer("subscriptionId")
        numbers = list(session.state.subscriptions) if chosen is None else [chosen]
        if chosen is not None and chosen not in session.state.subscriptions:
            raise BinanceError(-2036, "User Data Stream subscription not active.")
        for number in numbers:
            self._forget(session, number)
            event = {"e": "eventStreamTerminated", "E": call.now_ms}
            _push(session, number, _ENCODER.encode(event))
        return {}

    def subscriptions(self, call: Call) -> list[dict[str, Any]]:
        """What this socket listens to."""
        assert call.session is not None
        return [{"subscriptionId": number} for number in call.session.state.subscriptions]

    def closed(self, session: Session) -> None:
        """A socket is gone."""
        for number in list(session.state.subscriptions):
            self._forget(session, number)

    def _forget(self, session: Session, number: int) -> None:
        account = session.state.subscriptions.pop(number)
        self._listeners[account.number].pop((session.number, number), None)

    # --- events

    def on_event(self, event: Event) -> None:
        """The exchange did something."""
        match event:
            case OrderEvent() if event.order.market.key[0] == "spot":
                self._order(event)
            case ExecutionEvent() if event.execution.market.key[0] == "spot":
                execution = event.execution
                key = (execution.account.number, execution.market.symbol)
                kept = self._executions.setdefault(key, deque(maxlen=EXECUTIONS_KEPT))
                kept.append(execution)
            case BalanceEvent() if event.wallet == "spot":
                self._balance(event)

    def _order(self, event: OrderEvent) -> None:
        order = event.order
        if event.kind == "triggered":
            order.extra["workingTime"] = ms(event.ts_ns)
        if event.kind == "trade" and order.status is Status.FILLED:
            self.dialect.limits.uncount_order("spot", order.account.name)
        self.last_report += 1
        if self._listeners.get(order.account.number):
            self._send(order.account, execution_report(event, self.last_report))

    def _balance(self, event: BalanceEvent) -> None:
        account = event.account
        if not self._listeners.get(account.number):
            return
        at, wallet = ms(event.ts_ns), account.wallet("spot")
        if event.reason != "ORDER":
            for coin in event.coins:
                change = {"e": "balanceUpdate", "E": at, "a": coin, "d": f"{event.change:.8f}"}
                self._send(account, {**change, "T": at})
        rows = []
        for coin in event.coins:
            locked = account.locked.get(coin, ZERO)
            free = wallet.get(coin, ZERO) - locked
            rows.append({"a": coin, "f": f"{free:.8f}", "l": f"{locked:.8f}"})
        self._send(account, {"e": "outboundAccountPosition", "E": at, "u": at, "B": rows})

    def _send(self, account: Account, event: dict[str, Any]) -> None:
        payload = _ENCODER.encode(event)
        for (_, number), session in list(self._listeners[account.number].items()):
            _push(session, number, payload)


def _push(session: Session, number: int, payload: bytes) -> None:
    frame = b'{"subscriptionId":' + str(number).encode() + b',"event":' + payload + b"}"
    session.push(frame, topic="user", private=True)


USERS = SpotUsers
