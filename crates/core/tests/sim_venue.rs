// SPDX-License-Identifier: Apache-2.0
//! Time, messages and money at the simulated venue: latency, ties, horizons, several streams,
//! funding, margin, liquidation. Bars are used where nothing finer is needed.

#![allow(clippy::unwrap_used)]

mod sim_fixture;

use hean_core::instrument::MarginTier;
use hean_core::sim::{Fact, Latency, NewOrder, Step};
use hean_core::{Code, Instrument, Lots, Money, Side};
use sim_fixture::*;

const FLAT: [f64; 5] = [100.0, 100.0, 100.0, 100.0, 1_000.0];

fn flat_bars(count: usize) -> Vec<[f64; 5]> {
    vec![FLAT; count]
}

fn tiered(symbol: &str) -> Instrument {
    let mut instrument = perpetual(symbol);
    instrument.tiers.push(MarginTier {
        notional_max: Money(i128::MAX / 4),
        initial_rate: rate("0.1"),
        maintenance_rate: rate("0.05"),
        deduction: Money::ZERO,
    });
    instrument
}

/// 1000 of cash, leverage 10, liquidation fee 1 %, maintenance 5 %.
fn thin() -> Setting {
    Setting {
        cash: 1_000,
        instruments: vec![tiered("AAA"), tiered("BBB")],
        fees: ["0", "0", "0.01"],
        ..Setting::default()
    }
}

fn liquidations(scenario: &Scenario) -> Vec<(i64, i64, i64)> {
    scenario
        .facts
        .iter()
        .filter_map(|(time, fact)| match fact {
            Fact::Liquidated { fill } => Some((*time, fill.price.0, fill.lots.0)),
            _ => None,
        })
        .collect()
}

// ---------------------------------------------------------------- messages and time

#[test]
fn answers_take_the_way_back_in_the_order_they_were_given() {
    let setting = Setting {
        entry: Latency::Constant(10 * MS),
        response: Latency::Recorded(vec![40 * MS, 5 * MS]),
        ..Setting::default()
    };
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &flat_bars(3))]);
    scenario.through(MINUTE);
    let key = scenario.send(MINUTE, market(Side::Buy, 1));
    scenario.finish();
    let at = MINUTE + 50 * MS;
    let times: Vec<i64> = scenario
        .facts
        .iter()
        .filter(|(_, fact)| matches!(fact, Fact::Placed { .. } | Fact::Filled { .. }))
        .map(|item| item.0)
        .collect();
    assert_eq!(times, [at, at]);
    assert_eq!(scenario.fills(key), [(at, 100, 1, false)]);
}

#[test]
fn a_cancel_that_comes_too_late_finds_no_order() {
    let setting = Setting { entry: Latency::Constant(30 * SECOND), ..Setting::default() };
    let dip = [100.0, 110.0, 90.0, 100.0, 1e3];
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[FLAT, FLAT, dip])]);
    scenario.through(MINUTE);
    let key = scenario.send(MINUTE, limit(Side::Buy, 1, 95));
    scenario.until(2 * MINUTE + 15 * SECOND);
    // Arrives after 45 seconds of the bar; the low is walked after 40.
    scenario.cancel(2 * MINUTE + 15 * SECOND, key);
    scenario.finish();
    assert_eq!(scenario.fills(key), [(2 * MINUTE + 40 * SECOND, 95, 1, true)]);
    assert_eq!(scenario.facts.last().unwrap().1, Fact::Candle { stream: 0, row: 2 });
    assert!(scenario.facts.contains(&(2 * MINUTE + 45 * SECOND, Fact::NotOpen { key })));
}

