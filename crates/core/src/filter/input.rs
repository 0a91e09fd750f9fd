// SPDX-License-Identifier: Apache-2.0
//! What filters take: numbers of bounded size, and NaN where an observation may be missing.

use crate::error::{Code, CoreError, Result};
use crate::indicator::INPUT_MAX;

/// A number for the filter `who`, or NaN for "not observed".
#[inline]
pub(super) fn observed(who: &str, name: &str, value: f64) -> Result<()> {
    // NaN fails the comparison's negation too, and is welcome.
    if value.abs() > INPUT_MAX {
        return Err(refusal(who, name, value));
    }
    Ok(())
}

/// A number that cannot be missing, at least `least`.
#[inline]
pub(super) fn known(who: &str, name: &str, value: f64, least: f64) -> Result<()> {
    if value >= least && value <= INPUT_MAX {
        return Ok(());
    }
    Err(refusal(who, name, value))
}

/// Columns that belong together have one length.
pub(super) fn same_length(who: &str, rows: usize, others: &[usize]) -> Result<()> {
    if others.iter().all(|other| *other == rows) {
        return Ok(());
    }
    let message = format!("{who}: columns differ in length; the first has {rows} rows");
    Err(CoreError::new(Code::DataInvalid, message))
}

/// A parameter inside `least..=most`.
pub(super) fn parameter(who: &str, name: &str, value: f64, least: f64, most: f64) -> Result<f64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let message = format!("{who}: {name} {value}; allowed {least:e} to {most:e}");
    Err(CoreError::new(Code::ParameterInvalid, message))
}

/// A matrix that can be a covariance: finite, symmetric, no negative variance, no correlation
/// beyond one.
pub(super) fn covariance<const N: usize>(who: &str, matrix: &[[f64; N]; N]) -> Result<()> {
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            let bound = (matrix[i][i] * matrix[j][j]).sqrt() * (1.0 + 1e-9);
            if !(value.abs() <= bound && *value == matrix[j][i] && matrix[i][i] <= INPUT_MAX) {
                let message = format!("{who}: covariance {matrix:?} is none");
                return Err(CoreError::new(Code::ParameterInvalid, message));
            }
        }
    }
    Ok(())
}

/// Name the row of a column in which a step was refused.
pub(super) fn at_row(error: CoreError, row: usize) -> CoreError {
    CoreError::new(error.code, format!("{} (at index {row})", error.message))
}

#[cold]
fn refusal(who: &str, name: &str, value: f64) -> CoreError {
    if !value.is_finite() {
        let message = format!("{who}: {name} {value}; a finite number is due; state unchanged");
        return CoreError::new(Code::NumberNotFinite, message);
    }
    let message = format!("{who}: {name} {value} is out of range; state unchanged");
    CoreError::new(Code::NumberOutOfRange, message)
}
