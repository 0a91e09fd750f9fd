// SPDX-License-Identifier: Apache-2.0
//! What crossing costs where no book is recorded: half the spread, and an impact that grows with
//! the square root of the quantity. The venue asks it for each taker; the judge of genomes asks
//! the same.

use crate::instrument::Instrument;
use crate::number::{Lots, Rounding, Side, Ticks};

/// Cost of crossing where no book says it (bars, trades).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slippage {
    /// Half the spread as a fraction of price.
    pub half_spread: f64,
    /// Impact: `coefficient * range * sqrt(quantity / volume)` of the last finished bar, where
    /// `range` is (high - low) / close.
    pub impact: f64,
}

/// Price of crossing where no book says it: last price worsened by half the spread and impact,
/// rounded against the taker; never below one tick. `bar`: relative range and volume (lots) of the
/// last finished bar.
#[must_use]
pub fn slipped(
    instrument: &Instrument,
    last: Ticks,
    (side, lots): (Side, Lots),
    [bar_range, bar_volume]: [f64; 2],
    Slippage { half_spread, impact }: Slippage,
) -> Option<Ticks> {
    if half_spread == 0.0 && impact == 0.0 {
        return Some(last);
    }
    let share = if bar_volume > 0.0 { lots.0 as f64 / bar_volume } else { 0.0 };
    let worse = half_spread + impact * bar_range * share.sqrt();
    let price = instrument.price_f64(last) * (1.0 + worse * side.sign() as f64);
    let rounding = if side == Side::Buy { Rounding::Up } else { Rounding::Down };
    let price = instrument.quantise_price(price, rounding).ok()?;
    Some(price.max(Ticks(1)))
}
