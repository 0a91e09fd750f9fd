// SPDX-License-Identifier: Apache-2.0
//! Programs: shared work is done once, a step allocates nothing that grows, conditions of one
//! program do not disturb each other.
#![allow(clippy::unwrap_used)]

use hean_core::program::{compile, Row, Token, NODES_MAX, WORDS};
use hean_core::Code;

fn words(text: &str) -> Vec<Token> {
    let token = |word: &str| {
        let (name, number) = word.split_once(':').unwrap_or((word, "0"));
        Token { name: name.into(), number: number.parse().unwrap() }
    };
    text.split_whitespace().map(token).collect()
}

const CROSS: &str = "close ewm:10 close ewm:20 >= count number:20 >= and";

#[test]
fn an_ema_cross_follows_the_bare_formula() {
    let mut program = compile(&[words(CROSS)]).unwrap();
    let (mut fast, mut slow) = (f64::NAN, f64::NAN);
    for at in 0..500_u32 {
        let price = 100.0 + f64::from(at * 7919 % 211) / 7.0;
        let next = |before: f64, n: f64| match at {
            0 => price,
            _ => 2.0 / (n + 1.0) * price + (1.0 - 2.0 / (n + 1.0)) * before,
        };
        (fast, slow) = (next(fast, 10.0), next(slow, 20.0));
        program.step(&Row::of_tick(price, 1.0));
        assert_eq!(program.holds(0), fast >= slow && at >= 19, "row {at}");
    }
}

#[test]
fn two_conditions_with_a_common_indicator_keep_one_state() {
    let both = [words("close sma:2 number:5 >"), words("close sma:2 number:5 > not")];
    let mut program = compile(&both).unwrap();
    for (price, expected) in [(4.0, false), (8.0, true), (8.0, true), (1.0, false)] {
        program.step(&Row::of_tick(price, 0.0));
        assert_eq!((program.holds(0), program.holds(1)), (expected, !expected), "{price}");
    }
}

#[test]
fn a_value_that_is_not_finite_leaves_an_indicator_as_it_was() {
    let mut program = compile(&[words("close sma:1 number:1 >=")]).unwrap();
    for (price, expected) in [(1.0, true), (f64::INFINITY, false), (f64::NAN, false), (1.0, true)] {
        program.step(&Row::of_tick(price, 0.0));
        assert_eq!(program.holds(0), expected, "{price}");
    }
}

#[test]
fn a_program_is_bounded_and_every_word_is_known() {
    let mut long = vec!["close".to_owned()];
    (0..NODES_MAX).for_each(|number| long.push(format!("number:{number} +")));
    let error = compile(&[words(&(long.join(" ") + " number:0 >"))]).unwrap_err();
    assert_eq!(error.code, Code::ParameterInvalid);
    assert!(error.message.contains("more than 256 operations"), "{}", error.message);
    for word in WORDS {
        let alone = compile(&[words(&format!("{word}:1"))]).unwrap_err();
        assert!(!alone.message.contains("unknown"), "{}", alone.message);
    }
}
