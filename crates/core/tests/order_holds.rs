// SPDX-License-Identifier: Apache-2.0
//! Reservations over random lives of many orders: duplicates, late fills, slices, amends, lost
//! answers, expired tickets. The oracle keeps nothing but the list of orders and after every step
//! adds position, reservations and gross value up anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::amend::Amend;
use hean_core::order::{
    ExecId, Exposure, InstrumentId, Intent, Limits, OrderEngine, OrderKey, State, StrategyId,
    Ticket, TICKET_LIFE_NS,
};
use hean_core::{CoreError, Lots, Side, Ticks};
use order_fixture::{base36, engine, market, money};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Act {
    Approve { side: bool, lots: i64, reduce: bool, slice_of: Option<usize>, other: bool },
    Redeem(usize),
    Placed(usize),
    Fill { order: usize, exec: u64, lots: i64, ago: i64 },
    End { order: usize, how: u8 },
    Verdict { order: usize, how: u8 },
    Amend { order: usize, lots: i64 },
    Amended(usize),
    Told { order: usize, lots: i64 },
    AmendRejected(usize),
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let order = 0..40_usize;
    let slice_of = prop::option::weighted(0.3, order.clone());
    let flags = (any::<bool>(), prop::bool::weighted(0.2), any::<bool>());
    prop_oneof![
        4 => (flags, 1..40_i64, slice_of).prop_map(|((side, reduce, other), lots, slice_of)| {
            Act::Approve { side, lots, reduce, slice_of, other }
        }),
        4 => order.clone().prop_map(Act::Redeem),
        3 => order.clone().prop_map(Act::Placed),
        6 => (order.clone(), 0..6_u64, 1..20_i64, 0..3_i64)
            .prop_map(|(order, exec, lots, ago)| Act::Fill { order, exec, lots, ago }),
        2 => (order.clone(), 0..3_u8).prop_map(|(order, how)| Act::End { order, how }),
        2 => (order.clone(), 0..3_u8).prop_map(|(order, how)| Act::Verdict { order, how }),
        1 => (order.clone(), 1..60_i64).prop_map(|(order, lots)| Act::Amend { order, lots }),
        1 => (order.clone(), 1..60_i64).prop_map(|(order, lots)| Act::Told { order, lots }),
        1 => order.clone().prop_map(Act::Amended),
        1 => order.prop_map(Act::AmendRejected),
        1 => select_wait(),
    ]
}

fn select_wait() -> impl Strategy<Value = Act> {
    prop::sample::select(vec![1, TICKET_LIFE_NS / 2, TICKET_LIFE_NS + 1]).prop_map(Act::Wait)
}

/// What the oracle knows of an order: its key, its ticket and its wish.
struct Order {
    key: OrderKey,
    ticket: Ticket,
    amend: Option<i64>,
}

/// The worst that any sequence of fills can lead to: reductions first take away what the other
/// side's orders were to close, or have closed.
fn worst(held: &Exposure) -> i64 {
    let (up, down) = (held.position.0 - held.bought.0, held.position.0 + held.sold.0);
    let short_left = (up + held.reduce_buy.0).min(0);
    let long_left = (down - held.reduce_sell.0).max(0);
    let before_buys = held.bought.0 + if up < 0 { short_left } else { up };
    let before_sells = if down > 0 { long_left } else { down } - held.sold.0;
    (before_buys + held.open_buy.0).max(held.open_sell.0 - before_sells)
}

struct World {
    engine: OrderEngine,
    orders: Vec<Order>,
    now_ns: i64,
}

