// SPDX-License-Identifier: Apache-2.0
//! Features: what a model is shown of the market. One kernel takes ticks, books, bars and funding
//! and says the present value of every feature, in training as in trading; the two cannot differ.
//! A feature is its name: family, period or half-life, and `_z` for its robust score against the
//! last 1,440 bars. Times are those of the facts, never of their arrival. Values are rounded to
//! single precision, because that is what ONNX and XGBoost see. Undefined is NaN.

mod bars;
mod flow;
mod robust;

use crate::error::{Code, CoreError, Result};
use crate::indicator::{seal, unseal, Reader, State, INPUT_MAX};
use bars::{Bar, Kernel, Memory, FAMILIES, MACD_SLOW};
use flow::{Flow, Measure};
use robust::RobustWindow;

/// Bars in the window of a robust score: a day of minutes.
pub const SCORE_BARS: usize = 1440;
/// Most features of a set.
pub const FEATURES_MAX: usize = 1000;
/// Longest half-life, in seconds: a week.
pub const HALF_LIFE_MAX_S: u64 = 604_800;

const NAME: &str = "FeatureSet";
const DAY_NS: u64 = 86_400_000_000_000;
const SECOND_NS: f64 = 1e9;
/// 1970-01-01 was a Thursday; weeks begin on Monday.
const MONDAY_NS: u64 = 4 * DAY_NS;
const HOUR_AND_WEEK: [(&str, u64, bool); 4] = [
    ("hour_sin", DAY_NS, false),
    ("hour_cos", DAY_NS, true),
    ("week_sin", 7 * DAY_NS, false),
    ("week_cos", 7 * DAY_NS, true),
];
const FLOWS: [(&str, Measure, &str, &str); 5] = [
    ("drift", Measure::Drift, "tick", "log return"),
    ("tick_volatility", Measure::Volatility, "tick", "log return a root second"),
    ("trade_imbalance", Measure::TradeImbalance, "tick", "-1 to 1"),
    ("trade_rate", Measure::TradeRate, "tick", "log trades a second"),
    ("ofi", Measure::FlowImbalance, "book", "-1 to 1"),
];
/// Half-lives after which what was before weighs less than a millionth.
const HALF_LIVES_SETTLED: f64 = 20.0;

/// What a feature is, for whoever has to decide whether two are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name, which says everything about how it is computed.
    pub name: String,
    /// Changes whenever the same name would give another number.
    pub version: u32,
    /// Facts it is computed from: `tick`, `book`, `bar`, `funding` or `time`.
    pub inputs: &'static str,
    /// Seconds after which older facts no longer matter.
    pub lookback_s: f64,
    /// Seconds until the first value.
    pub warmup_s: f64,
    /// Seconds in which what it remembers loses half its weight.
    pub half_life_s: f64,
    /// Unit of the number.
    pub unit: String,
}

/// Where a feature's number comes from.
enum Origin {
    Bars(Box<dyn Kernel>),
    Flow(usize, Measure),
    Spread,
    Micro,
    Depth(usize),
    Funding,
    Clock(u64, bool),
}

struct Feature {
    spec: Spec,
    origin: Origin,
    /// The value as of the last bar, for features of bars.
    held: Option<f64>,
    score: Option<RobustWindow>,
}

/// The features of one symbol.
pub struct FeatureSet {
    features: Vec<Feature>,
    flow: Flow,
    bar_ns: u64,
    close: Option<f64>,
    funding: Option<f64>,
    n_seen: u64,
}

