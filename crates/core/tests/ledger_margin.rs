// SPDX-License-Identifier: Apache-2.0
//! Margin, liquidation and drawdown by worked examples, and the canonical form of the ledger.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hean_core::instrument::MarginTier;
use hean_core::ledger::{Fee, Ledger, LiquidationPrice};
use hean_core::{Code, Instrument, Kind, Lots, Money, Rate, Side, Ticks};

const FREE: Fee = Fee::Amount(Money::ZERO);

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

fn tier(cap: &str, initial: &str, maintenance: &str, deduction: &str) -> MarginTier {
    MarginTier {
        notional_max: money(cap),
        initial_rate: rate(initial),
        maintenance_rate: rate(maintenance),
        deduction: money(deduction),
    }
}

/// BTC perpetual with two tiers; the deduction makes maintenance continuous at 100,000.
fn perpetual(cash: &str, leverage: &str) -> Ledger {
    let mut ledger = Ledger::new(money(cash)).unwrap();
    let mut btc = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.1", "0.001").unwrap();
    btc.tiers = vec![tier("100000", "0.01", "0.005", "0"), tier("1000000", "0.04", "0.02", "1500")];
    let number = ledger.add_instrument(btc).unwrap();
    ledger.set_leverage(number, rate(leverage)).unwrap();
    ledger
}

fn trade(ledger: &mut Ledger, side: Side, price: i64, lots: i64) {
    ledger.fill(0, side, Ticks(price * 10), Lots(lots), FREE).unwrap();
    ledger.check().unwrap();
}

#[test]
fn initial_margin_is_by_leverage_and_at_least_the_tier() {
    for (leverage, lots, expected) in [
        ("50", 1_000, "400"),
        // 1 / 200 is below the first tier's 1 %.
        ("200", 1_000, "200"),
        // 120,000 lies in the second tier: 4 % beats 1 / 50.
        ("50", 6_000, "4800"),
        ("3", 1, "6.666666666667"),
    ] {
        let mut ledger = perpetual("10000", leverage);
        trade(&mut ledger, Side::Buy, 20_000, lots);
        assert_eq!(ledger.used_margin(), money(expected));
        assert_eq!(ledger.available(), money("10000").sub(money(expected)).unwrap());
        trade(&mut ledger, Side::Sell, 20_000, lots);
        assert_eq!(ledger.used_margin(), Money::ZERO);
    }
}

#[test]
fn changing_leverage_moves_the_margin_of_an_open_position() {
    let mut ledger = perpetual("10000", "50");
    trade(&mut ledger, Side::Sell, 20_000, 1_000);
    ledger.set_leverage(0, rate("10")).unwrap();
    assert_eq!(ledger.used_margin(), money("2000"));
    ledger.check().unwrap();
}

#[test]
fn maintenance_is_continuous_where_tiers_meet() {
    let mut ledger = perpetual("10000", "10");
    trade(&mut ledger, Side::Buy, 20_000, 5_000);
    assert_eq!(ledger.maintenance_margin(0), Ok(money("500")));
    trade(&mut ledger, Side::Buy, 20_000, 1);
    assert_eq!(ledger.maintenance_margin(0), Ok(money("500.4")));
}

#[test]
fn isolated_prices_lie_on_both_sides_of_the_entry() {
    for (side, liquidation, bankruptcy) in
        [(Side::Buy, "19700", "19600"), (Side::Sell, "20300", "20400")]
    {
        let mut ledger = perpetual("10000", "50");
        assert_eq!(ledger.liquidation_price(0), Ok(None));
        trade(&mut ledger, side, 20_000, 1_000);
        assert_eq!(ledger.liquidation_price(0), Ok(Some(money(liquidation))));
        assert_eq!(ledger.bankruptcy_price(0), Ok(Some(money(bankruptcy))));
    }
}

#[test]
fn liquidation_is_due_one_tick_below_the_maintenance_line_and_not_on_it() {
    // Equity at m: 400 + (m - 20000); maintenance: 0.005 m. Equal at m = 19600 / 0.995.
    let mut ledger = perpetual("400", "50");
    trade(&mut ledger, Side::Buy, 20_000, 1_000);
    ledger.mark(0, Ticks(196_985)).unwrap();
    assert!(!ledger.liquidation_due());
    ledger.mark(0, Ticks(196_984)).unwrap();
    assert!(ledger.liquidation_due());
    // Exactly equal: at 20,000 maintenance is 100 and equity is made 100.
    ledger.mark(0, Ticks(200_000)).unwrap();
    let _ =
        ledger.fill(0, Side::Buy, Ticks(200_000), Lots(1), Fee::Amount(money("299.9"))).unwrap();
    assert_eq!(ledger.equity(), ledger.maintenance_total().unwrap());
    assert!(!ledger.liquidation_due());
}

