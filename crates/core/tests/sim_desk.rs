// SPDX-License-Identifier: Apache-2.0
//! The desk: own orders among a recorded market and among each other. A naive book of all levels
//! and orders says what a taker must get; what a reader is shown must add up to the levels.

use std::collections::BTreeMap;

use hean_core::instrument::{Instrument, Kind};
use hean_core::order::TimeInForce;
use hean_core::sim::market::{DepthEvent, FillModel};
use hean_core::sim::{Arrival, Desk, Outcome, SelfMatch};
use hean_core::{Lots, Side, Ticks};
use proptest::prelude::*;

fn desk() -> Desk {
    let Ok(rules) = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.1", "0.001") else {
        unreachable!("a valid instrument")
    };
    let mut desk = Desk::new(rules, FillModel::default());
    desk.depth(&DepthEvent {
        is_snapshot: true,
        bids: vec![(Ticks(100), Lots(5)), (Ticks(99), Lots(7))],
        asks: vec![(Ticks(103), Lots(4)), (Ticks(104), Lots(9))],
    });
    desk
}

fn arrival(key: u32, owner: u32, side: Side, lots: i64, limit: Option<i64>) -> Arrival {
    Arrival {
        key,
        owner,
        side,
        lots: Lots(lots),
        limit: limit.map(Ticks),
        life: TimeInForce::Gtc,
        self_match: SelfMatch::Allow,
    }
}

#[test]
fn a_taker_gets_the_better_price_of_market_and_accounts() {
    let mut desk = desk();
    let rest = desk.enter(&arrival(1, 1, Side::Sell, 3, Some(102))).ok();
    assert_eq!(rest, Some(Outcome::Resting(Lots(3))));
    let taken = desk.enter(&arrival(2, 2, Side::Buy, 9, None)).ok();
    assert_eq!(taken, Some(Outcome::Filled));
    let prices: Vec<_> =
        desk.executions().iter().map(|e| (e.key, e.price.0, e.lots.0, e.is_maker)).collect();
    let expected = [(2, 102, 3, false), (1, 102, 3, true), (2, 103, 4, false), (2, 104, 2, false)];
    assert_eq!(prices, expected);
    assert_eq!(desk.open(1), None);
}

#[test]
fn a_recorded_level_is_served_before_an_order_that_joined_it() {
    let mut desk = desk();
    assert!(desk.enter(&arrival(1, 1, Side::Sell, 3, Some(103))).is_ok());
    assert!(desk.enter(&arrival(2, 2, Side::Buy, 5, Some(103))).is_ok());
    let keys: Vec<_> = desk.executions().iter().map(|e| (e.key, e.lots.0)).collect();
    assert_eq!(keys, [(2, 4), (2, 1), (1, 1)]);
}

#[test]
fn post_only_and_fill_or_kill_change_nothing_when_they_cannot() {
    let mut desk = desk();
    let post = Arrival { life: TimeInForce::PostOnly, ..arrival(1, 1, Side::Buy, 1, Some(103)) };
    assert_eq!(desk.enter(&post).ok(), Some(Outcome::WouldTrade));
    let kill = Arrival { life: TimeInForce::Fok, ..arrival(2, 1, Side::Buy, 5, Some(103)) };
    assert_eq!(desk.enter(&kill).ok(), Some(Outcome::NotFillable));
    assert!(desk.executions().is_empty());
    let kill = Arrival { life: TimeInForce::Fok, ..arrival(2, 1, Side::Buy, 5, Some(104)) };
    assert_eq!(desk.enter(&kill).ok(), Some(Outcome::Filled));
}

