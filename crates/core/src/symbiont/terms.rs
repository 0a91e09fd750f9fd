// SPDX-License-Identifier: Apache-2.0
//! On what terms agents are judged: money, latency, crossing costs, sizing, and when equity is
//! looked at.

use crate::error::{Code, CoreError, Result};
use crate::number::{Money, Side, Ticks};
use crate::sim::Slippage;
use crate::sizing::{Method, Sizing};

/// Terms of a judgement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Money of each agent at the start.
    pub cash: Money,
    /// How long an order takes to the venue, ns.
    pub entry_ns: i64,
    /// How long an answer takes back, ns.
    pub response_ns: i64,
    /// Cost of crossing.
    pub slippage: Slippage,
    /// How much; an agent's size is a part of it.
    pub sizing: Sizing,
    /// Equity is sampled at multiples of this.
    pub sample_step_ns: i64,
    /// Begin of the period.
    pub start_ns: i64,
}

impl Terms {
    /// Refuse what cannot be played on bars of this length.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`].
    pub fn check(&self, timeframe_ns: i64) -> Result<()> {
        let bad = |why: String| Err(CoreError::new(Code::ParameterInvalid, why));
        if timeframe_ns <= 0 || self.sample_step_ns <= 0 {
            return bad("lengths of bars and of sampling steps must be above 0".into());
        }
        let (entry, response) = (self.entry_ns, self.response_ns);
        // An entry, its answer and the stop that follows must be through before the price moves on.
        let is_short = entry
            .checked_mul(2)
            .and_then(|both| both.checked_add(response))
            .is_some_and(|sum| sum < timeframe_ns / 3);
        if entry <= 0 || response <= 0 || !is_short {
            return bad(format!(
                "latency of {entry} ns and {response} ns; the judge needs both above 0, and two \
                 ways in and one back within a third of a bar of {timeframe_ns} ns"
            ));
        }
        if self.sizing.method == Method::VolatilityTarget {
            return bad("sizing by volatility target needs a forecast; size by a fraction".into());
        }
        Ok(())
    }
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deal {
    /// When the trader knows, ns.
    pub known_ns: i64,
    /// Number of the symbol.
    pub symbol: u32,
    /// Direction.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Quantity, lots.
    pub lots: i64,
    /// By the resting stop.
    pub is_stop: bool,
}

/// One round trip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trip {
    /// Number of the symbol.
    pub symbol: u32,
    /// The bar at whose end it was decided.
    pub decided: u32,
    /// The bar at whose end, or in which, it was over.
    pub over: u32,
    /// +1 long, -1 short.
    pub direction: i8,
    /// Result after fees, before funding, quote.
    pub result: f64,
    /// Value bought and sold, quote.
    pub value: f64,
}

/// What came of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Orders approved: entries, stops, exits.
    pub orders: u64,
    /// Orders refused, by risk or venue.
    pub rejected: u64,
    /// Equity at each multiple of the sampling step.
    pub samples: Vec<f64>,
    /// Equity at the end.
    pub equity: Money,
    /// Fees paid.
    pub fees: Money,
    /// Funding received.
    pub funding: Money,
    /// Largest fall from a peak over all samples, a fraction.
    pub drawdown: f64,
    /// When the account was ruined and no longer followed, ns.
    pub ruined_ns: Option<i64>,
    /// Round trips.
    pub trips: Vec<Trip>,
    /// Executions, where they were asked for.
    pub deals: Vec<Deal>,
}
