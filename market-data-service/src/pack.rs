// SPDX-License-Identifier: Apache-2.0
//! Facts as HEAN's processes tell them to each other (docs/adr/0029): msgpack, one message for the
//! facts of one moment, each with its number and that of the message before. Field names are those
//! of `core/facts.py`.

use hean_core::wire::fact::Fact;

/// Version of the message; readers refuse a newer one.
const SCHEMA: u64 = 1;

/// A buffer of msgpack.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
}

impl Packer {
    /// What was packed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forget it, keep the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    fn head(&mut self, fixed: u8, fixed_max: usize, wide: u8, count: usize) {
        match u16::try_from(count) {
            _ if count <= fixed_max => self.bytes.push(fixed | count as u8),
            Ok(count) => {
                self.bytes.push(wide);
                self.bytes.extend_from_slice(&count.to_be_bytes());
            }
            Err(_) => {
                self.bytes.push(wide + 1);
                self.bytes.extend_from_slice(&(count as u32).to_be_bytes());
            }
        }
    }

    fn array(&mut self, count: usize) {
        self.head(0x90, 15, 0xdc, count);
    }

    fn map(&mut self, count: usize) {
        self.head(0x80, 15, 0xde, count);
    }

    fn text(&mut self, text: &str) {
        self.head(0xa0, 31, 0xda, text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn whole(&mut self, value: u64) {
        if value < 128 {
            self.bytes.push(value as u8);
        } else {
            self.bytes.push(0xcf);
            self.bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn float(&mut self, value: f64) {
        self.bytes.push(0xcb);
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// NaN stands for "not known".
    fn known(&mut self, value: f64) {
        if value.is_nan() {
            self.bytes.push(0xc0);
        } else {
            self.float(value);
        }
    }

    fn truth(&mut self, value: bool) {
        self.bytes.push(0xc2 | u8::from(value));
    }

    fn levels(&mut self, name: &str, levels: &[(f64, f64)]) {
        self.text(name);
        self.array(levels.len());
        for (price, quantity) in levels {
            self.array(2);
            self.float(*price);
            self.float(*quantity);
        }
    }

    fn open(&mut self, kind: &str, symbol: &str, fields: usize) {
        self.array(2);
        self.text(kind);
        self.map(fields);
        self.text("symbol");
        self.text(symbol);
    }

    /// A fact of the market; *levels*: bids and asks of a book.
    pub fn fact(&mut self, symbol: &str, fact: &Fact, levels: [&[(f64, f64)]; 2]) {
        match fact {
            Fact::Tick { price, volume, ts_ns, bid, ask, .. } => {
                self.open("TICK", symbol, 6);
                self.named(&[("price", *price), ("volume", *volume), ("bid", *bid), ("ask", *ask)]);
                self.moment("timestamp", *ts_ns);
            }
            Fact::Book { is_snapshot, ts_ns, .. } => {
                self.open("BOOK", symbol, 5);
                self.levels("bids", levels[0]);
                self.levels("asks", levels[1]);
                self.text("is_snapshot");
                self.truth(*is_snapshot);
                self.moment("timestamp", *ts_ns);
            }
            Fact::Candle { timeframe, open_ns, values, .. } => {
                self.open("CANDLE", symbol, 8);
                let [open, high, low, close, volume] = *values;
                self.named(&[("open", open), ("high", high), ("low", low), ("close", close)]);
                self.named(&[("volume", volume)]);
                self.text("timeframe");
                self.text(timeframe);
                self.moment("timestamp", *open_ns);
            }
            // Without its mark price: a rate to come is no payment, and nobody shall book it.
            Fact::Funding { rate, next_ns, .. } => {
                self.open("FUNDING", symbol, 3);
                self.named(&[("rate", *rate)]);
                self.moment("next_ts", *next_ns);
            }
        }
    }

    /// A report about the data of a symbol.
    pub fn health(&mut self, component: &str, state: &str, symbol: &str, reason: &str) {
        self.array(2);
        self.text("HEALTH");
        self.map(3);
        self.text("component");
        self.text(component);
        self.text("state");
        self.text(state);
        self.text("extra");
        self.map(2);
        self.text("symbol");
        self.text(symbol);
        self.text("reason");
        self.text(reason);
    }

    fn named(&mut self, fields: &[(&str, f64)]) {
        for (name, value) in fields {
            self.text(name);
            self.known(*value);
        }
    }

    fn moment(&mut self, name: &str, ns: i64) {
        self.text(name);
        self.whole(u64::try_from(ns).unwrap_or(0));
    }
}

/// A message of *count* facts that were packed into *facts*.
#[must_use]
pub fn message(
    source: &str,
    [seq, previous]: [u64; 2],
    ts_ns: i64,
    count: usize,
    facts: &Packer,
) -> Vec<u8> {
    let mut packer = Packer { bytes: Vec::with_capacity(facts.bytes.len() + source.len() + 48) };
    packer.array(7);
    packer.whole(SCHEMA);
    packer.text(source);
    packer.whole(seq);
    packer.whole(previous);
    packer.whole(u64::try_from(ts_ns).unwrap_or(0));
    packer.array(count);
    packer.bytes.extend_from_slice(&facts.bytes);
    packer.truth(false);
    packer.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_bytes_of_the_standard() {
        let mut facts = Packer::default();
        let nan = f64::NAN;
        let tick = Fact::Tick { of: 0, price: 1.5, volume: 0.0, ts_ns: 7, bid: nan, ask: 2.0 };
        facts.fact("AB", &tick, [&[], &[]]);
        let bytes = message("m", [300, 2], 5, 1, &facts);
        let expected: &[u8] = &[
            0x97, 1, 0xa1, b'm', 0xcf, 0, 0, 0, 0, 0, 0, 1, 44, 2, 5, 0x91, 0x92, 0xa4, b'T', b'I',
            b'C', b'K', 0x86, 0xa6, b's', b'y', b'm', b'b', b'o', b'l', 0xa2, b'A', b'B',
        ];
        assert_eq!(&bytes[..expected.len()], expected);
        assert_eq!(bytes.last(), Some(&0xc2));
        assert!(bytes.windows(5).any(|part| part == [0xa3, b'b', b'i', b'd', 0xc0]), "unknown bid");
    }

    #[test]
    fn long_lists_and_texts_have_wider_heads() {
        let mut packer = Packer::default();
        packer.array(16);
        packer.array(70_000);
        packer.text(&"x".repeat(32));
        assert_eq!(&packer.bytes()[..10], [0xdc, 0, 16, 0xdd, 0, 1, 17, 112, 0xda, 0]);
    }
}
