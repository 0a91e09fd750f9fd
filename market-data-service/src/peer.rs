// SPDX-License-Identifier: Apache-2.0
//! One client: first HTTP, and after an upgrade a listener of the stream. What it is to be sent
//! waits here: of a state the newest, of facts each, up to a bound; who does not take them is let
//! go and may come back. Frames are shared by all who hear them; here are only references.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::board::News;
use crate::frame::{self, Decoder};

/// What may wait for a client.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;
/// Topics of a client.
pub const TOPICS_MAX: usize = 64;
/// Longest command of a listener.
pub const COMMAND_MAX: usize = 4 << 10;
/// Commands of a listener in a second.
pub const COMMANDS_MAX: u32 = 100;
/// Close code of a client that does not take what it asked for.
pub const TOO_SLOW: u16 = 4408;
/// Close code of a client that asks too often.
pub const TOO_OFTEN: u16 = 4429;
/// Answers that may wait before further requests of the client are read.
const OUTPUT_MAX: usize = 256 << 10;
const SLICES: usize = 64;
const IDLE: Duration = Duration::from_secs(75);
const HALF: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(2);
const PING: Duration = Duration::from_secs(20);

struct Waiting {
    topic: usize,
    is_state: bool,
    frame: Arc<[u8]>,
}

/// The stream of a listener.
pub struct Socket {
    /// Takes its frames apart.
    pub decoder: Decoder,
    /// What it hears.
    pub topics: Vec<usize>,
    second: Instant,
    commands: u32,
    signed: Instant,
    pinged: Instant,
}

/// One client.
pub struct Peer {
    /// Bytes that were read and not taken.
    pub input: Vec<u8>,
    /// Answers that are to be sent.
    pub output: Vec<u8>,
    /// After the upgrade.
    pub socket: Option<Socket>,
    /// It is in the hub's list of those to flush.
    pub is_listed: bool,
    /// Nothing more is read; it ends when all is sent.
    pub is_ending: bool,
    stream: TcpStream,
    queue: VecDeque<Waiting>,
    queued: usize,
    sent: usize,
    moved: Instant,
    shut: Option<Instant>,
}

/// How a reading went.
#[derive(Debug, PartialEq, Eq)]
pub enum Intake {
    /// All that was there.
    Drained,
    /// There may be more.
    More,
    /// The client is gone.
    Gone,
}

