# SPDX-License-Identifier: Apache-2.0
"""A bank of bugs to be planted in the engine, one at a time. Each is one that trading programs have
had, or this one had until the simulator found it; a patch brings it in, and says under which faults
it must be noticed and by which promises. A bug that is not noticed is a hole in the checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hean.core.journal import Journal
from hean.core.types import Error, EventType, Side
from hean.errors import JournalWriteFailed, VenueRefused
from hean.execution.orders import OrderManager
from hean.live import recorder as recorder_module
from hean.live.engine import LiveEngine
from hean.live.latch import Latch
from hean.live.recorder import Recorder
from hean.live.recovery import Books
from hean.live.safety import Safety
from hean.portfolio.portfolio import Portfolio
from hean.reconcile.reconcile import Reconciler
from hean.risk.killswitch import KillSwitch
from hean.risk.risk_governor import RiskGovernor
from hean.sim.disk import DiskFaults
from hean.sim.exchange import SECRET
from hean.sim.net import NetFaults
from hean.sim.scenario import Kill, Order, Scenario, calm
from hean.venues import bybit as bybit_module
from hean.venues import search as search_module
from hean.venues.bybit import BybitCodec
from hean.venues.codec import Codec
from hean.venues.dispatch import Dispatch, Flight
from hean.venues.gateway import Gateway
from hean.venues.outcomes import Outcome
from hean.venues.private import PrivateStream
from hean.venues.questions import Questions
from hean.venues.reports import Execution, Listing, OrderReport, Reply, Status, Tracked
from hean.venues.resolution import Resolution
from hean.venues.session import Session
from hean.venues.tracking import OrderTracker

Patch = pytest.MonkeyPatch
ZERO = Decimal(0)


@dataclass(frozen=True)
class Bug:
    """*plant*: brings it in; *scene*: the scenario of a seed in which it does harm; *promises*: one
    of which must be found broken.
    """

    name: str
    plant: Callable[[Patch], None]
    scene: Callable[[int], Scenario]
    promises: tuple[str, ...]


def scene(seed: int, *dials: dict[str, Any], workload: str = "takers", **more: Any) -> Scenario:
    """Bybit's perpetual with a busy strategy, and these dials of the twin."""
    fields = {"venue": "bybit", "market": "linear", "path": "busy", "pace": 0.7, "dials": dials}
    limits = {**calm(seed).limits, "open_orders_max": "20", "orders_per_second_max": "10"}
    given = {**fields, "workload": workload, "limits": limits, "is_strict": False, **more}
    return msgspec.structs.replace(calm(seed), **given)


def dials(*names: str, workload: str = "takers", **more: Any) -> Callable[[int], Scenario]:
    """A scene with dials that act on every third victim."""
    documents = [{"dial": name, "probability": 0.3} for name in names]
    return lambda seed: scene(seed, *documents, workload=workload, **more)


def kills(seed: int) -> tuple[Kill, ...]:
    """Deaths in the middle of trading."""
    return tuple(
        Kill(life, 420 + 37 * life + seed % 50, is_touch=False, down_s=0.5) for life in (1, 2, 3)
    )


def dying(*names: str, workload: str = "takers") -> Callable[[int], Scenario]:
    """The same with deaths."""
    documents = [{"dial": name, "probability": 0.3} for name in names]
    return lambda seed: scene(seed, *documents, workload=workload, kills=kills(seed))


def stopping(level: str) -> Callable[[int], Scenario]:
    """Somebody stops trading, and the process dies later."""
    order = Order(6.0, "kill", {"level": level, "reason": "an exercise"})
    late = (Kill(1, 1_100, is_touch=False, down_s=0.5),)
    return lambda seed: scene(seed, orders=(order,), kills=late, pace=1.0)


# ---------------------------------------------------------------- sent twice, or not known


def resent_after_a_timeout(patch: Patch) -> None:
    sent: dict[str, Any] = {}
    submit, lost = Gateway.submit, Gateway.lost

    def remembered(self: Gateway, approved: Any) -> None:
        sent[approved.order_id] = approved
        submit(self, approved)

    def again(self: Gateway, flight: Flight) -> None:
        lost(self, flight)
        if flight.kind == "submit" and flight.order.order_id in sent:
            call = self.codec.submit_call(sent.pop(flight.order.order_id))
            self.dispatch.send_by_rest(Flight("submit", flight.order, flight.sent_ns), call)

    patch.setattr(Gateway, "submit", remembered)
    patch.setattr(Gateway, "lost", again)


