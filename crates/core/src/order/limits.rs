// SPDX-License-Identifier: Apache-2.0
//! Hard limits, each with an id, what was observed and what is allowed. All rules are judged, so a
//! refusal names every breach, not just the first. Raising a limit never refuses more. A rule
//! that lacks its data refuses. An order that may only shrink the position is judged by the rules
//! of form, price, rate and truth, never by exposure: a limit must not trap a position.

use super::exposure::{Desk, Totals};
use super::{HaltLevel, OrderType};
use crate::error::{Code, CoreError, Result};
use crate::number::{divide, Lots, Money, Rate, Rounding, Side, Ticks, RATE_SCALE};

/// Nanoseconds of the order-rate window.
pub const RATE_WINDOW_NS: i64 = 1_000_000_000;

/// The limits of one engine. `None` switches a rule off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// R02: largest order in lots.
    pub order_lots_max: Option<Lots>,
    /// R02: largest order in quote money.
    pub order_value_max: Option<Money>,
    /// R03: how far beyond the reference (or the trigger) an order may reach; prices market
    /// orders too.
    pub collar_fraction: Option<Rate>,
    /// R07: oldest reference price that still values an order.
    pub reference_age_max_ns: Option<i64>,
    /// R20: largest worst-case position of one instrument in quote money.
    pub position_value_max: Option<Money>,
    /// R21: largest worst-case sum over all instruments.
    pub gross_value_max: Option<Money>,
    /// R21: the same sum as a multiple of equity.
    pub leverage_max: Option<Rate>,
    /// R23: open orders at one time.
    pub open_orders_max: Option<u32>,
    /// R09: orders in any window of one second. Reduce-only orders have a quarter on top.
    pub orders_per_second_max: Option<u32>,
    /// R05: how long the same order of the same strategy counts as a slip.
    pub duplicate_window_ns: Option<i64>,
    /// R06: refuse an order that could meet an own resting order.
    pub refuse_self_cross: bool,
    /// R30: loss of the day as a fraction of its opening equity.
    pub daily_loss_fraction_max: Option<Rate>,
    /// R31: drawdown from the highest equity.
    pub drawdown_fraction_max: Option<Rate>,
}

impl Default for Limits {
    /// A cautious small account: orders and positions of 10,000 each, 30,000 in all, leverage 3,
    /// collar 1 %, reference at most 1.5 s old, 100 open orders, 10 orders a second (the venues'
    /// own rate), 1 s against doubles, 5 % loss a day, 15 % drawdown.
    fn default() -> Self {
        let money = |whole: i128| Some(Money(whole * crate::number::MONEY_SCALE));
        let percent = |value: i64| Some(Rate(value * 10_000_000_000));
        Self {
            order_lots_max: None,
            order_value_max: money(10_000),
            collar_fraction: percent(1),
            reference_age_max_ns: Some(1_500_000_000),
            position_value_max: money(10_000),
            gross_value_max: money(30_000),
            leverage_max: percent(300),
            open_orders_max: Some(100),
            orders_per_second_max: Some(10),
            duplicate_window_ns: Some(1_000_000_000),
            refuse_self_cross: true,
            daily_loss_fraction_max: percent(5),
            drawdown_fraction_max: percent(15),
        }
    }
}

impl Limits {
    /// No limit at all: a bare order book of records. Form, halt and reduce-only truth still hold.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            order_lots_max: None,
            order_value_max: None,
            collar_fraction: None,
            reference_age_max_ns: None,
            position_value_max: None,
            gross_value_max: None,
            leverage_max: None,
            open_orders_max: None,
            orders_per_second_max: None,
            duplicate_window_ns: None,
            refuse_self_cross: false,
            daily_loss_fraction_max: None,
            drawdown_fraction_max: None,
        }
    }

    /// Does a rule need to know what an order is worth?
    #[must_use]
    pub const fn needs_reference(&self) -> bool {
        self.order_value_max.is_some()
            || self.collar_fraction.is_some()
            || self.reference_age_max_ns.is_some()
            || self.position_value_max.is_some()
            || self.gross_value_max.is_some()
            || self.leverage_max.is_some()
    }
}

