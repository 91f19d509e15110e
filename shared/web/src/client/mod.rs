//! The client of a request: its IP address, behind trusted proxies or behind CloudFront.
//!
//! The host inserts the [`Peer`] into the extensions of the request. The gateway derives [`ClientIp`] from it, from `X-Forwarded-For` if the
//! peer is a trusted proxy, or from the header of CloudFront if the request carries the origin secret. Limits and API keys that are bound to
//! networks use the result.
//!
//! This module must not depend on the configuration or on a session.
//!
//! To support another proxy that names its client in a header of its own, add a file like `cloudfront.rs`, whose function returns a
//! [`ClientIp`] or an error, and call it in `Gateway::client_of`.

mod address;
mod cloudfront;

pub use address::{ClientIp, Peer};
pub use cloudfront::OriginSecret;
