// SPDX-License-Identifier: Apache-2.0
//! The engine's state as bytes in one fixed order: little-endian integers, texts with their
//! length. Two engines that will answer every future call alike give the same bytes; the state
//! hash is taken over them elsewhere.

use super::engine::OrderEngine;
use super::exposure::Desk;
use super::limits::Limits;
use super::record::Record;
use super::OrderKey;
use crate::number::Side;

/// Appends values in their canonical form.
struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn int(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn wide(&mut self, value: i128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn size(&mut self, value: usize) {
        self.0.extend_from_slice(&(value as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.size(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn maybe(&mut self, value: Option<i128>) {
        self.0.push(u8::from(value.is_some()));
        self.wide(value.unwrap_or(0));
    }
}

impl OrderEngine {
    /// Append the whole state to `out`.
    pub fn canonical(&self, out: &mut Vec<u8>) {
        let mut to = Writer(out);
        self.write_limits(&mut to);
        self.write_account(&mut to);
        to.size(self.desks.len());
        for desk in &self.desks {
            write_desk(&mut to, desk);
        }
        to.size(self.strategies.len());
        for name in &self.strategies {
            to.text(name);
        }
        to.size(self.orders.iter().count());
        for (key, record) in self.orders.iter() {
            self.write_order(&mut to, key, record);
        }
        self.write_queues(&mut to);
    }

    fn write_limits(&self, to: &mut Writer<'_>) {
        // Taken apart by name, so that a new limit cannot be forgotten here.
        let Limits {
            order_lots_max,
            order_value_max,
            collar_fraction,
            reference_age_max_ns,
            position_value_max,
            gross_value_max,
            leverage_max,
            open_orders_max,
            orders_per_second_max,
            duplicate_window_ns,
            refuse_self_cross,
            daily_loss_fraction_max,
            drawdown_fraction_max,
        } = &self.limits;
        to.maybe(order_lots_max.map(|lots| i128::from(lots.0)));
        for money in [order_value_max, position_value_max, gross_value_max] {
            to.maybe(money.map(|money| money.0));
        }
        for rate in [collar_fraction, leverage_max, daily_loss_fraction_max, drawdown_fraction_max]
        {
            to.maybe(rate.map(|rate| i128::from(rate.0)));
        }
        for ns in [reference_age_max_ns, duplicate_window_ns] {
            to.maybe(ns.map(i128::from));
        }
        for count in [open_orders_max, orders_per_second_max] {
            to.maybe(count.map(i128::from));
        }
        to.int(i64::from(*refuse_self_cross));
    }

    fn write_account(&self, to: &mut Writer<'_>) {
        let account = &self.account;
        to.int(account.halt as i64);
        to.wide(account.totals.gross.0);
        to.int(i64::from(account.totals.unvalued));
        to.maybe(account.equity.map(|equity| equity.0));
        to.int(account.daily_loss.0);
        to.int(account.drawdown.0);
        to.int(i64::from(account.open_orders));
        to.size(self.illegal_facts as usize);
        to.size(self.closed_retained);
    }

    fn write_order(&self, to: &mut Writer<'_>, key: OrderKey, record: &Record) {
        to.int(i64::from(key.0));
        to.text(&self.names.text(key, record));
        to.int(i64::from(record.instrument.0));
        to.int(i64::from(record.strategy.0));
        to.int(record.side() as i64);
        to.int(record.order_type() as i64);
        to.int(record.time_in_force() as i64);
        to.int(i64::from(record.reduce_only()) | i64::from(record.is_sliced()) << 1);
        to.maybe(record.price().map(|price| i128::from(price.0)));
        to.maybe(record.trigger().map(|price| i128::from(price.0)));
        to.maybe(record.parent().map(|key| i128::from(key.0)));
        for value in [record.lots, record.filled, record.drawn()] {
            to.int(value.0);
        }
        for value in [record.created_ns, record.updated_ns, record.ended_ns()] {
            to.int(value);
        }
        to.int(i64::from(record.children()));
        to.int(i64::from(record.flags));
        to.int(record.end as i64);
        to.size(self.fills.iter(record.fills).count());
        for fill in self.fills.iter(record.fills) {
            to.size(fill.exec.0 as usize);
            to.int(fill.price.0);
            to.int(fill.lots.0);
            to.int(fill.ts_ns);
        }
        let notes = self.notes.get(&key);
        to.text(notes.map_or("", |notes| &notes.exchange_id));
        to.text(notes.map_or("", |notes| &notes.reason));
        let amend = self.amends.get(&key);
        to.maybe(amend.map(|amend| i128::from(amend.lots.0)));
        to.maybe(amend.and_then(|amend| amend.price).map(|price| i128::from(price.0)));
    }

    fn write_queues(&self, to: &mut Writer<'_>) {
        let (epoch, base) = self.names.window_start();
        to.size(epoch as usize);
        to.size(base as usize);
        to.size(self.closed.len());
        for key in &self.closed {
            to.int(i64::from(key.0));
        }
        to.int(i64::from(self.tickets.first()));
        to.size(self.tickets.iter().count());
        for permit in self.tickets.iter() {
            to.int(i64::from(permit.key.0));
            to.int(i64::from(permit.hash));
            to.int(permit.expires_ns);
            to.int(i64::from(permit.is_amend) << 1 | i64::from(permit.is_used));
        }
        let (times, alike) = self.stream.parts();
        to.size(times.len());
        to.size(alike.len());
        for time in times {
            to.int(*time);
        }
        for (time, likeness) in alike {
            to.int(*time);
            likeness.words().into_iter().for_each(|word| to.int(word));
        }
    }
}

fn write_desk(to: &mut Writer<'_>, desk: &Desk) {
    to.text(&desk.instrument.symbol);
    to.maybe(desk.mark.map(|(mark, _)| i128::from(mark.0)));
    to.int(desk.mark.map_or(0, |(_, at_ns)| at_ns));
    let exposure = desk.exposure;
    for lots in [
        exposure.position,
        exposure.open_buy,
        exposure.open_sell,
        exposure.reduce_buy,
        exposure.reduce_sell,
        exposure.exit_buy,
        exposure.exit_sell,
        exposure.lost_buy,
        exposure.lost_sell,
        exposure.bought,
        exposure.sold,
    ] {
        to.int(lots.0);
    }
    for side in [Side::Buy, Side::Sell] {
        to.maybe(desk.best_resting(side).map(|price| i128::from(price.0)));
    }
}
