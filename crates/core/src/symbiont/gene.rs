// SPDX-License-Identifier: Apache-2.0
//! A genome as the judge takes it: conditions in postfix words, and the plain numbers of stop, size
//! and longest holding. Words become trees here, and types are checked: arithmetic and indicators
//! take numbers, logic takes conditions. Names, units and limits that a person sees are checked
//! before, where the text is read.

use crate::error::{Code, CoreError, Result};

/// One word of a postfix expression: `close`, `number` 1.5, `ema` 10, `<`, `of` 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// See [`WORDS`].
    pub name: String,
    /// Value of a `number`, window of an indicator, symbol of an `of`; not read otherwise.
    pub number: f64,
}

/// Every word of the language.
pub const WORDS: [&str; 32] = [
    "open", "high", "low", "close", "volume", "funding", "number", "sma", "ema", "rsi", "std",
    "zscore", "lowest", "highest", "change", "lag", "atr", "flow", "of", "+", "-", "*", "/", "min",
    "max", "<", "<=", ">", ">=", "and", "or", "extra",
];
/// Longest window, rows.
pub const WINDOW_MAX: f64 = 10_000.0;
/// Most words in one expression.
pub const WORDS_MAX: usize = 256;

/// A column of the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Base quantity traded.
    Volume,
    /// Rate of the last settlement that is known.
    Funding,
}

/// What an indicator computes of the rows behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Mean.
    Sma,
    /// Exponential average.
    Ema,
    /// Wilder's relative strength.
    Rsi,
    /// Population deviation.
    Std,
    /// Deviations from the mean.
    ZScore,
    /// Smallest.
    Lowest,
    /// Largest.
    Highest,
    /// Relative change against the row so many before.
    Change,
    /// The value so many rows before.
    Lag,
    /// Average true range of bars.
    Atr,
    /// Where bars close in their range, weighted by volume, -1 to 1.
    Flow,
}

/// Two numbers to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arithmetic {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient.
    Divide,
    /// The smaller.
    Min,
    /// The larger.
    Max,
}

/// A number or condition of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A column.
    Input(Input),
    /// A column of the user's, by place.
    Extra(usize),
    /// A constant.
    Number(f64),
    /// Kind, window, operand; bars have none.
    Indicator(Kind, usize, Option<Box<Expr>>),
    /// Operation and operands.
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// The same expression of another symbol, as of the bar before.
    Of(usize, Box<Expr>),
    /// Left below right, or equal where allowed.
    Less(Box<Expr>, Box<Expr>, bool),
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// Either.
    Or(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// Whether it is a condition.
    #[must_use]
    pub const fn is_condition(&self) -> bool {
        matches!(self, Self::Less(..) | Self::And(..) | Self::Or(..))
    }
}

/// What an agent goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct Genome {
    /// Opens a long position; `None` never does.
    pub long: Option<Expr>,
    /// Opens a short position.
    pub short: Option<Expr>,
    /// Closes either.
    pub exit: Option<Expr>,
    /// Distance of the stop in average true ranges of [`STOP_WINDOW`] bars.
    pub stop: f64,
    /// Bars after which a position is closed; 0 is never.
    pub hold: u32,
    /// Part of the account's usual size, 0 to 1.
    pub size: f64,
}

/// Bars of the average true range that stops are measured in.
pub const STOP_WINDOW: usize = 14;

fn wrong(sentence: String) -> CoreError {
    CoreError::new(Code::ParameterInvalid, sentence)
}

impl Genome {
    /// A genome of these parts.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] for one that opens nothing, a gene that is no condition, or a
    /// number out of range.
    pub fn new(conditions: [Option<Expr>; 3], stop: f64, hold: u32, size: f64) -> Result<Self> {
        let [long, short, exit] = conditions;
        if long.is_none() && short.is_none() {
            return Err(wrong("a genome that opens neither long nor short".into()));
        }
        for each in [&long, &short, &exit].into_iter().flatten() {
            if !each.is_condition() {
                return Err(wrong("a gene is a number; compare it first".into()));
            }
        }
        if !(stop > 0.0 && stop <= 100.0) {
            return Err(wrong(format!("stop of {stop} atr; allowed: above 0 to 100")));
        }
        if !(size > 0.0 && size <= 1.0) {
            return Err(wrong(format!("size {size}; allowed: above 0 to 1")));
        }
        Ok(Self { long, short, exit, stop, hold, size })
    }
}

