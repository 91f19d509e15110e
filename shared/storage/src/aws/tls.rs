//! TLS with one provider (`ring`) and the root certificates of the machine.

use rustls::{ClientConfig, RootCertStore};

/// Returns the TLS settings of a client. It reads the root certificates of the machine, so it should be called only
/// when a connection needs it.
pub fn tls_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // Without root certificates, connections fail with a clear error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that are safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
