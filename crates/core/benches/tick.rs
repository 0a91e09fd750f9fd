// SPDX-License-Identifier: Apache-2.0
//! A trade frame's bytes to the signed bytes of the order it causes, all in the core: parser, two
//! averages, collar reference, approval with its limits, ticket, frame, signature. It is what a
//! native strategy costs; Python's part is measured beside it in `bench/bench_tick.py`, which runs
//! this file and reads the numbers.
//!
//! `cargo bench --bench tick -- FRAMES`

use std::time::Instant;

use hean_core::indicator::Ema;
use hean_core::order::name::Name;
use hean_core::order::{
    ExecId, InstrumentId, Intent, Limits, OrderEngine, OrderType, StrategyId, TimeInForce,
};
use hean_core::wire::fact::Fact;
use hean_core::wire::sign::Signer;
use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::{Instrument, Kind, Lots, Rate, Side, Ticks};

type Failure = Box<dyn std::error::Error>;

/// Frames before the first that counts.
const WARM_UP: usize = 2_000;
const SYMBOL: &str = "BTCUSDT";
const HEAD: &str = concat!(
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000000,"T":1700000000000,"#,
    r#""s":"BTCUSDT","#
);
const TAG: [u8; 4] = *b"benc";

struct Desk {
    feed: WireFeed,
    engine: OrderEngine,
    rules: Instrument,
    instrument: InstrumentId,
    strategy: StrategyId,
    fast: Ema,
    slow: Ema,
    signer: Signer,
    last: u64,
}

impl Desk {
    fn new() -> Result<Self, Failure> {
        let rules = Instrument::new(SYMBOL, Kind::LinearPerpetual, "0.1", "0.001")?;
        let collar_fraction = Some(Rate::parse("0.05")?);
        let mut engine = OrderEngine::new(Limits { collar_fraction, ..Limits::unlimited() });
        let instrument = engine.add_instrument(rules.clone())?;
        Ok(Self {
            feed: WireFeed::new(Venue::Binance, Market::Linear, vec![rules.clone()]),
            strategy: engine.strategy("bench")?,
            engine,
            rules,
            instrument,
            fast: Ema::new(10)?,
            slow: Ema::new(20)?,
            signer: Signer::new(b"bench-secret"),
            last: 0,
        })
    }

    /// The order's bytes; its id, price and side for the fill that follows.
    fn trade(&mut self, frame: &[u8], now_ns: i64) -> Result<(Vec<u8>, String, Ticks), Failure> {
        let facts = self.feed.push(frame)?;
        let Some(Fact::Tick { price, .. }) = facts.as_slice().first().copied() else {
            return Err("no tick in the frame".into());
        };
        let (fast, slow) = (self.fast.push(price), self.slow.push(price));
        let side = if fast >= slow { Side::Buy } else { Side::Sell };
        let mark = self.rules.ticks_from_f64(price)?;
        self.engine.set_mark(self.instrument, mark, now_ns)?;
        self.last += 1;
        let id = Name { epoch: 0, tag: TAG, seq: self.last }.text();
        let lots = Lots(100);
        let intent = Intent {
            id: &id,
            instrument: self.instrument,
            strategy: self.strategy,
            side,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Gtc,
            reduce_only: false,
            lots,
            price: None,
            trigger: None,
            parent: None,
            is_sliced: false,
        };
        let ticket = self.engine.approve(&intent, now_ns)?;
        self.engine.redeem(ticket, &intent, now_ns)?;
        let quantity = self.rules.quantity_decimal(lots);
        let word = if side == Side::Buy { "BUY" } else { "SELL" };
        let fields = [
            ("newClientOrderId", id.as_str()),
            ("quantity", quantity.as_str()),
            ("side", word),
            ("symbol", SYMBOL),
            ("type", "MARKET"),
        ];
        let request = self.last.to_string();
        let time_ms = now_ns / 1_000_000;
        let bytes =
            self.signer.binance_frame("bench-key", (&request, "order.place"), &fields, time_ms);
        Ok((bytes, id, mark))
    }

    /// The venue fills it: not part of what is measured.
    fn fill(&mut self, id: &str, price: Ticks, now_ns: i64) -> Result<(), Failure> {
        let name = Name::parse(id).ok_or("an id of the bench")?;
        let key = self.engine.find_name(name)?;
        self.engine.on_filled(key, ExecId(self.last), price, Lots(100), now_ns)?;
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let frames: usize = given.first().ok_or("expected FRAMES")?.parse()?;
    let mut desk = Desk::new()?;
    let mut taken_ns: Vec<u64> = Vec::with_capacity(frames);
    for number in 0..WARM_UP + frames {
        let price = 60_000.0 + (number % 100) as f64 * 0.1;
        let trade = number + 1;
        let tail = r#""q":"0.120","X":"MARKET","m":false}}"#;
        let frame = format!("{HEAD}\"t\":{trade},\"p\":\"{price:.2}\",{tail}");
        let now_ns = 1_700_000_000_000_000_000 + number as i64 * 1_000_000;
        let started = Instant::now();
        let (bytes, id, mark) = desk.trade(frame.as_bytes(), now_ns)?;
        let spent = started.elapsed().as_nanos() as u64;
        assert!(bytes.starts_with(b"{\"id\":"));
        if number >= WARM_UP {
            taken_ns.push(spent);
        }
        desk.fill(&id, mark, now_ns)?;
    }
    taken_ns.sort_unstable();
    let at = |share: f64| taken_ns[((taken_ns.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!("{{\"p50_us\": {}, \"p99_us\": {}}}", at(0.5), at(0.99));
    Ok(())
}
