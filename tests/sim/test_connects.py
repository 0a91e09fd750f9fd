# SPDX-License-Identifier: Apache-2.0
"""Twenty connects in five minutes and no more, also at the end: who has used them up waits, and
only who has used them up is given the time for it.
"""

from __future__ import annotations

import pytest

from hean.net.socket import ConnectGovernor
from hean.sim.manners import CONNECTS_MAX
from hean.sim.run import LIVENESS_S, Trial
from hean.sim.scenario import Scenario
from sim.bank import busy, dials

# A WebSocket ends when it is sent text that is none: RELIABILITY 6, "transport".
NO_TEXT = {"dial": "poison", "at_s": 3.5, "probability": 0.03, "form": "bad_utf8"}
SEED = 6  # its last connect is used up while things still go wrong


def storm() -> Scenario:
    """Sockets end all the time."""
    given = {"safety_steps": 8_000, "symbols": ("BTCUSDT", "ETHUSDT"), **dials(NO_TEXT)}
    return busy("desk", venue="binance", **given)(SEED)


def test_who_has_used_up_its_connects_is_given_the_time_until_there_are_more() -> None:
    trial = Trial(storm())
    assert trial.run().broken is None
    assert trial.world.now_s() - trial.calm_s > LIVENESS_S


def test_one_connect_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConnectGovernor, "delay_s", lambda *_: 0.0)
    broken = Trial(storm()).run().broken
    assert broken is not None
    assert broken.name == "I-16"
    assert f"{CONNECTS_MAX + 1} connects" in broken.what


def test_who_does_not_come_back_in_time_with_connects_left_breaks_the_promise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    none_more = CONNECTS_MAX // 2
    monkeypatch.setattr(
        ConnectGovernor, "delay_s", lambda self, _: 300.0 if self.connects >= none_more else 0.0
    )
    broken = Trial(storm()).run().broken
    assert broken is not None
    assert broken.name == "I-21"
    assert "not settled after 120 s" in broken.what
