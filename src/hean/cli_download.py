# SPDX-License-Identifier: Apache-2.0
"""`hean data download` and `hean data record`: market data from a venue's public addresses; no key
is used. A download is finished history in the catalog, a recording is the stream as it comes, from
now on. Both can be interrupted at any time: what is complete is kept.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    progress,
    run_command,
    say,
    write_json,
)
from hean.cli_values import period_of, symbols_of
from hean.data.download import PROGRESS_STEPS, Downloaded, Wish, download, report
from hean.data.fingerprint import sha256_of
from hean.data.record_stream import Recorded, StreamRecording
from hean.data.schema import Kind
from hean.errors import ParameterInvalid
from hean.feeds.rest import Market
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from hean.net.loop import run as run_loop
from hean.venues.endpoints import Endpoints, endpoints_for
from hean.watchdog import end_on_signals

ANSWER_S = 30.0  # a page or a list of all symbols over a slow line; nothing trades on it
REST_VARIABLE = {
    ("bybit", "spot"): "BYBIT_REST_URL",
    ("bybit", "linear"): "BYBIT_REST_URL",
    ("binance", "spot"): "BINANCE_REST_URL",
    ("binance", "linear"): "BINANCE_FUTURES_REST_URL",
}
STREAM_VARIABLE = {
    ("bybit", "spot"): "BYBIT_WS_PUBLIC_URL",
    ("bybit", "linear"): "BYBIT_WS_PUBLIC_URL",
    ("binance", "spot"): "BINANCE_WS_URL",
    ("binance", "linear"): "BINANCE_FUTURES_WS_URL",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Exchange(StrEnum):
    """The venues whose public data can be asked for."""

    BYBIT = "bybit"
    BINANCE = "binance"


class MarketName(StrEnum):
    """Coins, or perpetual contracts paid in a stable coin."""

    SPOT = "spot"
    LINEAR = "linear"


class HistoryKind(StrEnum):
    """What can be downloaded."""

    CANDLES = "candles"
    TRADES = "trades"
    FUNDING = "funding"


ExchangeOption = Annotated[Exchange, typer.Option("--exchange", help="Venue.")]
MarketOption = Annotated[MarketName, typer.Option("--market", help="spot, or linear perpetuals.")]
SymbolsOption = Annotated[
    list[str],
    typer.Option("--symbol", "--symbols", help="Such as BTCUSDT; may be repeated, or BTC,ETH."),
]
TestnetOption = Annotated[
    bool, typer.Option("--testnet", help="The venue's test network; its data is kept apart.")
]
KindOption = Annotated[HistoryKind, typer.Option("--kind", help="Whose limits stand above.")]
TimeframeOption = Annotated[
    str | None, typer.Option("--timeframe", help="Bar length of candles, such as 1m.")
]
StartOption = Annotated[
    str | None, typer.Option("--start", metavar="TIME", help="First moment, ISO 8601, UTC.")
]
EndOption = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME", help="End, exclusive, ISO 8601, UTC. Default: now."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Begin anew and replace the entry that exists.")
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="PATH", help="A folder; or FILE.jsonl.gz for one symbol.")
]
DurationOption = Annotated[
    float | None, typer.Option("--duration", min=1.0, help="Seconds. Default: until Ctrl-C.")
]
StreamUrlOption = Annotated[
    str | None,
    typer.Option(
        "--ws-url",
        metavar="URL",
        help="Another address of streams; that of --rest-url if it is on this machine. Also "
        "BYBIT_WS_PUBLIC_URL, BINANCE_WS_URL, BINANCE_FUTURES_WS_URL.",
    ),
]
RestUrlOption = Annotated[
    str | None,
    typer.Option(
        "--rest-url",
        metavar="URL",
        help="Another address to ask, such as a twin's. Also BYBIT_REST_URL, BINANCE_REST_URL, "
        "BINANCE_FUTURES_REST_URL.",
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the commands to `hean data`."""
    app.command(
        "download",
        epilog="Example: hean data download --exchange binance --market linear --kind candles "
        "--symbol BTCUSDT --timeframe 1m --start 2025-01-01 --end 2025-02-01",
    )(download_history)
    app.command(
        "record",
        epilog="Example: hean data record --exchange bybit --market linear --out recordings "
        "--symbols BTCUSDT,ETHUSDT --duration 3600",
    )(record_stream)


