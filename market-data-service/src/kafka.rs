// SPDX-License-Identifier: Apache-2.0
//! A Kafka topic of one partition, so that its order is that of the messages, keyed by symbol. The
//! producer is idempotent: batches are numbered under an id of the broker's, and one that is sent
//! again after an error is stored once. Five requests of Kafka's protocol in their oldest form that
//! brokers from 2.4 to 4.x speak; every length is checked before it is believed.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::kafka_batch::{batch_of, Producer};
use crate::outbox::Published;
use crate::publish::{connect, Broker, ANSWER, TOPIC};

/// Messages of a batch.
const BATCH_MAX: usize = 512;
/// An answer that is longer is none.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const CLIENT: &str = "hean-market-data";
const KEPT_MS: &str = "86400000"; // as HEAN's own topics
const PRODUCE: (i16, i16) = (0, 7);
const METADATA: (i16, i16) = (3, 4);
const CREATE_TOPICS: (i16, i16) = (19, 4);
const INIT_PRODUCER: (i16, i16) = (22, 1);

const MESSAGE_TOO_LARGE: i16 = 10;
const TOPIC_EXISTS: i16 = 36;
const OUT_OF_ORDER: i16 = 45;
const DUPLICATE: i16 = 46;
const INVALID_EPOCH: i16 = 47;
const UNKNOWN_PRODUCER: i16 = 59;
const INVALID_RECORD: i16 = 87;

/// A topic, and the connection to its leader while there is one.
#[derive(Debug)]
pub struct KafkaTopic {
    servers: Vec<(String, u16)>,
    line: Option<Line>,
    producer: Option<Producer>,
}

impl KafkaTopic {
    /// One that is not connected. *servers*: where to ask first.
    #[must_use]
    pub fn new(servers: Vec<(String, u16)>) -> Self {
        Self { servers, line: None, producer: None }
    }

    /// To the first server that answers.
    fn any(&self) -> io::Result<Line> {
        let mut last = io::Error::other("no server");
        for (host, port) in &self.servers {
            match Line::open(host, *port) {
                Ok(line) => return Ok(line),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Broker for KafkaTopic {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn place(&self) -> String {
        let names: Vec<String> =
            self.servers.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        names.join(",")
    }

    fn batch_max(&self) -> usize {
        BATCH_MAX
    }

    fn open(&mut self) -> io::Result<()> {
        self.line = None;
        let mut line = self.any()?;
        line.create()?;
        let (host, port) = line.leader()?;
        let mut line = Line::open(&host, port)?;
        if self.producer.is_none() {
            self.producer = Some(line.producer()?);
        }
        self.line = Some(line);
        Ok(())
    }

    fn add(&mut self, messages: &[Published]) -> io::Result<()> {
        let (Some(line), Some(producer)) = (&mut self.line, &mut self.producer) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        match line.produce(&batch_of(messages, producer, crate::log::now_ns() / 1_000_000))? {
            0 | DUPLICATE => {
                producer.advance(messages.len());
                Ok(())
            }
            error @ (MESSAGE_TOO_LARGE | INVALID_RECORD) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, said(error).to_string()))
            }
            error => {
                if matches!(error, OUT_OF_ORDER | INVALID_EPOCH | UNKNOWN_PRODUCER) {
                    self.producer = None; // the broker was emptied, or forgot us
                }
                Err(said(error))
            }
        }
    }
}

#[derive(Debug)]
struct Line {
    stream: TcpStream,
    asked: i32,
}

impl Line {
    fn open(host: &str, port: u16) -> io::Result<Self> {
        Ok(Self { stream: connect(host, port)?, asked: 0 })
    }

    /// The topic, if it is not there. One that may not be made is found to lack later.
    fn create(&mut self) -> io::Result<()> {
        let mut body = Writer::default();
        body.count(1);
        body.text(TOPIC);
        body.whole32(1);
        body.whole16(-1); // copies: as the broker's default says
        body.count(0);
        body.count(1);
        body.text("retention.ms");
        body.text(KEPT_MS);
        body.whole32(ANSWER.as_millis() as i32);
        body.bytes.push(0);
        let answer = self.ask(CREATE_TOPICS, &body.bytes)?;
        let mut reader = Reader { bytes: &answer };
        reader.skip(4)?;
        if reader.count()? != 1 {
            return Err(unreadable());
        }
        reader.text()?;
        match reader.whole16()? {
            0 | TOPIC_EXISTS => Ok(()),
            error => Err(said(error)),
        }
    }

