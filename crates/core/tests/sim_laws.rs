// SPDX-License-Identifier: Apache-2.0
//! Laws of the simulated venue under random markets and a random trader. The trader reacts to
//! what he is told and to nothing else, so two runs must be equal, bit for bit, for as long as
//! they were told the same. Markets come in all grades of detail, with and without other streams
//! of the same and of a second instrument.

#![allow(clippy::unwrap_used)]

mod sim_fixture;

use std::collections::{BTreeMap, BTreeSet};

use hean_core::order::TimeInForce;
use hean_core::rng::Random;
use hean_core::sim::history::depth_flag::{EVENT_END, SNAPSHOT_BEGIN};
use hean_core::sim::{Fact, Fill, Latency, NewOrder, QueueModel, Slippage, Step, Stream};
use hean_core::{Lots, Money, Side};
use proptest::prelude::*;
use sim_fixture::*;

const MINUTES: i64 = 8;
const END: i64 = MINUTES * MINUTE;

fn below(random: &mut Random, count: i64) -> i64 {
    (random.uniform() * count as f64) as i64
}

// ---------------------------------------------------------------- random markets

/// One recorded stream that can still be changed.
#[derive(Clone)]
enum Tape {
    Bars(usize, i64, Vec<[f64; 5]>),
    Trades(usize, Vec<(i64, f64, f64, Side)>),
    Quotes(usize, Vec<(i64, [f64; 4])>),
    Depth(usize, Vec<(i64, Side, f64, f64, u8)>),
    Funding(usize, Vec<(i64, f64)>),
}

fn side_of(random: &mut Random) -> Side {
    [BUY, SELL][below(random, 2) as usize]
}

/// Rising times on a coarse grid, so that streams often meet at the same instant.
fn times(random: &mut Random, count: i64) -> Vec<i64> {
    let grid = 5 * SECOND;
    let mut times: Vec<i64> = (0..count).map(|_| below(random, END / grid) * grid).collect();
    times.sort_unstable();
    times
}

fn random_bars(random: &mut Random, instrument: usize, timeframe: i64) -> Tape {
    let mut price = 100 + below(random, 10);
    let rows = (0..END / timeframe)
        .map(|_| {
            let open = price + below(random, 7) - 3;
            let close = open + below(random, 13) - 6;
            let high = open.max(close) + below(random, 5);
            let low = open.min(close) - below(random, 5);
            price = close.max(60);
            [open, high, low, close, below(random, 60)].map(|value| value.max(0) as f64)
        })
        .collect();
    Tape::Bars(instrument, timeframe, rows)
}

fn random_trades(random: &mut Random, instrument: usize) -> Tape {
    let rows = times(random, 60).into_iter().map(|time| {
        let price = 90 + below(random, 20);
        (time, price as f64, (1 + below(random, 9)) as f64, side_of(random))
    });
    Tape::Trades(instrument, rows.collect())
}

fn random_quotes(random: &mut Random, instrument: usize) -> Tape {
    let rows = times(random, 40).into_iter().map(|time| {
        let bid = 95 + below(random, 8);
        let ask = bid + below(random, 4) - 1; // now and then crossed
        let (there, here) = (below(random, 9), 1 + below(random, 9));
        (time, [bid as f64, there as f64, ask as f64, here as f64])
    });
    Tape::Quotes(instrument, rows.collect())
}

fn random_depth(random: &mut Random, instrument: usize) -> Tape {
    let mut rows = Vec::new();
    for (event, time) in times(random, 40).into_iter().enumerate() {
        let count = 1 + below(random, 5);
        for row in 0..count {
            let side = side_of(random);
            let away = 1 + below(random, 5);
            let price = if side == BUY { 100 - away } else { 100 + away } + below(random, 2);
            let first =
                if row == 0 && (event == 0 || below(random, 9) == 0) { SNAPSHOT_BEGIN } else { 0 };
            let last = if row == count - 1 { EVENT_END } else { 0 };
            rows.push((time, side, price as f64, below(random, 9) as f64, first | last));
        }
    }
    Tape::Depth(instrument, rows)
}

