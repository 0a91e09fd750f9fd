// SPDX-License-Identifier: Apache-2.0
//! What every observation costs: one pass over the hypotheses, eight at a time, that learns, takes
//! the densities and weighs, and one that scales. Densities are logarithms to base two.

use crate::filter::lanes::{Lanes, LANES};

const WEIGHT_LEAST: f64 = 1e-300; // below it numbers are subnormal soon, and slow

/// What is believed of the segments; whole lanes.
pub(super) struct Beliefs<'a> {
    pub(super) weight: &'a [f64],
    pub(super) mean: &'a mut [f64],
    pub(super) rate: &'a mut [f64],
    pub(super) log_rate: &'a mut [f64],
}

/// What this observation makes of them.
pub(super) struct Weighed<'a> {
    pub(super) log_density: &'a mut [f64],
    pub(super) joint: &'a mut [f64],
}

#[inline(always)]
fn lanes(column: &[f64], count: usize) -> &[[f64; LANES]] {
    &column.as_chunks().0[..count]
}

#[inline(always)]
fn lanes_mut(column: &mut [f64], count: usize) -> &mut [[f64; LANES]] {
    &mut column.as_chunks_mut().0[..count]
}

/// Student-t densities. An observation `x` changes the mean by `(x - mu) / (k + 1)` and the rate to
/// `b' = b + k (x - mu)^2 / (2 (k + 1))`; its density is `c b^a / b'^(a + 1/2)`: the logarithm that
/// this step takes is the one that the next step needs. *Returns*: the sum of `joint`.
pub(super) fn student(
    value: f64,
    terms: [&[f64]; 4],
    held: Beliefs<'_>,
    weighed: Weighed<'_>,
) -> f64 {
    let count = held.mean.len() / LANES;
    let [offset, scale, gain, shape] = terms.map(|column| lanes(column, count));
    let weight = lanes(held.weight, count);
    let mean = lanes_mut(held.mean, count);
    let rate = lanes_mut(held.rate, count);
    let log_rate = lanes_mut(held.log_rate, count);
    let log_density = lanes_mut(weighed.log_density, count);
    let joint = lanes_mut(weighed.joint, count);
    let mut total = Lanes::all(0.0);
    for at in 0..count {
        let before = Lanes(mean[at]);
        let distance = Lanes::all(value) - before;
        let next = Lanes(rate[at]) + Lanes(scale[at]) * (distance * distance);
        mean[at] = (before + Lanes(gain[at]) * distance).0;
        rate[at] = next.0;
        let log_next = next.log2();
        let ratio = Lanes(shape[at]) * (Lanes(log_rate[at]) - log_next);
        let density = Lanes(offset[at]) + ratio - log_next * 0.5;
        log_rate[at] = log_next.0;
        log_density[at] = density.0;
        let product = Lanes(weight[at]) * density.exp2();
        joint[at] = product.0;
        total = total + product;
    }
    total.sum()
}

/// Gaussian densities, and the update of the mean. *Returns*: the sum of `joint`.
pub(super) fn gaussian(
    value: f64,
    terms: [&[f64]; 4],
    held: Beliefs<'_>,
    weighed: Weighed<'_>,
) -> f64 {
    let count = held.mean.len() / LANES;
    let [offset, scale, gain, _] = terms.map(|column| lanes(column, count));
    let weight = lanes(held.weight, count);
    let mean = lanes_mut(held.mean, count);
    let log_density = lanes_mut(weighed.log_density, count);
    let joint = lanes_mut(weighed.joint, count);
    let mut total = Lanes::all(0.0);
    for at in 0..count {
        let before = Lanes(mean[at]);
        let distance = Lanes::all(value) - before;
        let density = Lanes(offset[at]) - Lanes(scale[at]) * (distance * distance);
        mean[at] = (before + Lanes(gain[at]) * distance).0;
        log_density[at] = density.0;
        let product = Lanes(weight[at]) * density.exp2();
        joint[at] = product.0;
        total = total + product;
    }
    total.sum()
}

/// Weights from `joint`; what is too small to calculate with is zero.
pub(super) fn scale(factor: f64, joint: &[f64], weight: &mut [f64]) {
    for (weight, joint) in weight.iter_mut().zip(joint) {
        let scaled = joint * factor;
        *weight = if scaled > WEIGHT_LEAST { scaled } else { 0.0 };
    }
}

#[inline]
pub(super) fn largest(values: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let more = |a: f64, b: &f64| if *b > a { *b } else { a };
    lanes.iter().chain(rest).fold(f64::NEG_INFINITY, more)
}

/// Place of the largest value, the last of equals: found eight at a time from the end.
#[inline]
pub(super) fn last_largest(values: &[f64]) -> usize {
    let most = largest(values);
    let mut end = values.len();
    for chunk in values.rchunks_exact(LANES) {
        if chunk.iter().fold(false, |any, value| any | (*value >= most)) {
            break;
        }
        end -= LANES;
    }
    values[..end].iter().rposition(|value| *value >= most).unwrap_or(0)
}
