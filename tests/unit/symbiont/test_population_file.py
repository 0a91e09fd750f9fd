# SPDX-License-Identifier: Apache-2.0
"""The file of a population, as people and disks leave it: what is no population of this run is
refused at the start, with the place, and not at a bar in the night.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.errors import InputError
from hean.symbiont.population import loaded
from population_desk import CALM, EAGER, PopulationDesk, agent, write_population


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_population(tmp_path / "population.json", agent(EAGER), agent(CALM))


def edit(path: Path, place: str, value: Any) -> None:
    """Put *value* at a place, names and numbers between dots."""
    document = msgspec.json.decode(path.read_bytes())
    *way, last = place.split(".")
    at = document["population"]
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[last] = value
    path.write_bytes(msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("seats.BTCUSDT.agent", "nobody", "seat of BTCUSDT: no agent 'nobody'"),
        ("seats", {"XRPUSDT": {"agent": "a", "share": 0.05, "since_ns": 1}}, "seat of XRPUSDT"),
        ("seats.BTCUSDT.share", 50, "share 50; allowed: above 0, up to 1"),
        ("costs.fees", {}, "no fees of BTCUSDT"),
        ("costs.fees", {"BTCUSDT": ["0.0002", "much"]}, "fee of BTCUSDT: got 'much'"),
        ("costs.cash", "plenty", "cash: got 'plenty', expected a number of at least 1"),
        ("costs.cash", "-5", "cash: got '-5'"),
        ("costs.leverage", "0", "leverage: got '0'"),
        ("costs.half_spread", -1, "half_spread: got '-1.0'"),
        ("symbols", ["BTCUSDT", "BTCUSDT"], "each once"),
        ("agents.0.watch.expected.deviation", 0, "deviation 0 of its days"),
        ("agents.0.since_ns", 10**30, "expected ns since 1970"),
        ("feed.seen", {"XRPUSDT change": {}}, "feed has seen XRPUSDT change, no columns"),
    ],
)
def test_what_was_edited_by_hand_is_refused_with_its_place(
    path: Path, place: str, value: object, words: str
) -> None:
    edit(path, place, value)
    with pytest.raises(InputError, match=words) as refused:
        loaded(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'{"population": {"symbols": ["BTC'])
def test_half_a_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match="no population"):
        loaded(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="give a file"):
            loaded(path)


def test_a_position_of_an_agent_that_was_taken_out_is_closed(path: Path) -> None:
    edit(path, "holdings", {"BTCUSDT": {
        "agent": "gone", "share": 0.05, "decided_ns": 1, "is_long": True
    }})  # fmt: skip
    desk = PopulationDesk(path, held="0.02")
    desk.bar()
    assert desk.orders()[-1].reduce_only
