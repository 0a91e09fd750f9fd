// SPDX-License-Identifier: Apache-2.0
//! Trading on conditions without leaving Rust: the walk of a tick in one loop. Venue, order engine
//! and ledger are the ones that a strategy in Python would use, and so are sizing, checks and the
//! order in which things happen: all facts of an instant are seen, then every wish is sized, then
//! every order is approved, then every order is sent. The same rules in Python give the same
//! orders.

use crate::error::{Code, CoreError, Result};
use crate::ledger::Fee;
use crate::number::{Lots, Money, Side};
use crate::order::name::Name;
use crate::order::{ExecId, InstrumentId, Intent, OrderKey, OrderType, Ticket, TimeInForce};
use crate::program::parts::{NativeFill, Parts, Rules, Sample, Settings};
use crate::sim::{row_of, Command, Fact, Fill, NewOrder, SimVenue, Step};
use crate::sizing::nearest_f64;

/// Pause between two looks at peak and drawdown after fills, as the portfolio module keeps it.
const OBSERVE_EVERY_NS: i64 = 1_000_000_000;
/// Number of the condition that opens a long position.
const LONG: usize = 0;
/// Number of the condition that closes a position.
const EXIT: usize = 1;
/// Number of the condition that opens a short position, if there is one.
const SHORT: usize = 2;

#[derive(Debug, Clone)]
struct Desk {
    rules: Option<Rules>,
    /// From own fills.
    position: Lots,
    /// An own order has not ended.
    is_waiting: bool,
}

/// An order under way or done; its place is the venue's key.
#[derive(Debug, Clone, Copy)]
struct Sent {
    order: OrderKey,
    instrument: usize,
    seq: u64,
    reference: f64,
}

/// A market order on its way through the door.
#[derive(Debug, Clone)]
struct Wish {
    instrument: usize,
    seq: u64,
    id: String,
    side: Side,
    lots: Option<Lots>,
    reduce_only: bool,
    reference: f64,
    ticket: Option<Ticket>,
}

/// A run of rules over a venue's recorded market.
#[derive(Debug, Clone)]
pub struct NativeRun {
    settings: Settings,
    desks: Vec<Desk>,
    sent: Vec<Sent>,
    facts: Vec<Fact>,
    wishes: Vec<Wish>,
    seq: u64,
    sample_due_ns: i64,
    observed_ns: i64,
    observe_due_ns: Option<i64>,
    /// Executions so far.
    pub fills: Vec<NativeFill>,
    /// Samples so far.
    pub samples: Vec<Sample>,
    /// Orders approved.
    pub orders: u64,
    /// Orders refused, by risk or venue.
    pub rejected: u64,
    /// Facts that did not fit an order's state.
    pub unexplained: u64,
    /// Present time, ns.
    pub now_ns: i64,
}

impl NativeRun {
    /// A run of `rules`, one entry for each instrument of the venue in its order.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] for a sampling step that is not positive.
    pub fn new(settings: Settings, rules: Vec<Option<Rules>>) -> Result<Self> {
        let (step, start) = (settings.sample_step_ns, settings.start_ns);
        if step <= 0 {
            let why = format!("sampling step {step} ns; must be above 0");
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let desk = |rules| Desk { rules, position: Lots::ZERO, is_waiting: false };
        Ok(Self {
            seq: settings.last_name.seq,
            settings,
            desks: rules.into_iter().map(desk).collect(),
            sent: Vec::new(),
            facts: Vec::new(),
            wishes: Vec::new(),
            sample_due_ns: next_multiple(start, step),
            observed_ns: -OBSERVE_EVERY_NS,
            observe_due_ns: None,
            fills: Vec::new(),
            samples: Vec::new(),
            orders: 0,
            rejected: 0,
            unexplained: 0,
            now_ns: start,
        })
    }

    /// Text of the order id with this number.
    #[must_use]
    pub fn id(&self, seq: u64) -> String {
        Name { seq, ..self.settings.last_name }.text()
    }

    /// Number of the last order id given out.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.seq
    }

