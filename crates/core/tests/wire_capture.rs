// SPDX-License-Identifier: Apache-2.0
//! Captures written by hand, a few lines each: what becomes a row, what is counted, what refuses.

#![allow(clippy::unwrap_used, clippy::panic)]

use hean_core::wire::capture::{Capture, CaptureBuilder};
use hean_core::wire::columns::{IdColumn, EVENT_END, SNAPSHOT_BEGIN};
use hean_core::wire::{Market, Venue};
use hean_core::{Code, CoreError};

const MS: i64 = 1_000_000;
const T: i64 = 1_700_000_000_000;

fn read(lines: &[String]) -> Result<Capture, CoreError> {
    read_for(lines, None, None)
}

fn read_for(
    lines: &[String],
    symbol: Option<&str>,
    market: Option<Market>,
) -> Result<Capture, CoreError> {
    let mut builder = CaptureBuilder::new(symbol.map(str::to_owned), market);
    builder.feed(lines.join("\n").as_bytes());
    builder.finish()
}

/// A line with a receive time in microseconds, `ms` after the start.
fn at(ms: i64, frame: &str) -> String {
    format!("{} {}", (T + ms) * 1_000, one_line(frame))
}

fn one_line(frame: &str) -> String {
    frame.lines().map(str::trim).collect()
}

fn delta(ms: i64, first: u64, last: u64, bid: &str) -> String {
    let sent = T + ms - 5;
    at(
        ms,
        &format!(
            r#"{{"stream":"xusdt@depth@100ms","data":{{"e":"depthUpdate","E":{sent},"s":"XUSDT",
                "U":{first},"u":{last},"b":[{bid}],"a":[]}}}}"#
        ),
    )
}

fn snapshot(ms: i64, id: u64) -> String {
    at(ms, &format!(r#"{{"lastUpdateId":{id},"bids":[["9","1"]],"asks":[["11","1"],["12","1"]]}}"#))
}

fn quote(ms: i64) -> String {
    at(
        ms,
        r#"{"stream":"xusdt@bookTicker","data":{"u":1,"s":"XUSDT","b":"9","B":"1","a":"11",
            "A":"2"}}"#,
    )
}

fn trade(ms: i64, ts: i64, id: u64) -> String {
    let ts = T + ts;
    at(
        ms,
        &format!(
            r#"{{"stream":"xusdt@trade","data":{{"e":"trade","E":{ts},"s":"XUSDT","t":{id},
                "p":"10","q":"1","T":{ts},"m":true,"M":true}}}}"#
        ),
    )
}

