// SPDX-License-Identifier: Apache-2.0
//! Is a price believable? One that is more than a tenth away from everything else known of its
//! symbol (last trade, best bid to ask, mark) is a suspect: it is held back until a second source
//! agrees with it, or its own source repeats it while the others are silent. A source that goes on
//! telling the old price clears the suspicion, so a broken stream never wins against a sound one.

/// How far from every other source is too far (a fraction).
pub const DISTANCE_FRACTION_MAX: f64 = 0.10;
/// Frames in which one source must repeat a suspect price while the others are silent.
pub const REPEATS_MIN: u32 = 5;

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A public trade.
    Trade = 0,
    /// Best bid and ask of a quote or a delta.
    Quote = 1,
    /// The mark price.
    Mark = 2,
    /// Best bid and ask of a whole book: a reading of its own.
    Snapshot = 3,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn is_near(self, other: Self) -> bool {
        let reach = 1.0 + DISTANCE_FRACTION_MAX;
        let back = 1.0 - DISTANCE_FRACTION_MAX;
        self.low <= other.high * reach && self.high >= other.low * back
    }
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    source: Source,
    range: Range,
    frame: u64,
    repeats: u32,
}

/// What is known of a symbol's price, by source.
#[derive(Debug, Clone, Default)]
pub struct Plausible {
    known: [Option<Range>; 3],
    suspect: Option<Suspect>,
}

impl Plausible {
    /// Judge a price, or a best bid and ask; *frame*: number of the frame it came in.
    #[inline]
    pub fn judge(&mut self, source: Source, low: f64, high: f64, frame: u64) -> bool {
        let range = Range { low, high };
        let mut others = self.known.iter().flatten().peekable();
        let is_near = others.peek().is_none() || others.any(|known| known.is_near(range));
        if !is_near && !self.is_confirmed(source, range, frame) {
            return false;
        }
        if !is_near {
            self.known = [None; 3];
        }
        self.suspect = None;
        let at = if source == Source::Snapshot { Source::Quote } else { source } as usize;
        self.known[at] = Some(range);
        true
    }

    /// The book is gone: its best prices say nothing any more.
    pub fn forget_quote(&mut self) {
        self.known[Source::Quote as usize] = None;
    }

    /// Everything known is old.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn is_confirmed(&mut self, source: Source, range: Range, frame: u64) -> bool {
        let before = self.suspect.filter(|suspect| suspect.range.is_near(range));
        let Some(before) = before else {
            self.suspect = Some(Suspect { source, range, frame, repeats: 1 });
            return false;
        };
        let repeats = before.repeats + u32::from(before.frame != frame);
        self.suspect = Some(Suspect { source, range, frame, repeats });
        before.source != source || repeats >= REPEATS_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_waits_for_another_source() {
        let mut known = Plausible::default();
        assert!(known.judge(Source::Trade, 100.0, 100.0, 1), "the first price has no rival");
        assert!(known.judge(Source::Trade, 109.0, 109.0, 2));
        for frame in 3..6 {
            assert!(!known.judge(Source::Trade, 10_900.0, 10_900.0, frame));
        }
        assert!(known.judge(Source::Quote, 10_890.0, 10_910.0, 6));
        assert!(known.judge(Source::Trade, 10_900.0, 10_900.0, 7));
        assert!(!known.judge(Source::Mark, 100.0, 100.0, 8), "the old price is the outlier now");
    }

    #[test]
    fn a_source_alone_is_believed_when_it_insists_and_nobody_contradicts() {
        let mut known = Plausible::default();
        known.judge(Source::Trade, 100.0, 100.0, 1);
        let answers: Vec<bool> =
            (2..7).map(|frame| known.judge(Source::Trade, 150.0, 150.0, frame)).collect();
        assert_eq!(answers, [false, false, false, false, true]);
        let in_one_frame = (0..9).any(|_| known.judge(Source::Trade, 300.0, 300.0, 7));
        assert!(!in_one_frame, "one frame is one voice");
    }

    #[test]
    fn a_sound_source_outlives_a_broken_one() {
        let mut known = Plausible::default();
        known.judge(Source::Quote, 99.0, 101.0, 1);
        for frame in 2..100 {
            assert!(!known.judge(Source::Trade, 1.0, 1.0, 2 * frame));
            assert!(known.judge(Source::Quote, 99.0, 101.0, 2 * frame + 1));
        }
    }

    #[test]
    fn a_wide_spread_is_no_outlier() {
        let mut known = Plausible::default();
        known.judge(Source::Trade, 100.0, 100.0, 1);
        assert!(known.judge(Source::Quote, 40.0, 101.0, 2), "a side was pulled");
        assert!(!known.judge(Source::Quote, 140.0, 141.0, 3));
    }
}
