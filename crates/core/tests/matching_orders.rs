// SPDX-License-Identifier: Apache-2.0
//! Each order type at its edge, spelled out: what a reader should expect of the matching engine.

#![allow(clippy::unwrap_used)]

use hean_core::matching::{Change, Fact, MatchingEngine, NewOrder, Reason, TimeInForce, Trigger};
use hean_core::{Code, Lots, Side, Ticks};

/// An engine with its facts and short words for requests.
struct Market {
    engine: MatchingEngine,
    facts: Vec<Fact>,
}

impl Market {
    fn new() -> Self {
        Self { engine: MatchingEngine::new(false), facts: Vec::new() }
    }

    fn enter(&mut self, order: NewOrder) -> u64 {
        self.facts.clear();
        self.engine.submit(&order, &mut self.facts)
    }

    fn bid(&mut self, price: i64, lots: i64) -> u64 {
        self.enter(bid(price, lots))
    }

    fn ask(&mut self, price: i64, lots: i64) -> u64 {
        self.enter(ask(price, lots))
    }

    fn amend(&mut self, id: u64, change: Change) -> bool {
        self.facts.clear();
        self.engine.amend(id, change, &mut self.facts)
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.facts.clear();
        self.engine.cancel(id, &mut self.facts)
    }

    /// (maker, price, lots) of the trades of the last call.
    fn fills(&self) -> Vec<(u64, i64, i64)> {
        let fill = |fact: &Fact| match *fact {
            Fact::Fill { maker, price, lots, .. } => Some((maker, price.0, lots.0)),
            _ => None,
        };
        self.facts.iter().filter_map(fill).collect()
    }

    fn lots(&self, id: u64) -> Option<i64> {
        self.engine.order(id).map(|order| order.lots.0)
    }

    /// Make a trade at this price, leaving the book as it was.
    fn print(&mut self, price: i64) {
        self.ask(price, 1);
        self.bid(price, 1);
    }
}

fn bid(price: i64, lots: i64) -> NewOrder {
    NewOrder::limit(Side::Buy, Ticks(price), Lots(lots))
}

fn ask(price: i64, lots: i64) -> NewOrder {
    NewOrder::limit(Side::Sell, Ticks(price), Lots(lots))
}

fn with(time_in_force: TimeInForce, order: NewOrder) -> NewOrder {
    NewOrder { time_in_force, ..order }
}

fn asleep(trigger: Trigger, order: NewOrder) -> NewOrder {
    NewOrder { trigger: Some(trigger), ..order }
}

fn cancelled(id: u64, lots: i64, reason: Reason) -> Fact {
    Fact::Cancelled { id, lots: Lots(lots), reason }
}

#[test]
fn a_limit_order_trades_at_the_makers_price_and_rests_with_what_is_left() {
    let mut market = Market::new();
    let (near, far) = (market.ask(101, 2), market.ask(103, 2));
    market.ask(104, 2);
    let taker = market.bid(103, 5);
    assert_eq!(market.fills(), [(near, 101, 2), (far, 103, 2)]);
    let (price, lots) = (Ticks(103), Lots(1));
    let placed = Fact::Placed { id: taker, side: Side::Buy, price, lots };
    assert_eq!(market.facts.last(), Some(&placed));
    assert_eq!(market.engine.best(Side::Buy), Some(Ticks(103)));
}

#[test]
fn a_market_order_never_rests() {
    let mut market = Market::new();
    market.ask(101, 2);
    let taker = market.enter(NewOrder::market(Side::Buy, Lots(5)));
    assert_eq!(market.facts.last(), Some(&cancelled(taker, 3, Reason::NoLiquidity)));
    assert_eq!(market.engine.open_count(), 0);
}

#[test]
fn immediate_or_cancel_takes_only_within_its_price() {
    let mut market = Market::new();
    market.ask(101, 2);
    market.ask(102, 2);
    let taker = market.enter(with(TimeInForce::Ioc, bid(101, 3)));
    assert_eq!(market.facts.last(), Some(&cancelled(taker, 1, Reason::NoLiquidity)));
    assert_eq!(market.engine.open_count(), 1);
}

