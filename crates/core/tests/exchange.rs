// SPDX-License-Identifier: Apache-2.0
//! The in-process exchange as its caller sees it. After every call of a long random run the three
//! parts must agree: open orders of the engine and the books, position of the engine and the
//! ledger, and the ledger with itself.
#![allow(clippy::unwrap_used)]

use hean_core::exchange::{Exchange, FeeRates, Request};
use hean_core::order::state::State;
use hean_core::order::{InstrumentId, Limits, TimeInForce};
use hean_core::{Code, Instrument, Kind, Lots, Money, Rate, Side, Ticks};
use proptest::prelude::*;

const AT: InstrumentId = InstrumentId(0);
const FEES: FeeRates = FeeRates { maker: Rate(200_000_000), taker: Rate(550_000_000) };

fn exchange(limits: Limits) -> Exchange {
    let mut made = Exchange::new(Money(0), limits, FEES).unwrap();
    let one = Instrument::new("ONE", Kind::LinearPerpetual, "1", "1").unwrap();
    made.add_instrument(one).unwrap();
    made
}

fn order(side: Side, lots: i64, price: Option<i64>) -> Request {
    let price = price.map(Ticks);
    Request { instrument: AT, side, lots: Lots(lots), price, time_in_force: TimeInForce::Gtc }
}

fn state(exchange: &Exchange, number: u64) -> State {
    exchange.orders().state(exchange.key(number).unwrap()).unwrap()
}

fn position(exchange: &Exchange) -> i64 {
    exchange.ledger().position(0).unwrap().lots.0
}

#[test]
fn a_market_order_walks_the_supply_and_the_rest_is_cancelled_with_a_reason() {
    let mut made = exchange(Limits::unlimited());
    made.supply(AT, Side::Sell, Ticks(101), Lots(2), 0).unwrap();
    made.supply(AT, Side::Sell, Ticks(102), Lots(3), 0).unwrap();
    let number = made.place(&order(Side::Buy, 4, None), 1).unwrap();
    let seen: Vec<_> = made.executions().iter().map(|e| (e.order, e.price.0, e.lots.0)).collect();
    assert_eq!(seen, [(number, 101, 2), (number, 102, 2)]);
    assert_eq!(state(&made, number), State::Filled);
    let number = made.place(&order(Side::Buy, 4, None), 2).unwrap();
    assert_eq!(state(&made, number), State::Cancelled);
    let notes = made.orders().notes(made.key(number).unwrap()).unwrap();
    assert_eq!(&*notes.reason, "nobody to trade with");
    assert_eq!(position(&made), 5);
}

#[test]
fn a_resting_order_is_filled_as_maker_when_the_market_comes_to_it() {
    let mut made = exchange(Limits::unlimited());
    let number = made.place(&order(Side::Buy, 5, Some(100)), 0).unwrap();
    assert_eq!(state(&made, number), State::Working);
    made.supply(AT, Side::Sell, Ticks(99), Lots(2), 1).unwrap();
    let [execution] = made.executions() else { unreachable!() };
    assert!(execution.is_maker);
    assert_eq!((execution.price, execution.lots), (Ticks(100), Lots(2)));
    assert_eq!(execution.fee, Money(40_000_000_000)); // 200 * 0.0002
    assert_eq!(state(&made, number), State::Partial);
    made.cancel(number, 2).unwrap();
    assert_eq!(state(&made, number), State::Cancelled);
    assert_eq!(made.cancel(number, 3).map_err(|error| error.code), Err(Code::OrderNotOpen));
    assert_eq!(made.orders().exposure(AT).unwrap().open_buy, Lots(0));
}

#[test]
fn own_orders_that_meet_leave_the_position_and_cost_both_fees() {
    let mut made = exchange(Limits::unlimited());
    let maker = made.place(&order(Side::Sell, 2, Some(100)), 0).unwrap();
    let taker = made.place(&order(Side::Buy, 2, None), 0).unwrap();
    assert_eq!((state(&made, maker), state(&made, taker)), (State::Filled, State::Filled));
    assert_eq!(position(&made), 0);
    assert_eq!(made.ledger().fees(), Money(150_000_000_000)); // 200 * (0.0002 + 0.00055)
}

