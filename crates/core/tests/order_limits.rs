// SPDX-License-Identifier: Apache-2.0
//! Every hard limit at limit-1, limit and limit+1, what a refusal says, and that raising a limit
//! never refuses more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod order_fixture;

use hean_core::order::{InstrumentId, Intent, Limits, OrderEngine, StrategyId};
use hean_core::{Code, Instrument, Kind, Lots, Money, Rate, Side, Ticks};
use order_fixture::{buy, engine, market, money, place, refusal, trade, MARK, SECOND};

/// Each size must pass, and the next larger one be refused by `rule`.
fn passes_up_to(limits: Limits, make: impl Fn(i64) -> Intent<'static>, most: i64, rule: &str) {
    for lots in [most - 1, most] {
        let mut engine = engine(limits.clone());
        engine.set_equity(Money(1_000 * 1_000_000_000_000));
        assert!(engine.approve(&make(lots), 0).is_ok(), "{rule}: {lots} of {most}");
    }
    let mut engine = engine(limits);
    engine.set_equity(Money(1_000 * 1_000_000_000_000));
    let (code, message) = refusal(engine.approve(&make(most + 1), 0));
    assert_eq!(code, Code::LimitBreached);
    assert!(message.contains(rule), "{message}");
    assert_eq!(engine.open_orders().count(), 0, "a refused order leaves nothing");
}

#[test]
fn each_money_limit_holds_to_the_lot() {
    let none = Limits::unlimited();
    let lots = |lots| buy("h1-test-1", lots);
    let limit = |lots| Limits { order_lots_max: Some(Lots(lots)), ..none.clone() };
    passes_up_to(limit(50), lots, 50, "R02 order lots");
    let limits = Limits { order_value_max: money(50_000), ..none.clone() };
    passes_up_to(limits, lots, 50, "R02 order value");
    let limits = Limits { position_value_max: money(50_000), ..none.clone() };
    passes_up_to(limits, lots, 50, "R20 position value");
    let limits = Limits { gross_value_max: money(50_000), ..none.clone() };
    passes_up_to(limits, lots, 50, "R21 gross value");
    let limits = Limits { leverage_max: Some(Rate(50_000_000_000_000)), ..none };
    passes_up_to(limits, lots, 50, "R21 leverage");
}

#[test]
fn market_orders_are_valued_at_the_collar() {
    let collar_fraction = Some(Rate(10_000_000_000));
    let limits = Limits { order_value_max: money(50_500), collar_fraction, ..Limits::unlimited() };
    passes_up_to(limits.clone(), |lots| market("a", Side::Buy, lots), 50, "R02 order value");
    let limits = Limits { order_value_max: money(50_000), ..limits };
    passes_up_to(limits, |lots| market("a", Side::Sell, lots), 50, "R02 order value");
}

#[test]
fn the_collar_holds_to_the_tick_on_the_dangerous_side() {
    let collar = Limits { collar_fraction: Some(Rate(10_000_000_000)), ..Limits::unlimited() };
    let cases = [
        (Side::Buy, 1_009, true),
        (Side::Buy, 1_010, true),
        (Side::Buy, 1_011, false),
        (Side::Buy, 1, true),
        (Side::Sell, 991, true),
        (Side::Sell, 990, true),
        (Side::Sell, 989, false),
        (Side::Sell, 9_999, true),
    ];
    for (side, price, passes) in cases {
        let intent = Intent { side, price: Some(Ticks(price)), ..buy("a", 1) };
        let result = engine(collar.clone()).approve(&intent, 0);
        assert_eq!(result.is_ok(), passes, "{side:?} at {price}: {result:?}");
        if !passes {
            assert!(refusal(result).1.contains("R03 price collar"));
        }
    }
}

#[test]
fn a_stale_or_missing_reference_refuses_all_but_reductions() {
    let limits = Limits { reference_age_max_ns: Some(500), ..Limits::unlimited() };
    let mut engine = engine(limits);
    trade(&mut engine, &market("a", Side::Buy, 10), 499);
    assert!(engine.approve(&market("b", Side::Buy, 1), 500).is_ok());
    let (code, message) = refusal(engine.approve(&market("c", Side::Buy, 1), 501));
    assert_eq!(code, Code::NoReferencePrice);
    assert!(message.contains("501 ns old"), "{message}");
    let reduce = Intent { reduce_only: true, ..market("d", Side::Sell, 10) };
    assert!(engine.approve(&reduce, 501).is_ok());
    let mut bare = OrderEngine::new(Limits::default());
    bare.add_instrument(Instrument::new("ONE", Kind::Spot, "1", "1").unwrap()).unwrap();
    assert_eq!(refusal(bare.approve(&buy("a", 1), 0)).0, Code::NoReferencePrice);
}

#[test]
fn leverage_without_known_equity_refuses() {
    let limits = Limits { leverage_max: Some(Rate(1_000_000_000_000)), ..Limits::unlimited() };
    let (_, message) = refusal(engine(limits).approve(&buy("a", 1), 0));
    assert!(message.contains("equity unknown"), "{message}");
}