#[test]
fn a_cancel_or_amend_of_an_unknown_order_is_answered() {
    let reason = "the order is not open";
    let mut scenario = Scenario::new(Setting::default(), vec![bars(0, 0, &flat_bars(2))]);
    scenario.cancel(5, 77);
    scenario.amend(5, 78, Some(5), None);
    scenario.finish();
    assert_eq!(
        scenario.facts[..2],
        [
            (5, Fact::NotOpen { key: 77 }),
            (5, Fact::AmendRefused { key: 78, code: Code::OrderNotOpen, reason })
        ]
    );
}

#[test]
fn nothing_happens_at_the_horizon_or_after_it() {
    let mut scenario = Scenario::new(Setting::default(), vec![bars(0, 0, &flat_bars(2))]);
    assert_eq!(scenario.step(Some(MINUTE)), Step::Horizon);
    assert_eq!(scenario.step(Some(MINUTE + 1)), Step::Instant(MINUTE));
    assert_eq!(scenario.step(Some(MINUTE + 1)), Step::Horizon);
    scenario.send(MINUTE + 1, market(Side::Buy, 1));
    assert_eq!(scenario.step(Some(MINUTE + 1)), Step::Horizon);
    assert_eq!(scenario.step(Some(MINUTE + 2)), Step::Instant(MINUTE + 1));
    scenario.finish();
    assert_eq!(scenario.step(None), Step::End);
}

#[test]
fn streams_of_several_symbols_and_lengths_come_as_one_sequence() {
    let setting =
        Setting { instruments: vec![perpetual("AAA"), perpetual("BBB")], ..Setting::default() };
    let streams = vec![
        bars_of(0, 0, 3 * MINUTE, &flat_bars(1)),
        bars(0, 0, &flat_bars(3)),
        bars(1, MINUTE, &flat_bars(2)),
        tape(1, &[(90 * SECOND, 100.0, 1.0, BUY)]),
    ];
    let mut scenario = Scenario::new(setting, streams);
    scenario.finish();
    let seen: Vec<(i64, usize)> = scenario
        .facts
        .iter()
        .map(|(time, fact)| match fact {
            Fact::Candle { stream, .. } => (*time, *stream),
            _ => (*time, 3),
        })
        .collect();
    let last = 3 * MINUTE;
    let expected = [(MINUTE, 1), (90 * SECOND, 3), (2 * MINUTE, 1), (2 * MINUTE, 2)];
    assert_eq!(seen[..4], expected);
    assert_eq!(seen[4..], [(last, 0), (last, 1), (last, 2)]);
}

// ---------------------------------------------------------------- funding

/// Position of 10 at 100; the bar that ends with the settlement closes at 120.
fn funded(order: [usize; 2], send_at: i64) -> Scenario {
    let rise = [100.0, 120.0, 100.0, 120.0, 1e3];
    let next = [150.0, 150.0, 150.0, 150.0, 1e3];
    let streams = [bars(0, 0, &[FLAT, rise, next]), funding(0, &[(2 * MINUTE, 0.01)])];
    let streams = order.map(|at| streams[at].clone()).to_vec();
    let mut scenario = Scenario::new(Setting::default(), streams);
    if send_at > MINUTE {
        scenario.through(MINUTE);
    }
    scenario.through(send_at);
    scenario.send(send_at, market(Side::Buy, 10));
    scenario.finish();
    scenario
}

/// The bar that ends at the settlement is over by then, whichever file was named first.
#[test]
fn funding_is_settled_at_the_close_of_the_bar_that_ends_with_it() {
    for order in [[0, 1], [1, 0]] {
        let scenario = funded(order, MINUTE);
        assert_eq!(scenario.venue.ledger().funding_total(), money("-12"), "{order:?}");
    }
}

/// Who trades at the instant of the settlement, or at the open after it, was flat at it.
#[test]
fn a_fill_at_the_instant_of_the_settlement_comes_after_it() {
    for order in [[0, 1], [1, 0]] {
        let scenario = funded(order, 2 * MINUTE);
        assert_eq!(scenario.position(0), 10);
        assert_eq!(scenario.venue.ledger().funding_total(), money("0"), "{order:?}");
    }
}

