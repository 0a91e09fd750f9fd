# SPDX-License-Identifier: Apache-2.0
"""`private.py`: the private socket: log in, subscribe, hear of one's orders, executions, positions
and wallet, each in all-in-one topics or by product, never mixed in one request. Whoever subscribed
to a `dcp` topic has asked that orders end when the last such connection is gone for its window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin.account import Account
from hean.twin.bybit import shapes, words
from hean.twin.bybit.auth import Gate
from hean.twin.bybit.call import Floor
from hean.twin.bybit.errors import Denied
from hean.twin.bybit.records import Booked
from hean.twin.bybit.sockets import OP_CHARS_MAX, Client, encode, request_id, topics_of
from hean.twin.orders import (
    BalanceEvent,
    Event,
    ExecutionEvent,
    Order,
    OrderEvent,
    PositionEvent,
    Status,
    Why,
)

BY_PRODUCT = ("order", "execution", "execution.fast", "position")
PRODUCTS = ("linear", "spot", "inverse", "option")
DISCONNECT_TOPICS = {"dcp.future": "linear", "dcp.spot": "spot", "dcp.option": "option"}
ALL_IN_ONE = {*BY_PRODUCT, "wallet", "greeks"}
SPLIT = {f"{name}.{product}" for name in BY_PRODUCT for product in PRODUCTS}
DEFAULT_WINDOW_S = 10
POLICY_VIOLATION = 1008


class PrivateStreams:
    """All private sockets."""

    def __init__(self, floor: Floor, gate: Gate) -> None:
        self._floor = floor
        self._venue = floor.venue
        self._gate = gate
        self._clients: dict[int, list[Client]] = {}
        """Logged in, by account number."""
        self._frames = 0

    def received(self, client: Client, request: dict[str, Any]) -> None:
        """A frame of a private client."""
        match request.get("op"):
            case "ping":
                self._pong(client, request)
            case "auth":
                self._login(client, request)
            case "subscribe" | "unsubscribe" if client.key is None:
                client.failed(str(request["op"]), request, "Request not authorized")
            case "subscribe":
                self._subscribe(client, request)
            case "unsubscribe":
                client.topics.difference_update(topics_of(request) or ())
                client.done("unsubscribe", request)
            case _:
                client.failed(str(request.get("op") or ""), request, "error:invalid op")

    def closed(self, client: Client) -> None:
        """A client is gone; perhaps it was the last one that wanted its orders to end then."""
        if client.key is None:
            return
        account = client.key.account
        others = self._clients[account.number]
        others.remove(client)
        for topic in client.topics & DISCONNECT_TOPICS.keys():
            if not any(topic in other.topics for other in others):
                self._arm(account, DISCONNECT_TOPICS[topic])

    def on_event(self, event: Event) -> None:
        """Tell the account's clients what happened."""
        match event:
            case OrderEvent():
                self._order(event)
            case ExecutionEvent():
                execution = event.execution
                market = execution.market
                booked = Booked(
                    execution.number, execution, market.mark or market.last, market.index
                )
                kind = market.listing.market
                self._tell(
                    execution.account,
                    "execution",
                    kind,
                    lambda: [shapes.execution_stream(booked)],
                )
                if execution.kind == "trade":
                    self._tell(
                        execution.account,
                        "execution.fast",
                        kind,
                        lambda: [shapes.fast_stream(booked)],
                    )
            case PositionEvent():
                account, position = event.account, event.position
                self._tell(
                    account,
                    "position",
                    "linear",
                    lambda: [shapes.position_stream(account, position)],
                )
            case BalanceEvent():
                account, coins = event.account, list(event.coins)
                self._tell(
                    account,
                    "wallet",
                    "",
                    lambda: [shapes.wallet_fields(self._venue, account, coins)],
                )

    def _order(self, event: OrderEvent) -> None:
        order = event.order
        kind = order.market.listing.market
        if event.kind != "triggered":
            self._tell(order.account, "order", kind, lambda: [shapes.order_stream(order)])
            return
        # Triggered is a moment; an order that can rest is New right after it.
        self._tell(order.account, "order", kind, lambda: [_as_triggered(order)])
        if not order.is_market:
            self._tell(order.account, "order", kind, lambda: [shapes.order_stream(order)])

    def _tell(
        self, account: Account, topic: str, product: str, data: Callable[[], list[dict[str, Any]]]
    ) -> None:
        """Send to those who listen, built and encoded once for each topic name."""
        clients = self._clients.get(account.number)
        if not clients:
            return
        rows: list[dict[str, Any]] | None = None
        names = (topic, f"{topic}.{product}")
        for name in names:
            listening = [client for client in clients if name in client.topics]
            if not listening:
                continue
            rows = data() if rows is None else rows
            frame = encode(self._frame(account, name, rows))
            for client in listening:
                client.session.push(frame, topic=name, private=True)

    def _frame(self, account: Account, topic: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        now_ms = self._venue.now() // words.MS_NS
        frame: dict[str, Any] = {"topic": topic, "creationTime": now_ms, "data": rows}
        if not topic.startswith("execution.fast"):
            self._frames += 1
            frame["id"] = f"{account.number}_{self._frames:016x}"
        return frame

    def _login(self, client: Client, request: dict[str, Any]) -> None:
        try:
            key = self._gate.login(request.get("args"))
        except Denied as refusal:
            client.failed("auth", request, refusal.message)
            client.session.close(POLICY_VIOLATION, "authentication failed")
            return
        if client.key is not None:
            self._clients[client.key.account.number].remove(client)
        self._clients.setdefault(key.account.number, []).append(client)
        client.key = key
        client.session.account = key.account.name
        client.done("auth", request)

    def _subscribe(self, client: Client, request: dict[str, Any]) -> None:
        topics = topics_of(request)
        if topics is None:
            client.failed("subscribe", request, "error:invalid args")
            return
        unknown = [t for t in topics if t not in ALL_IN_ONE | SPLIT | DISCONNECT_TOPICS.keys()]
        split = [t for t in topics if t in SPLIT]
        together = [t for t in topics if t in BY_PRODUCT]
        if unknown:
            client.failed("subscribe", request, f"error:handler not found,topic:{unknown[0]}")
        elif split and together:
            client.failed("subscribe", request, "error:all-in-one and categorised topics mixed")
        elif client.chars + sum(map(len, topics)) > OP_CHARS_MAX:
            client.failed("subscribe", request, f"args length >{OP_CHARS_MAX}")
        else:
            client.chars += sum(len(each) for each in topics if each not in client.topics)
            client.topics.update(topics)
            client.done("subscribe", request)
            self._disarm(client, topics)

    def _pong(self, client: Client, request: dict[str, Any]) -> None:
        frame = {
            "op": "pong",
            "args": [str(self._venue.now() // words.MS_NS)],
            "conn_id": client.connection,
        }
        if name := request_id(request):
            frame["req_id"] = name
        client.reply(frame)

    def _arm(self, account: Account, product: str) -> None:
        """Cancel a product's orders when its window has passed."""
        window = self._floor.windows.get((account.number, product), DEFAULT_WINDOW_S)
        due_ns = self._venue.now() + window * 1_000_000_000
        self._venue.deadlines["dcp", account.number, product] = (
            due_ns,
            lambda: self._venue.cancel_all(_open(account, product), Why.DISCONNECT),
        )

    def _disarm(self, client: Client, topics: list[str]) -> None:
        if client.key is None:
            return
        for topic in topics:
            product = DISCONNECT_TOPICS.get(topic)
            self._venue.deadlines.pop(("dcp", client.key.account.number, product), None)


def _open(account: Account, product: str) -> list[Order]:
    orders = account.open_orders.values()
    return [order for order in orders if order.market.listing.market == product]


def _as_triggered(order: Order) -> dict[str, Any]:
    fields = shapes.order_stream(order)
    if order.status is Status.NEW:
        fields["orderStatus"] = "Triggered"
    return fields
