// SPDX-License-Identifier: Apache-2.0
//! A recorded capture as a feed: a thread reads the file, waits as long as the recorder's stamps
//! say, and hands the frames to the hub, which takes them where a venue's would come in. A capture
//! does not say the trading rules; the grid is read from the decimals of the file itself, so a
//! price of the file is always on it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use hean_core::wire::frame::Level;
use hean_core::wire::line::{read_line, Line};
use hean_core::wire::{Frame, Market, Number, Venue};
use hean_core::{Instrument, Kind};
use mio::Waker;

use crate::config::Replay;

/// Frames that wait for the hub.
const QUEUE_MAX: usize = 256;
/// Longest line.
const LINE_MAX: u64 = 16 << 20;
/// A hole of the recording is not waited out for longer than this.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Finest grid, in decimals: what the core can count.
const DECIMALS_MAX: usize = 12;

/// What comes out of the file.
#[derive(Debug)]
pub enum Played {
    /// A frame.
    Frame(Vec<u8>),
    /// The connection of the recorder was lost here.
    Lost,
    /// The file has ended, with the reason if that is not its end.
    Ended(Option<String>),
}

/// Read the trading grid of the wanted symbols from a file.
///
/// # Errors
/// What is wrong with the file.
pub fn instruments(
    path: &Path,
    venue: Venue,
    market: Market,
    wanted: &[&str],
) -> Result<Vec<Instrument>, String> {
    let mut grids: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut nameless = [0; 2];
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next()? {
        let Ok(Line::Frame { payload, .. }) = read_line(line.trim_ascii()) else { continue };
        let Ok(frame) = venue.parse(&payload) else { continue };
        match frame.symbol() {
            Some(symbol) if !wanted.contains(&symbol) => {}
            Some(symbol) => measure(&frame, grids.entry(symbol.to_owned()).or_default()),
            None => measure(&frame, &mut nameless),
        }
    }
    let kind = if market == Market::Spot { Kind::Spot } else { Kind::LinearPerpetual };
    wanted
        .iter()
        .map(|symbol| {
            let Some(grid) = grids.get(*symbol) else {
                return Err(format!("{}: nothing of {symbol} in it", path.display()));
            };
            let [price, quantity] = [0, 1].map(|at| step(grid[at].max(nameless[at])));
            Instrument::new(symbol, kind, &price, &quantity).map_err(|error| error.to_string())
        })
        .collect()
}

fn step(decimals: usize) -> String {
    match decimals {
        0 => "1".to_owned(),
        decimals => format!("0.{}1", "0".repeat(decimals - 1)),
    }
}

fn measure(frame: &Frame<'_>, grid: &mut [usize; 2]) {
    let mut see = |at: usize, number: &Number<'_>| {
        let digits = number.text().split_once('.').map_or("", |(_, digits)| digits);
        let decimals = digits.trim_end_matches('0').len();
        grid[at] = grid[at].max(decimals.min(DECIMALS_MAX / 2));
    };
    let mut levels = |rows: &[Level<'_>]| {
        for level in rows {
            see(0, &level.price);
            see(1, &level.quantity);
        }
    };
    match frame {
        Frame::DepthDelta(delta) => {
            levels(&delta.bids);
            levels(&delta.asks);
        }
        Frame::DepthSnapshot(snapshot) => {
            levels(&snapshot.bids);
            levels(&snapshot.asks);
        }
        _ => {}
    }
}

/// Play a file from a thread of its own.
///
/// # Errors
/// No such file, or no thread.
pub fn start(replay: &Replay, waker: Arc<Waker>) -> Result<Receiver<Played>, String> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let (mut lines, speed) = (Lines::open(&replay.path)?, replay.speed);
    let play = move || {
        let ended = play(&mut lines, speed, &sender, &waker).err();
        if sender.send(Played::Ended(ended)).is_ok() {
            // The hub looks again in a moment anyway.
            let _ = waker.wake();
        }
    };
    let thread = thread::Builder::new().name("replay".to_owned()).spawn(play);
    thread.map(|_| receiver).map_err(|error| error.to_string())
}

fn play(
    lines: &mut Lines,
    speed: f64,
    sender: &SyncSender<Played>,
    waker: &Waker,
) -> Result<(), String> {
    let mut pace = Pace { speed, last_ns: None, due: Instant::now() };
    while let Some(line) = lines.next()? {
        let played = match read_line(line.trim_ascii()) {
            Ok(Line::Frame { received, payload, .. }) => {
                pace.wait(received.map(|received| received.ns));
                Played::Frame(payload.into_owned())
            }
            Ok(Line::Note(kind)) if kind == "disconnect" || kind == "lost" => Played::Lost,
            _ => continue,
        };
        if sender.send(played).is_err() {
            return Ok(()); // the hub has ended
        }
        waker.wake().map_err(|error| error.to_string())?;
    }
    Ok(())
}

struct Pace {
    speed: f64,
    last_ns: Option<i64>,
    due: Instant,
}

impl Pace {
    fn wait(&mut self, received_ns: Option<i64>) {
        let (Some(ns), true) = (received_ns, self.speed > 0.0) else { return };
        let since_ns = self.last_ns.map_or(0, |last| ns.saturating_sub(last).max(0));
        self.last_ns = Some(self.last_ns.map_or(ns, |last| last.max(ns)));
        let since = Duration::from_nanos(since_ns.unsigned_abs()).div_f64(self.speed);
        self.due += since.min(WAIT_MAX);
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
    }
}

struct Lines {
    file: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let is_gzip = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let file: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { file, line: Vec::new() })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, String> {
        self.line.clear();
        let mut part = (&mut self.file).take(LINE_MAX);
        match part.read_until(b'\n', &mut self.line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(&self.line)),
            Err(error) => Err(error.to_string()),
        }
    }
}
