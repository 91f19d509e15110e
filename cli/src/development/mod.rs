//! Commands for tests and measurements: `demo`, `invoke`, `simulate`, `bench-seed` and `bench-original`.

pub(crate) mod bench_original;
pub(crate) mod bench_seed;
pub(crate) mod demo;
mod functions;
pub(crate) mod invoke;
pub(crate) mod simulate;
