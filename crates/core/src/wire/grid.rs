// SPDX-License-Identifier: Apache-2.0
//! The price and quantity grid of one instrument, as the feed needs it: floats of the wire to exact
//! counts and back. A price off the tick is refused, because a level that is not the venue's own
//! would never be removed; it means that the venue changed its rules, so reload the instrument. A
//! quantity off the lot is rounded, at least to one lot: old orders may rest on a finer step, and
//! the level exists. Back in floats a price is again the float nearest to its decimal text.

use super::frame::Level;
use super::invalid;
use crate::book::Quote;
use crate::error::Result;
use crate::instrument::STEP_DECIMALS;
use crate::number::{round_half_away, Lots, Ticks};
use crate::Instrument;

/// Counts above this are no market's quantity, and float arithmetic on them is no longer exact.
const COUNT_MAX: f64 = 9e15;

/// A step as float: multiply by `step`, or divide by its whole inverse, which rounds correctly.
#[derive(Debug, Clone, Copy)]
struct Step {
    step: f64,
    inverse: Option<f64>,
}

impl Step {
    fn new(units: i128, step: f64) -> Self {
        let one = 10_i128.pow(STEP_DECIMALS);
        let inverse = (units < one && one % units == 0).then(|| (one / units) as f64);
        Self { step, inverse }
    }

    #[inline]
    fn value(self, count: i64) -> f64 {
        match self.inverse {
            Some(inverse) => count as f64 / inverse,
            None => count as f64 * self.step,
        }
    }
}

/// Floats to counts and back for one instrument.
#[derive(Debug, Clone)]
pub struct Grid {
    instrument: Instrument,
    tick: Step,
    lot: Step,
}

impl Grid {
    /// The grid of an instrument.
    #[must_use]
    pub fn new(instrument: Instrument) -> Self {
        let tick = Step::new(instrument.tick_size, instrument.price_f64(Ticks(1)));
        let lot = Step::new(instrument.lot_size, instrument.quantity_f64(Lots(1)));
        Self { instrument, tick, lot }
    }

    /// The instrument's symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.instrument.symbol
    }

    /// Float of a price.
    #[inline]
    #[must_use]
    pub fn price(&self, price: Ticks) -> f64 {
        self.tick.value(price.0)
    }

    /// Float of a quantity.
    #[inline]
    #[must_use]
    pub fn quantity(&self, lots: Lots) -> f64 {
        self.lot.value(lots.0)
    }

    /// Exact counts of one level.
    ///
    /// # Errors
    /// `FrameInvalid` for a price off the tick or a count that is too large.
    #[inline]
    pub fn quote(&self, price: f64, quantity: f64) -> Result<Quote> {
        let ticks =
            self.instrument.ticks_from_f64(price).map_err(|error| invalid(error.to_string()))?;
        let lots = round_half_away(quantity / self.lot.step);
        if ticks.0 <= 0 || lots >= COUNT_MAX {
            let symbol = self.symbol();
            return Err(invalid(format!("{symbol} level {price} x {quantity} is out of range")));
        }
        let lots = if quantity > 0.0 { (lots as i64).max(1) } else { 0 };
        Ok((ticks, Lots(lots)))
    }

    /// Exact counts of levels, into a buffer that is used again.
    pub fn quotes(&self, levels: &[(f64, f64)], into: &mut Vec<Quote>) -> Result<()> {
        into.clear();
        into.reserve(levels.len());
        for &(price, quantity) in levels {
            into.push(self.quote(price, quantity)?);
        }
        Ok(())
    }
}

/// A level as floats.
pub(super) fn floats(level: &Level<'_>) -> (f64, f64) {
    (level.price.to_f64(), level.quantity.to_f64())
}
