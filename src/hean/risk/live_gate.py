# SPDX-License-Identifier: Apache-2.0
"""`live_gate.py`: what must all be true before an order may leave for a venue with money. Seven
factors from seven places, so that no slip, and no two, open it; the last one is typed by a person
for this very boot and kept nowhere. The verdict is made when a factor changes and only read for an
order. It says which factor is missing and never what the right phrase is. It opens nothing by
itself.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hean.core.module import Module, on
from hean.core.types import Command, Event, EventType
from hean.risk.levels import HALT_NEW, RUN, is_phrase

Role = Literal["mainnet", "testnet"]


class Configured(msgspec.Struct, frozen=True):
    """What was set before the start. *is_confirmed*: LIVE_CONFIRM is exactly YES; *is_wet*: the
    configuration file itself says that DRY_RUN is false; *is_known_host*: every address is the
    venue's own or this machine; *is_address_waived*: the key may be used from any address.
    """

    is_confirmed: bool = False
    is_wet: bool = False
    is_known_host: bool = False
    is_address_waived: bool = False


class KeyVerdict(msgspec.Struct, frozen=True):
    """What the venue says the key may do; `None` where it does not say. *is_bound*: usable from
    listed addresses only.
    """

    may_trade: bool | None = None
    may_withdraw: bool | None = None
    is_bound: bool | None = None


class Factors(msgspec.Struct, frozen=True):
    """Everything the verdict depends on. *is_typed*: the phrase of this boot."""

    role: Role
    account_id: str
    configured: Configured = Configured()
    is_typed: bool = False
    key: KeyVerdict = KeyVerdict()
    is_clean: bool = False
    level: str = RUN


def missing(factors: Factors) -> tuple[str, ...]:
    """What is not given, in words; empty when orders may leave."""
    given = factors.configured
    # A test network holds no money and does not tell everything about its keys.
    is_lenient = factors.role == "testnet"
    key = factors.key
    is_safe_key = key.may_withdraw is False or (is_lenient and key.may_withdraw is None)
    is_bound = key.is_bound is True or given.is_address_waived
    found = (
        ("LIVE_CONFIRM in the environment", given.is_confirmed),
        ("DRY_RUN switched off in the configuration file", given.is_wet),
        ("the account's id", bool(factors.account_id)),
        ("the phrase of this boot, typed by a person", factors.is_typed),
        ("a venue address that is on the list", given.is_known_host),
        ("a key that may trade", key.may_trade is True or (is_lenient and key.may_trade is None)),
        ("a key that may not withdraw", is_safe_key),
        ("a key bound to addresses, or their waiver", is_bound),
        ("books that are the venue's (reconcile)", factors.is_clean),
        ("the kill switch at RUN", factors.level == RUN),
    )
    return tuple(name for name, is_given in found if not is_given)


def phrase_of(account_id: str, role: Role) -> str:
    """What a person types to let this account trade. For whoever compares, never for messages."""
    return f"live {account_id} {role}"


class LiveGate(Module):
    """The gate of one account in one process. *account_id*: that the venue told, or the configured
    one; *role*: of the network the orders go to.
    """

    name = "live_gate"
    truth = True
    produces = (EventType.COMMAND,)

    def __init__(self, *, role: Role, account_id: str = "") -> None:
        self._factors = Factors(role, account_id)
        self.missing: tuple[str, ...] = missing(self._factors)
        """What is not given at the moment."""
        self.why = self._sentence()
        """Why no order may leave; empty if it may. Read for every order."""

    @property
    def role(self) -> Role:
        """Of the network the orders go to."""
        return self._factors.role

    def configure(self, configured: Configured) -> None:
        """Settings, at the start and whenever they are read again."""
        self._change(configured=configured)

    def know_account(self, account_id: str) -> None:
        """The account is this one. A phrase typed for another one does not count."""
        is_same = account_id == self._factors.account_id
        self._change(account_id=account_id, is_typed=self._factors.is_typed and is_same)

    def know_key(self, key: KeyVerdict) -> None:
        """What the venue says of the key."""
        self._change(key=key)

    def objections(self, key: KeyVerdict) -> tuple[str, ...]:
        """What would be missing of a key that the venue judges so."""
        perfect = msgspec.structs.replace(self._factors, key=KeyVerdict(True, False, True))
        found = missing(msgspec.structs.replace(self._factors, key=key))
        return tuple(each for each in found if each not in missing(perfect))

    def know_level(self, level: str) -> None:
        """The level of the kill switch, where it was not told on the bus: at the start."""
        self._change(level=level)

    def confirm(self, phrase: str) -> bool:
        """A person types the phrase of this boot. *Returns*: whether it is the right one. A wrong
        one takes back an earlier right one.
        """
        expected = phrase_of(self._factors.account_id, self._factors.role)
        is_right = is_phrase(phrase, expected)
        self._change(is_typed=is_right and bool(self._factors.account_id))
        return self._factors.is_typed

    @on(EventType.RECONCILE)
    def on_reconcile(self, event: Event) -> None:
        """Whether our books are the venue's."""
        self._change(is_clean=event.data.clean)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_triggered(self, event: Event) -> None:
        """Any level closes the gate."""
        self._change(level=event.data.level)

    @on(EventType.KILLSWITCH_RELEASED)
    def on_released(self, event: Event) -> None:
        """One factor less that is missing."""
        self._change(level=RUN)

    def _change(self, **changes: object) -> None:
        was_open = not self.missing
        self._factors = msgspec.structs.replace(self._factors, **changes)
        self.missing = missing(self._factors)
        self.why = self._sentence()
        is_passing = changes.keys() <= {"is_clean", "level"}  # told by those who stop, if need be
        if was_open and self.missing and not is_passing:
            arguments = {"level": HALT_NEW, "reason": self.why}
            self.context.emit(Command("kill", arguments, "auto:live_gate"))

    def _sentence(self) -> str:
        return f"the live gate lacks {'; '.join(self.missing)}" if self.missing else ""
