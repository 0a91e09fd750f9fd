// SPDX-License-Identifier: Apache-2.0
//! `hean-core` holds what must be fast and exact: numbers, instruments, books, matching, orders,
//! limits, ledger, indicators, filters, and the simulated venue. It reads no clock, does no I/O,
//! starts no thread, never panics and moves no money in floating point. Time and data come in as
//! arguments; facts come out.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod book;
pub mod error;
pub mod exchange;
pub mod feature;
pub mod hash;
#[macro_use]
pub mod indicator;
// After the indicators, whose macros for snapshots it uses.
pub mod filter;
pub mod instrument;
pub mod ledger;
pub mod levels;
pub mod matching;
pub mod number;
pub mod order;
pub mod program;
pub mod rng;
pub mod sim;
pub mod sizing;
pub mod symbiont;
pub mod trees;
pub mod wire;

pub use error::{Code, CoreError, Result};
pub use instrument::{Instrument, Kind};
pub use ledger::Ledger;
pub use number::{Lots, Money, Rate, Side, Ticks};
