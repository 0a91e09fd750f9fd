// SPDX-License-Identifier: Apache-2.0
//! The bank of expressions: the size of its blocks changes nothing, equal parts are shared, and
//! what makes no sense is refused with its place.
#![allow(clippy::unwrap_used)]

use hean_core::symbiont::bank::{Bank, Rows, BLOCK};
use hean_core::symbiont::gene::{Kind, WORDS};
use hean_core::symbiont::{tree, Expr, Genome, Word};
use hean_core::Code;

fn words(text: &str) -> Vec<Word> {
    let word = |word: &str| {
        let (name, number) = word.split_once(':').unwrap_or((word, "0"));
        Word { name: name.into(), number: number.parse().unwrap() }
    };
    text.split_whitespace().map(word).collect()
}

fn expr(text: &str) -> Expr {
    tree(&words(text)).unwrap()
}

struct Bars([Vec<f64>; 6]);

impl Bars {
    fn new(count: u32) -> Self {
        let of = |shift: u32| move |at: u32| 100.0 + f64::from((at + shift) * 7919 % 211) / 7.0;
        let close: Vec<f64> = (0..count).map(of(0)).collect();
        let open: Vec<f64> = (0..count).map(of(5)).collect();
        let ends = open.iter().zip(&close);
        let high = ends.clone().map(|(a, b)| a.max(*b) + 1.0).collect();
        let low = ends.map(|(a, b)| a.min(*b) - 1.0).collect();
        let volume = (0..count).map(|at| f64::from(at * 31 % 17)).collect();
        let funding = (0..count).map(|at| if at < 9 { f64::NAN } else { 1e-4 }).collect();
        Self([open, high, low, close, volume, funding])
    }

    fn part(&self, from: usize, to: usize) -> Rows<'_> {
        let [open, high, low, close, volume, funding] = &self.0;
        Rows { open, high, low, close, volume, funding }.part(from, to)
    }
}

const NUMBERS: [&str; 12] = [
    "close rsi:14",
    "close ema:5 close sma:9 -",
    "close std:7 close zscore:30 * number:2 /",
    "high highest:20 low lowest:20 min",
    "volume sma:3 volume max",
    "close change:1 std:60",
    "close lag:3",
    "atr:14",
    "flow:8",
    "funding",
    "close change:5 change:2",
    "close number:0 /",
];

/// Values and conditions of all numbers, in blocks of `size`.
fn played(bars: &Bars, count: usize, size: usize) -> (Vec<Vec<u64>>, Vec<bool>) {
    let mut bank = Bank::default();
    let places: Vec<_> = NUMBERS.iter().map(|text| bank.number(&expr(text)).unwrap()).collect();
    let text = "close rsi:14 number:45 < funding number:0 > and close open <= or";
    let condition = bank.condition(&expr(text)).unwrap();
    let (mut values, mut held) = (vec![Vec::new(); places.len()], Vec::new());
    for from in (0..count).step_by(size) {
        let rows = bars.part(from, (from + size).min(count));
        bank.run(&rows, &[]);
        for (to, &place) in values.iter_mut().zip(&places) {
            to.extend(bank.value(&rows, &[], place).iter().map(|value| value.to_bits()));
        }
        let words = bank.held(condition);
        held.extend((0..rows.close.len()).map(|at| words[at / 64] >> (at % 64) & 1 == 1));
    }
    (values, held)
}

#[test]
fn blocks_of_any_size_give_the_same_bits() {
    let count = 1500;
    let bars = Bars::new(count as u32);
    let whole = played(&bars, count, BLOCK);
    assert!(whole.1.iter().any(|held| *held) && whole.1.iter().any(|held| !*held));
    for size in [1, 7, 64, 200] {
        assert!(played(&bars, count, size) == whole, "blocks of {size}");
    }
}

#[test]
fn equal_parts_are_one() {
    let mut bank = Bank::default();
    let one = bank.condition(&expr("close rsi:14 number:30 <")).unwrap();
    assert_eq!(bank.condition(&expr("number:30 close rsi:14 >")).unwrap(), one);
    assert_ne!(bank.condition(&expr("close rsi:14 number:31 <")).unwrap(), one);
    let number = bank.number(&expr("close rsi:14")).unwrap();
    assert_eq!(bank.number(&expr("close rsi:14")).unwrap(), number);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (text, why) in [
        ("close rsi:14 and", "word 2 \"and\": takes a condition, not a number"),
        ("close rsi:0", "word 1 \"rsi\": window 0"),
        ("close zscore:1", "window 1; a whole number from 2"),
        ("close mean:3", "unknown; known: open"),
        ("close close", "leave 2 values"),
        ("<", "nothing stands before it"),
        ("close of:1.5", "place 1.5"),
    ] {
        let error = tree(&words(text)).unwrap_err();
        assert_eq!(error.code, Code::ParameterInvalid);
        assert!(error.message.contains(why), "{text}: {}", error.message);
    }
    for word in WORDS {
        let alone = tree(&words(&format!("{word}:2")));
        assert!(!alone.is_err_and(|error| error.message.contains("unknown")), "{word}");
    }
    let mut bank = Bank::default();
    assert!(bank.number(&expr("close of:1 sma:2 of:2")).is_err());
    for window in [0, 1 << 40] {
        let lowest = Expr::Indicator(Kind::Lowest, window, Some(Box::new(expr("low"))));
        assert_eq!(bank.number(&lowest).unwrap_err().code, Code::ParameterInvalid);
    }
    let opens = || Some(expr("close open >"));
    assert!(Genome::new([None, None, opens()], 1.0, 0, 1.0).is_err());
    assert!(Genome::new([opens(), None, None], 0.0, 0, 1.0).is_err());
    assert!(Genome::new([opens(), None, None], 1.0, 0, 1.5).is_err());
    assert!(Genome::new([Some(expr("close")), None, None], 1.0, 0, 1.0).is_err());
    assert!(Genome::new([opens(), None, None], 1.0, 5, 1.0).is_ok());
}
