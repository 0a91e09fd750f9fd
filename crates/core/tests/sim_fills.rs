// SPDX-License-Identifier: Apache-2.0
//! How orders fill on bars: the walked path, gaps, limits, stops, the share of volume and what a
//! reduce-only order may do. Every expected price is worked out by hand from the documented path:
//! open, nearer extreme, other extreme, close at 0, 20, 40 and 60 seconds of a minute.

#![allow(clippy::unwrap_used)]

mod sim_fixture;

use hean_core::order::TimeInForce;
use hean_core::sim::{FillModel, Latency, NewOrder, Slippage};
use hean_core::{Code, Side};
use sim_fixture::*;

const FLAT: [f64; 5] = [100.0, 100.0, 100.0, 100.0, 1_000.0];

/// A venue after one flat bar at 100, and then `rows`.
fn after_flat_bar(rows: &[[f64; 5]]) -> Scenario {
    with_setting(Setting::default(), rows)
}

fn with_setting(setting: Setting, rows: &[[f64; 5]]) -> Scenario {
    let all: Vec<[f64; 5]> = std::iter::once(FLAT).chain(rows.iter().copied()).collect();
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &all)]);
    scenario.through(MINUTE);
    scenario
}

fn model(change: impl Fn(&mut FillModel)) -> Setting {
    let mut setting = Setting::default();
    change(&mut setting.model);
    setting
}

#[test]
fn without_latency_an_order_sent_at_the_close_trades_at_the_close() {
    let mut scenario = after_flat_bar(&[[120.0, 130.0, 110.0, 125.0, 9.0]]);
    let key = scenario.send(MINUTE, market(Side::Buy, 3));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE, 100, 3, false)]);
}

/// A resting order elsewhere makes the venue walk the bars; that must not show anybody the open
/// of the next bar before the close of this one has been acted upon.
#[test]
fn a_resting_order_does_not_turn_the_close_into_the_next_open() {
    let mut scenario = Scenario::new(
        Setting::default(),
        vec![bars(0, 0, &[FLAT, [120.0, 130.0, 110.0, 125.0, 9.0]])],
    );
    scenario.send(0, limit(Side::Buy, 1, 10));
    scenario.through(0);
    scenario.through(MINUTE);
    assert_eq!(scenario.venue.market(0).unwrap().last.unwrap().0, 100);
    let key = scenario.send(MINUTE, market(Side::Buy, 3));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE, 100, 3, false)]);
}

#[test]
fn with_latency_it_trades_at_the_open_of_the_next_bar() {
    let setting = Setting { entry: Latency::Constant(50 * MS), ..Setting::default() };
    let mut scenario = with_setting(setting, &[[120.0, 130.0, 110.0, 125.0, 9.0]]);
    let key = scenario.send(MINUTE, market(Side::Buy, 3));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE + 50 * MS, 120, 3, false)]);
}

#[test]
fn an_order_that_arrives_inside_a_bar_trades_at_the_last_waypoint() {
    let setting = Setting { entry: Latency::Constant(30 * SECOND), ..Setting::default() };
    // The low is nearer to the open: it is reached after 20 seconds.
    let mut scenario = with_setting(setting, &[[100.0, 130.0, 90.0, 125.0, 9.0]]);
    let key = scenario.send(MINUTE, market(Side::Sell, 3));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE + 30 * SECOND, 90, 3, false)]);
}

#[test]
fn a_limit_needs_a_trade_through_unless_told_otherwise() {
    for (needs, expected) in [(true, vec![]), (false, vec![(MINUTE + 20 * SECOND, 95, 2, true)])] {
        let setting = model(|model| model.needs_trade_through = needs);
        let mut scenario = with_setting(setting, &[[100.0, 110.0, 95.0, 100.0, 1e3]]);
        let key = scenario.send(MINUTE, limit(Side::Buy, 2, 95));
        scenario.finish();
        assert_eq!(scenario.fills(key), expected, "needs through: {needs}");
    }
}

