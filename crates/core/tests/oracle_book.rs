// SPDX-License-Identifier: Apache-2.0
//! The feed book against a BTreeMap that obeys the same messages: after each one the levels, the
//! top and the analytics must be the same, and a crossed message must leave both empty.

#![allow(clippy::unwrap_used)]

use hean_core::book::{Book, Quote};
use hean_core::levels::{Best, Ladder};
use hean_core::{Code, Lots, Side, Ticks};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Levels = BTreeMap<i64, i64>;

#[derive(Debug, Clone)]
enum Message {
    Snapshot(Vec<Quote>, Vec<Quote>),
    Delta(Vec<Quote>, Vec<Quote>),
    Update(Side, Quote),
}

/// Mostly prices near 1,000 on the proper side; some far away, some across.
fn quote(side: Side) -> impl Strategy<Value = Quote> {
    let away = prop_oneof![20 => 1_i64..25, 2 => 25_i64..900, 1 => -4_i64..1];
    (away, 0_i64..6).prop_map(move |(d, lots)| (Ticks(1_000 - side.sign() * d), Lots(lots)))
}

fn message() -> impl Strategy<Value = Message> {
    let side = |side, most| prop::collection::vec(quote(side), 0..most);
    prop_oneof![
        1 => (side(Side::Buy, 30), side(Side::Sell, 30)).prop_map(|(b, a)| Message::Snapshot(b, a)),
        6 => (side(Side::Buy, 5), side(Side::Sell, 5)).prop_map(|(b, a)| Message::Delta(b, a)),
        6 => quote(Side::Buy).prop_map(|quote| Message::Update(Side::Buy, quote)),
        6 => quote(Side::Sell).prop_map(|quote| Message::Update(Side::Sell, quote)),
    ]
}

fn set(levels: &mut Levels, quotes: &[Quote]) {
    for (price, lots) in quotes {
        match lots.0 {
            0 => levels.remove(&price.0),
            lots => levels.insert(price.0, lots),
        };
    }
}

fn plain(levels: impl Iterator<Item = Quote>) -> Vec<(i64, i64)> {
    levels.map(|(price, lots)| (price.0, lots.0)).collect()
}

/// Quantity and value a buyer would take from these asks.
fn walked(asks: &Levels, lots: i64) -> (i64, i128) {
    let mut units = asks.iter().flat_map(|(&price, &lots)| (0..lots).map(move |_| price));
    let taken: Vec<i64> = units.by_ref().take(lots as usize).collect();
    (taken.len() as i64, taken.iter().map(|&price| i128::from(price)).sum())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_is_a_sorted_map_of_levels(
        messages in prop::collection::vec(message(), 1..80), lots in 1_i64..60, count in 1_usize..6,
    ) {
        let mut book = Book::new();
        let (mut bids, mut asks) = (Levels::new(), Levels::new());
        for message in &messages {
            let applied = match message {
                Message::Snapshot(b, a) => {
                    (bids, asks) = (Levels::new(), Levels::new());
                    set(&mut bids, b);
                    set(&mut asks, a);
                    book.apply_snapshot(b, a)
                }
                Message::Delta(b, a) => {
                    set(&mut bids, b);
                    set(&mut asks, a);
                    book.apply_delta(b, a)
                }
                Message::Update(side, quote) => {
                    set(if *side == Side::Buy { &mut bids } else { &mut asks }, &[*quote]);
                    book.update(*side, quote.0, quote.1)
                }
            };
            let top = bids.keys().next_back().zip(asks.keys().next());
            if top.is_some_and(|(bid, ask)| bid >= ask) {
                prop_assert_eq!(applied.unwrap_err().code, Code::BookCrossed);
                (bids, asks) = (Levels::new(), Levels::new());
            } else {
                prop_assert!(applied.is_ok());
            }
            let expected: Vec<_> = bids.iter().rev().map(|(&p, &l)| (p, l)).collect();
            prop_assert_eq!(plain(book.levels(Side::Buy)), expected);
            let expected: Vec<_> = asks.iter().map(|(&p, &l)| (p, l)).collect();
            prop_assert_eq!(plain(book.levels(Side::Sell)), expected);
            let walk = book.walk_cost(Side::Buy, Lots(lots)).map(|w| (w.filled.0, w.value));
            prop_assert_eq!(walk.unwrap_or((0, 0)), walked(&asks, lots));
            let bid_sum: i64 = bids.values().rev().take(count).sum();
            let ask_sum: i64 = asks.values().take(count).sum();
            let sum = bid_sum + ask_sum;
            let share = (sum > 0).then(|| (bid_sum - ask_sum) as f64 / sum as f64);
            prop_assert_eq!(book.imbalance(count), share);
        }
    }

    #[test]
    fn a_ladder_finds_what_a_linear_scan_finds(
        prices in prop::collection::btree_set(prop_oneof![1_i64..60, 1_i64..i64::MAX], 0..40),
        wanted in prop_oneof![1_i64..60, 1_i64..i64::MAX], lowest in any::<bool>(),
    ) {
        let mut ladder = Ladder::new(if lowest { Best::Lowest } else { Best::Highest });
        for &price in &prices {
            let at = ladder.find(Ticks(price)).unwrap_err();
            ladder.insert(at, Ticks(price), price);
        }
        let mut expected: Vec<i64> = prices.iter().copied().collect();
        if !lowest {
            expected.reverse();
        }
        prop_assert_eq!(ladder.iter().map(|(p, _)| p.0).collect::<Vec<_>>(), expected.clone());
        for probe in expected.iter().copied().chain([wanted]) {
            let found = ladder.find(Ticks(probe)).ok().map(|at| ladder.value(at));
            prop_assert_eq!(found, prices.contains(&probe).then_some(probe));
        }
    }
}
