// SPDX-License-Identifier: Apache-2.0
//! Peak equity and the deepest fall below it, over the moments somebody asked to observe. Only a
//! new trough costs a division, so it may be fed at every event.

use crate::hash;
use crate::number::{divide, Money, Rate, Rounding, RATE_SCALE};

/// Peak and drawdowns so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawdown {
    peak: Money,
    /// Lowest equity since the peak.
    trough: Money,
    largest: Money,
    largest_rate: Rate,
}

impl Drawdown {
    /// Start at the first equity.
    #[must_use]
    pub const fn new(equity: Money) -> Self {
        Self { peak: equity, trough: equity, largest: Money::ZERO, largest_rate: Rate(0) }
    }

    /// Highest equity observed, moved along by transfers.
    #[must_use]
    pub const fn peak(&self) -> Money {
        self.peak
    }

    /// Largest fall from a peak, in money.
    #[must_use]
    pub const fn largest(&self) -> Money {
        self.largest
    }

    /// Largest fall as a fraction of its peak, rounded down to 1e-12. Peaks that are not positive
    /// give none.
    #[must_use]
    pub const fn largest_rate(&self) -> Rate {
        self.largest_rate
    }

    #[inline]
    pub(super) fn observe(&mut self, equity: Money) {
        if equity >= self.peak {
            self.peak = equity;
            self.trough = equity;
        } else if equity < self.trough {
            self.trough = equity;
            self.deepen();
        }
    }

    fn deepen(&mut self) {
        let fall = Money(self.peak.0 - self.trough.0);
        self.largest = self.largest.max(fall);
        if self.peak.0 > 0 {
            // Amounts stay below 1e26, so the product fits; a fall of more than 9 million peaks
            // does not fit a rate and counts as the largest one.
            let fraction = divide(fall.0 * RATE_SCALE, self.peak.0, Rounding::Down);
            self.largest_rate =
                self.largest_rate.max(Rate(i64::try_from(fraction).unwrap_or(i64::MAX)));
        }
    }

    pub(super) fn shift(&mut self, transfer: Money) {
        self.peak = Money(self.peak.0 + transfer.0);
        self.trough = Money(self.trough.0 + transfer.0);
    }

    pub(super) fn canonical(&self, out: &mut Vec<u8>) {
        for amount in [self.peak, self.trough, self.largest] {
            hash::put_i128(out, amount.0);
        }
        hash::put_i64(out, self.largest_rate.0);
    }
}
