# SPDX-License-Identifier: Apache-2.0
"""`rekey.py`: another key for the account, while it trades (C-14). The new one lies in files of
mode 0600 and is judged by the venue before it counts for anything: it has to be of the same account
and to fulfil what the gate wants of a key. Then everything that signs uses it, sockets log in anew,
and the one before is forgotten. Where a venue does not tell whose a key is, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hean.config_sources import SECRET_BYTES_MAX, Unreadable, text_of
from hean.errors import HeanError, ParameterInvalid
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.risk.live_gate import KeyVerdict, LiveGate
from hean.secret import Secret
from hean.venues.adapters import codec_for
from hean.venues.gateway import Gateway
from hean.venues.keys import other_key
from hean.venues.signing import Signer

Keys = tuple[Secret, Secret, str]
"""Key, secret, and what messages call them."""


class Candidate:
    """A key that may be used. *verdict*: the venue's."""

    __slots__ = ("keys", "signer", "verdict")

    def __init__(self, keys: Keys, signer: Signer, verdict: KeyVerdict) -> None:
        self.keys = keys
        self.signer = signer
        self.verdict = verdict


class Rekey:
    """*signer*: that of everybody who signs for this account; *budget*: of its requests; *http*: a
    client of a base address; *on_taken*: told the key that counts from now on.
    """

    def __init__(
        self,
        gateway: Gateway,
        signer: Signer,
        gate: LiveGate,
        *,
        account_id: str,
        budget: Budget,
        http: Callable[[str], HttpClient],
        on_taken: Callable[[Keys], object],
    ) -> None:
        self._gateway = gateway
        self._signer = signer
        self._gate = gate
        self._account_id = account_id
        self._budget = budget
        self._http = http
        self._on_taken = on_taken

    async def judged(self, key_file: Path, secret_file: Path) -> Candidate | tuple[str, ...]:
        """The key in these files, or what speaks against it. *Raises*: `ParameterInvalid` for a
        file that cannot be used.
        """
        keys = Secret(_line(key_file)), Secret(_line(secret_file)), self._signer.label
        signer = Signer(*keys)
        if signer.key == self._signer.key:
            return ("another key: this one is in use",)
        if self._budget.silent_ns(self._gateway.questions.ticks_ns(), is_signed=False):
            return ("a venue that may be asked: it wants silence for now",)
        codec = codec_for(self._gateway.codec.endpoints, signer)
        try:
            account, facts = await other_key(codec, self._gateway.questions, self._http)
        except HeanError as error:
            return (f"a key that the venue accepts ({error.message})",)
        if not account:
            return ("a venue that tells whose a key is: here, end the process and start it again",)
        if account != self._account_id:
            return (f"a key of account {self._account_id}; this one is of {account}",)
        verdict = KeyVerdict(facts.may_trade, facts.may_withdraw, facts.is_bound)
        return self._gate.objections(verdict) or Candidate(keys, signer, verdict)

    def take(self, found: Candidate) -> None:
        """Use it from now on."""
        self._signer.become(found.signer)
        self._gate.know_key(found.verdict)
        self._budget.forgive_key()
        self._gateway.halts.lift("key")  # what was said of the one before
        for socket in self._gateway.sockets:
            socket.restart("another key")
        self._on_taken(found.keys)


def _line(path: Path) -> str:
    try:
        found = text_of(path, bytes_max=SECRET_BYTES_MAX, is_private=True).strip()
    except Unreadable as error:
        raise ParameterInvalid(str(error)) from None
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise ParameterInvalid(f"{path.name[:100]!a} holds no key: one word in one line is due.")
    return found
