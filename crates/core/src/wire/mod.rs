// SPDX-License-Identifier: Apache-2.0
//! Venue frames to facts. [`parse_binance`] and [`parse_bybit`] take the bytes of one message and
//! give one [`Frame`], or an error that names the field; live feeds and recorded captures use the
//! same two functions. [`sync`] says which book frame may be applied, [`capture`] turns a recorded
//! file into columns, [`feed`] keeps a live connection's market data. Private events become
//! [`account`] facts, answers to requests [`reply`] facts; a kind that HEAN has no use for is
//! `Frame::Ignored` with its name. Nothing here reads a file or a clock.

pub mod account;
pub mod binance;
mod binance_account;
mod binance_fast;
mod binance_private;
pub mod bybit;
mod bybit_fast;
mod bybit_private;
pub mod capture;
pub mod clock;
pub mod columns;
pub mod depth;
pub mod fact;
pub mod feed;
pub mod frame;
pub mod grid;
mod json;
pub mod line;
pub mod order_words;
pub mod plausible;
pub mod reply;
pub mod report;
pub mod scalar;
mod scan;
pub mod seeding;
pub mod seen;
pub mod sign;
pub mod stream;
pub mod sync;
mod tables;
mod words;

pub use binance::parse_binance;
pub use bybit::parse_bybit;
pub use capture::CaptureBuilder;
pub use feed::WireFeed;
pub use frame::Frame;
pub use scalar::{time_ns, Number};
pub use sync::{BookRule, BookSync, Step};

use crate::error::{Code, CoreError, Result};

/// Longest message accepted. The largest recorded public frame (a 1000-level snapshot) is 60 kB;
/// the largest REST answer a capture may hold (all instruments) is under 4 MB.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// Which venue's grammar a frame follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    /// Binance spot and USD-M streams, REST depth snapshots.
    Binance,
    /// Bybit V5 sockets.
    Bybit,
}

impl Venue {
    /// Lower-case name as in file names and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Bybit => "bybit",
        }
    }

    /// Parse one message by this venue's grammar.
    pub fn parse(self, bytes: &[u8]) -> Result<Frame<'_>> {
        match self {
            Self::Binance => parse_binance(bytes),
            Self::Bybit => parse_bybit(bytes),
        }
    }
}

/// Which product a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Market {
    /// Coins against coins.
    Spot,
    /// Perpetual or delivery contract margined in the quote coin.
    Linear,
}

impl Market {
    /// `spot` or `linear`, as in `Instrument`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
        }
    }

    /// By its name; `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Spot, Self::Linear].into_iter().find(|market| market.name() == name)
    }

    /// By the last segment of a Bybit socket address.
    #[must_use]
    pub fn of_address(address: &str) -> Option<Self> {
        Self::parse(address.rsplit('/').next()?)
    }
}

fn check_length(bytes: &[u8]) -> Result<()> {
    if bytes.len() <= FRAME_BYTES_MAX {
        return Ok(());
    }
    Err(invalid(format!("frame of {} bytes, allowed {FRAME_BYTES_MAX}", bytes.len())))
}

fn invalid(sentence: impl Into<String>) -> CoreError {
    CoreError::new(Code::FrameInvalid, sentence)
}