/// The tree of a postfix expression.
///
/// # Errors
/// [`Code::ParameterInvalid`] naming the word, its place and what is wrong with it.
pub fn tree(words: &[Word]) -> Result<Expr> {
    if words.len() > WORDS_MAX {
        return Err(wrong(format!("{} words; allowed: {WORDS_MAX}", words.len())));
    }
    let mut stack: Vec<Expr> = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let made = take(word, &mut stack)
            .map_err(|why| wrong(format!("word {place} {:?}: {why}", word.name)))?;
        stack.push(made);
    }
    match (stack.pop(), stack.len()) {
        (Some(one), 0) => Ok(one),
        (_, rest) => Err(wrong(format!("the words leave {} values; due is one", rest + 1))),
    }
}

fn take(word: &Word, stack: &mut Vec<Expr>) -> std::result::Result<Expr, String> {
    let input = |input| Ok(Expr::Input(input));
    match word.name.as_str() {
        "open" => input(Input::Open),
        "high" => input(Input::High),
        "low" => input(Input::Low),
        "close" => input(Input::Close),
        "volume" => input(Input::Volume),
        "funding" => input(Input::Funding),
        "number" if word.number.is_finite() => Ok(Expr::Number(word.number)),
        "number" => Err(format!("{} is not a finite number", word.number)),
        "atr" => Ok(Expr::Indicator(Kind::Atr, window(word)?, None)),
        "flow" => Ok(Expr::Indicator(Kind::Flow, window(word)?, None)),
        "extra" => Ok(Expr::Extra(place(word)?)),
        "of" => {
            let of = pop(stack, false)?;
            Ok(Expr::Of(place(word)?, Box::new(of)))
        }
        name => operation(name, word, stack),
    }
}

fn operation(name: &str, word: &Word, stack: &mut Vec<Expr>) -> std::result::Result<Expr, String> {
    if let Some(kind) = indicator(name) {
        let of = pop(stack, false)?;
        return Ok(Expr::Indicator(kind, window(word)?, Some(Box::new(of))));
    }
    let two = |stack: &mut Vec<Expr>, are_conditions| {
        let right = pop(stack, are_conditions)?;
        Ok::<_, String>((Box::new(pop(stack, are_conditions)?), Box::new(right)))
    };
    let arithmetic = match name {
        "+" => Some(Arithmetic::Add),
        "-" => Some(Arithmetic::Subtract),
        "*" => Some(Arithmetic::Multiply),
        "/" => Some(Arithmetic::Divide),
        "min" => Some(Arithmetic::Min),
        "max" => Some(Arithmetic::Max),
        _ => None,
    };
    if let Some(operation) = arithmetic {
        let (left, right) = two(stack, false)?;
        return Ok(Expr::Arithmetic(operation, left, right));
    }
    match name {
        "<" | "<=" => two(stack, false).map(|(a, b)| Expr::Less(a, b, name == "<=")),
        ">" | ">=" => two(stack, false).map(|(a, b)| Expr::Less(b, a, name == ">=")),
        "and" => two(stack, true).map(|(a, b)| Expr::And(a, b)),
        "or" => two(stack, true).map(|(a, b)| Expr::Or(a, b)),
        _ => Err(format!("unknown; known: {}", WORDS.join(" "))),
    }
}

fn indicator(name: &str) -> Option<Kind> {
    Some(match name {
        "sma" => Kind::Sma,
        "ema" => Kind::Ema,
        "rsi" => Kind::Rsi,
        "std" => Kind::Std,
        "zscore" => Kind::ZScore,
        "lowest" => Kind::Lowest,
        "highest" => Kind::Highest,
        "change" => Kind::Change,
        "lag" => Kind::Lag,
        _ => return None,
    })
}

fn window(word: &Word) -> std::result::Result<usize, String> {
    let least = if word.name == "zscore" { 2.0 } else { 1.0 };
    if word.number.fract() != 0.0 || !(least..=WINDOW_MAX).contains(&word.number) {
        return Err(format!(
            "window {}; a whole number from {least} to {WINDOW_MAX} is due",
            word.number
        ));
    }
    Ok(word.number as usize)
}

fn place(word: &Word) -> std::result::Result<usize, String> {
    if word.number.fract() != 0.0 || !(0.0..64.0).contains(&word.number) {
        return Err(format!("place {}; a whole number below 64 is due", word.number));
    }
    Ok(word.number as usize)
}

fn pop(stack: &mut Vec<Expr>, is_condition: bool) -> std::result::Result<Expr, String> {
    let name = |it: bool| if it { "a condition" } else { "a number" };
    match stack.pop() {
        Some(found) if found.is_condition() == is_condition => Ok(found),
        Some(_) => Err(format!("takes {}, not {}", name(is_condition), name(!is_condition))),
        None => Err(format!("takes {}, but nothing stands before it", name(is_condition))),
    }
}
