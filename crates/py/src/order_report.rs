// SPDX-License-Identifier: Apache-2.0
//! What every rule of the order engine sees in an `OrderRequest`, for whoever keeps a journal.

use hean_core::number::Rounding;
use hean_core::order::Finding;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::amount;
use crate::error::raise;
use crate::order::PyOrderEngine;

type Any<'py> = Bound<'py, PyAny>;
/// Rule, observed, allowed, and whether it says no.
pub type Row = (&'static str, String, String, bool);

impl PyOrderEngine {
    /// The findings about a request at a reference price and equity, if there are any.
    pub fn report_payload(
        &mut self,
        request: &Any<'_>,
        order_id: &str,
        now_ns: i64,
        reference: Option<f64>,
        equity: Option<&Any<'_>>,
    ) -> PyResult<Vec<Row>> {
        let equity = equity.map(amount).transpose()?;
        let symbol = request.getattr(intern!(request.py(), "symbol"))?.cast_into::<PyString>()?;
        let (_, rules) = self.instrument(symbol.to_str()?)?;
        let mark = reference.map(|price| rules.quantise_price(price, Rounding::Nearest));
        let mark = mark.transpose().map_err(|error| raise(&error))?;
        let findings = self.with_intent(request, order_id, |engine, intent| {
            engine.report(intent, mark, equity, now_ns)
        })?;
        Ok(findings.into_iter().map(row).collect())
    }
}

fn row(finding: Finding) -> Row {
    (finding.rule, finding.observed, finding.allowed, finding.is_breach)
}
