// SPDX-License-Identifier: Apache-2.0
//! A cursor over JSON text for the frames that come a thousand times a second. It reads one pass,
//! borrows everything, and answers `None` to whatever is unusual (an escape, a nested value where a
//! plain one is due, a repeated field, an error): the caller then reads the frame again with serde,
//! which decides and names what is wrong. So it accepts less than JSON, never more.

use super::frame::Level;
use super::scalar::{time_ns, Number};

/// A place in a frame.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of a frame; `None` when it is not UTF-8.
    pub fn new(frame: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(frame).ok().map(|text| Self { text, at: 0 })
    }

    /// The next byte that is not white space.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                &byte => return Some(byte),
            }
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The first key of an object; its value comes next.
    pub fn first_key(&mut self) -> Option<&'a str> {
        self.take(b'{')?;
        let key = self.text()?;
        self.take(b':').map(|()| key)
    }

    /// The next key of an object, which must be this one.
    pub fn key(&mut self, name: &str) -> Option<()> {
        self.take(b',')?;
        let key = self.text()?;
        self.take(b':')?;
        (key == name).then_some(())
    }

    /// The end of an object.
    pub fn close(&mut self) -> Option<()> {
        self.take(b'}')
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// A text without escapes.
    #[inline]
    pub fn text(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' | 0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let text = self.text.get(start..self.at);
        self.at += 1;
        text
    }

    /// A count without sign, point or exponent.
    #[inline]
    pub fn count(&mut self) -> Option<u64> {
        let first = self.peek()?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = bytes.get(self.at) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let length = self.at - start;
        let is_whole = !matches!(bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        (length > 0 && is_whole && (first != b'0' || length == 1)).then_some(value)
    }

    /// A venue time; 0 stands for none in some fields.
    #[inline]
    pub fn time(&mut self) -> Option<i64> {
        time_ns(self.count().filter(|&raw| raw > 0)?)
    }

    /// A plain decimal in quotes.
    #[inline]
    pub fn number(&mut self) -> Option<Number<'a>> {
        Number::parse(self.text()?)
    }

    /// `true` or `false`.
    #[inline]
    pub fn boolean(&mut self) -> Option<bool> {
        let is_true = self.peek()? == b't';
        self.word(if is_true { "true" } else { "false" }).map(|()| is_true)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.as_bytes().get(self.at..self.at + word.len())? == word.as_bytes();
        self.at += word.len();
        found.then_some(())
    }

    /// Pass over a plain value: a text, a count, `true`, `false` or `null`.
    #[inline]
    pub fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.text().map(|_| ()),
            b't' | b'f' => self.boolean().map(|_| ()),
            b'n' => self.word("null"),
            b'-' => {
                self.at += 1;
                self.count_here()
            }
            _ => self.count().map(|_| ()),
        }
    }

    /// A count that may not be preceded by white space.
    fn count_here(&mut self) -> Option<()> {
        self.text.as_bytes().get(self.at)?.is_ascii_digit().then_some(())?;
        self.count().map(|_| ())
    }

    /// An object; `field` consumes the value of each key.
    #[inline]
    pub fn object(
        &mut self,
        mut field: impl FnMut(&'a str, &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.text()?;
            self.take(b':')?;
            field(key, self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// An array; `item` consumes each value.
    #[inline]
    pub fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Price levels.
    pub fn levels(&mut self) -> Option<Vec<Level<'a>>> {
        let mut levels = Vec::with_capacity(16);
        self.array(|cursor| {
            cursor.take(b'[')?;
            let price = cursor.number()?;
            cursor.take(b',')?;
            let quantity = cursor.number()?;
            cursor.take(b']')?;
            levels.push(Level { price, quantity });
            (price.to_f64() > 0.0 && quantity.to_f64() >= 0.0).then_some(())
        })?;
        Some(levels)
    }
}

/// Fill a field once.
#[inline]
pub(super) fn set<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    if field.is_some() {
        return None;
    }
    *field = value;
    field.is_some().then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::{binance, binance_fast, bybit, bybit_fast, Frame};
    use crate::error::Result;

    /// Frames that the fast way takes.
    const USUAL: [&str; 7] = [
        r#"{"stream":"b@trade","data":{"e":"trade","E":5,"T":4,"s":"B","t":77,
            "p":"37000.10","q":"0.005","X":"MARKET","m":true,"M":true}}"#,
        r#"{"e":"aggTrade","E":5,"a":77,"s":"B","p":"1.5","q":"2","f":1,"l":2,
            "T":1672304486865,"m":false}"#,
        r#"{"stream":"b@bookTicker","data":{"u":400,"s":"B","b":"25.35","B":"31.21",
            "a":"25.36","A":"40.66"}}"#,
        r#"{"stream":"b@depth@100ms","data":{"e":"depthUpdate","E":5,"T":4,"s":"B",
            "U":11,"u":15,"pu":9,"b":[["100.0","2"],["99.5","0"]],"a":[]}}"#,
        r#"{"topic":"orderbook.50.B","type":"delta","ts":9,"data":{"s":"B","b":[["1.5",
            "1"]],"a":[["1.6","0"]],"u":12,"seq":79},"cts":4}"#,
        r#"{"topic":"orderbook.50.B","type":"snapshot","ts":9,"data":{"s":"B",
            "b":[["1.5","1"]],"a":[["1.6","2"]],"u":1,"seq":79}}"#,
        r#"{"topic":"publicTrade.B","type":"snapshot","ts":3,"data":[{"T":4,"s":"B",
            "S":"Buy","v":"0.1","p":"16.50","L":"PlusTick","i":"20f4","BT":false,"seq":7},
            {"T":5,"s":"B","S":"Sell","v":"1","p":"2","i":"22","RPI":null}]}"#,
    ];

    fn agree(fast: Option<Frame<'_>>, other: Result<Frame<'_>>) -> bool {
        fast.is_none_or(|fast| other.as_ref() == Ok(&fast))
    }

    fn both_agree(frame: &[u8]) -> bool {
        agree(binance_fast::read_fast(frame), binance::read_any(frame))
            && agree(bybit_fast::read_fast(frame), bybit::read_any(frame))
    }

    #[test]
    fn usual_frames_are_read_fast() {
        for text in USUAL {
            let frame = text.as_bytes();
            let is_fast = binance_fast::read_fast(frame).or_else(|| bybit_fast::read_fast(frame));
            assert!(is_fast.is_some() && both_agree(frame), "{text}");
        }
    }

    #[test]
    fn every_other_value_of_a_field_is_read_alike() {
        let plain = ["null", "-1", "01", "1.5", "[]", "{}", "true"];
        let texts = ["\"\"", "\"1e5\"", "\"0\"", "\"\\u0042\""];
        for text in USUAL {
            for (at, _) in text.match_indices(':') {
                let rest = &text[at + 1..];
                let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
                for value in plain.iter().chain(&texts) {
                    let changed = format!("{}{value}{}", &text[..=at], &rest[end..]);
                    assert!(both_agree(changed.as_bytes()), "{changed}");
                }
                let twice = format!("{}{},{}", &text[..at], &text[at..at + 1 + end], &text[1..]);
                assert!(both_agree(twice.as_bytes()), "{twice}");
            }
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree_on_damaged_frames(
            which in 0..USUAL.len(),
            edits in proptest::collection::vec(
                (any::<prop::sample::Index>(), any::<u8>(), 0..5_u8),
                1..4,
            ),
        ) {
            let mut bytes = USUAL[which].as_bytes().to_vec();
            for (index, byte, how) in edits {
                let at = index.index(bytes.len());
                let useful = b"{}[]:,\"0123456789.eEtTsupqabABUmMx -\\";
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, useful[usize::from(byte) % useful.len()]),
                    2 => bytes[at] = useful[usize::from(byte) % useful.len()],
                    3 if bytes.len() > 1 => { bytes.remove(at); }
                    _ => { let copy = bytes[at..].to_vec(); bytes.extend(copy); }
                }
            }
            prop_assert!(both_agree(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
