// SPDX-License-Identifier: Apache-2.0
//! No bytes may panic a parser, the live feed or the capture builder: arbitrary bytes, real frames
//! cut at each byte, and real frames with bytes changed, doubled and removed. Every call must end
//! in Ok or Err, and what the feed keeps stays within its limits.

#![allow(clippy::unwrap_used, clippy::panic)]

use hean_core::wire::depth::BOOK_LEVELS_MAX;
use hean_core::wire::feed::{LEVELS_PER_SIDE_MAX, LIVE_FRAME_BYTES_MAX};
use hean_core::wire::{
    parse_binance, parse_bybit, CaptureBuilder, Market, Number, Venue, WireFeed,
};
use hean_core::{Instrument, Kind, Money, Side};
use proptest::prelude::*;

const FRAMES: [&str; 13] = [
    concat!(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000125,"T":1700000000123,"#,
        r#""s":"BTCUSDT","t":77,"p":"37000.10","q":"0.005","X":"MARKET","m":true}}"#,
    ),
    concat!(
        r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1700000000002,"#,
        r#""T":1700000000001,"s":"BTCUSDT","U":11,"u":15,"pu":9,"b":[["100.0","2"],["99.5","#,
        r#""0"]],"a":[["101.0","3"]]}}"#,
    ),
    concat!(
        r#"{"lastUpdateId":160,"E":1700000000000,"T":1700000000000,"bids":[["0.0024","10"]],"#,
        r#""asks":[["0.0026","100"]]}"#,
    ),
    r#"{"u":400,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#,
    concat!(
        r#"{"e":"kline","E":5,"s":"B","k":{"t":60000,"T":119999,"s":"B","i":"1m","o":"1","#,
        r#""c":"2","h":"3","l":"0.5","v":"7","n":1,"x":true,"q":"9"}}"#,
    ),
    concat!(
        r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1700000000009,"#,
        r#""data":{"s":"BTCUSDT","b":[["100.5","1"]],"a":[["100.6","0"]],"u":12,"seq":7961},"#,
        r#""cts":1700000000004}"#,
    ),
    concat!(
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":3,"#,
        r#""data":[{"T":1700000000001,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","#,
        r#""L":"PlusTick","i":"20f43950","BT":false}]}"#,
    ),
    concat!(
        r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","#,
        r#""markPrice":"17217.33","fundingRate":"-0.000212","#,
        r#""nextFundingTime":"1673280000000"},"cs":1,"ts":1673272861686}"#,
    ),
    concat!(
        r#"{"t":"recv","conn":"c1","ts":1786310819.526357,"data":"{\"success\":true,"#,
        r#"\"op\":\"subscribe\"}"}"#,
    ),
    concat!(
        r#"{"topic":"order","id":"x","creationTime":1700000000009,"data":[{"category":"linear","#,
        r#""symbol":"BTCUSDT","orderId":"9aac","orderLinkId":"hn","side":"Buy","orderType":"#,
        r#""Limit","timeInForce":"GTC","orderStatus":"New","price":"6.1","triggerPrice":"","#,
        r#""triggerDirection":1,"qty":"0.01","positionIdx":1,"updatedTime":"1700000000005"}]}"#,
    ),
    concat!(
        r#"{"subscriptionId":0,"event":{"e":"executionReport","E":2,"s":"ETHBTC","c":"hn","#,
        r#""S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"0.1","P":"0","C":"","x":"TRADE","#,
        r#""X":"FILLED","r":"NONE","i":9007199254740993,"l":"1","z":"1","L":"0.1","n":"0","#,
        r#""N":null,"T":1,"t":77,"m":true}}"#,
    ),
    concat!(
        r#"{"e":"ACCOUNT_UPDATE","E":2,"T":1,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"1.5","#,
        r#""cw":"1","bc":"0"}],"P":[{"s":"BTCUSDT","pa":"-10","ep":"6563.8","cr":"-45","#,
        r#""up":"-1423","mt":"isolated","iw":"6","ps":"SHORT"}]}}"#,
    ),
    concat!(
        r#"{"id":"7","status":400,"error":{"code":-2010,"msg":"no"},"rateLimits":[{"#,
        r#""rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":5,"count":3}]}"#,
    ),
];

fn feeds() -> [WireFeed; 3] {
    let venues = [
        (Venue::Binance, Market::Spot),
        (Venue::Binance, Market::Linear),
        (Venue::Bybit, Market::Linear),
    ];
    venues.map(|(venue, market)| {
        let instruments = ["BTCUSDT", "BNBUSDT", "B"]
            .map(|symbol| Instrument::new(symbol, Kind::Spot, "0.0001", "0.001").unwrap());
        WireFeed::new(venue, market, instruments.to_vec())
    })
}

fn bybit_feed() -> WireFeed {
    let [_, _, feed] = feeds();
    feed
}

/// A book that is kept stays within its limits and is never crossed.
fn check(feed: &mut WireFeed) {
    for of in 0..3 {
        let book = feed.book(of).unwrap().book();
        assert!(book.depth(Side::Buy) <= BOOK_LEVELS_MAX);
        assert!(book.top().is_none_or(|((bid, _), (ask, _))| bid < ask));
    }
    assert!(feed.resync().len() <= 3);
}

/// A feed takes anything before, between and after sound frames.
fn offer_feeds(bytes: &[u8]) {
    for mut feed in feeds() {
        let _ = feed.push(FRAMES[5].as_bytes());
        let _ = feed.push(bytes);
        let _ = feed.snapshot("BTCUSDT", FRAMES[2].as_bytes());
        let _ = feed.snapshot("BTCUSDT", bytes);
        let _ = feed.push(FRAMES[1].as_bytes());
        let _ = feed.push(bytes);
        check(&mut feed);
    }
}