#[test]
fn fill_or_kill_trades_everything_or_nothing() {
    let mut market = Market::new();
    market.ask(101, 2);
    market.ask(102, 2);
    let short = market.enter(with(TimeInForce::Fok, bid(102, 5)));
    assert_eq!(market.facts, [cancelled(short, 5, Reason::NotFillable)]);
    market.enter(with(TimeInForce::Fok, bid(101, 3)));
    assert!(market.fills().is_empty(), "the second level is out of reach");
    market.enter(with(TimeInForce::Fok, bid(102, 4)));
    assert_eq!(market.fills().len(), 2);
}

#[test]
fn post_only_is_rejected_at_the_touch_and_rests_one_tick_away() {
    let mut market = Market::new();
    market.ask(101, 2);
    let id = market.enter(with(TimeInForce::PostOnly, bid(101, 1)));
    assert_eq!(market.facts, [Fact::Rejected { id, code: Code::WouldTrade }]);
    let id = market.enter(with(TimeInForce::PostOnly, bid(100, 1)));
    assert_eq!(market.lots(id), Some(1));
    let up = Change { price: Some(Ticks(101)), ..Change::default() };
    assert!(!market.amend(id, up), "an amendment is no way around post-only");
    assert_eq!(market.facts, [Fact::Rejected { id, code: Code::WouldTrade }]);
    assert_eq!(market.engine.order(id).unwrap().price, Some(Ticks(100)));
}

#[test]
fn reduce_only_is_cut_to_the_allowed_reduction() {
    let mut market = Market::new();
    let reducing = |allowed| NewOrder { reducible: Some(Lots(allowed)), ..bid(100, 5) };
    let id = market.enter(reducing(3));
    assert_eq!(market.lots(id), Some(3));
    let id = market.enter(reducing(9));
    assert_eq!(market.lots(id), Some(5));
    let id = market.enter(reducing(0));
    assert_eq!(market.facts, [Fact::Rejected { id, code: Code::ReduceOnlyViolated }]);
}

#[test]
fn a_trigger_wakes_at_its_price_and_not_a_tick_before() {
    for (trigger, before, at) in
        [(Trigger::Rising(Ticks(105)), 104, 105), (Trigger::Falling(Ticks(95)), 96, 95)]
    {
        for side in [Side::Buy, Side::Sell] {
            let mut market = Market::new();
            let id = market.enter(asleep(trigger, NewOrder::market(side, Lots(1))));
            market.print(before);
            assert_eq!(market.lots(id), Some(1), "{trigger:?} woke at {before}");
            market.print(at);
            let woken = market.facts.iter().position(|f| *f == Fact::Triggered { id });
            let trade = market.facts.iter().position(|f| matches!(f, Fact::Fill { .. }));
            assert!(trade < woken, "{trigger:?} slept on, or woke before the trade");
            assert_eq!(market.facts.last(), Some(&cancelled(id, 1, Reason::NoLiquidity)));
        }
    }
}

#[test]
fn a_woken_stop_limit_rests_at_its_limit() {
    let mut market = Market::new();
    let id = market.enter(asleep(Trigger::Falling(Ticks(95)), ask(94, 2)));
    assert_eq!(market.engine.best(Side::Sell), None, "a sleeping order is not in the book");
    market.print(95);
    let order = market.engine.order(id).unwrap();
    assert_eq!((order.price, order.trigger), (Some(Ticks(94)), None));
    assert_eq!(market.engine.best(Side::Sell), Some(Ticks(94)));
}

#[test]
fn a_trade_inside_a_sweep_wakes_even_if_the_last_trade_is_beyond() {
    let mut market = Market::new();
    market.print(110);
    market.ask(100, 1);
    market.ask(105, 1);
    let id = market.enter(asleep(Trigger::Falling(Ticks(101)), bid(90, 1)));
    market.enter(NewOrder::market(Side::Buy, Lots(2)));
    assert_eq!(market.engine.last_price(), Some(Ticks(105)));
    assert_eq!(market.engine.order(id).unwrap().trigger, None);
}