/// The account as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Level of the kill switch.
    pub halt: HaltLevel,
    /// Sums over all instruments.
    pub totals: Totals,
    /// Last equity pushed in.
    pub equity: Option<Money>,
    /// Equity times largest leverage.
    pub leverage_cap: Option<Money>,
    /// Loss of the day, pushed in.
    pub daily_loss: Rate,
    /// Drawdown, pushed in.
    pub drawdown: Rate,
    /// Orders that may still be filled.
    pub open_orders: u32,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            halt: HaltLevel::Run,
            totals: Totals::default(),
            equity: None,
            leverage_cap: None,
            daily_loss: Rate(0),
            drawdown: Rate(0),
            open_orders: 0,
        }
    }
}

/// What is asked for, in the terms of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Direction.
    pub side: Side,
    /// Kind of order.
    pub order_type: OrderType,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Quantity that may still be filled.
    pub lots: Lots,
    /// Quantity to reserve on top of what is reserved.
    pub added: Lots,
    /// Limit price.
    pub price: Option<Ticks>,
    /// Trigger price.
    pub trigger: Option<Ticks>,
    /// Is it a new order (or an amend of an open one)?
    pub is_new: bool,
    /// A slice draws on its parent's reservation: exposure was judged with the parent.
    pub is_slice: bool,
    /// The recent stream of orders.
    pub flow: Flow,
}

/// What the engine knows of the recent stream of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// Orders in the last second.
    pub in_window: u32,
    /// The same order was approved this long ago.
    pub same_ns_ago: Option<i64>,
    /// Orders of this strategy and instrument whose outcome is unknown.
    pub unresolved: u32,
}

/// One rule that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Number of the error.
    pub code: Code,
    /// Id and name of the rule.
    pub rule: &'static str,
    /// What it saw.
    pub observed: String,
    /// What it allows.
    pub allowed: String,
}

/// All breaches as one refusal; the first one gives the number.
///
/// # Errors
/// If there is a breach.
pub fn refuse(symbol: &str, breaches: &[Breach]) -> Result<()> {
    let Some(first) = breaches.first() else {
        return Ok(());
    };
    let sentences: Vec<String> = breaches
        .iter()
        .map(|breach| {
            format!("{}: observed {}, allowed {}", breach.rule, breach.observed, breach.allowed)
        })
        .collect();
    Err(CoreError::new(first.code, format!("{symbol}: {}", sentences.join("; "))))
}

/// The rules over one wish; collects breaches.
struct Judge<'a> {
    limits: &'a Limits,
    account: &'a Account,
    desk: &'a Desk,
    wish: &'a Wish,
    breaches: Vec<Breach>,
}

/// Judge a wish by every rule.
///
/// # Errors
/// [`Code::NumberOutOfRange`] if a value does not fit; that refuses too.
pub fn judge(
    limits: &Limits,
    account: &Account,
    desk: &Desk,
    wish: &Wish,
    now_ns: i64,
) -> Result<Vec<Breach>> {
    let mut judge = Judge { limits, account, desk, wish, breaches: Vec::new() };
    judge.halted();
    judge.reduces();
    judge.flow();
    judge.losses();
    judge.size();
    if let Some(mark) = judge.reference(now_ns) {
        judge.priced(mark)?;
    }
    Ok(judge.breaches)
}

