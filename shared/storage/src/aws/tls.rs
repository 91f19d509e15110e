//! Secure connections: one provider (`ring`), and the roots that the machine trusts.

use rustls::{ClientConfig, RootCertStore};

/// What a client speaks TLS by. It reads the roots of the machine, so it is made when a connection needs it and not before.
pub fn tls_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // Without any, secure connections fail, and say so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that are safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
