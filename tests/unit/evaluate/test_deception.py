# SPDX-License-Identifier: Apache-2.0
"""Each cheat is caught with the right reason, and who is honest is not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import cheating_strategies
from hean.backtest.run import BacktestSettings
from hean.errors import ParameterInvalid
from hean.evaluate.deception.battery import check
from hean.evaluate.plays import Recording
from small_market import IMPULSE, SYMBOL, write_candles, write_funding

CHEATS = Path(cheating_strategies.__file__)
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    return write_candles(folder, 5, 1_200), write_funding(folder, 5, 4)


def checked(files, strategy: str, **given: object):
    settings = BacktestSettings(strategy, (SYMBOL,), given)
    document = check(settings, Recording(files, (SYMBOL,)), bars=500, paths=15, cuts=25)
    return document, {each["name"]: each for each in document["findings"]}


def caught(files, name: str):
    document, found = checked(files, f"{CHEATS}:{name}", file=str(files[0]))
    assert not document["passes"]
    assert document["verdict"].startswith("Deceives itself: ")
    assert found["eyes"]["verdict"] == "fails"
    assert files[0].name in found["eyes"]["reason"]
    assert "line" in found["eyes"]["reason"]
    assert found["prefix"]["verdict"] == "fails"
    return found


def test_a_look_at_the_next_bar_is_caught(files):
    found = caught(files, "PeeksOneBar")
    assert found["prefix"]["reason"].startswith(
        "peeks ahead: it decides on the bar that comes next"
    )
    assert found["future"]["verdict"] == "fails"
    assert found["noise"]["reason"].startswith("earns where nothing can be known")
    assert found["shuffle"]["verdict"] == "fails"


def test_repainting_is_caught(files):
    found = caught(files, "Repaints")
    reason = found["prefix"]["reason"]
    assert reason.startswith("repaints: later data take back or move decisions up to ")
    assert int(reason.split("up to ")[1].split()[0]) <= cheating_strategies.Repaints.around
    assert found["noise"]["verdict"] == "fails"


def test_a_fit_on_the_whole_sample_is_caught(files):
    found = caught(files, "FitsOnAll")
    assert found["prefix"]["reason"].startswith("fits on the whole sample: ")
    assert found["future"]["reason"].startswith("fits on the whole sample: ")


def test_chance_without_a_seed_is_caught(files):
    document, found = checked(files, f"{CHEATS}:DrawsWithoutSeed")
    assert not document["passes"]
    assert found["replay"]["verdict"] == "fails"
    assert found["eyes"]["verdict"] == "passes"


@pytest.mark.parametrize(
    ("strategy", "given"),
    [
        ("impulse", IMPULSE),
        (f"{CHEATS}:FollowsTheLast", {}),
        (f"{EXAMPLES}/buy_when_emas_cross.py:BuyWhenEmasCross", {}),
        (f"{EXAMPLES}/buy_when_rsi_recovers.py:BuyWhenRsiRecovers", {"low": 45.0}),
    ],
)
def test_who_is_honest_passes(files, strategy, given):
    document, found = checked(files, strategy, **given)
    assert document["passes"], document["verdict"]
    assert found.pop("universe")["reason"] == "one market is no choice among many"
    if strategy.startswith(str(EXAMPLES)):  # their conditions are computed on recorded bars
        assert found["paper"]["reason"].startswith("it cannot be traded on paper: ")
        assert found.pop("paper")["verdict"] == "note"
    assert {each["verdict"] for each in found.values()} == {"passes"}
    assert "No check found" in document["verdict"]


def test_tables_that_libraries_bring_and_the_way_of_an_import_are_no_data(files, tmp_path):
    """Python looks for `python311.zip` at every import, and packages read tables of their own."""
    source = tmp_path / "own.py"
    source.write_text(
        "import sys\nimport sysconfig\nfrom pathlib import Path\n"
        "from cheating_strategies import FollowsTheLast\n"
        "own = Path(sysconfig.get_paths()['purelib']) / 'own_table_of_a_library.csv'\n"
        "for path in (*[p for p in sys.path if p.endswith('.zip')], own):\n"
        "    try:\n        open(path)\n    except OSError:\n        pass\n"
        "class Own(FollowsTheLast):\n    name = 'own'\n"
    )
    _, found = checked(files, f"{source}:Own")
    assert found["eyes"]["verdict"] == "passes", found["eyes"]["reason"]


def test_open_positions_of_made_markets_count(files, tmp_path):
    """Who closes what gained and keeps what lost, has gained nothing where nothing can be known."""
    source = tmp_path / "own.py"
    source.write_text(
        "from hean.core.module import on\nfrom hean.core.types import EventType, Side\n"
        "from hean.strategies.base import Strategy\n"
        "class Own(Strategy):\n    name = 'own'\n    @on(EventType.CANDLE)\n"
        "    def on_candle(self, event):\n"
        "        symbol, close = event.data.symbol, event.data.close\n"
        "        if self.is_waiting(symbol):\n            return\n"
        "        if not self.position[symbol]:\n"
        "            self.paid = close\n            self.enter(symbol, Side.BUY)\n"
        "        elif close > self.paid * 1.02:\n            self.leave(symbol)\n"
    )
    settings = BacktestSettings(f"{source}:Own", (SYMBOL,))
    document = check(settings, Recording(files, (SYMBOL,)), bars=200, paths=60, cuts=10)
    noise = next(each for each in document["findings"] if each["name"] == "noise")
    assert noise["verdict"] == "passes", noise["reason"]
    assert noise["reason"].endswith("in 60 markets")


def test_who_does_nothing_was_not_checked(files):
    document, found = checked(files, "impulse", threshold=20.0)
    assert not document["passes"]
    assert found["prefix"]["verdict"] == "does not apply"
    assert found["costs"]["reason"] == "it did nothing and has exactly nothing"


def test_a_fit_of_a_copy_elsewhere_is_told(files, tmp_path):
    """What is no file of the market cannot be exchanged, and is named instead."""
    copy = tmp_path / "other_name.csv"
    pl.read_parquet(files[0]).write_csv(copy)
    source = tmp_path / "own.py"
    source.write_text(
        "import polars as pl\n"
        "from cheating_strategies import FollowsTheLast\n"
        f"TABLE = pl.read_csv({str(copy)!r})\n"
        "class Own(FollowsTheLast):\n    name = 'own'\n"
    )
    document, found = checked(files, f"{source}:Own")
    assert found["eyes"]["verdict"] == "fails"
    assert found["eyes"]["reason"].startswith("opens other_name.csv (line 3)")
    assert found["prefix"]["verdict"] == "passes"
    assert not document["passes"]


def test_a_strategy_that_cannot_be_played_is_refused_with_its_line(files, tmp_path):
    source = tmp_path / "own.py"
    source.write_text(
        "from hean.core.module import on\nfrom hean.core.types import EventType\n"
        "from hean.strategies.base import Strategy\n"
        "class Own(Strategy):\n    name = 'own'\n    @on(EventType.CANDLE)\n"
        "    def on_candle(self, event):\n        raise KeyError('nothing')\n"
    )
    with pytest.raises(ParameterInvalid, match="line 8: KeyError: 'nothing'"):
        checked(files, f"{source}:Own")


def test_a_module_beside_the_strategy_is_loaded_anew_in_each_world(files, tmp_path, monkeypatch):
    """A cache of the future in another module of the user must not outlive the world it is of."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "looked_up_table.py").write_text(
        f"import polars as pl\nCLOSES = pl.read_parquet({str(files[0])!r})['close'].to_list()\n"
    )
    source = tmp_path / "own.py"
    source.write_text(
        "from looked_up_table import CLOSES\n"
        "from cheating_strategies import FollowsTheLast\nfrom hean.core.types import Side\n"
        "class Own(FollowsTheLast):\n    name = 'own'\n"
        "    def enter(self, symbol, side, **more):\n"
        "        usual = sum(CLOSES) / len(CLOSES)\n"
        "        side = Side.BUY if self.closes[-1] < usual else Side.SELL\n"
        "        super().enter(symbol, side, **more)\n"
    )
    _, found = checked(files, f"{source}:Own")
    assert found["prefix"]["verdict"] == "fails"
    assert found["prefix"]["reason"].startswith("fits on the whole sample")


