// SPDX-License-Identifier: Apache-2.0
//! One instrument of an exchange that has accounts: the market of `market.rs`, which decides fills
//! in a backtest too, with orders of several owners resting in it. They meet the recorded market by
//! the same queue model and meet each other by price and time; a recorded level is served before
//! an order that joined it. What is shown is the recorded book with the resting orders in it, as
//! differences since a reader last looked. It moves no money and knows no account's limits.

use std::collections::BTreeMap;

use crate::book::Quote;
use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::number::{Lots, Side, Ticks};
use crate::order::{OrderType, TimeInForce};
use crate::sim::market::{is_within, DepthEvent, Detail, Execution, FillModel, Market, VenueOrder};
use crate::sim::queue::QueuePlace;

/// Readers of one desk: a handful of depths for each of two venues' topics.
const READERS_MAX: usize = 64;

/// What happens when an order would trade with its own owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelfMatch {
    /// They trade.
    #[default]
    Allow,
    /// The resting order ends.
    CancelMaker,
    /// The arriving order ends.
    CancelTaker,
    /// Both end.
    CancelBoth,
}

/// An order that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The caller's handle, unique among open orders.
    pub key: u32,
    /// Whose it is.
    pub owner: u32,
    /// Direction.
    pub side: Side,
    /// Quantity, above 0.
    pub lots: Lots,
    /// Worst price; none takes whatever there is.
    pub limit: Option<Ticks>,
    /// What becomes of the rest. A market order never rests.
    pub life: TimeInForce,
    /// Among one owner's orders.
    pub self_match: SelfMatch,
}

/// How an arrival ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left.
    Filled,
    /// The rest waits in the book.
    Resting(Lots),
    /// The rest found nobody, or may not wait.
    Unfilled(Lots),
    /// Post-only, and it would have traded.
    WouldTrade,
    /// Fill-or-kill, and there is not enough.
    NotFillable,
    /// Its own owner's order stood in the way; the rest ends.
    SelfMatched(Lots),
}

/// What a reader was shown last.
#[derive(Debug, Clone, Default)]
struct Reader {
    depth: usize,
    sides: [Vec<Quote>; 2],
}

/// The desk of one instrument.
#[derive(Debug, Clone)]
pub struct Desk {
    market: Market,
    model: FillModel,
    owners: BTreeMap<u32, u32>,
    executions: Vec<Execution>,
    self_matched: Vec<u32>,
    readers: Vec<Reader>,
}

impl Desk {
    /// A desk that has seen nothing.
    #[must_use]
    pub fn new(instrument: Instrument, model: FillModel) -> Self {
        let mut market = Market::new(instrument);
        market.detail = Detail::Ladder;
        Self {
            market,
            model,
            owners: BTreeMap::new(),
            executions: Vec::new(),
            self_matched: Vec::new(),
            readers: Vec::new(),
        }
    }

    /// The instrument.
    #[must_use]
    pub const fn instrument(&self) -> &Instrument {
        &self.market.instrument
    }

    /// Apply a book event of the market; resting orders it reaches are filled.
    pub fn depth(&mut self, event: &DepthEvent) {
        self.begin();
        self.market.depth(event, &self.model);
        self.market.book_moved(&self.model, &mut self.executions);
        self.forget_filled();
    }

    /// A trade of the market passes; `aggressor` is the side that took.
    pub fn trade(&mut self, price: Ticks, lots: Lots, aggressor: Side) {
        self.begin();
        self.market.trade(price, lots, aggressor, &self.model, &mut self.executions);
        self.forget_filled();
    }

