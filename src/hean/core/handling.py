# SPDX-License-Identifier: Apache-2.0
"""`handling.py`: which handler is at work, read off a stack of frames. For whoever has to name what
does not return; it interrupts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType

import msgspec

from hean.core.bus import EventBus
from hean.core.mailbox import Mailbox
from hean.core.types import Event


class Handling(msgspec.Struct, frozen=True):
    """One handler at work. *owner*: the object it belongs to; *name*: its qualified name."""

    owner: object
    name: str
    event: Event


def handling_in(frames: Iterable[FrameType]) -> Handling | None:
    """The handler that the bus was calling in these frames."""
    for frame in frames:
        if frame.f_code is EventBus.drain.__code__:
            handler = frame.f_locals.get("handler")
        elif frame.f_code is Mailbox._work.__code__:
            handler = frame.f_locals["self"]
        else:
            continue
        event = frame.f_locals.get("event")
        if handler is None or event is None:
            continue
        bare = getattr(handler, "handler", handler)
        name = getattr(bare, "__qualname__", type(bare).__qualname__)
        return Handling(getattr(bare, "__self__", bare), str(name), event)
    return None


def frames_of(trace: TracebackType | None) -> Iterator[FrameType]:
    """The frames of a traceback, outermost first."""
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
