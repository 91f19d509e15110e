//! What stands in an ETag.

use xxhash_rust::xxh3::xxh3_128;

/// What follows from a body: 32 hexadecimal digits. No secret and no proof, only different for what is different.
pub(crate) fn of(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
