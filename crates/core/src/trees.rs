// SPDX-License-Identifier: Apache-2.0
//! Gradient-boosted trees: what LightGBM and XGBoost trained, evaluated in microseconds without
//! them. All splits become one question, `x <= threshold`: XGBoost's `x < t` is `x <= next below
//! t`. Where a missing value (NaN) goes is written into every split when a model is read. LightGBM
//! counts in double, XGBoost in single precision, as the libraries do, so the answers are theirs.
//! Categories, linear leaves and several classes are refused by name.

mod lightgbm;
mod xgboost;

use crate::error::{Code, CoreError, Result};

/// Largest model file.
pub const BYTES_MAX: usize = 64 << 20;
/// Most features: an index has to fit beside a node's flags.
pub const FEATURES_MAX: usize = 60_000;
/// Most trees of a model.
pub const TREES_MAX: usize = 100_000;
/// Most nodes of a model.
pub const NODES_MAX: usize = 1 << 24;

const LEAF: u16 = u16::MAX;
/// LightGBM calls numbers up to this magnitude zero.
const ZERO: f64 = 1e-35_f32 as f64;

/// Where a value that is not there goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// NaN goes left.
    Left,
    /// NaN goes right.
    Right,
    /// NaN is compared as zero.
    AsZero,
    /// NaN and zero both mean missing and go left.
    ZeroLeft,
    /// NaN and zero both mean missing and go right.
    ZeroRight,
}

/// When a split goes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `x <= threshold`: LightGBM, ONNX.
    LessEqual,
    /// `x < threshold`: XGBoost.
    Less,
}

/// In which arithmetic features are compared and leaves are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 64 bits: LightGBM.
    Double,
    /// 32 bits: XGBoost, ONNX. Features and thresholds are rounded to the nearest.
    Single,
}

/// What becomes of the sum of the leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// It is the answer.
    Identity,
    /// The answer is `1 / (1 + exp(-slope * sum))`.
    Sigmoid {
        /// Steepness; 1 unless the model says otherwise.
        slope: f64,
    },
}

/// One node as it is handed in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Branch {
    /// An end with its value.
    Leaf(f64),
    /// A question about one feature; children are indices into the same tree.
    Split {
        /// Column of the row.
        feature: usize,
        /// What it is compared with.
        threshold: f64,
        /// Next node if the rule holds.
        left: usize,
        /// Next node otherwise.
        right: usize,
        /// What happens without a value.
        missing: Missing,
    },
}

/// What holds for all trees of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Names of the columns, in order.
    pub features: Vec<String>,
    /// When a split goes left.
    pub rule: Rule,
    /// Arithmetic.
    pub precision: Precision,
    /// What the sum of the leaves starts from.
    pub base: f64,
    /// What becomes of the sum.
    pub link: Link,
    /// Whether the answer is made of the trees' mean (random forest), not of their sum.
    pub is_mean: bool,
}

/// In order of a walk that goes left first: the left child follows its parent.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Goes left up to here; the value of a leaf.
    bound: f64,
    right: u32,
    feature: u16,
    is_nan_left: bool,
    is_zero_missing: bool,
}

/// A model ready to answer.
#[derive(Debug, Clone)]
pub struct Forest {
    terms: Terms,
    roots: Vec<u32>,
    nodes: Vec<Node>,
}

impl Forest {
    /// Put trees together; the first node of each is its root. *Errors*: `ParameterInvalid` for
    /// too much of anything or no features, `DataInvalid` for a tree that is none.
    pub fn new(trees: &[Vec<Branch>], terms: Terms) -> Result<Self> {
        let features = terms.features.len();
        if features == 0 || features > FEATURES_MAX || trees.len() > TREES_MAX {
            let seen = format!("{features} features, {} trees", trees.len());
            let message = format!("{seen}; allowed 1 to {FEATURES_MAX}, up to {TREES_MAX}");
            return Err(CoreError::new(Code::ParameterInvalid, format!("tree model: {message}")));
        }
        let slope = if let Link::Sigmoid { slope } = terms.link { slope } else { 1.0 };
        if !(terms.base.is_finite() && slope.is_finite() && slope > 0.0) {
            let message = format!("base {} and slope {slope} have to be finite", terms.base);
            return Err(CoreError::new(Code::ParameterInvalid, format!("tree model: {message}")));
        }
        let mut forest = Self { terms, roots: Vec::with_capacity(trees.len()), nodes: Vec::new() };
        for (at, tree) in trees.iter().enumerate() {
            let place = |error: CoreError| {
                CoreError::new(error.code, format!("tree {at}: {}", error.message))
            };
            forest.roots.push(forest.nodes.len() as u32);
            forest.plant(tree).map_err(place)?;
        }
        Ok(forest)
    }

