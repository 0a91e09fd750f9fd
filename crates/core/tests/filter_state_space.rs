// SPDX-License-Identifier: Apache-2.0
//! Laws of the state-space filters: columns and single rows give the same bits, a snapshot anywhere
//! restores the same future, refused rows change nothing, units do not matter, and the covariance
//! stays one however small the noise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hean_core::filter::kalman::{
    positions, HedgeNoise, HedgeSettings, HedgeStart, KalmanHedge, Model,
};
use hean_core::filter::level::{Level, LevelStart};
use hean_core::filter::rls::{least_squares, QrRls, Rls, RlsSettings};
use hean_core::rng::Random;
use hean_core::Code;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) }
}

fn starts() -> impl Strategy<Value = HedgeStart> {
    prop_oneof![
        (3..20_u64).prop_map(|rows| HedgeStart::LeastSquares { rows }),
        Just(HedgeStart::Diffuse { scale: 1.0 }),
        any::<bool>().prop_map(|first_noise| HedgeStart::Exact {
            state: [1.0, 0.5],
            covariance: [[0.1, 0.02], [0.02, 0.3]],
            first_noise,
        }),
    ]
}

fn settings() -> impl Strategy<Value = HedgeSettings> {
    let noise = (0.0..1e-3_f64, 0.0..1e-3_f64, 1e-12..1e-2_f64);
    let gate = prop_oneof![Just(f64::INFINITY), 4.0..20.0_f64];
    let adaptation = prop_oneof![Just(0.0), 0.001..0.1_f64];
    (noise, starts(), any::<bool>(), gate, adaptation).prop_map(
        |((beta, alpha, observation), start, is_centred, gate, adaptation)| HedgeSettings {
            noise: HedgeNoise { beta, alpha, observation },
            start,
            is_centred,
            gate,
            adaptation,
        },
    )
}

/// y, x, dt; a leg is missing now and then.
fn rows() -> impl Strategy<Value = Vec<[f64; 3]>> {
    let leg = || prop_oneof![9 => -3.0..3.0_f64, 1 => Just(f64::NAN)];
    prop::collection::vec((leg(), leg(), 0.0..3.0_f64), 0..120)
        .prop_map(|rows| rows.into_iter().map(|(y, x, dt)| [y, x, dt]).collect())
}

fn column(rows: &[[f64; 3]], at: usize) -> Vec<f64> {
    rows.iter().map(|row| row[at]).collect()
}

