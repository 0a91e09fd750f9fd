// SPDX-License-Identifier: Apache-2.0
//! The order book as a venue publishes it: price levels from snapshots and deltas. Prices and
//! quantities are exact; imbalance, micro price and average price are floats, because only models
//! read them. A message that leaves the book crossed empties it: nobody can trade on a book that
//! cannot be true. Sequence numbers and gaps are the business of the wire format, not of this
//! file.

use crate::error::{Code, CoreError, Result};
use crate::levels::{Best, Ladder};
use crate::number::{Lots, Side, Ticks};

/// A price and the whole quantity at it.
pub type Quote = (Ticks, Lots);

/// What a taker of some quantity would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Walk {
    /// Quantity the book can give, at most what was asked.
    pub filled: Lots,
    /// Sum of price times quantity, in ticks times lots.
    pub value: i128,
    /// Price of the last level touched.
    pub worst: Ticks,
}

impl Walk {
    /// Average price in ticks.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.value as f64 / self.filled.0 as f64
    }
}

/// Price levels of one symbol.
#[derive(Debug, Clone)]
pub struct Book {
    bids: Ladder<Lots>,
    asks: Ladder<Lots>,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book.
    #[must_use]
    pub const fn new() -> Self {
        Self { bids: Ladder::new(Best::Highest), asks: Ladder::new(Best::Lowest) }
    }

    /// Replace the whole book. Levels may come in any order; a later one of the same price wins.
    ///
    /// # Errors
    /// [`Code::DataInvalid`] for a price that is not positive or a negative quantity: the book is
    /// unchanged. [`Code::BookCrossed`]: the book is empty.
    pub fn apply_snapshot(&mut self, bids: &[Quote], asks: &[Quote]) -> Result<()> {
        check_quotes(bids)?;
        check_quotes(asks)?;
        self.clear();
        for (side, quotes) in [(Side::Buy, bids), (Side::Sell, asks)] {
            let ladder = self.side_mut(side);
            let mut set = |&(price, lots): &Quote| set_level(ladder, price, lots);
            // Venues send the best level first; a ladder grows at its best end.
            let is_best_first = quotes.is_sorted_by(|(one, _), (next, _)| match side {
                Side::Buy => one > next,
                Side::Sell => one < next,
            });
            if is_best_first {
                quotes.iter().rev().for_each(&mut set);
            } else {
                quotes.iter().for_each(&mut set);
            }
        }
        self.drop_if_crossed()
    }

    /// Set the named levels; quantity 0 removes one, and removing an absent level is no error.
    ///
    /// # Errors
    /// As [`Book::apply_snapshot`]. Crossing is judged after the whole message.
    pub fn apply_delta(&mut self, bids: &[Quote], asks: &[Quote]) -> Result<()> {
        check_quotes(bids)?;
        check_quotes(asks)?;
        self.set_all(bids, asks)
    }

    /// A delta of one level.
    ///
    /// # Errors
    /// As [`Book::apply_delta`].
    pub fn update(&mut self, side: Side, price: Ticks, lots: Lots) -> Result<()> {
        check_quotes(&[(price, lots)])?;
        set_level(self.side_mut(side), price, lots);
        self.drop_if_crossed()
    }

    /// Set many levels in order. *buys*, *prices* (ticks), *lots*: one row a level; *ends*: the row
    /// ends a message, after which crossing is judged; without it all rows are one message.
    ///
    /// # Errors
    /// As [`Book::apply_delta`], and [`Code::DataInvalid`] for columns of different lengths.
    pub fn apply_batch(
        &mut self,
        buys: &[bool],
        prices: &[i64],
        lots: &[i64],
        ends: Option<&[bool]>,
    ) -> Result<()> {
        check_columns(buys, prices, lots, ends)?;
        for (row, ((buy, price), lots)) in buys.iter().zip(prices).zip(lots).enumerate() {
            let ladder = if *buy { &mut self.bids } else { &mut self.asks };
            set_level(ladder, Ticks(*price), Lots(*lots));
            if ends.is_some_and(|ends| ends[row]) {
                self.drop_if_crossed()?;
            }
        }
        self.drop_if_crossed()
    }

    /// Keep only the best `levels` of one side.
    pub fn trim(&mut self, side: Side, levels: usize) {
        self.side_mut(side).trim(levels);
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Best bid and its quantity.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Quote> {
        self.bids.best()
    }

    /// Best ask and its quantity.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Quote> {
        self.asks.best()
    }

