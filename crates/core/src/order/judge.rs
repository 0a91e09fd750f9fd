// SPDX-License-Identifier: Apache-2.0
//! The rules, each with an id, what it observed and what it allows. All of them are judged, so a
//! refusal names every breach, not just the first. A rule that lacks its data refuses. An order
//! that may only shrink the position is judged by the rules of form, price, rate and truth, never
//! by exposure: a limit must not trap a position. The same walk, asked for a record, also writes
//! down the rules that agree; an approval pays nothing for that.

use super::exposure::Desk;
use super::limits::{Account, Limits, Wish};
use super::HaltLevel;
use crate::error::{Code, CoreError, Result};
use crate::instrument::Kind;
use crate::number::{divide, Lots, Money, Rate, Rounding, Side, Ticks, RATE_SCALE};

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Number of the error if the rule says no.
    pub code: Code,
    /// Id and name of the rule.
    pub rule: &'static str,
    /// What it saw.
    pub observed: String,
    /// What it allows.
    pub allowed: String,
    /// Does it say no?
    pub is_breach: bool,
}

/// All breaches as one refusal; the first one gives the number.
///
/// # Errors
/// If there is a breach.
pub fn refuse(symbol: &str, breaches: &[Finding]) -> Result<()> {
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

/// Judge a wish by every rule; returns the breaches.
///
/// # Errors
/// [`Code::NumberOutOfRange`] if a value does not fit; that refuses too.
pub fn judge(
    limits: &Limits,
    account: &Account,
    desk: &Desk,
    wish: &Wish,
    now_ns: i64,
) -> Result<Vec<Finding>> {
    Judge { limits, account, desk, wish, findings: Vec::new(), is_record: false }.all(now_ns)
}

/// As `judge`, with the rules that agree as well, in the order they are asked. A rule that is off,
/// does not concern such an order, or could not be asked for want of a price is not there.
///
/// # Errors
/// As `judge`.
pub fn record(
    limits: &Limits,
    account: &Account,
    desk: &Desk,
    wish: &Wish,
    now_ns: i64,
) -> Result<Vec<Finding>> {
    Judge { limits, account, desk, wish, findings: Vec::new(), is_record: true }.all(now_ns)
}

/// The rules over one wish; collects what they say.
struct Judge<'a> {
    limits: &'a Limits,
    account: &'a Account,
    desk: &'a Desk,
    wish: &'a Wish,
    findings: Vec<Finding>,
    is_record: bool,
}