#[test]
fn open_orders_are_counted_exactly() {
    let mut engine = engine(Limits { open_orders_max: Some(2), ..Limits::unlimited() });
    let first = place(&mut engine, &buy("a", 1), 0).unwrap();
    place(&mut engine, &buy("b", 1), 0).unwrap();
    assert!(refusal(engine.approve(&buy("c", 1), 0)).1.contains("R23 open orders"));
    engine.on_cancelled(first, "wish", 1).unwrap();
    assert!(engine.approve(&buy("c", 1), 1).is_ok());
}

#[test]
fn no_window_of_a_second_holds_more_orders_than_allowed() {
    let mut engine = engine(Limits { orders_per_second_max: Some(4), ..Limits::unlimited() });
    trade(&mut engine, &buy("a", 9), 0);
    for (n, at) in [(1, 10), (2, 20), (3, 30)] {
        assert!(engine.approve(&buy(&format!("b{n}"), 1), at).is_ok());
    }
    assert!(refusal(engine.approve(&buy("c", 1), 40)).1.contains("R09 order rate"));
    let reduce = Intent { reduce_only: true, ..market("d", Side::Sell, 1) };
    assert!(engine.approve(&reduce, 40).is_ok(), "a quarter on top is kept for reductions");
    assert!(refusal(engine.approve(&Intent { id: "e", ..reduce }, 41)).1.contains("R09"));
    assert!(refusal(engine.approve(&buy("c", 1), SECOND - 1)).1.contains("R09"));
    assert!(refusal(engine.approve(&buy("c", 1), SECOND)).1.contains("R09"), "four still count");
    assert!(engine.approve(&buy("c", 1), SECOND + 10).is_ok());
}

#[test]
fn the_same_order_within_the_window_is_a_slip() {
    let limits = Limits { duplicate_window_ns: Some(SECOND), ..Limits::unlimited() };
    let mut engine = engine(limits);
    assert!(engine.approve(&buy("a", 5), 0).is_ok());
    assert!(refusal(engine.approve(&buy("b", 5), SECOND - 1)).1.contains("R05 duplicate"));
    let others = [
        buy("c", 6),
        Intent { price: Some(Ticks(999)), ..buy("d", 5) },
        Intent { side: Side::Sell, ..buy("e", 5) },
        Intent { strategy: StrategyId(1), ..buy("f", 5) },
        Intent { instrument: InstrumentId(1), ..buy("g", 5) },
    ];
    for other in others {
        assert!(engine.approve(&other, SECOND - 1).is_ok(), "{other:?}");
    }
    assert!(engine.approve(&buy("h", 5), SECOND).is_ok());
}

#[test]
fn an_order_that_could_meet_an_own_resting_one_is_refused() {
    let mut engine = engine(Limits { refuse_self_cross: true, ..Limits::unlimited() });
    let own = place(&mut engine, &Intent { price: Some(Ticks(1_000)), ..buy("a", 1) }, 0).unwrap();
    let sell = |id, price| Intent { side: Side::Sell, price: Some(Ticks(price)), ..buy(id, 1) };
    for price in [999, 1_000] {
        assert!(refusal(engine.approve(&sell("b", price), 0)).1.contains("R06 self-cross"));
    }
    assert!(refusal(engine.approve(&market("b", Side::Sell, 1), 0)).1.contains("R06"));
    assert!(engine.approve(&sell("b", 1_001), 0).is_ok());
    engine.on_cancelled(own, "", 1).unwrap();
    assert!(engine.approve(&sell("c", 999), 1).is_ok());
}

#[test]
fn a_buy_at_or_through_an_own_resting_sell_is_refused() {
    let mut engine = engine(Limits::unlimited());
    let own = Intent { side: Side::Sell, ..buy("a", 1) };
    place(&mut engine, &own, 0).unwrap();
    engine.set_limits(Limits { refuse_self_cross: true, ..Limits::unlimited() });
    for price in [1_000, 1_001] {
        let through = Intent { price: Some(Ticks(price)), ..buy("b", 1) };
        assert!(refusal(engine.approve(&through, 0)).1.contains("R06 self-cross"));
    }
    assert!(engine.approve(&Intent { price: Some(Ticks(999)), ..buy("b", 1) }, 0).is_ok());
}

#[test]
fn the_venues_own_filters_hold_to_the_lot() {
    let mut rules = Instrument::new("ONE", Kind::Spot, "1", "1").unwrap();
    (rules.lots_min, rules.lots_max) = (Lots(3), Lots(9));
    rules.notional_min = Money(4_000 * 1_000_000_000_000);
    let mut engine = OrderEngine::new(Limits::unlimited());
    let instrument = engine.add_instrument(rules).unwrap();
    engine.set_mark(instrument, MARK, 0).unwrap();
    for (lots, passes) in [(2, false), (3, false), (4, true), (5, true), (9, true), (10, false)] {
        let id = format!("a{lots}");
        let result = engine.approve(&buy(&id, lots), 0);
        assert_eq!(result.is_ok(), passes, "{lots}: {result:?}");
    }
    trade(&mut engine, &buy("b", 9), 0);
    for (lots, passes) in [(2, false), (3, true)] {
        let id = format!("c{lots}");
        let reduce = Intent { reduce_only: true, ..market(&id, Side::Sell, lots) };
        assert_eq!(engine.approve(&reduce, 0).is_ok(), passes, "reductions know no least value");
    }
}

