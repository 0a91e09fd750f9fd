// SPDX-License-Identifier: Apache-2.0
//! From postfix words to a flat program. Types are checked here: arithmetic and comparisons take
//! numbers, logic takes conditions, and an error names the word and its place.

use super::evaluate::{Arithmetic, Comparison, Input, Kernel, Node, Program};
use super::Token;
use crate::error::{Code, CoreError, Result};

/// Most distinct operations in one program: far beyond what a person reads, and a bound on the
/// time of a step.
pub const NODES_MAX: usize = 256;

/// Every word of the language.
pub const WORDS: [&str; 26] = [
    "open", "high", "low", "close", "volume", "count", "number", "sma", "ema", "ewm", "rsi", "std",
    "zscore", "lowest", "highest", "+", "-", "*", "/", "<", "<=", ">", ">=", "and", "or", "not",
];

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Condition,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Condition => "a condition",
        }
    }
}

/// Compile conditions; the n-th is asked for as `Program::holds(n)`.
///
/// # Errors
/// [`Code::ParameterInvalid`] naming the condition, the word and what is wrong with it.
pub fn compile(conditions: &[Vec<Token>]) -> Result<Program> {
    let mut compiler = Compiler::default();
    let mut roots = Vec::with_capacity(conditions.len());
    for (number, tokens) in conditions.iter().enumerate() {
        compiler.stack.clear();
        for (place, token) in tokens.iter().enumerate() {
            compiler.take(token).map_err(|why| {
                wrong(format!("condition {number}, word {place} {:?}: {why}", token.name))
            })?;
        }
        match compiler.stack.as_slice() {
            [(root, Type::Condition)] => roots.push(*root),
            [(_, Type::Number)] => {
                return Err(wrong(format!("condition {number} is a number; compare it first")))
            }
            rest => {
                let count = rest.len();
                return Err(wrong(format!("condition {number} leaves {count} values; due is one")));
            }
        }
    }
    Ok(Program::new(compiler.nodes, compiler.kernels, roots))
}

fn wrong(sentence: String) -> CoreError {
    CoreError::new(Code::ParameterInvalid, sentence)
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    /// Windowed state of the program, and by what it is told apart.
    kernels: Vec<Kernel>,
    made_of: Vec<(String, usize, usize)>,
    stack: Vec<(usize, Type)>,
}

/// Why a word does not fit.
type Reason = String;

impl Compiler {
    fn take(&mut self, token: &Token) -> std::result::Result<(), Reason> {
        let name = token.name.as_str();
        if let Some(input) = Input::named(name) {
            return self.push(Node::Input(input), Type::Number);
        }
        if let Some(operation) = Arithmetic::named(name) {
            let [left, right] = self.pop_two(Type::Number)?;
            return self.push(Node::Arithmetic(operation, left, right), Type::Number);
        }
        if let Some(comparison) = Comparison::named(name) {
            let [left, right] = self.pop_two(Type::Number)?;
            return self.push(Node::Compare(comparison, left, right), Type::Condition);
        }
        match name {
            "count" => self.push(Node::Count, Type::Number),
            "number" if token.number.is_finite() => {
                self.push(Node::Number(token.number), Type::Number)
            }
            "number" => Err(format!("{} is not a finite number", token.number)),
            "and" | "or" => {
                let [left, right] = self.pop_two(Type::Condition)?;
                let is_and = name == "and";
                let node = if is_and { Node::And(left, right) } else { Node::Or(left, right) };
                self.push(node, Type::Condition)
            }
            "not" => {
                let of = self.pop(Type::Condition)?;
                self.push(Node::Not(of), Type::Condition)
            }
            _ => self.indicator(token),
        }
    }

    fn indicator(&mut self, token: &Token) -> std::result::Result<(), Reason> {
        if !WORDS.contains(&token.name.as_str()) {
            return Err(format!("unknown; known: {}", WORDS.join(" ")));
        }
        let of = self.pop(Type::Number)?;
        if token.number.fract() != 0.0 || !(0.0..=1e9).contains(&token.number) {
            return Err(format!("window {}; a whole number of rows is due", token.number));
        }
        let window = token.number as usize;
        let key = (token.name.clone(), window, of);
        let slot = match self.made_of.iter().position(|made| *made == key) {
            Some(slot) => slot,
            None => {
                let kernel = Kernel::new(&token.name, window).map_err(|error| error.message)?;
                self.kernels.push(kernel);
                self.made_of.push(key);
                self.kernels.len() - 1
            }
        };
        self.push(Node::Indicator(slot, of), Type::Number)
    }

    fn push(&mut self, node: Node, kind: Type) -> std::result::Result<(), Reason> {
        let known = self.nodes.iter().position(|known| *known == node);
        let place = known.unwrap_or(self.nodes.len());
        if known.is_none() {
            if place == NODES_MAX {
                return Err(format!("more than {NODES_MAX} operations"));
            }
            self.nodes.push(node);
        }
        self.stack.push((place, kind));
        Ok(())
    }

    fn pop(&mut self, due: Type) -> std::result::Result<usize, Reason> {
        match self.stack.pop() {
            Some((place, kind)) if kind == due => Ok(place),
            Some((_, kind)) => Err(format!("takes {}, not {}", due.name(), kind.name())),
            None => Err(format!("takes {}, but nothing stands before it", due.name())),
        }
    }

    fn pop_two(&mut self, due: Type) -> std::result::Result<[usize; 2], Reason> {
        let right = self.pop(due)?;
        Ok([self.pop(due)?, right])
    }
}
