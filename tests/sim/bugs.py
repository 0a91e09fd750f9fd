# SPDX-License-Identifier: Apache-2.0
"""The bank: every planted bug with the scenario that provokes it and the promises of which it
breaks one first.
"""

from __future__ import annotations

from hean.sim.disk import DiskFaults
from hean.sim.net import NetFaults
from sim import order_bugs, record_bugs, risk_bugs
from sim.amend_bugs import AMENDMENTS
from sim.audit_bugs import AUDITED
from sim.bank import LIMITS, STEPS, Bug, busy, deaths, dials, on_spot, stop
from sim.found_bugs import FOUND

HASTY = {**LIMITS, "orders_per_second_max": "1000"}
NARROW = {**LIMITS, "position_value_max": "1000"}
LATE = {"dial": "timeout_late", "probability": 0.3, "delay_s": 8.0, "held": "engine"}
LATER = {**LATE, "delay_s": 20.0}
ACCEPTED = {"dial": "timeout_accepted", "probability": 0.3}
SERVER_ERROR = {"dial": "server_error", "probability": 0.3, "accepted": True}
HELD_BY_NETWORK = {**LATE, "delay_s": 4.0, "held": "network"}
BY_HAND = {"dial": "order_by_hand", "at_s": 0.0, "type": "market"}
KEY_REFUSED = {"dial": "key_refused", "at_s": 4.0, "for_s": 5.0, "reason": "revoked"}

POSITIONS_FAIL = {"dial": "position_query_fails", "probability": 1.0, "form": "http"}
NO_ORDER_SOCKET = {
    "dial": "public_cut",
    "at_s": 0.1,
    "refuses_s": 60.0,
    "match": {"which": "trade"},
}
BOOK_IS_SILENT = {"dial": "stall", "at_s": 5.0, "for_s": 20.0, "match": {"topic": "book"}}
SUCCESSOR = {"dial": "order_by_hand", "at_s": 4.0, "client_id": "hzzzzzzz-take-1"}
BAN = {"dial": "ip_banned", "at_s": 5.0, "for_s": 12.0}  # while lost orders are looked for
MAYBE_HERE = ("I-14", "I-21", "I-22")
"""An order or a position is at the venue and not here, or the other way round."""

