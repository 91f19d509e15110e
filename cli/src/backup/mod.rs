//! Commands for backups and restores: `backup`, `restore` and `verify`.

pub(crate) mod create;
mod manifest;
pub(crate) mod restore;
pub(crate) mod verify;
