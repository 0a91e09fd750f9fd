# SPDX-License-Identifier: Apache-2.0
"""`module.py`: a part of the system, and everything it is given.

A module marks its handlers with `@on(EventType.X)` and lists what it `produces`. What it consumes
follows from the marks, so the wiring can be printed and checked without running anything. Time,
chance and names come from its `Context`; a module that uses nothing else repeats itself exactly.
"""

from __future__ import annotations

import hashlib
import random  # reason: the one place; only seeded generators, made in `Context.rng`
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

from hean.core.bus import EventBus, Handler
from hean.core.ports import Clock, Market
from hean.core.types import EventType
from hean.errors import ParameterInvalid

H = TypeVar("H", bound=Callable[..., Any])

STRATEGY_TAG_LENGTH = 4  # fixed width keeps ids within the venues' 36 characters
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARK = "__hean_events__"


class Log(Protocol):
    """A structured logger: what happened, and its fields."""

    def __call__(self, message: str, /, **fields: object) -> None:
        """Record one line."""
        ...


def on(*event_types: EventType) -> Callable[[H], H]:
    """Mark a method as the handler of these event types."""

    def mark(handler: H) -> H:
        setattr(handler, _MARK, (*getattr(handler, _MARK, ()), *event_types))
        return handler

    return mark


class IdSequence:
    """Numbers for ids, one sequence for the whole process, so that no id is made twice.

    *epoch*: grows at every start of a process on the same data. *first*: start of the block of
    numbers that was reserved durably beforehand.
    """

    __slots__ = ("_prefixes", "epoch", "last")

    def __init__(self, epoch: int = 0, first: int = 1) -> None:
        self.epoch = epoch
        self.last = first - 1
        self._prefixes: dict[str, str] = {}

    def next_id(self, kind: str) -> str:
        """`h<epoch>-<tag>-<number>`, base 36; the tag is the first four letters of *kind*."""
        self.last += 1
        return self.last_id(kind)

    def last_id(self, kind: str) -> str:
        """The id with the last number given out."""
        prefix = self._prefixes.get(kind)
        if prefix is None:
            tag = "".join(char for char in kind.lower() if char in _DIGITS)[:STRATEGY_TAG_LENGTH]
            prefix = f"h{base36(self.epoch)}-{tag:0<{STRATEGY_TAG_LENGTH}}-"
            self._prefixes[kind] = prefix
        return prefix + base36(self.last)


def base36(number: int) -> str:
    """A number >= 0 in the digits 0-9a-z. *Raises*: `ParameterInvalid` below 0."""
    if number < 0:
        raise ParameterInvalid(f"base36 of {number}; ids count from 0 upwards.")
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


class Context:
    """What a module may use of the world.

    *name*: labels its log lines and random streams. *seed*: of the run. *config*: its frozen
    settings, of whatever type the module declares. *market*: what can be looked at, if anything.
    """

    __slots__ = ("_ids", "_seed", "clock", "config", "emit", "log", "market", "name")

    def __init__(
        self,
        bus: EventBus,
        clock: Clock,
        *,
        name: str = "",
        seed: int = 0,
        ids: IdSequence | None = None,
        log: Log | None = None,
        config: Any = None,
        market: Market | None = None,
    ) -> None:
        self.emit = bus.emit
        self.clock = clock
        self.name = name
        self.log: Log = log or _silent
        self.config = config
        self.market = market
        self._seed = seed
        self._ids = ids or IdSequence()

    def next_id(self, kind: str) -> str:
        """A new id, see `IdSequence.next_id`."""
        return self._ids.next_id(kind)

    def rng(self, label: str) -> random.Random:
        """A random stream of its own: same seed, name and label, same numbers.

        Drawing more from one stream never moves another.
        """
        text = f"{self._seed}/{self.name}/{label}".encode()
        return random.Random(int.from_bytes(hashlib.sha256(text).digest(), "big"))


class Module:
    """Base of all parts. May also have `start`, `stop` and `health`, sync or async."""

    name: ClassVar[str] = ""
    """As in deployments and health; the class name when empty."""
    produces: ClassVar[tuple[EventType, ...]] = ()
    truth: ClassVar[bool] = False
    """Whether a failing handler must stop new orders instead of being skipped."""

    context: Context

    @classmethod
    def handlers(cls) -> tuple[tuple[EventType, str], ...]:
        """Each mark as (event type, method name), base classes first, in order of definition."""
        names = {name: None for base in reversed(cls.__mro__) for name in vars(base)}
        return tuple(
            (event_type, name)
            for name in names
            for event_type in getattr(getattr(cls, name, None), _MARK, ())
        )

    @classmethod
    def consumed(cls) -> frozenset[EventType]:
        """The event types this module handles."""
        return frozenset(event_type for event_type, _ in cls.handlers())

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """Take *context* and subscribe every marked handler. *Returns*: undoes it."""
        self.context = context
        undo = []
        for event_type, name in self.handlers():
            handler: Handler = getattr(self, name)
            undo.append(bus.subscribe(event_type, handler))

        def detach() -> None:
            for unsubscribe in undo:
                unsubscribe()

        return detach


def _silent(message: str, /, **fields: object) -> None:
    """A log that keeps nothing; tests and pure simulations use it."""
