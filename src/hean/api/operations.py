# SPDX-License-Identifier: Apache-2.0
"""`operations.py`: what people do: orders, strategies, limits, the kill switch. Each wish becomes a
fact that goes the way of all others; nothing here reaches past the facade. Who may ask is in
`permissions.py`, but for the one rule that depends on what is asked: raising a limit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field, model_validator

from hean.api.gate import Asker
from hean.api.models import Asked, Positive, Word
from hean.api.permissions import Role
from hean.api.problems import FieldProblem, Refused
from hean.core.types import OrderType, Side, TimeInForce
from hean.engine import EngineFacade
from hean.engine import documents as doc

Reason = Annotated[str, Field(min_length=1, max_length=500)]
Level = Literal["HALT_NEW", "CANCEL_ALL", "FLATTEN", "LOCKED"]


class OrderAsked(Asked):
    """An order. *qty*, *price*: decimal text, on the grid of the symbol."""

    symbol: Annotated[str, Field(min_length=1, max_length=40)]
    side: Literal["BUY", "SELL"]
    type: Literal["MARKET", "LIMIT"]
    qty: Positive
    price: Positive | None = None
    reduce_only: bool = False
    time_in_force: Literal["GTC", "IOC", "FOK", "POST_ONLY"] = "GTC"
    algo: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def check(self) -> OrderAsked:
        """A limit order has a price, a market order none."""
        if (self.type == "LIMIT") != (self.price is not None):
            raise ValueError("a LIMIT order needs a price, a MARKET order has none")
        return self


class KillAsked(Asked):
    """A stop. *level*: how far it goes."""

    reason: Reason
    level: Level = "CANCEL_ALL"


class ReleaseAsked(Asked):
    """To go on: the typed phrase, and what was found."""

    phrase: Annotated[str, Field(max_length=500)]
    reason: Annotated[str, Field(max_length=500)]


class LimitsAsked(Asked):
    """Hard limits by name; `null` switches one off, which counts as raising it."""

    limits: Annotated[dict[str, str | None], Field(min_length=1, max_length=50)]
    reason: Annotated[str, Field(max_length=500)] = ""


def operations_router(facade: EngineFacade) -> APIRouter:
    """Orders and strategies."""
    router = APIRouter(tags=["operations"])

    @router.post("/orders", status_code=202)
    async def order_place(asked: OrderAsked) -> doc.Order:
        """Ask for an order. The governor judges it as any other; one that it refuses comes back as
        REJECTED with the reason.
        """
        return facade.place(
            asked.symbol,
            Side(asked.side),
            OrderType(asked.type),
            asked.qty,
            price=asked.price,
            reduce_only=asked.reduce_only,
            time_in_force=TimeInForce(asked.time_in_force),
            algo=asked.algo,
        )

    @router.delete("/orders/{client_order_id}")
    async def order_cancel(client_order_id: Word) -> doc.Order:
        """Ask for the end of an order."""
        return facade.cancel(client_order_id)

    @router.post("/orders/cancel-all")
    async def orders_cancel_all() -> list[doc.Order]:
        """Ask for the end of every open order but the stops that protect a position."""
        return facade.cancel_all()

    @router.post("/strategies/{strategy_id}/enable")
    async def strategy_enable(strategy_id: Word, who: Asker) -> doc.Strategy:
        """Let a strategy open positions again."""
        return facade.switch(strategy_id, on=True, actor=f"operator:{who.actor}")

    @router.post("/strategies/{strategy_id}/disable")
    async def strategy_disable(strategy_id: Word, who: Asker) -> doc.Strategy:
        """Let a strategy open nothing more; its exits and protective stops go on."""
        return facade.switch(strategy_id, on=False, actor=f"operator:{who.actor}")

    return router


def guard_router(facade: EngineFacade) -> APIRouter:
    """Limits and the kill switch."""
    router = APIRouter(tags=["guard"])

    @router.patch("/risk/limits")
    async def risk_limits(asked: LimitsAsked, who: Asker) -> doc.Risk:
        """Change hard limits. Lowering counts at once; raising needs role risk and a reason."""
        if facade.is_looser(asked.limits):
            _check_raise(who.role, asked.reason)
        return facade.change_limits(asked.limits, f"{who.role.word}:{who.actor}")

    @router.post("/killswitch/trigger")
    async def killswitch_trigger(asked: KillAsked, who: Asker) -> doc.KillSwitch:
        """Stop. It stays until a person releases it, through restarts."""
        return facade.kill(asked.level, asked.reason, f"operator:{who.actor}")

    @router.post("/killswitch/release")
    async def killswitch_release(asked: ReleaseAsked, who: Asker) -> doc.KillSwitch:
        """Go on, if every condition is met; the refusal names those that are not."""
        found = facade.release(asked.phrase, asked.reason, f"risk:{who.actor}")
        if isinstance(found, doc.Refusal):
            raise Refused(
                409, "StillLatched", f"Not released: {'; '.join(found.missing)}.",
                errors=[FieldProblem(field="/body", detail=each) for each in found.missing],
            )  # fmt: skip
        return found

    return router


def _check_raise(role: Role, reason: str) -> None:
    if role < Role.RISK:
        raise Refused(
            403, "RoleTooLow", f"Raising a limit needs role risk; this token is {role.word}.",
            field="/header/Authorization",
        )  # fmt: skip
    if not reason.strip():
        raise Refused(422, "ReasonMissing", "Raising a limit needs a reason.", field="/body/reason")
