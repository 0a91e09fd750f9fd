// SPDX-License-Identifier: Apache-2.0
//! LightGBM's text model: `name=value` lines, a head and then one block a tree. What is refused is
//! named with its line: a model that lost half of itself must not trade with the other half.

use super::{damaged, Branch, Forest, Link, Missing, Precision, Rule, Terms, TREES_MAX, ZERO};
use crate::error::{Code, CoreError, Result};

const IS_CATEGORY: u32 = 1;
const IS_LEFT_WITHOUT_VALUE: u32 = 2;
/// Objectives whose raw score is the answer.
const PLAIN: [&str; 7] =
    ["regression", "regression_l1", "regression_l2", "huber", "fair", "quantile", "mape"];

/// One `name=value` line.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    name: &'a str,
    value: &'a str,
}

impl Line<'_> {
    fn refuse(&self, how: &str) -> CoreError {
        damaged(&format!("line {}: {}: {how}", self.number, self.name))
    }

    fn list<T: std::str::FromStr>(&self) -> Result<Vec<T>> {
        let parse = |word: &str| word.parse().map_err(|_| self.refuse(&format!("{word:?}")));
        self.value.split_ascii_whitespace().map(parse).collect()
    }

    fn one<T: std::str::FromStr>(&self) -> Result<T> {
        self.value.trim().parse().map_err(|_| self.refuse(&format!("{:?}", self.value)))
    }
}

/// The lines of the head or of one tree.
struct Block<'a> {
    begins: usize,
    lines: Vec<Line<'a>>,
}

impl<'a> Block<'a> {
    fn find(&self, name: &str) -> Option<Line<'a>> {
        self.lines.iter().find(|line| line.name == name).copied()
    }

    fn need(&self, name: &str) -> Result<Line<'a>> {
        let missing = || damaged(&format!("line {}: no {name} in what follows", self.begins));
        self.find(name).ok_or_else(missing)
    }

    /// A list of exactly `count` numbers.
    fn column<T: std::str::FromStr>(&self, name: &str, count: usize) -> Result<Vec<T>> {
        let line = self.need(name)?;
        let values: Vec<T> = line.list()?;
        if values.len() == count {
            return Ok(values);
        }
        Err(line.refuse(&format!("{} numbers; {count} are due", values.len())))
    }
}

/// Read a whole model.
pub(super) fn read(text: &str) -> Result<Forest> {
    let (head, trees) = blocks(text)?;
    let terms = terms(&head)?;
    let trees: Vec<Vec<Branch>> = trees.iter().map(tree).collect::<Result<_>>()?;
    Forest::new(&trees, terms)
}

/// Cut the text into head and trees, and insist on its end.
fn blocks(text: &str) -> Result<(Block<'_>, Vec<Block<'_>>)> {
    let mut lines = (1..).zip(text.lines());
    if lines.next().map(|(_, line)| line.trim()) != Some("tree") {
        return Err(damaged("line 1: a LightGBM text model begins with the line \"tree\""));
    }
    let mut head = Block { begins: 1, lines: Vec::new() };
    let mut trees: Vec<Block<'_>> = Vec::new();
    let mut is_whole = false;
    for (number, line) in lines {
        let (name, value) = line.split_once('=').unwrap_or((line.trim(), ""));
        match name {
            "end of trees" => {
                is_whole = true;
                break;
            }
            "Tree" if trees.len() == TREES_MAX => {
                return Err(damaged(&format!("line {number}: more than {TREES_MAX} trees")));
            }
            "Tree" => trees.push(Block { begins: number, lines: Vec::new() }),
            "" => {}
            _ => trees.last_mut().unwrap_or(&mut head).lines.push(Line { number, name, value }),
        }
    }
    let announced = head.need("tree_sizes")?;
    let count = announced.list::<u64>()?.len();
    if !is_whole || count != trees.len() {
        let seen = format!("{count} trees are announced, {} are there", trees.len());
        let end = if is_whole { "" } else { ", and the end is missing" };
        return Err(announced.refuse(&format!("{seen}{end}")));
    }
    Ok((head, trees))
}

