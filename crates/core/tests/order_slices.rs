// SPDX-License-Identifier: Apache-2.0
//! Sliced orders: the parent holds, its slices trade. Whatever happens to the slices, what they
//! have filled and what they may still fill is never more than the parent, not by one lot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::amend::Amend;
use hean_core::order::{
    ExecId, Fact, FactKind, InstrumentId, Intent, Limits, OrderEngine, OrderKey, State, StrategyId,
    Ticket, TICKET_LIFE_NS,
};
use hean_core::{Code, Instrument, Kind, Lots, Side};
use order_fixture::{base36, buy, engine, market, place, refusal, sliced, MARK};
use proptest::prelude::*;

#[test]
fn a_sliced_order_is_told_of_only_by_its_own_side() {
    let mut engine = engine(Limits::unlimited());
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    assert_eq!(engine.state(parent), Ok(State::Sent));
    for kind in [
        FactKind::Placed,
        FactKind::Filled { exec: ExecId(1), price: MARK, lots: Lots(1) },
        FactKind::Rejected,
        FactKind::Unknown,
        FactKind::Absent,
    ] {
        let told = engine.fact(parent, Fact { kind, ts_ns: 1 });
        assert_eq!(refusal(told).0, Code::IllegalTransition);
    }
    let first = Intent { parent: Some(parent), ..buy("c", 4) };
    let first = place(&mut engine, &first, 1).unwrap();
    engine.on_filled(first, ExecId(1), MARK, Lots(4), 2).unwrap();
    assert_eq!((engine.state(parent), engine.left(parent)), (Ok(State::Partial), Lots(6)));
    let terms = Amend { price: Some(MARK), lots: Lots(20) };
    assert_eq!(refusal(engine.amend_approve(parent, terms, 2)).0, Code::ParameterInvalid);
    engine.on_cancelled(parent, "", 3).unwrap();
    assert_eq!((engine.state(parent), engine.left(parent)), (Ok(State::Cancelled), Lots(0)));
}

#[test]
fn slices_are_of_sliced_orders_and_of_their_kind() {
    let mut engine = engine(Limits::unlimited());
    let whole = place(&mut engine, &buy("w", 10), 0).unwrap();
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    let slice = Intent { parent: Some(parent), ..buy("c", 4) };
    let wrong = [
        Intent { parent: Some(whole), ..slice },
        Intent { is_sliced: true, ..slice },
        Intent { side: Side::Sell, ..slice },
        Intent { strategy: StrategyId(1), ..slice },
        Intent { instrument: InstrumentId(1), ..slice },
        Intent { reduce_only: true, ..slice },
    ];
    for wrong in wrong {
        assert_eq!(refusal(engine.approve(&wrong, 0)).0, Code::ParameterInvalid, "{wrong:?}");
    }
    let too_much = Intent { lots: Lots(11), ..slice };
    assert_eq!(refusal(engine.approve(&too_much, 0)).0, Code::LimitBreached);
    assert!(engine.approve(&slice, 0).is_ok());
}

#[test]
fn a_slice_whose_parent_ended_since_its_approval_does_not_leave() {
    let mut engine = engine(Limits::unlimited());
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    let slice = Intent { parent: Some(parent), ..buy("c", 4) };
    let ticket = engine.approve(&slice, 0).unwrap();
    engine.on_cancelled(parent, "", 1).unwrap();
    assert_eq!(refusal(engine.redeem(ticket, &slice, 1)).0, Code::OrderNotOpen);
    let key = engine.find("c").unwrap();
    assert_eq!(engine.state(key), Ok(State::Cancelled));
    assert_eq!(engine.exposure(InstrumentId(0)).unwrap().open_buy, Lots(0));
    assert_eq!(refusal(engine.approve(&Intent { id: "d", ..slice }, 1)).0, Code::OrderNotOpen);
}

