// SPDX-License-Identifier: Apache-2.0
//! One error type, numbered by family. Python's `hean.errors` carries the same numbers, so that a
//! log line, an API answer and a test name the same thing. An error is built only when something
//! is wrong, therefore it may allocate its sentence.

use std::fmt;

/// What went wrong: 1xxx input, 2xxx risk, 3xxx order, 4xxx venue and its book, 5xxx ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// A price does not lie on the instrument's tick.
    PriceNotOnTick = 1101,
    /// A number is NaN or infinite.
    NumberNotFinite = 1102,
    /// A field or setting of a name nobody knows.
    UnknownField = 1103,
    /// A quantity does not lie on the instrument's lot.
    QuantityNotOnLot = 1104,
    /// A number does not fit the exact type, or arithmetic would overflow.
    NumberOutOfRange = 1105,
    /// A text is not a plain decimal number.
    NotADecimal = 1106,
    /// The instrument's own definition is contradictory.
    InstrumentInvalid = 1107,
    /// Symbol is not known here.
    UnknownSymbol = 1108,
    /// Quantity below the minimum, above the maximum, or notional too small.
    OrderSizeInvalid = 1109,
    /// A parameter is outside its documented range.
    ParameterInvalid = 1110,
    /// Recorded data contradicts itself (order of time, sign, shape).
    DataInvalid = 1111,
    /// A frame from a venue cannot be understood.
    FrameInvalid = 1112,

    /// A hard limit would be crossed.
    LimitBreached = 2101,
    /// The ticket is unknown, used, expired, or belongs to other fields.
    TicketInvalid = 2102,
    /// A second approval of the same order id.
    AlreadyApproved = 2103,
    /// No fresh reference price, so the order cannot be valued.
    NoReferencePrice = 2104,
    /// Trading is halted.
    Halted = 2105,
    /// A reduce-only order would open or grow a position.
    ReduceOnlyViolated = 2106,

    /// No order under this id.
    OrderUnknown = 3101,
    /// The fact cannot follow the order's present state.
    IllegalTransition = 3102,
    /// The order id was used before.
    DuplicateOrder = 3103,
    /// The order is not open any more.
    OrderNotOpen = 3104,

    /// A delta is missing between the book and this update.
    BookGap = 4101,
    /// Best bid is at or above best ask.
    BookCrossed = 4102,
    /// Post-only order would have traded.
    WouldTrade = 4103,
    /// Fill-or-kill order cannot be filled whole.
    NotFillable = 4104,
    /// Nobody to trade with.
    NoLiquidity = 4105,
    /// The last trade price is already beyond the trigger.
    WouldTrigger = 4106,

    /// Balance or margin does not suffice.
    InsufficientMargin = 5101,
    /// The ledger's identity does not hold: a bug, stop.
    LedgerBroken = 5102,
}

impl Code {
    /// The number shared with Python.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// An error with its number and one sentence: what, where, observed, allowed, next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreError {
    /// Number of the kind of error.
    pub code: Code,
    /// The sentence shown to a person.
    pub message: String,
}

impl CoreError {
    /// Make an error; called only on the failing path.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for CoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}: {}", self.code, self.code.number(), self.message)
    }
}

impl std::error::Error for CoreError {}

/// Result of core calls.
pub type Result<T> = std::result::Result<T, CoreError>;
