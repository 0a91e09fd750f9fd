# SPDX-License-Identifier: Apache-2.0
"""Names, places and commands of the source documents: what stands where it was promised, and what
took the place of what does not.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import hean
from hean.core.types import EventType
from hean.strategies import STRATEGIES
from hean.strategies.base import Strategy


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


@pytest.mark.promise(27)
def test_the_places_for_code_of_ones_own_are_packages_of_hean() -> None:
    for name in ("strategies", "models", "ml", "risk"):
        assert importlib.import_module(f"hean.{name}").__name__ == f"hean.{name}"
    for name, kind in STRATEGIES.items():
        assert issubclass(kind, Strategy), name
        assert kind.__module__.startswith("hean.strategies.")
        assert EventType.SIGNAL in kind.produces


@pytest.mark.promise(29)
def test_python_is_3_11_or_newer_and_rust_the_current_stable(root: Path) -> None:
    assert toml(root / "pyproject.toml")["project"]["requires-python"] == ">=3.11"
    assert toml(root / "rust-toolchain.toml")["toolchain"]["channel"] == "stable"


@pytest.mark.promise(34)
def test_of_the_native_engine_in_cpp_the_name_alone_is_kept(root: Path) -> None:
    kept = [path.name for path in (root / "src/hean_meta_cpp").iterdir() if path.suffix]
    assert kept == ["__init__.py"] or sorted(kept) == ["__init__.py", "py.typed"]
    assert (root / "examples/native_order_engine.py").is_file()
    assert not (root / "hean_meta_cpp").exists()
    assert not any(root.glob("CMakeLists.txt")) and not any(root.glob("crates/**/CMakeLists.txt"))
    assert "hean_meta_cpp" in (root / "docs/adr/0001-one-native-language-rust.md").read_text()


@pytest.mark.promise(35)
def test_make_bench_runs_the_bench_of_the_order_engine(root: Path) -> None:
    rule = re.search(r"^bench:.*\n\t(.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None and "bench/run.py" in rule[1] and "--only" not in rule[1]
    assert 'glob("bench_*.py")' in (root / "bench/run.py").read_text()  # every bench there is
    assert "def run(" in (root / "bench/bench_orders.py").read_text()


@pytest.mark.promise(36)
def test_what_is_told_about_building_is_maturin_and_no_compiler_of_cpp(root: Path) -> None:
    words = (root / "CONTRIBUTING.md").read_text() + (root / "README.md").read_text()
    assert "maturin develop" in words
    assert not re.search(r"cmake|pybind11|build-essential", words, re.IGNORECASE)


@pytest.mark.promise(148)
def test_the_market_data_service_is_a_member_at_its_place(root: Path) -> None:
    assert "market-data-service" in toml(root / "Cargo.toml")["workspace"]["members"]
    for name in ("Cargo.toml", "README.md"):
        assert (root / "market-data-service" / name).is_file()


@pytest.mark.promise(196)
def test_the_version_is_our_own_count_and_said_once(root: Path) -> None:
    project = toml(root / "pyproject.toml")["project"]
    assert project["version"] == hean.__version__
    assert int(hean.__version__.split(".")[0]) < 2


@pytest.mark.promise(28)
def test_no_package_is_called_services(root: Path) -> None:
    packages = toml(root / "pyproject.toml")["tool"]["maturin"]["python-packages"]
    assert packages == ["hean", "hean_meta_cpp"]
    assert not (root / "services").exists() and not (root / "src/services").exists()
    assert json.dumps(packages)


@pytest.mark.promise(150)
def test_guides_are_linked_from_the_readme_and_no_file_only_points(root: Path) -> None:
    readme = (root / "README.md").read_text("utf-8")
    for path in (
        "ARCHITECTURE.md", "docs/api.md", "docs/performance.md", "docs/operations/keydb.md",
    ):  # fmt: skip
        assert f"]({path})" in readme and (root / path).is_file()
    for name in ("KEYDB_MIGRATION_GUIDE.md", "DOCKER_DEPLOYMENT_GUIDE.md", "MONITORING_SETUP.md"):
        assert not (root / name).exists(), "its body is in docs/operations"


WORKFLOW = ".github/workflows/deploy.yml"


@pytest.mark.promise(151)
def test_nothing_goes_to_production_before_tests_and_a_persons_word(root: Path) -> None:
    yaml = pytest.importorskip("yaml")
    work = yaml.safe_load((root / WORKFLOW).read_text("utf-8"))
    (starts,) = (work[key] for key in work if key in ("on", True))  # YAML reads `on` as true
    assert set(starts) == {"workflow_dispatch"}, "a push deploys nothing"
    assert work["permissions"] == {"contents": "read"}
    jobs = work["jobs"]
    assert any(".ci/run" in step.get("run", "") for step in jobs["test"]["steps"])
    deploy = jobs["deploy"]
    assert deploy["needs"] == "test"
    assert deploy["environment"] == "production"  # its reviewers have to say yes
    assert deploy["if"] == "github.ref == 'refs/heads/main'"
    runs = [step["run"] for step in deploy["steps"] if "run" in step]
    assert any("scripts/deploy.sh -e production up" in run for run in runs)
    assert not re.search(r"LIVE_CONFIRM|API_SECRET\b", (root / WORKFLOW).read_text("utf-8"))
