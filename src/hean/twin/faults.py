# SPDX-License-Identifier: Apache-2.0
"""`faults.py`: the dials: what shall go wrong, where, how often. A dial is data; it is set on the
control port or by a file, and turned back by `calm`. Chance comes from the twin's seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from hean.twin.wire import Reply, Request


@dataclass(slots=True)
class RequestFault:
    """What happens to one request. *wait_s*: before anything is done. *is_processed*: the exchange
    gets it. *reply*: the answer when it does not. *reset*: cut instead of answering.
    """

    wait_s: float = 0.0
    is_processed: bool = True
    reply: Reply | None = None
    answer_after_s: float = 0.0
    reset: bool = False

    def change(self, reply: Reply) -> Reply:
        """The answer to give instead of the true one."""
        return self.reply or reply


@dataclass(slots=True)
class FrameFault:
    """What is sent instead of one frame: (seconds later, frame) each. *cut*: then the line dies."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)
    cut: bool = False


class FaultSession(Protocol):
    """What a dial may know of a session."""

    path: str
    number: int
    is_stalled: bool


class Faults:
    """All dials of a twin."""

    def __init__(self) -> None:
        self.pongs_in_stall = True

    def request(self, request: Request) -> RequestFault | None:
        """What shall happen to this request, `None` for nothing."""
        return None

    def frame(self, session: FaultSession, topic: str, frame: bytes) -> FrameFault | None:
        """What shall happen to this frame, `None` for nothing."""
        return None

    def connect(self, path: str) -> Reply | None:
        """A refusal of a new WebSocket, `None` to let it in."""
        return None

    def swallows(self, session: FaultSession, text: str) -> bool:
        """Whether a client's frame shall be lost."""
        return False
