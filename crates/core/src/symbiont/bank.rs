// SPDX-License-Identifier: Apache-2.0
//! All expressions of a population over one symbol, evaluated block by block. Equal sub-expressions
//! of any two agents are one node and are computed once; a block is short enough for every node's
//! values to stay in the cache. Windows keep their state from block to block, so the size of a
//! block changes nothing: a live agent takes blocks of one row and sees the same bits.

use std::collections::BTreeMap;

use super::bits::{self, Beyond, Span, Words, WORDS};
use super::gene::{Arithmetic, Expr, Input, Kind, WINDOW_MAX};
use super::window::Team;
use crate::error::{Code, CoreError, Result};

/// Rows of a block; whole words of conditions.
pub const BLOCK: usize = 512;
/// Rows in a word of conditions.
pub const WORD: usize = 64;
/// Most distinct numbers or conditions of a bank: what a population of thousands needs.
pub const NODES_MAX: usize = 65_536;

/// Columns of a block, all of one length.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// First price.
    pub open: &'a [f64],
    /// Highest price.
    pub high: &'a [f64],
    /// Lowest price.
    pub low: &'a [f64],
    /// Last price.
    pub close: &'a [f64],
    /// Base quantity traded.
    pub volume: &'a [f64],
    /// Last known funding rate.
    pub funding: &'a [f64],
}

impl<'a> Rows<'a> {
    const fn of(&self, input: Input) -> &'a [f64] {
        match input {
            Input::Open => self.open,
            Input::High => self.high,
            Input::Low => self.low,
            Input::Close => self.close,
            Input::Volume => self.volume,
            Input::Funding => self.funding,
        }
    }

    /// Rows `from..to`.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        Self {
            open: &self.open[from..to],
            high: &self.high[from..to],
            low: &self.low[from..to],
            close: &self.close[from..to],
            volume: &self.volume[from..to],
            funding: &self.funding[from..to],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Input(Input),
    Brought(usize),
    Number(u64),
    Indicator(Kind, usize, Option<usize>),
    Arithmetic(Arithmetic, usize, usize),
}

#[derive(Debug, Clone)]
enum Node {
    Input(Input),
    /// Values of another symbol that the caller brings, by place.
    Brought(usize),
    Number(f64),
    /// A window: its team, and its place among it.
    Indicator(usize, usize),
    Arithmetic(Arithmetic, usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Less(usize, usize, bool),
    /// A number, by its span, against a constant.
    Bound(usize, Beyond, u64),
    And(usize, usize),
    Or(usize, usize),
}

/// In place of a symbol: the own one, whose extra columns the caller brings too.
pub const OWN: usize = usize::MAX;

/// An expression of another symbol, or an extra column, which the caller has to bring.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Number of the symbol, or [`OWN`].
    pub symbol: usize,
    /// What is wanted of it.
    pub expr: Expr,
}

/// Expressions over one symbol and all that they remember.
#[derive(Debug, Clone, Default)]
pub struct Bank {
    nodes: Vec<Node>,
    places: BTreeMap<Key, usize>,
    /// Of constants and arithmetic; windows' are with their teams.
    values: Vec<Vec<f64>>,
    /// Windows by kind and operand.
    teams: Vec<Team>,
    team_places: BTreeMap<(Kind, Option<usize>), usize>,
    tests: Vec<Test>,
    test_places: BTreeMap<Test, usize>,
    /// Spans of numbers that are held against constants.
    spans: Vec<(usize, Span)>,
    words: Vec<Words>,
    wanted: Vec<Wanted>,
}

/// What is known while a block is computed.
struct Known<'a> {
    nodes: &'a [Node],
    values: &'a [Vec<f64>],
    teams: &'a [Team],
    rows: &'a Rows<'a>,
    brought: &'a [&'a [f64]],
}

impl<'a> Known<'a> {
    fn value(&self, place: usize) -> &'a [f64] {
        let count = self.rows.close.len().min(BLOCK);
        match self.nodes[place] {
            Node::Input(input) => self.rows.of(input),
            Node::Brought(from) => self.brought[from],
            Node::Indicator(team, member) => &self.teams[team].values(member)[..count],
            Node::Number(_) | Node::Arithmetic(..) => &self.values[place][..count],
        }
    }
}

