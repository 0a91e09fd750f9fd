// SPDX-License-Identifier: Apache-2.0
//! Trees by the plainest oracle: a walk over the branches as they were handed in, for both rules,
//! missing values and single precision; and no damage makes the reader do more than refuse.

#![allow(clippy::unwrap_used)]

use hean_core::trees::{Branch, Forest, Link, Missing, Precision, Rule, Terms};
use proptest::prelude::*;

const FEATURES: usize = 4;

fn terms(rule: Rule, precision: Precision) -> Terms {
    let features = (0..FEATURES).map(|at| format!("f{at}")).collect();
    Terms { features, rule, precision, base: 0.25, link: Link::Identity, is_mean: false }
}

/// A tree from draws: every node either splits into the next free two or is a leaf.
fn tree(draws: &[(usize, f64, u8)]) -> Vec<Branch> {
    let mut branches = Vec::new();
    let mut free = 1;
    for (at, (feature, value, kind)) in draws.iter().enumerate() {
        let is_split = *kind < 6 && free + 2 <= draws.len() && at < free;
        let missing = [Missing::Left, Missing::Right, Missing::AsZero, Missing::ZeroLeft];
        branches.push(if is_split {
            let (left, right) = (free, free + 1);
            free += 2;
            let missing = missing[usize::from(*kind) % 4];
            Branch::Split { feature: *feature, threshold: *value, left, right, missing }
        } else {
            Branch::Leaf(*value)
        });
    }
    branches.truncate(free);
    branches
}

fn walk(tree: &[Branch], row: &[f64], rule: Rule, single: bool) -> f64 {
    let narrow = |value: f64| if single { f64::from(value as f32) } else { value };
    let mut at = 0;
    loop {
        match tree[at] {
            Branch::Leaf(value) => return narrow(value),
            Branch::Split { feature, threshold, left, right, missing } => {
                let value = narrow(row[feature]);
                let passes = |value: f64| match rule {
                    Rule::LessEqual => value <= narrow(threshold),
                    Rule::Less => value < narrow(threshold),
                };
                let is_left = match missing {
                    Missing::Left => value.is_nan() || passes(value),
                    Missing::Right | Missing::ZeroRight => passes(value),
                    Missing::AsZero => passes(if value.is_nan() { 0.0 } else { value }),
                    Missing::ZeroLeft => value.is_nan() || value == 0.0 || passes(value),
                };
                at = if is_left { left } else { right };
            }
        }
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(0.1), -3.0..3.0_f64]
}

proptest! {
    #[test]
    fn answers_are_those_of_a_plain_walk(
        draws in prop::collection::vec((0..FEATURES, number(), 0..9_u8), 1..40),
        rows in prop::collection::vec(
            prop::collection::vec(prop_oneof![Just(f64::NAN), number()], FEATURES), 1..10),
        is_less in any::<bool>(),
        single in any::<bool>(),
    ) {
        let rule = if is_less { Rule::Less } else { Rule::LessEqual };
        let precision = if single { Precision::Single } else { Precision::Double };
        let tree = tree(&draws);
        let trees = vec![tree.clone(), tree.clone()];
        let forest = Forest::new(&trees, terms(rule, precision)).unwrap();
        for row in &rows {
            let leaf = walk(&tree, row, rule, single);
            let due = if single {
                f64::from(0.25_f32 + leaf as f32 + leaf as f32)
            } else {
                0.25 + leaf + leaf
            };
            prop_assert_eq!(forest.raw(row).unwrap(), due);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(tree\n)?[a-zA-Z_=0-9 .\n-]{0,200}") {
        let _ = Forest::from_lightgbm(&text);
        let _ = Forest::from_xgboost(&text);
    }
}

const MODEL: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n\
objective=binary sigmoid:1\nfeature_names=a b\ntree_sizes=1 1\n\nTree=0\nnum_leaves=2\nnum_cat=0\n\
split_feature=1\nthreshold=0.5\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
leaf_value=0.25 -0.25\nis_linear=0\n\nTree=1\nnum_leaves=1\nleaf_value=1\n\nend of trees\n";

#[test]
fn a_text_model_says_which_line_is_bad() {
    let forest = Forest::from_lightgbm(MODEL).unwrap();
    assert_eq!(forest.raw(&[9.0, 0.5]), Ok(1.25));
    assert_eq!(forest.raw(&[9.0, 0.6]), Ok(0.75));
    assert_eq!(forest.raw(&[9.0, f64::NAN]), Ok(1.25));
    for (line, text) in MODEL.lines().enumerate().filter(|(_, text)| text.contains('=')) {
        let without: String = MODEL
            .lines()
            .filter(|other| *other != text)
            .map(|other| format!("{other}\n"))
            .collect();
        // Version, categories, linear leaves and the objective may be left out.
        if !["version", "num_cat", "is_linear", "objective"].iter().any(|it| text.starts_with(it)) {
            assert!(Forest::from_lightgbm(&without).is_err(), "line {line}: {text}");
        }
    }
    let error = Forest::from_lightgbm(&MODEL.replace("threshold=0.5", "threshold=half"));
    assert!(error.unwrap_err().message.contains("line 14: threshold"));
}
