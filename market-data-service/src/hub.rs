// SPDX-License-Identifier: Apache-2.0
//! The one thread that owns everything: it waits for sockets, takes what came into the board, and
//! sends what is news before it waits again. Market data goes before questions: within a turn all
//! venues are heard, then listeners are written to, then requests are answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hean_core::book::Book;
use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use socket2::SockRef;

use crate::board::Board;
use crate::clients::Clients;
use crate::config::Config;
use crate::feed::Feed;
use crate::kafka::KafkaTopic;
use crate::log::{now_ns, say, Level};
use crate::metrics::Histogram;
use crate::publish::Publisher;
use crate::redis::RedisStream;
use crate::sources::{Sources, Turn, FEEDS};
use crate::symbol::Symbol;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const SIGNAL: Token = Token(2);
/// Tokens of clients begin here.
pub const CLIENTS: usize = 1 << 20;
const EVENTS: usize = 1_024;
const SCRATCH: usize = 64 << 10;
/// What the system keeps for a client that reads slowly; it takes twice of it.
const SEND_BUFFER: usize = 128 << 10;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long clients have to take the last words.
const GOODBYE: Duration = Duration::from_secs(2);

/// The whole service.
pub struct Hub {
    /// The market.
    pub board: Board,
    /// Where it comes from.
    pub sources: Sources,
    /// Who publishes it.
    pub publishers: Vec<Publisher>,
    /// When the process started.
    pub started: Instant,
    /// From a frame to the clients' sockets.
    pub latency: Histogram,
    poll: Poll,
    listener: Option<TcpListener>,
    /// Kept open; a byte in it ends the service.
    _signals: UnixStream,
    clients: Clients,
    scratch: Vec<u8>,
    again_feeds: Vec<usize>,
    ticked: Instant,
}

impl Hub {
    /// Open everything.
    ///
    /// # Errors
    /// What the system, or a capture, refuses: a port that is taken, a file that is not there.
    pub fn open(config: &Config) -> Result<(Self, SocketAddr), String> {
        let poll = Poll::new().map_err(|error| error.to_string())?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(|error| error.to_string())?;
        let (listener, address) = listen(&config.listen, &poll)?;
        let signals = signals(&poll).map_err(|error| error.to_string())?;
        let mut board = board_of(config);
        let sources = Sources::start(config, &mut board, &Arc::new(waker))?;
        let publishers = publishers(config).map_err(|error| error.to_string())?;
        board.is_publishing = !publishers.is_empty();
        let now = Instant::now();
        let topics = board.topics();
        let hub = Self {
            board,
            sources,
            publishers,
            started: now,
            latency: Histogram::default(),
            poll,
            listener: Some(listener),
            _signals: signals,
            clients: Clients::new(topics),
            scratch: vec![0; SCRATCH],
            again_feeds: Vec::new(),
            ticked: now,
        };
        Ok((hub, address))
    }