def rejected_after_a_timeout(patch: Patch) -> None:
    def lost(self: Gateway, flight: Flight) -> None:
        if flight.kind == "submit":
            self.tracker.refused(flight.order, VenueRefused, "no answer")

    patch.setattr(Gateway, "lost", lost)


def forgotten_after_a_timeout(patch: Patch) -> None:
    patch.setattr(Gateway, "lost", lambda self, flight: None)


def a_5xx_is_a_no(patch: Patch) -> None:
    end = Dispatch._end

    def wrong(self: Dispatch, flight: Flight, reply: Reply) -> None:
        if reply.verdict.outcome is Outcome.UNKNOWN and flight.kind == "submit":
            self._ends.refused(flight, VenueRefused, "server error")
        else:
            end(self, flight, reply)

    patch.setattr(Dispatch, "_end", wrong)


def garbage_is_a_yes(patch: Patch) -> None:
    end = Dispatch._end

    def wrong(self: Dispatch, flight: Flight, reply: Reply) -> None:
        if reply.verdict.outcome is Outcome.UNKNOWN and flight.kind == "submit":
            self._ends.done(flight, reply)
        else:
            end(self, flight, reply)

    patch.setattr(Dispatch, "_end", wrong)


def absent_after_one_look(patch: Patch) -> None:
    patch.setattr(search_module, "missing_proof", lambda proof, order, patience: "")
    patch.setattr(search_module, "ROUNDS", 1)


def not_found_is_cancelled(patch: Patch) -> None:
    def wrong(self: Resolution, order: Tracked) -> None:
        gone = OrderReport(
            order.symbol, order.order_id, order.exchange_order_id, Status.CANCELLED,
            order.size, order.filled, "NotFound",
        )  # fmt: skip
        self._search._tracker.report(gone)

    patch.setattr(Resolution, "not_found", wrong)


def a_lost_cancel_is_forgotten(patch: Patch) -> None:
    lost = Gateway.lost

    def wrong(self: Gateway, flight: Flight) -> None:
        if flight.kind == "submit":
            lost(self, flight)

    patch.setattr(Gateway, "lost", wrong)


def a_refused_cancel_is_forgotten(patch: Patch) -> None:
    patch.setattr(Resolution, "cancel_refused", lambda self, order: None)


# ---------------------------------------------------------------- what is written, and when


def nothing_is_written_before_it_is_sent(patch: Patch) -> None:
    patch.setattr(Recorder, "sending", lambda self, verb, order, price, size: None)


def written_and_not_committed(patch: Patch) -> None:
    def sending(self: Recorder, verb: Any, order: Tracked, price: Any, size: Any) -> None:
        row = recorder_module.Sent(verb, order.order_id, price, size)
        self.write(recorder_module.SENT, recorder_module.row_bytes(row))

    patch.setattr(Recorder, "sending", sending)


def a_failed_commit_is_ignored(patch: Patch) -> None:
    commit = Journal.commit

    def wrong(self: Journal) -> None:
        try:
            commit(self)
        except JournalWriteFailed:
            self._failure = None

    patch.setattr(Journal, "commit", wrong)


def fills_are_told_before_they_are_durable(patch: Patch) -> None:
    later = recorder_module.AT_ONCE - {EventType.ORDER_FILLED}
    patch.setattr(recorder_module, "AT_ONCE", later)


def a_secret_in_the_journal(patch: Patch) -> None:
    lost = Gateway.lost

    def telling(self: Gateway, flight: Flight) -> None:
        self.tracker._emit(Error("gateway", f"no answer; signed with {SECRET}", flight.sent_ns))
        lost(self, flight)

    patch.setattr(Gateway, "lost", telling)


def ids_begin_anew_at_every_start(patch: Patch) -> None:
    patch.setattr(LiveEngine, "_next_epoch", lambda self, known: 1)


# ---------------------------------------------------------------- fills


def fills_are_booked_twice(patch: Patch) -> None:
    booked = Portfolio.on_filled

    def twice(self: Portfolio, event: Any) -> None:
        booked(self, event)
        self.ledger.book(event.data)

    # The mark of the handler is kept: the module finds its handlers by it.
    twice.__dict__.update(booked.__dict__)
    patch.setattr(Portfolio, "on_filled", twice)