/// Bits of all outputs of a batch.
fn run(filter: &mut KalmanHedge, rows: &[[f64; 3]]) -> Vec<Vec<u64>> {
    let mut out = vec![vec![0.0; rows.len()]; 5];
    let mut slices = out.iter_mut().map(Vec::as_mut_slice);
    let outputs = std::array::from_fn(|_| slices.next().unwrap());
    let (y, x, dt) = (column(rows, 0), column(rows, 1), column(rows, 2));
    filter.batch(&y, &x, Some(&dt), outputs).unwrap();
    out.iter().map(|values| values.iter().map(|value| value.to_bits()).collect()).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn hedge_batch_stream_and_restored_stream_give_the_same_bits(
        settings in settings(), rows in rows(), cut in 0..120_usize,
    ) {
        let cut = cut.min(rows.len());
        let mut stream = KalmanHedge::new(settings).unwrap();
        let mut streamed = vec![Vec::new(); 5];
        for [y, x, dt] in &rows {
            let s = stream.step(*y, *x, *dt).unwrap();
            let values = [s.z, s.innovation, s.variance, s.beta, s.alpha];
            streamed.iter_mut().zip(values).for_each(|(to, value)| to.push(value.to_bits()));
        }
        let mut whole = KalmanHedge::new(settings).unwrap();
        prop_assert_eq!(&run(&mut whole, &rows), &streamed);
        prop_assert_eq!(whole.snapshot(), stream.snapshot());
        let (mut before, mut after) = (whole.clone(), KalmanHedge::new(settings).unwrap());
        before.clone_from(&after);
        run(&mut before, &rows[..cut]);
        after.restore(&before.snapshot()).unwrap();
        for (rest, all) in run(&mut after, &rows[cut..]).iter().zip(&streamed) {
            prop_assert_eq!(rest, &all[cut..]);
        }
        prop_assert!(after.snapshot() == stream.snapshot(), "the restored state differs");
    }

    #[test]
    fn hedge_refuses_bad_rows_and_stays_as_it_was(settings in settings(), rows in rows()) {
        let mut filter = KalmanHedge::new(settings).unwrap();
        run(&mut filter, &rows);
        let before = filter.snapshot();
        for (y, x, dt) in [
            (f64::INFINITY, 1.0, 1.0), (1.0, f64::NEG_INFINITY, 1.0), (1.0, 1.0, f64::NAN),
            (1.0, 1.0, -1.0), (1e101, 1.0, 1.0),
        ] {
            prop_assert!(filter.step(y, x, dt).is_err());
            let outputs = [&mut [0.0; 2][..], &mut [0.0; 2], &mut [0.0; 2], &mut [0.0; 2],
                &mut [0.0; 2]];
            let error = filter.batch(&[0.1, y], &[0.2, x], Some(&[1.0, dt]), outputs).unwrap_err();
            prop_assert!(error.message.contains("at index 1"));
        }
        prop_assert_eq!(filter.snapshot(), before);
    }

    /// Powers of two only move exponents, so that even the bits scale.
    #[test]
    fn hedge_does_not_know_the_unit_of_y(settings in settings(), rows in rows(), power in -20..20) {
        let c = 2.0_f64.powi(power);
        let mut scaled = settings;
        scaled.noise = HedgeNoise {
            beta: settings.noise.beta * c * c,
            alpha: settings.noise.alpha * c * c,
            observation: settings.noise.observation * c * c,
        };
        scaled.start = match settings.start {
            HedgeStart::Exact { state, covariance, first_noise } => HedgeStart::Exact {
                state: state.map(|value| value * c),
                covariance: covariance.map(|row| row.map(|value| value * c * c)),
                first_noise,
            },
            HedgeStart::Diffuse { scale } => HedgeStart::Diffuse { scale: scale * c * c },
            start @ HedgeStart::LeastSquares { .. } => start,
        };
        let (mut own, mut other) =
            (KalmanHedge::new(settings).unwrap(), KalmanHedge::new(scaled).unwrap());
        for [y, x, dt] in rows {
            let (a, b) = (own.step(y, x, dt).unwrap(), other.step(y * c, x, dt).unwrap());
            prop_assert_eq!((a.innovation * c).to_bits(), b.innovation.to_bits());
            prop_assert_eq!((a.beta * c).to_bits(), b.beta.to_bits());
            prop_assert_eq!((a.variance * c * c).to_bits(), b.variance.to_bits());
        }
    }

    #[test]
    fn level_stream_restored_stream_and_batch_give_the_same_bits(
        ys in prop::collection::vec(prop_oneof![8 => -5.0..5.0_f64, 2 => Just(f64::NAN)], 0..60),
        irregular in 0.01..2.0_f64, steps in [0.0..1.0_f64, 0.0..0.5], is_diffuse: bool,
        tolerance in prop_oneof![Just(0.0), 1e-6..1e-1_f64],
    ) {
        let start = if is_diffuse { LevelStart::Diffuse } else {
            LevelStart::Exact { mean: [0.5, 0.1], covariance: [[2.0, 0.3], [0.3, 1.0]] }
        };
        let fresh = || Level::<2>::new(irregular, steps, start, tolerance).unwrap();
        let (mut stream, mut carried, mut batch) = (fresh(), fresh(), fresh());
        let mut streamed = Vec::new();
        for y in &ys {
            streamed.push(format!("{:?}", stream.step(*y).unwrap()));
            carried.step(*y).unwrap();
            let mut next = fresh();
            next.restore(&carried.snapshot()).unwrap();
            carried = next;
        }
        let mut whole = Vec::new();
        batch.batch(&ys, |_, step| whole.push(format!("{step:?}"))).unwrap();
        prop_assert_eq!(streamed, whole);
        prop_assert_eq!(stream.snapshot(), batch.snapshot());
        prop_assert_eq!(stream.snapshot(), carried.snapshot());
        prop_assert!(stream.step(f64::INFINITY).is_err());
        prop_assert!(stream.batch(&[1.0, 1e200], |_, _| ()).is_err());
        prop_assert_eq!(stream.snapshot(), batch.snapshot());
    }
}

