// SPDX-License-Identifier: Apache-2.0
//! What the rules saw, for the record: the verdict of `approve`, rule by rule, and nothing changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::{Finding, HaltLevel, Intent, Limits, OrderEngine};
use hean_core::{Lots, Money, Side};
use order_fixture::{buy, engine, market, place, refusal, MARK, SECOND};

const EQUITY: Money = Money(1_000_000 * 1_000_000_000_000);

fn bytes(engine: &OrderEngine) -> Vec<u8> {
    let mut bytes = Vec::new();
    engine.canonical(&mut bytes);
    bytes
}

fn report(engine: &mut OrderEngine, intent: &Intent<'_>) -> Vec<Finding> {
    engine.report(intent, None, Some(EQUITY), 0).unwrap()
}

#[test]
fn every_rule_that_is_on_is_told_with_what_it_saw_though_all_agree() {
    let mut engine = engine(Limits::default());
    let found = report(&mut engine, &buy("h1-test-1", 1));
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
    for rule in [
        "R27 kill switch",
        "R09 order rate",
        "R23 open orders",
        "R05 duplicate",
        "R30 daily loss",
        "R31 drawdown",
        "R01 lot filter",
        "R07 stale data",
        "R03 price collar",
        "R02 order value",
        "R20 position value",
        "R21 gross value",
        "R21 leverage",
    ] {
        assert!(rules.contains(&rule), "{rule} of {rules:?}");
    }
    let says_no: Vec<&Finding> = found.iter().filter(|finding| finding.is_breach).collect();
    assert!(says_no.is_empty(), "{says_no:?}");
    assert!(found.iter().all(|finding| !finding.observed.is_empty()), "{found:?}");
}

#[test]
fn the_breaches_are_those_of_the_refusal_in_its_words() {
    let limits = Limits { order_lots_max: Some(Lots(5)), ..Limits::default() };
    for lots in [1, 5, 6, 50, 5_000_000] {
        for halt in HaltLevel::ALL {
            let sell = market("h1-test-1", Side::Sell, lots);
            for intent in [buy("h1-test-1", lots), sell] {
                let mut engine = engine(limits.clone());
                engine.set_halt(halt);
                let found = report(&mut engine, &intent);
                engine.set_equity(EQUITY);
                let breaches: Vec<&Finding> = found.iter().filter(|f| f.is_breach).collect();
                match engine.approve(&intent, 0) {
                    Ok(_) => assert!(breaches.is_empty(), "{breaches:?}"),
                    refused => {
                        let (code, message) = refusal(refused);
                        assert_eq!(code, breaches[0].code);
                        for breach in breaches {
                            let said = format!(
                                "{}: observed {}, allowed {}",
                                breach.rule, breach.observed, breach.allowed
                            );
                            assert!(message.contains(&said), "{said} in {message}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_report_reserves_nothing_and_keeps_no_price() {
    let mut engine = engine(Limits::default());
    engine.set_equity(EQUITY);
    place(&mut engine, &buy("h1-test-1", 1), 0).unwrap();
    let before = bytes(&engine);
    engine.report(&buy("h1-test-2", 2), Some(MARK), Some(EQUITY), 0).unwrap();
    assert_eq!(bytes(&engine), before);
}

#[test]
fn an_order_that_makes_no_sense_has_no_report() {
    let mut engine = engine(Limits::default());
    assert!(engine.report(&buy("", 1), None, None, 0).is_err());
    assert!(engine.report(&buy("h1-test-1", 0), None, None, SECOND).is_err());
}
