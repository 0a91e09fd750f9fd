# SPDX-License-Identifier: Apache-2.0
"""What HEAN's feed does when a venue's streams do not behave. Numbers in the names are rows of the
fault table. After each trouble the feed is fresh again and has shown no wrong book."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hean.core.types import Book, Funding, Health, Tick
from hean.errors import EnvironmentFault, VenueRefused
from hean.net.socket import Connection
from hean.twin.faults.poison import FORMS
from venue_contract.adapters.feed_desk import PATIENT, SYMBOLS, FeedDesk
from venue_contract.twin_process import TwinProcess

At = tuple[TwinProcess, str]


@pytest.fixture
async def feeds(at: At) -> AsyncIterator[FeedDesk]:
    """A feed that is ready and fresh, and minds no silence."""
    async with FeedDesk(*at, **PATIENT) as desk:
        yield desk


async def recovered(desk: FeedDesk, since: int) -> None:
    """Fresh again, with new books and trades, and nothing wrong on the way."""
    await desk.until(desk.is_fresh)
    place = len(desk.facts)
    await desk.until(lambda: {b.symbol for b in desk.of(Book, place)} == set(SYMBOLS))
    await desk.until(lambda: desk.feed.is_ready)
    assert desk.wrong == []


async def test_a_feed_tells_trades_quotes_and_whole_books(feeds: FeedDesk) -> None:
    await feeds.until(lambda: any(tick.volume for tick in feeds.of(Tick)))
    await feeds.until(lambda: len(feeds.of(Book)) > 20)
    assert feeds.wrong == []
    assert feeds.feed.counters()["gaps"] == 0
    assert all(funding.mark_price is None for funding in feeds.of(Funding))
    for symbol in SYMBOLS:
        first = next(book for book in feeds.of(Book) if book.symbol == symbol)
        assert first.is_snapshot


async def test_every_topic_is_stale_until_it_delivers_and_says_so_once(feeds: FeedDesk) -> None:
    told: dict[str, list[str]] = {}
    for health in feeds.of(Health):
        told.setdefault(health.component, []).append(health.state)
    streams = [words for name, words in told.items() if name.split(".")[-1] in SYMBOLS]
    assert streams
    assert all(words == ["STALE", "FRESH"] for words in streams)


@pytest.mark.promise(77)
async def test_55_a_cut_line_makes_everything_stale_until_it_is_back(feeds: FeedDesk) -> None:
    place = len(feeds.facts)
    await feeds.fault("public_cut", refuses_s=0.5)
    await feeds.until(lambda: feeds.feed.reconnects)
    down = feeds.downs(place)[0]
    stale = [h for h in feeds.of(Health, place) if h.state == "STALE"]
    assert down.extra["reason"]
    assert {h.extra["symbol"] for h in stale} == set(SYMBOLS)
    assert len({h.component for h in stale}) == len(stale)
    await recovered(feeds, place)


async def test_57_a_line_that_stands_while_pongs_come_is_found_by_its_silence(at: At) -> None:
    async with FeedDesk(*at) as feeds:
        place = len(feeds.facts)
        await feeds.fault("stall", pongs=True)
        await feeds.until(lambda: "STALE" in feeds.states().values())
        await feeds.until(lambda: feeds.downs(place))
        await feeds.calm()
        reason = feeds.downs(place)[0].extra["reason"]
        assert "no data for" in reason or "the line did not tell" in reason
        await recovered(feeds, place)
        assert feeds.feed.reconnects >= 1


async def test_57_one_silent_book_on_a_living_line_is_asked_for_again(at: At) -> None:
    async with FeedDesk(*at, stale_s={"ticker": 60.0, "mark": 60.0}, silence_s=60.0) as feeds:
        place = len(feeds.facts)
        await feeds.fault("stall", match={"topic": "book"})
        await feeds.until(lambda: ("book.BTCUSDT", "STALE") in feeds.words(place))
        await feeds.until(lambda: feeds.feed.renewals)
        assert ("ticker.BTCUSDT", "STALE") not in feeds.words(place)
        await feeds.calm()
        await recovered(feeds, place)


@pytest.mark.parametrize("dial", ["book_gap", "book_reorder", "book_snapshot", "book_restart"])
async def test_58_a_book_with_a_hole_is_dropped_and_fetched_anew(
    feeds: FeedDesk, dial: str
) -> None:
    place = len(feeds.facts)
    await feeds.fault(dial, count=1)
    is_hole = dial in ("book_gap", "book_reorder") or feeds.twin.exchange == "binance"
    if is_hole:
        await feeds.until(lambda: feeds.feed.counters()["gaps"])
        await feeds.until(lambda: any(book.is_snapshot for book in feeds.of(Book, place)))
    else:
        await feeds.until(lambda: any(book.is_snapshot for book in feeds.of(Book, place)))
        assert feeds.feed.counters()["gaps"] == 0
    await recovered(feeds, place)


async def test_59_a_book_frame_that_comes_twice_changes_nothing(feeds: FeedDesk) -> None:
    await feeds.fault("frame_duplicate", times=3, count=20, match={"topic": "book"})
    await feeds.until(lambda: feeds.feed.counters()["stale"] >= 20)
    await recovered(feeds, 0)
    assert feeds.feed.counters()["gaps"] == 0


async def test_62_a_spoiled_frame_is_dropped_or_ends_the_line_and_nothing_else(
    feeds: FeedDesk,
) -> None:
    """One form after the other; some are harmless to a reader that takes only what it needs."""
    for form in FORMS:
        place = len(feeds.facts)
        harm = feeds.harm()
        await feeds.fault("poison", form=form, count=3, match={"which": "public"})
        await feeds.until(lambda h=harm, p=place: feeds.harm() > h or len(feeds.facts) > p + 60)
        await recovered(feeds, place)
    assert feeds.feed.bad > 0
    assert feeds.feed.reconnects > 0


async def test_63_a_price_a_hundred_times_off_is_not_believed(feeds: FeedDesk) -> None:
    touches = {symbol: feeds.feed.wire.touch(symbol) for symbol in SYMBOLS}
    prices = {symbol: touch[0] for symbol, touch in touches.items() if touch}
    place = len(feeds.facts)
    await feeds.fault("outlier_price", factor=100.0, count=1, match={"topic": "trade"})
    await feeds.until(lambda: feeds.feed.counters()["suspects"])
    await recovered(feeds, place)
    later = feeds.of(Tick, place)
    assert all(abs(t.price / prices[t.symbol] - 1) < 0.1 for t in later)
    words = [word for word in feeds.words(place) if word[0].startswith("price.")]
    assert [state for _, state in words] == ["STALE", "FRESH"]


async def test_64_a_refused_subscription_ends_the_start(at: At) -> None:
    async with FeedDesk(*at, starts=False) as desk:
        await desk.fault("subscription_refused")
        with pytest.raises(VenueRefused, match="subscription of"):
            await desk.feed.start()
        assert not desk.feed.is_ready


@pytest.mark.parametrize("dial", ["subscription_silent", "subscription_partial"])
async def test_64_topics_that_are_acknowledged_and_never_deliver_stay_stale_until_they_do(
    at: At, dial: str
) -> None:
    async with FeedDesk(*at, starts=False) as desk:
        await desk.fault(dial, count=1)
        await desk.feed.start()
        await desk.until(lambda: desk.feed.renewals)
        await recovered(desk, 0)


async def test_65_a_feed_starts_as_soon_as_the_venue_lets_it_in(at: At) -> None:
    async with FeedDesk(*at, starts=False) as desk:
        await desk.fault("connection_refused", for_s=1.0)
        await desk.feed.start()
        await recovered(desk, 0)


async def test_65_a_feed_that_is_never_let_in_says_what_to_do(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Connection.__init__.__kwdefaults__, "connect_timeout_s", 1.0)
    async with FeedDesk(*at, starts=False) as desk:
        await desk.fault("connection_refused")
        with pytest.raises(EnvironmentFault, match="no connection within .* check network"):
            await desk.feed.start()


async def test_65_a_session_that_is_cut_for_its_age_comes_back(feeds: FeedDesk) -> None:
    await feeds.fault("daily_cut", life_s=1.0, how="close", count=1)
    await feeds.until(lambda: feeds.feed.reconnects)
    await recovered(feeds, 0)


async def test_66_a_storm_of_frames_is_followed_without_a_loss(feeds: FeedDesk) -> None:
    frames = feeds.feed.counters()["frames"]
    await feeds.fault("frame_storm", times=200)
    await feeds.until(lambda: feeds.feed.counters()["frames"] > frames + 10_000)
    await feeds.calm()
    await recovered(feeds, 0)
    assert feeds.feed.counters()["gaps"] == 0
