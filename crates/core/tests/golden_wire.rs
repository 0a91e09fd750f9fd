// SPDX-License-Identifier: Apache-2.0
//! Short frames of every public kind, written after the venues' stream pages, and what each must
//! become. They run without any recorded data; the recorded frames are read by the Python tests.

#![allow(clippy::unwrap_used, clippy::panic)]

use hean_core::wire::frame::{Level, TradeId};
use hean_core::wire::{parse_binance, parse_bybit, time_ns, Frame, Number, FRAME_BYTES_MAX};
use hean_core::{Code, Instrument, Kind, Side, Ticks};

const MS: i64 = 1_000_000;

fn binance(text: &str) -> Frame<'_> {
    parse_binance(text.as_bytes()).unwrap()
}

fn bybit(text: &str) -> Frame<'_> {
    parse_bybit(text.as_bytes()).unwrap()
}

fn refused(text: &str) -> String {
    let binance = parse_binance(text.as_bytes()).unwrap_err();
    assert_eq!(binance.code, Code::FrameInvalid);
    binance.message
}

fn bybit_refused(text: &str) -> String {
    let error = parse_bybit(text.as_bytes()).unwrap_err();
    assert_eq!(error.code, Code::FrameInvalid);
    error.message
}

fn floats(levels: &[Level<'_>]) -> Vec<(f64, f64)> {
    levels.iter().map(|level| (level.price.to_f64(), level.quantity.to_f64())).collect()
}

#[test]
fn a_binance_trade_names_the_aggressor_not_the_maker() {
    for (maker, side) in [("true", Side::Sell), ("false", Side::Buy)] {
        let text = format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000125,"T":1700000000123,
                "s":"BTCUSDT","t":77,"p":"37000.10","q":"0.005","X":"MARKET","m":{maker}}}}}"#
        );
        let Frame::Trades(trades) = binance(&text) else { panic!("{text}") };
        let [trade] = trades.as_slice() else { panic!("one trade") };
        assert_eq!(trade.side, side);
        assert_eq!(trade.ts_ns, 1_700_000_000_123 * MS);
        assert_eq!((trade.price.to_f64(), trade.quantity.to_f64()), (37_000.1, 0.005));
        assert_eq!(trade.id, TradeId::Number(77));
        assert!(!trade.is_aggregate);
    }
}

#[test]
fn a_price_keeps_its_text_for_the_exact_path() {
    let text = r#"{"e":"aggTrade","E":2,"s":"BTCUSDT","a":5,"p":"37000.10","q":"1","f":1,"l":2,
        "T":1,"m":false,"M":true}"#;
    let Frame::Trades(trades) = binance(text) else { panic!("{text}") };
    let trade = trades.first().unwrap();
    assert!(trade.is_aggregate);
    assert_eq!(trade.price.text(), "37000.10");
    assert_eq!(trade.price.exact(8), Ok(3_700_010_000_000));
    let instrument = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.10", "0.001").unwrap();
    assert_eq!(instrument.price(trade.price.text()), Ok(Ticks(370_001)));
    assert_eq!(instrument.ticks_from_f64(trade.price.to_f64()), Ok(Ticks(370_001)));
}

#[test]
fn an_insurance_fund_transfer_is_not_a_market_trade() {
    let text = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"T":1,"s":"BTCUSDT","t":7,
        "p":"0","q":"0","X":"NA","m":true}}"#;
    assert_eq!(binance(text).kind(), "trade_off_market");
}

#[test]
fn spot_quotes_have_no_time_and_perpetual_quotes_have_the_match_time() {
    let spot = r#"{"u":400,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#;
    let Frame::BookTicker(quote) = binance(spot) else { panic!("{spot}") };
    assert_eq!((quote.ts_ns, quote.update_id), (None, 400));
    let perp = r#"{"stream":"bnbusdt@bookTicker","data":{"e":"bookTicker","u":9,"s":"BNBUSDT",
        "b":"25.35","B":"1","a":"0.00","A":"0.00","T":1700000000001,"E":1700000000009}}"#;
    let Frame::BookTicker(quote) = binance(perp) else { panic!("{perp}") };
    assert_eq!(quote.ts_ns, Some(1_700_000_000_001 * MS));
    assert_eq!(quote.ask.to_f64(), 0.0, "an empty side is told as 0");
}

