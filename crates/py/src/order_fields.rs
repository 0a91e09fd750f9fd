// SPDX-License-Identifier: Apache-2.0
//! The fields of an `OrderRequest` or an `OrderApproved`, by position: one call takes them all,
//! where a look-up by name costs as much for each of them. Both classes begin with the same fields,
//! and new ones only ever come at the end.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};

type Text<'py> = Bound<'py, PyString>;
type Any<'py> = Bound<'py, PyAny>;

static ASTUPLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// What both payloads say of an order.
pub struct OrderFields<'py> {
    pub symbol: Text<'py>,
    pub side: Text<'py>,
    pub size: Any<'py>,
    pub kind: Text<'py>,
    pub price: Option<Any<'py>>,
    pub order_id: Text<'py>,
    pub trigger: Option<Any<'py>>,
    pub reduce_only: bool,
    pub time_in_force: Text<'py>,
    pub strategy: Text<'py>,
    pub is_sliced: bool,
    pub parent: Text<'py>,
}

impl<'py> OrderFields<'py> {
    /// Read a payload.
    pub fn of(payload: &Any<'py>) -> PyResult<Self> {
        let py = payload.py();
        let load = || py.import("msgspec.structs")?.getattr("astuple").map(Bound::unbind);
        let fields = ASTUPLE.get_or_try_init(py, load)?.bind(py).call1((payload,))?;
        let fields = fields.cast_into::<PyTuple>()?;
        let text = |place| -> PyResult<Text<'py>> { Ok(fields.get_item(place)?.cast_into()?) };
        let optional = |place| -> PyResult<Option<Any<'py>>> {
            Ok(Some(fields.get_item(place)?).filter(|value| !value.is_none()))
        };
        Ok(Self {
            symbol: text(0)?,
            side: text(1)?,
            size: fields.get_item(2)?,
            kind: text(3)?,
            price: optional(4)?,
            order_id: text(5)?,
            trigger: optional(6)?,
            reduce_only: fields.get_item(7)?.is_truthy()?,
            time_in_force: text(8)?,
            strategy: text(9)?,
            is_sliced: !fields.get_item(10)?.is_none(),
            parent: text(11)?,
        })
    }
}