def a_repeated_fill_counts_again(patch: Patch) -> None:
    execution = OrderTracker.execution
    counts = iter(range(1, 10**9))

    def again(self: OrderTracker, piece: Execution) -> None:
        seen = self.has_seen(piece)
        execution(
            self, replace(piece, exec_id=f"{piece.exec_id}-{next(counts)}") if seen else piece
        )

    patch.setattr(OrderTracker, "execution", again)


def fees_are_lost(patch: Patch) -> None:
    execution = OrderTracker.execution
    patch.setattr(
        OrderTracker, "execution", lambda self, piece: execution(self, replace(piece, fee=ZERO))
    )


def quantities_pass_through_a_float(patch: Patch) -> None:
    execution = OrderTracker.execution

    def floated(self: OrderTracker, piece: Execution) -> None:
        execution(self, replace(piece, quantity=Decimal(float(piece.quantity))))

    patch.setattr(OrderTracker, "execution", floated)


def nothing_is_fetched_after_a_hole(patch: Patch) -> None:
    patch.setattr(PrivateStream, "_merge", lambda self, reports, executions: None)


def a_closing_by_the_venue_is_nobodys(patch: Patch) -> None:
    execution = OrderTracker.execution

    def ours_only(self: OrderTracker, piece: Execution) -> None:
        if self._find(piece.client_order_id, piece.exchange_order_id) is not None:
            execution(self, piece)

    patch.setattr(OrderTracker, "execution", ours_only)
    patch.setattr(Reconciler, "_adopt", lambda self, symbol, read: ZERO)


def what_is_taken_off_a_reduction_stays_open(patch: Patch) -> None:
    report = OrderTracker.report

    def overwritten(self: OrderTracker, look: OrderReport) -> None:
        order = self._find(look.client_order_id, look.exchange_order_id)
        if order is not None and look.quantity > 0:
            order.size = look.quantity
        report(self, look)

    patch.setattr(OrderTracker, "report", overwritten)


# ---------------------------------------------------------------- limits and stops


def an_unknown_order_does_not_count(patch: Patch) -> None:
    def wrong(self: OrderManager, event: Any) -> None:
        self.engine.on_cancelled(event.data.order_id, event.ts_ns)

    wrong.__dict__.update(OrderManager.on_unknown.__dict__)
    patch.setattr(OrderManager, "on_unknown", wrong)


def limits_are_not_set(patch: Patch) -> None:
    from hean.system import TradingSystem

    init = TradingSystem.__init__

    def lax(self: Any, *args: Any, settings: Any, **more: Any) -> None:
        loose = msgspec.structs.replace(settings, limits={"collar_fraction": "0.05"})
        loose = msgspec.structs.replace(loose, leverage=Decimal(1_000))
        init(self, *args, settings=loose, **more)

    patch.setattr(TradingSystem, "__init__", lax)


def old_data_is_good_enough(patch: Patch) -> None:
    patch.setattr(RiskGovernor, "_require_fresh", lambda self, request: None)


def the_kill_switch_lives_in_memory(patch: Patch) -> None:
    tap = Recorder.tap

    def forgetful(self: Recorder, event: Any) -> None:
        if event.event_type is not EventType.KILLSWITCH_TRIGGERED:
            tap(self, event)

    patch.setattr(Recorder, "tap", forgetful)
    patch.setattr(Latch, "raise_to", lambda self, latched: None)


def the_last_hop_knows_no_stop(patch: Patch) -> None:
    patch.setattr(LiveEngine, "_objection", lambda self, is_reduction: "")
    patch.setattr(KillSwitch, "objection", lambda self, reduce_only: "")

    def deaf(self: RiskGovernor, event: Any) -> None:
        """The engine is not told either."""

    deaf.__dict__.update(RiskGovernor.on_kill_switch.__dict__)
    patch.setattr(RiskGovernor, "on_kill_switch", deaf)


def a_restart_releases_the_kill_switch(patch: Patch) -> None:
    patch.setattr(Safety, "restore", lambda self, journaled, baseline=None: None)
    fold_halt = Books._halt

    def halted(self: Books, triggered: Any) -> None:
        fold_halt(self, triggered)
        self.engine.release_halt()

    patch.setattr(Books, "_halt", halted)


def a_reduction_may_open(patch: Patch) -> None:
    frame = BybitCodec.submit_frame

    def opened(self: BybitCodec, approved: Any, *rest: Any) -> Any:
        plain = msgspec.structs.replace(approved, reduce_only=False)
        return frame(self, plain, *rest)

    patch.setattr(BybitCodec, "submit_frame", opened)


