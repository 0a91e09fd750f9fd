# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server on loopback that answers the public history questions of both venues from
arithmetic: candle, settlement and trade *n* have values a test can compute. Troubles are put in a
queue and happen to the next questions, one each: `garbage`, `empty`, `repeat` (the first page
again), `drop` (the connection ends), or a status with headers.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01
STEPS_MS = {"1m": MINUTE_MS, "1": MINUTE_MS, "1h": HOUR_MS, "60": HOUR_MS}


@dataclass(frozen=True)
class Trouble:
    """What happens instead of an answer."""

    what: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def candle(open_ms: int) -> list[str]:
    """Prices of a candle by its number of minutes since the start."""
    number = (open_ms - START_MS) // MINUTE_MS
    base = 100 + number % 50
    return [str(open_ms), f"{base}.0", f"{base + 2}.5", f"{base - 1}.5", f"{base + 1}.0", "3.25"]


def trade(number: int) -> dict[str, Any]:
    """Trade *number*: one every 20 seconds."""
    price, quantity = f"{100 + number % 7}.5", f"0.{number % 9 + 1}"
    return {
        "a": number,
        "p": price,
        "q": quantity,
        "f": number,
        "l": number,
        "T": START_MS + number * 20_000,
        "m": number % 2 == 0,
    }


