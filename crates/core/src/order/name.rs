// SPDX-License-Identifier: Apache-2.0
//! Order ids. HEAN's own form `h<epoch>-<strategy>-<seq>` is read arithmetically: the sequence
//! number is an index into a window of keys, so the common lookup needs no map. Every other text,
//! and what falls out of the window, is kept in a map. An id below the window or of an earlier
//! epoch counts as used: ids are never used twice.

use std::collections::{BTreeMap, VecDeque};

use super::record::{Record, Slab, NAMED, NONE};
use super::OrderKey;

/// Sequence numbers may arrive this late, for ids are given out before they are approved.
const LATE_MAX: u64 = 1_024;
/// A larger jump starts a new window instead of filling the hole.
const GAP_MAX: u64 = 65_536;

/// An order id of HEAN's own form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Grows at every start of the process.
    pub epoch: u64,
    /// Four letters of the strategy.
    pub tag: [u8; 4],
    /// Counts up within the epoch.
    pub seq: u64,
}

impl Name {
    /// Read an id; `None` if it is not exactly of this form (then it is just a text).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.as_bytes().strip_prefix(b"h")?;
        let dash = rest.iter().position(|&byte| byte == b'-')?;
        let (epoch, rest) = rest.split_at(dash);
        let [_, a, b, c, d, b'-', seq @ ..] = rest else {
            return None;
        };
        let tag = [*a, *b, *c, *d];
        if !tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return None;
        }
        Some(Self { epoch: base36(epoch)?, tag, seq: base36(seq)? })
    }

    /// The id as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(32);
        out.push('h');
        push_base36(&mut out, self.epoch);
        out.push('-');
        out.extend(self.tag.iter().map(|&byte| char::from(byte)));
        out.push('-');
        push_base36(&mut out, self.seq);
        out
    }
}

/// Digits to a number; one way of writing only, so no leading zeros and no capitals.
fn base36(digits: &[u8]) -> Option<u64> {
    // 12 digits stay below 2^63.
    if digits.is_empty() || digits.len() > 12 || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let mut value = 0;
    for &byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        value = value * 36 + u64::from(digit);
    }
    Some(value)
}

fn push_base36(out: &mut String, mut value: u64) {
    let mut digits = [0_u8; 13];
    let mut at = digits.len();
    loop {
        at -= 1;
        let digit = (value % 36) as u8;
        digits[at] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        value /= 36;
        if value == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|&byte| char::from(byte)));
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It names this order.
    Order(OrderKey),
    /// It was used, or skipped, and its order is archived.
    Spent,
    /// Never seen.
    Free,
}

/// From id to order and back.
#[derive(Debug, Clone, Default)]
pub struct Names {
    epoch: u64,
    base: u64,
    window: VecDeque<u32>,
    by_text: BTreeMap<Box<str>, OrderKey>,
    texts: BTreeMap<OrderKey, Box<str>>,
}

impl Names {
    /// What is known of an id.
    #[must_use]
    pub fn find(&self, text: &str, orders: &Slab) -> Lookup {
        self.find_parsed(text, Name::parse(text), orders)
    }

    /// As `find`, for a text that is parsed already.
    #[must_use]
    pub fn find_parsed(&self, text: &str, name: Option<Name>, orders: &Slab) -> Lookup {
        if let Some(name) = name.filter(|name| name.epoch == self.epoch) {
            let key = name.seq.checked_sub(self.base).and_then(|at| self.window.get(at as usize));
            if let Some(&key) = key.filter(|key| **key != NONE) {
                if orders.get(OrderKey(key)).is_some_and(|record| record.tag == name.tag) {
                    return Lookup::Order(OrderKey(key));
                }
            }
        }
        if let Some(&key) = self.by_text.get(text) {
            return Lookup::Order(key);
        }
        match name {
            Some(name) if (name.epoch, name.seq) < (self.epoch, self.base) => Lookup::Spent,
            _ => Lookup::Free,
        }
    }

