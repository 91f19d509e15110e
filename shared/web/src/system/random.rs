//! [`SystemRandom`]: the random source of the operating system.

use bespoke_core::Random;

/// The random source of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where randomness comes from"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("an operating system without randomness cannot keep secrets");
    }
}
