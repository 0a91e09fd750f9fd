// SPDX-License-Identifier: Apache-2.0
//! A WebSocket to a venue that never waits: TCP, TLS where it is due, the handshake, then frames.
//! It says what it heard and when it is over; who owns it decides what follows.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;

use crate::address::Address;
use crate::frame::{self, Decoder, Message};
use crate::tls;

/// Longest message of a venue; the core takes no longer one.
const MESSAGE_MAX: usize = hean_core::wire::feed::LIVE_FRAME_BYTES_MAX;
/// Longest head of an answer to the handshake.
const HEAD_MAX: usize = 16 << 10;
/// What one wake-up reads at most, so that others get their turn.
const TURN_BYTES: usize = 256 << 10;
/// What may wait to be sent; requests are small.
const OUTPUT_MAX: usize = 1 << 20;

/// What a line heard.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The handshake is done.
    Opened,
    /// A message.
    Message(&'a [u8]),
    /// An answer to a ping, or a ping.
    Sign,
}

/// One connection, from its opening to its end.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    is_open: bool,
    expected: String,
    input: Vec<u8>,
    output: Vec<u8>,
    decoder: Decoder,
    random: u64,
}

impl Line {
    /// Begin to connect. *random*: for the key and the masks, which need not be secret.
    ///
    /// # Errors
    /// Why it cannot even begin.
    pub fn open(
        address: &Address,
        at: SocketAddr,
        settings: &tls::Settings,
        random: u64,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(at).map_err(|error| error.to_string())?;
        let tls = match address.is_tls {
            true => Some(Box::new(tls::begin(settings, address)?)),
            false => None,
        };
        let mut line = Self {
            stream,
            tls,
            is_open: false,
            expected: String::new(),
            input: Vec::new(),
            output: Vec::new(),
            decoder: Decoder::new(false, MESSAGE_MAX),
            random,
        };
        let bytes = [line.draw().to_le_bytes(), line.draw().to_le_bytes()].concat();
        let key = frame::base64(&bytes);
        line.expected = frame::accept(&key);
        let path = if address.path.is_empty() { "/" } else { &address.path };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nUser-Agent: hean\r\n\r\n",
            address.host_line()
        );
        line.output.extend_from_slice(request.as_bytes());
        Ok(line)
    }

    /// Let a poll watch it.
    ///
    /// # Errors
    /// Of the system.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether messages go through it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Send a text.
    ///
    /// # Errors
    /// The line is over.
    pub fn say(&mut self, text: &[u8]) -> Result<(), String> {
        self.send(frame::TEXT, text)
    }

    /// Ask whether somebody is there.
    ///
    /// # Errors
    /// The line is over.
    pub fn ping(&mut self) -> Result<(), String> {
        self.send(frame::PING, b"")
    }

    /// Say goodbye, as far as that goes without waiting.
    pub fn close(&mut self) {
        if self.is_open {
            let _ = self.send(frame::CLOSE, &1000_u16.to_be_bytes());
        }
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), String> {
        if self.output.len() + body.len() > OUTPUT_MAX {
            return Err("it takes nothing any more".to_owned());
        }
        let mask = (self.draw() as u32).to_le_bytes();
        frame::encode(&mut self.output, kind, body, Some(mask));
        self.flush()
    }

    /// Something may be read or written. *scratch*: where to read into; *hear*: is told what came.
    /// True: there is more, come back without waiting for the poll.
    ///
    /// # Errors
    /// The line is over, and why.
    pub fn turn(
        &mut self,
        scratch: &mut [u8],
        hear: &mut dyn FnMut(Heard<'_>),
    ) -> Result<bool, String> {
        if let Ok(Some(error)) | Err(error) = self.stream.take_error() {
            return Err(error.to_string());
        }
        self.flush()?;
        let (mut taken, mut is_more, mut is_end) = (0, true, false);
        while is_more && !is_end && taken < TURN_BYTES {
            match self.read(scratch) {
                Ok(0) => is_end = true,
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => is_more = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error.to_string()),
            }
        }
        self.take(hear)?;
        self.flush()?; // answers to pings, and what TLS has to say
        if is_end {
            return Err("closed by the venue".to_owned());
        }
        Ok(is_more)
    }

    fn read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            let count = self.stream.read(scratch)?;
            self.input.extend_from_slice(&scratch[..count]);
            return Ok(count);
        };
        let count = tls.read_tls(&mut self.stream)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let mut plain = state.plaintext_bytes_to_read();
        while plain > 0 {
            let part = tls.reader().read(scratch)?;
            self.input.extend_from_slice(&scratch[..part]);
            plain = plain.saturating_sub(part.max(1));
        }
        Ok(count)
    }

    fn take(&mut self, hear: &mut dyn FnMut(Heard<'_>)) -> Result<(), String> {
        let mut input = std::mem::take(&mut self.input);
        let taken = self.take_from(&mut input, hear);
        let used = *taken.as_ref().unwrap_or(&0);
        input.drain(..used);
        self.input = input;
        taken.map(|_| ())
    }

    fn take_from(
        &mut self,
        input: &mut [u8],
        hear: &mut dyn FnMut(Heard<'_>),
    ) -> Result<usize, String> {
        let mut at = 0;
        if !self.is_open {
            let Some(length) = check_handshake(input, &self.expected)? else { return Ok(0) };
            at = length;
            self.is_open = true;
            hear(Heard::Opened);
        }
        loop {
            let rest = input.get_mut(at..).unwrap_or_default();
            let found = self.decoder.next(rest);
            let found = found.map_err(|broken| format!("protocol broken: {}", broken.1))?;
            let Some((used, message)) = found else { return Ok(at) };
            at += used;
            match message {
                Message::Text(bytes) | Message::Binary(bytes) => hear(Heard::Message(bytes)),
                Message::Ping(bytes) => {
                    let mut body = [0; 125];
                    let body = &mut body[..bytes.len()];
                    body.copy_from_slice(bytes);
                    hear(Heard::Sign);
                    self.send(frame::PONG, body)?;
                }
                Message::Pong => hear(Heard::Sign),
                Message::Close(code) => return Err(format!("closed by the venue, code {code}")),
                Message::Piece => {}
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        match self.write() {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => Ok(()),
                _ => Err(error.to_string()),
            },
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            while !self.output.is_empty() {
                let count = self.stream.write(&self.output)?;
                self.output.drain(..count);
            }
            return Ok(());
        };
        if !self.output.is_empty() {
            let count = tls.writer().write(&self.output)?;
            self.output.drain(..count);
        }
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// SplitMix64: good enough that masks differ.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

fn check_handshake(input: &[u8], expected: &str) -> Result<Option<usize>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if input.len() <= HEAD_MAX => return Ok(None),
        _ => return Err("the answer to the handshake is no HTTP".to_owned()),
    };
    if head.code != Some(101) {
        return Err(format!("handshake refused with status {}", head.code.unwrap_or(0)));
    }
    let accepted = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("sec-websocket-accept"))
        .is_some_and(|header| header.value == expected.as_bytes());
    if !accepted {
        return Err("the answer to the handshake is not for us".to_owned());
    }
    Ok(Some(length))
}