/// Both parsers and the builder, with and without a receive stamp, whole and in two pieces.
fn offer(bytes: &[u8]) {
    let _ = parse_binance(bytes);
    let _ = parse_bybit(bytes);
    offer_feeds(bytes);
    for stamp in ["", "1700000000123456 ", "1700000000.1234567: "] {
        let line = [stamp.as_bytes(), bytes, b"\n"].concat();
        let mut builder = CaptureBuilder::new(None, None);
        builder.feed(FRAMES[1].as_bytes());
        builder.feed(b"\n");
        let (head, tail) = line.split_at(line.len() / 2);
        builder.feed(head);
        builder.feed(tail);
        let _ = builder.finish();
    }
}

#[test]
fn a_frame_cut_at_any_byte_is_refused() {
    for frame in FRAMES {
        for end in 0..frame.len() {
            let cut = &frame.as_bytes()[..end];
            assert!(parse_binance(cut).is_err() && parse_bybit(cut).is_err(), "{frame} at {end}");
            offer(cut);
        }
    }
}

#[test]
fn a_field_removed_or_of_another_type_is_an_error_or_a_frame_never_a_panic() {
    for frame in FRAMES {
        for value in ["null", "-1", "1e400", "\"\"", "[]", "{}", "true", "18446744073709551616"] {
            for (at, _) in frame.match_indices(':') {
                let rest = &frame[at + 1..];
                let end = rest.find([',', '}']).unwrap_or(rest.len());
                offer(format!("{}{value}{}", &frame[..=at], &rest[end..]).as_bytes());
            }
        }
    }
}

fn delta(levels: &str) -> String {
    format!(
        r#"{{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1700000000009,
            "data":{{"s":"BTCUSDT","b":[{levels}],"a":[],"u":12,"seq":7961}}}}"#
    )
}

#[test]
fn each_class_of_bad_number_and_shape_is_refused_by_the_feed_and_leaves_its_book() {
    let forty = format!("0.{}1", "0".repeat(39));
    let huge = "9".repeat(30);
    let bad = [
        ("NaN", "1"),
        ("1", "1e400"),
        ("null", "1"),
        ("", "1"),
        ("-0", "1"),
        ("0", "1"),
        ("-1", "1"),
        ("1", "-1"),
        (&forty, "1"),
        (&huge, "1"),
        ("1", &huge),
        ("\\u0000", "1"),
    ];
    let mut feed = bybit_feed();
    feed.push(delta(r#"["1","1"]"#).as_bytes()).unwrap();
    for (price, quantity) in bad {
        let frame = delta(&format!(r#"["{price}","{quantity}"]"#));
        assert!(feed.push(frame.as_bytes()).is_err(), "{frame}");
    }
    for frame in [
        delta("[1,\"1\"]"),
        delta("[[]]"),
        delta("{}"),
        delta(r#"["1","1"]"#).replace("12", "18446744073709551616"),
        delta(r#"["1","1"]"#).replace(r#""ts":1700000000009"#, r#""ts":"x""#),
        delta(r#"["1","1"]"#).replace("BTCUSDT\",\"b", "ETHUSDT\",\"b"),
    ] {
        assert!(feed.push(frame.as_bytes()).is_err(), "{frame}");
    }
    let text = delta(r#"["1","1"]"#);
    for bytes in
        [&[0xff, 0xfe][..], b"\0", &text.as_bytes()[..40], &[text.as_bytes(), b"\0"].concat()]
    {
        assert!(feed.push(bytes).is_err());
    }
    assert_eq!(feed.counters().bad, 22);
    assert_eq!(feed.book(0).unwrap().id(), Some(12));
}

#[test]
fn too_long_too_deep_and_too_many_are_refused() {
    let mut feed = bybit_feed();
    let levels = |count: usize| {
        let levels: Vec<String> = (1..=count).map(|at| format!("[\"0.{at:04}\",\"1\"]")).collect();
        delta(&levels.join(","))
    };
    assert!(feed.push(levels(LEVELS_PER_SIDE_MAX + 1).as_bytes()).is_err());
    assert!(feed.push(levels(1000).as_bytes()).is_ok());
    assert_eq!(feed.book(0).unwrap().book().depth(Side::Buy), 200, "the topic's depth");
    let long = format!("{}{}", delta(""), " ".repeat(LIVE_FRAME_BYTES_MAX));
    assert!(feed.push(long.as_bytes()).is_err());
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(feed.push(delta(&deep).as_bytes()).is_err());
    let beside = delta("").replacen('{', &format!("{{\"x\":{deep},"), 1);
    assert!(feed.push(beside.as_bytes()).is_ok_and(|facts| facts.as_slice().len() == 1));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        offer(&bytes);
    }

    #[test]
    fn mutated_frames_never_panic(
        which in 0..FRAMES.len(),
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8),
            1..6,
        ),
    ) {
        let mut bytes = FRAMES[which].as_bytes().to_vec();
        for (index, byte, how) in edits {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => { let copy = bytes[at..].to_vec(); bytes.extend(copy); }
            }
        }
        offer(&bytes);
    }

    #[test]
    fn a_number_is_the_nearest_float_and_the_exact_decimal(
        text in "-?[0-9]{1,24}(\\.[0-9]{0,26})?",
    ) {
        let number = Number::parse(&text).unwrap();
        prop_assert_eq!(number.to_f64().to_bits(), text.parse::<f64>().unwrap().to_bits());
        prop_assert_eq!(number.exact(12).ok(), Money::parse(&text).ok().map(|money| money.0));
    }
}
