# SPDX-License-Identifier: Apache-2.0
"""A trading process in which everybody judges who may keeps its promises while all goes wrong:
models, breaker and loss states are the ones of a backtest, and a restart builds them again.
"""

from __future__ import annotations

from functools import partial

import pytest

from hean.judges import Judges
from hean.models.changepoint import ChangepointSettings
from hean.models.garch import GarchSettings
from hean.models.regime import RegimeSettings
from hean.risk.changepoint_breaker import ChangeLimits
from hean.risk.drawdown import Drawdown, LossLimits
from hean.sim.campaign import campaign
from hean.system import AccountSettings

JUDGES = Judges(
    garch=GarchSettings(),
    changepoint=ChangepointSettings(training=30),
    breaker=ChangeLimits(),
    regime=RegimeSettings(states=2, fit_bars=60),
    losses=LossLimits(),
)


def test_a_judged_process_trades_and_keeps_its_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = partial(AccountSettings, judges=JUDGES)
    monkeypatch.setattr("hean.sim.engine.AccountSettings", judged)
    looks, look = [0], Drawdown.look

    def counted(states: Drawdown, now_ns: int) -> None:
        looks[0] += 1
        look(states, now_ns)

    monkeypatch.setattr(Drawdown, "look", counted)
    found = campaign(range(1, 5), steps=1_500, jobs=1)
    assert found.broken == []
    assert found.fills > 10
    assert found.lives > found.seeds  # restarts were among it
    assert looks[0] > 100