#[test]
fn an_exit_at_the_open_after_the_settlement_does_not_escape_it() {
    for order in [[0, 1], [1, 0]] {
        let gap = [80.0, 80.0, 80.0, 80.0, 1e3];
        let streams = [bars(0, 0, &[FLAT, FLAT, gap]), funding(0, &[(2 * MINUTE, 0.01)])];
        let streams = order.map(|at| streams[at].clone()).to_vec();
        let mut scenario = Scenario::new(Setting::default(), streams);
        scenario.through(MINUTE);
        scenario.send(MINUTE, market(Side::Buy, 10));
        scenario.send(MINUTE, reducing(stop(Side::Sell, 10, 90)));
        scenario.finish();
        assert_eq!(scenario.position(0), 0);
        assert_eq!(scenario.venue.ledger().funding_total(), money("-10"), "{order:?}");
    }
}

/// Two ledgers can only agree if the trader learns of fill and settlement in the venue's order.
#[test]
fn funding_is_told_after_the_fills_that_came_before_it() {
    let setting = Setting { response: Latency::Constant(SECOND), ..Setting::default() };
    let streams = vec![
        tape(0, &[(1, 100.0, 1.0, BUY), (9 * SECOND, 100.0, 1.0, BUY)]),
        funding(0, &[(SECOND, 0.01)]),
    ];
    let mut scenario = Scenario::new(setting, streams);
    scenario.through(1);
    scenario.send(SECOND / 2, market(Side::Buy, 10));
    scenario.finish();
    let place = |wanted: fn(&Fact) -> bool| {
        scenario.facts.iter().position(|(_, fact)| wanted(fact)).unwrap()
    };
    let filled = place(|fact| matches!(fact, Fact::Filled { .. }));
    let funded = place(|fact| matches!(fact, Fact::Funding { .. }));
    assert_eq!(scenario.venue.ledger().funding_total(), money("-10"));
    assert!(filled < funded);
    assert_eq!(scenario.facts[funded].0, 2 * SECOND);
}

// ---------------------------------------------------------------- margin and liquidation

#[test]
fn an_order_beyond_the_free_margin_is_refused() {
    let mut scenario = Scenario::new(thin(), vec![bars(0, 0, &flat_bars(3))]);
    scenario.through(MINUTE);
    let too_much = scenario.send(MINUTE, market(Side::Buy, 101));
    let enough = scenario.send(MINUTE, market(Side::Buy, 100));
    scenario.finish();
    assert_eq!(scenario.rejection(too_much), Some(Code::InsufficientMargin));
    assert_eq!(scenario.fills(enough).len(), 1);
}

/// Each order alone is affordable; together they are ten times what leverage allows.
#[test]
fn resting_orders_bind_margin() {
    let dip = [100.0, 100.0, 99.0, 100.0, 1e6];
    let mut scenario = Scenario::new(thin(), vec![bars(0, 0, &[FLAT, dip, FLAT])]);
    scenario.through(MINUTE);
    let keys: Vec<u32> =
        (0..10).map(|_| scenario.send(MINUTE, limit(Side::Buy, 100, 100 - 1))).collect();
    let other = scenario.send(MINUTE, NewOrder { price: None, ..limit(Side::Buy, 1, 1) });
    scenario.finish();
    assert_eq!(scenario.rejection(other), Some(Code::ParameterInvalid));
    let refused = keys.iter().filter(|&&key| scenario.rejection(key).is_some()).count();
    assert_eq!(refused, 9);
}

