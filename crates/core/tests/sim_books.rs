// SPDX-License-Identifier: Apache-2.0
//! How orders fill on recorded trades, quotes and depth: what may be taken, where a resting order
//! stands in the queue, and what a fault in the recording must not do.

#![allow(clippy::unwrap_used)]

mod sim_fixture;

use hean_core::order::TimeInForce;
use hean_core::sim::history::depth_flag::{EVENT_END, SNAPSHOT_BEGIN};
use hean_core::sim::{Fact, FillModel, NewOrder, QueueModel, Slippage, Stream};
use hean_core::{Code, Lots, Side, Ticks};
use sim_fixture::*;

const BOTH: u8 = SNAPSHOT_BEGIN | EVENT_END;

fn scenario(streams: Vec<Stream>) -> Scenario {
    Scenario::new(Setting::default(), streams)
}

/// Bids 99 x 5, 98 x 10; asks 101 x 5, 102 x 10, at time 1.
fn ladder_rows() -> Vec<(i64, Side, f64, f64, u8)> {
    vec![
        (1, Side::Buy, 99.0, 5.0, SNAPSHOT_BEGIN),
        (1, Side::Buy, 98.0, 10.0, 0),
        (1, Side::Sell, 101.0, 5.0, 0),
        (1, Side::Sell, 102.0, 10.0, EVENT_END),
    ]
}

fn ladder(more: &[(i64, Side, f64, f64, u8)]) -> Stream {
    let mut rows = ladder_rows();
    rows.extend_from_slice(more);
    depth(0, &rows)
}

#[test]
fn a_trade_must_go_through_a_limit_when_no_book_is_recorded() {
    let rows = [(1, 100.0, 1.0, SELL), (2, 95.0, 9.0, SELL), (3, 94.0, 9.0, SELL)];
    let mut scenario = scenario(vec![tape(0, &rows)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 4, 95));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(3, 95, 4, true)]);
}

/// The seller sold two coins: nobody, however many orders he has, can have bought more of them.
#[test]
fn a_trade_gives_no_more_than_its_quantity_best_price_first() {
    let rows = [(1, 100.0, 1.0, SELL), (2, 90.0, 2.0, SELL), (3, 90.0, 5.0, SELL)];
    let mut scenario = scenario(vec![tape(0, &rows)]);
    scenario.through(1);
    let low = scenario.send(1, limit(Side::Buy, 3, 94));
    let high = scenario.send(1, limit(Side::Buy, 3, 95));
    scenario.finish();
    assert_eq!(scenario.fills(high), [(2, 95, 2, true), (3, 95, 1, true)]);
    assert_eq!(scenario.fills(low), [(3, 94, 3, true)]);
}

#[test]
fn a_stop_on_trades_fills_at_the_trade_that_woke_it() {
    let rows = [(1, 100.0, 1.0, SELL), (2, 93.0, 1.0, SELL), (3, 99.0, 1.0, BUY)];
    let mut scenario = scenario(vec![tape(0, &rows)]);
    scenario.through(1);
    let key = scenario.send(1, stop(Side::Sell, 4, 95));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(2, 93, 4, false)]);
}

/// The report promises impact on trades as well: range and volume of the last minute of the tape.
#[test]
fn impact_on_trades_is_measured_on_the_tape() {
    let mut setting = Setting::default();
    setting.model.slippage = Slippage { half_spread: 0.0, impact: 0.5 };
    let rows = [
        (1, 1_000.0, 50.0, SELL),
        (2, 1_010.0, 25.0, BUY),
        (3, 990.0, 25.0, BUY),
        (MINUTE, 1_000.0, 1.0, BUY),
    ];
    let mut scenario = Scenario::new(setting, vec![tape(0, &rows)]);
    scenario.through(MINUTE);
    let key = scenario.send(MINUTE, market(Side::Buy, 100));
    scenario.finish();
    // Range 20 / 990, all of the volume: 1000 * (1 + 0.5 * 0.0202) = 1010.1.
    assert_eq!(scenario.fills(key), [(MINUTE, 1_011, 100, false)]);
}

#[test]
fn a_taker_walks_the_levels_and_what_finds_nobody_is_cancelled() {
    let mut scenario = scenario(vec![ladder(&[])]);
    scenario.through(1);
    let key = scenario.send(1, market(Side::Buy, 20));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(1, 101, 5, false), (1, 102, 10, false)]);
    assert_eq!(scenario.cancels(key), [("no liquidity", 5)]);
}

#[test]
fn a_limit_takes_up_to_its_price_and_rests_with_the_rest() {
    let mut scenario = scenario(vec![ladder(&[])]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 7, 101));
    let killed = scenario.send(1, NewOrder { life: TimeInForce::Fok, ..limit(BUY, 7, 101) });
    let cut = scenario.send(1, NewOrder { life: TimeInForce::Ioc, ..limit(BUY, 7, 101) });
    scenario.finish();
    assert_eq!(scenario.fills(key), [(1, 101, 5, false)]);
    assert_eq!(scenario.venue.open_orders(), 1);
    assert_eq!((scenario.fills(killed), scenario.cancels(killed).len()), (vec![], 1));
    assert_eq!(scenario.fills(cut), [(1, 101, 5, false)]);
    assert_eq!(scenario.cancels(cut), [("no liquidity", 2)]);
}

