//! The checksum of a database: XOR over one hash per page, so that a commit can move it without reading the rest.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::limits::LOCK_BYTE;

/// The hash of one page, bound to its number. 0 for the page that SQLite never writes.
pub(crate) fn of_page(page_size: u32, number: u32, bytes: &[u8]) -> u64 {
    if is_lock_page(page_size, number) {
        0
    } else {
        xxh3_64_with_seed(bytes, u64::from(number))
    }
}

/// The digest of one object that comes in pieces.
pub(crate) use xxhash_rust::xxh3::Xxh3Default as OfObject;

/// The digest of one object.
pub(crate) fn of_object(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Whether page `number` is [`lock_page`].
pub(crate) fn is_lock_page(page_size: u32, number: u32) -> bool {
    number == lock_page(page_size)
}

/// The page that holds the byte at 1 GiB: SQLite locks there, and never writes it.
pub(crate) fn lock_page(page_size: u32) -> u32 {
    LOCK_BYTE / page_size + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_page_holds_the_byte_at_one_gibibyte() {
        assert!(is_lock_page(4_096, 262_145));
        assert!(!is_lock_page(4_096, 262_144));
        assert!(is_lock_page(65_536, 16_385));
        assert_eq!(of_page(4_096, 262_145, &[1; 4_096]), 0);
    }

    #[test]
    fn a_page_in_another_place_is_another_page() {
        assert_ne!(of_page(512, 1, &[7; 512]), of_page(512, 2, &[7; 512]));
    }
}
