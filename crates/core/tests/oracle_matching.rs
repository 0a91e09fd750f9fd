// SPDX-License-Identifier: Apache-2.0
//! The matching engine against a naive twin: one Vec of orders, linear scans, no structure to get
//! wrong. Random requests of every kind go to both; after each one the facts, the open orders with
//! their priority and the best prices must be the same, and three laws must hold that need no
//! twin: no crossed book, no lost quantity, first in first out inside a level.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use hean_core::matching::{
    Change, Fact, MatchingEngine, NewOrder, OpenOrder, Reason, TimeInForce, Trigger,
};
use hean_core::{Code, Lots, Side, Ticks};
use proptest::prelude::*;
use std::collections::HashMap;

/// Orders by time priority; ids are the twin's own count from 1.
#[derive(Default)]
struct Naive {
    open: Vec<(OpenOrder, TimeInForce)>,
    given: u64,
    last: Option<Ticks>,
    prints: Vec<Ticks>,
    prevents: bool,
    facts: Vec<Fact>,
}

fn touches(trigger: Trigger, print: Ticks) -> bool {
    match trigger {
        Trigger::Rising(price) => print >= price,
        Trigger::Falling(price) => print <= price,
    }
}

impl Naive {
    fn is_own(&self, a: &OpenOrder, b: &OpenOrder) -> bool {
        self.prevents && a.owner != 0 && a.owner == b.owner
    }
    /// Indexes of what this order may meet, best first, then oldest first.
    fn makers(&self, o: &OpenOrder) -> Vec<usize> {
        let sign = o.side.sign();
        let price = |i: usize| self.open[i].0.price.map_or(0, |p| p.0 * sign);
        let mut found: Vec<usize> = (0..self.open.len())
            .filter(|&i| self.open[i].0.trigger.is_none() && self.open[i].0.side != o.side)
            .filter(|&i| o.price.is_none_or(|limit| price(i) <= limit.0 * sign))
            .collect();
        found.sort_by_key(|&i| price(i));
        found
    }
    fn enter(&mut self, mut o: OpenOrder, tif: TimeInForce) {
        let (id, makers) = (o.id, self.makers(&o));
        let strangers = makers.iter().map(|&i| &self.open[i].0).filter(|m| !self.is_own(&o, m));
        let can: i64 = strangers.map(|m| m.lots.0).sum();
        if tif == TimeInForce::PostOnly && !makers.is_empty() {
            return self.facts.push(Fact::Rejected { id, code: Code::WouldTrade });
        }
        if tif == TimeInForce::Fok && can < o.lots.0 {
            let (lots, reason) = (o.lots, Reason::NotFillable);
            return self.facts.push(Fact::Cancelled { id, lots, reason });
        }
        for i in makers {
            let m = self.open[i].0;
            let lots = o.lots.min(m.lots);
            if o.lots.0 > 0 && self.is_own(&o, &m) {
                let (id, lots, reason) = (m.id, m.lots, Reason::SelfMatch);
                self.facts.push(Fact::Cancelled { id, lots, reason });
                self.open[i].0.lots.0 = 0;
            } else if o.lots.0 > 0 {
                let price = m.price.unwrap();
                self.facts.push(Fact::Fill { maker: m.id, taker: id, side: o.side, price, lots });
                self.open[i].0.lots.0 -= lots.0;
                o.lots.0 -= lots.0;
                self.prints.push(price);
                self.last = Some(price);
            }
        }
        self.open.retain(|(m, _)| m.lots.0 > 0);
        match (o.lots.0, o.price, tif) {
            (0, ..) => {}
            (_, Some(_), TimeInForce::Gtc | TimeInForce::PostOnly) => self.place(o, tif),
            _ => {
                let (lots, reason) = (o.lots, Reason::NoLiquidity);
                self.facts.push(Fact::Cancelled { id, lots, reason });
            }
        }
    }
    fn place(&mut self, o: OpenOrder, tif: TimeInForce) {
        let price = match o.trigger {
            Some(Trigger::Rising(price) | Trigger::Falling(price)) => price,
            None => o.price.unwrap(),
        };
        self.facts.push(Fact::Placed { id: o.id, side: o.side, price, lots: o.lots });
        self.open.push((o, tif));
    }
    fn wake(&mut self) {
        let due = |this: &Self, i: usize| match this.open[i].0.trigger {
            Some(t) if !this.prints.iter().any(|&print| touches(t, print)) => None,
            Some(Trigger::Rising(price)) => Some((0, price.0)),
            Some(Trigger::Falling(price)) => Some((1, -price.0)),
            None => None,
        };
        while let Some((_, i)) =
            (0..self.open.len()).filter_map(|i| due(self, i).map(|rank| (rank, i))).min()
        {
            let (mut order, tif) = self.open.remove(i);
            order.trigger = None;
            self.facts.push(Fact::Triggered { id: order.id });
            self.enter(order, tif);
        }
        self.prints.clear();
    }
    fn refuse(&mut self, id: u64, code: Code) {
        self.facts.push(Fact::Rejected { id, code });
    }
    fn is_reached(&self, trigger: Option<Trigger>) -> bool {
        trigger.zip(self.last).is_some_and(|(trigger, last)| touches(trigger, last))
    }
    fn submit(&mut self, n: &NewOrder) -> u64 {
        self.given += 1;
        let id = self.given;
        let lots = n.reducible.map_or(n.lots, |allowed| allowed.min(n.lots));
        let NewOrder { side, price, trigger, owner, .. } = *n;
        let order = OpenOrder { id, side, lots, price, trigger, owner };
        match () {
            () if n.lots.0 <= 0 => self.refuse(id, Code::OrderSizeInvalid),
            () if price.is_none() && n.time_in_force == TimeInForce::PostOnly => {
                self.refuse(id, Code::ParameterInvalid);
            }
            () if self.is_reached(trigger) => self.refuse(id, Code::WouldTrigger),
            () if lots.0 <= 0 => self.refuse(id, Code::ReduceOnlyViolated),
            () if trigger.is_some() => self.place(order, n.time_in_force),
            () => self.enter(order, n.time_in_force),
        }
        self.wake();
        id
    }
    /// Take an open order out, or refuse.
    fn remove(&mut self, id: u64) -> Option<(usize, OpenOrder, TimeInForce)> {
        let Some(i) = self.open.iter().position(|(o, _)| o.id == id) else {
            self.refuse(id, Code::OrderNotOpen);
            return None;
        };
        let (order, tif) = self.open.remove(i);
        Some((i, order, tif))
    }
    fn cancel(&mut self, id: u64) {
        if let Some((_, OpenOrder { lots, .. }, _)) = self.remove(id) {
            self.facts.push(Fact::Cancelled { id, lots, reason: Reason::Requested });
        }
    }
    fn amend(&mut self, id: u64, change: Change) {
        let Some((i, old, tif)) = self.remove(id) else { return };
        let mut new = old;
        new.lots = change.lots.unwrap_or(old.lots);
        new.price = change.price.or(old.price);
        new.trigger = match (old.trigger, change.trigger) {
            (Some(Trigger::Rising(_)), Some(price)) => Some(Trigger::Rising(price)),
            (Some(Trigger::Falling(_)), Some(price)) => Some(Trigger::Falling(price)),
            _ => old.trigger,
        };
        let moves = new.trigger != old.trigger;
        let absurd = (old.trigger.is_none() && change.trigger.is_some())
            || (old.price.is_none() && change.price.is_some());
        let takes = tif == TimeInForce::PostOnly && !self.makers(&new).is_empty();
        let code = match () {
            () if new.lots.0 <= 0 => Some(Code::OrderSizeInvalid),
            () if absurd => Some(Code::ParameterInvalid),
            () if moves && self.is_reached(new.trigger) => Some(Code::WouldTrigger),
            () if old.trigger.is_none() && takes => Some(Code::WouldTrade),
            () => None,
        };
        let asleep = old.trigger.is_some();
        let stays = if asleep { !moves } else { new.price == old.price && new.lots <= old.lots };
        if let Some(code) = code {
            self.open.insert(i, (old, tif));
            self.refuse(id, code);
        } else if stays || asleep {
            self.place(new, tif);
            let placed = self.open.pop().unwrap();
            self.open.insert(if stays { i } else { self.open.len() }, placed);
        } else {
            self.enter(new, tif);
            self.wake();
        }
    }
}

