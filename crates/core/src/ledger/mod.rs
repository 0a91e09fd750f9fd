// SPDX-License-Identifier: Apache-2.0
//! The exact account of one strategy or portfolio in one quote currency: linear perpetuals and
//! spot. Each event (fill, fee, funding, transfer, liquidation) is an integer posting, so that
//! `equity = deposits + realised + unrealised - fees - liquidation fees + funding` holds to the
//! last 1e-12 at every moment; [`Ledger::check`] recomputes it from nothing. A call that fails
//! leaves the ledger as it was. A mark costs one product and two sums, whatever else is held.
//!
//! Linear: only profit, fees and funding move cash. Spot: coins and cash change hands, fees are
//! paid in quote, holdings count at their mark. A fill is a fact of the venue, hence it is never
//! refused for margin; whoever sends orders asks [`Ledger::available`] first. Roundings: fees up,
//! funding down, margins up, so the account never gains by a rounding; `position.rs` proves
//! the bound on realised profit.

mod audit;
mod drawdown;
mod margin;
mod position;

use std::collections::BTreeMap;

pub use drawdown::Drawdown;
pub use margin::LiquidationPrice;
pub use position::{Position, AMOUNT_MAX};

use crate::error::{Code, CoreError, Result};
use crate::instrument::{Instrument, Kind};
use crate::number::{Lots, Money, Rate, Rounding, Side, Ticks, RATE_SCALE};
use position::{bounded, scale, sum};

/// Leverage of one, in 1e-12.
const UNLEVERED: Rate = Rate(RATE_SCALE as i64);

/// What a fill costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fee {
    /// A fraction of the traded value, rounded up to 1e-12; negative for a rebate.
    Rate(Rate),
    /// The amount the venue has stated, in quote; negative for a rebate.
    Amount(Money),
}

/// What a fill has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillEffect {
    /// Profit of the closed part, before fees.
    pub realised: Money,
    /// Fee paid.
    pub fee: Money,
    /// Position afterwards, signed.
    pub position: Lots,
    /// The old side was closed and the other one opened.
    pub was_flip: bool,
}

/// Sums over all instruments, kept up to date by each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    cash: Money,
    deposits: Money,
    realised: Money,
    fees: Money,
    funding: Money,
    liquidation_fees: Money,
    used_margin: Money,
    spot_cost: Money,
    /// By [`Kind`].
    unrealised: [Money; 2],
}

#[derive(Debug, Clone)]
struct Account {
    position: Position,
    leverage: Rate,
    instrument: Instrument,
}

/// One trade on its way into the books.
struct Trade {
    price: Ticks,
    /// Signed lots.
    lots: Lots,
    /// Signed value.
    value: Money,
    fee: Money,
    is_liquidation: bool,
}

/// The account. Instruments are addressed by the number that `add_instrument` returned.
#[derive(Debug, Clone)]
pub struct Ledger {
    accounts: Vec<Account>,
    totals: Totals,
    drawdown: Drawdown,
    index: BTreeMap<String, usize>,
    may_borrow_spot: bool,
}

#[cold]
fn invalid(sentence: impl Into<String>) -> CoreError {
    CoreError::new(Code::ParameterInvalid, sentence)
}

#[cold]
fn unknown(instrument: usize) -> CoreError {
    CoreError::new(Code::UnknownSymbol, format!("instrument number {instrument} is not held here"))
}

fn positive(price: Ticks) -> Result<()> {
    if price.0 > 0 {
        return Ok(());
    }
    Err(CoreError::new(Code::DataInvalid, format!("price of {} ticks; must be above 0", price.0)))
}

impl Ledger {
    /// An account that starts with `cash` as its first deposit.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`] beyond [`AMOUNT_MAX`].
    pub fn new(cash: Money) -> Result<Self> {
        let cash = bounded(Some(cash.0))?;
        Ok(Self {
            accounts: Vec::new(),
            totals: Totals { cash, deposits: cash, ..Totals::default() },
            drawdown: Drawdown::new(cash),
            index: BTreeMap::new(),
            may_borrow_spot: false,
        })
    }

    /// Let spot sales go short and spot purchases take cash below zero.
    #[must_use]
    pub fn with_spot_borrowing(mut self) -> Self {
        self.may_borrow_spot = true;
        self
    }

    /// Hold `instrument` from now on, with leverage 1; returns its number. The same symbol twice
    /// is [`Code::InstrumentInvalid`].
    pub fn add_instrument(&mut self, instrument: Instrument) -> Result<usize> {
        if self.index.contains_key(&instrument.symbol) {
            return Err(CoreError::new(
                Code::InstrumentInvalid,
                format!("{} is in the ledger already", instrument.symbol),
            ));
        }
        let number = self.accounts.len();
        self.index.insert(instrument.symbol.clone(), number);
        let position = Position::default();
        self.accounts.push(Account { position, leverage: UNLEVERED, instrument });
        Ok(number)
    }

