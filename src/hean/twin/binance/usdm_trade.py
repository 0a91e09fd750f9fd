# SPDX-License-Identifier: Apache-2.0
"""`usdm_trade.py`: to be written."""

from __future__ import annotations

from hean.twin.binance.call import Route
from hean.twin.binance.errors import Refusals

ROUTES: dict[tuple[str, str], Route] = {}
REFUSALS: Refusals = {}
