// SPDX-License-Identifier: Apache-2.0
//! Judging a population of genomes, one stretch of bars after the other: expressions of all agents
//! are evaluated together, block by block ([`bank`]), then each agent is scanned alone ([`scan`]),
//! bar by bar where something happens. Fills follow the rules of `SimVenue` on bars, money is the
//! ledger, sizes are the sizing; a property test holds the same genome against the event-driven
//! engine, order by order. A live agent is the same bank fed one row at a time ([`live`]).
//!
//! What it does not play is refused, not approximated: linear perpetuals only, bars only, constant
//! latency below a third of a bar, sizing by a fraction. An account that has lost nine tenths is
//! no longer followed.

mod account;
pub mod bank;
mod bits;
mod course;
mod extreme;
pub mod gene;
pub mod judge;
pub mod live;
pub mod scan;
pub mod tape;
pub mod terms;
mod window;

pub use gene::{tree, Expr, Genome, Word};
pub use judge::{judge, Ground};
pub use live::Live;
pub use tape::{Recorded, Tape};
pub use terms::{Deal, Terms, Trip, Verdict};