impl Judge<'_> {
    fn breach(&mut self, code: Code, rule: &'static str, observed: String, allowed: String) {
        self.breaches.push(Breach { code, rule, observed, allowed });
    }

    fn limit(&mut self, rule: &'static str, observed: Money, allowed: Money) {
        if observed > allowed {
            let (observed, allowed) = (observed.to_decimal(), allowed.to_decimal());
            self.breach(Code::LimitBreached, rule, observed, allowed);
        }
    }

    fn fraction(&mut self, rule: &'static str, observed: Rate, allowed: Option<Rate>) {
        if let Some(allowed) = allowed.filter(|allowed| observed > *allowed) {
            let (observed, allowed) = (observed.to_decimal(), allowed.to_decimal());
            self.breach(Code::LimitBreached, rule, observed, allowed);
        }
    }

    fn halted(&mut self) {
        let halt = self.account.halt;
        if halt == HaltLevel::Run || (self.wish.reduce_only && halt < HaltLevel::Locked) {
            return;
        }
        let allowed = if halt == HaltLevel::Locked { "cancels" } else { "reduce-only and cancels" };
        self.breach(Code::Halted, "R27 kill switch", halt.name().to_owned(), allowed.to_owned());
    }

    fn reduces(&mut self) {
        let position = self.desk.exposure.position;
        let shrinks_by = -position.signed(self.wish.side).0;
        if self.wish.reduce_only && self.wish.lots.0 > shrinks_by {
            let allowed = format!("up to {} lots against the position", shrinks_by.max(0));
            let observed = format!("{:?} {} lots", self.wish.side, self.wish.lots.0);
            self.breach(Code::ReduceOnlyViolated, "R20 reduce-only truth", observed, allowed);
        }
    }

    fn flow(&mut self) {
        let (wish, flow) = (*self.wish, self.wish.flow);
        let rate = self.limits.orders_per_second_max.map(|allowed| match wish.reduce_only {
            true => allowed.saturating_add((allowed / 4).max(1)),
            false => allowed,
        });
        if let Some(allowed) = rate.filter(|allowed| flow.in_window >= *allowed) {
            let observed = format!("{} in the last second", flow.in_window + 1);
            self.breach(Code::LimitBreached, "R09 order rate", observed, allowed.to_string());
        }
        if wish.is_slice {
            return;
        }
        let open = self.account.open_orders;
        let allowed = self.limits.open_orders_max.filter(|allowed| open >= *allowed);
        if let Some(allowed) = allowed.filter(|_| wish.is_new && !wish.reduce_only) {
            let observed = (u64::from(open) + 1).to_string();
            self.breach(Code::LimitBreached, "R23 open orders", observed, allowed.to_string());
        }
        if let (Some(ago), Some(window)) = (flow.same_ns_ago, self.limits.duplicate_window_ns) {
            let observed = format!("the same order {ago} ns ago");
            let allowed = format!("one in {window} ns");
            self.breach(Code::LimitBreached, "R05 duplicate", observed, allowed);
        }
        if flow.unresolved > 0 && !wish.reduce_only {
            let observed = format!("{} orders with unknown outcome", flow.unresolved);
            self.breach(Code::LimitBreached, "R28 unresolved", observed, "reduce-only".to_owned());
        }
    }

    fn losses(&mut self) {
        if self.wish.reduce_only || self.wish.is_slice {
            return;
        }
        let (limits, account) = (self.limits, self.account);
        self.fraction("R30 daily loss", account.daily_loss, limits.daily_loss_fraction_max);
        self.fraction("R31 drawdown", account.drawdown, limits.drawdown_fraction_max);
    }

    fn size(&mut self) {
        let (instrument, lots) = (&self.desk.instrument, self.wish.lots);
        if lots < instrument.lots_min || lots > instrument.lots_max {
            let allowed = format!("{} .. {} lots", instrument.lots_min.0, instrument.lots_max.0);
            let observed = format!("{} lots", lots.0);
            self.breach(Code::OrderSizeInvalid, "R01 lot filter", observed, allowed);
        }
        let allowed = self.limits.order_lots_max.filter(|allowed| lots > *allowed);
        if let Some(allowed) = allowed.filter(|_| !self.wish.reduce_only) {
            let (observed, allowed) = (lots.0.to_string(), allowed.0.to_string());
            self.breach(Code::LimitBreached, "R02 order lots", observed, allowed);
        }
    }

    /// The reference price, if there is a fresh one. Its lack is a breach when a rule needs it.
    fn reference(&mut self, now_ns: i64) -> Option<Ticks> {
        let allowed = self.limits.reference_age_max_ns.unwrap_or(i64::MAX);
        let age = self.desk.mark.map(|(mark, at_ns)| (mark, now_ns.saturating_sub(at_ns)));
        if let Some((mark, _)) = age.filter(|(_, age)| *age <= allowed) {
            return Some(mark);
        }
        if self.limits.needs_reference() && !self.wish.reduce_only {
            let observed = age.map_or("none".to_owned(), |(_, age)| format!("{age} ns old"));
            let allowed = format!("a reference price at most {allowed} ns old");
            self.breach(Code::NoReferencePrice, "R07 stale data", observed, allowed);
        }
        None
    }

    fn priced(&mut self, mark: Ticks) -> Result<()> {
        let wish = *self.wish;
        let bound = self.collar(mark)?;
        let worst = wish.price.unwrap_or(bound.unwrap_or(wish.trigger.unwrap_or(mark)));
        if let Some(bound) = bound {
            let is_beyond = match wish.side {
                Side::Buy => worst > bound,
                Side::Sell => worst < bound,
            };
            if is_beyond {
                let instrument = &self.desk.instrument;
                let observed = instrument.price_decimal(worst);
                let allowed = instrument.price_decimal(bound);
                self.breach(Code::LimitBreached, "R03 price collar", observed, allowed);
            }
        }
        if !wish.reduce_only {
            self.self_cross(mark);
            // A sell trades at its price or higher, so the reference is its least value.
            let value_price = if wish.side == Side::Sell { worst.max(mark) } else { worst };
            self.value(value_price)?;
            if !wish.is_slice {
                self.exposure(mark, value_price.max(mark))?;
            }
        }
        Ok(())
    }

    /// Furthest price the order may reach: reference or trigger, plus or minus the collar.
    fn collar(&self, mark: Ticks) -> Result<Option<Ticks>> {
        let Some(fraction) = self.limits.collar_fraction else {
            return Ok(None);
        };
        let base = self.wish.trigger.unwrap_or(mark);
        let reach = i128::from(base.0) * i128::from(fraction.0);
        // Rounded inwards: the collar is never wider than the fraction.
        let reach = divide(reach, RATE_SCALE, Rounding::Down);
        let reach = i64::try_from(reach).unwrap_or(i64::MAX);
        let reach = if self.wish.side == Side::Buy { reach } else { -reach };
        base.add(reach).map(Some)
    }

    /// Market orders are judged at the reference price: what lies beyond is left to the venue's
    /// own self-trade prevention, or no one could ever buy below an own take-profit.
    fn self_cross(&mut self, mark: Ticks) {
        if !self.limits.refuse_self_cross || self.wish.order_type.has_trigger() {
            return;
        }
        let reach = self.wish.price.unwrap_or(mark);
        let Some(own) = self.desk.best_resting(self.wish.side.opposite()) else { return };
        let crosses = match self.wish.side {
            Side::Buy => reach >= own,
            Side::Sell => reach <= own,
        };
        if crosses {
            let instrument = &self.desk.instrument;
            let observed = instrument.price_decimal(reach);
            let allowed = format!("short of the own order at {}", instrument.price_decimal(own));
            self.breach(Code::LimitBreached, "R06 self-cross", observed, allowed);
        }
    }

    fn value(&mut self, price: Ticks) -> Result<()> {
        let value = self.desk.worth(price, self.wish.lots)?;
        let least = self.desk.instrument.notional_min;
        if value < least {
            let (observed, allowed) = (value.to_decimal(), least.to_decimal());
            self.breach(Code::OrderSizeInvalid, "R01 least value", observed, allowed);
        }
        if let Some(allowed) = self.limits.order_value_max.filter(|_| !self.wish.is_slice) {
            self.limit("R02 order value", value, allowed);
        }
        Ok(())
    }

    /// Worst case after the order: what it adds is valued at its own worst price, the rest at the
    /// reference.
    fn exposure(&mut self, mark: Ticks, price: Ticks) -> Result<()> {
        let (desk, limits, wish) = (self.desk, self.limits, *self.wish);
        let before = desk.exposure.towards(wish.side);
        let after = Lots(before).add(wish.added)?.0;
        if after > i64::MAX / 4 {
            return Err(CoreError::new(Code::NumberOutOfRange, "position leaves the exact range"));
        }
        let added = desk.worth(price, Lots((after - before.max(0)).max(0)))?;
        if let Some(allowed) = limits.position_value_max.filter(|_| after > 0) {
            let held = desk.worth(mark, Lots(before.max(0)))?;
            self.limit("R20 position value", held.add(added)?, allowed);
        }
        let worst = desk.exposure.worst();
        if after <= worst {
            return Ok(());
        }
        let grown = desk.worth(price, Lots(after - worst))?;
        let totals = self.account.totals;
        let gross = totals.gross.add(grown)?;
        if totals.unvalued > 0
            && (limits.gross_value_max.is_some() || limits.leverage_max.is_some())
        {
            let observed = format!("{} instruments held without one", totals.unvalued);
            let allowed = "a reference price for each".to_owned();
            self.breach(Code::NoReferencePrice, "R21 gross value", observed, allowed);
        }
        if let Some(allowed) = limits.gross_value_max {
            self.limit("R21 gross value", gross, allowed);
        }
        if let Some(leverage) = limits.leverage_max {
            match self.account.leverage_cap {
                Some(allowed) => self.limit("R21 leverage", gross, allowed),
                None => {
                    let allowed = format!("{} times a known equity", leverage.to_decimal());
                    let unknown = "equity unknown".to_owned();
                    self.breach(Code::LimitBreached, "R21 leverage", unknown, allowed);
                }
            }
        }
        Ok(())
    }
}