@run_command
def download_history(
    *,
    exchange: ExchangeOption,
    symbols: SymbolsOption,
    market: MarketOption = MarketName.LINEAR,
    kind: KindOption = HistoryKind.CANDLES,
    timeframe: TimeframeOption = None,
    start: StartOption = None,
    end: EndOption = None,
    testnet: TestnetOption = False,
    rest_url: RestUrlOption = None,
    force: ForceOption = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Fetch history into the catalog; after an interruption it goes on.

    candles: 1m to 1d of any age, both venues, without the running one.

    funding: every settlement of a perpetual, both venues.

    trades of Binance: aggregated ones of any age, which is one row
    for all fills of an order at one price.

    trades of Bybit: the last 1000 of a contract, the last 60 of a pair
    and nothing older. Run it often, or record.
    """
    asked = Kind(kind.value)
    first, last = period_of(start, end)
    check_kind(asked, exchange, market, timeframe, first)
    url = rest_url_of(exchange.value, market.value, testnet, rest_url, os.environ)
    wishes = [
        Wish(
            venue=exchange.value + ("testnet" if testnet else ""),
            market=market.value,
            kind=asked,
            symbol=symbol,
            timeframe=timeframe,
            start_ns=first or 0,
            end_ns=last,
            origin=url,
        )
        for symbol in listed_of(symbols)
    ]
    with progress("download", PROGRESS_STEPS * len(wishes)) as advance:
        work = _download_all(wishes, url, data_dir.expanduser(), force, advance, json_to)
        try:
            documents = run_loop(work)
        except KeyboardInterrupt:
            say("Complete pages are kept; the same command goes on from there.", json_to="-")
            raise
    if json_to:
        write_json(documents, json_to)


def check_kind(
    kind: Kind, exchange: Exchange, market: MarketName, timeframe: str | None, start: int | None
) -> None:
    """*Raises*: `ParameterInvalid` for options that do not fit each other."""
    if kind is Kind.CANDLES and timeframe is None:
        raise ParameterInvalid("--kind candles needs --timeframe, such as 1m.")
    if kind is not Kind.CANDLES and timeframe is not None:
        raise ParameterInvalid(f"--timeframe {timeframe}: only candles have one.")
    if kind is Kind.FUNDING and market is MarketName.SPOT:
        raise ParameterInvalid("--kind funding: spot has none; give --market linear.")
    is_all_there_is = kind is Kind.TRADES and exchange is Exchange.BYBIT
    if start is None and not is_all_there_is:
        raise ParameterInvalid("--start is needed: the first moment to download.")


async def _download_all(
    wishes: list[Wish], url: str, data_dir: Path, force: bool, advance: Any, json_to: str | None
) -> list[dict[str, Any]]:
    documents = []
    rng = random.Random()
    async with HttpClient(url, now=time.time_ns, timeout_s=ANSWER_S) as client:
        for wish in wishes:
            make = BybitRest if wish.venue.startswith("bybit") else BinanceRest
            rest = make(client, wish.market, now=time.time_ns, rng=rng)
            done = await download(rest, wish, data_dir=data_dir, force=force, advance=advance)
            documents.append(report(done, wish))
            say(sentence(done, wish), json_to=json_to)
    return documents


def sentence(done: Downloaded, wish: Wish) -> str:
    """One line for people."""
    facts = done.entry.facts
    gaps = facts["gaps"]
    text = (
        f"{wish.symbol} {wish.kind}: {done.rows_new:,} new rows -> {done.entry.path} "
        f"({facts['rows']:,} rows, {facts['first']} to {facts['last']}, "
        f"{gaps['count']:,} gaps, {gaps['missing']:,} missing)"
    )
    if done.pages_kept:
        text += f"; {done.pages_kept} of {done.pages} pages were here already"
    return text


@run_command
def record_stream(
    *,
    exchange: ExchangeOption,
    symbols: SymbolsOption,
    out: OutOption,
    market: MarketOption = MarketName.LINEAR,
    duration: DurationOption = None,
    testnet: TestnetOption = False,
    rest_url: RestUrlOption = None,
    ws_url: StreamUrlOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Keep a venue's public stream as it comes: books, trades, quotes, marks.

    A folder gets one file a symbol and UTC day. It can be played at once:
    hean backtest --data FOLDER, or kept: hean data import FILE.

    Ctrl-C ends it in order. A crash costs the last second; started again
    the same day, it goes on in the same files.
    """
    given = addresses(exchange.value, market.value, rest_url, ws_url, os.environ)
    endpoints = endpoints_for(exchange.value, market.value, testnet=testnet, environment=given)
    names = listed_of(symbols)
    with progress("record (s)", int(duration or 0), is_shown=duration is not None) as advance:
        recorded = run_loop(
            _record(endpoints, names, out, exchange.value, testnet, duration, advance)
        )
    document = {
        "files": [{"path": str(path), "sha256": sha256_of(path)} for path in recorded.files],
        "frames": recorded.lines,
        "problems": {"connections_lost": recorded.lost, "renewals": recorded.renewals},
    }
    for path in recorded.files:
        say(f"recorded {path}", json_to=json_to)
    say(
        f"{recorded.lines:,} frames, {recorded.lost} connections lost, "
        f"{recorded.renewals} books or topics asked for again",
        json_to=json_to,
    )
    if json_to:
        write_json(document, json_to)


async def _record(
    endpoints: Endpoints,
    symbols: tuple[str, ...],
    out: Path,
    exchange: str,
    testnet: bool,
    duration_s: float | None,
    advance: Callable[[int], None],
) -> Recorded:
    ended = asyncio.Event()
    end_on_signals(ended)
    recording = StreamRecording(
        endpoints,
        symbols,
        out,
        venue=exchange + ("testnet" if testnet else ""),
        ended=ended,
        now=time.time_ns,
        rng=random.Random(),
        told=lambda _: advance(1),
    )
    return await recording.run(duration_s)


def addresses(
    exchange: str,
    market: Market,
    rest_url: str | None,
    ws_url: str | None,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """The environment with the addresses of the options. Who gives one address of this machine
    means all: a twin has one port.
    """
    rest, stream = REST_VARIABLE[exchange, market], STREAM_VARIABLE[exchange, market]
    given = dict(environment)
    given |= {name: url for name, url in ((rest, rest_url), (stream, ws_url)) if url}
    parts = urlsplit(given.get(rest, ""))
    if parts.hostname in LOOPBACK and not given.get(stream):
        given[stream] = f"ws://{parts.netloc}"
    return given


def listed_of(symbols: list[str]) -> tuple[str, ...]:
    """Symbols given one by one or with commas."""
    return symbols_of([name for text in symbols for name in text.split(",") if name])


def rest_url_of(
    exchange: str, market: Market, testnet: bool, given: str | None, environment: Mapping[str, str]
) -> str:
    """The address to ask. No key goes there, so it may be any host; unencrypted only on loopback.

    *Raises*: `ParameterInvalid`.
    """
    name = REST_VARIABLE[exchange, market]
    url = given or environment.get(name, "").strip()
    if not url:
        return endpoints_for(exchange, market, testnet=testnet, environment={}).rest
    parts = urlsplit(url)
    is_local = parts.hostname in LOOPBACK
    if not parts.hostname or parts.scheme not in (("http", "https") if is_local else ("https",)):
        option = "--rest-url" if given else name
        raise ParameterInvalid(
            f"{option} {url[:80]!a}; give https:// and a host (http on loopback)."
        )
    return url.rstrip("/")
