// SPDX-License-Identifier: Apache-2.0
//! Lengths of candles: HEAN's name, nanoseconds, and the venue's own word, which is looked up in
//! the core's table so that there is one.

use hean_core::wire::fact::timeframe;
use hean_core::wire::Venue;

const BYBIT: [&str; 12] = ["1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W"];
const BINANCE: [&str; 15] =
    ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"];

/// One length of candles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeframe {
    /// `1m`, `4h`, `1d`.
    pub name: String,
    /// Nanoseconds.
    pub ns: i64,
}

impl Timeframe {
    /// By HEAN's name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: &str) -> Result<Self, String> {
        let bad = || format!("{name:?} is no length of candles; such as 1m, 15m, 4h, 1d");
        let unit_s: i64 = match name.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => return Err(bad()),
        };
        let count: i64 = name[..name.len() - 1].parse().map_err(|_| bad())?;
        if !(1..=60).contains(&count) {
            return Err(bad());
        }
        Ok(Self { name: name.to_owned(), ns: count * unit_s * 1_000_000_000 })
    }

    /// The venue's word for it, if it has such candles.
    #[must_use]
    pub fn word(&self, venue: Venue) -> Option<&'static str> {
        let words: &[&str] = match venue {
            Venue::Bybit => &BYBIT,
            Venue::Binance => &BINANCE,
        };
        words.iter().find(|word| timeframe(venue, word) == Some(self.name.as_str())).copied()
    }

    /// When the candle began that this moment lies in.
    #[must_use]
    pub fn open_ns(&self, ts_ns: i64) -> i64 {
        // Weeks begin on a Monday at both venues; the epoch was a Thursday.
        const WEEK: i64 = 7 * 86_400_000_000_000;
        const MONDAY: i64 = 4 * 86_400_000_000_000;
        let shift = if self.ns % WEEK == 0 { MONDAY } else { 0 };
        ts_ns - (ts_ns - shift).rem_euclid(self.ns)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_have_lengths_and_words() {
        let hour = Timeframe::parse("1h").unwrap();
        assert_eq!(hour.ns, 3_600_000_000_000);
        assert_eq!((hour.word(Venue::Bybit), hour.word(Venue::Binance)), (Some("60"), Some("1h")));
        assert_eq!(Timeframe::parse("1s").unwrap().word(Venue::Bybit), None);
        for bad in ["", "m", "0m", "61m", "1x", "-1m", "1.5h"] {
            assert!(Timeframe::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_week_begins_on_a_monday() {
        let week = Timeframe::parse("7d").unwrap();
        let monday = 1_767_571_200_000_000_000; // 2026-01-05
        assert_eq!(week.open_ns(monday), monday);
        assert_eq!(week.open_ns(monday - 1), monday - week.ns);
    }
}