#[test]
fn one_stop_can_wake_the_next() {
    let mut market = Market::new();
    market.bid(99, 1);
    market.bid(97, 1);
    market.bid(95, 1);
    let sell = NewOrder::market(Side::Sell, Lots(1));
    let second = market.enter(asleep(Trigger::Falling(Ticks(97)), sell));
    let first = market.enter(asleep(Trigger::Falling(Ticks(99)), sell));
    market.enter(sell);
    let woken: Vec<&Fact> =
        market.facts.iter().filter(|f| matches!(f, Fact::Triggered { .. })).collect();
    assert_eq!(woken, [&Fact::Triggered { id: first }, &Fact::Triggered { id: second }]);
    assert_eq!(market.engine.last_price(), Some(Ticks(95)));
}

#[test]
fn a_trigger_already_reached_is_refused_on_entry_and_on_amendment() {
    let mut market = Market::new();
    market.print(100);
    let id = market.enter(asleep(Trigger::Rising(Ticks(100)), bid(101, 1)));
    assert_eq!(market.facts, [Fact::Rejected { id, code: Code::WouldTrigger }]);
    let id = market.enter(asleep(Trigger::Rising(Ticks(101)), bid(101, 1)));
    let down = |price| Change { trigger: Some(Ticks(price)), ..Change::default() };
    assert!(!market.amend(id, down(100)));
    assert!(market.amend(id, down(103)));
    market.print(102);
    assert!(market.engine.order(id).unwrap().trigger.is_some(), "the old trigger still works");
    market.print(103);
    assert!(market.engine.order(id).unwrap().trigger.is_none(), "the new trigger does not work");
}

#[test]
fn a_sleeping_order_keeps_its_place_unless_its_trigger_moves() {
    for (first_trigger, first_wakes_first) in [(None, true), (Some(105), true), (Some(104), false)]
    {
        let mut market = Market::new();
        let stop = asleep(Trigger::Rising(Ticks(105)), bid(90, 1));
        let (first, second) = (market.enter(stop), market.enter(stop));
        let (price, lots) = (Some(Ticks(91)), Some(Lots(8)));
        assert!(market.amend(first, Change { price, lots, trigger: first_trigger.map(Ticks) }));
        assert!(market.amend(first, Change { trigger: Some(Ticks(105)), ..Change::default() }));
        assert_eq!(market.engine.order(first).unwrap().price, price);
        market.print(105);
        let is_woken = |fact: &&Fact| matches!(fact, Fact::Triggered { .. });
        let woken = market.facts.iter().find(is_woken);
        let id = if first_wakes_first { first } else { second };
        assert_eq!(woken, Some(&Fact::Triggered { id }), "amended to {first_trigger:?}");
    }
}

#[test]
fn less_quantity_keeps_the_place_more_quantity_or_a_new_price_loses_it() {
    let less = Change { lots: Some(Lots(1)), ..Change::default() };
    let more = Change { lots: Some(Lots(9)), ..Change::default() };
    for (change, keeps) in [(less, true), (more, false)] {
        let mut market = Market::new();
        let (first, second) = (market.bid(100, 2), market.bid(100, 2));
        assert!(market.amend(first, change));
        market.ask(100, 1);
        let (maker, ..) = market.fills()[0];
        assert_eq!(maker, if keeps { first } else { second });
    }
    let mut market = Market::new();
    let (first, second) = (market.bid(100, 2), market.bid(100, 2));
    for price in [99, 100] {
        market.amend(first, Change { price: Some(Ticks(price)), ..Change::default() });
    }
    market.ask(100, 1);
    assert_eq!(market.fills(), [(second, 100, 1)]);
}

#[test]
fn an_amended_price_may_trade_on_the_way() {
    let mut market = Market::new();
    let (id, maker) = (market.bid(100, 2), market.ask(101, 1));
    market.amend(id, Change { price: Some(Ticks(101)), ..Change::default() });
    assert_eq!(market.fills(), [(maker, 101, 1)]);
    assert_eq!(market.lots(id), Some(1));
}

