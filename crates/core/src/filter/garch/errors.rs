// SPDX-License-Identifier: Apache-2.0
//! How sure a fit is: standard errors from the curvature of the likelihood, from the outer products
//! of its slopes, and from both together (the sandwich, which also holds when the density is wrong;
//! Bollerslev and Wooldridge 1992).

use super::likelihood::{evaluate, outer_products};
use super::matrix::{self, Matrix};
use super::parameters::{Parameters, Vector, ALPHA, BETA, GAMMA, MU, NU, OMEGA, SIZE};
use super::sample::Sample;
use super::Model;
use crate::error::Result;

/// Width of the difference of two slopes, as a share of the parameter: its own error and that of
/// rounding are both near 1e-9.
const WIDTH: f64 = 1e-5;

/// A weight below this is moved as if it were this, or the difference would drown in rounding.
const WEIGHT_MIN: f64 = 1e-3;

/// Standard errors in the order and unit of the parameters; nan where a parameter is not free or
/// the matrix cannot be inverted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// From the second derivatives.
    pub hessian: Vector,
    /// From the outer products of the gradients.
    pub opg: Vector,
    /// Sandwich of both, robust to a wrong density.
    pub sandwich: Vector,
    /// Whether the second derivatives are those of a summit.
    pub is_summit: bool,
}

/// All three standard errors at given parameters.
pub fn standard_errors(model: &Model, returns: &[f64], at: &Parameters) -> Result<Errors> {
    model.check()?;
    model.check_parameters(at)?;
    let sample = Sample::new(returns, model.has_mean)?;
    Ok(errors(model, &sample, &at.scaled(1.0 / sample.unit)))
}

/// The same in scaled units.
pub(super) fn errors(model: &Model, sample: &Sample, at: &Parameters) -> Errors {
    let free = Free::new(model, sample);
    let n = free.places.len();
    let products = outer_products(model, sample, at, |slope| free.pick(slope));
    let curvature = matrix::inverse(&free.curvature(at), n);
    let opg = matrix::inverse(&products, n);
    let sandwich =
        curvature.map(|bread| matrix::multiply(&matrix::multiply(&bread, &products, n), &bread, n));
    Errors {
        hessian: free.deviations(curvature.as_ref()),
        opg: free.deviations(opg.as_ref()),
        sandwich: free.deviations(sandwich.as_ref()),
        is_summit: curvature.is_some(),
    }
}

/// The parameters that are estimated, and how the others follow from them.
struct Free<'a> {
    model: &'a Model,
    sample: &'a Sample,
    places: Vec<usize>,
}

impl<'a> Free<'a> {
    fn new(model: &'a Model, sample: &'a Sample) -> Self {
        let wanted = [
            (MU, model.has_mean),
            (OMEGA, !model.is_targeted),
            (ALPHA, true),
            (GAMMA, model.is_asymmetric),
            (BETA, true),
            (NU, model.is_student),
        ];
        let places = wanted.into_iter().filter_map(|(at, is_free)| is_free.then_some(at)).collect();
        Self { model, sample, places }
    }

    /// The free part of a slope; a targeted omega passes its share on to what it follows from.
    fn pick(&self, slope: &Vector) -> Vector {
        let mut full = *slope;
        if self.model.is_targeted {
            let share = -self.sample.variance * slope[OMEGA];
            full[ALPHA] += share;
            full[GAMMA] += 0.5 * share;
            full[BETA] += share;
        }
        let mut picked = [0.0; SIZE];
        for (to, place) in picked.iter_mut().zip(&self.places) {
            *to = full[*place];
        }
        picked
    }

    /// Negative second derivatives, as differences of slopes.
    fn curvature(&self, at: &Parameters) -> Matrix {
        let mut matrix = [[0.0; SIZE]; SIZE];
        for (row, place) in self.places.iter().enumerate() {
            let base = at.to_vector();
            let width = WIDTH
                * match *place {
                    MU => self.sample.variance.sqrt(),
                    NU => at.nu - 2.0,
                    OMEGA => at.omega,
                    weight => base[weight].abs().max(WEIGHT_MIN),
                };
            let slope = |moved: f64| {
                let mut vector = base;
                vector[*place] += moved;
                let mut there = Parameters::of_vector(vector);
                if self.model.is_targeted {
                    there.omega = self.sample.variance * (1.0 - there.persistence());
                }
                self.pick(&evaluate(self.model, self.sample, &there).slope)
            };
            let (above, below) = (slope(width), slope(-width));
            for (column, cell) in matrix[row].iter_mut().enumerate() {
                *cell = (below[column] - above[column]) / (2.0 * width);
            }
        }
        symmetric(&matrix)
    }

    /// Roots of a diagonal, back in their places and in the unit of the returns.
    fn deviations(&self, covariance: Option<&Matrix>) -> Vector {
        let mut found = [f64::NAN; SIZE];
        let Some(covariance) = covariance else { return found };
        for (row, place) in self.places.iter().enumerate() {
            let unit = match *place {
                MU => self.sample.unit,
                OMEGA => self.sample.unit * self.sample.unit,
                _ => 1.0,
            };
            found[*place] = covariance[row][row].sqrt() * unit;
        }
        found
    }
}

fn symmetric(matrix: &Matrix) -> Matrix {
    let mut even = *matrix;
    for (row, line) in even.iter_mut().enumerate() {
        for (column, cell) in line.iter_mut().enumerate() {
            *cell = 0.5 * (*cell + matrix[column][row]);
        }
    }
    even
}
