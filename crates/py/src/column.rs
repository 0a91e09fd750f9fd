// SPDX-License-Identifier: Apache-2.0
//! Columns of numpy arrays without a copy. The one `unsafe` of the project lives here: a slice of
//! an array is handed to the core as if it lived for ever, and [`Keep`] sees to it that the array
//! does live as long as whoever uses the slice.

use hean_core::sim::Column;
use numpy::{Element, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Arrays whose memory the core borrows. Declare it *after* the borrower in a struct, so that it
/// is dropped last.
#[derive(Default)]
pub struct Keep(Vec<Py<PyAny>>);

impl Keep {
    /// Borrow an array for as long as this `Keep` lives.
    ///
    /// # Errors
    /// `ValueError` for an array that is not contiguous or can still be written to.
    pub fn column<T: Element + 'static>(
        &mut self,
        array: &PyReadonlyArray1<'_, T>,
    ) -> PyResult<Column<T>> {
        let is_writeable: bool = array.getattr("flags")?.getattr("writeable")?.extract()?;
        let slice =
            array.as_slice().map_err(|_| PyValueError::new_err("column is not contiguous"))?;
        if is_writeable {
            return Err(PyValueError::new_err("column is writeable; freeze it with setflags"));
        }
        // SAFETY: the memory belongs to the array object, which `self` keeps alive; numpy does not
        // move an array's memory, and nobody can write to it.
        let slice: &'static [T] =
            unsafe { std::slice::from_raw_parts(slice.as_ptr(), slice.len()) };
        self.0.push(array.as_any().clone().unbind());
        Ok(Column::Borrowed(slice))
    }
}