#[test]
fn a_closed_id_stays_closed_when_its_slot_lives_again() {
    let mut market = Market::new();
    let old = market.bid(100, 1);
    assert!(market.cancel(old));
    let new = market.bid(100, 1);
    assert_ne!(old, new);
    assert!(!market.cancel(old));
    assert_eq!(market.facts, [Fact::Rejected { id: old, code: Code::OrderNotOpen }]);
    assert!(!market.cancel(77));
    assert_eq!(market.facts, [Fact::Rejected { id: 77, code: Code::OrderUnknown }]);
    assert_eq!(market.lots(new), Some(1));
}

#[test]
fn ids_of_a_fresh_book_count_from_one_and_zero_is_nobody() {
    let mut market = Market::new();
    assert_eq!([market.bid(99, 1), market.bid(98, 1), market.bid(97, 1)], [1, 2, 3]);
    assert!(!market.cancel(0));
    assert!(!market.amend(0, Change::default()));
}

#[test]
fn own_resting_orders_are_cancelled_only_where_the_book_prevents_self_matches() {
    for (prevents, owner, fills) in [(true, 7, 1), (false, 7, 2), (true, 0, 2)] {
        let mut market = Market::new();
        market.engine = MatchingEngine::new(prevents);
        let own = market.enter(NewOrder { owner, ..ask(101, 2) });
        market.ask(102, 2);
        market.enter(NewOrder { owner, ..NewOrder::market(Side::Buy, Lots(4)) });
        assert_eq!(market.fills().len(), fills);
        let prevented = market.facts.contains(&cancelled(own, 2, Reason::SelfMatch));
        assert_eq!(prevented, prevents && owner != 0);
    }
}

#[test]
fn nonsense_is_rejected_and_leaves_nothing_open() {
    let post_only_market = with(TimeInForce::PostOnly, NewOrder::market(Side::Buy, Lots(1)));
    for (order, code) in [
        (bid(100, 0), Code::OrderSizeInvalid),
        (bid(100, -1), Code::OrderSizeInvalid),
        (bid(0, 1), Code::ParameterInvalid),
        (bid(i64::MIN, 1), Code::ParameterInvalid),
        (asleep(Trigger::Rising(Ticks(0)), bid(1, 1)), Code::ParameterInvalid),
        (post_only_market, Code::ParameterInvalid),
    ] {
        let mut market = Market::new();
        let id = market.enter(order);
        assert_eq!(market.facts, [Fact::Rejected { id, code }], "{order:?}");
        assert_eq!(market.engine.open_count(), 0);
    }
}

#[test]
fn extreme_numbers_do_not_wrap() {
    let mut market = Market::new();
    for price in [1, i64::MAX] {
        market.bid(price, i64::MAX);
        market.bid(price, i64::MAX);
    }
    let (price, lots, count) = market.engine.depth(Side::Buy).next().unwrap();
    assert_eq!((price.0, lots.0, count), (i64::MAX, i64::MAX, 2));
    market.enter(with(TimeInForce::Fok, ask(1, i64::MAX)));
    assert_eq!(market.fills(), [(3, i64::MAX, i64::MAX)]);
}

#[test]
fn a_batch_equals_the_same_calls_one_by_one() {
    let mut market = Market::new();
    let (kind, buy) = ([0, 0, 1, 2, 1], [0, 0, 0, 1, 0]);
    let (price, lots) = ([101, 102, 0, 0, -1], [2, 2, 0, 3, 0]);
    let columns = ([&kind[..], &buy[..]], [&price[..], &lots[..]]);
    let trades = market.engine.batch(columns.0, columns.1, &mut market.facts);
    assert_eq!(trades, Ok(1));
    assert_eq!((market.engine.open_count(), market.engine.trades()), (0, 1));
    let error = market.engine.batch([&[3], &[0]], [&[1], &[1]], &mut market.facts).unwrap_err();
    assert_eq!(error.code, Code::ParameterInvalid);
    assert!(market.engine.batch([&[0], &[]], [&[1], &[1]], &mut market.facts).is_err());
}
