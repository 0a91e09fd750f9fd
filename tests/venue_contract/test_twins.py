# SPDX-License-Identifier: Apache-2.0
"""The fixtures themselves: both twins start from the command, have a market, and their control port
answers.
"""

from __future__ import annotations

import json
import urllib.request

from venue_contract.twin_process import WAIT_S, TwinProcess


def test_bybit_answers_on_its_address(bybit: TwinProcess) -> None:
    with urllib.request.urlopen(f"{bybit.rest_url}/v5/market/time", timeout=WAIT_S) as answer:
        assert json.loads(answer.read())["retCode"] == 0
    assert float(bybit.control.market("BTCUSDT")["bid"]) > 0


def test_binance_answers_on_its_address(binance: TwinProcess) -> None:
    for path in ("/api/v3/time", "/fapi/v1/time"):
        with urllib.request.urlopen(f"{binance.rest_url}{path}", timeout=WAIT_S) as answer:
            assert json.loads(answer.read())["serverTime"] > 0
    assert float(binance.control.market("BTCUSDT", "spot")["bid"]) > 0