impl Judge<'_> {
    fn all(mut self, now_ns: i64) -> Result<Vec<Finding>> {
        self.halted();
        self.reduces();
        self.flow();
        self.losses();
        self.size();
        if let Some(mark) = self.reference(now_ns) {
            self.priced(mark)?;
        }
        Ok(self.findings)
    }

    /// One rule. *words*: observed and allowed, asked for only where somebody reads them.
    fn rule(
        &mut self,
        code: Code,
        rule: &'static str,
        is_breach: bool,
        words: impl FnOnce() -> (String, String),
    ) {
        if is_breach || self.is_record {
            let (observed, allowed) = words();
            self.findings.push(Finding { code, rule, observed, allowed, is_breach });
        }
    }

    fn limit(&mut self, rule: &'static str, observed: Money, allowed: Money) {
        self.rule(Code::LimitBreached, rule, observed > allowed, || {
            (observed.to_decimal(), allowed.to_decimal())
        });
    }

    fn fraction(&mut self, rule: &'static str, observed: Rate, allowed: Option<Rate>) {
        if let Some(allowed) = allowed {
            self.rule(Code::LimitBreached, rule, observed > allowed, || {
                (observed.to_decimal(), allowed.to_decimal())
            });
        }
    }

    fn halted(&mut self) {
        let (halt, reduce_only) = (self.account.halt, self.wish.reduce_only);
        let is_breach = halt != HaltLevel::Run && !(reduce_only && halt < HaltLevel::Locked);
        self.rule(Code::Halted, "R27 kill switch", is_breach, || {
            let allowed = match (is_breach, halt) {
                (true, HaltLevel::Locked) => "cancels",
                (true, _) => "reduce-only and cancels",
                (false, _) if reduce_only => "up to FLATTEN",
                (false, _) => "RUN",
            };
            (halt.name().to_owned(), allowed.to_owned())
        });
    }

    /// A reduction fits the position. On spot, where no venue keeps reductions from selling the
    /// same coins twice, all that trade at once fit it together. One that rests is judged alone:
    /// it must not trap what it protects. One of unknown fate must not either: once more is tried
    /// beside it, but not twice.
    fn reduces(&mut self) {
        let wish = *self.wish;
        if !wish.reduce_only {
            return;
        }
        let desk = self.desk;
        let shrinks_by = -desk.exposure.position.signed(wish.side).0;
        // A slice adds nothing: its whole has been judged.
        let is_counted = desk.instrument.kind == Kind::Spot && wish.is_exit && wish.added.0 > 0;
        let on_their_way = match desk.exposure.exits(wish.side) {
            (exits, lost) if is_counted => exits.0 - lost.0.min(shrinks_by.max(0)),
            _ => 0,
        };
        let left = shrinks_by.saturating_sub(on_their_way).max(0);
        let is_breach = wish.lots.0 > shrinks_by || (is_counted && wish.added.0 > left);
        self.rule(Code::ReduceOnlyViolated, "R20 reduce-only truth", is_breach, || {
            let others = match on_their_way {
                0 => String::new(),
                _ => format!(", {on_their_way} on their way"),
            };
            let allowed = format!("up to {left} lots against the position{others}");
            (format!("{:?} {} lots", wish.side, wish.lots.0), allowed)
        });
    }

    fn flow(&mut self) {
        let (wish, flow) = (*self.wish, self.wish.flow);
        let rate = self.limits.orders_per_second_max.map(|allowed| match wish.reduce_only {
            true => allowed.saturating_add((allowed / 4).max(1)),
            false => allowed,
        });
        if let Some(allowed) = rate {
            let is_breach = flow.in_window >= allowed;
            self.rule(Code::LimitBreached, "R09 order rate", is_breach, || {
                let observed = format!("{} in the last second", flow.in_window.saturating_add(1));
                (observed, allowed.to_string())
            });
        }
        if wish.is_slice {
            return;
        }
        let open = self.account.open_orders;
        let allowed = self.limits.open_orders_max.filter(|_| wish.is_new && !wish.reduce_only);
        if let Some(allowed) = allowed {
            self.rule(Code::LimitBreached, "R23 open orders", open >= allowed, || {
                ((u64::from(open) + 1).to_string(), allowed.to_string())
            });
        }
        if let Some(window) = self.limits.duplicate_window_ns {
            let same = flow.same_ns_ago;
            self.rule(Code::LimitBreached, "R05 duplicate", same.is_some(), || {
                let none = "no same order".to_owned();
                let observed = same.map_or(none, |ago| format!("the same order {ago} ns ago"));
                (observed, format!("one in {window} ns"))
            });
        }
        if !wish.reduce_only {
            self.rule(Code::LimitBreached, "R28 unresolved", flow.unresolved > 0, || {
                let observed = format!("{} orders with unknown outcome", flow.unresolved);
                (observed, if flow.unresolved > 0 { "reduce-only" } else { "0" }.to_owned())
            });
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
        let (desk, lots) = (self.desk, self.wish.lots);
        let least = desk.instrument.lots_min;
        let most = match self.wish.is_sliced {
            true => Lots(i64::MAX),
            false => desk.instrument.lots_max,
        };
        let is_breach = lots < least || lots > most;
        self.rule(Code::OrderSizeInvalid, "R01 lot filter", is_breach, || {
            (format!("{} lots", lots.0), format!("{} .. {} lots", least.0, most.0))
        });
        let allowed = self.limits.order_lots_max.filter(|_| !self.wish.reduce_only);
        if let Some(allowed) = allowed {
            self.rule(Code::LimitBreached, "R02 order lots", lots > allowed, || {
                (lots.0.to_string(), allowed.0.to_string())
            });
        }
    }

    /// The reference price, if there is a fresh one. Its lack is a breach when a rule needs it.
    fn reference(&mut self, now_ns: i64) -> Option<Ticks> {
        let allowed = self.limits.reference_age_max_ns.unwrap_or(i64::MAX);
        let age = self.desk.mark.map(|(mark, at_ns)| (mark, now_ns.saturating_sub(at_ns)));
        let fresh = age.filter(|(_, age)| *age <= allowed).map(|(mark, _)| mark);
        if self.limits.needs_reference() && !self.wish.reduce_only {
            self.rule(Code::NoReferencePrice, "R07 stale data", fresh.is_none(), || {
                let observed = age.map_or("none".to_owned(), |(_, age)| format!("{age} ns old"));
                let allowed = match allowed {
                    i64::MAX => "a reference price".to_owned(),
                    _ => format!("a reference price at most {allowed} ns old"),
                };
                (observed, allowed)
            });
        }
        fresh
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
            let instrument = &self.desk.instrument;
            self.rule(Code::LimitBreached, "R03 price collar", is_beyond, || {
                (instrument.price_decimal(worst), instrument.price_decimal(bound))
            });
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
        let instrument = &self.desk.instrument;
        self.rule(Code::LimitBreached, "R06 self-cross", crosses, || {
            let allowed = format!("short of the own order at {}", instrument.price_decimal(own));
            (instrument.price_decimal(reach), allowed)
        });
    }

    fn value(&mut self, price: Ticks) -> Result<()> {
        let value = self.desk.worth(price, self.wish.lots)?;
        let least = self.desk.instrument.notional_min;
        self.rule(Code::OrderSizeInvalid, "R01 least value", value < least, || {
            (value.to_decimal(), least.to_decimal())
        });
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
            self.rule(Code::NoReferencePrice, "R21 gross value", true, || {
                let observed = format!("{} instruments held without one", totals.unvalued);
                (observed, "a reference price for each".to_owned())
            });
        }
        if let Some(allowed) = limits.gross_value_max {
            self.limit("R21 gross value", gross, allowed);
        }
        if let Some(leverage) = limits.leverage_max {
            match self.account.leverage_cap {
                Some(allowed) => self.limit("R21 leverage", gross, allowed),
                None => self.rule(Code::LimitBreached, "R21 leverage", true, || {
                    let allowed = format!("{} times a known equity", leverage.to_decimal());
                    ("equity unknown".to_owned(), allowed)
                }),
            }
        }
        Ok(())
    }
}