    /// Read a model that LightGBM wrote as text.
    pub fn from_lightgbm(text: &str) -> Result<Self> {
        lightgbm::read(limited(text)?)
    }

    /// Read a model that XGBoost wrote as JSON.
    pub fn from_xgboost(json: &str) -> Result<Self> {
        xgboost::read(limited(json)?)
    }

    /// The same trees as ONNX evaluates them: rounded to single precision.
    pub fn to_single(&self) -> Result<Self> {
        let terms = Terms { precision: Precision::Single, ..self.terms.clone() };
        let roots = self.roots.iter().map(|root| *root as usize);
        let ends = self.roots.iter().skip(1).map(|root| *root as usize).chain([self.nodes.len()]);
        let trees: Vec<Vec<Branch>> =
            roots.zip(ends).map(|(from, to)| self.branches(from, to)).collect();
        Self::new(&trees, terms)
    }

    /// What holds for all trees.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Number of nodes, leaves included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Every split's feature and threshold, in order of the nodes.
    #[must_use]
    pub fn splits(&self) -> Vec<(usize, f64)> {
        let splits = self.nodes.iter().filter(|node| node.feature != LEAF);
        splits.map(|node| (usize::from(node.feature), self.threshold(node))).collect()
    }

    /// Sum of the leaves of one row. NaN is a missing value. *Errors*: `DataInvalid` for another
    /// number of features, `NumberNotFinite` for infinity.
    pub fn raw(&self, row: &[f64]) -> Result<f64> {
        self.check(row, row.len())?;
        Ok(self.sum(row, &mut Vec::new()))
    }

    /// The answer for one row.
    pub fn predict(&self, row: &[f64]) -> Result<f64> {
        self.raw(row).map(|sum| self.answer(sum))
    }

    /// Answers, or sums, for many rows that lie behind each other. A bad number is refused by its
    /// row before anything is written.
    pub fn predict_many(&self, rows: &[f64], to: &mut [f64], is_raw: bool) -> Result<()> {
        let width = self.terms.features.len();
        if rows.len() != width * to.len() {
            self.check(rows, rows.len() / to.len().max(1))?;
        }
        for (at, row) in rows.chunks_exact(width).enumerate() {
            self.check(row, width)
                .map_err(|error| CoreError::new(error.code, format!("row {at}: {error}")))?;
        }
        let mut rounded = Vec::with_capacity(width);
        for (row, answer) in rows.chunks_exact(width).zip(to) {
            let sum = self.sum(row, &mut rounded);
            *answer = if is_raw { sum } else { self.answer(sum) };
        }
        Ok(())
    }

    fn check(&self, row: &[f64], width: usize) -> Result<()> {
        let due = self.terms.features.len();
        if width != due {
            let message = format!("tree model: {width} features; the model has {due}");
            return Err(CoreError::new(Code::DataInvalid, message));
        }
        let Some(at) = row.iter().position(|value| value.is_infinite()) else { return Ok(()) };
        let name = &self.terms.features[at];
        let message = format!("tree model: feature {name} is infinite; give a number or nan");
        Err(CoreError::new(Code::NumberNotFinite, message))
    }

    /// *rounded*: memory that many rows share.
    fn sum(&self, row: &[f64], rounded: &mut Vec<f64>) -> f64 {
        if self.terms.precision == Precision::Double {
            return self
                .roots
                .iter()
                .fold(self.terms.base, |sum, root| sum + self.leaf(*root, row));
        }
        rounded.clear();
        rounded.extend(row.iter().map(|value| f64::from(*value as f32)));
        let base = self.terms.base as f32;
        let leaves = self.roots.iter().map(|root| self.leaf(*root, rounded) as f32);
        f64::from(leaves.fold(base, |sum, leaf| sum + leaf))
    }

    #[inline]
    fn leaf(&self, root: u32, row: &[f64]) -> f64 {
        let mut at = root as usize;
        loop {
            let node = &self.nodes[at];
            if node.feature == LEAF {
                return node.bound;
            }
            let value = row[usize::from(node.feature)];
            let is_missing = value.is_nan() || (node.is_zero_missing && value.abs() <= ZERO);
            let is_left = if is_missing { node.is_nan_left } else { value <= node.bound };
            at = if is_left { at + 1 } else { node.right as usize };
        }
    }

