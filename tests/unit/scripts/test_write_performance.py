# SPDX-License-Identifier: Apache-2.0
"""The page of promised figures says what the kept results say, and every figure has its bench. No
figure is measured here: a shared machine decides nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from write_performance import FIGURES, Promised, page, result_of

MARKS = {
    185: pytest.mark.promise(185),
    186: pytest.mark.promise(186),
    187: pytest.mark.promise(187),
    188: pytest.mark.promise(188),
    189: pytest.mark.promise(189),
    192: pytest.mark.promise(192),
    193: pytest.mark.promise(193),
}
"""Written out, so that a search for a number finds it."""


@pytest.mark.promise(150)
def test_the_page_is_what_the_results_make(root: Path) -> None:
    text = (root / "docs/performance.md").read_text("utf-8")
    assert text == page(), "run scripts/write_performance.py"


@pytest.mark.parametrize(
    "each",
    [pytest.param(it, id=it.figure, marks=MARKS[it.number]) for it in FIGURES],
)
def test_a_promised_figure_has_a_bench_and_is_told_with_its_machine(
    each: Promised, root: Path
) -> None:
    bench = (root / f"bench/bench_{each.bench}.py").read_text("utf-8")
    assert "def run(" in bench
    text = page()
    (line,) = [line for line in text.splitlines() if f"`{each.bench}`: {each.what} |" in line]
    result = result_of(each.bench)
    if result is None:
        assert "not measured yet" in line
        return
    assert {"min", "median", "max"} <= result["figures"][each.figure].keys()
    assert each.unit in line and "cores of" in result["machine"]
    assert f"`{each.bench}`, {result['date'][:10]}" in text
    assert result["machine"] in text and result["workload"] in text


@pytest.mark.promise(190)
@pytest.mark.promise(195)
def test_the_machine_is_told_and_no_factor_of_keydb(root: Path) -> None:
    text = " ".join(page().split())
    for word in ("8 GB", "16", "20 GB", "Compose v2", "Docker Desktop 4.0"):
        assert word in text
    assert "no factor is promised" in text