def a_price_is_a_tick_off(patch: Patch) -> None:
    frame = BybitCodec.submit_frame

    def shifted(self: BybitCodec, approved: Any, *rest: Any) -> Any:
        if approved.price is not None:
            price = approved.price + Decimal("0.1")
            approved = msgspec.structs.replace(approved, price=price)
        return frame(self, approved, *rest)

    patch.setattr(BybitCodec, "submit_frame", shifted)


def sides_are_swapped(patch: Patch) -> None:
    frame = BybitCodec.submit_frame

    def swapped(self: BybitCodec, approved: Any, *rest: Any) -> Any:
        side = Side.SELL if approved.side is Side.BUY else Side.BUY
        return frame(self, msgspec.structs.replace(approved, side=side), *rest)

    patch.setattr(BybitCodec, "submit_frame", swapped)


# ---------------------------------------------------------------- the account, and starting again


def a_failed_position_query_is_flat(patch: Patch) -> None:
    positions = BybitCodec.positions

    async def flat(self: Codec, ask: Any) -> Any:
        try:
            return await positions(self, ask)  # type: ignore[arg-type]  # of this venue
        except Exception:  # noqa: BLE001  # reason: this is the bug
            return Listing(())

    patch.setattr(bybit_module.BybitCodec, "positions", flat)


def a_restart_forgets_its_orders(patch: Patch) -> None:
    patch.setattr(Books, "tracked", lambda self: [])


def a_replay_leaves_ends_out(patch: Patch) -> None:
    fact = Books._fact

    def lossy(self: Books, record: Any) -> None:
        if record.kind != EventType.ORDER_CANCELLED:
            fact(self, record)

    patch.setattr(Books, "_fact", lossy)


def a_stop_in_between_spoils_the_replay(patch: Patch) -> None:
    def strict(self: Books, order_id: str) -> None:
        ticket, approved_ns = self._tickets.pop(order_id)
        self.engine.redeem(order_id, ticket, approved_ns)

    patch.setattr(Books, "_use_tickets", lambda self: None)
    patch.setattr(Books, "_use_ticket", strict)


def a_lost_login_is_waited_for(patch: Patch) -> None:
    patch.setattr(Session, "_give_up", lambda self: None)


def time_outs_run_on_the_wall_clock(patch: Patch) -> None:
    patch.setattr(Questions, "ticks_ns", lambda self: self._now())


MAYBE_HERE = ("I-14", "I-21", "I-22")
"""An order that is at the venue and is not known here, or the other way round."""
SLOW = DiskFaults(slow_fraction=0.05, slow_s=3.0)
JUMPS = ((8.0, 3_600.0), (12.0, -3_600.0))
CUTS = NetFaults(cut_every_s=4.0)
AWAY = ({"dial": "public_cut", "at_s": 8.0, "refuses_s": 60.0},)
CLOSES = ({"dial": "balance_short", "at_s": 10.0, "for_s": 5.0, "match": {"market": "linear"}},)
STALLS = (
    {"dial": "private_cut", "at_s": 6.0},
    {"dial": "stall", "at_s": 6.5, "for_s": 20.0, "pongs": False},
)

