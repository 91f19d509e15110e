//! Randomness as an injected dependency, so that tests and simulations can repeat it: ids, nonces, jitter.
//!
//! [`SystemStorageRandom`] is the only code of the crate that reads the ambient source of randomness.

use std::sync::{Mutex, PoisonError};

use ulid::Ulid;

use crate::clock::StorageClock;

/// Source of random bytes.
pub trait StorageRandom: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The random source of the operating system.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemStorageRandom;

impl StorageRandom for SystemStorageRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the implementation that the rest of the code is given"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a kernel that runs this process has randomness");
    }
}

/// A reproducible source for tests and simulations (SplitMix64). Its output is predictable, so it must not name objects
/// of a real bucket.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// Creates a source that returns the same bytes for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl StorageRandom for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            piece.copy_from_slice(&mixed.to_le_bytes()[..piece.len()]);
        }
    }
}

/// Returns a number in `0..bound`, or 0 if `bound` is 0. It is slightly biased, which does not matter for jitter.
pub(crate) fn below(random: &dyn StorageRandom, bound: u64) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
}

/// Returns 16 random bytes in lower-case hexadecimal.
pub(crate) fn hex_16(random: &dyn StorageRandom) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Returns a fresh ULID, which names an immutable object.
pub(crate) fn fresh_ulid(clock: &dyn StorageClock, random: &dyn StorageRandom) -> Ulid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    Ulid::from_parts(clock.unix_ms(), u128::from_be_bytes(bytes))
}
