// SPDX-License-Identifier: Apache-2.0
//! A Redis stream: many messages to an entry, as HEAN's own transport has them, and bounded.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;

use crate::brokers::Redis;
use crate::outbox::Published;
use crate::publish::{connect, Broker, TOPIC};

/// Entries that Redis keeps, about.
const ENTRIES_KEPT: &str = "20000";
/// Messages of an entry, as HEAN's own transport has them.
const ENTRY_MESSAGES: usize = 64;
const LINE_MAX: usize = 1 << 10;

/// A server, and the connection while there is one.
#[derive(Debug)]
pub struct RedisStream {
    server: Redis,
    stream: Option<BufReader<TcpStream>>,
}

impl RedisStream {
    /// One that is not connected.
    #[must_use]
    pub fn new(server: Redis) -> Self {
        Self { server, stream: None }
    }

    /// One command; its answer is of no interest unless it is an error.
    fn ask(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            write!(request, "${}\r\n", word.len())?;
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        stream.get_mut().write_all(&request)?;
        let line = line(stream)?;
        match line.split_first() {
            Some((b'+' | b':', _)) => Ok(()),
            Some((b'$', length)) => {
                let length: usize = std::str::from_utf8(length)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .filter(|length| *length <= LINE_MAX)
                    .ok_or_else(|| io::Error::other("an answer that is none"))?;
                stream.read_exact(&mut vec![0; length + 2])
            }
            _ => Err(io::Error::other(String::from_utf8_lossy(&line).into_owned())),
        }
    }
}

impl Broker for RedisStream {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn place(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    fn batch_max(&self) -> usize {
        ENTRY_MESSAGES
    }

    fn open(&mut self) -> io::Result<()> {
        let stream = connect(&self.server.host, self.server.port)?;
        self.stream = Some(BufReader::new(stream));
        if let Some(password) = self.server.password.clone() {
            let user = self.server.user.clone();
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(user.as_deref().map(str::as_bytes));
            words.push(password.as_bytes());
            self.ask(&words)?;
        }
        self.ask(&[b"PING"])
    }

    fn add(&mut self, messages: &[Published]) -> io::Result<()> {
        let names: Vec<String> = (0..messages.len()).map(|place| place.to_string()).collect();
        let mut words: Vec<&[u8]> =
            vec![b"XADD", TOPIC.as_bytes(), b"MAXLEN", b"~", ENTRIES_KEPT.as_bytes(), b"*"];
        for (name, message) in names.iter().zip(messages) {
            words.push(name.as_bytes());
            words.push(&message.bytes);
        }
        self.ask(&words)
    }
}

fn line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE_MAX {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.ends_with(b"\r\n") {
            line.truncate(line.len() - 2);
            return Ok(line);
        }
    }
    Err(io::Error::other("an answer that does not end"))
}
