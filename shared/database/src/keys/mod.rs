//! The keys of the database: the mark of the keys in use, and the list of encrypted columns for their rotation.

pub(crate) mod installation;
pub mod sealed;