/// A million rows of two prices that move together, in logarithms and in prices, centred or not:
/// the covariance is positive definite after every row.
#[test]
fn covariance_stays_positive_definite_down_to_the_smallest_noise() {
    for (observation, is_centred, base) in
        [(1e-12, true, 11.0), (1e-12, false, 11.0), (1e-12, false, 6e4), (1e-3, false, 20.0)]
    {
        let settings = HedgeSettings {
            noise: HedgeNoise { beta: 1e-4, alpha: 1e-4, observation },
            start: HedgeStart::Diffuse { scale: 1.0 },
            is_centred,
            gate: f64::INFINITY,
            adaptation: 0.0,
        };
        let mut filter = KalmanHedge::new(settings).unwrap();
        let mut rng = Random::new(7, 0);
        let (mut x, mut spread) = (base, 0.0);
        for row in 0..250_000 {
            x += 1e-3 * (rng.uniform() - 0.5);
            spread += 1e-4 * (rng.uniform() - 0.5);
            let step = filter.step(1.2 * x + spread, x, 1.0).unwrap();
            let [[p, q], [_, r]] = filter.covariance();
            assert!(p > 0.0 && r > 0.0 && p * r > q * q, "row {row}: [{p:e} {q:e} {r:e}]");
            assert!(step.variance >= observation && step.z.is_finite());
        }
    }
}

#[test]
fn a_snapshot_of_other_settings_is_refused() {
    let settings = HedgeSettings {
        noise: HedgeNoise { beta: 1e-5, alpha: 1e-5, observation: 1e-3 },
        start: HedgeStart::LeastSquares { rows: 5 },
        is_centred: true,
        gate: 15.1,
        adaptation: 0.0,
    };
    let mut filter = KalmanHedge::new(settings).unwrap();
    for other in [
        HedgeSettings { gate: 15.2, ..settings },
        HedgeSettings { is_centred: false, ..settings },
        HedgeSettings { start: HedgeStart::LeastSquares { rows: 6 }, ..settings },
        HedgeSettings { adaptation: 0.1, ..settings },
    ] {
        let foreign = KalmanHedge::new(other).unwrap().snapshot();
        assert_eq!(filter.restore(&foreign).unwrap_err().code, Code::DataInvalid);
    }
    assert!(filter
        .restore(&Level::<1>::new(1.0, [1.0], LevelStart::Diffuse, 0.0).unwrap().snapshot())
        .is_err());
}

