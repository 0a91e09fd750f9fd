// SPDX-License-Identifier: Apache-2.0
//! What the service tells of itself: health for people and balancers, metrics for Prometheus. It is
//! degraded while a book is missing or Redis is away, and ready when every book is there.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use hean_core::wire::feed::Counters;
use serde_json::{json, Map, Value};

use crate::clients::Clients;
use crate::hub::Hub;
use crate::metrics::{process, Page};
use crate::publish::Publisher;

const JSON: &str = "application/json";

fn missing(hub: &Hub) -> Vec<&str> {
    let symbols = hub.board.symbols.iter().filter(|symbol| !symbol.has_book);
    symbols.map(|symbol| symbol.name.as_str()).collect()
}

/// Status, kind and body of the question whether all books are there.
#[must_use]
pub fn ready(hub: &Hub) -> (u16, &'static str, Vec<u8>) {
    let missing = missing(hub);
    let status = if missing.is_empty() { 200 } else { 503 };
    let word = if missing.is_empty() { "ready" } else { "not ready" };
    (status, JSON, json!({"status": word, "without_book": missing}).to_string().into_bytes())
}

/// How it is, in detail.
#[must_use]
pub fn health(hub: &Hub, clients: &Clients, now: Instant) -> Vec<u8> {
    let missing = missing(hub);
    let feeds: Vec<serde_json::Value> = hub
        .sources
        .feeds
        .iter()
        .map(|feed| {
            json!({
                "name": feed.name, "is_up": feed.fault.is_empty(), "fault": feed.fault,
                "opens": feed.counts.opens, "drops": feed.counts.drops,
                "watermark": feed.wire.counters().frames,
            })
        })
        .collect();
    let is_up = |publisher: &Publisher| publisher.state.is_up.load(Relaxed);
    let brokers: Map<String, Value> =
        hub.publishers.iter().map(|it| (it.name.to_owned(), json!(is_up(it)))).collect();
    let is_well = missing.is_empty() && hub.publishers.iter().all(is_up);
    let document = json!({
        "status": if is_well { "healthy" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "timestamp": crate::log::now_ns(),
        "uptime_seconds": now.saturating_duration_since(hub.started).as_secs_f64(),
        "symbols": hub.board.symbols.len(),
        "without_book": missing,
        "feeds": feeds,
        "clients": clients.count(),
        "listeners": clients.listening(),
        "services": brokers,
    });
    document.to_string().into_bytes()
}

/// What Prometheus reads.
#[must_use]
pub fn metrics(hub: &Hub, clients: &Clients, now: Instant) -> Vec<u8> {
    let mut page = Page::default();
    feed_metrics(&mut page, hub);
    symbol_metrics(&mut page, hub);
    client_metrics(&mut page, clients);
    let failed = "hean_market_data_failed_questions_total";
    page.single(failed, "counter", "Requests to venues without an answer", hub.sources.failed);
    let (resident, cpu_s) = process();
    page.single("process_resident_memory_bytes", "gauge", "Resident memory", resident);
    page.single("process_cpu_seconds_total", "counter", "CPU time", cpu_s);
    let uptime = now.saturating_duration_since(hub.started).as_secs_f64();
    page.single("hean_market_data_uptime_seconds", "gauge", "Since the start", uptime);
    let help = "From waking up with a frame to the clients' sockets";
    page.histogram("hean_market_data_out_seconds", help, &hub.latency);
    broker_metrics(&mut page, &hub.publishers);
    page.text()
}

fn broker_metrics(page: &mut Page, publishers: &[Publisher]) {
    if publishers.is_empty() {
        return;
    }
    let up = "hean_market_data_broker_up";
    page.family(up, "gauge", "1 while the broker is reached");
    for each in publishers {
        page.sample(up, &[("broker", each.name)], u8::from(each.state.is_up.load(Relaxed)));
    }
    let counters = [
        ("published", "Messages that the broker has"),
        ("unpublished", "Messages that found no room, or were refused"),
        ("publish_errors", "Times the broker was not reached or refused"),
    ];
    for (of, (name, help)) in counters.into_iter().enumerate() {
        let name = format!("hean_market_data_{name}_total");
        page.family(&name, "counter", help);
        for each in publishers {
            let counts = [&each.state.sent, &each.state.dropped, &each.state.errors];
            page.sample(&name, &[("broker", each.name)], counts[of].load(Relaxed));
        }
    }
}

fn client_metrics(page: &mut Page, clients: &Clients) {
    let counts = clients.counts;
    let requests = "hean_http_requests_total";
    page.family(requests, "counter", "Requests answered, by status");
    for (status, count) in ["200", "4xx", "503"].iter().zip(counts.requests) {
        page.sample(requests, &[("status", status)], count);
    }
    let gauges = [
        ("hean_ws_connections", "Clients of the live stream", clients.listening()),
        ("hean_market_data_clients", "Connections of clients", clients.count()),
        ("hean_market_data_waiting_bytes", "Bytes that wait for clients", clients.waiting()),
    ];
    for (name, help, value) in gauges {
        page.single(name, "gauge", help, value);
    }
    let counters = [
        ("turned_away", "Clients beyond the limit", counts.turned_away),
        ("frames_out", "Frames given to clients", counts.frames),
        ("replaced", "States replaced while they waited", counts.replaced),
        ("slow_clients", "Clients let go as too slow", counts.slow),
    ];
    for (name, help, value) in counters {
        page.single(&format!("hean_market_data_{name}_total"), "counter", help, value);
    }
}

fn feed_metrics(page: &mut Page, hub: &Hub) {
    let feeds = &hub.sources.feeds;
    page.family("hean_venue_connected", "gauge", "1 while the connection is open");
    for feed in feeds {
        let labels = [("venue", feed.venue.name()), ("feed", feed.name.as_str())];
        page.sample("hean_venue_connected", &labels, u8::from(feed.fault.is_empty()));
    }
    let name = "hean_venue_reconnects_total";
    page.family(name, "counter", "Times a connection came back");
    for feed in feeds {
        let labels = [("venue", feed.venue.name()), ("feed", feed.name.as_str())];
        page.sample(name, &labels, feed.counts.opens.saturating_sub(1));
    }
    let name = "hean_market_data_frames_total";
    page.family(name, "counter", "What the parser counted, by kind");
    for feed in feeds {
        let counters: Counters = feed.wire.counters();
        for (kind, count) in counters.named() {
            page.sample(name, &[("feed", &feed.name), ("kind", kind)], count);
        }
    }
    let name = "hean_market_data_facts_total";
    page.family(name, "counter", "Facts of the market, by kind");
    let kinds = ["trade", "quote", "book", "candle", "funding"];
    for (kind, count) in kinds.iter().zip(hub.board.counts) {
        page.sample(name, &[("kind", kind)], count);
    }
}

fn symbol_metrics(page: &mut Page, hub: &Hub) {
    page.family("hean_last_tick_timestamp_seconds", "gauge", "When the symbol was last heard of");
    for symbol in &hub.board.symbols {
        let seconds = symbol.heard_ns as f64 / 1e9;
        page.sample("hean_last_tick_timestamp_seconds", &[("symbol", &symbol.name)], seconds);
    }
    page.family("hean_market_data_book_up", "gauge", "1 while the book is whole");
    for symbol in &hub.board.symbols {
        let up = u8::from(symbol.has_book);
        page.sample("hean_market_data_book_up", &[("symbol", &symbol.name)], up);
    }
}
