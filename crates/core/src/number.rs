// SPDX-License-Identifier: Apache-2.0
//! Exact numbers. A price is a count of ticks, a quantity a count of lots, money a count of
//! 1e-12 quote units, a rate a count of 1e-12. Every operation is checked: an overflow is an
//! error, never a wrap. Floats enter here once, rounded by a named rule, and leave only for
//! people and models.

use crate::error::{Code, CoreError, Result};

/// Quote units of [`Money`] in one quote coin.
pub const MONEY_SCALE: i128 = 1_000_000_000_000;
/// Units of [`Rate`] in 1.0 (100 %).
pub const RATE_SCALE: i128 = 1_000_000_000_000;
/// Decimals of [`Money`] and [`Rate`].
pub const SCALE_DECIMALS: u32 = 12;

/// Buy or sell; the sign of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// Adds to the position.
    Buy = 0,
    /// Takes from the position.
    Sell = 1,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for a buy, -1 for a sell.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
}

/// A price in ticks of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(pub i64);

/// A quantity in lots of its instrument; signed where it is a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lots(pub i64);

/// Money in 1e-12 of the quote coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(pub i128);

/// A fraction in 1e-12: fee rates, funding rates, margin rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(pub i64);

/// How an inexact division ends. Named, because each use has a loser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// To the nearest, halves away from zero.
    Nearest,
}

fn overflow(what: &str) -> CoreError {
    CoreError::new(Code::NumberOutOfRange, format!("{what} leaves the exact range"))
}

// `Add` of the standard library cannot fail; these can, and keep the plain name.
#[allow(clippy::should_implement_trait)]
impl Ticks {
    /// Sum, or [`Code::NumberOutOfRange`].
    pub fn add(self, other: i64) -> Result<Self> {
        self.0.checked_add(other).map(Self).ok_or_else(|| overflow("price"))
    }
}

// `Add` of the standard library cannot fail; these can, and keep the plain name.
#[allow(clippy::should_implement_trait)]
impl Lots {
    /// No quantity.
    pub const ZERO: Self = Self(0);

    /// Sum, or [`Code::NumberOutOfRange`].
    pub fn add(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(|| overflow("quantity"))
    }

    /// Difference, or [`Code::NumberOutOfRange`].
    pub fn sub(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(|| overflow("quantity"))
    }

    /// The quantity with the sign of `side`.
    #[must_use]
    pub const fn signed(self, side: Side) -> Self {
        Self(self.0 * side.sign())
    }

