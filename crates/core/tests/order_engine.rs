// SPDX-License-Identifier: Apache-2.0
//! The one door, from outside: tickets, slices, amends, halts, archiving, and orders that fit alone
//! but not together. Limits are in `order_limits.rs`, random lives of many orders in
//! `order_holds.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::amend::Amend;
use hean_core::order::{
    ExecId, HaltLevel, InstrumentId, Intent, Limits, OrderEngine, OrderType, State, StrategyId,
    TimeInForce, TICKET_LIFE_NS,
};
use hean_core::{Code, Lots, Side, Ticks};
use order_fixture::{base36, buy, engine, market, money, place, refusal, sliced, trade, MARK};

#[test]
fn of_200_orders_that_fit_alone_exactly_those_pass_that_fit_together() {
    let limits = Limits { position_value_max: money(1_000_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    let passed =
        (0..200).filter(|n| engine.approve(&buy(&format!("h1-test-{n}"), 30), 0).is_ok()).count();
    assert_eq!(passed, 33);
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().open_buy, Lots(990));
    assert!(engine.approve(&buy("last", 10), 0).is_ok());
    assert!(engine.approve(&buy("more", 1), 0).is_err());
}

#[test]
fn a_limit_never_traps_a_position() {
    let limits = Limits { position_value_max: money(100_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    trade(&mut engine, &buy("a", 100), 0);
    engine.set_mark(InstrumentId(0), Ticks(5_000), 0).unwrap();
    assert!(engine.approve(&buy("b", 1), 0).is_err());
    assert!(engine.approve(&market("c", Side::Sell, 40), 0).is_ok(), "a plain sell reduces too");
    let reduce = Intent { reduce_only: true, ..market("d", Side::Sell, 100) };
    assert!(engine.approve(&reduce, 0).is_ok());
}

#[test]
fn reduce_only_is_believed_only_if_true() {
    let mut engine = engine(Limits::unlimited());
    let reduce = |id, side, lots| Intent { reduce_only: true, ..market(id, side, lots) };
    assert_eq!(refusal(engine.approve(&reduce("a", Side::Sell, 1), 0)).0, Code::ReduceOnlyViolated);
    trade(&mut engine, &buy("b", 10), 0);
    for (id, side, lots, passes) in [
        ("c", Side::Sell, 9, true),
        ("d", Side::Sell, 10, true),
        ("e", Side::Sell, 11, false),
        ("f", Side::Buy, 1, false),
    ] {
        assert_eq!(engine.approve(&reduce(id, side, lots), 0).is_ok(), passes, "{id}");
    }
}

#[test]
fn a_ticket_is_good_once_for_its_fields_and_for_its_life() {
    let mut engine = engine(Limits::unlimited());
    let intent = buy("h1-test-7", 5);
    let ticket = engine.approve(&intent, 0).unwrap();
    assert_eq!(refusal(engine.approve(&intent, 0)).0, Code::AlreadyApproved);
    let wrong = [
        Intent { lots: Lots(6), ..intent },
        Intent { price: Some(Ticks(1_001)), ..intent },
        Intent { side: Side::Sell, ..intent },
        Intent { id: "h1-test-8", ..intent },
        Intent { reduce_only: true, ..intent },
        Intent { instrument: InstrumentId(1), ..intent },
        Intent { strategy: StrategyId(1), ..intent },
        Intent { time_in_force: TimeInForce::Ioc, ..intent },
        Intent { is_sliced: true, ..intent },
    ];
    for wrong in wrong {
        assert_eq!(refusal(engine.redeem(ticket, &wrong, 0)).0, Code::TicketInvalid, "{wrong:?}");
    }
    let forged = hean_core::order::Ticket(ticket.0 ^ 1 << 40);
    assert_eq!(refusal(engine.redeem(forged, &intent, 0)).0, Code::TicketInvalid);
    let key = engine.redeem(ticket, &intent, TICKET_LIFE_NS).unwrap();
    assert_eq!(engine.state(key), Ok(State::Sent));
    assert_eq!(refusal(engine.redeem(ticket, &intent, 0)).0, Code::TicketInvalid);
}

#[test]
fn an_expired_ticket_gives_its_reservation_back() {
    let mut engine = engine(Limits::unlimited());
    let intent = buy("h1-test-7", 5);
    let ticket = engine.approve(&intent, 0).unwrap();
    let (code, message) = refusal(engine.redeem(ticket, &intent, TICKET_LIFE_NS + 1));
    assert_eq!(code, Code::TicketInvalid);
    assert!(message.contains("expired 1 ns ago"), "{message}");
    assert_eq!(engine.state(engine.find("h1-test-7").unwrap()), Ok(State::Expired));
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().open_buy, Lots(0));
}

#[test]
fn nothing_new_leaves_after_a_halt_even_with_a_ticket() {
    let mut engine = engine(Limits::unlimited());
    trade(&mut engine, &buy("a", 10), 0);
    let (new, reduce) = (buy("b", 1), Intent { reduce_only: true, ..market("c", Side::Sell, 1) });
    let new_ticket = engine.approve(&new, 0).unwrap();
    let reduce_ticket = engine.approve(&reduce, 0).unwrap();
    assert_eq!(engine.set_halt(HaltLevel::HaltNew), HaltLevel::HaltNew);
    assert_eq!(engine.set_halt(HaltLevel::Run), HaltLevel::HaltNew, "it only climbs");
    assert_eq!(refusal(engine.redeem(new_ticket, &new, 0)).0, Code::Halted);
    assert_eq!(engine.state(engine.find("b").unwrap()), Ok(State::Cancelled));
    assert!(engine.redeem(reduce_ticket, &reduce, 0).is_ok());
    assert_eq!(refusal(engine.approve(&buy("d", 1), 0)).0, Code::Halted);
    engine.set_halt(HaltLevel::Locked);
    let last = Intent { reduce_only: true, ..market("e", Side::Sell, 1) };
    assert_eq!(refusal(engine.approve(&last, 0)).0, Code::Halted);
    engine.release_halt();
    assert!(engine.approve(&buy("d", 1), 0).is_ok());
}

#[test]
fn an_unknown_order_counts_in_full_and_blocks_its_strategy_there() {
    let mut engine = engine(Limits::unlimited());
    trade(&mut engine, &buy("z", 3), 0);
    let intent = buy("a", 5);
    let ticket = engine.approve(&intent, 0).unwrap();
    let key = engine.redeem(ticket, &intent, 0).unwrap();
    engine.on_unknown(key, 1).unwrap();
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().open_buy, Lots(5));
    assert!(refusal(engine.approve(&buy("b", 1), 1)).1.contains("R28 unresolved"));
    let reduce = Intent { reduce_only: true, ..market("c", Side::Sell, 1) };
    assert!(engine.approve(&reduce, 1).is_ok());
    assert!(engine.approve(&Intent { strategy: StrategyId(1), ..buy("d", 1) }, 1).is_ok());
    engine.on_absent(key, 2).unwrap();
    assert!(engine.approve(&buy("e", 1), 2).is_ok());
    let moved = engine.on_filled(key, ExecId(1), MARK, Lots(2), 3).unwrap();
    assert!(moved.is_resurrected);
    assert_eq!(engine.account().halt, HaltLevel::HaltNew);
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().position, Lots(5));
}

