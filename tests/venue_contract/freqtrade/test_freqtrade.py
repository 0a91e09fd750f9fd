# SPDX-License-Identifier: Apache-2.0
"""Somebody else's bot trades on the twin, dry and with the twin's money. Each run ends when
the bot has closed some trades; HEAN_FREQTRADE_S makes it last longer.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from venue_contract.twin_process import TwinProcess

SECONDS = float(os.environ.get("HEAN_FREQTRADE_S", "0"))
pytestmark = [pytest.mark.server, pytest.mark.timeout(SECONDS + 900)]


def _bot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bot", Path(__file__).with_name("bot.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bot"] = module
    spec.loader.exec_module(module)
    return module


bot = _bot()


def bybit(twin: TwinProcess) -> dict[str, Any]:
    base = twin.rest_url
    urls = {"api": {name: base for name in ("spot", "futures", "v2", "public", "private")}}
    return _exchange("bybit", twin, {"urls": urls})


def binance(twin: TwinProcess) -> dict[str, Any]:
    base = twin.rest_url
    api = {
        **{name: f"{base}/api/v3" for name in ("public", "private", "v1")},
        **{f"fapi{kind}": f"{base}/fapi/v1" for kind in ("Public", "Private")},
        **{f"fapi{kind}V2": f"{base}/fapi/v2" for kind in ("Public", "Private")},
        **{f"fapi{kind}V3": f"{base}/fapi/v3" for kind in ("Public", "Private")},
        "fapiData": f"{base}/futures/data",
        "sapi": f"{base}/sapi/v1",
        "sapiV2": f"{base}/sapi/v2",
        "sapiV3": f"{base}/sapi/v3",
        "sapiV4": f"{base}/sapi/v4",
    }
    return _exchange(
        "binance", twin, {"urls": {"api": api}, "options": {"fetchMarkets": {"types": ["linear"]}}}
    )


def _exchange(name: str, twin: TwinProcess, ccxt: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "key": twin.main.key,
        "secret": twin.main.secret,
        "enable_ws": False,
        "ccxt_config": ccxt,
        "ccxt_async_config": ccxt,
    }


@pytest.mark.parametrize("is_dry", [True, False], ids=["dry", "live"])
@pytest.mark.parametrize("name", ["bybit", "binance"])
def test_freqtrade_trades(name: str, is_dry: bool, tmp_path: Path) -> None:
    """A twin of its own, so that it finds the account as the exchange opens it."""
    with TwinProcess(name, tmp_path) as twin:
        exchange = {"bybit": bybit, "binance": binance}[name](twin)
        config = bot.settings(exchange, is_dry=is_dry, database=tmp_path / "trades.sqlite")
        outcome = bot.trade(config, tmp_path, SECONDS)
        records = twin.control.ledger()
    assert outcome.closed >= bot.CLOSED, outcome.log[-6_000:]
    assert " - ERROR - " not in outcome.log, outcome.log[-6_000:]
    traded = {record["order_id"] for record in records if record["kind"] == "trade"}
    if is_dry:
        assert not traded, "a dry run sends no order"
    else:
        assert set(outcome.filled) <= traded, "the bot believes in fills the exchange never made"
