// SPDX-License-Identifier: Apache-2.0
//! What is Binance's own: names of streams, requests, answers, and the routes of USD-M: a stream
//! subscribed on the wrong one is silent for ever. A book is a REST snapshot joined to the changes.

use hean_core::wire::{Market, Venue};
use serde::Deserialize;
use serde_json::json;

use crate::config::Place;
use crate::feed::Plan;
use crate::timeframe::Timeframe;

/// Streams of one request: four of them fill a connection.
const PARAMS_MAX: usize = 300;
const MARKER: &[u8] = b"\"stream\"";
const BOOKS: [&str; 3] = ["depth@100ms", "trade", "bookTicker"];

/// The connections to a market.
#[must_use]
pub fn plans(place: &Place, timeframes: &[Timeframe]) -> Vec<Plan> {
    let candles = || {
        let words = timeframes.iter().filter_map(|it| it.word(Venue::Binance));
        words.map(|word| format!("kline_{word}"))
    };
    let books = BOOKS.iter().map(|name| (*name).to_owned());
    match place.market {
        Market::Spot => {
            vec![plan(place, "public", "", books.chain(candles()).collect(), true)]
        }
        Market::Linear => vec![
            plan(place, "public", "/public", books.collect(), true),
            plan(
                place,
                "market",
                "/market",
                std::iter::once("markPrice@1s".to_owned()).chain(candles()).collect(),
                false,
            ),
        ],
    }
}

fn plan(
    place: &Place,
    route: &'static str,
    path: &str,
    names: Vec<String>,
    has_books: bool,
) -> Plan {
    let symbols = place.symbols.iter().map(|(symbol, _)| symbol.to_ascii_lowercase());
    let topics =
        symbols.flat_map(|symbol| names.iter().map(move |name| format!("{symbol}@{name}")));
    let address = place.stream.at(&format!("{}{path}/stream", place.stream.path));
    Plan { route, address, topics: topics.collect(), has_books }
}

/// Whether a message tells of the market.
#[must_use]
pub fn is_data(bytes: &[u8]) -> bool {
    bytes.windows(MARKER.len()).any(|part| part == MARKER)
}

/// Requests that subscribe streams.
pub fn subscribe(topics: &[String], requests: &mut u64) -> Vec<Vec<u8>> {
    topics
        .chunks(PARAMS_MAX)
        .map(|params| {
            *requests += 1;
            json!({"method": "SUBSCRIBE", "params": params, "id": requests})
                .to_string()
                .into_bytes()
        })
        .collect()
}

#[derive(Deserialize)]
struct Reply {
    error: Option<serde_json::Value>,
    code: Option<i64>,
    #[serde(default)]
    msg: String,
}

/// Why a subscription was refused, if this says so.
#[must_use]
pub fn refusal(bytes: &[u8]) -> Option<String> {
    let reply: Reply = serde_json::from_slice(bytes).ok()?;
    match (reply.error, reply.code) {
        (Some(error), _) => Some(error.to_string()),
        (None, Some(code)) => Some(format!("{code} {}", reply.msg)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_data() {
        assert_eq!(refusal(br#"{"result":null,"id":1}"#), None);
        assert!(refusal(br#"{"error":{"code":2,"msg":"x"},"id":1}"#).is_some());
        assert_eq!(refusal(br#"{"code":3,"msg":"bad"}"#).as_deref(), Some("3 bad"));
        assert!(is_data(br#"{"stream":"btcusdt@trade","data":{}}"#));
    }
}
