// SPDX-License-Identifier: Apache-2.0
//! The constant of the unit-variance Student-t density, and its slope by the degrees of freedom.
//! Only the step from ln Gamma(x) to ln Gamma(x + 1/2) is needed; its series keeps all digits also
//! for millions of degrees of freedom, where the difference of two ln Gamma has none left.

/// Above it eight terms of the series are exact to the last digit.
const SERIES_FROM: f64 = 16.0;

/// `ln Gamma((nu + 1) / 2) - ln Gamma(nu / 2) - ln(pi (nu - 2)) / 2` and its derivative.
pub(super) fn student_constant(nu: f64) -> (f64, f64) {
    let (step, slope) = half_step(0.5 * nu);
    let tail = nu - 2.0;
    (step - 0.5 * (std::f64::consts::PI * tail).ln(), 0.5 * slope - 0.5 / tail)
}

/// `ln Gamma(x + 1/2) - ln Gamma(x)` and its derivative, for x above zero.
fn half_step(mut x: f64) -> (f64, f64) {
    let (mut value, mut slope) = (0.0, 0.0);
    while x < SERIES_FROM {
        value -= (0.5 / x).ln_1p();
        slope += 0.5 / (x * (x + 0.5));
        x += 1.0;
    }
    // Coefficients of x^-(2k-1): (2^-2k - 1) B_2k / (k (2k - 1)), B the Bernoulli numbers.
    const TERMS: [f64; 6] = [
        -1.0 / 8.0,
        1.0 / 192.0,
        -1.0 / 640.0,
        17.0 / 14_336.0,
        -31.0 / 18_432.0,
        691.0 / 180_224.0,
    ];
    let (inverse, mut power) = (1.0 / x, 1.0 / x);
    let mut order = 1.0;
    value += 0.5 * x.ln();
    slope += 0.5 * inverse;
    for term in TERMS {
        value += term * power;
        slope -= order * term * power * inverse;
        power *= inverse * inverse;
        order += 2.0;
    }
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_equals_known_values_of_gamma() {
        // Gamma(1) = 1, Gamma(3/2) = sqrt(pi) / 2; Gamma(5/2) = 3 sqrt(pi) / 4, Gamma(3) = 2.
        let root = std::f64::consts::PI.sqrt();
        assert!((half_step(1.0).0 - (root / 2.0).ln()).abs() < 1e-15);
        assert!((half_step(2.5).0 - (8.0 / (3.0 * root)).ln()).abs() < 1e-15);
        assert!((half_step(1.0).1 - (2.0 - 2.0 * std::f64::consts::LN_2)).abs() < 1e-14);
    }

    #[test]
    fn the_slope_is_that_of_the_value() {
        for nu in [2.5, 4.1, 8.0, 30.0, 33.0, 400.0, 1e6] {
            let width = 1e-5 * nu;
            let rise = student_constant(nu + width).0 - student_constant(nu - width).0;
            let slope = student_constant(nu).1;
            assert!((rise / (2.0 * width) - slope).abs() < 1e-6 * slope.abs() + 1e-12, "{nu}");
        }
    }
}
