//! The contract over HTTP, laid out like the URL tree.

mod account;
mod apikeys;
mod closed;
mod confirm;
mod docs;
mod export;
mod images;
mod info;
mod key_bounds;
mod oauth;
mod protocol;
mod removal;
mod repeats;
mod sets;
mod signin;
mod signup;
mod usage;
mod users;
