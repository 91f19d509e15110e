//! Support for tests: built binaries, and the hosts that run them.

pub mod app;
pub mod built;
pub mod description;
pub mod picture;
pub mod runtime_api;
pub mod secrets;
pub mod server;

pub use app::{Answer, App, ENC_KEY, Key, Person, functions};
pub use built::{binary, example};
pub use runtime_api::{Exit, Function, InvokeError, RuntimeApi, X_RAY_PARENT};
pub use server::{Server, bespoke};