    /// Number of a symbol.
    #[must_use]
    pub fn index_of(&self, symbol: &str) -> Option<usize> {
        self.index.get(symbol).copied()
    }

    /// Trading rules of an instrument held here.
    #[must_use]
    pub fn instrument(&self, instrument: usize) -> Option<&Instrument> {
        self.accounts.get(instrument).map(|account| &account.instrument)
    }

    /// State of one instrument.
    #[must_use]
    pub fn position(&self, instrument: usize) -> Option<&Position> {
        self.accounts.get(instrument).map(|account| &account.position)
    }

    fn account(&self, instrument: usize) -> Result<&Account> {
        self.accounts.get(instrument).ok_or_else(|| unknown(instrument))
    }

    /// Book `lots` traded at `price`.
    ///
    /// # Errors
    /// `OrderSizeInvalid` for lots, `DataInvalid` for a price that is not positive;
    /// `InsufficientMargin` if spot coins or spot cash do not suffice; `NumberOutOfRange`.
    pub fn fill(
        &mut self,
        instrument: usize,
        side: Side,
        price: Ticks,
        lots: Lots,
        fee: Fee,
    ) -> Result<FillEffect> {
        let rules = &self.account(instrument)?.instrument;
        positive(price)?;
        if lots.0 <= 0 {
            return Err(CoreError::new(
                Code::OrderSizeInvalid,
                format!("{}: fill of {} lots; must be above 0", rules.symbol, lots.0),
            ));
        }
        let lots = lots.signed(side);
        let value = bounded(Some(rules.notional(price, lots)?.0))?;
        let fee = match fee {
            Fee::Rate(rate) => scale(value.abs(), rate.0, UNLEVERED.0, Rounding::Up)?,
            Fee::Amount(amount) => bounded(Some(amount.0))?,
        };
        self.settle(instrument, &Trade { price, lots, value, fee, is_liquidation: false })
    }

    /// Compute everything first, commit last: an error in between changes nothing.
    fn settle(&mut self, instrument: usize, trade: &Trade) -> Result<FillEffect> {
        let account = self.account(instrument)?;
        let (rules, old) = (&account.instrument, &account.position);
        let traded = old.trade(rules, trade.price, trade.lots, trade.value)?;
        let mut position = traded.position;
        position.initial_margin = margin::initial_margin(rules, account.leverage, &position)?;
        let mut totals = self.totals;
        if trade.is_liquidation {
            position.liquidation_fees = sum(position.liquidation_fees, trade.fee)?;
            totals.liquidation_fees = sum(totals.liquidation_fees, trade.fee)?;
        } else {
            position.fees = sum(position.fees, trade.fee)?;
            totals.fees = sum(totals.fees, trade.fee)?;
        }
        let gain = match rules.kind {
            Kind::LinearPerpetual => traded.realised,
            Kind::Spot => trade.value.neg(),
        };
        totals.cash = bounded(Some(totals.cash.0 + gain.0 - trade.fee.0))?;
        totals.realised = sum(totals.realised, traded.realised)?;
        totals.replace(rules.kind, old, &position)?;
        if rules.kind == Kind::Spot && !self.may_borrow_spot {
            refuse_borrowing(rules, trade, &position, totals.cash)?;
        }
        self.totals = totals;
        if let Some(account) = self.accounts.get_mut(instrument) {
            account.position = position;
        }
        Ok(FillEffect {
            realised: traded.realised,
            fee: trade.fee,
            position: position.lots,
            was_flip: traded.was_flip,
        })
    }

    /// Value one instrument at a new price. Called once per market event.
    #[inline]
    pub fn mark(&mut self, instrument: usize, price: Ticks) -> Result<()> {
        positive(price)?;
        let account = self.accounts.get_mut(instrument).ok_or_else(|| unknown(instrument))?;
        let position = &mut account.position;
        if position.lots.0 != 0 {
            let unrealised = position.unrealised_at(price)?;
            let total = self.totals.unrealised_of(account.instrument.kind);
            *total = bounded(Some(total.0 + unrealised.0 - position.unrealised.0))?;
            position.unrealised = unrealised;
        }
        position.mark = Some(price);
        Ok(())
    }

    /// Settle funding on the position's value at `mark` and return the cash received: negative
    /// for a long at a positive rate. Rounded down to 1e-12. The valuation mark stays.
    ///
    /// # Errors
    /// `ParameterInvalid` for spot, `DataInvalid` for a price that is not positive.
    pub fn funding(&mut self, instrument: usize, rate: Rate, mark: Ticks) -> Result<Money> {
        let account = self.account(instrument)?;
        positive(mark)?;
        if account.instrument.kind == Kind::Spot {
            return Err(invalid(format!("{}: spot pays no funding", account.instrument.symbol)));
        }
        let value = account.position.value_at(mark)?.neg();
        let received = scale(value, rate.0, UNLEVERED.0, Rounding::Down)?;
        self.receive_funding(instrument, received)?;
        Ok(received)
    }