/// A market of two instruments; the first one has the finest stream of `grade`.
fn random_market(seed: u64, grade: u8) -> Vec<Tape> {
    let random = &mut Random::new(seed, 1);
    let mut tapes = vec![random_bars(random, 0, MINUTE), random_bars(random, 1, 2 * MINUTE)];
    match grade {
        0 => tapes.push(random_bars(random, 0, 4 * MINUTE)),
        1 => tapes.push(random_trades(random, 0)),
        2 => tapes.extend([random_quotes(random, 0), random_trades(random, 0)]),
        _ => tapes.extend([random_depth(random, 0), random_trades(random, 0)]),
    }
    let settled =
        times(random, 3).into_iter().map(|time| (time, (below(random, 9) - 4) as f64 / 1_000.0));
    tapes.push(Tape::Funding(0, settled.collect()));
    if below(random, 2) == 0 {
        tapes.reverse();
    }
    tapes
}

impl Tape {
    fn stream(&self) -> Stream {
        match self {
            Self::Bars(instrument, timeframe, rows) => bars_of(*instrument, 0, *timeframe, rows),
            Self::Trades(instrument, rows) => tape(*instrument, rows),
            Self::Quotes(instrument, rows) => quotes(*instrument, rows),
            Self::Depth(instrument, rows) => depth(*instrument, rows),
            Self::Funding(instrument, rows) => funding(*instrument, rows),
        }
    }

    /// Forget what is not over at `cut`, and continue with `other` instead if there is one.
    /// Returns the first moment at which the change may show: the open of the first changed bar.
    fn cut(&mut self, cut: i64, other: Option<&Self>) -> i64 {
        macro_rules! splice {
            ($rows:expr, $variant:ident) => {{
                let kept = $rows.iter().take_while(|row| row.0 <= cut).count();
                $rows.truncate(kept);
                if let Some(Self::$variant(_, other)) = other {
                    $rows.extend(other.iter().filter(|row| row.0 > cut));
                }
                cut
            }};
        }
        match self {
            Self::Bars(_, timeframe, rows) => {
                let kept = ((cut / *timeframe) as usize).min(rows.len());
                rows.truncate(kept);
                if let Some(Self::Bars(_, _, other)) = other {
                    rows.extend_from_slice(&other[kept..]);
                }
                cut.min(kept as i64 * *timeframe)
            }
            Self::Trades(_, rows) => splice!(rows, Trades),
            Self::Quotes(_, rows) => splice!(rows, Quotes),
            Self::Depth(_, rows) => splice!(rows, Depth),
            Self::Funding(_, rows) => splice!(rows, Funding),
        }
    }
}

// ---------------------------------------------------------------- a random trader

fn setting(seed: u64) -> Setting {
    let random = &mut Random::new(seed, 2);
    let entry = match below(random, 4) {
        0 => Latency::Constant(0),
        1 => Latency::Constant(50 * MS),
        2 => Latency::Normal { mean: 3e9, deviation: 3e9 },
        _ => Latency::Recorded(vec![MS, 25 * SECOND, 0]),
    };
    let response = Latency::Constant([0, 40 * MS, 5 * SECOND][below(random, 3) as usize]);
    let mut setting = Setting {
        entry,
        response,
        instruments: vec![perpetual("AAA"), perpetual("BBB")],
        fees: ["0.0002", "0.00055", "0.01"],
        ..Setting::default()
    };
    if below(random, 2) == 0 {
        setting.model.queue = QueueModel::LogProbability;
        setting.model.slippage = Slippage { half_spread: 0.0005, impact: 0.5 };
        setting.model.participation = 0.3;
    }
    setting
}

#[derive(Clone)]
struct Trader {
    scenario: Scenario,
    random: Random,
    sent: Vec<(i64, NewOrder)>,
    seen: Vec<(i64, String)>,
    now: i64,
}