#[test]
fn sizes_outside_the_filters_are_refused() {
    let mut instrument = perpetual("AAA");
    instrument.lots_min = Lots(2);
    instrument.lots_max = Lots(50);
    instrument.notional_min = money("300");
    let setting = Setting { instruments: vec![instrument], ..Setting::default() };
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &flat_bars(3))]);
    scenario.through(MINUTE);
    for lots in [0, -3, 1, 2, 51] {
        let key = scenario.send(MINUTE, market(Side::Buy, lots));
        scenario.through(MINUTE);
        assert_eq!(scenario.rejection(key), Some(Code::OrderSizeInvalid), "{lots}");
    }
    let unlisted = scenario.send(MINUTE, NewOrder { instrument: 9, ..market(Side::Buy, 5) });
    scenario.finish();
    assert_eq!(scenario.rejection(unlisted), Some(Code::UnknownSymbol));
}

/// A position that was worth enough when it was opened: its stop and its exit may be worth less
/// than the least value of an order, as at the venues.
#[test]
fn what_only_reduces_has_no_least_value() {
    let mut instrument = perpetual("AAA");
    instrument.notional_min = money("300");
    let setting = Setting { instruments: vec![instrument], ..Setting::default() };
    let down = [100.0, 100.0, 70.0, 70.0, 1e3];
    let after = [70.0, 70.0, 70.0, 70.0, 1e3];
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[FLAT, down, after, after])]);
    scenario.through(MINUTE);
    let entry = scenario.send(MINUTE, market(Side::Buy, 3));
    scenario.through(3 * MINUTE);
    let short = scenario.send(3 * MINUTE, market(Side::Sell, 4));
    let exit = scenario.send(3 * MINUTE, NewOrder { reduce_only: true, ..market(Side::Sell, 3) });
    scenario.finish();
    assert_eq!(scenario.rejection(entry), None);
    assert_eq!(scenario.rejection(short), Some(Code::OrderSizeInvalid));
    assert_eq!(scenario.rejection(exit), None);
}

/// 100 at 100 with 1000 of cash: at 94 equity is 400 and maintenance 470. The low is inside the
/// bar and no order rests: the position must not survive it until the close.
#[test]
fn a_position_is_liquidated_inside_the_bar() {
    let dip = [100.0, 110.0, 94.0, 100.0, 1e3];
    let mut scenario = Scenario::new(thin(), vec![bars(0, 0, &[FLAT, dip, FLAT])]);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 100));
    scenario.finish();
    assert_eq!(liquidations(&scenario), [(MINUTE + 20 * SECOND, 94, 100)]);
    assert_eq!(scenario.venue.ledger().equity(), money("306"));
    assert_eq!(scenario.venue.ledger().liquidation_fees(), money("94"));
}

/// The stop at 97 is met before the low at 80 is: it saves the account, as it would live.
#[test]
fn a_stop_on_the_way_comes_before_the_liquidation() {
    let crash = [100.0, 100.0, 80.0, 80.0, 1e3];
    let mut scenario = Scenario::new(thin(), vec![bars(0, 0, &[FLAT, crash, FLAT])]);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 100));
    let key = scenario.send(MINUTE, reducing(stop(Side::Sell, 100, 97)));
    scenario.finish();
    assert_eq!(liquidations(&scenario), []);
    assert_eq!(scenario.fills(key).iter().map(|fill| fill.1).collect::<Vec<_>>(), [97]);
    assert_eq!(scenario.venue.ledger().equity(), money("700"));
}

/// A limit fills on the way down to the low that kills it.
#[test]
fn a_position_opened_on_the_leg_is_marked_at_its_end() {
    let crash = [100.0, 100.0, 80.0, 100.0, 1e6];
    let mut scenario = Scenario::new(thin(), vec![bars(0, 0, &[FLAT, crash, FLAT])]);
    scenario.through(MINUTE);
    scenario.send(MINUTE, limit(Side::Buy, 100, 98));
    scenario.finish();
    assert_eq!(liquidations(&scenario).len(), 1);
}

