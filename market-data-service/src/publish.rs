// SPDX-License-Identifier: Apache-2.0
//! Facts to a broker, from a thread of its own: messages of docs/adr/0029 in the order they were
//! told. A broker holds a copy: while it is away messages wait up to a bound (`outbox.rs`). What
//! was not confirmed is sent again as the very same batch; a broker that can tell knows it again.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::log::{say, Level};
use crate::outbox::{Outbox, Published};

/// Name of the stream, or the topic.
pub const TOPIC: &str = "hean.market-data";
/// How long a broker may take for an answer.
pub const ANSWER: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);

/// Whoever keeps messages for others.
pub trait Broker: Send + 'static {
    /// What it is.
    fn name(&self) -> &'static str;
    /// Where it is, for people.
    fn place(&self) -> String;
    /// Most messages that it is given at once.
    fn batch_max(&self) -> usize;
    /// Connect, anew if it was connected.
    ///
    /// # Errors
    /// It is not there, or does not let us in.
    fn open(&mut self) -> io::Result<()>;
    /// Give it a batch, in order. The same one comes again after an error.
    ///
    /// # Errors
    /// `InvalidData`: it will never take this batch; anything else: not now.
    fn add(&mut self, batch: &[Published]) -> io::Result<()>;
}

/// What the thread tells about itself.
#[derive(Debug, Default)]
pub struct State {
    /// Whether the broker is there.
    pub is_up: AtomicBool,
    /// Messages that it has.
    pub sent: AtomicU64,
    /// Messages that found no room, or that it refused.
    pub dropped: AtomicU64,
    /// Times it could not be reached or answered with an error.
    pub errors: AtomicU64,
}

/// The way to the thread.
#[derive(Debug)]
pub struct Publisher {
    /// What the broker is.
    pub name: &'static str,
    /// What is known of it.
    pub state: Arc<State>,
    outbox: Arc<Outbox>,
}

impl Publisher {
    /// Start the thread; it ends when this is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(broker: impl Broker) -> io::Result<Self> {
        let name = broker.name();
        let (outbox, state) = (Arc::new(Outbox::default()), Arc::new(State::default()));
        let (messages, shared) = (Arc::clone(&outbox), Arc::clone(&state));
        thread::Builder::new()
            .name(format!("publish {name}"))
            .spawn(move || run(broker, &messages, &shared))?;
        Ok(Self { name, state, outbox })
    }

    /// Hand over a message. What finds no room is counted and gone.
    pub fn put(&self, message: Published) {
        let dropped = self.outbox.put(message);
        self.state.dropped.fetch_add(dropped, Ordering::Relaxed);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

fn run(mut broker: impl Broker, outbox: &Outbox, state: &State) {
    let mut batch: Vec<Published> = Vec::new();
    let mut is_told = false;
    loop {
        let lost = match broker.open() {
            Ok(()) => {
                state.is_up.store(true, Ordering::Relaxed);
                is_told = false;
                say(Level::Info, "publishing", &[(broker.name(), json!(TOPIC))]);
                match pump(&mut broker, outbox, &mut batch, state) {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        state.is_up.store(false, Ordering::Relaxed);
        state.errors.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut is_told, true) {
            let why = json!(lost.to_string());
            say(
                Level::Warn,
                "not publishing",
                &[(broker.name(), json!(broker.place())), ("why", why)],
            );
        }
        thread::sleep(AGAIN);
    }
}

/// Send until the hub hangs up (`Ok`) or the broker is lost; what was not confirmed stays in
/// *batch*.
fn pump(
    broker: &mut impl Broker,
    outbox: &Outbox,
    batch: &mut Vec<Published>,
    state: &State,
) -> io::Result<()> {
    loop {
        if batch.is_empty() {
            *batch = outbox.take(broker.batch_max());
            if batch.is_empty() {
                return Ok(());
            }
        }
        let count = batch.len() as u64;
        match broker.add(batch) {
            Ok(()) => state.sent.fetch_add(count, Ordering::Relaxed),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let why = json!(error.to_string());
                say(Level::Error, "a batch was refused", &[("count", json!(count)), ("why", why)]);
                state.errors.fetch_add(1, Ordering::Relaxed);
                state.dropped.fetch_add(count, Ordering::Relaxed)
            }
            Err(error) => return Err(error),
        };
        batch.clear();
    }
}

/// A connection on which nothing is waited for without end.
///
/// # Errors
/// Nobody is there.
pub fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other(format!("{host}: no such host"));
    for place in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