impl Trader {
    fn new(seed: u64, setting: Setting, tapes: &[Tape]) -> Self {
        let scenario = Scenario::new(setting, tapes.iter().map(Tape::stream).collect());
        let random = Random::new(seed, 3);
        Self { scenario, random, sent: Vec::new(), seen: Vec::new(), now: 0 }
    }

    /// One step of the market and perhaps one message; false at the end.
    fn step(&mut self) -> bool {
        let wait = below(&mut self.random, 40) * SECOND + 1;
        let horizon = (below(&mut self.random, 3) == 0).then_some(self.now + wait);
        let before = self.scenario.facts.len();
        match (self.scenario.step(horizon), horizon) {
            (Step::Instant(time), _) => self.now = time,
            // A timer fires after the end of the market too.
            (Step::Horizon | Step::End, Some(horizon)) if horizon < END + MINUTE => {
                self.now = horizon;
            }
            _ => return false,
        }
        let told = &self.scenario.facts[before..];
        let prices = [0, 1].map(|index| self.scenario.venue.market(index).unwrap().last);
        self.seen.push((self.now, format!("{told:?} {prices:?}")));
        if self.sent.len() < 60 {
            self.act();
        }
        true
    }

    fn act(&mut self) {
        let (now, random) = (self.now, &mut self.random);
        match below(random, 8) {
            0..=3 => {
                let instrument = usize::from(below(random, 4) == 0);
                let last = self.scenario.venue.market(instrument).unwrap().last;
                let Some(last) = last else { return };
                let order = random_order(random, instrument, last.0);
                self.scenario.send(now, order);
                self.sent.push((now, order));
            }
            4 if !self.sent.is_empty() => {
                let key = below(random, self.sent.len() as i64) as u32;
                self.scenario.cancel(now, key);
            }
            5 if !self.sent.is_empty() => {
                let key = below(random, self.sent.len() as i64) as u32;
                let lots = (below(random, 2) == 0).then_some(1 + below(random, 9));
                let price = (below(random, 2) == 0).then_some(90 + below(random, 20));
                self.scenario.amend(now, key, price, lots);
            }
            _ => {}
        }
    }

    fn run(mut self) -> Self {
        while self.step() {}
        self.scenario.finish();
        self
    }

    fn before(&self, time: i64) -> Vec<&(i64, String)> {
        self.seen.iter().filter(|item| item.0 < time).collect()
    }

    fn equity(&self) -> Money {
        self.scenario.venue.ledger().equity()
    }
}

fn random_order(random: &mut Random, instrument: usize, last: i64) -> NewOrder {
    let side = side_of(random);
    let lots = 1 + below(random, 12);
    let near = (last + below(random, 13) - 6).max(1);
    let kind = match below(random, 5) {
        0 => market(side, lots),
        1 => stop(side, lots, near),
        2 => stop_limit(side, lots, near, (near + below(random, 5) - 2).max(1)),
        3 => take_profit(side, lots, near),
        _ => limit(side, lots, near),
    };
    let lives = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::PostOnly];
    let life = if kind.trigger.is_some() { lives[0] } else { lives[below(random, 4) as usize] };
    NewOrder { instrument, life, reduce_only: below(random, 4) == 0, ..kind }
}

// ---------------------------------------------------------------- laws

