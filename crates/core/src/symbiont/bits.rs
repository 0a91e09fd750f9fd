// SPDX-License-Identifier: Apache-2.0
//! Comparisons of numbers to words of bits, a bit a row, the first row lowest. What is not defined
//! compares as false.

use super::bank::{BLOCK, WORD};

/// Words of a block.
pub(super) const WORDS: usize = BLOCK / WORD;
/// Rows that are compared side by side.
const LANES: usize = 4;

/// The bits of a block.
pub(super) type Words = [u64; WORDS];

/// Which rows compare as `test` says; false beyond the last one.
#[inline(always)]
pub(super) fn of_two(left: &[f64], right: &[f64], test: impl Fn(f64, f64) -> bool) -> Words {
    let mut words = [0; WORDS];
    let parts = left.chunks(WORD).zip(right.chunks(WORD));
    for (to, (left, right)) in words.iter_mut().zip(parts) {
        *to = match (left.try_into(), right.try_into()) {
            (Ok(left), Ok(right)) => word(left, right, &test),
            _ => word(&filled(left), &filled(right), &test),
        };
    }
    words
}

#[inline(always)]
fn word(left: &[f64; WORD], right: &[f64; WORD], test: impl Fn(f64, f64) -> bool) -> u64 {
    let mut found = [0; LANES];
    let mut bit: [u64; LANES] = std::array::from_fn(|lane| 1 << lane);
    for (left, right) in left.chunks_exact(LANES).zip(right.chunks_exact(LANES)) {
        for lane in 0..LANES {
            found[lane] |= if test(left[lane], right[lane]) { bit[lane] } else { 0 };
            bit[lane] <<= LANES;
        }
    }
    found.iter().fold(0, |all, lane| all | lane)
}

/// A short word; what is not there is not defined.
fn filled(part: &[f64]) -> [f64; WORD] {
    let mut whole = [f64::NAN; WORD];
    whole[..part.len()].copy_from_slice(part);
    whole
}

/// Lowest and highest of each word of numbers, by which many a bound is known not to be met in a
/// word without a look at its rows.
#[derive(Debug, Clone)]
pub(super) struct Span {
    low: [f64; WORDS],
    high: [f64; WORDS],
}

impl Span {
    pub(super) const fn new() -> Self {
        Self { low: [f64::INFINITY; WORDS], high: [f64::NEG_INFINITY; WORDS] }
    }

    /// The span of these values.
    pub(super) fn take(&mut self, values: &[f64]) {
        *self = Self::new();
        for (word, part) in values.chunks(WORD).enumerate() {
            let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
            let (fours, rest) = part.as_chunks::<LANES>();
            for four in fours {
                for lane in 0..LANES {
                    low[lane] = lower(four[lane], low[lane]);
                    high[lane] = higher(four[lane], high[lane]);
                }
            }
            self.low[word] =
                low.iter().chain(rest).fold(f64::INFINITY, |low, &value| lower(value, low));
            self.high[word] =
                high.iter().chain(rest).fold(f64::NEG_INFINITY, |high, &value| higher(value, high));
        }
    }

    /// Which of these values are on the given side of a bound.
    pub(super) fn beyond(&self, values: &[f64], side: Beyond, bound: f64) -> Words {
        match side {
            Beyond::Below => one(values, &self.low, |value| value < bound),
            Beyond::BelowOrAt => one(values, &self.low, |value| value <= bound),
            Beyond::Above => one(values, &self.high, |value| value > bound),
            Beyond::AboveOrAt => one(values, &self.high, |value| value >= bound),
        }
    }
}

/// The lower of a value, if defined, and the lowest before it.
fn lower(value: f64, lowest: f64) -> f64 {
    if value < lowest {
        value
    } else {
        lowest
    }
}

/// The higher of a value, if defined, and the highest before it.
fn higher(value: f64, highest: f64) -> f64 {
    if value > highest {
        value
    } else {
        highest
    }
}

/// Where a number is seen from a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beyond {
    Below,
    BelowOrAt,
    Above,
    AboveOrAt,
}

/// Where `nearest` of a word fails the test, none of its rows can pass.
#[inline(always)]
fn one(values: &[f64], nearest: &[f64; WORDS], test: impl Fn(f64) -> bool) -> Words {
    let mut words = [0; WORDS];
    for ((to, part), &nearest) in words.iter_mut().zip(values.chunks(WORD)).zip(nearest) {
        if test(nearest) {
            let two = |value, _| test(value);
            *to = match part.try_into() {
                Ok(part) => word(part, part, two),
                Err(_) => word(&filled(part), &filled(part), two),
            };
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Random;

    type Compare = fn(f64, f64) -> bool;
    const SIDES: [(Beyond, Compare); 4] = [
        (Beyond::Below, |value, bound| value < bound),
        (Beyond::BelowOrAt, |value, bound| value <= bound),
        (Beyond::Above, |value, bound| value > bound),
        (Beyond::AboveOrAt, |value, bound| value >= bound),
    ];

    /// Row by row.
    fn plain(left: &[f64], right: impl Fn(usize) -> f64, test: Compare) -> Words {
        let mut words = [0; WORDS];
        for (row, &value) in left.iter().enumerate() {
            words[row / WORD] |= u64::from(test(value, right(row))) << (row % WORD);
        }
        words
    }

    /// Few distinct values, so that a bound is often met, missed by a whole word, or undefined.
    #[test]
    fn words_are_those_of_row_by_row() {
        let mut draw = Random::new(6, 0);
        for count in [1, 7, 63, 64, 65, 300, BLOCK] {
            let mut column = |level: f64| -> Vec<f64> {
                let mut value = || match draw.uniform() {
                    share if share < 0.05 => f64::NAN,
                    share if share < 0.06 => f64::INFINITY,
                    share => (share * 4.0).round() + level,
                };
                (0..count).map(|_| value()).collect()
            };
            let (left, right) = (column(0.0), column(1.0));
            let mut span = Span::new();
            span.take(&column(100.0));
            span.take(&left);
            for (side, test) in SIDES {
                let two = of_two(&left, &right, test);
                assert_eq!(two, plain(&left, |row| right[row], test), "{side:?} of {count}");
                for bound in [-1.0, 0.0, 1.0, 3.0, 4.0, 9.0, f64::NAN, f64::INFINITY] {
                    let found = span.beyond(&left, side, bound);
                    assert_eq!(found, plain(&left, |_| bound, test), "{side:?} {bound}, {count}");
                }
            }
        }
    }
}
