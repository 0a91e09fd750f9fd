// SPDX-License-Identifier: Apache-2.0
//! The two clocks of a capture. The venue's clock is the truth; the recorder's clock only measures
//! how late frames arrived and places the frames that have no venue time (Binance spot quotes and
//! REST snapshots): estimate = receive time - the smallest offset of the last minute. The smallest
//! offset is the fastest frame's, so the estimate is never earlier than the fact and never earlier
//! than a timed frame that arrived before it: no strategy can see a quote too soon.

use std::collections::VecDeque;

use super::line::{Received, Unit};
use crate::error::{Code, CoreError, Result};

/// A recorder whose clock is off by more than this has written another unit or another zone.
pub const OFFSET_NS_MAX: i64 = 3_600 * 1_000_000_000;

/// Offsets older than this do not count for an estimate: two clocks drift some ms in an hour.
pub const OFFSET_WINDOW_NS: i64 = 60 * 1_000_000_000;

/// Receive time minus venue time, over all timed frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OffsetStatistics {
    /// Frames with both times.
    pub count: u64,
    /// Smallest.
    pub min_ns: i64,
    /// Median (upper of the two middle ones).
    pub median_ns: i64,
    /// Largest.
    pub max_ns: i64,
}

/// Reads the recorder's clock against the venue's.
#[derive(Debug, Default)]
pub struct CaptureClock {
    unit: Option<Unit>,
    last_received_ns: Option<i64>,
    /// (receive time, offset), both rising: the front is the smallest offset of the window.
    window: VecDeque<(i64, i64)>,
    latest_ns: Option<i64>,
    offsets: Vec<i64>,
    /// Frames received before the frame above them.
    pub backward: u64,
}

impl CaptureClock {
    /// Unit of the receive stamps, once seen.
    #[must_use]
    pub const fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Take a receive stamp; a second unit in one capture is refused.
    pub fn receive(&mut self, received: Option<Received>) -> Result<Option<i64>> {
        let Some(Received { ns, unit }) = received else { return Ok(None) };
        match self.unit {
            Some(known) if known != unit => {
                return Err(disagree(format!(
                    "receive time in {}, before in {}",
                    unit.name(),
                    known.name()
                )));
            }
            _ => self.unit = Some(unit),
        }
        self.backward += u64::from(self.last_received_ns.is_some_and(|last| ns < last));
        self.last_received_ns = Some(ns);
        Ok(Some(ns))
    }

    /// Take a frame's venue time; refused when the recorder's clock is an hour or more away.
    pub fn observe(&mut self, received_ns: Option<i64>, venue_ns: i64) -> Result<()> {
        self.latest_ns = Some(self.latest_ns.map_or(venue_ns, |latest| latest.max(venue_ns)));
        let Some(received_ns) = received_ns else { return Ok(()) };
        let offset = received_ns.saturating_sub(venue_ns);
        if offset.unsigned_abs() >= OFFSET_NS_MAX.unsigned_abs() {
            return Err(disagree(format!(
                "receive time is {} s away from venue time: another unit or zone",
                offset / 1_000_000_000
            )));
        }
        self.offsets.push(offset);
        self.slide(received_ns, offset);
        Ok(())
    }

    fn slide(&mut self, received_ns: i64, offset: i64) {
        while self.window.back().is_some_and(|&(_, last)| last >= offset) {
            self.window.pop_back();
        }
        self.window.push_back((received_ns, offset));
        let oldest = received_ns.saturating_sub(OFFSET_WINDOW_NS);
        while self.window.front().is_some_and(|&(at, _)| at < oldest) {
            self.window.pop_front();
        }
    }

    /// Venue time of a frame that has none; `None` before any timed frame.
    #[must_use]
    pub fn estimate(&self, received_ns: Option<i64>) -> Option<i64> {
        match (self.window.front(), received_ns) {
            (Some((_, offset)), Some(now)) => Some(now.saturating_sub(*offset)),
            _ => self.latest_ns,
        }
    }

    /// Statistics of the offsets; reorders them, so call it once at the end.
    pub fn statistics(&mut self) -> OffsetStatistics {
        let (Some(&min_ns), Some(&max_ns)) = (self.offsets.iter().min(), self.offsets.iter().max())
        else {
            return OffsetStatistics::default();
        };
        let middle = self.offsets.len() / 2;
        let (_, &mut median_ns, _) = self.offsets.select_nth_unstable(middle);
        OffsetStatistics { count: self.offsets.len() as u64, min_ns, median_ns, max_ns }
    }
}

fn disagree(sentence: String) -> CoreError {
    CoreError::new(Code::DataInvalid, sentence)
}