#[test]
fn the_largest_order_of_a_venue_binds_slices_alone() {
    let mut engine = OrderEngine::new(Limits::unlimited());
    let mut made = Instrument::new("BIG", Kind::LinearPerpetual, "1", "1").unwrap();
    made.lots_max = Lots(50);
    let instrument = engine.add_instrument(made).unwrap();
    engine.set_mark(instrument, MARK, 0).unwrap();
    assert_eq!(refusal(engine.approve(&buy("w", 51), 0)).0, Code::OrderSizeInvalid);
    let parent = place(&mut engine, &sliced("p", 200), 0).unwrap();
    let slice = Intent { parent: Some(parent), ..buy("c", 51) };
    assert_eq!(refusal(engine.approve(&slice, 0)).0, Code::OrderSizeInvalid);
    assert!(engine.approve(&Intent { lots: Lots(50), ..slice }, 0).is_ok());
}

#[test]
fn two_slices_with_an_execution_of_one_id_both_count() {
    let mut engine = engine(Limits::unlimited());
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    for id in ["a", "b"] {
        let slice = place(&mut engine, &Intent { parent: Some(parent), ..buy(id, 5) }, 0).unwrap();
        engine.on_filled(slice, ExecId(7), MARK, Lots(5), 1).unwrap();
        engine.on_filled(slice, ExecId(7), MARK, Lots(5), 1).unwrap();
    }
    assert_eq!(engine.state(parent), Ok(State::Filled));
    assert_eq!(engine.record(parent).unwrap().filled, Lots(10));
}

#[test]
fn a_slice_that_was_wrongly_declared_absent_stops_the_others() {
    let mut engine = engine(Limits::unlimited());
    let parent = place(&mut engine, &sliced("p", 10), 0).unwrap();
    let slice = Intent { parent: Some(parent), ..buy("a", 6) };
    let ticket = engine.approve(&slice, 0).unwrap();
    let lost = engine.redeem(ticket, &slice, 0).unwrap();
    engine.fact(lost, Fact { kind: FactKind::Unknown, ts_ns: 1 }).unwrap();
    engine.on_absent(lost, 2).unwrap();
    let next = Intent { id: "b", lots: Lots(8), ..slice };
    let ticket = engine.approve(&next, 3).unwrap();
    engine.fact(lost, Fact { kind: FactKind::Placed, ts_ns: 4 }).unwrap();
    assert_eq!(refusal(engine.redeem(ticket, &next, 4)).0, Code::Halted);
    engine.release_halt();
    let more = Intent { id: "c", lots: Lots(5), ..slice };
    assert_eq!(refusal(engine.approve(&more, 5)).0, Code::LimitBreached);
}

const PARENT: i64 = 60;

#[derive(Debug, Clone, Copy)]
enum Act {
    Slice(i64),
    Redeem(usize),
    Fact { slice: usize, what: u8 },
    Fill { slice: usize, exec: u64, lots: i64 },
    Amend { slice: usize, lots: i64 },
    Amended(usize),
    Wait(i64),
    End,
}

fn act() -> impl Strategy<Value = Act> {
    let slice = 0..12_usize;
    prop_oneof![
        6 => (1..40_i64).prop_map(Act::Slice),
        6 => slice.clone().prop_map(Act::Redeem),
        4 => (slice.clone(), any::<u8>()).prop_map(|(slice, what)| Act::Fact { slice, what }),
        6 => (slice.clone(), 0..4_u64, 1..30_i64)
            .prop_map(|(slice, exec, lots)| Act::Fill { slice, exec, lots }),
        2 => (slice.clone(), 1..60_i64).prop_map(|(slice, lots)| Act::Amend { slice, lots }),
        2 => slice.prop_map(Act::Amended),
        1 => prop::sample::select(vec![1, TICKET_LIFE_NS + 1]).prop_map(Act::Wait),
        1 => Just(Act::End),
    ]
}