impl FeatureSet {
    /// Features by name, over bars of this length. *Errors*: `ParameterInvalid` for a name that
    /// means nothing, or comes twice.
    pub fn new(names: &[String], bar_ns: u64) -> Result<Self> {
        let count = names.len();
        if count == 0 || count > FEATURES_MAX || bar_ns == 0 || bar_ns > 7 * DAY_NS {
            let seen = format!("{count} features over bars of {bar_ns} ns");
            let allowed = format!("1 to {FEATURES_MAX}, bars up to a week");
            return Err(refuse(&format!("{seen}; allowed are {allowed}")));
        }
        let mut flow = Flow::new();
        let mut features: Vec<Feature> = Vec::with_capacity(count);
        for name in names {
            if features.iter().any(|other| other.spec.name == *name) {
                return Err(refuse(&format!("{name} is named twice")));
            }
            features.push(feature(name, bar_ns, &mut flow)?);
        }
        Ok(Self { features, flow, bar_ns, close: None, funding: None, n_seen: 0 })
    }

    /// What each feature is, in order.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.features.iter().map(|feature| &feature.spec)
    }

    /// Number of facts taken.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Take a trade or quote. A bad number is refused and the state stays as it was.
    pub fn tick(
        &mut self,
        ts_ns: u64,
        price: f64,
        volume: f64,
        quote: [Option<f64>; 2],
    ) -> Result<()> {
        positive("price", price)?;
        counted("volume", volume)?;
        for side in quote.into_iter().flatten() {
            positive("quote", side)?;
        }
        self.flow.tick(ts_ns, price, volume, quote);
        self.n_seen += 1;
        Ok(())
    }

    /// Take a book, or what changed in it: levels as (price, size), size 0 for gone. *Errors*: a
    /// bad number, the state is unchanged; `BookCrossed`, the book is empty until the next whole
    /// one.
    pub fn book(
        &mut self,
        ts_ns: u64,
        bids: &[(f64, f64)],
        asks: &[(f64, f64)],
        is_snapshot: bool,
    ) -> Result<()> {
        for (price, size) in bids.iter().chain(asks) {
            positive("price", *price)?;
            counted("size", *size)?;
        }
        self.flow.book(ts_ns, bids, asks, is_snapshot)?;
        self.n_seen += 1;
        Ok(())
    }

    /// Take a closed bar. A bad number is refused and the state stays as it was.
    pub fn bar(&mut self, [open, high, low, close]: [f64; 4], volume: f64) -> Result<()> {
        for price in [open, high, low, close] {
            positive("price", price)?;
        }
        counted("volume", volume)?;
        if high < low {
            return Err(CoreError::new(Code::DataInvalid, format!("bar: high {high} low {low}")));
        }
        let change = self.close.replace(close).map(|before| (close / before).ln());
        let bar = Bar { open, high, low, close, volume, change };
        for feature in &mut self.features {
            if let Origin::Bars(kernel) = &mut feature.origin {
                feature.held = kernel.push(&bar);
            }
        }
        for at in 0..self.features.len() {
            // Scores of what moves between bars are against its values at the bars' ends.
            let value = self.plain(at, 0);
            let feature = &mut self.features[at];
            if let (Some(window), Some(value)) = (&mut feature.score, value) {
                window.push(value);
            }
        }
        self.n_seen += 1;
        Ok(())
    }

    /// Take a funding rate, a fraction of the position's value.
    pub fn funding(&mut self, rate: f64) -> Result<()> {
        if rate.is_nan() || rate.abs() > 1.0 {
            let message = format!("features: funding rate {rate}; a fraction from -1 to 1 is due");
            return Err(CoreError::new(Code::NumberOutOfRange, message));
        }
        self.funding = Some(rate);
        self.n_seen += 1;
        Ok(())
    }

    /// Write every feature's value as of this moment, in order; NaN where undefined.
    pub fn values(&self, ts_ns: u64, to: &mut Vec<f64>) {
        to.clear();
        to.extend((0..self.features.len()).map(|at| {
            let value = self.plain(at, ts_ns);
            let value = match &self.features[at].score {
                Some(window) => value.and_then(|value| window.score(value)),
                None => value,
            };
            value.map_or(f64::NAN, |value| f64::from(value as f32))
        }));
    }

    /// The complete state as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        seal(NAME, |to| {
            self.bar_ns.save(to);
            for feature in &self.features {
                name_word(&feature.spec.name).save(to);
                feature.held.save(to);
                if let Origin::Bars(kernel) = &feature.origin {
                    kernel.save(to);
                }
                if let Some(window) = &feature.score {
                    window.save(to);
                }
            }
            self.flow.save(to);
            self.close.save(to);
            self.funding.save(to);
            self.n_seen.save(to);
        })
    }

    /// Take over a snapshot of the same features. Anything else is refused and the state stays as
    /// it was.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let mut from = unseal(NAME, snapshot)?;
        let names: Vec<String> = self.specs().map(|spec| spec.name.clone()).collect();
        let mut next = Self::new(&names, self.bar_ns)?;
        next.load(&mut from)?;
        from.finish()?;
        *self = next;
        Ok(())
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("bar", self.bar_ns)?;
        for feature in &mut self.features {
            from.expect_equal(&feature.spec.name, name_word(&feature.spec.name))?;
            feature.held.load(from)?;
            if let Origin::Bars(kernel) = &mut feature.origin {
                kernel.load(from)?;
            }
            if let Some(window) = &mut feature.score {
                window.load(from)?;
            }
        }
        self.flow.load(from)?;
        self.close.load(from)?;
        self.funding.load(from)?;
        self.n_seen.load(from)
    }

    /// A feature before its score.
    fn plain(&self, at: usize, ts_ns: u64) -> Option<f64> {
        let feature = &self.features[at];
        match feature.origin {
            Origin::Bars(_) => feature.held,
            Origin::Flow(sums, measure) => self.flow.measure(sums, measure),
            Origin::Spread => self.flow.spread(),
            Origin::Micro => self.flow.micro(),
            Origin::Depth(levels) => self.flow.depth_imbalance(levels),
            Origin::Funding => self.funding.map(|rate| rate * 1e4),
            Origin::Clock(period_ns, is_cosine) => {
                let since_ns = (ts_ns + 7 * DAY_NS - MONDAY_NS) % period_ns;
                let turn = since_ns as f64 / period_ns as f64 * std::f64::consts::TAU;
                Some(if is_cosine { turn.cos() } else { turn.sin() })
            }
        }
    }
}

