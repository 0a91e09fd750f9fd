# SPDX-License-Identifier: Apache-2.0
"""The still exchange behind a real address with fault dials: requests go over real sockets, the
market does not move, and the dials' clock moves when it is told to. One set of verbs for both
venues, on the BTCUSDT perpetual.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from binance_desk import BinanceDesk
from bybit_desk import SECRETS, BybitDesk
from hean.twin.account import Key
from hean.twin.faults.board import Faults
from hean.twin.faults.dials import DIALS
from hean.twin.faults.settings import read_setting
from hean.twin.server import TwinServer

PATIENCE_S = 60.0  # a shared machine stalls; a condition that holds is seen at once
SILENCE_S = 0.4  # how long "nothing comes" is waited for
PRIVATE = "/private"  # route of the futures' user streams
BUY_PRICE = "59000.0"  # rests: the best ask is 60,000.1


@dataclass
class Answer:
    """An answer, or none: *lost* says how it went missing."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    lost: str = ""

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def code(self) -> int:
        """The venue's code, 0 for success."""
        body = self.json
        return int(body.get("retCode", body.get("code", 0))) if isinstance(body, dict) else 0


class Line:
    """A WebSocket that keeps its frames: JSON where it is JSON, else bytes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[Any] = []
        self.raw: list[bytes] = []
        self.pongs = 0
        self.is_closed = False
        self.close_code: int | None = None
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.PONG:
                self.pongs += 1
                continue
            if not isinstance(message.data, str | bytes):
                break  # an error of the protocol
            data = message.data.encode() if isinstance(message.data, str) else message.data
            self.raw.append(data)
            try:
                self.frames.append(json.loads(data))
            except (ValueError, RecursionError):
                self.frames.append(data)
        self.is_closed = True
        self.close_code = self.socket.close_code

    async def say(self, message: Any) -> None:
        """Send JSON."""
        await self.socket.send_str(json.dumps(message))

    async def seen(self, wanted: Callable[[Any], bool]) -> Any:
        """The first frame that is wanted, now or later."""
        return await until(lambda: next((f for f in self.frames if wanted(f)), None))

    def topic(self, topic: str) -> list[Any]:
        """The frames of a topic (Bybit) or event (Binance)."""
        dicts = [frame for frame in self.frames if isinstance(frame, dict)]
        return [f for f in dicts if topic in (f.get("topic"), f.get("e"))]

    async def close(self) -> None:
        """Hang up."""
        await self.socket.close()
        await self._reading


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition. *Returns*: its first true value."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := condition()):
            await asyncio.sleep(0.005)
    return found


class FaultDesk:
    """A still exchange of a venue, served. Use it as a context."""

    def __init__(self, exchange: str, *, seed: int = 7, limits_scale: float = 1_000.0) -> None:
        self.exchange = exchange
        kind: Any = BybitDesk if exchange == "bybit" else BinanceDesk
        self.desk = kind(limits_scale=limits_scale)
        self.venue = self.desk.venue
        self.ledger = self.desk.ledger
        self.now_s = 1_000.0
        self._base_ns = self.desk.now_ns
        keys = {
            "DeskKey1": Key("DeskKey1", "", self.desk.main),
            "DeskKey2": Key("DeskKey2", "", self.desk.second),
        }
        self.faults = Faults(
            self.venue,
            keys,
            seed=seed,
            now_s=lambda: self.now_s,
            move_clock=self._move_clock,
        )
        self.server = TwinServer(self.desk.dialect, self.faults, now=self.venue.now)
        self._ids = itertools.count(1)
        self._lines: list[Line] = []

    def _move_clock(self, offset_ns: int) -> None:
        self.desk.now_ns = self._base_ns + offset_ns

    async def __aenter__(self) -> Self:
        await self.server.start("127.0.0.1", 0)
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.server.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            await line.close()
        await self.http.close()
        await self.server.stop()

    # --- dials

    def set(self, dial: str, **document: Any) -> int:
        """Set a dial."""
        setting, problems = read_setting({"dial": dial, **document}, DIALS, "test")
        assert setting is not None, problems
        return self.faults.set(setting)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, for the dials and for the exchange."""
        self.now_s += seconds
        self._base_ns += int(seconds * 1_000_000_000)
        self.desk.now_ns += int(seconds * 1_000_000_000)
        self.faults.tick()

    def acts(self, dial: str) -> list[dict[str, Any]]:
        """What the ledger says that a dial did."""
        return [r for r in self.ledger.records if r["kind"] == "fault" and r["dial"] == dial]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's records of a kind."""
        return [record for record in self.ledger.records if record["kind"] == kind]

    # --- requests

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str = "DeskKey1",
        timeout_s: float = PATIENCE_S,
        **params: Any,
    ) -> Answer:
        """A signed request over HTTP."""
        if self.exchange == "bybit":
            query = urlencode(params) if method == "GET" else ""
            body = b"" if method == "GET" else json.dumps(params).encode()
            headers = self.desk.signing(query.encode() or body, key)
        else:
            query = urlencode({**params, "timestamp": self._base_ns // 1_000_000})
            digest = hmac.digest(self.desk.secrets[key].encode(), query.encode(), "sha256").hex()
            query, body, headers = f"{query}&signature={digest}", b"", {"X-MBX-APIKEY": key}
        url = URL(f"{path}?{query}" if query else path, encoded=True)
        patience = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self.http.request(
                method, url, data=body or None, headers=headers, timeout=patience
            ) as answer:
                return Answer(answer.status, await answer.read(), dict(answer.headers))
        except TimeoutError:
            return Answer(lost="timeout")
        except (aiohttp.ClientError, ConnectionError):
            return Answer(lost="reset")

    def new_id(self) -> str:
        """A client order id."""
        return f"t-{next(self._ids)}"

    async def create(
        self,
        client_id: str | None = None,
        *,
        side: str = "BUY",
        qty: str = "0.010",
        price: str | None = BUY_PRICE,
        timeout_s: float = PATIENCE_S,
        key: str = "DeskKey1",
        **more: Any,
    ) -> Answer:
        """An order; without a price at the market."""
        fields = self.order_fields(client_id or self.new_id(), side, qty, price=price)
        path = "/v5/order/create" if self.exchange == "bybit" else "/fapi/v1/order"
        return await self.ask("POST", path, key=key, timeout_s=timeout_s, **fields, **more)

    def order_fields(
        self, client_id: str, side: str, qty: str, *, price: str | None
    ) -> dict[str, Any]:
        """An order as the venue wants it."""
        if self.exchange == "bybit":
            kind = {"orderType": "Market"} if price is None else {"orderType": "Limit"}
            fields = {"category": "linear", "symbol": "BTCUSDT", "side": side.title(), "qty": qty}
            fields |= {"orderLinkId": client_id, **kind}
        else:
            fields = {"symbol": "BTCUSDT", "side": side, "quantity": qty}
            fields |= {
                "newClientOrderId": client_id,
                "type": "MARKET" if price is None else "LIMIT",
            }
            fields |= {} if price is None else {"timeInForce": "GTC"}
        return fields if price is None else {**fields, "price": price}

    async def stop(self, client_id: str, trigger: str = "58000.0") -> Answer:
        """A stop market order to sell when the price falls."""
        if self.exchange == "bybit":
            more = {"triggerPrice": trigger, "triggerDirection": 2}
            return await self.create(client_id, side="SELL", price=None, **more)
        return await self.ask(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_MARKET",
            quantity="0.010",
            triggerPrice=trigger,
            clientAlgoId=client_id,
        )

    async def cancel(self, client_id: str) -> Answer:
        """Cancel by client id."""
        if self.exchange == "bybit":
            fields = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": client_id}
            return await self.ask("POST", "/v5/order/cancel", **fields)
        fields = {"symbol": "BTCUSDT", "origClientOrderId": client_id}
        return await self.ask("DELETE", "/fapi/v1/order", **fields)

    async def amend(self, client_id: str, qty: str) -> Answer:
        """Change the quantity."""
        if self.exchange == "bybit":
            fields = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": client_id}
            return await self.ask("POST", "/v5/order/amend", qty=qty, **fields)
        fields = {"symbol": "BTCUSDT", "origClientOrderId": client_id, "side": "BUY"}
        return await self.ask("PUT", "/fapi/v1/order", quantity=qty, price=BUY_PRICE, **fields)

    async def cancel_all(self) -> Answer:
        """Cancel everything of the symbol."""
        if self.exchange == "bybit":
            fields = {"category": "linear", "symbol": "BTCUSDT"}
            return await self.ask("POST", "/v5/order/cancel-all", **fields)
        return await self.ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")

    async def batch(self, client_ids: list[str]) -> Answer:
        """Several orders at once."""
        legs = [self.order_fields(each, "BUY", "0.010", price=BUY_PRICE) for each in client_ids]
        if self.exchange == "bybit":
            path = "/v5/order/create-batch"
            return await self.ask("POST", path, category="linear", request=legs)
        return await self.ask("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(legs))

    async def orders(self, **more: Any) -> Answer:
        """The open orders."""
        if self.exchange == "bybit":
            fields = {"category": "linear", "symbol": "BTCUSDT", **more}
            return await self.ask("GET", "/v5/order/realtime", **fields)
        return await self.ask("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")

    async def positions(self, timeout_s: float = PATIENCE_S) -> Answer:
        """The positions."""
        if self.exchange == "bybit":
            fields = {"category": "linear", "symbol": "BTCUSDT"}
            return await self.ask("GET", "/v5/position/list", timeout_s=timeout_s, **fields)
        return await self.ask("GET", "/fapi/v2/positionRisk", timeout_s=timeout_s)

    async def listed(self) -> list[str]:
        """Client ids of the open orders as the venue shows them."""
        body = (await self.orders()).json
        if self.exchange == "bybit":
            return [row["orderLinkId"] for row in body["result"]["list"]]
        return [row["clientOrderId"] for row in body]

    async def time_ms(self) -> int:
        """The venue's clock as it tells it."""
        path = "/v5/market/time" if self.exchange == "bybit" else "/fapi/v1/time"
        body = (await self.ask("GET", path)).json
        return int(body["time"] if self.exchange == "bybit" else body["serverTime"])

    # --- sockets

    async def open(self, path: str) -> Line:
        """A WebSocket. *Raises*: `aiohttp.WSServerHandshakeError` if it is refused."""
        line = Line(await self.http.ws_connect(path, autoping=False, max_msg_size=0))
        self._lines.append(line)
        return line

    async def public(self, *topics: str) -> Line:
        """A public line, subscribed and acknowledged."""
        bybit = self.exchange == "bybit"
        line = await self.open("/v5/public/linear" if bybit else "/public/ws")
        await self.subscribe(line, *(topics or (self.book,)))
        await line.seen(lambda frame: is_answer(frame))
        return line

    async def subscribe(self, line: Line, *topics: str) -> None:
        """Ask for topics."""
        if self.exchange == "bybit":
            await line.say({"op": "subscribe", "req_id": "s", "args": topics})
        else:
            await line.say({"method": "SUBSCRIBE", "id": 1, "params": topics})

    @property
    def book(self) -> str:
        """Topic of the book."""
        return "orderbook.50.BTCUSDT" if self.exchange == "bybit" else "btcusdt@depth@100ms"

    async def private(self) -> Line:
        """The private line of the main account: orders and executions."""
        if self.exchange == "binance":
            key = (await self.ask("POST", "/fapi/v1/listenKey")).json["listenKey"]
            return await self.open(f"{PRIVATE}/ws/{key}")
        line = await self.open("/v5/private")
        await self._login(line)
        await self.subscribe(line, "order", "execution")
        await line.seen(lambda frame: frame.get("op") == "subscribe")
        return line

    async def trade(self) -> Line:
        """An order socket, logged in where that is needed."""
        if self.exchange == "binance":
            return await self.open("/ws-fapi/v1")
        line = await self.open("/v5/trade")
        await self._login(line)
        return line

    async def _login(self, line: Line) -> None:
        expires = self.desk.now_ms + 1_000
        text = f"GET/realtime{expires}".encode()
        sign = hmac.digest(SECRETS["DeskKey1"].encode(), text, "sha256").hex()
        await line.say({"op": "auth", "args": ["DeskKey1", expires, sign]})
        await line.seen(lambda frame: frame.get("op") == "auth")

    async def send_order(self, line: Line, client_id: str) -> None:
        """An order by WebSocket; its answer has the client id as request id."""
        fields = self.order_fields(client_id, "BUY", "0.010", price=BUY_PRICE)
        if self.exchange == "bybit":
            header = {"X-BAPI-TIMESTAMP": str(self.desk.now_ms)}
            await line.say(
                {"reqId": client_id, "header": header, "op": "order.create", "args": [fields]}
            )
            return
        given = {**fields, "apiKey": "DeskKey1", "timestamp": self.desk.now_ns // 1_000_000}
        text = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
        secret = self.desk.secrets["DeskKey1"].encode()
        given["signature"] = hmac.digest(secret, text.encode(), "sha256").hex()
        await line.say({"id": client_id, "method": "order.place", "params": given})

    def move_book(self, middle: float) -> None:
        """A new book, which every stream tells."""
        self.desk.quote(self.desk.linear, middle)
        self._base_ns += 300_000_000  # the streams' rhythm
        self.desk.now_ns = self._base_ns


def is_answer(frame: Any) -> bool:
    """Whether a frame answers a request."""
    return isinstance(frame, dict) and ("op" in frame or "id" in frame or "reqId" in frame)


def answers_to(line: Line, client_id: str) -> list[Any]:
    """The answers of an order socket to one request."""
    return [
        frame
        for frame in line.frames
        if isinstance(frame, dict) and client_id in (frame.get("reqId"), frame.get("id"))
    ]
