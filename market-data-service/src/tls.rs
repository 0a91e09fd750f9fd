// SPDX-License-Identifier: Apache-2.0
//! TLS towards venues: rustls over the certificates that the system trusts. `SSL_CERT_FILE` names
//! others, as for other programs.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::address::Address;

/// What all encrypted connections share.
pub type Settings = Arc<ClientConfig>;

/// Read the system's certificates. A machine without any gets an error at its first connection, not
/// here: addresses may all be local.
///
/// # Errors
/// A broken build of the library; never seen.
pub fn settings() -> Result<Settings, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Begin a session with the host of an address.
///
/// # Errors
/// A host that no certificate can name.
pub fn begin(settings: &Settings, address: &Address) -> Result<ClientConnection, String> {
    let name = ServerName::try_from(address.host.clone()).map_err(|error| error.to_string())?;
    ClientConnection::new(Arc::clone(settings), name).map_err(|error| error.to_string())
}
