// SPDX-License-Identifier: Apache-2.0
//! Frames a second through `WireFeed` without Python: the part of a frame's cost that is Rust's.
//! Run by `bench/bench_wire.py`, which gives the file of frames (one a line) and reads the number.
//!
//! `cargo bench --bench wire -- VENUE MARKET SYMBOL TICK LOT FILE`

use std::time::Instant;

use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::{Instrument, Kind};

/// Rounds over the file; the fastest counts.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [venue, market, symbol, tick, lot, file] = given.as_slice() else {
        return Err("expected VENUE MARKET SYMBOL TICK LOT FILE".into());
    };
    let venue = if venue == "bybit" { Venue::Bybit } else { Venue::Binance };
    let market = Market::parse(market).ok_or("market: expected spot or linear")?;
    let text = std::fs::read(file)?;
    let frames: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).collect();
    let (mut best_s, mut facts) = (f64::INFINITY, 0);
    for _ in 0..ROUNDS {
        let instrument = Instrument::new(symbol, Kind::LinearPerpetual, tick, lot)?;
        let mut feed = WireFeed::new(venue, market, vec![instrument]);
        facts = 0;
        let started = Instant::now();
        for frame in &frames {
            facts += feed.push(frame)?.as_slice().len();
        }
        best_s = best_s.min(started.elapsed().as_secs_f64());
    }
    println!("{{\"frames_per_s\": {}, \"facts\": {facts}}}", frames.len() as f64 / best_s);
    Ok(())
}
