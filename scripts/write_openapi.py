# SPDX-License-Identifier: Apache-2.0
"""Write the OpenAPI document that the page's types are generated from: `ui/openapi.json`."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from hean.api.face import Face
from hean.config import load
from hean.engine import EngineFacade
from hean.net.bind import Bind

TARGET = Path(__file__).resolve().parent.parent / "ui" / "openapi.json"


def document() -> str:
    """The document as it is kept: sorted, so that a change shows as what it is."""
    with tempfile.TemporaryDirectory() as folder:
        facade = EngineFacade(_nobody, now=time.time_ns)
        face = Face(facade, Path(folder), load({}, {}), Bind(port=0))
        return json.dumps(face.api.openapi(), indent=1, sort_keys=True) + "\n"


def _nobody() -> NoReturn:
    raise AssertionError("no engine is started for a document")


if __name__ == "__main__":
    TARGET.write_text(document(), "utf-8")