#[test]
fn a_reduce_only_sweep_ends_once() {
    let mut scenario = scenario(vec![ladder(&[])]);
    scenario.through(1);
    scenario.send(1, market(Side::Buy, 3));
    scenario.send(1, market(Side::Buy, 3));
    let key = scenario.send(1, reducing(market(Side::Sell, 20)));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(1, 99, 5, false), (1, 98, 1, false)]);
    assert_eq!(scenario.cancels(key), [("reduce-only: no position left", 14)]);
    assert_eq!(scenario.position(0), 0);
}

#[test]
fn a_resting_order_waits_for_the_queue_in_front_of_it() {
    let trades = [(2, 99.0, 4.0, SELL), (3, 99.0, 3.0, SELL), (4, 99.0, 3.0, BUY)];
    let mut scenario = scenario(vec![ladder(&[]), tape(0, &trades)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 4, 99));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(3, 99, 2, true)]);
}

/// The quote shows 5 coins at the bid; whoever joins stands behind them.
#[test]
fn the_queue_at_a_quoted_price_is_what_the_quote_shows() {
    let trades = [(2, 99.0, 5.0, SELL), (3, 99.0, 2.0, SELL)];
    let quote = quotes(0, &[(1, [99.0, 5.0, 101.0, 5.0])]);
    let mut scenario = scenario(vec![quote, tape(0, &trades)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 4, 99));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(3, 99, 2, true)]);
}

/// Below the last known level the queue is unknown: only a trade through the price fills.
#[test]
fn beyond_the_known_depth_only_a_trade_through_fills() {
    let trades = [(2, 97.0, 50.0, SELL), (3, 96.0, 50.0, SELL)];
    let mut scenario = scenario(vec![ladder(&[]), tape(0, &trades)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 4, 97));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(3, 97, 4, true)]);
}

#[test]
fn the_pessimist_never_fills_before_the_log_model() {
    let shrink = [(2, Side::Buy, 98.0, 4.0, EVENT_END), (4, Side::Buy, 98.0, 9.0, EVENT_END)];
    let trades = [(5, 98.0, 3.0, SELL), (6, 98.0, 3.0, SELL)];
    let lots_by = |queue: QueueModel| {
        let mut setting = Setting::default();
        setting.model.queue = queue;
        let joined = [(1, Side::Buy, 98.0, 12.0, EVENT_END)];
        let mut stream = joined.to_vec();
        stream.extend_from_slice(&shrink);
        let mut scenario = Scenario::new(setting, vec![ladder(&stream), tape(0, &trades)]);
        scenario.through(1);
        let key = scenario.send(1, limit(Side::Buy, 4, 98));
        scenario.finish();
        scenario.fills(key)
    };
    let careful: i64 = lots_by(QueueModel::Pessimistic).iter().map(|fill| fill.2).sum();
    let hopeful: i64 = lots_by(QueueModel::LogProbability).iter().map(|fill| fill.2).sum();
    assert!(careful <= hopeful, "{careful} {hopeful}");
    assert_eq!(careful, 2);
}

/// Two own orders at one price stand behind each other; one seller cannot serve both in full.
#[test]
fn own_orders_at_one_price_share_what_trades() {
    let trades = [(2, 99.0, 8.0, SELL)];
    let mut scenario = scenario(vec![ladder(&[]), tape(0, &trades)]);
    scenario.through(1);
    let first = scenario.send(1, limit(Side::Buy, 2, 99));
    let second = scenario.send(1, limit(Side::Buy, 2, 99));
    scenario.finish();
    assert_eq!(scenario.fills(first), [(2, 99, 2, true)]);
    assert_eq!(scenario.fills(second), [(2, 99, 1, true)]);
}

#[test]
fn an_amendment_keeps_the_queue_place_only_when_it_shrinks() {
    let trades = [(2, 99.0, 4.0, SELL), (4, 99.0, 3.0, SELL)];
    for (lots, price, expected) in [
        (Some(1), None, vec![(4, 99, 1, true)]),
        (Some(5), None, vec![]),
        (None, Some(99), vec![(4, 99, 2, true)]),
    ] {
        let mut scenario = scenario(vec![ladder(&[]), tape(0, &trades)]);
        scenario.through(1);
        let key = scenario.send(1, limit(Side::Buy, 2, 99));
        scenario.through(2);
        scenario.amend(3, key, price, lots);
        scenario.finish();
        assert_eq!(scenario.fills(key), expected, "{lots:?} {price:?}");
    }
}

