# SPDX-License-Identifier: Apache-2.0
"""Strategies by name and from a user's file; every way to get it wrong names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.errors import ParameterInvalid
from hean.strategies import STRATEGIES, StrategyInvalid, load_strategy
from hean.strategies.base import Strategy

GOOD = """
from hean.strategies.base import Strategy


class Mine(Strategy):
    pass


class Named(Strategy):
    name = "called-so"
"""


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_listed_name_loads_its_class() -> None:
    assert "impulse" in STRATEGIES
    for name, strategy in STRATEGIES.items():
        assert load_strategy(name) is strategy
        assert strategy.name == name


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterInvalid, match=r"'impuls'; nearest impulse\. Known: impulse"):
        load_strategy("impuls")


def test_a_class_of_a_users_file_loads_and_gets_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert issubclass(load_strategy(f"{path}:Mine"), Strategy)
    assert load_strategy(f"{path}:Mine").name == "mine"
    assert load_strategy(f"{path}:Named").name == "called-so"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n\nfrom nowhere_at_all import x\n", "mine.py: line 3: ModuleNotFoundError"),
        ("x = 1\ny = 1 / 0\n", "mine.py: line 2: ZeroDivisionError: division by zero"),
        ("x = 1\ndef broken(:\n", "mine.py: line 2: SyntaxError"),
        ("def f():\n    raise OSError('no disk')\n\n\nf()\n", "line 2: OSError: no disk"),
        ("if True:\nx = 1\n", "line 2: IndentationError"),
        ("raise SystemExit(0)\n", "line 1: SystemExit"),
        ("class Mine:\n    pass\n", "no strategy class 'Mine'; it has none"),
        ("Mine = 3\n", "no strategy class 'Mine'; it has none"),
        (GOOD.replace("Mine", "Other"), "no strategy class 'Mine'; it has Other, Named"),
        ("", "no strategy class 'Mine'; it has none"),
    ],
)
def test_a_file_that_does_not_work_is_refused_with_file_and_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(StrategyInvalid) as caught:
        load_strategy(f"{path}:Mine")
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_a_folder_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(StrategyInvalid, match="no such file"):
            load_strategy(f"{path}:Mine")
    with pytest.raises(StrategyInvalid, match="not a Python file"):
        load_strategy(f"{write(tmp_path, GOOD, 'mine.txt')}:Mine")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StrategyInvalid, match=r"mine\.py"):
        load_strategy(f"{path}:Mine")


def test_a_line_in_another_file_is_named_by_the_users_own_line(tmp_path: Path) -> None:
    path = write(tmp_path, "import json\n\njson.loads('{')\n")
    with pytest.raises(StrategyInvalid, match="line 3: JSONDecodeError"):
        load_strategy(f"{path}:Mine")


def test_two_files_of_one_name_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = load_strategy(f"{write(tmp_path / 'a', GOOD)}:Mine")
    second = load_strategy(f"{write(tmp_path / 'b', GOOD + 'MARK = 1')}:Mine")
    assert first is not second
