// SPDX-License-Identifier: Apache-2.0
//! The simulated exchange. `history` holds the recorded market, `market` finds executions in it,
//! `venue` keeps time and messages, `desk` lends the market to many accounts, `bars` and
//! `playback` play rows, `orders` judges, `booking` counts; `path`, `queue`, `crossing` and
//! `latency` are the documented assumptions.

mod bars;
mod booking;
pub mod crossing;
pub mod desk;
pub mod fact;
pub mod history;
pub mod latency;
pub mod market;
mod orders;
pub mod path;
mod playback;
pub mod queue;
pub mod venue;
pub mod wake;

pub use crossing::Slippage;
pub use desk::{Arrival, Desk, Outcome, SelfMatch};
pub use fact::{Command, Fact, Fill, NewOrder, Step};
pub use history::{Column, Rows, Stream};
pub use latency::Latency;
pub use market::{Detail, FillModel};
pub use queue::QueueModel;
pub use venue::{Fees, SimVenue, VenueConfig};
pub use wake::{row_of, Edge, Feed, Wake, Watch};