    /// Play up to `instants` instants; false at the end of the market.
    ///
    /// # Errors
    /// What the venue or the ledger cannot carry; the run is over then.
    pub fn advance(&mut self, parts: &mut Parts<'_>, instants: u64) -> Result<bool> {
        for _ in 0..instants {
            let horizon = self.sample_due_ns.min(self.observe_due_ns.unwrap_or(i64::MAX));
            match parts.venue.next(Some(horizon))? {
                Step::End => return Ok(false),
                Step::Horizon => self.timers(horizon, parts)?,
                Step::Instant(now_ns) => self.instant(now_ns, parts)?,
            }
        }
        Ok(true)
    }

    fn timers(&mut self, now_ns: i64, parts: &mut Parts<'_>) -> Result<()> {
        self.now_ns = now_ns;
        if self.sample_due_ns <= now_ns {
            let equity = observed_equity(parts)?;
            self.samples.push(Sample { ts_ns: now_ns, equity, held: held_value(parts) });
            self.sample_due_ns = next_multiple(now_ns, self.settings.sample_step_ns);
        }
        if self.observe_due_ns.is_some_and(|due| due <= now_ns) {
            self.observe_due_ns = None;
            self.observe(now_ns, parts)?;
        }
        Ok(())
    }

    fn instant(&mut self, now_ns: i64, parts: &mut Parts<'_>) -> Result<()> {
        self.now_ns = now_ns;
        let mut facts = std::mem::take(&mut self.facts);
        facts.clear();
        facts.extend_from_slice(parts.venue.facts());
        for fact in &facts {
            match row_of(fact, parts.venue.all_streams()) {
                Some((instrument, Some(feed), row)) if feed == self.settings.feed => {
                    if let Some(rules) =
                        self.desks.get_mut(instrument).and_then(|desk| desk.rules.as_mut())
                    {
                        rules.program.step(&row);
                        self.decide(instrument);
                    }
                }
                Some(_) => {}
                None => self.answer(fact, parts)?,
            }
        }
        self.facts = facts;
        if !self.wishes.is_empty() {
            self.trade(parts)?;
        }
        Ok(())
    }

    // ------------------------------------------------------------ opinion

    /// What the conditions ask for now. An order under way is waited for.
    fn decide(&mut self, instrument: usize) {
        let desk = &mut self.desks[instrument];
        let Some(rules) = desk.rules.as_ref().filter(|_| !desk.is_waiting) else { return };
        let holds = |number| rules.program.holds(number);
        let (side, lots, reduce_only) = match desk.position.0 {
            0 if holds(LONG) => (Side::Buy, rules.size, false),
            0 if holds(SHORT) => (Side::Sell, rules.size, false),
            held if held != 0 && holds(EXIT) => {
                let side = if held > 0 { Side::Sell } else { Side::Buy };
                (side, Some(desk.position.abs()), true)
            }
            _ => return,
        };
        desk.is_waiting = true;
        self.seq += 1;
        self.wishes.push(Wish {
            instrument,
            seq: self.seq,
            id: Name { seq: self.seq, ..self.settings.last_name }.text(),
            side,
            lots,
            reduce_only,
            reference: 0.0,
            ticket: None,
        });
    }

    // ------------------------------------------------------------ the door

    fn trade(&mut self, parts: &mut Parts<'_>) -> Result<()> {
        let mut wishes = std::mem::take(&mut self.wishes);
        wishes.retain_mut(|wish| self.passes(wish, |run, wish| run.size(wish, parts)));
        wishes.retain_mut(|wish| self.passes(wish, |run, wish| run.approve(wish, parts)));
        for wish in &wishes {
            self.send(wish, parts)?;
        }
        wishes.clear();
        self.wishes = wishes;
        Ok(())
    }

    /// A step that fails refuses the order.
    fn passes(
        &mut self,
        wish: &mut Wish,
        step: impl FnOnce(&mut Self, &mut Wish) -> Result<()>,
    ) -> bool {
        let is_passed = step(self, wish).is_ok();
        if !is_passed {
            self.refused(wish.instrument);
        }
        is_passed
    }

