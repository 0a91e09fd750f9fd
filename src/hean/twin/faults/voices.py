# SPDX-License-Identifier: Apache-2.0
"""`voices.py`: how each venue says that something is wrong: code, text, HTTP status and headers of
every trouble a fault dial can cause, in the form of a REST answer or of an answer on the order
socket. Texts are the venues' own where they are known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from hean.twin.faults.asked import Asked
from hean.twin.wire import Reply


@dataclass(frozen=True, slots=True)
class Trouble:
    """One refusal. *headers*: of the REST answer; *html*: a body that is not the venue's JSON."""

    code: int
    text: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    html: bool = False

    def waiting(self, headers: dict[str, str]) -> Trouble:
        """The same with the headers that say how long to wait."""
        return replace(self, headers={**self.headers, **headers})


GATEWAY = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
BYBIT: dict[str, Trouble] = {
    "busy": Trouble(10016, "Server error."),
    "10000": Trouble(10000, "Server Timeout"),
    "10016": Trouble(10016, "Server error."),
    "170007": Trouble(170007, "Timeout waiting for response from backend server."),
    "overloaded": Trouble(10429, "System level frequency protection", 429),
    "rate_limited": Trouble(10006, "Too many visits. Exceeded the API Rate Limit."),
    "ip_banned": Trouble(403, "access too frequent", 403, html=True),
    "maintenance": Trouble(10019, "ws trade service is restarting, please reconnect"),
    "duplicate_id.linear": Trouble(110072, "OrderLinkedID is duplicate"),
    "duplicate_id.spot": Trouble(170141, "Duplicate clientOrderId"),
    "key_revoked": Trouble(10003, "API key is invalid."),
    "key_expired": Trouble(33004, "Your api key has expired."),
    "key_permission": Trouble(10005, "Permission denied, please check your API key permissions."),
    "key_ip": Trouble(10010, "Unmatched IP, please check your API key's bound IP addresses."),
    "stop_refused.linear": Trouble(110092, "expect Rising, but trigger_price <= current"),
    "stop_refused.spot": Trouble(170203, "Please enter the TP/SL price."),
}
BINANCE: dict[str, Trouble] = {
    "busy": Trouble(
        -1007,
        "Timeout waiting for response from backend server. Send status "
        "unknown; execution status unknown.",
        504,
    ),
    "-1006": Trouble(
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
        500,
    ),
    "-1007": Trouble(
        -1007,
        "Timeout waiting for response from backend server. Send status "
        "unknown; execution status unknown.",
        504,
    ),
    "overloaded": Trouble(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        503,
    ),
    "rate_limited": Trouble(
        -1003,
        "Too many requests; current limit is 6000 request weight per 1 "
        "MINUTE. Please use WebSocket Streams for live updates to avoid "
        "polling the API.",
        429,
    ),
    "ip_banned": Trouble(
        -1003,
        "Way too much request weight used; IP banned. Please use WebSocket "
        "Streams for live updates to avoid bans.",
        418,
    ),
    "maintenance": Trouble(-1016, "This service is no longer available.", 503),
    "duplicate_id.linear": Trouble(-4116, "ClientOrderId is duplicated.", 400),
    "duplicate_id.spot": Trouble(-2010, "Duplicate order sent.", 400),
    "key_revoked": Trouble(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    "key_expired": Trouble(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    "key_permission": Trouble(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    "key_ip": Trouble(-2015, "Invalid API-key, IP, or permissions for action.", 401),
    "stop_refused.linear": Trouble(-2021, "Order would immediately trigger.", 400),
    "stop_refused.spot": Trouble(-2010, "Stop price would trigger immediately.", 400),
}
VOICES = {"bybit": BYBIT, "binance": BINANCE}


def trouble_of(exchange: str, name: str, market: str = "") -> Trouble:
    """A trouble by its name; some differ between markets."""
    voices = VOICES[exchange]
    return voices.get(f"{name}.{market or 'linear'}") or voices[name]


def http_trouble(status: int) -> Trouble:
    """What a gateway in front of the venue says."""
    words = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
    return Trouble(status, f"{status} {words.get(status, 'Gateway Timeout')}", status, html=True)


def reply_of(exchange: str, trouble: Trouble, now_ms: int) -> Reply:
    """A trouble as the answer of a REST request."""
    headers = dict(trouble.headers)
    if trouble.html:
        headers["Content-Type"] = "text/html"
        return Reply(GATEWAY.format(trouble.text).encode(), trouble.status, headers)
    body: dict[str, Any] = {"code": trouble.code, "msg": trouble.text}
    if exchange == "bybit":
        body = {
            "retCode": trouble.code,
            "retMsg": trouble.text,
            "result": {},
            "retExtInfo": {},
            "time": now_ms,
        }
    return Reply(msgspec.json.encode(body), trouble.status, headers)


def frame_of(exchange: str, trouble: Trouble, asked: Asked, now_ms: int) -> bytes:
    """A trouble as the answer on a WebSocket; code 0 is none."""
    if trouble.html:
        return GATEWAY.format(trouble.text).encode()
    body = (_bybit_frame if exchange == "bybit" else _binance_frame)(trouble, asked, now_ms)
    return msgspec.json.encode(body)


def _binance_frame(trouble: Trouble, asked: Asked, now_ms: int) -> dict[str, Any]:
    number = asked.message.get("id")
    if not trouble.code:
        return {"result": None, "id": number}
    error = {"code": trouble.code, "msg": trouble.text}
    if not asked.path.startswith(("/ws-api", "/ws-fapi")):
        return {**error, "id": number}
    status = max(trouble.status, 400)
    return {"id": number, "status": status, "error": error, "rateLimits": []}


def _bybit_frame(trouble: Trouble, asked: Asked, now_ms: int) -> dict[str, Any]:
    message = asked.message
    if not asked.path.endswith("/trade"):
        return {
            "success": not trouble.code,
            "ret_msg": trouble.text,
            "conn_id": "",
            "req_id": message.get("req_id", ""),
            "op": asked.method,
        }
    return {
        "reqId": message.get("reqId", ""),
        "retCode": trouble.code,
        "retMsg": trouble.text,
        "op": asked.method,
        "data": {},
        "retExtInfo": {},
        "header": {"Timenow": str(now_ms)},
        "connId": "",
    }