#[test]
fn a_limit_fills_at_its_price_even_when_the_open_jumps_beyond_it() {
    let mut scenario = after_flat_bar(&[[90.0, 90.0, 90.0, 90.0, 1e3]]);
    let buy = scenario.send(MINUTE, limit(Side::Buy, 2, 95));
    scenario.finish();
    assert_eq!(scenario.fills(buy), [(MINUTE, 95, 2, true)]);
}

#[test]
fn resting_orders_share_a_part_of_each_bars_volume() {
    let setting = model(|model| model.participation = 0.1);
    let bar = [100.0, 110.0, 90.0, 100.0, 30.0];
    let mut scenario = with_setting(setting, &[bar, bar, bar]);
    let first = scenario.send(MINUTE, limit(Side::Buy, 5, 95));
    let second = scenario.send(MINUTE, limit(Side::Buy, 3, 95));
    scenario.finish();
    let at = |minute: i64| minute * MINUTE + 40 * SECOND;
    let tail = at(2);
    assert_eq!(scenario.fills(first), [(at(1), 95, 3, true), (tail, 95, 2, true)]);
    assert_eq!(scenario.fills(second), [(tail, 95, 1, true), (at(3), 95, 2, true)]);
}

#[test]
fn a_stop_fills_where_it_is_met_and_at_the_open_after_a_jump() {
    let mut inside = after_flat_bar(&[[100.0, 110.0, 90.0, 100.0, 1e3]]);
    let key = inside.send(MINUTE, stop(Side::Sell, 2, 95));
    inside.finish();
    assert_eq!(inside.fills(key), [(MINUTE + 40 * SECOND, 95, 2, false)]);

    let mut jump = after_flat_bar(&[[80.0, 85.0, 70.0, 75.0, 1e3]]);
    let key = jump.send(MINUTE, stop(Side::Sell, 2, 95));
    jump.finish();
    assert_eq!(jump.fills(key), [(MINUTE, 80, 2, false)]);
}

/// Bybit and Binance wake a stop at once, or refuse it, when its trigger has been passed; waiting
/// for the price to come back and cross again would spare the loser his loss.
#[test]
fn a_stop_whose_trigger_has_been_passed_trades_on_arrival() {
    let mut scenario = after_flat_bar(&[[110.0, 130.0, 110.0, 130.0, 1e3]]);
    let key = scenario.send(MINUTE, stop(Side::Sell, 2, 105));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE, 100, 2, false)]);
}

#[test]
fn a_take_profit_wakes_on_the_other_side() {
    let mut scenario = after_flat_bar(&[[100.0, 110.0, 90.0, 100.0, 1e3]]);
    let key = scenario.send(MINUTE, take_profit(Side::Sell, 2, 105));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE + 20 * SECOND, 105, 2, false)]);
}

#[test]
fn a_woken_stop_limit_takes_up_to_its_limit() {
    let mut scenario = after_flat_bar(&[[100.0, 110.0, 90.0, 100.0, 1e3]]);
    let key = scenario.send(MINUTE, stop_limit(Side::Buy, 2, 105, 106));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE + 20 * SECOND, 105, 2, false)]);
}

#[test]
fn a_stop_limit_that_is_jumped_over_rests_at_its_limit() {
    let mut scenario = after_flat_bar(&[[120.0, 125.0, 104.0, 110.0, 1e3]]);
    let key = scenario.send(MINUTE, stop_limit(Side::Buy, 2, 105, 106));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE + 40 * SECOND, 106, 2, true)]);
}