    fn refused(&mut self, instrument: usize) {
        self.rejected += 1;
        self.desks[instrument].is_waiting = false;
    }

    fn size(&mut self, wish: &mut Wish, parts: &mut Parts<'_>) -> Result<()> {
        if wish.lots.is_some() {
            return Ok(());
        }
        let Some(reference) = reference_of(parts.venue, wish.instrument) else {
            return Err(CoreError::new(Code::NoReferencePrice, "no price seen yet, so no size"));
        };
        let equity = marked_equity(parts)?;
        let Some(market) = parts.venue.market(wish.instrument) else { return Ok(()) };
        let sizing = &self.settings.sizing;
        wish.lots = Some(sizing.lots(&market.instrument, equity, reference, 1.0, 0.0)?);
        Ok(())
    }

    fn intent<'a>(&self, wish: &'a Wish) -> Intent<'a> {
        Intent {
            id: &wish.id,
            instrument: InstrumentId(wish.instrument as u16),
            strategy: self.settings.strategy,
            side: wish.side,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Gtc,
            reduce_only: wish.reduce_only,
            lots: wish.lots.unwrap_or(Lots::ZERO),
            price: None,
            trigger: None,
            parent: None,
            is_sliced: false,
        }
    }

    fn approve(&mut self, wish: &mut Wish, parts: &mut Parts<'_>) -> Result<()> {
        let intent = self.intent(wish);
        let market = parts.venue.market(wish.instrument);
        if let Some(mark) = market.and_then(|market| market.published) {
            parts.engine.set_mark(intent.instrument, mark, self.now_ns)?;
        }
        let equity = marked_equity(parts)?;
        parts.engine.set_equity(equity);
        let ticket = parts.engine.approve(&intent, self.now_ns)?;
        wish.ticket = Some(ticket);
        wish.reference = reference_of(parts.venue, wish.instrument).unwrap_or(0.0);
        self.orders += 1;
        Ok(())
    }

    /// Redeem the ticket and send, once.
    fn send(&mut self, wish: &Wish, parts: &mut Parts<'_>) -> Result<()> {
        let intent = self.intent(wish);
        let ticket = wish.ticket.unwrap_or(Ticket(0));
        let Ok(order) = parts.engine.redeem(ticket, &intent, self.now_ns) else {
            self.refused(wish.instrument);
            return Ok(());
        };
        let Ok(key) = u32::try_from(self.sent.len()) else {
            return Err(CoreError::new(Code::NumberOutOfRange, "more orders than can be numbered"));
        };
        let (instrument, seq, reference) = (wish.instrument, wish.seq, wish.reference);
        self.sent.push(Sent { order, instrument, seq, reference });
        let new = NewOrder {
            key,
            instrument,
            side: intent.side,
            kind: intent.order_type,
            life: intent.time_in_force,
            reduce_only: intent.reduce_only,
            lots: intent.lots,
            price: None,
            trigger: None,
        };
        parts.venue.send(self.now_ns, Command::Submit(new))
    }

    // ------------------------------------------------------------ answers

    fn answer(&mut self, fact: &Fact, parts: &mut Parts<'_>) -> Result<()> {
        let now_ns = self.now_ns;
        let sent = |key: u32| {
            let found = self.sent.get(key as usize).copied();
            found.ok_or_else(|| CoreError::new(Code::OrderUnknown, format!("no order v{key}")))
        };
        match *fact {
            Fact::Placed { key } => {
                let placed =
                    parts.engine.on_placed(sent(key)?.order, Some(&format!("v{key}")), now_ns);
                self.explained(placed)
            }
            Fact::Cancelled { key, .. } => {
                let sent = sent(key)?;
                self.desks[sent.instrument].is_waiting = false;
                self.explained(parts.engine.on_cancelled(sent.order, "", now_ns))
            }
            Fact::Rejected { key, .. } => {
                let sent = sent(key)?;
                self.refused(sent.instrument);
                self.explained(parts.engine.on_rejected(sent.order, "", now_ns))
            }
            Fact::Funding { instrument, rate, mark } => {
                let position = parts.ledger.position(instrument);
                if position.is_some_and(|position| position.lots.0 != 0) {
                    parts.ledger.funding(instrument, rate, mark)?;
                    self.observe_soon(now_ns, parts)?;
                }
                Ok(())
            }
            Fact::Filled { key, fill } => {
                let sent = sent(key)?;
                self.filled(fill, Some(sent), parts)
            }
            Fact::Liquidated { fill } => self.filled(fill, None, parts),
            _ => Ok(()),
        }
    }

    /// A fact that cannot follow its order's state changes nothing and is counted.
    fn explained<T>(&mut self, moved: Result<T>) -> Result<()> {
        match moved {
            Ok(_) => Ok(()),
            Err(error) if (3000..4000).contains(&error.code.number()) => {
                self.unexplained += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn filled(&mut self, fill: Fill, sent: Option<Sent>, parts: &mut Parts<'_>) -> Result<()> {
        let Fill { instrument, side, price, lots, remaining, fee, exec_id, is_maker } = fill;
        let ts_ns = self.now_ns;
        match sent {
            Some(Sent { order, .. }) => {
                let exec = ExecId::of_text(&format!("v{exec_id}"));
                let moved = parts.engine.on_filled(order, exec, price, lots, ts_ns);
                self.explained(moved)?;
            }
            None => self.unexplained += 1,
        }
        parts.ledger.fill(instrument, side, price, lots, Fee::Amount(fee))?;
        self.observe_soon(ts_ns, parts)?;
        if sent.is_some() {
            let desk = &mut self.desks[instrument];
            desk.position = desk.position.add(lots.signed(side))?;
            desk.is_waiting &= remaining.0 > 0;
        }
        self.fills.push(NativeFill {
            ts_ns,
            seq: sent.map(|sent| sent.seq),
            exec_id,
            instrument,
            side,
            price,
            lots,
            fee,
            is_maker,
            reference: sent.map_or(0.0, |sent| sent.reference),
        });
        Ok(())
    }

    // ------------------------------------------------------------ peak and drawdown

    fn observe_soon(&mut self, now_ns: i64, parts: &mut Parts<'_>) -> Result<()> {
        if now_ns - self.observed_ns >= OBSERVE_EVERY_NS {
            return self.observe(now_ns, parts);
        }
        let due = self.observed_ns + OBSERVE_EVERY_NS;
        self.observe_due_ns.get_or_insert(due);
        Ok(())
    }

    fn observe(&mut self, now_ns: i64, parts: &mut Parts<'_>) -> Result<()> {
        self.observed_ns = now_ns;
        observed_equity(parts).map(drop)
    }
}

fn next_multiple(now_ns: i64, step_ns: i64) -> i64 {
    (now_ns.div_euclid(step_ns) + 1).saturating_mul(step_ns)
}

fn reference_of(venue: &SimVenue, instrument: usize) -> Option<f64> {
    let market = venue.market(instrument)?;
    market.published.map(|last| market.instrument.price_f64(last))
}

/// Equity at the last published prices.
fn marked_equity(parts: &mut Parts<'_>) -> Result<Money> {
    for instrument in 0..parts.venue.instruments() {
        let market = parts.venue.market(instrument);
        if let Some(last) = market.and_then(|market| market.published) {
            parts.ledger.mark(instrument, last)?;
        }
    }
    Ok(parts.ledger.equity())
}

fn observed_equity(parts: &mut Parts<'_>) -> Result<Money> {
    marked_equity(parts)?;
    Ok(parts.ledger.observe_equity())
}

/// Signed value of all positions at the last prices.
fn held_value(parts: &Parts<'_>) -> f64 {
    let mut total = 0.0;
    for instrument in 0..parts.venue.instruments() {
        let lots = parts.ledger.position(instrument).map_or(Lots::ZERO, |position| position.lots);
        let Some(market) = parts.venue.market(instrument).filter(|_| lots.0 != 0) else { continue };
        let quantity = nearest_f64(&market.instrument.quantity_decimal(lots));
        total += quantity * reference_of(parts.venue, instrument).unwrap_or(0.0);
    }
    total
}
