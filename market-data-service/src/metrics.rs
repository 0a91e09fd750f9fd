// SPDX-License-Identifier: Apache-2.0
//! `/metrics` in the text form of Prometheus. What an alert asks for bears the name it bears in the
//! rest of HEAN (`hean_venue_connected`, `hean_last_tick_timestamp_seconds`); the service's own
//! begin with `hean_market_data_`.

use std::fmt::Display;

use crate::symbol::put;

/// Bounds of the time from a frame to the clients' sockets, in seconds.
const BOUNDS: [f64; 10] = [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25];

/// How often it took how long.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum_s: f64,
}

impl Histogram {
    /// It took this long.
    pub fn observe(&mut self, seconds: f64) {
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at] += 1;
        }
        self.count += 1;
        self.sum_s += seconds;
    }
}

/// Writes samples, families one after the other.
#[derive(Debug, Default)]
pub struct Page {
    text: Vec<u8>,
}

impl Page {
    /// What was written.
    #[must_use]
    pub fn text(self) -> Vec<u8> {
        self.text
    }

    /// Begin a family.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        put(&mut self.text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample of it.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        put(&mut self.text, format_args!("{name}"));
        for (place, (key, value)) in labels.iter().enumerate() {
            let mark = if place == 0 { "{" } else { "," };
            // Values are names of HEAN or its symbols: nothing in them has to be escaped.
            put(&mut self.text, format_args!("{mark}{key}=\"{value}\""));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        put(&mut self.text, format_args!("{end} {value}\n"));
    }

    /// A family with one sample.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A histogram.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            below += count;
            put(&mut self.text, format_args!("{name}_bucket{{le=\"{bound}\"}} {below}\n"));
        }
        let Histogram { count, sum_s, .. } = histogram;
        put(
            &mut self.text,
            format_args!(
                "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum_s}\n{name}_count {count}\n"
            ),
        );
    }
}

/// Resident memory of this process in bytes, and its CPU seconds; zero where the system does not
/// say.
#[must_use]
pub fn process() -> (u64, f64) {
    let page = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident: u64 = statm.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split(' ').skip(12).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
    (resident * page, ticks as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.family("a_total", "counter", "As.");
        page.sample("a_total", &[("x", "1"), ("y", "2")], 3);
        let mut histogram = Histogram::default();
        histogram.observe(1e-4);
        histogram.observe(9.0);
        page.histogram("h", "Hs.", &histogram);
        let text = String::from_utf8(page.text()).unwrap();
        assert!(text.starts_with(
            "# HELP a_total As.\n# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\n"
        ));
        assert!(text.contains("h_bucket{le=\"0.00005\"} 0\nh_bucket{le=\"0.0001\"} 1\n"));
        assert!(text.contains("h_bucket{le=\"0.25\"} 1\nh_bucket{le=\"+Inf\"} 2\n"));
        assert!(text.ends_with("h_count 2\n"));
    }
}
