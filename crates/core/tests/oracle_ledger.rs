// SPDX-License-Identifier: Apache-2.0
//! The ledger against a second accountant that is as naive as possible: it keeps average entry
//! prices as exact fractions, rounds nothing but fees and funding (as documented), and knows
//! nothing of costs, caches or totals. Random fills, fundings and marks over three instruments;
//! after every event the identity must hold exactly and realised profit must lie within half a
//! unit of 1e-12 per reduce since the position was last flat (the bound proved in
//! `ledger/position.rs`), which is stricter than one unit per reduce.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hean_core::ledger::{Fee, Ledger, LiquidationPrice};
use hean_core::number::{divide, Rounding, RATE_SCALE};
use hean_core::{Code, Instrument, Kind, Lots, Money, Rate, Side, Ticks};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use proptest::prelude::*;

/// One line of the naive accountant's book.
#[derive(Clone, Default)]
struct Entry {
    lots: i64,
    average: Option<BigRational>,
    mark: i64,
    realised: Option<BigRational>,
    reduces_since_flat: u32,
}

struct Oracle {
    units: Vec<i128>,
    entries: Vec<Entry>,
    fees: i128,
    funding: i128,
}

fn ratio(value: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(value))
}

impl Oracle {
    fn new(instruments: &[Instrument]) -> Self {
        let units: Vec<i128> = instruments.iter().map(|i| i.unit_value().0).collect();
        Self { entries: vec![Entry::default(); units.len()], units, fees: 0, funding: 0 }
    }

    /// Trade one side of the flip at a time: first what closes, then what opens.
    fn fill(&mut self, index: usize, signed: i64, price: i64, fee: i128) {
        self.fees += fee;
        let entry = &mut self.entries[index];
        if entry.mark == 0 {
            entry.mark = price;
        }
        let price = ratio(i128::from(price));
        let mut rest = signed;
        if entry.lots.signum() * signed.signum() < 0 {
            let closed = signed.abs().min(entry.lots.abs()) * entry.lots.signum();
            let average = entry.average.clone().unwrap();
            let gain = (&price - average) * ratio(i128::from(closed)) * ratio(self.units[index]);
            entry.realised = Some(entry.realised.take().unwrap_or_else(BigRational::zero) + gain);
            entry.lots -= closed;
            entry.reduces_since_flat += 1;
            rest += closed;
        }
        if entry.lots == 0 {
            entry.average = None;
            entry.reduces_since_flat = 0;
        }
        if rest != 0 {
            let held = ratio(i128::from(entry.lots));
            let old = entry.average.take().unwrap_or_else(BigRational::zero) * &held;
            let added = ratio(i128::from(rest));
            entry.average = Some((old + &price * &added) / (held + added));
            entry.lots += rest;
        }
    }

    fn realised(&self) -> BigRational {
        self.entries.iter().filter_map(|entry| entry.realised.clone()).sum()
    }

    fn unrealised(&self) -> BigRational {
        let one = |(entry, unit): (&Entry, &i128)| {
            let average = entry.average.clone()?;
            let gain = ratio(i128::from(entry.mark)) - average;
            Some(gain * ratio(i128::from(entry.lots)) * ratio(*unit))
        };
        self.entries.iter().zip(&self.units).filter_map(one).sum()
    }

    /// Half a unit per reduce of what is open.
    fn bound(&self) -> BigRational {
        let reduces: u32 = self.entries.iter().map(|entry| entry.reduces_since_flat).sum();
        BigRational::new(BigInt::from(reduces), BigInt::from(2))
    }
}

fn instruments() -> Vec<Instrument> {
    vec![
        Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.10", "0.001").unwrap(),
        Instrument::new("DOGEUSDT", Kind::LinearPerpetual, "0.00001", "1").unwrap(),
        // Finest grid there is: one lot at one tick is a single unit, so every share is inexact.
        Instrument::new("FINEUSDT", Kind::Spot, "0.000001", "0.000001").unwrap(),
    ]
}

