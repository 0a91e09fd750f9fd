# SPDX-License-Identifier: Apache-2.0
"""Downloads against a real HTTP server of both venues' shapes: what arrives in the catalog, what is
left after a cut, and what each kind of bad answer leads to.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hean.data.catalog import Catalog
from hean.data.download import Downloaded, Wish, download
from hean.data.reader import read_columns
from hean.data.schema import Kind
from hean.data.staging import STAGING_DIRECTORY
from hean.errors import DataInvalid, EnvironmentFault, UnknownSymbol, VenueError
from hean.feeds.rest import ATTEMPTS_MAX
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from rest_server import HOUR_MS, MINUTE_MS, START_MS, Trouble, Venues, candle

MS = 1_000_000
VENUES = ["bybit", "binance"]


def wish(exchange: str, kind: Kind = Kind.CANDLES, **changes: Any) -> Wish:
    """5,000 minutes of candles."""
    plain = Wish(
        venue=exchange,
        market="linear",
        kind=kind,
        symbol="BTCUSDT",
        timeframe="1m" if kind is Kind.CANDLES else None,
        start_ns=START_MS * MS,
        end_ns=(START_MS + 5_000 * MINUTE_MS) * MS,
        origin="http://here",
    )
    return replace(plain, **changes)


class Hurried(asyncio.SelectorEventLoop):
    """A loop whose steady time can be put forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


class Run:
    """Downloads in one event loop, with clocks that sleeping moves."""

    def __init__(self, home: Path, *, prepare: Callable[[Venues], None] = lambda _: None) -> None:
        self.home = home
        self.prepare = prepare
        self.slept: list[float] = []
        self.asked: list[str] = []
        self.now_ns = 1_700_000_000_000_000_000

    def __call__(self, wanted: Wish, *, force: bool = False) -> Downloaded:
        with asyncio.Runner(loop_factory=Hurried) as runner:
            return runner.run(self._run(wanted, force))

    async def _run(self, wanted: Wish, force: bool) -> Downloaded:
        async with Venues() as venues, HttpClient(venues.url, now=time.time_ns) as client:
            self.prepare(venues)
            make = BybitRest if wanted.venue.startswith("bybit") else BinanceRest
            rest = make(
                client,
                wanted.market,
                now=lambda: self.now_ns,
                rng=random.Random(1),
                sleep=self._sleep,
            )
            try:
                return await download(rest, wanted, data_dir=self.home, force=force)
            finally:
                self.asked = venues.asked

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Hurried)
        loop.ahead_s += seconds


def staged(home: Path) -> list[Path]:
    return sorted((home / STAGING_DIRECTORY).glob("*/page-*"))


@pytest.mark.parametrize("exchange", VENUES)
def test_candles_arrive_whole_and_in_order(tmp_path: Path, exchange: str) -> None:
    run = Run(tmp_path)
    done = run(wish(exchange))
    assert (done.rows_new, done.pages, done.pages_kept) == (5_000, 5, 0)
    (entry,) = Catalog(tmp_path).entries()
    assert entry.path.relative_to(tmp_path) == Path(
        f"catalog/{exchange}/perp/BTCUSDT/candles_1m.parquet"
    )
    columns = read_columns(entry.path)
    opens = [START_MS + n * MINUTE_MS for n in range(5_000)]
    assert columns.ts.tolist() == [at * MS for at in opens]
    assert columns.values["close"].tolist() == [float(candle(at)[4]) for at in opens]
    assert columns.values["volume"].tolist() == [3.25] * 5_000
    assert columns.gaps.count == 0
    assert "downloaded from http://here" in entry.facts["notes"]
    assert not list((tmp_path / STAGING_DIRECTORY).iterdir())


