# SPDX-License-Identifier: Apache-2.0
"""`strangers.py`: orders on the account that are not under way here. Each is judged once, by its
client id. An id of HEAN's form with a newer epoch comes from a process that was started after this
one: this one is superseded and sends nothing any more. One of our own epoch that nobody made is
proof that something is badly wrong. One of an older epoch has outlived its process. Everything else
is somebody's own order: told once, and never touched.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hean.core.types import Command, Health, Payload
from hean.venues.reports import Execution, OrderReport, Status

STRANGERS_MAX = 10_000  # remembered, to be told once; somebody's own orders of days

_form = re.compile(r"h([0-9a-z]{1,13})-[0-9a-z]{4}-[0-9a-z]{1,13}").fullmatch  # see IdSequence


class Kind(StrEnum):
    """Whose order it is, by its client id."""

    NEWER = "newer epoch"
    OWN = "own epoch"
    OLDER = "older epoch"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a kind leads to. *level*: of the kill switch, empty for none."""

    level: str
    sentence: str


_REACTIONS = {
    Kind.NEWER: Reaction(
        "LOCKED",
        "{order} was made by a HEAN that was started after this one: two run on this account. "
        "This one has stopped sending for good; stop it.",
    ),
    Kind.OWN: Reaction(
        "LOCKED",
        "{order} bears this run's own name and was never approved here: find out who has the key "
        "and revoke it, then cancel that order at the venue.",
    ),
    Kind.OLDER: Reaction(
        "HALT_NEW",
        "{order} was made by an earlier run whose journal is not this one: cancel it at the venue, "
        "or start HEAN with the data directory it came from, then release the halt.",
    ),
}


def kind_of(client_order_id: str, epoch: int | None) -> Kind:
    """Whose order this is. *epoch*: ours; without one nothing can be said of HEAN's own form."""
    found = _form(client_order_id)
    if found is None or epoch is None:
        return Kind.EXTERNAL
    theirs = int(found[1], 36)
    if theirs == epoch:
        return Kind.OWN
    return Kind.NEWER if theirs > epoch else Kind.OLDER


class Strangers:
    """Meets them. *name*: of the venue; *remembers*: whether the journal knows an order id; *emit*:
    takes notes and what is asked of the kill switch.
    """

    def __init__(
        self, name: str, *, remembers: Callable[[str], bool], emit: Callable[[Payload], None]
    ) -> None:
        self.epoch: int | None = None
        """Of this process; without one no id of HEAN's form is judged."""
        self.superseded = ""
        """Why this process may send nothing at all; empty while it may."""
        self._remembers = remembers
        self._emit = emit
        self._name = name
        self._known: OrderedDict[str, None] = OrderedDict()

    def met(self, seen: OrderReport | Execution) -> None:
        """An order, or a piece of one, that is not under way here."""
        if seen.exchange_order_id in self._known:
            return
        kind = kind_of(seen.client_order_id, self.epoch)
        if kind is not Kind.NEWER and self._remembers(seen.client_order_id):
            return  # ended in this life or an earlier one, and told once more
        self._known[seen.exchange_order_id] = None
        if len(self._known) > STRANGERS_MAX:
            self._known.popitem(last=False)
        if kind is Kind.EXTERNAL:
            self._note(seen)
            return
        reaction = _REACTIONS[kind]
        named = f"order {seen.client_order_id} ({seen.symbol}, {self._name})"
        sentence = reaction.sentence.format(order=named)
        if kind is Kind.NEWER:
            self.superseded = sentence
        is_final = kind is Kind.NEWER
        wanted = {"level": reaction.level, "reason": sentence, "is_final": is_final}
        self._emit(Command("kill", wanted, self._name))

    def _note(self, seen: OrderReport | Execution) -> None:
        """Somebody's own order: a fact, no alarm."""
        facts = {
            "symbol": seen.symbol,
            "client_order_id": seen.client_order_id,
            "exchange_order_id": seen.exchange_order_id,
        }
        if isinstance(seen, OrderReport):
            facts["quantity"] = f"{seen.quantity:f}"
            facts["is_open"] = str(seen.status is Status.OPEN).lower()
        component = f"{self._name} external order {seen.exchange_order_id}"
        self._emit(Health(component, "EXTERNAL", 1, dict(facts)))
