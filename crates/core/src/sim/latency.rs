// SPDX-License-Identifier: Apache-2.0
//! How long an order takes to reach the venue and an answer to come back. Messages of one
//! direction never overtake each other: an exchange connection is a queue.

use crate::rng::Random;

/// Delay of one direction, ns.
#[derive(Debug, Clone, PartialEq)]
pub enum Latency {
    /// Always the same.
    Constant(i64),
    /// Normal with this mean and standard deviation, never below zero.
    Normal {
        /// Mean, ns.
        mean: f64,
        /// Standard deviation, ns.
        deviation: f64,
    },
    /// Measured delays, used in turn and again from the start.
    Recorded(Vec<i64>),
}

/// One direction of a connection: draws delays, keeps order.
#[derive(Debug, Clone)]
pub struct Line {
    latency: Latency,
    random: Random,
    used: usize,
    last_arrival: i64,
}

impl Line {
    /// A line with its own random stream.
    #[must_use]
    pub const fn new(latency: Latency, random: Random) -> Self {
        Self { latency, random, used: 0, last_arrival: i64::MIN }
    }

    /// When a message sent at `now` arrives.
    pub fn arrival(&mut self, now: i64) -> i64 {
        let delay = match &self.latency {
            Latency::Constant(delay) => *delay,
            Latency::Normal { mean, deviation } => {
                (mean + deviation * self.random.normal()).max(0.0).round() as i64
            }
            Latency::Recorded(delays) if delays.is_empty() => 0,
            Latency::Recorded(delays) => delays[self.used % delays.len()],
        };
        self.used += 1;
        self.last_arrival = self.last_arrival.max(now.saturating_add(delay.max(0)));
        self.last_arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_never_overtake() {
        let mut line = Line::new(Latency::Recorded(vec![100, 10]), Random::new(0, 0));
        assert_eq!(line.arrival(0), 100);
        assert_eq!(line.arrival(5), 100);
        assert_eq!(line.arrival(50), 150);
    }

    #[test]
    fn normal_delays_are_never_negative() {
        let latency = Latency::Normal { mean: 1.0, deviation: 50.0 };
        let mut line = Line::new(latency, Random::new(3, 1));
        assert!((0..1_000).all(|now| line.arrival(now) >= now));
    }
}
