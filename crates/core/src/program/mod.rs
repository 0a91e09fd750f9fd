// SPDX-License-Identifier: Apache-2.0
//! Conditions over one symbol's stream, written as a small typed language: prices, indicators,
//! arithmetic, comparisons, logic. [`compile`] turns the postfix text of several conditions into
//! one flat [`Program`]; what two conditions share is computed once. A step takes a row and
//! allocates nothing. A number that is not defined yet is NaN, and a comparison with NaN is false,
//! as it is in Python; `not` of it is therefore true. [`native`] trades on such conditions.

mod compile;
mod evaluate;
pub mod native;
mod parts;

pub use compile::{compile, NODES_MAX, WORDS};
pub use evaluate::{Program, Row};
pub use native::NativeRun;
pub use parts::{NativeFill, Parts, Rules, Sample, Settings};

/// One word of a postfix expression: `close`, `number` 1.5, `ema` 10, `>=`, `and`.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The word, see [`WORDS`].
    pub name: String,
    /// Value of a `number`, window of an indicator; not read otherwise.
    pub number: f64,
}
