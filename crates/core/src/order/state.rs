// SPDX-License-Identifier: Apache-2.0
//! The order state machine: one table, one function. A fact adds to what is known of the order;
//! the state is then read off all that is known, so frames may arrive in any order and twice and
//! the end is the same. A move that the table does not list is refused and changes nothing.

use super::record::{
    End, Fills, Place, Record, ABSENT, ACK, AMEND_GROWS, QUARANTINE, SENT, UNKNOWN,
};
use super::ExecId;
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Ticks};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Approved; nothing has left.
    Intent = 0,
    /// The ticket was redeemed; no answer yet.
    Sent = 1,
    /// The venue has it.
    Working = 2,
    /// Partly filled and still working.
    Partial = 3,
    /// Filled whole.
    Filled = 4,
    /// Cancelled.
    Cancelled = 5,
    /// Out of time.
    Expired = 6,
    /// Refused.
    Rejected = 7,
    /// Nobody knows whether the venue has it; counts in full.
    Unknown = 8,
    /// Still unknown after the deadline; counts in full until a person or a frame decides.
    Quarantine = 9,
    /// Proven not to be at the venue; a late frame still wins.
    Absent = 10,
}

use State::{
    Absent, Cancelled, Expired, Filled, Intent, Partial, Quarantine, Rejected, Sent, Unknown,
    Working,
};

const fn set(states: &[State]) -> u16 {
    let mut bits = 0;
    let mut i = 0;
    while i < states.len() {
        bits |= 1 << states[i] as u16;
        i += 1;
    }
    bits
}

/// The table: from each state, where a fact may lead. A fill or an end before the acknowledgement
/// passes WORKING in the same step. Ended orders lead to FILLED only by fills executed before the
/// end. ABSENT is our own verdict, so a frame may contradict it.
const TABLE: [(State, u16); 11] = [
    (Intent, set(&[Sent, Cancelled, Expired, Rejected, Unknown])),
    (Sent, set(&[Working, Partial, Filled, Cancelled, Expired, Rejected, Unknown])),
    (Working, set(&[Partial, Filled, Cancelled, Expired, Rejected])),
    (Partial, set(&[Partial, Filled, Cancelled, Expired, Rejected])),
    (Filled, set(&[])),
    (Cancelled, set(&[Filled, Expired, Rejected])),
    (Expired, set(&[Filled, Cancelled, Rejected])),
    (Rejected, set(&[Filled, Cancelled, Expired])),
    (Unknown, set(&[Working, Partial, Filled, Cancelled, Expired, Rejected, Quarantine, Absent])),
    (Quarantine, set(&[Working, Partial, Filled, Cancelled, Expired, Rejected, Absent])),
    (Absent, set(&[Working, Partial, Filled, Cancelled, Expired, Rejected])),
];

impl State {
    /// Status in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Intent => "INTENT",
            Sent => "SENT",
            Working => "WORKING",
            Partial => "PARTIAL",
            Filled => "FILLED",
            Cancelled => "CANCELLED",
            Expired => "EXPIRED",
            Rejected => "REJECTED",
            Unknown => "UNKNOWN",
            Quarantine => "QUARANTINE",
            Absent => "ABSENT",
        }
    }

    /// May still be filled, as far as anyone knows: its quantity stays reserved.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Intent | Sent | Working | Partial | Unknown | Quarantine)
    }

    /// May the table move from here to `next`? Staying is always allowed.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        self as u8 == next as u8 || TABLE[self as usize].1 & (1 << next as u16) != 0
    }

    /// Read the state off what is known of an order.
    #[must_use]
    #[inline]
    pub fn of(record: &Record) -> Self {
        if record.filled >= record.lots && !record.has(AMEND_GROWS) {
            return Filled;
        }
        match record.end {
            End::Cancelled => return Cancelled,
            End::Expired => return Expired,
            End::Rejected => return Rejected,
            End::Open => {}
        }
        if record.filled.0 > 0 {
            return Partial;
        }
        match record.flags {
            flags if flags & ACK != 0 => Working,
            flags if flags & ABSENT != 0 => Absent,
            flags if flags & QUARANTINE != 0 => Quarantine,
            flags if flags & UNKNOWN != 0 => Unknown,
            flags if flags & SENT != 0 => Sent,
            _ => Intent,
        }
    }
}

/// What was learnt of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    /// The request left.
    Sent,
    /// The venue acknowledged it.
    Placed,
    /// The venue executed a part.
    Filled {
        /// Identity of the execution.
        exec: ExecId,
        /// Price.
        price: Ticks,
        /// Quantity.
        lots: Lots,
    },
    /// The venue cancelled it, or it was withdrawn before it left.
    Cancelled,
    /// It ran out of time.
    Expired,
    /// The venue refused it.
    Rejected,
    /// The answer is missing or ambiguous.
    Unknown,
    /// The answer stayed missing.
    Quarantine,
    /// All sources agree that the venue does not have it.
    Absent,
}

