//! Checksums of the database and digests of objects (XXH3, 64 bits).
//!
//! The checksum of a database is the XOR of one hash per page, so that a commit can update it without reading the
//! unchanged pages.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::limits::LOCK_BYTE;

/// Computes the digest of an object that arrives in pieces.
pub(crate) use xxhash_rust::xxh3::Xxh3Default as ObjectDigest;

/// Returns the hash of one page; 0 for the lock page. The page number is the seed, so that swapped pages are noticed.
pub(crate) fn page_hash(page_size: u32, number: u32, bytes: &[u8]) -> u64 {
    if is_lock_page(page_size, number) {
        0
    } else {
        xxh3_64_with_seed(bytes, u64::from(number))
    }
}

/// Returns the digest of one object.
pub(crate) fn object_digest(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Returns whether page `number` is the [`lock_page`].
pub(crate) fn is_lock_page(page_size: u32, number: u32) -> bool {
    number == lock_page(page_size)
}

/// Returns the number of the page that holds the byte at 1 GiB. SQLite uses that byte for locks and never writes the
/// page.
pub(crate) fn lock_page(page_size: u32) -> u32 {
    LOCK_BYTE / page_size + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_page_holds_byte_at_one_gibibyte() {
        assert!(is_lock_page(4_096, 262_145));
        assert!(!is_lock_page(4_096, 262_144));
        assert!(is_lock_page(65_536, 16_385));
        assert_eq!(page_hash(4_096, 262_145, &[1; 4_096]), 0);
    }

    #[test]
    fn page_hash_depends_on_page_number() {
        assert_ne!(page_hash(512, 1, &[7; 512]), page_hash(512, 2, &[7; 512]));
    }
}
