// SPDX-License-Identifier: Apache-2.0
//! Eight numbers side by side. A formula over them is eight formulas that do not wait for each
//! other, which keeps a processor busy where one long formula would not; each lane sees the same
//! operations whatever vectors the machine has, so the bits are the same everywhere. Logarithm and
//! exponential are to base two: what a belief multiplies and divides needs no other, and the whole
//! part of an exponent is then exact.

use std::array::from_fn;
use std::f64::consts::LN_2;
use std::ops::{Add, Div, Mul, Sub};

const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000; // below it the exponent counts one less
const TWO_52: u64 = 0x4330_0000_0000_0000;
const EXPONENT_OFFSET: f64 = 4_503_599_627_370_496.0 + 1023.0;
const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to a whole number

/// Smallest argument whose power of two is taken for a number: below it there is zero.
const EXP2_LEAST: f64 = -1021.0;

/// How many numbers lie side by side.
pub const LANES: usize = 8;

/// Eight numbers; operators work on each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lanes(pub [f64; LANES]);

impl Lanes {
    /// The same number everywhere.
    #[inline(always)]
    #[must_use]
    pub fn all(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn map(self, of: impl Fn(f64) -> f64) -> Self {
        Self(from_fn(|at| of(self.0[at])))
    }

    #[inline(always)]
    fn pair(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self(from_fn(|at| of(self.0[at], other.0[at])))
    }

    /// Logarithm to base two of normal numbers above zero, good to 2e-16 plus one unit in the last
    /// place; any other argument gives a meaningless number.
    ///
    /// With `m` between the roots of 1/2 and 2 and `s = (m - 1) / (m + 1)`, the logarithm of `m` is
    /// `s` times a polynomial in `s^2` (as in fdlibm's `e_log.c`, Sun 1993, but for base two).
    #[inline(always)]
    #[must_use]
    pub fn log2(self) -> Self {
        let bits: [u64; LANES] = from_fn(|at| self.0[at].to_bits().wrapping_add(ONE - ROOT_HALF));
        let exponent =
            Self(from_fn(|at| f64::from_bits((bits[at] >> 52) | TWO_52) - EXPONENT_OFFSET));
        let mantissa = |at: usize| f64::from_bits((bits[at] & MANTISSA).wrapping_add(ROOT_HALF));
        let f = Self(from_fn(|at| mantissa(at) - 1.0));
        let s = f / (f + 2.0);
        let z = s * s;
        let w = z * z;
        let low = z * 0.961_796_693_924_333_5 + 2.885_390_081_777_927;
        let middle = z * 0.412_198_401_974_235_7 + 0.577_078_017_246_782_2;
        let high = z * 0.261_444_070_063_939_44 + 0.320_616_393_526_342_3;
        let high = high + w * 0.242_918_301_352_629_7;
        exponent + s * (low + w * (middle + w * high))
    }

    /// Two to the power of numbers up to 1023, good to 1e-15; zero below -1021 and of what
    /// is no number.
    #[inline(always)]
    #[must_use]
    pub fn exp2(self) -> Self {
        let inside = self.map(|value| if value > EXP2_LEAST { value } else { EXP2_LEAST });
        let shifted = inside + ROUNDER;
        let r = inside - (shifted - ROUNDER);
        let power = shifted.map(|of| f64::from_bits((of.to_bits() << 52).wrapping_add(ONE)));
        // Summed in pairs so that the processor can work side by side.
        let square = r * r;
        let fourth = square * square;
        let low =
            (r * LN_2 + 1.0) + square * (r * 0.055_504_108_664_821_6 + 0.240_226_506_959_100_97);
        let middle = (r * 0.001_333_355_814_641_693_6 + 0.009_618_129_107_606_888)
            + square * (r * 1.525_273_382_983_612e-5 + 0.000_154_035_304_417_360_5);
        let high = (r * 1.017_806_244_584_577_4e-7 + 1.321_544_258_792_169e-6)
            + square * (r * 4.454_960_598_186_519e-10 + 7.072_585_949_269_223e-9);
        let fraction = low + fourth * (middle + fourth * high);
        self.pair(fraction * power, |value, of| if value > EXP2_LEAST { of } else { 0.0 })
    }

    /// The larger of both.
    #[inline(always)]
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        self.pair(other, |a, b| if b > a { b } else { a })
    }

    /// Sum, in one order.
    #[inline(always)]
    #[must_use]
    pub fn sum(self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

macro_rules! operators {
    ($($name:ident $method:ident $sign:tt),*) => {
        $(
            impl $name for Lanes {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    self.pair(other, |a, b| a $sign b)
                }
            }

            impl $name<f64> for Lanes {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: f64) -> Self {
                    self.map(|a| a $sign other)
                }
            }
        )*
    };
}

operators!(Add add +, Sub sub -, Mul mul *, Div div /);

/// Sum of any length in one order: fast, and the same on every machine.
#[inline]
#[must_use]
pub fn lane_sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks();
    let total = chunks.iter().fold(Lanes::all(0.0), |total, chunk| total + Lanes(*chunk));
    total.sum() + rest.iter().sum::<f64>()
}

/// Sum of products, in the order of [`lane_sum`].
#[inline]
#[must_use]
pub fn lane_dot(left: &[f64], right: &[f64]) -> f64 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks(), right.as_chunks());
    let chunks = left.iter().zip(right);
    let total = chunks.fold(Lanes::all(0.0), |total, (a, b)| total + Lanes(*a) * Lanes(*b));
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(a, b)| a * b).sum();
    total.sum() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Random;

    #[test]
    fn logarithm_and_power_of_two_are_those_of_the_standard_library() {
        let mut random = Random::new(1, 1);
        for _ in 0..20_000 {
            let power = from_fn(|_| 2040.0 * random.uniform() - 1020.0);
            let value = power.map(f64::exp2);
            let (log, exp) = (Lanes(value).log2().0, Lanes(power).exp2().0);
            for at in 0..LANES {
                let due = value[at].log2();
                assert!((log[at] - due).abs() <= 4e-16 * due.abs().max(1.0), "{}", value[at]);
                assert!((exp[at] / value[at] - 1.0).abs() <= 1e-15, "2^{}", power[at]);
            }
        }
        assert_eq!(
            (Lanes::all(1.0).log2(), Lanes::all(0.0).exp2()),
            (Lanes::all(0.0), Lanes::all(1.0))
        );
        assert_eq!(Lanes::all(-1e300).exp2(), Lanes::all(0.0));
    }

    #[test]
    fn sums_take_what_is_left_after_whole_lanes() {
        for count in 0..40_u32 {
            let values: Vec<f64> = (1..=count).map(f64::from).collect();
            let n = f64::from(count);
            assert_eq!(lane_sum(&values), n * (n + 1.0) / 2.0);
            assert_eq!(lane_dot(&values, &values), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
    }
}
