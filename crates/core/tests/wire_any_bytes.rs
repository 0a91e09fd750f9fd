// SPDX-License-Identifier: Apache-2.0
//! No bytes may panic a parser or the capture builder: arbitrary bytes, real frames cut at each
//! byte, and real frames with bytes changed, doubled and removed. Every call must end in Ok or Err.

#![allow(clippy::unwrap_used, clippy::panic)]

use hean_core::wire::{parse_binance, parse_bybit, CaptureBuilder, Number};
use hean_core::Money;
use proptest::prelude::*;

const FRAMES: [&str; 9] = [
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
];

/// Both parsers and the builder, with and without a receive stamp, whole and in two pieces.
fn offer(bytes: &[u8]) {
    let _ = parse_binance(bytes);
    let _ = parse_bybit(bytes);
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
