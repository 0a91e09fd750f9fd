# SPDX-License-Identifier: Apache-2.0
"""Every error HEAN raises on purpose, and what it does about each.

    HeanError
    ├── InputError    1xxx  refuse the input, keep running
    ├── RiskRefusal   2xxx  refuse the order, tell the strategy
    ├── OrderError    3xxx  refuse the request, order state unchanged
    ├── VenueError    4xxx  the venue or its book said no
    ├── LedgerError   5xxx  money does not suffice, or does not add up
    ├── StateError    6xxx  a part of the system was used out of order
    └── FatalError    9xxx  stop: journal damaged, fsync failed, two writers

The numbers are shared with Rust (`crates/core/src/error.rs`). A message says what, where,
observed, allowed, next step. Each class names its number, so a log line finds its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class HeanError(Exception):
    """Root of all errors raised on purpose. Reaction: see the family."""

    code: ClassVar[int] = 0

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.code}: {super().__str__()}"

    @property
    def message(self) -> str:
        """The sentence without class name and number."""
        return super().__str__()


class InputError(HeanError):
    """Bad input. Reaction: refuse it with the place and the nearest valid value; keep running."""

    code = 1000


class PriceNotOnTick(InputError):
    """A price off the tick grid. Reaction: refuse; quantise in risk/sizing.py."""

    code = 1101


class NumberNotFinite(InputError):
    """NaN or infinity where a number is due. Reaction: refuse; state unchanged."""

    code = 1102


class UnknownField(InputError):
    """A field no schema knows. Reaction: refuse and name the nearest known field."""

    code = 1103


class QuantityNotOnLot(InputError):
    """A quantity off the lot grid. Reaction: refuse; quantise in risk/sizing.py."""

    code = 1104


class NumberOutOfRange(InputError):
    """A number outside the exact range. Reaction: refuse; nothing wraps."""

    code = 1105


class NotADecimal(InputError):
    """Text that is not a plain decimal. Reaction: refuse."""

    code = 1106


class InstrumentInvalid(InputError):
    """Contradictory trading rules. Reaction: refuse the instrument."""

    code = 1107


class UnknownSymbol(InputError):
    """A symbol this system does not trade. Reaction: refuse and name the known ones."""

    code = 1108


class OrderSizeInvalid(InputError):
    """Order outside the venue's size filters. Reaction: refuse before it is sent."""

    code = 1109


class ParameterInvalid(InputError):
    """A parameter unknown or outside its declared range. Reaction: refuse to start."""

    code = 1110


