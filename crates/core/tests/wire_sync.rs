// SPDX-License-Identifier: Apache-2.0
//! The chain rules of the three markets as tables of ids, and one property: whatever part of a
//! chain is lost, a book is never applied across the hole.

use hean_core::wire::sync::{BookRule, BookSync, Gap, Step};
use proptest::prelude::*;

fn gap(book_id: u64, first_id: u64, at_join: bool) -> Step {
    Step::Resync(Gap { book_id, first_id, at_join })
}

#[test]
fn spot_drops_what_the_snapshot_holds_and_then_counts_on() {
    let mut book = BookSync::new(BookRule::BinanceSpot);
    assert_eq!(book.delta(5, 9, None), Step::Buffer);
    assert_eq!(book.snapshot(12), Step::Apply);
    assert_eq!(book.delta(5, 9, None), Step::Stale);
    assert_eq!(book.delta(10, 12, None), Step::Stale);
    assert_eq!(book.delta(11, 14, None), Step::Apply, "the join lies inside this one");
    assert_eq!(book.delta(15, 15, None), Step::Apply);
    assert_eq!(book.delta(17, 18, None), gap(15, 17, false));
    assert_eq!(book.delta(19, 20, None), Step::Buffer, "no book until a new snapshot");
    assert_eq!(book.book_id(), None);
}

#[test]
fn spot_joins_on_the_very_next_update_but_not_later() {
    for (first_id, step) in [(13, Step::Apply), (14, gap(12, 14, true))] {
        let mut book = BookSync::new(BookRule::BinanceSpot);
        book.snapshot(12);
        assert_eq!(book.delta(first_id, 20, None), step);
    }
}

#[test]
fn perpetual_joins_on_a_delta_that_ends_at_or_spans_the_snapshot() {
    for (first_id, last_id, previous_id, step) in [
        (90, 99, 80, Step::Stale),
        (90, 100, 80, Step::Apply),
        (95, 105, 90, Step::Apply),
        (103, 105, 100, Step::Apply),
        (103, 105, 101, gap(100, 103, true)),
    ] {
        let mut book = BookSync::new(BookRule::BinanceUsdm);
        book.snapshot(100);
        assert_eq!(book.delta(first_id, last_id, Some(previous_id)), step, "{first_id}..{last_id}");
    }
}

#[test]
fn perpetual_chains_by_pu_and_refuses_a_delta_without_it() {
    let mut book = BookSync::new(BookRule::BinanceUsdm);
    book.snapshot(100);
    assert_eq!(book.delta(95, 105, Some(90)), Step::Apply);
    assert_eq!(book.delta(119, 130, Some(105)), Step::Apply, "U need not follow u");
    assert_eq!(book.delta(119, 130, Some(105)), Step::Stale, "the same frame again");
    assert_eq!(book.delta(131, 140, None), gap(130, 131, false));
}

#[test]
fn bybit_counts_by_one_and_any_snapshot_replaces() {
    let mut book = BookSync::new(BookRule::Bybit);
    assert_eq!(book.delta(7, 7, None), Step::Buffer);
    assert_eq!(book.snapshot(7), Step::Apply);
    assert_eq!(book.delta(8, 8, None), Step::Apply);
    assert_eq!(book.snapshot(1), Step::Apply, "the service restarted: lower ids are right");
    assert_eq!(book.delta(2, 2, None), Step::Apply);
    assert_eq!(book.delta(4, 4, None), gap(2, 4, false));
}

#[test]
fn a_rest_snapshot_older_than_the_book_is_stale_and_a_newer_one_must_be_joined_again() {
    let mut book = BookSync::new(BookRule::BinanceSpot);
    book.snapshot(10);
    book.delta(11, 20, None);
    assert_eq!(book.snapshot(15), Step::Stale);
    assert_eq!(book.snapshot(25), Step::Apply);
    assert_eq!(book.delta(21, 25, None), Step::Stale);
    assert_eq!(book.delta(26, 30, None), Step::Apply);
}

#[test]
fn the_last_id_of_the_counter_does_not_wrap() {
    let mut book = BookSync::new(BookRule::Bybit);
    book.snapshot(u64::MAX);
    assert_eq!(book.delta(0, 0, None), Step::Stale);
    let mut spot = BookSync::new(BookRule::BinanceSpot);
    spot.snapshot(u64::MAX);
    assert_eq!(spot.delta(u64::MAX, u64::MAX, None), Step::Stale);
}

proptest! {
    /// Deltas of random length make a gapless chain; some are lost. Every applied delta must begin
    /// where the book ended, or hold the snapshot's id at the join.
    #[test]
    fn a_book_is_never_applied_across_a_hole(
        lengths in proptest::collection::vec(1..5_u64, 5..60),
        lost in proptest::collection::vec(any::<bool>(), 60),
        seed in 0..60_u64,
        is_perpetual in any::<bool>(),
    ) {
        let rule = if is_perpetual { BookRule::BinanceUsdm } else { BookRule::BinanceSpot };
        let mut book = BookSync::new(rule);
        book.snapshot(seed);
        let mut last = 0;
        for (length, lost) in lengths.iter().zip(lost) {
            let (first, previous) = (last + 1, last);
            last += length;
            let before = book.book_id();
            if lost {
                continue;
            }
            if book.delta(first, last, Some(previous)) == Step::Apply {
                prop_assert!(before.is_some_and(|id| first <= id + 1 && id <= last));
                prop_assert_eq!(book.book_id(), Some(last));
            }
        }
    }
}
