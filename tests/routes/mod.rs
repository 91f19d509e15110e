//! The contract over HTTP, laid out like the URL tree.

mod account;
mod apikeys;
mod closed;
mod confirm;
mod docs;
mod email;
mod expiry;
mod info;
mod key_bounds;
mod lockout;
mod mfa;
mod protocol;
mod repeats;
mod sets;
mod sign_out;
mod signin;
mod signin_link;
mod signup;
mod usage;
