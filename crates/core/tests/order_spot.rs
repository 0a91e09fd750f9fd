// SPDX-License-Identifier: Apache-2.0
//! Reductions of one position beside each other. The venue keeps those of a perpetual from turning
//! it round; for coins nobody does, so what is being sold is not sold again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::amend::Amend;
use hean_core::order::{
    ExecId, InstrumentId, Intent, Limits, OrderEngine, OrderKey, OrderType, TimeInForce,
};
use hean_core::{Code, Instrument, Kind, Lots, Side, Ticks};
use order_fixture::{base36, buy, market, place, refusal, trade, MARK};
use proptest::prelude::*;

const COINS: InstrumentId = InstrumentId(0);

/// Ten lots are held.
fn holding(kind: Kind) -> OrderEngine {
    let mut engine = OrderEngine::new(Limits::unlimited());
    let instrument = engine.add_instrument(Instrument::new("ONE", kind, "1", "1").unwrap());
    engine.set_mark(instrument.unwrap(), MARK, 0).unwrap();
    trade(&mut engine, &market("held", Side::Buy, 10), 0);
    engine
}

fn exit(id: &str, lots: i64) -> Intent<'_> {
    Intent { reduce_only: true, ..market(id, Side::Sell, lots) }
}

fn limit(id: &str, lots: i64, time_in_force: TimeInForce) -> Intent<'_> {
    Intent { side: Side::Sell, reduce_only: true, time_in_force, ..buy(id, lots) }
}

fn stop(id: &str, lots: i64) -> Intent<'_> {
    Intent { order_type: OrderType::Stop, trigger: Some(Ticks(900)), ..exit(id, lots) }
}

fn is_refused(engine: &mut OrderEngine, intent: &Intent<'_>) -> bool {
    let verdict = engine.approve(intent, 0);
    if verdict.is_ok() {
        return false;
    }
    let (code, message) = refusal(verdict);
    assert_eq!(code, Code::ReduceOnlyViolated, "{message}");
    true
}

#[test]
fn coins_that_are_being_sold_are_not_sold_again() {
    let mut engine = holding(Kind::Spot);
    place(&mut engine, &exit("a", 6), 0).unwrap();
    let (code, message) = refusal(engine.approve(&exit("b", 5), 0));
    assert_eq!(code, Code::ReduceOnlyViolated);
    assert!(message.contains("up to 4 lots against the position, 6 on their way"), "{message}");
    assert!(engine.approve(&exit("b", 4), 0).is_ok());
    assert!(is_refused(&mut engine, &exit("c", 1)));
}

#[test]
fn what_was_sold_and_what_will_not_be_is_no_longer_in_the_way() {
    let mut engine = holding(Kind::Spot);
    let key = place(&mut engine, &exit("a", 10), 0).unwrap();
    engine.on_filled(key, ExecId(7), MARK, Lots(3), 0).unwrap();
    assert!(is_refused(&mut engine, &exit("b", 1)));
    engine.on_cancelled(key, "", 0).unwrap();
    assert!(is_refused(&mut engine, &exit("b", 8)));
    assert!(!is_refused(&mut engine, &exit("b", 7)));
}

#[test]
fn beside_a_sale_that_nobody_knows_of_one_more_is_tried() {
    let mut engine = holding(Kind::Spot);
    let ticket = engine.approve(&exit("a", 10), 0).unwrap();
    let key = engine.redeem(ticket, &exit("a", 10), 0).unwrap();
    assert!(is_refused(&mut engine, &exit("b", 1)));
    engine.on_unknown(key, 0).unwrap();
    let ticket = engine.approve(&exit("b", 10), 0).unwrap();
    let again = engine.redeem(ticket, &exit("b", 10), 0).unwrap();
    assert!(is_refused(&mut engine, &exit("c", 1)));
    engine.on_unknown(again, 0).unwrap();
    assert!(is_refused(&mut engine, &exit("c", 1)));
    engine.on_quarantined(again, 0).unwrap();
    assert!(is_refused(&mut engine, &exit("c", 1)));
    engine.on_absent(key, 0).unwrap();
    assert!(!is_refused(&mut engine, &exit("c", 10)));
    assert!(is_refused(&mut engine, &exit("d", 1)));
}

