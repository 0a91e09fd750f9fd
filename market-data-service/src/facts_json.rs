// SPDX-License-Identifier: Apache-2.0
//! The same messages as `pack.rs` as JSON text, for the stream: HEAN's sockets take text alone, and
//! a person can read it. Rows and names are equal, so one reader's types serve both.

use hean_core::wire::fact::Fact;

use crate::symbol::{number, put};

/// A buffer of facts, between commas.
#[derive(Debug, Default)]
pub struct Spoken {
    bytes: Vec<u8>,
}

impl Spoken {
    /// Forget them, keep the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    fn open(&mut self, kind: &str, symbol: &str) {
        if !self.bytes.is_empty() {
            self.bytes.push(b',');
        }
        put(&mut self.bytes, format_args!("[\"{kind}\",{{\"symbol\":\"{symbol}\""));
    }

    fn named(&mut self, fields: &[(&str, f64)]) {
        for (name, value) in fields {
            put(&mut self.bytes, format_args!(",\"{name}\":"));
            number(&mut self.bytes, *value);
        }
    }

    fn levels(&mut self, name: &str, levels: &[(f64, f64)]) {
        put(&mut self.bytes, format_args!(",\"{name}\":["));
        for (place, (price, quantity)) in levels.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            put(&mut self.bytes, format_args!("{comma}[{price},{quantity}]"));
        }
        self.bytes.push(b']');
    }

    /// A fact of the market; *levels*: bids and asks of a book.
    pub fn fact(&mut self, symbol: &str, fact: &Fact, levels: [&[(f64, f64)]; 2]) {
        let end = match fact {
            Fact::Tick { price, volume, ts_ns, bid, ask, .. } => {
                self.open("TICK", symbol);
                self.named(&[("price", *price), ("volume", *volume), ("bid", *bid), ("ask", *ask)]);
                format!(",\"timestamp\":{ts_ns}}}]")
            }
            Fact::Book { is_snapshot, ts_ns, .. } => {
                self.open("BOOK", symbol);
                self.levels("bids", levels[0]);
                self.levels("asks", levels[1]);
                format!(",\"is_snapshot\":{is_snapshot},\"timestamp\":{ts_ns}}}]")
            }
            Fact::Candle { timeframe, open_ns, values, .. } => {
                self.open("CANDLE", symbol);
                let [open, high, low, close, volume] = *values;
                self.named(&[("open", open), ("high", high), ("low", low), ("close", close)]);
                self.named(&[("volume", volume)]);
                format!(",\"timeframe\":\"{timeframe}\",\"timestamp\":{open_ns}}}]")
            }
            // Without its mark price, as in `pack.rs`.
            Fact::Funding { rate, next_ns, .. } => {
                self.open("FUNDING", symbol);
                self.named(&[("rate", *rate)]);
                format!(",\"next_ts\":{next_ns}}}]")
            }
        };
        self.bytes.extend_from_slice(end.as_bytes());
    }

    /// A report about the data of a symbol.
    pub fn health(&mut self, component: &str, state: &str, symbol: &str, reason: &str) {
        let extra = serde_json::json!({"symbol": symbol, "reason": reason});
        let fields = serde_json::json!({"component": component, "state": state, "extra": extra});
        let comma = if self.bytes.is_empty() { "" } else { "," };
        put(&mut self.bytes, format_args!("{comma}[\"HEALTH\",{fields}]"));
    }

    /// They as a message.
    #[must_use]
    pub fn message(&self, source: &str, [seq, previous]: [u64; 2], ts_ns: i64) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.bytes.len() + source.len() + 96);
        put(&mut message, format_args!("[1,\"{source}\",{seq},{previous},{ts_ns},["));
        message.extend_from_slice(&self.bytes);
        message.extend_from_slice(b"],false]");
        message
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_message_is_json() {
        let mut facts = Spoken::default();
        let book = Fact::Book { of: 0, is_snapshot: true, ts_ns: 5, from: 0, middle: 0, to: 0 };
        facts.fact("AB", &book, [&[(1.5, 2.0), (1.25, 1.0)], &[]]);
        let funding = Fact::Funding { of: 0, rate: 0.0001, next_ns: 9, mark: 3.0 };
        facts.fact("AB", &funding, [&[], &[]]);
        facts.health("feed", "STALE", "AB", "a \"hole\"");
        let message = facts.message("m", [3, 2], 7);
        let told: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let expected = serde_json::json!([1, "m", 3, 2, 7, [
            ["BOOK", {"symbol": "AB", "bids": [[1.5, 2], [1.25, 1]], "asks": [],
                      "is_snapshot": true, "timestamp": 5}],
            ["FUNDING", {"symbol": "AB", "rate": 0.0001, "next_ts": 9}],
            ["HEALTH", {"component": "feed", "state": "STALE",
                        "extra": {"symbol": "AB", "reason": "a \"hole\""}}]
        ], false]);
        assert_eq!(told, expected);
    }
}
