# SPDX-License-Identifier: Apache-2.0
"""What a watchdog is told and how; that it works is in `tests/deadman`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.errors import ParameterInvalid
from hean.live.guard import Job, inherited_job, job_of, start_watchdog
from hean.live.settings import LiveSettings
from hean.secret import Secret
from hean.venues.endpoints import Market, endpoints_for

LOCAL = {
    "BYBIT_REST_URL": "http://127.0.0.1:1",
    "BYBIT_WS_PUBLIC_URL": "ws://127.0.0.1:1",
}
SECRET = "a-secret-nobody-may-see"


def job(market: Market = "linear", **more: Any) -> Job:
    """For a place where nobody is."""
    endpoints = endpoints_for("bybit", market, testnet=True, environment=LOCAL)
    settings = LiveSettings("bybit", market, "testnet", ("BTCUSDT",), "x", Path("data"))
    return job_of(settings, endpoints, **more)


def test_a_job_names_the_files_of_the_process_wherever_it_is_started() -> None:
    made = job()
    files = (made.journal, made.latch, made.control)
    assert [path.name for path in files] == ["journal.db", "kill.latch", "control.sock"]
    assert all(path.parent == made.data_dir and path.is_absolute() for path in files)


@pytest.mark.parametrize(("policy", "level"), [("cancel", "CANCEL_ALL"), ("flatten", "FLATTEN")])
def test_the_policy_decides_how_far_it_goes(policy: str, level: str) -> None:
    assert job(policy=policy).level == level


def test_on_spot_nobody_can_tell_our_coins_from_yours() -> None:
    job("spot").check()
    with pytest.raises(ParameterInvalid, match="cancel"):
        start_watchdog(job("spot", policy="flatten"), (Secret("k"), Secret("s"), "label"))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"job": 1, "secret": "%s"}' % SECRET.encode()])
def test_a_job_that_cannot_be_read_is_refused_without_repeating_it(content: bytes) -> None:
    with pytest.raises(ParameterInvalid, match="hean live") as refused:
        inherited_job(content)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_what_was_sent_is_what_is_read() -> None:
    made = job(policy="flatten", after_s=12.5)
    sent = {"job": made, "key": "the-key", "secret": SECRET, "label": "BYBIT_API_KEY"}
    found, signer = inherited_job(msgspec.json.encode(sent, enc_hook=str))
    assert found == made
    assert (signer.key, signer.label) == ("the-key", "BYBIT_API_KEY")
