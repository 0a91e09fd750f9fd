// SPDX-License-Identifier: Apache-2.0
//! Arithmetic of the one or two states of a level: small square matrices, loops that unroll.

/// A square matrix, rows first.
pub(super) type Matrix<const N: usize> = [[f64; N]; N];

pub(super) fn identity<const N: usize>() -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }))
}

pub(super) fn transposed<const N: usize>(a: &Matrix<N>) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

pub(super) fn plus<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] + b[i][j]))
}

pub(super) fn product<const N: usize>(a: &Matrix<N>, b: &Matrix<N>) -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..N).map(|k| a[i][k] * b[k][j]).sum()))
}

pub(super) fn applied<const N: usize>(a: &Matrix<N>, v: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| (0..N).map(|k| a[i][k] * v[k]).sum())
}

/// `b' u c`.
pub(super) fn between<const N: usize>(b: &Matrix<N>, u: &Matrix<N>, c: &Matrix<N>) -> Matrix<N> {
    product(&transposed(b), &product(u, c))
}

/// The inverse by elimination with the largest pivot; `None` for a singular matrix.
pub(super) fn inverted<const N: usize>(a: &Matrix<N>) -> Option<Matrix<N>> {
    let (mut left, mut right) = (*a, identity());
    for column in 0..N {
        let size = |row: &usize| left[*row][column].abs();
        let pivot = (column..N).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        left.swap(column, pivot);
        right.swap(column, pivot);
        let head = left[column][column];
        if !(head.abs() > 0.0 && head.is_finite()) {
            return None;
        }
        for j in 0..N {
            left[column][j] /= head;
            right[column][j] /= head;
        }
        for row in (0..N).filter(|row| *row != column) {
            let factor = left[row][column];
            for j in 0..N {
                left[row][j] -= factor * left[column][j];
                right[row][j] -= factor * right[column][j];
            }
        }
    }
    Some(right)
}

/// Level and slope one step later: `T v`, T with ones on and right above the diagonal.
#[inline]
pub(super) fn forward<const N: usize>(v: &mut [f64; N]) {
    for i in 1..N {
        v[i - 1] += v[i];
    }
}

/// `T' v`, the same step backwards through a gradient.
#[inline]
pub(super) fn backward<const N: usize>(v: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| if i > 0 { v[i] + v[i - 1] } else { v[i] })
}

/// T as a matrix.
pub(super) fn transition<const N: usize>() -> Matrix<N> {
    std::array::from_fn(|i| std::array::from_fn(|j| if j == i || j == i + 1 { 1.0 } else { 0.0 }))
}

/// `T m T'`.
#[inline]
pub(super) fn forward_both<const N: usize>(m: &mut Matrix<N>) {
    for i in 1..N {
        let below = m[i];
        m[i - 1].iter_mut().zip(below).for_each(|(value, below)| *value += below);
    }
    m.iter_mut().for_each(forward);
}

/// `A p A' + noise gain gain'` with `A = I - gain e0'`: the covariance after the level was seen,
/// in the form that rounding cannot turn negative.
#[inline]
pub(super) fn joseph<const N: usize>(p: &Matrix<N>, gain: &[f64; N], noise: f64) -> Matrix<N> {
    let mut m = *p;
    for i in 0..N {
        for j in 0..N {
            m[i][j] -= gain[i] * p[0][j];
        }
    }
    let entry = |i: usize, j: usize| m[i][j] - m[i][0] * gain[j] + noise * gain[i] * gain[j];
    std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (entry(i, j) + entry(j, i))))
}
