//! [`Random`]: the injected random source.

use uuid::Uuid;

/// A source of random bytes for secrets. Production uses the random source of the operating system.
pub trait Random: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Random + '_ {
    /// Returns `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Returns a random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// Returns `N` random bytes as `2 * N` lower-case hexadecimal digits.
    pub fn hex<const N: usize>(&self) -> String {
        use std::fmt::Write;
        self.bytes::<N>()
            .iter()
            .fold(String::with_capacity(2 * N), |mut text, byte| {
                write!(text, "{byte:02x}").expect("writing to a String cannot fail");
                text
            })
    }
}

/// A deterministic source for tests. Each call returns other bytes.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    pub(crate) struct Counting(AtomicU64);

    impl super::Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            use sha2::{Digest, Sha256};
            for chunk in buffer.chunks_mut(32) {
                let block = Sha256::digest(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
        }
    }
}
