# SPDX-License-Identifier: Apache-2.0
"""`desk.py`: the order-entry socket. The same functions as REST, the same limits, the answer in a
frame. A request id may be used once for each connection; a bad frame ends nothing but itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin.bybit import trade
from hean.twin.bybit.auth import WINDOW_MS, Gate
from hean.twin.bybit.call import Answer, Call, Floor
from hean.twin.bybit.errors import Denied, denied
from hean.twin.bybit.limits import Budget, Limits
from hean.twin.bybit.sockets import Client
from hean.twin.bybit.words import MS_NS
from hean.twin.orders import Refused

REQUEST_ID_MAX = 36
REQUEST_IDS_KEPT = 100_000  # of one connection; a day of one order a second
Act = Callable[[Call], Answer]

OPERATIONS: dict[str, tuple[str, Act]] = {
    "order.create": ("/v5/order/create", trade.create),
    "order.amend": ("/v5/order/amend", trade.amend),
    "order.cancel": ("/v5/order/cancel", trade.cancel),
    "order.create-batch": ("/v5/order/create-batch", trade.create_batch),
    "order.amend-batch": ("/v5/order/amend-batch", trade.amend_batch),
    "order.cancel-batch": ("/v5/order/cancel-batch", trade.cancel_batch),
}
"""Operation to the REST path whose limit it shares, and what is done."""


class OrderDesk:
    """All order-entry sockets. *bucket*: which one a path and product spend from, and its size."""

    def __init__(
        self,
        floor: Floor,
        gate: Gate,
        limits: Limits,
        bucket: Callable[[str, str], tuple[str, int]],
    ) -> None:
        self._floor = floor
        self._venue = floor.venue
        self._gate = gate
        self._limits = limits
        self._bucket = bucket
        self._answers = 0

    def received(self, client: Client, request: dict[str, Any]) -> None:
        """A frame of an order-entry client."""
        match request.get("op"):
            case "ping":
                now_ms = str(self._venue.now() // MS_NS)
                client.reply(
                    {
                        "retCode": 0,
                        "retMsg": "OK",
                        "op": "pong",
                        "data": [now_ms],
                        "connId": client.connection,
                    }
                )
            case "auth":
                self._login(client, request)
            case _:
                self._ordered(client, request)

    def _login(self, client: Client, request: dict[str, Any]) -> None:
        code, message = 0, "OK"
        if client.key is not None:
            code, message = 20001, "Repeat auth"
        else:
            try:
                client.key = self._gate.login(request.get("args"))
                client.session.account = client.key.account.name
            except Denied as refusal:
                # This socket has one code for a wrong key and a wrong signature.
                code = 10001 if refusal.code == 10001 else 10004
                message = refusal.message
        frame = {"retCode": code, "retMsg": message, "op": "auth", "connId": client.connection}
        if request.get("reqId"):
            frame = {"reqId": request["reqId"], **frame}
        client.reply(frame)

    def _ordered(self, client: Client, request: dict[str, Any]) -> None:
        budget: Budget | None = None
        try:
            path, act = self._operation(client, request)
            params = _params(request)
            budget = self._spend(client, path, params)
            if not budget.units:
                raise Denied(*trade.RATE)
            answer = act(Call(self._floor, params, client.key, budget))
        except Refused as refused:
            category = str(_params(request).get("category", ""))
            self._reply(client, request, denied(refused, category), budget)
        except Denied as refusal:
            self._reply(client, request, refusal, budget)
        else:
            self._reply(client, request, answer, budget)

    def _operation(self, client: Client, request: dict[str, Any]) -> tuple[str, Act]:
        """What is asked for, by whom and when. *Raises*: `Denied`."""
        found = OPERATIONS.get(str(request.get("op")))
        if found is None:
            raise Denied(10404, f"op type is not found: {request.get('op')}")
        if client.key is None:
            raise Denied(10005, "Permission denied, please log in first.")
        request_id = request.get("reqId")
        if request_id:
            if not isinstance(request_id, str) or len(request_id) > REQUEST_ID_MAX:
                raise Denied(10001, "params error: reqId invalid")
            if request_id in client.seen_requests:
                raise Denied(20006, "Duplicate reqId")
            if len(client.seen_requests) < REQUEST_IDS_KEPT:
                client.seen_requests.add(request_id)
        header = request.get("header")
        header = header if isinstance(header, dict) else {}
        window = header.get("X-BAPI-RECV-WINDOW", WINDOW_MS)
        self._gate.check_time(header.get("X-BAPI-TIMESTAMP"), window)
        self._gate.check_permission(client.key, trades=True)
        return found

    def _spend(self, client: Client, path: str, params: dict[str, Any]) -> Budget:
        legs = params.get("request")
        units = len(legs) if isinstance(legs, list) and legs else 1
        bucket, rate = self._bucket(path, str(params.get("category", "")))
        owner = 0 if client.key is None else client.key.account.number
        return self._limits.take(owner, bucket, rate, units)

    def _reply(
        self,
        client: Client,
        request: dict[str, Any],
        outcome: Answer | Denied,
        budget: Budget | None,
    ) -> None:
        now_ms = str(self._venue.now() // MS_NS)
        header = budget.headers() if budget is not None else {}
        self._answers += 1
        header["Traceid"] = f"{self._answers:032x}"
        header["Timenow"] = now_ms
        client.reply(
            {
                "reqId": request.get("reqId", ""),
                "retCode": outcome.code if isinstance(outcome, Denied) else 0,
                "retMsg": outcome.message,
                "op": request.get("op", ""),
                "data": outcome.result,
                "retExtInfo": {} if isinstance(outcome, Denied) else outcome.extra,
                "header": header,
                "connId": client.connection,
            }
        )


def _params(request: dict[str, Any]) -> dict[str, Any]:
    """The one object in `args`."""
    args = request.get("args")
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        raise Denied(10001, "params error: args must be a list of one object")
    return args[0]
