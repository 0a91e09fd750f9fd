// SPDX-License-Identifier: Apache-2.0
//! A compiled program and its streaming state: a list of operations in which each reads the
//! results of earlier ones. Conditions are numbers 0 and 1 inside.

use crate::error::Result;
use crate::indicator::{Ema, Ewm, RollingMax, RollingMin, RollingStd, Rsi, Sma, ZScore};

/// One row of a stream. A tick has its price four times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price; of a quote the middle.
    pub close: f64,
    /// Quantity traded.
    pub volume: f64,
}

impl Row {
    /// The row of a tick.
    #[must_use]
    pub const fn of_tick(price: f64, volume: f64) -> Self {
        Self { open: price, high: price, low: price, close: price, volume }
    }
}

/// A column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    High,
    Low,
    Close,
    Volume,
}

impl Input {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "open" => Self::Open,
            "high" => Self::High,
            "low" => Self::Low,
            "close" => Self::Close,
            "volume" => Self::Volume,
            _ => return None,
        })
    }

    const fn of(self, row: &Row) -> f64 {
        match self {
            Self::Open => row.open,
            Self::High => row.high,
            Self::Low => row.low,
            Self::Close => row.close,
            Self::Volume => row.volume,
        }
    }
}

/// Two numbers to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            _ => return None,
        })
    }

    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}

/// Two numbers to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn of(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// One operation; operands are places of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Node {
    Input(Input),
    /// Rows seen, this one included.
    Count,
    Number(f64),
    /// State slot, operand.
    Indicator(usize, usize),
    Arithmetic(Arithmetic, usize, usize),
    Compare(Comparison, usize, usize),
    And(usize, usize),
    Or(usize, usize),
    Not(usize),
}

/// State of one indicator.
#[derive(Debug, Clone)]
pub(super) enum Kernel {
    Sma(Sma),
    Ema(Ema),
    Ewm(Ewm),
    Rsi(Rsi),
    Std(RollingStd),
    ZScore(ZScore),
    Min(RollingMin),
    Max(RollingMax),
}

impl Kernel {
    pub(super) fn new(name: &str, window: usize) -> Result<Self> {
        Ok(match name {
            "sma" => Self::Sma(Sma::new(window)?),
            "ema" => Self::Ema(Ema::new(window)?),
            "ewm" => Self::Ewm(Ewm::new(window)?),
            "rsi" => Self::Rsi(Rsi::new(window)?),
            "std" => Self::Std(RollingStd::new(window, 0)?),
            "zscore" => Self::ZScore(ZScore::new(window)?),
            "lowest" => Self::Min(RollingMin::new(window)?),
            _ => Self::Max(RollingMax::new(window)?),
        })
    }

    /// What is not finite is not taken: the state stays and the answer is NaN.
    #[inline]
    fn push(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        let answer = match self {
            Self::Sma(it) => it.push(value),
            Self::Ema(it) => it.push(value),
            Self::Ewm(it) => it.push(value),
            Self::Rsi(it) => it.push(value),
            Self::Std(it) => it.push(value),
            Self::ZScore(it) => it.push(value),
            Self::Min(it) => it.push(value),
            Self::Max(it) => it.push(value),
        };
        answer.unwrap_or(f64::NAN)
    }
}

/// Conditions of one stream, and everything they remember.
#[derive(Debug, Clone)]
pub struct Program {
    nodes: Vec<Node>,
    kernels: Vec<Kernel>,
    values: Vec<f64>,
    roots: Vec<usize>,
    count: u64,
}

impl Program {
    pub(super) fn new(nodes: Vec<Node>, kernels: Vec<Kernel>, roots: Vec<usize>) -> Self {
        Self { values: vec![0.0; nodes.len()], nodes, kernels, roots, count: 0 }
    }

    /// Take one row.
    #[inline]
    pub fn step(&mut self, row: &Row) {
        self.count += 1;
        let truth = |is_true: bool| if is_true { 1.0 } else { 0.0 };
        for (place, node) in self.nodes.iter().enumerate() {
            let values = &mut self.values;
            let value = match *node {
                Node::Input(input) => input.of(row),
                Node::Count => self.count as f64,
                Node::Number(number) => number,
                Node::Indicator(slot, of) => self.kernels[slot].push(values[of]),
                Node::Arithmetic(operation, left, right) => {
                    operation.of(values[left], values[right])
                }
                Node::Compare(comparison, left, right) => {
                    truth(comparison.of(values[left], values[right]))
                }
                Node::And(left, right) => values[left] * values[right],
                Node::Or(left, right) => values[left].max(values[right]),
                Node::Not(of) => 1.0 - values[of],
            };
            values[place] = value;
        }
    }

    /// Does condition `number` hold as of the last row? False before the first one.
    #[inline]
    #[must_use]
    pub fn holds(&self, number: usize) -> bool {
        self.roots.get(number).is_some_and(|&root| self.values[root] != 0.0)
    }

    /// How many conditions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Is there no condition at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}
