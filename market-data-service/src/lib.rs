// SPDX-License-Identifier: Apache-2.0
//! Market data of Bybit and Binance as a service: books, tickers, candles and indicators over HTTP,
//! changes over WebSocket, facts for engines. Parsing, books and indicators are `hean-core`'s; here
//! are sockets, threads and clocks. It trades nothing, holds no key and changes nothing anywhere.
//! Why it is built so: docs/adr/0031.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod address;
pub mod answers;
pub mod ask;
pub mod board;
pub mod brokers;
pub mod candles;
pub mod clients;
pub mod config;
pub mod facts_json;
pub mod feed;
pub mod frame;
pub mod http;
pub mod hub;
pub mod kafka;
pub mod kafka_batch;
pub mod line;
pub mod log;
pub mod metrics;
pub mod outbox;
pub mod pack;
pub mod peer;
pub mod publish;
pub mod redis;
pub mod report;
pub mod rest;
pub mod sources;
pub mod symbol;
pub mod timeframe;
pub mod tls;