class Venues:
    """Both venues. *now_ms*: their clock; *first_ms*: before it nothing had traded; *holes*: open
    times without a candle; *close_shift*: added to every close, so that the past differs;
    *hold_after*: after so many questions none is answered, and *held* is set; *halted*: listed,
    and Bybit shows them to nobody who does not name them.
    """

    def __init__(self) -> None:
        self.now_ms = START_MS + 10 * 24 * HOUR_MS + 30_000
        self.first_ms = START_MS
        self.holes: set[int] = set()
        self.listed: list[str] = ["BTCUSDT", "ETHUSDT"]
        self.halted: set[str] = set()
        self.close_shift = 0.0
        self.troubles: list[Trouble] = []
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.on_question: Callable[[], None] = lambda: None
        self.hold_after: int | None = None
        self.held = threading.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.on_question()
        while self.hold_after is not None and len(self.asked) > self.hold_after:
            self.held.set()
            await asyncio.sleep(0.01)
        trouble = self.troubles.pop(0) if self.troubles else None
        symbol = request.query.get("symbol")
        if symbol is not None and symbol not in self.listed:
            if request.path.startswith("/v5"):
                return web.Response(body=refused(10001, "Not supported symbols"))
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        plain = self._plain(request.path, dict(request.query))
        match trouble:
            case None:
                return web.json_response(plain, headers=self.headers)
            case Trouble("garbage"):
                return web.Response(body=b"<html>502</html>")
            case Trouble("drop"):
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case Trouble("empty"):
                return web.json_response(_emptied(plain))
            case Trouble("early"):
                early = dict(request.query) | {"startTime": str(START_MS), "start": str(START_MS)}
                return web.json_response(self._plain(request.path, early | {"end": str(START_MS)}))
        return web.Response(status=trouble.status, headers=trouble.headers, body=b"{}")

    def _plain(self, path: str, query: dict[str, str]) -> Any:
        match path.rsplit("/", 1)[-1]:
            case "time" if path.startswith("/v5"):
                return enveloped({"timeNano": str(self.now_ms * 1_000_000)})
            case "time":
                return {"serverTime": self.now_ms}
            case "klines":
                return self._binance_candles(query)
            case "kline":
                return enveloped({"symbol": query["symbol"], "list": self._bybit_candles(query)})
            case "fundingRate":
                stamps = self._settlements(query)
                return [_settlement(query["symbol"], at) for at in stamps[: int(query["limit"])]]
            case "history":
                return enveloped({"list": self._bybit_fundings(query)})
            case "aggTrades":
                return self._agg_trades(query)
            case "recent-trade":
                return enveloped({"list": self._recent_trades(query)})
            case "exchangeInfo":
                return {"symbols": [_binance_symbol(name) for name in self.listed]}
            case "instruments-info":
                return enveloped({"list": self._instruments(query), "nextPageCursor": ""})
            case "risk-limit":
                return enveloped({"list": [_risk(query["symbol"])]})
        raise web.HTTPNotFound

    def _instruments(self, query: dict[str, str]) -> list[dict[str, Any]]:
        if (name := query.get("symbol")) is not None:
            status = {"status": "Closed"} if name in self.halted else {}
            return [_bybit_symbol(name) | status]
        return [_bybit_symbol(name) for name in self.listed if name not in self.halted]

    def _opens(self, query: dict[str, str], start: str, end: str) -> list[int]:
        step = STEPS_MS[query["interval"]]
        first = max(int(query[start]), self.first_ms)
        last = min(int(query[end]), self.now_ms)
        opens = range(-(-first // step) * step, last + 1, step)
        return [at for at in opens if at not in self.holes]

    def _binance_candles(self, query: dict[str, str]) -> list[list[Any]]:
        opens = self._opens(query, "startTime", "endTime")[: int(query["limit"])]
        step = STEPS_MS[query["interval"]]
        rows = [self._candle(at) for at in opens]
        return [[int(r[0]), *r[1:], int(r[0]) + step - 1, "1", 1, "1", "1", "0"] for r in rows]

    def _bybit_candles(self, query: dict[str, str]) -> list[list[str]]:
        opens = self._opens(query, "start", "end")[::-1][: int(query["limit"])]
        return [[*self._candle(at), "1"] for at in opens]

    def _candle(self, open_ms: int) -> list[str]:
        row = candle(open_ms)
        row[4] = str(float(row[4]) + self.close_shift)
        return row

    def _settlements(self, query: dict[str, str]) -> list[int]:
        first = max(int(query["startTime"]), self.first_ms)
        every = 8 * HOUR_MS
        last = min(int(query["endTime"]), self.now_ms)
        return list(range(-(-first // every) * every, last + 1, every))

    def _bybit_fundings(self, query: dict[str, str]) -> list[dict[str, str]]:
        stamps = self._settlements(query)[::-1][: int(query["limit"])]
        return [
            {
                "symbol": query["symbol"],
                "fundingRate": _rate(at),
                "fundingRateTimestamp": str(at),
            }
            for at in stamps
        ]

    def _agg_trades(self, query: dict[str, str]) -> list[dict[str, Any]]:
        if "fromId" in query:
            first = int(query["fromId"])
            last = (self.now_ms - START_MS) // 20_000
        else:
            assert int(query["endTime"]) - int(query["startTime"]) < HOUR_MS
            low = max(int(query["startTime"]), self.first_ms)
            first = max(0, -(-(low - START_MS) // 20_000))
            last = (min(int(query["endTime"]), self.now_ms) - START_MS) // 20_000
        return [trade(n) for n in range(first, min(last + 1, first + int(query["limit"])))]

    def _recent_trades(self, query: dict[str, str]) -> list[dict[str, Any]]:
        last = (self.now_ms - START_MS) // 20_000
        numbers = range(last, max(-1, last - int(query["limit"])), -1)
        return [_bybit_trade(query, n) for n in numbers]


@contextmanager
def serving(prepare: Callable[[Venues], None] = lambda _: None) -> Iterator[Venues]:
    """The venues in a thread of their own, for commands that run their own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    venues = Venues()
    prepare(venues)
    asyncio.run_coroutine_threadsafe(venues.__aenter__(), loop).result()
    try:
        yield venues
    finally:
        asyncio.run_coroutine_threadsafe(venues.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def enveloped(result: Any) -> dict[str, Any]:
    """As Bybit wraps every answer."""
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1}


def refused(code: int, message: str) -> bytes:
    """Bybit's answer to a question it does not like."""
    return json.dumps({"retCode": code, "retMsg": message, "result": {}, "time": 1}).encode()


def _bybit_trade(query: dict[str, str], number: int) -> dict[str, Any]:
    """Three trades of a contract share a `seq`."""
    plain = trade(number)
    is_spot = query["category"] == "spot"
    return {
        "execId": str(2_290_000_000_000_000_000 + number) if is_spot else f"u-{number}",
        "symbol": query["symbol"],
        "price": plain["p"],
        "size": plain["q"],
        "side": "Sell" if plain["m"] else "Buy",
        "time": str(plain["T"]),
        "seq": str(700_000 + number // 3),
    }


def _settlement(symbol: str, at: int) -> dict[str, Any]:
    """Binance stamps settlements a few milliseconds late."""
    late = at // HOUR_MS % 3
    return {"symbol": symbol, "fundingTime": at + late, "fundingRate": _rate(at)}


def _binance_symbol(name: str) -> dict[str, Any]:
    return {
        "symbol": name,
        "status": "BROKEN" if name.startswith("BROKEN") else "TRADING",
        "contractType": "PERPETUAL",
        "baseAsset": name[:3],
        "quoteAsset": name[3:],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "1", "maxPrice": "9"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
    }


def _bybit_symbol(name: str) -> dict[str, Any]:
    return {
        "symbol": name,
        "status": "BROKEN" if name.startswith("BROKEN") else "Trading",
        "contractType": "LinearPerpetual",
        "baseCoin": name[:3],
        "quoteCoin": name[3:],
        "launchTime": str(START_MS),
        "fundingInterval": 480,
        "priceFilter": {"tickSize": "0.10", "minPrice": "0.10", "maxPrice": "199999.80"},
        "lotSizeFilter": {
            "minOrderQty": "0.001",
            "maxOrderQty": "100",
            "qtyStep": "0.001",
            "minNotionalValue": "5",
        },
    }


def _risk(name: str) -> dict[str, Any]:
    return {
        "id": 1,
        "symbol": name,
        "riskLimitValue": "2000000",
        "maintenanceMargin": "0.005",
        "initialMargin": "0.01",
        "isLowestRisk": 1,
        "maxLeverage": "100.00",
        "mmDeduction": "",
    }


def _rate(at: int) -> str:
    return f"0.000{at // HOUR_MS % 90 + 10}"


def _emptied(plain: Any) -> Any:
    if isinstance(plain, list):
        return []
    return plain | {"result": plain["result"] | {"list": []}}
