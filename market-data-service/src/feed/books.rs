// SPDX-License-Identifier: Apache-2.0
//! Which books of a line have to be asked for again: those with a hole, and those that have been
//! silent for too long. Each is asked for later and later while it does not come.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hean_core::wire::Venue;

const RENEW: Duration = Duration::from_secs(1);
const DOUBLINGS_MAX: u32 = 5;
/// Then the line itself is not trusted, where the book comes by it.
const RENEWALS_MAX: u32 = 3;

#[derive(Debug)]
struct Renewal {
    count: u32,
    next: Instant,
}

/// The books of a line.
#[derive(Debug)]
pub struct Books {
    limit: Duration,
    is_by_line: bool,
    heard: Vec<Instant>,
    due: BTreeMap<usize, Renewal>,
}

impl Books {
    /// Of so many symbols.
    #[must_use]
    pub fn new(venue: Venue, count: usize, now: Instant) -> Self {
        let limit = match venue {
            Venue::Bybit => Duration::from_secs(2),
            // A snapshot costs weight: as silent as RELIABILITY 57 allows.
            Venue::Binance => Duration::from_secs(5),
        };
        let is_by_line = venue == Venue::Bybit;
        Self { limit, is_by_line, heard: vec![now; count], due: BTreeMap::new() }
    }

    /// A change, or the whole, of a book came.
    pub fn hear(&mut self, of: usize, now: Instant) {
        if let Some(heard) = self.heard.get_mut(of) {
            *heard = now;
        }
    }

    /// Whether a book has been silent for too long.
    #[must_use]
    pub fn is_silent(&self, of: usize, now: Instant) -> bool {
        let heard = self.heard.get(of).copied().unwrap_or(now);
        now.saturating_duration_since(heard) >= self.limit
    }

    /// It is to be asked for.
    pub fn lose(&mut self, of: usize, now: Instant) {
        self.due.entry(of).or_insert(Renewal { count: 0, next: now });
    }

    /// It is there.
    pub fn find(&mut self, of: usize) {
        self.due.remove(&of);
    }

    /// The line is gone: nothing is due on it.
    pub fn forget(&mut self) {
        self.due.clear();
    }

    /// Which to ask for now.
    ///
    /// # Errors
    /// One does not come back by this line.
    pub fn due(&mut self, now: Instant) -> Result<Vec<usize>, String> {
        let mut again = Vec::new();
        for (of, renewal) in &mut self.due {
            if now < renewal.next {
                continue;
            }
            if renewal.count >= RENEWALS_MAX && self.is_by_line {
                return Err("a book does not come back".to_owned());
            }
            renewal.next = now + RENEW * 2_u32.saturating_pow(renewal.count.min(DOUBLINGS_MAX));
            renewal.count += 1;
            again.push(*of);
        }
        Ok(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_asked_for_later_and_later_and_then_the_line_goes() {
        let start = Instant::now();
        let mut books = Books::new(Venue::Bybit, 2, start);
        assert!(!books.is_silent(0, start) && books.is_silent(1, start + books.limit));
        books.lose(1, start);
        books.lose(1, start);
        let asked: Vec<u64> = (0..7)
            .filter(|second| books.due(start + Duration::from_secs(*second)) == Ok(vec![1]))
            .collect();
        assert_eq!(asked, [0, 1, 3]);
        assert!(books.due(start + Duration::from_secs(7)).is_err());
        books.find(1);
        assert_eq!(books.due(start + Duration::from_secs(9)), Ok(vec![]));
    }
}