class DataInvalid(InputError):
    """Recorded data that contradicts itself. Reaction: refuse with up to 50 places.

    `problems` holds the same places as structured records, for JSON and for tests.
    """

    code = 1111

    def __init__(self, message: str, problems: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class FrameInvalid(InputError):
    """A venue frame that cannot be understood. Reaction: drop, count, mark stale if needed."""

    code = 1112


class FieldInvalid(InputError):
    """A field is missing or of the wrong type. Reaction: refuse, naming the field."""

    code = 1120


class RiskRefusal(HeanError):
    """An order refused before it could leave. Reaction: tell the strategy, keep running."""

    code = 2000


class LimitBreached(RiskRefusal):
    """A hard limit would be crossed. Reaction: refuse with limit, observed and allowed."""

    code = 2101


class TicketInvalid(RiskRefusal):
    """Ticket unknown, used, expired or for other fields. Reaction: refuse to send."""

    code = 2102


class AlreadyApproved(RiskRefusal):
    """Second approval of one order id. Reaction: refuse; the first stands."""

    code = 2103


class NoReferencePrice(RiskRefusal):
    """No fresh price to value the order. Reaction: refuse."""

    code = 2104


class Halted(RiskRefusal):
    """Trading is halted. Reaction: refuse everything but cancels and reductions."""

    code = 2105


class ReduceOnlyViolated(RiskRefusal):
    """A reduce-only order would open or grow a position. Reaction: refuse."""

    code = 2106


class LookAhead(RiskRefusal):
    """A feature knows the future. Reaction: refuse the run before anything is learned from it."""

    code = 2107


class OrderError(HeanError):
    """A request or fact that does not fit the order. Reaction: state unchanged, counted."""

    code = 3000


class OrderUnknown(OrderError):
    """No order under this id. Reaction: refuse; ask the venue if it came from there."""

    code = 3101


class IllegalTransition(OrderError):
    """A fact that cannot follow the order's state. Reaction: journal, alarm, no change."""

    code = 3102


class DuplicateOrder(OrderError):
    """An order id used before. Reaction: refuse; ids are never used twice."""

    code = 3103


class OrderNotOpen(OrderError):
    """The order is closed. Reaction: refuse; query, never assume."""

    code = 3104


class VenueError(HeanError):
    """The venue, real or simulated, said no. Reaction: by class."""

    code = 4000


class BookGap(VenueError):
    """A delta is missing. Reaction: drop the book, resubscribe, stale until fresh."""

    code = 4101


class BookCrossed(VenueError):
    """Best bid at or above best ask. Reaction: as a gap."""

    code = 4102


class WouldTrade(VenueError):
    """Post-only order would have traded. Reaction: order rejected."""

    code = 4103


class NotFillable(VenueError):
    """Fill-or-kill order cannot be filled whole. Reaction: order cancelled."""

    code = 4104


class NoLiquidity(VenueError):
    """Nobody to trade with. Reaction: order cancelled."""

    code = 4105


class WouldTrigger(VenueError):
    """Last trade price already beyond the trigger. Reaction: order rejected; decide anew."""

    code = 4106


class VenueRefused(VenueError):
    """A request did not reach the venue's engine. Reaction: order rejected; decide anew."""

    code = 4201


class KeyRefused(VenueError):
    """Key, permission or address not accepted. Reaction: nothing new, one try a minute."""

    code = 4202


class RateLimited(VenueError):
    """Refused unheard, too many requests. Reaction: silence for as long as the venue says."""

    code = 4203


class ClockRefused(VenueError):
    """Time outside the venue's window. Reaction: measure the offset; decide anew once."""

    code = 4204


class FilterRefused(VenueError):
    """Another trading rule than the known ones. Reaction: order rejected, rules loaded again."""

    code = 4205


class NotConnected(VenueError):
    """No open socket, so nothing was sent. Reaction: a definite no; another way or none."""

    code = 4301


class NotSent(VenueError, OSError):
    """The host was not reached, so nothing was sent. Reaction: a definite no; ask later."""

    code = 4302


class OutcomeUnknown(VenueError, OSError):
    """Sent, and no whole answer. Reaction: it may have happened; hold exposure and ask."""

    code = 4303


class LedgerError(HeanError):
    """Money does not suffice or does not add up. Reaction: by class."""

    code = 5000


class InsufficientMargin(LedgerError):
    """Balance or margin does not suffice. Reaction: order rejected."""

    code = 5101


class LedgerBroken(LedgerError):
    """The ledger's identity does not hold. Reaction: stop; this is a bug."""

    code = 5102


class StateError(HeanError):
    """A part was used out of order. Reaction: refuse the call; fix the caller."""

    code = 6000


class HandlerSuspended(StateError):
    """An async handler really waited in a simulation. Reaction: stop; use --virtual-loop."""

    code = 6101


class QueueFull(StateError):
    """A bounded queue is full. Reaction: refuse new input; never drop silently."""

    code = 6102


class CircuitOpen(StateError):
    """The component's breaker is open. Reaction: refuse until it has rested."""

    code = 6103


class TopologyInvalid(StateError):
    """A wiring that cannot work. Reaction: refuse to start, naming the missing part."""

    code = 6104


class EnvironmentFault(HeanError):
    """The machine lacks something: port, disk, server. Reaction: exit 3 with the remedy."""

    code = 7000


class BrokerLost(EnvironmentFault):
    """A message broker cannot be reached. Reaction: keep what was to be said, try again."""

    code = 7101


class FatalError(HeanError):
    """Going on could lose money. Reaction: stop at once, stay stopped until a person looks."""

    code = 9000


class JournalDamaged(FatalError):
    """The journal's chain or file is broken. Reaction: refuse to start, name the row."""

    code = 9101


class JournalWriteFailed(FatalError):
    """A commit failed. Reaction: exit; never retry on the same file."""

    code = 9102


class SecondWriter(FatalError):
    """Another process holds the data directory. Reaction: exit, naming the holder."""

    code = 9103


class ReplayDiverged(FatalError):
    """A replay differs from its journal. Reaction: stop, name the first sequence number."""

    code = 9104


def all_errors() -> list[type[HeanError]]:
    """Every error class below `HeanError`, parents first."""
    found: list[type[HeanError]] = []
    queue: list[type[HeanError]] = [HeanError]
    while queue:
        parent = queue.pop(0)
        children = sorted(parent.__subclasses__(), key=lambda child: child.code)
        found.extend(children)
        queue.extend(children)
    return found


_BY_CODE = {error.code: error for error in all_errors()}


def from_core(code: int, message: str) -> HeanError:
    """The exception for a number of the Rust core; an unknown number becomes `HeanError`."""
    return _BY_CODE.get(code, HeanError)(message)
