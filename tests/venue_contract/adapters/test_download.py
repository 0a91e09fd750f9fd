# SPDX-License-Identifier: Apache-2.0
"""`hean data download` and listings on the twins, by the address alone: what arrives is what a bare
request shows, and no trouble of the venue changes it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import random
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hean.cli import app
from hean.data.reader import read_columns
from hean.feeds.listing import load_listing
from hean.feeds.rest_binance import PREFIX, BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from hean.venues import outcomes
from venue_contract.twin_process import TwinProcess, wait_until

At = tuple[TwinProcess, Any]
runner = CliRunner()
HOURS = 20  # of minutes: two pages
MS_NS = 1_000_000


@pytest.fixture(autouse=True)
def calm_after(bybit: TwinProcess, binance: TwinProcess) -> Iterator[None]:
    """No dial outlives its test, whichever twin the test was given."""
    yield
    for twin in (bybit, binance):
        twin.control.post("calm")


@functools.cache
def window() -> tuple[datetime, datetime]:
    """The last full hours; the twin's market is a day old when it begins. The same ones for all,
    for what is compared must not be of two hours.
    """
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return end - timedelta(hours=HOURS), end


def download(at: At, home: Path, *more: str) -> Any:
    twin, market = at
    start, end = window()
    plain = ["data", "download", "--exchange", twin.exchange, "--market", market]
    plain += ["--symbol", "BTCUSDT", "--start", start.isoformat(), "--end", end.isoformat()]
    plain += ["--rest-url", twin.rest_url, "--data-dir", str(home), "--json", "-"]
    return runner.invoke(app, [*plain, *more])


def candles(at: At, home: Path) -> dict[str, Any]:
    done = download(at, home, "--timeframe", "1m")
    assert done.exit_code == 0, done.output
    (document,) = json.loads(done.stdout)
    return dict(document)


def asked_bare(at: At) -> list[list[float]]:
    """The same candles by two bare requests, oldest first."""
    twin, market = at
    start, end = (int(moment.timestamp() * 1000) for moment in window())
    middle = (start + end) // 2
    rows: list[list[Any]] = []
    for first, last in ((start, middle), (middle, end)):
        if twin.exchange == "bybit":
            query = f"category={market}&symbol=BTCUSDT&interval=1&start={first}&end={last - 1}"
            url = f"{twin.rest_url}/v5/market/kline?{query}&limit=1000"
        else:
            query = f"symbol=BTCUSDT&interval=1m&startTime={first}&endTime={last - 1}&limit=1000"
            url = f"{twin.rest_url}{PREFIX[market]}/klines?{query}"
        with urllib.request.urlopen(url) as answer:
            found = json.load(answer)
        rows += found["result"]["list"][::-1] if twin.exchange == "bybit" else found
    return [[float(cell) for cell in row[:6]] for row in rows]


def has_traded(at: At) -> bool:
    """Whether there is a trade; a twin that has just begun has none."""
    twin, market = at
    if twin.exchange == "bybit":
        query = f"{path_of(at, 'recent-trade')}?category={market}&symbol=BTCUSDT"
    else:
        query = f"{path_of(at, 'trades')}?symbol=BTCUSDT"
    with urllib.request.urlopen(f"{twin.rest_url}{query}") as answer:
        found = json.load(answer)
    return bool(found["result"]["list"] if twin.exchange == "bybit" else found)


def path_of(at: At, name: str) -> str:
    return f"/v5/market/{name}" if at[0].exchange == "bybit" else f"{PREFIX[at[1]]}/{name}"


def kline_path(at: At) -> str:
    return path_of(at, "kline" if at[0].exchange == "bybit" else "klines")


def test_candles_are_those_a_bare_request_shows(at: At, tmp_path: Path) -> None:
    document = candles(at, tmp_path)
    assert (document["rows"], document["gaps"]["count"], document["pages"]) == (1_200, 0, 2)
    columns = read_columns(document["path"])
    bare = asked_bare(at)
    assert columns.ts.tolist() == [int(row[0]) * 1_000_000 for row in bare]
    for place, name in enumerate(("open", "high", "low", "close", "volume"), 1):
        assert columns.values[name].tolist() == [row[place] for row in bare]


@pytest.mark.parametrize(
    ("dial", "more"),
    [
        ("rate_limited", {"retry_after_s": 1.0}),
        ("rate_limited", {"retry_after_s": 1.0, "tells_when": False}),
        ("server_error", {"code": "http"}),
        ("garbage_body", {"form": "html"}),
        ("garbage_body", {"form": "truncated"}),
        ("garbage_body", {"form": "encoding"}),
        ("garbage_body", {"form": "empty"}),
        ("garbage_body", {"form": "empty_list"}),
        ("reset_after_request", {}),
        ("reset_after_request", {"answer_bytes": 200}),
        ("page_repeats", {}),
        ("page_skips", {"rows": 7}),
    ],
)
def test_no_trouble_changes_what_arrives(
    at: At, tmp_path: Path, dial: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It meets the second page; the result is that of an undisturbed download."""
    monkeypatch.setattr(outcomes, "MINUTE_S", 1.0)  # what is waited where nothing is told
    plain = candles(at, tmp_path / "plain")
    pages_only = dial.startswith("page_")
    match = {"path": kline_path(at)}
    at[0].control.fault(dial, match=match, count=1, after=0 if pages_only else 1, **more)
    disturbed = candles(at, tmp_path / "disturbed")
    assert disturbed["sha256"] == plain["sha256"]


