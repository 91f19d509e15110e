//! The auth-and-model crate: who somebody is, what they may do, and what is kept about them.
//!
//! **What it is for.** Entities, measurements, roles and levels, permissions, validation, password and key hashing,
//! tokens, field encryption. Every rule about people and their data that would be true without HTTP and without SQL.
//!
//! **What it must not know.** HTTP, SQL, the environment, tokio; and it has no clock or randomness of its own: both are
//! handed in ([`Clock`], [`Random`]), so every rule can be tested at any moment in time.
//!
//! **How to add one more.** A rule goes beside its like (`permission`, `validate`, `measurement`); an entity gets a
//! module under [`entity`] with its fields and units, and its table gets a repository in `bespoke-database`.

mod client_network;
mod clock;
pub mod entity;
mod field_cipher;
mod id;
mod imported_hash;
mod key_ring;
mod link_signer;
pub mod measurement;
mod networks;
mod password;
pub mod permission;
mod random;
mod role;
mod scope;
mod second_factor;
mod secret;
mod stored_json;
mod token;
pub mod validate;

pub use client_network::ClientNetwork;
pub use clock::{Clock, DurationError, Timestamp, parse_duration_ms};
pub use field_cipher::{CipherError, FieldCipher, FieldLocation};
pub use id::EntityId;
pub use imported_hash::ImportedHash;
pub use key_ring::{BlindIndex, KEY_BYTES, Key, KeyError, KeyRing, MIN_PASSPHRASE_BYTES};
pub use link_signer::LinkSigner;
pub use networks::{MAX_NETWORKS, Networks, NetworksError};
pub use password::{MAX_PASSWORD_BYTES, PasswordError, PasswordHasher, PasswordSettings};
pub use random::Random;
pub use role::{Level, Role};
pub use scope::{MAX_SCOPES, Scope, ScopeError, Scopes};
pub use second_factor::{SCRATCH_CODES, ScratchCode, TOTP_DIGITS, TotpSecret, typed_code};
pub use secret::{KeySecret, SecretDigest, SecretError, StoredSecret};
pub use stored_json::{MAX_STORED_JSON_BYTES, MAX_STORED_JSON_DEPTH, MAX_STORED_JSON_VALUES, StoredJson};
pub use token::{Claims, Grant, TokenAccount, TokenError, TokenSettings, Tokens};
