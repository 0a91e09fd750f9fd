# SPDX-License-Identifier: Apache-2.0
"""What the market-data service is built of: HTTP and WebSocket, and no gRPC (ADR 0031)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

SERVICE = "market-data-service"
GRPC = {"tonic", "prost", "grpcio", "grpc", "protobuf", "h2"}


def reachable(packages: dict[str, list[str]], name: str) -> set[str]:
    """Everything that a crate is built of, itself too."""
    found, waiting = set(), [name]
    while waiting:
        crate = waiting.pop()
        if crate not in found:
            found.add(crate)
            waiting += packages.get(crate, [])
    return found


@pytest.mark.promise(76)
def test_the_service_is_built_without_grpc_and_has_no_switch_that_does_nothing(root: Path) -> None:
    locked = tomllib.loads((root / "Cargo.lock").read_text("utf-8"))["package"]
    packages = {
        each["name"]: [need.split(" ")[0] for need in each.get("dependencies", [])]
        for each in locked
    }
    crates = reachable(packages, SERVICE)
    assert {"mio", "httparse"} <= crates and not crates & GRPC
    manifest = tomllib.loads((root / SERVICE / "Cargo.toml").read_text("utf-8"))
    assert not [name for name in manifest.get("features", {}) if "grpc" in name.lower()]
