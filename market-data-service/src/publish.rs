// SPDX-License-Identifier: Apache-2.0
//! Facts into a Redis stream, from a thread of its own: messages of docs/adr/0029, many to an
//! entry, the stream bounded. Redis holds a copy: while it is away messages wait up to a bound;
//! what finds no room then is gone, counted, and seen by readers as a hole in the numbers.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::config::Redis;
use crate::log::{say, Level};

/// Messages that may wait.
pub const QUEUE_MAX: usize = 16_384;
/// Name of the stream.
pub const STREAM: &str = "hean.market-data";
/// Entries that Redis keeps, about.
const ENTRIES_KEPT: &str = "20000";
/// Messages of an entry, as HEAN's own transport has them.
const ENTRY_MESSAGES: usize = 64;
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(500);
const LINE_MAX: usize = 1 << 10;

/// What the thread tells about itself.
#[derive(Debug, Default)]
pub struct State {
    /// Whether Redis is there.
    pub is_up: AtomicBool,
    /// Messages that it has.
    pub sent: AtomicU64,
    /// Messages that found no room.
    pub dropped: AtomicU64,
}

/// The way to the thread.
#[derive(Debug)]
pub struct Publisher {
    queue: SyncSender<Arc<[u8]>>,
    /// What is known of it.
    pub state: Arc<State>,
}

impl Publisher {
    /// Start the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(redis: Redis) -> io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE_MAX);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || run(&redis, &messages, &shared))?;
        Ok(Self { queue, state })
    }

    /// Hand over a message; one that finds no room is counted and gone.
    pub fn put(&self, message: Arc<[u8]>) {
        if self.queue.try_send(message).is_err() {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn run(redis: &Redis, messages: &Receiver<Arc<[u8]>>, state: &State) {
    let mut batch: Vec<Arc<[u8]>> = Vec::new();
    let mut is_told = false;
    loop {
        let lost = match Connection::open(redis) {
            Ok(mut connection) => {
                state.is_up.store(true, Ordering::Relaxed);
                is_told = false;
                say(Level::Info, "publishing", &[("stream", json!(STREAM))]);
                match pump(&mut connection, messages, &mut batch, state) {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        state.is_up.store(false, Ordering::Relaxed);
        if !std::mem::replace(&mut is_told, true) {
            let place = format!("{}:{}", redis.host, redis.port);
            let about = [("redis", json!(place)), ("why", json!(lost.to_string()))];
            say(Level::Warn, "not publishing", &about);
        }
        thread::sleep(AGAIN);
    }
}

/// Send until the hub hangs up (`Ok`) or Redis is lost; what was not confirmed stays in *batch*.
fn pump(
    connection: &mut Connection,
    messages: &Receiver<Arc<[u8]>>,
    batch: &mut Vec<Arc<[u8]>>,
    state: &State,
) -> io::Result<()> {
    loop {
        if batch.is_empty() {
            match messages.recv() {
                Ok(message) => batch.push(message),
                Err(_) => return Ok(()),
            }
        }
        while batch.len() < ENTRY_MESSAGES {
            match messages.try_recv() {
                Ok(message) => batch.push(message),
                Err(_) => break,
            }
        }
        let count = batch.len().min(ENTRY_MESSAGES);
        connection.add(&batch[..count])?;
        batch.drain(..count);
        state.sent.fetch_add(count as u64, Ordering::Relaxed);
    }
}

struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(redis: &Redis) -> io::Result<Self> {
        let place = (redis.host.as_str(), redis.port).to_socket_addrs()?.next();
        let place = place.ok_or_else(|| io::Error::other("no such host"))?;
        let stream = TcpStream::connect_timeout(&place, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut connection = Self { stream: BufReader::new(stream) };
        if let Some(password) = &redis.password {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(redis.user.as_deref().map(str::as_bytes));
            words.push(password.as_bytes());
            connection.ask(&words)?;
        }
        connection.ask(&[b"PING"])?;
        Ok(connection)
    }

    fn add(&mut self, messages: &[Arc<[u8]>]) -> io::Result<()> {
        let names: Vec<String> = (0..messages.len()).map(|place| place.to_string()).collect();
        let mut words: Vec<&[u8]> =
            vec![b"XADD", STREAM.as_bytes(), b"MAXLEN", b"~", ENTRIES_KEPT.as_bytes(), b"*"];
        for (name, message) in names.iter().zip(messages) {
            words.push(name.as_bytes());
            words.push(message);
        }
        self.ask(&words)
    }

    /// One command; its answer is of no interest unless it is an error.
    fn ask(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            write!(request, "${}\r\n", word.len())?;
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        let line = self.line()?;
        match line.split_first() {
            Some((b'+' | b':', _)) => Ok(()),
            Some((b'$', length)) => {
                let length: usize = std::str::from_utf8(length)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .filter(|length| *length <= LINE_MAX)
                    .ok_or_else(|| io::Error::other("an answer that is none"))?;
                self.stream.read_exact(&mut vec![0; length + 2])
            }
            _ => Err(io::Error::other(String::from_utf8_lossy(&line).into_owned())),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < LINE_MAX {
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                return Ok(line);
            }
        }
        Err(io::Error::other("an answer that does not end"))
    }
}
