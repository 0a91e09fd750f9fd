// SPDX-License-Identifier: Apache-2.0
//! Where data comes from: places with their rules, feeds and past candles, or one capture. It asks
//! the askers and takes their answers; a question that failed is asked again after a while. Data
//! enters the board here and nowhere else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{channel, Receiver, Sender, TryRecvError};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hean_core::wire::grid::Grid;
use hean_core::wire::{Frame, Venue};
use hean_core::Instrument;
use mio::{Registry, Token, Waker};
use serde_json::json;

use crate::ask::{Answer, Answered, Asker, Question};
use crate::board::Board;
use crate::config::{Config, Place};
use crate::feed::replay::{self, Played};
use crate::feed::{binance, bybit, Feed, Plan, Wish};
use crate::log::{now_ns, say, Level};
use crate::rest;
use crate::timeframe::Timeframe;
use crate::tls;

/// Tokens of feeds begin here; those of clients far above.
pub const FEEDS: usize = 16;
const AGAIN: Duration = Duration::from_secs(2);
/// Connects of all feeds in a window, as the rest of HEAN allows itself.
const CONNECTS_MAX: usize = 20;
const CONNECTS_WINDOW: Duration = Duration::from_secs(300);
/// Frames of a capture that one turn takes.
const TURN_FRAMES: usize = 256;
/// Questions of one place that are out at a time, so that books do not wait behind old candles.
const HISTORY_OUT_MAX: usize = 2;

enum Purpose {
    Where(usize),
    Rules { place: usize, of: usize },
    Depth { feed: usize, of: usize },
    History { place: usize, of: usize, length: usize },
}

struct Site {
    place: Place,
    asker: Asker,
    /// Numbers on the board.
    numbers: Vec<usize>,
    rules: Vec<Option<Instrument>>,
    rules_due: Option<Instant>,
    has_feeds: bool,
    /// Past candles to be asked for: index of the symbol, of the length.
    history: VecDeque<(usize, usize)>,
    history_due: Instant,
    history_out: usize,
}

/// All of it.
pub struct Sources {
    /// Feeds by number.
    pub feeds: Vec<Feed>,
    /// Questions that failed.
    pub failed: u64,
    sites: Vec<Site>,
    answers: Receiver<Answered>,
    purposes: BTreeMap<u64, Purpose>,
    asked: u64,
    connects: VecDeque<Instant>,
    tls: tls::Settings,
    timeframes: Vec<Timeframe>,
    depth: u32,
    played: Option<Receiver<Played>>,
}

/// What a turn of a capture came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing more for now.
    Done,
    /// There is more.
    More,
    /// The capture has ended.
    Ended,
}

impl Sources {
    /// Start what may wait.
    ///
    /// # Errors
    /// What the system, or the capture, refuses.
    pub fn start(config: &Config, board: &mut Board, waker: &Arc<Waker>) -> Result<Self, String> {
        let (sender, answers) = channel();
        let mut sources = Self {
            feeds: Vec::new(),
            failed: 0,
            sites: Vec::new(),
            answers,
            purposes: BTreeMap::new(),
            asked: 0,
            connects: VecDeque::new(),
            tls: tls::settings()?,
            timeframes: config.timeframes.clone(),
            depth: config.depth,
            played: None,
        };
        match &config.replay {
            Some(replay) => {
                let place = match config.places.as_slice() {
                    [place] => place,
                    _ => return Err("a capture is of one market; name symbols of one".to_owned()),
                };
                let wanted: Vec<&str> = place.symbols.iter().map(|(one, _)| one.as_str()).collect();
                let rules = replay::instruments(&replay.path, place.venue, place.market, &wanted)?;
                let numbers = numbers_of(place, board);
                sources.add_replay(place, &rules, numbers, board);
                sources.played = Some(replay::start(replay, Arc::clone(waker))?);
            }
            None => {
                for place in &config.places {
                    let site = sources.site(place, board, &sender, waker)?;
                    sources.sites.push(site);
                }
            }
        }
        Ok(sources)
    }

