//! Commands for a complete installation: `designs`, `doctor`, `rotate-keys` and `stats`.

pub(crate) mod designs;
pub(crate) mod doctor;
pub(crate) mod rotate_keys;
pub(crate) mod stats;
