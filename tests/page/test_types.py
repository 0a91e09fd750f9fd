# SPDX-License-Identifier: Apache-2.0
"""The page's types are those of this API: its document is the one that was kept, and the types are
what the generator makes of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import write_openapi

UI = write_openapi.TARGET.parent
NAMED = ("react", "react-dom", "@mui/material", "vite")
GENERATOR = UI / "node_modules" / ".bin" / "openapi-typescript"


def test_the_document_of_the_page_is_that_of_the_api() -> None:
    kept = write_openapi.TARGET.read_text("utf-8")
    assert kept == write_openapi.document(), "run scripts/write_openapi.py, then npm run types"


@pytest.mark.skipif(
    shutil.which("node") is None or not GENERATOR.exists(), reason="needs npm ci in ui/"
)
def test_the_types_are_made_of_the_document(tmp_path: Path) -> None:
    made = tmp_path / "schema.d.ts"
    command = [str(GENERATOR), str(write_openapi.TARGET), "-o", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    kept = (UI / "src" / "api" / "schema.d.ts").read_text("utf-8")
    assert kept == made.read_text("utf-8"), "run npm run types"


@pytest.mark.promise(212)
def test_the_page_is_built_of_what_was_named() -> None:
    """React 18 and Material UI, by Vite 6 or later: as they are locked."""
    locked = json.loads((UI / "package-lock.json").read_text("utf-8"))["packages"]
    versions = {name: locked[f"node_modules/{name}"]["version"] for name in NAMED}
    assert {name: int(version.split(".")[0]) for name, version in versions.items()}.items() >= {
        "react": 18, "react-dom": 18
    }.items()  # fmt: skip
    assert int(versions["vite"].split(".")[0]) >= 6
    sources = "".join(path.read_text("utf-8") for path in (UI / "src").rglob("*.tsx"))
    assert all(f'from "{name}' in sources for name in ("react", "react-dom", "@mui/material"))