/// Long from 100 with a stop at 95 and a target at 105, both inside the bar: the nearer extreme
/// comes first and decides; the other order finds no position and goes.
#[test]
fn the_documented_path_decides_between_stop_and_target() {
    for (low, stop_wins) in [(94.0, true), (80.0, false)] {
        let mut scenario = after_flat_bar(&[[100.0, 110.0, low, 100.0, 1e3]]);
        scenario.send(MINUTE, market(Side::Buy, 2));
        let stopped = scenario.send(MINUTE, reducing(stop(Side::Sell, 2, 95)));
        let target = scenario.send(MINUTE, reducing(limit(Side::Sell, 2, 105)));
        scenario.finish();
        let (winner, loser, price) =
            if stop_wins { (stopped, target, 95) } else { (target, stopped, 105) };
        assert_eq!(scenario.fills(winner).iter().map(|fill| fill.1).collect::<Vec<_>>(), [price]);
        assert_eq!(scenario.fills(loser), []);
        assert_eq!(scenario.cancels(loser), [("reduce-only: no position left", 2)]);
        assert_eq!(scenario.position(0), 0);
    }
}

#[test]
fn orders_met_on_one_leg_trade_in_the_order_of_the_walk() {
    let mut scenario = after_flat_bar(&[[100.0, 100.0, 80.0, 80.0, 1e3]]);
    let far = scenario.send(MINUTE, reducing(stop(Side::Sell, 2, 90)));
    let near = scenario.send(MINUTE, limit(Side::Buy, 2, 95));
    scenario.finish();
    let keys: Vec<u32> = scenario
        .facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            hean_core::sim::Fact::Filled { key, .. } => Some(*key),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [near, far]);
    assert_eq!(scenario.position(0), 0);
}

/// The order is larger than the position: what fits trades, the rest is cancelled once and in
/// full, whatever part of it was still open.
#[test]
fn a_reduce_only_order_is_cut_to_the_position_with_one_ending() {
    let setting = model(|model| model.participation = 0.005);
    let mut scenario = with_setting(setting, &[[100.0, 110.0, 100.0, 110.0, 1e3]]);
    scenario.send(MINUTE, market(Side::Buy, 3));
    let key = scenario.send(MINUTE, reducing(limit(Side::Sell, 10, 105)));
    scenario.finish();
    let lots: Vec<i64> = scenario.fills(key).iter().map(|fill| fill.2).collect();
    assert_eq!(lots, [3]);
    assert_eq!(scenario.cancels(key), [("reduce-only: no position left", 7)]);
}

#[test]
fn reduce_only_without_a_position_is_refused() {
    let mut scenario = after_flat_bar(&[FLAT]);
    let key = scenario.send(MINUTE, reducing(market(Side::Sell, 1)));
    scenario.finish();
    assert_eq!(scenario.rejection(key), Some(Code::ReduceOnlyViolated));
}

#[test]
fn immediate_orders_never_rest() {
    for life in [TimeInForce::Ioc, TimeInForce::Fok] {
        let mut scenario = after_flat_bar(&[[80.0, 80.0, 80.0, 80.0, 1e3]]);
        let far = scenario.send(MINUTE, NewOrder { life, ..limit(Side::Buy, 2, 95) });
        let near = scenario.send(MINUTE, NewOrder { life, ..limit(Side::Buy, 2, 101) });
        scenario.finish();
        assert_eq!(scenario.fills(far), []);
        assert_eq!(scenario.cancels(far).len(), 1);
        assert_eq!(scenario.fills(near), [(MINUTE, 100, 2, false)]);
    }
}

#[test]
fn post_only_is_refused_where_it_would_trade() {
    let mut scenario = after_flat_bar(&[FLAT]);
    let life = TimeInForce::PostOnly;
    let crossing = scenario.send(MINUTE, NewOrder { life, ..limit(Side::Buy, 2, 100) });
    let resting = scenario.send(MINUTE, NewOrder { life, ..limit(Side::Buy, 2, 99) });
    scenario.finish();
    assert_eq!(scenario.rejection(crossing), Some(Code::WouldTrade));
    assert_eq!((scenario.placed(resting), scenario.venue.open_orders()), (1, 1));
}