#[derive(Debug, Clone)]
enum Request {
    Submit(NewOrder),
    Cancel(usize),
    Amend(usize, Change),
}

fn request() -> impl Strategy<Value = Request> {
    use TimeInForce::{Fok, Gtc, Ioc, PostOnly};
    let price = || (95_i64..=105).prop_map(Ticks);
    let lots = || prop_oneof![1 => Just(0), 30 => 1_i64..=12].prop_map(Lots);
    let trigger = (any::<bool>(), price()).prop_map(|(up, p)| {
        if up {
            Trigger::Rising(p)
        } else {
            Trigger::Falling(p)
        }
    });
    let tif = prop_oneof![6 => Just(Gtc), 1 => Just(Ioc), 1 => Just(Fok), 2 => Just(PostOnly)];
    let reducible = prop::option::weighted(0.1, (0_i64..6).prop_map(Lots));
    let submit = (
        any::<bool>(),
        lots(),
        prop::option::weighted(0.8, price()),
        prop::option::weighted(0.25, trigger),
        tif,
        0_u32..4,
        reducible,
    )
        .prop_map(|(buy, lots, price, trigger, time_in_force, owner, reducible)| {
            let side = if buy { Side::Buy } else { Side::Sell };
            let owned = NewOrder { owner, reducible, ..NewOrder::market(side, lots) };
            Request::Submit(NewOrder { price, trigger, time_in_force, ..owned })
        });
    let amend = (
        any::<usize>(),
        prop::option::of(price()),
        prop::option::of(lots()),
        prop::option::weighted(0.2, price()),
    )
        .prop_map(|(at, price, lots, trigger)| Request::Amend(at, Change { price, lots, trigger }));
    prop_oneof![12 => submit, 4 => any::<usize>().prop_map(Request::Cancel), 5 => amend]
}