    /// Size without sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

// `Add` of the standard library cannot fail; these can, and keep the plain name.
#[allow(clippy::should_implement_trait)]
impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Sum, or [`Code::NumberOutOfRange`].
    pub fn add(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).map(Self).ok_or_else(|| overflow("money"))
    }

    /// Difference, or [`Code::NumberOutOfRange`].
    pub fn sub(self, other: Self) -> Result<Self> {
        self.0.checked_sub(other.0).map(Self).ok_or_else(|| overflow("money"))
    }

    /// The opposite amount.
    #[must_use]
    pub const fn neg(self) -> Self {
        Self(-self.0)
    }

    /// Amount without sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// `self * rate`, rounded as named.
    pub fn times_rate(self, rate: Rate, rounding: Rounding) -> Result<Self> {
        let product = self.0.checked_mul(i128::from(rate.0)).ok_or_else(|| overflow("money"))?;
        Ok(Self(divide(product, RATE_SCALE, rounding)))
    }

    /// `self * part / whole` without losing the middle; `whole` must not be 0.
    pub fn share(self, part: i64, whole: i64, rounding: Rounding) -> Result<Self> {
        if whole == 0 {
            return Err(overflow("a share of nothing"));
        }
        let product = self.0.checked_mul(i128::from(part)).ok_or_else(|| overflow("money"))?;
        Ok(Self(divide(product, i128::from(whole), rounding)))
    }

    /// Nearest float, for people and models only.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // The two halves keep 53 bits each, so cents survive on a trillion.
        let whole = self.0 / MONEY_SCALE;
        let rest = self.0 % MONEY_SCALE;
        whole as f64 + rest as f64 / MONEY_SCALE as f64
    }

    /// The float nearest to the exact amount, ties to even: what reading its decimal text gives.
    #[must_use]
    pub fn nearest_f64(self) -> f64 {
        let (units, scale) = (self.0.unsigned_abs(), MONEY_SCALE.unsigned_abs());
        let nearest = if units < 1 << 53 {
            units as f64 / scale as f64 // both exact, so their quotient is rounded once
        } else {
            // A quotient of 56 bits or more, the lowest of which also stands for the rest, is
            // rounded once.
            let shift = 96_u32.saturating_sub(128 - units.leading_zeros());
            let shifted = units << shift;
            let rest = u128::from(!shifted.is_multiple_of(scale));
            let quotient = (shifted / scale) | rest;
            quotient as f64 / (1_u128 << shift) as f64
        };
        if self.0 < 0 {
            -nearest
        } else {
            nearest
        }
    }

    /// Money from a plain decimal text such as `-12.5`; more than 12 decimals are refused.
    pub fn parse(text: &str) -> Result<Self> {
        parse_decimal(text, SCALE_DECIMALS).map(Self)
    }

    /// Decimal text without exponent and without trailing zeros.
    #[must_use]
    pub fn to_decimal(self) -> String {
        format_decimal(self.0, SCALE_DECIMALS)
    }
}

impl Rate {
    /// From a finite float fraction, nearest 1e-12.
    pub fn from_f64(value: f64) -> Result<Self> {
        scaled_from_f64(value, RATE_SCALE as f64).map(Self)
    }

    /// From decimal text such as `0.00055`.
    pub fn parse(text: &str) -> Result<Self> {
        let units = parse_decimal(text, SCALE_DECIMALS)?;
        i64::try_from(units).map(Self).map_err(|_| overflow("rate"))
    }

    /// Nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / RATE_SCALE as f64
    }

    /// Decimal text without exponent and without trailing zeros.
    #[must_use]
    pub fn to_decimal(self) -> String {
        format_decimal(i128::from(self.0), SCALE_DECIMALS)
    }
}

/// Integer division with a named rounding; `denominator` must be non-zero (callers guard it).
#[must_use]
pub fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator);
    if rest == 0 {
        return quotient;
    }
    // div_euclid keeps the rest positive, so for a negative denominator it has rounded up.
    let (floor, ceil) =
        if denominator > 0 { (quotient, quotient + 1) } else { (quotient - 1, quotient) };
    match rounding {
        Rounding::Down => floor,
        Rounding::Up => ceil,
        Rounding::Nearest => {
            let twice = rest.unsigned_abs() * 2;
            let whole = denominator.unsigned_abs();
            let up = if denominator > 0 { twice > whole } else { twice < whole };
            let exactly_half = twice == whole;
            let positive = (numerator < 0) == (denominator < 0);
            if up || (exactly_half && positive) {
                ceil
            } else {
                floor
            }
        }
    }
}

/// `value.round()`, halves away from zero, without the library call that baseline x86 needs for it.
#[inline]
#[must_use]
pub fn round_half_away(value: f64) -> f64 {
    // Above 2^52 every float is whole.
    if value.is_nan() || value.abs() >= 4_503_599_627_370_496.0 {
        return value;
    }
    let whole = value as i64 as f64;
    if (value - whole).abs() >= 0.5 {
        whole + 1.0_f64.copysign(value)
    } else {
        whole
    }
}

/// `value * scale` to the nearest integer; refuses NaN, infinity and what does not fit.
pub fn scaled_from_f64(value: f64, scale: f64) -> Result<i64> {
    if !value.is_finite() {
        return Err(CoreError::new(Code::NumberNotFinite, format!("{value} is not a number")));
    }
    let scaled = (value * scale).round();
    // 2^63 is exact in f64, so `<` keeps the cast in range.
    if scaled.abs() < 9_223_372_036_854_775_808.0 {
        Ok(scaled as i64)
    } else {
        Err(overflow("number"))
    }
}

