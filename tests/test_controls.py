# SPDX-License-Identifier: Apache-2.0
"""Each control of the face has a test that says so: `control("C-05")` stands at what proves it.
C-09 speaks of containers and has its tests where those are described.
"""

from __future__ import annotations

import re
from pathlib import Path

MARK = re.compile(r'mark\.control\("([^"]*)"\)')
KNOWN = {f"C-{number:02}" for number in range(1, 41)}
FACE = {f"C-{number:02}" for number in range(1, 22)} - {"C-09"} | {"C-28", "C-31", "C-39", "C-40"}


def test_every_control_of_the_face_is_proven(root: Path) -> None:
    marked = {
        found
        for path in (root / "tests").rglob("test_*.py")
        for found in MARK.findall(path.read_text("utf-8"))
    }
    assert marked <= KNOWN
    assert FACE - marked == set()