/// Make a feature from its name.
fn feature(name: &str, bar_ns: u64, flow: &mut Flow) -> Result<Feature> {
    let (base, is_scored) = name.strip_suffix("_z").map_or((name, false), |base| (base, true));
    let bar_s = bar_ns as f64 / SECOND_NS;
    let (origin, inputs, times, unit) = origin(base, bar_s, flow)
        .unwrap_or_else(|| Err(refuse(&format!("no feature {name:?}; there are {}", known()))))?;
    if is_scored && matches!(origin, Origin::Clock(..)) {
        return Err(refuse(&format!("{name}: the time of day has no score")));
    }
    let window_s = if is_scored { SCORE_BARS as f64 * bar_s } else { 0.0 };
    let [lookback_s, warmup_s, half_life_s] = times;
    let spec = Spec {
        name: name.to_owned(),
        version: 1,
        inputs,
        lookback_s: lookback_s + window_s,
        warmup_s: warmup_s + window_s,
        half_life_s: half_life_s.max(0.5 * window_s),
        unit: if is_scored { "robust deviations".to_owned() } else { unit.to_owned() },
    };
    let score = is_scored.then(|| RobustWindow::new(SCORE_BARS));
    Ok(Feature { spec, origin, held: None, score })
}

/// Origin, inputs, [lookback, warm-up, half-life] in seconds, unit.
type Origins = (Origin, &'static str, [f64; 3], &'static str);

