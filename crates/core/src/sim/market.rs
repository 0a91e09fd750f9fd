// SPDX-License-Identifier: Apache-2.0
//! One instrument's market as the simulated venue knows it, and the own orders resting in it. Four
//! grades of detail decide how an order fills: bars walk a path, trades are passed through, quotes
//! give a touch, depth gives a ladder and a queue. The market finds executions; it moves no money.

use crate::book::{Book, Quote};
use crate::instrument::Instrument;
use crate::number::{Lots, Side, Ticks};
use crate::order::{OrderType, TimeInForce};
use crate::sim::crossing::{slipped, Slippage};
use crate::sim::queue::{QueueModel, QueuePlace};

const MINUTE_NS: i64 = 60_000_000_000;

/// The finest recorded stream of an instrument; it alone decides fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Bars only.
    Bars,
    /// Every trade, no quotes.
    Trades,
    /// Best bid and ask.
    Touch,
    /// Order book.
    Ladder,
}

/// An order as the venue holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueOrder {
    /// The sender's handle.
    pub key: u32,
    /// Direction.
    pub side: Side,
    /// Family.
    pub kind: OrderType,
    /// Life.
    pub life: TimeInForce,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Quantity in all, as amended.
    pub lots: Lots,
    /// Quantity not filled yet.
    pub remaining: Lots,
    /// Limit price.
    pub price: Option<Ticks>,
    /// Price that wakes a stop.
    pub trigger: Option<Ticks>,
    /// Place in the queue (trades, ladder).
    pub place: QueuePlace,
}

/// A piece of an order that traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Whose.
    pub key: u32,
    /// Direction.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Quantity of the order still open afterwards.
    pub remaining: Lots,
    /// True if the order rested.
    pub is_maker: bool,
    /// The order may only shrink the position.
    pub reduce_only: bool,
}

/// Settings of the fill model, shared by all instruments of a venue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillModel {
    /// Who cancels in front of us.
    pub queue: QueueModel,
    /// Cost of crossing on bars and trades.
    pub slippage: Slippage,
    /// On bars, fill a limit only if price goes beyond it, not when it only touches.
    pub needs_trade_through: bool,
    /// Largest part of a bar's volume that resting orders may take, as a fraction.
    pub participation: f64,
}

impl Default for FillModel {
    fn default() -> Self {
        Self {
            queue: QueueModel::default(),
            slippage: Slippage::default(),
            needs_trade_through: true,
            participation: 0.1,
        }
    }
}

/// Rows of one depth event, absolute quantity per level.
#[derive(Debug, Clone, Default)]
pub struct DepthEvent {
    /// The rows replace the whole book.
    pub is_snapshot: bool,
    /// Changed bids.
    pub bids: Vec<Quote>,
    /// Changed asks.
    pub asks: Vec<Quote>,
}

/// The market of one instrument.
#[derive(Debug, Clone)]
pub struct Market {
    /// Trading rules.
    pub instrument: Instrument,
    /// What decides fills.
    pub detail: Detail,
    /// Last price: trade, bar waypoint, or middle of the touch.
    pub last: Option<Ticks>,
    /// Last price that everybody has seen: as `last`, but never a waypoint inside a bar.
    pub published: Option<Ticks>,
    /// The book; with quotes it has one level a side.
    pub book: Book,
    /// Own orders, oldest first.
    pub resting: Vec<VenueOrder>,
    /// Market orders' rests that found nobody, for the venue to cancel.
    pub unfillable: Vec<(u32, Lots)>,
    /// Lots that resting orders may still take from the present bar.
    pub bar_allowance: i64,
    /// Depth events that left the book crossed.
    pub crossed_books: u64,
    /// Relative range of the last finished bar.
    bar_range: f64,
    /// Volume of the last finished bar, in lots.
    bar_volume: f64,
    /// The minute of the tape that is being recorded.
    tape: TapeMinute,
}

/// Range and volume of one minute of trades, for the impact model.
#[derive(Debug, Clone, Copy, Default)]
struct TapeMinute {
    number: i64,
    high: f64,
    low: f64,
    last: f64,
    volume: f64,
}

