// SPDX-License-Identifier: Apache-2.0
//! The live feed against a naive book, and its limits: what is lost, repeated, out of order, too
//! much or not believable.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use hean_core::wire::depth::{BOOK_LEVELS_MAX, BUFFER_DELTAS_MAX};
use hean_core::wire::fact::Fact;
use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::{Instrument, Kind, Side};
use proptest::prelude::*;

const SYMBOL: &str = "BTCUSDT";

fn feed(venue: Venue, market: Market) -> WireFeed {
    let kind = if market == Market::Spot { Kind::Spot } else { Kind::LinearPerpetual };
    WireFeed::new(venue, market, vec![Instrument::new(SYMBOL, kind, "1", "1").unwrap()])
}

fn levels(levels: &[(i64, i64)]) -> String {
    let texts: Vec<String> =
        levels.iter().map(|(price, lots)| format!("[\"{price}\",\"{lots}\"]")).collect();
    format!("[{}]", texts.join(","))
}

fn bybit(kind: &str, depth: u32, id: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> String {
    format!(
        r#"{{"topic":"orderbook.{depth}.{SYMBOL}","type":"{kind}","ts":9,"data":{{"s":"{SYMBOL}",
            "b":{},"a":{},"u":{id},"seq":{id}}},"cts":{}}}"#,
        levels(bids),
        levels(asks),
        1_700_000_000_000 + id
    )
}

fn usdm(first: u64, last: u64, previous: u64, bids: &[(i64, i64)]) -> String {
    format!(
        r#"{{"e":"depthUpdate","E":1700000000002,"T":1700000000001,"s":"{SYMBOL}","U":{first},
            "u":{last},"pu":{previous},"b":{},"a":[]}}"#,
        levels(bids)
    )
}

fn trade(id: u64, ts: u64, price: &str) -> String {
    format!(
        r#"{{"e":"trade","E":9,"T":{ts},"s":"{SYMBOL}","t":{id},"p":"{price}","q":"1","m":true}}"#
    )
}

fn push(feed: &mut WireFeed, frame: &str) -> Vec<Fact> {
    feed.push(frame.as_bytes()).unwrap().as_slice().to_vec()
}

fn side(feed: &WireFeed, side: Side) -> Vec<(i64, i64)> {
    let book = feed.book(0).unwrap().book();
    book.levels(side).map(|(price, lots)| (price.0, lots.0)).collect()
}

/// One step of a venue: changed bids and asks, and what the network does to the frame.
#[derive(Debug, Clone)]
struct Update {
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
    fate: u8,
}

fn update() -> impl Strategy<Value = Update> {
    let bids = proptest::collection::vec((980..1000_i64, 0..5_i64), 0..4);
    let asks = proptest::collection::vec((1000..1020_i64, 0..5_i64), 0..4);
    (bids, asks, 0..12_u8).prop_map(|(bids, asks, fate)| Update { bids, asks, fate })
}

proptest! {
    /// Whatever is lost or repeated, a book that claims an update id is the venue's book at that
    /// id, and a lost delta is reported once.
    #[test]
    fn a_book_is_the_venues_book_or_no_book(updates in proptest::collection::vec(update(), 1..60)) {
        let mut feed = feed(Venue::Bybit, Market::Linear);
        let mut venue: [BTreeMap<i64, i64>; 2] = Default::default();
        let (mut id, mut is_told) = (1, false);
        push(&mut feed, &bybit("snapshot", 50, id, &[], &[]));
        for step in updates {
            id += 1;
            for (book, changes) in venue.iter_mut().zip([&step.bids, &step.asks]) {
                book.extend(changes.iter().copied());
                book.retain(|_, lots| *lots > 0);
            }
            let frame = bybit("delta", 50, id, &step.bids, &step.asks);
            match step.fate {
                0 => {}
                1 => {
                    push(&mut feed, &frame);
                    prop_assert!(push(&mut feed, &frame).is_empty(), "a repetition is a no-op");
                }
                2 => feed.lost(),
                3 => {
                    let [bids, asks] = [0, 1].map(|at| {
                        venue[at].iter().map(|(price, lots)| (*price, *lots)).collect::<Vec<_>>()
                    });
                    push(&mut feed, &bybit("snapshot", 50, id, &bids, &asks));
                    prop_assert!(feed.resync().is_empty(), "a snapshot settles what was due");
                }
                _ => { push(&mut feed, &frame); }
            }
            if let Some(at) = feed.book(0).unwrap().id() {
                if at == id {
                    let mut bids: Vec<_> = venue[0].clone().into_iter().collect();
                    bids.reverse();
                    prop_assert_eq!(side(&feed, Side::Buy), bids);
                    let asks: Vec<_> = venue[1].clone().into_iter().collect();
                    prop_assert_eq!(side(&feed, Side::Sell), asks);
                }
            } else {
                prop_assert!(side(&feed, Side::Buy).is_empty());
                // The first delta without a book is reported, however the book was lost.
                let is_heard = step.fate == 1 || step.fate > 3;
                prop_assert_eq!(feed.resync().len(), usize::from(is_heard && !is_told));
                is_told |= is_heard;
            }
            is_told &= !matches!(step.fate, 2 | 3);
        }
    }
}