/// The same fact with the engine's ids replaced by the twin's.
fn renamed(fact: Fact, names: &HashMap<u64, u64>) -> Fact {
    match fact {
        Fact::Fill { maker, taker, side, price, lots } => {
            Fact::Fill { maker: names[&maker], taker: names[&taker], side, price, lots }
        }
        Fact::Placed { id, side, price, lots } => {
            Fact::Placed { id: names[&id], side, price, lots }
        }
        Fact::Cancelled { id, lots, reason } => Fact::Cancelled { id: names[&id], lots, reason },
        Fact::Rejected { id, code } => Fact::Rejected { id: names[&id], code },
        Fact::Triggered { id } => Fact::Triggered { id: names[&id] },
    }
}

/// The twin's open orders in the order in which the engine lists them.
fn listed(naive: &Naive) -> Vec<OpenOrder> {
    let mut orders: Vec<OpenOrder> = naive.open.iter().map(|(order, _)| *order).collect();
    orders.sort_by_key(|o| match (o.trigger, o.side) {
        (None, Side::Buy) => (0, -o.price.unwrap().0),
        (None, Side::Sell) => (1, o.price.unwrap().0),
        (Some(Trigger::Rising(price)), _) => (2, price.0),
        (Some(Trigger::Falling(price)), _) => (3, -price.0),
    });
    orders
}

/// Quantity that each id still owes to the market, told by requests and facts alone.
#[derive(Default)]
struct Balance(HashMap<u64, i64>);

impl Balance {
    fn apply(&mut self, facts: &[Fact], closes_on_rejection: bool) {
        for fact in facts {
            match *fact {
                Fact::Fill { maker, taker, lots, .. } => {
                    for id in [maker, taker] {
                        *self.0.get_mut(&id).unwrap() -= lots.0;
                        assert!(self.0[&id] >= 0, "order {id} traded more than it had");
                    }
                }
                Fact::Cancelled { id, lots, .. } => assert_eq!(self.0.remove(&id), Some(lots.0)),
                Fact::Rejected { id, .. } if closes_on_rejection => drop(self.0.remove(&id)),
                Fact::Placed { id, lots, .. } => assert_eq!(self.0.get(&id), Some(&lots.0)),
                Fact::Rejected { .. } | Fact::Triggered { .. } => {}
            }
        }
        self.0.retain(|_, lots| *lots > 0);
    }
}