/// Every order: filled + cancelled = sent or as amended, one ending, every report of the rest true.
fn check_orders(trader: &Trader) {
    let scenario = &trader.scenario;
    let mut filled: BTreeMap<u32, i64> = BTreeMap::new();
    let mut ended: BTreeMap<u32, i64> = BTreeMap::new();
    let mut size: Vec<i64> = trader.sent.iter().map(|(_, order)| order.lots.0).collect();
    for (_, fact) in &scenario.facts {
        let (key, rest) = match *fact {
            Fact::Filled { key, fill: Fill { lots, remaining, .. } } => {
                *filled.entry(key).or_default() += lots.0;
                let whole = filled[&key] + remaining.0;
                assert!(!ended.contains_key(&key), "{key} trades after its end");
                assert_eq!(whole, size[key as usize], "{key} reports a wrong rest");
                if remaining != Lots::ZERO {
                    continue;
                }
                (key, 0)
            }
            Fact::Amended { key, lots, remaining, .. } => {
                let traded = filled.get(&key).unwrap_or(&0);
                assert_eq!(remaining.0, lots.0 - traded, "{key} is amended to a wrong rest");
                size[key as usize] = lots.0;
                continue;
            }
            Fact::Cancelled { key, remaining, .. } => (key, remaining.0),
            Fact::Rejected { key, .. } => (key, trader.sent[key as usize].1.lots.0),
            _ => continue,
        };
        assert_eq!(ended.insert(key, rest), None, "{key} ends twice");
    }
    let open = trader.sent.len() - ended.len();
    assert_eq!(scenario.venue.open_orders(), open, "an order neither ends nor rests");
    for (key, rest) in ended {
        let whole = filled.get(&key).unwrap_or(&0) + rest;
        assert_eq!(whole, size[key as usize], "{key}");
    }
}

/// Position is the sum of fills, execution ids are unique, limits are kept, nothing is early.
fn check_fills(trader: &Trader, delay: i64) {
    let mut held = [0_i64; 2];
    let mut ids = BTreeSet::new();
    for (time, fact) in &trader.scenario.facts {
        match *fact {
            Fact::Filled { key, fill } => {
                let Fill { instrument, side, price, lots, exec_id, is_maker, .. } = fill;
                let (sent, order) = &trader.sent[key as usize];
                assert!(ids.insert(exec_id), "execution {exec_id} twice");
                assert!(*time >= sent + delay, "filled before it arrived");
                assert!(price.0 > 0 && lots.0 > 0);
                assert!(!is_maker || order.price.is_some());
                let was = held[instrument];
                held[instrument] += lots.signed(side).0;
                assert!(!order.reduce_only || held[instrument].abs() < was.abs());
            }
            Fact::Liquidated { fill: Fill { instrument, side, lots, exec_id, .. } } => {
                assert!(ids.insert(exec_id), "execution {exec_id} twice");
                held[instrument] += lots.signed(side).0;
            }
            _ => {}
        }
    }
    assert_eq!(held, [0, 1].map(|index| trader.scenario.position(index)));
}

fn delay_of(setting: &Setting) -> i64 {
    match (&setting.entry, &setting.response) {
        (Latency::Constant(there), Latency::Constant(back)) => there + back,
        (_, Latency::Constant(back)) => *back,
        _ => 0,
    }
}

fn laws() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) }
}

/// Does a fill at `time` belong to the bar that opens at `open`? After the last bar its close is
/// the price for ever.
fn is_in_bar(time: i64, open: i64, timeframe: i64) -> bool {
    let end = open + timeframe;
    (open..=end).contains(&time) || (end == END && time > END)
}