#[test]
fn a_repeated_trade_is_told_once_and_a_venue_that_counts_again_is_heard() {
    let mut feed = feed(Venue::Binance, Market::Linear);
    assert_eq!(push(&mut feed, &trade(7, 1_700_000_000_001, "100")).len(), 1);
    assert_eq!(push(&mut feed, &trade(7, 1_700_000_000_001, "100")).len(), 0);
    assert_eq!(push(&mut feed, &trade(6, 1_700_000_000_000, "100")).len(), 0);
    assert_eq!(push(&mut feed, &trade(8, 1_700_000_000_001, "100")).len(), 1);
    feed.lost();
    assert_eq!(push(&mut feed, &trade(8, 1_700_000_000_001, "100")).len(), 0, "replayed");
    assert_eq!(push(&mut feed, &trade(1, 1_700_000_000_002, "100")).len(), 1, "a new count");
    assert_eq!(feed.counters().repeated, 3);
}

#[test]
fn bybit_trades_are_told_apart_by_name() {
    let mut feed = feed(Venue::Bybit, Market::Linear);
    let frame = |ids: &[&str]| {
        let trades: Vec<String> = ids
            .iter()
            .map(|id| {
                format!(
                    r#"{{"T":1700000000001,"s":"{SYMBOL}","S":"Buy","v":"1","p":"5","i":"{id}"}}"#
                )
            })
            .collect();
        format!(
            r#"{{"topic":"publicTrade.{SYMBOL}","type":"snapshot","ts":3,"data":[{}]}}"#,
            trades.join(",")
        )
    };
    assert_eq!(push(&mut feed, &frame(&["a", "b"])).len(), 2);
    assert_eq!(push(&mut feed, &frame(&["a", "b", "c"])).len(), 1);
}

#[test]
fn single_trades_and_aggregates_are_not_added_up() {
    let mut feed = feed(Venue::Binance, Market::Spot);
    let aggregate = r#"{"e":"aggTrade","E":9,"T":1700000000001,"s":"BTCUSDT","a":3,"p":"100",
        "q":"1","m":true}"#;
    assert_eq!(push(&mut feed, aggregate).len(), 1);
    assert_eq!(push(&mut feed, &trade(7, 1_700_000_000_002, "100")).len(), 0);
}

#[test]
fn an_outlier_is_held_back_and_counted() {
    let mut feed = feed(Venue::Binance, Market::Linear);
    push(&mut feed, &trade(1, 1_700_000_000_001, "100"));
    for (id, price) in [(2, "10000"), (3, "1"), (4, "112")] {
        assert!(push(&mut feed, &trade(id, 1_700_000_000_001 + id, price)).is_empty(), "{price}");
    }
    assert_eq!(feed.counters().suspects, 3);
    assert_eq!(push(&mut feed, &trade(5, 1_700_000_000_009, "101")).len(), 1);
}

#[test]
fn a_mark_that_is_not_believed_takes_no_funding_rate_with_it() {
    let mut feed = feed(Venue::Bybit, Market::Linear);
    push(&mut feed, &bybit("snapshot", 50, 1, &[(100, 1)], &[(101, 1)]));
    let ticker = format!(
        r#"{{"topic":"tickers.{SYMBOL}","type":"snapshot","ts":3,"cs":1,"data":{{"symbol":"{SYMBOL}",
        "markPrice":"900","indexPrice":"900","fundingRate":"0.0002"}}}}"#
    );
    assert_eq!(push(&mut feed, &ticker).len(), 1);
    let marks = feed.marks(0).unwrap();
    assert_eq!((marks.funding_rate, marks.mark, marks.index), (Some(0.0002), None, None));
    assert_eq!(feed.counters().suspects, 1);
}

