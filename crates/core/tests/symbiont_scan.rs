// SPDX-License-Identifier: Apache-2.0
//! What the judge does in stretches and blocks is what it would do at once, row by row: agents,
//! windows side by side, columns of other symbols, and rows by time.
#![allow(clippy::unwrap_used)]

use hean_core::indicator::{Ema, Rsi};
use hean_core::number::Money;
use hean_core::rng::Random;
use hean_core::sim::{Fees, Slippage};
use hean_core::sizing::{Kelly, Method, Sizing};
use hean_core::symbiont::bank::{Bank, Rows, BLOCK, WORD};
use hean_core::symbiont::gene::{Input, Kind};
use hean_core::symbiont::scan::{Held, Scan, Signals, RING};
use hean_core::symbiont::tape::STRETCH;
use hean_core::symbiont::{judge, Expr, Genome, Ground, Recorded, Tape, Terms, Verdict};
use hean_core::{instrument, Instrument, Rate};

const SECOND_NS: i64 = 1_000_000_000;

fn terms() -> Terms {
    Terms {
        cash: Money::parse("10000").unwrap(),
        entry_ns: 4 * SECOND_NS,
        response_ns: 3 * SECOND_NS,
        slippage: Slippage { half_spread: 1e-4, impact: 0.5 },
        sizing: Sizing {
            method: Method::FixedFraction,
            fraction: 0.5,
            risk_fraction: 0.01,
            stop_deviations: 2.0,
            max_leverage: 3.0,
            kelly: Kelly { record: None, share_max: 0.25, exploration: 0.05 },
        },
        sample_step_ns: 1_800 * SECOND_NS,
        start_ns: 0,
    }
}

