//! Randomness as a parameter.

use uuid::Uuid;

/// A source of random bytes that is fit for secrets. Production hands in the operating system's.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Random + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// `N` random bytes as lower-case hexadecimal text of `2 * N` digits.
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

/// Randomness for tests: repeatable, different at each call, fit for nothing else.
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
