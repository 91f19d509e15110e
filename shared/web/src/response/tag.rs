//! [`tag_of`]: computes the opaque value of an ETag.

use xxhash_rust::xxh3::xxh3_128;

/// Returns the ETag value of a body: 32 hexadecimal digits of a fast hash, which is not cryptographic.
pub(crate) fn tag_of(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
