// SPDX-License-Identifier: Apache-2.0
//! XGBoost's JSON model. The leaf's value stands where a split has its threshold. The base score is
//! written as a probability for logistic objectives and becomes a margin in single precision.

use serde::Deserialize;

use super::{damaged, Branch, Forest, Link, Missing, Precision, Rule, Terms};
use crate::error::{Code, CoreError, Result};

/// Objectives whose margin is the answer.
const PLAIN: [&str; 6] = [
    "reg:squarederror",
    "reg:linear",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "binary:logitraw",
];
const LOGISTIC: [&str; 2] = ["binary:logistic", "reg:logistic"];

#[derive(Deserialize)]
struct Document {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: Parameters,
    objective: Objective,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct Parameters {
    base_score: String,
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    trees: Vec<Tree>,
}

#[derive(Deserialize)]
struct Tree {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<usize>,
    split_conditions: Vec<f64>,
    default_left: Vec<u8>,
    #[serde(default)]
    split_type: Vec<u8>,
}

/// Read a whole model.
pub(super) fn read(json: &str) -> Result<Forest> {
    let document: Document =
        serde_json::from_str(json).map_err(|error| damaged(&format!("XGBoost JSON: {error}")))?;
    let Learner { feature_names, gradient_booster, learner_model_param, objective } =
        document.learner;
    if gradient_booster.name != "gbtree" {
        return Err(unsupported(&format!("booster {:?}", gradient_booster.name)));
    }
    let terms = terms(feature_names, &learner_model_param, &objective.name)?;
    let trees = gradient_booster.model.trees.iter().enumerate();
    let trees: Vec<Vec<Branch>> = trees.map(|(at, it)| tree(at, it)).collect::<Result<_>>()?;
    Forest::new(&trees, terms)
}

fn terms(mut names: Vec<String>, parameters: &Parameters, objective: &str) -> Result<Terms> {
    let several = !matches!(parameters.num_class.as_str(), "0" | "1")
        || !matches!(parameters.num_target.as_str(), "" | "1");
    if several {
        return Err(unsupported("a model of several classes or targets"));
    }
    let count: usize = number("num_feature", &parameters.num_feature)?;
    if names.is_empty() {
        names.extend((0..count.min(super::FEATURES_MAX)).map(|at| format!("f{at}")));
    }
    if names.len() != count {
        return Err(damaged(&format!("{} feature names for {count} features", names.len())));
    }
    // Since version 3.1 a list, of one number a target.
    let score = parameters.base_score.trim_matches(['[', ']']);
    let score: f32 = number("base_score", score)?;
    let is_logistic = LOGISTIC.contains(&objective);
    if !is_logistic && !PLAIN.contains(&objective) {
        return Err(unsupported(&format!("objective {objective:?}")));
    }
    let is_probability = is_logistic || objective == "binary:logitraw";
    Ok(Terms {
        features: names,
        rule: Rule::Less,
        precision: Precision::Single,
        base: f64::from(if is_probability { margin(score) } else { score }),
        link: if is_logistic { Link::Sigmoid { slope: 1.0 } } else { Link::Identity },
        is_mean: false,
    })
}

/// The margin of a probability, in XGBoost's own arithmetic.
fn margin(probability: f32) -> f32 {
    -(1.0 / probability - 1.0).ln()
}

fn tree(at: usize, tree: &Tree) -> Result<Vec<Branch>> {
    let count = tree.left_children.len();
    let lengths =
        [tree.right_children.len(), tree.split_indices.len(), tree.split_conditions.len()];
    if lengths != [count; 3] || tree.default_left.len() != count {
        return Err(damaged(&format!("tree {at}: its columns differ in length")));
    }
    if tree.split_type.iter().any(|kind| *kind != 0) {
        return Err(unsupported(&format!("tree {at}: a split by categories")));
    }
    let place = |child: i64| usize::try_from(child).unwrap_or(usize::MAX);
    let branch = |node: usize| {
        let value = tree.split_conditions[node];
        if tree.left_children[node] == -1 {
            return Branch::Leaf(value);
        }
        let missing = if tree.default_left[node] != 0 { Missing::Left } else { Missing::Right };
        Branch::Split {
            feature: tree.split_indices[node],
            threshold: value,
            left: place(tree.left_children[node]),
            right: place(tree.right_children[node]),
            missing,
        }
    };
    Ok((0..count).map(branch).collect())
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| damaged(&format!("{name} is {text:?}")))
}

fn unsupported(what: &str) -> CoreError {
    CoreError::new(Code::ParameterInvalid, format!("XGBoost model: {what} is not supported"))
}
