// SPDX-License-Identifier: Apache-2.0
//! Where a venue is reached: scheme, host, port and path of a URL. An address that would leave the
//! machine unencrypted is refused, because whoever sits in between could make the prices.

use std::fmt;

/// A parsed URL of a socket or of REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Encrypted.
    pub is_tls: bool,
    /// Name or number of the host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path without a slash at its end; what is asked for is appended.
    pub path: String,
}

const SCHEMES: [(&str, bool, u16); 4] =
    [("wss://", true, 443), ("https://", true, 443), ("ws://", false, 80), ("http://", false, 80)];

impl Address {
    /// Parse a URL.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        let Some((scheme, is_tls, port)) =
            SCHEMES.iter().find(|(scheme, ..)| url.starts_with(scheme))
        else {
            return Err(format!("{url:?} begins with none of wss://, https://, ws://, http://"));
        };
        let rest = &url[scheme.len()..];
        let (place, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if path.contains(['?', '#']) || place.contains('@') {
            return Err(format!("{url:?}: no user name, query or fragment is allowed"));
        }
        let (host, port) = split_port(place, *port)
            .ok_or_else(|| format!("{url:?}: expected a host, perhaps with a port"))?;
        let address =
            Self { is_tls: *is_tls, host, port, path: path.trim_end_matches('/').to_owned() };
        if !address.is_tls && !address.is_local() {
            return Err(format!("{url:?} leaves the machine unencrypted; use wss:// or https://"));
        }
        Ok(address)
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "127.0.0.1" | "::1" | "localhost")
    }

    /// The same place, another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// What a request writes into its `Host` line.
    #[must_use]
    pub fn host_line(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}", self.host_line(), self.path)
    }
}

fn split_port(place: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    if host.is_empty() || !host.bytes().all(is_name) {
        return None;
    }
    let port = match port {
        Some(text) => text.parse().ok().filter(|port| *port > 0)?,
        None => default,
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_taken_apart() {
        let cases = [
            ("wss://stream.bybit.com/v5/public/linear", true, "stream.bybit.com", 443),
            ("ws://127.0.0.1:7001/", false, "127.0.0.1", 7001),
            ("http://[::1]:80", false, "::1", 80),
            ("https://api.binance.com", true, "api.binance.com", 443),
        ];
        for (url, is_tls, host, port) in cases {
            let address = Address::parse(url);
            let found = address.as_ref().map(|it| (it.is_tls, it.host.as_str(), it.port));
            assert_eq!(found, Ok((is_tls, host, port)), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_or_unsafe_is_refused() {
        let bad = [
            "ftp://a",
            "wss://",
            "wss://a:b",
            "wss://a:0",
            "ws://stream.bybit.com",
            "wss://u@h",
            "wss://h/x?y",
            "wss://a b",
            "http://10.0.0.1",
        ];
        for url in bad {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