fn book(cash: &str) -> (Ledger, Vec<Instrument>) {
    let mut ledger = Ledger::new(Money::parse(cash).unwrap()).unwrap().with_spot_borrowing();
    let held = instruments();
    for (number, instrument) in held.iter().enumerate() {
        assert_eq!(ledger.add_instrument(instrument.clone()), Ok(number));
    }
    (ledger, held)
}

#[derive(Debug, Clone)]
enum Event {
    Fill { index: usize, is_buy: bool, price: i64, lots: i64, rate: i64 },
    Funding { index: usize, rate: i64, mark: i64 },
    Mark { index: usize, price: i64 },
    Transfer { amount: i64 },
}

fn event() -> impl Strategy<Value = Event> {
    let price = 1..2_000_000_i64;
    // Small sizes make closes and flips frequent, odd large ones make shares inexact.
    let lots = prop_oneof![1..8_i64, 1..1_000_000_007_i64];
    prop_oneof![
        6 => (0..3_usize, any::<bool>(), price.clone(), lots, -300_000_000..999_999_999_i64)
            .prop_map(|(index, is_buy, price, lots, rate)| {
                Event::Fill { index, is_buy, price, lots, rate }
            }),
        1 => (0..2_usize, -2_000_000_001..2_000_000_001_i64, price.clone())
            .prop_map(|(index, rate, mark)| Event::Funding { index, rate, mark }),
        3 => (0..3_usize, price).prop_map(|(index, price)| Event::Mark { index, price }),
        1 => (0..i64::MAX).prop_map(|amount| Event::Transfer { amount }),
    ]
}

/// Play one event on both accountants.
fn play(ledger: &mut Ledger, oracle: &mut Oracle, event: &Event) {
    match *event {
        Event::Fill { index, is_buy, price, lots, rate } => {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            let before = oracle.entries[index].lots;
            let value = i128::from(price) * i128::from(lots) * oracle.units[index];
            let fee = divide(value * i128::from(rate), RATE_SCALE, Rounding::Up);
            oracle.fill(index, side.sign() * lots, price, fee);
            let after = oracle.entries[index].lots;
            let effect =
                ledger.fill(index, side, Ticks(price), Lots(lots), Fee::Rate(Rate(rate))).unwrap();
            assert_eq!(effect.fee, Money(fee));
            assert_eq!(effect.position, Lots(after));
            assert_eq!(effect.was_flip, before.signum() * after.signum() < 0);
        }
        Event::Funding { index, rate, mark } => {
            let lots = i128::from(oracle.entries[index].lots);
            let paid = lots * i128::from(mark) * oracle.units[index] * i128::from(rate);
            let received = divide(-paid, RATE_SCALE, Rounding::Down);
            oracle.funding += received;
            assert_eq!(ledger.funding(index, Rate(rate), Ticks(mark)), Ok(Money(received)));
        }
        Event::Mark { index, price } => {
            oracle.entries[index].mark = price;
            ledger.mark(index, Ticks(price)).unwrap();
        }
        Event::Transfer { amount } => ledger.transfer(Money(i128::from(amount))).unwrap(),
    }
}

fn compare(ledger: &Ledger, oracle: &Oracle) {
    ledger.check().unwrap();
    assert_eq!(ledger.fees(), Money(oracle.fees));
    assert_eq!(ledger.funding_total(), Money(oracle.funding));
    let error = ratio(ledger.realised().0) - oracle.realised();
    assert!(error.abs() <= oracle.bound(), "realised off by {error} units");
    // Realised and unrealised err by the same amount in opposite directions: equity is exact.
    let total = oracle.realised() + oracle.unrealised();
    let own = ledger.deposits().0 - oracle.fees + oracle.funding;
    assert_eq!(ratio(ledger.equity().0), total + ratio(own));
}