    fn site(
        &self,
        place: &Place,
        board: &Board,
        answers: &Sender<Answered>,
        waker: &Arc<Waker>,
    ) -> Result<Site, String> {
        let (tls, waker) = (Arc::clone(&self.tls), Arc::clone(waker));
        let asker = Asker::start(place.rest.clone(), tls, answers.clone(), waker);
        let now = Instant::now();
        Ok(Site {
            place: place.clone(),
            asker: asker.map_err(|error| error.to_string())?,
            numbers: numbers_of(place, board),
            rules: vec![None; place.symbols.len()],
            rules_due: Some(now),
            has_feeds: false,
            history: VecDeque::new(),
            history_due: now,
            history_out: 0,
        })
    }

    fn add_replay(
        &mut self,
        place: &Place,
        rules: &[Instrument],
        numbers: Vec<usize>,
        board: &mut Board,
    ) {
        set_grids(rules, &numbers, board, self.feeds.len());
        let plan = Plan {
            route: "capture",
            address: place.stream.clone(),
            topics: Vec::new(),
            has_books: true,
        };
        let mut feed = Feed::new(place.venue, place.market, 0, plan, rules, numbers);
        feed.resolving(); // it never connects
        feed.fault.clear();
        self.feeds.push(feed);
    }

    /// Whether data comes from a capture.
    #[must_use]
    pub const fn is_replay(&self) -> bool {
        self.played.is_some()
    }

    fn ask(&mut self, place: usize, question: Question, purpose: Purpose) -> bool {
        let Some(site) = self.sites.get(place) else { return false };
        self.asked += 1;
        let is_asked = site.asker.ask(self.asked, question);
        if is_asked {
            self.purposes.insert(self.asked, purpose);
        }
        is_asked
    }

    /// Take the answers that have come.
    ///
    /// # Errors
    /// A symbol that the venue does not list: nothing can be done with it.
    pub fn answered(
        &mut self,
        board: &mut Board,
        registry: &Registry,
        at_ns: i64,
    ) -> Result<(), String> {
        loop {
            let Answered { number, answer } = match self.answers.try_recv() {
                Ok(answered) => answered,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            };
            let Some(purpose) = self.purposes.remove(&number) else { continue };
            if let Answer::Failed(why) | Answer::Refused(why) = &answer {
                self.failed += 1;
                say(Level::Warn, "question failed", &[("why", json!(why))]);
            }
            match (purpose, answer) {
                (Purpose::Where(feed), answer) => self.placed(feed, answer, registry),
                (Purpose::Rules { place, of }, Answer::Body(body)) => {
                    self.ruled(place, of, &body, board)?;
                }
                (Purpose::Rules { .. }, Answer::Refused(why)) => return Err(why),
                (Purpose::Rules { place, .. }, _) => self.retry_rules(place),
                (Purpose::Depth { feed, of }, Answer::Body(body)) => {
                    if let Some(feed) = self.feeds.get_mut(feed) {
                        feed.snapshot(of, &body, board, at_ns);
                    }
                }
                (Purpose::Depth { .. }, _) => {} // it stays due and is asked for again
                (Purpose::History { place, of, length }, answer) => {
                    self.remembered(place, of, length, answer, board);
                }
            }
        }
    }

    fn placed(&mut self, feed: usize, answer: Answer, registry: &Registry) {
        let at = match answer {
            Answer::Place(at) => Ok(at),
            Answer::Failed(why) | Answer::Refused(why) => Err(why),
            Answer::Body(_) => return,
        };
        let random = [now_ns().unsigned_abs(), self.asked << 32 | u64::from(std::process::id())];
        let tls = Arc::clone(&self.tls);
        if let Some(it) = self.feeds.get_mut(feed) {
            it.connect(at, &tls, registry, Token(FEEDS + feed), random);
        }
    }

    fn retry_rules(&mut self, place: usize) {
        if let Some(site) = self.sites.get_mut(place) {
            site.rules_due = Some(Instant::now() + AGAIN);
        }
    }

