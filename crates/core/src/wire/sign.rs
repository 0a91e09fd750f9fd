// SPDX-License-Identifier: Apache-2.0
//! Signing what is sent: HMAC-SHA256 (RFC 2104) under one secret, and the one frame whose text is
//! sorted before it is signed, that of Binance's WebSocket API. The secret is mixed into two hash
//! states once and not kept; a signature copies them.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::hash::to_hex;

/// Bytes of a SHA-256 block.
const BLOCK: usize = 64;

/// A secret, prepared.
#[derive(Clone)]
pub struct Signer {
    inner: Sha256,
    outer: Sha256,
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Signer(***)")
    }
}

impl Signer {
    /// Prepare a secret; one longer than a block is hashed first.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut key = [0_u8; BLOCK];
        if secret.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        let padded = |pad: u8| Sha256::new().chain_update(key.map(|byte| byte ^ pad));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The lower-case hexadecimal signature of a text.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        let inner = self.inner.clone().chain_update(text).finalize();
        to_hex(&self.outer.clone().chain_update(inner).finalize())
    }

    /// A signed request of Binance's WebSocket API. *fields*: without key, time and signature, in
    /// any order; values that need no escaping, as symbols, decimals and client ids do not. The
    /// frame carries them sorted by name, as they are signed.
    #[must_use]
    pub fn binance_frame(
        &self,
        api_key: &str,
        (request_id, method): (&str, &str),
        fields: &[(&str, &str)],
        timestamp_ms: i64,
    ) -> Vec<u8> {
        let time = timestamp_ms.to_string();
        let mut sorted: Vec<(&str, &str)> = Vec::with_capacity(fields.len() + 2);
        sorted.extend_from_slice(fields);
        sorted.push(("apiKey", api_key));
        sorted.push(("timestamp", &time));
        sorted.sort_unstable();
        let mut text = String::with_capacity(256);
        let mut frame = String::with_capacity(512);
        for part in [r#"{"id":""#, request_id, r#"","method":""#, method, r#"","params":{"#] {
            frame.push_str(part);
        }
        for (name, value) in sorted {
            let quote = if name == "timestamp" { "" } else { "\"" };
            for part in [name, "=", value, "&"] {
                text.push_str(part);
            }
            for part in ["\"", name, "\":", quote, value, quote, ","] {
                frame.push_str(part);
            }
        }
        text.pop();
        for part in [r#""signature":""#, &self.sign(text.as_bytes()), r#""}}"#] {
            frame.push_str(part);
        }
        frame.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, cases 2 and 6 (a key longer than a block).
    #[test]
    fn signatures_are_those_of_the_standard() {
        let short = Signer::new(b"Jefe").sign(b"what do ya want for nothing?");
        assert_eq!(short, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = Signer::new(&[0xaa; 131])
            .sign(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_frame_carries_what_is_signed_sorted_by_name() {
        let signer = Signer::new(b"secret");
        let fields = [("symbol", "BTCUSDT"), ("quantity", "0.1")];
        let frame = signer.binance_frame("key", ("7", "order.place"), &fields, 5);
        let signature = signer.sign(b"apiKey=key&quantity=0.1&symbol=BTCUSDT&timestamp=5");
        let head = r#"{"id":"7","method":"order.place","params":{"apiKey":"key","quantity":"0.1""#;
        let tail = format!(r#","symbol":"BTCUSDT","timestamp":5,"signature":"{signature}"}}}}"#);
        let expected = format!("{head}{tail}");
        assert_eq!(String::from_utf8_lossy(&frame), expected);
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Signer::new(b"hidden")), "Signer(***)");
    }
}