#[test]
fn own_orders_meet_as_the_later_one_says() {
    for (mode, maker_left, expected) in [
        (SelfMatch::Allow, None, Outcome::Filled),
        (SelfMatch::CancelMaker, None, Outcome::Resting(Lots(3))),
        (SelfMatch::CancelTaker, Some(Lots(3)), Outcome::SelfMatched(Lots(3))),
        (SelfMatch::CancelBoth, None, Outcome::SelfMatched(Lots(3))),
    ] {
        let mut desk = desk();
        assert!(desk.enter(&arrival(1, 1, Side::Sell, 3, Some(102))).is_ok());
        let new = Arrival { self_match: mode, ..arrival(2, 1, Side::Buy, 3, Some(102)) };
        assert_eq!(desk.enter(&new).ok(), Some(expected), "{mode:?}");
        assert_eq!(desk.open(1), maker_left, "{mode:?}");
    }
}

#[test]
fn a_used_key_is_refused_and_free_again_when_its_order_ends() {
    let mut desk = desk();
    assert!(desk.enter(&arrival(1, 1, Side::Buy, 1, Some(90))).is_ok());
    assert!(desk.enter(&arrival(1, 1, Side::Buy, 1, Some(90))).is_err());
    assert_eq!(desk.cancel(1), Some(Lots(1)));
    assert!(desk.enter(&arrival(1, 1, Side::Buy, 1, Some(90))).is_ok());
}

#[test]
fn a_passing_trade_fills_the_order_in_front_of_it() {
    let mut desk = desk();
    assert!(desk.enter(&arrival(1, 1, Side::Buy, 4, Some(101))).is_ok());
    desk.trade(Ticks(101), Lots(3), Side::Sell);
    assert_eq!(desk.executions().iter().map(|e| e.lots.0).sum::<i64>(), 3);
    assert_eq!(desk.open(1), Some(Lots(1)));
}

fn applied(shown: &mut BTreeMap<i64, i64>, changes: &[(Ticks, Lots)]) {
    for (price, lots) in changes {
        if lots.0 == 0 {
            assert!(shown.remove(&price.0).is_some(), "removed a level nobody was shown");
        } else {
            shown.insert(price.0, lots.0);
        }
    }
}

proptest! {
    /// Whatever happens, a reader who applies the changes holds the levels.
    #[test]
    fn changes_add_up_to_the_levels(
        steps in prop::collection::vec((0_u8..4, any::<bool>(), 95_i64..108, 0_i64..6), 1..60),
        depth in 1_usize..6,
    ) {
        let mut desk = desk();
        let Ok(reader) = desk.add_reader(depth) else { unreachable!("first reader") };
        let mut shown = [BTreeMap::new(), BTreeMap::new()];
        for (number, (kind, is_buy, price, lots)) in steps.into_iter().enumerate() {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            let key = number as u32;
            match kind {
                0 => desk.depth(&DepthEvent {
                    is_snapshot: false,
                    bids: if is_buy { vec![(Ticks(price.min(101)), Lots(lots))] } else { vec![] },
                    asks: if is_buy { vec![] } else { vec![(Ticks(price.max(102)), Lots(lots))] },
                }),
                1 => desk.trade(Ticks(price), Lots(lots + 1), side),
                2 => { let _ = desk.cancel(key / 2); }
                _ => {
                    let new = arrival(key, 1 + key % 2, side, lots + 1, Some(price));
                    prop_assert!(desk.enter(&new).is_ok());
                }
            }
            let changes = desk.changes(reader);
            for (side, index) in [(Side::Buy, 0), (Side::Sell, 1)] {
                applied(&mut shown[index], &changes[index]);
                let levels: BTreeMap<_, _> =
                    desk.levels(side, depth).iter().map(|l| (l.0 .0, l.1 .0)).collect();
                prop_assert_eq!(&shown[index], &levels);
            }
            let best = |side| desk.levels(side, 1).first().map(|level| level.0 .0);
            if let (Some(bid), Some(ask)) = (best(Side::Buy), best(Side::Sell)) {
                prop_assert!(bid < ask, "crossed: {} and {}", bid, ask);
            }
        }
    }
}
