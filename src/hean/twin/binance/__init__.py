# SPDX-License-Identifier: Apache-2.0
"""The twin's Binance: spot and USD-M futures over one exchange. `dialect.py` takes requests apart
and finds the handler; `spot_*.py` and `usdm_*.py` are handlers and shapes; `streams.py` and
`wsapi.py` are the two kinds of socket. Read `call.py`, `dialect.py`, `spot_trade.py`.
"""

from hean.twin.binance.dialect import BinanceDialect

__all__ = ["BinanceDialect"]