#[test]
fn deltas_wait_for_the_snapshot_and_join_it() {
    let lines = [
        delta(10, 1, 4, r#"["8","1"]"#),
        delta(20, 5, 7, r#"["9","2"]"#),
        snapshot(30, 5),
        delta(40, 8, 9, r#"["9","0"],["8.5","3"]"#),
    ];
    let capture = read(&lines).unwrap();
    let depth = &capture.depth;
    assert_eq!(depth.price, [9.0, 11.0, 12.0, 9.0, 9.0, 8.5]);
    assert_eq!(depth.side, [0, 1, 1, 0, 0, 0]);
    assert_eq!(
        depth.flags,
        [SNAPSHOT_BEGIN, 0, EVENT_END, EVENT_END, 0, EVENT_END],
        "two events after the snapshot"
    );
    assert_eq!(depth.arrival, [3, 3, 3, 3, 4, 4], "a buffered delta is applied with the snapshot");
    assert_eq!((capture.report.snapshots, capture.report.stale_deltas), (1, 1));
    assert_eq!(capture.report.market, Some(Market::Spot));
    assert_eq!(capture.report.venue, Venue::Binance);
}

#[test]
fn after_a_gap_the_book_is_empty_until_the_next_snapshot() {
    let lines = [
        snapshot(0, 5),
        delta(10, 6, 6, r#"["8","1"]"#),
        delta(20, 9, 9, r#"["8","2"]"#),
        delta(30, 10, 10, r#"["8","3"]"#),
        snapshot(40, 9),
    ];
    let capture = read(&lines).unwrap();
    assert_eq!(capture.report.gaps.count, 1);
    assert_eq!(
        capture.report.gaps.first,
        [(3, "book at 6, next delta from 9".to_owned())],
        "with its line"
    );
    assert_eq!(capture.depth.price, [9.0, 11.0, 12.0, 8.0, 0.0, 9.0, 11.0, 12.0, 8.0]);
    assert_eq!(capture.depth.flags[4], SNAPSHOT_BEGIN | EVENT_END, "one empty snapshot");
    assert_eq!(capture.depth.quantity[8], 3.0, "the delta kept after the gap joins");
    assert_eq!(capture.report.unseeded_deltas, 0);
}

#[test]
fn after_a_lost_connection_the_book_is_empty_until_the_next_snapshot() {
    let book = |ms: i64, kind: &str, id: u64| {
        let ts = T + ms;
        at(
            ms,
            &format!(
                r#"{{"topic":"orderbook.50.XUSDT","type":"{kind}","ts":{ts},"cts":{ts},
                    "data":{{"s":"XUSDT","b":[["9","1"]],"a":[["11","1"]],"u":{id},"seq":{id}}}}}"#
            ),
        )
    };
    let lost = r#"{"t":"disconnect","ts":1}"#.to_owned();
    let capture = read(&[
        lost.clone(),
        book(0, "snapshot", 7),
        book(10, "delta", 8),
        lost.clone(),
        lost,
        book(900, "snapshot", 1),
        book(910, "delta", 2),
    ])
    .unwrap();
    let begins: Vec<(i64, f64)> = (0..capture.depth.ts_ns.len())
        .filter(|&row| capture.depth.flags[row] & SNAPSHOT_BEGIN != 0)
        .map(|row| (capture.depth.ts_ns[row] / MS - T, capture.depth.price[row]))
        .collect();
    assert_eq!(begins, [(0, 9.0), (10, 0.0), (900, 9.0)]);
    assert_eq!(capture.report.gaps.first, [(4, "connection lost".to_owned())]);
    assert_eq!(capture.report.snapshots, 2);
}

#[test]
fn a_continuation_has_depth_only_after_its_predecessor() {
    let (first, second) =
        ([snapshot(0, 5), delta(10, 6, 6, "")], [delta(20, 7, 7, r#"["8","1"]"#)]);
    let alone = read(&second).unwrap();
    assert_eq!((alone.depth.price.len(), alone.report.unseeded_deltas), (0, 1));
    let mut builder = CaptureBuilder::new(None, None);
    for file in [&first[..], &second[..]] {
        builder.feed(file.join("\n").as_bytes());
        builder.end_file();
    }
    let both = builder.finish().unwrap();
    assert_eq!(both.depth.price, [9.0, 11.0, 12.0, 8.0]);
    assert_eq!((both.report.unseeded_deltas, both.report.lines), (0, 3));
}

#[test]
fn a_quote_without_time_is_placed_by_the_fastest_frame_and_never_too_soon() {
    // Offsets: 5 ms by the delta, 40 ms by the slow trade. The quote takes the 5.
    let lines = [quote(1), delta(10, 1, 1, ""), trade(50, 10, 1), quote(51)];
    let capture = read(&lines).unwrap();
    assert_eq!(capture.quotes.ts_ns, [(T - 4) * MS, (T + 46) * MS]);
    assert_eq!(capture.quotes.arrival, [1, 4]);
    assert_eq!(capture.report.estimated_times, 2);
    let offset = capture.report.receive_offset;
    assert_eq!((offset.count, offset.min_ns, offset.max_ns), (2, 5 * MS, 40 * MS));
}

#[test]
fn time_running_backwards_is_clamped_per_table_and_counted() {
    let lines = [trade(10, 10, 1), trade(11, 4, 2), trade(12, 11, 3), delta(13, 1, 1, "")];
    let capture = read(&lines).unwrap();
    assert_eq!(capture.trades.ts_ns, [(T + 10) * MS, (T + 10) * MS, (T + 11) * MS]);
    assert_eq!(capture.trades.id, IdColumn::Numbers(vec![1, 2, 3]));
    assert_eq!(capture.report.clamped["trades"], (1, 6 * MS));
}

#[test]
fn units_are_detected_and_a_wrong_or_mixed_one_is_a_bad_line() {
    for (stamp, name) in [
        ("1700000000.001000", "s"),
        ("1700000000001", "ms"),
        ("1700000000001000", "us"),
        ("1700000000001000000", "ns"),
    ] {
        let frame = trade(0, 0, 1).split_once(' ').unwrap().1.to_owned();
        let capture = read(&[format!("{stamp} {frame}")]).unwrap();
        assert_eq!(capture.report.receive_unit.unwrap().name(), name);
        assert_eq!(capture.report.receive_offset.median_ns, MS, "{name}");
    }
    let frame = trade(0, 0, 9).split_once(' ').unwrap().1.to_owned();
    let lines =
        [trade(0, 0, 1), format!("{} {frame}", T), format!("{} {frame}", (T + 4_000_000) * 1_000)];
    let capture = read(&lines).unwrap();
    let bad = &capture.report.bad_lines.first;
    assert!(bad[0].1.contains("receive time in ms, before in us"), "{bad:?}");
    assert!(bad[1].1.contains("4000 s away"), "{bad:?}");
}

#[test]
fn bad_lines_are_counted_with_their_numbers_and_the_first_fifty_kept() {
    let mut lines = vec![trade(0, 0, 1)];
    lines.extend((0..60).map(|_| "garbage".to_owned()));
    lines.push(trade(1, 1, 2));
    let report = read(&lines).unwrap().report;
    assert_eq!((report.bad_lines.count, report.bad_lines.first.len()), (60, 50));
    assert_eq!(report.bad_lines.first[0].0, 2);
    assert_eq!(report.frames["trades"], 2);
}

#[test]
fn chunks_may_be_cut_anywhere() {
    let text = [delta(10, 1, 4, r#"["8","1"]"#), snapshot(30, 4), quote(40), trade(41, 40, 1)]
        .join("\r\n");
    let whole = {
        let mut builder = CaptureBuilder::new(None, None);
        builder.feed(text.as_bytes());
        builder.finish().unwrap()
    };
    for size in [1, 2, 7, 64] {
        let mut builder = CaptureBuilder::new(None, None);
        text.as_bytes().chunks(size).for_each(|chunk| builder.feed(chunk));
        let cut = builder.finish().unwrap();
        assert_eq!(
            (&cut.depth, &cut.trades, &cut.quotes),
            (&whole.depth, &whole.trades, &whole.quotes)
        );
        assert_eq!(cut.report, whole.report);
    }
}

#[test]
fn empty_foreign_and_ambiguous_files_are_refused() {
    let code = |lines: &[String], symbol| read_for(lines, symbol, None).unwrap_err().code;
    assert_eq!(code(&[], None), Code::DataInvalid);
    assert_eq!(code(&["ts,open,high".to_owned()], None), Code::DataInvalid);
    assert_eq!(code(&[r#"{"x":1}"#.to_owned()], None), Code::DataInvalid);
    let two = [trade(0, 0, 1), trade(1, 1, 2).replace("XUSDT", "YUSDT")];
    let error = read(&two).unwrap_err();
    assert!(error.message.contains("XUSDT, YUSDT"), "{}", error.message);
    assert_eq!(read_for(&two, Some("YUSDT"), None).unwrap().trades.price.len(), 1);
    assert_eq!(code(&two, Some("ZUSDT")), Code::UnknownSymbol);
    let spot = [delta(0, 1, 1, "")];
    let error = read_for(&spot, None, Some(Market::Linear)).unwrap_err();
    assert_eq!(error.code, Code::UnknownSymbol);
    let nameless = [two.as_slice(), &[snapshot(2, 1)]].concat();
    assert_eq!(code(&nameless, Some("YUSDT")), Code::DataInvalid);
}

#[test]
fn two_markets_in_one_binance_file_are_bad_lines() {
    let perp = delta(1, 2, 2, "").replace(r#""u":2"#, r#""u":2,"pu":1"#);
    let report = read(&[delta(0, 1, 1, ""), perp]).unwrap().report;
    assert!(report.bad_lines.first[0].1.contains("two markets"), "{:?}", report.bad_lines);
}

#[test]
fn bybit_records_are_told_apart_by_connection_and_tickers_are_merged() {
    let record = |conn: &str, frame: &str| {
        format!(
            r#"{{"t":"recv","conn":"{conn}","ts":1700000000.25,"data":"{}"}}"#,
            one_line(frame).replace('"', "\\\"")
        )
    };
    let connect = |conn: &str, market: &str| {
        format!(r#"{{"t":"connect","conn":"{conn}","ts":1.0,"addr":"wss://x/v5/public/{market}"}}"#)
    };
    let ticker = |kind: &str, fields: &str| {
        format!(
            r#"{{"topic":"tickers.XUSDT","type":"{kind}","data":{{"symbol":"XUSDT",{fields}}},
                "cs":1,"ts":{T}}}"#
        )
    };
    let all = r#""bid1Price":"9","bid1Size":"1","ask1Price":"11","ask1Size":"2","markPrice":"10""#;
    let lines = [
        connect("a", "linear"),
        connect("b", "spot"),
        record("a", &ticker("snapshot", all)),
        record("a", &ticker("delta", r#""bid1Size":"5""#)),
        record("a", &ticker("delta", r#""fundingRate":"0.0001""#)),
        record("b", &ticker("snapshot", r#""lastPrice":"10""#)),
    ];
    assert_eq!(read(&lines).unwrap_err().code, Code::DataInvalid, "two markets, no choice");
    let linear = read_for(&lines, Some("XUSDT"), Some(Market::Linear)).unwrap();
    assert_eq!(linear.quotes.bid_quantity, [1.0, 5.0]);
    assert_eq!(linear.quotes.ask, [11.0, 11.0]);
    assert_eq!(linear.marks.mark, [10.0, 10.0]);
    assert!(linear.marks.funding_rate[0].is_nan() && linear.marks.funding_rate[1] == 0.0001);
    assert_eq!(linear.report.receive_offset.median_ns, 250 * MS);
    let spot = read_for(&lines, None, Some(Market::Spot)).unwrap();
    assert_eq!((spot.quotes.bid.len(), spot.report.market), (0, Some(Market::Spot)));
}

#[test]
fn aggregates_do_not_count_the_same_volume_twice() {
    let aggregate = trade(1, 1, 5)
        .replace("@trade", "@aggTrade")
        .replace(r#""e":"trade""#, r#""e":"aggTrade""#)
        .replace(r#""t":5"#, r#""a":5"#);
    let capture = read(&[trade(0, 0, 4), aggregate.clone()]).unwrap();
    assert_eq!(capture.trades.id, IdColumn::Numbers(vec![4]));
    assert_eq!(capture.report.ignored["trades"], 1);
    assert_eq!(read(&[aggregate]).unwrap().trades.price.len(), 1, "alone they are the trades");
}

#[test]
fn frames_that_no_venue_time_ever_placed_are_counted() {
    let capture = read(&[quote(1), quote(2)]).unwrap();
    assert_eq!((capture.quotes.bid.len(), capture.report.ignored["untimed"]), (0, 2));
}

#[test]
fn a_line_without_end_is_one_bad_line_and_reading_goes_on() {
    let mut builder = CaptureBuilder::new(None, None);
    let piece = vec![b'1'; 1 << 20];
    (0..40).for_each(|_| builder.feed(&piece));
    builder.feed(format!("\n{}\n", trade(0, 0, 1)).as_bytes());
    let capture = builder.finish().unwrap();
    assert_eq!(capture.report.bad_lines.count, 1);
    assert!(capture.report.bad_lines.first[0].1.contains("line above"));
    assert_eq!(capture.trades.price, [10.0]);
}