#[test]
fn a_liquidation_closes_everything_and_books_its_fee_apart() {
    let mut ledger = perpetual("400", "50");
    trade(&mut ledger, Side::Buy, 20_000, 1_000);
    ledger.mark(0, Ticks(196_900)).unwrap();
    assert!(ledger.liquidation_due());
    let mut other = ledger.clone();
    let effect = ledger.liquidate(0, LiquidationPrice::Mark, rate("0.0006")).unwrap();
    assert_eq!((effect.realised, effect.position), (money("-310"), Lots(0)));
    assert_eq!(ledger.liquidation_fees(), money("11.814"));
    assert_eq!((ledger.fees(), ledger.equity()), (Money::ZERO, money("78.186")));
    assert!(!ledger.liquidation_due());
    ledger.check().unwrap();
    let effect = other.liquidate(0, LiquidationPrice::Bankruptcy, Rate(0)).unwrap();
    assert_eq!((effect.realised, other.equity()), (money("-400"), Money::ZERO));
    other.check().unwrap();
    let again = other.liquidate(0, LiquidationPrice::Mark, Rate(0));
    assert_eq!(again.unwrap_err().code, Code::ParameterInvalid);
}

#[test]
fn bankruptcy_off_the_grid_goes_to_the_worse_tick() {
    // Initial margin is 26.69333 per coin: 73.40666 becomes 73.4 and 126.79333 becomes 126.8.
    for side in [Side::Buy, Side::Sell] {
        let mut ledger = perpetual("400", "3.75");
        ledger.fill(0, side, Ticks(1_001), Lots(1), FREE).unwrap();
        let effect = ledger.liquidate(0, LiquidationPrice::Bankruptcy, Rate(0)).unwrap();
        assert_eq!(effect.realised, money("-0.0267"));
    }
}

#[test]
fn drawdown_is_measured_from_the_peak_and_ignores_transfers() {
    let mut ledger = perpetual("1000", "10");
    trade(&mut ledger, Side::Buy, 1_000, 1_000);
    for price in [1_200, 1_000, 1_100, 900, 1_500, 1_300] {
        ledger.mark(0, Ticks(price * 10)).unwrap();
        assert_eq!(ledger.observe_equity(), ledger.equity());
    }
    // From 1200 to 900, a quarter; later 1500 to 1300 is less.
    assert_eq!(ledger.drawdown().peak(), money("1500"));
    assert_eq!(ledger.drawdown().largest(), money("300"));
    assert_eq!(ledger.drawdown().largest_rate(), rate("0.25"));
    ledger.transfer(money("-1000")).unwrap();
    ledger.observe_equity();
    assert_eq!(ledger.drawdown().largest(), money("300"));
    assert_eq!(ledger.drawdown().peak(), money("500"));
}

#[test]
fn only_unobserved_moments_are_forgotten() {
    let mut ledger = perpetual("1000", "10");
    trade(&mut ledger, Side::Buy, 1_000, 1_000);
    ledger.mark(0, Ticks(1)).unwrap();
    ledger.mark(0, Ticks(10_000)).unwrap();
    ledger.observe_equity();
    assert_eq!(ledger.drawdown().largest(), Money::ZERO);
}

#[test]
fn borrowed_coins_alone_never_liquidate() {
    let mut ledger = Ledger::new(money("1")).unwrap().with_spot_borrowing();
    let coin = Instrument::new("ETHUSDT", Kind::Spot, "1", "1").unwrap();
    let number = ledger.add_instrument(coin).unwrap();
    ledger.fill(number, Side::Buy, Ticks(10), Lots(1), FREE).unwrap();
    ledger.mark(number, Ticks(5)).unwrap();
    assert_eq!((ledger.cash(), ledger.equity()), (money("-9"), money("-4")));
    assert!(!ledger.liquidation_due());
}

#[test]
fn equal_histories_have_equal_canonical_bytes_and_any_difference_shows() {
    let run = |cash: &str, lots: i64, mark: i64, leverage: &str| {
        let mut ledger = perpetual(cash, leverage);
        trade(&mut ledger, Side::Buy, 1_000, lots);
        ledger.mark(0, Ticks(mark)).unwrap();
        let mut out = Vec::new();
        ledger.canonical(&mut out);
        out
    };
    let first = run("1000", 5, 10_001, "10");
    assert_eq!(first, run("1000", 5, 10_001, "10"));
    for other in [
        run("1001", 5, 10_001, "10"),
        run("1000", 6, 10_001, "10"),
        run("1000", 5, 10_002, "10"),
        run("1000", 5, 10_001, "11"),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn positions_of_equal_cost_and_unequal_size_have_different_canonical_bytes() {
    let run = |price: i64, lots: i64| {
        let mut ledger = perpetual("1000", "10");
        ledger.mark(0, Ticks(10_000)).unwrap();
        trade(&mut ledger, Side::Buy, price, lots);
        let mut out = Vec::new();
        ledger.canonical(&mut out);
        out
    };
    assert_ne!(run(1_000, 4), run(2_000, 2));
}
