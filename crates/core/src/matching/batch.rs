// SPDX-License-Identifier: Apache-2.0
//! Many requests in one call, as columns: for replays and measurements, where the single facts do
//! not matter and a call from Python for each row would.

use super::message::{Fact, NewOrder};
use super::MatchingEngine;
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Side, Ticks};

impl MatchingEngine {
    /// Run columns of requests: `kind` 0 limit, 1 cancel of the order that row `price` entered,
    /// 2 market. Facts are overwritten by each row. Returns the number of trades.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] if the columns differ in length or a kind is unknown; rows
    /// before the unknown kind have run.
    pub fn batch(
        &mut self,
        [kind, buy]: [&[i8]; 2],
        [price, lots]: [&[i64]; 2],
        facts: &mut Vec<Fact>,
    ) -> Result<u64> {
        let rows = kind.len();
        if buy.len() != rows || price.len() != rows || lots.len() != rows {
            return Err(CoreError::new(Code::ParameterInvalid, "columns differ in length"));
        }
        let before = self.trades;
        let mut ids = vec![0; rows];
        for row in 0..rows {
            facts.clear();
            let side = if buy[row] != 0 { Side::Buy } else { Side::Sell };
            match kind[row] {
                0 => {
                    let order = NewOrder::limit(side, Ticks(price[row]), Lots(lots[row]));
                    ids[row] = self.submit(&order, facts);
                }
                1 => {
                    let target = usize::try_from(price[row]).ok().and_then(|at| ids.get(at));
                    self.cancel(target.copied().unwrap_or(0), facts);
                }
                2 => {
                    self.submit(&NewOrder::market(side, Lots(lots[row])), facts);
                }
                other => {
                    return Err(CoreError::new(
                        Code::ParameterInvalid,
                        format!("row {row}: kind {other}, expected 0 limit, 1 cancel, 2 market"),
                    ));
                }
            }
        }
        facts.clear();
        Ok(self.trades - before)
    }
}
