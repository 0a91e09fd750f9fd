// SPDX-License-Identifier: Apache-2.0
//! What the service is told: options before environment, the variables that the rest of HEAN reads
//! too. A symbol may say its market and venue (`BTCUSDT@binance.spot`), as everywhere in HEAN.
//! Everything is checked before anything is opened, and what is wrong is said with its name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hean_core::wire::{Market, Venue};

use crate::address::Address;
use crate::brokers::{redis_in, servers_of, Redis};
use crate::log::{level_of, Level};
use crate::timeframe::Timeframe;

/// Levels a side of Bybit's books that can be asked for.
pub const DEPTHS: [u32; 3] = [50, 200, 1000];
/// Most symbols of one process: the answer to more is a second process.
pub const SYMBOLS_MAX: usize = 200;
/// Most lengths of candles.
pub const TIMEFRAMES_MAX: usize = 8;

/// One market of a venue, and what of it is wanted.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whose grammar.
    pub venue: Venue,
    /// Spot or linear.
    pub market: Market,
    /// Where requests go.
    pub rest: Address,
    /// Where public streams are; for Binance without a path.
    pub stream: Address,
    /// The venue's symbol, and our name of it.
    pub symbols: Vec<(String, String)>,
}

/// A recorded capture to play instead of listening.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The file, perhaps gzipped.
    pub path: PathBuf,
    /// Market seconds a second; 0 is as fast as it goes.
    pub speed: f64,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: String,
    /// Where data comes from.
    pub places: Vec<Place>,
    /// Lengths of candles; the first is the default of a question.
    pub timeframes: Vec<Timeframe>,
    /// Levels of Bybit's books.
    pub depth: u32,
    /// Redis to publish to.
    pub redis: Option<Redis>,
    /// Kafka's brokers to publish to, host and port; none for none.
    pub kafka: Vec<(String, u16)>,
    /// A capture to play.
    pub replay: Option<Replay>,
    /// How much is logged.
    pub level: Level,
}

/// What was asked for on the command line.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Run with this.
    Run(Box<Config>),
    /// Print the usage and end.
    Help,
    /// Print the version and end.
    Version,
}

/// The usage text.
pub const USAGE: &str = "\
market-data-service: books, candles, tickers and indicators of Bybit and Binance

  --listen HOST:PORT   MARKET_DATA_LISTEN      127.0.0.1:8080; port 0 is any free one
  --symbols A,B        SYMBOLS                 BTCUSDT; BTCUSDT@spot, BTCUSDT@binance.perp
  --exchange NAME      EXCHANGE                bybit or binance, of symbols that do not say
  --timeframes A,B     MARKET_DATA_TIMEFRAMES  1m,5m,15m,1h; lengths of candles
  --depth N            MARKET_DATA_DEPTH       50; Bybit's books: 50, 200 or 1000 levels
  --replay FILE        -                       play a capture of `hean data record`
  --speed X            -                       1; market seconds a second, 0 as fast as possible
  --help, --version

Addresses: BYBIT_REST_URL, BYBIT_WS_PUBLIC_URL, BINANCE_REST_URL, BINANCE_WS_URL,
BINANCE_FUTURES_REST_URL, BINANCE_FUTURES_WS_URL; test networks by BYBIT_TESTNET, BINANCE_TESTNET.
Facts are published to REDIS_URL, or REDIS_URL_FILE (a file of mode 0600 that holds it), and to
KAFKA_SERVERS (host:port,host:port). RUST_LOG: error, warn, info, debug.
Exit codes: 0 ended by a signal or with its capture, 2 wrong options, 3 port taken or no file.
";

const OPTIONS: [(&str, &str); 7] = [
    ("--listen", "MARKET_DATA_LISTEN"),
    ("--symbols", "SYMBOLS"),
    ("--exchange", "EXCHANGE"),
    ("--timeframes", "MARKET_DATA_TIMEFRAMES"),
    ("--depth", "MARKET_DATA_DEPTH"),
    ("--replay", "--replay"),
    ("--speed", "--speed"),
];

/// What is known by name: variables, overlaid by options.
pub type Given = BTreeMap<String, String>;

/// Read options over an environment.
///
/// # Errors
/// What is wrong, with its name.
pub fn read(arguments: &[String], mut given: Given) -> Result<Asked, String> {
    given.retain(|name, value| !name.starts_with('-') && !value.trim().is_empty());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--version" => return Ok(Asked::Version),
            _ => {}
        }
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let Some((_, variable)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
            return Err(format!("unknown option {name:?}; see --help"));
        };
        let value = inline.or_else(|| rest.next().cloned());
        let value = value.ok_or_else(|| format!("{name} wants a value"))?;
        given.insert((*variable).to_owned(), value);
    }
    config(&given).map(|config| Asked::Run(Box::new(config)))
}

