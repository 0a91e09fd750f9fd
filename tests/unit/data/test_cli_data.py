# SPDX-License-Identifier: Apache-2.0
"""`hean data` as a person and a script see it: output, exit codes, nothing half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bad_data_files import candle, candles, rows
from hean.cli_common import ExitCode, run_command, write_json
from hean.cli_data import app
from hean.data.captures import prove_capture
from hean.errors import (
    DataInvalid,
    EnvironmentFault,
    Halted,
    HeanError,
    LedgerBroken,
    ParameterInvalid,
)

runner = CliRunner()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterInvalid("x"), 2),
        (DataInvalid("x"), 2),
        (EnvironmentFault("x"), 3),
        (OSError(28, "No space left on device"), 3),
        (Halted("x"), 4),
        (LedgerBroken("x"), 1),
        (HeanError("x"), 1),
        (ZeroDivisionError("x"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 0),
    ],
)
def test_errors_become_exit_codes(error: BaseException, code: int) -> None:
    single = typer.Typer()

    @single.command()
    @run_command
    def fail() -> None:
        raise error

    result = runner.invoke(single, [])
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_import_list_verify_round_trip(tmp_path: Path) -> None:
    path, home = candles(*rows(3), candle(5))(tmp_path), str(tmp_path / "home")
    done = runner.invoke(app, ["import", str(path)], env={"HEAN_DATA_DIR": home})
    assert done.exit_code == 0, done.output
    listed = runner.invoke(app, ["list", "--json", "-"], env={"HEAN_DATA_DIR": home})
    entry = json.loads(listed.stdout)[0]
    assert (entry["rows"], entry["gaps"]["count"], entry["timeframe"]) == (4, 1, "1h")
    shown = runner.invoke(app, ["list", "--data-dir", home])
    assert "BTCUSDT" in shown.stdout
    checked = runner.invoke(app, ["verify", entry["path"], "--json", "-"])
    assert json.loads(checked.stdout)[0]["sha256"] == entry["sha256"]


def test_second_import_needs_force(tmp_path: Path) -> None:
    command = ["import", str(candles(*rows(3))(tmp_path)), "--data-dir", str(tmp_path / "home")]
    assert [runner.invoke(app, command).exit_code for _ in range(2)] == [0, 2]
    assert runner.invoke(app, [*command, "--force"]).exit_code == 0


def test_one_bad_file_keeps_all_files_of_an_import_out(tmp_path: Path) -> None:
    good = candles(*rows(3))(tmp_path)
    bad = candles("junk", name="binance_perp_ETHUSDT_1h.csv")(tmp_path)
    home = tmp_path / "home"
    command = ["import", str(good), str(bad), "--data-dir", str(home)]
    assert runner.invoke(app, command).exit_code == 2
    assert not home.exists()


def test_verify_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    bad = candles("junk", name="binance_perp_ETHUSDT_1h.csv")(tmp_path)
    good = candles(*rows(3))(tmp_path)
    result = runner.invoke(app, ["verify", str(bad), str(good)])
    assert result.exit_code == 2
    assert "ok, candles, 3 rows" in result.stdout


def test_unwritable_data_directory_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    command = ["import", str(candles(*rows(3))(tmp_path)), "--data-dir", str(tmp_path / "home")]
    assert runner.invoke(app, command).exit_code == ExitCode.ENVIRONMENT


def test_json_file_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_json({}, str(tmp_path / "none" / "out.json"))
    write_json({"a": 1}, str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize("command", ["list", "verify", "import"])
def test_help_has_an_example(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: hean data {command}" in result.stdout


def test_usage_errors_exit_with_two(tmp_path: Path) -> None:
    assert runner.invoke(app, ["verify"]).exit_code == 2
    assert runner.invoke(app, ["verify", "x.csv", "--kind", "weather"]).exit_code == 2
    assert runner.invoke(app, ["import", "x.csv", "--on-bad", "fill"]).exit_code == 2


def test_raw_capture_is_verified_by_its_frames(shared: Path) -> None:
    pytest.importorskip("hean.feeds.capture", reason="raw captures are read by hean.feeds")
    path = shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    document = json.loads(runner.invoke(app, ["verify", str(path), "--json", "-"]).stdout)[0]
    assert (document["kind"], document["symbol"], document["rows"]) == ("book", "NEXOUSDT", 1804)


def test_raw_captures_are_imported_byte_for_byte_and_can_be_played(
    shared: Path, tmp_path: Path
) -> None:
    path = shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    arguments = ["--data-dir", str(tmp_path), "--json", "-"]
    entry = json.loads(runner.invoke(app, ["import", str(path), *arguments]).stdout)[0]
    kept = Path(entry["path"])
    assert kept == tmp_path / "catalog/binance/spot/NEXOUSDT/book_2024-07-23.txt.gz"
    assert kept.read_bytes() == path.read_bytes()
    assert entry["sha256"] == entry["source_sha256"]
    again = runner.invoke(app, ["import", str(path), *arguments])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    listed = json.loads(runner.invoke(app, ["list", *arguments]).stdout)
    assert [(e["kind"], e["symbol"], e["rows"]) for e in listed] == [("book", "NEXOUSDT", 1804)]
    assert prove_capture(kept).first_ns == prove_capture(path).first_ns


def test_a_capture_that_contradicts_what_is_said_is_refused(shared: Path, tmp_path: Path) -> None:
    path = shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    foreign = tmp_path / "bybit_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    foreign.write_bytes(path.read_bytes())
    refused = runner.invoke(app, ["import", str(foreign), "--data-dir", str(tmp_path)])
    assert refused.exit_code == 2
    assert "venue contradicts the frames" in refused.stderr
    assert not (tmp_path / "catalog").exists()
