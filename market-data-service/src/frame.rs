// SPDX-License-Identifier: Apache-2.0
//! WebSocket frames (RFC 6455) and the handshake, for both ends: what clients send is masked, what
//! servers send is not. Messages in pieces are joined. What breaks the protocol ends the
//! connection; nothing is guessed. No extension is offered or taken.

use sha1::{Digest, Sha1};

const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CONTROL_MAX: usize = 125;

/// Kinds of frames.
pub const TEXT: u8 = 1;
/// See [`TEXT`].
pub const BINARY: u8 = 2;
/// See [`TEXT`].
pub const CLOSE: u8 = 8;
/// See [`TEXT`].
pub const PING: u8 = 9;
/// See [`TEXT`].
pub const PONG: u8 = 10;

/// A whole message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text; whether it is UTF-8 is for its reader to find out.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// To be answered with the same bytes.
    Ping(&'a [u8]),
    /// The answer to ours.
    Pong,
    /// The end, with its code; 1005 where none was given.
    Close(u16),
    /// A piece of a message whose end is to come.
    Piece,
}

/// The other side broke the protocol, or a limit: close code and reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(pub u16, pub &'static str);

/// Takes frames out of a buffer.
#[derive(Debug)]
pub struct Decoder {
    is_masked: bool,
    message_max: usize,
    pieces: Vec<u8>,
    kind: u8,
}

impl Decoder {
    /// *is_masked*: the other side is a client. *message_max*: longest message in bytes.
    #[must_use]
    pub const fn new(is_masked: bool, message_max: usize) -> Self {
        Self { is_masked, message_max, pieces: Vec::new(), kind: 0 }
    }

    /// The next message at the beginning of the buffer, and how many bytes it took; `None` while
    /// it is not whole.
    ///
    /// # Errors
    /// [`Broken`]: the connection has to end.
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut [u8],
    ) -> Result<Option<(usize, Message<'a>)>, Broken> {
        let Some(head) = read_head(input, self.is_masked, self.message_max)? else {
            return Ok(None);
        };
        let end = head.start + head.length;
        let Some(body) = input.get_mut(head.start..end) else { return Ok(None) };
        if let Some(mask) = head.mask {
            for (byte, key) in body.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= key;
            }
        }
        let body: &'a [u8] = body;
        let message = match head.kind {
            CLOSE => Message::Close(match body {
                [high, low, ..] => u16::from_be_bytes([*high, *low]),
                _ => 1005,
            }),
            PING => Message::Ping(body),
            PONG => Message::Pong,
            _ => self.data(&head, body)?,
        };
        Ok(Some((end, message)))
    }

    fn data<'a>(&'a mut self, head: &Head, body: &'a [u8]) -> Result<Message<'a>, Broken> {
        let is_first = head.kind != 0;
        if is_first != (self.kind == 0) {
            return Err(Broken(1002, "pieces of messages are mixed up"));
        }
        if is_first && head.is_last {
            return Ok(message_of(head.kind, body));
        }
        if is_first {
            self.kind = head.kind;
            self.pieces.clear();
        }
        if self.pieces.len() + body.len() > self.message_max {
            return Err(Broken(1009, "message is too long"));
        }
        self.pieces.extend_from_slice(body);
        if !head.is_last {
            return Ok(Message::Piece);
        }
        let kind = std::mem::take(&mut self.kind);
        Ok(message_of(kind, &self.pieces))
    }
}

fn message_of(kind: u8, body: &[u8]) -> Message<'_> {
    if kind == TEXT {
        Message::Text(body)
    } else {
        Message::Binary(body)
    }
}

struct Head {
    is_last: bool,
    kind: u8,
    mask: Option<[u8; 4]>,
    start: usize,
    length: usize,
}