impl FactKind {
    /// The end this fact reports, if it reports one.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        match self {
            Self::Cancelled => Some(End::Cancelled),
            Self::Expired => Some(End::Expired),
            Self::Rejected => Some(End::Rejected),
            _ => None,
        }
    }

    /// Can it be said of an order that never reaches a venue?
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Sent | Self::Cancelled | Self::Expired)
    }
}

/// One fact with the time at which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// What happened.
    pub kind: FactKind,
    /// When, by the venue's clock where it is a venue's frame.
    pub ts_ns: i64,
}

/// What a fact changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Lots filled by this fact; 0 for a duplicate.
    pub filled: Lots,
    /// An order declared absent turned up: the verdict was wrong.
    pub is_resurrected: bool,
}

/// Add a fact to a record.
///
/// # Errors
/// [`Code::IllegalTransition`] if the fact contradicts what is known; the record is unchanged.
pub fn apply(record: &mut Record, fills: &mut Fills, fact: Fact) -> Result<Transition> {
    let from = State::of(record);
    if record.is_sliced() && !fact.kind.is_ours() {
        return Err(illegal(from, "a sliced order is not at the venue; its slices are"));
    }
    let before = (record.flags, record.end, record.ended_ns());
    let mut filled = Lots::ZERO;
    match fact.kind {
        FactKind::Sent => record.flags |= SENT,
        FactKind::Placed => record.flags |= ACK,
        FactKind::Filled { exec, price, lots } => {
            filled = add_fill(record, fills, (exec, price, lots), fact.ts_ns)?;
        }
        FactKind::Cancelled => end(record, End::Cancelled, fact.ts_ns),
        FactKind::Expired => end(record, End::Expired, fact.ts_ns),
        FactKind::Rejected => end(record, End::Rejected, fact.ts_ns),
        FactKind::Unknown => record.flags |= UNKNOWN,
        FactKind::Quarantine => record.flags |= QUARANTINE,
        FactKind::Absent => record.flags |= ABSENT,
    }
    let to = State::of(record);
    if !from.may_become(to) {
        record.flags = before.0;
        record.set_end(before.1, before.2);
        return Err(illegal(from, &format!("{:?} would make it {}", fact.kind, to.name())));
    }
    record.updated_ns = record.updated_ns.max(fact.ts_ns);
    let is_resurrected = from == Absent && !matches!(to, Absent | Rejected);
    Ok(Transition { from, to, filled, is_resurrected })
}

/// A slice's fill is a fill of its parent too; the slice has passed the table already. It counts
/// even if another slice has an execution of that id, or the parent would buy it again.
pub(crate) fn absorb(record: &mut Record, fills: &mut Fills, fill: (ExecId, Ticks, Lots), ts: i64) {
    if let Place::New(place) = fills.place(record.fills, fill) {
        fills.insert(&mut record.fills, place, fill, ts);
    }
    record.filled.0 = record.filled.0.saturating_add(fill.2 .0);
    record.updated_ns = record.updated_ns.max(ts);
}

/// The earliest terminal event counts; of two at one time the one with the lower number.
fn end(record: &mut Record, end: End, ts_ns: i64) {
    if record.end == End::Open || (ts_ns, end) < (record.ended_ns(), record.end) {
        record.set_end(end, ts_ns);
    }
}

fn add_fill(
    record: &mut Record,
    fills: &mut Fills,
    fill: (ExecId, Ticks, Lots),
    ts_ns: i64,
) -> Result<Lots> {
    let from = State::of(record);
    let lots = fill.2;
    let place = match fills.place(record.fills, fill) {
        Place::New(place) => place,
        Place::Duplicate => return Ok(Lots::ZERO),
        Place::Conflict => {
            return Err(illegal(from, &format!("execution {} changed its terms", fill.0 .0)))
        }
    };
    if from == Intent {
        return Err(illegal(from, "a fill of an order that never left"));
    }
    if record.end != End::Open && ts_ns > record.ended_ns() {
        let why = format!("fill at {ts_ns} ns, ended at {} ns", record.ended_ns());
        return Err(illegal(from, &why));
    }
    let room = record.lots.0 - record.filled.0;
    if lots.0 <= 0 || lots.0 > room {
        return Err(illegal(from, &format!("fill of {} lots, {room} are left", lots.0)));
    }
    fills.insert(&mut record.fills, place, fill, ts_ns);
    record.filled.0 += lots.0;
    Ok(lots)
}

fn illegal(from: State, why: &str) -> CoreError {
    CoreError::new(Code::IllegalTransition, format!("order is {}: {why}", from.name()))
}