@pytest.mark.parametrize("exchange", VENUES)
@pytest.mark.parametrize("cut_after", [1, 2, 4])
def test_a_cut_download_goes_on_where_it_ended(
    tmp_path: Path, exchange: str, cut_after: int
) -> None:
    """The connection ends for good after some pages; the next run fetches the rest only."""

    def cut(venues: Venues) -> None:
        trouble = [Trouble("drop")] * ATTEMPTS_MAX * 2
        venues.on_question = lambda: (
            venues.troubles.extend(trouble) if len(venues.asked) == cut_after + 2 else None
        )

    with pytest.raises(EnvironmentFault, match="BTCUSDT|kline"):
        Run(tmp_path, prepare=cut)(wish(exchange))
    kept = len(staged(tmp_path))
    assert kept == cut_after
    assert not Catalog(tmp_path).entries()
    run = Run(tmp_path)
    done = run(wish(exchange))
    assert done.pages_kept == cut_after
    assert len(run.asked) == 1 + done.pages - cut_after
    assert done.rows_new == 5_000


def test_a_damaged_page_and_all_after_it_are_fetched_again(tmp_path: Path) -> None:
    def cut(venues: Venues) -> None:
        venues.on_question = lambda: (
            venues.troubles.extend([Trouble("drop")] * ATTEMPTS_MAX * 2)
            if len(venues.asked) == 5
            else None
        )

    with pytest.raises(EnvironmentFault):
        Run(tmp_path, prepare=cut)(wish("binance"))
    pages = staged(tmp_path)
    assert len(pages) == 3
    pages[1].write_bytes(pages[1].read_bytes()[:-1])
    done = Run(tmp_path)(wish("binance"))
    assert (done.pages_kept, done.rows_new) == (1, 5_000)


def test_a_torn_line_of_progress_costs_one_page(tmp_path: Path) -> None:
    def cut(venues: Venues) -> None:
        venues.on_question = lambda: (
            venues.troubles.extend([Trouble("drop")] * ATTEMPTS_MAX * 2)
            if len(venues.asked) == 4
            else None
        )

    with pytest.raises(EnvironmentFault):
        Run(tmp_path, prepare=cut)(wish("bybit"))
    (progress,) = (tmp_path / STAGING_DIRECTORY).glob("*/progress.jsonl")
    progress.write_bytes(progress.read_bytes()[:-7])
    done = Run(tmp_path)(wish("bybit"))
    assert (done.pages_kept, done.rows_new) == (1, 5_000)


@pytest.mark.parametrize("exchange", VENUES)
@pytest.mark.parametrize("what", ["garbage", "drop", "early"])
def test_nonsense_is_asked_again_and_leaves_no_trace(
    tmp_path: Path, exchange: str, what: str
) -> None:
    """`early`: the first page again, as from a cache that ignores the question."""
    run = Run(
        tmp_path,
        prepare=lambda venues: setattr(
            venues,
            "on_question",
            lambda: venues.troubles.append(Trouble(what)) if len(venues.asked) == 4 else None,
        ),
    )
    assert run(wish(exchange)).rows_new == 5_000
    assert len(run.asked) == 1 + 5 + 1  # the clock, the pages, the repetition


@pytest.mark.parametrize("exchange", VENUES)
def test_a_venue_that_talks_nonsense_forever_is_given_up(tmp_path: Path, exchange: str) -> None:
    run = Run(
        tmp_path,
        prepare=lambda venues: setattr(
            venues, "on_question", lambda: venues.troubles.append(Trouble("garbage"))
        ),
    )
    with pytest.raises(VenueError, match="not understood"):
        run(wish(exchange))
    assert len(run.asked) == ATTEMPTS_MAX
    assert len(run.slept) == ATTEMPTS_MAX - 1


@pytest.mark.parametrize("exchange", VENUES)
def test_an_empty_page_is_believed_when_it_comes_twice(tmp_path: Path, exchange: str) -> None:
    """One empty answer in the middle is an accident; two are the end of what there is."""
    run = Run(
        tmp_path,
        prepare=lambda venues: setattr(
            venues,
            "on_question",
            lambda: venues.troubles.append(Trouble("empty")) if len(venues.asked) == 3 else None,
        ),
    )
    assert run(wish(exchange)).rows_new == 5_000


