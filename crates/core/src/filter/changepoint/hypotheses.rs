// SPDX-License-Identifier: Apache-2.0
//! The hypotheses about the present segment, each quantity in its own array. They are worked on
//! eight at a time, so eight places after the last always exist: of no weight, and harmless.

use super::segment::Segment;
use crate::filter::lanes::{Lanes, LANES};

const ROOM_STEP: usize = 512;
/// Arrays whose lengths are whole pages would lie alike in the low bits of their addresses, and
/// loads would wait for stores that have nothing to do with them.
const ROOM_REST: usize = 104;

/// All hypotheses, oldest first, from `begin` to `end`. `rate` and `log_rate` (to base two) are
/// used with unknown variance only.
#[derive(Debug, Clone)]
pub(super) struct Hypotheses {
    /// Observations before the run began: it never changes, and run lengths follow from it.
    born: Vec<f64>,
    pub(super) weight: Vec<f64>,
    pub(super) mean: Vec<f64>,
    pub(super) rate: Vec<f64>,
    pub(super) log_rate: Vec<f64>,
    /// Observations so far.
    clock: f64,
    pub(super) begin: usize,
    end: usize,
    /// Mean, rate and logarithm of the rate of a segment without observations.
    prior: [f64; 3],
}

impl Hypotheses {
    /// One segment that has just begun.
    pub(super) fn new(segment: &Segment) -> Self {
        let (mean, rate) = match *segment {
            Segment::UnknownVariance { mean, beta, .. } => (mean, beta),
            Segment::KnownVariance { mean, .. } => (mean, 1.0),
        };
        let mut built = Self {
            born: Vec::new(),
            weight: Vec::new(),
            mean: Vec::new(),
            rate: Vec::new(),
            log_rate: Vec::new(),
            clock: 0.0,
            begin: 0,
            end: 0,
            prior: [mean, rate, Lanes::all(rate).log2().0[0]],
        };
        built.push(1.0);
        built
    }

    pub(super) fn count(&self) -> usize {
        self.end - self.begin
    }

    /// Places from `begin` on that whole lanes cover.
    pub(super) fn padded(&self) -> usize {
        self.count().next_multiple_of(LANES)
    }

    /// Run lengths, longest first.
    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = f64> + '_ {
        self.born[self.begin..self.end].iter().map(|born| self.clock - born)
    }

    /// Length of the run at a place from `begin` on.
    pub(super) fn run(&self, at: usize) -> f64 {
        self.clock - self.born[self.begin + at]
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weight[self.begin..self.end]
    }

    /// All runs grow by one observation, and one more segment begins.
    pub(super) fn grow(&mut self, weight: f64) {
        self.clock += 1.0;
        self.push(weight);
    }

    fn push(&mut self, weight: f64) {
        if self.end + 1 + LANES > self.weight.len() {
            self.make_room();
        }
        let ([mean, rate, log_rate], born, at) = (self.prior, self.clock, self.end);
        let values = [born, weight, mean, rate, log_rate];
        for (column, value) in self.columns().into_iter().zip(values) {
            column[at] = value;
        }
        self.end += 1;
    }

    /// Move everything to the front, or get longer arrays if that gains little.
    fn make_room(&mut self) {
        let (begin, end) = (self.begin, self.end);
        let room = self.weight.len();
        let wanted = if 2 * begin > room {
            room
        } else {
            (2 * room).next_multiple_of(ROOM_STEP) + ROOM_REST
        };
        let fresh = [0.0, 0.0, 0.0, 1.0, 0.0];
        for (column, value) in self.columns().into_iter().zip(fresh) {
            column.resize(wanted, value);
            column.copy_within(begin..end, 0);
        }
        (self.begin, self.end) = (0, end - begin);
        self.weight[self.end..].fill(0.0);
    }

    /// Give up the oldest.
    pub(super) fn remove_first(&mut self) {
        self.weight[self.begin] = 0.0;
        self.begin += 1;
    }

    /// Move together what stays: no weight below `least` but the last. *Returns*: the weight that
    /// is gone.
    pub(super) fn retain(&mut self, least: f64) -> f64 {
        let (begin, end) = (self.begin, self.end);
        let (mut kept, mut lost) = (0, 0.0);
        for at in begin..end {
            let weight = self.weight[at];
            if weight < least && at + 1 < end {
                lost += weight;
                continue;
            }
            for column in self.columns() {
                column[kept] = column[at];
            }
            kept += 1;
        }
        self.weight[kept..end].fill(0.0);
        (self.begin, self.end) = (0, kept);
        lost
    }

    fn columns(&mut self) -> [&mut Vec<f64>; 5] {
        [&mut self.born, &mut self.weight, &mut self.mean, &mut self.rate, &mut self.log_rate]
    }

    /// What must be written down: run lengths, weights, means, rates.
    pub(super) fn saved(&self) -> impl Iterator<Item = f64> + '_ {
        let columns = [&self.weight, &self.mean, &self.rate];
        let rest = columns.into_iter().flat_map(|column| &column[self.begin..self.end]);
        self.runs().chain(rest.copied())
    }

    /// From what `saved` gave. *Returns*: nothing if the run lengths are none.
    pub(super) fn restored(&self, numbers: &[f64], longest: f64) -> Option<Self> {
        let count = numbers.len() / 4;
        let (runs, rest) = numbers.split_at(count);
        let is_falling = runs.windows(2).all(|pair| pair[0] > pair[1]);
        let is_counting = runs.iter().all(|run| run.fract() == 0.0 && *run >= 0.0);
        if !(is_falling && is_counting && *runs.first()? <= longest) {
            return None;
        }
        let mut built = Self { clock: 0.0, begin: 0, end: 0, ..self.clone() };
        for _ in runs {
            built.push(0.0);
        }
        built.weight[count..].fill(0.0);
        for (at, run) in runs.iter().enumerate() {
            built.born[at] = -run;
            built.weight[at] = rest[at];
            built.mean[at] = rest[count + at];
            built.rate[at] = rest[2 * count + at];
            built.log_rate[at] = Lanes::all(built.rate[at]).log2().0[0];
        }
        Some(built)
    }
}
