# SPDX-License-Identifier: Apache-2.0
"""`operations.py`: what people do: orders, strategies, limits, the kill switch. Each wish becomes a
fact that goes the way of all others; nothing here reaches past the facade. Who may ask is in
`permissions.py`, but for the one rule that depends on what is asked: raising a limit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import AfterValidator, Field, model_validator

from hean.api.document import refusals
from hean.api.gate import Asker
from hean.api.models import Asked, Line, Positive, Word
from hean.api.permissions import Role
from hean.api.problems import FieldProblem, Refused, about
from hean.core.one_line import one_line
from hean.core.types import OrderType, Side, TimeInForce
from hean.engine import EngineFacade
from hean.engine import documents as doc

REASON_LENGTH_MAX = 500
Reason = Annotated[Line, Field(max_length=REASON_LENGTH_MAX)]
Answer = TypeVar("Answer", bound=doc.Document)
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
    algo: Annotated[Line, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def check(self) -> OrderAsked:
        """A limit order has a price, a market order none."""
        if (self.type == "LIMIT") != (self.price is not None):
            raise ValueError("a LIMIT order needs a price, a MARKET order has none")
        return self

    @property
    def terms(self) -> dict[str, Any]:
        """As the facade takes them."""
        return {
            "symbol": self.symbol,
            "side": Side(self.side),
            "type": OrderType(self.type),
            "qty": self.qty,
            "price": self.price,
            "reduce_only": self.reduce_only,
            "time_in_force": TimeInForce(self.time_in_force),
            "algo": self.algo,
        }


class KillAsked(Asked):
    """A stop. *level*: how far it goes; *reason*: taken however it is written."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=REASON_LENGTH_MAX),
        AfterValidator(lambda text: one_line(text, REASON_LENGTH_MAX) or "no reason given"),
    ]
    level: Level = "CANCEL_ALL"


class ReleaseAsked(Asked):
    """To go on: the typed phrase, and what was found."""

    phrase: Annotated[str, Field(max_length=500)]
    reason: Reason


class ConfirmAsked(Asked):
    """The phrase of this boot, typed by a person."""

    confirm_phrase: Annotated[str, Field(max_length=500)]


class ResolveAsked(Asked):
    """What became of an order in quarantine."""

    order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
    claim: Literal["never-made", "ended"]
    phrase: Annotated[str, Field(max_length=500)]
    reason: Reason


class LimitsAsked(Asked):
    """Hard limits by name; `null` switches one off, which counts as raising it."""

    limits: Annotated[dict[str, str | None], Field(min_length=1, max_length=50)]
    reason: Reason = ""


def operations_router(facade: EngineFacade) -> APIRouter:
    """Orders and strategies."""
    router = APIRouter(tags=["operations"])

    @router.post("/orders", status_code=202)
    async def order_place(asked: OrderAsked) -> doc.Order:
        """Ask for an order. The governor judges it as any other; one that it refuses comes back as
        REJECTED with the reason.
        """
        with about("/body/symbol"):
            return await facade.place(**asked.terms)

    @router.post("/orders/preview")
    async def order_preview(asked: OrderAsked) -> doc.Preview:
        """What such an order would be judged like now, by the rules that decide, with price, fee
        and worst case. Nothing is asked for and nothing is kept.
        """
        with about("/body/symbol"):
            return facade.preview(**asked.terms)

    @router.delete("/orders/{client_order_id}")
    async def order_cancel(client_order_id: Word) -> doc.Order:
        """Ask for the end of an order."""
        with about("/path/client_order_id"):
            return await facade.cancel(client_order_id)

    @router.post("/orders/cancel-all")
    async def orders_cancel_all() -> list[doc.Order]:
        """Ask for the end of every open order but the stops that protect a position."""
        return await facade.cancel_all()

    @router.post("/strategies/{strategy_id}/enable")
    async def strategy_enable(strategy_id: Word, who: Asker) -> doc.Strategy:
        """Let a strategy open positions again."""
        _known(facade, strategy_id)
        return await facade.switch(strategy_id, on=True, actor=f"operator:{who.actor}")

    @router.post("/strategies/{strategy_id}/disable")
    async def strategy_disable(strategy_id: Word, who: Asker) -> doc.Strategy:
        """Let a strategy open nothing more; its exits and protective stops go on."""
        _known(facade, strategy_id)
        return await facade.switch(strategy_id, on=False, actor=f"operator:{who.actor}")

    return router