BUGS = (
    Bug("resent after a timeout", resent_after_a_timeout, dials("ack_lost"), ("I-04", "I-05")),
    Bug("rejected after a timeout", rejected_after_a_timeout, dials("ack_lost"), MAYBE_HERE),
    Bug("forgotten after a timeout", forgotten_after_a_timeout, dials("ack_lost"), MAYBE_HERE),
    Bug("a 5xx is a no", a_5xx_is_a_no, dials("server_error"), MAYBE_HERE),
    Bug("garbage is a yes", garbage_is_a_yes, lambda seed: scene(
        seed, {"dial": "garbage_body", "probability": 0.3, "accepted": False, "form": "missing_id"},
        workload="maker",
    ), MAYBE_HERE),
    Bug("absent after one look", absent_after_one_look, lambda seed: scene(
        seed, {"dial": "timeout_late", "probability": 0.3, "delay_s": 8.0, "held": "engine"},
    ), ("R-30", "I-14")),
    Bug("not found is cancelled", not_found_is_cancelled,
        dials("cancel_fails", workload="maker"), MAYBE_HERE),
    Bug("a lost cancel is forgotten", a_lost_cancel_is_forgotten, lambda seed: scene(
        seed, {"dial": "timeout_lost", "probability": 0.3, "match": {"op": "cancel"}},
        workload="maker",
    ), ("I-21",)),
    Bug("a refused cancel is forgotten", a_refused_cancel_is_forgotten, lambda seed: scene(
        seed, {"dial": "overloaded", "probability": 0.4, "match": {"op": "cancel"}},
        workload="maker",
    ), ("I-21",)),
    Bug("nothing is written before it is sent", nothing_is_written_before_it_is_sent, scene,
        ("I-05",)),
    Bug("written and not committed", written_and_not_committed, scene, ("I-05",)),
    Bug("a failed commit is ignored", a_failed_commit_is_ignored,
        lambda seed: scene(seed, disk=DiskFaults(error_fraction=0.1)), ("I-05", "I-10", "R-03")),
    Bug("fills before they are durable", fills_are_told_before_they_are_durable, scene, ("R-03",)),
    Bug("a secret in the journal", a_secret_in_the_journal, dials("ack_lost"), ("I-19",)),
    Bug("ids begin anew", ids_begin_anew_at_every_start, dying(), ("I-03", "I-17", "I-04", "I-21")),
    Bug("fills are booked twice", fills_are_booked_twice, scene, ("I-10", "I-21")),
    Bug("a repeated fill counts again", a_repeated_fill_counts_again,
        dials("frame_duplicate"), ("I-01", "I-10", *MAYBE_HERE)),
    Bug("fees are lost", fees_are_lost, scene, ("I-01",)),
    Bug("quantities pass through a float", quantities_pass_through_a_float, scene,
        ("I-01", "I-10", "R-03", *MAYBE_HERE)),
    Bug("nothing is fetched after a hole", nothing_is_fetched_after_a_hole,
        lambda seed: scene(seed, net=CUTS, pace=1.0), ("I-01", *MAYBE_HERE)),
    Bug("a closing by the venue is nobody's", a_closing_by_the_venue_is_nobodys,
        lambda seed: scene(seed, *CLOSES, pace=1.0), ("I-01", *MAYBE_HERE)),
    Bug("what is taken off a reduction stays open", what_is_taken_off_a_reduction_stays_open,
        lambda seed: scene(seed, workload="monkey", pace=1.0), ("I-21",)),
    Bug("an unknown order does not count", an_unknown_order_does_not_count,
        dials("ack_lost"), ("I-07", "I-10", *MAYBE_HERE)),
    Bug("limits are not set", limits_are_not_set,
        lambda seed: scene(seed, path="quiet", pace=1.0), ("I-07",)),
    Bug("old data is good enough", old_data_is_good_enough,
        lambda seed: scene(seed, *AWAY, workload="brackets"), ("I-12",)),
    Bug("the kill switch lives in memory", the_kill_switch_lives_in_memory,
        stopping("HALT_NEW"), ("R-20", "I-08", "I-10")),
    Bug("the last hop knows no stop", the_last_hop_knows_no_stop,
        stopping("HALT_NEW"), ("I-08",)),
    Bug("a restart releases the kill switch", a_restart_releases_the_kill_switch,
        stopping("HALT_NEW"), ("I-08", "I-10")),
    Bug("a reduction may open", a_reduction_may_open,
        lambda seed: scene(seed, pace=1.0), ("I-04", "I-09")),
    Bug("a price is a tick off", a_price_is_a_tick_off,
        lambda seed: scene(seed, workload="maker"), ("I-04", "I-21")),
    Bug("sides are swapped", sides_are_swapped, scene, ("I-04", "I-21")),
    Bug("a failed position query is flat", a_failed_position_query_is_flat,
        dials("position_query_fails"), ("I-01", "I-10", *MAYBE_HERE)),
    Bug("a restart forgets its orders", a_restart_forgets_its_orders,
        dying(workload="maker"), MAYBE_HERE),
    Bug("a replay leaves ends out", a_replay_leaves_ends_out,
        dials(workload="maker"), ("I-10",)),
    Bug("a stop in between spoils the replay", a_stop_in_between_spoils_the_replay,
        lambda seed: scene(seed, disk=SLOW, pace=1.0), ("I-10",)),
    Bug("a lost login is waited for", a_lost_login_is_waited_for,
        lambda seed: scene(seed, *STALLS), ("I-21",)),
    Bug("time-outs run on the wall clock", time_outs_run_on_the_wall_clock,
        lambda seed: scene(seed, skews=JUMPS, net=CUTS), MAYBE_HERE),
)  # fmt: skip
