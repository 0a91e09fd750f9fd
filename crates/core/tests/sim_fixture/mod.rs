// SPDX-License-Identifier: Apache-2.0
//! Small markets for the simulated venue: one tick is worth 1, one lot is 1 coin, so every number
//! in a scenario can be worked out in the head. By default nothing costs anything and nothing
//! takes time; a test adds the one thing it is about.

#![allow(dead_code, clippy::unwrap_used)]

use hean_core::order::{OrderType, TimeInForce};
use hean_core::sim::{
    Command, Fact, Fees, FillModel, Latency, NewOrder, QueueModel, Rows, SimVenue, Slippage, Step,
    Stream, VenueConfig,
};
use hean_core::{Instrument, Kind, Lots, Money, Rate, Side, Ticks};

pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000 * MS;
pub const MINUTE: i64 = 60 * SECOND;
pub const BUY: Side = Side::Buy;
pub const SELL: Side = Side::Sell;

/// Settings of a scenario.
pub struct Setting {
    pub cash: i64,
    pub entry: Latency,
    pub response: Latency,
    pub model: FillModel,
    pub fees: [&'static str; 3],
    pub leverage: &'static str,
    pub instruments: Vec<Instrument>,
    pub seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            cash: 1_000_000,
            entry: Latency::Constant(0),
            response: Latency::Constant(0),
            model: FillModel {
                queue: QueueModel::Pessimistic,
                slippage: Slippage::default(),
                needs_trade_through: true,
                participation: 1.0,
            },
            fees: ["0", "0", "0"],
            leverage: "10",
            instruments: vec![perpetual("AAA")],
            seed: 7,
        }
    }
}

pub fn perpetual(symbol: &str) -> Instrument {
    Instrument::new(symbol, Kind::LinearPerpetual, "1", "1").unwrap()
}

pub fn spot(symbol: &str) -> Instrument {
    Instrument::new(symbol, Kind::Spot, "1", "1").unwrap()
}

pub fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

pub fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// Minute bars `[open, high, low, close, volume]` from minute `first`.
pub fn bars(instrument: usize, first: i64, rows: &[[f64; 5]]) -> Stream {
    bars_of(instrument, first, MINUTE, rows)
}

pub fn bars_of(instrument: usize, first: i64, timeframe_ns: i64, rows: &[[f64; 5]]) -> Stream {
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>().into();
    let ts: Vec<i64> = (0..rows.len() as i64).map(|row| first + row * timeframe_ns).collect();
    let rows = Rows::Candles {
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: column(4),
        timeframe_ns,
    };
    Stream::new(instrument, ts.into(), 1, rows).unwrap()
}

/// Trades `(time, price, quantity, aggressor)`.
pub fn tape(instrument: usize, rows: &[(i64, f64, f64, Side)]) -> Stream {
    let ts: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let rows = Rows::Trades {
        price: rows.iter().map(|row| row.1).collect::<Vec<_>>().into(),
        qty: rows.iter().map(|row| row.2).collect::<Vec<_>>().into(),
        side: rows.iter().map(|row| row.3 as u8).collect::<Vec<_>>().into(),
    };
    Stream::new(instrument, ts.into(), 1, rows).unwrap()
}

/// Quotes `(time, [bid, quantity, ask, quantity])`.
pub fn quotes(instrument: usize, rows: &[(i64, [f64; 4])]) -> Stream {
    let column = |at: usize| rows.iter().map(|row| row.1[at]).collect::<Vec<_>>().into();
    let ts: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let rows =
        Rows::Quotes { bid: column(0), bid_qty: column(1), ask: column(2), ask_qty: column(3) };
    Stream::new(instrument, ts.into(), 1, rows).unwrap()
}

/// Depth rows `(time, side, price, quantity, flags)`.
pub fn depth(instrument: usize, rows: &[(i64, Side, f64, f64, u8)]) -> Stream {
    let ts: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let rows = Rows::Depth {
        side: rows.iter().map(|row| row.1 as u8).collect::<Vec<_>>().into(),
        price: rows.iter().map(|row| row.2).collect::<Vec<_>>().into(),
        qty: rows.iter().map(|row| row.3).collect::<Vec<_>>().into(),
        flags: rows.iter().map(|row| row.4).collect::<Vec<_>>().into(),
    };
    Stream::new(instrument, ts.into(), 1, rows).unwrap()
}

pub fn funding(instrument: usize, rows: &[(i64, f64)]) -> Stream {
    let ts: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let rate: Vec<f64> = rows.iter().map(|row| row.1).collect();
    Stream::new(instrument, ts.into(), 1, Rows::Funding { rate: rate.into() }).unwrap()
}

pub fn market(side: Side, lots: i64) -> NewOrder {
    NewOrder {
        key: 0,
        instrument: 0,
        side,
        kind: OrderType::Market,
        life: TimeInForce::Gtc,
        reduce_only: false,
        lots: Lots(lots),
        price: None,
        trigger: None,
    }
}

