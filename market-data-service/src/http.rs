// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 as far as it is needed: requests of clients (GET and HEAD without a body), the answers,
//! and the head of what a venue answers. Whatever else arrives is refused by its number.

use std::io::Write;

/// Longest request head.
pub const REQUEST_MAX: usize = 8 << 10;
/// Most header lines.
pub const HEADERS_MAX: usize = 64;

/// A request of a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Bytes it took.
    pub length: usize,
    /// Path without query.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// Only the head is wanted.
    pub is_head: bool,
    /// The connection stays open.
    pub keeps: bool,
    /// `Sec-WebSocket-Key` of a client that wants the stream.
    pub socket_key: Option<&'a str>,
}

/// Status of a request that cannot be taken; the connection ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub u16);

/// The request at the beginning of a buffer; `None` while it is not whole.
///
/// # Errors
/// [`Refused`].
pub fn read_request(input: &[u8]) -> Result<Option<Request<'_>>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(input) {
        Ok(httparse::Status::Complete(length)) if length <= REQUEST_MAX => length,
        Ok(httparse::Status::Partial) if input.len() <= REQUEST_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Refused(431)),
        Err(_) => return Err(Refused(400)),
    };
    let (Some(method), Some(target)) = (head.method, head.path) else { return Err(Refused(400)) };
    let is_head = method == "HEAD";
    if !is_head && method != "GET" {
        return Err(Refused(405));
    }
    let mut keeps = head.version == Some(1);
    let (mut is_upgrade, mut key, mut version) = (false, None, "");
    for header in head.headers.iter() {
        let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
        // The first letter decides for nearly all lines that are of no interest.
        match header.name.as_bytes().first().map(u8::to_ascii_lowercase) {
            Some(b'c') if header.name.eq_ignore_ascii_case("connection") => {
                keeps = has_word(value(), "keep-alive") || (keeps && !has_word(value(), "close"));
            }
            Some(b'c') if header.name.eq_ignore_ascii_case("content-length") && value() != "0" => {
                return Err(Refused(413));
            }
            Some(b't') if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                return Err(Refused(413));
            }
            Some(b'u') if header.name.eq_ignore_ascii_case("upgrade") => {
                is_upgrade = has_word(value(), "websocket");
            }
            Some(b's') if header.name.eq_ignore_ascii_case("sec-websocket-key") => {
                key = Some(value());
            }
            Some(b's') if header.name.eq_ignore_ascii_case("sec-websocket-version") => {
                version = value();
            }
            _ => {}
        }
    }
    if is_upgrade && (version != "13" || key.is_none_or(str::is_empty)) {
        return Err(Refused(426));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let socket_key = key.filter(|_| is_upgrade && !is_head);
    Ok(Some(Request { length, path, query, is_head, keeps, socket_key }))
}

fn has_word(list: &str, word: &str) -> bool {
    list.split(',').any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// The value of a parameter; names and values are plain, nothing is percent-decoded.
#[must_use]
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|it| it.1)
}

/// Words of a status.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

/// The lines of an answer that stay the same while its body does: all but status and date, and the
/// blank line, and the body.
pub fn tail_into(to: &mut Vec<u8>, kind: &str, body: &[u8]) {
    // Writing into a Vec cannot fail.
    let _ = write!(to, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    to.extend_from_slice(body);
}

/// Status, date, and what an answer has to say about its connection.
pub fn head_into(to: &mut Vec<u8>, status: u16, date: &[u8], keeps: bool) {
    if status == 200 {
        to.extend_from_slice(b"HTTP/1.1 200 OK\r\nDate: ");
    } else {
        let _ = write!(to, "HTTP/1.1 {status} {}\r\nDate: ", reason(status));
    }
    to.extend_from_slice(date);
    to.extend_from_slice(b"\r\n");
    if !keeps {
        to.extend_from_slice(b"Connection: close\r\n");
    }
    match status {
        405 => to.extend_from_slice(b"Allow: GET, HEAD\r\n"),
        426 => to.extend_from_slice(b"Sec-WebSocket-Version: 13\r\n"),
        503 => to.extend_from_slice(b"Retry-After: 1\r\n"),
        _ => {}
    }
}

/// An answer in words, as JSON.
pub fn words_into(to: &mut Vec<u8>, status: u16, date: &[u8], keeps: bool, words: &str) {
    head_into(to, status, date, keeps);
    let body = serde_json::json!({"status": status, "detail": words}).to_string();
    tail_into(to, "application/json", body.as_bytes());
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` of a time in seconds.
#[must_use]
pub fn date_of(seconds: i64) -> [u8; 29] {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date: Howard Hinnant, "chrono-compatible low-level date algorithms", 2014.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let text = format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize],
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    if text.len() == date.len() {
        date.copy_from_slice(text.as_bytes());
    }
    date
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn taken(text: &str) -> Result<Option<Request<'_>>, Refused> {
        read_request(text.as_bytes())
    }

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let whole = "GET /a/b?x=1&y=2 HTTP/1.1\r\nHost: h\r\n\r\nGET";
        let request = taken(whole).unwrap().unwrap();
        assert_eq!(
            (request.path, request.query, request.length),
            ("/a/b", "x=1&y=2", whole.len() - 3)
        );
        assert!(request.keeps && !request.is_head && request.socket_key.is_none());
        assert_eq!(parameter(request.query, "y"), Some("2"));
        assert_eq!(parameter(request.query, "z"), None);
        for cut in 0..whole.len() - 5 {
            assert_eq!(taken(&whole[..cut]), Ok(None));
        }
    }

    #[test]
    fn whether_the_line_stays_depends_on_version_and_word() {
        let cases = [
            ("HTTP/1.1\r\n", true),
            ("HTTP/1.0\r\n", false),
            ("HTTP/1.1\r\nConnection: Close\r\n", false),
            ("HTTP/1.0\r\nconnection: Keep-Alive, x\r\n", true),
        ];
        for (rest, keeps) in cases {
            let text = format!("HEAD / {rest}\r\n");
            let request = taken(&text).unwrap().unwrap();
            assert_eq!((request.keeps, request.is_head), (keeps, true), "{rest}");
        }
    }

    #[test]
    fn what_is_not_taken_has_a_number() {
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n", "x".repeat(REQUEST_MAX));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS_MAX + 1));
        let cases = [
            ("POST / HTTP/1.1\r\n\r\n", 405),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 413),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 426),
            ("\0\0\0\0", 400),
            ("GET / HTTP/7.1\r\n\r\n", 400),
            (&long, 431),
            (&many, 431),
        ];
        for (text, status) in cases {
            assert_eq!(taken(text), Err(Refused(status)), "{text:.40}");
        }
    }

    #[test]
    fn a_client_may_ask_for_the_stream() {
        let text = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: abc\r\n\r\n";
        assert_eq!(taken(text).unwrap().unwrap().socket_key, Some("abc"));
    }

    #[test]
    fn dates_are_those_of_the_standard() {
        assert_eq!(&date_of(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&date_of(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&date_of(1_709_164_800), b"Thu, 29 Feb 2024 00:00:00 GMT");
    }
}