#[test]
fn the_other_side_reaching_a_limit_gives_what_it_shows() {
    let more = [
        (2, Side::Buy, 99.0, 0.0, 0),
        (2, Side::Sell, 99.0, 3.0, EVENT_END),
        (3, Side::Sell, 98.0, 0.0, EVENT_END),
    ];
    let mut scenario = scenario(vec![ladder(&more)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 10, 99));
    scenario.until(3);
    assert_eq!(scenario.fills(key), [(2, 99, 3, true)]);
}

#[test]
fn an_amended_size_is_the_whole_order_with_what_has_traded() {
    let more = [(2, Side::Buy, 99.0, 0.0, 0), (2, Side::Sell, 99.0, 3.0, EVENT_END)];
    let mut scenario = scenario(vec![ladder(&more)]);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 10, 99));
    scenario.through(2);
    scenario.amend(3, key, None, Some(3));
    scenario.amend(3, key, None, Some(5));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(2, 99, 3, true)]);
    let (code, reason) = (Code::OrderSizeInvalid, "no more than what has traded already");
    let (price, lots, remaining) = (Some(Ticks(99)), Lots(5), Lots(2));
    let answers: Vec<Fact> = scenario.facts.iter().map(|fact| fact.1).collect();
    assert!(answers.contains(&Fact::AmendRefused { key, code, reason }));
    assert!(answers.contains(&Fact::Amended { key, price, lots, remaining }));
}

#[test]
fn a_crossed_or_one_sided_quote_is_ignored() {
    let stream = quotes(
        0,
        &[
            (1, [99.0, 5.0, 101.0, 5.0]),
            (2, [105.0, 5.0, 104.0, 5.0]),
            (3, [0.0, 0.0, 90.0, 5.0]),
            (4, [f64::NAN, 0.0, 90.0, 5.0]),
        ],
    );
    let mut scenario = scenario(vec![stream]);
    scenario.through(1);
    scenario.send(1, limit(Side::Buy, 1, 95));
    scenario.until(5);
    let key = scenario.send(5, market(Side::Buy, 2));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(5, 101, 2, false)]);
    assert_eq!(scenario.venue.open_orders(), 1);
    assert_eq!(scenario.venue.offered(), 1);
}

#[test]
fn a_book_that_comes_out_crossed_gives_nothing() {
    let mut scenario = scenario(vec![ladder(&[(2, Side::Buy, 103.0, 1.0, EVENT_END)])]);
    scenario.until(3);
    let key = scenario.send(3, market(Side::Buy, 2));
    scenario.finish();
    assert_eq!(scenario.rejection(key), Some(Code::NoLiquidity));
    assert_eq!(scenario.venue.market(0).unwrap().crossed_books, 1);
}

/// A recorder that lost messages writes a snapshot of nothing: one row of price 0.
#[test]
fn a_gap_row_empties_the_book() {
    let mut scenario = scenario(vec![ladder(&[(2, Side::Buy, 0.0, 0.0, BOTH)])]);
    scenario.through(1);
    scenario.send(1, limit(Side::Buy, 1, 99));
    scenario.until(3);
    let key = scenario.send(3, market(Side::Buy, 2));
    scenario.finish();
    assert_eq!(scenario.rejection(key), Some(Code::NoLiquidity));
}

/// An event whose end was not recorded must not pull later rows into the present.
#[test]
fn rows_of_a_later_time_are_never_read_early() {
    let mut rows = ladder_rows();
    rows[3].4 = 0;
    rows.push((9, Side::Sell, 100.0, 5.0, EVENT_END));
    let mut scenario = scenario(vec![depth(0, &rows)]);
    scenario.through(1);
    let key = scenario.send(1, market(Side::Buy, 2));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(1, 101, 2, false)]);
}

#[test]
fn a_stop_on_a_book_wakes_on_the_middle_and_walks_the_levels() {
    let more = [(2, Side::Buy, 99.0, 0.0, 0), (2, Side::Sell, 99.0, 1.0, EVENT_END)];
    let mut scenario = scenario(vec![ladder(&more)]);
    scenario.through(1);
    let key = scenario.send(1, stop(Side::Sell, 15, 98));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(2, 98, 10, false)]);
    assert_eq!(scenario.cancels(key), [("no liquidity", 5)]);
}

#[test]
fn streams_nobody_asked_for_are_still_effective() {
    let trades = [(2, 97.0, 50.0, SELL)];
    let mut scenario = scenario(vec![ladder(&[]), tape(0, &trades)]);
    scenario.venue.offer(1, false);
    scenario.through(1);
    let key = scenario.send(1, limit(Side::Buy, 4, 99));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(2, 99, 4, true)]);
    assert_eq!(scenario.venue.offered(), 1);
}

#[test]
fn the_default_model_is_the_one_the_report_names() {
    let model = FillModel::default();
    assert_eq!((model.queue, model.participation), (QueueModel::LogProbability, 0.1));
    assert!(model.needs_trade_through);
}
