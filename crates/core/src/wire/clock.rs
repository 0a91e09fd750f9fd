// SPDX-License-Identifier: Apache-2.0
//! The two clocks of a capture. The venue's clock is the truth; the recorder's clock only measures
//! how late frames arrived and carries the venue's time across frames that have none (Binance spot
//! quotes and REST snapshots): estimate = venue time of the last timed frame + what the recorder's
//! clock has gone on since. That is never before the last timed frame.

use super::line::{Received, Unit};
use crate::error::{Code, CoreError, Result};

/// A recorder whose clock is off by more than this has written another unit or another zone.
pub const OFFSET_NS_MAX: i64 = 3_600 * 1_000_000_000;

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
    anchor: Option<(i64, i64)>,
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
        self.anchor = Some((received_ns, venue_ns));
        Ok(())
    }

    /// Venue time of a frame that has none; `None` before any timed frame.
    #[must_use]
    pub fn estimate(&self, received_ns: Option<i64>) -> Option<i64> {
        match (self.anchor, received_ns) {
            (Some((anchor, venue)), Some(now)) => {
                Some(venue.saturating_add(now.saturating_sub(anchor)))
            }
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
