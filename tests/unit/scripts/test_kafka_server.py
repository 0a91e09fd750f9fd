# SPDX-License-Identifier: Apache-2.0
"""A broker is run from exactly the jars that are listed, or not at all, and then it says why."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import kafka_server


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two jars that are wanted."""
    folder = tmp_path / "jars"
    folder.mkdir()
    rows = []
    for name in ("a.jar", "b.jar"):
        (folder / name).write_text(name)
        rows.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}")
    (tmp_path / "jars.sha256").write_text("\n".join(rows))
    monkeypatch.setattr(kafka_server, "JARS", folder)
    monkeypatch.setattr(kafka_server, "HASHES", tmp_path / "jars.sha256")
    monkeypatch.setattr(kafka_server.shutil, "which", lambda name: name if name == "java" else None)
    return folder


def test_jars_that_are_all_there_are_not_fetched(jars: Path) -> None:
    assert kafka_server.jars() == jars


@pytest.mark.parametrize("fault", ["missing", "other", "added"])
def test_jars_that_are_not_those_listed_are_fetched_or_refused(jars: Path, fault: str) -> None:
    match fault:
        case "missing":
            (jars / "b.jar").unlink()
        case "other":
            (jars / "b.jar").write_text("something else")
        case "added":
            (jars / "c.jar").write_text("c")
    with pytest.raises(kafka_server.NotHad, match="apt-get install maven"):
        kafka_server.jars()


def test_without_java_the_package_that_brings_it_is_named(
    jars: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kafka_server.shutil, "which", lambda _name: None)
    with pytest.raises(kafka_server.NotHad, match="openjdk-17-jre-headless"):
        kafka_server.prepare(tmp_path / "broker", 1, 2)


def test_every_listed_jar_is_pinned_by_version() -> None:
    wanted = kafka_server._wanted()
    assert "kafka_2.13-4.3.1.jar" in wanted
    assert all(len(digest) == 64 for digest in wanted.values())
