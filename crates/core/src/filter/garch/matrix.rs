// SPDX-License-Identifier: Apache-2.0
//! Small dense matrices: as many rows as a GARCH has parameters, of which the first few count.

use super::parameters::{Vector, SIZE};

pub(super) type Matrix = [Vector; SIZE];

/// `matrix * vector` of the first `n`.
pub(super) fn apply(matrix: &Matrix, vector: &Vector, n: usize) -> Vector {
    let mut product = [0.0; SIZE];
    for (to, row) in product.iter_mut().zip(matrix).take(n) {
        *to = dot(row, vector, n);
    }
    product
}

/// Inner product of the first `n`.
pub(super) fn dot(left: &Vector, right: &Vector, n: usize) -> f64 {
    left.iter().zip(right).take(n).map(|(a, b)| a * b).sum()
}

/// `left * right` of the first `n` rows and columns.
pub(super) fn multiply(left: &Matrix, right: &Matrix, n: usize) -> Matrix {
    let mut product = [[0.0; SIZE]; SIZE];
    for (to, row) in product.iter_mut().zip(left).take(n) {
        for column in 0..n {
            to[column] = (0..n).map(|at| row[at] * right[at][column]).sum();
        }
    }
    product
}

/// Lower triangle of Cholesky; `None` unless positive definite.
fn cholesky(matrix: &Matrix, n: usize) -> Option<Matrix> {
    let mut lower = [[0.0; SIZE]; SIZE];
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
            let rest = matrix[row][column] - known;
            if row != column {
                lower[row][column] = rest / lower[column][column];
            } else if rest > 0.0 && rest.is_finite() {
                lower[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

/// Inverse of a positive definite matrix; `None` for any other. Rows are brought to one size
/// first, because parameters differ by orders of magnitude.
pub(super) fn inverse(matrix: &Matrix, n: usize) -> Option<Matrix> {
    let mut size = [1.0; SIZE];
    for (at, to) in size.iter_mut().enumerate().take(n) {
        let diagonal = matrix[at][at];
        if !(diagonal > 0.0 && diagonal.is_finite()) {
            return None;
        }
        *to = 1.0 / diagonal.sqrt();
    }
    let mut even = [[0.0; SIZE]; SIZE];
    for (row, line) in even.iter_mut().enumerate().take(n) {
        for (column, cell) in line.iter_mut().enumerate().take(n) {
            *cell = matrix[row][column] * size[row] * size[column];
        }
    }
    let lower = cholesky(&even, n)?;
    let mut result = [[0.0; SIZE]; SIZE];
    for column in 0..n {
        let solved = solve(&lower, column, n);
        for row in 0..n {
            result[row][column] = solved[row] * size[row] * size[column];
        }
    }
    Some(result)
}

/// The given column of the inverse, from Cholesky's triangle.
fn solve(lower: &Matrix, column: usize, n: usize) -> Vector {
    let mut solution = [0.0; SIZE];
    for row in 0..n {
        let known: f64 = (0..row).map(|at| lower[row][at] * solution[at]).sum();
        let right = if row == column { 1.0 } else { 0.0 };
        solution[row] = (right - known) / lower[row][row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|at| lower[at][row] * solution[at]).sum();
        solution[row] = (solution[row] - known) / lower[row][row];
    }
    solution
}
