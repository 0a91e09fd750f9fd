// SPDX-License-Identifier: Apache-2.0
//! How much a market usually moves at this time of the week. Dividing by it leaves returns whose
//! volatility is news; a model of volatility is fitted to those, and its forecast multiplied back.

use std::collections::VecDeque;

use super::checked_period;
use super::state::{damaged, Reader, State};
use crate::error::{Code, CoreError, Result};

const DAY_MINUTES: i64 = 1_440;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;

/// No time of the week counts as quieter than this: a division by less would make noise of nothing.
const FACTOR_MIN: f64 = 0.2;

/// A median of one value is that value.
const ROWS_MIN: usize = 2;

/// Longest memory: a year. Bounds what is kept.
const WEEKS_MAX: usize = 52;

/// A thousand million years; arithmetic with minutes stays far from its limits.
const MINUTE_MAX: f64 = 5e14;

/// Typical size of a return by time of the week: the median of the last weeks in the same slot,
/// relative to the mean of all slots. A slot spans `slot_minutes`, but every funding minute is a
/// slot of its own. What a return is divided by was known before it.
///
/// Slots and their mean are compared once a day; in the first day nothing is known and every factor
/// is one. One row a bar; of bars below a minute, a slot keeps its newest rows.
#[derive(Debug, Clone)]
pub struct IntradayProfile {
    slot_minutes: i64,
    weeks: i64,
    funding: Vec<i64>,
    slots: Vec<VecDeque<(i64, f64)>>,
    medians: Vec<f64>,
    level: f64,
    day: i64,
}

impl IntradayProfile {
    /// Slots of `slot_minutes`, which must divide a week; remember `weeks`; `funding_minutes` are
    /// minutes of the day.
    pub fn new(slot_minutes: usize, weeks: usize, funding_minutes: &[u16]) -> Result<Self> {
        let slot_minutes = checked_period("IntradayProfile", slot_minutes, 1)? as i64;
        let weeks = checked_period("IntradayProfile", weeks, 1)?.min(WEEKS_MAX) as i64;
        let mut funding: Vec<i64> = funding_minutes.iter().map(|at| i64::from(*at)).collect();
        funding.sort_unstable();
        funding.dedup();
        if WEEK_MINUTES % slot_minutes != 0 || funding.iter().any(|at| *at >= DAY_MINUTES) {
            let message = format!(
                "IntradayProfile: slots of {slot_minutes} minutes, funding at {funding:?}; slots \
                 divide {WEEK_MINUTES} and funding minutes lie below {DAY_MINUTES}"
            );
            return Err(CoreError::new(Code::ParameterInvalid, message));
        }
        let count = (WEEK_MINUTES / slot_minutes) as usize + 7 * funding.len();
        Ok(Self {
            slot_minutes,
            weeks,
            funding,
            slots: vec![VecDeque::new(); count],
            medians: vec![f64::NAN; count],
            level: f64::NAN,
            day: i64::MIN,
        })
    }

    /// Take the minute at which a bar begins, since 1970, and the bar's return: `[return without
    /// the usual, what it was divided by]`.
    pub fn push(&mut self, minute: f64, value: f64) -> Option<[f64; 2]> {
        let at = minute.clamp(-MINUTE_MAX, MINUTE_MAX).floor() as i64;
        if at.div_euclid(DAY_MINUTES) != self.day {
            self.day = at.div_euclid(DAY_MINUTES);
            self.level = mean(&self.medians);
        }
        let slot = self.slot(at);
        let factor = self.factor_of(slot);
        self.remember(slot, at, value.abs());
        Some([value / factor, factor])
    }

    /// What a return of the bar that begins at this minute would be divided by now.
    #[must_use]
    pub fn factor(&self, minute: i64) -> f64 {
        self.factor_of(self.slot(minute))
    }

    fn factor_of(&self, slot: usize) -> f64 {
        let factor = self.medians[slot] / self.level;
        if factor.is_finite() {
            factor.max(FACTOR_MIN)
        } else {
            1.0
        }
    }

    fn slot(&self, minute: i64) -> usize {
        let of_week = minute.rem_euclid(WEEK_MINUTES);
        let plain = (WEEK_MINUTES / self.slot_minutes) as usize;
        match self.funding.binary_search(&(of_week % DAY_MINUTES)) {
            Ok(at) => plain + at * 7 + (of_week / DAY_MINUTES) as usize,
            Err(_) => (of_week / self.slot_minutes) as usize,
        }
    }

    fn remember(&mut self, slot: usize, minute: i64, size: f64) {
        let oldest = minute - self.weeks * WEEK_MINUTES;
        let most = (self.weeks * self.slot_minutes) as usize;
        let rows = &mut self.slots[slot];
        while rows.len() >= most || rows.front().is_some_and(|(at, _)| *at < oldest) {
            rows.pop_front();
        }
        rows.push_back((minute, size));
        self.medians[slot] = median(rows);
    }
}

fn median(rows: &VecDeque<(i64, f64)>) -> f64 {
    if rows.len() < ROWS_MIN {
        return f64::NAN;
    }
    let mut sizes: Vec<f64> = rows.iter().map(|(_, size)| *size).collect();
    let middle = sizes.len() / 2;
    let is_even = sizes.len().is_multiple_of(2);
    let (below, upper, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    if is_even {
        0.5 * (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + *upper)
    } else {
        *upper
    }
}

/// Mean of what is defined; nan of nothing.
fn mean(values: &[f64]) -> f64 {
    let known = values.iter().filter(|value| !value.is_nan());
    let (sum, count) = known.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

impl State for IntradayProfile {
    fn save(&self, to: &mut Vec<u8>) {
        let fixed = [self.slot_minutes, self.weeks, self.funding.len() as i64];
        fixed.iter().chain(&self.funding).for_each(|word| (*word as u64).save(to));
        self.level.save(to);
        (self.day as u64).save(to);
        for (rows, median) in self.slots.iter().zip(&self.medians) {
            median.save(to);
            (rows.len() as u64).save(to);
            for (minute, size) in rows {
                (*minute as u64).save(to);
                size.save(to);
            }
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("slot_minutes", self.slot_minutes as u64)?;
        from.expect_equal("weeks", self.weeks as u64)?;
        from.expect_equal("funding_minutes", self.funding.len() as u64)?;
        for minute in &self.funding {
            from.expect_equal("funding_minutes", *minute as u64)?;
        }
        let most = (self.weeks * self.slot_minutes) as u64;
        let mut word = 0_u64;
        self.level.load(from)?;
        word.load(from)?;
        self.day = word as i64;
        for (rows, median) in self.slots.iter_mut().zip(&mut self.medians) {
            median.load(from)?;
            word.load(from)?;
            if word > most {
                return Err(damaged("a slot holds more than it may"));
            }
            rows.clear();
            for _ in 0..word {
                let (mut minute, mut size) = (0_u64, 0.0);
                minute.load(from)?;
                size.load(from)?;
                rows.push_back((minute as i64, size));
            }
        }
        Ok(())
    }
}

indicator!(IntradayProfile [minute value; 2] -> 2, warmup |_it| 1);
