// SPDX-License-Identifier: Apache-2.0
//! Limits by name and text, as they stand in a configuration. A name nobody knows is refused with
//! the nearest known one: a limit that is silently not set is worse than none.

use super::limits::Limits;
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Money, Rate};

impl Limits {
    /// Names of all limits.
    pub const NAMES: [&'static str; 13] = [
        "order_lots_max",
        "order_value_max",
        "collar_fraction",
        "reference_age_max_ns",
        "position_value_max",
        "gross_value_max",
        "leverage_max",
        "open_orders_max",
        "orders_per_second_max",
        "duplicate_window_ns",
        "refuse_self_cross",
        "daily_loss_fraction_max",
        "drawdown_fraction_max",
    ];

    /// Set one limit from text; `None` switches it off.
    ///
    /// # Errors
    /// [`Code::UnknownField`] with the nearest name; [`Code::ParameterInvalid`] or
    /// [`Code::NotADecimal`] for a value that is negative or not of its kind.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        match name {
            "order_lots_max" => self.order_lots_max = whole(name, value)?.map(Lots),
            "order_value_max" => self.order_value_max = money(name, value)?,
            "collar_fraction" => self.collar_fraction = rate(name, value)?,
            "reference_age_max_ns" => self.reference_age_max_ns = whole(name, value)?,
            "position_value_max" => self.position_value_max = money(name, value)?,
            "gross_value_max" => self.gross_value_max = money(name, value)?,
            "leverage_max" => self.leverage_max = rate(name, value)?,
            "open_orders_max" => self.open_orders_max = whole(name, value)?,
            "orders_per_second_max" => self.orders_per_second_max = whole(name, value)?,
            "duplicate_window_ns" => self.duplicate_window_ns = whole(name, value)?,
            "refuse_self_cross" => self.refuse_self_cross = truth(name, value)?,
            "daily_loss_fraction_max" => self.daily_loss_fraction_max = rate(name, value)?,
            "drawdown_fraction_max" => self.drawdown_fraction_max = rate(name, value)?,
            _ => return Err(unknown_name(name)),
        }
        Ok(())
    }
}

fn unknown_name(name: &str) -> CoreError {
    let nearest = Limits::NAMES.iter().min_by_key(|known| distance(name, known));
    let nearest = nearest.copied().unwrap_or_default();
    CoreError::new(Code::UnknownField, format!("no limit {name:?}; nearest known: {nearest:?}"))
}

fn invalid(name: &str, value: &str, due: &str) -> CoreError {
    CoreError::new(Code::ParameterInvalid, format!("limit {name} = {value:?}: expected {due}"))
}

fn whole<T: TryFrom<i64>>(name: &str, value: Option<&str>) -> Result<Option<T>> {
    let Some(text) = value else { return Ok(None) };
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    match number.and_then(|number| T::try_from(number).ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(invalid(name, text, "a whole number from 0 up")),
    }
}

fn money(name: &str, value: Option<&str>) -> Result<Option<Money>> {
    let Some(text) = value else { return Ok(None) };
    let money = Money::parse(text)?;
    if money < Money::ZERO {
        return Err(invalid(name, text, "an amount from 0 up"));
    }
    Ok(Some(money))
}

fn rate(name: &str, value: Option<&str>) -> Result<Option<Rate>> {
    let Some(text) = value else { return Ok(None) };
    let rate = Rate::parse(text)?;
    if rate < Rate(0) {
        return Err(invalid(name, text, "a fraction from 0 up"));
    }
    Ok(Some(rate))
}

fn truth(name: &str, value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("False" | "false") => Ok(false),
        Some("True" | "true") => Ok(true),
        Some(text) => Err(invalid(name, text, "true or false")),
    }
}

/// Edits that turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<u8> = to.bytes().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().take(64).enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let best = (corner + usize::from(a != *b)).min(left + 1).min(*cell + 1);
            corner = *cell;
            *cell = best;
            left = best;
        }
    }
    // The first column is not kept in the row, so an empty rest is counted by the length.
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_set_and_a_wrong_one_is_told_the_nearest() {
        let mut limits = Limits::unlimited();
        for name in Limits::NAMES {
            let value = if name == "refuse_self_cross" { "true" } else { "1" };
            assert_eq!(limits.set(name, Some(value)), Ok(()), "{name}");
            assert!(limits.set(name, Some("-1")).is_err(), "{name}");
        }
        assert_eq!(limits.order_lots_max, Some(Lots(1)));
        let error = limits.set("max_leverage", Some("1")).map_err(|error| error.code);
        assert_eq!(error, Err(Code::UnknownField));
        let message = limits.set("leverage_mx", None).map_err(|error| error.message);
        assert_eq!(
            message,
            Err("no limit \"leverage_mx\"; nearest known: \"leverage_max\"".into())
        );
    }
}