impl Peer {
    /// A client that has just come.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Self {
            input: Vec::new(),
            output: Vec::new(),
            socket: None,
            is_listed: false,
            is_ending: false,
            stream,
            queue: VecDeque::new(),
            queued: 0,
            sent: 0,
            moved: Instant::now(),
            shut: None,
        }
    }

    /// Its socket, for the poll.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Read what is there, at most one buffer.
    pub fn read(&mut self, scratch: &mut [u8], now: Instant) -> Intake {
        loop {
            return match self.stream.read(scratch) {
                Ok(0) => Intake::Gone,
                Ok(count) => {
                    self.moved = now;
                    if !self.is_ending {
                        self.input.extend_from_slice(&scratch[..count]);
                    }
                    // A stream that gave less than it was asked for has no more.
                    if count < scratch.len() {
                        Intake::Drained
                    } else {
                        Intake::More
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => Intake::Drained,
                    io::ErrorKind::Interrupted => continue,
                    _ => Intake::Gone,
                },
            };
        }
    }

    /// Whether its next request may be answered.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.is_ending && self.output.len() < OUTPUT_MAX
    }

    /// It listens from now on.
    pub fn listen(&mut self, now: Instant) {
        self.socket = Some(Socket {
            decoder: Decoder::new(true, COMMAND_MAX),
            topics: Vec::new(),
            second: now,
            commands: 0,
            signed: now,
            pinged: now,
        });
    }

    /// Whether it may say one more thing in this second.
    pub fn may_command(&mut self, now: Instant) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        socket.signed = now;
        if now.saturating_duration_since(socket.second) >= Duration::from_secs(1) {
            (socket.second, socket.commands) = (now, 0);
        }
        socket.commands += 1;
        socket.commands <= COMMANDS_MAX
    }

    /// Put news into its queue. False: it was too slow. The second value: an older state went.
    pub fn put(&mut self, news: &News) -> (bool, bool) {
        if self.is_ending {
            return (true, false);
        }
        if news.is_state {
            // The one in front may be half sent.
            let begun = usize::from(self.sent > 0);
            let old = self.queue.iter_mut().skip(begun);
            let mut old = old.filter(|it| it.is_state && it.topic == news.topic);
            if let Some(waiting) = old.next() {
                self.queued = self.queued + news.frame.len() - waiting.frame.len();
                waiting.frame = Arc::clone(&news.frame);
                return (true, true);
            }
        }
        self.queued += news.frame.len();
        let frame = Arc::clone(&news.frame);
        self.queue.push_back(Waiting { topic: news.topic, is_state: news.is_state, frame });
        (self.queued <= QUEUE_BYTES_MAX, false)
    }

    /// Forget what waits of a topic that is not heard any more.
    pub fn forget(&mut self, topic: usize) {
        let begun = usize::from(self.sent > 0);
        let mut place = 0;
        let queued = &mut self.queued;
        self.queue.retain(|it| {
            place += 1;
            let stays = place <= begun || it.topic != topic;
            if !stays {
                *queued -= it.frame.len();
            }
            stays
        });
    }

    /// End the stream with a word; what waits is let go, but for what is half sent.
    pub fn end(&mut self, code: u16, reason: &str) {
        if let (true, Some(front)) = (self.sent > 0, self.queue.front()) {
            let rest = front.frame.get(self.sent..).unwrap_or_default();
            self.output.extend_from_slice(rest);
        }
        self.queue.clear();
        (self.queued, self.sent) = (0, 0);
        self.output.extend_from_slice(&frame::closing(code, reason));
        self.is_ending = true;
    }

    /// Write as much as goes. False: it is over.
    pub fn flush(&mut self, now: Instant) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) if count == self.output.len() => self.output.clear(),
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(error) => return is_later(&error),
            }
            self.moved = now;
        }
        while !self.queue.is_empty() {
            match self.write_queue() {
                Ok(count) => self.take_sent(count),
                Err(error) => return is_later(&error),
            }
            self.moved = now;
        }
        if self.is_ending && self.shut.is_none() {
            // Closing at once would reset the line while the client still sends, and the last word
            // would be lost with it: the client closes, or is given up after a while.
            self.shut = Some(now);
            return self.stream.shutdown(Shutdown::Write).is_ok();
        }
        true
    }

    fn write_queue(&mut self) -> io::Result<usize> {
        if let (1, Some(only)) = (self.queue.len(), self.queue.front()) {
            return self.stream.write(only.frame.get(self.sent..).unwrap_or_default());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, waiting) in slices.iter_mut().zip(&self.queue) {
            let from = if count == 0 { self.sent } else { 0 };
            *slice = IoSlice::new(waiting.frame.get(from..).unwrap_or_default());
            count += 1;
        }
        self.stream.write_vectored(&slices[..count])
    }

    fn take_sent(&mut self, mut count: usize) {
        while let Some(front) = self.queue.front() {
            let left = front.frame.len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.queued -= front.frame.len();
            self.queue.pop_front();
        }
    }

    /// Look at the clock. False: it has been silent, or has taken nothing, for too long.
    pub fn tick(&mut self, now: Instant) -> bool {
        if let Some(shut) = self.shut {
            return now.saturating_duration_since(shut) < LINGER;
        }
        let still = now.saturating_duration_since(self.moved);
        if !self.output.is_empty() || !self.queue.is_empty() || self.is_ending {
            return still < HALF;
        }
        let Some(socket) = &mut self.socket else {
            return still < if self.input.is_empty() { IDLE } else { HALF };
        };
        if now.saturating_duration_since(socket.signed) >= 2 * PING {
            return false;
        }
        if now.saturating_duration_since(socket.pinged) >= PING {
            socket.pinged = now;
            frame::encode(&mut self.output, frame::PING, b"", None);
            return self.flush(now);
        }
        true
    }

    /// It gave a sign of life.
    pub fn signed(&mut self, now: Instant) {
        if let Some(socket) = &mut self.socket {
            socket.signed = now;
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queued + self.output.len()
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