impl Market {
    /// A market that has seen nothing.
    #[must_use]
    pub fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            detail: Detail::Bars,
            last: None,
            published: None,
            book: Book::new(),
            resting: Vec::new(),
            unfillable: Vec::new(),
            bar_allowance: 0,
            crossed_books: 0,
            bar_range: 0.0,
            bar_volume: 0.0,
            tape: TapeMinute::default(),
        }
    }

    /// Best price `side` could trade at now, if any.
    #[must_use]
    pub fn touch(&self, side: Side) -> Option<Ticks> {
        match self.detail {
            Detail::Bars | Detail::Trades => self.last,
            Detail::Touch | Detail::Ladder => match side {
                Side::Buy => self.book.best_ask().map(|level| level.0),
                Side::Sell => self.book.best_bid().map(|level| level.0),
            },
        }
    }

    /// Remember a finished bar for the impact model. One without volume tells nothing of the cost
    /// of trading.
    pub fn bar_finished(&mut self, high: f64, low: f64, close: f64, volume: f64) {
        if close > 0.0 && volume > 0.0 {
            self.bar_range = (high - low) / close;
            self.bar_volume = volume / self.instrument.quantity_f64(Lots(1));
        }
    }

    /// Remember a trade for the impact model: a minute of the tape counts as a bar.
    pub fn taped(&mut self, now_ns: i64, price: f64, quantity: f64) {
        let number = now_ns.div_euclid(MINUTE_NS);
        let tape = self.tape;
        if number != tape.number {
            self.bar_finished(tape.high, tape.low, tape.last, tape.volume);
            self.tape = TapeMinute { number, high: price, low: price, ..TapeMinute::default() };
        }
        let tape = &mut self.tape;
        tape.high = tape.high.max(price);
        tape.low = if tape.volume > 0.0 { tape.low.min(price) } else { price };
        tape.last = price;
        tape.volume += quantity;
    }

    /// Price of crossing `lots` where no book says it; see [`slipped`].
    fn slipped(&self, side: Side, lots: Lots, model: &FillModel) -> Option<Ticks> {
        let bar = [self.bar_range, self.bar_volume];
        slipped(&self.instrument, self.last?, (side, lots), bar, model.slippage)
    }

    /// Take liquidity up to `limit`; pushes executions and returns the lots that found none.
    pub fn take(
        &self,
        order: &VenueOrder,
        limit: Option<Ticks>,
        model: &FillModel,
        out: &mut Vec<Execution>,
    ) -> Lots {
        let mut left = order.remaining.0;
        let is_allowed =
            |price: Ticks| limit.is_none_or(|limit| is_within(order.side, price, limit));
        match self.detail {
            Detail::Bars | Detail::Trades => {
                let price = self.slipped(order.side, order.remaining, model);
                if let Some(price) = price.filter(|&price| is_allowed(price)) {
                    out.push(order.execution(price, left, 0, false));
                    left = 0;
                }
            }
            Detail::Touch | Detail::Ladder => {
                for (price, shown) in self.book.levels(order.side.opposite()) {
                    if left == 0 || !is_allowed(price) {
                        break;
                    }
                    let lots = left.min(shown.0);
                    left -= lots;
                    out.push(order.execution(price, lots, left, false));
                }
            }
        }
        Lots(left)
    }

    /// Rest an order at the end of its level's queue.
    pub fn rest(&mut self, mut order: VenueOrder) {
        order.place = QueuePlace::behind(match (self.detail, order.price) {
            (Detail::Ladder | Detail::Touch, Some(price)) => self.shown(order.side, price),
            _ => 0,
        });
        self.resting.push(order);
    }

    /// Lots shown at a price on our side; beyond the known depth the queue counts as endless,
    /// so that only a trade through the price fills.
    fn shown(&self, side: Side, price: Ticks) -> i64 {
        match self.book.levels(side).last() {
            Some((worst, _)) if is_within(side, worst, price) => self.book.lots_at(side, price).0,
            _ => i64::MAX / 4,
        }
    }

    /// Price walks from `from` to `to` inside a bar: wake stops, fill limits, in the order they
    /// are met. `is_jump` marks an open away from the last close: woken stops fill at the open.
    pub fn walk(
        &mut self,
        from: Ticks,
        to: Ticks,
        is_jump: bool,
        model: &FillModel,
        out: &mut Vec<Execution>,
    ) {
        let rising = to > from;
        let mut met: Vec<(i64, usize)> = Vec::new();
        for (index, order) in self.resting.iter().enumerate() {
            if let Some(price) = order.met_on(from, to, model.needs_trade_through) {
                met.push(((price.0 - from.0).abs(), index));
            }
        }
        met.sort_unstable();
        for (distance, index) in met {
            let at = Ticks(if rising { from.0 + distance } else { from.0 - distance });
            let order = self.resting[index];
            self.last = Some(if is_jump { to } else { at });
            match order.kind {
                OrderType::Limit => {
                    let lots = order.remaining.0.min(self.bar_allowance);
                    if let Some(price) = order.price.filter(|_| lots > 0) {
                        let left = order.remaining.0 - lots;
                        self.bar_allowance -= lots;
                        out.push(order.execution(price, lots, left, true));
                        self.resting[index].remaining.0 = left;
                    }
                }
                _ => self.wake(index, model, out),
            }
        }
        self.resting.retain(|order| order.remaining.0 > 0);
        self.last = Some(to);
    }

    /// A recorded trade passes: serve the queue at its price, fill what it goes through, no more
    /// than it traded, and wake stops.
    pub fn trade(
        &mut self,
        price: Ticks,
        lots: Lots,
        aggressor: Side,
        model: &FillModel,
        out: &mut Vec<Execution>,
    ) {
        self.last = Some(price);
        let knows_queue = self.detail >= Detail::Touch;
        let mut met: Vec<(i64, usize)> = Vec::new();
        for (index, order) in self.resting.iter().enumerate() {
            if order.kind == OrderType::Limit && order.side != aggressor {
                let reached = order.price.filter(|&limit| is_within(order.side, price, limit));
                met.extend(reached.map(|limit| (-limit.0 * order.side.sign(), index)));
            }
        }
        // The best price is served first; nobody gets what another own order has taken.
        met.sort_unstable();
        let (mut pool, mut level, mut taken) = (lots.0, 0, 0);
        for (rank, index) in met {
            let order = &mut self.resting[index];
            let limit = Ticks(-rank * order.side.sign());
            let reached = if price != limit {
                order.place = QueuePlace::behind(0);
                pool
            } else if knows_queue {
                order.place.traded(lots.0) - if level == rank { taken } else { 0 }
            } else {
                0
            };
            let filled = reached.min(pool).min(order.remaining.0);
            if filled > 0 {
                taken = if level == rank { taken + filled } else { filled };
                level = rank;
                pool -= filled;
                order.remaining.0 -= filled;
                out.push(order.execution(limit, filled, order.remaining.0, true));
            }
        }
        self.resting.retain(|order| order.remaining.0 > 0);
        self.wake_stops(model, out);
    }

    /// The book moved: limits that the other side reached get what it shows there, stops wake on
    /// the new middle.
    pub fn book_moved(&mut self, model: &FillModel, out: &mut Vec<Execution>) {
        let (bid, ask) = (self.book.best_bid(), self.book.best_ask());
        if let (Some(bid), Some(ask)) = (bid, ask) {
            self.last = Some(Ticks((bid.0 .0 + ask.0 .0) / 2));
        }
        if self.resting.is_empty() {
            return;
        }
        let mut taken = [0_i64; 2];
        for order in &mut self.resting {
            let opposite = if order.side == Side::Buy { ask } else { bid };
            let (OrderType::Limit, Some(limit), Some(opposite)) =
                (order.kind, order.price, opposite)
            else {
                continue;
            };
            if !is_within(order.side, opposite.0, limit) {
                continue;
            }
            let shown = self
                .book
                .levels(order.side.opposite())
                .take_while(|level| is_within(order.side, level.0, limit))
                .fold(0_i64, |sum, level| sum.saturating_add(level.1 .0));
            let taken = &mut taken[order.side as usize];
            let filled = order.remaining.0.min(shown - *taken);
            if filled > 0 {
                *taken += filled;
                order.remaining.0 -= filled;
                out.push(order.execution(limit, filled, order.remaining.0, true));
            }
        }
        self.resting.retain(|order| order.remaining.0 > 0);
        self.wake_stops(model, out);
    }

    /// Apply one depth event; own queue places follow the levels they stand at. A book that comes
    /// out crossed is emptied: nobody trades on what cannot be true.
    pub fn depth(&mut self, event: &DepthEvent, model: &FillModel) {
        for order in &mut self.resting {
            let Some(price) = order.price else { continue };
            let rows = if order.side == Side::Buy { &event.bids } else { &event.asks };
            if let Some(&(_, after)) = rows.iter().rev().find(|row| row.0 == price) {
                let before = self.book.lots_at(order.side, price);
                order.place.level_changed(before.0, after.0, model.queue);
            }
        }
        let applied = if event.is_snapshot {
            self.book.apply_snapshot(&event.bids, &event.asks)
        } else {
            self.book.apply_delta(&event.bids, &event.asks)
        };
        self.crossed_books += u64::from(applied.is_err());
    }

    /// A stop becomes what it stands for: a taker, or a limit that first takes what it may.
    fn wake(&mut self, index: usize, model: &FillModel, out: &mut Vec<Execution>) {
        let order = self.resting[index];
        let limit = order.price.filter(|_| order.kind == OrderType::StopLimit);
        let left = self.take(&order, limit, model, out);
        if limit.is_some() {
            self.resting[index].remaining = left;
            self.resting[index].kind = OrderType::Limit;
        } else {
            self.resting[index].remaining = Lots::ZERO;
            self.unfillable.extend((left.0 > 0).then_some((order.key, left)));
        }
    }

    fn wake_stops(&mut self, model: &FillModel, out: &mut Vec<Execution>) {
        let Some(last) = self.last else { return };
        for index in 0..self.resting.len() {
            if self.resting[index].is_woken_by(last) {
                self.wake(index, model, out);
            }
        }
        self.resting.retain(|order| order.remaining.0 > 0);
    }
}

