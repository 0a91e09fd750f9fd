// SPDX-License-Identifier: Apache-2.0
//! The three scalars of the wire. [`Number`] is a decimal that keeps its text beside the nearest
//! float: models read the float, money reads the text through `Instrument::price` or
//! `parse_decimal`. [`Text`] borrows from the frame whenever it holds no escape. [`Stamp`] is a
//! venue time in nanoseconds, whatever unit it was sent in.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::error::Result;
use crate::number::parse_decimal;

/// Integers below this are exact floats, so one division by an exact power of ten rounds correctly.
const EXACT_MANTISSA: u64 = 1 << 53;

/// Powers of ten that are exact floats.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Venue times below this are milliseconds (until the year 5138).
const MILLIS_BELOW: u64 = 100_000_000_000_000;
/// Venue times below this are microseconds.
const MICROS_BELOW: u64 = 100_000_000_000_000_000;

/// A plain decimal from a frame: the exact text and the nearest float.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number<'a> {
    text: &'a str,
    value: f64,
}

impl<'a> Number<'a> {
    /// From plain decimal text: digits, one optional point, one optional leading minus.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        decimal_to_f64(text).map(|value| Self { text, value })
    }

    /// The digits as the venue sent them.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The nearest float, for models and analytics.
    #[must_use]
    pub const fn to_f64(&self) -> f64 {
        self.value
    }

    /// Exact count of 10^-`decimals`; decimals beyond that must be zero.
    pub fn exact(&self, decimals: u32) -> Result<i128> {
        parse_decimal(self.text, decimals)
    }
}

/// Nearest float of a plain decimal; `None` for any other text and for what overflows.
fn decimal_to_f64(text: &str) -> Option<f64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut mantissa, mut decimals, mut count, mut point) = (0_u64, 0_usize, 0_usize, false);
    let mut short = true;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                count += 1;
                decimals += usize::from(point);
                let next = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                // Once past 2^53 the float comes from the slow path; wrapping is then harmless.
                short &= mantissa < EXACT_MANTISSA / 16;
                mantissa = next;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    match POWERS.get(decimals) {
        Some(power) if short => {
            let value = mantissa as f64 / power;
            Some(if negative { -value } else { value })
        }
        _ => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

/// Nanoseconds of a venue time in milliseconds, microseconds or nanoseconds; the unit follows from
/// the magnitude. `None` beyond the year 2262.
#[must_use]
pub fn time_ns(raw: u64) -> Option<i64> {
    let factor = if raw < MILLIS_BELOW {
        1_000_000
    } else if raw < MICROS_BELOW {
        1_000
    } else {
        1
    };
    i64::try_from(raw).ok()?.checked_mul(factor)
}

/// Text that borrows from the frame unless it holds an escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

/// An id, as text or as an integer of any size; always text here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id<'a>(pub Cow<'a, str>);

/// A venue time, as an integer or as digits in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub i64);

/// A decimal that may be absent: the venues send `""` or `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Maybe<'a>(pub Option<Number<'a>>);

/// A time that may be absent: `""`, `null` or 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MaybeStamp(pub Option<i64>);

struct NumberVisitor;
struct MaybeVisitor;
struct TextVisitor;
struct StampVisitor;
struct MaybeStampVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a plain decimal in quotes")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
        Number::parse(text).ok_or_else(|| E::custom(format_args!("{text:?} is not a decimal")))
    }
}

impl<'de> Visitor<'de> for MaybeVisitor {
    type Value = Maybe<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a plain decimal in quotes, an empty text or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(Maybe(None));
        }
        NumberVisitor.visit_borrowed_str(text).map(|number| Maybe(Some(number)))
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<Self::Value, E> {
        Ok(Maybe(None))
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl Visitor<'_> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time as an integer")
    }

    fn visit_u64<E: Error>(self, raw: u64) -> std::result::Result<Stamp, E> {
        time_ns(raw).map(Stamp).ok_or_else(|| E::custom(format_args!("time {raw} is out of range")))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<Stamp, E> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(raw) if digits => self.visit_u64(raw),
            _ => Err(E::custom(format_args!("{text:?} is not a time"))),
        }
    }
}

impl Visitor<'_> for MaybeStampVisitor {
    type Value = MaybeStamp;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time as an integer, an empty text or null")
    }

    fn visit_u64<E: Error>(self, raw: u64) -> std::result::Result<MaybeStamp, E> {
        if raw == 0 {
            return Ok(MaybeStamp(None));
        }
        StampVisitor.visit_u64(raw).map(|stamp| MaybeStamp(Some(stamp.0)))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<MaybeStamp, E> {
        if text.is_empty() || text == "0" {
            return Ok(MaybeStamp(None));
        }
        StampVisitor.visit_str(text).map(|stamp| MaybeStamp(Some(stamp.0)))
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<MaybeStamp, E> {
        Ok(MaybeStamp(None))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_str(NumberVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Maybe<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_any(MaybeVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Id<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        let raw: &'de RawValue = Deserialize::deserialize(input)?;
        id_text(raw).map(Self).ok_or_else(|| D::Error::custom("an id is a text or an integer"))
    }
}

/// An id as text; `None` for any other JSON value.
pub(crate) fn id_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    if text.starts_with('"') {
        return serde_json::from_str::<Text<'_>>(text).ok().map(|text| text.0);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(Cow::Borrowed(text))
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_any(StampVisitor)
    }
}

impl<'de> Deserialize<'de> for MaybeStamp {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_any(MaybeStampVisitor)
    }
}
