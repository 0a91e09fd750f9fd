# SPDX-License-Identifier: Apache-2.0
"""`bus.py`: one queue, one writer. `emit` never calls a handler; that is why no handler can see
a half-updated world. Events leave in the order they were emitted, but for the second half of a
fact that `emit_next` tells: all handlers of one event, in the order of their subscription, then the
next event. It does not persist, retry or route.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from hean.core.clock import SimClock
from hean.core.mailbox import InlineStep, Mailbox, Turns
from hean.core.ports import Clock
from hean.core.types import (
    PAYLOADS,
    Delivery,
    Error,
    Event,
    EventType,
    Payload,
    Signal,
    StampedEvent,
)
from hean.errors import FatalError, FieldInvalid, QueueFull, StateError

Handler = Callable[[Event], None] | Callable[[Event], Coroutine[Any, Any, None]]
Runner = Callable[[Event], None]
Fact = Payload | Event

MAX_QUEUE = 50_000  # EVENT_MAX_QUEUE_SIZE of the integration guide: seconds of a busy market
HIGH_WATER_FRACTION = 0.8  # above it new input is refused, so that cancels and fills still fit


_DELIVERING = StateError("delivering")  # a marker, never raised itself


class EventBus:
    """The queue of facts and the table of who handles what.

    *clock*: gives the time stamped on events. *mailboxes*: `async def` handlers run as tasks of
    *loop*, or of the running asyncio loop, instead of being stepped inline; *turns* says how many
    of them at a time. *on_failure*: told component, error and event of a failed handler, after
    which the others go on; without it the error is raised from `drain` with the event attached.
    *on_truth_failure*: told as well when the failed handler belongs to a module marked `truth`.
    *on_work*: called when something was emitted outside of a delivery, so that a driver can
    schedule `drain`.
    """

    def __init__(
        self,
        max_queue: int = MAX_QUEUE,
        *,
        clock: Clock | None = None,
        mailboxes: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        turns: Turns | None = None,
        on_failure: Callable[[str, Exception, Event], None] | None = None,
        on_truth_failure: Callable[[str, Exception, Event], None] | None = None,
        on_work: Callable[[], None] | None = None,
    ) -> None:
        self.clock: Clock = clock or SimClock()
        self.bound(max_queue)
        self.on_failure = on_failure
        self.on_truth_failure = on_truth_failure
        self.on_work = on_work
        self.on_burst: Callable[[], None] | None = None
        """Set by a driver that can deliver on the spot; see `offer`."""
        self.seq = 0
        """Number of the last event delivered, as of the end of the last `drain`."""
        self.merged = 0
        """Class B facts replaced by a newer one of their key while the queue was crowded."""
        self.dropped = 0
        """Class D facts dropped from a full queue."""
        self._queue: deque[Fact] = deque()
        self._handlers: dict[EventType, list[tuple[Handler, Runner]]] = {
            kind: [] for kind in EventType
        }
        self._taps: list[tuple[Runner]] = []
        self._gates: dict[EventType, _Gate] = {}
        self._routes = _Routes()
        self._loop = loop
        self._turns = turns
        self._mailboxes: list[Mailbox] | None = [] if mailboxes else None
        self._blocked: Exception | None = None  # why `drain` is refused; None when it is not
        self._rebuild()

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._queue)

    # ------------------------------------------------------------ wiring

    def bound(self, max_queue: int) -> None:
        """Let so many events wait at most, from now on."""
        self.max_queue = max_queue
        self.high_water = int(max_queue * HIGH_WATER_FRACTION)

    def subscribe(self, event_type: EventType, handler: Handler) -> Callable[[], None]:
        """Have *handler* called with each event of this type; `def` and `async def` both work.

        *Returns*: a function that ends the subscription. Both take effect with the next event.
        """
        entry = (handler, self._runner(handler))
        self._handlers[event_type].append(entry)
        self._rebuild()

        def unsubscribe() -> None:
            others = [each for each in self._handlers[event_type] if each is not entry]
            self._handlers[event_type] = others
            self._rebuild()

        return unsubscribe

    def tap(self, observer: Callable[[Event], None]) -> Callable[[], None]:
        """Have *observer* see every event before its handlers. *Returns*: ends it."""
        entry = (observer,)
        self._taps.append(entry)
        self._rebuild()

        def remove() -> None:
            self._taps = [each for each in self._taps if each is not entry]
            self._rebuild()

        return remove

    def gate(self, event_type: EventType, admit: Callable[[Event], bool]) -> Callable[[], None]:
        """Have *admit* asked before the handlers of this type; what it says no to, or fails on,
        no handler sees, whenever it subscribed. Taps see everything.

        *Returns*: ends it. *Raises*: `StateError` for a second gate: two truths are none.
        """
        if event_type in self._gates:
            raise StateError(f"{event_type} has a gate already; one part decides about a fact.")
        self._gates[event_type] = _Gate(admit, self._failed)
        self._rebuild()

        def remove() -> None:
            self._gates.pop(event_type, None)
            self._rebuild()

        return remove

    def wanted(self) -> frozenset[EventType]:
        """The event types that have a handler or a gate."""
        handled = {kind for kind, handlers in self._handlers.items() if handlers}
        return frozenset(handled | self._gates.keys())

    @property
    def mailboxes(self) -> tuple[Mailbox, ...]:
        """The mailboxes of the `async def` handlers; empty when they are stepped inline."""
        return tuple(self._mailboxes or ())

    # ------------------------------------------------------------ in

    def emit(self, fact: Fact) -> None:
        """Append a payload or an event; never blocks, never calls a handler.

        *Raises*: `QueueFull` when the queue may not take it; nothing was appended then.
        """
        queue = self._queue
        if len(queue) >= self.high_water and not self._make_room(fact):
            return
        queue.append(fact)
        if self.on_work is not None and self._blocked is None:
            self.on_work()

    def emit_next(self, fact: Fact) -> None:
        """Emit it before all that waits: the other half of what the event under delivery told, for
        whoever acts between the two would act on half a truth. One for an event.

        *Raises*: as `emit`.
        """
        queue = self._queue
        if len(queue) >= self.high_water and not self._make_room(fact):
            return
        queue.appendleft(fact)
        if self.on_work is not None and self._blocked is None:
            self.on_work()

    def offer(self, facts: Iterable[Fact]) -> None:
        """Emit what one frame of the rim brought, and have it delivered before this returns where
        the driver can: between a frame and the order it causes lies no turn of the event loop. What
        nobody handles or taps is left out.
        """
        if self.on_burst is None or self._blocked is not None:
            for fact in facts:
                self.emit(fact)
            return
        queue, routes = self._queue, self._routes
        is_heard = False
        for fact in facts:  # `emit` without a wake-up that this burst would take back
            kind, handlers = routes[fact.__class__]
            if handlers or kind is None:  # no kind: an envelope, whose fact is looked at later
                is_heard = True
                if len(queue) < self.high_water or self._make_room(fact):
                    queue.append(fact)
        if is_heard:
            self.on_burst()

    async def publish(self, event: Fact) -> None:
        """`emit`, as the integration guide spells it.

        A task at the rim waits here while the queue is crowded; a handler never does.
        """
        if len(self._queue) >= self.high_water and self.on_work is not None:
            while len(self._queue) >= self.high_water and self._blocked is None:
                await asyncio.sleep(0)
        self.emit(event)

    # ------------------------------------------------------------ out

    def drain(self, facts: Iterable[Fact] = (), *, limit: int = -1) -> None:
        """Emit *facts* and deliver everything that waits, including what handlers emit.

        *limit*: if positive, deliver at most so many and leave the rest. *Raises*: what a
        handler raised, when there is no `on_failure`; `StateError` when called from a handler.
        """
        if self._blocked is not None:
            self._refuse_drain(self._blocked)
        self._blocked = _DELIVERING
        routes, clock, queue = self._routes, self.clock, self._queue
        queue.extend(facts)
        seq = self.seq
        last = seq + limit  # with the default it is never reached
        try:
            while queue:
                fact: Any = queue.popleft()  # a payload, or an envelope
                seq += 1
                kind, handlers = routes[fact.__class__]
                if kind is not None:
                    event = StampedEvent(kind, fact, clock.now_ns, seq)
                else:  # an envelope somebody made: its source is kept, the rest is ours
                    kind, handlers = routes[fact.data.__class__]
                    event = StampedEvent(kind, fact.data, clock.now_ns, seq, fact.source)
                for handler in handlers:
                    try:
                        handler(event)
                    except _Refused:
                        break
                    except Exception as error:  # noqa: BLE001  # reason: any bug of user code
                        self._failed(handler, event, error)
                if seq == last:
                    break
        finally:
            self.seq = seq
            self._blocked = None

    async def drain_async(self) -> None:
        """`drain`, and wait for the mailboxes, until nothing is left to do."""
        self.drain()
        busy = [mailbox for mailbox in self.mailboxes if mailbox.is_busy]
        while busy or self._queue:
            for mailbox in busy:
                await mailbox.idle()
            self.drain()
            busy = [mailbox for mailbox in self.mailboxes if mailbox.is_busy]
        self.drain()

    # ------------------------------------------------------------ private

    def _refuse_drain(self, reason: Exception) -> None:
        """The bus is delivering, or a mailbox task has failed since the last time."""
        if reason is _DELIVERING:
            raise StateError("drain was called by a handler; a handler emits and returns.")
        self._blocked = None
        raise reason

    def _wake(self) -> None:
        if self.on_work is not None:
            self.on_work()

    def _rebuild(self) -> None:
        taps = [observer for (observer,) in self._taps]
        for kind, payload in PAYLOADS.items():
            runners = (runner for _, runner in self._handlers[kind])
            gate = (self._gates[kind],) if kind in self._gates else ()
            self._routes[payload] = (kind, (*taps, *gate, *runners))

    def _runner(self, handler: Handler) -> Callable[[Event], None]:
        """What the loop calls for this handler."""
        if not _is_async(handler):
            return handler  # type: ignore[return-value]  # a plain function: it returns nothing
        if self._mailboxes is None:
            return InlineStep(handler)  # type: ignore[arg-type]  # known to be async
        coroutine: Any = handler  # known to be async
        mailbox = Mailbox(coroutine, self._failed, loop=self._loop, turns=self._turns)
        self._mailboxes.append(mailbox)
        return mailbox

    def _make_room(self, fact: Fact) -> bool:
        """Decide about one fact above the high-water mark; `False` when it was merged."""
        payload: Payload = fact.data if isinstance(fact, Event) else fact
        waiting = len(self._queue)
        match payload.delivery:
            case Delivery.NEWEST_PER_KEY if self._merge(fact, payload):
                return False
            case Delivery.DROPPABLE if waiting >= self.max_queue:
                return self._drop_oldest()
        is_new_input = payload.delivery is Delivery.IN_ORDER or isinstance(payload, Signal)
        if waiting >= self.max_queue or is_new_input:
            raise QueueFull(
                f"{waiting} events wait, {self.max_queue} are allowed and new input stops at "
                f"{self.high_water}; {payload.event_type} refused. Raise EVENT_MAX_QUEUE_SIZE "
                "or handle events faster."
            )
        return True

    def _merge(self, fact: Fact, payload: Payload) -> bool:
        """Put a class B fact in the place of the waiting one of its key, if there is one."""
        key = payload.key_value()
        for place, waiting in enumerate(self._queue):
            other = waiting.data if isinstance(waiting, Event) else waiting
            if other.__class__ is payload.__class__ and other.key_value() == key:
                self._queue[place] = fact
                self.merged += 1
                return True
        return False

    def _drop_oldest(self) -> bool:
        """Drop the oldest class D fact; `False` when none waits and the new one is dropped."""
        self.dropped += 1
        for place, waiting in enumerate(self._queue):
            other = waiting.data if isinstance(waiting, Event) else waiting
            if other.delivery is Delivery.DROPPABLE:
                del self._queue[place]
                return True
        return False

    def _failed(self, handler: Callable[[Event], Any], event: Event, error: Exception) -> None:
        """A handler raised: stop, or report and go on, as the composition decided."""
        if getattr(error, "event", None) is not event:  # a gate's error passes here twice
            error.add_note(f"in {_name(handler)}, handling event {event.seq}: {event!r}")
        setattr(error, "event", event)  # noqa: B010  # an attribute that Exception has not
        if self.on_failure is None or isinstance(error, FatalError):
            if self._blocked is _DELIVERING:
                raise error
            self._blocked = error  # from a mailbox task: the next drain raises it
            self._wake()
            return
        component = _component(handler)
        self.on_failure(component, error, event)
        if getattr(_owner(handler), "truth", False) and self.on_truth_failure is not None:
            self.on_truth_failure(component, error, event)
        if event.event_type is not EventType.ERROR:  # else a failing ERROR handler never ends
            text = f"{type(error).__name__}: {error}"
            self._queue.append(Error(component, text, self.clock.now_ns, event.seq))
            self._wake()


class _Refused(Exception):
    """How a gate ends the delivery of one event."""


class _Gate:
    """Stands before the handlers of one event type. *handler*: decides; *failed*: told when it
    cannot, which is a no."""

    __slots__ = ("_failed", "handler")

    def __init__(
        self,
        handler: Callable[[Event], bool],
        failed: Callable[[Callable[[Event], Any], Event, Exception], None],
    ) -> None:
        self.handler = handler
        self._failed = failed

    def __call__(self, event: Event) -> None:
        try:
            is_admitted = self.handler(event)
        except Exception as error:  # noqa: BLE001  # reason: whatever it was, it did not say yes
            self._failed(self, event, error)
            is_admitted = False
        if not is_admitted:
            raise _Refused


class _Routes(dict[type, Any]):
    """Class of a fact → event type and whom to call; no type for an envelope, an error for anything
    else.
    """

    def __init__(self) -> None:
        super().__init__({Event: (None, ()), StampedEvent: (None, ())})

    def __missing__(self, kind: type) -> None:
        raise FieldInvalid(f"a {kind.__name__} was emitted; emit a payload or an Event.")


def _is_async(handler: Callable[[Event], Any]) -> bool:
    call = getattr(handler, "__call__", None)  # noqa: B004  # an object with async __call__
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)


def _owner(handler: Callable[[Event], Any]) -> object:
    """The object a handler belongs to; for a mailbox, that of the handler behind it."""
    wrapped = getattr(handler, "handler", handler)
    return getattr(wrapped, "__self__", wrapped)


def _name(handler: Callable[[Event], Any]) -> str:
    wrapped = getattr(handler, "handler", handler)
    return str(getattr(wrapped, "__qualname__", type(wrapped).__qualname__))


def _component(handler: Callable[[Event], Any]) -> str:
    owner = _owner(handler)
    name = getattr(owner, "name", "")
    if isinstance(name, str) and name:
        return name
    is_method = hasattr(getattr(handler, "handler", handler), "__self__")
    return type(owner).__name__ if is_method else _name(handler)