proptest! {
    #[test]
    fn agrees_with_exact_rationals_after_every_event(
        events in prop::collection::vec(event(), 1..80),
        cash in prop::sample::select(vec!["10000", "100000000", "100000000000"]),
    ) {
        let (mut ledger, held) = book(cash);
        let mut oracle = Oracle::new(&held);
        for event in &events {
            play(&mut ledger, &mut oracle, event);
            compare(&ledger, &oracle);
        }
    }

    #[test]
    fn the_order_of_marks_is_irrelevant(
        events in prop::collection::vec(event(), 1..40),
        marks in prop::collection::vec(1..2_000_000_i64, 3),
        order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
    ) {
        let (mut ledger, held) = book("100000");
        let mut oracle = Oracle::new(&held);
        for event in &events {
            play(&mut ledger, &mut oracle, event);
        }
        let mut other = ledger.clone();
        for (index, price) in marks.iter().enumerate() {
            ledger.mark(index, Ticks(*price)).unwrap();
        }
        for index in order {
            other.mark(index, Ticks(7)).unwrap();
            other.mark(index, Ticks(marks[index])).unwrap();
        }
        prop_assert_eq!(ledger.equity(), other.equity());
        prop_assert_eq!(bytes(&ledger), bytes(&other));
    }

    #[test]
    fn a_mirrored_account_has_the_opposite_profit(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let (mut one, _) = book("0");
        let (mut two, _) = book("0");
        for event in &events {
            if let Event::Fill { index, is_buy, price, lots, .. } = *event {
                let side = if is_buy { Side::Buy } else { Side::Sell };
                let free = Fee::Amount(Money::ZERO);
                let a = one.fill(index, side, Ticks(price), Lots(lots), free).unwrap();
                let b = two.fill(index, side.opposite(), Ticks(price), Lots(lots), free).unwrap();
                prop_assert_eq!(a.realised, b.realised.neg());
            }
        }
        prop_assert_eq!(one.equity(), two.equity().neg());
    }
}

fn bytes(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::new();
    ledger.canonical(&mut out);
    out
}

