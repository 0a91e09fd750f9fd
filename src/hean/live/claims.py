# SPDX-License-Identifier: Apache-2.0
"""`claims.py`: an order in quarantine stays there until the venue shows it or a person says what
became of it. A person may say two things, and neither is believed against the venue: that the order
was never made, or that it has ended. First the account is read; whatever the venue shows is taken
over and decides. Where it shows nothing, the claim is journaled with who and why, and the order
counts no more. What the venue shows later wins again, and stops everything new. That an order is at
the venue cannot be claimed: one that is there under its own id and terms is found without a person.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from hean.core.types import Command, Payload
from hean.errors import EnvironmentFault, Halted, HeanError, ParameterInvalid
from hean.live.rows import RESOLVE, Claimed
from hean.risk.killswitch import REASON_LENGTH_MIN
from hean.risk.levels import is_phrase
from hean.venues.gateway import Gateway
from hean.venues.reports import Execution, Listing, OrderReport, Status, Tracked
from hean.venues.search import EARLIER_NS, PositionProblem

LOOK_S = 20.0  # to read the account; a person waits
NEAR = 3  # ids that are offered instead of one nobody knows
MS_NS = 1_000_000


class Word(StrEnum):
    """What can be said of an order."""

    NEVER_MADE = "never-made"
    ENDED = "ended"


SENTENCES = {Word.NEVER_MADE: "it was never made", Word.ENDED: "it has ended"}


@dataclass(frozen=True, slots=True)
class Claim:
    """*actor*: who says it."""

    order_id: str
    word: Word
    reason: str
    actor: str


class Claims:
    """Hears them, for one gateway. *emit*: onto the bus; *settle*: returns when all that was
    emitted is delivered and on the disk; *position_problem*: as of the reconciler.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        account_id: str,
        emit: Callable[[Payload], None],
        settle: Callable[[], Awaitable[None]],
        position_problem: PositionProblem,
    ) -> None:
        self._gateway = gateway
        self._account_id = account_id
        self._emit = emit
        self._settle = settle
        self._position_problem = position_problem

    def held(self) -> list[dict[str, Any]]:
        """Every order in quarantine, with what is known of it."""
        return [
            {
                "order_id": order.order_id,
                "symbol": order.symbol,
                "side": order.side.value,
                "size": f"{order.size:f}",
                "filled": f"{order.filled:f}",
                "exchange_order_id": order.exchange_order_id,
                "why": self._gateway.resolution.why_held(order),
            }
            for order in self._gateway.tracker.open_orders()
            if order.is_quarantined
        ]

    def missing(self, claim: Claim, phrase: str) -> list[str]:
        """What a person has still to give, in words; never what the phrase should be."""
        found = []
        if not self._account_id or not is_phrase(phrase, f"{RESOLVE} {self._account_id}"):
            found.append("the phrase is another one")
        if len(claim.reason.strip()) < REASON_LENGTH_MIN:
            found.append(f"the reason is shorter than {REASON_LENGTH_MIN} characters")
        return found

    async def hear(self, claim: Claim) -> str:
        """Ask the venue, then believe whom there is to believe. *Returns*: what was decided.

        *Raises*: `ParameterInvalid` for an order that nobody knows, `Halted` for a claim that does
        not hold, `EnvironmentFault` when the venue could not be asked. Nothing was changed then but
        by the venue's own word.
        """
        order = self._order(claim)
        try:
            async with asyncio.timeout(LOOK_S):
                at_ns = await self._look(order)
        except TimeoutError:
            raise self._unasked(order, f"no whole answer within {LOOK_S:g} s") from None
        if order.is_ended and not (order.is_absent or order.closed_ns):
            return f"{order.order_id}: the venue itself shows how it ended; its word was taken"
        self._check(order, claim.word)
        return self._believe(order, claim, at_ns)

    # ------------------------------------------------------------ what speaks against it

    def _order(self, claim: Claim) -> Tracked:
        order = self._gateway.tracker.get(claim.order_id)
        if order is None:
            raise ParameterInvalid(
                f"no order {claim.order_id} is under way here; {self._near(claim)}"
            )
        self._check(order, claim.word)
        return order

    def _near(self, claim: Claim) -> str:
        held = [str(each["order_id"]) for each in self.held()]
        if not held:
            return "none is in quarantine."
        near = difflib.get_close_matches(claim.order_id, held, n=NEAR, cutoff=0.0)
        return f"in quarantine, nearest first: {', '.join(near)}."

    def _check(self, order: Tracked, word: Word) -> None:
        """*Raises*: `Halted` unless this may be said of it."""
        if not order.is_quarantined:
            raise Halted(
                f"{order.order_id} is not in quarantine: {_standing(order)}. Nothing was changed."
            )
        if word is Word.NEVER_MADE and (order.is_placed or order.filled):
            raise Halted(
                f"{order.order_id} was made: the venue confirmed it as {order.exchange_order_id}, "
                f"{order.filled:f} of {order.size:f} filled. Say {Word.ENDED}, if it has."
            )

    async def _look(self, order: Tracked) -> int:
        """Read the account and take over what it shows. *Returns*: the venue's time before.

        *Raises*: `Halted`, `EnvironmentFault`.
        """
        gateway = self._gateway
        codec, ask = gateway.codec, gateway.questions.ask
        if gateway.private.unbroken < 0:
            raise self._unasked(order, "the private stream is not in step with the account")
        at_ns = gateway.questions.venue_ms() * MS_NS
        try:
            await gateway.private.look()
            report = await codec.order(ask, order)
            listed = await codec.open_orders(ask)
            since_ns = (order.left_ms * MS_NS or order.opened_ns) - EARLIER_NS
            traded = await codec.executions(ask, since_ns, (order.symbol,))
            named = await gateway.resolution.naming.name(traded.rows)
        except HeanError as error:
            raise self._unasked(order, error.message) from None
        lists: tuple[Listing[Any], ...] = (listed, traded)
        if not all(each.is_complete for each in lists):
            raise self._unasked(order, "a list of the venue is incomplete")
        ids = {order.order_id, order.exchange_order_id, order.child_order_id} - {""}
        shown = [each for each in listed.rows if ids & _ids_of(each)]
        pieces = [each for each in named if ids & _ids_of(each)]
        gateway.tracker.merge([*shown, *([report] if report is not None else [])], pieces)
        await self._settle()
        if order.is_quarantined:
            if report is not None and report.status is Status.OPEN:
                shown.append(report)
            self._is_nowhere(order, shown, at_ns)
        return at_ns

    def _is_nowhere(self, order: Tracked, shown: list[OrderReport], since_ns: int) -> None:
        """*Raises*: `Halted` when the venue shows something that a person cannot talk away."""
        for each in shown:
            raise Halted(
                f"the venue lists {each.exchange_order_id} as open ({each.word}: "
                f"{each.side or 'unknown side'} {each.quantity:f} {each.symbol}) under the id of "
                f"{order.order_id}. Cancel it there first; nothing was changed."
            )
        problem = self._position_problem(order.symbol, since_ns)
        if problem:
            raise Halted(
                f"{problem}, so {order.order_id} may have traded. Nothing was changed; the account "
                "is compared every 30 s: ask again then."
            )

    def _unasked(self, order: Tracked, why: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self._gateway.codec.name} could not be asked about {order.order_id} ({why}). "
            "It goes on counting in full; ask again."
        )

    # ------------------------------------------------------------ believing

    def _believe(self, order: Tracked, claim: Claim, at_ns: int) -> str:
        """Nothing speaks against it: it counts no more. The command comes before the fact, so the
        journal has who and why before anything follows.
        """
        reason = claim.reason.strip()
        claimed = Claimed(order.order_id, claim.word.value, reason, at_ns)
        self._emit(Command(RESOLVE, msgspec.structs.asdict(claimed), claim.actor))
        rest = order.size - order.filled
        why = f"{claim.actor} says that {SENTENCES[claim.word]}: {reason}"
        if claim.word is Word.NEVER_MADE:
            self._gateway.tracker.absent(order, why)
        else:
            self._gateway.tracker.closed(order, why, at_ns)
        self._gateway.resolution.decided(order)
        return (
            f"{order.order_id}: {SENTENCES[claim.word]}; "
            f"{order.side.value} {rest:f} {order.symbol} count no more. "
            "If the venue shows it after all, everything new stops"
        )


def _ids_of(seen: OrderReport | Execution) -> set[str]:
    return {seen.client_order_id, seen.exchange_order_id}


def _standing(order: Tracked) -> str:
    """Where an order stands, for people."""
    if order.is_ended:
        return "it has ended"
    if order.is_unknown:
        return "it is still being looked for, which decides by itself or puts it there"
    return f"it is at the venue as {order.exchange_order_id or 'sent'}"
