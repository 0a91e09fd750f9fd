// SPDX-License-Identifier: Apache-2.0
//! Filters: recursions that carry a belief about something hidden, one observation at a time. As
//! with indicators there is one step, and arrays run the very same step; a snapshot is bytes, and
//! bad input changes nothing. Unlike indicators a filter may take a missing observation (NaN)
//! where the method says what that means. Fits of such models are here too: deterministic, bounded,
//! and in pieces where they are long. No clock, no random source.

pub mod changepoint;
pub mod control;
pub mod elementary;
pub mod garch;
pub mod hmm;
mod input;
pub mod kalman;
pub mod lanes;
pub mod level;
mod matrix;
pub mod rls;
mod smooth;
pub mod switching;
