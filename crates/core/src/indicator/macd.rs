// SPDX-License-Identifier: Apache-2.0
//! Moving average convergence divergence. The fast average is seeded late, so that both averages
//! start at the same index; this is what TA-Lib does and what its numbers depend on.

use super::moving::Ema;
use crate::error::{Code, CoreError, Result};

/// Line, signal and histogram; 12/26/9 has its first values at index 33.
#[derive(Debug, Clone)]
pub struct Macd {
    skip: u64,
    skipped: u64,
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// Averages of `fast` and `slow` values, the signal over `signal` values of their difference.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Result<Self> {
        if fast >= slow {
            let message = format!("Macd: fast {fast} must be shorter than slow {slow}");
            return Err(CoreError::new(Code::ParameterInvalid, message));
        }
        Ok(Self {
            skip: (slow - fast) as u64,
            skipped: 0,
            fast: Ema::new(fast)?,
            slow: Ema::new(slow)?,
            signal: Ema::new(signal)?,
        })
    }

    /// Take a value; `[line, signal, histogram]` once the signal has a value.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<[f64; 3]> {
        let slow = self.slow.push(value);
        if self.skipped < self.skip {
            self.skipped += 1;
            return None;
        }
        let fast = self.fast.push(value);
        let line = fast? - slow?;
        let signal = self.signal.push(line)?;
        Some([line, signal, line - signal])
    }
}

state!(Macd, fixed { skip }, moving { skipped, fast, slow, signal });
indicator!(
    Macd [value; 1] -> 3,
    warmup |it| it.slow.seeded_after() + it.signal.seeded_after() - 1,
    settled |it| {
        it.slow.seeded_after() + it.slow.forgets_after(1)
            + it.signal.seeded_after() + it.signal.forgets_after(1)
    }
);