    fn answer(&self, sum: f64) -> f64 {
        let count = if self.terms.is_mean { self.roots.len().max(1) } else { 1 };
        let sum = sum / count as f64;
        match (self.terms.link, self.terms.precision) {
            (Link::Identity, _) => sum,
            (Link::Sigmoid { slope }, Precision::Double) => 1.0 / (1.0 + (-slope * sum).exp()),
            (Link::Sigmoid { slope }, Precision::Single) => {
                f64::from(1.0 / (1.0 + (-(slope as f32) * sum as f32).exp()))
            }
        }
    }

    /// Append one tree, left children first. A node that is reached twice or lies outside makes it
    /// no tree, so a damaged file cannot send a row in circles.
    fn plant(&mut self, tree: &[Branch]) -> Result<()> {
        if self.nodes.len() + tree.len() > NODES_MAX {
            return Err(damaged(&format!("more than {NODES_MAX} nodes in all")));
        }
        let mut is_seen = vec![false; tree.len()];
        // Where to go next, and the parent whose right child that is.
        let mut waiting: Vec<(usize, Option<usize>)> = vec![(0, None)];
        while let Some((at, parent)) = waiting.pop() {
            let (Some(branch), Some(seen)) = (tree.get(at), is_seen.get_mut(at)) else {
                return Err(damaged(&format!("node {at} of {}", tree.len())));
            };
            if std::mem::replace(seen, true) {
                return Err(damaged(&format!("node {at} is reached twice")));
            }
            let own = self.nodes.len();
            if let Some(parent) = parent {
                self.nodes[parent].right = own as u32;
            }
            self.nodes.push(self.node(at, branch)?);
            if let Branch::Split { left, right, .. } = *branch {
                waiting.push((right, Some(own)));
                waiting.push((left, None));
            }
        }
        Ok(())
    }

    fn node(&self, at: usize, branch: &Branch) -> Result<Node> {
        let leaf = Node {
            bound: 0.0,
            right: 0,
            feature: LEAF,
            is_nan_left: false,
            is_zero_missing: false,
        };
        match *branch {
            Branch::Leaf(value) if value.is_finite() => {
                Ok(Node { bound: self.rounded(value), ..leaf })
            }
            Branch::Leaf(value) => Err(damaged(&format!("leaf {at} has the value {value}"))),
            Branch::Split { threshold, feature, .. } if threshold.is_nan() => {
                Err(damaged(&format!("node {at}: threshold of feature {feature} is no number")))
            }
            Branch::Split { feature, threshold, missing, .. } => {
                let features = self.terms.features.len();
                if feature >= features {
                    return Err(damaged(&format!("node {at}: feature {feature} of {features}")));
                }
                let rounded = self.rounded(threshold);
                let bound = match self.terms.rule {
                    Rule::LessEqual => rounded,
                    Rule::Less => rounded.next_down(),
                };
                let is_nan_left = match missing {
                    Missing::Left | Missing::ZeroLeft => true,
                    Missing::Right | Missing::ZeroRight => false,
                    Missing::AsZero => 0.0 <= bound,
                };
                let is_zero_missing = matches!(missing, Missing::ZeroLeft | Missing::ZeroRight);
                Ok(Node { bound, feature: feature as u16, is_nan_left, is_zero_missing, ..leaf })
            }
        }
    }

    fn rounded(&self, value: f64) -> f64 {
        match self.terms.precision {
            Precision::Double => value,
            Precision::Single => f64::from(value as f32),
        }
    }

    fn threshold(&self, node: &Node) -> f64 {
        match self.terms.rule {
            Rule::LessEqual => node.bound,
            Rule::Less => node.bound.next_up(),
        }
    }

    /// Nodes `from..to` as they would be handed in, counted from `from`.
    fn branches(&self, from: usize, to: usize) -> Vec<Branch> {
        let nodes = self.nodes[from..to].iter().enumerate();
        let branch = |(at, node): (usize, &Node)| {
            if node.feature == LEAF {
                return Branch::Leaf(node.bound);
            }
            let missing = match (node.is_zero_missing, node.is_nan_left) {
                (false, true) => Missing::Left,
                (false, false) => Missing::Right,
                (true, true) => Missing::ZeroLeft,
                (true, false) => Missing::ZeroRight,
            };
            let right = node.right as usize - from;
            let threshold = self.threshold(node);
            Branch::Split { feature: node.feature.into(), threshold, left: at + 1, right, missing }
        };
        nodes.map(branch).collect()
    }
}

/// The error for trees that are none.
fn damaged(how: &str) -> CoreError {
    CoreError::new(Code::DataInvalid, format!("model is damaged: {how}"))
}

fn limited(text: &str) -> Result<&str> {
    if text.len() <= BYTES_MAX {
        return Ok(text);
    }
    let message = format!("model of {} bytes; allowed are {BYTES_MAX}", text.len());
    Err(CoreError::new(Code::DataInvalid, message))
}
