//! Accounts and everything that authenticates them or limits them: one module per table.

pub mod account_storage;
pub mod api_keys;
pub mod audit;
pub mod confirmations;
pub mod known_networks;
pub mod oauth_states;
pub mod profiles;
pub mod second_factors;
pub mod users;
