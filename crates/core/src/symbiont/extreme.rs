// SPDX-License-Identifier: Apache-2.0
//! Extremes of windows for many rows at a time. The answers are those of the project's rolling
//! minimum and maximum; the way is one on which a processor has no branch to guess.

/// Largest (`MAX`) or smallest of the last n values; of equal ones the newest.
///
/// Values are cut into runs of n. The last n are the end of one run and the beginning of the next:
/// extremes of all ends are found once a run is over, backwards, and that of the beginning grows
/// with every value.
#[derive(Debug, Clone)]
pub(super) struct Extreme<const MAX: bool> {
    /// Values of this run so far, then extremes of the ends of the run before.
    run: Vec<f64>,
    next: usize,
    beginning: f64,
    is_first: bool,
}

impl<const MAX: bool> Extreme<MAX> {
    const LEAST: f64 = if MAX { f64::NEG_INFINITY } else { f64::INFINITY };

    pub(super) fn new(window: usize) -> Self {
        Self { run: vec![Self::LEAST; window], next: 0, beginning: Self::LEAST, is_first: true }
    }

    /// Take a value; the extreme once the window is full.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        self.beginning = Self::of(self.beginning, value);
        self.run[self.next] = value;
        self.next += 1;
        if self.next == self.run.len() {
            return Some(self.turn());
        }
        (!self.is_first).then(|| Self::of(self.run[self.next], self.beginning))
    }

    /// A run is over, and is the window.
    fn turn(&mut self) -> f64 {
        let mut end = Self::LEAST;
        for value in self.run.iter_mut().rev() {
            end = Self::of(*value, end);
            *value = end;
        }
        (self.next, self.is_first) = (0, false);
        std::mem::replace(&mut self.beginning, Self::LEAST)
    }

    #[inline(always)]
    fn of(older: f64, newer: f64) -> f64 {
        let is_newer = if MAX { newer >= older } else { newer <= older };
        if is_newer {
            newer
        } else {
            older
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::indicator::{RollingMax, RollingMin};
    use crate::rng::Random;

    /// Few distinct values, both zeros among them: equal ones meet often.
    #[test]
    fn extremes_are_those_of_the_indicators_to_the_bit() -> Result<()> {
        let mut draw = Random::new(5, 0);
        for window in [1, 2, 3, 8, 50, 1_000] {
            let (mut low, mut high) = (RollingMin::new(window)?, RollingMax::new(window)?);
            let (mut lowest, mut highest) =
                (Extreme::<false>::new(window), Extreme::<true>::new(window));
            for _ in 0..4_321 {
                let value = (draw.uniform() * 9.0 - 4.0).round() * -0.5;
                let bits = |found: Option<f64>| found.map(f64::to_bits);
                assert_eq!(bits(lowest.push(value)), bits(low.push(value)), "{window}");
                assert_eq!(bits(highest.push(value)), bits(high.push(value)), "{window}");
            }
        }
        Ok(())
    }
}
