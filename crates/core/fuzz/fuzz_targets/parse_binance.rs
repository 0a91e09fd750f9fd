// SPDX-License-Identifier: Apache-2.0
//! Any bytes through `parse_binance`: an answer or an error, never a panic; the answer can be
//! named.

#![no_main]

use hean_core::wire::parse_binance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = parse_binance(bytes) {
        let _ = (frame.kind().len(), frame.symbol(), frame.ts_ns());
    }
});
