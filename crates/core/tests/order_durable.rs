// SPDX-License-Identifier: Apache-2.0
//! An engine built again from journaled facts has the same durable bytes as the one that lived.
//! Random lives of orders are played into one engine through approval and ticket; what a journal
//! keeps of them (the approved order, that it was sent, the venue's facts) into another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::{ExecId, Fact, FactKind, Limits, OrderEngine};
use hean_core::{Lots, Side};
use order_fixture::{base36, buy, engine, market, MARK, SECOND};
use proptest::prelude::*;

fn durable(engine: &OrderEngine) -> Vec<u8> {
    let mut out = Vec::new();
    engine.durable(&mut out);
    out
}

/// One step: which order, what happens to it, how much.
type Step = (u64, u8, i64);

fn kind_of(step: Step) -> FactKind {
    let (_, what, lots) = step;
    match what % 8 {
        0 | 1 => FactKind::Placed,
        2 | 3 => FactKind::Filled { exec: ExecId(lots as u64), price: MARK, lots: Lots(lots) },
        4 => FactKind::Cancelled,
        5 => FactKind::Rejected,
        6 => FactKind::Unknown,
        _ => FactKind::Quarantine,
    }
}

/// The second engine sees marks, tickets and refusals of nobody.
fn play(steps: &[Step], retained: usize) -> (OrderEngine, OrderEngine) {
    let (mut lived, mut again) = (engine(Limits::unlimited()), engine(Limits::unlimited()));
    lived.set_closed_retained(retained);
    again.set_closed_retained(retained);
    for (number, step) in steps.iter().enumerate() {
        let now_ns = number as i64 * SECOND;
        let id = format!("h{}-test-{}", base36(1 + step.0 / 8), base36(step.0));
        let intent = match step.1 % 2 {
            0 => buy(&id, 5 + step.2),
            _ => market(&id, Side::Sell, 5 + step.2),
        };
        lived.set_mark(intent.instrument, MARK, now_ns).unwrap();
        if let Ok(ticket) = lived.approve(&intent, now_ns) {
            let permit = again.readmit(&intent, now_ns).unwrap();
            let key = lived.redeem(ticket, &intent, now_ns).unwrap();
            assert_eq!(again.redeem(permit, &intent, now_ns).unwrap(), key);
        }
        for engine in [&mut lived, &mut again] {
            if let Ok(key) = engine.find(&id) {
                let _ = engine.fact(key, Fact { kind: kind_of(*step), ts_ns: now_ns });
            }
        }
        assert_eq!(durable(&lived), durable(&again), "after step {number}");
    }
    (lived, again)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_readmitted_engine_is_the_one_that_lived(
        steps in prop::collection::vec((0..40_u64, any::<u8>(), 1..9_i64), 1..80),
        retained in 1..30_usize,
    ) {
        let (lived, again) = play(&steps, retained);
        prop_assert_eq!(durable(&lived), durable(&again));
    }
}

#[test]
fn marks_limits_and_tickets_are_not_durable_but_a_halt_is() {
    let (mut one, two) = (engine(Limits::unlimited()), engine(Limits::default()));
    one.approve(&buy("h1-test-1", 0), 0).expect_err("a refusal leaves nothing");
    assert_eq!(durable(&one), durable(&two));
    one.set_halt(hean_core::order::HaltLevel::HaltNew);
    assert_ne!(durable(&one), durable(&two));
}

#[test]
fn an_id_that_is_in_a_journal_twice_is_refused() {
    let mut engine = engine(Limits::unlimited());
    engine.readmit(&buy("h1-test-1", 5), 0).unwrap();
    let error = engine.readmit(&buy("h1-test-1", 5), 0).expect_err("twice");
    assert!(error.message.contains("twice"), "{}", error.message);
}