pub fn limit(side: Side, lots: i64, price: i64) -> NewOrder {
    NewOrder { kind: OrderType::Limit, price: Some(Ticks(price)), ..market(side, lots) }
}

pub fn stop(side: Side, lots: i64, trigger: i64) -> NewOrder {
    NewOrder { kind: OrderType::Stop, trigger: Some(Ticks(trigger)), ..market(side, lots) }
}

pub fn stop_limit(side: Side, lots: i64, trigger: i64, price: i64) -> NewOrder {
    NewOrder { kind: OrderType::StopLimit, price: Some(Ticks(price)), ..stop(side, lots, trigger) }
}

pub fn take_profit(side: Side, lots: i64, trigger: i64) -> NewOrder {
    NewOrder { kind: OrderType::TakeProfit, ..stop(side, lots, trigger) }
}

pub fn reducing(order: NewOrder) -> NewOrder {
    NewOrder { reduce_only: true, ..order }
}

/// What became of one fill: time, price, quantity, whether it rested.
pub type Piece = (i64, i64, i64, bool);

/// A venue being played.
#[derive(Clone)]
pub struct Scenario {
    pub venue: SimVenue,
    pub facts: Vec<(i64, Fact)>,
    keys: u32,
}

impl Scenario {
    pub fn new(setting: Setting, streams: Vec<Stream>) -> Self {
        let mut venue = SimVenue::new(VenueConfig {
            cash: Money(i128::from(setting.cash) * 1_000_000_000_000),
            entry: setting.entry,
            response: setting.response,
            model: setting.model,
            seed: setting.seed,
        })
        .unwrap();
        let [maker, taker, liquidation] = setting.fees.map(rate);
        for instrument in setting.instruments {
            let fees = Fees { maker, taker, liquidation };
            venue.add_instrument(instrument, fees, rate(setting.leverage)).unwrap();
        }
        for stream in streams {
            venue.add_stream(stream).unwrap();
        }
        Self { venue, facts: Vec::new(), keys: 0 }
    }

    pub fn send(&mut self, now: i64, order: NewOrder) -> u32 {
        let key = self.keys;
        self.keys += 1;
        self.venue.send(now, Command::Submit(NewOrder { key, ..order })).unwrap();
        key
    }

    pub fn cancel(&mut self, now: i64, key: u32) {
        self.venue.send(now, Command::Cancel { key }).unwrap();
    }

    pub fn amend(&mut self, now: i64, key: u32, price: Option<i64>, lots: Option<i64>) {
        let (price, lots) = (price.map(Ticks), lots.map(Lots));
        self.venue.send(now, Command::Amend { key, price, lots }).unwrap();
    }

    /// One step; the ledger must be whole after it.
    pub fn step(&mut self, horizon: Option<i64>) -> Step {
        let step = self.venue.next(horizon).unwrap();
        self.venue.ledger().check().unwrap();
        if let Step::Instant(time) = step {
            self.facts.extend(self.venue.facts().iter().map(|fact| (time, *fact)));
        }
        step
    }

    /// Play everything before `time`.
    pub fn until(&mut self, time: i64) {
        while let Step::Instant(_) = self.step(Some(time)) {}
    }

    /// Play everything up to and including the next instant at `time`.
    pub fn through(&mut self, time: i64) {
        self.until(time);
        assert_eq!(self.step(None), Step::Instant(time));
    }

    /// Play to the end.
    pub fn finish(&mut self) {
        while self.step(None) != Step::End {}
    }

    pub fn fills(&self, wanted: u32) -> Vec<Piece> {
        self.facts
            .iter()
            .filter_map(|(time, fact)| match *fact {
                Fact::Filled { key, fill } if key == wanted => {
                    Some((*time, fill.price.0, fill.lots.0, fill.is_maker))
                }
                _ => None,
            })
            .collect()
    }

    /// Reason and rest of every cancellation of an order.
    pub fn cancels(&self, wanted: u32) -> Vec<(&'static str, i64)> {
        self.facts
            .iter()
            .filter_map(|(_, fact)| match *fact {
                Fact::Cancelled { key, reason, remaining } if key == wanted => {
                    Some((reason, remaining.0))
                }
                _ => None,
            })
            .collect()
    }

    /// Code of an order's rejection.
    pub fn rejection(&self, wanted: u32) -> Option<hean_core::Code> {
        self.facts.iter().find_map(|(_, fact)| match *fact {
            Fact::Rejected { key, code, .. } if key == wanted => Some(code),
            _ => None,
        })
    }

    pub fn is_amended(&self, key: u32) -> bool {
        self.facts
            .iter()
            .any(|(_, fact)| matches!(fact, Fact::Amended { key: of, .. } if *of == key))
    }

    pub fn placed(&self, wanted: u32) -> usize {
        let is_it = |fact: &Fact| matches!(fact, Fact::Placed { key } if *key == wanted);
        self.facts.iter().filter(|(_, fact)| is_it(fact)).count()
    }

    pub fn position(&self, instrument: usize) -> i64 {
        self.venue.position_lots(instrument).0
    }
}
