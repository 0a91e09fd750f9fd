// SPDX-License-Identifier: Apache-2.0
//! What is Bybit's own: names of topics, requests, answers. Every topic of a market goes over one
//! socket; a book begins with the snapshot that follows its subscription.

use hean_core::wire::Venue;
use serde::Deserialize;
use serde_json::json;

use crate::config::Place;
use crate::feed::Plan;
use crate::timeframe::Timeframe;

/// Topics of one request: what spot accepts.
const ARGS_MAX: usize = 10;
/// What keeps a connection alive.
pub const BEAT: &[u8] = br#"{"op":"ping"}"#;
const MARKER: &[u8] = b"\"topic\"";

/// The connections to a market.
#[must_use]
pub fn plans(place: &Place, depth: u32, timeframes: &[Timeframe]) -> Vec<Plan> {
    let mut topics = Vec::new();
    for (symbol, _) in &place.symbols {
        topics.push(format!("orderbook.{depth}.{symbol}"));
        topics.push(format!("publicTrade.{symbol}"));
        topics.push(format!("tickers.{symbol}"));
        for word in timeframes.iter().filter_map(|it| it.word(Venue::Bybit)) {
            topics.push(format!("kline.{word}.{symbol}"));
        }
    }
    vec![Plan { route: "public", address: place.stream.clone(), topics, has_books: true }]
}

/// Whether a message tells of the market; the marker stands near the beginning of it.
#[must_use]
pub fn is_data(bytes: &[u8]) -> bool {
    // Keys come in any order, and only answers to requests have no topic.
    bytes.windows(MARKER.len()).any(|part| part == MARKER)
}

/// Whether a topic is of a symbol.
#[must_use]
pub fn is_of(topic: &str, symbol: &str) -> bool {
    topic.rsplit('.').next() == Some(symbol)
}

/// Requests that subscribe topics.
pub fn subscribe(topics: &[String], requests: &mut u64) -> Vec<Vec<u8>> {
    ask("subscribe", topics, requests)
}

/// Requests that end subscriptions; a second subscription alone would be refused.
pub fn unsubscribe(topics: &[String], requests: &mut u64) -> Vec<Vec<u8>> {
    ask("unsubscribe", topics, requests)
}

fn ask(op: &str, topics: &[String], requests: &mut u64) -> Vec<Vec<u8>> {
    topics
        .chunks(ARGS_MAX)
        .map(|args| {
            *requests += 1;
            json!({"op": op, "req_id": requests.to_string(), "args": args}).to_string().into_bytes()
        })
        .collect()
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    op: String,
    success: Option<bool>,
    #[serde(default)]
    ret_msg: String,
}

/// Why a subscription was refused, if this says so.
#[must_use]
pub fn refusal(bytes: &[u8]) -> Option<String> {
    let reply: Reply = serde_json::from_slice(bytes).ok()?;
    (reply.op == "subscribe" && reply.success == Some(false)).then_some(reply.ret_msg)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_has_ten_topics_at_most() {
        let topics: Vec<String> = (0..23).map(|number| format!("t{number}")).collect();
        let mut requests = 0;
        let texts = subscribe(&topics, &mut requests);
        assert_eq!((texts.len(), requests), (3, 3));
        let last: serde_json::Value = serde_json::from_slice(&texts[2]).unwrap();
        assert_eq!(last, json!({"op": "subscribe", "req_id": "3", "args": ["t20", "t21", "t22"]}));
    }

    #[test]
    fn answers_are_told_from_data() {
        let refused = br#"{"success":false,"ret_msg":"bad topic","op":"subscribe","req_id":"1"}"#;
        assert!(!is_data(refused));
        assert_eq!(refusal(refused).as_deref(), Some("bad topic"));
        assert_eq!(refusal(br#"{"success":true,"ret_msg":"pong","op":"ping"}"#), None);
        assert!(is_data(br#"{"type":"delta","ts":1,"topic":"tickers.BTCUSDT"}"#));
        assert!(is_data(br#"{"topic" : "tickers.BTCUSDT"}"#), "blanks are no difference");
        assert!(is_of("orderbook.50.BTCUSDT", "BTCUSDT") && !is_of("tickers.XBTCUSDT", "BTCUSDT"));
    }
}