#[test]
fn slices_draw_on_their_parent_and_give_back_what_they_did_not_use() {
    let limits = Limits { position_value_max: money(100_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    let parent = place(&mut engine, &sliced("p", 100), 0).unwrap();
    let reserved = |engine: &OrderEngine| engine.exposure(InstrumentId(0)).unwrap().open_buy;
    let slice = |id, lots| Intent { parent: Some(parent), ..buy(id, lots) };
    let first = place(&mut engine, &slice("p1", 60), 0).unwrap();
    assert_eq!(reserved(&engine), Lots(100));
    assert!(engine.approve(&slice("p2", 41), 0).is_err());
    engine.on_filled(first, ExecId(1), MARK, Lots(20), 1).unwrap();
    assert_eq!(reserved(&engine), Lots(80));
    assert_eq!(engine.record(parent).unwrap().filled, Lots(20));
    engine.on_cancelled(first, "", 2).unwrap();
    assert_eq!(reserved(&engine), Lots(80), "the rest went back to the parent");
    let second = place(&mut engine, &slice("p2", 80), 2).unwrap();
    engine.on_cancelled(parent, "", 3).unwrap();
    assert_eq!(reserved(&engine), Lots(80), "the slice still works");
    engine.on_filled(second, ExecId(2), MARK, Lots(80), 3).unwrap();
    assert_eq!(engine.state(parent), Ok(State::Filled));
    let exposure = engine.exposure(InstrumentId(0)).unwrap();
    assert_eq!((exposure.open_buy, exposure.position), (Lots(0), Lots(100)));
}

#[test]
fn a_parent_stays_as_long_as_its_slices_and_an_order_as_its_ticket() {
    let mut engine = engine(Limits::unlimited());
    engine.set_closed_retained(2);
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    let slice = Intent { parent: Some(parent), ..buy("p1", 4) };
    let slice = place(&mut engine, &slice, 0).unwrap();
    let grown = Amend { price: Some(MARK), lots: Lots(11) };
    assert_eq!(refusal(engine.amend_approve(slice, grown, 0)).0, Code::LimitBreached);
    engine.on_cancelled(parent, "", 5).unwrap();
    let withdrawn = buy("w", 1);
    let ticket = engine.approve(&withdrawn, 5).unwrap();
    let key = engine.find("w").unwrap();
    engine.on_cancelled(key, "", 5).unwrap();
    for n in 0..9 {
        trade(&mut engine, &buy(&format!("x{n}"), 1), 5);
    }
    assert_eq!(engine.find("w"), Ok(key), "nobody else may get its place while the ticket lives");
    assert_eq!(refusal(engine.redeem(ticket, &withdrawn, 5)).0, Code::TicketInvalid);
    engine.on_filled(slice, ExecId(77), MARK, Lots(4), 5).unwrap();
    assert_eq!(engine.record(parent).unwrap().filled, Lots(4));
    engine.expire_tickets(TICKET_LIFE_NS * 2);
    for n in 0..9 {
        trade(&mut engine, &buy(&format!("y{n}"), 1), TICKET_LIFE_NS * 2);
    }
    assert!(engine.find("w").is_err() && engine.find("p").is_err() && engine.find("p1").is_err());
}

#[test]
fn an_amend_reserves_the_worse_terms_until_it_is_answered() {
    let limits = Limits { position_value_max: money(100_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    let reserved = |engine: &OrderEngine| engine.exposure(InstrumentId(0)).unwrap().open_buy;
    let key = place(&mut engine, &buy("a", 60), 0).unwrap();
    let terms = |lots| Amend { price: Some(Ticks(999)), lots: Lots(lots) };
    assert!(engine.amend_approve(key, terms(101), 0).is_err());
    let ticket = engine.amend_approve(key, terms(100), 0).unwrap();
    assert_eq!(reserved(&engine), Lots(100));
    assert!(engine.redeem_amend(ticket, key, terms(99), 0).is_err());
    engine.redeem_amend(ticket, key, terms(100), 0).unwrap();
    assert!(engine.redeem_amend(ticket, key, terms(100), 0).is_err());
    engine.on_filled(key, ExecId(1), MARK, Lots(60), 1).unwrap();
    assert_eq!(reserved(&engine), Lots(40), "filled by the old terms, open by the new");
    assert_eq!(engine.state(key), Ok(State::Partial), "a cancel still finds it");
    engine.on_amended(key, terms(100), 2).unwrap();
    assert_eq!(engine.state(key), Ok(State::Partial));
    let smaller = engine.amend_approve(key, terms(70), 2).unwrap();
    assert_eq!(reserved(&engine), Lots(40));
    engine.expire_tickets(TICKET_LIFE_NS + 3);
    assert!(engine.redeem_amend(smaller, key, terms(70), 3).is_err());
    assert_eq!(engine.record(key).unwrap().lots, Lots(100));
}

/// A fill races the answer to an amend: in any order of the two the order ends the same.
#[test]
fn a_fill_that_only_the_new_terms_leave_room_for_proves_them() {
    let terms = Amend { price: Some(Ticks(999)), lots: Lots(100) };
    let end_of = |answer_first: bool| {
        let mut engine = engine(Limits::unlimited());
        let key = place(&mut engine, &buy("a", 60), 0).unwrap();
        let ticket = engine.amend_approve(key, terms, 0).unwrap();
        engine.redeem_amend(ticket, key, terms, 0).unwrap();
        if answer_first {
            engine.on_amended(key, terms, 1).unwrap();
        }
        engine.on_filled(key, ExecId(1), MARK, Lots(80), 1).unwrap();
        engine.on_filled(key, ExecId(1), MARK, Lots(80), 1).unwrap();
        engine.on_amended(key, terms, 1).unwrap();
        assert_eq!(engine.pending_amend(key), None);
        assert!(engine.on_filled(key, ExecId(2), MARK, Lots(21), 2).is_err());
        let mut bytes = Vec::new();
        engine.canonical(&mut bytes);
        bytes
    };
    assert_eq!(end_of(true), end_of(false));
}

#[test]
fn terms_that_the_venue_tells_are_adopted_whoever_asked_for_them() {
    let mut engine = engine(Limits::unlimited());
    let reserved = |engine: &OrderEngine| engine.exposure(InstrumentId(0)).unwrap().open_buy;
    let key = place(&mut engine, &buy("a", 60), 0).unwrap();
    let terms = |lots| Amend { price: Some(Ticks(999)), lots: Lots(lots) };
    let ticket = engine.amend_approve(key, terms(100), 0).unwrap();
    engine.redeem_amend(ticket, key, terms(100), 0).unwrap();
    engine.on_amended(key, terms(40), 1).unwrap();
    assert_eq!(reserved(&engine), Lots(100), "another amend has no answer yet");
    engine.on_amend_rejected(key).unwrap();
    assert_eq!(reserved(&engine), Lots(40));
    engine.on_filled(key, ExecId(1), MARK, Lots(30), 2).unwrap();
    engine.on_amended(key, terms(20), 3).unwrap();
    let record = engine.record(key).unwrap();
    assert_eq!((engine.state(key), record.remaining()), (Ok(State::Filled), Lots(0)));
    assert_eq!(reserved(&engine), Lots(0), "below what has filled: never negative");
}

#[test]
fn the_price_that_an_amend_wants_counts_as_resting() {
    let limits = Limits { refuse_self_cross: true, ..Limits::unlimited() };
    let mut engine = engine(limits);
    let sell = |id| Intent {
        order_type: OrderType::Limit,
        price: Some(Ticks(1_005)),
        ..market(id, Side::Sell, 1)
    };
    let key = place(&mut engine, &buy("a", 60), 0).unwrap();
    let terms = Amend { price: Some(Ticks(1_010)), lots: Lots(60) };
    let ticket = engine.amend_approve(key, terms, 0).unwrap();
    assert_eq!(refusal(engine.approve(&sell("s1"), 0)).0, Code::LimitBreached);
    engine.redeem_amend(ticket, key, terms, 0).unwrap();
    engine.on_amend_rejected(key).unwrap();
    assert!(engine.approve(&sell("s2"), 0).is_ok());
}

#[test]
fn an_amend_of_an_earlier_process_is_recorded_once() {
    let mut engine = engine(Limits::unlimited());
    let key = place(&mut engine, &buy("a", 60), 0).unwrap();
    let terms = Amend { price: Some(MARK), lots: Lots(100) };
    engine.readmit_amend(key, terms).unwrap();
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().open_buy, Lots(100));
    assert_eq!(refusal(engine.readmit_amend(key, terms)).0, Code::IllegalTransition);
    engine.on_cancelled(key, "", 1).unwrap();
    assert_eq!(engine.pending_amend(key), None);
    assert_eq!(refusal(engine.readmit_amend(key, terms)).0, Code::OrderNotOpen);
}

#[test]
fn old_closed_orders_are_dropped_and_their_ids_stay_used() {
    let mut engine = engine(Limits::unlimited());
    engine.set_closed_retained(3);
    let open = place(&mut engine, &buy("h1-test-0", 1), 0).unwrap();
    for n in 1..3_000 {
        let id = format!("h1-test-{}", base36(n));
        trade(&mut engine, &buy(&id, 1), 0);
    }
    assert_eq!(refusal(engine.find("h1-test-1")).0, Code::OrderUnknown);
    assert_eq!(engine.find("h1-test-0"), Ok(open));
    assert!(engine.find(&format!("h1-test-{}", base36(2_999))).is_ok());
    engine.on_cancelled(open, "", 1).unwrap();
    for n in 3_000..3_010 {
        trade(&mut engine, &buy(&format!("h1-test-{}", base36(n)), 1), 0);
    }
    assert_eq!(refusal(engine.approve(&buy("h1-test-1", 1), 0)).0, Code::AlreadyApproved);
    assert_eq!(refusal(engine.approve(&buy("h0-test-1", 1), 0)).0, Code::AlreadyApproved);
    assert!(engine.approve(&buy("h2-test-1", 1), 0).is_ok(), "a new epoch starts anew");
    assert!(engine.find(&format!("h1-test-{}", base36(3_009))).is_ok(), "older ids stay known");
}