@pytest.mark.parametrize("exchange", VENUES)
def test_history_that_begins_later_is_taken_from_there(tmp_path: Path, exchange: str) -> None:
    run = Run(
        tmp_path,
        prepare=lambda venues: setattr(venues, "first_ms", START_MS + 3_000 * MINUTE_MS),
    )
    done = run(wish(exchange))
    assert done.rows_new == 2_000
    assert done.entry.facts["first"] == "2024-01-03T02:00:00Z"


@pytest.mark.parametrize("exchange", VENUES)
def test_holes_are_reported_and_not_filled(tmp_path: Path, exchange: str) -> None:
    holes = {START_MS + n * MINUTE_MS for n in (7, 8, 999, 1_000, 4_321)}
    done = Run(tmp_path, prepare=lambda venues: setattr(venues, "holes", holes))(wish(exchange))
    assert done.rows_new == 4_995
    gaps = done.entry.facts["gaps"]
    assert (gaps["count"], gaps["missing"]) == (3, 5)


@pytest.mark.parametrize("exchange", VENUES)
def test_the_running_candle_is_left_out(tmp_path: Path, exchange: str) -> None:
    run = Run(tmp_path, prepare=lambda v: setattr(v, "now_ms", START_MS + 100 * MINUTE_MS + 30_000))
    done = run(wish(exchange, end_ns=None))
    assert (done.rows_new, done.entry.facts["last"]) == (100, "2024-01-01T01:39:00Z")


@pytest.mark.parametrize("exchange", VENUES)
def test_settlements_arrive_on_their_hour(tmp_path: Path, exchange: str) -> None:
    wanted = wish(exchange, Kind.FUNDING, end_ns=None)
    done = Run(tmp_path)(wanted)
    assert done.entry.path.name == "funding_8h.parquet"
    columns = read_columns(done.entry.path)
    assert columns.ts.tolist() == [(START_MS + n * 8 * HOUR_MS) * MS for n in range(31)]
    assert columns.values["rate"][0] == float(f"0.000{START_MS // HOUR_MS % 90 + 10}")


def test_a_second_download_of_settlements_joins_the_first(tmp_path: Path) -> None:
    """The venue stamps them milliseconds late; the catalog has them on the hour."""
    half = wish("binance", Kind.FUNDING, end_ns=(START_MS + 5 * 24 * HOUR_MS) * MS)
    assert Run(tmp_path)(half).rows_new == 15
    done = Run(tmp_path)(wish("binance", Kind.FUNDING, end_ns=None))
    assert (done.rows_new, done.entry.facts["rows"]) == (16, 31)