fn config(given: &Given) -> Result<Config, String> {
    let text = |name: &str, default: &str| -> String {
        given.get(name).map_or(default, |value| value.trim()).to_owned()
    };
    let exchange = venue_of(&text("EXCHANGE", "bybit"), "EXCHANGE")?;
    let places = places_of(&text("SYMBOLS", "BTCUSDT"), exchange, given)?;
    let timeframes = timeframes_of(&text("MARKET_DATA_TIMEFRAMES", "1m,5m,15m,1h"), &places)?;
    let depth = text("MARKET_DATA_DEPTH", "50");
    let depth = depth.parse().ok().filter(|depth| DEPTHS.contains(depth));
    let level = text("RUST_LOG", "info");
    Ok(Config {
        listen: text("MARKET_DATA_LISTEN", "127.0.0.1:8080"),
        places,
        timeframes,
        depth: depth.ok_or("MARKET_DATA_DEPTH: Bybit has books of 50, 200 and 1000 levels")?,
        redis: redis_in(given)?,
        kafka: given.get("KAFKA_SERVERS").map_or(Ok(Vec::new()), |it| servers_of(it))?,
        replay: replay_of(given)?,
        level: level_of(&level).ok_or_else(|| format!("RUST_LOG: {level:?} names no level"))?,
    })
}

fn replay_of(given: &Given) -> Result<Option<Replay>, String> {
    let Some(path) = given.get("--replay") else { return Ok(None) };
    let speed = given.get("--speed").map_or("1", String::as_str);
    let speed: f64 = speed.parse().map_err(|_| format!("--speed {speed:?} is no number"))?;
    if !(0.0..=1e6).contains(&speed) {
        return Err("--speed lies between 0 and 1000000".to_owned());
    }
    Ok(Some(Replay { path: PathBuf::from(path), speed }))
}

fn venue_of(name: &str, at: &str) -> Result<Venue, String> {
    match name {
        "bybit" => Ok(Venue::Bybit),
        "binance" => Ok(Venue::Binance),
        other => Err(format!("{at}: {other:?} is unknown; known: bybit, binance")),
    }
}

fn timeframes_of(text: &str, places: &[Place]) -> Result<Vec<Timeframe>, String> {
    let mut found: Vec<Timeframe> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let timeframe =
            Timeframe::parse(name).map_err(|why| format!("MARKET_DATA_TIMEFRAMES: {why}"))?;
        for place in places {
            if timeframe.word(place.venue).is_none() {
                let venue = place.venue.name();
                return Err(format!("MARKET_DATA_TIMEFRAMES: {venue} has no candles of {name}"));
            }
        }
        if !found.contains(&timeframe) {
            found.push(timeframe);
        }
    }
    if found.is_empty() || found.len() > TIMEFRAMES_MAX {
        return Err(format!("MARKET_DATA_TIMEFRAMES: give 1 to {TIMEFRAMES_MAX}"));
    }
    Ok(found)
}

fn places_of(symbols: &str, exchange: Venue, given: &Given) -> Result<Vec<Place>, String> {
    let mut places: Vec<Place> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for name in symbols.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if names.contains(&name) {
            continue;
        }
        names.push(name);
        let (pair, venue, market) = parts_of(name, exchange)?;
        let known = places.iter_mut().find(|it| (it.venue, it.market) == (venue, market));
        let row = (pair.to_owned(), name.to_owned());
        match known {
            Some(place) if place.symbols.iter().any(|(one, _)| *one == row.0) => {
                return Err(format!("SYMBOLS: {name} names what another name names already"));
            }
            Some(place) => place.symbols.push(row),
            None => places.push(place_of(venue, market, row, given)?),
        }
    }
    if names.is_empty() || names.len() > SYMBOLS_MAX {
        return Err(format!("SYMBOLS: give 1 to {SYMBOLS_MAX}"));
    }
    Ok(places)
}

fn parts_of(name: &str, exchange: Venue) -> Result<(&str, Venue, Market), String> {
    let (pair, place) = name.split_once('@').map_or((name, None), |(pair, at)| (pair, Some(at)));
    let is_pair = (2..=30).contains(&pair.len())
        && pair.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let bad = || format!("SYMBOLS: {name:?} is none; such as BTCUSDT or BTCUSDT@bybit.perp");
    if !is_pair {
        return Err(bad());
    }
    let Some(place) = place else { return Ok((pair, exchange, Market::Linear)) };
    let (venue, market) = match place.split_once('.') {
        Some((venue, market)) => (venue_of(venue, "SYMBOLS")?, market),
        None => (exchange, place),
    };
    match market {
        "spot" => Ok((pair, venue, Market::Spot)),
        "perp" => Ok((pair, venue, Market::Linear)),
        _ => Err(bad()),
    }
}

