# SPDX-License-Identifier: Apache-2.0
"""`sample.py`: a made-up market to play before there is a recorded one: minutes of the generator of
the demo and the twin, in a catalog of their own, so that they are never taken for recorded data.
`python -m hean.jobs.sample DATA_DIR SEED` makes it, below the engine in priority.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from hean.data.catalog import Catalog
from hean.data.reader import read_columns
from hean.feeds.generated import CHUNK_NS, DEFAULT, GeneratedMarket
from hean.jobs.datasets import MADE, DataSet, DataSets

SYMBOL = DEFAULT[0].symbol
START_NS = 1_767_571_200 * 10**9  # 2026-01-05, a Monday
MINUTES = 3 * 1_440  # about two seconds to make
NICENESS = 5


async def made(data_dir: Path, seed: int) -> DataSet:
    """The made-up market of a data directory; made in a process of its own unless it is there."""
    found = _found(data_dir)
    if found is None:
        command = (sys.executable, "-m", "hean.jobs.sample", str(data_dir), str(seed))
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        found = _found(data_dir)
    if found is None:
        raise OSError("the made-up market was not made")
    return found


def _found(data_dir: Path) -> DataSet | None:
    sets = (described for described, _ in DataSets(data_dir).all().values())
    return next((each for each in sets if each.is_made and each.symbol == SYMBOL), None)


def make(data_dir: Path, seed: int) -> None:
    """Make it and put it into its catalog, whole or not at all."""
    market = GeneratedMarket(seed=seed, symbols=DEFAULT[:1], start_ns=START_NS)
    rows = []
    for minute in range(MINUTES):
        chunk = market.chunk(minute)[SYMBOL]
        price, qty = chunk.trade_price, chunk.trade_qty
        if not price.size:
            continue
        at_ms = (START_NS + minute * CHUNK_NS) // 10**6
        volume = round(float(np.sum(qty)), 3)
        rows.append((at_ms, price[0], price.max(), price.min(), price[-1], volume))
    names = ["ts", "open", "high", "low", "close", "volume"]
    with tempfile.TemporaryDirectory(prefix="hean-demo-") as folder:
        path = Path(folder) / f"bybit_perp_{SYMBOL}_1m.parquet"
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
        catalog = data_dir / MADE
        catalog.mkdir(parents=True, exist_ok=True)
        Catalog(catalog).add(read_columns(path), force=True)


if __name__ == "__main__":
    os.nice(NICENESS)
    make(Path(sys.argv[1]), int(sys.argv[2]))
