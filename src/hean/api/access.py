# SPDX-License-Identifier: Apache-2.0
"""`access.py`: who somebody is, by token, ticket or pairing code, and how often they may try. The
gate asks it for every request, the WebSocket for its first frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hean.api.limits import Limits, retry_after
from hean.api.permissions import Role
from hean.api.problems import Refused
from hean.api.tickets import Tickets
from hean.api.tokens import Token, Tokens

TICKET_S = 30.0
PAIRING_S = 300.0
SESSION_DAYS = 30  # of a token that a pairing code was exchanged for
CREDENTIAL_LENGTH_MAX = 200
BEARER = b"bearer "


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who was let in. *name* is what their orders and commands are signed with."""

    token_id: str
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As facts name them: `alice#1f2e3d4c`."""
        return f"{self.name}#{self.token_id}"


class Access:
    """*ticks*: steady seconds."""

    def __init__(self, tokens: Tokens, limits: Limits, ticks: Callable[[], float]) -> None:
        self.tokens = tokens
        self.limits = limits
        self.tickets: Tickets[Who] = Tickets(TICKET_S, ticks)
        self.pairings: Tickets[Role] = Tickets(PAIRING_S, ticks)

    def by_header(self, value: bytes | None, address: str) -> Who | None:
        """Who an `Authorization` header names; `None` without one. *Raises*: `Refused`."""
        if value is None:
            return None
        if not value[: len(BEARER)].lower() == BEARER or len(value) > CREDENTIAL_LENGTH_MAX:
            raise self._wrong(address)
        return self.by_token(value[len(BEARER) :].decode("latin-1").strip(), address)

    def by_token(self, text: str, address: str) -> Who:
        """Who a token belongs to. *Raises*: `Refused`, 401, or 429 from an address that guesses."""
        token = self.tokens.find(text)
        if token is None:
            raise self._wrong(address)
        return who_of(token)

    def by_ticket(self, word: str, address: str) -> Who:
        """Who a ticket stands for; it counts once. *Raises*: `Refused`."""
        who = self.tickets.redeem(word)
        if who is None or not self.tokens.is_good(who.token_id):
            raise self._wrong(address)
        return who

    def is_good(self, who: Who) -> bool:
        """Whether they still are who they were: tokens end while sockets are open."""
        return self.tokens.is_good(who.token_id)

    def pair(self, code: str, address: str) -> tuple[str, Token]:
        """Exchange a pairing code for a token. *Raises*: `Refused`; a locked address may not even
        try.
        """
        if self.limits.lockout.locked_s(address):
            raise self._locked(address)
        role = self.pairings.redeem(code)
        if role is None:
            self.limits.lockout.failed(address)
            raise Refused(
                401, "PairingRefused", "No such code, or one that was used or is too old; a new "
                "one comes with each start.", field="/body/code",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return self.tokens.create(role, "paired", SESSION_DAYS)

    def _wrong(self, address: str) -> Refused:
        if self.limits.lockout.locked_s(address):
            return self._locked(address)
        self.limits.lockout.failed(address)
        return not_known()

    def _locked(self, address: str) -> Refused:
        wait = self.limits.lockout.locked_s(address)
        return Refused(
            429, "LockedOut", f"Too many wrong credentials; again in {wait:.0f} s.",
            field="/header/Authorization", headers=retry_after(wait),
        )  # fmt: skip


def not_known() -> Refused:
    """One answer for no, unknown, expired and revoked, so that it teaches nothing."""
    return Refused(
        401, "TokenRefused", "No token, or one that is unknown, expired or revoked; a new one: "
        "hean token create.", field="/header/Authorization",
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip


def who_of(token: Token) -> Who:
    """The person of a token. *Raises*: `Refused` if its role is none."""
    role = Role.of(token.role)
    if role is None:
        raise not_known()
    return Who(token.id, token.name, role)
