//! The command `bespoke`.
fn main() {}