    /// Serve until a signal, or until a capture has ended and nobody is there any more.
    ///
    /// # Errors
    /// What makes it pointless to go on.
    pub fn run(&mut self) -> Result<(), String> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let has_more = !self.again_feeds.is_empty() || self.clients.has_more();
            let wait =
                if has_more { Duration::ZERO } else { TICK.saturating_sub(self.ticked.elapsed()) };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error.to_string());
                }
                _ => {}
            }
            if self.turn(&events)? {
                self.goodbye();
                return Ok(());
            }
        }
    }

    /// One turn. True: it is time to end.
    fn turn(&mut self, events: &Events) -> Result<bool, String> {
        let (now, at_ns) = (Instant::now(), now_ns());
        let mut is_end = self.hear(events, at_ns)?;
        if now.saturating_duration_since(self.ticked) >= TICK {
            self.ticked = now;
            self.sources.tick(now, &mut self.board, at_ns);
            self.board.beat(at_ns);
            self.clients.tick(now, &mut self.board);
            self.accept();
        }
        let had_news = self.tell(now, at_ns);
        if had_news {
            self.latency.observe(now.elapsed().as_secs_f64());
        }
        for event in events {
            match event.token() {
                Token(token) if token >= CLIENTS => self.clients.woke(token - CLIENTS, event),
                LISTENER => self.accept(),
                SIGNAL => is_end = true,
                _ => {}
            }
        }
        self.serve(now, at_ns);
        Ok(is_end)
    }

    /// All venues that have something to say.
    fn hear(&mut self, events: &Events, at_ns: i64) -> Result<bool, String> {
        let mut ready = std::mem::take(&mut self.again_feeds);
        let mut is_woken = self.sources.is_replay();
        for event in events {
            match event.token() {
                WAKER => is_woken = true,
                Token(token)
                    if (FEEDS..CLIENTS).contains(&token) && !ready.contains(&(token - FEEDS)) =>
                {
                    ready.push(token - FEEDS);
                }
                _ => {}
            }
        }
        for number in ready {
            let Some(feed) = self.sources.feeds.get_mut(number) else { continue };
            if feed.turn(&mut self.scratch, &mut self.board, at_ns) {
                self.again_feeds.push(number);
            }
        }
        if !is_woken {
            return Ok(false);
        }
        self.sources.answered(&mut self.board, self.poll.registry(), at_ns)?;
        Ok(self.sources.play(&mut self.board, at_ns) == Turn::Ended)
    }

    /// Send what is news. True if there was any.
    fn tell(&mut self, now: Instant, at_ns: i64) -> bool {
        let feeds = &self.sources.feeds;
        self.board.settle(at_ns, |symbol| book_of(feeds, symbol));
        for message in self.board.published.drain(..) {
            for publisher in &self.publishers {
                publisher.put(message.clone());
            }
        }
        if self.board.news.is_empty() {
            return false;
        }
        self.clients.tell(&mut self.board, now);
        true
    }

    fn serve(&mut self, now: Instant, at_ns: i64) {
        let mut clients = std::mem::replace(&mut self.clients, Clients::new(0));
        clients.serve(self, now, at_ns);
        self.clients = clients;
    }

    /// Where to read into.
    pub fn scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }

    /// Give it back.
    pub fn set_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.clients.add(stream, self.poll.registry()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody waits, or no file descriptor is left: the next tick tries again.
                Err(_) => return,
            }
        }
    }

    /// Take no more, say goodbye to venues and listeners, and give them a moment to hear it.
    fn goodbye(&mut self) {
        say(Level::Info, "stopping", &[("clients", json!(self.clients.count()))]);
        self.listener = None;
        let at_ns = now_ns();
        for feed in &mut self.sources.feeds {
            feed.down("stopping", &mut self.board, at_ns);
        }
        let deadline = Instant::now() + GOODBYE;
        self.clients.end_all(Instant::now());
        let mut events = Events::with_capacity(EVENTS);
        while self.clients.is_waited_for() && Instant::now() < deadline {
            if self.poll.poll(&mut events, Some(TICK)).is_err() {
                return;
            }
            self.clients.flush_all(Instant::now(), &mut self.board);
        }
    }
}

/// The book of a symbol, while it is whole and not silent.
#[must_use]
pub fn book_of<'a>(feeds: &'a [Feed], symbol: &Symbol) -> Option<&'a Book> {
    let (feed, of) = symbol.book_at.filter(|_| symbol.has_book)?;
    let live = feeds.get(feed)?.wire.book(of)?;
    live.id().map(|_| live.book())
}

fn board_of(config: &Config) -> Board {
    let symbols = config.places.iter().flat_map(|place| {
        let names = place.symbols.iter();
        names.map(|(pair, name)| {
            Symbol::new([pair, name], place.venue, place.market, &config.timeframes)
        })
    });
    Board::new(symbols.collect(), now_ns())
}

fn publishers(config: &Config) -> io::Result<Vec<Publisher>> {
    let redis = config.redis.clone().map(|server| Publisher::start(RedisStream::new(server)));
    let servers = Some(config.kafka.clone()).filter(|servers| !servers.is_empty());
    let kafka = servers.map(|servers| Publisher::start(KafkaTopic::new(servers)));
    redis.into_iter().chain(kafka).collect()
}

fn listen(place: &str, poll: &Poll) -> Result<(TcpListener, SocketAddr), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{place}: {error}");
    let std = std::net::TcpListener::bind(place).map_err(|error| failed(&error))?;
    std.set_nonblocking(true).map_err(|error| failed(&error))?;
    // Clients inherit it: what lies in the system's buffers cannot be replaced by anything newer.
    SockRef::from(&std).set_send_buffer_size(SEND_BUFFER).map_err(|error| failed(&error))?;
    let address = std.local_addr().map_err(|error| failed(&error))?;
    let mut listener = TcpListener::from_std(std);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)
        .map_err(|error| failed(&error))?;
    Ok((listener, address))
}

/// A pipe that can be read when the process shall end.
fn signals(poll: &Poll) -> io::Result<UnixStream> {
    let (mut reader, writer) = UnixStream::pair()?;
    let writer: std::os::unix::net::UnixStream = std::os::fd::OwnedFd::from(writer).into();
    signal_hook::low_level::pipe::register(SIGTERM, writer.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, writer)?;
    poll.registry().register(&mut reader, SIGNAL, Interest::READABLE)?;
    Ok(reader)
}
