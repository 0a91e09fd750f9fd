// SPDX-License-Identifier: Apache-2.0
//! Gradient-boosted trees for Python: read a model that LightGBM or XGBoost wrote, or nodes, and
//! ask it about one row or many. Many rows are answered without the GIL.

use hean_core::trees::{Branch, Forest, Link, Missing, Precision, Rule, Terms};
use hean_core::{Code, CoreError};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::error::raise;

/// Fewer answers are done before another thread could make use of the GIL.
const DETACH_ROWS: usize = 100;

/// A tree ensemble ready to answer.
#[pyclass(name = "TreeModel", module = "hean._core", frozen)]
pub struct PyTreeModel {
    inner: Forest,
}

/// One row of features, an array or any sequence.
#[derive(FromPyObject)]
enum Row<'py> {
    Array(PyReadonlyArray1<'py, f64>),
    Sequence(Vec<f64>),
}

impl Row<'_> {
    fn with<T>(&self, ask: impl FnOnce(&[f64]) -> hean_core::Result<T>) -> PyResult<T> {
        let values = match self {
            Self::Array(array) => array.as_slice()?,
            Self::Sequence(values) => values,
        };
        ask(values).map_err(|error| raise(&error))
    }
}

/// A node: `(value,)` or `(feature, threshold, left, right, is_missing_left)`.
#[derive(FromPyObject)]
enum PyNode {
    Split((usize, f64, usize, usize, bool)),
    Leaf((f64,)),
}

impl PyNode {
    fn branch(&self) -> Branch {
        match *self {
            Self::Leaf((value,)) => Branch::Leaf(value),
            Self::Split((feature, threshold, left, right, is_missing_left)) => {
                let missing = if is_missing_left { Missing::Left } else { Missing::Right };
                Branch::Split { feature, threshold, left, right, missing }
            }
        }
    }
}

fn made(built: hean_core::Result<Forest>) -> PyResult<PyTreeModel> {
    built.map(|inner| PyTreeModel { inner }).map_err(|error| raise(&error))
}

/// Which of two words was given.
fn choice<T>(name: &str, given: &str, known: [(&str, T); 2]) -> PyResult<T> {
    let words = known.each_ref().map(|(word, _)| *word).join(", ");
    let found = known.into_iter().find(|(word, _)| *word == given);
    found.map(|(_, value)| value).ok_or_else(|| {
        let message = format!("tree model: {name} {given:?}; expected one of {words}");
        raise(&CoreError::new(Code::ParameterInvalid, message))
    })
}

#[pymethods]
impl PyTreeModel {
    #[new]
    #[pyo3(signature = (trees, features, *, rule = "<=", precision = "double", base = 0.0,
        link = "identity"))]
    fn new(
        trees: Vec<Vec<PyNode>>,
        features: Vec<String>,
        rule: &str,
        precision: &str,
        base: f64,
        link: &str,
    ) -> PyResult<Self> {
        let terms = Terms {
            features,
            rule: choice("rule", rule, [("<=", Rule::LessEqual), ("<", Rule::Less)])?,
            precision: choice(
                "precision",
                precision,
                [("double", Precision::Double), ("single", Precision::Single)],
            )?,
            base,
            link: choice(
                "link",
                link,
                [("identity", Link::Identity), ("sigmoid", Link::Sigmoid { slope: 1.0 })],
            )?,
            is_mean: false,
        };
        let trees: Vec<Vec<Branch>> =
            trees.iter().map(|tree| tree.iter().map(PyNode::branch).collect()).collect();
        made(Forest::new(&trees, terms))
    }

    /// Read LightGBM's text model.
    #[staticmethod]
    fn lightgbm(text: &str) -> PyResult<Self> {
        made(Forest::from_lightgbm(text))
    }

    /// Read XGBoost's JSON model.
    #[staticmethod]
    fn xgboost(json: &str) -> PyResult<Self> {
        made(Forest::from_xgboost(json))
    }

    /// The same trees in single precision, as ONNX evaluates them.
    fn to_single(&self) -> PyResult<Self> {
        made(self.inner.to_single())
    }

    /// The answer for one row; nan is a missing value.
    fn predict(&self, row: Row<'_>) -> PyResult<f64> {
        row.with(|values| self.inner.predict(values))
    }

    /// The sum of the leaves for one row.
    fn raw(&self, row: Row<'_>) -> PyResult<f64> {
        row.with(|values| self.inner.raw(values))
    }

    /// Answers for the rows of a matrix, or with `raw` the sums.
    #[pyo3(signature = (rows, *, raw = false))]
    fn predict_many<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
        raw: bool,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let count = rows.shape()[0];
        let flat = rows.as_slice()?;
        let answers = PyArray1::zeros(py, count, false);
        let mut guard = answers.try_readwrite()?;
        let to = guard.as_slice_mut()?;
        let done = if count > DETACH_ROWS {
            py.detach(|| self.inner.predict_many(flat, to, raw))
        } else {
            self.inner.predict_many(flat, to, raw)
        };
        done.map_err(|error| raise(&error))?;
        drop(guard);
        Ok(answers)
    }

    /// Every split as (feature, threshold).
    fn splits(&self) -> Vec<(usize, f64)> {
        self.inner.splits()
    }

    #[getter]
    fn features(&self) -> Vec<String> {
        self.inner.terms().features.clone()
    }

    #[getter]
    fn n_trees(&self) -> usize {
        self.inner.trees()
    }

    #[getter]
    fn n_nodes(&self) -> usize {
        self.inner.nodes()
    }

    /// Whether answers are probabilities.
    #[getter]
    fn is_probability(&self) -> bool {
        self.inner.terms().link != Link::Identity
    }
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTreeModel>()
}