#[test]
fn a_binance_delta_carries_its_chain() {
    let text = r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1700000000002,
        "T":1700000000001,"s":"BTCUSDT","U":11,"u":15,"pu":9,"b":[["100.0","2"],["99.5","0"]],
        "a":[]}}"#;
    let Frame::DepthDelta(delta) = binance(text) else { panic!("{text}") };
    assert_eq!((delta.first_id, delta.last_id, delta.previous_id), (11, 15, Some(9)));
    assert_eq!(delta.ts_ns, 1_700_000_000_001 * MS);
    assert_eq!(floats(&delta.bids), [(100.0, 2.0), (99.5, 0.0)]);
    assert!(delta.asks.is_empty());
}

#[test]
fn a_rest_snapshot_has_no_symbol_and_a_partial_stream_takes_it_from_its_name() {
    let rest = r#"{"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}"#;
    let Frame::DepthSnapshot(book) = binance(rest) else { panic!("{rest}") };
    assert_eq!((book.symbol, book.ts_ns, book.last_id), (None, None, 160));
    assert!(!book.is_top_only);
    let top = format!(r#"{{"stream":"bnbusdt@depth5@100ms","data":{rest}}}"#);
    let Frame::DepthSnapshot(book) = binance(&top) else { panic!("{top}") };
    assert_eq!(book.symbol.as_deref(), Some("BNBUSDT"));
    assert!(book.is_top_only, "five levels are no seed for a full book");
}

#[test]
fn mark_price_and_kline_are_read() {
    let mark = r#"{"e":"markPriceUpdate","E":1700000000000,"s":"BTCUSDT","p":"11794.15",
        "i":"11784.6","P":"1","r":"-0.00038167","T":1700006400000}"#;
    let Frame::MarkPrice(mark) = binance(mark) else { panic!("mark") };
    assert_eq!(mark.funding_rate.unwrap().to_f64(), -0.000_381_67);
    assert_eq!(mark.next_funding_ns, Some(1_700_006_400_000 * MS));
    let delivery = r#"{"e":"markPriceUpdate","E":1,"s":"X_240329","p":"1","i":"1","r":"","T":0}"#;
    let Frame::MarkPrice(mark) = binance(delivery) else { panic!("mark") };
    assert_eq!((mark.funding_rate, mark.next_funding_ns), (None, None));
    let kline = r#"{"e":"kline","E":5,"s":"B","k":{"t":60000,"T":119999,"s":"B","i":"1m","o":"1",
        "c":"2","h":"3","l":"0.5","v":"7","n":1,"x":true,"q":"9"}}"#;
    let Frame::Klines(bars) = binance(kline) else { panic!("kline") };
    let bar = bars.first().unwrap();
    assert_eq!((bar.open_ns, bar.close_ns, bar.is_closed), (60_000 * MS, 119_999 * MS, true));
    assert_eq!((bar.high.to_f64(), bar.low.to_f64()), (3.0, 0.5));
}

