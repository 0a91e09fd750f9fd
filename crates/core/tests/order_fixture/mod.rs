// SPDX-License-Identifier: Apache-2.0
//! Two instruments in round numbers, and the shortest way to write an order.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use hean_core::order::{
    ExecId, InstrumentId, Intent, Limits, OrderEngine, OrderKey, OrderType, StrategyId, TimeInForce,
};
use hean_core::{Code, CoreError, Instrument, Kind, Lots, Money, Side, Ticks};

pub const MARK: Ticks = Ticks(1_000);
pub const SECOND: i64 = 1_000_000_000;

/// One lot at one tick is 1 quote unit: a thousand lots at the mark are a million.
pub fn engine(limits: Limits) -> OrderEngine {
    let mut engine = OrderEngine::new(limits);
    for symbol in ["ONE", "TWO"] {
        let made = Instrument::new(symbol, Kind::LinearPerpetual, "1", "1").unwrap();
        let instrument = engine.add_instrument(made).unwrap();
        engine.set_mark(instrument, MARK, 0).unwrap();
    }
    engine
}

pub fn money(whole: i128) -> Option<Money> {
    Some(Money(whole * 1_000_000_000_000))
}

pub fn buy(id: &str, lots: i64) -> Intent<'_> {
    Intent {
        id,
        instrument: InstrumentId(0),
        strategy: StrategyId(0),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        reduce_only: false,
        lots: Lots(lots),
        price: Some(MARK),
        trigger: None,
        parent: None,
        is_sliced: false,
    }
}

pub fn market(id: &str, side: Side, lots: i64) -> Intent<'_> {
    Intent { side, order_type: OrderType::Market, price: None, ..buy(id, lots) }
}

/// An order that is worked in slices.
pub fn sliced(id: &str, lots: i64) -> Intent<'_> {
    Intent { is_sliced: true, ..buy(id, lots) }
}

/// A number as the sequence part of an id.
pub fn base36(mut n: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(n % 36) as usize]);
        n /= 36;
        if n == 0 {
            break;
        }
    }
    digits.iter().rev().map(|&byte| char::from(byte)).collect()
}

/// Approve, redeem and acknowledge; what is sliced never reaches a venue.
pub fn place(
    engine: &mut OrderEngine,
    intent: &Intent<'_>,
    now_ns: i64,
) -> Result<OrderKey, CoreError> {
    let ticket = engine.approve(intent, now_ns)?;
    let key = engine.redeem(ticket, intent, now_ns)?;
    if !intent.is_sliced {
        engine.on_placed(key, None, now_ns)?;
    }
    Ok(key)
}

/// Place and fill whole at the mark.
pub fn trade(engine: &mut OrderEngine, intent: &Intent<'_>, now_ns: i64) -> OrderKey {
    let key = place(engine, intent, now_ns).unwrap();
    engine.on_filled(key, ExecId(1), MARK, intent.lots, now_ns).unwrap();
    key
}

pub fn refusal(result: Result<impl std::fmt::Debug, CoreError>) -> (Code, String) {
    let error = result.expect_err("must be refused");
    (error.code, error.message)
}
