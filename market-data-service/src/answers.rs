// SPDX-License-Identifier: Apache-2.0
//! What a GET is answered. The four questions about a symbol come first, because they are asked a
//! hundred thousand times a second; their answers lie ready in the symbol. What is not known yet is
//! a 503, so that nobody takes an old book for a new one. What is told of the service itself is in
//! `report.rs`.

use std::time::Instant;

use hean_core::book::Book;
use serde_json::json;

use crate::clients::Clients;
use crate::http::{self, parameter, Request};
use crate::hub::{book_of, Hub};
use crate::report::{health, metrics, ready};
use crate::symbol::{Symbol, CANDLES, LEVELS, LIMIT_MAX};

const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The date of answers, made once a second.
#[derive(Debug, Default)]
pub struct Moment {
    second: i64,
    /// As it stands in a head.
    pub date: Vec<u8>,
}

impl Moment {
    /// It is this late.
    pub fn set(&mut self, at_ns: i64) {
        let second = at_ns / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.date = http::date_of(second).to_vec();
        }
    }
}

/// Append the answer to a request. *Returns*: its status.
pub fn answer(
    to: &mut Vec<u8>,
    request: &Request<'_>,
    hub: &mut Hub,
    clients: &Clients,
    now: Instant,
) -> u16 {
    let date = &clients.moment().date;
    let keeps = request.keeps;
    if let Some(rest) = request.path.strip_prefix("/api/v1/") {
        return match rest.split_once('/') {
            Some((kind, name)) => about_symbol(to, kind, name, request, hub, date),
            None => listing(to, rest, hub, date, keeps),
        };
    }
    let (status, kind, body) = match request.path {
        "/health" => (200, JSON, health(hub, clients, now)),
        "/health/live" => (200, JSON, json!({"status": "live"}).to_string().into_bytes()),
        "/health/ready" => ready(hub),
        "/metrics" => (200, PROMETHEUS, metrics(hub, clients, now)),
        _ => {
            http::words_into(to, 404, date, keeps, "no such path; see /api/v1/topics");
            return 404;
        }
    };
    http::head_into(to, status, date, keeps);
    http::tail_into(to, kind, &body);
    status
}

fn about_symbol(
    to: &mut Vec<u8>,
    kind: &str,
    name: &str,
    request: &Request<'_>,
    hub: &mut Hub,
    date: &[u8],
) -> u16 {
    let keeps = request.keeps;
    let mut refuse = |status: u16, words: &str| {
        http::words_into(to, status, date, keeps, words);
        status
    };
    let Some(number) = hub.board.find(name) else {
        return refuse(404, "this symbol is not among SYMBOLS");
    };
    let feeds = &hub.sources.feeds;
    let Some(symbol) = hub.board.symbols.get_mut(number) else { return refuse(404, "no symbol") };
    let wanted = (count_of(request.query), candles_of(request.query, symbol));
    match (kind, wanted) {
        ("ticker", _) if !symbol.has_price() => refuse(503, "nothing was heard of it yet"),
        ("ticker", _) => {
            http::head_into(to, 200, date, keeps);
            to.extend_from_slice(symbol.ticker_tail());
            200
        }
        ("orderbook", (Some(count), _)) => {
            let Some(book) = book_of(feeds, symbol) else {
                return refuse(503, "there is no whole book at this moment");
            };
            http::head_into(to, 200, date, keeps);
            orderbook_into(to, symbol, book, count.unwrap_or(LEVELS));
            200
        }
        ("klines", (Some(count), Some(of))) => {
            http::head_into(to, 200, date, keeps);
            klines_into(to, symbol, of, count.unwrap_or(CANDLES));
            200
        }
        ("indicators", (_, Some(of))) => {
            http::head_into(to, 200, date, keeps);
            to.extend_from_slice(symbol.indicators_tail(of).unwrap_or_default());
            200
        }
        ("klines" | "indicators", (_, None)) => refuse(400, "no candles of this timeframe here"),
        ("klines" | "orderbook", (None, _)) => refuse(400, "limit is a number from 1 to 1000"),
        _ => refuse(404, "no such question"),
    }
}

fn orderbook_into(to: &mut Vec<u8>, symbol: &mut Symbol, book: &Book, levels: usize) {
    if levels == LEVELS {
        to.extend_from_slice(symbol.orderbook_tail(book));
        return;
    }
    let mut body = Vec::new();
    symbol.encode_orderbook(&mut body, book, levels);
    http::tail_into(to, JSON, &body);
}

fn klines_into(to: &mut Vec<u8>, symbol: &mut Symbol, of: usize, count: usize) {
    if (count, of) == (CANDLES, 0) {
        to.extend_from_slice(symbol.klines_tail());
        return;
    }
    let mut body = Vec::new();
    symbol.encode_klines(&mut body, of, count);
    http::tail_into(to, JSON, &body);
}

/// `limit`, if it is one.
fn count_of(query: &str) -> Option<Option<usize>> {
    match parameter(query, "limit") {
        None => Some(None),
        Some(text) => text.parse().ok().filter(|count| (1..=LIMIT_MAX).contains(count)).map(Some),
    }
}

/// Which length of candles is meant: `timeframe`, or `interval` as venues say.
fn candles_of(query: &str, symbol: &Symbol) -> Option<usize> {
    if query.is_empty() {
        return Some(0);
    }
    match parameter(query, "timeframe").or_else(|| parameter(query, "interval")) {
        None => Some(0),
        Some(name) => symbol.candles.iter().position(|candles| candles.timeframe.name == name),
    }
}

fn listing(to: &mut Vec<u8>, kind: &str, hub: &Hub, date: &[u8], keeps: bool) -> u16 {
    let names: Vec<&str> = hub.board.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    let body = match kind {
        "symbols" => {
            let rows = hub.board.symbols.iter().map(|it| {
                let (venue, market) = (it.venue.name(), it.market.name());
                json!({"name": it.name, "symbol": it.pair, "venue": venue, "market": market})
            });
            json!({"symbols": rows.collect::<Vec<_>>()})
        }
        "topics" => {
            let lengths = hub.board.symbols.first().into_iter().flat_map(|it| &it.candles);
            let lengths: Vec<&str> = lengths.map(|it| it.timeframe.name.as_str()).collect();
            let mut topics = vec![crate::board::FACTS.to_owned()];
            for name in &names {
                topics
                    .extend(["ticker", "orderbook", "trades"].map(|kind| format!("{kind}.{name}")));
                topics.extend(lengths.iter().map(|length| format!("klines.{name}.{length}")));
            }
            json!({"topics": topics})
        }
        _ => {
            http::words_into(to, 404, date, keeps, "no such path; see /api/v1/topics");
            return 404;
        }
    };
    http::head_into(to, 200, date, keeps);
    http::tail_into(to, JSON, body.to_string().as_bytes());
    200
}
