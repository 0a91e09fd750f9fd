// SPDX-License-Identifier: Apache-2.0
//! How long a line has been silent, and what follows. It is asked before it is given up: when this
//! process itself stood still, nothing was heard, and nobody was asked.

use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_secs(20);
/// Without data for so long a ping is sent.
const SILENCE: Duration = Duration::from_secs(3);
/// So long after it without any sign it is a dead line.
const ANSWER: Duration = Duration::from_millis(1_500);
/// A venue that answers pings and says nothing has forgotten what was asked of it.
const DUMB: Duration = Duration::from_secs(30);

/// What a look says.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has to be done.
    Fine,
    /// Send a ping.
    Ask,
    /// Give it up; nothing was heard for so long.
    Dead(Duration),
}

/// Of one line.
#[derive(Debug)]
pub struct Silence {
    /// When data came last.
    pub heard: Instant,
    signed: Instant,
    asked: Instant,
    is_asked: bool,
}

impl Silence {
    /// Of a line that opens now.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { heard: now, signed: now, asked: now, is_asked: false }
    }

    /// Data came.
    pub fn hear(&mut self, now: Instant) {
        (self.heard, self.is_asked) = (now, false);
    }

    /// A sign came that is no data.
    pub fn sign(&mut self, now: Instant) {
        self.signed = now;
    }

    /// Judge.
    pub fn look(&mut self, now: Instant) -> Verdict {
        let since = |then| now.saturating_duration_since(then);
        let quiet = since(self.heard);
        let is_owed = self.is_asked && since(self.asked) >= ANSWER;
        let is_mute = since(self.signed.max(self.heard)) >= SILENCE + ANSWER;
        if quiet >= DUMB || (is_owed && is_mute) {
            return Verdict::Dead(quiet);
        }
        if since(self.asked) >= BEAT || (quiet >= SILENCE && !self.is_asked) {
            (self.asked, self.is_asked) = (now, true);
            return Verdict::Ask;
        }
        Verdict::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_silent_line_is_asked_once_and_dead_when_it_owes_the_answer() {
        let start = Instant::now();
        let mut line = Silence::new(start);
        assert_eq!(line.look(after(start, 2_950)), Verdict::Fine);
        assert_eq!(line.look(after(start, 3_000)), Verdict::Ask);
        assert_eq!(line.look(after(start, 4_450)), Verdict::Fine);
        assert_eq!(line.look(after(start, 4_500)), Verdict::Dead(Duration::from_millis(4_500)));
        line.hear(after(start, 4_500));
        assert_eq!(line.look(after(start, 4_500)), Verdict::Fine);
    }

    #[test]
    fn a_sign_is_no_data_and_suffices_for_a_while() {
        let start = Instant::now();
        let mut line = Silence::new(start);
        assert_eq!(line.look(after(start, 3_000)), Verdict::Ask);
        for second in 4..30 {
            line.sign(after(start, second * 1_000));
            assert!(!matches!(line.look(after(start, second * 1_000)), Verdict::Dead(_)));
        }
        assert_eq!(line.look(after(start, 30_000)), Verdict::Dead(Duration::from_secs(30)));
    }

    #[test]
    fn after_this_process_stood_still_the_line_is_asked_first() {
        let start = Instant::now();
        let mut line = Silence::new(start);
        assert_eq!(line.look(after(start, 50)), Verdict::Fine);
        assert_eq!(line.look(after(start, 8_000)), Verdict::Ask);
        assert_eq!(line.look(after(start, 9_450)), Verdict::Fine);
        assert_eq!(line.look(after(start, 9_500)), Verdict::Dead(Duration::from_millis(9_500)));
    }

    #[test]
    fn a_line_that_speaks_is_asked_now_and_then() {
        let start = Instant::now();
        let mut line = Silence::new(start);
        for second in 1..20 {
            line.hear(after(start, second * 1_000));
            assert_eq!(line.look(after(start, second * 1_000)), Verdict::Fine);
        }
        line.hear(after(start, 20_000));
        assert_eq!(line.look(after(start, 20_000)), Verdict::Ask);
    }
}
