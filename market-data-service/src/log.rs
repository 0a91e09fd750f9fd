// SPDX-License-Identifier: Apache-2.0
//! Log lines as JSON on the standard error, one event a line, with the level in capitals.
//! `RUST_LOG` is read as its last plain level (`info`, `market_data_service=debug`). Never on the
//! path of a frame.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something does not work.
    Error = 0,
    /// Something went wrong and is being repaired.
    Warn = 1,
    /// What an operator wants to know.
    Info = 2,
    /// What a developer wants to know.
    Debug = 3,
}

const NAMES: [(&str, Level); 6] = [
    ("off", Level::Error),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Debug),
];

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// The level that a text such as `info` or `a=warn,debug` names; `None` if it names none.
#[must_use]
pub fn level_of(text: &str) -> Option<Level> {
    let last = text.rsplit([',', '=']).next().unwrap_or_default().trim().to_ascii_lowercase();
    NAMES.iter().find(|(name, _)| *name == last).map(|(_, level)| *level)
}

/// Be this loud from now on.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Say something, with what belongs to it.
pub fn say(level: Level, event: &str, about: &[(&str, Value)]) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let name = match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
    };
    let mut line = Map::new();
    line.insert("ts".into(), now_ns().into());
    line.insert("level".into(), name.into());
    line.insert("event".into(), event.into());
    for (key, value) in about {
        line.insert((*key).into(), value.clone());
    }
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    // Nowhere is left to say that saying failed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Nanoseconds UTC.
#[must_use]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{level_of, Level};

    #[test]
    fn the_last_level_counts() {
        assert_eq!(level_of("info"), Some(Level::Info));
        assert_eq!(level_of("mio=error,market_data_service=DEBUG"), Some(Level::Debug));
        assert_eq!(level_of("loud"), None);
    }
}
