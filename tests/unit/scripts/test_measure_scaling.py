# SPDX-License-Identifier: Apache-2.0
"""The script behind docs/scaling.md plays what it says: every case, and the same orders with and
without a bridge or a journal.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import measure_scaling
from measure_scaling import CASES, Case, play

ROOT = Path(__file__).resolve().parents[3]


def test_cases_trade_alike_and_are_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_scaling, "MESSAGES", 600)
    found = {}
    for kind in (Case(2), Case(2, 1), Case(2, 1, journal=True), Case(2, 1, bridge=True)):
        found[kind.name] = play(kind, tmp_path)
    orders = [each["orders"] for each in found.values()]
    assert orders[0] == 0 < orders[1] and len(set(orders[1:])) == 1
    assert found["2 symbols, 1 strategies, bridge"]["bytes_a_message"] > 100
    page = (ROOT / "docs" / "scaling.md").read_text()
    assert page.count(" symbol") >= len(CASES)


def test_each_strategy_has_its_part_of_the_symbols(tmp_path: Path) -> None:
    seats = measure_scaling.settings_of(Case(4, 2)).seats
    assert seats is not None
    assert [each.symbols for each in seats.seats] == [
        ("C000USDT", "C001USDT"), ("C002USDT", "C003USDT"),
    ]  # fmt: skip