fn origin(name: &str, bar_s: f64, flow: &mut Flow) -> Option<Result<Origins>> {
    if let Some((_, period_ns, is_cosine)) = HOUR_AND_WEEK.iter().find(|(own, ..)| *own == name) {
        return Some(Ok((Origin::Clock(*period_ns, *is_cosine), "time", [0.0; 3], "-1 to 1")));
    }
    let plain = match name {
        "spread" => Some((Origin::Spread, "tick", [0.0; 3], "basis points")),
        "micro" => Some((Origin::Micro, "book", [0.0; 3], "basis points")),
        "funding" => Some((Origin::Funding, "funding", [0.0; 3], "basis points")),
        _ => None,
    };
    if plain.is_some() {
        return plain.map(Ok);
    }
    let (family, number) = name.rsplit_once('_').unwrap_or((name, ""));
    if family == "imbalance" {
        let levels = number.parse().ok().filter(|levels| (1..=1000).contains(levels))?;
        return Some(Ok((Origin::Depth(levels), "book", [0.0; 3], "-1 to 1")));
    }
    if let Some((_, measure, inputs, unit)) = FLOWS.iter().find(|(own, ..)| *own == family) {
        let seconds: u64 = number.strip_suffix('s')?.parse().ok()?;
        if !(1..=HALF_LIFE_MAX_S).contains(&seconds) {
            let allowed = format!("allowed 1 to {HALF_LIFE_MAX_S}");
            return Some(Err(refuse(&format!("{name}: half-life of {seconds} s; {allowed}"))));
        }
        let half_life = seconds as f64;
        let times = [HALF_LIVES_SETTLED * half_life, 2.0 * half_life, half_life];
        let at = flow.half_life(half_life);
        return Some(Ok((Origin::Flow(at, *measure), inputs, times, unit)));
    }
    of_bars(name, family, number, bar_s)
}

fn of_bars(name: &str, family: &str, number: &str, bar_s: f64) -> Option<Result<Origins>> {
    let found = FAMILIES.iter().find(|it| it.name == if it.has_period { family } else { name })?;
    let period: usize = if found.has_period { number.parse().ok()? } else { 1 };
    if period > bars::PERIOD_MAX {
        let allowed = format!("allowed up to {}", bars::PERIOD_MAX);
        return Some(Err(refuse(&format!("{name}: {period} bars; {allowed}"))));
    }
    let made = (found.make)(period).map(|kernel| {
        let (warmup, settled) = kernel.warmup();
        let half_life = match (found.name, &found.memory) {
            ("macd", _) => Memory::Wilder.half_life_bars(MACD_SLOW / 2),
            (_, memory) => memory.half_life_bars(period),
        };
        let times = [settled as f64, warmup as f64, half_life].map(|bars| bars * bar_s);
        (Origin::Bars(kernel), "bar", times, found.unit)
    });
    Some(made)
}

fn known() -> String {
    let with_period = FAMILIES.iter().filter(|it| it.has_period).map(|it| format!("{}_N", it.name));
    let without = FAMILIES.iter().filter(|it| !it.has_period).map(|it| it.name.to_owned());
    let flows = FLOWS.iter().map(|(name, ..)| format!("{name}_Ns"));
    let clocks = HOUR_AND_WEEK.iter().map(|(name, ..)| (*name).to_owned());
    let others = ["imbalance_N", "spread", "micro", "funding"].map(str::to_owned);
    let names: Vec<String> =
        with_period.chain(without).chain(flows).chain(clocks).chain(others).collect();
    format!("{}, each also with _z", names.join(", "))
}

/// A name as one word, to tell snapshots apart.
fn name_word(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn positive(what: &str, value: f64) -> Result<()> {
    if value > 0.0 {
        return counted(what, value);
    }
    let code = if value.is_nan() { Code::NumberNotFinite } else { Code::NumberOutOfRange };
    Err(CoreError::new(code, format!("features: {what} {value}; above 0 is due")))
}

fn counted(what: &str, value: f64) -> Result<()> {
    if (0.0..=INPUT_MAX).contains(&value) {
        return Ok(());
    }
    let code = if value.is_finite() { Code::NumberOutOfRange } else { Code::NumberNotFinite };
    let message = format!("features: {what} {value}; 0 to {INPUT_MAX:e} is due; state unchanged");
    Err(CoreError::new(code, message))
}

fn refuse(how: &str) -> CoreError {
    CoreError::new(Code::ParameterInvalid, format!("features: {how}"))
}