    /// Match an order and rest what may rest.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] for a key that is in use or a quantity that is not positive.
    pub fn enter(&mut self, new: &Arrival) -> Result<Outcome> {
        self.begin();
        if new.lots.0 <= 0 || self.owners.contains_key(&new.key) {
            let why = format!("order {}: new key and positive quantity expected", new.key);
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let offers = self.offers(new);
        let blocks = |offer: &&Offer| new.self_match != SelfMatch::Allow && offer.is_own;
        if new.life == TimeInForce::PostOnly && !offers.is_empty() {
            return Ok(Outcome::WouldTrade);
        }
        if new.life == TimeInForce::Fok {
            let open = offers.iter().filter(|offer| !blocks(offer));
            let there = open.fold(0_i64, |sum, offer| sum.saturating_add(offer.lots));
            if there < new.lots.0 {
                return Ok(Outcome::NotFillable);
            }
        }
        let mut order = order_of(new);
        for offer in &offers {
            if order.remaining.0 == 0 {
                break;
            }
            if blocks(&offer) {
                if new.self_match != SelfMatch::CancelTaker {
                    self.self_matched.extend(offer.maker);
                }
                if new.self_match != SelfMatch::CancelMaker {
                    self.drop_self_matched();
                    return Ok(Outcome::SelfMatched(order.remaining));
                }
                continue;
            }
            self.meet(&mut order, offer);
        }
        self.drop_self_matched();
        self.market.resting.retain(|resting| resting.remaining.0 > 0);
        self.forget_filled();
        Ok(self.settle(new, order))
    }

    /// Take an order out; its open quantity, if it was there.
    pub fn cancel(&mut self, key: u32) -> Option<Lots> {
        let index = self.market.resting.iter().position(|order| order.key == key)?;
        self.owners.remove(&key);
        Some(self.market.resting.remove(index).remaining)
    }

    /// Shrink an open order to `lots`; it keeps its place in the queue. False if it is not there
    /// or would not shrink.
    pub fn shrink(&mut self, key: u32, lots: Lots) -> bool {
        let found = self.market.resting.iter_mut().find(|order| order.key == key);
        match found {
            Some(order) if lots.0 > 0 && lots <= order.remaining => {
                order.lots.0 -= order.remaining.0 - lots.0;
                order.remaining = lots;
                true
            }
            _ => false,
        }
    }

    /// Trades of the last call, the taker of a pair before its maker.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// Resting orders that the last call ended because they met their own owner's.
    #[must_use]
    pub fn self_matched(&self) -> &[u32] {
        &self.self_matched
    }

    /// Best levels of a side with the resting orders in them.
    #[must_use]
    pub fn levels(&self, side: Side, depth: usize) -> Vec<Quote> {
        let mut own: BTreeMap<i64, i64> = BTreeMap::new();
        for order in self.market.resting.iter().filter(|order| order.side == side) {
            if let Some(price) = order.price {
                *own.entry(-price.0 * side.sign()).or_default() += order.remaining.0;
            }
        }
        let mut out = Vec::new();
        let mut own = own.into_iter().peekable();
        let mut market = self.market_levels(side).peekable();
        while out.len() < depth {
            let rank = |quote: &Quote| -quote.0 .0 * side.sign();
            let (theirs, ours) = (market.peek().map(rank), own.peek().map(|level| level.0));
            let Some(best) = theirs.into_iter().chain(ours).min() else { break };
            let mut lots = 0_i64;
            if theirs == Some(best) {
                lots += market.next().map_or(0, |quote| quote.1 .0);
            }
            if ours == Some(best) {
                lots = lots.saturating_add(own.next().map_or(0, |level| level.1));
            }
            out.push((Ticks(-best * side.sign()), Lots(lots)));
        }
        out
    }

    /// A new reader of the best `depth` levels, who has seen nothing; its number.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] beyond 64 readers.
    pub fn add_reader(&mut self, depth: usize) -> Result<usize> {
        if self.readers.len() >= READERS_MAX {
            let why = format!("more than {READERS_MAX} readers of one desk");
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        self.readers.push(Reader { depth, ..Reader::default() });
        Ok(self.readers.len() - 1)
    }

    /// Bids and asks that changed since the reader last looked; zero lots removes a level.
    pub fn changes(&mut self, reader: usize) -> [Vec<Quote>; 2] {
        let Some(depth) = self.readers.get(reader).map(|reader| reader.depth) else {
            return [Vec::new(), Vec::new()];
        };
        [Side::Buy, Side::Sell].map(|side| {
            let now = self.levels(side, depth);
            let Some(reader) = self.readers.get_mut(reader) else { return Vec::new() };
            let before = std::mem::replace(&mut reader.sides[side as usize], now);
            difference(&before, &reader.sides[side as usize], side)
        })
    }

    /// Price of the last trade or the middle of the last book, whichever was later.
    #[must_use]
    pub const fn last(&self) -> Option<Ticks> {
        self.market.last
    }

    /// Lots open of an order that rests.
    #[must_use]
    pub fn open(&self, key: u32) -> Option<Lots> {
        self.market.resting.iter().find(|order| order.key == key).map(|order| order.remaining)
    }

    /// Recorded levels of a side. What a resting order has taken is gone until the market moves:
    /// a level that crosses one is not there, or the book would be shown crossed.
    fn market_levels(&self, side: Side) -> impl Iterator<Item = Quote> + '_ {
        let against = self.market.resting.iter().filter(move |order| order.side != side);
        let best = against.filter_map(|order| order.price).min_by_key(|p| p.0 * side.sign());
        let is_free = move |price: Ticks| best.is_none_or(|best| !is_within(side, best, price));
        self.market.book.levels(side).filter(move |level| is_free(level.0))
    }

    fn begin(&mut self) {
        self.executions.clear();
        self.self_matched.clear();
        self.market.unfillable.clear();
    }

    /// What an arrival could trade with, best first, as far as it needs.
    fn offers(&self, new: &Arrival) -> Vec<Offer> {
        let other = new.side.opposite();
        let is_within = |price: Ticks| new.limit.is_none_or(|l| is_within(new.side, price, l));
        let rank = |price: Ticks| price.0 * new.side.sign();
        let resting = self.market.resting.iter().enumerate();
        let mut offers: Vec<Offer> = resting
            .filter(|(_, order)| order.side == other)
            .filter_map(|(index, order)| {
                let price = order.price.filter(|&price| is_within(price))?;
                let is_own = self.owners.get(&order.key) == Some(&new.owner);
                let (lots, maker) = (order.remaining.0, Some(order.key));
                Some(Offer { rank: (rank(price), 1 + index), price, lots, maker, is_own })
            })
            .collect();
        let mut missing = new.lots.0;
        for (price, lots) in self.market_levels(other) {
            if missing <= 0 || !is_within(price) {
                break;
            }
            missing = missing.saturating_sub(lots.0);
            let rank = (rank(price), 0);
            offers.push(Offer { rank, price, lots: lots.0, maker: None, is_own: false });
        }
        offers.sort_unstable_by_key(|offer| offer.rank);
        offers
    }

    fn meet(&mut self, order: &mut VenueOrder, offer: &Offer) {
        let lots = order.remaining.0.min(offer.lots);
        order.remaining.0 -= lots;
        self.executions.push(execution(order, offer.price, lots, false));
        let Some(maker) = offer.maker else { return };
        if let Some(maker) = self.market.resting.iter_mut().find(|order| order.key == maker) {
            maker.remaining.0 -= lots;
            self.executions.push(execution(maker, offer.price, lots, true));
        }
    }

    /// Rest what may rest.
    fn settle(&mut self, new: &Arrival, order: VenueOrder) -> Outcome {
        if order.remaining.0 == 0 {
            return Outcome::Filled;
        }
        match (new.limit, new.life) {
            (Some(_), TimeInForce::Gtc | TimeInForce::PostOnly) => {
                self.owners.insert(new.key, new.owner);
                self.market.rest(order);
                Outcome::Resting(order.remaining)
            }
            _ => Outcome::Unfilled(order.remaining),
        }
    }

    fn drop_self_matched(&mut self) {
        for index in 0..self.self_matched.len() {
            let key = self.self_matched[index];
            self.cancel(key);
        }
    }

    fn forget_filled(&mut self) {
        for execution in &self.executions {
            if execution.remaining.0 == 0 {
                self.owners.remove(&execution.key);
            }
        }
    }
}

/// Something an arrival could trade with. *rank*: price for the taker, then time.
struct Offer {
    rank: (i64, usize),
    price: Ticks,
    lots: i64,
    maker: Option<u32>,
    is_own: bool,
}

fn order_of(new: &Arrival) -> VenueOrder {
    VenueOrder {
        key: new.key,
        side: new.side,
        kind: OrderType::Limit,
        life: new.life,
        reduce_only: false,
        lots: new.lots,
        remaining: new.lots,
        price: new.limit,
        trigger: None,
        place: QueuePlace::default(),
    }
}

const fn execution(order: &VenueOrder, price: Ticks, lots: i64, is_maker: bool) -> Execution {
    Execution {
        key: order.key,
        side: order.side,
        price,
        lots: Lots(lots),
        remaining: order.remaining,
        is_maker,
        reduce_only: false,
    }
}

/// Levels to set so that `before` becomes `after`; both best first.
fn difference(before: &[Quote], after: &[Quote], side: Side) -> Vec<Quote> {
    let rank = |quote: &Quote| -quote.0 .0 * side.sign();
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut out = Vec::new();
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (None, None) => return out,
            (Some(gone), next) if next.is_none_or(|next| rank(gone) < rank(next)) => {
                out.push((gone.0, Lots(0)));
                old.next();
            }
            (Some(kept), Some(next)) if rank(kept) == rank(next) => {
                if kept.1 != next.1 {
                    out.push(*next);
                }
                old.next();
                new.next();
            }
            (_, Some(next)) => {
                out.push(*next);
                new.next();
            }
            (Some(_), None) => {
                old.next();
            }
        }
    }
}