    fn ruled(
        &mut self,
        place: usize,
        of: usize,
        body: &[u8],
        board: &mut Board,
    ) -> Result<(), String> {
        let Some(site) = self.sites.get_mut(place) else { return Ok(()) };
        let wanted: Vec<&str> = site.place.symbols.iter().map(|(one, _)| one.as_str()).collect();
        let (venue, market) = (site.place.venue, site.place.market);
        let found = match rest::rules(venue, market, body, &wanted) {
            Ok(found) => found,
            Err(why) => {
                let about = [("venue", json!(venue.name())), ("why", json!(why))];
                say(Level::Warn, "rules not understood", &about);
                self.retry_rules(place);
                return Ok(());
            }
        };
        for rules in found {
            let at = wanted.iter().position(|symbol| *symbol == rules.symbol);
            if let Some(slot) = at.and_then(|at| site.rules.get_mut(at)) {
                *slot = Some(rules);
            }
        }
        if site.rules.get(of).is_some_and(Option::is_none) {
            let symbol = wanted.get(of).unwrap_or(&"");
            let (venue, market) = (venue.name(), market.name());
            return Err(format!("{venue} {market} does not list {symbol}"));
        }
        if !site.has_feeds && site.rules.iter().all(Option::is_some) {
            self.open_feeds(place, board);
        }
        Ok(())
    }

    fn open_feeds(&mut self, place: usize, board: &mut Board) {
        let Some(site) = self.sites.get_mut(place) else { return };
        site.has_feeds = true;
        let rules: Vec<Instrument> = site.rules.iter().flatten().cloned().collect();
        let plans = match site.place.venue {
            Venue::Bybit => bybit::plans(&site.place, self.depth, &self.timeframes),
            Venue::Binance => binance::plans(&site.place, &self.timeframes),
        };
        let (venue, market) = (site.place.venue, site.place.market);
        for plan in plans {
            if plan.has_books {
                set_grids(&rules, &site.numbers, board, self.feeds.len());
            }
            let numbers = site.numbers.clone();
            self.feeds.push(Feed::new(venue, market, place, plan, &rules, numbers));
        }
    }

    fn remembered(
        &mut self,
        place: usize,
        of: usize,
        length: usize,
        answer: Answer,
        board: &mut Board,
    ) {
        let Some(site) = self.sites.get_mut(place) else { return };
        site.history_out = site.history_out.saturating_sub(1);
        let rows = match answer {
            Answer::Body(body) => rest::candles(site.place.venue, &body),
            _ => Err("no answer".to_owned()),
        };
        match (rows, site.numbers.get(of)) {
            (Ok(rows), Some(number)) => board.history(*number, length, &rows, now_ns()),
            (Err(why), _) => {
                say(Level::Warn, "no past candles", &[("why", json!(why))]);
                site.history.push_back((of, length));
                site.history_due = Instant::now() + AGAIN;
            }
            (Ok(_), None) => {}
        }
    }

    /// Look at the clock.
    pub fn tick(&mut self, now: Instant, board: &mut Board, at_ns: i64) {
        let mut wishes = Vec::new();
        for number in 0..self.feeds.len() {
            let Some(feed) = self.feeds.get_mut(number) else { continue };
            feed.tick(now, board, at_ns, &mut wishes);
            let (place, is_new) = (feed.place, feed.take_opening());
            if is_new {
                self.want_history(place);
            }
            if self.may_connect(number, now) {
                wishes.push(Wish::Where);
            }
            for wish in wishes.drain(..) {
                self.fulfil(number, place, wish, now);
            }
        }
        for place in 0..self.sites.len() {
            self.ask_rules(place, now);
            self.ask_history(place, now);
        }
    }

    fn may_connect(&mut self, feed: usize, now: Instant) -> bool {
        if !self.feeds.get(feed).is_some_and(|feed| feed.wants_to_connect(now)) {
            return false;
        }
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= CONNECTS_WINDOW;
        while self.connects.front().is_some_and(is_old) {
            self.connects.pop_front();
        }
        self.connects.len() < CONNECTS_MAX
    }

    fn fulfil(&mut self, number: usize, place: usize, wish: Wish, now: Instant) {
        let Some(feed) = self.feeds.get_mut(number) else { return };
        match wish {
            Wish::Where => {
                let address = feed.address.clone();
                if self.ask(place, Question::Where(address), Purpose::Where(number)) {
                    self.connects.push_back(now);
                    if let Some(feed) = self.feeds.get_mut(number) {
                        feed.resolving();
                    }
                }
            }
            Wish::Depth(of) => {
                let Some(symbol) = feed.symbols.get(of) else { return };
                let path = rest::depth_path(feed.market, symbol);
                self.ask(place, Question::Get(path), Purpose::Depth { feed: number, of });
            }
        }
    }