fn read_head(input: &[u8], is_masked: bool, max: usize) -> Result<Option<Head>, Broken> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    let (is_last, kind) = (first & 0x80 != 0, first & 0x0f);
    if first & 0x70 != 0 {
        return Err(Broken(1002, "reserved bits are set"));
    }
    if !matches!(kind, 0..=2 | CLOSE..=PONG) {
        return Err(Broken(1002, "unknown kind of frame"));
    }
    if (second & 0x80 != 0) != is_masked {
        return Err(Broken(1002, "mask is missing, or is not due"));
    }
    let short = usize::from(second & 0x7f);
    if kind >= CLOSE && (!is_last || short > CONTROL_MAX) {
        return Err(Broken(1002, "control frame is too long or in pieces"));
    }
    let (length, extra) = match short {
        126 => match rest {
            [a, b, ..] => (usize::from(u16::from_be_bytes([*a, *b])), 2),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (usize::try_from(u64::from_be_bytes(*bytes)).unwrap_or(usize::MAX), 8),
            None => return Ok(None),
        },
        short => (short, 0),
    };
    if length > max {
        return Err(Broken(1009, "message is too long"));
    }
    let mask_at = 2 + extra;
    if !is_masked {
        return Ok(Some(Head { is_last, kind, mask: None, start: mask_at, length }));
    }
    let Some(mask) = input.get(mask_at..).and_then(|bytes| bytes.first_chunk::<4>()) else {
        return Ok(None);
    };
    Ok(Some(Head { is_last, kind, mask: Some(*mask), start: mask_at + 4, length }))
}

/// Append a frame; with *mask* as a client sends it.
pub fn encode(to: &mut Vec<u8>, kind: u8, body: &[u8], mask: Option<[u8; 4]>) {
    to.push(0x80 | kind);
    let bit = if mask.is_some() { 0x80 } else { 0 };
    match body.len() {
        length @ 0..=125 => to.push(bit | length as u8),
        length @ 126..=65_535 => {
            to.push(bit | 126);
            to.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            to.push(bit | 127);
            to.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    match mask {
        Some(mask) => {
            to.extend_from_slice(&mask);
            to.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        None => to.extend_from_slice(body),
    }
}

/// A close frame as a server sends it.
#[must_use]
pub fn closing(code: u16, reason: &str) -> Vec<u8> {
    let mut body = code.to_be_bytes().to_vec();
    body.extend(reason.bytes().take(CONTROL_MAX - 2));
    let mut frame = Vec::with_capacity(body.len() + 2);
    encode(&mut frame, CLOSE, &body, None);
    frame
}

/// `Sec-WebSocket-Accept` for a key.
#[must_use]
pub fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(MAGIC);
    base64(&hash.finalize())
}

/// Base 64 with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_handshake_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let known =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, coded) in known {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_whatever_its_length_and_however_it_is_cut() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let body: Vec<u8> = (0..length).map(|place| place as u8).collect();
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut bytes = Vec::new();
                encode(&mut bytes, TEXT, &body, mask);
                let mut decoder = Decoder::new(mask.is_some(), 100_000);
                for cut in [0, 1, 3, 9, bytes.len() - 1] {
                    let mut part = bytes[..cut.min(bytes.len() - 1)].to_vec();
                    assert_eq!(decoder.next(&mut part), Ok(None));
                }
                let all = bytes.len();
                let found = decoder.next(&mut bytes).unwrap();
                assert_eq!(found, Some((all, Message::Text(&body))));
            }
        }
    }

    #[test]
    fn pieces_are_joined_and_pings_may_come_between() {
        let mut decoder = Decoder::new(false, 10);
        assert_eq!(decoder.next(&mut [0x01, 2, b'a', b'b']), Ok(Some((4, Message::Piece))));
        assert_eq!(decoder.next(&mut [0x89, 0]), Ok(Some((2, Message::Ping(b"")))));
        assert_eq!(decoder.next(&mut [0x80, 1, b'c']), Ok(Some((3, Message::Text(b"abc")))));
        assert!(decoder.next(&mut [0x80, 1, b'c']).is_err(), "no message was begun");
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_by_its_code() {
        let cases: [(&mut [u8], u16); 7] = [
            (&mut [0xC1, 0], 1002),
            (&mut [0x83, 0], 1002),
            (&mut [0x81, 0x81, 0, 0, 0, 0, 0], 1002),
            (&mut [0x09, 0], 1002),
            (&mut [0x89, 126, 0, 200], 1002),
            (&mut [0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255], 1009),
            (&mut [0x81, 126, 0, 200], 1009),
        ];
        for (bytes, code) in cases {
            let mut decoder = Decoder::new(false, 100);
            let found = decoder.next(bytes).map(|_| ()).map_err(|Broken(code, _)| code);
            assert_eq!(found, Err(code));
        }
        let mut decoder = Decoder::new(false, 3);
        assert!(decoder.next(&mut [0x01, 2, b'a', b'b']).is_ok());
        assert!(decoder.next(&mut [0x80, 2, b'a', b'b']).is_err(), "longer than allowed in all");
    }
}