struct World {
    engine: OrderEngine,
    parent: OrderKey,
    slices: Vec<(OrderKey, Ticket)>,
    now_ns: i64,
}

impl World {
    fn new() -> Self {
        let mut engine = engine(Limits::unlimited());
        let whole = Intent { is_sliced: true, ..market("h1-test-0", Side::Buy, PARENT) };
        let parent = place(&mut engine, &whole, 0).unwrap();
        Self { engine, parent, slices: Vec::new(), now_ns: 1 }
    }

    /// A fact changes a slice or is refused; both are fine.
    fn act(&mut self, act: Act) {
        let now_ns = self.now_ns;
        let of = |world: &Self, slice: usize| world.slices.get(slice).copied();
        match act {
            Act::Slice(lots) => self.slice(lots),
            Act::Wait(ns) => self.now_ns += ns,
            Act::End => drop(self.engine.on_cancelled(self.parent, "", now_ns)),
            Act::Redeem(slice) => {
                let Some((key, ticket)) = of(self, slice) else { return };
                let _ = self.engine.redeem_key(ticket, key, now_ns);
            }
            Act::Fact { slice, what } => {
                let Some((key, _)) = of(self, slice) else { return };
                let kinds = [
                    FactKind::Placed,
                    FactKind::Cancelled,
                    FactKind::Rejected,
                    FactKind::Unknown,
                    FactKind::Quarantine,
                    FactKind::Absent,
                ];
                let kind = kinds[usize::from(what) % kinds.len()];
                if self.engine.state(key) == Ok(State::Absent) {
                    return; // a wrong verdict is a halt, see the test of it
                }
                let _ = self.engine.fact(key, Fact { kind, ts_ns: now_ns });
            }
            Act::Fill { slice, exec, lots } => self.fill(slice, ExecId(exec), lots),
            Act::Amend { slice, lots } => {
                let Some((key, _)) = of(self, slice) else { return };
                let terms = Amend { price: None, lots: Lots(lots) };
                let _ = self.engine.amend_approve(key, terms, now_ns);
            }
            Act::Amended(slice) => {
                let Some((key, _)) = of(self, slice) else { return };
                if let Some(terms) = self.engine.pending_amend(key) {
                    self.engine.on_amended(key, terms, now_ns).unwrap();
                }
            }
        }
        self.engine.release_halt();
    }

    fn slice(&mut self, lots: i64) {
        let id = format!("h1-test-{}", base36(1 + self.slices.len() as u64));
        let slice = Intent { parent: Some(self.parent), ..market(&id, Side::Buy, lots) };
        if let Ok(ticket) = self.engine.approve(&slice, self.now_ns) {
            self.slices.push((self.engine.find(&id).unwrap(), ticket));
        }
    }

    /// A venue tells an order's fills before its end.
    fn fill(&mut self, slice: usize, exec: ExecId, lots: i64) {
        let Some((key, _)) = self.slices.get(slice).copied() else { return };
        if self.engine.state(key).unwrap().is_open() {
            let _ = self.engine.on_filled(key, exec, MARK, Lots(lots), self.now_ns);
        }
    }

    fn check(&self) {
        let (mut filled, mut working) = (0, 0);
        for (key, _) in &self.slices {
            let record = self.engine.record(*key).unwrap();
            filled += record.filled.0;
            if self.engine.state(*key).unwrap().is_open() {
                working += record.remaining().0;
            }
        }
        assert!(filled + working <= PARENT, "{filled} filled, {working} working");
        let parent = self.engine.record(self.parent).unwrap();
        assert_eq!(parent.filled.0, filled);
        let exposure = self.engine.exposure(InstrumentId(0)).unwrap();
        assert_eq!(exposure.position.0, filled);
        assert!(exposure.long() <= PARENT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn slices_never_exceed_their_parent(acts in prop::collection::vec(act(), 1..100)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
            world.check();
        }
    }
}
