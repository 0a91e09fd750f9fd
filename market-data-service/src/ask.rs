// SPDX-License-Identifier: Apache-2.0
//! One thread for each market of a venue that may wait: names, trading rules, snapshots of books
//! and past candles, one question after the other. Answers go to the hub, which is woken. A venue
//! that wants silence gets it. It decides nothing and keeps nothing.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{sync_channel, Receiver, Sender, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;
use rustls::StreamOwned;

use crate::address::Address;
use crate::tls;

/// Questions that may wait.
pub const QUEUE_MAX: usize = 1_024;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// Longest answer: all symbols of a venue are 4 MB.
const ANSWER_MAX: usize = 16 << 20;
/// Silence after an answer that says nothing about its length.
const SILENCE: Duration = Duration::from_secs(60);
const SILENCE_MAX: Duration = Duration::from_secs(3_600);

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// Where a host is.
    Where(Address),
    /// A GET of a path with its query at the REST address of the place.
    Get(String),
}

/// What comes back.
#[derive(Debug)]
pub enum Answer {
    /// Where it is.
    Place(SocketAddr),
    /// A body of status 200.
    Body(Vec<u8>),
    /// The venue says no, and will say it again.
    Refused(String),
    /// Why there is none.
    Failed(String),
}

/// An answer with the number of its question.
#[derive(Debug)]
pub struct Answered {
    /// As it was asked.
    pub number: u64,
    /// What came.
    pub answer: Answer,
}

/// The way to the thread of one place.
#[derive(Debug)]
pub struct Asker {
    questions: SyncSender<(u64, Question)>,
}

impl Asker {
    /// Start the thread. It ends when this is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        rest: Address,
        tls: tls::Settings,
        answers: Sender<Answered>,
        waker: Arc<Waker>,
    ) -> io::Result<Self> {
        let (questions, asked) = sync_channel(QUEUE_MAX);
        let worker = Worker { rest, tls, silent_until: Instant::now() };
        thread::Builder::new()
            .name("asker".to_owned())
            .spawn(move || worker.run(&asked, &answers, &waker))?;
        Ok(Self { questions })
    }

    /// Ask; false if too much waits already.
    pub fn ask(&self, number: u64, question: Question) -> bool {
        self.questions.try_send((number, question)).is_ok()
    }
}

struct Worker {
    rest: Address,
    tls: tls::Settings,
    silent_until: Instant,
}

impl Worker {
    fn run(mut self, asked: &Receiver<(u64, Question)>, answers: &Sender<Answered>, waker: &Waker) {
        while let Ok((number, question)) = asked.recv() {
            let answer = match question {
                Question::Where(address) => resolve(&address).map(Answer::Place),
                Question::Get(path) => self.get(&path),
            };
            let answer = answer.unwrap_or_else(Answer::Failed);
            if answers.send(Answered { number, answer }).is_err() || waker.wake().is_err() {
                return;
            }
        }
    }

    fn get(&mut self, path: &str) -> Result<Answer, String> {
        let wait = self.silent_until.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            return Err(format!("the venue wants silence for {} s more", wait.as_secs() + 1));
        }
        let bytes = fetch(&self.rest, path, &self.tls)?;
        let answer = read_answer(&bytes)?;
        if matches!(answer.status, 403 | 418 | 429) {
            let silence = answer.retry_after.unwrap_or(SILENCE).min(SILENCE_MAX);
            self.silent_until = Instant::now() + silence;
        }
        if answer.status == 200 {
            return Ok(Answer::Body(answer.body));
        }
        let said = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]);
        let said = format!("{path}: status {}: {said}", answer.status);
        match answer.status {
            400 | 404 => Ok(Answer::Refused(said)),
            _ => Err(said),
        }
    }
}

fn resolve(address: &Address) -> Result<SocketAddr, String> {
    let found = (address.host.as_str(), address.port).to_socket_addrs();
    let found = found.map_err(|error| format!("{address}: {error}"))?;
    // Version 4 first: a machine without version 6 often has names with both.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| format!("{address}: no such host"))
}

fn fetch(rest: &Address, path: &str, tls: &tls::Settings) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("{rest}: {error}");
    let stream = TcpStream::connect_timeout(&resolve(rest)?, CONNECT).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER)).map_err(failed)?;
    let request = format!(
        "GET {}{path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hean\r\nAccept: application/json\r\n\
         Connection: close\r\n\r\n",
        rest.path,
        rest.host_line()
    );
    if rest.is_tls {
        let session = tls::begin(tls, rest)?;
        exchange(StreamOwned::new(session, stream), &request).map_err(failed)
    } else {
        exchange(stream, &request).map_err(failed)
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let deadline = Instant::now() + ANSWER;
    let mut block = [0; 16 << 10];
    loop {
        let count = match stream.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            // A host that hangs up without the closing words of TLS; the length is checked below.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&block[..count]);
        if bytes.len() > ANSWER_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer takes too long"));
        }
    }
    Ok(bytes)
}

#[derive(Debug, PartialEq, Eq)]
struct Received {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

fn read_answer(bytes: &[u8]) -> Result<Received, String> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = head.parse(bytes) else {
        return Err("the answer is no HTTP, or was cut".to_owned());
    };
    let body = &bytes[start..];
    let mut answer =
        Received { status: head.code.unwrap_or(0), retry_after: None, body: Vec::new() };
    let (mut length, mut is_chunked) = (None, false);
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<usize>().ok();
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = value.eq_ignore_ascii_case("chunked");
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = value.parse().ok().map(Duration::from_secs);
        }
    }
    answer.body = if is_chunked {
        joined(body).ok_or("the answer was cut")?
    } else {
        match length {
            Some(length) => body.get(..length).ok_or("the answer was cut")?.to_vec(),
            None => body.to_vec(),
        }
    };
    Ok(answer)
}

/// The chunks of a body; `None` if the last is missing.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(rest)
        else {
            return None;
        };
        if length == 0 {
            return Some(body);
        }
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        body.extend_from_slice(rest.get(start..end)?);
        rest = rest.get(end + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_are_read_by_length_by_chunks_and_to_the_end() {
        let cases = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ];
        for text in cases {
            assert_eq!(read_answer(text.as_bytes()).unwrap().body, b"hello");
        }
        for cut in [cases[0].len() - 1, 10] {
            assert!(read_answer(&cases[0].as_bytes()[..cut]).is_err());
        }
        assert!(read_answer(&cases[1].as_bytes()[..60]).is_err());
    }

    #[test]
    fn a_refusal_may_ask_for_silence() {
        let text = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
        let answer = read_answer(text.as_bytes()).unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(7))));
    }
}
