# SPDX-License-Identifier: Apache-2.0
"""A venue denies orders while the kill switch wants them back, and then has them after all. They
are gone after the look that finds them, and not any later.
"""

from __future__ import annotations

import pytest

from hean.sim.run import Outcome, Trial
from hean.venues.resolution import Resolution
from sim.bank import busy, dials, stop

DENIES = {"dial": "amnesia", "at_s": 6.0, "for_s": 1_000.0, "probability": 1.0}


def played(seed: int) -> Outcome:
    given = {"safety_steps": 4_000, **dials(DENIES), **stop("CANCEL_ALL", 7.2)}
    return Trial(busy("maker", **given)(seed)).run()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_venue_denied_is_gone_after_the_look_that_finds_it(seed: int) -> None:
    assert played(seed).broken is None


def test_what_is_never_asked_back_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resolution, "cancel_later", lambda *given: None)
    names = {outcome.broken.name for seed in (1, 2) if (outcome := played(seed)).broken}
    assert names == {"R-25"}
