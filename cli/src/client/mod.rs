//! Commands that call any installation over HTTP, as a client: `health`, `lookup` and `import-account`.
//!
//! They need no settings of an installation. The API key comes from an environment variable (`remote`).

pub(crate) mod health;
pub(crate) mod import_account;
pub(crate) mod lookup;
mod remote;
