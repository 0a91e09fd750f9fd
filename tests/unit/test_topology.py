# SPDX-License-Identifier: Apache-2.0
"""Deployment tables: what crosses is derived, what cannot work is refused with its reason, and the
page about the tables of deploy/ says what they are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.errors import TopologyInvalid
from hean.topology import Link, document, process_of, read_table

ROOT = Path(__file__).resolve().parents[2]


def table(folder: Path, *processes: str, transport: str = "redis") -> Path:
    """A table of processes given as `name: module, module`."""
    lines = [f'transport = "{transport}"']
    for port, process in enumerate(processes, 8_000):
        name, _, modules = process.partition(":")
        names = [f'"{module.strip()}"' for module in modules.split(",")]
        lines += [f"[process.{name}]", f"modules = [{', '.join(names)}]", f"port = {port}"]
    path = folder / "table.toml"
    path.write_text("\n".join(lines))
    return path


def test_what_crosses_follows_from_what_modules_produce_and_consume(tmp_path: Path) -> None:
    path = table(tmp_path, "in: feed", "vol: candles, garch", "out: candles, pairs, truth")
    with pytest.raises(TopologyInvalid, match="vol and out both produce CANDLE, which only one"):
        read_table(path)
    found = read_table(table(tmp_path, "in: feed, candles", "vol: garch", "out: pairs, truth"))
    assert found.links() == [
        Link("in", "vol", ("CANDLE",)),
        Link("in", "out", ("BOOK", "CANDLE", "FUNDING", "HEALTH", "TICK")),
        Link("vol", "out", ("VOL_FORECAST",)),
    ]
    assert found.readers("in") == ["vol", "out"]
    assert found.topic("in") == "hean.in"


def test_who_hears_a_model_hears_what_it_spoke_at(tmp_path: Path) -> None:
    """Nobody trades by features, but a prediction is made at them, and told at that event."""
    path = table(tmp_path, "in: feed, candles", "f: features", "m: ml", "out: strategies, truth")
    found = read_table(path)
    assert [link for link in found.links() if link.source != "in"] == [
        Link("f", "m", ("FEATURES_READY",)),
        Link("f", "out", ("FEATURES_READY",)),
        Link("m", "out", ("HEALTH", "ML_PREDICTION")),
    ]
    found = read_table(table(tmp_path, "in: feed, candles", "m: models", "out: strategies, truth"))
    assert found.links()[-1] == Link(
        "m", "out", ("CHANGEPOINT", "FEATURES_READY", "HEALTH", "HEDGE_RATIO", "ML_PREDICTION",
                     "REGIME", "VOL_FORECAST"),
    )  # fmt: skip
    assert found.elsewhere("out") == [
        "candles", "garch", "kalman", "changepoint", "regime", "features", "ml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("processes", "reason"),
    [
        (["out: candles, strategies, truth"], "out consumes BOOK .gateway., which no process pro"),
        (["in: feed", "out: impulse, truth"], "consumes CANDLE .impulse., which no process"),
        (["a: feed, candles, strategies, truth", "b: truth"], "the truth group is split .a has ri"),
        (["a: feed, risk, orders, portfolio, reconcile", "b: router, gateway"], "group is split"),
        (["a: feed, risk, router"], "a has risk, router without orders, portfolio, reconcile, gat"),
        (["in: feed, candles"], "no process has the truth group"),
        (["in: feed, candels, truth"], "in has a module 'candels', nearest is 'candles'"),
        (["in: feed, risk.monitor, truth"], "private stream, beside a live process: hean watchdog"),
        (["in: feed, candles", "b: ml", "out: truth"], "b consumes FEATURES_READY .ml., which no"),
        (["in: feed, candles, garch", "b: garch", "out: truth"], "both produce VOL_FORECAST"),
        (["in: feed, candles", "b: pairs", "out: truth"], "b has pairs, which judges where 'tru"),
        (["a: feed", "b: feed, candles", "out: strategies, truth"], "a and b both have 'feed'"),
        (["in: feed, garch", "b: candles", "out: pairs, truth"], "waits for nobody, and would he"),
        (
            ["in: feed", "b: candles, changepoint", "c: kalman", "out: pairs, truth"],
            "b, c, out would wait for each other",
        ),
    ],
)
def test_a_table_that_cannot_work_is_refused(
    tmp_path: Path, processes: list[str], reason: str
) -> None:
    with pytest.raises(TopologyInvalid, match=reason):
        read_table(table(tmp_path, *processes))


def test_ports_transports_keys_and_names_are_checked(tmp_path: Path) -> None:
    path = table(tmp_path, "in: feed, candles", "out: strategies, truth")
    text = path.read_text()
    for old, new, reason in (
        ("8001", "8000", "in and out both have port 8000"),
        ('"redis"', '"memory"', "transport memory joins nothing outside of one process"),
        ('"redis"', '"pigeon"', "pigeon"),
        ("port", "prot", "prot"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(TopologyInvalid, match=reason):
            read_table(path)
    path.write_text(text)
    with pytest.raises(TopologyInvalid, match="no process 'outt'; the table has in, out"):
        process_of(read_table(path), "outt")


def test_the_page_says_what_the_tables_are() -> None:
    files = sorted((ROOT / "deploy").glob("*.toml"))
    tables = {path.relative_to(ROOT).as_posix(): read_table(path) for path in files}
    page = (ROOT / "docs" / "topology.md").read_text(encoding="utf-8")
    assert page == document(tables), "hean topology > docs/topology.md"