#[test]
fn settings_out_of_range_are_refused() {
    let settings = HedgeSettings {
        noise: HedgeNoise { beta: 1e-5, alpha: 1e-5, observation: 1e-3 },
        start: HedgeStart::Diffuse { scale: 1.0 },
        is_centred: true,
        gate: 15.1,
        adaptation: 0.0,
    };
    let exact = |covariance| HedgeStart::Exact { state: [0.0; 2], covariance, first_noise: true };
    for bad in [
        HedgeSettings { noise: HedgeNoise { beta: -1.0, ..settings.noise }, ..settings },
        HedgeSettings { noise: HedgeNoise { observation: 0.0, ..settings.noise }, ..settings },
        HedgeSettings { gate: 0.0, ..settings },
        HedgeSettings { gate: f64::NAN, ..settings },
        HedgeSettings { adaptation: 1.0, ..settings },
        HedgeSettings { start: HedgeStart::LeastSquares { rows: 2 }, ..settings },
        HedgeSettings { start: exact([[1.0, 2.0], [2.0, 1.0]]), ..settings },
        HedgeSettings { start: exact([[1.0, 0.1], [0.2, 1.0]]), ..settings },
        HedgeSettings { start: exact([[f64::NAN, 0.0], [0.0, 1.0]]), ..settings },
    ] {
        assert_eq!(KalmanHedge::new(bad).unwrap_err().code, Code::ParameterInvalid, "{bad:?}");
    }
}

#[test]
fn the_hedge_is_money_in_logs_and_units_in_prices() {
    assert_eq!(positions(Model::Log, 0.5, 1000.0, 20.0, 10.0), [50.0, -50.0]);
    assert_eq!(positions(Model::Price, 0.5, 1000.0, 20.0, 10.0), [1000.0, -500.0]);
}

#[test]
fn regressions_carry_on_from_snapshots_and_refuse_bad_rows() {
    let rls = RlsSettings { forgetting: 0.99, initial_variance: 1e6, variance_max: 1e8 };
    let (mut a, mut b) = (Rls::new(2, rls).unwrap(), QrRls::new(2, 0.99).unwrap());
    let mut rng = Random::new(3, 0);
    for row in 0..200 {
        let x = [1.0, rng.uniform()];
        let y = if row % 7 == 0 { f64::NAN } else { 2.0 + 3.0 * x[1] + 0.1 * rng.uniform() };
        let (mut c, mut d) = (Rls::new(2, rls).unwrap(), QrRls::new(2, 0.99).unwrap());
        c.restore(&a.snapshot()).unwrap();
        d.restore(&b.snapshot()).unwrap();
        for bad in [[1.0, f64::INFINITY], [1e101, 1.0]] {
            assert!(a.step(y, &bad).is_err() && b.step(y, &bad).is_err());
        }
        assert!(a.step(y, &[1.0]).is_err() && b.step(f64::INFINITY, &x).is_err());
        assert_eq!(a.step(y, &x).unwrap().to_bits(), c.step(y, &x).unwrap().to_bits());
        assert_eq!(b.step(y, &x).unwrap().to_bits(), d.step(y, &x).unwrap().to_bits());
        assert_eq!((a.snapshot(), b.snapshot()), (c.snapshot(), d.snapshot()));
    }
    assert!(Rls::new(3, rls).unwrap().restore(&a.snapshot()).is_err());
    assert!(QrRls::new(2, 0.98).unwrap().restore(&b.snapshot()).is_err());
}

/// Without news forgetting divides the covariance by less than one for ever.
#[test]
fn a_quiet_regressor_winds_nothing_up() {
    let rls = RlsSettings { forgetting: 0.9, initial_variance: 1.0, variance_max: 1e4 };
    let mut filter = Rls::new(2, rls).unwrap();
    for _ in 0..10_000 {
        filter.step(1.0, &[1.0, 0.0]).unwrap();
        let p = filter.covariance();
        assert!(p[0] <= 1e4 && p[3] <= 1e4 && p[0] * p[3] >= p[1] * p[1]);
    }
}

#[test]
fn columns_that_depend_on_each_other_have_no_coefficients() {
    let x = [1.0, 2.0, 2.0, 4.0, 3.0, 6.0];
    let fit = least_squares(&x, &[1.0, 2.0, 4.0], false).unwrap();
    assert!(fit.coefficients.iter().all(|value| value.is_nan()));
    assert!(least_squares(&x, &[1.0, 2.0, 4.0, 5.0], false).is_err());
}
