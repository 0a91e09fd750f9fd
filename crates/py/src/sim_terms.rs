// SPDX-License-Identifier: Apache-2.0
//! Words and numbers of the simulated venue, from Python to the core's own types.

use hean_core::order::{OrderType, TimeInForce};
use hean_core::sim::{Latency, NewOrder};
use hean_core::{Side, Ticks};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::convert;
use crate::sim::PySimVenue;

/// Delay of one direction.
pub fn latency(parameters: (String, Vec<f64>)) -> PyResult<Latency> {
    match (parameters.0.as_str(), parameters.1.as_slice()) {
        ("constant", [delay]) => Ok(Latency::Constant(*delay as i64)),
        ("normal", [mean, deviation]) => Ok(Latency::Normal { mean: *mean, deviation: *deviation }),
        ("recorded", delays) if !delays.is_empty() => {
            Ok(Latency::Recorded(delays.iter().map(|delay| *delay as i64).collect()))
        }
        (name, values) => Err(PyValueError::new_err(format!(
            "latency {name} {values:?}: expected constant [ns], normal [mean, deviation] or \
             recorded [ns, ...]"
        ))),
    }
}

/// Place of `value` among enum members, by identity.
fn place(members: &[Py<PyAny>], value: &Bound<'_, PyAny>, what: &str) -> PyResult<usize> {
    members
        .iter()
        .position(|member| value.is(member))
        .ok_or_else(|| PyValueError::new_err(format!("{what} {value} is not of hean.core.types")))
}

impl PySimVenue {
    /// An `OrderApproved` in counts.
    pub fn read_order(
        &self,
        approved: &Bound<'_, PyAny>,
        key: u32,
        instrument: usize,
    ) -> PyResult<NewOrder> {
        let py = approved.py();
        let rules = self.rules(instrument)?;
        let optional = |name| -> PyResult<Option<Ticks>> {
            let value = approved.getattr(name)?;
            (!value.is_none()).then(|| convert::price(rules, &value)).transpose()
        };
        let side = approved.getattr(intern!(py, "side"))?;
        let kind = approved.getattr(intern!(py, "type"))?;
        let life = approved.getattr(intern!(py, "time_in_force"))?;
        Ok(NewOrder {
            key,
            instrument,
            side: [Side::Buy, Side::Sell][place(&self.types.sides, &side, "side")?],
            kind: OrderType::ALL[place(&self.types.kinds, &kind, "order type")?],
            life: TimeInForce::ALL[place(&self.types.lives, &life, "time in force")?],
            reduce_only: approved.getattr(intern!(py, "reduce_only"))?.is_truthy()?,
            lots: convert::quantity(rules, &approved.getattr(intern!(py, "size"))?)?,
            price: optional(intern!(py, "price"))?,
            trigger: optional(intern!(py, "trigger_price"))?,
        })
    }
}
