// SPDX-License-Identifier: Apache-2.0
//! What both grammars share: reading JSON with a named place on failure, price levels, and the
//! checks on prices. serde_json stops at 128 nested levels in what is read and skips the rest
//! without recursion, so no depth of nesting can exhaust the stack.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use super::frame::Level;
use super::invalid;
use super::scalar::Number;
use crate::error::Result;

/// Read one JSON value; `what` names it in the error.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| invalid(format!("{what}: {error}")))
}

/// A price that must be above zero.
pub(super) fn positive<'a>(number: Number<'a>, field: &str) -> Result<Number<'a>> {
    if number.to_f64() > 0.0 {
        return Ok(number);
    }
    Err(invalid(format!("{field} {:?}: expected a number above zero", number.text())))
}

/// A quantity, or the price of a side that may be empty.
pub(super) fn not_negative<'a>(number: Number<'a>, field: &str) -> Result<Number<'a>> {
    if number.to_f64() >= 0.0 {
        return Ok(number);
    }
    Err(invalid(format!("{field} {:?}: expected a number not below zero", number.text())))
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = Level<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a level [price, quantity]")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut fields: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let short = || A::Error::custom("a level needs price and quantity");
        let price: Number<'de> = fields.next_element()?.ok_or_else(short)?;
        let quantity: Number<'de> = fields.next_element()?.ok_or_else(short)?;
        while fields.next_element::<IgnoredAny>()?.is_some() {}
        if price.to_f64() > 0.0 && quantity.to_f64() >= 0.0 {
            return Ok(Level { price, quantity });
        }
        let (price, quantity) = (price.text(), quantity.text());
        Err(A::Error::custom(format_args!("level {price} x {quantity} is not a price level")))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Level<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        input.deserialize_seq(LevelVisitor)
    }
}