    /// Book funding that was received, or paid where it is negative, as an amount.
    ///
    /// # Errors
    /// `ParameterInvalid` for spot.
    pub fn receive_funding(&mut self, instrument: usize, received: Money) -> Result<()> {
        let account = self.accounts.get_mut(instrument).ok_or_else(|| unknown(instrument))?;
        if account.instrument.kind == Kind::Spot {
            return Err(invalid(format!("{}: spot pays no funding", account.instrument.symbol)));
        }
        let position = &mut account.position;
        let (own, all) = (sum(position.funding, received)?, sum(self.totals.funding, received)?);
        self.totals.cash = sum(self.totals.cash, received)?;
        self.totals.funding = all;
        position.funding = own;
        Ok(())
    }

    /// Deposit, or withdraw with a negative amount; drawdown does not see transfers.
    ///
    /// # Errors
    /// `InsufficientMargin` if a withdrawal exceeds what is available.
    pub fn transfer(&mut self, amount: Money) -> Result<()> {
        if amount.0 < 0 && amount.0.checked_add(self.available().0).is_none_or(|rest| rest < 0) {
            return Err(CoreError::new(
                Code::InsufficientMargin,
                format!(
                    "withdrawal of {}; available {}",
                    amount.neg().to_decimal(),
                    self.available().to_decimal()
                ),
            ));
        }
        let deposits = sum(self.totals.deposits, amount)?;
        self.totals.cash = sum(self.totals.cash, amount)?;
        self.totals.deposits = deposits;
        self.drawdown.shift(amount);
        Ok(())
    }

    /// Note the present equity for peak and drawdown, and return it.
    pub fn observe_equity(&mut self) -> Money {
        let equity = self.equity();
        self.drawdown.observe(equity);
        equity
    }

    /// Peak and drawdowns over all observations.
    #[must_use]
    pub const fn drawdown(&self) -> &Drawdown {
        &self.drawdown
    }

    /// Cash plus the value of spot holdings plus unrealised profit of perpetuals.
    #[inline]
    #[must_use]
    pub fn equity(&self) -> Money {
        Money(self.totals.cash.0 + self.totals.spot_cost.0 + self.unrealised().0)
    }

    /// Quote coins in the account.
    #[must_use]
    pub const fn cash(&self) -> Money {
        self.totals.cash
    }

    /// First cash plus transfers.
    #[must_use]
    pub const fn deposits(&self) -> Money {
        self.totals.deposits
    }

    /// Value of everything held minus its cost, at the marks.
    #[inline]
    #[must_use]
    pub fn unrealised(&self) -> Money {
        Money(self.totals.unrealised[0].0 + self.totals.unrealised[1].0)
    }

    /// Profit of all closed lots, before fees and funding.
    #[must_use]
    pub const fn realised(&self) -> Money {
        self.totals.realised
    }

    /// Trading fees paid, without liquidation fees.
    #[must_use]
    pub const fn fees(&self) -> Money {
        self.totals.fees
    }

    /// Funding received; negative if paid.
    #[must_use]
    pub const fn funding_total(&self) -> Money {
        self.totals.funding
    }

    /// Fees paid for liquidations.
    #[must_use]
    pub const fn liquidation_fees(&self) -> Money {
        self.totals.liquidation_fees
    }
}

impl Totals {
    #[inline]
    fn unrealised_of(&mut self, kind: Kind) -> &mut Money {
        match kind {
            Kind::Spot => &mut self.unrealised[0],
            Kind::LinearPerpetual => &mut self.unrealised[1],
        }
    }

    /// Take `old` out of the sums and put `new` in.
    fn replace(&mut self, kind: Kind, old: &Position, new: &Position) -> Result<()> {
        let slot = self.unrealised_of(kind);
        *slot = bounded(Some(slot.0 + new.unrealised.0 - old.unrealised.0))?;
        let margin = self.used_margin.0 + new.initial_margin.0 - old.initial_margin.0;
        self.used_margin = bounded(Some(margin))?;
        if kind == Kind::Spot {
            self.spot_cost = bounded(Some(self.spot_cost.0 + new.cost.0 - old.cost.0))?;
        }
        Ok(())
    }
}

fn refuse_borrowing(
    rules: &Instrument,
    trade: &Trade,
    position: &Position,
    cash: Money,
) -> Result<()> {
    let why = if position.lots.0 < 0 {
        format!("short by {}", rules.quantity_decimal(position.lots.abs()))
    } else if trade.lots.0 > 0 && cash.0 < 0 {
        format!("cash short by {}", cash.abs().to_decimal())
    } else {
        return Ok(());
    };
    let sentence = format!("{}: spot fill would leave the account {why}", rules.symbol);
    Err(CoreError::new(Code::InsufficientMargin, sentence))
}
