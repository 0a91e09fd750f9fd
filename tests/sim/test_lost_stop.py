# SPDX-License-Identifier: Apache-2.0
"""A venue takes a stop on, loses it at once, and its answer is lost too. That it is absent is then
true: nobody was told that it existed, and it does not.
"""

from __future__ import annotations

import pytest

from hean.sim.run import Trial
from hean.twin.faults.act import RequestFault
from hean.twin.faults.orders import StopLost
from sim.bank import busy, dials


@pytest.mark.parametrize("venue", ["bybit", "binance"])
def test_a_stop_that_was_lost_with_its_answer_is_absent(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        StopLost, "request", lambda self, asked: RequestFault(is_muted=True, ending="reset")
    )
    loses = {"dial": "stop_lost", "probability": 1.0, "at_s": 3.0, "count": 1}
    scenario = busy("brackets", venue=venue, safety_steps=20_000, **dials(loses))(1)
    trial = Trial(scenario)
    outcome = trial.run()
    lost = {
        row["client_order_id"] for row in trial.exchange.ledger.records if row["kind"] == "lost"
    }
    assert len(lost) == 1
    assert lost <= trial.checks.journal.absent
    assert outcome.broken is None
