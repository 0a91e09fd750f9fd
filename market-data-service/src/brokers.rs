// SPDX-License-Identifier: Apache-2.0
//! Where facts are published to, as variables say it. An address of Redis may hold a password, so
//! it may stand in a file, as everywhere in HEAN: `REDIS_URL_FILE`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::config::Given;

/// A secret's file that is larger is some other file.
const SECRET_BYTES_MAX: u64 = 4_096;
/// Rights of group and others, which a file with secrets must not have.
const PRIVATE_MODE: u32 = 0o077;
/// Most brokers that can be named.
const SERVERS_MAX: usize = 32;

/// A Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User, where one is named.
    pub user: Option<String>,
    /// Password, where there is one.
    pub password: Option<String>,
}

/// The server that variables name, if they do.
///
/// # Errors
/// What is wrong, with the name of the variable.
pub fn redis_in(given: &Given) -> Result<Option<Redis>, String> {
    match (given.get("REDIS_URL"), given.get("REDIS_URL_FILE")) {
        (Some(_), Some(_)) => {
            Err("REDIS_URL and REDIS_URL_FILE are both set; set one of them".to_owned())
        }
        (Some(url), None) => redis_of(url).map(Some),
        (None, Some(path)) => {
            let text = secret(path).map_err(|why| format!("REDIS_URL_FILE: {path}: {why}"))?;
            redis_of(&text).map(Some)
        }
        (None, None) => Ok(None),
    }
}

fn secret(path: &str) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.permissions().mode() & PRIVATE_MODE != 0 {
        return Err("others may read it; chmod 600".to_owned());
    }
    let mut text = String::new();
    let mut limited = file.take(SECRET_BYTES_MAX + 1);
    limited.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("longer than {SECRET_BYTES_MAX} bytes; it is some other file"));
    }
    Ok(text)
}

/// Kafka's brokers, `host:port` with commas between.
///
/// # Errors
/// What is wrong, with the name of the variable.
pub fn servers_of(text: &str) -> Result<Vec<(String, u16)>, String> {
    let bad = || format!("KAFKA_SERVERS: {text:?}; give host:port, with commas between several");
    let mut servers = Vec::new();
    for place in text.split(',').map(str::trim) {
        let (host, port) = place.rsplit_once(':').ok_or_else(bad)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
        if host.is_empty() || servers.len() == SERVERS_MAX {
            return Err(bad());
        }
        servers.push((host.to_owned(), port));
    }
    Ok(servers)
}

fn redis_of(url: &str) -> Result<Redis, String> {
    let bad = || "REDIS_URL: expected redis://[user:password@]host[:port]".to_owned();
    let rest = url.trim().strip_prefix("redis://").ok_or_else(bad)?;
    let rest = rest.split(['/', '?']).next().unwrap_or_default();
    let (login, place) =
        rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    // An address of the right shape; a broker in another container is no venue.
    let (host, port) = place.split_once(':').unwrap_or((place, "6379"));
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?;
    if host.is_empty() {
        return Err(bad());
    }
    let (user, password) = login.map_or((None, None), |login| match login.split_once(':') {
        Some(("", password)) => (None, Some(password)),
        Some((user, password)) => (Some(user), Some(password)),
        None => (None, Some(login)),
    });
    let (user, password) = (user.map(str::to_owned), password.map(str::to_owned));
    Ok(Redis { host: host.to_owned(), port, user, password })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_redis_may_want_a_password() {
        let redis = redis_of("redis://:pw@keydb:6380/0").unwrap();
        let expected =
            Redis { host: "keydb".into(), port: 6380, user: None, password: Some("pw".into()) };
        assert_eq!(redis, expected);
        assert_eq!(redis_of("redis://localhost").unwrap().port, 6379);
    }

    #[test]
    fn an_address_may_stand_in_a_file_that_is_private() {
        let path = std::env::temp_dir().join(format!("hean-redis-url-{}", std::process::id()));
        let name = path.to_str().unwrap();
        std::fs::write(&path, "redis://:pw@keydb:6380\n").unwrap();
        let mode = |bits| std::fs::set_permissions(name, std::fs::Permissions::from_mode(bits));
        mode(0o644).unwrap();
        let told = redis_in(&given(&[("REDIS_URL_FILE", name)])).unwrap_err();
        assert!(told.contains("REDIS_URL_FILE") && told.contains("chmod 600"), "{told}");
        mode(0o600).unwrap();
        let redis = redis_in(&given(&[("REDIS_URL_FILE", name)])).unwrap().unwrap();
        assert_eq!((redis.port, redis.password.as_deref()), (6380, Some("pw")));
        let both = [("REDIS_URL_FILE", name), ("REDIS_URL", "redis://h")];
        assert!(redis_in(&given(&both)).unwrap_err().contains("both set"));
        std::fs::write(&path, "x".repeat(5_000)).unwrap();
        assert!(redis_in(&given(&both[..1])).unwrap_err().contains("4096"));
        std::fs::remove_file(&path).unwrap();
        assert!(redis_in(&given(&both[..1])).unwrap_err().contains(name));
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        let found = servers_of("kafka:9092, [::1]:9093").unwrap();
        assert_eq!(found, [("kafka".to_owned(), 9092), ("::1".to_owned(), 9093)]);
        for wrong in ["kafka", "kafka:0", ":9092", "a:1,,b:2", ""] {
            assert!(servers_of(wrong).unwrap_err().contains("KAFKA_SERVERS"), "{wrong}");
        }
    }
}