fn check_sequence(requests: &[Request], prevents: bool) {
    let mut engine = MatchingEngine::new(prevents);
    let mut naive = Naive { prevents, ..Naive::default() };
    let (mut ids, mut names, mut facts) = (Vec::new(), HashMap::new(), Vec::new());
    let mut balance = Balance::default();
    for request in requests {
        facts.clear();
        naive.facts.clear();
        match *request {
            Request::Submit(order) => {
                let id = engine.submit(&order, &mut facts);
                assert!(names.insert(id, naive.submit(&order)).is_none(), "id {id} given twice");
                ids.push(id);
                let lots = order.reducible.map_or(order.lots, |allowed| allowed.min(order.lots));
                balance.0.insert(id, lots.0);
                balance.apply(&facts, true);
            }
            Request::Cancel(at) if !ids.is_empty() => {
                let id = ids[at % ids.len()];
                engine.cancel(id, &mut facts);
                naive.cancel(names[&id]);
                balance.apply(&facts, false);
            }
            Request::Amend(at, change) if !ids.is_empty() => {
                let id = ids[at % ids.len()];
                if engine.amend(id, change, &mut facts) {
                    let left = balance.0.get_mut(&id).unwrap();
                    *left = change.lots.map_or(*left, |lots| lots.0);
                }
                naive.amend(names[&id], change);
                // A refused amendment comes alone; a woken order that is refused does not.
                balance.apply(&facts, facts.len() > 1);
            }
            _ => continue,
        }
        let seen: Vec<Fact> = facts.iter().map(|&fact| renamed(fact, &names)).collect();
        assert_eq!(seen, naive.facts, "facts of {request:?}");
        check_state(&engine, &naive, &names);
        let owed: HashMap<u64, i64> = engine.open_orders().map(|o| (o.id, o.lots.0)).collect();
        assert_eq!(owed, balance.0, "quantity lost or made by {request:?}");
    }
}

/// Same open orders with the same priority, same best prices, and no crossed book.
fn check_state(engine: &MatchingEngine, naive: &Naive, names: &HashMap<u64, u64>) {
    let named = |o: OpenOrder| OpenOrder { id: names[&o.id], ..o };
    let open: Vec<OpenOrder> = engine.open_orders().map(named).collect();
    assert_eq!(open, listed(naive));
    assert_eq!(engine.open_count(), open.len());
    assert_eq!(engine.last_price(), naive.last);
    for side in [Side::Buy, Side::Sell] {
        let resting = open.iter().filter(|o| o.side == side && o.trigger.is_none());
        let best = resting.filter_map(|o| o.price).max_by_key(|p| p.0 * side.sign());
        assert_eq!(engine.best(side), best);
    }
    let top = engine.best(Side::Buy).zip(engine.best(Side::Sell));
    assert!(top.is_none_or(|(bid, ask)| bid < ask), "crossed: {top:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_naive_book_does(
        requests in prop::collection::vec(request(), 1..120), prevents in any::<bool>(),
    ) {
        check_sequence(&requests, prevents);
    }

    #[test]
    fn a_level_is_served_first_in_first_out(
        lots in prop::collection::vec(2_i64..9, 1..40),
        gone in prop::collection::vec(any::<u8>(), 40),
    ) {
        let (mut engine, mut facts) = (MatchingEngine::new(false), Vec::new());
        let bid = |&lots: &i64| NewOrder::limit(Side::Buy, Ticks(100), Lots(lots));
        let ids: Vec<u64> = lots.iter().map(|l| engine.submit(&bid(l), &mut facts)).collect();
        let mut expected = Vec::new();
        for (&id, fate) in ids.iter().zip(gone) {
            match fate % 4 {
                0 => drop(engine.cancel(id, &mut facts)),
                1 => {
                    let less = Change { lots: Some(Lots(1)), ..Change::default() };
                    engine.amend(id, less, &mut facts);
                    expected.push(id);
                }
                _ => expected.push(id),
            }
        }
        facts.clear();
        engine.submit(&NewOrder::market(Side::Sell, Lots(1_000)), &mut facts);
        let served: Vec<u64> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Fill { maker, .. } => Some(*maker),
                _ => None,
            })
            .collect();
        prop_assert_eq!(served, expected);
    }
}
