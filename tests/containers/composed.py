# SPDX-License-Identifier: Apache-2.0
"""The compose files as data, read without any engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers.engine import COMPOSE

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "docker-compose.yml"
OVERLAYS = ("dev", "prod", "keydb", "scale")
FILES = [BASE, *(ROOT / f"docker-compose.{name}.yml" for name in (*OVERLAYS, "full-stack"))]
FILES.append(ROOT / "deploy/compose/everything.yml")


class _Reader(yaml.SafeLoader):
    """Knows the two tags of Compose by which a file takes back what another said."""


def _plain(reader: _Reader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return reader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return reader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return reader.construct_mapping(node, deep=True)


_Reader.add_multi_constructor("!", _plain)


def read(path: Path) -> dict[str, Any]:
    """A compose file, merges done, tags left out."""
    with path.open(encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=_Reader)  # a safe one, with two tags
    assert isinstance(document, dict)
    return document


def config(*words: str, named: Sequence[str] = ()) -> dict[str, Any]:
    """What Docker Compose makes of files, of the *named* services alone if there are any."""
    if not COMPOSE.exists():
        pytest.skip("no Docker Compose: sh scripts/ci/apt_suite.sh trixie docker-compose")
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COMPOSE_DISABLE_ENV_FILE": "true"}
    result = subprocess.run(
        [str(COMPOSE), *words, "config", "--format", "json", *named], env=clean,
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, f"{words} {named}\n{result.stdout}{result.stderr}"
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def ports(service: dict[str, Any]) -> list[str]:
    """What it publishes, `address:host:container`, variables left as their defaults say."""
    return [str(each) for each in service.get("ports") or []]
