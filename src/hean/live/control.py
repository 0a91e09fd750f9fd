# SPDX-License-Identifier: Apache-2.0
"""`control.py`: what a person or the watchdog can ask of a running process, one JSON object for
each line: `kill`, `release`, `confirm`, `resolve`, `quarantine`, `say`, `rekey`, `status`, `look`,
`heartbeat`. A stop closes the door at once and is answered when it is on the disk; it can be asked
for from the first moment of the process on, and then lies in the latch file until there are books.
What is said by hand goes onto the bus as a fact like any other and is judged there. Nothing else is
taken here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hean.core.one_line import one_line
from hean.core.types import Command, Health, OrderRequest, Payload
from hean.errors import HeanError
from hean.live.by_hand import facts_of
from hean.live.claims import Claim, Claims, Word
from hean.live.latch import Latch
from hean.live.rekey import Rekey
from hean.risk.killswitch import KillSwitch
from hean.risk.levels import HALT_NEW, LEVELS, RUN, Latched, stricter
from hean.risk.live_gate import LiveGate

TEXT_MAX = 500  # characters of a reason, phrase or name
SETTLE_S = 5.0  # until the bus has delivered a command; by then the latch file alone has to do

VERBS = (
    "kill", "release", "confirm", "resolve", "quarantine", "say", "rekey", "status", "look",
    "heartbeat",
)  # fmt: skip
Document = dict[str, Any]


class Refused(Exception):
    """A command that is not carried out, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a process has once its books are there. *emit*: onto the bus; *settle*: returns when all
    that was emitted before is delivered and on the disk; *status*: more for whoever asks how it is;
    *claims*: hears what became of orders, where there is a venue to ask; *name*: the next id of an
    order; *seq*: number of the journal's last row; *shape*: what there is, for whoever looks;
    *rekey*: puts another key in the place of the one in use.
    """

    killswitch: KillSwitch
    gate: LiveGate
    emit: Callable[[Payload], None]
    settle: Callable[[], Awaitable[None]]
    status: Callable[[], Document]
    claims: Claims | None = None
    name: Callable[[str], str] | None = None
    seq: Callable[[], int] = lambda: 0
    shape: Callable[[], Document] = dict
    rekey: Rekey | None = None


class Commands:
    """Carries commands out. *now*: UTC nanoseconds. Give it `running` in the same step in which the
    latch file is read and the level restored, or a stop in between is lost.
    """

    def __init__(self, latch: Latch, *, now: Callable[[], int]) -> None:
        self.running: Running | None = None
        self._latch = latch
        self._now = now
        self._beats = 0

    async def answer(self, line: bytes, peer: str = "") -> bytes:
        """Carry out one line. *peer*: who is at the other end. *Returns*: a JSON object in a line,
        with `ok`, and `error` or `missing` in words where it is false.
        """
        try:
            document = await self._carry_out(_document(line), peer or "nobody")
        except Refused as error:
            document = {"ok": False, "error": str(error)}
        except HeanError as error:
            document = {"ok": False, "error": error.message, "code": error.code}
        return msgspec.json.encode(document) + b"\n"

    async def _carry_out(self, asked: Document, peer: str) -> Document:
        name = _text(asked, "by") or peer
        match asked.get("verb"):
            case "kill":
                return await self._kill(asked, f"operator:{name}")
            case "release":
                return await self._release(asked, f"risk:{name}")
            case "confirm":
                return await self._confirm(asked, f"trader:{name}")
            case "resolve":
                return await self._resolve(asked, f"risk:{name}")
            case "quarantine":
                return {"ok": True, "orders": self._need_claims().held()}
            case "say":
                return await self._say(asked)
            case "rekey":
                return await self._rekey(asked, f"risk:{name}")
            case "status":
                return {"ok": True, **self._status()}
            case "look":
                return {"ok": True, **self._look()}
            case "heartbeat":
                return self._heartbeat()
        raise Refused(f"no such verb; known: {', '.join(VERBS)}")

    async def _kill(self, asked: Document, actor: str) -> Document:
        level = _text(asked, "level") or HALT_NEW
        if level not in LEVELS[1:]:
            raise Refused(f"no such level; known: {', '.join(LEVELS[1:])}")
        reason = _reason(asked)
        running = self.running
        if running is not None:
            running.killswitch.hold(level, reason)
        is_filed = self._file(Latched(level, reason, actor, self._now()))
        command = Command("kill", {"level": level, "reason": reason}, actor)
        is_journaled = running is not None and await self._said(running, command)
        if not (is_filed or is_journaled):
            raise Refused(
                "nothing new leaves this process, but neither journal nor latch file took the "
                "stop; end the process"
            )
        return {"ok": True, **self._latched(), **self._seq()}

    async def _release(self, asked: Document, actor: str) -> Document:
        running = self._need()
        phrase, reason = _text(asked, "phrase"), _text(asked, "reason")
        # Judged here first: what was typed wrong, perhaps a password, is written nowhere.
        if missing := running.killswitch.refusals(phrase, reason, actor, self._now()):
            return {"ok": False, "missing": list(missing), **self._latched()}
        command = Command("release", {"phrase": phrase, "reason": reason}, actor)
        if not await self._said(running, command):
            raise Refused("the release could not be written; still latched")
        return {"ok": running.killswitch.level == RUN, **self._latched(), **self._seq()}

    async def _confirm(self, asked: Document, actor: str) -> Document:
        running = self._need()
        if not await self._said(running, Command("confirm", {}, actor)):
            raise Refused("the confirmation could not be written; it does not count")
        is_right = running.gate.confirm(_text(asked, "phrase"))
        return {"ok": is_right, "missing": list(running.gate.missing), **self._seq()}

    async def _resolve(self, asked: Document, actor: str) -> Document:
        claims, word = self._need_claims(), _text(asked, "claim")
        if word not in list(Word):
            raise Refused(f"no such claim; known: {', '.join(Word)}")
        claim = Claim(_text(asked, "order_id"), Word(word), _text(asked, "reason"), actor)
        if missing := claims.missing(claim, _text(asked, "phrase")):
            return {"ok": False, "missing": missing}
        decided = await claims.hear(claim)
        if not await self._settled(self._need()):
            raise Refused("decided, but nobody knows whether it is on the disk; ask hean why")
        done = {"order_id": claim.order_id, "claim": word, "done": decided}
        return {"ok": True, **done, **self._seq()}

    async def _rekey(self, asked: Document, actor: str) -> Document:
        """Judged by the venue first; then written; then used."""
        running = self._need()
        if running.rekey is None:
            raise Refused("this process has no key of its own")
        files = Path(_text(asked, "key_file")), Path(_text(asked, "secret_file"))
        found = await running.rekey.judged(*files)
        if isinstance(found, tuple):
            return {"ok": False, "missing": list(found)}
        if not await self._said(running, Command("rekey", {"from": str(files[0])}, actor)):
            raise Refused("it could not be written; the key before goes on")
        running.rekey.take(found)
        return {"ok": True, **self._seq()}

    async def _say(self, asked: Document) -> Document:
        """Facts by hand. Answered when they were judged and stand in the journal."""
        running = self._need()
        if running.name is None:
            raise Refused("this process takes no orders by hand")
        facts = facts_of(asked.get("facts"), running.name)
        for fact in facts:
            running.emit(fact)
        if not await self._settled(running):
            raise Refused("said, but nobody knows whether it is on the disk; ask hean why")
        orders = [fact.order_id for fact in facts if isinstance(fact, OrderRequest)]
        return {"ok": True, "orders": orders, **self._seq()}

    def _heartbeat(self) -> Document:
        """The watchdog lives; it is told how far this process has come."""
        self._beats += 1
        if self.running is not None:
            self.running.emit(Health("watchdog", "ALIVE", self._beats))
        return {"ok": True, **self._status()}

    # ------------------------------------------------------------ inside

    def _need(self) -> Running:
        if self.running is None:
            raise Refused("the process is still starting; ask again")
        return self.running

    def _need_claims(self) -> Claims:
        claims = self._need().claims
        if claims is None:
            raise Refused("this process has no venue that could be asked")
        return claims

    def _file(self, latched: Latched) -> bool:
        try:
            self._latch.raise_to(latched)
        except OSError:
            return False
        return True

    async def _said(self, running: Running, fact: Payload) -> bool:
        """Put it on the bus. *Returns*: whether it was delivered and is on the disk."""
        try:
            running.emit(fact)
        except HeanError:
            return False
        return await self._settled(running)

    async def _settled(self, running: Running) -> bool:
        try:
            async with asyncio.timeout(SETTLE_S):
                await running.settle()
        except (HeanError, TimeoutError):
            return False
        return True

    def _latched(self) -> Document:
        latched = self._latch.load()
        if self.running is not None:
            latched = stricter(self.running.killswitch.latched, latched)
        return {
            "level": latched.level,
            "latched": latched.level != RUN,
            "reason": latched.reason,
            "actor": latched.actor,
            "since_ns": latched.since_ns,
        }

    def _seq(self) -> Document:
        """Up to which row the journal has to be read to see what was done."""
        return {"seq": self.running.seq() if self.running is not None else 0}

    def _status(self) -> Document:
        running = self.running
        if running is None:
            return {"state": "starting", **self._latched()}
        missing = list(running.gate.missing)
        return {"state": "running", "missing": missing, **running.status(), **self._latched()}

    def _look(self) -> Document:
        """The part of the status that costs nothing and that no journal holds."""
        running = self.running
        if running is None:
            return {"state": "starting"}
        return {"state": "running", "missing": list(running.gate.missing), **running.shape()}


def _document(line: bytes) -> Document:
    try:
        document: Document = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise Refused("not a JSON object in one line") from None
    return document


def _reason(asked: Document) -> str:
    """Why to stop. A stop is never refused for the looks of its reason."""
    said = asked.get("reason")
    return one_line(said if isinstance(said, str) else "", TEXT_MAX) or "no reason given"


def _text(asked: Document, name: str) -> str:
    value = asked.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
        raise Refused(f"{name} has to be text of at most {TEXT_MAX} characters in one line")
    return value