    fn ask_rules(&mut self, place: usize, now: Instant) {
        let Some(site) = self.sites.get_mut(place) else { return };
        if site.rules_due.is_none_or(|due| now < due) {
            return;
        }
        site.rules_due = None;
        let (venue, market) = (site.place.venue, site.place.market);
        let mut paths: Vec<(usize, String)> = Vec::new();
        for (of, (symbol, _)) in site.place.symbols.iter().enumerate() {
            let path = rest::rules_path(venue, market, symbol);
            let is_new = paths.iter().all(|(_, known)| *known != path);
            if is_new && site.rules.get(of).is_some_and(Option::is_none) {
                paths.push((of, path));
            }
        }
        for (of, path) in paths {
            if !self.ask(place, Question::Get(path), Purpose::Rules { place, of }) {
                self.retry_rules(place);
            }
        }
    }

    fn want_history(&mut self, place: usize) {
        let lengths = self.timeframes.len();
        let Some(site) = self.sites.get_mut(place) else { return };
        for length in 0..lengths {
            for of in 0..site.numbers.len() {
                if !site.history.contains(&(of, length)) {
                    site.history.push_back((of, length));
                }
            }
        }
    }

    fn ask_history(&mut self, place: usize, now: Instant) {
        loop {
            let Some(site) = self.sites.get_mut(place) else { return };
            if now < site.history_due || site.history_out >= HISTORY_OUT_MAX {
                return;
            }
            let Some((of, length)) = site.history.pop_front() else { return };
            let (venue, market) = (site.place.venue, site.place.market);
            let symbol = site.place.symbols.get(of).map(|(symbol, _)| symbol);
            let timeframe = self.timeframes.get(length);
            let Some((symbol, timeframe)) = symbol.zip(timeframe) else { return };
            let Some(path) = rest::candles_path(venue, market, symbol, timeframe) else { return };
            if !self.ask(place, Question::Get(path), Purpose::History { place, of, length }) {
                self.want_history(place); // when there is room again
                return;
            }
            if let Some(site) = self.sites.get_mut(place) {
                site.history_out += 1;
            }
        }
    }

    /// Take what a capture has.
    pub fn play(&mut self, board: &mut Board, at_ns: i64) -> Turn {
        let (Some(played), Some(feed)) = (&self.played, self.feeds.first_mut()) else {
            return Turn::Done;
        };
        for _ in 0..TURN_FRAMES {
            match played.try_recv() {
                Ok(Played::Frame(bytes)) => play_frame(feed, &bytes, board, at_ns),
                Ok(Played::Lost) => {
                    feed.down("lost in the recording", board, at_ns);
                    feed.resolving();
                }
                Ok(Played::Ended(why)) => {
                    say(Level::Info, "capture ended", &[("why", json!(why))]);
                    return Turn::Ended;
                }
                Err(_) => return Turn::Done,
            }
        }
        Turn::More
    }
}

/// A recorded snapshot by REST has no symbol; in a capture of one symbol it is of that.
fn play_frame(feed: &mut Feed, bytes: &[u8], board: &mut Board, at_ns: i64) {
    let is_snapshot = feed.symbols.len() == 1
        && matches!(feed.venue.parse(bytes), Ok(Frame::DepthSnapshot(it)) if it.symbol.is_none());
    if is_snapshot {
        feed.snapshot(0, bytes, board, at_ns);
    } else {
        feed.recorded(bytes, board, at_ns);
    }
}

fn numbers_of(place: &Place, board: &Board) -> Vec<usize> {
    place.symbols.iter().filter_map(|(_, name)| board.find(name)).collect()
}

fn set_grids(rules: &[Instrument], numbers: &[usize], board: &mut Board, feed: usize) {
    for (of, (rules, number)) in rules.iter().zip(numbers).enumerate() {
        if let Some(symbol) = board.symbols.get_mut(*number) {
            symbol.grid = Some(Grid::new(rules.clone()));
            symbol.book_at = Some((feed, of));
        }
    }
}
