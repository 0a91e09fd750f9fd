# SPDX-License-Identifier: Apache-2.0
"""The corpus of bad input: each case writes one small broken file and names the exit code and the
words its refusal must contain. A found defect becomes a new case here.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01
HEADER = "ts,open,high,low,close,volume"
CANDLES = "binance_perp_BTCUSDT_1h_2024.csv"
TRADES = "binance_perp_BTCUSDT_trades_2024.csv"
FUNDING = "binance_perp_BTCUSDT_8h_2024.csv"
FLOW = "binance_perp_BTCUSDT_1h_flow_2024.csv"


@dataclass(frozen=True, slots=True)
class Case:
    """`make` writes the file into a folder and returns its path."""

    name: str
    make: Callable[[Path], Path]
    words: str
    options: tuple[str, ...] = ()
    code: int = 2


def candle(index: int, rest: str = "100,110,90,105,7") -> str:
    return f"{START_MS + index * HOUR_MS},{rest}"


def rows(count: int = 5) -> list[str]:
    return [candle(i) for i in range(count)]


def text(name: str, body: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return path

    return make


def candles(*changed: str, header: str = HEADER, name: str = CANDLES) -> Callable[[Path], Path]:
    return text(name, "\n".join([header, *changed]) + "\n")


def one_bad(rest: str) -> Callable[[Path], Path]:
    """Five good candles and a sixth with these values, on line 7."""
    return candles(*rows(5), candle(5, rest))


def at(*stamps: int | str) -> Callable[[Path], Path]:
    return candles(*(f"{stamp},100,110,90,105,7" for stamp in stamps))


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [START_MS + i * HOUR_MS for i in range(6)],
            "open": [100.0] * 6,
            "high": [110.0] * 6,
            "low": [90.0] * 6,
            "close": [105.0] * 6,
            "volume": [7.0] * 6,
        }
    )


def parquet(
    change: Callable[[pl.DataFrame], pl.DataFrame] = lambda f: f,
    *,
    name: str = CANDLES.replace(".csv", ".parquet"),
    damage: Callable[[bytes], bytes] = lambda b: b,
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        change(frame()).write_parquet(path)
        path.write_bytes(damage(path.read_bytes()))
        return path

    return make


def lit(column: str, value: object, dtype: pl.DataType | None = None) -> pl.DataFrame:
    return frame().with_columns(pl.lit(value, dtype=dtype).alias(column))


def packed(body: bytes, cut: int | None = None) -> bytes:
    return gzip.compress(body)[:cut]


def missing_file(folder: Path) -> Path:
    return folder / CANDLES


def directory(folder: Path) -> Path:
    path = folder / CANDLES
    path.mkdir()
    return path


def pipe(folder: Path) -> Path:
    path = folder / CANDLES
    os.mkfifo(path)
    return path


def torn_footer(body: bytes) -> bytes:
    """The first bytes of the footer overwritten."""
    start = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    return body[:start] + bytes(40) + body[start + 40 :]


GOOD = ("\n".join([HEADER, *rows(5)]) + "\n").encode()
TRADE = "ts,price,qty,side,id"
GZ = CANDLES + ".gz"

SHAPE = [
    Case("file missing", missing_file, "cannot be opened"),
    Case("directory", directory, "is a directory"),
    Case("named pipe", pipe, "not a regular file"),
    Case("zero bytes", text(CANDLES, b""), "empty file"),
    Case("unknown ending", text("binance_perp_BTCUSDT_1h.xls", GOOD), "unknown file ending"),
    Case("header only", candles(), "no data rows"),
    Case("blank header", candles(*rows(), header=""), "empty header line"),
    Case("no header", text(CANDLES, "\n".join(rows())), "no header line"),
    Case("missing column", candles(*rows(), header="ts,open,high,low,close,x"), "missing column"),
    Case("extra column", candles("1,2,3,4,5,6,7", header=HEADER + ",vwap"), "unknown column"),
    Case("double column", candles(*rows(), header="ts,open,high,low,open,volume"), "duplicate col"),
    Case("two names of ts", candles(*rows(), header=HEADER.replace("volume", "time")), "duplicate"),
    Case("renamed column", candles(*rows(), header=HEADER.replace("close", "closing")), "closing"),
    Case("other case", candles(*rows(), header=HEADER.replace("open", "Open")), "expected open"),
    Case("foreign columns", candles("1,2", header="gene,protein"), "no known kind"),
    Case("semicolons", text(CANDLES, GOOD.replace(b",", b";")), "wrong delimiter"),
    Case("tabs", text(CANDLES, GOOD.replace(b",", b"\t")), "wrong delimiter"),
    Case("decimal comma", one_bad("100,5,110,90,105,7"), r"csv:7: wrong number of fields.*comma"),
    Case("short line", one_bad("100,110,90"), "csv:7: wrong number of fields"),
    Case("blank line", candles(*rows(2), "", candle(2)), "csv:4: empty line"),
    Case("cut line", text(CANDLES, GOOD[:-12]), "csv:6: wrong number of fields"),
    Case("quoted newline", one_bad('"100\n",110,90,105,7'), "csv:7: quoted field"),
    Case("NUL byte", one_bad("1\x0000,110,90,105,7"), "csv:7: NUL byte"),
    Case("mixed line ends", text(CANDLES, GOOD.replace(b"\n", b"\r\n", 3)), "mixed line ends"),
    Case("lone CR", one_bad("100,110,90,105,7\r"), "mixed line ends"),
    Case("UTF-16", text(CANDLES, GOOD.decode().encode("utf-16")), "UTF-16"),
    Case("not UTF-8", text(CANDLES, GOOD + b"\xff\xfe\n"), "not UTF-8"),
    Case("endless line", text(CANDLES, HEADER.encode() + b"\n" + b"1" * 10_000), "line too long"),
    Case("endless header", text(CANDLES, b"a" * 10_000), "line too long"),
    Case("Parquet as CSV", text(CANDLES, b"PAR1" + GOOD), "got Parquet"),
    Case("truncated gzip", text(GZ, packed(GOOD * 50, 60)), "truncated gzip"),
    Case("plain text as gzip", text(GZ, GOOD), "content and file ending differ"),
    Case("gzip as plain text", text(CANDLES, packed(GOOD)), "content and file ending differ"),
    Case("gzip of zeros", text(GZ, packed(b"\0" * 10_000_000)), "line too long|NUL byte"),
    Case("kind contradicted", candles(*rows()), "missing column of trades", ("--kind", "trades")),
    Case("name says trades", candles(*rows(), name=TRADES), "columns contradict the stated kind"),
    Case("capture as columns", text("a.txt.gz", packed(b"1 {}")), "frames", ("--kind", "candles")),
]

VALUES = [
    Case("NaN", one_bad("NaN,110,90,105,7"), "csv:7: open: not finite"),
    Case("infinity", one_bad("100,inf,90,105,7"), "csv:7: high: not finite"),
    Case("empty cell", one_bad("100,,90,105,7"), "csv:7: high: empty cell"),
    Case("dash", one_bad("-,110,90,105,7"), "csv:7: open: not a number, got '-'"),
    Case("text", one_bad("abc,110,90,105,7"), "csv:7: open: not a number, got 'abc'"),
    Case("formula", one_bad("=1+1,110,90,105,7"), "csv:7: open: not a number"),
    Case("thousands mark", one_bad("1_000,110,90,105,7"), "csv:7: open: not a number"),
    Case("unicode digits", one_bad("１００,110,90,105,7"), r"open: not a number, got '\\uff11"),
    Case("negative price", one_bad("100,110,-90,105,7"), "csv:7: low: out of range, got -90"),
    Case("zero price", one_bad("100,110,0,105,7"), "csv:7: low: out of range"),
    Case("absurd price", one_bad("100,1e300,90,105,7"), "csv:7: high: out of range"),
    Case("negative volume", one_bad("100,110,90,105,-7"), "csv:7: volume: out of range"),
    Case("high below low", one_bad("100,90,110,105,7"), "csv:7: high: high below low"),
    Case("open above high", one_bad("111,110,90,105,7"), "csv:7: open: open outside low .. high"),
    Case("close below low", one_bad("100,110,90,89,7"), "csv:7: close: close outside low .. high"),
    Case("unknown side", candles(f"{START_MS},1,1,long,1", header=TRADE, name=TRADES), "side"),
    Case("zero quantity", candles(f"{START_MS},1,0,buy,1", header=TRADE, name=TRADES), "qty"),
    Case(
        "negative id", candles(f"{START_MS},1,1,buy,-1", header=TRADE, name=TRADES), "negative id"
    ),
    Case("text id", candles(f"{START_MS},1,1,buy,a-b", header=TRADE, name=TRADES), "whole number"),
    Case(
        "percent rate", candles(f"{START_MS},0.5", header="ts,rate", name=FUNDING), "out of range"
    ),
    Case(
        "negative flow",
        candles(f"{START_MS},-1,2,3", header="ts,quote_volume,trades,taker_buy_base", name=FLOW),
        "quote_volume: out of range",
    ),
]

S, US, NS = START_MS // 1000, START_MS * 1000, START_MS * 1_000_000
TIME = [
    Case(
        "unsorted", at(START_MS, START_MS + 2 * HOUR_MS, START_MS + HOUR_MS), "csv:4: ts: not sort"
    ),
    Case("reversed", at(*(START_MS - i * HOUR_MS for i in range(4))), "not sorted"),
    Case(
        "same time, other values", candles(*rows(3), candle(2, "1,2,1,1,1")), "csv:4: .*different"
    ),
    Case("s and ms", at(S, S + 3600, START_MS + 2 * HOUR_MS), "mixed time units.*expected s"),
    Case("ms and us", at(START_MS, START_MS + HOUR_MS, US), "csv:4: ts: mixed time units"),
    Case("us and ns", at(US, US + HOUR_MS * 1000, NS + 2), "csv:4: ts: mixed time units"),
    Case("before 2009", at(1_000_000_000_000, START_MS), "csv:2: ts: time before 2009"),
    Case("zero time", at(0, START_MS), "csv:2: ts: time before 2009"),
    Case("negative time", at(-START_MS, START_MS), "csv:2: ts: time before 2009"),
    Case("future", at(START_MS, 4_102_444_800_000), "csv:3: ts: time in the future"),
    Case("off the grid", at(START_MS, START_MS + HOUR_MS + 1), "csv:3: ts: off the bar grid"),
    Case("half-hour zone", at(START_MS + 1_800_000, START_MS + 5_400_000), "local time"),
    Case("other timeframe", at(START_MS, START_MS + 4 * HOUR_MS), "timeframe contradicts"),
    Case("ISO text", at("2024-01-01T00:00:00", START_MS), "csv:2: ts: not a number"),
    Case("fraction of a ms", at(f"{START_MS}.5", START_MS + HOUR_MS), "csv:2: ts: not a number"),
    Case("scientific time", at("1.7e12", START_MS), "csv:2: ts: not a number"),
    Case("unknown timeframe", candles(*rows()), "unknown timeframe", ("--timeframe", "7m")),
    Case(
        "timeframe and name", candles(*rows()), "contradicts the file name", ("--timeframe", "1m")
    ),
    Case(
        "unknown step",
        candles(*rows(1), f"{START_MS + 7_000},1,1,1,1,1", name="x.csv"),
        "no known timeframe",
        ("--symbol", "BTCUSDT"),
    ),
    Case(
        "one row, no timeframe",
        candles(*rows(1), name="x.csv"),
        "proves no timeframe",
        ("--symbol", "BTCUSDT"),
    ),
    Case(
        "same id, other price",
        candles(f"{START_MS},1,1,buy,1", f"{START_MS},2,1,buy,1", header=TRADE, name=TRADES),
        "same id, different values",
    ),
]

WITH_SYMBOL = HEADER + ",symbol"
IDENTITY = [
    Case("nobody says the symbol", candles(*rows(), name="x.csv"), "symbol unknown"),
    Case("symbol and name", candles(*rows()), "contradicts the file name", ("--symbol", "ETHUSDT")),
    Case("slash symbol", candles(*rows(), name="x.csv"), "canonical BTCUSDT",
         ("--symbol", "BTC/USDT")),
    Case("lower case", candles(*rows(), name="x.csv"), "canonical BTCUSD", ("--symbol", "btcusdt")),
    Case("look-alike", candles(*rows(), name="x.csv"), r"\\u0412", ("--symbol", "\u0412TCUSDT")),
    Case("other symbol inside", candles(*(r + ",BTCUSDT" for r in rows(3)), candle(3) + ",ETHUSDT",
         header=WITH_SYMBOL), "csv:5: symbol: wrong symbol inside, got 'ETHUSDT'"),
    Case("right-to-left mark", candles(*(r + ",\u202eBTC" for r in rows(3)), header=WITH_SYMBOL,
         name="x.csv"), r"\\u202e"),
    Case("unknown market", candles(*rows()), "market", ("--market", "moon")),
]  # fmt: skip

PARQUET = [
    Case("Parquet: wrong magic", parquet(damage=lambda b: b"JUNK" + b[4:]), "wrong magic"),
    Case("Parquet: truncated", parquet(damage=lambda b: b[:-20]), "truncated Parquet"),
    Case("Parquet: first half", parquet(damage=lambda b: b[: len(b) // 2]), "truncated Parquet"),
    Case("Parquet: only magic", parquet(damage=lambda _: b"PAR1"), "truncated Parquet"),
    Case("Parquet: huge footer", parquet(damage=lambda b: b[:-8] + b"\xff" * 4 + b"PAR1"), "foot"),
    Case("Parquet: torn footer", parquet(damage=torn_footer), "damaged"),
    Case("Parquet: torn pages", parquet(damage=lambda b: b[:4] + bytes(150) + b[154:]), "damaged"),
    Case("Parquet: no rows", parquet(lambda f: f.head(0)), "no data rows"),
    Case("Parquet: null", parquet(lambda f: f.with_columns(pl.when(pl.col("ts") > START_MS)
         .then(pl.col("open")).alias("open"))), "row 1: open: empty cell"),
    Case("Parquet: NaN", parquet(lambda _: lit("low", float("nan"))), "6 x not finite"),
    Case("Parquet: text price", parquet(lambda _: lit("open", "100")), "open: wrong column type"),
    Case("Parquet: float32", parquet(lambda _: lit("open", 100.0, pl.Float32())), "32-bit"),
    Case("Parquet: float time", parquet(lambda f: f.with_columns(pl.col("ts").cast(pl.Float64))),
         "ts: wrong column type"),
    Case("Parquet: zoneless time", parquet(lambda f: f.with_columns(pl.col("ts").cast(
         pl.Datetime("ms")))), "ts: wrong column type"),
    Case("Parquet: nested", parquet(lambda f: f.with_columns(pl.concat_list("open").alias("open"))),
         "wrong column type"),
    Case("Parquet: 1000 columns", parquet(lambda f: f.with_columns(
         [pl.lit(1).alias(f"c{i}") for i in range(1000)])), "too many columns"),
    Case("Parquet: other symbol", parquet(lambda _: lit("symbol", "ETHUSDT")), "6 x wrong symbol"),
    Case("CSV as Parquet", text(CANDLES.replace("csv", "parquet"), GOOD), "wrong magic"),
]  # fmt: skip

CASES = [*SHAPE, *VALUES, *TIME, *IDENTITY, *PARQUET]