def guard_router(facade: EngineFacade) -> APIRouter:
    """Limits and the kill switch."""
    router = APIRouter(tags=["guard"])

    @router.patch("/risk/limits")
    async def risk_limits(asked: LimitsAsked, who: Asker) -> doc.Risk:
        """Change hard limits. Lowering counts at once; raising needs role risk and a reason."""
        with about("/body/limits"):
            if facade.is_looser(asked.limits):
                _check_raise(who.role, asked.reason)
            return await facade.change_limits(asked.limits, f"{who.role.word}:{who.actor}")

    @router.post("/killswitch/trigger")
    async def killswitch_trigger(asked: KillAsked, who: Asker) -> doc.KillSwitch:
        """Stop. It stays until a person releases it, through restarts."""
        return await facade.kill(asked.level, asked.reason, f"operator:{who.actor}")

    @router.post("/killswitch/release")
    async def killswitch_release(asked: ReleaseAsked, who: Asker) -> doc.KillSwitch:
        """Go on, if every condition is met; the refusal names those that are not."""
        found = await facade.release(asked.phrase, asked.reason, f"risk:{who.actor}")
        return _unless_refused(found, "StillLatched", "Not released")

    @router.post("/live/confirm")
    async def live_confirm(asked: ConfirmAsked, who: Asker) -> doc.Live:
        """Type the phrase of this boot; the answer is what the gate still lacks."""
        found = await facade.confirm(asked.confirm_phrase, f"{who.role.word}:{who.actor}")
        return _unless_refused(found, "NotConfirmed", "Not confirmed; missing")

    return router


def books_router(facade: EngineFacade) -> APIRouter:
    """Our books beside the venue's, and what a person decides of them."""
    router = APIRouter(tags=["books"], responses=refusals(409))

    @router.get("/reconcile")
    async def reconcile() -> doc.Reconciled:
        """The last reading of the account, and what explains each difference."""
        return facade.reconciled()

    @router.post("/reconcile/resolve", responses=refusals(404))
    async def reconcile_resolve(asked: ResolveAsked, who: Asker) -> doc.Decided:
        """Say what became of an order in quarantine. The venue is asked first and believed before
        you.
        """
        claim = doc.Claimed(**asked.model_dump())
        with about("/body/order_id"):
            found = await facade.resolve(claim, f"risk:{who.actor}")
        return _unless_refused(found, "NotResolved", "Not resolved")

    return router


def _unless_refused(found: Answer | doc.Refusal, code: str, word: str) -> Answer:
    """*Raises*: `Refused`, 409, with everything that stands against it."""
    if isinstance(found, doc.Refusal):
        raise Refused(
            409, code, f"{word}: {'; '.join(found.missing)}.",
            errors=[FieldProblem(field="/body", detail=each) for each in found.missing],
        )  # fmt: skip
    return found


def _known(facade: EngineFacade, strategy_id: str) -> None:
    known = facade.status().strategies
    if known and strategy_id not in known:
        raise Refused(
            404, "StrategyUnknown", f"No strategy {strategy_id!r} here; known: "
            f"{', '.join(known)}.", field="/path/strategy_id",
        )  # fmt: skip


def _check_raise(role: Role, reason: str) -> None:
    if role < Role.RISK:
        raise Refused(
            403, "RoleTooLow", f"Raising a limit needs role risk; this token is {role.word}.",
            field="/header/Authorization",
        )  # fmt: skip
    if not reason.strip():
        raise Refused(422, "ReasonMissing", "Raising a limit needs a reason.", field="/body/reason")
