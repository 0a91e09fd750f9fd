// SPDX-License-Identifier: Apache-2.0
//! What is asked of a venue's REST interface, and what the answers mean: trading rules, books,
//! candles. Only paths and shapes; asking is `ask.rs`'s.

use hean_core::wire::{time_ns, Market, Number, Venue};
use hean_core::{Instrument, Kind};
use serde::Deserialize;

use crate::candles::{Row, KEPT};
use crate::timeframe::Timeframe;

/// Bybit's word for a symbol that it has not.
const BYBIT_UNKNOWN: i64 = 10_001;
/// Levels of a Binance snapshot; deeper ones cost five times the weight.
const LEVELS: usize = 1_000;

const fn prefix(market: Market) -> &'static str {
    match market {
        Market::Spot => "/api/v3",
        Market::Linear => "/fapi/v1",
    }
}

/// Where the rules of a symbol are. USD-M tells those of all symbols at once.
#[must_use]
pub fn rules_path(venue: Venue, market: Market, symbol: &str) -> String {
    match (venue, market) {
        (Venue::Bybit, _) => {
            let category = market.name();
            format!("/v5/market/instruments-info?category={category}&symbol={symbol}")
        }
        (Venue::Binance, Market::Spot) => format!("/api/v3/exchangeInfo?symbol={symbol}"),
        (Venue::Binance, Market::Linear) => "/fapi/v1/exchangeInfo".to_owned(),
    }
}

/// Where Binance's book of a symbol is.
#[must_use]
pub fn depth_path(market: Market, symbol: &str) -> String {
    format!("{}/depth?symbol={symbol}&limit={LEVELS}", prefix(market))
}

/// Where the past candles of a symbol are; `None` if the venue has none of this length.
#[must_use]
pub fn candles_path(
    venue: Venue,
    market: Market,
    symbol: &str,
    length: &Timeframe,
) -> Option<String> {
    let word = length.word(venue)?;
    let query = format!("symbol={symbol}&interval={word}&limit={KEPT}");
    Some(match venue {
        Venue::Bybit => format!("/v5/market/kline?category={}&{query}", market.name()),
        Venue::Binance => format!("{}/klines?{query}", prefix(market)),
    })
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "retCode")]
    code: i64,
    #[serde(rename = "retMsg", default)]
    text: String,
    result: Option<List<T>>,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    list: Vec<T>,
}

