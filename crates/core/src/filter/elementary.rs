// SPDX-License-Identifier: Apache-2.0
//! Logarithm, exponential and log-gamma of plain multiplications and additions: the same bits on
//! every machine, and without a branch, so that a loop over many of them is compiled to vector
//! instructions. Good to about one unit in the last place.

const LN2_HIGH: f64 = 0.693_147_180_369_123_8; // 33 bits, so that a product with it is exact
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000; // below it the exponent counts one less
const TWO_52: u64 = 0x4330_0000_0000_0000;
const EXPONENT_OFFSET: f64 = 4_503_599_627_370_496.0 + 1023.0;
const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to a whole number

/// Smallest argument whose exponential is a normal number.
const EXP_LEAST: f64 = -708.0;
/// Largest argument whose exponential is finite.
const EXP_MOST: f64 = 709.0;

/// Half the logarithm of two pi.
pub const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// Natural logarithm of a normal number above zero; any other argument gives a meaningless number.
///
/// Source: fdlibm `e_log.c` (Sun 1993).
#[inline(always)]
#[must_use]
pub fn ln(value: f64) -> f64 {
    let bits = value.to_bits().wrapping_add(ONE - ROOT_HALF);
    let exponent = f64::from_bits((bits >> 52) | TWO_52) - EXPONENT_OFFSET;
    let f = f64::from_bits((bits & MANTISSA).wrapping_add(ROOT_HALF)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w
        * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
    let odd = z
        * (0.666_666_666_666_673_5
            + w * (0.285_714_287_436_623_9
                + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
    let half = 0.5 * f * f;
    exponent * LN2_HIGH - ((half - (s * (half + even + odd) + exponent * LN2_LOW)) - f)
}

/// Natural logarithm of a probability; that of zero, and of what is too small to be normal, is
/// minus infinity.
#[inline]
#[must_use]
pub fn ln_or_never(value: f64) -> f64 {
    if value >= f64::MIN_POSITIVE {
        ln(value)
    } else {
        f64::NEG_INFINITY
    }
}

/// Exponential: zero below -708, infinite above 709.
///
/// Source: fdlibm `e_exp.c` (Sun 1993).
#[inline(always)]
#[must_use]
pub fn exp(value: f64) -> f64 {
    let above = if value > EXP_LEAST { value } else { EXP_LEAST };
    let inside = if above < EXP_MOST { above } else { EXP_MOST };
    let shifted = inside * std::f64::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let high = inside - k * LN2_HIGH;
    let low = k * LN2_LOW;
    let r = high - low;
    let t = r * r;
    let c = r - t
        * (0.166_666_666_666_666_02
            + t * (-0.002_777_777_777_701_559_3
                + t * (6.613_756_321_437_934e-5
                    + t * (-1.653_390_220_546_525_2e-6 + t * 4.138_136_797_057_238_5e-8))));
    let fraction = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    let scaled = fraction * f64::from_bits((shifted.to_bits() << 52).wrapping_add(ONE));
    let lower = if value < EXP_LEAST { 0.0 } else { scaled };
    if value > EXP_MOST {
        f64::INFINITY
    } else {
        lower
    }
}

/// Logarithm of the gamma function of a number above zero: Stirling's series beyond 15.
#[must_use]
pub fn ln_gamma(value: f64) -> f64 {
    let (mut x, mut product) = (value, 1.0);
    while x < 15.0 {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - square
            * (1.0 / 360.0
                - square
                    * (1.0 / 1260.0
                        - square
                            * (1.0 / 1680.0
                                - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0)))))
        / x;
    (x - 0.5) * ln(x) - x + HALF_LN_TAU + series - ln(product)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Random;

    #[test]
    fn logarithm_and_exponential_are_those_of_the_standard_library() {
        let mut random = Random::new(1, 1);
        for _ in 0..100_000 {
            let power = 1400.0 * random.uniform() - 700.0;
            let value = power.exp();
            assert!((ln(value) - value.ln()).abs() <= 4e-16 * value.ln().abs().max(1e-3));
            assert!((exp(power) / value - 1.0).abs() <= 4e-16, "exp({power})");
        }
        assert_eq!((ln(1.0), exp(0.0)), (0.0, 1.0));
        assert_eq!((exp(-1e9), exp(f64::NEG_INFINITY), exp(1e9)), (0.0, 0.0, f64::INFINITY));
        assert_eq!((ln_or_never(0.0), ln_or_never(1e-310)), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    }

    #[test]
    fn log_gamma_knows_factorials_and_the_half() {
        let mut factorial: f64 = 1.0;
        for n in 1..30_u32 {
            assert!((ln_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-13 * f64::from(n));
            factorial *= f64::from(n);
        }
        let root_pi = std::f64::consts::PI.sqrt();
        assert!((ln_gamma(0.5) - root_pi.ln()).abs() < 1e-14);
        assert!((ln_gamma(1e-3) - 6.907_178_885_383_853).abs() < 1e-13);
    }
}