impl World {
    fn order(&self, index: usize) -> Option<&Order> {
        self.orders.get(index)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Approve { .. } => self.approve(act),
            Act::Wait(ns) => {
                self.now_ns += ns;
                self.engine.expire_tickets(self.now_ns);
            }
            Act::Redeem(n) => self.with(n, |e, o, now| e.redeem_key(o.ticket, o.key, now)),
            Act::Placed(n) => self.with(n, |e, o, now| e.on_placed(o.key, None, now)),
            Act::Fill { order, exec, lots, ago } => self.with(order, |e, o, now| {
                e.on_filled(o.key, ExecId(exec), Ticks(1_000), Lots(lots), now - ago)
            }),
            Act::End { order, how } => self.with(order, |e, o, now| match how {
                0 => e.on_cancelled(o.key, "x", now),
                1 => e.on_expired(o.key, "x", now),
                _ => e.on_rejected(o.key, "x", now),
            }),
            Act::Verdict { order, how } => self.with(order, |e, o, now| match how {
                0 => e.on_unknown(o.key, now),
                1 => e.on_quarantined(o.key, now),
                _ => e.on_absent(o.key, now),
            }),
            Act::Amend { order, lots } => {
                let terms = Amend { price: None, lots: Lots(lots) };
                let now_ns = self.now_ns;
                if let Some(order) = self.orders.get_mut(order) {
                    if self.engine.amend_approve(order.key, terms, now_ns).is_ok() {
                        order.amend = Some(lots);
                    }
                }
            }
            Act::Amended(n) => self.with(n, |e, o, now| {
                e.pending_amend(o.key).map_or(Ok(()), |terms| e.on_amended(o.key, terms, now))
            }),
            Act::Told { order, lots } => self.with(order, |e, o, now| {
                e.on_amended(o.key, Amend { price: None, lots: Lots(lots) }, now)
            }),
            Act::AmendRejected(n) => self.with(n, |e, o, _| e.on_amend_rejected(o.key)),
        }
        self.engine.release_halt();
    }

    fn approve(&mut self, act: Act) {
        let Act::Approve { side, lots, reduce, slice_of, other } = act else { return };
        let id = format!("h1-test-{}", base36(self.orders.len() as u64));
        let side = if side { Side::Buy } else { Side::Sell };
        let intent = Intent {
            reduce_only: reduce,
            instrument: InstrumentId(u16::from(other)),
            strategy: StrategyId(self.orders.len() as u16 % 7 * u16::from(slice_of.is_none())),
            parent: slice_of.and_then(|n| self.order(n)).map(|order| order.key),
            is_sliced: slice_of.is_none() && lots % 2 == 0,
            ..market(&id, side, lots)
        };
        if let Ok(ticket) = self.engine.approve(&intent, self.now_ns) {
            let key = self.engine.find(&id).unwrap();
            self.orders.push(Order { key, ticket, amend: None });
        }
    }

    fn with<T>(
        &mut self,
        index: usize,
        call: impl Fn(&mut OrderEngine, &Order, i64) -> Result<T, CoreError>,
    ) {
        if let Some(order) = self.orders.get(index) {
            let _ = call(&mut self.engine, order, self.now_ns);
        }
    }

    /// Sum everything up anew from records, fills and pending amends.
    fn check(&self) {
        for instrument in [InstrumentId(0), InstrumentId(1)] {
            let mut sums = [0_i64; 9];
            for order in &self.orders {
                let record = self.engine.record(order.key).unwrap();
                if record.instrument != instrument {
                    continue;
                }
                let sign = record.side().sign();
                let is_parent = self.is_parent(order.key);
                let filled: i64 = self.engine.fills(order.key).map(|fill| fill.lots.0).sum();
                let own = filled - if is_parent { self.filled_by_slices(order.key) } else { 0 };
                sums[0] += sign * own;
                let place = 1 + usize::from(sign < 0) + 2 * usize::from(record.reduce_only());
                sums[place] += self.holds(order);
                if record.is_exit() {
                    sums[5 + usize::from(sign < 0)] += self.holds(order);
                    let is_lost = matches!(State::of(record), State::Unknown | State::Quarantine);
                    sums[7 + usize::from(sign < 0)] += if is_lost { self.holds(order) } else { 0 };
                }
            }
            let exposure = self.engine.exposure(instrument).unwrap();
            let seen = [
                exposure.position.0,
                exposure.open_buy.0,
                exposure.open_sell.0,
                exposure.reduce_buy.0,
                exposure.reduce_sell.0,
                exposure.exit_buy.0,
                exposure.exit_sell.0,
                exposure.lost_buy.0,
                exposure.lost_sell.0,
            ];
            assert_eq!(seen, sums);
        }
        let gross: i128 = [InstrumentId(0), InstrumentId(1)]
            .map(|id| self.engine.exposure(id).unwrap())
            .map(|e| i128::from(worst(&e)))
            .iter()
            .sum();
        assert_eq!(self.engine.account().totals.gross, money(gross * 1_000).unwrap());
    }

    fn children(&self, parent: OrderKey) -> impl Iterator<Item = &Order> {
        self.orders
            .iter()
            .filter(move |order| self.engine.record(order.key).unwrap().parent() == Some(parent))
    }

    fn is_parent(&self, key: OrderKey) -> bool {
        self.children(key).next().is_some()
    }

    fn filled_by_slices(&self, key: OrderKey) -> i64 {
        let of = |order: &Order| -> Vec<ExecId> {
            self.engine.fills(order.key).map(|fill| fill.exec).collect()
        };
        let execs: Vec<ExecId> = self.children(key).flat_map(of).collect();
        let fills = self.engine.fills(key).filter(|fill| execs.contains(&fill.exec));
        fills.map(|fill| fill.lots.0).sum()
    }

    fn holds(&self, order: &Order) -> i64 {
        let record = self.engine.record(order.key).unwrap();
        let pending = self.engine.pending_amend(order.key).map(|amend| amend.lots.0);
        let is_ended = matches!(
            State::of(record),
            State::Cancelled | State::Expired | State::Rejected | State::Absent
        );
        if is_ended {
            return 0;
        }
        let lent: i64 = self.children(order.key).map(|child| self.holds(child)).sum();
        let lots = pending.map_or(record.lots.0, |pending| pending.max(record.lots.0));
        (lots - record.filled.0 - lent).max(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn reservations_equal_the_sum_over_the_orders(
        acts in prop::collection::vec(act(), 1..120)
    ) {
        let mut world = World {
            engine: engine(Limits::unlimited()),
            orders: Vec::new(),
            now_ns: 10,
        };
        for act in acts {
            world.act(act);
            world.check();
        }
    }
}
