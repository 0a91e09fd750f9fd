// SPDX-License-Identifier: Apache-2.0
//! Order states do not depend on the order in which frames arrive. A venue's story of one order
//! is drawn (fills, acknowledgement, perhaps an end), our own verdicts are mixed in, frames are
//! doubled and shuffled, and every arrangement must end with the same record, the same fills, the
//! same position and the same reservation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hean_core::order::{
    ExecId, Fact, FactKind, Fill, Intent, Limits, OrderEngine, OrderType, State, TimeInForce,
};
use hean_core::{Instrument, Kind, Lots, Side, Ticks};
use proptest::prelude::*;
use proptest::sample::select;

const LOTS: i64 = 20;

#[derive(Debug, PartialEq)]
struct Ending {
    state: State,
    filled: Lots,
    updated_ns: i64,
    ended_ns: i64,
    fills: Vec<(ExecId, Ticks, Lots, i64)>,
    exposure: hean_core::order::Exposure,
    open_orders: u32,
    illegal: u64,
}

/// Play frames into a fresh order and look at all that is left of it.
fn play(frames: &[Fact]) -> Ending {
    let mut engine = OrderEngine::new(Limits::unlimited());
    let btc = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.1", "0.001").unwrap();
    let instrument = engine.add_instrument(btc).unwrap();
    let intent = Intent {
        id: "h1-test-1",
        instrument,
        strategy: engine.strategy("test").unwrap(),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        reduce_only: false,
        lots: Lots(LOTS),
        price: Some(Ticks(100)),
        trigger: None,
        parent: None,
        is_sliced: false,
    };
    let ticket = engine.approve(&intent, 0).unwrap();
    let key = engine.redeem(ticket, &intent, 0).unwrap();
    for frame in frames {
        let before = engine.record(key).unwrap().filled;
        let moved = engine.fact(key, *frame);
        assert!(engine.record(key).unwrap().filled >= before, "filled quantity went down");
        if let Ok(moved) = moved {
            assert!(moved.from.may_become(moved.to), "{moved:?} is not in the table");
        }
    }
    let record = engine.record(key).unwrap();
    let fact = |fill: &Fill| (fill.exec, fill.price, fill.lots, fill.ts_ns);
    Ending {
        state: engine.state(key).unwrap(),
        filled: record.filled,
        updated_ns: record.updated_ns,
        ended_ns: record.ended_ns(),
        fills: engine.fills(key).map(fact).collect(),
        exposure: engine.exposure(instrument).unwrap(),
        open_orders: engine.account().open_orders,
        illegal: engine.illegal_facts(),
    }
}

/// A venue's true story in venue time: acknowledged, filled in parts, perhaps ended.
fn story() -> impl Strategy<Value = Vec<Fact>> {
    let parts = prop::collection::vec((1..8_i64, any::<u64>(), 90..110_i64), 0..6);
    let ends =
        vec![None, Some(FactKind::Cancelled), Some(FactKind::Expired), Some(FactKind::Rejected)];
    (parts, select(ends), prop::option::of(select(vec![FactKind::Cancelled, FactKind::Expired])))
        .prop_map(|(parts, end, second_end)| {
            let mut frames = vec![Fact { kind: FactKind::Placed, ts_ns: 10 }];
            let (mut left, mut ts_ns) = (LOTS, 20);
            for (lots, exec, price) in parts {
                let lots = lots.min(left);
                if lots > 0 {
                    let (exec, price) = (ExecId(exec), Ticks(price));
                    let kind = FactKind::Filled { exec, price, lots: Lots(lots) };
                    frames.push(Fact { kind, ts_ns });
                    (left, ts_ns) = (left - lots, ts_ns + 5);
                }
            }
            // Ends carry the time of the last fill at the earliest: equal times are legal.
            frames.extend(end.map(|kind| Fact { kind, ts_ns: ts_ns - 5 }));
            frames.extend(second_end.filter(|_| end.is_some()).map(|kind| Fact { kind, ts_ns }));
            frames
        })
}