#[test]
fn what_rests_traps_nothing_and_may_rest_beside_a_sale() {
    let mut engine = holding(Kind::Spot);
    place(&mut engine, &stop("a", 10), 0).unwrap();
    place(&mut engine, &limit("b", 10, TimeInForce::Gtc), 0).unwrap();
    place(&mut engine, &exit("c", 10), 0).unwrap();
    place(&mut engine, &stop("d", 10), 0).unwrap();
    place(&mut engine, &limit("e", 10, TimeInForce::PostOnly), 0).unwrap();
    assert!(is_refused(&mut engine, &stop("f", 11)));
}

#[test]
fn a_limit_order_that_does_not_rest_is_a_sale() {
    for time_in_force in [TimeInForce::Ioc, TimeInForce::Fok] {
        let mut engine = holding(Kind::Spot);
        place(&mut engine, &limit("a", 10, time_in_force), 0).unwrap();
        assert!(is_refused(&mut engine, &exit("b", 1)));
        assert!(is_refused(&mut engine, &limit("c", 1, time_in_force)));
    }
}

#[test]
fn coins_sold_in_slices_are_sold_once() {
    let mut engine = holding(Kind::Spot);
    let whole = Intent { is_sliced: true, ..exit("a", 10) };
    let parent = place(&mut engine, &whole, 0).unwrap();
    assert!(is_refused(&mut engine, &exit("b", 1)));
    let slice = Intent { parent: Some(parent), ..limit("c", 4, TimeInForce::Gtc) };
    let key = place(&mut engine, &slice, 0).unwrap();
    assert!(is_refused(&mut engine, &exit("b", 1)));
    engine.on_filled(key, ExecId(7), MARK, Lots(4), 0).unwrap();
    assert!(!is_refused(&mut engine, &Intent { parent: Some(parent), ..exit("d", 6) }));
    assert!(is_refused(&mut engine, &exit("b", 1)));
}

#[test]
fn an_order_that_grows_is_not_in_its_own_way() {
    let mut engine = holding(Kind::Spot);
    let key = place(&mut engine, &limit("a", 5, TimeInForce::Ioc), 0).unwrap();
    let amend = |lots| Amend { price: Some(MARK), lots: Lots(lots) };
    assert_eq!(refusal(engine.amend_approve(key, amend(11), 0)).0, Code::ReduceOnlyViolated);
    assert!(engine.amend_approve(key, amend(10), 0).is_ok());
    assert!(is_refused(&mut engine, &exit("b", 1)));
}

#[test]
fn the_venue_keeps_reductions_of_a_perpetual_from_turning_it_round() {
    let mut engine = holding(Kind::LinearPerpetual);
    place(&mut engine, &exit("a", 10), 0).unwrap();
    assert!(!is_refused(&mut engine, &exit("b", 10)));
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Sell(i64),
    Fill { order: usize, lots: i64 },
    Cancel(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..8_i64).prop_map(Act::Sell),
        (0..12_usize, 1..8_i64).prop_map(|(order, lots)| Act::Fill { order, lots }),
        (0..12_usize).prop_map(Act::Cancel),
    ]
}

proptest! {
    /// Whatever fills of what was let through and is not over, nothing is sold that was not held.
    #[test]
    fn exits_alone_never_sell_more_than_is_held(acts in prop::collection::vec(act(), 1..60)) {
        let mut engine = holding(Kind::Spot);
        let mut sales: Vec<OrderKey> = Vec::new();
        for (count, act) in acts.into_iter().enumerate() {
            let id = format!("h1-s-{}", base36(count as u64 + 1));
            match act {
                Act::Sell(lots) => sales.extend(place(&mut engine, &exit(&id, lots), 0).ok()),
                Act::Fill { order, lots } => {
                    let is_open = |key: &OrderKey| engine.state(*key).unwrap().is_open();
                    if let Some(key) = sales.get(order).copied().filter(is_open) {
                        let exec = ExecId(count as u64);
                        let _ = engine.on_filled(key, exec, MARK, Lots(lots), 0);
                    }
                }
                Act::Cancel(order) => {
                    if let Some(&key) = sales.get(order) {
                        let _ = engine.on_cancelled(key, "", 0);
                    }
                }
            }
            let held = engine.exposure(COINS).unwrap();
            prop_assert!(held.position >= held.exits(Side::Sell).0, "{held:?}");
        }
    }
}
