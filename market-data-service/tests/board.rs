// SPDX-License-Identifier: Apache-2.0
//! The board from frames to what listeners are told: nothing is encoded that nobody hears, a
//! state is told once for all its changes in a turn, messages are numbered without a hole, and a
//! book that is gone is said so.

#![allow(clippy::unwrap_used)]

use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::{Instrument, Kind};
use market_data_service::board::Board;
use market_data_service::frame::{Decoder, Message};
use market_data_service::outbox::Published;
use market_data_service::symbol::Symbol;
use market_data_service::timeframe::Timeframe;
use serde_json::{json, Value};

const AT: i64 = 1_700_000_000_000_000_000;

struct Desk {
    board: Board,
    wire: WireFeed,
    update: u64,
}

impl Desk {
    fn new() -> Self {
        let timeframes = [Timeframe::parse("1m").unwrap()];
        let names = ["BTCUSDT", "ETHUSDT"];
        let symbols = names
            .iter()
            .map(|name| Symbol::new([name, name], Venue::Bybit, Market::Linear, &timeframes))
            .collect();
        let rules =
            names.map(|name| Instrument::new(name, Kind::LinearPerpetual, "0.1", "0.001").unwrap());
        let wire = WireFeed::new(Venue::Bybit, Market::Linear, rules.to_vec());
        Self { board: Board::new(symbols, AT), wire, update: 0 }
    }

    fn listen(&mut self, topic: &str) -> usize {
        let number = self.board.topic(topic).unwrap();
        self.board.listen(number, true);
        number
    }

    fn trade(&mut self, price: &str) {
        self.update += 1;
        let id = self.update;
        let frame = json!({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [
            {"T": 1_700_000_000_000_u64 + id, "s": "BTCUSDT", "S": "Buy", "v": "0.5", "p": price,
             "L": "PlusTick", "i": id.to_string(), "BT": false}]});
        self.push(&frame);
    }

    fn push(&mut self, frame: &Value) {
        let facts = self.wire.push(frame.to_string().as_bytes()).unwrap();
        self.board.take(AT, &[0, 1], facts);
    }

    /// What is told, by topic, as JSON.
    fn told(&mut self) -> Vec<(usize, Value)> {
        self.board.settle(AT, |_| None);
        let news = std::mem::take(&mut self.board.news);
        news.iter().map(|one| (one.topic, text_of(&one.frame))).collect()
    }
}

fn text_of(frame: &[u8]) -> Value {
    let mut bytes = frame.to_vec();
    let mut decoder = Decoder::new(false, 1 << 20);
    match decoder.next(&mut bytes) {
        Ok(Some((_, Message::Text(text)))) => serde_json::from_slice(text).unwrap(),
        other => json!(format!("{other:?}")),
    }
}

#[test]
fn topics_have_names_and_strangers_none() {
    let board = Desk::new().board;
    let known = ["ticker.BTCUSDT", "orderbook.ETHUSDT", "trades.BTCUSDT", "klines.BTCUSDT.1m"];
    let mut numbers: Vec<usize> = known.iter().map(|name| board.topic(name).unwrap()).collect();
    numbers.push(board.topic("facts").unwrap());
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
    assert_eq!(board.topic("klines.BTCUSDT"), board.topic("klines.BTCUSDT.1m"));
    for bad in ["", "facts.BTCUSDT", "ticker", "ticker.X", "klines.BTCUSDT.9m", "ticker.BTCUSDT.1m"]
    {
        assert_eq!(board.topic(bad), None, "{bad}");
    }
}

#[test]
fn nobody_hears_nothing_is_told() {
    let mut desk = Desk::new();
    desk.trade("100.5");
    assert!(desk.told().is_empty() && desk.board.published.is_empty());
}

