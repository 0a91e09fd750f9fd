// SPDX-License-Identifier: Apache-2.0
//! A connection's life through `WireFeed`: the first byte picks venue and market, each further line
//! is a frame, a REST snapshot after `!`, or the loss of the connection (`~`). A book that is kept
//! is never crossed, never deeper than allowed, and a symbol is reported once per break.

#![no_main]

use hean_core::wire::depth::BOOK_LEVELS_MAX;
use hean_core::wire::fact::Fact;
use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::{Instrument, Kind, Side};
use libfuzzer_sys::fuzz_target;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "XRPUSDT", "ETHUSDT"];

fn feed(choice: u8) -> WireFeed {
    let (venue, market) = match choice % 3 {
        0 => (Venue::Bybit, Market::Linear),
        1 => (Venue::Binance, Market::Linear),
        _ => (Venue::Binance, Market::Spot),
    };
    let instrument = |symbol| Instrument::new(symbol, Kind::Spot, "0.0001", "0.00001");
    WireFeed::new(venue, market, SYMBOLS.into_iter().flat_map(instrument).collect())
}

fn check(feed: &mut WireFeed) {
    for of in 0..SYMBOLS.len() {
        let Some(live) = feed.book(of) else { unreachable!("three instruments") };
        let book = live.book();
        assert!(book.depth(Side::Buy) <= BOOK_LEVELS_MAX);
        assert!(book.depth(Side::Sell) <= BOOK_LEVELS_MAX);
        assert!(book.top().is_none_or(|((bid, _), (ask, _))| bid < ask), "crossed");
        assert!(feed.touch(of).is_none_or(|[bid, _, ask, _]| 0.0 < bid && bid < ask));
    }
    feed.resync();
    assert!(feed.resync().is_empty(), "each break is reported once");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let mut feed = feed(*choice);
    for line in rest.split(|byte| *byte == b'\n') {
        let told = match line.split_first() {
            Some((b'~', _)) => {
                feed.lost();
                continue;
            }
            Some((b'!', frame)) => feed.snapshot(SYMBOLS[0], frame),
            _ => feed.push(line),
        };
        if let Ok(facts) = told {
            for fact in facts.as_slice() {
                match *fact {
                    Fact::Tick { price, volume, .. } => assert!(price > 0.0 && volume >= 0.0),
                    Fact::Book { from, middle, to, .. } => {
                        assert_eq!(facts.levels(from, middle).len(), middle - from);
                        assert_eq!(facts.levels(middle, to).len(), to - middle);
                    }
                    Fact::Candle { values, .. } => assert!(values.iter().all(|one| *one >= 0.0)),
                    Fact::Funding { rate, .. } => assert!(rate.is_finite()),
                }
            }
        }
        check(&mut feed);
    }
});
