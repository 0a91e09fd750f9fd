// SPDX-License-Identifier: Apache-2.0
//! `hean-core` holds what must be fast and exact: numbers, instruments, books, matching, orders,
//! limits, ledger, indicators, and the simulated venue. It reads no clock, does no I/O, starts no
//! thread, never panics and moves no money in floating point. Time and data come in as arguments;
//! facts come out.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod error;
pub mod instrument;
pub mod number;
pub mod order;

pub use error::{Code, CoreError, Result};
pub use instrument::{Instrument, Kind};
pub use number::{Lots, Money, Rate, Side, Ticks};