fn terms(head: &Block<'_>) -> Result<Terms> {
    for name in ["num_class", "num_tree_per_iteration"] {
        let line = head.need(name)?;
        if line.one::<u64>()? != 1 {
            return Err(unsupported(&line, "a model of several classes"));
        }
    }
    let names = head.need("feature_names")?;
    let features: Vec<String> = names.list()?;
    let last: usize = head.need("max_feature_idx")?.one()?;
    if features.len() != last + 1 {
        let seen = format!("{} names for {} features", features.len(), last + 1);
        return Err(names.refuse(&seen));
    }
    Ok(Terms {
        features,
        rule: Rule::LessEqual,
        precision: Precision::Double,
        base: 0.0,
        link: link(head)?,
        is_mean: head.find("average_output").is_some(),
    })
}

fn link(head: &Block<'_>) -> Result<Link> {
    let Some(line) = head.find("objective") else { return Ok(Link::Identity) };
    let mut words = line.value.split_ascii_whitespace();
    let name = words.next().unwrap_or("");
    let options: Vec<&str> = words.collect();
    match name {
        "binary" => {
            let slope = options.iter().find_map(|word| word.strip_prefix("sigmoid:"));
            let slope = slope.unwrap_or("1").parse();
            let slope = slope.map_err(|_| line.refuse(&format!("{:?}", line.value)))?;
            Ok(Link::Sigmoid { slope })
        }
        "cross_entropy" => Ok(Link::Sigmoid { slope: 1.0 }),
        _ if PLAIN.contains(&name) && !options.contains(&"sqrt") => Ok(Link::Identity),
        _ => Err(unsupported(&line, &format!("objective {:?}", line.value))),
    }
}

fn tree(block: &Block<'_>) -> Result<Vec<Branch>> {
    for (name, what) in [("num_cat", "a split by categories"), ("is_linear", "a linear leaf")] {
        if let Some(line) = block.find(name) {
            if line.one::<u64>()? != 0 {
                return Err(unsupported(&line, what));
            }
        }
    }
    let line = block.need("num_leaves")?;
    let leaves: usize = line.one()?;
    let Some(splits) = leaves.checked_sub(1) else { return Err(line.refuse("no leaf")) };
    let values: Vec<f64> = block.column("leaf_value", leaves)?;
    if splits == 0 {
        return Ok(values.into_iter().map(Branch::Leaf).collect());
    }
    let features: Vec<usize> = block.column("split_feature", splits)?;
    let thresholds: Vec<f64> = block.column("threshold", splits)?;
    let decisions: Vec<u32> = block.column("decision_type", splits)?;
    let lefts: Vec<i64> = block.column("left_child", splits)?;
    let rights: Vec<i64> = block.column("right_child", splits)?;
    // A leaf n is written as -1 - n; leaves follow the splits here.
    let place = |child: i64| match usize::try_from(child) {
        Ok(split) if split < splits => split,
        Ok(_) => usize::MAX,
        Err(_) => {
            usize::try_from(-(child + 1)).map_or(usize::MAX, |leaf| splits.saturating_add(leaf))
        }
    };
    let mut branches = Vec::with_capacity(splits + leaves);
    for at in 0..splits {
        let Some(missing) = missing(decisions[at]) else {
            let line = block.need("decision_type")?;
            return Err(unsupported(&line, &format!("decision type {}", decisions[at])));
        };
        branches.push(Branch::Split {
            feature: features[at],
            threshold: beside_zero(thresholds[at]),
            left: place(lefts[at]),
            right: place(rights[at]),
            missing,
        });
    }
    branches.extend(values.into_iter().map(Branch::Leaf));
    Ok(branches)
}

/// LightGBM reads every number up to `ZERO` as zero, so no threshold may lie among them.
fn beside_zero(threshold: f64) -> f64 {
    if (-ZERO..0.0).contains(&threshold) {
        (-ZERO).next_down()
    } else if (0.0..ZERO).contains(&threshold) {
        ZERO
    } else {
        threshold
    }
}

/// What the bits of `decision_type` say about a missing value; `None` for a split by categories.
fn missing(decision: u32) -> Option<Missing> {
    let is_left = decision & IS_LEFT_WITHOUT_VALUE != 0;
    match (decision & IS_CATEGORY, decision >> 2, is_left) {
        (0, 0, _) => Some(Missing::AsZero),
        (0, 1, true) => Some(Missing::ZeroLeft),
        (0, 1, false) => Some(Missing::ZeroRight),
        (0, 2, true) => Some(Missing::Left),
        (0, 2, false) => Some(Missing::Right),
        _ => None,
    }
}

fn unsupported(line: &Line<'_>, what: &str) -> CoreError {
    let message = format!("model, line {}: {what} is not supported", line.number);
    CoreError::new(Code::ParameterInvalid, message)
}