fn listed<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<Vec<T>, String> {
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match (envelope.code, envelope.result) {
        (0, Some(result)) => Ok(result.list),
        (BYBIT_UNKNOWN, _) => Ok(Vec::new()),
        (code, _) => Err(format!("{code} {}", envelope.text)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BybitRow {
    symbol: String,
    price_filter: BybitPrices,
    lot_size_filter: BybitLots,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BybitPrices {
    tick_size: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BybitLots {
    qty_step: Option<String>,
    base_precision: Option<String>,
}

#[derive(Deserialize)]
struct BinanceInfo {
    symbols: Vec<BinanceRow>,
}

#[derive(Deserialize)]
struct BinanceRow {
    symbol: String,
    filters: Vec<BinanceFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BinanceFilter {
    filter_type: String,
    tick_size: Option<String>,
    step_size: Option<String>,
}

/// The rules in an answer, of all symbols that it names.
///
/// # Errors
/// What is wrong with it.
pub fn rules(
    venue: Venue,
    market: Market,
    body: &[u8],
    wanted: &[&str],
) -> Result<Vec<Instrument>, String> {
    let rows: Vec<[String; 3]> = match venue {
        Venue::Bybit => listed::<BybitRow>(body)?.into_iter().filter_map(bybit_steps).collect(),
        Venue::Binance => serde_json::from_slice::<BinanceInfo>(body)
            .map_err(|error| error.to_string())?
            .symbols
            .into_iter()
            .filter_map(binance_steps)
            .collect(),
    };
    let kind = match market {
        Market::Spot => Kind::Spot,
        Market::Linear => Kind::LinearPerpetual,
    };
    rows.iter()
        .filter(|[symbol, ..]| wanted.contains(&symbol.as_str()))
        .map(|[symbol, tick, lot]| {
            Instrument::new(symbol, kind, tick, lot).map_err(|error| error.to_string())
        })
        .collect()
}

fn bybit_steps(row: BybitRow) -> Option<[String; 3]> {
    let lots = row.lot_size_filter;
    let lot = lots.qty_step.or(lots.base_precision)?;
    Some([row.symbol, row.price_filter.tick_size, lot])
}

fn binance_steps(row: BinanceRow) -> Option<[String; 3]> {
    let find = |kind: &str| row.filters.iter().find(|filter| filter.filter_type == kind);
    let tick = find("PRICE_FILTER")?.tick_size.clone()?;
    let lot = find("LOT_SIZE")?.step_size.clone()?;
    Some([row.symbol, tick, lot])
}

/// The candles in an answer, oldest first.
///
/// # Errors
/// What is wrong with it.
pub fn candles(venue: Venue, body: &[u8]) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = match venue {
        Venue::Bybit => {
            let rows: Vec<Vec<String>> = listed(body)?;
            rows.iter().map(|row| bybit_row(row)).collect::<Option<_>>()
        }
        Venue::Binance => {
            let rows: Vec<Vec<serde_json::Value>> =
                serde_json::from_slice(body).map_err(|error| error.to_string())?;
            rows.iter().map(|row| binance_row(row)).collect::<Option<_>>()
        }
    }
    .ok_or("a candle that is none")?;
    rows.sort_by_key(|row| row.open_ns);
    rows.dedup_by_key(|row| row.open_ns);
    Ok(rows)
}

fn bybit_row(row: &[String]) -> Option<Row> {
    let open_ns = time_ns(row.first()?.parse().ok()?)?;
    row_of(open_ns, |place| Number::parse(row.get(place)?).map(|number| number.to_f64()))
}

fn binance_row(row: &[serde_json::Value]) -> Option<Row> {
    let open_ns = time_ns(row.first()?.as_u64()?)?;
    row_of(open_ns, |place| Number::parse(row.get(place)?.as_str()?).map(|number| number.to_f64()))
}

/// Columns 1 to 5; prices are positive and in order.
fn row_of(open_ns: i64, value: impl Fn(usize) -> Option<f64>) -> Option<Row> {
    let mut values = [0.0; 5];
    for (place, slot) in values.iter_mut().enumerate() {
        *slot = value(place + 1)?;
    }
    let [open, high, low, close, volume] = values;
    let is_sound = low > 0.0 && low <= open.min(close) && high >= open.max(close) && volume >= 0.0;
    is_sound.then_some(Row { open_ns, values })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hean_core::Ticks;

    #[test]
    fn rules_of_both_venues_are_read() {
        let bybit = br#"{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSDT",
            "priceFilter":{"tickSize":"0.10"},"lotSizeFilter":{"qtyStep":"0.001"}}]}}"#;
        let binance = br#"{"symbols":[{"symbol":"X","filters":[]},{"symbol":"BTCUSDT","filters":[
            {"filterType":"PRICE_FILTER","tickSize":"0.10000000"},
            {"filterType":"LOT_SIZE","stepSize":"0.00100000"}]}]}"#;
        for (venue, body) in [(Venue::Bybit, &bybit[..]), (Venue::Binance, &binance[..])] {
            let found = rules(venue, Market::Linear, body, &["BTCUSDT"]).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].price_f64(Ticks(15)), 1.5);
            assert!(rules(venue, Market::Linear, body, &["ETHUSDT"]).unwrap().is_empty());
        }
        let unknown = br#"{"retCode":10001,"retMsg":"params error","result":{}}"#;
        assert_eq!(rules(Venue::Bybit, Market::Linear, unknown, &["A"]), Ok(vec![]));
        let busy = br#"{"retCode":10016,"retMsg":"server error","result":{}}"#;
        let told = rules(Venue::Bybit, Market::Linear, busy, &["A"]).unwrap_err();
        assert!(told.contains("10016"));
    }

    #[test]
    fn candles_come_oldest_first_and_bad_ones_are_refused() {
        let bybit = br#"{"retCode":0,"result":{"list":[
            ["1700000060000","2","3","1","2","5","9"],
            ["1700000000000","1","1","1","1","0","0"]]}}"#;
        let binance = br#"[[1700000000000,"1","1","1","1","0",1700000059999],
            [1700000060000,"2","3","1","2","5",1700000119999,"0",0,"0","0","0"]]"#;
        let expected = candles(Venue::Binance, binance).unwrap();
        assert_eq!(expected[1].values, [2.0, 3.0, 1.0, 2.0, 5.0]);
        assert_eq!(candles(Venue::Bybit, bybit).unwrap(), expected);
        let bad = br#"[[1700000000000,"1","1","2","1","0"]]"#;
        assert!(candles(Venue::Binance, bad).is_err());
    }

    #[test]
    fn lengths_that_a_venue_has_not_are_not_asked_for() {
        let second = Timeframe::parse("1s").unwrap();
        assert_eq!(candles_path(Venue::Bybit, Market::Spot, "A", &second), None);
        let path = candles_path(Venue::Binance, Market::Spot, "A", &second).unwrap();
        assert_eq!(path, "/api/v3/klines?symbol=A&interval=1s&limit=1000");
    }
}