/// The story, some frames twice, shuffled, with our own verdicts mixed in (these keep their order:
/// they are not frames but what we concluded, one from the other).
fn arrangement() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    let verdicts = vec![
        vec![],
        vec![FactKind::Unknown],
        vec![FactKind::Unknown, FactKind::Quarantine],
        vec![FactKind::Unknown, FactKind::Absent],
        vec![FactKind::Unknown, FactKind::Quarantine, FactKind::Absent],
    ];
    (story(), select(verdicts))
        .prop_flat_map(|(story, verdicts)| {
            let doubled = prop::sample::subsequence(story.clone(), 0..=story.len());
            (Just(story), Just(verdicts), doubled)
        })
        .prop_flat_map(|(story, verdicts, doubled)| {
            let frames: Vec<Fact> = story.iter().chain(&doubled).copied().collect();
            let places = prop::collection::vec(0..=frames.len(), verdicts.len());
            (Just(story), Just(verdicts), places, Just(frames).prop_shuffle())
        })
        .prop_map(|(mut story, verdicts, mut places, mut frames)| {
            places.sort_unstable();
            let facts: Vec<Fact> =
                verdicts.into_iter().map(|kind| Fact { kind, ts_ns: 5 }).collect();
            for (offset, (place, fact)) in places.into_iter().zip(&facts).enumerate() {
                frames.insert(place + offset, *fact);
            }
            story.splice(0..0, facts);
            (story, frames)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_order_of_arrival_ends_the_same((story, arranged) in arrangement()) {
        prop_assert_eq!(play(&story), play(&arranged));
    }

    #[test]
    fn a_frame_twice_changes_nothing((_, arranged) in arrangement()) {
        let doubled: Vec<Fact> = arranged.iter().flat_map(|fact| [*fact, *fact]).collect();
        prop_assert_eq!(play(&arranged), play(&doubled));
    }

    #[test]
    fn an_open_order_reserves_what_is_left_an_ended_one_nothing((_, arranged) in arrangement()) {
        let ending = play(&arranged);
        let expected = if ending.state.is_open() { LOTS - ending.filled.0 } else { 0 };
        prop_assert_eq!(ending.exposure.open_buy, Lots(expected));
        prop_assert_eq!(ending.exposure.position, ending.filled);
        prop_assert_eq!(ending.open_orders, u32::from(ending.state.is_open()));
    }
}

#[test]
fn fills_executed_after_the_end_are_refused_and_those_before_are_taken() {
    let fill = |exec, ts_ns| {
        let kind = FactKind::Filled { exec: ExecId(exec), price: Ticks(100), lots: Lots(1) };
        Fact { kind, ts_ns }
    };
    let cancelled = Fact { kind: FactKind::Cancelled, ts_ns: 50 };
    let ending = play(&[cancelled, fill(1, 50), fill(2, 51)]);
    assert_eq!((ending.state, ending.filled, ending.illegal), (State::Cancelled, Lots(1), 1));
}

#[test]
fn an_overfill_and_a_changed_execution_are_refused_whole() {
    let fill = |exec, lots| {
        let kind = FactKind::Filled { exec: ExecId(exec), price: Ticks(100), lots: Lots(lots) };
        Fact { kind, ts_ns: 5 }
    };
    let ending = play(&[fill(1, 15), fill(2, 6), fill(1, 14), fill(3, 0), fill(4, 5)]);
    assert_eq!((ending.state, ending.filled, ending.illegal), (State::Filled, Lots(20), 3));
}

#[test]
fn quarantine_needs_an_unknown_outcome_first() {
    let at = |kind| Fact { kind, ts_ns: 5 };
    let ending = play(&[at(FactKind::Quarantine), at(FactKind::Absent)]);
    assert_eq!((ending.state, ending.illegal), (State::Sent, 2));
}
