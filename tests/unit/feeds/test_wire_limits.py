# SPDX-License-Identifier: Apache-2.0
"""What a hostile or broken stream may cost: bounded memory, whatever it sends.

Each storm runs in a process of its own, because a peak of memory never goes down again.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GROWTH_MB_MAX = 16  # of a connection, whatever arrives

PROGRAM = """
import json, resource
from hean._core import Instrument, WireFeed
from hean.errors import FrameInvalid

def delta(row, bids):
    ids = {"U": row, "u": row, "pu": row - 1}
    event = {"e": "depthUpdate", "E": 2, "T": 1, "s": "BTCUSDT", **ids, "b": bids, "a": []}
    return json.dumps(event).encode()

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

wire = WireFeed("binance", "linear", [Instrument("BTCUSDT", "linear", "0.1", "0.001")])
STORM
before = peak_mb()
for frame in frames:
    try:
        wire.push(frame)
    except FrameInvalid:
        pass
print(json.dumps([peak_mb() - before, wire.counters()]))
"""

LONG = 'frames = [b"[" + b" " * 10_000_000 + b"]"] * 20'
MANY_LEVELS = """
many = b'["100.1","1"],' * 1_000_000 + b'["1","1"]'
frames = [delta(1, [])[:-1] + b',"x":[' + many + b"]}"] * 3
"""
NO_SNAPSHOT = """
levels = [[f"{100 + n}.1", "1"] for n in range(500)]
frames = (delta(row, levels) for row in range(1, 4_000))
"""
NO_REMOVAL = """
wire.push(delta(1, []))
wire.snapshot("BTCUSDT", b'{"lastUpdateId":1,"bids":[],"asks":[]}')
frames = (
    delta(row, [[f"{row * 100 + n}.1", "1"] for n in range(100)]) for row in range(2, 3_000)
)
"""
NO_END_OF_SYMBOLS = """
frames = (delta(row, []).replace(b"BTCUSDT", b"COIN%d" % row) for row in range(1, 50_000))
"""


@pytest.mark.parametrize(
    ("storm", "counter", "count"),
    [
        pytest.param(LONG, "bad", 20, id="messages of ten megabytes"),
        pytest.param(MANY_LEVELS, "bad", 3, id="a million levels"),
        pytest.param(NO_SNAPSHOT, "overflows", 9, id="deltas that wait for ever"),
        pytest.param(NO_REMOVAL, "bad", 0, id="levels that nobody removes"),
        pytest.param(NO_END_OF_SYMBOLS, "unknown_symbols", 49_999, id="new symbols without end"),
    ],
)
def test_memory_is_bounded(storm: str, counter: str, count: int) -> None:
    program = PROGRAM.replace("STORM", storm)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    growth_mb, counters = json.loads(done.stdout)
    assert growth_mb < GROWTH_MB_MAX
    assert counters[counter] == count
