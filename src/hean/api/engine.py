# SPDX-License-Identifier: Apache-2.0
"""`engine.py`: starting and stopping, what the engine is and has, and the market it sees. Reads
only, but for the two switches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from hean.api.document import refusals
from hean.api.models import Symbol, Word
from hean.api.problems import Refused, about
from hean.engine import EngineFacade
from hean.engine import documents as doc
from hean.engine.indicating import KINDS
from hean.errors import ParameterInvalid
from hean.observe.metrics import CONTENT_TYPE

Limit = Annotated[int, Query(ge=1, le=1_000, description="How many, the newest first.")]
BarSeconds = Annotated[
    Literal["5", "30", "60", "300", "900"], Query(description="Length of a bar.")
]
_KINDS = "|".join(KINDS)
_ONE = rf"({_KINDS})(:([2-9]|[1-9][0-9]|[1-4][0-9]{{2}}|500))?"
Shown = Annotated[
    str,
    Query(
        alias="show",
        pattern=rf"^{_ONE}(,{_ONE}){{0,7}}$",
        description="Indicators with their periods, a comma between two.",
        examples=["ema:20,bollinger:20,rsi:14"],
    ),
]
ORDER_ID = "/path/client_order_id"
STATUSES = "INTENT|SENT|WORKING|PARTIAL|FILLED|CANCELLED|EXPIRED|REJECTED|UNKNOWN|QUARANTINE|ABSENT"
NOT_STARTED = refusals(409)
"""Before an engine was started there is nothing to tell of."""
OrderStatus = Annotated[str | None, Query(alias="status", pattern=f"^({STATUSES})$")]


def engine_router(facade: EngineFacade, told: Callable[[], bytes]) -> APIRouter:
    """Life of the engine, and its hash. *told*: all metrics."""
    router = APIRouter(tags=["engine"])

    @router.post("/engine/start")
    async def engine_start() -> doc.Status:
        """Start the engine; one that runs goes on. It is ready when its state says RUNNING."""
        return facade.start()

    @router.post("/engine/stop")
    async def engine_stop() -> doc.Status:
        """Stop the engine and wait until it has ended; one that is stopped stays so."""
        return await facade.ask_to_stop()

    @router.get("/engine/status")
    async def engine_status() -> doc.Status:
        """How the engine is."""
        return facade.status()

    @router.get("/state/digest", responses=NOT_STARTED)
    async def state_digest() -> doc.Digest:
        """Sequence number and state hash: two engines of one past have the same."""
        return facade.digest()

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus text; the names are in `hean/observe/metrics.py`."""
        return Response(told(), media_type=CONTENT_TYPE)

    @router.get("/live")
    async def live() -> doc.Live:
        """Which factor of live trading is missing; never the phrase."""
        return facade.live()

    @router.get("/logs", responses=NOT_STARTED)
    async def logs(limit: Limit = 100) -> list[doc.Told]:
        """Errors and changes of health."""
        found: list[doc.Told] = facade.latest("logs", limit)
        return found

    @router.get("/events", responses=NOT_STARTED)
    async def events(limit: Limit = 100) -> list[doc.Decision]:
        """What the governor decided."""
        found: list[doc.Decision] = facade.latest("order_decisions", limit)
        return found

    return router


def data_router(facade: EngineFacade) -> APIRouter:
    """Account, orders and risk, as they are."""
    router = APIRouter(tags=["account"], responses=NOT_STARTED)

    @router.get("/portfolio/summary")
    async def portfolio_summary() -> doc.Portfolio:
        """The account at the last prices."""
        return facade.portfolio()

    @router.get("/portfolio/history")
    async def portfolio_history() -> list[doc.EquityPoint]:
        """Equity since the session began."""
        return facade.history()

    @router.get("/positions")
    async def positions() -> list[doc.Position]:
        """What is held."""
        return facade.positions()

    @router.get("/fills")
    async def fills(limit: Limit = 100) -> list[doc.Fill]:
        """Executions."""
        found: list[doc.Fill] = facade.latest("fills", limit)
        return found

    @router.get("/orders")
    async def orders(limit: Limit = 100, status: OrderStatus = None) -> list[doc.Order]:
        """Orders of this session, refused ones too."""
        return facade.orders(limit, status)

    @router.get("/orders/{client_order_id}")
    async def order(client_order_id: Word) -> doc.Order:
        """One order."""
        with about(ORDER_ID):
            return facade.order(client_order_id)

    @router.get("/orders/{client_order_id}/why")
    async def order_why(client_order_id: Word) -> doc.Why:
        """How it came to be and what became of it."""
        with about(ORDER_ID):
            return await facade.why(client_order_id)

    @router.get("/strategies")
    async def strategies() -> list[doc.Strategy]:
        """Strategies with parameters and what they earned."""
        return facade.strategies()

    @router.get("/risk")
    async def risk() -> doc.Risk:
        """Limits against use, and what stops trading."""
        return facade.risk()

    @router.get("/killswitch")
    async def killswitch() -> doc.KillSwitch:
        """The latch."""
        return facade.killswitch()

    return router


def market_router(facade: EngineFacade) -> APIRouter:
    """The market, as the engine sees it."""
    router = APIRouter(tags=["market"], responses=NOT_STARTED)

    @router.get("/market")
    async def market() -> list[doc.Quote]:
        """A line for each symbol."""
        return facade.quotes()

    @router.get("/market/{symbol}/book")
    async def market_book(symbol: Symbol) -> doc.Ladder:
        """The best levels of the book."""
        return facade.ladder(_traded(facade, symbol))

    @router.get("/market/{symbol}/trades")
    async def market_trades(symbol: Symbol) -> list[doc.Trade]:
        """The newest trades."""
        return facade.trades(_traded(facade, symbol))

    @router.get("/market/{symbol}/bars")
    async def market_bars(symbol: Symbol, seconds: BarSeconds = "60") -> list[doc.Bar]:
        """Bars since the session began."""
        return facade.bars(_traded(facade, symbol), int(seconds))

    @router.get("/market/{symbol}/indicators")
    async def market_indicators(
        symbol: Symbol, shown: Shown, seconds: BarSeconds = "60"
    ) -> doc.Indicators:
        """Indicators over those bars, computed by the core that strategies use."""
        try:
            return facade.indicators(_traded(facade, symbol), int(seconds), shown)
        except ParameterInvalid as error:
            raise Refused(422, "ParameterInvalid", error.message, field="/query/show") from None

    return router


def _traded(facade: EngineFacade, symbol: str) -> str:
    """The symbol of a path. *Raises*: `Refused`, 404."""
    known = facade.status().symbols
    if known and symbol not in known:
        detail = f"{symbol} is not traded here; known: {', '.join(known)}."
        raise Refused(404, "UnknownSymbol", detail, field="/path/symbol")
    return symbol
