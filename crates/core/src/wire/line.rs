// SPDX-License-Identifier: Apache-2.0
//! One line of a recorded file to the frame it holds. Four ways of recording are known: a receive
//! stamp, a blank and the frame; the same with seconds and a colon; one JSON record per line with
//! the frame as text inside (`t`, `conn`, `ts`, `data`); and bare frames without a stamp.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::read;
use super::scalar::Text;
use super::{invalid, Market};
use crate::error::Result;
use crate::number::parse_decimal;

/// Integer receive stamps below this are seconds (until the year 5138; as milliseconds, 1973).
const SECONDS_BELOW: i128 = 100_000_000_000;

/// Unit of a receive stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, usually with a fraction.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Unit {
    /// Symbol of the unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }
}

/// When the recorder received a frame, by its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Nanoseconds UTC.
    pub ns: i64,
    /// Unit it was written in.
    pub unit: Unit,
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// A message of the venue.
    Frame {
        /// Recorder's clock, when it wrote one.
        received: Option<Received>,
        /// Recorder's name of the connection.
        connection: Option<Cow<'a, str>>,
        /// The message.
        payload: Cow<'a, [u8]>,
    },
    /// A connection was opened.
    Connect {
        /// Recorder's name of the connection.
        connection: Cow<'a, str>,
        /// Market the address belongs to, when the address tells.
        market: Option<Market>,
    },
    /// A note of the recorder: header, request, REST answer.
    Note(Cow<'a, str>),
}

/// Read one line without its end. An empty line is a note.
pub fn read_line(line: &[u8]) -> Result<Line<'_>> {
    match line.first() {
        None => Ok(Line::Note(Cow::Borrowed("blank"))),
        Some(b'{') if line.starts_with(b"{\"t\":\"") => read_record(line),
        Some(b'{' | b'[') => {
            Ok(Line::Frame { received: None, connection: None, payload: Cow::Borrowed(line) })
        }
        Some(b'0'..=b'9') => read_stamped(line),
        Some(_) if line.starts_with(b"wss://") || line.starts_with(b"https://") => {
            Ok(Line::Note(Cow::Borrowed("address")))
        }
        Some(_) => Err(invalid("line starts neither with a time nor with a JSON object")),
    }
}

fn read_stamped(line: &[u8]) -> Result<Line<'_>> {
    let blank = line.iter().position(|&byte| byte == b' ');
    let Some((stamp, rest)) = blank.and_then(|at| line.split_at_checked(at)) else {
        return Err(invalid("no blank between receive time and frame"));
    };
    let stamp = stamp.strip_suffix(b":").unwrap_or(stamp);
    let text = std::str::from_utf8(stamp).map_err(|_| invalid("receive time is not text"))?;
    Ok(Line::Frame {
        received: Some(read_received(text)?),
        connection: None,
        payload: Cow::Borrowed(rest.trim_ascii()),
    })
}

/// A receive stamp; its unit follows from its magnitude and is proven later, beside venue times.
fn read_received(text: &str) -> Result<Received> {
    // Nine decimals hold a nanosecond; a float printed longer than that carries no more time.
    let kept = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 9 => {
            text.get(..whole.len() + 10).unwrap_or(text)
        }
        _ => text,
    };
    let nanos = parse_decimal(kept, 9).map_err(|_| bad_received(text))?;
    let whole = nanos / 1_000_000_000;
    let (unit, ns) = if whole < SECONDS_BELOW {
        (Unit::Seconds, nanos)
    } else if whole < SECONDS_BELOW * 1_000 {
        (Unit::Millis, nanos / 1_000)
    } else if whole < SECONDS_BELOW * 1_000_000 {
        (Unit::Micros, nanos / 1_000_000)
    } else {
        (Unit::Nanos, whole)
    };
    i64::try_from(ns).map(|ns| Received { ns, unit }).map_err(|_| bad_received(text))
}

fn bad_received(text: &str) -> crate::error::CoreError {
    let shown: String = text.chars().take(40).collect();
    invalid(format!("receive time {shown:?} is not a time"))
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    t: Text<'a>,
    #[serde(borrow, default)]
    conn: Option<Text<'a>>,
    #[serde(borrow, default)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    addr: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

fn read_record(line: &[u8]) -> Result<Line<'_>> {
    let record: Record<'_> = read(line, "record")?;
    match (record.t.0.as_ref(), record.conn) {
        ("recv", connection) => {
            let data = record.data.ok_or_else(|| invalid("record without data"))?;
            let text: Text<'_> = read(data.get().as_bytes(), "record data")?;
            let payload = match text.0 {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            let received = record.ts.map(|raw| read_received(raw.get())).transpose()?;
            Ok(Line::Frame { received, connection: connection.map(|text| text.0), payload })
        }
        ("connect", Some(connection)) => {
            let market = record.addr.and_then(|addr| Market::of_address(&addr.0));
            Ok(Line::Connect { connection: connection.0, market })
        }
        _ => Ok(Line::Note(record.t.0)),
    }
}