BANK = [
    Bug(order_bugs.order_leaves_twice, ("I-04", "I-05"), busy("takers")),
    Bug(
        order_bugs.lost_order_is_sent_again,
        ("I-04",),
        busy("takers", **dials(ACCEPTED)),
    ),
    Bug(order_bugs.lost_order_is_made_anew, ("I-04",), busy("takers", **dials(ACCEPTED))),
    Bug(order_bugs.reduce_only_is_dropped, ("I-04",), busy("takers", venue="bybit")),
    Bug(order_bugs.quantity_goes_through_float, ("I-04",), busy("takers", venue="bybit")),
    Bug(order_bugs.sides_are_swapped, ("I-04",), busy("takers", venue="bybit")),
    Bug(order_bugs.timeout_is_a_refusal, ("I-14", "I-22"), busy("maker", **dials(LATE))),
    Bug(
        order_bugs.server_error_is_a_refusal,
        ("I-14", "I-22"),
        busy("takers", venue="binance", **dials({**SERVER_ERROR, "code": "-1006"})),
    ),
    Bug(
        order_bugs.not_found_is_cancelled,
        ("I-14", "I-22"),
        busy("maker", **dials({"dial": "cancel_fails", "probability": 0.5})),
    ),
    Bug(order_bugs.absent_after_one_look, ("R-30",), busy("takers", **dials(LATE))),
    Bug(
        order_bugs.failed_look_is_absence,
        ("R-30",),
        busy("maker", begins_s=3.0, net=NetFaults(refused=0.5), **dials(LATE)),
    ),
    Bug(
        order_bugs.quarantine_ages_out,
        ("R-30",),
        busy(  # it lasts until what came late is there
            "takers",
            begins_s=2.0,
            net=NetFaults(refused=0.3),
            safety_steps=3 * STEPS,
            **dials(LATER),
        ),
    ),
    Bug(order_bugs.unknown_order_counts_nothing, ("I-14",), busy("maker", **dials(LATE))),
    Bug(
        order_bugs.failed_position_reading_is_flat,
        (*MAYBE_HERE, "I-24"),
        busy(
            "maker",
            safety_steps=3 * STEPS,
            begins_s=4.0,
            net=NetFaults(cut_every_s=6.0),
            **dials(POSITIONS_FAIL),
        ),
    ),
    Bug(
        order_bugs.reading_counts_fills_again,
        ("I-01", "I-06", "I-14", "I-22"),
        busy("takers", net=NetFaults(cut_every_s=6.0)),
    ),
    Bug(
        order_bugs.repeated_frame_counts_again,
        ("I-01", "I-06", "I-14", "I-22"),
        busy("takers", **dials({"dial": "frame_duplicate", "probability": 0.3})),
    ),
    Bug(
        order_bugs.fills_of_the_dead_time_are_lost,
        MAYBE_HERE,
        busy("maker", **deaths(3, 400, 20.0)),
    ),
    Bug(
        order_bugs.orders_are_forgotten_at_restart,
        MAYBE_HERE,
        busy("maker", **deaths(3, 400, 5.0)),
    ),
    Bug(order_bugs.fills_go_through_float, ("I-06", *MAYBE_HERE), busy("takers")),
    Bug(
        order_bugs.nothing_is_read_after_a_hole,
        ("I-01", *MAYBE_HERE),
        busy("takers", net=NetFaults(cut_every_s=4.0)),
    ),
    Bug(
        order_bugs.executions_are_forgotten_at_restart,
        ("I-01", "I-06", "I-10", *MAYBE_HERE),
        busy("maker", **deaths(6, 300, 2.0), **dials({**BY_HAND, "at_s": 3.0})),
    ),
    Bug(record_bugs.bytes_leave_before_their_row, ("I-05",), busy("takers")),
    Bug(record_bugs.row_is_not_on_the_disk, ("I-05",), busy("takers")),
    Bug(
        record_bugs.failed_commit_is_ignored,
        ("I-05", "R-03"),
        busy("takers", disk=DiskFaults(error_fraction=0.05)),
    ),
    Bug(
        record_bugs.failed_commit_is_tried_again,
        ("I-05", "I-10", "R-03"),
        busy("takers", disk=DiskFaults(error_fraction=0.05)),
    ),
    Bug(record_bugs.fill_is_handled_before_it_is_durable, ("R-03",), busy("takers")),
    Bug(record_bugs.fill_is_not_journaled, ("I-01", "R-03"), busy("takers")),
    Bug(record_bugs.secret_is_in_a_message, ("I-19",), busy("maker", **dials(KEY_REFUSED))),
    Bug(record_bugs.fold_skips_cancels, ("I-10",), busy("maker")),
    Bug(record_bugs.fold_skips_fills, ("I-10",), busy("takers")),
    Bug(record_bugs.hash_is_of_another_state, ("I-10",), busy("takers")),
    Bug(
        record_bugs.sent_order_is_withdrawn_at_restart,
        MAYBE_HERE,
        busy("maker", **deaths(6, 400, 1.0), **dials(HELD_BY_NETWORK)),
    ),
    Bug(record_bugs.order_is_approved_twice, ("I-03",), busy("takers")),
    Bug(record_bugs.fill_is_booked_twice, ("I-10",), busy("takers")),
    Bug(record_bugs.difference_is_adopted_in_silence, ("I-10",), busy("takers", **dials(BY_HAND))),
    Bug(
        risk_bugs.kill_is_only_in_memory, ("I-10", "R-20"), busy("takers", **stop("HALT_NEW", 5.0))
    ),
    Bug(
        risk_bugs.kill_is_lost_at_restart,
        ("I-08",),
        busy("takers", **stop("HALT_NEW", 3.0), **deaths(3, 500, 1.0)),
    ),
    Bug(
        risk_bugs.kill_ends_by_itself,
        ("I-08",),
        busy("takers", net=NetFaults(cut_every_s=4.0), **stop("HALT_NEW", 3.0)),
    ),
    Bug(
        risk_bugs.last_hop_does_not_ask,
        ("I-08",),
        busy(
            "takers",
            begins_s=4.0,
            net=NetFaults(slow=0.7, slow_s=3.0),
            **stop("HALT_NEW", 9.0),
            **dials(NO_ORDER_SOCKET),
        ),
    ),
    Bug(
        risk_bugs.kill_is_not_heard_by_the_engine,
        ("I-08",),
        busy("takers", **stop("HALT_NEW", 5.0)),
    ),
    Bug(
        risk_bugs.market_order_has_no_value,
        ("I-07",),
        busy("takers", venue="bybit", limits=NARROW),
    ),
    Bug(risk_bugs.limits_are_off, ("I-07",), busy("maker", limits=NARROW)),
    Bug(
        risk_bugs.silence_is_not_told,
        ("I-12",),
        busy("takers", venue="bybit", **dials(BOOK_IS_SILENT)),
    ),
    Bug(record_bugs.epoch_stays_the_same, ("R-08",), busy("takers", **deaths(4, 400, 1.0))),
    Bug(record_bugs.ids_begin_anew, ("R-08",), busy("takers", **deaths(4, 400, 1.0))),
    Bug(order_bugs.zombie_goes_on, ("I-17",), busy("takers", **dials(SUCCESSOR))),
    Bug(
        record_bugs.position_is_forgotten_at_restart,
        ("I-24",),
        busy("takers", **deaths(4, 400, 1.0)),
    ),
    Bug(
        risk_bugs.kill_is_released_by_itself,
        ("R-24",),
        busy("takers", net=NetFaults(cut_every_s=4.0), **stop("HALT_NEW", 3.0)),
    ),
    Bug(risk_bugs.nobody_cools_down, ("R-24",), busy("takers", **stop("HALT_NEW", 3.0))),
    Bug(risk_bugs.any_phrase_releases, ("R-24",), busy("takers", **stop("HALT_NEW", 3.0))),
    Bug(
        risk_bugs.open_orders_survive_cancel_all,
        ("R-25",),
        busy("maker", **stop("CANCEL_ALL", 5.0)),
    ),
    Bug(
        risk_bugs.cancel_all_takes_the_stops,
        ("I-13", "R-27"),
        busy("brackets", **stop("CANCEL_ALL", 5.0)),
    ),
    Bug(
        risk_bugs.ban_is_ignored,
        ("I-16",),
        busy("takers", venue="binance", **dials({**ACCEPTED, "probability": 0.9}, BAN)),
    ),
    Bug(
        risk_bugs.rate_limits_are_ignored,
        ("I-16",),
        busy("takers", venue="bybit", limits=HASTY),
    ),
    Bug(
        record_bugs.funding_is_reckoned_here,
        ("I-01",),
        busy("takers", net=NetFaults(cut_every_s=6.0)),
    ),
    Bug(record_bugs.payment_in_a_hole_is_lost, ("I-21",), busy("takers", venue="binance")),
    Bug(record_bugs.fees_in_coins_stay_in_the_books, ("I-13", "I-14"), on_spot("brackets")),
    *AMENDMENTS,
    *FOUND,
    *AUDITED,
]
