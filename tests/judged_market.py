# SPDX-License-Identifier: Apache-2.0
"""Two perpetuals for tests of the judge: bars with gaps, jumps, some without volume, funding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from hean.backtest.run import BacktestSettings
from hean.feeds.history import History, load_history

START_MS = 1_700_006_400_000  # midnight UTC
BAR_MS = 60_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def write_market(folder: Path, symbol: str, seed: int, bars: int) -> list[Path]:
    """Candles and funding of one symbol."""
    draw = np.random.default_rng([seed, len(symbol), ord(symbol[0])])
    calm = np.repeat(draw.uniform(0.3, 3.0, bars // 40 + 1), 40)[:bars]
    base = 300_000
    close = base + np.cumsum(np.rint(draw.normal(0, 300, bars) * calm)).astype(np.int64)
    close = np.maximum(close, base // 4)
    jumps = np.where(draw.random(bars) < 0.05, draw.integers(-900, 901, bars), 0)
    open_ = np.concatenate([[base], close[:-1]]) + draw.integers(-20, 21, bars) + jumps
    high = np.maximum(open_, close) + draw.integers(0, 300, bars)
    low = np.minimum(open_, close) - draw.integers(0, 300, bars)
    volume = np.rint(np.exp(draw.normal(3, 0.8, bars)) * 1000) / 1000
    volume[draw.random(bars) < 0.03] = 0.0
    scale = 10 if symbol == "BTCUSDT" else 100
    prices = {"open": open_, "high": high, "low": low, "close": close}
    table = {"ts": START_MS + BAR_MS * np.arange(bars)}
    table |= {name: values / scale for name, values in prices.items()}
    frame = pl.DataFrame(table | {"volume": volume})
    frame = frame.filter(pl.Series(draw.random(bars) > 0.01))
    candles = folder / f"binance_perp_{symbol}_1m_made.parquet"
    frame.write_parquet(candles)
    count = bars // 480 + 2
    funding = folder / f"binance_perp_{symbol}_8h_made.parquet"
    rates = draw.integers(-500, 501, count) / 1e6
    ts = START_MS + 8 * 3_600_000 * np.arange(count)
    pl.DataFrame({"ts": ts, "rate": rates}).write_parquet(funding)
    return [candles, funding]


def market(
    folder: Path, seed: int, bars: int = 3_000, symbols: tuple[str, ...] = SYMBOLS
) -> History:
    """Recorded bars and funding of the symbols."""
    files = [path for symbol in symbols for path in write_market(folder, symbol, seed, bars)]
    return load_history(files, symbols)


def settings(genome: str, symbols: tuple[str, ...] = SYMBOLS, **more: object) -> BacktestSettings:
    """A backtest of a genome."""
    return BacktestSettings("genome", symbols, {"genome": genome}, **more)  # type: ignore[arg-type]


def write_planted(
    folder: Path,
    seed: int,
    *,
    days: int = 75,
    pull: float = 0.4,
    is_shuffled: bool = False,
    turns: int | None = None,
) -> Path:
    """Five-minute bars of BTCUSDT: calm and wild days in turn, and in the wild ones each return is
    followed by a share *pull* of its opposite. Shuffled, the same returns stand in any order. From
    day *turns* on each return is followed by as much of itself.
    """
    draw = np.random.default_rng([seed, days])
    bars = days * 288
    is_wild = np.repeat(draw.random(days) < 0.5, 288)
    sigma = np.where(is_wild, 0.0022, 0.0007)
    noise = draw.normal(0, 1, bars) * sigma
    returns = np.zeros(bars)
    for at in range(1, bars):
        back = pull if turns is None or at < turns * 288 else -pull
        returns[at] = noise[at] - (back * returns[at - 1] if is_wild[at] else 0.0)
    if is_shuffled:
        places = draw.permutation(bars)
        returns, sigma = returns[places], sigma[places]
    close = np.rint(300_000 * np.exp(np.cumsum(returns - sigma**2 / 2))).astype(np.int64)
    open_ = np.concatenate([[300_000], close[:-1]])
    # Extremes of a Brownian path between open and close: with shorter ones a stop would be a gift,
    # for it would close at its price what the bar then carries on beyond it.
    step = np.log(close / open_)
    reach = np.sqrt(step**2 - 2 * sigma**2 * np.log(draw.random((2, bars))))
    high = np.rint(open_ * np.exp((step + reach[0]) / 2)).astype(np.int64)
    low = np.rint(open_ * np.exp((step - reach[1]) / 2)).astype(np.int64)
    high, low = (
        np.maximum(high, np.maximum(open_, close)),
        np.minimum(low, np.minimum(open_, close)),
    )
    prices = {"open": open_, "high": high, "low": low, "close": close}
    table = {"ts": START_MS + 300_000 * np.arange(bars)}
    table |= {name: values / 10 for name, values in prices.items()}
    volume = np.rint(np.exp(draw.normal(3, 0.8, bars)) * 1000) / 1000
    path = folder / "binance_perp_BTCUSDT_5m_made.parquet"
    pl.DataFrame(table | {"volume": volume}).write_parquet(path)
    return path