#[test]
fn a_sell_is_worth_at_least_the_reference() {
    let limits = Limits { order_value_max: money(50_000), ..Limits::unlimited() };
    let cheap = |lots| Intent { side: Side::Sell, price: Some(Ticks(10)), ..buy("a", lots) };
    passes_up_to(limits, cheap, 50, "R02 order value");
}

#[test]
fn an_exposure_nobody_can_value_stops_growth_everywhere() {
    let limits = Limits { gross_value_max: money(1_000_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    let dark = Instrument::new("DARK", Kind::Spot, "1", "1").unwrap();
    let dark = engine.add_instrument(dark).unwrap();
    engine.set_position(dark, Lots(1)).unwrap();
    assert_eq!(refusal(engine.approve(&buy("a", 1), 0)).0, Code::NoReferencePrice);
    engine.set_mark(dark, MARK, 0).unwrap();
    assert!(engine.approve(&buy("a", 1), 0).is_ok());
}

#[test]
fn raising_limits_never_refuses_more() {
    let tight = |scale: i128| Limits {
        order_lots_max: Some(Lots(scale as i64)),
        order_value_max: money(scale * 1_000),
        collar_fraction: Some(Rate(scale as i64 * 1_000_000_000)),
        reference_age_max_ns: Some(scale as i64),
        position_value_max: money(scale * 1_500),
        gross_value_max: money(scale * 2_000),
        leverage_max: Some(Rate(scale as i64 * 1_000_000_000_000)),
        open_orders_max: Some(scale as u32),
        orders_per_second_max: Some(scale as u32),
        ..Limits::unlimited()
    };
    let mut base = engine(Limits::unlimited());
    base.set_equity(Money(2_000 * 1_000_000_000_000));
    trade(&mut base, &buy("a", 3), 0);
    place(&mut base, &buy("b", 4), 0).unwrap();
    for (lots, price, now_ns) in
        (1..15).flat_map(|n| [(n, 1_000, 0), (1, 1_000 + n, 0), (1, 1_000, n)])
    {
        let intent = Intent { price: Some(Ticks(price)), ..buy("c", lots) };
        let passes: Vec<bool> = (1..30)
            .map(|scale| {
                let mut engine = base.clone();
                engine.set_limits(tight(scale));
                engine.approve(&intent, now_ns).is_ok()
            })
            .collect();
        assert!(passes.is_sorted() && passes[28], "{lots} at {price}: {passes:?}");
    }
}

#[test]
fn losses_stop_new_risk_and_never_reductions() {
    let limits = Limits {
        daily_loss_fraction_max: Some(Rate(50)),
        drawdown_fraction_max: Some(Rate(90)),
        ..Limits::unlimited()
    };
    let mut engine = engine(limits);
    trade(&mut engine, &buy("a", 5), 0);
    for (loss, drawdown, passes) in [(49, 89, true), (50, 90, true), (51, 0, false), (0, 91, false)]
    {
        engine.set_loss(Rate(loss), Rate(drawdown));
        let id = format!("b{loss}");
        assert_eq!(engine.approve(&buy(&id, 1), 0).is_ok(), passes, "{loss} {drawdown}");
    }
    let reduce = Intent { reduce_only: true, ..market("z", Side::Sell, 5) };
    assert!(engine.approve(&reduce, 0).is_ok());
}

#[test]
fn a_refusal_names_every_breach() {
    let limits = Limits { order_lots_max: Some(Lots(1)), ..Limits::default() };
    let (_, message) = refusal(engine(limits).approve(&buy("a", 1_000), 0));
    for rule in ["R02 order lots", "R02 order value", "R20", "R21 gross", "R21 leverage"] {
        assert!(message.contains(rule), "{rule} is missing in {message}");
    }
    assert!(message.contains("observed 1000000, allowed 10000"), "{message}");
}

#[test]
fn a_reduction_that_fills_first_leaves_no_room_for_what_counted_on_the_short() {
    let limits = Limits { position_value_max: money(1_000_000), ..Limits::unlimited() };
    let mut engine = engine(limits);
    trade(&mut engine, &market("a", Side::Sell, 1_000), 0);
    let reduce = Intent { reduce_only: true, ..market("b", Side::Buy, 1_000) };
    place(&mut engine, &reduce, 0).unwrap();
    // Without the reduction 2,000 lots would turn the short into an allowed long; with it they
    // may all be long.
    let (code, message) = refusal(engine.approve(&market("c", Side::Buy, 1_001), 0));
    assert_eq!(code, Code::LimitBreached);
    assert!(message.contains("R20 position value"), "{message}");
    engine.approve(&market("d", Side::Buy, 1_000), 0).unwrap();
}
