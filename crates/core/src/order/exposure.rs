// SPDX-License-Identifier: Apache-2.0
//! What one instrument could cost in the worst case: the position if every open order of one side
//! filled, reductions first, and none of the other. Kept as counters, so that reading and changing
//! them costs the same with one open order and with a hundred thousand. Reduce-only orders are
//! counted apart: the venue lets them shrink a position and nothing else. Which position that was
//! is not known before their fills are: the venue may have filled a reduction before orders whose
//! fills were told first.

use std::collections::BTreeMap;

use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::number::{Lots, Money, Side, Ticks};

/// Position and reservations of one instrument, in lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// Signed position from fills.
    pub position: Lots,
    /// Reserved by open buys that may open or grow a position.
    pub open_buy: Lots,
    /// Reserved by open sells that may open or grow a position.
    pub open_sell: Lots,
    /// Reserved by open reduce-only buys.
    pub reduce_buy: Lots,
    /// Reserved by open reduce-only sells.
    pub reduce_sell: Lots,
    /// Of these, by reduce-only buys that trade at once.
    pub exit_buy: Lots,
    /// Of these, by reduce-only sells that trade at once.
    pub exit_sell: Lots,
    /// Of `exit_buy`, by those of unknown fate.
    pub lost_buy: Lots,
    /// Of `exit_sell`, by those of unknown fate.
    pub lost_sell: Lots,
    /// Bought by other orders, as told while reduce-only buys were open.
    pub bought: Lots,
    /// Sold by other orders, as told while reduce-only sells were open.
    pub sold: Lots,
}

impl Exposure {
    /// Largest long position the open orders can lead to; negative if short even then. A reduction
    /// may fill first and take away the short that the buys were to close, also the one that was
    /// there before buys of which we know.
    #[must_use]
    pub fn long(&self) -> i64 {
        let short = self.bought.0.saturating_sub(self.position.0).max(0);
        let reduced = self.reduce_buy.0.min(short);
        self.position.0.saturating_add(reduced).saturating_add(self.open_buy.0)
    }

    /// Largest short position the open orders can lead to; negative if long even then.
    #[must_use]
    pub fn short(&self) -> i64 {
        let long = self.sold.0.saturating_add(self.position.0).max(0);
        let reduced = self.reduce_sell.0.min(long);
        self.open_sell.0.saturating_add(reduced).saturating_sub(self.position.0)
    }

    /// Towards one side: `long` for buys, `short` for sells.
    #[must_use]
    pub fn towards(&self, side: Side) -> i64 {
        match side {
            Side::Buy => self.long(),
            Side::Sell => self.short(),
        }
    }

    /// Largest size of the position that the open orders can lead to.
    #[must_use]
    pub fn worst(&self) -> i64 {
        self.long().max(self.short())
    }

    /// What reductions of one side that trade at once may still trade: all of it, and the part of
    /// which nobody knows whether it ever came to the venue.
    #[must_use]
    pub fn exits(&self, side: Side) -> (Lots, Lots) {
        match side {
            Side::Buy => (self.exit_buy, self.lost_buy),
            Side::Sell => (self.exit_sell, self.lost_sell),
        }
    }

    fn reserved(&mut self, side: Side, reduce_only: bool) -> &mut Lots {
        match (side, reduce_only) {
            (Side::Buy, false) => &mut self.open_buy,
            (Side::Sell, false) => &mut self.open_sell,
            (Side::Buy, true) => &mut self.reduce_buy,
            (Side::Sell, true) => &mut self.reduce_sell,
        }
    }

    /// Remember what other orders of a side have traded for as long as a reduction of that side
    /// may have filled before them.
    fn remember(&mut self, change: Shift) {
        if !change.reduce_only {
            let traded = match change.side {
                Side::Buy => &mut self.bought,
                Side::Sell => &mut self.sold,
            };
            traded.0 = traded.0.saturating_add(change.filled.0);
        }
        if self.reduce_buy.0 == 0 {
            self.bought = Lots::ZERO;
        }
        if self.reduce_sell.0 == 0 {
            self.sold = Lots::ZERO;
        }
    }
}

/// Sums over all desks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Worst-case value at the reference prices.
    pub gross: Money,
    /// Desks with an exposure but no reference price: `gross` lacks them.
    pub unvalued: u32,
}

/// One instrument as the engine sees it.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Its rules.
    pub instrument: Instrument,
    /// Reference price and when it was true.
    pub mark: Option<(Ticks, i64)>,
    /// Position and reservations.
    pub exposure: Exposure,
    /// Worst case at the reference price, as counted in the gross exposure.
    value: Money,
    is_unvalued: bool,
    /// Money of one lot at one tick, where it fits 64 bits.
    unit: Option<i64>,
    /// Own resting limit orders: price to count, for the self-cross check.
    resting: [BTreeMap<Ticks, u32>; 2],
}

