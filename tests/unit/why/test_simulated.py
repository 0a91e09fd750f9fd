# SPDX-License-Identifier: Apache-2.0
"""In the fault simulator, with all its crashes and lost answers, no order is without its chain."""

from __future__ import annotations

from typing import Any

import pytest

from hean.core.journal import Record
from hean.sim.draws import draw
from hean.sim.engine import FOLDER
from hean.sim.run import Trial
from hean.why.chain import ChainReader

ANSWERS = ("ORDER_APPROVED", "ORDER_REJECTED")


@pytest.mark.parametrize("seed", [1, 7, 13, 15, 18])
def test_every_order_of_a_simulated_run_has_its_chain(seed: int) -> None:
    trial = Trial(draw(seed))
    trial.run()
    rows: list[Any] = trial.disk.rows(FOLDER / "journal.db")
    records = [Record(*row) for row in rows]
    answers = [record.fact()["order_id"] for record in records if record.kind in ANSWERS]
    for order_id in dict.fromkeys(answers):
        chain = ChainReader(order_id).feed(records)
        assert chain is not None
        words = [step.what for step in chain.steps]
        assert {"SIGNAL", "ASKED"} & set(words), words
        assert {"CHECKS", "REQUEST"} <= set(words) or "REJECTED" in words, words
        assert chain.rules or chain.notes or "REJECTED" in words
        assert chain.status