#[test]
fn replies_unknown_events_and_private_events_are_told_apart() {
    let cases = [
        (r#"{"result":null,"id":1}"#, "reply"),
        (r#"{"code":2,"msg":"Invalid request","id":1}"#, "reply"),
        (r#"{"e":"GRID_UPDATE","E":1,"gu":{}}"#, "GRID_UPDATE"),
        (r#"{"e":"balanceUpdate","E":1,"T":1,"a":"BTC","d":"1"}"#, "balance"),
        (r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#, "stream_end"),
        (r#"{"stream":"key123","data":{"e":"listenKeyExpired","E":1}}"#, "stream_end"),
        (r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#, "array"),
        (r#"[{"e":"x"}]"#, "array"),
        (r#"{"future":{"deep":[1,2,{"x":null}]}}"#, "unnamed"),
    ];
    for (text, kind) in cases {
        assert_eq!(binance(text).kind(), kind, "{text}");
    }
    let Frame::Reply(reply) = binance(cases[1].0) else { panic!("reply") };
    assert!(!reply.is_ok);
    assert_eq!(reply.message, "Invalid request");
}

#[test]
fn binance_refusals_name_the_field() {
    let depth = |levels: &str, ids: &str| {
        format!(r#"{{"e":"depthUpdate","E":1,"s":"B",{ids},"b":[{levels}],"a":[]}}"#)
    };
    for (text, word) in [
        (depth(r#"["NaN","1"]"#, r#""U":1,"u":2"#), "NaN"),
        (depth(r#"["1e5","1"]"#, r#""U":1,"u":2"#), "1e5"),
        (depth(r#"["-1","1"]"#, r#""U":1,"u":2"#), "-1"),
        (depth(r#"["1"]"#, r#""U":1,"u":2"#), "price and quantity"),
        (depth(r#"[1,"1"]"#, r#""U":1,"u":2"#), "decimal"),
        (depth("", r#""U":3,"u":2"#), "U 3 above u 2"),
        (depth("", r#""u":2"#), "missing field `U`"),
        (depth("", r#""U":-1,"u":2"#), "-1"),
        (
            r#"{"stream":"b@trade","data":{"e":"bookTicker","T":1,"s":"B","t":1,"p":"1","q":"1",
                "m":true}}"#
                .to_owned(),
            "bookTicker",
        ),
        ("".to_owned(), "EOF"),
        ("{}{}".to_owned(), "trailing"),
    ] {
        let message = refused(&text);
        assert!(message.contains(word), "{message:?} should name {word:?}");
    }
}

#[test]
fn a_bybit_book_counts_by_u_and_a_restart_is_a_snapshot() {
    let book = |kind: &str, u: u64| {
        format!(
            r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1700000000009,
                "data":{{"s":"BTCUSDT","b":[["100.5","1"]],"a":[["100.6","0"]],"u":{u},
                "seq":7961}},"cts":1700000000004}}"#
        )
    };
    let text = book("delta", 12);
    let Frame::DepthDelta(delta) = bybit(&text) else { panic!("{text}") };
    assert_eq!((delta.first_id, delta.last_id, delta.sequence), (12, 12, Some(7961)));
    assert_eq!((delta.depth, delta.ts_ns), (Some(50), 1_700_000_000_004 * MS));
    assert_eq!(floats(&delta.asks), [(100.6, 0.0)]);
    for text in [book("snapshot", 12), book("delta", 1)] {
        assert_eq!(bybit(&text).kind(), "depth_snapshot", "{text}");
    }
    assert!(bybit_refused(&book("other", 3)).contains("expected snapshot or delta"));
    let foreign = book("delta", 3).replace(r#""s":"BTCUSDT""#, r#""s":"ETHUSDT""#);
    assert!(bybit_refused(&foreign).contains("ETHUSDT"));
}

#[test]
fn bybit_trades_keep_both_kinds_of_id() {
    let text = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":3,
        "data":[{"T":1700000000001,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50",
        "L":"PlusTick","i":"20f43950-d8dd","BT":false},{"i":"2290000001189048101",
        "T":1700000000002,"p":"65140.5","v":"0.002705","S":"Sell","seq":1,"s":"BTCUSDT"}]}"#;
    let Frame::Trades(trades) = bybit(text) else { panic!("{text}") };
    let [first, second] = trades.as_slice() else { panic!("two trades") };
    assert_eq!((first.side, second.side), (Side::Buy, Side::Sell));
    assert_eq!(first.id, TradeId::Text("20f43950-d8dd".into()));
    assert_eq!(second.id, TradeId::Number(2_290_000_001_189_048_101));
    assert!(bybit_refused(&text.replace("\"Buy\"", "\"None\"")).contains("expected Buy or Sell"));
}

#[test]
fn a_ticker_delta_says_only_what_changed() {
    let text = r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT",
        "markPrice":"17217.33","fundingRate":"-0.000212","nextFundingTime":"1673280000000",
        "deliveryTime":"","bid1Price":""},"cs":1,"ts":1673272861686}"#;
    let Frame::Ticker(ticker) = bybit(text) else { panic!("{text}") };
    assert!(!ticker.is_snapshot);
    assert_eq!(ticker.mark.unwrap().to_f64(), 17_217.33);
    assert_eq!(ticker.funding_rate.unwrap().to_f64(), -0.000_212);
    assert_eq!(ticker.next_funding_ns, Some(1_673_280_000_000 * MS));
    assert_eq!((ticker.last, ticker.bid), (None, None));
}

#[test]
fn bybit_candles_replies_and_other_topics() {
    let kline = r#"{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,
        "interval":"5","open":"16649.5","close":"16677","high":"16677","low":"16608",
        "volume":"2.081","turnover":"34666.4","confirm":false,"timestamp":1672324988882}],
        "ts":1672324988882,"type":"snapshot"}"#;
    let Frame::Klines(bars) = bybit(kline) else { panic!("kline") };
    assert_eq!(bars.first().unwrap().symbol, "BTCUSDT");
    let refusal = r#"{"success":false,"ret_msg":"handler not found","conn_id":"c","req_id":"",
        "op":"subscribe"}"#;
    let Frame::Reply(reply) = bybit(refusal) else { panic!("reply") };
    assert_eq!((reply.is_ok, reply.message.as_ref()), (false, "handler not found"));
    let pong = r#"{"op":"pong","args":["1700000000000"],"conn_id":"c","req_id":"9"}"#;
    assert_eq!(bybit(pong).kind(), "reply");
    for (text, kind) in [
        (r#"{"topic":"order","creationTime":1,"data":[]}"#, "order"),
        (r#"{"topic":"greeks","creationTime":1,"data":[]}"#, "greeks"),
        (r#"{"topic":"allLiquidation.BTCUSDT","type":"snapshot","data":[]}"#, "allLiquidation"),
        (r#"{"x":1}"#, "unnamed"),
    ] {
        assert_eq!(bybit(text).kind(), kind);
    }
}

#[test]
fn escaped_symbols_are_read_and_time_units_follow_magnitude() {
    let text = r#"{"u":4,"s":"\u5e01USDT","b":"1","B":"1","a":"2","A":"1"}"#;
    assert_eq!(binance(text).symbol(), Some("\u{5e01}USDT"));
    assert_eq!(time_ns(1_700_000_000_123), Some(1_700_000_000_123_000_000));
    assert_eq!(time_ns(1_700_000_000_123_456), Some(1_700_000_000_123_456_000));
    assert_eq!(time_ns(1_700_000_000_123_456_789), Some(1_700_000_000_123_456_789));
    assert_eq!(time_ns(u64::MAX), None);
}

#[test]
fn length_and_depth_have_limits() {
    let long = vec![b' '; FRAME_BYTES_MAX + 1];
    assert!(parse_binance(&long).unwrap_err().message.contains("allowed 16777216"));
    assert!(parse_bybit(&long).unwrap_err().message.contains("allowed 16777216"));
    for deep in ["[".repeat(1_000_000), "{\"data\":".repeat(1_000_000), "{\"b\":".repeat(200_000)] {
        assert!(parse_binance(deep.as_bytes()).is_err());
        assert!(parse_bybit(deep.as_bytes()).is_err());
    }
}

#[test]
fn numbers_are_plain_decimals_only() {
    for text in ["", "-", ".", "+1", "1e3", " 1", "1 ", "1,5", "inf", "NaN", "1.2.3", "0x1"] {
        assert!(Number::parse(text).is_none(), "{text:?}");
    }
    let huge = "9".repeat(400);
    assert!(Number::parse(&huge).is_none(), "infinite as a float");
    assert_eq!(Number::parse("-0.5").map(|n| n.to_f64()), Some(-0.5));
}