def test_aggregated_trades_follow_their_ids_over_pages(tmp_path: Path) -> None:
    """2.5 hours before the first trade the search walks hour by hour; then ids lead."""
    run = Run(
        tmp_path, prepare=lambda v: setattr(v, "first_ms", START_MS + 2 * HOUR_MS + HOUR_MS // 2)
    )
    done = run(wish("binance", Kind.TRADES))
    columns = read_columns(done.entry.path)
    first, last = 450, 5_000 * 3 - 1
    assert columns.values["id"].tolist() == list(range(first, last + 1))
    assert columns.values["side"][:4].tolist() == [1, 0, 1, 0]
    assert columns.gaps.count == 0
    assert any("aggregated" in note for note in done.entry.facts["notes"])


@pytest.mark.parametrize(("market", "limit"), [("linear", 1_000), ("spot", 60)])
def test_recent_trades_of_bybit_join_over_two_downloads(
    tmp_path: Path, market: Any, limit: int
) -> None:
    """The oldest match of a full page of a contract may be cut off, so its rows are left out."""
    wanted = wish("bybit", Kind.TRADES, market=market, start_ns=0, end_ns=None)
    first = Run(tmp_path)(wanted)
    assert limit - 2 <= first.rows_new <= limit
    later = Run(tmp_path, prepare=lambda v: setattr(v, "now_ms", v.now_ms + 10 * 20_000))
    done = later(wanted)
    assert done.rows_new == 10
    columns = read_columns(done.entry.path)
    assert len(set(columns.values["id"].tolist())) == columns.rows
    assert columns.ts.tolist() == sorted(columns.ts.tolist())
    assert done.entry.facts["gaps"]["count"] == 0


def test_rows_that_contradict_the_catalog_are_refused(tmp_path: Path) -> None:
    first = Run(tmp_path)(wish("binance"))
    before = first.entry.path.read_bytes()
    changed = Run(tmp_path, prepare=lambda v: setattr(v, "close_shift", 0.25))
    wanted = wish("binance", end_ns=(START_MS + 6_000 * MINUTE_MS) * MS)
    with pytest.raises(DataInvalid, match="contradicts the catalog") as refusal:
        changed(wanted)
    assert refusal.value.problems
    assert first.entry.path.read_bytes() == before
    assert changed(wanted, force=True).entry.facts["rows"] == 6_000


def test_a_longer_download_adds_the_missing_rows_only(tmp_path: Path) -> None:
    Run(tmp_path)(wish("bybit"))
    done = Run(tmp_path)(wish("bybit", end_ns=(START_MS + 6_000 * MINUTE_MS) * MS))
    assert (done.rows_new, done.entry.facts["rows"]) == (1_000, 6_000)
    assert done.entry.facts["duplicates"] == 0
    again = Run(tmp_path)(wish("bybit", end_ns=(START_MS + 6_000 * MINUTE_MS) * MS))
    assert again.rows_new == 0


def test_silence_is_kept_as_long_as_the_venue_asks(tmp_path: Path) -> None:
    def limit(venues: Venues) -> None:
        venues.troubles.append(Trouble("limit", 429, {"Retry-After": "7"}))

    run = Run(tmp_path, prepare=limit)
    assert run(wish("binance")).rows_new == 5_000
    assert run.slept == [7.0]


@pytest.mark.parametrize(
    ("exchange", "trouble"),
    [
        ("binance", Trouble("ban", 418, {"Retry-After": "120"})),
        ("binance", Trouble("ban", 418)),
        ("bybit", Trouble("too frequent", 403)),
    ],
)
def test_a_ban_ends_the_download_and_says_for_how_long(
    tmp_path: Path, exchange: str, trouble: Trouble
) -> None:
    run = Run(tmp_path, prepare=lambda venues: venues.troubles.append(trouble))
    with pytest.raises(VenueError, match=r"no question for (120|600) s"):
        run(wish(exchange))
    assert (len(run.asked), run.slept) == (1, [])


def test_binance_is_left_alone_until_the_minute_ends_when_weight_runs_out(tmp_path: Path) -> None:
    def used(venues: Venues) -> None:
        venues.headers["X-MBX-USED-WEIGHT-1M"] = "1900"

    run = Run(tmp_path, prepare=used)
    run.now_ns = 1_700_000_000 // 60 * 60 * 1_000_000_000 + 15 * 1_000_000_000
    assert run(wish("binance", end_ns=(START_MS + 900 * MINUTE_MS) * MS)).rows_new == 900
    assert run.slept == [45.0]


def test_an_unknown_symbol_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownSymbol, match="does not list 'BTCUSDC'; nearest: BTCUSDT"):
        Run(tmp_path)(wish("bybit", symbol="BTCUSDC"))


def test_nothing_to_download_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, prepare=lambda v: setattr(v, "first_ms", START_MS + 20 * 24 * HOUR_MS))
    with pytest.raises(DataInvalid, match="no candles of BTCUSDT"):
        run(wish("bybit"))
    assert not Catalog(tmp_path).entries()
    assert not list((tmp_path / STAGING_DIRECTORY).iterdir())
