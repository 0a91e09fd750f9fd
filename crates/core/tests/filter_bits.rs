// SPDX-License-Identifier: Apache-2.0
//! Filters that work on many numbers side by side give the same bits on every machine, whatever
//! vectors it has: the sums below were taken on x86-64 with SSE2 only and hold with AVX-512 too.

use hean_core::filter::changepoint::{Changepoint, Segment, Setting};
use hean_core::filter::hmm::{Emission, Hmm, Normal, RegimeFilter, Switching};
use hean_core::rng::Random;
use hean_core::Result;

/// FNV-1a over the bits.
fn sum_of_bits(numbers: impl IntoIterator<Item = f64>) -> u64 {
    numbers
        .into_iter()
        .flat_map(|number| number.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

/// Values whose level and width change every hundred.
fn values(count: u32) -> Vec<f64> {
    let mut random = Random::new(7, 1);
    let mut value = |at: u32| {
        let segment = f64::from(at / 100);
        (segment * 1.7) % 5.0 + (1.0 + segment % 3.0) * (random.uniform() + random.uniform() - 1.0)
    };
    (0..count).map(&mut value).collect()
}

#[test]
fn changepoint_bits() -> Result<()> {
    let unknown = Segment::UnknownVariance { mean: 0.0, kappa: 0.1, alpha: 2.0, beta: 2.0 };
    let known = Segment::KnownVariance { mean: 0.0, variance: 4.0, noise: 1.0 };
    let due = [
        (unknown, 0.0, 0xb262_d51b_6779_b43b),
        (unknown, 1e-6, 0xf251_7dc8_e60b_dce3),
        (known, 0.0, 0xe049_0ac7_42a1_b59c),
    ];
    for (segment, prune, bits) in due {
        let setting = Setting { hazard_lambda: 100.0, window: 15, run_length_max: 300, prune };
        let mut detector = Changepoint::new(segment, setting)?;
        let seen = sum_of_bits(values(1000).into_iter().flat_map(|value| detector.push(value)));
        assert_eq!(seen, bits, "{segment:?}, prune {prune}: {seen:#x}");
    }
    Ok(())
}

#[test]
fn regime_bits() -> Result<()> {
    let parts = [0.5, 1.0, 4.0].map(|width| Normal::two([0.0, 0.5], [width, 1.0, 0.3]));
    let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
    let transition = vec![0.95, 0.025, 0.025, 0.025, 0.95, 0.025, 0.025, 0.025, 0.95];
    let model =
        Hmm::new(vec![1.0 / 3.0; 3], transition, Emission::Gaussian { dimensions: 2, parts })?;
    let switching = Switching { enter: 0.7, leave: 0.3, dwell: 15 };
    let (mut whole, mut rows) = (RegimeFilter::new(model, switching)?, Vec::new());
    let mut single = whole.clone();
    let observations = values(2002);
    whole.batch(&observations, &mut rows)?;
    observations.chunks(2).try_for_each(|row| single.update(row))?;
    assert_eq!(whole.snapshot(), single.snapshot());
    let seen = sum_of_bits(rows.into_iter().chain([whole.log_likelihood()]));
    assert_eq!(seen, 0xa8cf_0560_e857_8796, "{seen:#x}");
    Ok(())
}