#[test]
fn limits_judge_by_the_price_the_order_would_meet_and_refuse_without_a_trace() {
    let limits =
        Limits { order_value_max: Some(Money(500 * 10_i128.pow(12))), ..Limits::unlimited() };
    let mut made = exchange(limits);
    let refused = made.place(&order(Side::Buy, 1, None), 0).map_err(|error| error.code);
    assert_eq!(refused, Err(Code::NoReferencePrice));
    made.supply(AT, Side::Sell, Ticks(100), Lots(10), 0).unwrap();
    let refused = made.place(&order(Side::Buy, 6, None), 0).map_err(|error| error.code);
    assert_eq!(refused, Err(Code::LimitBreached));
    let number = made.place(&order(Side::Buy, 5, None), 0).unwrap();
    assert_eq!(state(&made, number), State::Filled);
    assert_eq!(made.key(number - 1).map_err(|error| error.code), Err(Code::OrderUnknown));
}

#[test]
fn an_amend_may_trade_and_a_refused_one_changes_nothing() {
    let mut made = exchange(Limits::unlimited());
    made.supply(AT, Side::Sell, Ticks(105), Lots(2), 0).unwrap();
    let number = made.place(&order(Side::Buy, 5, Some(100)), 0).unwrap();
    made.amend(number, Some(Ticks(105)), Some(Lots(6)), 1).unwrap();
    assert_eq!(made.executions().len(), 1);
    assert_eq!(state(&made, number), State::Partial);
    assert_eq!(made.orders().exposure(AT).unwrap().open_buy, Lots(4));
    assert_eq!(made.book(AT).unwrap().best(Side::Buy), Some(Ticks(105)));
    made.amend(number, None, Some(Lots(3)), 2).unwrap();
    assert_eq!(made.orders().exposure(AT).unwrap().open_buy, Lots(1));
    let post_only =
        Request { time_in_force: TimeInForce::PostOnly, ..order(Side::Sell, 1, Some(110)) };
    let shy = made.place(&post_only, 3).unwrap();
    let refused = made.amend(shy, Some(Ticks(105)), None, 4).map_err(|error| error.code);
    assert_eq!(refused, Err(Code::WouldTrade));
    let record = made.orders().record(made.key(shy).unwrap()).unwrap();
    assert_eq!((record.price(), state(&made, shy)), (Some(Ticks(110)), State::Working));
}

#[test]
fn the_market_withdraws_its_own_and_nobody_elses() {
    let mut made = exchange(Limits::unlimited());
    let offer = made.supply(AT, Side::Sell, Ticks(101), Lots(2), 0).unwrap();
    assert_eq!(made.withdraw(AT, offer), Ok(true));
    assert_eq!(made.withdraw(AT, offer), Ok(false));
    let own = made.place(&order(Side::Buy, 1, Some(90)), 0).unwrap();
    let book_id = made.book(AT).unwrap().open_orders().next().unwrap().id;
    assert!(made.withdraw(AT, book_id).is_err());
    assert_eq!(made.is_open(own), Ok(true));
}

/// What may happen to an exchange, in small numbers.
fn step() -> impl Strategy<Value = (u8, bool, i64, i64, usize)> {
    (0..6_u8, any::<bool>(), 1..6_i64, 95..106_i64, any::<usize>())
}

fn play(made: &mut Exchange, numbers: &mut Vec<u64>, step: (u8, bool, i64, i64, usize), now: i64) {
    let (what, is_buy, lots, price, pick) = step;
    let side = if is_buy { Side::Buy } else { Side::Sell };
    let picked = numbers.get(pick % numbers.len().max(1)).copied().unwrap_or(0);
    match what {
        0 => drop(made.supply(AT, side, Ticks(price), Lots(lots), now).unwrap()),
        1 => numbers.push(made.place(&order(side, lots, None), now).unwrap()),
        2 => drop(made.cancel(picked, now)),
        3 => drop(made.amend(picked, Some(Ticks(price)), Some(Lots(lots)), now)),
        _ => numbers.push(made.place(&order(side, lots, Some(price)), now).unwrap()),
    }
}

proptest! {
    #[test]
    fn engine_books_and_ledger_agree_after_every_call(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let (mut made, mut numbers) = (exchange(Limits::unlimited()), Vec::new());
        for (now, step) in steps.into_iter().enumerate() {
            play(&mut made, &mut numbers, step, now as i64);
            let exposure = made.orders().exposure(AT).unwrap();
            prop_assert_eq!(exposure.position.0, position(&made));
            made.ledger().check().unwrap();
            let mut open: Vec<_> = made.orders().open_orders()
                .map(|(key, record)| (key.0 + 1, record.remaining(), record.price()))
                .collect();
            let mut booked: Vec<_> = made.book(AT).unwrap().open_orders()
                .filter(|order| order.owner != 0)
                .map(|order| (order.owner, order.lots, order.price))
                .collect();
            open.sort_unstable();
            booked.sort_unstable();
            prop_assert_eq!(open, booked);
        }
    }
}
