# SPDX-License-Identifier: Apache-2.0
"""`usdm_wsapi.py`: to be written."""

from __future__ import annotations

from hean.twin.binance.call import Route

METHODS: dict[str, Route] = {}
