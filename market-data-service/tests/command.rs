// SPDX-License-Identifier: Apache-2.0
//! The command as a user types it: help, version, exit codes, and a capture played to its end.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_market-data-service"));
    command.env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

#[test]
fn help_and_version_are_told() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.contains("--listen") && text.lines().all(|line| line.len() <= 100));
    let version = run(&["--version"]).stdout;
    assert_eq!(
        version,
        concat!("market-data-service ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
    );
}

#[test]
fn what_cannot_be_done_has_an_exit_code_and_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], i32, &str); 4] = [
        (&["--nonsense"], 2, "--nonsense"),
        (&["--symbols", "btc"], 2, "SYMBOLS"),
        (&["--listen", &place], 3, &place),
        (&["--listen", "127.0.0.1:0", "--replay", "no-such-file"], 3, "no-such-file"),
    ];
    for (arguments, code, word) in cases {
        let ended = run(arguments);
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{told}");
        assert!(told.contains(word), "{told}");
    }
}

const CAPTURE: &str = "\
1700000000000000000 {\"topic\":\"orderbook.50.BTCUSDT\",\"type\":\"snapshot\",\
\"ts\":1700000000000,\"data\":{\"s\":\"BTCUSDT\",\"b\":[[\"100.5\",\"1.25\"]],\
\"a\":[[\"100.6\",\"2\"]],\"u\":1,\"seq\":1},\"cts\":1700000000000}
1700000001000000000 {\"topic\":\"publicTrade.BTCUSDT\",\"type\":\"snapshot\",\"ts\":1700000001000,\
\"data\":[{\"T\":1700000001000,\"s\":\"BTCUSDT\",\"S\":\"Buy\",\"v\":\"0.5\",\"p\":\"100.6\",\
\"L\":\"PlusTick\",\"i\":\"a\",\"BT\":false}]}
1700000009000000000 {\"topic\":\"publicTrade.BTCUSDT\",\"type\":\"snapshot\",\"ts\":1700000009000,\
\"data\":[{\"T\":1700000009000,\"s\":\"BTCUSDT\",\"S\":\"Buy\",\"v\":\"0.5\",\"p\":\"100.7\",\
\"L\":\"PlusTick\",\"i\":\"b\",\"BT\":false}]}
";

fn get(place: &str, path: &str) -> String {
    let mut line = TcpStream::connect(place).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(line, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    line.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_capture_is_played_like_a_venue_and_ends_the_service() {
    let file = std::env::temp_dir().join(format!("hean-capture-{}.jsonl", std::process::id()));
    std::fs::write(&file, CAPTURE).unwrap();
    let mut service = command()
        .args(["--listen", "127.0.0.1:0", "--speed", "4", "--replay"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(service.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let place = first.split('"').nth(3).unwrap();
    let mut told = String::new();
    for _ in 0..200 {
        told = get(place, "/api/v1/ticker/BTCUSDT");
        if told.contains("\"price\":100.6,\"size\":0.5") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(
        told.contains("\"price\":100.6,\"size\":0.5,\"bid\":100.5,\"bid_size\":1.25"),
        "{told}"
    );
    let book = get(place, "/api/v1/orderbook/BTCUSDT");
    assert!(book.contains("\"bids\":[[100.5,1.25]],\"asks\":[[100.6,2]]"), "{book}");
    assert!(service.wait().unwrap().success());
    std::fs::remove_file(&file).unwrap();
}