#[test]
fn a_state_is_told_once_for_a_turn_and_trades_each() {
    let mut desk = Desk::new();
    let (ticker, trades) = (desk.listen("ticker.BTCUSDT"), desk.listen("trades.BTCUSDT"));
    for price in ["100.5", "100.6", "100.7"] {
        desk.trade(price);
    }
    let told = desk.told();
    let prices = |topic: usize| -> Vec<f64> {
        let rows = told.iter().filter(|(of, _)| *of == topic);
        rows.map(|(_, it)| it["data"]["price"].as_f64().unwrap()).collect()
    };
    assert_eq!(prices(ticker), [100.7]);
    assert_eq!(prices(trades), [100.5, 100.6, 100.7]);
    desk.trade("100.8");
    let seqs: Vec<(usize, Value)> =
        desk.told().into_iter().map(|(of, it)| (of, it["seq"].clone())).collect();
    assert!(seqs.contains(&(ticker, json!(2))) && seqs.contains(&(trades, json!(4))));
    desk.board.listen(ticker, false);
    desk.trade("100.9");
    assert!(desk.told().iter().all(|(topic, _)| *topic == trades));
}

#[test]
fn messages_are_a_chain_and_begin_with_all_that_is_known() {
    let mut desk = Desk::new();
    desk.trade("100.5");
    let facts = desk.listen("facts");
    let first = text_of(&desk.board.snapshot(AT, facts, |_| None).unwrap());
    desk.trade("100.6");
    desk.board.set_book(AT, 1, true, "");
    desk.board.set_book(AT, 1, true, "");
    desk.board.beat(AT);
    desk.board.beat(AT + 2_000_000_000);
    let rows: Vec<Value> = desk.told().into_iter().map(|(_, it)| it).collect();
    assert_eq!(rows.len(), 3, "a beat is due only after a second of silence");
    assert_eq!(first[3], 0);
    for (row, before) in rows.iter().zip(first[2].as_u64().unwrap()..) {
        assert_eq!(row[2], before + 1);
    }
    assert_eq!(rows[0][5][0][0], "TICK");
    assert_eq!(
        rows[1][5][0],
        json!(["HEALTH", {
        "component": "feed.bybit.linear.book.ETHUSDT", "state": "FRESH",
        "extra": {"symbol": "ETHUSDT", "reason": ""}}])
    );
    assert_eq!(rows[2][5], json!([]));
    let moments: Vec<i64> = rows.iter().map(|row| row[4].as_i64().unwrap()).collect();
    assert!(moments.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn who_listens_right_after_a_funding_rate_is_told_it() {
    let mut desk = Desk::new();
    desk.push(&json!({"topic": "tickers.BTCUSDT", "type": "snapshot", "ts": 1, "cs": 1, "data": {
        "symbol": "BTCUSDT", "markPrice": "100.5", "indexPrice": "100.4",
        "fundingRate": "0.0001", "nextFundingTime": "1700000000000"}}));
    let facts = desk.listen("facts");
    let first = text_of(&desk.board.snapshot(AT, facts, |_| None).unwrap());
    let told = json!({"symbol": "BTCUSDT", "rate": 0.0001, "next_ts": AT});
    assert!(first[5].as_array().unwrap().contains(&json!(["FUNDING", told])), "{first}");
}

#[test]
fn what_is_published_is_numbered_like_what_is_told() {
    let mut desk = Desk::new();
    desk.board.is_publishing = true;
    desk.listen("facts");
    desk.trade("100.5");
    desk.trade("100.6");
    assert_eq!(desk.board.published.len(), 2);
    let about = |it: &Published| (it.key.to_string(), it.stays);
    let expected = ("BTCUSDT".to_owned(), false);
    assert!(desk.board.published.iter().all(|it| about(it) == expected));
    let seqs: Vec<Value> = desk.told().into_iter().map(|(_, it)| it[2].clone()).collect();
    let wanted: Vec<u64> = desk
        .board
        .published
        .iter()
        .map(|message| {
            // Array of seven, schema, source of eleven letters, then the number in nine bytes.
            let at = 2 + 12 + 1;
            u64::from_be_bytes(message.bytes[at..at + 8].try_into().unwrap())
        })
        .collect();
    assert_eq!(json!(seqs), json!(wanted));
}