impl Bank {
    /// Take in a number; its place.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] for a condition, for `of` within `of`, and beyond [`NODES_MAX`].
    pub fn number(&mut self, expr: &Expr) -> Result<usize> {
        let key = match expr {
            Expr::Input(input) => Key::Input(*input),
            Expr::Extra(_) => Key::Brought(self.want(OWN, expr)?),
            Expr::Number(number) => Key::Number(number.to_bits()),
            Expr::Indicator(kind, window, of) => {
                let of = of.as_ref().map(|of| self.number(of)).transpose()?;
                Key::Indicator(*kind, *window, of)
            }
            Expr::Arithmetic(operation, left, right) => {
                Key::Arithmetic(*operation, self.number(left)?, self.number(right)?)
            }
            Expr::Of(symbol, of) => Key::Brought(self.want(*symbol, of)?),
            _ => return Err(wrong("a condition where a number is due")),
        };
        if let Some(&known) = self.places.get(&key) {
            return Ok(known);
        }
        let place = free_place(self.nodes.len())?;
        let node = match key {
            Key::Input(input) => Node::Input(input),
            Key::Brought(place) => Node::Brought(place),
            Key::Number(bits) => Node::Number(f64::from_bits(bits)),
            Key::Indicator(kind, window, of) => self.indicator(kind, window, of)?,
            Key::Arithmetic(operation, left, right) => Node::Arithmetic(operation, left, right),
        };
        self.values.push(match node {
            Node::Number(number) => vec![number; BLOCK],
            Node::Arithmetic(..) => vec![f64::NAN; BLOCK],
            _ => Vec::new(),
        });
        self.nodes.push(node);
        self.places.insert(key, place);
        Ok(place)
    }

    /// A window joins those of its kind and operand.
    fn indicator(&mut self, kind: Kind, window: usize, of: Option<usize>) -> Result<Node> {
        if window == 0 || window > WINDOW_MAX as usize {
            return Err(wrong(&format!("a window of {window} rows; allowed: 1 to {WINDOW_MAX}")));
        }
        let free = self.teams.len();
        let team = *self.team_places.entry((kind, of)).or_insert(free);
        if team == free {
            self.teams.push(Team::new(kind, of));
        }
        Ok(Node::Indicator(team, self.teams[team].join(window)?))
    }