def test_a_ban_ends_the_download_and_says_when_to_come_again(at: At, tmp_path: Path) -> None:
    at[0].control.fault("ip_banned", for_s=600.0)
    done = download(at, tmp_path, "--timeframe", "1m")
    assert done.exit_code == 1
    assert "it wants no question for" in done.output


def test_a_download_that_was_sent_away_goes_on_where_it_ended(at: At, tmp_path: Path) -> None:
    dial = {"match": {"path": kline_path(at)}, "after": 1, "count": 1}
    at[0].control.fault("ip_banned", **dial)
    done = download(at, tmp_path, "--timeframe", "1m")
    assert done.exit_code == 1
    assert "it wants no question for" in done.output
    document = candles(at, tmp_path)
    assert (document["rows"], document["pages"], document["pages_kept"]) == (1_200, 2, 1)


def test_recent_trades_arrive_with_their_ids(at: At, tmp_path: Path) -> None:
    wait_until(lambda: has_traded(at), "a trade at this twin")
    now = datetime.now(UTC)
    start = (now - timedelta(minutes=10)).isoformat()
    done = download(at, tmp_path, "--kind", "trades", "--start", start, "--end", now.isoformat())
    assert done.exit_code == 0, done.output
    (document,) = json.loads(done.stdout)
    columns = read_columns(document["path"])
    ids = columns.values["id"].tolist()
    assert columns.rows > 0
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


def test_settlements_arrive_on_their_hour(
    bybit: TwinProcess, binance: TwinProcess, tmp_path: Path
) -> None:
    for twin in (bybit, binance):
        done = download((twin, "linear"), tmp_path, "--kind", "funding")
        assert done.exit_code == 0, done.output
        (document,) = json.loads(done.stdout)
        assert Path(document["path"]).name == "funding_8h.parquet"
        assert document["rows"] in (2, 3)


def test_an_unknown_symbol_is_answered_with_the_nearest(at: At, tmp_path: Path) -> None:
    done = download(at, tmp_path, "--timeframe", "1m", "--symbol", "BTCUSDD")
    assert done.exit_code == 2
    assert "nearest: BTCUSDT" in done.output


def test_the_twins_rules_become_instruments(at: At) -> None:
    async def ask() -> None:
        twin, market = at
        async with HttpClient(twin.rest_url, now=time.time_ns) as client:
            make = BybitRest if twin.exchange == "bybit" else BinanceRest
            rest = make(client, market, now=time.time_ns, rng=random.Random(0))
            listing = await load_listing(rest, twin.symbols)
            before_ns = time.time_ns() // MS_NS * MS_NS
            assert before_ns <= await rest.server_time_ns() <= time.time_ns()
        for symbol in twin.symbols:
            assert listing[symbol].is_trading
            assert listing[symbol].instrument.symbol == symbol

    asyncio.run(ask())