/// Is `price` at least as good as `limit` for `side` to trade at?
#[must_use]
pub fn is_within(side: Side, price: Ticks, limit: Ticks) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

impl VenueOrder {
    fn execution(&self, price: Ticks, lots: i64, left: i64, is_maker: bool) -> Execution {
        Execution {
            key: self.key,
            side: self.side,
            price,
            lots: Lots(lots),
            remaining: Lots(left),
            is_maker,
            reduce_only: self.reduce_only,
        }
    }

    /// Does a stop wake at price `last`? A stop waits for the price to run against its side's
    /// wish, a take-profit for the opposite.
    pub(super) fn is_woken_by(&self, last: Ticks) -> bool {
        let Some(trigger) = self.trigger else { return false };
        match (self.kind, self.side) {
            (OrderType::Stop | OrderType::StopLimit, Side::Buy)
            | (OrderType::TakeProfit, Side::Sell) => last >= trigger,
            (OrderType::Stop | OrderType::StopLimit, Side::Sell)
            | (OrderType::TakeProfit, Side::Buy) => last <= trigger,
            _ => false,
        }
    }

    /// Where a price walking from `from` to `to` meets this order, if it does.
    fn met_on(&self, from: Ticks, to: Ticks, needs_trade_through: bool) -> Option<Ticks> {
        let at = match self.kind {
            OrderType::Limit => {
                let limit = self.price?;
                let beyond = if needs_trade_through { to != limit } else { true };
                (is_within(self.side, to, limit) && beyond).then_some(limit)?
            }
            _ => self.is_woken_by(to).then_some(self.trigger?)?,
        };
        let (low, high) = if from <= to { (from, to) } else { (to, from) };
        Some(at.clamp(low, high))
    }
}
