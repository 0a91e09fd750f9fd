// SPDX-License-Identifier: Apache-2.0
//! Messages that wait for a broker, bounded by their class (docs/adr/0029, 0043): of market data
//! the older half goes when there is no room, as one hole that readers see in the numbers; funding
//! and health, which do not come again by themselves, stay as long as anything can.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Messages that may wait.
pub const QUEUE_MAX: usize = 16_384;
/// Bytes that are taken at once: half of what a Kafka broker takes as a batch.
const TAKEN_BYTES_MAX: usize = 512 * 1024;

/// A message as the board made it.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// The symbol it is about; empty for none, or several.
    pub key: Arc<str>,
    /// Whether it goes last.
    pub stays: bool,
}

/// Which symbol a message is about while it is packed, and whether it has to stay.
#[derive(Debug, Default)]
pub struct About {
    of: Option<usize>,
    is_mixed: bool,
    /// Whether something in it has to stay.
    pub stays: bool,
}

impl About {
    /// A fact of symbol *number* is in it.
    pub fn note(&mut self, number: usize, stays: bool) {
        self.is_mixed |= self.of.is_some_and(|of| of != number);
        self.of = Some(number);
        self.stays |= stays;
    }

    /// The one symbol.
    #[must_use]
    pub fn only(&self) -> Option<usize> {
        self.of.filter(|_| !self.is_mixed)
    }
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Published>,
    is_closed: bool,
}

/// A queue from the hub to one thread.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

impl Outbox {
    /// Add a message. Returns how many had to go.
    pub fn put(&self, message: Published) -> u64 {
        let mut waiting = self.lock();
        waiting.messages.push_back(message);
        let dropped =
            if waiting.messages.len() > QUEUE_MAX { forget(&mut waiting.messages) } else { 0 };
        drop(waiting);
        self.news.notify_one();
        dropped as u64
    }

    /// Wait for messages and take up to *limit*; none when nothing will come any more.
    pub fn take(&self, limit: usize) -> Vec<Published> {
        let mut waiting = self.lock();
        while waiting.messages.is_empty() && !waiting.is_closed {
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        let fits = |message: &&Published| {
            bytes += message.bytes.len();
            bytes <= TAKEN_BYTES_MAX
        };
        let count = waiting.messages.iter().take(limit).take_while(fits).count().max(1);
        let count = count.min(waiting.messages.len());
        waiting.messages.drain(..count).collect()
    }

    /// Nothing will be put any more.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drop the older half of what may go; the oldest of all if that is nothing.
fn forget(messages: &mut VecDeque<Published>) -> usize {
    let before = messages.len();
    let mut going = (messages.iter().filter(|message| !message.stays).count()).div_ceil(2);
    if going == 0 {
        messages.pop_front();
        return 1;
    }
    messages.retain(|message| {
        let goes = !message.stays && going > 0;
        going -= usize::from(goes);
        !goes
    });
    before - messages.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize, stays: bool) -> Published {
        let bytes = number.to_be_bytes().as_slice().into();
        Published { bytes, key: "BTCUSDT".into(), stays }
    }

    #[test]
    fn of_a_full_queue_the_older_half_of_market_data_goes_and_funding_stays() {
        let outbox = Outbox::default();
        let dropped: u64 =
            (0..=QUEUE_MAX).map(|number| outbox.put(message(number, number % 4 == 0))).sum();
        let market = QUEUE_MAX / 4 * 3;
        assert_eq!(dropped as usize, market / 2);
        let left = outbox.take(usize::MAX);
        assert_eq!(left.len(), QUEUE_MAX + 1 - market / 2);
        let kept = left.iter().filter(|message| message.stays).count();
        assert_eq!(kept, QUEUE_MAX / 4 + 1);
        let numbers: Vec<_> = left.iter().map(|message| message.bytes.to_vec()).collect();
        assert!(numbers.is_sorted());
    }

    #[test]
    fn a_queue_of_what_stays_is_bounded_as_well() {
        let outbox = Outbox::default();
        let dropped: u64 = (0..QUEUE_MAX + 5).map(|number| outbox.put(message(number, true))).sum();
        assert_eq!(dropped, 5);
    }

    #[test]
    fn a_large_message_is_taken_alone_and_a_closed_queue_ends() {
        let outbox = Outbox::default();
        let bytes: Arc<[u8]> = vec![0; TAKEN_BYTES_MAX].into();
        for _ in 0..2 {
            outbox.put(Published { bytes: bytes.clone(), key: "".into(), stays: false });
        }
        outbox.put(message(1, false));
        outbox.close();
        let counts: Vec<_> = (0..4).map(|_| outbox.take(10).len()).collect();
        assert_eq!(counts, [1, 1, 1, 0]);
    }

    #[test]
    fn a_message_about_two_symbols_has_no_key() {
        let mut about = About::default();
        assert_eq!(about.only(), None);
        about.note(3, false);
        about.note(3, true);
        assert_eq!((about.only(), about.stays), (Some(3), true));
        about.note(4, false);
        assert_eq!(about.only(), None);
    }
}