    /// Host and port of whoever leads the partition.
    fn leader(&mut self) -> io::Result<(String, u16)> {
        let mut body = Writer::default();
        body.count(1);
        body.text(TOPIC);
        body.bytes.push(0);
        let answer = self.ask(METADATA, &body.bytes)?;
        let mut reader = Reader { bytes: &answer };
        reader.skip(4)?;
        let mut brokers = Vec::new();
        for _ in 0..reader.count()? {
            let (number, host, port) = (reader.whole32()?, reader.text()?, reader.whole32()?);
            brokers.push((number, host, port));
            reader.text()?;
        }
        reader.text()?;
        reader.skip(4)?;
        if reader.count()? != 1 {
            return Err(unreadable());
        }
        refuse(reader.whole16()?)?;
        reader.text()?;
        reader.skip(1)?;
        for _ in 0..reader.count()? {
            let (error, index, leader) = (reader.whole16()?, reader.whole32()?, reader.whole32()?);
            if index == 0 {
                refuse(error)?;
                let found = brokers.into_iter().find(|(number, ..)| *number == leader);
                let (_, host, port) = found.ok_or_else(|| io::Error::other("no leader yet"))?;
                return Ok((host, u16::try_from(port).map_err(|_| unreadable())?));
            }
            for _ in 0..2 {
                let nodes = reader.count()?;
                reader.skip(4 * nodes)?;
            }
        }
        Err(io::Error::other("the topic has no partition 0"))
    }

    fn producer(&mut self) -> io::Result<Producer> {
        let mut body = Writer::default();
        body.whole16(-1); // no transaction
        body.whole32(-1);
        let answer = self.ask(INIT_PRODUCER, &body.bytes)?;
        let mut reader = Reader { bytes: &answer };
        reader.skip(4)?;
        refuse(reader.whole16()?)?;
        Ok(Producer::new(reader.whole64()?, reader.whole16()?))
    }

    /// Returns the error of the partition, 0 for none.
    fn produce(&mut self, batch: &[u8]) -> io::Result<i16> {
        let mut body = Writer::default();
        body.whole16(-1); // no transaction
        body.whole16(-1); // all copies confirm
        body.whole32(ANSWER.as_millis() as i32 - 1_000);
        body.count(1);
        body.text(TOPIC);
        body.count(1);
        body.whole32(0);
        body.count(batch.len());
        body.bytes.extend_from_slice(batch);
        let answer = self.ask(PRODUCE, &body.bytes)?;
        let mut reader = Reader { bytes: &answer };
        if reader.count()? != 1 {
            return Err(unreadable());
        }
        reader.text()?;
        if reader.count()? != 1 {
            return Err(unreadable());
        }
        reader.skip(4)?;
        reader.whole16()
    }

    fn ask(&mut self, (key, version): (i16, i16), body: &[u8]) -> io::Result<Vec<u8>> {
        self.asked = self.asked.wrapping_add(1);
        let mut request = Writer::default();
        request.count(0);
        request.whole16(key);
        request.whole16(version);
        request.whole32(self.asked);
        request.text(CLIENT);
        request.bytes.extend_from_slice(body);
        let length = (request.bytes.len() - 4) as i32;
        request.bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&request.bytes)?;
        let mut head = [0; 8];
        self.stream.read_exact(&mut head)?;
        let mut reader = Reader { bytes: &head };
        let (length, number) = (reader.whole32()?, reader.whole32()?);
        let length = usize::try_from(length).map_err(|_| unreadable())?;
        if number != self.asked || !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Err(unreadable());
        }
        let mut answer = vec![0; length - 4];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

#[derive(Debug, Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn whole16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn whole32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.whole32(count as i32); // ours, and small
    }

    fn text(&mut self, text: &str) {
        self.whole16(text.len() as i16); // ours, and short
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(unreadable)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn skip(&mut self, count: usize) -> io::Result<()> {
        self.bytes = self.bytes.get(count..).ok_or_else(unreadable)?;
        Ok(())
    }

    fn whole16(&mut self) -> io::Result<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn whole32(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn whole64(&mut self) -> io::Result<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// How many follow; more than there are bytes is a lie.
    fn count(&mut self) -> io::Result<usize> {
        let count = usize::try_from(self.whole32()?).map_err(|_| unreadable())?;
        if count > self.bytes.len() {
            return Err(unreadable());
        }
        Ok(count)
    }

    /// A text; one that is not there is empty.
    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.whole16()?).unwrap_or(0);
        let bytes = self.bytes.get(..length).ok_or_else(unreadable)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.skip(length)?;
        Ok(text)
    }
}

fn unreadable() -> io::Error {
    io::Error::other("an answer that cannot be read")
}

fn refuse(error: i16) -> io::Result<()> {
    if error == 0 {
        Ok(())
    } else {
        Err(said(error))
    }
}

/// Kafka's numbers; the words of those that an operator can do something about.
fn said(error: i16) -> io::Error {
    let words = match error {
        3 => "the topic is not there",
        5 | 6 => "no leader yet",
        7 => "it took too long",
        MESSAGE_TOO_LARGE => "larger than the broker takes",
        19 | 20 => "too few copies are in step",
        29 => "not allowed to use the topic",
        31 => "not allowed to use the cluster",
        35 => "a broker older than 2.4",
        38 => "the broker's default number of copies cannot be had",
        OUT_OF_ORDER | UNKNOWN_PRODUCER => "the broker does not know our numbers any more",
        _ => "see Kafka's list of errors",
    };
    io::Error::other(format!("error {error}: {words}"))
}
