// SPDX-License-Identifier: Apache-2.0
//! Median and spread of the last n values, without being moved by the largest of them. The window
//! is kept sorted: a push moves half of it at worst, which happens once a bar, not once a tick.

use std::collections::VecDeque;

use crate::error::Result;
use crate::indicator::{Reader, State};

/// Scores are cut here: one wild print must not be the largest number a model ever saw.
const SCORE_MAX: f64 = 8.0;
/// Median absolute deviation of a normal distribution, in standard deviations.
const NORMAL_MAD: f64 = 0.674_489_750_196_081_7;

/// The last n values and where their middle lies.
#[derive(Debug, Clone)]
pub(super) struct RobustWindow {
    period: usize,
    arrived: VecDeque<f64>,
    sorted: Vec<f64>,
    median: f64,
    spread: f64,
}

impl RobustWindow {
    pub(super) fn new(period: usize) -> Self {
        let (arrived, sorted) = (VecDeque::with_capacity(period), Vec::with_capacity(period));
        Self { period, arrived, sorted, median: f64::NAN, spread: f64::NAN }
    }

    /// Take a value that is a number.
    pub(super) fn push(&mut self, value: f64) {
        if self.arrived.len() == self.period {
            if let Some(leaving) = self.arrived.pop_front() {
                let at = self.sorted.partition_point(|other| other.total_cmp(&leaving).is_lt());
                self.sorted.remove(at);
            }
        }
        self.arrived.push_back(value);
        let at = self.sorted.partition_point(|other| other.total_cmp(&value).is_lt());
        self.sorted.insert(at, value);
        if self.arrived.len() == self.period {
            self.measure();
        }
    }

    /// How far a value lies from the median, in deviations that a normal sample would have;
    /// `None` until the window is full, and while most of it is one value.
    pub(super) fn score(&self, value: f64) -> Option<f64> {
        let score = (value - self.median) / self.spread;
        (self.spread > 0.0).then(|| score.clamp(-SCORE_MAX, SCORE_MAX))
    }

    fn measure(&mut self) {
        let n = self.sorted.len();
        self.median = middle(|at| self.sorted[at], n);
        let split = self.sorted.partition_point(|value| *value < self.median);
        let distance = |at: usize| self.distance(split, at);
        let upper = n / 2;
        let first = distance(if n.is_multiple_of(2) { upper - 1 } else { upper });
        let second = if n.is_multiple_of(2) { distance(upper) } else { first };
        self.spread = 0.5 * (first + second) / NORMAL_MAD;
    }

    /// The distance from the median that `at` others do not exceed. Below the split they grow
    /// leftwards, above it rightwards: search how many of the nearest lie below.
    fn distance(&self, split: usize, at: usize) -> f64 {
        let below = |taken: usize| self.median - self.sorted[split - 1 - taken];
        let above = |taken: usize| self.sorted[split + taken] - self.median;
        let count = at + 1;
        let (mut low, mut high) =
            (count.saturating_sub(self.sorted.len() - split), count.min(split));
        while low < high {
            let middle = (low + high) / 2;
            // Too few from below if the next one there is nearer than the last one from above.
            if below(middle) < above(count - middle - 1) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let farthest_below = if low > 0 { below(low - 1) } else { 0.0 };
        let farthest_above = if count > low { above(count - low - 1) } else { 0.0 };
        farthest_below.max(farthest_above)
    }
}

/// The median of n sorted values.
fn middle(value: impl Fn(usize) -> f64, n: usize) -> f64 {
    if n % 2 == 1 {
        value(n / 2)
    } else {
        0.5 * (value(n / 2 - 1) + value(n / 2))
    }
}

impl State for RobustWindow {
    fn save(&self, to: &mut Vec<u8>) {
        (self.period as u64).save(to);
        (self.arrived.len() as u64).save(to);
        self.arrived.iter().for_each(|value| value.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("window", self.period as u64)?;
        let mut count = 0_u64;
        count.load(from)?;
        let mut next = Self::new(self.period);
        for _ in 0..count.min(self.period as u64) {
            let mut value = 0.0;
            value.load(from)?;
            next.arrived.push_back(value);
        }
        next.sorted.extend(&next.arrived);
        next.sorted.sort_by(f64::total_cmp);
        if next.arrived.len() == next.period {
            next.measure();
        }
        *self = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        middle(|at| sorted[at], sorted.len())
    }

    #[test]
    fn scores_are_those_of_the_window_sorted_anew() {
        for period in [3, 4, 17, 60] {
            let mut window = RobustWindow::new(period);
            let mut seen: Vec<f64> = Vec::new();
            for step in 0..300_u64 {
                let value = ((step * 7919) % 101) as f64 - 50.0;
                seen.push(value);
                window.push(value);
                if seen.len() < period {
                    assert_eq!(window.score(value), None);
                    continue;
                }
                let last = &seen[seen.len() - period..];
                let middle = median(last);
                let far: Vec<f64> = last.iter().map(|value| (value - middle).abs()).collect();
                let spread = median(&far) / NORMAL_MAD;
                let due = ((value - middle) / spread).clamp(-SCORE_MAX, SCORE_MAX);
                assert_eq!(window.score(value), (spread > 0.0).then_some(due), "{period} {step}");
            }
        }
    }
}
