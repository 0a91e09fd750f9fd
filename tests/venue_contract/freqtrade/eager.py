# SPDX-License-Identifier: Apache-2.0
"""A strategy for somebody else's bot: in and out of the market as often as it may, with a stop that
rests at the exchange. It wants to trade, not to earn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

HELD_S = 8


class Eager(IStrategy):
    """Enters whenever it is flat, leaves after some seconds."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = False
    process_only_new_candles = False
    startup_candle_count = 20
    minimal_roi: ClassVar[dict[str, float]] = {"0": 1.0}
    stoploss = -0.05
    order_types: ClassVar[dict[str, object]] = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """None needed."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Always."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Never by signal."""
        return dataframe

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, *args: Any, **kwargs: Any
    ) -> str | None:
        """Out when old enough."""
        age_s = (current_time - trade.open_date_utc).total_seconds()
        return "held" if age_s > HELD_S else None
