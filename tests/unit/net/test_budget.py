# SPDX-License-Identifier: Apache-2.0
"""The rate budget: what is allowed, who goes first, what the venue's word changes."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from hean.net.budget import Budget, Limit, Priority

S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS


def budget_of(count: int, window_s: int = 1, *, has_cancels: bool = True) -> Budget:
    limit = Limit("all", count, window_s * S_NS, has_cancels)
    return Budget([limit], {"order": {"all": 1}, "heavy": {"all": 20}})


def taken(budget: Budget, priority: Priority, now_ns: int = START_NS) -> int:
    """How many requests of a priority pass at one moment."""
    count = 0
    while budget.try_take("order", priority, now_ns) == 0:
        count += 1
    return count


def test_new_orders_leave_room_for_questions_reductions_and_cancels_in_this_order():
    budget = budget_of(100)
    assert taken(budget, Priority.NEW) == 60
    assert taken(budget, Priority.QUERY) == 5
    assert taken(budget, Priority.REDUCE) == 5
    assert taken(budget, Priority.CANCEL) == 30


def test_thirty_percent_stay_for_cancels_whatever_the_others_do():
    budget = budget_of(100)
    assert taken(budget, Priority.REDUCE) == 70
    assert taken(budget, Priority.NEW) == taken(budget, Priority.QUERY) == 0
    assert taken(budget, Priority.CANCEL) == 30


def test_a_limit_without_cancels_is_used_up_by_reductions():
    budget = budget_of(100, has_cancels=False)
    assert taken(budget, Priority.NEW) == 85
    assert taken(budget, Priority.REDUCE) == 15


def test_the_wait_is_long_enough_and_no_longer_than_a_window_and_a_slot():
    budget = budget_of(10)
    taken(budget, Priority.CANCEL)
    wait_ns = budget.try_take("order", Priority.CANCEL, START_NS)
    assert S_NS <= wait_ns <= 1.05 * S_NS
    assert budget.try_take("order", Priority.CANCEL, START_NS + wait_ns) == 0


def test_what_leaves_later_than_it_was_taken_counts_from_when_it_leaves():
    budget = budget_of(10)
    assert taken(budget, Priority.CANCEL) == 10
    left_ns = START_NS + S_NS // 5
    for _ in range(10):
        budget.left("order", START_NS, left_ns)
    assert taken(budget, Priority.CANCEL, left_ns) == 0
    assert taken(budget, Priority.CANCEL, left_ns + S_NS - 1) == 0
    assert taken(budget, Priority.CANCEL, left_ns + 21 * S_NS // 20) == 10


def test_what_left_after_its_window_was_over_counts_again():
    budget = budget_of(10)
    budget.try_take("order", Priority.NEW, START_NS)
    budget.left("order", START_NS, START_NS + 3 * S_NS)
    assert taken(budget, Priority.CANCEL, START_NS + 3 * S_NS) == 9


def test_a_request_that_must_wait_takes_nothing():
    limits = [Limit("few", 1, S_NS), Limit("many", 100, S_NS)]
    budget = Budget(limits, {"both": {"few": 1, "many": 1}, "many": {"many": 1}})
    assert budget.try_take("both", Priority.CANCEL, START_NS) == 0
    for _ in range(50):
        assert budget.try_take("both", Priority.CANCEL, START_NS) > 0
    passed = 0
    while budget.try_take("many", Priority.CANCEL, START_NS) == 0:
        passed += 1
    assert passed == 99


def test_what_the_venue_counted_beyond_our_own_requests_counts():
    budget = budget_of(100)
    budget.observe("all", START_NS, used=65)
    assert taken(budget, Priority.NEW) == 0
    assert taken(budget, Priority.CANCEL) == 35


def test_a_smaller_count_of_the_venue_does_not_give_back_what_is_on_its_way():
    budget = budget_of(100)
    taken(budget, Priority.NEW)
    budget.observe("all", START_NS, used=3)
    assert taken(budget, Priority.NEW) == 0


def test_the_venue_s_limit_replaces_the_documented_one():
    budget = budget_of(100)
    budget.observe("all", START_NS, used=0, count=10)
    assert taken(budget, Priority.NEW) == 6
    budget.observe("unheard-of", START_NS, used=10, count=1)


def test_a_hold_lets_only_cancels_pass_and_a_ban_nothing():
    budget = budget_of(100)
    budget.hold(START_NS + 7 * S_NS, is_ban=False)
    assert budget.try_take("order", Priority.REDUCE, START_NS) == 7 * S_NS
    assert budget.try_take("order", Priority.CANCEL, START_NS) == 0
    assert budget.headroom_fraction(START_NS) == 0.0
    budget.hold(START_NS + 9 * S_NS, is_ban=True)
    assert budget.silent_ns(START_NS) == 9 * S_NS
    assert budget.try_take("order", Priority.CANCEL, START_NS) == 9 * S_NS
    assert budget.silent_ns(START_NS + 9 * S_NS) == 0
    assert budget.try_take("order", Priority.NEW, START_NS + 9 * S_NS) == 0


def test_a_shorter_hold_does_not_end_a_longer_one():
    budget = budget_of(100)
    budget.hold(START_NS + 60 * S_NS, is_ban=True)
    budget.hold(START_NS + S_NS, is_ban=True)
    assert budget.try_take("order", Priority.CANCEL, START_NS + 2 * S_NS) > 0


def test_a_request_larger_than_its_share_passes_when_nothing_else_is_used():
    budget = budget_of(20)
    assert budget.try_take("heavy", Priority.NEW, START_NS) == 0
    assert budget.try_take("heavy", Priority.NEW, START_NS) > 0


def test_headroom_is_that_of_the_scarcest_limit():
    limits = [Limit("few", 4, S_NS), Limit("many", 100, S_NS)]
    budget = Budget(limits, {"both": {"few": 1, "many": 1}})
    assert budget.headroom_fraction(START_NS) == 1.0
    budget.try_take("both", Priority.CANCEL, START_NS)
    assert budget.headroom_fraction(START_NS) == 0.75


@given(st.lists(st.tuples(st.integers(0, 400_000_000), st.sampled_from(Priority)), max_size=300))
def test_no_window_ever_holds_more_than_the_limit(steps):
    """Against a naive count: every request that passed, and those of the second before it."""
    budget, now_ns = budget_of(10), START_NS
    passed: deque[int] = deque()
    for step_ns, priority in steps:
        now_ns += step_ns
        if budget.try_take("order", priority, now_ns) == 0:
            passed.append(now_ns)
        while passed and passed[0] <= now_ns - S_NS:
            passed.popleft()
        assert len(passed) <= 10
