// SPDX-License-Identifier: Apache-2.0
//! All clients: who has come, who hears what, who is to be written to, who has to go. It takes no
//! decision about the market; `answers.rs` says what a request is answered.

use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use serde::Deserialize;

use crate::answers::{answer, Moment};
use crate::board::{Board, News};
use crate::frame::{self, Broken, Message};
use crate::http::{self, Refused};
use crate::hub::{book_of, Hub, CLIENTS};
use crate::peer::{Intake, Peer, TOO_OFTEN, TOO_SLOW, TOPICS_MAX};

/// Most clients at once.
pub const CLIENTS_MAX: usize = 4_096;
/// Requests of one client that one turn answers.
const TURN_REQUESTS: usize = 256;
const LOOK: Duration = Duration::from_secs(1);

/// What was counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Requests by status: 200, 4xx, 503.
    pub requests: [u64; 3],
    /// Clients that were let in.
    pub clients: u64,
    /// Clients that were not.
    pub turned_away: u64,
    /// Listeners that began.
    pub listeners: u64,
    /// Frames that were handed to listeners.
    pub frames: u64,
    /// States that a newer one replaced before they were sent.
    pub replaced: u64,
    /// Listeners that were let go because they took nothing.
    pub slow: u64,
}

/// All clients.
pub struct Clients {
    /// What was counted.
    pub counts: Counts,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    subscribers: Vec<Vec<usize>>,
    readable: Vec<usize>,
    listed: Vec<usize>,
    looked: Instant,
    moment: Moment,
}

#[derive(Deserialize)]
struct Command {
    action: String,
    #[serde(default)]
    topic: String,
}

impl Clients {
    /// Nobody yet.
    #[must_use]
    pub fn new(topics: usize) -> Self {
        Self {
            counts: Counts::default(),
            peers: Vec::new(),
            free: Vec::new(),
            subscribers: vec![Vec::new(); topics],
            readable: Vec::new(),
            listed: Vec::new(),
            looked: Instant::now(),
            moment: Moment::default(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.peers.len() - self.free.len()
    }

    /// How many of them listen to the stream.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.peers.iter().flatten().filter(|peer| peer.socket.is_some()).count()
    }

    /// Bytes that wait for clients.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.peers.iter().flatten().map(Peer::waiting).sum()
    }