impl Desk {
    /// A desk without position, orders and reference price.
    #[must_use]
    pub fn new(instrument: Instrument) -> Self {
        let unit = i64::try_from(instrument.unit_value().0).ok();
        Self {
            instrument,
            mark: None,
            exposure: Exposure::default(),
            value: Money::ZERO,
            is_unvalued: false,
            unit,
            resting: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    /// `price * lots` in money, as `Instrument::notional`; without 128-bit multiplications where
    /// the numbers are of ordinary size.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`].
    #[inline]
    pub fn worth(&self, price: Ticks, lots: Lots) -> Result<Money> {
        match (price.0.checked_mul(lots.0), self.unit) {
            (Some(product), Some(unit)) => Ok(Money(i128::from(product) * i128::from(unit))),
            _ => self.instrument.notional(price, lots),
        }
    }

    /// Set the reference price; `totals` follows.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`] if the price is not positive or the value would not fit.
    pub fn set_mark(&mut self, mark: Ticks, now_ns: i64, totals: &mut Totals) -> Result<()> {
        if mark.0 <= 0 {
            return Err(CoreError::new(
                Code::NumberOutOfRange,
                format!("{}: reference price {} ticks", self.instrument.symbol, mark.0),
            ));
        }
        self.worth(mark, Lots(self.exposure.worst()))?;
        self.mark = Some((mark, now_ns));
        self.revalue(totals);
        Ok(())
    }

    /// Change a reservation and the position; `totals` follows.
    pub fn shift(&mut self, change: Shift, totals: &mut Totals) {
        let reserved = self.exposure.reserved(change.side, change.reduce_only);
        reserved.0 = reserved.0.saturating_add(change.reserved);
        let (exits, lost) = match change.side {
            Side::Buy => (&mut self.exposure.exit_buy, &mut self.exposure.lost_buy),
            Side::Sell => (&mut self.exposure.exit_sell, &mut self.exposure.lost_sell),
        };
        exits.0 = exits.0.saturating_add(change.exits);
        lost.0 = lost.0.saturating_add(change.lost);
        let signed = change.filled.signed(change.side);
        self.exposure.position.0 = self.exposure.position.0.saturating_add(signed.0);
        self.exposure.remember(change);
        self.revalue(totals);
    }

    /// Replace the position, as at start from the venue's truth.
    pub fn set_position(&mut self, position: Lots, totals: &mut Totals) {
        self.exposure.position = position;
        self.revalue(totals);
    }

    fn revalue(&mut self, totals: &mut Totals) {
        let mark = self.mark.map_or(Ticks(0), |(mark, _)| mark);
        // What does not fit refuses every further order.
        let value = self.worth(mark, Lots(self.exposure.worst())).unwrap_or(Money(i128::MAX / 4));
        totals.gross.0 = totals.gross.0.saturating_add(value.0 - self.value.0);
        self.value = value;
        let is_unvalued = self.mark.is_none() && self.exposure.worst() > 0;
        if is_unvalued != self.is_unvalued {
            self.is_unvalued = is_unvalued;
            let count = &mut totals.unvalued;
            *count = if is_unvalued { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Count an own limit order as resting.
    pub fn rest(&mut self, side: Side, price: Ticks) {
        *self.resting[side as usize].entry(price).or_insert(0) += 1;
    }

    /// Stop counting it.
    pub fn unrest(&mut self, side: Side, price: Ticks) {
        let levels = &mut self.resting[side as usize];
        if let Some(count) = levels.get_mut(&price) {
            *count -= 1;
            if *count == 0 {
                levels.remove(&price);
            }
        }
    }

    /// Best price of own resting orders on a side.
    #[must_use]
    pub fn best_resting(&self, side: Side) -> Option<Ticks> {
        let levels = &self.resting[side as usize];
        match side {
            Side::Buy => levels.last_key_value(),
            Side::Sell => levels.first_key_value(),
        }
        .map(|(price, _)| *price)
    }
}

/// One change of a desk's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Direction of the order.
    pub side: Side,
    /// Is it reduce-only?
    pub reduce_only: bool,
    /// Lots more (or fewer) reserved.
    pub reserved: i64,
    /// Of these, by a reduction that trades at once.
    pub exits: i64,
    /// Lots more (or fewer) reserved by one of unknown fate.
    pub lost: i64,
    /// Lots filled.
    pub filled: Lots,
}