#[test]
fn a_book_far_from_the_last_trade_is_dropped_until_a_snapshot_confirms_it() {
    let mut feed = feed(Venue::Bybit, Market::Linear);
    push(&mut feed, &bybit("snapshot", 50, 1, &[(100, 1)], &[(101, 1)]));
    let moved = bybit("delta", 50, 2, &[(200, 1)], &[(101, 0), (201, 1)]);
    assert!(push(&mut feed, &moved).is_empty());
    assert_eq!((feed.counters().suspects, feed.resync()), (1, vec![0]));
    assert_eq!(feed.touch(0), None);
    let told = push(&mut feed, &bybit("snapshot", 50, 3, &[(200, 1)], &[(201, 1)]));
    assert_eq!(told.len(), 1);
    assert_eq!(feed.touch(0), Some([200.0, 1.0, 201.0, 1.0]));
}

#[test]
fn what_waits_for_a_snapshot_is_bounded_and_asked_for_again() {
    let mut feed = feed(Venue::Binance, Market::Linear);
    for id in 1..=BUFFER_DELTAS_MAX as u64 + 1 {
        push(&mut feed, &usdm(id, id, id - 1, &[(100, 1)]));
        let asked = feed.resync().len();
        let is_due = id == 1 || id == BUFFER_DELTAS_MAX as u64 + 1;
        assert_eq!(asked, usize::from(is_due), "at {id}");
    }
    assert_eq!(feed.counters().overflows, 1);
}

#[test]
fn a_book_keeps_the_depth_of_its_topic_and_never_grows_for_ever() {
    let mut by_topic = feed(Venue::Bybit, Market::Linear);
    let bids: Vec<_> = (1..=60).map(|price| (price + 900, 1)).collect();
    push(&mut by_topic, &bybit("snapshot", 50, 1, &bids, &[(1000, 1)]));
    assert_eq!(side(&by_topic, Side::Buy).len(), 50);
    assert_eq!(side(&by_topic, Side::Buy)[0], (960, 1));
    let mut whole = feed(Venue::Binance, Market::Linear);
    push(&mut whole, &usdm(1, 1, 0, &[]));
    let rest = r#"{"lastUpdateId":1,"bids":[["20000","1"]],"asks":[]}"#;
    whole.snapshot(SYMBOL, rest.as_bytes()).unwrap();
    for id in 2..9 {
        let bids: Vec<_> = (0..1000).map(|step| ((id as i64) * 1000 + step, 1)).collect();
        push(&mut whole, &usdm(id, id, id - 1, &bids));
    }
    assert_eq!(side(&whole, Side::Buy).len(), BOOK_LEVELS_MAX);
}

#[test]
fn a_bybit_book_of_depth_one_is_a_quote_and_replaces_no_other_book() {
    let mut feed = feed(Venue::Bybit, Market::Linear);
    push(&mut feed, &bybit("snapshot", 50, 5, &[(100, 1), (99, 1)], &[(101, 1)]));
    let told = push(&mut feed, &bybit("snapshot", 1, 6, &[(100, 3)], &[(101, 1)]));
    assert!(matches!(told[..], [Fact::Tick { volume: 0.0, bid: 100.0, ask: 101.0, .. }]));
    assert_eq!(side(&feed, Side::Buy), [(100, 1), (99, 1)]);
    assert_eq!(feed.touch(0), Some([100.0, 3.0, 101.0, 1.0]));
    let older = push(&mut feed, &bybit("snapshot", 1, 4, &[(90, 3)], &[(91, 1)]));
    assert!(older.is_empty(), "an older quote replaces nothing");
}

#[test]
fn a_partial_book_is_a_snapshot_each_time_and_no_seed() {
    let mut feed = feed(Venue::Binance, Market::Spot);
    let frame = r#"{"stream":"btcusdt@depth5","data":{"lastUpdateId":160,
        "bids":[["100","10"]],"asks":[["102","3"]]}}"#;
    for _ in 0..2 {
        assert!(matches!(push(&mut feed, frame)[..], [Fact::Book { is_snapshot: true, .. }]));
    }
    assert_eq!(feed.book(0).unwrap().id(), None);
    assert_eq!(feed.touch(0), Some([100.0, 10.0, 102.0, 3.0]));
    assert!(feed.resync().is_empty());
}
