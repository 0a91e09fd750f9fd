// SPDX-License-Identifier: Apache-2.0
//! Trades and candles that were told before. Binance counts its trades, so one number remembers
//! them all; Bybit's ids are names, so the last message's worth is remembered by hash. Only a trade
//! that is not newer than the newest can be a repetition, which keeps the search off the usual
//! path, and lets a testnet that starts to count again be heard.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::bybit::TRADES_PER_FRAME_MAX;
use super::frame::TradeId;
use super::Venue;

/// Ids kept: a message repeated whole is a no-op.
const IDS_MAX: usize = TRADES_PER_FRAME_MAX;

/// What was told of one symbol.
#[derive(Debug, Default)]
pub struct Seen {
    newest_ns: i64,
    last_id: i64,
    hashes: VecDeque<u64>,
    candles: Vec<(&'static str, i64)>,
}

impl Seen {
    /// Note a trade; was it told before?
    #[inline]
    pub fn is_repeated(&mut self, venue: Venue, id: &TradeId<'_>, ts_ns: i64) -> bool {
        let may_repeat = ts_ns <= self.newest_ns;
        self.newest_ns = self.newest_ns.max(ts_ns);
        match (venue, id) {
            (Venue::Binance, TradeId::Number(id)) => {
                if may_repeat && *id <= self.last_id {
                    return true;
                }
                self.last_id = *id;
            }
            (_, id) => return self.is_known(id, may_repeat),
        }
        false
    }

    fn is_known(&mut self, id: &TradeId<'_>, may_repeat: bool) -> bool {
        let mut hasher = DefaultHasher::new();
        match id {
            TradeId::Number(id) => id.hash(&mut hasher),
            TradeId::Text(id) => id.as_bytes().hash(&mut hasher),
        }
        let hash = hasher.finish();
        if may_repeat && self.hashes.contains(&hash) {
            return true;
        }
        if self.hashes.len() == IDS_MAX {
            self.hashes.pop_front();
        }
        self.hashes.push_back(hash);
        false
    }

    /// Note a closed candle; was it told before?
    pub fn is_old_candle(&mut self, timeframe: &'static str, open_ns: i64) -> bool {
        match self.candles.iter_mut().find(|(name, _)| *name == timeframe) {
            Some((_, last_ns)) if *last_ns >= open_ns => return true,
            Some((_, last_ns)) => *last_ns = open_ns,
            None => self.candles.push((timeframe, open_ns)),
        }
        false
    }
}
