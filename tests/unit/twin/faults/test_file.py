# SPDX-License-Identifier: Apache-2.0
"""How dials are set: a file of them is taken whole or refused with every mistake named; the table
has every row of the reliability paper and is the one in the documentation.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fault_desk import FaultDesk
from hean.errors import ParameterInvalid
from hean.twin.faults.board import SET_MAX
from hean.twin.faults.dials import DIALS, markdown
from hean.twin.faults.file import FILE_BYTES_MAX, load_faults
from hean.twin.faults.settings import REQUIRED, read_setting

GOOD = """
[[fault]]
dial = "timeout_accepted"
at_s = 5
count = 1
match = { op = "create", symbol = "BTCUSDT" }

[[fault]]
dial = "rate_limited"
retry_after_s = 0.5
probability = 0.25
"""
BAD = [
    ('[[fault]]\ndial = "timeout_acepted"', "fault[0].dial", "nearest: timeout_accepted"),
    ("[[fault]]\ncount = 1", "fault[0].dial", "got nothing"),
    ('[[fault]]\ndial = "stall"\npong = true', "fault[0].pong", "nearest: pongs"),
    ('[[fault]]\ndial = "stall"\npongs = 1', "fault[0].pongs", "expected true or false"),
    ('[[fault]]\ndial = "stall"\ncount = 0', "fault[0].count", "nearest: 1"),
    ('[[fault]]\ndial = "stall"\ncount = 1.5', "fault[0].count", "a whole number"),
    ('[[fault]]\ndial = "stall"\nprobability = 1.5', "fault[0].probability", "nearest: 1"),
    ('[[fault]]\ndial = "stall"\nprobability = nan', "fault[0].probability", "a number from 0"),
    ('[[fault]]\ndial = "stall"\nfor_s = "5"', "fault[0].for_s", "got '5'"),
    ('[[fault]]\ndial = "stall"\nmatch = "all"', "fault[0].match", "an object"),
    ('[[fault]]\ndial = "stall"\nmatch = { wich = "all" }', "match.wich", "nearest: which"),
    ('[[fault]]\ndial = "stall"\nmatch = { side = "Buy" }', "match.side", "one of BUY, SELL"),
    ('[[fault]]\ndial = "poison"', "fault[0].form", "missing"),
    ('[[fault]]\ndial = "poison"\nform = "nann"', "fault[0].form", "nearest: nan"),
    ('[[fault]]\ndial = "filter_change"\ntick = "1e99"', "fault[0].tick", "a decimal number"),
    ("fault = 3", "faults.toml", "a list named 'fault'"),
    ('[[faults]]\ndial = "stall"', "got faults", "a list named 'fault'"),
    ('seed = 1\n[[fault]]\ndial = "stall"', "faults.toml:seed", "unknown key"),
    ('[[fault]]\ndial = "stall"\ndial = "stall"', "faults.toml", "Cannot overwrite"),
    ("[[fault]", "faults.toml", "line 1"),
]


def write(folder: Path, text: str, name: str = "faults.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_file_of_dials_is_read(tmp_path: Path) -> None:
    first, second = load_faults(write(tmp_path, GOOD))
    assert (first.dial.row, first.at_s, first.count) == (29, 5, 1)
    assert first.match == {"op": "create", "symbol": "BTCUSDT"}
    assert (second.dial.row, second.probability, second.count) == (36, 0.25, None)


def test_json_is_read_as_well(tmp_path: Path) -> None:
    text = json.dumps({"fault": [{"dial": "clock_skew", "offset_s": -0.5}]})
    (setting,) = load_faults(write(tmp_path, text, "faults.json"))
    assert setting.params == {"offset_s": -0.5}


@pytest.mark.parametrize(("text", "where", "words"), BAD)
def test_mistake_is_named_with_place_and_remedy(
    tmp_path: Path, text: str, where: str, words: str
) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        load_faults(write(tmp_path, text))
    assert where in refused.value.message
    assert words in refused.value.message


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = '[[fault]]\ndial = "stall"\na = 1\nb = 2\n[[fault]]\ndial = "nope"\n'
    with pytest.raises(ParameterInvalid) as refused:
        load_faults(write(tmp_path, text))
    assert len(refused.value.message.splitlines()) == 3


JSON_BAD = [
    (b'{"fault": [{"dial": "stall", "dial": "stall"}]}', "duplicate key"),
    (b'{"fault": [{"dial": "stall", "for_s": NaN}]}', "NaN"),
    (b"[" * 100_000, "faults.json"),
    (b"\xff\xfe", "not UTF-8"),
    (b"", "faults.json"),
    (b'{"fault": [' + b" " * FILE_BYTES_MAX + b"]}", "larger than"),
]


@pytest.mark.parametrize(("data", "words"), JSON_BAD)
def test_hostile_file_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "faults.json"
    path.write_bytes(data)
    with pytest.raises(ParameterInvalid, match=words):
        load_faults(path)


@pytest.mark.parametrize("name", ["faults.toml", "faults.json"])
def test_byte_order_mark_is_named_with_place_and_remedy(tmp_path: Path, name: str) -> None:
    good = GOOD if name.endswith("toml") else '{"fault": []}'
    path = write(tmp_path, good, name)
    load_faults(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(ParameterInvalid) as refused:
        load_faults(path)
    assert refused.value.message == (
        f"{name}:1: byte order mark: got U+FEFF; expected plain UTF-8: save the file without the "
        "mark"
    )


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterInvalid, match="No such file"):
        load_faults(tmp_path / "none.toml")
    with pytest.raises(ParameterInvalid, match="not a regular file"):
        load_faults(tmp_path)


def test_every_row_of_the_fault_table_has_a_dial() -> None:
    assert {dial.row for dial in DIALS.values()} == set(range(29, 68))


def test_table_in_the_documentation_is_the_one_in_the_code(root: Path) -> None:
    assert markdown() in (root / "docs" / "twin.md").read_text()


@pytest.mark.parametrize("name", DIALS)
def test_dial_reads_its_own_defaults(name: str) -> None:
    dial = DIALS[name]
    samples = {"form": "nan", "offset_s": 1, "amount": "1", "mode": "hedge"}
    needed = {p.name: samples[p.name] for p in dial.params if p.default is REQUIRED}
    setting, problems = read_setting({"dial": name, **needed}, DIALS, "test")
    assert problems == []
    assert setting is not None
    for param in dial.params:
        if param.default not in (None, REQUIRED):
            assert param.read(param.default) == setting.params[param.name]


async def test_too_many_dials_are_refused() -> None:
    async with FaultDesk("bybit") as desk:
        for _ in range(SET_MAX):
            desk.set("overloaded", at_s=1)
        with pytest.raises(ParameterInvalid, match="calm some"):
            desk.set("overloaded")
        assert desk.faults.calm() == SET_MAX
