//! The operating system: its clock, its random source, and the mode of new files.
//!
//! Only this module calls the ambient clock and the ambient random source; `clippy.toml` forbids both elsewhere. All other code gets
//! `dyn Clock` and `dyn Random`, so that tests control them. It depends on `bespoke-core` alone.
//!
//! To add another facility of the operating system, put the call into a file here and hand it over in
//! [`Dependencies`](crate::Dependencies).

mod clock;
mod files;
mod random;

pub use clock::SystemClock;
pub use files::keep_files_private;
pub use random::SystemRandom;