/// What the venue says of a liquidation is what its own ledger booked.
#[test]
fn a_liquidation_is_told_at_the_price_it_was_booked_at() {
    let setting = thin();
    let crash = [100.0, 100.0, 50.0, 50.0, 1e3];
    let rise = [130.0, 130.0, 130.0, 130.0, 1e3];
    let streams = vec![bars(0, 0, &[FLAT, FLAT, crash]), bars(1, 0, &[FLAT, rise, rise])];
    let mut scenario = Scenario::new(setting, streams);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 90));
    scenario.until(2 * MINUTE + 1);
    scenario.send(2 * MINUTE + 1, NewOrder { instrument: 1, ..market(Side::Buy, 1) });
    scenario.finish();
    let told = liquidations(&scenario);
    assert_eq!(told.len(), 2);
    let paid = 130 + 90 * 100;
    let got: i64 = told.iter().map(|(_, price, lots)| price * lots).sum();
    let realised = scenario.venue.ledger().realised();
    assert_eq!(realised, money(&(got - paid).to_string()));
}

/// Coins in the account are nobody's position to close: the perpetual goes, the coins stay.
#[test]
fn a_liquidation_leaves_coins_alone() {
    let setting = Setting { instruments: vec![spot("COIN"), tiered("AAA")], ..thin() };
    let crash = [100.0, 100.0, 50.0, 50.0, 1e3];
    let streams = vec![bars(0, 0, &flat_bars(3)), bars(1, 0, &[FLAT, crash, crash])];
    let mut scenario = Scenario::new(setting, streams);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 1));
    scenario.send(MINUTE, NewOrder { instrument: 1, ..market(Side::Buy, 80) });
    scenario.finish();
    assert_eq!((scenario.position(0), scenario.position(1)), (1, 0));
}

/// A mark from before the position was opened is news of another time: coming back to a market
/// that has doubled is no loss and no reason to close anything.
#[test]
fn a_new_position_is_valued_at_the_present_price() {
    let doubled = [200.0, 200.0, 200.0, 200.0, 1e3];
    let streams = vec![bars(0, 0, &[FLAT, FLAT, doubled, doubled, doubled])];
    let mut scenario = Scenario::new(thin(), streams);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 1));
    scenario.until(2 * MINUTE);
    scenario.send(2 * MINUTE - 1, market(Side::Sell, 1));
    scenario.until(3 * MINUTE + 1);
    scenario.send(3 * MINUTE + 1, market(Side::Buy, 10));
    scenario.until(3 * MINUTE + 2);
    assert_eq!(scenario.venue.ledger().equity(), money("1000"));
}

// ---------------------------------------------------------------- spot

#[test]
fn a_spot_purchase_must_leave_money_for_its_fee() {
    let setting = Setting {
        cash: 1_000,
        fees: ["0.001", "0.001", "0"],
        instruments: vec![spot("COIN")],
        ..Setting::default()
    };
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &flat_bars(3))]);
    scenario.through(MINUTE);
    let all = scenario.send(MINUTE, market(Side::Buy, 10));
    let less = scenario.send(MINUTE, market(Side::Buy, 9));
    scenario.finish();
    assert_eq!(scenario.rejection(all), Some(Code::InsufficientMargin));
    assert_eq!(scenario.fills(less).len(), 1);
}

#[test]
fn coins_can_be_sold_once() {
    let setting = Setting { cash: 1_000, instruments: vec![spot("COIN")], ..Setting::default() };
    let rise = [100.0, 120.0, 100.0, 120.0, 1e3];
    let mut scenario = Scenario::new(setting, vec![bars(0, 0, &[FLAT, rise, FLAT])]);
    scenario.through(MINUTE);
    scenario.send(MINUTE, market(Side::Buy, 5));
    let target = scenario.send(MINUTE, limit(Side::Sell, 5, 110));
    let stopped = scenario.send(MINUTE, stop(Side::Sell, 5, 105));
    scenario.finish();
    let sold: i64 =
        [target, stopped].iter().flat_map(|&key| scenario.fills(key)).map(|fill| fill.2).sum();
    assert_eq!((sold, scenario.position(0)), (5, 0));
}
