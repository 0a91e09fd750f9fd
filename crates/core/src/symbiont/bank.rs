// SPDX-License-Identifier: Apache-2.0
//! All expressions of a population over one symbol, evaluated block by block. Equal sub-expressions
//! of any two agents are one node and are computed once; a block is short enough for every node's
//! values to stay in the cache. Windows keep their state from block to block, so the size of a
//! block changes nothing: a live agent takes blocks of one row and sees the same bits.

use std::collections::BTreeMap;

use super::gene::{Arithmetic, Expr, Input, Kind};
use super::window::{has_lanes, run_together, Window, LANES};
use crate::error::{Code, CoreError, Result};

/// Rows of a block; whole words of conditions.
pub const BLOCK: usize = 512;
/// Rows in a word of conditions.
pub const WORD: usize = 64;
const WORDS: usize = BLOCK / WORD;
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
    Indicator(Window, usize),
    Arithmetic(Arithmetic, usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Less(usize, usize, bool),
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
    values: Vec<Vec<f64>>,
    tests: Vec<Test>,
    test_places: BTreeMap<Test, usize>,
    words: Vec<[u64; WORDS]>,
    wanted: Vec<Wanted>,
    /// Windows that run side by side, by the first of them; of those that run with it, an empty
    /// entry.
    teams: BTreeMap<usize, Option<[usize; LANES]>>,
    /// Windows that may still find company, by kind and operand.
    alone: BTreeMap<(Kind, usize), Vec<usize>>,
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
        let node = match key {
            Key::Input(input) => Node::Input(input),
            Key::Brought(place) => Node::Brought(place),
            Key::Number(bits) => Node::Number(f64::from_bits(bits)),
            Key::Indicator(kind, window, of) => {
                Node::Indicator(Window::new(kind, window)?, of.unwrap_or(usize::MAX))
            }
            Key::Arithmetic(operation, left, right) => Node::Arithmetic(operation, left, right),
        };
        let place = free_place(self.nodes.len())?;
        let fill = if let Node::Number(number) = node { number } else { f64::NAN };
        self.values.push(match node {
            Node::Input(_) | Node::Brought(_) => Vec::new(),
            _ => vec![fill; BLOCK],
        });
        self.nodes.push(node);
        self.places.insert(key, place);
        if let Key::Indicator(kind, _, Some(of)) = key {
            self.team_up(kind, of, place);
        }
        Ok(place)
    }

    /// Let four windows of one kind over one operand run side by side, where the first stands.
    fn team_up(&mut self, kind: Kind, of: usize, place: usize) {
        if !has_lanes(kind) {
            return;
        }
        let alone = self.alone.entry((kind, of)).or_default();
        alone.push(place);
        if let [a, b, c, d] = alone[..] {
            alone.clear();
            self.teams.insert(a, Some([a, b, c, d]));
            self.teams.extend([b, c, d].map(|place| (place, None)));
        }
    }

    /// Run a team where its first window stands.
    fn run_team(&mut self, team: [usize; LANES], rows: &Rows<'_>, brought: &[&[f64]]) {
        let Node::Indicator(_, of) = self.nodes[team[0]] else { return };
        let take = |place: usize| std::mem::replace(&mut self.nodes[place], Node::Number(0.0));
        let mut windows = Vec::with_capacity(LANES);
        for node in team.map(take) {
            if let Node::Indicator(window, _) = node {
                windows.push(window);
            }
        }
        let mut out = team.map(|place| std::mem::take(&mut self.values[place]));
        if let Ok(mut four) = <[Window; LANES]>::try_from(windows) {
            let operand = value_of(&self.nodes, &self.values, rows, brought, of);
            run_together(&mut four, operand, &mut out);
            for (place, window) in team.into_iter().zip(four) {
                self.nodes[place] = Node::Indicator(window, of);
            }
        }
        for (place, values) in team.into_iter().zip(out) {
            self.values[place] = values;
        }
    }

    /// Take in a condition; its place.
    ///
    /// # Errors
    /// As of [`Self::number`].
    pub fn condition(&mut self, expr: &Expr) -> Result<usize> {
        let test = match expr {
            Expr::Less(left, right, or_equal) => {
                Test::Less(self.number(left)?, self.number(right)?, *or_equal)
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
        let count = rows.close.len().min(BLOCK);
        for place in 0..self.nodes.len() {
            match self.teams.get(&place) {
                Some(&Some(team)) => {
                    self.run_team(team, rows, brought);
                    continue;
                }
                Some(None) => continue,
                None => {}
            }
            let (before, rest) = self.values.split_at_mut(place);
            let (known, node) = self.nodes.split_at_mut(place);
            let of = |place: usize| value_of(known, before, rows, brought, place);
            let (Some(node), Some(out)) = (node.first_mut(), rest.first_mut()) else { return };
            match node {
                Node::Input(_) | Node::Brought(_) | Node::Number(_) => {}
                Node::Indicator(window, place) => {
                    let operand = if *place == usize::MAX { &[] } else { of(*place) };
                    window.run(rows, operand, &mut out[..count]);
                }
                Node::Arithmetic(operation, left, right) => {
                    combine(*operation, of(*left), of(*right), &mut out[..count]);
                }
            }
        }
        for place in 0..self.tests.len() {
            self.words[place] = match self.tests[place] {
                Test::Less(left, right, or_equal) => {
                    self.compare(rows, brought, (left, right), or_equal)
                }
                Test::And(left, right) => {
                    let (left, right) = (self.words[left], self.words[right]);
                    std::array::from_fn(|at| left[at] & right[at])
                }
                Test::Or(left, right) => {
                    let (left, right) = (self.words[left], self.words[right]);
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
    pub fn value<'a>(&'a self, rows: &Rows<'a>, brought: &[&'a [f64]], place: usize) -> &'a [f64] {
        value_of(&self.nodes, &self.values, rows, brought, place)
    }

    fn compare(
        &self,
        rows: &Rows<'_>,
        brought: &[&[f64]],
        sides: (usize, usize),
        or_equal: bool,
    ) -> [u64; WORDS] {
        let count = rows.close.len().min(BLOCK);
        let of = |place| &value_of(&self.nodes, &self.values, rows, brought, place)[..count];
        let number = |place: usize| match self.nodes[place] {
            Node::Number(number) => Some(number),
            _ => None,
        };
        let mut words = [0; WORDS];
        match (number(sides.0), number(sides.1), or_equal) {
            (_, Some(bound), false) => bits(of(sides.0), &mut words, |x| x < bound),
            (_, Some(bound), true) => bits(of(sides.0), &mut words, |x| x <= bound),
            (Some(bound), _, false) => bits(of(sides.1), &mut words, |x| bound < x),
            (Some(bound), _, true) => bits(of(sides.1), &mut words, |x| bound <= x),
            (None, None, false) => both(of(sides.0), of(sides.1), &mut words, |x, y| x < y),
            (None, None, true) => both(of(sides.0), of(sides.1), &mut words, |x, y| x <= y),
        }
        words
    }
}

fn value_of<'a>(
    nodes: &[Node],
    values: &'a [Vec<f64>],
    rows: &Rows<'a>,
    brought: &[&'a [f64]],
    place: usize,
) -> &'a [f64] {
    match nodes[place] {
        Node::Input(input) => rows.of(input),
        Node::Brought(from) => brought[from],
        _ => &values[place][..rows.close.len().min(BLOCK)],
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

/// Eight truths, one a byte, to eight bits.
const GATHER: u64 = 0x0102_0408_1020_4080;

#[inline(always)]
fn packed(truths: &[u8; WORD]) -> u64 {
    let mut word = 0;
    for (at, eight) in truths.chunks_exact(8).enumerate() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(eight);
        word |= (u64::from_le_bytes(bytes).wrapping_mul(GATHER) >> 56) << (8 * at);
    }
    word
}

#[inline(always)]
fn bits(values: &[f64], words: &mut [u64; WORDS], test: impl Fn(f64) -> bool) {
    for (word, part) in words.iter_mut().zip(values.chunks(WORD)) {
        let mut truths = [0_u8; WORD];
        for (truth, &value) in truths.iter_mut().zip(part) {
            *truth = u8::from(test(value));
        }
        *word = packed(&truths);
    }
}

#[inline(always)]
fn both(left: &[f64], right: &[f64], words: &mut [u64; WORDS], test: impl Fn(f64, f64) -> bool) {
    let parts = left.chunks(WORD).zip(right.chunks(WORD));
    for (word, (left, right)) in words.iter_mut().zip(parts) {
        let mut truths = [0_u8; WORD];
        for ((truth, &left), &right) in truths.iter_mut().zip(left).zip(right) {
            *truth = u8::from(test(left, right));
        }
        *word = packed(&truths);
    }
}
