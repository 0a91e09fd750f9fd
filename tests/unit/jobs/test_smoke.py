# SPDX-License-Identifier: Apache-2.0
"""Which engine a smoke test may trade with; how it trades is in `tests/api/test_jobs.py`."""

from __future__ import annotations

import pytest

from hean.engine.documents import Status
from hean.jobs.smoke import refusal_of


@pytest.mark.promise(64)
@pytest.mark.parametrize("mode", ["PAPER", "TESTNET", "LIVE", "UNKNOWN", "NONE", "paper", ""])
@pytest.mark.parametrize("state", ["RUNNING", "HALTED", "STARTING", "STOPPED", "UNKNOWN"])
def test_it_trades_where_there_is_no_money_and_nowhere_else(mode: str, state: str):
    status = Status(
        state=state, mode=mode, origin="", symbols=[], strategies=[], started_at=None,
        uptime_seconds=0.0, events=0, error=None,
    )  # fmt: skip
    may = mode in ("PAPER", "TESTNET") and state == "RUNNING"
    assert (refusal_of(status) is None) is may