/// Decimal text to an integer count of 10^-`decimals`. No exponent, no spaces, no separators;
/// decimals beyond `decimals` must be zero.
pub fn parse_decimal(text: &str, decimals: u32) -> Result<i128> {
    let bad = || CoreError::new(Code::NotADecimal, format!("{text:?} is not a plain decimal"));
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut value: i128 = 0;
    let mut seen_point = false;
    let mut fraction = 0;
    let mut count = 0;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                count += 1;
                if seen_point && fraction == decimals {
                    if byte != b'0' {
                        return Err(bad());
                    }
                    continue;
                }
                fraction += u32::from(seen_point);
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                    .ok_or_else(|| overflow("number"))?;
            }
            b'.' if !seen_point => seen_point = true,
            _ => return Err(bad()),
        }
    }
    if count == 0 {
        return Err(bad());
    }
    let missing = decimals - fraction;
    let scaled = 10_i128
        .checked_pow(missing)
        .and_then(|p| value.checked_mul(p))
        .ok_or_else(|| overflow("number"))?;
    Ok(if negative { -scaled } else { scaled })
}

/// Count of 10^-`decimals` to decimal text without exponent and trailing zeros.
#[must_use]
pub fn format_decimal(units: i128, decimals: u32) -> String {
    let scale = 10_u128.pow(decimals);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (magnitude / scale, magnitude % scale);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{rest:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_as_named() {
        for (n, d, down, up, nearest) in [
            (7, 2, 3, 4, 4),
            (-7, 2, -4, -3, -4),
            (7, -2, -4, -3, -4),
            (5, 3, 1, 2, 2),
            (6, 3, 2, 2, 2),
        ] {
            assert_eq!(divide(n, d, Rounding::Down), down);
            assert_eq!(divide(n, d, Rounding::Up), up);
            assert_eq!(divide(n, d, Rounding::Nearest), nearest, "{n}/{d}");
        }
    }

    #[test]
    fn halves_go_away_from_zero_as_in_the_library() {
        let near = [0.0, 0.5, 1.5, 2.5, 0.499_999_999_999_999_94, 1e15 + 0.5, 4.6e15, 1e300];
        for value in near.into_iter().flat_map(|value| [value, -value]) {
            assert_eq!(round_half_away(value), value.round(), "{value}");
        }
        assert!(round_half_away(f64::NAN).is_nan());
    }

    #[test]
    fn decimal_text_round_trips() {
        for text in ["0", "1", "-1.5", "0.000000000001", "123456789.000055"] {
            assert_eq!(Money::parse(text).map(Money::to_decimal).as_deref(), Ok(text));
        }
        for text in ["", "-", ".", "1e3", "1,5", " 1", "NaN", "1.0000000000001", "1.2.3", "+1"] {
            assert!(Money::parse(text).is_err(), "{text:?} must be refused");
        }
        assert_eq!(Money::parse("1.5000000000000"), Money::parse("1.5"));
    }

    #[test]
    fn the_nearest_float_of_money_is_that_of_its_text() {
        let mut units: i128 = 7;
        for step in 0..2_000_i128 {
            for amount in [units, -units, units + step, (1 << 53) * 1_000 + step] {
                let money = Money(amount);
                assert_eq!(Some(money.nearest_f64()), money.to_decimal().parse().ok(), "{amount}");
            }
            units = (units * 31 + step * 1_000_003) % 10_i128.pow(25);
        }
    }

    #[test]
    fn floats_enter_once_and_only_when_finite() {
        assert_eq!(Rate::from_f64(0.00055), Ok(Rate(550_000_000)));
        for bad in [f64::NAN, f64::INFINITY, 1e300] {
            assert!(Rate::from_f64(bad).is_err());
        }
    }
}