    /// Best bid and best ask, if both sides have one.
    #[inline]
    #[must_use]
    pub fn top(&self) -> Option<(Quote, Quote)> {
        self.best_bid().zip(self.best_ask())
    }

    /// Levels of the bids (`Buy`) or asks (`Sell`), best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Quote> + '_ {
        match side {
            Side::Buy => self.bids.iter(),
            Side::Sell => self.asks.iter(),
        }
    }

    /// Quantity at one level; zero where there is none.
    #[must_use]
    pub fn lots_at(&self, side: Side, price: Ticks) -> Lots {
        let ladder = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        ladder.find(price).map_or(Lots::ZERO, |at| ladder.value(at))
    }

    /// Number of levels of one side.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        }
    }

    /// (bid quantity - ask quantity) / (their sum) over the best `levels` of each side, from -1
    /// to 1; nothing if there is no quantity.
    #[must_use]
    pub fn imbalance(&self, levels: usize) -> Option<f64> {
        let sum = |side| -> i128 {
            self.levels(side).take(levels).map(|(_, lots)| i128::from(lots.0)).sum()
        };
        let (bid, ask) = (sum(Side::Buy), sum(Side::Sell));
        (bid + ask > 0).then(|| (bid - ask) as f64 / (bid + ask) as f64)
    }

    /// Mid price in ticks weighted by the *opposite* quantity: it leans to the side that is about
    /// to be eaten.
    #[must_use]
    pub fn micro_price(&self) -> Option<f64> {
        let ((bid, bid_lots), (ask, ask_lots)) = self.top()?;
        let share = bid_lots.0 as f64 / (bid_lots.0 as f64 + ask_lots.0 as f64);
        Some(bid.0 as f64 + (ask.0 - bid.0) as f64 * share)
    }

    /// Walk the book as a taker of `lots`; nothing if the other side is empty or `lots` is not
    /// positive.
    #[must_use]
    pub fn walk_cost(&self, taker: Side, lots: Lots) -> Option<Walk> {
        let mut walk = Walk { filled: Lots::ZERO, value: 0, worst: Ticks(0) };
        for (price, there) in self.levels(taker.opposite()) {
            let part = there.0.min(lots.0 - walk.filled.0);
            if part <= 0 {
                break;
            }
            walk.filled.0 += part;
            walk.value += i128::from(price.0) * i128::from(part);
            walk.worst = price;
        }
        (walk.filled > Lots::ZERO).then_some(walk)
    }

    fn side_mut(&mut self, side: Side) -> &mut Ladder<Lots> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    fn set_all(&mut self, bids: &[Quote], asks: &[Quote]) -> Result<()> {
        for (side, quotes) in [(Side::Buy, bids), (Side::Sell, asks)] {
            let ladder = self.side_mut(side);
            for &(price, lots) in quotes {
                set_level(ladder, price, lots);
            }
        }
        self.drop_if_crossed()
    }

    fn drop_if_crossed(&mut self) -> Result<()> {
        match self.top() {
            Some(((bid, _), (ask, _))) if bid >= ask => {
                self.clear();
                Err(CoreError::new(
                    Code::BookCrossed,
                    format!(
                        "best bid {} is not below best ask {} (ticks); the book is dropped, \
                         ask the venue for a snapshot",
                        bid.0, ask.0
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

fn set_level(ladder: &mut Ladder<Lots>, price: Ticks, lots: Lots) {
    match (ladder.find(price), lots) {
        (Ok(at), Lots::ZERO) => ladder.remove(at),
        (Ok(at), _) => ladder.set(at, lots),
        (Err(_), Lots::ZERO) => {}
        (Err(at), _) => ladder.insert(at, price, lots),
    }
}

fn check_quotes(quotes: &[Quote]) -> Result<()> {
    match quotes.iter().find(|(price, lots)| price.0 <= 0 || lots.0 < 0) {
        None => Ok(()),
        Some((price, lots)) => Err(CoreError::new(
            Code::DataInvalid,
            format!(
                "level of {} lots at {} ticks: price must be positive, quantity not negative",
                lots.0, price.0
            ),
        )),
    }
}

fn check_columns(buys: &[bool], prices: &[i64], lots: &[i64], ends: Option<&[bool]>) -> Result<()> {
    let rows = buys.len();
    let is_even = prices.len() == rows && lots.len() == rows;
    if !is_even || ends.is_some_and(|ends| ends.len() != rows) {
        let sentence = "columns of a batch have different lengths";
        return Err(CoreError::new(Code::DataInvalid, sentence));
    }
    // One pass that the compiler can vectorise; the row is looked for only when there is one.
    if prices.iter().all(|price| *price > 0) && lots.iter().all(|lots| *lots >= 0) {
        return Ok(());
    }
    let quotes: Vec<Quote> =
        prices.iter().zip(lots).map(|(price, lots)| (Ticks(*price), Lots(*lots))).collect();
    check_quotes(&quotes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn quotes(pairs: &[(i64, i64)]) -> Vec<Quote> {
        pairs.iter().map(|&(price, lots)| (Ticks(price), Lots(lots))).collect()
    }

    fn book() -> Book {
        let mut book = Book::new();
        book.apply_snapshot(&quotes(&[(98, 5), (99, 1)]), &quotes(&[(101, 3), (104, 4)])).unwrap();
        book
    }

    #[test]
    fn an_empty_book_answers_nothing() {
        let book = Book::new();
        assert_eq!((book.top(), book.imbalance(5), book.micro_price()), (None, None, None));
        assert_eq!(book.walk_cost(Side::Buy, Lots(1)), None);
    }

    #[test]
    fn analytics_follow_their_definitions() {
        let book = book();
        assert_eq!(book.imbalance(1), Some(-0.5));
        assert_eq!(book.imbalance(9), Some(-1.0 / 13.0));
        assert_eq!(book.micro_price(), Some(99.5));
        let walk = book.walk_cost(Side::Buy, Lots(5)).unwrap();
        assert_eq!((walk.filled, walk.value, walk.worst), (Lots(5), 511, Ticks(104)));
        assert_eq!(walk.average(), 102.2);
        assert_eq!(book.walk_cost(Side::Sell, Lots(50)).unwrap().filled, Lots(6));
        assert_eq!(book.walk_cost(Side::Sell, Lots(0)), None);
    }

    #[test]
    fn a_crossed_message_empties_the_book_and_says_so() {
        for price in [101, 102] {
            let mut book = book();
            let error = book.update(Side::Buy, Ticks(price), Lots(1)).unwrap_err();
            assert_eq!(error.code, Code::BookCrossed);
            assert_eq!(book.depth(Side::Buy) + book.depth(Side::Sell), 0);
        }
    }

    #[test]
    fn crossing_inside_a_message_is_no_crossing() {
        let mut book = book();
        book.apply_delta(&quotes(&[(102, 1)]), &quotes(&[(101, 0)])).unwrap();
        assert_eq!(book.top(), Some(((Ticks(102), Lots(1)), (Ticks(104), Lots(4)))));
    }

    #[test]
    fn a_batch_is_its_deltas_one_after_the_other() {
        let (buys, prices, lots) = ([true, false, true, true], [100, 102, 102, 102], [1, 1, 2, 0]);
        let mut batch = book();
        batch.apply_batch(&buys, &prices, &lots, None).unwrap();
        let mut single = book();
        single.apply_delta(&quotes(&[(100, 1), (102, 2), (102, 0)]), &quotes(&[(102, 1)])).unwrap();
        for side in [Side::Buy, Side::Sell] {
            assert!(batch.levels(side).eq(single.levels(side)));
        }
        let ends = [true, true, true, true];
        let error = book().apply_batch(&buys, &prices, &lots, Some(&ends)).unwrap_err();
        assert_eq!(error.code, Code::BookCrossed, "row 3 ends a message with bid 102");
        for (prices, lots) in [([1, 1, 1, 0], [1; 4]), ([1; 4], [1, 1, 1, -1])] {
            let error = batch.apply_batch(&buys, &prices, &lots, None).unwrap_err();
            assert_eq!(error.code, Code::DataInvalid);
        }
        assert!(batch.apply_batch(&buys, &prices[1..], &lots, None).is_err());
        assert!(batch.levels(Side::Buy).eq(single.levels(Side::Buy)));
    }

    #[test]
    fn invalid_levels_are_refused_and_change_nothing() {
        for bad in [(0, 1), (-3, 1), (97, -1)] {
            let mut book = book();
            let error = book.apply_delta(&quotes(&[(98, 0), bad]), &[]).unwrap_err();
            assert_eq!(error.code, Code::DataInvalid);
            assert_eq!(book.depth(Side::Buy), 2);
            assert!(book.apply_snapshot(&[], &quotes(&[bad])).is_err());
            assert_eq!(book.depth(Side::Sell), 2);
        }
    }
}
