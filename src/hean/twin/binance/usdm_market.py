# SPDX-License-Identifier: Apache-2.0
"""`usdm_market.py`: to be written."""

from __future__ import annotations

from hean.twin.binance.call import Route

ROUTES: dict[tuple[str, str], Route] = {}