proptest! {
    #![proptest_config(laws())]

    #[test]
    fn what_comes_later_changes_nothing_before(
        seed in any::<u64>(), grade in 0_u8..4, cut in 0..END,
    ) {
        let market = random_market(seed, grade);
        let noise = random_market(seed ^ 1, grade);
        let whole = Trader::new(seed, setting(seed), &market).run();
        for is_replaced in [false, true] {
            let mut changed = market.clone();
            let mut safe = cut + 1;
            for tape in &mut changed {
                let same = |other: &&Tape| match (&*tape, other) {
                    (Tape::Bars(a, x, _), Tape::Bars(b, y, _)) => (a, x) == (b, y),
                    (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
                };
                let other = noise.iter().find(same).filter(|_| is_replaced).cloned();
                safe = safe.min(tape.cut(cut, other.as_ref()));
            }
            let other = Trader::new(seed, setting(seed), &changed).run();
            prop_assert_eq!(whole.before(safe), other.before(safe));
        }
    }

    #[test]
    fn every_order_and_every_coin_is_accounted_for(seed in any::<u64>(), grade in 0_u8..4) {
        let trader = Trader::new(seed, setting(seed), &random_market(seed, grade)).run();
        check_orders(&trader);
        check_fills(&trader, delay_of(&setting(seed)));
    }

    #[test]
    fn a_thin_account_keeps_the_laws_through_liquidation(
        seed in any::<u64>(), grade in 0_u8..4, cash in 20_i64..600,
    ) {
        let mut thin = Setting { cash, ..setting(seed) };
        for instrument in &mut thin.instruments {
            instrument.tiers.push(hean_core::instrument::MarginTier {
                notional_max: Money(i128::MAX / 4),
                initial_rate: rate("0.1"),
                maintenance_rate: rate("0.05"),
                deduction: Money::ZERO,
            });
        }
        let delay = delay_of(&thin);
        let trader = Trader::new(seed, thin, &random_market(seed, grade)).run();
        check_orders(&trader);
        check_fills(&trader, delay);
    }

    #[test]
    fn dearer_fees_never_leave_more(seed in any::<u64>(), grade in 0_u8..4) {
        let run = |fees: [&'static str; 3]| {
            let cheap = Setting { fees, cash: 1_000_000_000, ..setting(seed) };
            Trader::new(seed, cheap, &random_market(seed, grade)).run()
        };
        let cheap = run(["-0.0001", "0.0005", "0.01"]);
        for fees in [["0.0003", "0.0005", "0.01"], ["-0.0001", "0.001", "0.01"]] {
            let dear = run(fees);
            prop_assert_eq!(cheap.sent.len(), dear.sent.len());
            prop_assert!(dear.equity() <= cheap.equity());
        }
    }

    #[test]
    fn the_same_run_twice_and_a_clone_continued_are_equal(
        seed in any::<u64>(), grade in 0_u8..4, steps in 0_usize..60,
    ) {
        let market = random_market(seed, grade);
        let first = Trader::new(seed, setting(seed), &market).run();
        let mut second = Trader::new(seed, setting(seed), &market);
        let is_going = (0..steps).all(|_| second.step());
        prop_assume!(is_going);
        let third = second.clone().run();
        let second = second.run();
        for other in [second, third] {
            prop_assert_eq!(&first.seen, &other.seen);
            prop_assert_eq!(first.equity(), other.equity());
        }
    }

    /// Without slippage a taker's price was traded: inside the bar or at the last close. A resting
    /// order that had to wait for volume may get its own price when the market is beyond it, but
    /// nobody gets a better price than the bar has, nor a worse one than his limit.
    #[test]
    fn bars_fill_inside_their_range(seed in any::<u64>()) {
        let mut plain = setting(seed);
        plain.model.slippage = Slippage::default();
        plain.response = Latency::Constant(0);
        let market = random_market(seed, 0);
        let trader = Trader::new(seed, plain, &market).run();
        for (time, fact) in &trader.scenario.facts {
            let Fact::Filled { key, fill } = *fact else {
                continue;
            };
            let Fill { instrument, side, price, is_maker, .. } = fill;
            let order = trader.sent[key as usize].1;
            let bounds = order.price.filter(|_| !trader.scenario.is_amended(key));
            let worse = |limit| if side == BUY { price > limit } else { price < limit };
            prop_assert!(!bounds.is_some_and(worse));
            let timeframe = [MINUTE, 2 * MINUTE][instrument];
            let range = market.iter().find_map(|tape| match tape {
                Tape::Bars(of, length, rows) if *of == instrument && *length == timeframe => {
                    let near = rows
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| is_in_bar(*time, *at as i64 * timeframe, timeframe));
                    Some(near.fold((f64::MAX, f64::MIN), |(low, high), (_, bar)| {
                        (low.min(bar[2]), high.max(bar[1]))
                    }))
                }
                _ => None,
            });
            let (low, high) = range.unwrap();
            let price = price.0 as f64;
            let is_better = if side == BUY { price < low } else { price > high };
            prop_assert!(!is_better, "{price} at {time}: better than the bar");
            prop_assert!(is_maker || (low..=high).contains(&price), "{price} at {time}");
        }
    }
}
