// SPDX-License-Identifier: Apache-2.0
//! Laws that every indicator keeps whatever the data: batch and stream give the same bits, a
//! snapshot at any point restores the same future, windows agree with a plain recomputation, and
//! bad input changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hean_core::filter::garch::Parameters;
use hean_core::indicator::*;
use hean_core::{Code, Result};
use proptest::prelude::*;

/// Found failures become tests of their own below, not files of seeds.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) }
}

/// Bars with open, high, low, close, volume; low <= open, close <= high, some of them flat.
fn bars(rows: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<[f64; 5]>> {
    let bar = (1.0..1e5_f64, 0.0..0.1_f64, 0.0..=1.0_f64, 0.0..=1.0_f64, 0.0..1e6_f64, 0..5_u8);
    prop::collection::vec(bar, rows).prop_map(|rows| {
        rows.into_iter()
            .map(|(low, reach, open, close, volume, kind)| match kind {
                0 => [100.0, 100.0, 100.0, 100.0, 0.0],
                _ => {
                    let height = low * reach;
                    [low + open * height, low + height, low, low + close * height, volume]
                }
            })
            .collect()
    })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Stream row by row, in one batch, and in two batches with a snapshot carried over at `cut`.
fn check<I, const IN: usize, const OUT: usize>(make: impl Fn() -> Result<I>, rows: &[[f64; IN]])
where
    I: Indicator<IN, OUT>,
{
    let fresh = || Stream::new(make().unwrap());
    let columns: Vec<Vec<f64>> =
        (0..IN).map(|at| rows.iter().map(|row| row[at]).collect()).collect();
    let run = |stream: &mut Stream<I, IN, OUT>, from: usize, to: usize| {
        let mut out = vec![vec![0.0; to - from]; OUT];
        let mut slices = out.iter_mut().map(Vec::as_mut_slice);
        let outputs = std::array::from_fn(|_| slices.next().unwrap());
        stream.batch(std::array::from_fn(|at| &columns[at][from..to]), outputs).unwrap();
        out
    };
    let mut streamed = vec![Vec::new(); OUT];
    let mut stream = fresh();
    for row in rows {
        stream.update(*row).unwrap();
        for (column, value) in streamed.iter_mut().zip(stream.values()) {
            column.push(*value);
        }
    }
    let whole = run(&mut fresh(), 0, rows.len());
    for (streamed, whole) in streamed.iter().zip(&whole) {
        assert_eq!(bits(streamed), bits(whole), "{}: batch and stream differ", I::NAME);
    }
    let complete = |at: &usize| whole.iter().all(|column| !column[*at].is_nan());
    let first = (0..rows.len()).find(complete);
    assert!(first.is_none_or(|at| at as u64 + 1 >= stream.warmup()), "{}: too early", I::NAME);
    let cut = rows.len() / 3;
    let mut before = fresh();
    run(&mut before, 0, cut);
    let mut after = fresh();
    after.restore(&before.snapshot()).unwrap();
    assert_eq!(after.n_seen(), cut as u64);
    for (rest, whole) in run(&mut after, cut, rows.len()).iter().zip(&whole) {
        assert_eq!(bits(rest), bits(&whole[cut..]), "{}: restored differently", I::NAME);
    }
    assert_eq!(after.snapshot(), stream.snapshot(), "{}: snapshots differ", I::NAME);
}

fn pick<const N: usize>(bars: &[[f64; 5]], fields: [usize; N]) -> Vec<[f64; N]> {
    bars.iter().map(|bar| fields.map(|at| bar[at])).collect()
}

const OPEN: usize = 0;
const HIGH: usize = 1;
const LOW: usize = 2;
const CLOSE: usize = 3;
const VOLUME: usize = 4;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn batch_stream_and_restored_stream_give_the_same_bits(bars in bars(0..140), n in 2..40_usize) {
        let closes = pick(&bars, [CLOSE]);
        check(|| Sma::new(n), &closes);
        check(|| Ema::new(n), &closes);
        check(|| Wma::new(n), &closes);
        check(|| Dema::new(n), &closes);
        check(|| Tema::new(n), &closes);
        check(|| Trix::new(n), &closes);
        check(|| Kama::new(n), &closes);
        check(|| Rsi::new(n), &closes);
        check(|| Momentum::new(n), &closes);
        check(|| Roc::new(n), &closes);
        check(|| Macd::new(n, n + 7, 5), &closes);
        check(|| Bollinger::new(n, 2.0), &closes);
        check(|| RollingStd::new(n, 1), &closes);
        check(|| RollingMin::new(n), &closes);
        check(|| RollingMax::new(n), &closes);
        check(|| ZScore::new(n), &closes);
        check(|| LinregSlope::new(n), &closes);
        check(|| Ok(Moments::new()), &closes);
        check(|| EwmaVariance::new(0.94, None), &closes);
        check(|| RealizedVariance::new(n), &closes);
        let parameters = Parameters::of_vector([0.1, 1.0, 0.05, 0.1, 0.8, f64::INFINITY]);
        check(|| GarchVariance::new(parameters, 2.0), &closes);
        check(|| TimedEwmaVariance::new(60.0), &pick(&bars, [CLOSE, VOLUME]));
        let minutes: Vec<[f64; 2]> = closes.iter().zip(0_u16..)
            .map(|([close], at)| [f64::from(at) * 37.0, close - 100.0]).collect();
        check(|| IntradayProfile::new(60, 1, &[0, 480]), &minutes);
        let ranges = pick(&bars, [HIGH, LOW]);
        check(|| Aroon::new(n), &ranges);
        check(|| ParabolicSar::new(0.02, 0.2), &ranges);
        let bodies = pick(&bars, [HIGH, LOW, CLOSE]);
        check(|| Ok(TrueRange::new()), &bodies);
        check(|| Atr::new(n), &bodies);
        check(|| Natr::new(n), &bodies);
        check(|| Stochastic::new(n, 3, 3), &bodies);
        check(|| WilliamsR::new(n), &bodies);
        check(|| Cci::new(n), &bodies);
        check(|| UltimateOscillator::new(n, 2 * n, 3 * n), &bodies);
        check(|| Adx::new(n), &bodies);
        let turnover = pick(&bars, [CLOSE, VOLUME]);
        check(|| Ok(Obv::new()), &turnover);
        check(|| Vwap::rolling(n), &turnover);
        check(|| Ok(Vwap::session()), &turnover);
        let flows = pick(&bars, [HIGH, LOW, CLOSE, VOLUME]);
        check(|| Ok(AccumulationDistribution::new()), &flows);
        check(|| Mfi::new(n), &flows);
        for estimator in [
            Estimator::Close, Estimator::Parkinson, Estimator::GarmanKlass,
            Estimator::RogersSatchell, Estimator::GarmanKlassYangZhang, Estimator::YangZhang,
        ] {
            let rows = pick(&bars, [OPEN, HIGH, LOW, CLOSE]);
            check(|| RangeVolatility::new(estimator, n + 1, 365.0), &rows);
        }
    }

    #[test]
    fn five_gives_the_same_bits_in_any_form(bars in bars(0..300)) {
        check(Five::new, &pick(&bars, [CLOSE]));
    }

    #[test]
    fn windows_equal_a_plain_recomputation(
        values in prop::collection::vec(-1e6..1e6_f64, 1..200), n in 1..60_usize,
    ) {
        let (mut sma, mut wma) = (Sma::new(n).unwrap(), Wma::new(n).unwrap());
        let (mut least, mut most) = (RollingMin::new(n).unwrap(), RollingMax::new(n).unwrap());
        let mut deviation = RollingStd::new(n, 0).unwrap();
        for (at, value) in values.iter().enumerate() {
            let found = (sma.push(*value), wma.push(*value), deviation.push(*value));
            let extremes = (least.push(*value), most.push(*value));
            if at + 1 < n {
                prop_assert_eq!(found, (None, None, None));
                prop_assert_eq!(extremes, (None, None));
                continue;
            }
            let window = &values[at + 1 - n..=at];
            let mean = window.iter().sum::<f64>() / n as f64;
            let weights = (n * (n + 1)) as f64 / 2.0;
            let weighted: f64 = window.iter().zip(1..).map(|(x, w)| x * f64::from(w)).sum();
            let squares: f64 = window.iter().map(|x| (x - mean).powi(2)).sum();
            prop_assert!((found.0.unwrap() - mean).abs() < 1e-8);
            prop_assert!((found.1.unwrap() - weighted / weights).abs() < 1e-8);
            prop_assert!((found.2.unwrap() - (squares / n as f64).sqrt()).abs() < 1e-7);
            let naive = |pick: fn(f64, f64) -> f64| window.iter().copied().reduce(pick);
            prop_assert_eq!(extremes, (naive(f64::min), naive(f64::max)));
        }
    }

    #[test]
    fn averages_follow_a_shift_and_a_scale_of_the_data(
        values in prop::collection::vec(1.0..1e4_f64, 60..120),
        shift in -1e4..1e4_f64, scale in 0.01..100.0_f64,
    ) {
        let bands = || Bollinger::new(20, 2.0).unwrap();
        let (mut plain, mut moved) = (bands(), bands());
        let (mut ema, mut ema_moved) = (Ema::new(20).unwrap(), Ema::new(20).unwrap());
        let (mut rsi, mut rsi_moved) = (Rsi::new(14).unwrap(), Rsi::new(14).unwrap());
        for value in values {
            let other = shift + scale * value;
            let size = 1e-9 * (shift.abs() + scale * 1e4);
            if let (Some(a), Some(b)) = (plain.push(value), moved.push(other)) {
                for (a, b) in a.iter().zip(b) {
                    prop_assert!((shift + scale * a - b).abs() < size);
                }
            }
            if let (Some(a), Some(b)) = (ema.push(value), ema_moved.push(other)) {
                prop_assert!((shift + scale * a - b).abs() < size);
            }
            if let (Some(a), Some(b)) = (rsi.push(value), rsi_moved.push(other)) {
                prop_assert!((a - b).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_and_changes_nothing(at in 0..400_usize, flip in 1..=255_u8) {
        let mut stream = Stream::new(Five::new().unwrap());
        for step in 0..50 {
            stream.update([100.0 + f64::from(step % 7)]).unwrap();
        }
        let good = stream.snapshot();
        let mut bad = good.clone();
        let place = at % bad.len();
        bad[place] ^= flip;
        prop_assert_eq!(stream.restore(&bad).unwrap_err().code, Code::DataInvalid);
        prop_assert_eq!(stream.restore(&good[..place]).unwrap_err().code, Code::DataInvalid);
        prop_assert_eq!(stream.snapshot(), good);
    }
}

#[test]
fn a_snapshot_of_another_period_or_kind_is_refused() {
    let source = Stream::new(Sma::new(20).unwrap()).snapshot();
    let other = Stream::new(Sma::new(21).unwrap()).restore(&source);
    assert_eq!(other.unwrap_err().code, Code::DataInvalid);
    let kind = Stream::new(ZScore::new(20).unwrap()).restore(&source);
    assert_eq!(kind.unwrap_err().code, Code::DataInvalid);
    let wide = Stream::new(Bollinger::new(20, 2.0).unwrap()).snapshot();
    let narrow = Stream::new(Bollinger::new(20, 1.5).unwrap()).restore(&wide);
    assert_eq!(narrow.unwrap_err().code, Code::DataInvalid);
}

#[test]
fn a_million_values_leave_no_drift() {
    let mut price = 30_000.0_f64;
    let mut seed = 7_u64;
    let (mut window, mut wma) = (WindowMoments::new(500), Wma::new(500).unwrap());
    let mut sum = RollingSum::new(500);
    let mut recent = std::collections::VecDeque::new();
    for step in 0..1_000_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        price *= 1.0 + ((seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 1e-3;
        recent.push_back(price);
        if recent.len() > 500 {
            recent.pop_front();
        }
        window.push(price);
        let (weighted, total) = (wma.push(price), sum.push(price));
        if step >= 499 && step % 9_973 == 0 || step == 999_999 {
            let mean = recent.iter().sum::<f64>() / 500.0;
            let squares: f64 = recent.iter().map(|x| (x - mean).powi(2)).sum();
            let wanted: f64 = recent.iter().zip(1..).map(|(x, w)| x * f64::from(w)).sum();
            assert!((window.mean() / mean - 1.0).abs() < 1e-12);
            assert!((window.variance(500.0) / (squares / 500.0) - 1.0).abs() < 1e-9);
            assert!((weighted.unwrap() / (wanted / 125_250.0) - 1.0).abs() < 1e-12);
            assert!((total.unwrap() / (mean * 500.0) - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_giant_that_has_left_the_window_leaves_no_trace() {
    let mut deviation = RollingStd::new(4, 0).unwrap();
    let mut sum = RollingSum::new(4);
    for value in [1e15, -3e15, 1.0, 2.0, 1.0, 2.0] {
        deviation.push(value);
        sum.push(value);
    }
    assert_eq!(deviation.push(1.0), Some(0.5));
    assert_eq!(sum.push(1.0), Some(6.0));
}

#[test]
fn a_window_of_one_value_has_no_spread() {
    let mut deviation = RollingStd::new(1, 0).unwrap();
    for value in [0.0, -575_078.520_313_671_1, 939_799.113_947_924_6, 0.1] {
        assert_eq!(deviation.push(value), Some(0.0));
    }
}

#[test]
fn a_spread_keeps_its_digits_far_from_where_the_window_began() {
    let mut window = WindowMoments::new(8);
    for step in 0..60_000_u32 {
        let wiggle = if step % 2 == 0 { 0.25 } else { -0.25 };
        window.push(f64::from(step) * 256.0 + wiggle);
    }
    let mut values = (0..8).map(|step| 1.5e7 + f64::from(step % 2) / 64.0);
    values.by_ref().for_each(|value| {
        window.push(value);
    });
    assert_eq!(window.deviation(), 1.0 / 128.0);
}

#[test]
fn a_flat_market_is_undefined_not_zero() {
    let (mut rsi, mut score) = (Rsi::new(3).unwrap(), ZScore::new(3).unwrap());
    let mut stochastic = Stochastic::new(3, 1, 1).unwrap();
    let mut cci = Cci::new(3).unwrap();
    for _ in 0..10 {
        assert_eq!(rsi.push(0.1), None);
        assert_eq!(score.push(0.1), None);
        assert_eq!(stochastic.push(0.1, 0.1, 0.1), None);
        assert_eq!(cci.push(0.1, 0.1, 0.1), None);
    }
    stochastic.push(2.0, 0.0, 0.5);
    let held = stochastic.push(2.0, 0.1, 0.5);
    for _ in 0..2 {
        stochastic.push(1.0, 1.0, 1.0);
    }
    let before_flat = stochastic.push(1.0, 1.0, 1.0);
    assert!(held.is_some());
    assert_eq!(stochastic.push(1.0, 1.0, 1.0), before_flat);
}

#[test]
fn a_price_that_falls_silent_scores_nothing() {
    let mut score = ZScore::new(5).unwrap();
    for value in [1.1, 2.3, 1.7, 0.3, 9.1, 4.4] {
        score.push(value);
    }
    let last = (0..5).map(|_| score.push(0.7)).last().unwrap();
    assert_eq!(last, None);
}

#[test]
fn bad_numbers_are_refused_by_their_place_and_change_nothing() {
    let mut stream = Stream::new(Atr::new(2).unwrap());
    stream.update([3.0, 1.0, 2.0]).unwrap();
    let before = stream.snapshot();
    let refused = stream.update([3.0, f64::NAN, 2.0]).unwrap_err();
    assert_eq!(refused.code, Code::NumberNotFinite);
    assert!(refused.message.contains("low"), "{refused}");
    let refused = stream.update([1e101, 1.0, 2.0]).unwrap_err();
    assert_eq!(refused.code, Code::NumberOutOfRange);
    let close = [2.0, 2.0, f64::INFINITY];
    let mut out = [7.0; 3];
    let columns: [&[f64]; 3] = [&[3.0; 3], &[1.0; 3], &close];
    let refused = stream.batch(columns, [&mut out]).unwrap_err();
    assert_eq!(refused.code, Code::NumberNotFinite);
    assert!(refused.message.contains("close inf at index 2"), "{refused}");
    assert_eq!((out, stream.snapshot()), ([7.0; 3], before));
    let columns: [&[f64]; 3] = [&[3.0; 3], &[1.0; 2], &[2.0; 3]];
    assert_eq!(stream.batch(columns, [&mut out]).unwrap_err().code, Code::DataInvalid);
    let kind = Estimator::Parkinson;
    let mut prices = Stream::new(RangeVolatility::new(kind, 2, 1.0).unwrap());
    assert_eq!(prices.update([1.0, 1.0, 0.0, 1.0]).unwrap_err().code, Code::NumberOutOfRange);
}

#[test]
fn parameters_outside_their_range_are_refused() {
    let refused = |code: Option<Code>| assert_eq!(code, Some(Code::ParameterInvalid));
    refused(Sma::new(0).err().map(|error| error.code));
    refused(Sma::new(PERIOD_MAX + 1).err().map(|error| error.code));
    refused(RollingStd::new(1, 1).err().map(|error| error.code));
    refused(RollingStd::new(5, 2).err().map(|error| error.code));
    refused(Macd::new(26, 12, 9).err().map(|error| error.code));
    refused(Bollinger::new(20, f64::NAN).err().map(|error| error.code));
    refused(ParabolicSar::new(0.3, 0.2).err().map(|error| error.code));
    refused(EwmaVariance::new(1.0, None).err().map(|error| error.code));
}

#[test]
fn readiness_waits_until_the_seed_is_forgotten() {
    let rsi = Stream::new(Rsi::new(14).unwrap());
    assert_eq!((rsi.warmup(), rsi.settled()), (15, 202));
    let adx = Stream::new(Adx::new(14).unwrap());
    assert!((240..270).contains(&adx.settled()), "{}", adx.settled());
    let (mut high, mut low) =
        (Stream::new(Ema::new(20).unwrap()), Stream::new(Ema::new(20).unwrap()));
    for step in 0..high.settled() {
        let start = if step < 20 { 1.0 } else { 0.0 };
        high.update([start]).unwrap();
        low.update([0.0]).unwrap();
        assert_eq!(high.ready(), step + 1 == high.settled());
    }
    assert!(high.values()[0] - low.values()[0] < 1e-6);
}