/// Bars with gaps, some of them without volume.
fn recorded(name: &str, draw: &mut Random, count: usize, seconds: i64, begin: i64) -> Recorded {
    let (mut time, mut price) = (begin, 30_000.0);
    let mut bars: [Vec<f64>; 5] = Default::default();
    let mut ts = Vec::new();
    for _ in 0..count {
        let gap = if draw.uniform() < 0.01 { (draw.uniform() * 900.0) as i64 } else { 0 };
        time += seconds + gap;
        ts.push(time * SECOND_NS);
        let jump = if draw.uniform() < 0.5 { draw.normal() } else { 0.0 };
        let open = (price * (1.0 + 2e-3 * jump)).round();
        price = (price * (1.0 + 1e-3 * draw.normal())).round();
        let reach = [draw.uniform(), draw.uniform()].map(|part| (part * 20.0).round());
        let volume = if draw.uniform() < 0.1 { 0.0 } else { 5.0 + draw.uniform() };
        let row = [open, open.max(price) + reach[0], open.min(price) - reach[1], price, volume];
        bars.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let times: Vec<i64> = (1..40).map(|at| (begin + at * 7_200) * SECOND_NS).collect();
    let rates = times.iter().map(|_| (draw.normal() * 1e4).round() * 1e-8).collect();
    let rate = |text| Rate::parse(text).unwrap();
    Recorded {
        instrument: Instrument::new(name, instrument::Kind::LinearPerpetual, "0.1", "0.001")
            .unwrap(),
        fees: Fees { maker: rate("0.0002"), taker: rate("0.0005"), liquidation: rate("0") },
        leverage: rate("3"),
        timeframe_ns: seconds * SECOND_NS,
        ts: ts.into(),
        bars: bars.map(Into::into),
        funding: (times, rates),
        extras: Vec::new(),
    }
}

/// Two symbols whose bars neither begin nor end together.
fn market(draw: &mut Random) -> Vec<Recorded> {
    vec![recorded("BTCUSDT", draw, 6_000, 60, 0), recorded("ETHUSDT", draw, 2_000, 180, 17)]
}

fn close() -> Box<Expr> {
    Box::new(Expr::Input(Input::Close))
}

/// In a share of the rows; in the last one of a word, where steps end, more often.
fn random_bits(draw: &mut Random, share: f64, count: usize) -> Held {
    let mut bit = |row: usize| {
        let share = if row % WORD == WORD - 1 { 0.4 } else { share };
        u64::from(row < count && draw.uniform() < share)
    };
    std::array::from_fn(|word| (0..WORD).fold(0, |bits, at| bits | bit(word * WORD + at) << at))
}

/// All at once, or in random steps; what is not known yet is noise.
fn played(scan: Scan<'_>, tapes: &[Tape], held: &[[Held; 3]], steps: Option<u64>) -> Verdict {
    let mut scan = scan;
    let mut draw = Random::new(steps.unwrap_or(0), 9);
    let mut until = if steps.is_some() { 0 } else { i64::MAX };
    loop {
        let mut seen = held.to_vec();
        let mut known = Vec::new();
        for (tape, held) in tapes.iter().zip(&mut seen) {
            let begun = tape.recorded.ts.partition_point(|&ts| ts < until);
            known.push(tape.len().min(begun.next_multiple_of(WORD)));
            let first = begun.div_ceil(WORD);
            held.iter_mut().for_each(|held| held[first..].fill(draw.bits()));
        }
        let signals = seen.iter().zip(&known);
        let signals: Vec<_> = signals
            .map(|(held, &known)| Signals { held: held.each_ref().map(Some), known })
            .collect();
        scan.play(&signals, until).unwrap();
        if until == i64::MAX {
            return scan.verdict().unwrap();
        }
        until += (draw.uniform() * 5_000.0) as i64 * SECOND_NS;
        if until > tapes[0].end(tapes[0].len() - 1).max(tapes[1].end(tapes[1].len() - 1)) {
            until = i64::MAX;
        }
    }
}

#[test]
fn an_agent_in_any_steps_comes_to_the_same_verdict() {
    let mut draw = Random::new(1, 0);
    let terms = terms();
    let recorded = market(&mut draw).into_iter();
    let tapes: Vec<Tape> = recorded.map(|it| Tape::new(it, &terms).unwrap()).collect();
    assert!(tapes.iter().all(|tape| tape.len() < RING * WORD));
    let mut trips = 0;
    for agent in 0..48 {
        let opens = || Some(Expr::Less(close(), close(), false));
        let (stop, hold) = (0.5 + draw.uniform() * 6.0, [0, 1, 7, 400][agent % 4]);
        let genome = Genome::new([opens(), opens(), opens()], stop, hold, 0.7).unwrap();
        let share = [0.3, 0.02, 0.001][agent % 3];
        let mut held = Vec::new();
        for tape in &tapes {
            let shares = [share, share, share / 3.0];
            held.push(shares.map(|it| random_bits(&mut draw, it, tape.len())));
        }
        let scan = || Scan::new(&genome, &tapes, &terms, true).unwrap();
        let whole = played(scan(), &tapes, &held, None);
        for seed in 1..4 {
            assert!(played(scan(), &tapes, &held, Some(seed)) == whole, "agent {agent}, {seed}");
        }
        trips += whole.trips.len();
    }
    assert!(trips > 4_000, "{trips}");
}

/// Where conditions hold on a symbol, of all its rows.
fn bits_of(tape: &Tape, genes: [&Expr; 3]) -> [Held; 3] {
    let mut bank = Bank::default();
    let places = genes.map(|gene| bank.condition(gene).unwrap());
    let mut held = [[0; RING]; 3];
    for from in (0..tape.len()).step_by(BLOCK) {
        bank.run(&tape.rows().part(from, tape.len().min(from + BLOCK)), &[]);
        for (held, &place) in held.iter_mut().zip(&places) {
            held[from / WORD..][..BLOCK / WORD].copy_from_slice(bank.held(place));
        }
    }
    held
}

/// Rules that trade bars with volume.
fn genomes() -> Vec<Genome> {
    let rsi = |window| Box::new(Expr::Indicator(Kind::Rsi, window, Some(close())));
    let number = |it| Box::new(Expr::Number(it));
    let traded = || {
        let volume = Box::new(Expr::Input(Input::Volume));
        Box::new(Expr::Less(number(0.0), volume, false))
    };
    let genome = |at: usize| {
        let (window, bound) = (2 + at, 25.0 + at as f64);
        let long = Box::new(Expr::Less(rsi(window), number(bound), false));
        let short = Box::new(Expr::Less(number(100.0 - bound), rsi(window), true));
        let opens = [long, short].map(|it| Some(Expr::And(it, traded())));
        let exit = Expr::Less(number(48.0), rsi(2 * window), false);
        let ([long, short], hold) = (opens, [0, 3, 500][at % 3]);
        Genome::new([long, short, Some(exit)], 1.0 + at as f64, hold, 0.4).unwrap()
    };
    (0..12).map(genome).collect()
}

#[test]
fn a_symbol_that_is_never_traded_changes_nothing() {
    let mut draw = Random::new(6, 0);
    let fast = recorded("BTCUSDT", &mut draw, 3 * RING * WORD / 2, 60, 0);
    let mut slow = recorded("ETHUSDT", &mut draw, STRETCH + 100, 3_600, 17);
    slow.bars[4] = vec![0.0; slow.ts.len()].into();
    // Equity is looked at for as long as the longer symbol goes on.
    let ended = |verdict: Verdict| Verdict { samples: Vec::new(), drawdown: 0.0, ..verdict };
    let judged = |recorded| {
        let ground = Ground::new(recorded, terms()).unwrap();
        judge(&ground, &genomes(), true).unwrap().into_iter().map(ended).collect::<Vec<_>>()
    };
    assert!(judged(vec![fast.clone(), slow]) == judged(vec![fast]));
}

#[test]
fn a_population_in_stretches_is_judged_as_each_agent_at_once() {
    let ground = Ground::new(market(&mut Random::new(5, 0)), terms()).unwrap();
    assert!(ground.tapes()[0].len() > STRETCH && STRETCH > ground.tapes()[1].len());
    let genomes = genomes();
    let verdicts = judge(&ground, &genomes, true).unwrap();
    for (genome, verdict) in genomes.iter().zip(verdicts) {
        let genes = [&genome.long, &genome.short, &genome.exit].map(|it| it.as_ref().unwrap());
        let held: Vec<_> = ground.tapes().iter().map(|tape| bits_of(tape, genes)).collect();
        let scan = Scan::new(genome, ground.tapes(), ground.terms(), true).unwrap();
        assert!(verdict == played(scan, ground.tapes(), &held, None));
        assert!(verdict.trips.len() > 20);
    }
}

#[test]
fn windows_side_by_side_say_what_each_says_alone() {
    let mut draw = Random::new(2, 0);
    let mut price = |at: usize| match at {
        3 | 700 | 1_300 => f64::NAN,
        600..650 => 100.0,
        _ => 100.0 + draw.normal(),
    };
    let close: Vec<f64> = (0..5 * BLOCK).map(&mut price).collect();
    let periods: Vec<usize> = (1..12).map(|at| at * at).collect();
    let mut bank = Bank::default();
    let mut places = Vec::new();
    for &period in &periods {
        for kind in [Kind::Ema, Kind::Rsi] {
            let of = Some(Box::new(Expr::Input(Input::Close)));
            places.push(bank.number(&Expr::Indicator(kind, period, of)).unwrap());
        }
    }
    let mut alone: Vec<_> =
        periods.iter().map(|&it| (Ema::new(it).unwrap(), Rsi::new(it).unwrap())).collect();
    for part in close.chunks(BLOCK) {
        let (open, high, low, volume, funding) = (part, part, part, part, part);
        let rows = Rows { open, high, low, close: part, volume, funding };
        bank.run(&rows, &[]);
        for (at, &value) in part.iter().enumerate() {
            let mut expected = Vec::new();
            for (ema, rsi) in alone.iter_mut().filter(|_| value.is_finite()) {
                expected.extend([ema.push(value), rsi.push(value)]);
            }
            expected.resize(places.len(), None);
            for (&place, expected) in places.iter().zip(expected) {
                let found = bank.value(&rows, &[], place)[at];
                assert_eq!(found.to_bits(), expected.unwrap_or(f64::NAN).to_bits(), "row {at}");
            }
        }
    }
}

#[test]
fn of_another_symbol_a_row_knows_what_was_over_before_it() {
    let ground = Ground::new(market(&mut Random::new(3, 0)), terms()).unwrap();
    let average = || Expr::Indicator(Kind::Ema, 9, Some(close()));
    for (symbol, other) in [(0, 1), (1, 0), (1, 1)] {
        let found = ground.column(symbol, &Expr::Of(other, Box::new(average()))).unwrap();
        let theirs = ground.column(other, &average()).unwrap();
        let (own, from) = (&ground.tapes()[symbol], &ground.tapes()[other]);
        assert_eq!(found.len(), own.len());
        for (row, value) in found.iter().enumerate() {
            let before = (0..from.len()).rev().find(|&it| from.end(it) < own.end(row));
            let expected = before.map_or(f64::NAN, |it| theirs[it]);
            assert_eq!(value.to_bits(), expected.to_bits(), "{other} at row {row} of {symbol}");
        }
    }
}

#[test]
fn rows_are_found_by_time_whatever_the_gaps() {
    let mut draw = Random::new(4, 0);
    let tape = Tape::new(recorded("BTCUSDT", &mut draw, 3_000, 60, 1_000), &terms()).unwrap();
    let ends: Vec<i64> = (0..tape.len()).map(|row| tape.end(row)).collect();
    let near = |row: usize| [-1, 0, 1].map(|shift| ends[row] + shift);
    let outside = [i64::MIN / 2, 0, ends[0] - 1, ends[ends.len() - 1] + 1, i64::MAX / 2];
    for time in (0..tape.len()).flat_map(near).chain(outside) {
        assert_eq!(tape.over(time, false), ends.partition_point(|&end| end <= time), "{time}");
        assert_eq!(tape.over(time, true), ends.partition_point(|&end| end < time), "{time}");
    }
}
