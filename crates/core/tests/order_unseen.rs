// SPDX-License-Identifier: Apache-2.0
//! A venue fills orders in one order, and we are told in another, late or not at all. Whatever has
//! been told, the worst case that the engine counts is no less than where the account may end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::{ExecId, InstrumentId, Intent, Limits, OrderEngine, OrderKey};
use hean_core::{Lots, Side};
use order_fixture::{base36, engine, market, place, refusal, trade, MARK};
use proptest::prelude::*;

#[test]
fn a_reduction_may_have_filled_before_buys_that_were_told_first() {
    let limits = Limits { position_value_max: order_fixture::money(16_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    trade(&mut engine, &market("a", Side::Sell, 15), 0);
    let reduce = Intent { reduce_only: true, ..market("b", Side::Buy, 15) };
    place(&mut engine, &reduce, 0).unwrap();
    trade(&mut engine, &market("c", Side::Buy, 10), 0);
    // Without its fill we count a short of 5. If it came first, the account is 10 lots long.
    assert!(refusal(engine.approve(&market("d", Side::Buy, 7), 0)).1.contains("R20"));
    assert!(engine.approve(&market("d", Side::Buy, 6), 0).is_ok());
}

#[test]
fn what_was_bought_before_a_reduction_or_after_the_last_one_ended_is_no_doubt() {
    let mut engine = engine(Limits::unlimited());
    let long = |engine: &OrderEngine| engine.exposure(InstrumentId(0)).unwrap().long();
    trade(&mut engine, &market("a", Side::Sell, 15), 0);
    trade(&mut engine, &market("b", Side::Buy, 5), 0);
    let reduce = Intent { reduce_only: true, ..market("c", Side::Buy, 10) };
    let key = place(&mut engine, &reduce, 0).unwrap();
    assert_eq!(long(&engine), 0);
    trade(&mut engine, &market("d", Side::Buy, 4), 0);
    assert_eq!(long(&engine), 4);
    engine.on_cancelled(key, "", 0).unwrap();
    assert_eq!(long(&engine), -6);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Send { side: Side, lots: i64, reduces: bool },
    Trade { order: usize, lots: i64 },
    Cancel(usize),
    Tell(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let side = any::<bool>().prop_map(|buys| if buys { Side::Buy } else { Side::Sell });
    let order = any::<usize>();
    prop_oneof![
        2 => (side, 1..20_i64, any::<bool>()).prop_map(|(side, lots, reduces)| Act::Send {
            side,
            lots,
            reduces
        }),
        3 => (order, 1..20_i64).prop_map(|(order, lots)| Act::Trade { order, lots }),
        1 => order.prop_map(Act::Cancel),
        3 => any::<usize>().prop_map(Act::Tell),
    ]
}

/// An order as the venue has it.
struct Order {
    key: OrderKey,
    side: Side,
    reduces: bool,
    left: i64,
}

/// The venue's truth, and what of it the engine was not told: order and lots, 0 for its end.
struct World {
    engine: OrderEngine,
    orders: Vec<Order>,
    position: i64,
    untold: Vec<(usize, i64)>,
    told: u64,
}

impl World {
    fn act(&mut self, act: Act) {
        match act {
            Act::Send { side, lots, reduces } => {
                let id = base36(self.orders.len() as u64);
                let intent = Intent { reduce_only: reduces, ..market(&id, side, lots) };
                if let Ok(key) = place(&mut self.engine, &intent, 0) {
                    self.orders.push(Order { key, side, reduces, left: lots });
                }
            }
            Act::Trade { order, lots } => self.trade(order % self.orders.len().max(1), lots),
            Act::Cancel(order) => self.end(order % self.orders.len().max(1)),
            Act::Tell(place) => self.tell(place % self.untold.len().max(1)),
        }
    }

    fn trade(&mut self, index: usize, lots: i64) {
        let Some(order) = self.orders.get_mut(index) else { return };
        let against = (-self.position * order.side.sign()).max(0);
        let most = if order.reduces { against } else { order.left };
        let lots = lots.min(order.left).min(most);
        if lots > 0 {
            order.left -= lots;
            self.position += lots * order.side.sign();
            self.untold.push((index, lots));
        }
    }

    fn end(&mut self, index: usize) {
        let Some(order) = self.orders.get_mut(index).filter(|order| order.left > 0) else { return };
        order.left = 0;
        self.untold.push((index, 0));
    }

    /// Fills come in any order; that an order has ended is believed when its fills are there.
    fn tell(&mut self, place: usize) {
        let Some(&(index, lots)) = self.untold.get(place) else { return };
        let has_others = self.untold.iter().filter(|row| row.0 == index).count() > 1;
        if lots == 0 && has_others {
            return;
        }
        self.untold.remove(place);
        self.told += 1;
        let key = self.orders[index].key;
        if lots > 0 {
            self.engine.on_filled(key, ExecId(self.told), MARK, Lots(lots), 0).unwrap();
        } else {
            self.engine.on_cancelled(key, "", 0).unwrap();
        }
    }

    fn may_trade(&self, side: Side) -> i64 {
        let open = self.orders.iter().filter(|order| order.side == side && !order.reduces);
        open.map(|order| order.left).sum()
    }

    fn check(&self) {
        let counted = self.engine.exposure(InstrumentId(0)).unwrap();
        assert!(counted.long() >= self.position + self.may_trade(Side::Buy));
        assert!(counted.short() >= self.may_trade(Side::Sell) - self.position);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_counted_covers_the_venue_whatever_was_told(
        acts in prop::collection::vec(act(), 1..60)
    ) {
        let mut world = World {
            engine: engine(Limits::unlimited()),
            orders: Vec::new(),
            position: 0,
            untold: Vec::new(),
            told: 0,
        };
        for act in acts {
            world.act(act);
            world.check();
        }
    }
}
