# SPDX-License-Identifier: Apache-2.0
"""`hean ml train` and `hean ml check`: make a model from recorded bars, and see whether one can be
trusted. Training needs LightGBM, XGBoost and ONNX; without them it ends with exit 3 and the remedy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from hean.cli_common import (
    STANDARD_OUTPUT,
    DebugOption,
    ExitCode,
    JsonOption,
    progress,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_values import symbols_of
from hean.errors import InputError, ParameterInvalid
from hean.ml import libraries
from hean.ml.check import Finding, compare, open_model
from hean.ml.dataset import build, read_bars
from hean.ml.folder import check_free, write_model
from hean.ml.metrics import verdict
from hean.ml.training import Plan, steps_of, train
from hean.models.artefact import Manifest, refuse_pickle
from hean.models.features import BAR_FEATURES, FeatureSet
from hean.quant.labels import SIDES, Barriers

TARGETS = ("triple-barrier",)
FOLDS_MAX = 50
EXPIRY_DAYS_MAX = 3650
EXITS = "Exit: 0 done, 1 off, 2 input, 3 library missing (./hean setup ml)."

app = typer.Typer(
    name="ml",
    help="Models that learn: train and check.",
    epilog="Example: hean ml train --data candles.parquet --symbol BTCUSDT --out btc-buy; "
    "hean ml check btc-buy",
    no_args_is_help=True,
)

DataOption = Annotated[
    list[Path], typer.Option("--data", help="Candles, Parquet or CSV; funding as a second file.")
]
SymbolOption = Annotated[str, typer.Option("--symbol", help="Such as BTCUSDT.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to make for the model.")]
TargetOption = Annotated[str, typer.Option("--target", help="What to learn: triple-barrier.")]
SideOption = Annotated[str, typer.Option("--side", help="Trade that the target is about.")]
HorizonOption = Annotated[int, typer.Option("--horizon", help="Bars until a trade is closed.")]
WidthOption = Annotated[
    float, typer.Option("--width", help="Both barriers, in deviations over the horizon.")
]
CostOption = Annotated[
    float, typer.Option("--cost", help="Whole round trip as a fraction: two taker fees of 5.5 bp.")
]
LibraryOption = Annotated[str, typer.Option("--library", help="lightgbm or xgboost.")]
FeatureOption = Annotated[
    list[str] | None, typer.Option("--feature", help="Feature by name; default: thirty of bars.")
]
FoldsOption = Annotated[int, typer.Option("--folds", help="Purged folds that choose parameters.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Same seed and data, same model.")]
ExpiryOption = Annotated[
    int, typer.Option("--expiry-days", help="Days after the data in which the model may speak.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No tables.")]


@app.callback()
def ml() -> None:
    """Models that learn: train and check."""


@app.command(
    "train",
    epilog="Example: hean ml train --data candles.parquet --symbol BTCUSDT --out btc-buy. " + EXITS,
)
@run_command
def train_model(
    data: DataOption,
    symbol: SymbolOption,
    out: OutOption,
    *,
    target: TargetOption = "triple-barrier",
    side: SideOption = "buy",
    horizon: HorizonOption = 24,
    width: WidthOption = 1.5,
    cost: CostOption = 0.0011,
    library: LibraryOption = "lightgbm",
    feature: FeatureOption = None,
    folds: FoldsOption = 5,
    seed: SeedOption = 1,
    expiry_days: ExpiryOption = 90,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Learn from recorded bars; figures are out of sample, with an embargo before them."""
    (name,) = symbols_of([symbol])
    _one_of("--target", target, TARGETS)
    _one_of("--side", side, SIDES)
    _one_of("--library", library, libraries.LIBRARIES)
    _within("--folds", folds, 2, FOLDS_MAX)
    _within("--seed", seed, 0, 2**31 - 1)
    _within("--expiry-days", expiry_days, 1, EXPIRY_DAYS_MAX)
    barriers = Barriers(side, horizon, width, cost)
    check_free(out)
    versions = libraries.versions()  # before an hour of reading
    bars, funding = read_bars(data, name)
    names = tuple(feature or (*BAR_FEATURES, *(["funding"] if funding is not None else [])))
    FeatureSet(names, bars.timeframe or "")
    with progress("features", bars.rows // 1000) as advance:
        rows = build(bars, funding, names, barriers, advance)
    plan = Plan(out.name, library, barriers, folds, seed, expiry_days)
    with progress("training", steps_of(plan)) as advance:
        manifest, files = train(rows, plan, advance)
    write_model(out, manifest, files)
    if json_to is not None:
        write_json(_document(out, manifest), json_to)
    if json_to != STANDARD_OUTPUT and not quiet:
        table_console(json_to).print(_figures(manifest))
    where = f"{out}: {library} {versions[library]}, {len(rows.bar)} rows, {len(names)} features"
    say(f"{where}. Out of sample: {verdict(manifest.metrics)}.", json_to=json_to)


@app.command("check", epilog="Example: hean ml check btc-buy --json check.json. " + EXITS)
@run_command
def check_model(
    model: Annotated[Path, typer.Argument(help="A model's folder.")],
    *,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Prove hashes, features and answers: HEAN's beside the library's and ONNX's."""
    refuse_pickle(model.name)
    opened, files, found = open_model(model)
    found += compare(opened, files)
    if json_to is not None:
        document = {
            "model": opened.manifest.name,
            "sha256": opened.manifest.files,
            "passed": all(each.passed for each in found),
            "checks": msgspec.to_builtins(found),
        }
        write_json(document, json_to)
    if json_to != STANDARD_OUTPUT and not quiet:
        table_console(json_to).print(_checks(found))
    failed = sum(not each.passed for each in found)
    say(f"{model}: {len(found)} checks, {failed} failed.", json_to=json_to)
    if failed:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ParameterInvalid(f"{option} {given!r}; allowed: {', '.join(known)}.")


def _within(option: str, given: int, low: int, high: int) -> None:
    if not low <= given <= high:
        raise InputError(f"{option} {given}; allowed: {low} to {high}.")


def _document(out: Path, manifest: Manifest) -> dict[str, Any]:
    kept = msgspec.to_builtins(manifest)
    names = ("name", "library", "symbol", "timeframe", "target", "trained_on", "valid_from")
    more = ("expires", "embargo_bars", "parameters", "metrics", "versions", "fingerprint")
    return {
        "folder": str(out),
        "sha256": kept["files"],
        **{name: kept[name] for name in (*names, *more)},
        "features": [spec.name for spec in manifest.features],
        "verdict": verdict(manifest.metrics),
    }


def _figures(manifest: Manifest) -> Table:
    found = manifest.metrics
    table = Table(box=box.SIMPLE_HEAD, title="Out of sample, opened once")
    for title in ("figure", "model", "base rate"):
        table.add_column(title, justify="left" if title == "figure" else "right")
    auc = "-" if found["auc"] is None else f"{found['auc']:.4f}"
    rows = (
        ("log loss", f"{found['log_loss']:.5f}", f"{found['log_loss_base']:.5f}"),
        ("Brier score", f"{found['brier']:.5f}", f"{found['brier_base']:.5f}"),
        ("AUC", auc, "0.5000"),
        ("wins", f"{found['win_rate']:.4f}", f"{found['win_rate_training']:.4f}"),
        ("wins, best tenth", f"{found['win_rate_best_tenth']:.4f}", ""),
        ("net a trade, bp", f"{found['net_mean'] * 1e4:.2f}", ""),
        ("net a trade, best tenth, bp", f"{found['net_mean_best_tenth'] * 1e4:.2f}", ""),
        ("rows", str(found["rows"]), f"{found['rows_apart']} apart"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _checks(found: list[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("check", "off by", "allowed", "", ""):
        table.add_column(title)
    for each in found:
        table.add_row(
            each.name,
            "" if each.off is None else f"{each.off:.2g}",
            "" if each.limit is None else f"{each.limit:g}",
            "[green]pass[/green]" if each.passed else "[red]FAIL[/red]",
            each.detail,
        )
    return table