#[test]
fn an_amended_post_only_order_does_not_take() {
    let mut scenario = after_flat_bar(&[FLAT]);
    let life = TimeInForce::PostOnly;
    let key = scenario.send(MINUTE, NewOrder { life, ..limit(Side::Buy, 2, 99) });
    scenario.amend(MINUTE, key, Some(100), None);
    scenario.finish();
    assert_eq!(scenario.fills(key), []);
    assert_eq!(scenario.venue.open_orders(), 1);
}

/// The maker's price moves onto the market: it trades there as a taker, at the market.
#[test]
fn an_amended_limit_that_crosses_trades_as_taker() {
    let mut scenario = after_flat_bar(&[FLAT]);
    let key = scenario.send(MINUTE, limit(Side::Buy, 2, 99));
    scenario.amend(MINUTE, key, Some(103), Some(4));
    scenario.finish();
    assert_eq!(scenario.fills(key), [(MINUTE, 100, 4, false)]);
}

#[test]
fn an_amendment_cannot_grow_an_order_beyond_the_margin() {
    let setting = Setting { cash: 1_000, leverage: "1", ..Setting::default() };
    let mut scenario = with_setting(setting, &[[100.0, 100.0, 90.0, 90.0, 1e6]]);
    let key = scenario.send(MINUTE, limit(Side::Buy, 2, 95));
    scenario.amend(MINUTE, key, None, Some(5_000));
    scenario.finish();
    assert_eq!(scenario.position(0), 2);
}

#[test]
fn crossing_costs_half_the_spread_and_impact_rounded_against_the_taker() {
    let slippage = Slippage { half_spread: 0.001, impact: 0.5 };
    // Range of the last bar 20 of 1000, 1 lot of 100: 1 + 0.5 * 0.02 * 0.1 * 1000 = 2 ticks.
    let bar = [1_000.0, 1_010.0, 990.0, 1_000.0, 100.0];
    let setting = model(|model| model.slippage = slippage);
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[bar, bar])]);
    scenario.through(MINUTE);
    let buy = scenario.send(MINUTE, market(Side::Buy, 1));
    let sell = scenario.send(MINUTE, market(Side::Sell, 1));
    scenario.finish();
    assert_eq!(scenario.fills(buy), [(MINUTE, 1_002, 1, false)]);
    assert_eq!(scenario.fills(sell), [(MINUTE, 998, 1, false)]);
}

/// A minute in which nobody traded says nothing about how cheap it is to trade.
#[test]
fn a_bar_without_volume_makes_no_trade_free() {
    let slippage = Slippage { half_spread: 0.0, impact: 0.5 };
    let bar = [1_000.0, 1_010.0, 990.0, 1_000.0, 100.0];
    let quiet = [1_000.0, 1_000.0, 1_000.0, 1_000.0, 0.0];
    let setting = model(|model| model.slippage = slippage);
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[bar, quiet, quiet])]);
    scenario.through(2 * MINUTE);
    let buy = scenario.send(2 * MINUTE, market(Side::Buy, 100));
    scenario.finish();
    assert_eq!(scenario.fills(buy), [(2 * MINUTE, 1_010, 100, false)]);
}

/// Impact far beyond the price itself: the seller gets one tick, the run goes on, and the stop has
/// an ending.
#[test]
fn a_sale_larger_than_the_market_gets_the_lowest_price() {
    let slippage = Slippage { half_spread: 0.0, impact: 0.5 };
    let bar = [100.0, 150.0, 50.0, 100.0, 1.0];
    let setting = Setting { cash: 1_000_000_000, ..model(|model| model.slippage = slippage) };
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[bar, bar])]);
    scenario.through(MINUTE);
    let sale = scenario.send(MINUTE, market(Side::Sell, 10_000));
    let stopped = scenario.send(MINUTE, stop(Side::Sell, 10_000, 80));
    scenario.finish();
    assert_eq!(scenario.fills(sale), [(MINUTE, 1, 10_000, false)]);
    assert_eq!(scenario.fills(stopped), [(MINUTE + 40 * SECOND, 1, 10_000, false)]);
}