    /// Take in a condition; its place.
    ///
    /// # Errors
    /// As of [`Self::number`].
    pub fn condition(&mut self, expr: &Expr) -> Result<usize> {
        let test = match expr {
            Expr::Less(left, right, or_equal) => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                self.less(left, right, *or_equal)
            }
            Expr::And(left, right) => Test::And(self.condition(left)?, self.condition(right)?),
            Expr::Or(left, right) => Test::Or(self.condition(left)?, self.condition(right)?),
            _ => return Err(wrong("a number where a condition is due")),
        };
        if let Some(&known) = self.test_places.get(&test) {
            return Ok(known);
        }
        let place = free_place(self.tests.len())?;
        self.tests.push(test);
        self.words.push([0; WORDS]);
        self.test_places.insert(test, place);
        Ok(place)
    }

    /// One below the other; a constant among them is a bound.
    fn less(&mut self, left: usize, right: usize, or_equal: bool) -> Test {
        let (of, side, bound) = match (&self.nodes[left], &self.nodes[right], or_equal) {
            (_, Node::Number(bound), false) => (left, Beyond::Below, bound),
            (_, Node::Number(bound), true) => (left, Beyond::BelowOrAt, bound),
            (Node::Number(bound), _, false) => (right, Beyond::Above, bound),
            (Node::Number(bound), _, true) => (right, Beyond::AboveOrAt, bound),
            _ => return Test::Less(left, right, or_equal),
        };
        let bound = bound.to_bits();
        let known = self.spans.iter().position(|(other, _)| *other == of);
        let span = known.unwrap_or(self.spans.len());
        if known.is_none() {
            self.spans.push((of, Span::new()));
        }
        Test::Bound(span, side, bound)
    }

    fn want(&mut self, symbol: usize, expr: &Expr) -> Result<usize> {
        if holds_of(expr) {
            return Err(wrong("`of` within `of`"));
        }
        let wanted = Wanted { symbol, expr: expr.clone() };
        if let Some(known) = self.wanted.iter().position(|other| *other == wanted) {
            return Ok(known);
        }
        let place = free_place(self.wanted.len())?;
        self.wanted.push(wanted);
        Ok(place)
    }

    /// What the caller has to bring, in the order of `brought` of [`Self::run`].
    #[must_use]
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// Take the next rows, at most [`BLOCK`].
    pub fn run(&mut self, rows: &Rows<'_>, brought: &[&[f64]]) {
        let Self { nodes, values, teams, .. } = self;
        for place in 0..nodes.len() {
            match nodes[place] {
                // The first of a team stands behind its operand and before all that want a member.
                Node::Indicator(team, 0) => {
                    let (teams, rest) = teams.split_at_mut(team);
                    let known = Known { nodes, values, teams, rows, brought };
                    rest[0].run(rows, |of| known.value(of));
                }
                Node::Arithmetic(operation, left, right) => {
                    let (values, rest) = values.split_at_mut(place);
                    let known = Known { nodes, values, teams, rows, brought };
                    combine(operation, known.value(left), known.value(right), &mut rest[0]);
                }
                _ => {}
            }
        }
        self.decide(rows, brought);
    }

    /// Where conditions hold, numbers being known.
    fn decide(&mut self, rows: &Rows<'_>, brought: &[&[f64]]) {
        let Self { nodes, values, teams, spans, words, .. } = self;
        let known = Known { nodes, values, teams, rows, brought };
        for (of, span) in spans.iter_mut() {
            span.take(known.value(*of));
        }
        for (place, test) in self.tests.iter().enumerate() {
            words[place] = match *test {
                Test::Less(left, right, or_equal) => {
                    let (left, right) = (known.value(left), known.value(right));
                    if or_equal {
                        bits::of_two(left, right, |x, y| x <= y)
                    } else {
                        bits::of_two(left, right, |x, y| x < y)
                    }
                }
                Test::Bound(at, side, bound) => {
                    let (of, span) = &spans[at];
                    span.beyond(known.value(*of), side, f64::from_bits(bound))
                }
                Test::And(left, right) => {
                    let (left, right) = (words[left], words[right]);
                    std::array::from_fn(|at| left[at] & right[at])
                }
                Test::Or(left, right) => {
                    let (left, right) = (words[left], words[right]);
                    std::array::from_fn(|at| left[at] | right[at])
                }
            };
        }
    }

    /// Where a condition held in the last block, a bit a row, the first row lowest.
    #[must_use]
    pub fn held(&self, condition: usize) -> &[u64; WORDS] {
        &self.words[condition]
    }

    /// The values of a number in the last block of these rows.
    #[must_use]
    pub fn value<'a>(
        &'a self,
        rows: &'a Rows<'a>,
        brought: &'a [&'a [f64]],
        place: usize,
    ) -> &'a [f64] {
        let Self { nodes, values, teams, .. } = self;
        Known { nodes, values, teams, rows, brought }.value(place)
    }
}

fn wrong(why: &str) -> CoreError {
    CoreError::new(Code::ParameterInvalid, why)
}

fn free_place(count: usize) -> Result<usize> {
    if count < NODES_MAX {
        return Ok(count);
    }
    Err(CoreError::new(Code::ParameterInvalid, format!("more than {NODES_MAX} operations")))
}

fn holds_of(expr: &Expr) -> bool {
    match expr {
        Expr::Of(..) => true,
        Expr::Input(_) | Expr::Extra(_) | Expr::Number(_) => false,
        Expr::Indicator(_, _, of) => of.as_deref().is_some_and(holds_of),
        Expr::Arithmetic(_, left, right)
        | Expr::Less(left, right, _)
        | Expr::And(left, right)
        | Expr::Or(left, right) => holds_of(left) || holds_of(right),
    }
}

fn combine(operation: Arithmetic, left: &[f64], right: &[f64], out: &mut [f64]) {
    let each = |out: &mut [f64], of: fn(f64, f64) -> f64| {
        for ((out, &left), &right) in out.iter_mut().zip(left).zip(right) {
            *out = of(left, right);
        }
    };
    match operation {
        Arithmetic::Add => each(out, |a, b| a + b),
        Arithmetic::Subtract => each(out, |a, b| a - b),
        Arithmetic::Multiply => each(out, |a, b| a * b),
        Arithmetic::Divide => each(out, |a, b| a / b),
        // What is not defined stays so: the library's min and max would hide it.
        Arithmetic::Min => each(out, |a, b| if a.is_nan() || a < b { a } else { b }),
        Arithmetic::Max => each(out, |a, b| if a.is_nan() || a > b { a } else { b }),
    }
}
