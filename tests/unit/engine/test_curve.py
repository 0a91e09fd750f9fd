# SPDX-License-Identifier: Apache-2.0
"""A curve of any length has few points, among them the first and the newest."""

from __future__ import annotations

from decimal import Decimal

from hean.engine.curve import POINTS_MAX, STEP_NS, EquityCurve


def test_a_moment_later_only_the_newest_point_moves() -> None:
    curve = EquityCurve(0, Decimal(100))
    curve.add(STEP_NS // 4, Decimal(101))
    curve.add(STEP_NS // 2, Decimal(102))
    assert curve.points() == [(0, Decimal(100)), (STEP_NS // 2, Decimal(102))]


def test_a_long_session_keeps_its_beginning_its_order_and_its_newest_value() -> None:
    curve = EquityCurve(0, Decimal(0))
    last = 5 * POINTS_MAX
    for second in range(1, last + 1):
        curve.add(second * STEP_NS, Decimal(second))
    points = curve.points()
    assert len(points) <= POINTS_MAX + 1
    assert points[0] == (0, Decimal(0)) and points[-1] == (last * STEP_NS, Decimal(last))
    assert points == sorted(points) and all(at == value * STEP_NS for at, value in points)
