//! The model and the rules of authentication: entities, measurements, roles, permissions, validation, credentials, tokens and encryption.
//!
//! **Job.** This crate contains every rule about accounts and their data that is independent of HTTP and SQL.
//!
//! **Dependencies.** The crate does no I/O and must not depend on HTTP, SQL, the environment or tokio. It gets the clock and the random source as
//! arguments ([`Clock`], [`Random`]), so that tests control both.
//!
//! **Data flow.** `bespoke-database` stores the [`entity`] types, and encrypts their private columns with [`FieldCipher`]. `bespoke-web` verifies
//! credentials with [`Tokens`], [`KeySecret`] and [`PasswordHasher`], and asks [`permission::Actor`] before it reads or changes a record.
//!
//! **How to add one more.** A rule belongs to the module of its kind (`permission`, `validate`, `measurement`). An entity gets a module below
//! [`entity`] with its fields and their units, and a repository in `bespoke-database`.

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
mod text_file;
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
pub use password::{MAX_PASSWORD_BYTES, PasswordError, PasswordForm, PasswordHasher, PasswordSettings};
pub use random::Random;
pub use role::{Level, Role};
pub use scope::{MAX_SCOPES, Scope, ScopeError, Scopes};
pub use second_factor::{SCRATCH_CODES, ScratchCode, TOTP_DIGITS, TotpSecret, typed_code};
pub use secret::{KeySecret, SecretDigest, SecretError, StoredSecret};
pub use stored_json::{MAX_STORED_JSON_BYTES, MAX_STORED_JSON_DEPTH, MAX_STORED_JSON_VALUES, StoredJson};
pub use text_file::decode_text;
pub use token::{Claims, Grant, TokenAccount, TokenError, TokenSettings, Tokens};
