//! The opaque value of an ETag.

use xxhash_rust::xxh3::xxh3_128;

/// Returns the ETag value of a body: 32 hexadecimal digits. It is a fast hash that tells bodies apart, and not a proof of their origin.
pub(crate) fn tag_of(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