    /// Whether somebody has more to read.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Whether somebody has not been sent everything.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.peers.iter().flatten().any(|peer| peer.waiting() > 0)
    }

    /// Let a client in.
    pub fn add(&mut self, mut stream: TcpStream, registry: &Registry) {
        if self.count() >= CLIENTS_MAX {
            self.counts.turned_away += 1;
            return;
        }
        // Without it answers wait for acknowledgements of the ones before; not worth failing for.
        let _ = stream.set_nodelay(true);
        let slot = self.free.pop().unwrap_or(self.peers.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if registry.register(&mut stream, Token(CLIENTS + slot), interest).is_err() {
            if slot < self.peers.len() {
                self.free.push(slot);
            }
            return;
        }
        self.counts.clients += 1;
        let peer = Some(Peer::new(stream));
        match self.peers.get_mut(slot) {
            Some(place) => *place = peer,
            None => self.peers.push(peer),
        }
    }

    /// The poll says something about a client.
    pub fn woke(&mut self, slot: usize, event: &Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.readable.push(slot);
        }
        if event.is_writable() {
            self.list(slot);
        }
    }

    fn list(&mut self, slot: usize) {
        if let Some(Some(peer)) = self.peers.get_mut(slot) {
            if !std::mem::replace(&mut peer.is_listed, true) {
                self.listed.push(slot);
            }
        }
    }

    /// Give news to all who hear them, and write.
    pub fn tell(&mut self, board: &mut Board, now: Instant) {
        let news = std::mem::take(&mut board.news);
        for one in &news {
            let heard = self.subscribers.get(one.topic).map_or(0, Vec::len);
            for place in 0..heard {
                let slot = self.subscribers[one.topic][place];
                self.give(slot, one);
            }
        }
        self.flush(now, board);
        board.news = news;
        board.news.clear();
    }

    fn give(&mut self, slot: usize, news: &News) {
        let Some(Some(peer)) = self.peers.get_mut(slot) else { return };
        let (is_in_time, is_replaced) = peer.put(news);
        self.counts.frames += 1;
        self.counts.replaced += u64::from(is_replaced);
        if !is_in_time {
            self.counts.slow += 1;
            peer.end(TOO_SLOW, "too slow: ask for less, or read faster");
        }
        self.list(slot);
    }

    /// Write to all who are listed.
    fn flush(&mut self, now: Instant, board: &mut Board) {
        while let Some(slot) = self.listed.pop() {
            let Some(Some(peer)) = self.peers.get_mut(slot) else { continue };
            peer.is_listed = false;
            if !peer.flush(now) {
                self.remove(slot, board);
            }
        }
    }

    /// Write to everybody, at the end.
    pub fn flush_all(&mut self, now: Instant, board: &mut Board) {
        for slot in 0..self.peers.len() {
            self.list(slot);
        }
        self.flush(now, board);
    }

    /// Tell all listeners that this is the end.
    pub fn end_all(&mut self, now: Instant) {
        for peer in self.peers.iter_mut().flatten() {
            if peer.socket.is_some() {
                peer.end(1001, "the service stops");
            }
            peer.is_ending = true;
            peer.flush(now);
        }
    }

    fn remove(&mut self, slot: usize, board: &mut Board) {
        let Some(peer) = self.peers.get_mut(slot).and_then(Option::take) else { return };
        self.free.push(slot);
        for topic in peer.socket.iter().flat_map(|socket| &socket.topics) {
            self.unsubscribe(*topic, slot, board);
        }
    }

    fn unsubscribe(&mut self, topic: usize, slot: usize, board: &mut Board) {
        if let Some(slots) = self.subscribers.get_mut(topic) {
            slots.retain(|one| *one != slot);
            board.listen(topic, false);
        }
    }

    /// Look at the clock, once a second.
    pub fn tick(&mut self, now: Instant, board: &mut Board) {
        if now.saturating_duration_since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        for slot in 0..self.peers.len() {
            let Some(Some(peer)) = self.peers.get_mut(slot) else { continue };
            if !peer.tick(now) {
                self.remove(slot, board);
            }
        }
    }

    /// Read what clients have to say, and answer.
    pub fn serve(&mut self, hub: &mut Hub, now: Instant, at_ns: i64) {
        if self.readable.is_empty() && self.listed.is_empty() {
            return;
        }
        let mut readable = std::mem::take(&mut self.readable);
        let mut scratch = hub.scratch();
        for slot in readable.drain(..) {
            // Taken out of its slot, because answers look at all clients too.
            let Some(mut peer) = self.peers.get_mut(slot).and_then(Option::take) else { continue };
            let intake = peer.read(&mut scratch, now);
            let is_more = self.take(&mut peer, slot, hub, now, at_ns);
            self.peers[slot] = Some(peer);
            if intake == Intake::Gone {
                self.remove(slot, &mut hub.board);
                continue;
            }
            if is_more || intake == Intake::More {
                self.readable.push(slot);
            }
            self.list(slot);
        }
        hub.set_scratch(scratch);
        self.flush(now, &mut hub.board);
    }

    /// Take what a client sent. True: there is more that had no room.
    fn take(
        &mut self,
        peer: &mut Peer,
        slot: usize,
        hub: &mut Hub,
        now: Instant,
        at_ns: i64,
    ) -> bool {
        let mut input = std::mem::take(&mut peer.input);
        let mut at = 0;
        if peer.socket.is_none() {
            at = self.requests(peer, &input, hub, now, at_ns);
        }
        if peer.socket.is_some() && !peer.is_ending {
            let rest = input.get_mut(at..).unwrap_or_default();
            at += self.messages(peer, slot, rest, hub, now, at_ns);
        }
        if at >= input.len() {
            input.clear();
        } else {
            input.drain(..at);
        }
        // What is whole but was not taken, because too many answers wait.
        let is_more = !input.is_empty() && peer.socket.is_none() && !peer.is_ending && at > 0;
        peer.input = input;
        is_more
    }

    fn requests(
        &mut self,
        peer: &mut Peer,
        input: &[u8],
        hub: &mut Hub,
        now: Instant,
        at_ns: i64,
    ) -> usize {
        self.moment.set(at_ns);
        let mut at = 0;
        for _ in 0..TURN_REQUESTS {
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() || !peer.has_room() {
                break;
            }
            let request = match http::read_request(rest) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(Refused(status)) => {
                    self.counts.requests[1] += 1;
                    let words = http::reason(status);
                    let date = &self.moment.date;
                    http::words_into(&mut peer.output, status, date, false, words);
                    peer.is_ending = true;
                    return input.len();
                }
            };
            at += request.length;
            if let (Some(key), "/ws") = (request.socket_key, request.path) {
                upgrade(&mut peer.output, key);
                peer.listen(now);
                self.counts.listeners += 1;
                break;
            }
            let start = peer.output.len();
            let status = answer(&mut peer.output, &request, hub, self, now);
            if request.is_head {
                cut_body(&mut peer.output, start);
            }
            let kind = match status {
                200 => 0,
                503 => 2,
                _ => 1,
            };
            self.counts.requests[kind] += 1;
            if !request.keeps {
                peer.is_ending = true;
                return input.len();
            }
        }
        at
    }

    /// Status line, date and what follows it of an answer.
    #[must_use]
    pub const fn moment(&self) -> &Moment {
        &self.moment
    }

    fn messages(
        &mut self,
        peer: &mut Peer,
        slot: usize,
        input: &mut [u8],
        hub: &mut Hub,
        now: Instant,
        at_ns: i64,
    ) -> usize {
        let mut at = 0;
        // The decoder lies in the client and lends its message, so it is taken out meanwhile.
        let empty = frame::Decoder::new(true, 0);
        let Some(socket) = &mut peer.socket else { return 0 };
        let mut decoder = std::mem::replace(&mut socket.decoder, empty);
        while !peer.is_ending {
            let rest = input.get_mut(at..).unwrap_or_default();
            match decoder.next(rest) {
                Ok(None) => break,
                Ok(Some((used, message))) => {
                    at += used;
                    self.message(peer, slot, &message, hub, now, at_ns);
                }
                Err(Broken(code, reason)) => peer.end(code, reason),
            }
        }
        if let Some(socket) = &mut peer.socket {
            socket.decoder = decoder;
        }
        at
    }

    fn message(
        &mut self,
        peer: &mut Peer,
        slot: usize,
        message: &Message<'_>,
        hub: &mut Hub,
        now: Instant,
        at_ns: i64,
    ) {
        if *message == Message::Pong {
            peer.signed(now);
            return;
        }
        if !peer.may_command(now) {
            peer.end(TOO_OFTEN, "too many commands");
            return;
        }
        match message {
            Message::Text(text) => self.command(peer, slot, text, hub, at_ns),
            Message::Binary(_) => peer.end(1003, "commands are text"),
            Message::Ping(body) => frame::encode(&mut peer.output, frame::PONG, body, None),
            Message::Close(_) => peer.end(1000, ""),
            Message::Pong | Message::Piece => {}
        }
    }

    fn command(&mut self, peer: &mut Peer, slot: usize, text: &[u8], hub: &mut Hub, at_ns: i64) {
        let Ok(command) = serde_json::from_slice::<Command>(text) else {
            refuse(peer, "expected {\"action\": \"subscribe\", \"topic\": \"ticker.BTCUSDT\"}");
            return;
        };
        let Some(topic) = hub.board.topic(&command.topic) else {
            refuse(peer, "unknown topic; see /api/v1/topics");
            return;
        };
        let Some(socket) = &mut peer.socket else { return };
        let is_heard = socket.topics.contains(&topic);
        match command.action.as_str() {
            "subscribe" if is_heard => {}
            "subscribe" if socket.topics.len() >= TOPICS_MAX => {
                refuse(peer, "too many topics on one connection");
            }
            "subscribe" => {
                socket.topics.push(topic);
                self.subscribers[topic].push(slot);
                hub.board.listen(topic, true);
                let feeds = &hub.sources.feeds;
                let first = hub.board.snapshot(at_ns, topic, |symbol| book_of(feeds, symbol));
                if let Some(frame) = first {
                    peer.put(&News { topic, is_state: false, frame });
                }
            }
            "unsubscribe" => {
                socket.topics.retain(|one| *one != topic);
                if is_heard {
                    self.unsubscribe(topic, slot, &mut hub.board);
                    peer.forget(topic);
                }
            }
            _ => refuse(peer, "unknown action; subscribe or unsubscribe"),
        }
    }
}

fn refuse(peer: &mut Peer, why: &str) {
    let text = serde_json::json!({"type": "error", "detail": why}).to_string();
    frame::encode(&mut peer.output, frame::TEXT, text.as_bytes(), None);
}

fn upgrade(to: &mut Vec<u8>, key: &str) {
    to.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    to.extend_from_slice(frame::accept(key).as_bytes());
    to.extend_from_slice(b"\r\n\r\n");
}

/// The answer to HEAD is that to GET without its body.
fn cut_body(output: &mut Vec<u8>, start: usize) {
    let answer = output.get(start..).unwrap_or_default();
    if let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") {
        output.truncate(start + end + 4);
    }
}
