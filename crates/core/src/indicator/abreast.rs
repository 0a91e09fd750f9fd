// SPDX-License-Identifier: Apache-2.0
//! Indicators whose every value waits for the one before, several side by side over one input:
//! while a processor waits for one it goes on with the others. Each does what it does alone, in
//! the same order, so the values are the same to the last bit.

use super::moving::Ema;
use super::rsi::Rsi;

/// How many run side by side.
pub(crate) const LANES: usize = 8;

/// An indicator that can run side by side with its like.
pub(crate) trait Abreast: Sized {
    /// State of [`LANES`] of them.
    type Lanes;

    /// At most [`LANES`] of them that have taken the same values; `None` while one has no value.
    fn lanes(some: &[Self]) -> Option<Self::Lanes>;

    /// Take a value; what each says, NaN for nothing.
    fn push_all(lanes: &mut Self::Lanes, value: f64) -> [f64; LANES];

    /// Give the state back.
    fn leave(lanes: &Self::Lanes, some: &mut [Self]);

    /// Take a value alone.
    fn push_one(&mut self, value: f64) -> Option<f64>;
}

/// Averages that have their seeds.
#[derive(Default)]
pub(crate) struct Emas {
    alpha: [f64; LANES],
    value: [f64; LANES],
}

impl Emas {
    fn of<'a>(some: impl Iterator<Item = &'a Ema>) -> Option<Self> {
        let mut all = Self::default();
        for ((alpha, value), ema) in all.alpha.iter_mut().zip(&mut all.value).zip(some) {
            (*alpha, *value) = (ema.alpha(), ema.value()?);
        }
        Some(all)
    }

    #[inline(always)]
    fn push(&mut self, value: f64) -> [f64; LANES] {
        for (last, alpha) in self.value.iter_mut().zip(&self.alpha) {
            *last += alpha * (value - *last);
        }
        self.value
    }

    fn leave<'a>(&self, some: impl Iterator<Item = &'a mut Ema>) {
        for (ema, &value) in some.zip(&self.value) {
            ema.go_on_from(value);
        }
    }
}

impl Abreast for Ema {
    type Lanes = Emas;

    fn lanes(some: &[Self]) -> Option<Emas> {
        Emas::of(some.iter())
    }

    #[inline(always)]
    fn push_all(lanes: &mut Emas, value: f64) -> [f64; LANES] {
        lanes.push(value)
    }

    fn leave(lanes: &Emas, some: &mut [Self]) {
        lanes.leave(some.iter_mut());
    }

    #[inline(always)]
    fn push_one(&mut self, value: f64) -> Option<f64> {
        self.push(value)
    }
}

/// Indices that have a last value and the seeds of their averages.
pub(crate) struct Rsis {
    last: f64,
    gain: Emas,
    loss: Emas,
}

impl Abreast for Rsi {
    type Lanes = Rsis;

    fn lanes(some: &[Self]) -> Option<Rsis> {
        let gain = Emas::of(some.iter().map(|it| &it.gain))?;
        let loss = Emas::of(some.iter().map(|it| &it.loss))?;
        Some(Rsis { last: some.first()?.last?, gain, loss })
    }

    #[inline(always)]
    fn push_all(lanes: &mut Rsis, value: f64) -> [f64; LANES] {
        let (up, down) = Self::parts(value - lanes.last);
        lanes.last = value;
        let (gain, loss) = (lanes.gain.push(up), lanes.loss.push(down));
        let mut found = gain;
        for (gain, loss) in found.iter_mut().zip(loss) {
            *gain = Self::index(*gain, loss);
        }
        found
    }

    fn leave(lanes: &Rsis, some: &mut [Self]) {
        lanes.gain.leave(some.iter_mut().map(|it| &mut it.gain));
        lanes.loss.leave(some.iter_mut().map(|it| &mut it.loss));
        some.iter_mut().for_each(|it| it.last = Some(lanes.last));
    }

    #[inline(always)]
    fn push_one(&mut self, value: f64) -> Option<f64> {
        self.push(value)
    }
}