/// State including caches, for "nothing has changed".
fn whole(ledger: &Ledger) -> String {
    format!("{ledger:?}")
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

const FREE: Fee = Fee::Amount(Money::ZERO);

#[test]
fn a_closed_position_has_no_rounding_left() {
    let (mut ledger, _) = book("100000000000");
    // Thirds of an odd cost: each reduce rounds, the close gives the exact total.
    ledger.fill(2, Side::Buy, Ticks(10), Lots(2), FREE).unwrap();
    ledger.fill(2, Side::Buy, Ticks(11), Lots(1), FREE).unwrap();
    for _ in 0..3 {
        ledger.fill(2, Side::Sell, Ticks(20), Lots(1), FREE).unwrap();
        ledger.check().unwrap();
    }
    assert_eq!(ledger.realised(), Money(60 - 31));
    assert_eq!(ledger.position(2).unwrap().cost, Money::ZERO);
}

#[test]
fn one_unit_stays_visible_beside_a_hundred_billion() {
    let (mut ledger, _) = book("100000000000");
    ledger.fill(2, Side::Buy, Ticks(5), Lots(1), FREE).unwrap();
    ledger.mark(2, Ticks(6)).unwrap();
    assert_eq!(ledger.equity().to_decimal(), "100000000000.000000000001");
    // A position of 120 billion quote beside it: 2,000,000 BTC at 60,000.
    ledger.fill(0, Side::Buy, Ticks(600_000), Lots(2_000_000_000), FREE).unwrap();
    ledger.mark(0, Ticks(600_001)).unwrap();
    assert_eq!(ledger.equity().to_decimal(), "100000200000.000000000001");
    ledger.check().unwrap();
}

#[test]
fn refused_calls_leave_the_ledger_as_it_was() {
    let (mut ledger, _) = book("1000");
    let big = i64::MAX / 8;
    ledger.fill(1, Side::Buy, Ticks(1), Lots(big / 1_000_000), FREE).unwrap();
    ledger.fill(0, Side::Sell, Ticks(600_000), Lots(3), FREE).unwrap();
    let before = whole(&ledger);
    let huge = Fee::Amount(Money(i128::MAX));
    let refused = [
        ledger.fill(0, Side::Buy, Ticks(i64::MAX), Lots(i64::MAX), FREE).map(drop),
        ledger.fill(0, Side::Buy, Ticks(1), Lots(1), huge).map(drop),
        ledger.fill(2, Side::Sell, Ticks(1), Lots(i64::MAX), FREE).map(drop),
        ledger.fill(0, Side::Sell, Ticks(600_000), Lots(i64::MAX / 2), FREE).map(drop),
        ledger.mark(1, Ticks(i64::MAX)),
        ledger.funding(1, Rate(i64::MAX), Ticks(1_000_000_000)).map(drop),
        ledger.transfer(Money(i128::MAX)),
    ];
    for (number, result) in refused.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().code, Code::NumberOutOfRange, "call {number}");
    }
    let nonsense = [
        (ledger.fill(0, Side::Buy, Ticks(0), Lots(1), FREE).map(drop), Code::DataInvalid),
        (ledger.fill(0, Side::Buy, Ticks(1), Lots(0), FREE).map(drop), Code::OrderSizeInvalid),
        (ledger.fill(9, Side::Buy, Ticks(1), Lots(1), FREE).map(drop), Code::UnknownSymbol),
        (ledger.mark(0, Ticks(-1)), Code::DataInvalid),
        (ledger.mark(9, Ticks(1)), Code::UnknownSymbol),
        (ledger.funding(2, Rate(1), Ticks(1)).map(drop), Code::ParameterInvalid),
        (ledger.transfer(money("-1000000")), Code::InsufficientMargin),
        (ledger.set_leverage(0, Rate(1)), Code::ParameterInvalid),
        (ledger.liquidate(2, LiquidationPrice::Mark, Rate(0)).map(drop), Code::ParameterInvalid),
        (ledger.add_instrument(instruments().remove(0)).map(drop), Code::InstrumentInvalid),
    ];
    for (number, (result, code)) in nonsense.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().code, code, "call {number}");
    }
    assert_eq!(whole(&ledger), before);
    assert!(Ledger::new(Money(i128::MIN)).is_err());
}

#[test]
fn spot_needs_coins_to_sell_and_cash_to_buy() {
    let mut ledger = Ledger::new(money("100")).unwrap();
    let coin = Instrument::new("ETHUSDT", Kind::Spot, "0.01", "0.001").unwrap();
    let number = ledger.add_instrument(coin).unwrap();
    let before = whole(&ledger);
    let fee = Fee::Rate(Rate::parse("0.001").unwrap());
    for (side, lots) in [(Side::Sell, 1), (Side::Buy, 100)] {
        // 100 lots at 1000 cost 100, and the fee of 0.1 is missing.
        let refused = ledger.fill(number, side, Ticks(100_000), Lots(lots), fee);
        assert_eq!(refused.unwrap_err().code, Code::InsufficientMargin);
    }
    assert_eq!(whole(&ledger), before);
    // Down to the last cent is allowed.
    ledger.clone().fill(number, Side::Buy, Ticks(100_000), Lots(100), FREE).unwrap();
    ledger.fill(number, Side::Buy, Ticks(100_000), Lots(50), fee).unwrap();
    assert_eq!(ledger.cash(), money("49.95"));
    ledger.mark(number, Ticks(120_000)).unwrap();
    assert_eq!(ledger.equity(), money("109.95"));
    let effect = ledger.fill(number, Side::Sell, Ticks(120_000), Lots(20), fee).unwrap();
    assert_eq!((effect.realised, effect.fee), (money("4"), money("0.024")));
    assert_eq!(ledger.cash(), money("73.926"));
    assert_eq!(ledger.equity(), money("109.926"));
    assert_eq!(ledger.available(), ledger.cash());
    assert!(!ledger.liquidation_due());
    ledger.check().unwrap();
}