def test_spot_and_perpetual_of_one_pair_are_told_apart(tmp_path):
    """Copies keep the place in the catalog, which alone says whose market a file is."""
    files = []
    for place in ("spot", "perp"):
        made = write_candles(tmp_path, 7, 400)
        there = tmp_path / "catalog" / "binance" / place / SYMBOL / "candles_5m.parquet"
        there.parent.mkdir(parents=True)
        files.append(made.rename(there))
    source = tmp_path / "own.py"
    source.write_text(
        "from cheating_strategies import FollowsTheLast\n"
        "from hean.core.module import on\nfrom hean.core.types import EventType\n"
        "class Own(FollowsTheLast):\n    name = 'own'\n"
        "    @on(EventType.CANDLE)\n    def on_candle(self, event):\n"
        "        if event.data.symbol.endswith('spot'):\n            super().on_candle(event)\n"
    )
    symbols = (f"{SYMBOL}@spot", f"{SYMBOL}@perp")
    settings = BacktestSettings(f"{source}:Own", symbols)
    document = check(settings, Recording(tuple(files), symbols), bars=300, paths=12, cuts=12)
    assert document["passes"], document["verdict"]
    assert len(document["findings"]) == 14
    assert {each["verdict"] for each in document["findings"]} == {"passes"}
