# SPDX-License-Identifier: Apache-2.0
"""`hean symbiont` before it connects: a population that has lived is not lost to an option, and one
that cannot trade is not begun.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from hean.cli_common import ExitCode
from hean.cli_live import mount as mount_live
from hean.cli_strategy import population_lock
from hean.cli_symbiont import _begun, _found, _words, mount
from hean.symbiont.population import Stage, loaded
from population_desk import CALM, EAGER, agent, write_population

KEY = {"BYBIT_API_KEY": "a-key-of-a-test", "BYBIT_API_SECRET": "a-secret-of-a-test"}


def run(folder: Path, *more: str, command: str = "symbiont") -> Result:
    app = typer.Typer()
    mount(app)
    mount_live(app)
    words = [command, "--exchange", "bybit", "--testnet", "--symbols", "BTCUSDT", *more]
    return CliRunner().invoke(app, words, env={"HEAN_DATA_DIR": str(folder / "data"), **KEY})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The population of an earlier session."""
    folder = tmp_path / "data" / "symbiont"
    folder.mkdir(parents=True)
    return write_population(folder / "population.json", agent(EAGER), agent(CALM))


def test_what_a_population_has_shown_is_not_lost_to_an_option(state: Path, tmp_path: Path) -> None:
    """The same line in a service's file, at its second start."""
    before = state.read_bytes()
    other = write_population(tmp_path / "champions.json", agent(CALM))
    result = run(tmp_path, "--population", str(other))
    assert result.exit_code == ExitCode.INPUT
    assert "leave the option out" in result.output and "--force" in result.output
    assert state.read_bytes() == before


@pytest.mark.parametrize("more", [(), ("--force", "--population", "other.json")])
def test_a_population_of_other_symbols_is_refused_before_anything_is_written(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = state.read_text().replace("BTCUSDT", "ETHUSDT")
    (tmp_path / "other.json" if more else state).write_text(text)
    before = state.read_bytes()
    result = run(tmp_path, *more)
    assert result.exit_code == ExitCode.INPUT
    assert "give --symbols ETHUSDT" in result.output
    assert state.read_bytes() == before
    assert [it.name for it in state.parent.glob("*.json")] == [state.name]


def test_a_wrong_parameter_begins_nothing(tmp_path: Path) -> None:
    given = write_population(tmp_path / "champions.json", agent(EAGER))
    result = run(tmp_path, "--population", str(given), "--param", "look_minute=5")
    assert result.exit_code == ExitCode.INPUT
    assert "nearest look_minutes" in result.output
    assert not list((tmp_path / "data" / "symbiont").glob("*.json"))


def test_where_nobody_trades_nothing_is_begun(tmp_path: Path) -> None:
    """A market that stands still, as at a venue that was closed."""
    rows = 60 * 288
    table = {"ts": 1_700_006_400_000 + 300_000 * np.arange(rows)}
    frame = pl.DataFrame(table).with_columns(
        *(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close")),
        pl.lit(1.0).alias("volume"),
    )
    path = tmp_path / "binance_perp_BTCUSDT_5m_made.parquet"
    frame.write_parquet(path)
    for _ in range(2):
        result = run(
            tmp_path, "--data", str(path), "--bar", "5m", "--agents", "8", "--generations", "1"
        )
        assert result.exit_code == ExitCode.INPUT
        assert "Nobody has traded enough to be watched" in result.output
    assert not list((tmp_path / "data" / "symbiont").glob("*.json"))


@pytest.mark.parametrize("command", ["symbiont", "live"])
def test_two_processes_do_not_trade_one_population(
    state: Path, tmp_path: Path, command: str
) -> None:
    """Not of two accounts either: each would write over what the other has seen."""
    more: tuple[str, ...] = ("--no-api",)
    if command == "live":
        more += ("--strategy", "symbiont", "--param", f"population={state}", "--no-watchdog")
    with population_lock(state):
        result = run(tmp_path, *more, command=command)
    assert result.exit_code == ExitCode.ENVIRONMENT, result.output
    assert "is held by process" in result.output


@pytest.mark.parametrize(
    ("stage", "is_told"), [(Stage.BORN, True), (Stage.TESTED, False), (Stage.PAPER, False)]
)
def test_it_says_when_nobody_will_ever_trade(tmp_path: Path, stage: Stage, is_told: bool) -> None:
    path = write_population(tmp_path / "p.json", agent(EAGER, stage), seats={})
    assert ("none will trade" in _words(loaded(path)[0], path)) is is_told


def test_what_is_replaced_by_force_stays_beside(state: Path, tmp_path: Path) -> None:
    before = state.read_bytes()
    other = write_population(tmp_path / "champions.json", agent(CALM))
    found = _found(state, other, force=True)
    assert found is not None and [it.genome for it in found.agents] == [CALM]
    begun, digest = _begun(found, state.parent)
    assert loaded(begun, digest)[0] == loaded(state)[0] == found
    kept = [it for it in state.parent.glob("*.json") if it not in (begun, state)]
    assert [it.read_bytes() for it in kept] == [before]
