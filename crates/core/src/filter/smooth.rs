// SPDX-License-Identifier: Apache-2.0
//! What is known about each past state once all observations are in: the fixed-interval smoother,
//! backwards through the filter's innovations (Durbin and Koopman 2012, sections 4.4 and 5.3). The
//! gradient r and its variance N carry an order in 1/kappa each while the start is unknown.

use super::input::at_row;
use super::level::{Belief, Innovation, Level};
use super::matrix::{applied, backward, between, plus, product, transition, transposed, Matrix};
use crate::error::Result;

/// A smoothed state and its covariance.
#[derive(Debug, Clone, Copy)]
pub struct Smoothed<const N: usize> {
    /// Level, and slope.
    pub mean: [f64; N],
    /// Their covariance.
    pub covariance: [[f64; N]; N],
}

/// What the later observations say: of order 1, 1/kappa and 1/kappa².
struct Later<const N: usize> {
    r: [[f64; N]; 2],
    n: [Matrix<N>; 3],
}

impl<const N: usize> Level<N> {
    /// The smoothed state at every observation of a column, given what this filter believes now;
    /// the filter itself stays as it is.
    pub fn smooth(&self, ys: &[f64]) -> Result<Vec<Smoothed<N>>> {
        let mut filter = self.clone();
        let mut past: Vec<(Belief<N>, Option<Innovation<N>>)> = Vec::with_capacity(ys.len());
        for (at, y) in ys.iter().enumerate() {
            let belief = filter.belief;
            past.push((belief, filter.advance(*y).map_err(|error| at_row(error, at))?.1));
        }
        let mut later = Later { r: [[0.0; N]; 2], n: [[[0.0; N]; N]; 3] };
        let mut smoothed: Vec<Smoothed<N>> = Vec::with_capacity(ys.len());
        for (belief, seen) in past.iter().rev() {
            later.step_back();
            match seen {
                Some(seen) if seen.diffuse > 0.0 => later.add_diffuse(belief, seen),
                Some(seen) => later.add(seen),
                None => {}
            }
            smoothed.push(later.smoothed(belief));
        }
        smoothed.reverse();
        Ok(smoothed)
    }
}

impl<const N: usize> Later<N> {
    /// From after a step in time to before it.
    fn step_back(&mut self) {
        let t = transition();
        self.r = self.r.map(|r| backward(&r));
        self.n = self.n.map(|n| between(&t, &n, &t));
    }

    /// Add an observation whose innovation has a finite variance.
    fn add(&mut self, seen: &Innovation<N>) {
        let b = without(&seen.gain);
        self.r = self.r.map(|r| applied(&transposed(&b), &r));
        self.r[0][0] += seen.value / seen.finite;
        self.n = self.n.map(|n| between(&b, &n, &b));
        self.n[0][0][0] += 1.0 / seen.finite;
    }

    /// Add an observation that was spent on the unknown start.
    fn add_diffuse(&mut self, belief: &Belief<N>, seen: &Innovation<N>) {
        let gain = seen.gain;
        let ratio = seen.finite / seen.diffuse;
        let rest: [f64; N] =
            std::array::from_fn(|i| belief.finite[i][0] / seen.diffuse - gain[i] * ratio);
        let (b0, b1) = (without(&gain), minus_column(&rest));
        let (c0, c1) = (transposed(&b0), transposed(&b1));
        let [r0, r1] = self.r;
        let (carried, crossed) = (applied(&c0, &r1), applied(&c1, &r0));
        self.r = [applied(&c0, &r0), std::array::from_fn(|i| carried[i] + crossed[i])];
        self.r[1][0] += seen.value / seen.diffuse;
        let [n0, n1, n2] = self.n;
        let cross = between(&b1, &n0, &b0);
        let bend = between(&b1, &n1, &b0);
        self.n = [
            between(&b0, &n0, &b0),
            plus(&between(&b0, &n1, &b0), &plus(&cross, &transposed(&cross))),
            plus(
                &plus(&between(&b0, &n2, &b0), &between(&b1, &n0, &b1)),
                &plus(&bend, &transposed(&bend)),
            ),
        ];
        self.n[1][0][0] += 1.0 / seen.diffuse;
        self.n[2][0][0] -= ratio / seen.diffuse;
    }

    /// The belief before the observation, corrected by it and all later ones.
    fn smoothed(&self, belief: &Belief<N>) -> Smoothed<N> {
        let p = &belief.finite;
        let shift = applied(p, &self.r[0]);
        let mut mean: [f64; N] = std::array::from_fn(|i| belief.mean[i] + shift[i]);
        let mut covariance = minus(p, &between(p, &self.n[0], p));
        if belief.is_diffuse {
            let d = &belief.diffuse;
            let shift = applied(d, &self.r[1]);
            mean = std::array::from_fn(|i| mean[i] + shift[i]);
            let cross = product(&product(d, &self.n[1]), p);
            covariance = minus(&covariance, &plus(&cross, &transposed(&cross)));
            covariance = minus(&covariance, &between(d, &self.n[2], d));
        }
        Smoothed { mean, covariance }
    }
}

/// `I - gain e0'`.
fn without<const N: usize>(gain: &[f64; N]) -> Matrix<N> {
    let mut b = minus_column(gain);
    for (i, row) in b.iter_mut().enumerate() {
        row[i] += 1.0;
    }
    b
}

/// `-column e0'`.
fn minus_column<const N: usize>(column: &[f64; N]) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if j == 0 { -column[i] } else { 0.0 }))
}

fn minus<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] - b[i][j]))
}
