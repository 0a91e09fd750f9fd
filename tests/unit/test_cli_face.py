# SPDX-License-Identifier: Apache-2.0
"""How long a face with an engine behind it lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_desk import engine_desk
from hean.cli_face import serve
from hean.config import load
from hean.net.bind import Bind


async def test_a_duration_of_trading_begins_when_the_engine_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that takes longer to start than it is to last trades nevertheless."""
    monkeypatch.setattr("hean.cli_face.end_on_signals", lambda _: None)
    async with engine_desk(tmp_path) as desk:
        told: list[str] = []
        await serve(
            desk.facade, tmp_path / "data", load({}, {}), Bind(port=0), starts=True,
            duration_s=0.0, of_trading=True, tell=told.append, rings=False,
        )  # fmt: skip
        assert "API on" in told[0] and desk.facade.result is not None
