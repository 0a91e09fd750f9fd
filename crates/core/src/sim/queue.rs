// SPDX-License-Identifier: Apache-2.0
//! Where a resting order stands in the queue at its price. Recorded depth shows only the sum per
//! level, so the place is a model. Trades at the level always eat from the front. What shrinks
//! without a trade was cancelled: behind us ([`QueueModel::Pessimistic`], nobody ahead ever
//! leaves) or split between front and back by `ln(1 + x)` weights
//! ([`QueueModel::LogProbability`], the default: big queues lose most where most orders are).

/// Who is assumed to have cancelled when a level shrinks without a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueModel {
    /// Only those behind us.
    Pessimistic,
    /// Split by `ln(1 + front)` against `ln(1 + back)`.
    #[default]
    LogProbability,
}

/// Lots ahead of an order at its price, and what trades explained since the last depth row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueuePlace {
    ahead: i64,
    explained: i64,
}

impl QueuePlace {
    /// Join the end of a level that shows `level` lots.
    #[must_use]
    pub const fn behind(level: i64) -> Self {
        Self { ahead: level, explained: 0 }
    }

    /// Lots still ahead.
    #[must_use]
    pub const fn ahead(self) -> i64 {
        self.ahead
    }

    /// `lots` traded at our price: what is left of them for us after the front is served.
    pub fn traded(&mut self, lots: i64) -> i64 {
        self.explained = self.explained.saturating_add(lots);
        let served = lots.min(self.ahead);
        self.ahead -= served;
        lots - served
    }

    /// The level's quantity changed from `before` to `after` in a depth row.
    pub fn level_changed(&mut self, before: i64, after: i64, model: QueueModel) {
        let cancelled = (before - after - self.explained).max(0);
        self.explained = 0;
        if model == QueueModel::LogProbability && cancelled > 0 && self.ahead > 0 {
            let back = (before - self.ahead).max(0);
            let (front_weight, back_weight) =
                ((1.0 + self.ahead as f64).ln(), (1.0 + back as f64).ln());
            let share = front_weight / (front_weight + back_weight);
            self.ahead -= ((cancelled as f64 * share) as i64).min(self.ahead);
        }
        self.ahead = self.ahead.min(after.max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_serve_the_front_first() {
        let mut place = QueuePlace::behind(10);
        assert_eq!(place.traded(4), 0);
        assert_eq!(place.traded(9), 3);
        assert_eq!(place.ahead(), 0);
    }

    #[test]
    fn explained_shrinking_is_not_counted_twice() {
        let mut place = QueuePlace::behind(10);
        place.traded(4);
        place.level_changed(12, 8, QueueModel::LogProbability);
        assert_eq!(place.ahead(), 6);
    }

    #[test]
    fn pessimist_is_never_ahead_of_the_log_model() {
        for (before, after) in [(20, 12), (20, 3), (11, 10), (10, 0)] {
            let (mut careful, mut hopeful) = (QueuePlace::behind(10), QueuePlace::behind(10));
            careful.level_changed(before, after, QueueModel::Pessimistic);
            hopeful.level_changed(before, after, QueueModel::LogProbability);
            assert!(careful.ahead() >= hopeful.ahead());
            assert!(hopeful.ahead() <= after);
        }
    }
}
