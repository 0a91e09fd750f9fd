# SPDX-License-Identifier: Apache-2.0
"""Draws the README's picture: the Impulse Engine on ten months of recorded Bitcoin perpetual, five
minute bars with funding. Run it with the folder of the recorded data:

    .venv/bin/python scripts/readme_picture.py ../shared/data docs/impulse-btcusdt-2025.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

from hean.backtest.picture import equity_picture
from hean.backtest.run import Backtest, BacktestSettings
from hean.feeds.history import load_history

FILES = (
    "candles/binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet",
    "funding/binance_perp_BTCUSDT_8h_2020-01-01_2025-10-31.parquet",
)


def main(data: Path, target: Path) -> None:
    """Run the backtest and write the picture."""
    history = load_history([data / name for name in FILES], ["BTCUSDT"])
    _, record = Backtest(BacktestSettings("impulse", ("BTCUSDT",)), history).run()
    equity_picture(record, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