    /// Keep the id of a new order that `find` has called free.
    pub fn insert(&mut self, text: &str, name: Option<Name>, key: OrderKey, orders: &mut Slab) {
        if let Some(name) = name {
            if self.insert_name(name, key, orders) {
                return;
            }
        }
        self.keep_text(text.into(), key, orders);
    }

    fn insert_name(&mut self, name: Name, key: OrderKey, orders: &mut Slab) -> bool {
        let end = self.base + self.window.len() as u64;
        if name.epoch > self.epoch || (name.epoch == self.epoch && name.seq > end + GAP_MAX) {
            self.move_window(name, orders);
        }
        if name.epoch != self.epoch || name.seq < self.base {
            return false;
        }
        let at = (name.seq - self.base) as usize;
        if at >= self.window.len() {
            self.window.resize(at + 1, NONE);
        }
        match self.window.get_mut(at) {
            Some(slot) if *slot == NONE => *slot = key.0,
            _ => return false,
        }
        if let Some(record) = orders.get_mut(key) {
            (record.tag, record.seq) = (name.tag, name.seq);
        }
        true
    }

    /// Start the window anew at `name`; the orders in it go on under their texts.
    fn move_window(&mut self, name: Name, orders: &mut Slab) {
        while !self.window.is_empty() {
            self.pop_front(orders);
        }
        self.epoch = name.epoch;
        self.base = name.seq - name.seq % LATE_MAX;
    }

    fn pop_front(&mut self, orders: &mut Slab) {
        if let Some(key) = self.window.pop_front().filter(|&key| key != NONE).map(OrderKey) {
            if let Some(tag) = orders.get(key).map(|record| record.tag) {
                let name = Name { epoch: self.epoch, tag, seq: self.base };
                self.keep_text(name.text().into(), key, orders);
            }
        }
        self.base += 1;
    }

    fn keep_text(&mut self, text: Box<str>, key: OrderKey, orders: &mut Slab) {
        if let Some(record) = orders.get_mut(key) {
            record.flags |= NAMED;
        }
        self.by_text.insert(text.clone(), key);
        self.texts.insert(key, text);
    }

    /// Forget the id of an order that is about to be archived. `open` is the number of open
    /// orders: the window never grows far beyond it because of one old order at its front.
    pub fn release(&mut self, key: OrderKey, orders: &mut Slab, open: usize) {
        let Some(record) = orders.get(key) else { return };
        if record.has(NAMED) {
            if let Some(text) = self.texts.remove(&key) {
                self.by_text.remove(&text);
            }
        } else {
            let at = record.seq.wrapping_sub(self.base) as usize;
            if let Some(slot) = self.window.get_mut(at) {
                *slot = NONE;
            }
        }
        while self.window.len() as u64 > LATE_MAX && self.window.front() == Some(&NONE) {
            self.pop_front(orders);
        }
        if self.window.len() > 8 * open + 2 * GAP_MAX as usize {
            self.pop_front(orders);
        }
    }

    /// The id of an order.
    #[must_use]
    pub fn text(&self, key: OrderKey, record: &Record) -> String {
        match self.texts.get(&key) {
            Some(text) => text.to_string(),
            None => Name { epoch: self.epoch, tag: record.tag, seq: record.seq }.text(),
        }
    }

    /// Epoch and first sequence number of the window, for the canonical encoding.
    #[must_use]
    pub const fn window_start(&self) -> (u64, u64) {
        (self.epoch, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ids_are_read_and_written_the_same() {
        for text in ["h1-impu-0", "hzz-em_a-1z9", "h0-ABCD-zzzzzzzzzzzz"] {
            assert_eq!(Name::parse(text).map(|name| name.text()).as_deref(), Some(text));
        }
        for text in ["h1-impu-00", "h01-impu-1", "H1-impu-1", "h1-imp-1", "h1-impul-1", "h1-impu-"]
        {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