/// Variables, addresses of the real network and of the test network: REST, then stream.
fn addresses(venue: Venue, market: Market) -> [(&'static str, &'static str, &'static str); 2] {
    match (venue, market) {
        (Venue::Bybit, _) => [
            ("BYBIT_REST_URL", "https://api.bybit.com", "https://api-testnet.bybit.com"),
            ("BYBIT_WS_PUBLIC_URL", "wss://stream.bybit.com", "wss://stream-testnet.bybit.com"),
        ],
        (Venue::Binance, Market::Spot) => [
            ("BINANCE_REST_URL", "https://api.binance.com", "https://testnet.binance.vision"),
            (
                "BINANCE_WS_URL",
                "wss://stream.binance.com:9443",
                "wss://stream.testnet.binance.vision",
            ),
        ],
        (Venue::Binance, Market::Linear) => [
            (
                "BINANCE_FUTURES_REST_URL",
                "https://fapi.binance.com",
                "https://testnet.binancefuture.com",
            ),
            (
                "BINANCE_FUTURES_WS_URL",
                "wss://fstream.binance.com",
                "wss://stream.binancefuture.com",
            ),
        ],
    }
}

fn place_of(
    venue: Venue,
    market: Market,
    symbol: (String, String),
    given: &Given,
) -> Result<Place, String> {
    let switch = match venue {
        Venue::Bybit => "BYBIT_TESTNET",
        Venue::Binance => "BINANCE_TESTNET",
    };
    let is_test = match given.get(switch).map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("false" | "0" | "no" | "off") => false,
        Some("true" | "1" | "yes" | "on") => true,
        Some(other) => return Err(format!("{switch}: {other:?} is neither true nor false")),
    };
    let [rest, mut stream] = addresses(venue, market).map(|(name, real, test)| {
        let url = given.get(name).map_or(if is_test { test } else { real }, String::as_str);
        Address::parse(url).map_err(|why| format!("{name}: {why}"))
    });
    if let (Ok(stream), Venue::Bybit) = (&mut stream, venue) {
        // The variable may name a market's own path, of this market or of the other.
        let base = stream.path.trim_end_matches("/spot").trim_end_matches("/linear");
        let base = base.trim_end_matches("/v5/public");
        stream.path = format!("{base}/v5/public/{}", market.name());
    }
    Ok(Place { venue, market, rest: rest?, stream: stream?, symbols: vec![symbol] })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, String> {
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        match read(&arguments, pairs.collect())? {
            Asked::Run(config) => Ok(*config),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn symbols_are_sorted_into_places() {
        let symbols = "BTCUSDT,ETHUSDT,BTCUSDT@spot,BTCUSDT@binance.perp";
        let config = run(&["--symbols", symbols], &[("EXCHANGE", "bybit")]).unwrap();
        let found: Vec<_> = config.places.iter().map(|it| (it.venue, it.market)).collect();
        use {Market::*, Venue::*};
        assert_eq!(found, [(Bybit, Linear), (Bybit, Spot), (Binance, Linear)]);
        assert_eq!(config.places[0].stream.path, "/v5/public/linear");
        assert_eq!(config.places[1].symbols, [("BTCUSDT".into(), "BTCUSDT@spot".into())]);
    }

    #[test]
    fn options_come_before_variables_and_addresses_may_be_local() {
        let given =
            [("SYMBOLS", "ETHUSDT"), ("BYBIT_WS_PUBLIC_URL", "ws://127.0.0.1:7/v5/public/spot")];
        let config = run(&["--symbols=SOLUSDT", "--listen", "127.0.0.1:0"], &given).unwrap();
        assert_eq!(config.places[0].symbols[0].0, "SOLUSDT");
        assert_eq!(config.places[0].stream.to_string(), "127.0.0.1:7/v5/public/linear");
        assert_eq!(config.listen, "127.0.0.1:0");
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
        let cases: [Case<'_>; 10] = [
            (&["--what"], &[], "--what"),
            (&["--symbols"], &[], "wants a value"),
            (&["--symbols", "btc"], &[], "btc"),
            (&["--symbols", "BTCUSDT@bybit.perp,BTCUSDT"], &[], "already"),
            (&["--timeframes", "1s"], &[], "no candles of 1s"),
            (&["--depth", "7"], &[], "DEPTH"),
            (&[], &[("BYBIT_TESTNET", "perhaps")], "BYBIT_TESTNET"),
            (&[], &[("BYBIT_REST_URL", "http://example.org")], "BYBIT_REST_URL"),
            (&[], &[("REDIS_URL", "http://h")], "REDIS_URL"),
            (&[], &[("KAFKA_SERVERS", "h")], "KAFKA_SERVERS"),
        ];
        for (arguments, variables, word) in cases {
            let told = run(arguments, variables).unwrap_err();
            assert!(told.contains(word), "{told}");
        }
    }
}
